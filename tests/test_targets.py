import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
from helpers import TARGETS, each_family, each_target, jumps, law, uniform
from hypothesis import given
from hypothesis import strategies as st

from gan1d.gan import targets
from gan1d.gan.targets.deviations import Point

log_prob, cdf, quantile, sample, mean, std = (
    jax.jit(function)
    for function in (
        targets.log_prob,
        targets.cdf,
        targets.quantile,
        targets.sample,
        targets.mean,
        targets.std,
    )
)
deviation = jax.jit(targets.deviation)  # by the code that users have: of two floats' digits

LEVELS = np.concatenate([[1e-5, 1e-4, 1e-3], np.linspace(0.01, 0.99, 99), [0.999, 0.9999, 0.99999]])
EPSILON = 2.0**-24  # float32 rounds by at most this part; also the smallest uniform of training


def rounded(values):
    """Float32 inputs, and exactly the same numbers in float64 for the reference."""
    values = np.asarray(values, np.float32)
    return jnp.asarray(values), values.astype(float)


def standard(target):
    return dataclasses.replace(target, loc=0.0, scale=1.0)


WIDTHS = {"mixture": "stds", "uniform_mixture": "half_widths"}  # of components
weights, means, widths = (
    st.tuples(*[st.floats(low, high, width=32, allow_subnormal=False)] * 3)
    for low, high in ((0.125, 4), (-4, 4), (0.25, 4))
)
locs = st.floats(-10, 10, width=32, allow_subnormal=False)
scales = st.floats(0.125, 10, width=32)
each_random_target = given(loc=locs, scale=scales, weights=weights, means=means, widths=widths)


def replaced(target, loc, scale, weights, means, widths):
    moved = dataclasses.replace(target, loc=loc, scale=scale)
    if target.kind not in WIDTHS:
        return moved
    own = {"weights": weights, "means": means, WIDTHS[target.kind]: widths}
    return dataclasses.replace(moved, **own)


def from_jumps(target, x):
    """How far places are from the nearest jump of the density, in scales."""
    return np.abs(x[:, None] - jumps(target)).min(1, initial=np.inf) / target.scale


@each_family
@each_random_target
def test_density_is_scipys(target, **parameters):
    target = replaced(target, **parameters)
    x = law(target).ppf(LEVELS[1:-1])
    # Rounding moves places across a jump.
    x, exact = rounded(x[from_jumps(target, x) > 1e-4])
    # The slope of log p, at most about 30 per standardised unit here, enlarges x's rounding.
    np.testing.assert_allclose(log_prob(target, x), law(target).logpdf(exact), rtol=2e-5, atol=2e-5)


@each_target
def test_density_integrates_to_one_and_to_the_cdf(target):
    level = 1e-6
    low, high = quantile(target, jnp.array([level, 1 - level]))
    logits = np.linspace(-np.log(1 / level - 1), np.log(1 / level - 1), 20_001)
    # As dense where the law is as from end to end, and on either side of a jump.
    places = [np.linspace(low, high, 20_001), law(target).ppf(scipy.special.expit(logits))]
    places += [jumps(target) - 1e-6, jumps(target) + 1e-6]
    x, exact = rounded(np.sort(np.clip(np.concatenate(places), low, high)))
    density = np.exp(np.asarray(log_prob(target, x), float))
    below = level + scipy.integrate.cumulative_trapezoid(density, exact, initial=0)
    # The CDF near 1, and so where the grid ends, is only known to float32.
    np.testing.assert_allclose(below[-1], 1 - level, atol=1e-5)
    np.testing.assert_allclose(cdf(target, x), below, atol=1e-5)


@each_target
def test_nothing_is_outside_the_support(target):
    low, high = law(target).support()
    outside = jnp.array([-jnp.inf, low - 0.01, high + 0.01, jnp.inf])
    np.testing.assert_array_equal(log_prob(target, outside), -np.inf)
    np.testing.assert_array_equal(cdf(target, outside), [0, 0, 1, 1])


@each_family
@each_random_target
def test_cdf_is_scipys(target, **parameters):
    target = replaced(target, **parameters)
    x, exact = rounded(law(target).ppf(LEVELS))
    # Standard coordinates of up to 20, rounded, times a component's slope of up to 1.6: 2e-6.
    np.testing.assert_allclose(cdf(target, x), law(target).cdf(exact), atol=5e-6)


@each_family
@each_random_target
def test_quantile_inverts_scipys_cdf(target, **parameters):
    target = replaced(target, **parameters)
    levels, exact = rounded(LEVELS)
    x = np.asarray(quantile(target, levels), float)
    assert (np.diff(x) > 0).all()
    # loc + scale * t of up to 10 is rounded by 6e-7; the density is at most 1.6 / scale.
    np.testing.assert_allclose(law(target).cdf(x), exact, atol=1e-5)


@each_target
def test_extreme_quantiles_are_scipys(target):
    powers = 2.0 ** -np.arange(1, 25)
    # The mixture bisects its CDF, whose float32 values are too coarse for the far upper tail.
    upper = powers[:12] if target.kind == "mixture" else powers
    levels, exact = rounded([*powers, *(1 - upper)])
    expected = law(target).ppf(exact)
    tolerance = 2e-4 if target.kind == "mixture" else 2e-5
    np.testing.assert_allclose(
        quantile(target, levels), expected, rtol=tolerance, atol=tolerance * target.scale
    )


@each_target
def test_quantiles_at_zero_and_one_are_the_ends_of_the_support(target):
    ends = quantile(target, jnp.array([0.0, 1.0]))
    np.testing.assert_allclose(ends, law(target).support(), rtol=1e-6)


@each_target
def test_quantile_of_cdf_returns_the_point(target):
    x, exact = rounded(law(target).ppf(LEVELS))
    # A CDF that is rounded to float32 determines x no better than this.
    tolerance = 4 * EPSILON / law(target).pdf(exact) + 2e-6
    assert (np.abs(quantile(target, cdf(target, x)) - exact) <= tolerance).all()


def places(values):
    return Point(jnp.asarray(values, jnp.float32), jnp.zeros(len(values)))


@each_target
def test_deviation_is_the_integral_of_the_distance(target):
    target = standard(target)
    reference = law(target)
    inner = [*reference.ppf([1e-4, 0.01, 0.25, 0.499, 0.5, 0.501, 0.75, 0.99, 0.9999]), 0.0]
    inner += [*jumps(target)]
    t = np.unique(np.clip([-np.inf, *np.asarray(inner, np.float32), np.inf], *reference.support()))

    def integral(power, low, high):
        return scipy.integrate.quad(
            lambda s: s**power * reference.pdf(s), low, high, epsabs=1e-12, limit=200
        )[0]

    # Between neighbours among them, where the distance from any has one sign.
    slices = [*itertools.pairwise(t)]
    mass, moment = (np.array([integral(power, *ends) for ends in slices]) for power in (0, 1))
    a, c, b = np.array([*itertools.combinations_with_replacement(range(len(t)), 3)]).T
    finite = np.isfinite(t[c])  # so is any sample
    a, c, b = a[finite], c[finite], b[finite]
    expected = [
        np.abs(moment[low:high] - t[middle] * mass[low:high]).sum()
        for low, middle, high in zip(a, c, b, strict=True)
    ]
    got = np.asarray(deviation(target, *map(places, (t[a], t[c], t[b]))))
    assert got.min() >= 0
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@each_target
def test_deviations_of_short_slices_keep_their_digits(target):
    target = standard(target)
    reference = law(target)
    for length in (0.5, 1e-2, 1e-4):
        a, exact = rounded(reference.ppf([0.01, 0.3, 0.5, 0.7, 0.97]))
        b, end = rounded(np.minimum(exact + length, reference.support()[1]))
        # Around the lower end; of the density at 5 points, which is all but a parabola in there.
        places = exact + np.polynomial.legendre.leggauss(5)[0][:, None] * (end - exact) / 2
        places += (end - exact) / 2
        weights = np.polynomial.legendre.leggauss(5)[1][:, None] * (end - exact) / 2
        expected = (weights * (places - exact) * reference.pdf(places)).sum(0)
        kinks = np.array([0.0]) if target.kind == "laplace" else jumps(target)
        kink = ((exact[:, None] < kinks) & (kinks < end[:, None])).any(1)
        got = deviation(target, *(Point(x, jnp.zeros_like(x)) for x in (a, a, b)))
        # The ends are rounded, in standard coordinates and in each component's.
        tolerance = 1e-5 + 1e-6 / length
        np.testing.assert_allclose(got[~kink], expected[~kink], rtol=tolerance)


@pytest.mark.parametrize(
    "kind, own_law", [("mixture", scipy.stats.norm), ("uniform_mixture", uniform(0.0, 1.0))]
)
def test_quantiles_of_a_spike_are_known_to_more_digits_than_a_float_has(kind, own_law):
    spikes = dataclasses.replace(
        TARGETS[kind],
        loc=0.0,
        scale=1.0,
        weights=(0.5, 0.5),
        means=(0.0, 1.0),
        **{WIDTHS[kind]: (1e-7, 1e-7)},
    )
    levels, exact = rounded(np.linspace(0.01, 0.99, 99))
    found = jax.jit(targets.point)(spikes, levels)
    high, low = (np.asarray(part, float) for part in found)
    z = (high - (exact > 0.5)) / np.float32(1e-7) + low / np.float32(1e-7)
    inside = exact != 0.5
    expected = own_law.ppf(np.where(exact < 0.5, 2 * exact, 2 * exact - 1)[inside])
    np.testing.assert_allclose(z[inside], expected, atol=2e-5)


@each_family
@each_random_target
def test_mean_and_std_are_scipys(target, **parameters):
    target = replaced(target, **parameters)
    size = abs(target.loc) + 10 * target.scale  # of what is added up and rounded
    np.testing.assert_allclose(mean(target), law(target).mean(), atol=1e-6 * size)
    np.testing.assert_allclose(std(target), law(target).std(), rtol=1e-5)


@each_target
def test_samples_of_even_uniforms_follow_the_law(target):
    count = 50_000
    u = jnp.asarray((np.arange(count) + 0.5) / count, jnp.float32)
    samples = np.asarray(sample(target, u), float)
    # Each component of a mixture cuts a grid of its own out of u, off by at most one point.
    grids = len(target.weights) if target.kind in WIDTHS else 1
    distance = scipy.stats.kstest(samples, law(target).cdf).statistic
    assert distance <= (0.5 + grids) / count
    # The KS distance does not see the tails.
    np.testing.assert_allclose(samples.std(), law(target).ppf(np.float64(u)).std(), rtol=5e-3)
    tails = [count // 1000, count - count // 1000]
    np.testing.assert_allclose(
        np.sort(samples)[tails],
        law(target).ppf(np.float64(u)[tails]),
        atol=0.03 * law(target).std(),
    )


@each_target
def test_samples_keep_the_shape_of_the_uniforms(target):
    u = np.linspace(0.05, 0.95, 24, dtype=np.float32)
    flat = sample(target, jnp.asarray(u))
    shaped = sample(target, jnp.asarray(u.reshape(2, 4, 3)))
    np.testing.assert_array_equal(shaped, np.reshape(flat, (2, 4, 3)))


@each_target
def test_the_most_extreme_uniforms_give_finite_samples_on_their_sides(target):
    low, high = np.asarray(sample(target, jnp.array([EPSILON, 1 - EPSILON])))
    assert np.isfinite([low, high]).all()
    if target.kind in WIDTHS:
        # u picks the component as well: the first and last components' own tails.
        reach = {"mixture": 4.5, "uniform_mixture": 1 - 1e-5}[target.kind]
        widths = np.outer([-1, 1], getattr(target, WIDTHS[target.kind]))
        components = np.asarray(target.means) + reach * widths
        first, last = target.loc + target.scale * components[[0, 1], [0, -1]]
        assert low < first and high > last
    else:
        np.testing.assert_allclose([low, high], law(target).ppf([EPSILON, 1 - EPSILON]), rtol=2e-5)


@each_target
def test_a_row_on_the_line_takes_one_uniform_and_has_one_coordinate(target):
    assert targets.dim(target) == 1
    u = jnp.full((3, 2, targets.uniforms(target)), 0.3)
    assert sample(target, u).shape == (3, 2, 1)


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("share", [1e-6, 2e-6, 1e-5])
def test_rare_components_get_their_share_of_trainings_uniforms(share, place):
    weights = np.insert([0.3, 0.7], place, share)
    target = dataclasses.replace(
        standard(TARGETS["mixture"]),
        weights=tuple(weights),
        means=(-100.0, 0.0, 100.0),
        stds=(1.0, 1.0, 1.0),
    )
    # All uniforms that there are near the component: odd multiples of 2^-24.
    edge = int(weights[:place].sum() / weights.sum() * 2**23)
    u, _ = rounded((np.arange(max(0, edge - 500), min(2**23, edge + 500)) + 0.5) / 2**23)
    drawn = np.asarray(sample(target, u), float) - 100 * (place - 1)
    own = drawn[np.abs(drawn) < 50]
    assert abs(len(own) / 2**23 - share) <= 2.0**-23
    # They are spread over the component, without outliers.
    assert np.abs(own).max() < 3 and abs(own.mean()) < 0.2
    assert 0.7 < own.std() < 1.05
