import math
import time

import numpy as np
import pytest

from gan1d.report import statistics


def log_median(w1):
    return np.log(statistics.median(w1))


def test_ranks_follow_the_statistic():
    w1 = np.array([[3.0, 4, 5], [1, 2, math.inf], [math.inf, math.inf, 1], [3, 4, 5]]).repeat(9, 1)
    found = statistics.ranks(w1)
    assert found.estimate.tolist() == [4, 2, math.inf, 4]
    assert found.rank.tolist() == [2.5, 1, 4, 2.5]
    assert found.best.sum() == pytest.approx(1) and found.best.argmax() == 1
    assert (found.low <= found.rank).all() and (found.rank <= found.high).all()
    success = w1 < 4.5
    rates = statistics.ranks(success, statistics.success_rate, highest=True)
    assert rates.estimate.tolist() == pytest.approx([2 / 3, 2 / 3, 1 / 3, 2 / 3])
    assert rates.rank.tolist() == [2, 2, 4, 2]
    assert rates.best[:3].tolist() == pytest.approx([rates.best[3], rates.best[1], 0], abs=0.05)


@pytest.mark.parametrize("statistic", [statistics.median, statistics.iqm])
def test_clearly_different_settings_have_one_rank_each(statistic):
    w1 = np.exp(np.random.default_rng(0).normal(size=(4, 64)) + 2 * np.arange(4)[:, None])
    found = statistics.ranks(w1, statistic)
    assert found.low.tolist() == found.high.tolist() == found.rank.tolist() == [1, 2, 3, 4]
    assert found.best.tolist() == [1, 0, 0, 0]


def test_equal_settings_can_have_any_rank():
    w1 = np.tile(np.random.default_rng(0).lognormal(size=30), (5, 1))
    found = statistics.ranks(w1)
    assert found.low.tolist() == [1] * 5 and found.high.tolist() == [5] * 5
    np.testing.assert_allclose(found.best, 0.2)


def test_equal_settings_count_as_often_as_they_are_there():
    w1 = np.exp(np.random.default_rng(0).normal(size=(3, 64)) + 2 * np.arange(3)[:, None])
    found = statistics.ranks(w1[[0, 1, 1, 2, 0, 1]])
    assert found.low.tolist() == [1, 3, 3, 6, 1, 3]
    assert found.high.tolist() == [2, 5, 5, 6, 2, 5]
    assert found.best.tolist() == [0.5, 0, 0, 0, 0.5, 0]


def test_seeds_are_paired():
    """What all settings share, the seed, takes no certainty from the order of their logarithms."""
    rng = np.random.default_rng(0)
    w1 = np.exp(3 * rng.normal(size=60) + 0.1 * np.arange(4)[:, None])
    w1 *= np.exp(0.01 * rng.normal(size=w1.shape))
    assert statistics.ranks(w1, log_median).high.tolist() == [1, 2, 3, 4]
    assert statistics.ranks(rng.permuted(w1, axis=1), log_median).high.tolist() == [4] * 4


def test_five_seeds_rank_nothing():
    w1 = np.arange(3)[:, None] + np.linspace(0, 0.1, 5)
    found = statistics.ranks(w1)
    assert found.low.tolist() == [1] * 3 and found.high.tolist() == [3] * 3
    assert statistics.ranks(w1[:, [0, 1, 2, 3, 4, 0]]).high.tolist() == [1, 2, 3]


def test_everything_diverged_ranks_nothing():
    found = statistics.ranks(np.full((3, 10), math.inf))
    assert found.low.tolist() == [1] * 3 and found.high.tolist() == [3] * 3
    assert found.rank.tolist() == [2] * 3


def test_unfinished_runs_are_refused():
    with pytest.raises(ValueError, match="unfinished"):
        statistics.ranks(np.array([[1.0, math.nan], [1, 2]]))


def test_fifty_settings_take_less_than_a_second():
    w1 = np.random.default_rng(0).lognormal(size=(50, 128))
    start = time.process_time()
    first = statistics.ranks(w1)
    assert time.process_time() - start < 5  # of CPU; a quarter of a second where it is idle
    np.testing.assert_array_equal(first.low, statistics.ranks(w1).low)


def test_settings_whose_runs_are_the_same_are_resampled_once():
    """Thousands of few seeds are few by success; all pairs of them would take minutes."""
    success = np.random.default_rng(0).random((2000, 8)) < 0.02
    shapes = []

    def counted(values):
        shapes.append(values.shape)
        return statistics.success_rate(values)

    found = statistics.ranks(success, counted, highest=True)
    unlike = len(np.unique(success, axis=0))
    assert len(found.low) == 2000 and unlike < 100
    assert shapes == [(8, unlike), *[(8, 2000)] * unlike]  # all, and the resamples of each


@pytest.mark.parametrize("seeds", [20, 128])
def test_rank_intervals_cover_the_order_of_nearly_equal_settings(seeds):
    """The hardest case: the true order is one in a million apart, so chance alone orders them."""
    rng, covered = np.random.default_rng(seeds), []
    rates = 0.3 + 1e-6 * np.arange(8)[:, None]
    for _ in range(200):
        success = rng.random((8, seeds)) < rates
        found = statistics.ranks(
            success, statistics.success_rate, highest=True, resamples=500, rng=rng
        )
        truth = np.arange(8, 0, -1)
        covered.append((found.low <= truth) & (truth <= found.high))
    shares = np.mean(covered, axis=0)
    # Those at the ends can be missed on one side: 95%, give or take 1.5; the others on neither.
    assert shares.min() > 0.91 and shares.mean() > 0.95
