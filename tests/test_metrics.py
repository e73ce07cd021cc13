import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import TARGETS, each_target, law, setting
from hypothesis import given
from hypothesis import strategies as st

from gan1d.config.fields import specs
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import line
from gan1d.gan.players import Players
from gan1d.gan.targets import skewed

POINTS = 201  # of the judged samples, where their number does not matter
FINE = 20_000


@jax.jit
def w1(target, samples):
    return line.w1(target, samples[:, None], line.law(target, samples.shape[0]))


@jax.jit
def ks(target, samples):
    return line.ks_of_sorted(targets.cdf(target, jnp.sort(samples)))


@functools.cache
def fine(target):
    """So many quantiles of the target that they stand for it."""
    return law(target).ppf(midpoints(FINE))


@functools.cache
def in_the_tails_too(target):
    """Values and weights that stand for the target; the rarest is one of 5e8."""
    edges = scipy.special.expit(np.linspace(-20, 20, FINE + 1))
    return law(target).ppf((edges[1:] + edges[:-1]) / 2), np.diff(edges)


def w1_of_float64(samples, target):
    """The Wasserstein-1 distance of samples from these values."""
    values, weights = in_the_tails_too(target)
    return scipy.stats.wasserstein_distance(samples, values, v_weights=weights)


def midpoints(count):
    return (np.arange(count) + 0.5) / count


def float32(values):
    return np.asarray(values, np.float32)


def judging(**fields):
    return dataclasses.replace(Judging(), **fields)


reference_of = jax.jit(metrics.reference, static_argnums=1)
coordinates = st.floats(-30, 30, width=32, allow_subnormal=False)
several = st.lists(coordinates, min_size=7, max_size=7)
# Ties and samples far outside matter as much as plausible ones.
samples_in_stds = st.one_of(
    several,
    st.lists(st.floats(-2, 2, width=32, allow_subnormal=False), min_size=7, max_size=7),
    st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=7, max_size=7),
)


@each_target
@given(in_stds=samples_in_stds)
def test_w1_and_ks_of_any_samples_are_scipys(target, in_stds):
    reference = law(target)
    samples = np.float32(reference.mean() + reference.std() * np.array(in_stds)).astype(float)
    expected = w1_of_float64(samples, target)
    np.testing.assert_allclose(
        w1(target, float32(samples)), expected, rtol=1e-5, atol=3e-4 * reference.std()
    )
    expected = scipy.stats.kstest(samples, reference.cdf).statistic
    np.testing.assert_allclose(ks(target, float32(samples)), expected, atol=1e-5)


# E |X - loc| in units of the scale.
MEAN_DEVIATIONS = {
    "gaussian": (2 / np.pi) ** 0.5,
    "uniform": 1 / 2,
    "laplace": 1.0,
    "student_t": 1.0,  # 2 sqrt(4) / (3 B(1/2, 2)), with B(1/2, 2) = 4 / 3
}


@pytest.mark.parametrize("kind", MEAN_DEVIATIONS)
@pytest.mark.parametrize("loc, scale", [(4.0, 0.5), (-100.0, 3.0)])
def test_w1_of_a_collapsed_generator_is_the_mean_absolute_deviation(kind, loc, scale):
    target = dataclasses.replace(TARGETS[kind], loc=loc, scale=scale)
    expected = scale * MEAN_DEVIATIONS[kind]
    np.testing.assert_allclose(w1(target, jnp.full(POINTS, loc)), expected, rtol=1e-4)


@each_target
@pytest.mark.parametrize("shift", [-1.0, 0.1, 3.0])
def test_w1_of_shifted_quantiles_is_the_shift(target, shift):
    reference = law(target)
    samples, shift = reference.ppf(midpoints(2001)), shift * reference.std()
    # Within a slice the quantiles lie on either side of its midpoint: 1 / 2001 of a few stds, and
    # more in the heaviest tails.
    atol = 2e-3 * reference.std()
    if target.kind in skewed.LAWS or target.freedom < 4:
        atol = max(atol, w1_of_float64(samples, target))
    np.testing.assert_allclose(w1(target, float32(samples + shift)), abs(shift), atol=atol)


@each_target
@pytest.mark.parametrize("shift", [-50.0, 50.0])
def test_w1_of_samples_on_one_side_is_the_difference_of_means(target, shift):
    reference = law(target)
    samples = np.float32(reference.mean() + reference.std() * (shift + np.linspace(-2, 2, 2001)))
    expected = abs(samples.mean(dtype=float) - reference.mean())
    # Rounding must not add up over the slices: 2001 CDFs off by 6e-8 would make 1e-4. Of Pareto's
    # tail 1e-5 of the distance is beyond the samples.
    rtol = 2e-5 if target.kind == "pareto" else 1e-5
    np.testing.assert_allclose(w1(target, float32(samples)), expected, rtol=rtol)


@each_target
def test_rounding_stays_far_below_the_null_floor_with_the_most_samples_allowed(target):
    points = int(specs()["judging.points"][0].high)
    reference = law(target)
    best = w1(target, float32(reference.ppf(midpoints(points))))
    # Real samples score about std / sqrt(points), the best possible ones about std / points.
    assert abs(best) < 0.2 * reference.std() / points**0.5


@pytest.mark.parametrize("points", [1, 4, 501])
def test_w1_of_the_best_samples_of_a_uniform_target_is_known(points):
    # Within 1/(2 N) of its midpoint on either side, each slice is 1/(4 N) of the width away.
    target = dataclasses.replace(TARGETS["uniform"], loc=1.0, scale=2.0)
    samples = 4 * midpoints(points) - 1
    np.testing.assert_allclose(w1(target, float32(samples)), 4 / (4 * points), rtol=1e-2)


@each_target
@given(loc=st.integers(-100, 100), power=st.integers(-10, 10))
def test_w1_has_the_units_of_the_data_and_ks_none(target, loc, power):
    scale = 2.0**power
    standard = dataclasses.replace(target, loc=0.0, scale=1.0)
    moved = dataclasses.replace(target, loc=float(loc), scale=scale)
    t = np.random.default_rng(power + 10).normal(size=POINTS).round(2)
    x = np.float32(loc + scale * t).astype(float)
    t = (x - loc) / scale  # what is left of t after rounding
    reference = law(standard)
    expected = scale * w1_of_float64(t, standard)
    np.testing.assert_allclose(
        w1(moved, float32(x)), expected, rtol=1e-4, atol=3e-4 * scale * reference.std()
    )
    expected = scipy.stats.kstest(t, reference.cdf).statistic
    np.testing.assert_allclose(ks(moved, float32(x)), expected, atol=1e-5)


@each_target
def test_ks_of_the_best_samples_is_half_a_step(target):
    samples = float32(law(target).ppf(midpoints(POINTS)))
    np.testing.assert_allclose(ks(target, samples), 0.5 / POINTS, atol=1e-5)


@each_target
def test_scores_of_samples_far_away_are_finite_and_right(target):
    for far in (-1e10, 1e10):
        np.testing.assert_allclose(w1(target, jnp.full(POINTS, far)), 1e10, rtol=1e-4)
        assert ks(target, jnp.full(POINTS, far)) == 1


# Networks without hidden layers: G(z) = slope z + intercept, and D's raw output likewise.
LINEAR = {"generator.hidden": (), "discriminator.hidden": ()}


def linear(slope, intercept):
    layer = {"kernel": jnp.full((1, 1), slope), "bias": jnp.full(1, intercept)}
    return {"params": {"output": layer}}


@functools.partial(jax.jit, static_argnames="points")
def evaluate(setting, params, points=POINTS):
    return metrics.evaluate(setting, params, metrics.reference(setting, judging(points=points)))


def test_scores_of_a_generator_that_hits_its_target():
    s = setting(**LINEAR, **{"latent.kind": "normal", "target.loc": 4.0, "target.scale": 0.5})
    # Falling in its latent: samples must be sorted before they are compared.
    scores = evaluate(s, Players(linear(-0.5, 4.0), linear(0.0, 0.0)))
    normals = scipy.stats.norm.ppf(midpoints(POINTS))
    samples = 4 + 0.5 * normals
    expected = scipy.stats.wasserstein_distance(samples, fine(s.target))
    np.testing.assert_allclose(scores["w1"], expected, atol=2e-5)
    np.testing.assert_allclose(scores["ks"], 0.5 / POINTS, atol=1e-5)
    np.testing.assert_allclose(scores["generated_mean"], 4, rtol=1e-6)
    np.testing.assert_allclose(scores["generated_std"], 0.5 * normals.std(), rtol=1e-5)
    np.testing.assert_allclose(scores["quantiles"], samples[::2], rtol=1e-5)


@pytest.mark.parametrize("name", ["gaussian", "student_t", "mixture of three"])
def test_scores_of_a_collapsed_generator(name):
    target = TARGETS[name]
    reference = law(target)
    s = dataclasses.replace(setting(**LINEAR), target=target)
    scores = evaluate(s, Players(linear(0.0, float(reference.mean())), linear(0.0, 0.0)))
    deviation = np.abs(fine(target) - reference.mean()).mean()
    np.testing.assert_allclose(scores["w1"], deviation, rtol=1e-3)
    assert scores["generated_std"] < 1e-5
    # The atom sits at one level of the target: KS is its distance from the farther end.
    level = reference.cdf(reference.mean())
    np.testing.assert_allclose(scores["ks"], max(level, 1 - level), atol=1e-5)
    np.testing.assert_allclose(scores["generated_mean"], reference.mean(), rtol=1e-6)
    np.testing.assert_allclose(scores["quantiles"], reference.mean(), rtol=1e-6)


@pytest.mark.parametrize("points", [101, 200, 501])
def test_quantiles_run_from_the_smallest_to_the_largest_sample(points):
    s = setting(**LINEAR, **{"latent.kind": "uniform", "latent.low": 0.0, "latent.high": 1.0})
    scores = evaluate(s, Players(linear(1.0, 0.0), linear(0.0, 0.0)), points)
    quantiles = np.asarray(scores["quantiles"], float)
    np.testing.assert_allclose(quantiles[[0, -1]], [0.5 / points, 1 - 0.5 / points], rtol=1e-5)
    # Each is a sample, so at most half a step from its level.
    np.testing.assert_allclose(quantiles, np.linspace(0, 1, 101), atol=1.01 / points)
    ranks = quantiles * points - 0.5
    np.testing.assert_allclose(ranks, ranks.round(), atol=1e-3)


@pytest.mark.parametrize(
    "loss, output, flatness",
    [
        ("non_saturating", 0.0, 0),
        ("non_saturating", 100.0, 0.5),
        ("non_saturating", -100.0, 0.5),
        ("least_squares", 0.5, 0),
        ("least_squares", 1.0, 0.5),
        ("least_squares", 0.0, 0.5),
    ],
)
def test_flatness_is_ds_distance_from_one_half(loss, output, flatness):
    s = setting(**LINEAR, **{"loss.kind": loss})
    scores = evaluate(s, Players(linear(0.0, 0.0), linear(0.0, output)))
    np.testing.assert_allclose(scores["d_flatness"], flatness, atol=1e-6)


@pytest.mark.parametrize(
    "kind, batch_size", [("gaussian", 1), ("gaussian", 12), ("student_t", 7), ("mixture", 300)]
)
def test_flatness_is_weighted_by_the_targets_density(kind, batch_size):
    fields = {"target.kind": kind, "target.loc": 0.5, "training.batch_size": batch_size}
    s = setting(**LINEAR, **fields, **{"latent.kind": "uniform"})
    flatness = evaluate(s, Players(linear(0.0, 0.0), linear(2.0, 1.0)))["d_flatness"]
    expected = np.abs(scipy.special.expit(2 * fine(s.target) + 1) - 0.5).mean()
    # Some 256 quantiles stand for the target.
    np.testing.assert_allclose(flatness, expected, atol=1e-3)


@pytest.mark.parametrize(
    "name, batch_size", [("gaussian", 1), ("gaussian", 300), *((name, 12) for name in TARGETS)]
)
def test_each_judged_batch_is_spread_over_the_whole_target(name, batch_size):
    s = setting(**{"training.batch_size": batch_size, "latent.kind": "uniform"})
    s = dataclasses.replace(s, target=TARGETS[name])
    real = np.asarray(reference_of(s, judging(points=POINTS)).real, float)
    batches = -(-256 // batch_size)
    assert real.shape == (batches, batch_size, 1)
    levels = law(s.target).cdf(real[:, :, 0])
    # One row from each of the batch's slices of equal probability, in all the places in turn.
    slices = (levels * batch_size).astype(int)
    np.testing.assert_array_equal(slices, np.tile(np.arange(batch_size), (batches, 1)))
    np.testing.assert_allclose(
        np.sort(levels, axis=None), midpoints(batches * batch_size), atol=1e-5
    )


REPLICATES = 300
jitted_describe = jax.jit(metrics.describe, static_argnums=1)


def describe(target, **fields):
    return jitted_describe(target, judging(points=101, **fields))


@functools.partial(jax.jit, static_argnums=(1, 2))
def null_floor(target, judging, replicates):
    random_keys = jax.random.split(jax.random.key(1), replicates)
    return jax.lax.map(
        lambda key: metrics.perfect_scores(target, judging, 0, key)["w1_random"], random_keys
    )


@each_target
def test_description_is_scipys(target):
    reference = law(target)
    described = describe(target)
    levels = np.linspace(0, 1, 101)
    close = {"rtol": 1e-5, "atol": 1e-4 * reference.std()}
    np.testing.assert_allclose(described["target_quantiles"], reference.ppf(levels), **close)
    np.testing.assert_allclose(described["target_mean"], reference.mean(), **close)
    np.testing.assert_allclose(described["target_std"], reference.std(), **close)
    x = reference.mean() + reference.std() * np.linspace(-5, 5, 201)
    np.testing.assert_allclose(described["x"], x, **close)
    exact = np.asarray(described["x"], float)
    np.testing.assert_allclose(
        described["target_density"], reference.pdf(exact), rtol=1e-4, atol=1e-6
    )


def test_a_view_replaces_the_grid_around_the_target():
    target = TARGETS["laplace"]
    described = describe(target, view=(-1.0, 3.0))
    x = np.linspace(-1, 3, 201)
    np.testing.assert_allclose(described["x"], x, atol=1e-6)
    np.testing.assert_allclose(described["target_density"], law(target).pdf(x), rtol=1e-4)
    s = dataclasses.replace(setting(**LINEAR), target=target)
    shot = metrics.snapshot(
        s,
        Players(linear(1.0, 0.0), linear(2.0, 1.0)),
        reference_of(s, judging(view=(-1.0, 3.0))),
    )
    np.testing.assert_allclose(shot["d"], scipy.special.expit(2 * x + 1), rtol=1e-5)


@each_target
def test_w1_of_as_many_random_real_samples_is_known(target):
    null = np.asarray(null_floor(target, judging(points=101), REPLICATES), float)
    assert null.shape == (REPLICATES,)
    assert null.min() > 0
    # Of 101 rows from 20 quantiles for each.
    quantiles = law(target).ppf(midpoints(20 * 101))
    rows = np.sort(np.random.default_rng(0).choice(fine(target), (REPLICATES, 101)))
    simulated = np.abs(np.repeat(rows, 20, axis=1) - quantiles).mean(1)
    # Medians' standard errors are about 1.25 / sqrt(REPLICATES) standard deviations each.
    error = 1.25 * np.hypot(null.std(), simulated.std()) / REPLICATES**0.5
    assert abs(np.median(null) - np.median(simulated)) < 4 * error
    assert scipy.stats.ks_2samp(null, simulated).pvalue > 1e-3


@pytest.mark.parametrize("latent_dim", [1, 3])
def test_a_snapshot_is_g_along_its_latents_and_d_along_x(latent_dim):
    fields = {"latent.kind": "uniform", "latent.dim": latent_dim, "latent.low": 0.0}
    s = setting(**LINEAR, **fields, **{"latent.high": 1.0, "target.loc": 1.0})
    g = linear(0.0, 3.0)
    g["params"]["output"]["kernel"] = jnp.full((latent_dim, 1), -2.0)
    params = Players(g, linear(0.5, -1.0))
    shot = jax.jit(metrics.snapshot)(s, params, reference_of(s, judging(points=POINTS)))
    latent = np.asarray(shot["latent"], float)
    assert latent.shape == (256, latent_dim)
    if latent_dim == 1:
        np.testing.assert_allclose(latent[:, 0], midpoints(256), rtol=1e-5)
    expected = 3 - 2 * latent.sum(1, keepdims=True)
    np.testing.assert_allclose(shot["samples"], expected, atol=1e-5)
    x = 1 + 0.5 * np.linspace(-5, 5, 201)
    np.testing.assert_allclose(shot["d"], scipy.special.expit(0.5 * x - 1), rtol=1e-5)


def test_a_snapshots_d_sees_each_x_in_the_company_of_real_rows():
    batch_size = 6
    s = setting(
        **{
            "discriminator.hidden": (1,),
            "discriminator.activation": "linear",
            "generator.hidden": (),
            "loss.kind": "least_squares",  # D's raw output is shown
            "tricks.minibatch": "append",
            "tricks.minibatch_kernels": 1,
            "tricks.minibatch_dim": 1,
            "training.batch_size": batch_size,
        }
    )
    one, zero = jnp.ones((1, 1)), jnp.zeros(1)
    layer = {"kernel": one, "bias": zero}
    # The output is how near x is to the rows of its batch: 1 for itself, and the company's.
    output = {"kernel": jnp.array([[0.0], [1.0]]), "bias": zero}
    d = {"params": {"hidden_0": layer, "minibatch": layer, "output": output}}
    reference = reference_of(s, judging(points=POINTS))
    shot = jax.jit(metrics.snapshot)(s, Players(linear(1.0, 0.0), d), reference)
    x = 4 + 0.5 * np.linspace(-5, 5, 201)
    batches = -(-256 // batch_size)
    ranks = batches * np.arange(1, batch_size)  # of a batch's rows but the first
    company = scipy.stats.norm.ppf((ranks + 0.5) / (batches * batch_size), 4, 0.5)
    expected = 1 + np.exp(-np.abs(x[:, None] - company)).sum(1)
    np.testing.assert_allclose(shot["d"], expected, rtol=1e-4)
