"""Two Gaussians against two intervals: V, the best D, gradients and dynamics, by other means."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import gradients_and_differences
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate
from scipy.stats import norm

from gan1d.gan import intervals
from gan1d.gan.intervals import AT_ONCE, BEST, D, Game

DATA = np.float32([-1, 1])
MEANS = np.float32([-0.4, 2.1])
ENDS = {  # left and right of both intervals
    "apart": ([-2.0, 0.5], [-1.0, 1.5]),
    "the other way round": ([0.5, -2.0], [1.5, -1.0]),
    "overlapping": ([-2.0, -0.5], [0.25, 1.5]),
    "one inside the other": ([-2.0, -0.5], [3.0, 1.0]),
    "one empty": ([-2.0, 1.5], [-1.0, 0.5]),
    "one empty inside the other": ([-2.0, 1.0], [3.0, -0.5]),
    "both empty": ([-1.0, 1.5], [-2.0, 0.5]),
}
each_d = pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
each_dynamics = pytest.mark.parametrize("d_steps", [BEST, AT_ONCE, 1, 3])


def d_of(ends):
    return D(*np.float32(ends))


def density(x, data=DATA, means=MEANS):
    """p - q."""
    return sum(norm.pdf(x, a) - norm.pdf(x, m) for a, m in zip(data, means, strict=True)) / 2


def cdf(x, means):
    return sum(norm.cdf(x, m) for m in means) / 2


update = jax.jit(intervals.update, static_argnames=("d_steps", "mass"))
total_variation = jax.jit(intervals.total_variation)
best_d = jax.jit(intervals.best_d)


@each_d
def test_v_is_the_integral_of_p_less_q_over_the_union(ends):
    """Not what is in both intervals twice, nor an empty one below zero."""
    cuts = np.sort(np.ravel(ends))
    found = 0.0
    for low, high in itertools.pairwise(cuts):
        middle = (low + high) / 2
        if any(left < middle < right for left, right in zip(*ends, strict=True)):
            found += integrate.quad(density, low, high)[0]
    np.testing.assert_allclose(intervals.value(DATA, MEANS, d_of(ends)), found, atol=3e-7)


@each_d
def test_signed_v_is_the_sum_of_both_whatever_their_order(ends):
    found = sum(integrate.quad(density, *each)[0] for each in zip(*ends, strict=True))
    got = intervals.value(DATA, MEANS, d_of(ends), "signed")
    np.testing.assert_allclose(got, found, atol=3e-7)


@each_d
def test_gradients_are_differences(ends):
    def values(means, left, right):
        masses = intervals.MASSES
        return jnp.stack([intervals.value(DATA, means, D(left, right), each) for each in masses])

    gradients, differences = gradients_and_differences(values, MEANS, *ends)
    np.testing.assert_allclose(gradients, differences, atol=1e-8)
    assert np.abs(gradients[1]).min() > 1e-3  # signed: none dies


def test_an_empty_interval_and_an_end_in_the_other_one_have_no_gradient():
    def slopes(name):
        d = jax.grad(intervals.value, argnums=2)(DATA, MEANS, d_of(ENDS[name]))
        return np.concatenate(d) != 0

    assert slopes("apart").all()
    assert slopes("one empty").tolist() == [True, False, True, False]
    assert slopes("overlapping").tolist() == [True, False, False, True]
    assert not slopes("both empty").any()


def by_cells(data, means):
    """Total variation in float64: half of |p - q| over cells, by their CDFs."""
    x = np.linspace(-18, 18, 72_001)
    return np.abs(np.diff(cdf(x, np.float64(data)) - cdf(x, np.float64(means)))).sum() / 2


place = st.one_of(st.integers(-3, 3).map(float), st.floats(-9, 9, width=32))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.tuples(place, place), st.tuples(place, place))
def test_the_best_d_has_the_total_variation(data, means):
    """Also where means are the same, or far apart."""
    data, means = np.float32(data), np.float32(means)
    np.testing.assert_allclose(total_variation(data, means), by_cells(data, means), atol=6e-7)
    d = best_d(data, means)
    assert (d.left <= d.right).all() and d.right[0] <= d.left[1]


def test_the_best_d_reaches_as_far_as_p_is_above_q():
    """Two zeros, and all that is beyond them."""
    d = best_d(np.float32([-1, 1]), np.float32([-0.5, 0.5]))
    np.testing.assert_allclose(d.left[0], -1 - intervals.REACH)
    np.testing.assert_allclose(d.right[1], 1 + intervals.REACH)
    np.testing.assert_allclose(d.right[0], -d.left[1], atol=1e-6)
    np.testing.assert_allclose(density(d.left[1], [-1, 1], [-0.5, 0.5]), 0, atol=1e-7)


@pytest.mark.parametrize("means", [[-1, 1], [1, -1]])
def test_at_the_data_d_is_empty_and_g_stays(means):
    means = np.float32(means)
    assert total_variation(DATA, means) == 0
    d = best_d(DATA, means)
    assert intervals.parts(d) == 0
    after = update(DATA, Game(means, d), 0.1, BEST)
    np.testing.assert_array_equal(after.means, means)


def test_gs_gradient_at_the_best_d_is_that_of_total_variation():
    """The envelope theorem: the ends' own motion adds nothing."""
    gradient = jax.jit(jax.grad(intervals.value, argnums=1))
    for means in np.random.default_rng(0).uniform(-3, 3, (20, 2)).astype(np.float32):
        ways = 1e-3 * np.eye(2)
        above, below = ([by_cells(DATA, means + s * way) for way in ways] for s in (1, -1))
        found = gradient(DATA, means, best_d(DATA, means))
        np.testing.assert_allclose(found, np.subtract(above, below) / 2e-3, atol=2e-4)


def by_hand(means, left, right, rate, d_steps):
    """D's steps and G's after them, float64: an end moves by p - q there, outwards where p > q."""
    for _ in range(d_steps):
        slope = density(left, means=means), density(right, means=means)
        left, right = left - rate * slope[0], right + rate * slope[1]
    slopes = (norm.pdf(right[:, None], means) - norm.pdf(left[:, None], means)).sum(0) / 2
    return means - rate * slopes, left, right


@pytest.mark.parametrize("d_steps", [AT_ONCE, 1, 3])
def test_an_update_is_what_it_is_by_hand(d_steps):
    left, right = np.array(ENDS["apart"])
    expected = by_hand(MEANS.astype(float), left, right, 0.1, d_steps)
    if d_steps == AT_ONCE:
        expected = expected[0], *by_hand(MEANS.astype(float), left, right, 0.1, 1)[1:]
    after = update(DATA, Game(MEANS, d_of(ENDS["apart"])), 0.1, d_steps)
    for found, value in zip((after.means, *after.d), expected, strict=True):
        np.testing.assert_allclose(found, value, atol=1e-6)


def test_d_vanishes_where_q_is_above_p_and_g_is_left_there():
    """Unless D is the best one, or a sum of signed intervals."""
    first = Game(np.float32([-2, 2]), D(np.float32([-2.5, 2]), np.float32([-2, 2.5])))

    def last(*how):
        game = first
        for _ in range(150):
            game = update(DATA, game, 0.1, *how)
        return game

    for d_steps in (AT_ONCE, 1, 3):
        after = last(d_steps)
        assert intervals.parts(after.d) == 0
        assert total_variation(DATA, after.means) > 0.1
        later = update(DATA, after, 0.1, d_steps)
        np.testing.assert_array_equal(later.means, after.means)
    assert total_variation(DATA, last(BEST).means) < 0.01
    alive = last(AT_ONCE, "signed")
    assert (alive.d.left > alive.d.right).all()
    assert (update(DATA, alive, 0.1, AT_ONCE, "signed").means != alive.means).all()


@each_dynamics
def test_what_is_the_same_stays_the_same_and_mirrored_stays_mirrored(d_steps):
    same = Game(np.float32([0.7, 0.7]), d_of(ENDS["apart"]))
    mirrored = Game(np.float32([-0.3, 0.3]), D(np.float32([-2, 0.5]), np.float32([-0.5, 2])))
    for _ in range(20):
        same, mirrored = (update(DATA, game, 0.1, d_steps) for game in (same, mirrored))
    assert same.means[0] == same.means[1] != np.float32(0.7)
    np.testing.assert_allclose(mirrored.means[0], -mirrored.means[1], atol=2e-6)
    np.testing.assert_allclose(mirrored.d.left, -mirrored.d.right[::-1], atol=2e-5)


def test_parts_are_intervals_that_are_apart_and_not_empty():
    found = [int(intervals.parts(d_of(ends))) for ends in ENDS.values()]
    assert found == [2, 2, 1, 1, 1, 1, 0]


def test_starts_are_a_seeds_own_and_spread_over_all_of_the_span():
    starts = jax.vmap(intervals.start)(np.arange(2000))
    again = intervals.start(7)
    np.testing.assert_array_equal(starts.means[7], again.means)
    places = np.concatenate([starts.means, starts.d.left, starts.d.right], axis=1)
    assert np.abs(places).max() <= intervals.SPAN < 1.01 * np.abs(places).max()
    np.testing.assert_allclose(places.mean(), 0, atol=0.1)
    np.testing.assert_allclose(places.std(), intervals.SPAN / 3**0.5, rtol=0.03)
    assert (np.diff(np.stack([*starts.d], -1).reshape(-1, 4)) >= 0).all()


@each_dynamics
def test_trajectories_are_updates_from_starts(d_steps):
    seeds = np.array([3, 8])
    found = intervals.trajectories(DATA, seeds, 0.1, d_steps, looks=3, every=2)
    assert found.means.shape == found.d.left.shape == (2, 4, 2)
    for i, seed in enumerate(seeds):
        game = intervals.start(seed)
        for look in range(4):
            for got, expected in zip(jax.tree.leaves(found), jax.tree.leaves(game), strict=True):
                np.testing.assert_allclose(got[i, look], expected, atol=1e-5)
            for _ in range(2):
                game = update(DATA, game, 0.1, d_steps)


def test_total_variations_are_each_games_at_each_look():
    means = np.random.default_rng(1).uniform(-3, 3, (3, 2, 2)).astype(np.float32)
    found = intervals.total_variations(DATA, means)
    expected = [[total_variation(DATA, look) for look in game] for game in means]
    np.testing.assert_allclose(found, expected, atol=3e-7)
