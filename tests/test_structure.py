"""What W1 does not see: modes, precision and coverage; and what perfect samples score."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats
from helpers import CURVES, MOMENTS, PLANE, TARGETS, each_plane, law, setting
from scipy.spatial.distance import cdist

from gan1d.engines import lanes
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import line, modes, perfect, plane
from gan1d.gan.players import Players

POINTS = 251
JUDGING = Judging(points=POINTS)
LINE_SETTING = setting(**{"latent.kind": "uniform"})
PLANE_SETTING = setting(**{"target.kind": "ring", "latent.kind": "uniform", "latent.dim": 2})
RARE = dataclasses.replace(
    TARGETS["mixture"], loc=3.0, scale=0.5, weights=(0.9, 0.1), means=(0.0, 4.0), stds=(0.5, 0.25)
)
WITHIN = dataclasses.replace(RARE, weights=(0.5, 0.5), means=(0.0, 0.1), stds=(2.0, 0.05))
SPIKES = dataclasses.replace(RARE, weights=(0.3, 0.7), means=(0.0, 1.0), stds=(1e-7, 1e-6))
MIXTURES = {
    "gaussian": TARGETS["gaussian"],
    "mixture": TARGETS["mixture"],
    "mixture of three": TARGETS["mixture of three"],
    "a rare mode": RARE,
    "a narrow mode in a wide one": WITHIN,
    "uniform_mixture": TARGETS["uniform_mixture"],
    "uniform_mixture of three": TARGETS["uniform_mixture of three"],
    "a narrow cluster in a wide one": dataclasses.replace(
        TARGETS["uniform_mixture"],
        weights=(0.5, 0.5),
        means=(0.0, 1.0),
        half_widths=(2.0, 0.05),
    ),
}
each_mixture = pytest.mark.parametrize("target", MIXTURES.values(), ids=MIXTURES)


@jax.jit
def _scores(target, samples):
    judge, made = (line, LINE_SETTING) if targets.dim(target) == 1 else (plane, PLANE_SETTING)
    made = dataclasses.replace(made, target=target)
    shares = modes.shares(target) if targets.mode_count(target) else None
    reference = metrics.Reference(judge.law(target, len(samples)), samples, samples, shares)
    judged = metrics.Judged(made, Players(None, None), reference, samples, samples)
    found = {n: m.function(judged) for n, m in judge.METRICS.items() if m.applies(made)}
    return found | {"shares": shares}


def score(target, samples):
    found = _scores(target, np.float32(samples).reshape(len(samples), -1))
    return {name: np.asarray(v, float) for name, v in found.items() if v is not None}


sample = jax.jit(targets.sample)


@functools.cache
def all_random_rows(target):
    random = np.random.default_rng(0)
    u = (random.integers(0, 2**23, (100_000, targets.uniforms(target))) + 0.5) / 2**23
    return np.asarray(sample(target, np.float32(u)), float)


def random_rows(target, count):
    return all_random_rows(target)[:count]


# Modes.

COUNT = 2500  # of rows on the line


def masses(target, samples):
    """Of rows on the line: at the likeliest of the modes that are within 3 stds."""
    weights, means, stds = {
        "gaussian": ([1.0], [0.0], [1.0]),
        "mixture": (target.weights, target.means, target.stds),
        "uniform_mixture": (target.weights, target.means, np.array(target.half_widths) / 3),
    }[target.kind]
    weights, means, stds = (np.float32(each).astype(float) for each in (weights, means, stds))
    z = (
        (np.float32(samples).astype(float).reshape(-1, 1) - target.loc) / target.scale - means
    ) / stds
    likely = weights / weights.sum() * scipy.stats.norm.pdf(z) / stds
    likely = np.where(np.abs(z) <= 3, likely, -1)
    at = np.where(likely.max(1) > 0, likely.argmax(1), -1)
    return np.array([(at == mode).mean() for mode in range(len(weights))])


@each_mixture
@pytest.mark.parametrize("kind", ["real", "wide", "collapsed", "far"])
def test_masses_on_the_line_are_those_of_the_likeliest_modes(target, kind):
    count, random = COUNT, np.random.default_rng(1)
    reference = law(target)
    samples = {
        "real": random_rows(target, count),
        "wide": reference.mean() + 2 * reference.std() * random.normal(size=count),
        "collapsed": np.full(count, target.loc + 0.1 * target.scale),
        "far": np.full(count, 1e10),
    }[kind]
    got, expected = score(target, samples), masses(target, samples)
    np.testing.assert_allclose(got["mode_mass"], expected, atol=1.5 / count)
    np.testing.assert_allclose(got["high_quality"], expected.sum(), atol=1.5 / count)
    assert got["modes"] == (expected > 0).sum()
    if len(expected) == 1:
        assert "js" not in got
        return
    p = got["shares"]
    if expected.sum() == 0:
        np.testing.assert_allclose(got["reverse_kl"], -np.log(p.min()), rtol=1e-5)
        np.testing.assert_allclose(got["js"], np.log(2), rtol=1e-6)
        return
    q = got["mode_mass"] / got["mode_mass"].sum()
    np.testing.assert_allclose(got["reverse_kl"], scipy.stats.entropy(q, p), rtol=1e-4, atol=1e-6)
    js = scipy.spatial.distance.jensenshannon(q, p) ** 2
    np.testing.assert_allclose(got["js"], js, rtol=1e-4, atol=1e-6)


@each_mixture
def test_a_targets_shares_are_its_perfect_samples(target):
    count = 100_000
    shares = score(target, np.zeros(COUNT))["shares"]
    np.testing.assert_allclose(shares.sum(), 1, rtol=1e-6)
    found = masses(target, random_rows(target, count))
    # Those of each component are found by 500 of its rows.
    error = 4.5 * (shares * (1 - shares) / count) ** 0.5 + 4e-3
    assert (np.abs(found / found.sum() - shares) <= error).all()


def test_shares_of_modes_apart_are_their_weights_however_small():
    target = dataclasses.replace(
        RARE, weights=(1.0, 2e-6, 0.5), means=(0.0, 10.0, 20.0), stds=(1.0, 1e-6, 0.1)
    )
    weights = np.array(target.weights) / np.sum(target.weights)
    # By 500 rows of each, of which 2 are farther than 3 stds, if not for rounding.
    np.testing.assert_allclose(score(target, np.zeros(COUNT))["shares"], weights, rtol=5e-3)


def test_a_narrow_mode_within_a_wide_one_is_missed_when_it_is_not_there():
    random = np.random.default_rng(0)
    perfect, wide = (
        random_rows(WITHIN, COUNT),
        WITHIN.loc + WITHIN.scale * 2 * random.normal(size=COUNT),
    )
    has, lacks = (score(WITHIN, rows)["mode_mass"][1] for rows in (perfect, wide))
    assert has > 0.45 and lacks < 0.15


def test_rows_of_spikes_are_told_apart_to_their_width():
    target = dataclasses.replace(SPIKES, loc=0.0, scale=1.0)
    # In steps of a float, half the std of the upper one's.
    inside = score(target, np.resize([0.0, 2.9e-7, 1.0, 1 + 2.5e-6], COUNT))
    assert (inside["high_quality"], inside["modes"]) == (1, 2)
    outside = score(target, np.resize([3.2e-7, -4e-7, 1 + 3.5e-6, 0.5], COUNT))
    assert (outside["high_quality"], outside["modes"]) == (0, 0)


def test_rows_midway_between_modes_are_shared_out():
    target = dataclasses.replace(TARGETS["mixture"], loc=0.0, scale=1.0, means=(-1.0, 1.0))
    got = score(target, np.zeros(COUNT))
    assert got["high_quality"] == 1
    np.testing.assert_array_equal(got["mode_mass"], [0.5, 0.5])
    np.testing.assert_allclose([got["reverse_kl"], got["js"]], 0, atol=1e-6)


@each_plane(("ring", "grid"))
def test_divergences_in_the_plane_are_those_of_the_modes_shares(target):
    centres = np.asarray(targets.modes(target), float)
    count = len(centres)
    rows = np.repeat(centres[:4], [10, 20, 30, 40], axis=0)
    got = score(target, rows)
    q = np.array([0.1, 0.2, 0.3, 0.4, *[0] * (count - 4)])
    np.testing.assert_allclose(got["mode_mass"], q, atol=1e-6)
    np.testing.assert_allclose(got["reverse_kl"], np.log(count) - scipy.stats.entropy(q), rtol=1e-5)
    p = np.full(count, 1 / count)
    js = scipy.spatial.distance.jensenshannon(q, p) ** 2
    np.testing.assert_allclose(got["js"], js, rtol=1e-5)
    nothing = score(target, rows + 100)
    np.testing.assert_allclose(nothing["reverse_kl"], np.log(count), rtol=1e-5)


# Precision and coverage on the line.


@pytest.mark.parametrize("kind", ["uniform", "laplace", "student_t"])
@pytest.mark.parametrize("count", [251, 501])
def test_precision_and_coverage_on_the_line_are_shares_by_the_targets_quantiles(kind, count):
    target, reference = TARGETS[kind], law(TARGETS[kind])
    random, (low, high) = np.random.default_rng(count), reference.ppf([0.001, 0.999])
    for samples in (
        random_rows(target, count)[:, 0],
        reference.mean() + 3 * reference.std() * random.normal(size=count),
        reference.ppf(random.choice([0.201, 0.503, 0.507], count)),
        np.full(count, 1e30),
    ):
        got, exact = score(target, samples), np.float32(samples).astype(float)
        inside = (exact >= low) & (exact <= high)
        np.testing.assert_allclose(got["precision"], inside.mean(), atol=1e-6)
        slices = count // 5
        edges = reference.ppf(np.linspace(0, 1, slices + 1))
        held = np.histogram(exact, edges)[0] > 0
        # An edge that a sample is on, but for rounding, is on either side of it.
        np.testing.assert_allclose(got["coverage"], held.mean(), atol=1.01 / slices)


def test_a_generator_of_the_whole_line_covers_a_uniform_target_and_is_not_precise():
    target = dataclasses.replace(TARGETS["uniform"], loc=0.0, scale=1.0)
    got = score(target, np.linspace(-10, 10, 5 * POINTS))
    # A tenth of the samples, half a one for each slice.
    np.testing.assert_allclose(got["coverage"], 0.5, atol=0.01)
    np.testing.assert_allclose(got["precision"], 0.1, atol=0.01)


# Precision, recall, density and coverage in the plane.


def prdc(real, generated, k=5):
    """As in the authors' code: of Naeem et al. 2020, and recall of Kynkaanniemi et al. 2019."""
    across = cdist(real, generated)
    radii, theirs = (np.sort(cdist(rows, rows), axis=1)[:, k] for rows in (real, generated))
    return {
        "precision": (across < radii[:, None]).any(0).mean(),
        "recall": (across < theirs[None]).any(1).mean(),
        "density": (across < radii[:, None]).sum(0).mean() / k,
        "coverage": (across.min(1) < radii).mean(),
    }


def standardised(target, x):
    mean, std = (np.asarray(f(target), float) for f in (targets.mean, targets.std))
    return (np.float32(x).astype(float) - mean) / std


@functools.cache
def cloud(target):
    return np.asarray(jax.jit(plane.law, static_argnums=1)(target, POINTS).rows, float)


@each_plane(CURVES)
@pytest.mark.parametrize("kind", ["real", "wide", "half", "collapsed", "atoms", "far"])
def test_prdc_is_the_papers(target, kind):
    random = np.random.default_rng(2)
    mean, std = (np.asarray(f(target), float) for f in (targets.mean, targets.std))
    real = random_rows(target, POINTS)
    rows = {
        "real": real,
        "wide": mean + std * random.normal(size=(POINTS, 2)),
        "half": np.where(real < mean, real, 2 * mean - real),
        "collapsed": np.full((POINTS, 2), real[0]),
        # More than 5 copies of a row leave each other no room, fewer do.
        "atoms": np.concatenate([np.repeat(real[:40], 4, axis=0), np.repeat(real[40:], 7, axis=0)])[
            :POINTS
        ],
        "far": 1e6 * random.normal(size=(POINTS, 2)),
    }[kind]
    got = score(target, rows)
    for name, value in prdc(cloud(target), standardised(target, rows)).items():
        # Rounding moves few of them across the edge of a ball.
        np.testing.assert_allclose(got[name], value, atol=2.01 / POINTS, err_msg=name)
    if kind == "collapsed":
        assert got["recall"] == 0


@each_plane(("moons",))
def test_the_cloud_itself_is_precise_and_covered(target):
    mean, std = (np.asarray(f(target), float) for f in (targets.mean, targets.std))
    got = score(target, mean + std * cloud(target))
    assert [got[name] for name in ("precision", "recall", "coverage")] == [1, 1, 1]


# Perfect samples.


@functools.partial(jax.jit, static_argnums=(1, 2))
def perfect_scores(target, dims, replicates):
    keys = jax.random.split(jax.random.key(0), replicates)
    return jax.lax.map(lambda key: metrics.perfect_scores(target, JUDGING, dims, key), keys)


KINDS = {kind: TARGETS[kind] for kind in MOMENTS} | {k: PLANE[k] for k in ("moons", "ring")}
KINDS["cauchy"] = setting(**{"target.kind": "cauchy"}).target
each_kind = pytest.mark.parametrize("target", KINDS.values(), ids=KINDS)


@each_kind
def test_every_score_of_samples_alone_is_known_of_perfect_ones(target):
    found = perfect_scores(target, max(1, targets.uniforms(target)), 16)
    made = dataclasses.replace(LINE_SETTING, target=target)
    expected = {name for name, m in metrics.of(made).items() if m.of_samples_alone and not m.dims}
    assert found.keys() == {f"{name}_null" for name in expected} | {"w1_random"}
    assert all(np.isfinite(values).all() for values in found.values())
    # As judged, they are far nearer than random ones, each a little differently.
    assert (np.median(found["w1_null"]) < 0.5 * np.median(found["w1_random"])).all()
    assert len(np.unique(found["w1_null"])) > 12
    whole = {"high_quality_null": 0.98, "precision_null": 0.98, "coverage_null": 0.98}
    for name in whole.keys() & found.keys():
        assert np.min(found[name]) > whole[name], name


@each_kind
def test_perfect_samples_of_independent_points_are_random(target):
    found = perfect_scores(target, 0, 64)
    assert scipy.stats.ks_2samp(found["w1_null"], found["w1_random"]).pvalue > 1e-3


@pytest.mark.parametrize("kind", ["gaussian", "mixture", "student_t"])
def test_perfect_samples_are_those_of_a_perfect_generator_moved_by_chance(kind):
    target = TARGETS[kind]
    rows = jax.jit(perfect.samples, static_argnums=(1, 2))(target, POINTS, 1, jax.random.key(3))
    levels = np.sort(law(target).cdf(np.asarray(rows, float)[:, 0]))
    # One in each slice of equal probability; of a mixture's components each has a grid of its own.
    grids = 2 if kind == "mixture" else 1
    assert np.abs(levels - (np.arange(POINTS) + 0.5) / POINTS).max() <= grids / POINTS


def test_the_lattice_is_the_latents():
    assert perfect.lattice_dims(TARGETS["gaussian"], setting().latent) == 1
    flat, solid, many = (
        setting(**{"latent.kind": "normal", "latent.dim": n}).latent for n in (2, 5, 9)
    )
    assert perfect.lattice_dims(TARGETS["gaussian"], flat) == 2
    assert perfect.lattice_dims(PLANE["moons"], flat) == 3
    assert perfect.lattice_dims(PLANE["moons"], solid) == 5
    assert perfect.lattice_dims(PLANE["moons"], many) == 0


# What training sees, and what is no number.

LINEAR = {"generator.hidden": (), "discriminator.hidden": ()}


def linear(slope, intercept=0.0, dim=1):
    layer = {"kernel": jnp.full((dim, 1), slope), "bias": jnp.full(1, intercept)}
    return {"params": {"output": layer}}


@functools.partial(jax.jit, static_argnames="points")
def evaluate(made, params, points=POINTS):
    return metrics.evaluate(made, params, metrics.reference(made, Judging(points=points)))


def test_a_generator_is_scored_on_the_few_latents_that_training_sees():
    latent = {"latent.low": 0.0, "latent.high": 1.0, "latent.jitter": 0.01}
    fields = {"target.kind": "uniform", "target.loc": 0.5, "target.scale": 0.5}
    made = setting(**LINEAR, **latent, **fields, **{"training.batch_size": 5})
    found = evaluate(made, Players(linear(1.0), linear(0.0)), 1000)
    np.testing.assert_allclose(found["w1"], 1 / 4000, rtol=1e-2)
    # Five points with their jitter, and the whole interval: a fifth of the rows is at each.
    rows = np.concatenate(
        [point + 0.01 * (np.arange(200) + 0.5) / 200 for point in np.arange(5) / 4]
    )
    even = (np.arange(20_000) + 0.5) / 20_000
    expected = scipy.stats.wasserstein_distance(rows, even)
    np.testing.assert_allclose(found["w1_trained"], expected, rtol=1e-3)
    assert "w1_trained" not in evaluate(
        dataclasses.replace(made, latent=setting(**{"latent.kind": "uniform"}).latent),
        Players(linear(1.0), linear(0.0)),
    )


TWO_LATENTS = {"latent.kind": "uniform", "latent.dim": 2}
FAR = {kind: {} for kind in (*targets.LINE, "poisson")}
FAR |= {"moons": TWO_LATENTS, "ring": TWO_LATENTS}


@functools.cache
def far_runs(kind):
    """Four settings, what they are judged by, and networks whose samples are ever farther."""
    fields = FAR[kind] | {"target.kind": kind, "latent.low": 0.0, "latent.high": 1.0}
    made = setting(**LINEAR, **fields)
    columns = targets.dim(made.target)
    g = {"kernel": np.zeros((4, made.latent.dim, columns)), "bias": np.zeros((4, columns))}
    g["bias"][1:] = np.array([3e19, 3.4e38, np.inf])[:, None]
    g["kernel"][2] = -1.5e38
    d = {"kernel": np.zeros((4, columns, 1)), "bias": np.zeros((4, 1))}
    params = Players(
        *({"params": {"output": {k: np.float32(v) for k, v in each.items()}}} for each in (g, d))
    )
    many = jax.tree.map(lambda x: np.full(4, x, np.float32), made)
    return many, jax.jit(jax.vmap(lambda own: metrics.reference(own, JUDGING)))(many), params


@pytest.mark.parametrize("engine", ["xla", "lanes"])
@pytest.mark.parametrize("kind", FAR)
def test_scores_of_finite_samples_are_finite_and_others_are_noticed(kind, engine):
    many, references, params = far_runs(kind)
    if engine == "xla":
        found = jax.jit(jax.vmap(metrics.evaluate))(many, params, references)
        finite = found.pop("finite")
    else:
        sums = Players(*np.zeros((2, 4), np.float32))
        program = lanes.compile_scores(many, JUDGING)
        _, scores = program((many, references, params), sums, 0, 1)
        found, finite = scores.metrics | {"quantiles": scores.quantiles}, scores.finite
    samples = np.asarray(found["quantiles"]).reshape(4, -1)
    np.testing.assert_array_equal(finite, np.isfinite(samples).all(1))
    assert np.asarray(finite).tolist() == [True, True, True, False]
    for name, value in found.items():
        assert np.isfinite(np.asarray(value)[:3]).all(), name


def test_many_latent_dimensions_are_judged_on_independent_points():
    dim = 256
    latent = {"latent.kind": "normal", "latent.dim": dim}
    made = setting(**LINEAR, **latent, **{"target.loc": 0.0, "target.scale": 1.0})
    found = evaluate(made, Players(linear(dim**-0.5, dim=dim), linear(0.0)), 501)
    # Random samples of as many are .04 away; the lattice's coordinates were copies: .38.
    assert found["w1"] < 0.1
    assert found["high_quality"] > 0.99
