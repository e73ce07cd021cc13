import math

import numpy as np
import pytest
import scipy.stats

from gan1d.report import statistics


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_is_scipys(seed):
    rng = np.random.default_rng(seed)
    event, end = np.ceil(rng.exponential(5, size=(2, 60)))  # ties, and of both kinds
    found = statistics.kaplan_meier(event, end)
    data = scipy.stats.CensoredData.right_censored(np.minimum(event, end), event > end)
    expected = scipy.stats.ecdf(data).sf
    np.testing.assert_allclose(found.survival, expected.evaluate(found.times))
    assert found.events.sum() == np.sum(event <= end)
    assert found.at_risk[0] == np.sum(np.minimum(event, end) >= found.times[0])


def test_a_curve_by_hand():
    """Freireich et al. (1963), remission under 6-MP in weeks: the textbooks' example."""
    event = [6, 6, 6, 7, 10, 13, 16, 22, 23]
    censored = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
    found = statistics.kaplan_meier(
        np.array(event + [math.inf] * len(censored)), np.array([99] * len(event) + censored)
    )
    assert found.times.tolist() == [6, 7, 10, 13, 16, 22, 23]
    assert found.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    expected = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    np.testing.assert_allclose(found.survival, expected, atol=5e-5)
    assert found.median == 23 and found.median_low < 23 < found.median_high


@pytest.mark.parametrize("count", [0, 1, 7, 19, 20])
def test_where_all_runs_are_watched_the_interval_is_the_exact_one(count):
    event = np.where(np.arange(20) < count, np.arange(20.0), math.inf)
    found = statistics.kaplan_meier(event, np.full(20, 100.0), np.array([50.0, 100.0]))
    expected = scipy.stats.binomtest(20 - count, 20).proportion_ci(method="exact")
    assert found.survival.tolist() == pytest.approx([1 - count / 20] * 2)
    np.testing.assert_allclose(found.low, expected.low, atol=1e-9)
    np.testing.assert_allclose(found.high, expected.high, atol=1e-9)


def test_nothing_is_said_where_no_run_is_watched():
    event, end = np.array([1.0, math.inf, math.inf]), np.array([9.0, 4.0, 5.0])
    found = statistics.kaplan_meier(event, end, np.array([0.0, 1, 5, 5.5]))
    assert found.at_risk.tolist() == [3, 3, 1, 0]
    assert np.isnan([found.survival[3], found.low[3], found.high[3]]).all()
    assert np.isfinite([found.survival[2], found.low[2], found.high[2]]).all()
    assert found.median == math.inf  # two of three never had it
    gone = statistics.kaplan_meier(np.array([1.0, 2.0]), np.array([9.0, 9.0]), np.array([20.0]))
    assert gone.survival[0] == 0 and gone.high[0] > 0.5


def test_an_event_after_the_last_look_was_not_seen():
    found = statistics.kaplan_meier(np.array([3.0, 7.0]), np.array([5.0, 5.0]))
    assert found.times.tolist() == [3] and found.survival.tolist() == [0.5]
    assert found.median == 3 and found.median_high == math.inf


def test_without_runs_or_events_there_is_no_curve():
    for event in (np.zeros(0), np.full(4, math.inf)):
        found = statistics.kaplan_meier(event, np.full(len(event), 10.0))
        assert found.times.size == found.survival.size == 0 and found.median == math.inf


def test_what_is_not_known_is_refused():
    with pytest.raises(ValueError, match="unfinished"):
        statistics.kaplan_meier(np.array([math.nan]), np.array([1.0]))
    with pytest.raises(ValueError, match="one a run"):
        statistics.kaplan_meier(np.ones(2), np.ones(3))


@pytest.mark.parametrize("runs", [20, 128])
@pytest.mark.parametrize("lost", [False, True])
def test_intervals_cover_survival_and_its_median(runs, lost):
    """1000 times, to .7%: at least 95%, as counts are whole; more while few events happened."""
    rng, times = np.random.default_rng(runs), np.array([0.05, 0.3, 0.7, 1.2])
    truth, covered, median = np.exp(-times), [], []
    for _ in range(1000):
        end = rng.uniform(0.2, 2.5, runs) if lost else np.full(runs, 1.5)
        found = statistics.kaplan_meier(rng.exponential(size=runs), end, times)
        covered.append((found.low <= truth) & (truth <= found.high))
        median.append(found.median_low <= np.log(2) <= found.median_high)
    shares = np.append(np.mean(covered, axis=0), np.mean(median))
    assert shares.min() > 0.935 and 0.945 < shares.mean() < 0.985
