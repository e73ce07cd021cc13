"""W1 on the line is exact and never negative, in either engine, of any mixture and any samples."""

import csv
import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import TARGETS
from hypothesis import strategies as st

from gan1d.gan.metrics import line, moments
from gan1d.simd import Program

POINTS = 501
SMALL = Path(__file__).parent / "data" / "cases" / "line_small.csv"
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def w1(target, samples):
    return line.w1(target, samples[:, None], line.law(target, samples.shape[0]))


w1_of_many = jax.jit(jax.vmap(w1))


def by_xla(target, samples):
    return np.asarray(w1_of_many(target, samples), float)


@functools.cache
def lanes_program(structure):
    target = jax.tree.unflatten(structure, [np.float32(1)] * structure.num_leaves)
    one = jax.eval_shape(lambda: (target, jnp.zeros(POINTS)))
    return Program(lambda given, carried, number: (carried, w1(*given)), one, ())


def by_lanes(target, samples):
    program = lanes_program(jax.tree.structure(target))
    return np.asarray(program((target, samples), (), 0, 1)[1], float)


each_engine = pytest.mark.parametrize("engine", [by_xla, by_lanes])


def exact_w1(mixture, samples):
    """The integral of |F_N - F| in float64: by 20 points between any two places of interest.

    Those are the samples, a grid around each component, and wherever F crosses F_N.
    """
    weights, means, stds = (np.asarray(part, float) for part in mixture)
    weights = weights / weights.sum()
    samples = np.sort(np.asarray(samples, float))
    grid = [*np.linspace(-9, 9, 73), -40, -20, 20, 40]
    edges = np.unique([*samples, *(means[:, None] + stds[:, None] * grid).ravel()])
    low, high = edges[:-1], edges[1:]
    level = np.searchsorted(samples, (low + high) / 2, side="right") / len(samples)

    def difference(t, level):
        z = (t[..., None] - means) / stds
        tail = scipy.special.ndtr(-np.abs(z))
        below, above = (
            (weights * np.where(small, tail, 1 - tail)).sum(-1) for small in (z < 0, z >= 0)
        )
        return np.where(below < 0.5, below - level, (1 - level) - above)

    crossing = (difference(low, level) < 0) & (difference(high, level) > 0)
    a, b, crossed = low[crossing], high[crossing], level[crossing]
    for _ in range(200):
        middle = (a + b) / 2
        if ((middle == a) | (middle == b)).all():
            break
        before = difference(middle, crossed) < 0
        a, b = np.where(before, middle, a), np.where(before, b, middle)
    starts, ends = np.concatenate([low, b]), high.copy()
    ends[crossing] = a
    ends = np.concatenate([ends, high[crossing]])
    half = (ends - starts) / 2
    t = starts[:, None] + half[:, None] * (NODES + 1)
    heights = np.abs(difference(t, np.concatenate([level, crossed])[:, None]))
    return (half * (heights * WEIGHTS).sum(-1)).sum()


def exact_w1_of_uniforms(mixture, samples):
    """The same where F is straight between any two places of interest: samples, and ends."""
    weights, means, half_widths = (np.asarray(part, float) for part in mixture)
    weights = weights / weights.sum()
    samples = np.sort(np.asarray(samples, float))
    edges = np.unique([*samples, *(means - half_widths), *(means + half_widths)])
    z = (edges[:, None] - means) / half_widths
    cdf = (weights * np.clip((1 + z) / 2, 0, 1)).sum(1)
    level = np.searchsorted(samples, edges[:-1], side="right") / len(samples)
    one, other = cdf[:-1] - level, cdf[1:] - level
    whole = np.abs(one) + np.abs(other)
    # A trapezium, or two triangles where F crosses F_N.
    crossed = (one**2 + other**2) / np.where(whole > 0, whole, 1)
    return (np.diff(edges) / 2 * np.where(one * other < 0, crossed, whole)).sum()


class Kind(NamedTuple):
    """Mixtures of one law each."""

    widths: str  # the field
    noise: Callable  # that a component's samples are, before its mean and width
    std: float  # of that
    exact_w1: Callable


KINDS = {
    "mixture": Kind("stds", lambda rng: rng.normal(size=POINTS), 1.0, exact_w1),
    "uniform_mixture": Kind(
        "half_widths", lambda rng: rng.uniform(-1, 1, POINTS), 3**-0.5, exact_w1_of_uniforms
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def std_of(mixture, kind="mixture"):
    weights, means, widths = (np.asarray(part, float) for part in mixture)
    weights, stds = weights / weights.sum(), KINDS[kind].std * widths
    mean = (weights * means).sum()
    return np.sqrt((weights * (stds**2 + (means - mean) ** 2)).sum())


def target_of(mixtures, kind="mixture"):
    """Targets as vmap takes them, of mixtures `[R]` of as many components each."""
    count = len(mixtures)
    parts = (tuple(np.float32(part).T) for part in zip(*mixtures, strict=True))
    fields = dict(zip(("weights", "means", KINDS[kind].widths), parts, strict=True))
    fields |= {"loc": np.zeros(count, np.float32), "scale": np.ones(count, np.float32)}
    numbers = jax.tree.map(lambda x: np.full(count, x, np.float32), TARGETS[kind])
    return dataclasses.replace(numbers, **fields)


def rounded(mixtures, samples):
    """As float32 has them."""
    return [tuple(np.float32(part) for part in mixture) for mixture in mixtures], np.float32(
        samples
    )


def assert_exact(found, mixtures, expected, kind="mixture"):
    """To 6e-6 of a target's std, and 3e-6 of the distance itself."""
    assert found.min() >= 0
    stds = np.array([std_of(mixture, kind) for mixture in mixtures])
    assert ((np.abs(found - expected) - 3e-6 * expected) / stds).max() < 6e-6


def drawn(rng, mixture, kind):
    weights, means, widths = (np.asarray(part, float) for part in mixture)
    which = rng.choice(len(weights), POINTS, p=weights / weights.sum())
    return means[which] + widths[which] * KINDS[kind].noise(rng)


def extreme(rng, components):
    """A mixture of components of any weights, widths and means, many of them at 0."""
    weights = np.maximum(10 ** rng.uniform(-6, 0, components), 2e-6)
    signs = rng.choice([-1, 0, 0, 1], components)
    means, widths = 10 ** rng.uniform(-4, 3, components), 10 ** rng.uniform(-7, 2, components)
    return weights, signs * means, widths


def generated(rng, mixture, kind):
    """What a generator of one of many kinds makes of it."""
    weights, means, widths = mixture
    size, (one, other) = std_of(mixture, kind), rng.choice(means, 2)
    kinds = [
        lambda: drawn(rng, mixture, kind),
        lambda: drawn(rng, mixture, kind) + size * 10 ** rng.uniform(-4, 3),
        lambda: np.full(POINTS, one),
        lambda: np.where(rng.uniform(size=POINTS) < rng.uniform(), one, other),
        lambda: size * 10 ** rng.uniform(-3, 3) * rng.normal(size=POINTS),
        lambda: drawn(rng, (np.ones(len(weights)), means, widths), kind),
        lambda: drawn(rng, (weights, means, widths * 10 ** rng.uniform(-2, 2)), kind),
        lambda: np.full(POINTS, 10 ** rng.uniform(-3, 10)),
    ]
    return kinds[rng.integers(len(kinds))]()


@functools.cache
def extreme_cases(components, seed, kind="mixture"):
    """Mixtures, samples, and the exact distances."""
    rng = np.random.default_rng(seed)
    mixtures = [extreme(rng, components) for _ in range(100)]
    mixtures, samples = rounded(mixtures, [generated(rng, each, kind) for each in mixtures])
    return mixtures, samples, np.array([*map(KINDS[kind].exact_w1, mixtures, samples)])


@pytest.mark.parametrize("components", [1, 2, 3, 5, 8])
@each_engine
@hypothesis.settings(max_examples=2)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_w1_of_extreme_mixtures_is_exact(engine, components, seed):
    """Of 1,000 of them by each engine."""
    mixtures, samples, expected = extreme_cases(components, seed)
    assert_exact(engine(target_of(mixtures), samples), mixtures, expected)


@pytest.mark.parametrize("components", [1, 2, 3, 5, 8])
@each_engine
@hypothesis.settings(max_examples=2)
@hypothesis.given(seed=st.integers(0, 2**32 - 1))
def test_w1_of_extreme_uniform_mixtures_is_exact(engine, components, seed):
    kind = "uniform_mixture"
    mixtures, samples, expected = extreme_cases(components, seed, kind)
    assert_exact(engine(target_of(mixtures, kind), samples), mixtures, expected, kind)


SPIKES = {
    "two": ((0.5, 0.5), (0.0, 1.0), (1e-7, 1e-7)),
    "two wider ones": ((0.5, 0.5), (0.0, 1.0), (1e-5, 1e-5)),
    "Poisson(3)": (scipy.stats.poisson.pmf(np.arange(13), 3), np.arange(13.0), np.full(13, 1e-7)),
    "one, far from 0": ((1.0,), (1000.0,), (1e-7,)),
}


@each_kind
@pytest.mark.parametrize("spikes", SPIKES.values(), ids=SPIKES)
@each_engine
def test_w1_of_spikes_is_exact(engine, kind, spikes):
    rng = np.random.default_rng(0)
    weights, means, _ = spikes
    samples = [
        drawn(rng, spikes, kind),
        np.full(POINTS, means[0]),
        np.full(POINTS, means[-1]),
        rng.normal(size=POINTS),
        rng.permutation(np.resize(means, POINTS)),
        np.float32(means)[rng.choice(len(weights), POINTS, p=np.array(weights) / np.sum(weights))],
    ]
    mixtures, samples = rounded([spikes] * len(samples), samples)
    expected = np.array([*map(KINDS[kind].exact_w1, mixtures, samples)])
    assert_exact(engine(target_of(mixtures, kind), samples), mixtures, expected, kind)


def small_cases():
    with SMALL.open() as file:
        for row in csv.DictReader(file):
            fields = {name: float(row[name]) for name in ("loc", "scale")}
            for name in ("weights", "means", "stds"):
                if row[name]:
                    fields[name] = tuple(map(float, row[name].split()))
            target = dataclasses.replace(TARGETS[row["target"]], **fields)
            name = f"{row['target']}, {row['generator']}"
            samples = np.array(row["samples"].split(), float)
            yield pytest.param(target, samples, float(row["w1"]), float(row["std"]), id=name)


@pytest.mark.parametrize("target, samples, expected, std", list(small_cases()))
def test_small_cases_are_known(target, samples, expected, std):
    samples = jnp.asarray(samples, jnp.float32)
    # Those of the reference were found by many quantiles; a far sample has some 1e-7 less of them.
    np.testing.assert_allclose(jax.jit(w1)(target, samples), expected, rtol=1e-6)
    # Around its mean, which is rounded, as the samples are.
    size = 1e-7 * np.abs(samples).max()
    np.testing.assert_allclose(jax.jit(moments.std)(samples), std, rtol=1e-6, atol=size)


@pytest.mark.parametrize("kind", TARGETS)
@each_engine
def test_the_largest_samples_have_finite_scores(engine, kind):
    signs = np.where(np.arange(POINTS) % 2, 1, -1)
    far = np.array([3e19, 3.4e38, -3.4e38])[:, None]
    samples = np.float32([*(far * np.ones(POINTS)), *(far * signs)])
    one = jax.tree.map(lambda x: np.full(len(samples), x, np.float32), TARGETS[kind])
    found = engine(one, samples)
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, np.abs(samples.astype(float)).mean(1), rtol=1e-2)


@pytest.mark.parametrize("size", [1e-30, 1.0, 3e19, 3.4e38])
@pytest.mark.parametrize("center", [0.0, 0.5])
def test_moments_of_samples_of_any_size_are_numpys(size, center):
    samples = np.float32(size * np.clip(center + np.random.default_rng(0).normal(size=501), -1, 1))
    mean, std = (jax.jit(f)(samples) for f in (moments.mean, moments.std))
    exact = samples.astype(float)
    np.testing.assert_allclose(mean, exact.mean(), rtol=1e-5, atol=1e-6 * size)
    np.testing.assert_allclose(std, exact.std(), rtol=1e-6)
    assert jax.jit(moments.std)(jnp.full(501, samples[0])) <= 1e-6 * size
