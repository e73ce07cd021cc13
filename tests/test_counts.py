"""Targets that are counts: their masses, exact distances from them, and how they are judged."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import setting

from gan1d.config import fields
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import empirical, line, modes
from gan1d.gan.players import Players
from gan1d.gan.targets import counts

LAWS = {
    "poisson": lambda target: scipy.stats.poisson(target.rate),
    "binomial": lambda target: scipy.stats.binom(target.trials, target.probability),
    "negative_binomial": lambda target: scipy.stats.nbinom(target.successes, target.probability),
}
# Defaults, and the ends of what numbers may be.
CASES = [
    {"kind": "poisson"},
    {"kind": "poisson", "rate": 0.1},
    {"kind": "poisson", "rate": 1000.0},
    {"kind": "binomial"},
    {"kind": "binomial", "trials": 1, "probability": 0.5},
    {"kind": "binomial", "trials": 1000, "probability": 0.99},
    {"kind": "negative_binomial"},
    {"kind": "negative_binomial", "successes": 0.5, "probability": 0.02},
    {"kind": "negative_binomial", "successes": 100.0, "probability": 0.5},
]
POINTS = 251


def name(index):
    return " ".join(map(str, CASES[index].values()))


each_law = pytest.mark.parametrize("index", range(len(CASES)), ids=name)


@functools.cache
def made(index, loc=0.0, scale=1.0):
    given = CASES[index] | {"loc": loc, "scale": scale}
    return setting(**{f"target.{field}": value for field, value in given.items()})


def law(index):
    target = made(index).target
    return LAWS[target.kind](target)


def test_every_kind_of_counts_is_tested():
    assert set(LAWS) == set(targets.COUNTS) == {case["kind"] for case in CASES}


@each_law
def test_masses_and_moments_are_scipys(index):
    target, reference = made(index, -2.0, 0.5).target, law(index)
    table = counts.law(target)
    np.testing.assert_allclose(table.masses, reference.pmf(table.places), rtol=1e-8, atol=1e-12)
    assert reference.cdf(table.first - 1) < 1e-9 and reference.sf(table.places[-1]) < 1e-9
    np.testing.assert_allclose(targets.mean(target), -2 + 0.5 * reference.mean(), rtol=1e-5)
    np.testing.assert_allclose(targets.std(target), 0.5 * reference.std(), rtol=1e-5)


@each_law
def test_quantiles_and_samples_are_scipys_to_the_last_uniform(index):
    target, reference = made(index, -2.0, 0.5).target, law(index)
    powers = 2.0 ** -np.arange(1, 25)
    u = np.float32(np.sort([*powers, *(1 - powers[1:]), *np.linspace(0.0113, 0.9913, 197)]))
    expected = -2 + 0.5 * reference.ppf(u.astype(float))
    found = jax.jit(targets.quantile)(target, u)
    # A level near a count's end, as 1/2 of one trial, may be rounded to its other side.
    low, high = (reference.ppf(np.clip(u + by, 0, 1 - 1e-9)) for by in (-6e-8, 6e-8))
    inside = (found >= -2 + 0.5 * np.maximum(low, 0)) & (found <= -2 + 0.5 * high)
    assert inside.all() and (found == expected).mean() > 0.97
    rows = jax.jit(targets.sample)(target, u.reshape(-1, 1))
    np.testing.assert_array_equal(rows[:, 0], found)


@each_law
def test_cdf_steps_at_counts_and_floats_of_a_count_are_at_it(index):
    """With this loc and scale (x - loc) / scale of a count is as often below it as above."""
    target, reference = made(index, -3.3, 0.1).target, law(index)
    k = counts.law(target).places
    x = np.float32(-3.3) + np.float32(0.1) * k.astype(np.float32)
    cdf = jax.jit(targets.cdf)
    np.testing.assert_allclose(cdf(target, x), reference.cdf(k), atol=1e-6)
    np.testing.assert_allclose(cdf(target, x + np.float32(0.05)), reference.cdf(k), atol=1e-6)
    np.testing.assert_allclose(cdf(target, x - np.float32(0.05)), reference.cdf(k - 1), atol=1e-6)
    ends = cdf(target, jnp.array([-jnp.inf, -1e30, 1e30, jnp.inf]))
    np.testing.assert_allclose(ends, [0, 0, 1, 1], atol=1e-6)


def generated(index, case):
    """Samples in standard coordinates."""
    rng, reference = np.random.default_rng(index), law(index)
    mean, std = reference.mean(), reference.std()
    u = (np.arange(POINTS) + 0.5) / POINTS
    return np.float32(
        {
            "even": reference.ppf(u),
            "random": reference.rvs(POINTS, random_state=rng),
            "normal": mean + std * rng.normal(size=POINTS),
            "one count": np.full(POINTS, round(mean)),
            "far": mean + 1000 * std + rng.normal(size=POINTS),
            # No nearer to a count than floats of a count may be, and not at it.
            "cauchy": np.round(64 * (mean + std * rng.standard_cauchy(POINTS))) / 64,
        }[case]
    )


each_case = pytest.mark.parametrize(
    "case", ["even", "random", "normal", "one count", "far", "cauchy"]
)


@jax.jit
def distances(target, samples):
    edges = line.law(target, POINTS)
    ordered = jnp.sort(samples)
    return line.w1(target, samples[:, None], edges), empirical.ks_from_counts(target, ordered)


@each_case
@each_law
def test_distances_are_exact(index, case):
    loc, scale = 1.5, 0.25  # of which products and sums are exact
    target, table = made(index, loc, scale).target, counts.law(made(index).target)
    samples = loc + scale * generated(index, case)
    w1, ks = distances(target, samples)
    t = (samples.astype(float) - loc) / scale
    exact = scipy.stats.wasserstein_distance(t, table.places, v_weights=table.masses)
    np.testing.assert_allclose(w1, scale * exact, rtol=1e-5, atol=2e-6 * scale * law(index).std())
    # As far as F and F_N are apart anywhere: at a place of either, or below it.
    places = np.sort(np.concatenate([t, table.places]))
    ours = (np.searchsorted(np.sort(t), places, side) / POINTS for side in ("right", "left"))
    theirs = (law(index).cdf(each) for each in (places, np.ceil(places) - 1))
    expected = max(np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True))
    np.testing.assert_allclose(ks, expected, atol=1e-6)


def test_the_largest_samples_have_finite_distances():
    samples = np.full(POINTS, 3e38, np.float32)
    w1, ks = distances(made(0).target, samples)
    assert np.isfinite(w1) and w1 > 1e37 and ks == 1


@each_law
def test_modes_are_the_counts_but_for_the_rare_ends(index):
    target, reference = made(index).target, law(index)
    found = targets.normals(target)
    places = np.asarray(found.centres)[:, 0]
    np.testing.assert_array_equal(np.diff(places), 1)
    assert places[0] == reference.ppf(0.001) and places[-1] == reference.ppf(0.999)
    assert targets.mode_count(target) == len(places)
    expected = reference.pmf(places) / reference.pmf(places).sum()
    np.testing.assert_allclose(modes.shares(target), expected, rtol=1e-4)


@functools.cache
def known(index):
    one = made(index)
    return one, metrics.reference(one, Judging(points=POINTS))


@jax.jit
def scores(one, reference, samples, more):
    judged = metrics.Judged(one, Players(None, None), reference, samples, more)
    return {
        name: metric.function(judged)
        for name, metric in metrics.of(one).items()
        if metric.of_samples_alone
    }


@pytest.mark.parametrize("moved, share", [(0.0, 1.0), (0.19, 1.0), (0.21, 0.0), (0.5, 0.0)])
def test_a_sample_is_at_a_count_up_to_a_fifth_of_the_way_to_the_next(moved, share):
    one, reference = known(0)
    rows = np.float32(np.repeat([2.0, 5.0], [100, 151])[:, None])
    found = scores(one, reference, rows, rows + np.float32(moved))
    assert found["high_quality"] == share and found["modes"] == 2 * share
    assert "precision" not in found and "coverage" not in found


def test_a_count_that_perfect_samplers_miss_by_chance_is_no_mode_that_is_hit():
    one, reference = known(0)
    rows = np.float32(np.arange(251)[:, None] % 12)
    assert (law(0).pmf([0, 9, 10, 11]) > 0.006).tolist() == [True, True, False, False]
    assert scores(one, reference, rows, rows)["modes"] == 10


def test_the_mass_of_each_count_is_told():
    one, reference = known(0)
    rows = np.float32(np.repeat([2.0, 5.0, 30.0], [100, 100, 51])[:, None])
    found = scores(one, reference, rows, rows)
    expected = np.zeros(12)
    expected[[2, 5]] = 100 / 251
    np.testing.assert_allclose(found["mode_mass"], expected, atol=1e-6)


def test_what_is_drawn_are_masses_with_nothing_between():
    one = made(0, 4.0, 0.5)
    described = metrics.describe(one.target, Judging())
    x, drawn = np.asarray(described["x"]), np.asarray(described["target_density"])
    width = 3 * (x[1] - x[0])
    bins = drawn[1::3] * width
    masses = bins[bins > 0]
    np.testing.assert_allclose(masses, law(0).pmf(np.arange(len(masses))), rtol=1e-3)
    assert masses.sum() > 0.9999 and len(masses) < 20 < (bins == 0).sum()


@pytest.mark.parametrize(
    "given, message",
    [
        ({"kind": "poisson", "rate": 0.01}, r"target.rate=0.01: it must be at least 0.1"),
        (
            {"kind": "binomial", "trials": 1, "probability": 0.05},
            r"target.probability=0.05: its std is 0.22 counts",
        ),
        (
            {"kind": "negative_binomial", "successes": 50.0, "probability": 0.01},
            r"target.probability=0.01: it spreads over 4\d\d\d counts: at most 1000",
        ),
        ({"kind": "binomial", "trials": 2.5}, r"target.trials=2.5: it must be a whole number"),
    ],
)
def test_counts_that_cannot_be_judged_are_refused(given, message):
    with pytest.raises(fields.ConfigError, match=message):
        setting(**{f"target.{field}": value for field, value in given.items()})


def test_a_discriminator_is_not_pretrained_on_a_density_that_there_is_none_of():
    with pytest.raises(fields.ConfigError, match=r"pretraining.steps=1: counts have no density"):
        setting(**{"target.kind": "poisson", "pretraining.steps": 1})
