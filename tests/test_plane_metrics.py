import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial
import scipy.special
import scipy.stats
from helpers import CLUSTERS, CURVES, PLANE, each_plane, setting
from scipy.spatial.distance import cdist

from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import modes, plane
from gan1d.gan.players import Players

POINTS = 101
REPLICATES = 200
PRDC = ("precision", "recall", "density", "coverage")
ANGLES = np.pi * np.arange(64) / 64
DIRECTIONS = np.stack([np.cos(ANGLES), np.sin(ANGLES)])  # [2, 64]
E6 = dataclasses.replace(PLANE["quadratic"], loc=0.0, scale=1.0, noise=0.0)

PLANE_SETTING = setting(**{"target.kind": "ring", "latent.kind": "uniform", "latent.dim": 2})

law = jax.jit(plane.law, static_argnums=1)
real = jax.jit(targets.sample)


@jax.jit
def scores(target, samples):
    made = dataclasses.replace(PLANE_SETTING, target=target)
    shares = modes.shares(target) if modes.has_modes(made) else None
    ref = metrics.Reference(plane.law(target, samples.shape[0]), samples, samples, shares)
    judged = metrics.Judged(made, Players(None, None), ref, samples, samples)
    values = {
        name: metric.function(judged)
        for name, metric in plane.METRICS.items()
        if metric.applies(made)
    }
    return values | {"quantiles": plane.quantiles(judged)}


def score(target, samples):
    return {
        name: np.asarray(value, float)
        for name, value in scores(target, jnp.asarray(samples, jnp.float32)).items()
    }


@functools.cache
def all_real_rows(target, seed):
    u = (np.random.default_rng(seed).integers(0, 2**23, (POINTS * REPLICATES, 3)) + 0.5) / 2**23
    return np.asarray(real(target, np.float32(u)), float)


def real_rows(target, count, seed=0):
    return all_real_rows(target, seed)[:count]


def standardised(target, x):
    mean, std = (np.asarray(f(target), float) for f in (targets.mean, targets.std))
    return (np.float32(x).astype(float) - mean) / std


def unstandardised(target, t):
    return np.asarray(targets.mean(target), float) + np.asarray(targets.std(target), float) * t


@functools.cache
def cloud(target, count=POINTS):
    return np.asarray(law(target, count).rows, float)


def sliced(rows, others):
    return np.mean([scipy.stats.wasserstein_distance(rows @ d, others @ d) for d in DIRECTIONS.T])


def off_target(target, rows):
    """Sliced W1 of standardised rows from as many of the target's for each, some 20,000."""
    each = 20_000 // len(rows)
    others = standardised(target, real_rows(target, each * len(rows)))
    ours, theirs = (np.sort(DIRECTIONS.T @ side.T, axis=1) for side in (rows, others))
    return np.abs(np.repeat(ours, each, axis=1) - theirs).mean()


def energy(rows, others):
    # scipy has it in one dimension only.
    across, own, theirs = cdist(rows, others), cdist(rows, rows), cdist(others, others)
    return 2 * across.mean() - own.mean() - theirs.mean()


def some_samples(target, name):
    random = np.random.default_rng(1)
    t = {
        "normal": random.normal(size=(POINTS, 2)),
        "stretched": random.normal(size=(POINTS, 2)) @ [[3.0, 1.0], [0.0, 0.1]] + [1.0, -2.0],
        "collapsed": np.full((POINTS, 2), [0.25, -0.5]),
        "far away": random.normal(size=(POINTS, 2)) + np.array([300.0, -200.0]),
    }
    if name == "real":
        return real_rows(target, POINTS, seed=2)
    return unstandardised(target, t[name])


each_sample = pytest.mark.parametrize(
    "name", ["normal", "stretched", "collapsed", "far away", "real"]
)


@each_sample
@each_plane()
def test_distances_from_the_reference_are_scipys(target, name):
    samples = some_samples(target, name)
    got = score(target, samples)
    rows, others = standardised(target, samples), cloud(target)
    np.testing.assert_allclose(got["w1"], sliced(rows, others), rtol=1e-4)
    # The terms of the difference are of this size, each rounded by some 1e-7.
    size = cdist(rows, others).mean()
    np.testing.assert_allclose(got["energy"], energy(rows, others), rtol=1e-4, atol=2e-6 * size)
    np.testing.assert_allclose(
        got["generated_std"], (rows @ DIRECTIONS).std(0).mean(), rtol=1e-4, atol=1e-5
    )


@each_plane()
def test_the_reference_stands_for_the_target(target):
    rows = cloud(target, 501)
    # Random samples of 501 are about 0.05 away, evenly spread ones much less.
    assert off_target(target, rows) < 0.02
    np.testing.assert_allclose(rows.mean(0), 0, atol=0.02)
    np.testing.assert_allclose(rows.std(0), 1, atol=0.02)


@each_plane()
def test_the_reference_itself_scores_zero(target):
    got = score(target, unstandardised(target, cloud(target)))
    assert got["w1"] < 1e-5 and 0 <= got["energy"] < 2e-6


def test_w1_of_a_shift_is_the_mean_of_its_projections():
    target = PLANE["spiral"]
    shift = np.array([0.3, -0.4])
    got = score(target, unstandardised(target, cloud(target) + shift))
    # The mean of |cos| is 2 / pi.
    np.testing.assert_allclose(got["w1"], 0.5 * 2 / np.pi, rtol=1e-3)


def test_neither_coordinate_of_the_unscaled_curve_drowns_the_other():
    rows = cloud(E6)
    for shift in ([0.5, 0], [0, 0.5]):  # 14 in x, 373 in y
        got = score(E6, unstandardised(E6, rows + shift))
        np.testing.assert_allclose(got["w1"], 0.5 * 2 / np.pi, rtol=1e-3)


@each_plane()
def test_scores_do_not_depend_on_loc_and_scale(target):
    t = np.random.default_rng(0).normal(size=(POINTS, 2))
    first = score(target, unstandardised(target, t))
    moved = dataclasses.replace(target, loc=7.0, scale=20.0)
    second = score(moved, unstandardised(moved, t))
    assert set(first) > {"w1", "energy", "generated_std"}
    for name in set(first) - {"generated_mean", "quantiles"}:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-3, err_msg=name)


@each_plane()
@pytest.mark.parametrize("far", [-1e10, 1e10])
def test_samples_far_away_have_large_and_finite_scores(target, far):
    got = score(target, np.full((POINTS, 2), far))
    away = far / np.asarray(targets.std(target), float)
    np.testing.assert_allclose(got["w1"], np.abs(away @ DIRECTIONS).mean(), rtol=1e-3)
    np.testing.assert_allclose(got["energy"], 2 * np.hypot(*away), rtol=1e-3)
    if targets.mode_count(target):
        assert (got["high_quality"], got["modes"]) == (0, 0)
    else:
        np.testing.assert_allclose(got["residual"], np.hypot(*away), rtol=1e-3)


@each_plane()
def test_mean_and_quantiles_are_each_coordinates_in_data_units(target):
    samples = np.float32(some_samples(target, "stretched")).astype(float)
    got = score(target, samples)
    np.testing.assert_allclose(got["generated_mean"], samples.mean(0), rtol=1e-4, atol=1e-4)
    # Of 101 samples every one is a quantile.
    np.testing.assert_array_equal(got["quantiles"], np.sort(samples, axis=0))


# Modes.


def around_modes(target, stds, directions=8):
    """A sample so many stds from each mode in some directions, diagonal ones among them."""
    angles = 2 * np.pi * np.arange(directions) / directions
    offsets = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centres = np.asarray(targets.modes(target), float)
    distance = stds * target.scale * target.noise
    return (centres[:, None] + distance * offsets).reshape(-1, 2)


@each_plane(CLUSTERS)
def test_samples_are_good_up_to_three_stds_from_a_mode(target):
    target = dataclasses.replace(target, noise=0.05)
    inside, outside = around_modes(target, 2.98), around_modes(target, 3.02)
    count = len(targets.modes(target))
    got = score(target, inside)
    assert (got["high_quality"], got["modes"]) == (1, count)
    got = score(target, outside)
    assert (got["high_quality"], got["modes"]) == (0, 0)
    # A quarter of them good, and all of those at the first two modes.
    mixed = np.concatenate([inside[:16], outside[:48]])
    got = score(target, mixed)
    assert (got["high_quality"], got["modes"]) == (0.25, 2)


@each_plane(CLUSTERS)
def test_a_perfect_sampler_reaches_the_ceiling(target):
    count = 5001
    got = score(target, real_rows(target, count))
    ceiling = 1 - np.exp(-9 / 2)
    assert abs(ceiling - 0.9889) < 1e-4
    error = (ceiling * (1 - ceiling) / count) ** 0.5
    assert abs(got["high_quality"] - ceiling) < 4.5 * error
    assert got["modes"] == len(targets.modes(target))


@each_plane(CLUSTERS)
@pytest.mark.parametrize("index", [0, 5])
def test_a_collapsed_generator_captures_one_mode(target, index):
    centre = np.asarray(targets.modes(target), float)[index]
    got = score(target, np.tile(centre, (POINTS, 1)))
    assert (got["high_quality"], got["modes"]) == (1, 1)
    assert got["generated_std"] < 1e-5


def test_where_modes_overlap_a_sample_counts_for_the_nearest_one_only():
    target = dataclasses.replace(PLANE["grid"], modes=2, noise=1.0)
    near_first = np.asarray(targets.modes(target), float)[0] + 0.01
    got = score(target, np.tile(near_first, (POINTS, 1)))
    assert (got["high_quality"], got["modes"]) == (1, 1)


def test_what_makes_no_sense_of_a_family_is_left_out():
    t = np.zeros((POINTS, 2))
    for kind, target in PLANE.items():
        got = score(target, t)
        of_modes, of_curves = {*modes.METRICS}, {"residual", *PRDC}
        lacking = of_modes if kind in CURVES else of_curves
        lacking |= set() if kind in targets.MIXTURES else {"core"}  # where modes may be wide
        elsewhere = {"w1_trained", "memorised"}  # fixed latents; data
        assert set(got) == {*plane.METRICS, "quantiles"} - lacking - elsewhere, kind
        for name, value in got.items():
            assert not np.isnan(value).any(), (kind, name)


# Curves.


def dense_curve(target, count=100_000):
    s = jnp.asarray((np.arange(count) + 0.5) / count, jnp.float32)
    return standardised(target, np.asarray(targets.curve(target, s)))


@each_plane(CURVES)
def test_points_on_the_curve_have_no_residual(target):
    s = (np.arange(10 * POINTS) + 0.37) / (10 * POINTS)  # not the segments' ends
    points = np.asarray(targets.curve(target, np.float32(s)), float)
    for part in points.reshape(10, POINTS, 2):
        assert score(target, part)["residual"] < 2e-4
    assert score(target, unstandardised(target, cloud(target)))["residual"] < 0.05


@each_plane(CURVES)
def test_residual_is_the_mean_distance_from_the_curve(target):
    random = np.random.default_rng(0)
    samples = unstandardised(target, random.uniform(-2, 2, size=(POINTS, 2)))
    tree = scipy.spatial.cKDTree(dense_curve(target))
    expected, _ = tree.query(standardised(target, samples))
    np.testing.assert_allclose(score(target, samples)["residual"], expected.mean(), atol=3e-4)


def test_residual_of_known_distances():
    # The unscaled parabola's apex is (0, 10); straight below it is the nearest point.
    std_y = 2500 * (4 / 45) ** 0.5
    got = score(E6, np.tile([0.0, 10 - 2 * std_y], (POINTS, 1)))
    np.testing.assert_allclose(got["residual"], 2, rtol=1e-4)
    # Beyond the right end of the sine, (2, 0), where it rises with slope pi: 90 degrees apart.
    target = dataclasses.replace(PLANE["sine"], loc=0.0, scale=1.0, noise=0.0)
    std = np.array([(4 / 3) ** 0.5, 0.5**0.5])
    tangent = np.array([1, np.pi]) / std
    away = 0.5 * np.array([tangent[1], -tangent[0]]) / np.hypot(*tangent)
    for offset in (away, 0.5 * tangent / np.hypot(*tangent)):
        got = score(target, np.tile([2.0, 0.0] + std * offset, (POINTS, 1)))
        np.testing.assert_allclose(got["residual"], 0.5, rtol=1e-3)


def test_nothing_joins_two_curves():
    # Midway between the end of the first curve and the beginning of the second.
    target = dataclasses.replace(PLANE["moons"], loc=0.0, scale=1.0)
    got = score(target, np.tile([-0.5, 0.25], (POINTS, 1)))
    tree = scipy.spatial.cKDTree(dense_curve(target))
    expected, _ = tree.query(standardised(target, [[-0.5, 0.25]]))
    assert expected[0] > 0.3
    np.testing.assert_allclose(got["residual"], expected[0], atol=1e-3)


def test_the_unscaled_tutorial_data_are_judged_to_float64s_digits():
    rows = real_rows(E6, POINTS, seed=3)
    assert rows[:, 1].max() > 2000
    got = score(E6, rows)
    std = np.array([100 / 12**0.5, 2500 * (4 / 45) ** 0.5])
    exact = (rows - [0, 10 + 2500 / 3]) / std
    u = (np.arange(POINTS) + 0.5) / POINTS
    x = 100 * (u - 0.5)
    others = (np.stack([x, 10 + x**2], axis=1) - [0, 10 + 2500 / 3]) / std
    np.testing.assert_allclose(got["w1"], sliced(exact, others), rtol=1e-4)
    np.testing.assert_allclose(got["energy"], energy(exact, others), rtol=1e-3)
    assert got["residual"] < 2e-4
    np.testing.assert_allclose(got["generated_mean"], rows.mean(0), rtol=1e-4)


# The whole: settings, networks, D.

LINEAR = {
    "generator.hidden": (),
    "discriminator.hidden": (),
    "latent.kind": "uniform",
    "latent.dim": 2,
    "latent.low": 0.0,
    "latent.high": 1.0,
}


def linear(kernel, bias):
    layer = {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
    return {"params": {"output": layer}}


def plane_setting(target, **fields):
    made = setting(**LINEAR, **{"target.kind": target.kind}, **fields)
    return dataclasses.replace(made, target=target)


FLAT = linear(np.zeros((2, 1)), [0.0])
IDENTITY = linear(np.eye(2), np.zeros(2))
JUDGING = dataclasses.replace(Judging(), points=POINTS)
reference_of = jax.jit(metrics.reference, static_argnums=1)
evaluate = jax.jit(metrics.evaluate)
describe = jax.jit(metrics.describe, static_argnums=1)


@each_plane(("moons", "ring"))
def test_generated_samples_are_those_of_the_latents_grid(target):
    s = plane_setting(target)
    got = evaluate(s, Players(IDENTITY, FLAT), reference_of(s, JUDGING))
    # Roberts' R2 sequence: multiples of the powers of 1 / 1.3247..., the plastic number.
    plastic = np.roots([1, 0, -1, -1]).real.max()
    u = (0.5 + np.arange(POINTS)[:, None] / plastic ** np.array([1, 2])) % 1
    expected = score(target, u)
    for name in expected:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-3, atol=1e-5, err_msg=name)
    assert set(got) == set(expected) | {"d_flatness", "finite"}
    np.testing.assert_allclose(got["d_flatness"], 0, atol=1e-6)


@each_plane(("quadratic", "moons", "ring"))
@pytest.mark.parametrize("batch_size", [1, 12, 300])
def test_each_judged_batch_is_spread_over_the_whole_target(target, batch_size):
    s = plane_setting(target, **{"training.batch_size": batch_size})
    rows = np.asarray(reference_of(s, JUDGING).real, float)
    batches = -(-256 // batch_size)
    assert rows.shape == (batches, batch_size, 2)
    if batch_size > 1:
        deviation = standardised(target, rows).mean(1)
        assert np.abs(deviation).max() < 1.5 / batch_size**0.5
    assert off_target(target, standardised(target, rows.reshape(-1, 2))) < 0.04
    if target.kind == "ring" and batch_size > 1:
        centres = np.asarray(targets.modes(target), float)
        nearest = np.linalg.norm(rows[:, :, None] - centres, axis=3).argmin(2)
        for batch in nearest:
            counts = np.bincount(batch, minlength=8)
            assert counts.min() >= batch_size // 8 and counts.max() <= -(-batch_size // 8) + 1


@each_plane(("two_curves", "spiral", "grid"))
def test_flatness_is_weighted_by_the_targets_density(target):
    s = plane_setting(target)
    std = np.asarray(targets.std(target), float)
    slope = np.array([2.0, -1.0]) / std
    offset = 1 - np.asarray(targets.mean(target), float) @ slope
    d = linear(slope[:, None], [offset])
    got = evaluate(s, Players(IDENTITY, d), reference_of(s, JUDGING))
    outputs = standardised(target, real_rows(target, 20_000)) @ [2.0, -1.0] + 1
    expected = np.abs(scipy.special.expit(outputs) - 0.5).mean()
    # 256 rows stand for the target.
    np.testing.assert_allclose(got["d_flatness"], expected, atol=0.01)


@each_plane(("quadratic", "ring"))
def test_a_snapshot_has_d_on_a_grid_around_the_target(target):
    s = plane_setting(target)
    std, mean = (np.asarray(f(target), float) for f in (targets.std, targets.mean))
    slope = np.array([0.5, -1.0]) / std
    params = Players(IDENTITY, linear(slope[:, None], [-mean @ slope]))
    reference = reference_of(s, JUDGING)
    shot = jax.jit(metrics.snapshot)(s, params, reference)
    side = np.linspace(-2.5, 2.5, 41)
    t = np.array([(x, y) for x in side for y in side])
    np.testing.assert_allclose(reference.x, mean + std * t, rtol=1e-4, atol=1e-4 * std.max())
    assert len(t) == metrics.grid_size(2)
    np.testing.assert_allclose(shot["d"], scipy.special.expit(t @ [0.5, -1.0]), atol=1e-4)
    assert shot["latent"].shape == shot["samples"].shape == (256, 2)
    np.testing.assert_allclose(shot["samples"], shot["latent"], rtol=1e-6)


@each_plane(("quadratic", "moons", "grid"))
def test_the_description_is_that_of_the_target(target):
    described = describe(target, JUDGING)
    rows = real_rows(target, 20_000)
    std = np.asarray(targets.std(target), float)
    np.testing.assert_allclose((described["target_mean"] - rows.mean(0)) / std, 0, atol=0.05)
    # What the same functional gives of as many of the target's rows.
    expected = (standardised(target, rows) @ DIRECTIONS).std(0).mean()
    np.testing.assert_allclose(described["target_std"], expected, rtol=0.05)
    perfect = score(target, unstandardised(target, cloud(target)))
    np.testing.assert_allclose(described["target_std"], perfect["generated_std"], rtol=1e-4)
    np.testing.assert_allclose(
        described["target_quantiles"], perfect["quantiles"], rtol=1e-4, atol=1e-4 * std.max()
    )
    assert described["target_quantiles"].shape == (101, 2)
    if target.kind in CURVES:  # elsewhere the modes make steps
        shares = (rows[:, None, 0] <= np.asarray(described["target_quantiles"])[:, 0]).mean(0)
        np.testing.assert_allclose(shares, metrics.LEVELS, atol=0.03)
    kept = np.asarray(described["target_samples"], float)
    assert kept.shape == (256, 2)
    assert off_target(target, standardised(target, kept)) < 0.04
    np.testing.assert_array_equal(described["x"], reference_of(plane_setting(target), JUDGING).x)


@each_plane(("quadratic", "ring"))
def test_sliced_w1_of_as_many_random_real_samples_is_known(target):
    random_keys = jax.random.split(jax.random.key(1), REPLICATES)
    null = jax.lax.map(
        lambda key: metrics.perfect_scores(target, JUDGING, 0, key)["w1_random"], random_keys
    )
    null = np.asarray(null, float)
    rows = real_rows(target, POINTS * REPLICATES, seed=5).reshape(REPLICATES, POINTS, 2)
    others = np.sort(cloud(target) @ DIRECTIONS, axis=0)
    projected = np.sort(standardised(target, rows) @ DIRECTIONS, axis=1)
    simulated = np.abs(projected - others).mean((1, 2))
    assert null.shape == (REPLICATES,)
    assert null.min() > 0
    assert scipy.stats.ks_2samp(null, simulated).pvalue > 1e-3


@each_plane(("two_curves", "grid"))
def test_settings_can_be_mapped_over(target):
    made = [
        plane_setting(dataclasses.replace(target, loc=loc, scale=scale, noise=noise))
        for loc, scale, noise in ((0.0, 1.0, 0.1), (2.0, 0.25, 0.02), (-1.0, 3.0, 0.05))
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.asarray(leaves, jnp.float32), *made)
    params = Players(IDENTITY, FLAT)

    @jax.jit
    def judge_all(settings):
        references = jax.vmap(lambda s: metrics.reference(s, JUDGING))(settings)
        return jax.vmap(metrics.evaluate, in_axes=(0, None, 0))(settings, params, references)

    together = judge_all(stacked)
    for i, one in enumerate(made):
        alone = evaluate(one, params, reference_of(one, JUDGING))
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i], value, rtol=1e-4, atol=1e-5, err_msg=name)
