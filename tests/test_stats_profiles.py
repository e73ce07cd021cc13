import math

import numpy as np
import pytest
import scipy.stats

from gan1d.report import statistics

norm = scipy.stats.norm


def draw(rng, seeds):
    """W1 of two settings, the second e^.5 times as large; a tenth diverges. `[2, seed]`."""
    common = rng.normal(size=seeds) * 0.6
    w1 = np.exp(common + 0.8 * rng.normal(size=(2, seeds)) + [[0], [0.5]])
    w1[rng.random(w1.shape) < 0.1] = math.inf
    return w1


def truth(thresholds):
    return 0.9 * norm.cdf(np.log(thresholds) - [[0], [0.5]])


def thresholds(count):
    return np.exp(np.linspace(-3.5, 3.5, count)) if count > 1 else np.ones(1)


@pytest.mark.parametrize("seeds, count", [(20, 1), (20, 60), (128, 1), (128, 5), (128, 60)])
def test_bands_hold_at_all_thresholds_together(seeds, count):
    """300 times, each to 1.3%: 93 to 97%; a single count of 20 is whole, so up to 98%.

    The thresholds reach to where all or none are below.
    """
    rng, at, covered = np.random.default_rng(count), thresholds(count), []
    first, second = truth(at)
    for _ in range(300):
        w1 = draw(rng, seeds)
        one = statistics.profile(w1[0], at, resamples=300, rng=rng)
        two = statistics.profile_difference(*w1, at, resamples=300, rng=rng)
        covered.append(
            [
                ((band.low <= value) & (value <= band.high)).all()
                for band, value in ((one, first), (two, first - second))
            ]
        )
    covered = np.mean(covered, axis=0)
    assert (covered > 0.915).all() and (covered < 0.99).all()


def test_a_profile_is_the_share_below_each_threshold():
    w1 = np.array([0.1, 0.2, 0.2, math.inf, 3.0])
    found = statistics.profile(w1, np.array([0.05, 0.1, 0.2, 3, 1e9]))
    assert found.estimate.tolist() == [0, 0.2, 0.6, 0.8, 0.8]
    assert (found.low <= found.estimate).all() and (found.estimate <= found.high).all()
    again = statistics.profile(w1, found.thresholds[::-1])
    np.testing.assert_array_equal(again.estimate[::-1], found.estimate)
    np.testing.assert_allclose(again.low[::-1], found.low)


def test_a_band_at_one_threshold_is_the_exact_interval():
    """The share of a single threshold leaves nothing to be corrected for."""
    w1 = np.arange(40.0)
    found = statistics.profile(w1, np.array([9.0]))
    expected = scipy.stats.binomtest(10, 40).proportion_ci(method="exact")
    assert (found.low[0], found.high[0]) == pytest.approx((expected.low, expected.high), abs=0.01)


@pytest.mark.parametrize("seeds", [1, 5, 128])
def test_a_band_has_width_where_all_or_none_are_below(seeds):
    w1 = np.exp(np.random.default_rng(0).normal(size=seeds))
    at = np.array([1e-9, 1, 1e9])
    found = statistics.profile(w1, at)
    exact = 1 - 0.025 ** (1 / seeds)  # of a single threshold: Clopper and Pearson's 0 of n
    assert found.low[0] == 0 and found.high[0] >= exact - 1e-12
    assert found.high[2] == 1 and found.low[2] <= 1 - exact + 1e-12
    same = statistics.profile_difference(w1, w1, at)
    assert (same.estimate == 0).all()
    wilson = statistics.wilson_interval(0, seeds)[1]
    assert (same.high >= wilson - 1e-9).all() and (same.low <= 1e-9 - wilson).all()


def test_bands_are_wider_for_more_thresholds_and_repeat_themselves():
    w1 = draw(np.random.default_rng(3), 128)
    few, many = (statistics.profile(w1[0], thresholds(n)) for n in (1, 61))
    assert many.high[30] - many.low[30] > 1.1 * (few.high[0] - few.low[0])
    few, many = (statistics.profile_difference(*w1, thresholds(n)) for n in (1, 61))
    assert many.high[30] - many.low[30] > 1.1 * (few.high[0] - few.low[0])
    again = statistics.profile_difference(*w1, thresholds(61))
    np.testing.assert_array_equal(again, many)


def test_a_difference_has_the_sign_of_the_first_and_is_paired():
    w1 = draw(np.random.default_rng(4), 128)
    found = statistics.profile_difference(*w1, np.ones(1))
    expected = statistics.difference(w1[0] <= 1, w1[1] <= 1)
    assert found.estimate[0] == expected.difference > 0
    assert (found.low[0], found.high[0]) == pytest.approx(expected[6:8], abs=0.02)
    mirrored = statistics.profile_difference(*w1[::-1], np.ones(1))
    assert (mirrored.low[0], mirrored.high[0]) == pytest.approx((-found.high[0], -found.low[0]))


def curve(estimate, reach=0.1):
    estimate = np.array(estimate)
    at = np.arange(1.0, len(estimate) + 1)
    return statistics.Profile(at, estimate, estimate - reach, estimate + reach)


@pytest.mark.parametrize(
    "estimate, expected",
    [
        ([0.2, 0.1, 0.3], []),
        ([0, 0, 0], []),
        ([0.2, -0.2], [(1, 2, True)]),
        ([0.2, 0, 0, -0.05, -0.2, 0], [(1, 4, True)]),
        ([0.2, 0.05, -0.05, 0.05, -0.05, -0.2], [(2, 5, True)]),  # three changes, one crossing
        ([0.2, -0.05, 0.05, 0.2], [(1, 2, False), (2, 3, False)]),
        ([0.05, -0.05], [(1, 2, False)]),
        (
            [-0.05, 0.2, -0.2, 0.2, -0.05],
            [(1, 2, False), (2, 3, True), (3, 4, True), (4, 5, False)],
        ),
    ],
)
def test_crossings(estimate, expected):
    assert statistics.crossings(curve(estimate)) == expected


def test_curves_that_cross_are_seen_to():
    """The second is better at small thresholds and less reliable: it more often fails."""
    rng = np.random.default_rng(5)
    first, second = 0.3 * np.exp(0.3 * rng.normal(size=(2, 400)))
    second = np.where(rng.random(400) < 0.4, 3.0, second * 0.6)
    at = np.linspace(0.02, 3.5, 80)
    (crossing,) = (
        c
        for c in statistics.crossings(statistics.profile_difference(first, second, at))
        if c.significant
    )
    assert 0.2 < crossing.low < crossing.high < 0.4
    one_sided = statistics.crossings(statistics.profile_difference(first, first * 1.2, at))
    assert not any(c.significant for c in one_sided)
