import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from gan1d.report import statistics

CASES = Path(__file__).parent / "data" / "cases"
WILSON = pd.read_csv(CASES / "wilson.csv")
MEDIAN = pd.read_csv(CASES / "median_interval_coverage.csv")


def test_wilson_gives_every_digit():
    low, high = statistics.wilson_interval(WILSON["count"], WILSON.total)
    np.testing.assert_allclose(low, WILSON.wilson_low, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(high, WILSON.wilson_high, rtol=1e-12)


@pytest.mark.parametrize("count, total", [(0, 1), (1, 1), (0, 10), (3, 7), (64, 128), (128, 128)])
def test_wilson_equals_scipy(count, total):
    expected = scipy.stats.binomtest(count, total).proportion_ci(method="wilson")
    np.testing.assert_allclose(statistics.wilson_interval(count, total), expected, atol=1e-12)


def test_wilson_without_runs_knows_nothing():
    low, high = statistics.wilson_interval(np.array([0, 5]), np.array([0, 10]))
    assert (low[0], high[0]) == (0, 1)
    assert 0 < low[1] < 0.5 < high[1] < 1


@pytest.mark.parametrize("total", [20, 128, 656])
def test_wilson_covers_95_percent_of_the_time_on_average(total):
    """By enumeration: it oscillates with the rate, as counts are whole, around 95%."""
    rate = np.linspace(0.02, 0.98, 385)
    count = np.arange(total + 1)[:, None]
    low, high = statistics.wilson_interval(count, total)
    covered = (scipy.stats.binom.pmf(count, total, rate) * ((low <= rate) & (rate <= high))).sum(0)
    assert 0.945 < covered.mean() < 0.96
    assert covered.min() > 0.88  # known of rates near 0 and 1 (Brown, Cai and DasGupta 2001)


def test_quantiles_are_order_statistics():
    values = np.random.default_rng(0).permutation(np.arange(1.0, 101.0))
    # 0.07 * 100 exceeds 7 in floating point.
    np.testing.assert_array_equal(statistics.quantiles(values, (0, 0.07, 0.5, 1)), [1, 7, 50, 100])


def test_quantiles_never_mix_finite_and_infinite():
    values = np.array([[1.0, math.inf], [math.inf, 2.0], [2.0, 3.0], [math.inf, 1.0]])
    expected = [[2, 2], [math.inf, math.inf]]
    np.testing.assert_array_equal(statistics.quantiles(values, (0.5, 0.95)), expected)


def test_nothing_is_known_of_no_runs():
    assert np.isnan(statistics.quantiles(np.zeros((0, 4)), (0.5, 0.95))).all()
    assert np.isnan(statistics.median(np.zeros((0, 4)))).tolist() == [True] * 4
    assert np.isnan(statistics.iqm(np.zeros((0, 4)))).tolist() == [True] * 4


@pytest.mark.parametrize(
    "values, expected",
    [
        ([3, 1, 2], 2),
        ([4, 1, 2, 3], 2.5),
        ([0.1, math.inf], math.inf),  # half of the runs diverged
        ([0.1, 0.2, math.inf], 0.2),
        ([0.1, 0.2, 0.4, math.inf], 0.3),
        ([math.inf, math.inf], math.inf),
    ],
)
def test_the_median_is_numpys_even_where_runs_diverged(values, expected):
    assert statistics.median(np.array(values)) == pytest.approx(expected)
    assert np.median(values) == pytest.approx(expected)
    columns = statistics.median(np.array([values, values]).T)
    np.testing.assert_allclose(columns, [expected] * 2)


@pytest.mark.parametrize("case", list(MEDIAN.dropna().itertuples()), ids=lambda case: str(case.n))
def test_the_medians_interval_has_the_sign_tests_ranks(case):
    order = np.random.default_rng(0).permutation(np.arange(1.0, case.n + 1))
    assert statistics.median_interval(order) == (case.sign_low, case.sign_high)
    below = scipy.stats.binom(case.n, 0.5)
    covered = below.cdf(case.sign_high - 1) - below.cdf(case.sign_low - 1)
    assert covered == pytest.approx(case.sign_cov, rel=1e-12) and covered >= 0.95


@pytest.mark.parametrize("count", range(6))
def test_the_median_of_fewer_than_six_runs_has_no_interval(count):
    assert np.isnan(statistics.median_interval(np.arange(count))).all()


@pytest.mark.parametrize("count, diverged", [(20, 0), (20, 0.3), (128, 0.3), (656, 0.3)])
def test_the_medians_interval_covers_it_whatever_diverges(count, diverged):
    rng = np.random.default_rng(count)
    samples = np.exp(rng.normal(size=(1500, count)))
    samples[rng.random(samples.shape) < diverged] = math.inf
    truth = np.exp(scipy.stats.norm.ppf(0.5 / (1 - diverged)))
    low, high = np.transpose([statistics.median_interval(sample) for sample in samples])
    covered = np.mean((low <= truth) & (truth <= high))
    # Exactly 95.9, 95.8 and 95.4%: ranks are whole. The noise of 1500 is .5%.
    assert 0.94 < covered < 0.97


@pytest.mark.parametrize("count", [1, 3, 4, 7, 20, 129])
def test_iqm_equals_scipys_trimmed_mean(count):
    values = np.random.default_rng(count).lognormal(size=(count, 3))
    np.testing.assert_allclose(statistics.iqm(values), scipy.stats.trim_mean(values, 0.25, axis=0))


def test_iqm_bears_a_quarter_of_diverged_runs():
    assert statistics.iqm(np.array([1, 2, 4, math.inf])) == 3
    assert statistics.iqm(np.array([1, 2, math.inf, math.inf])) == math.inf


@pytest.mark.parametrize("count", [2, 30])
def test_mean_interval_equals_scipy(count):
    values = np.random.default_rng(2).normal(size=count)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
    np.testing.assert_allclose(statistics.mean_interval(values), expected)


@pytest.mark.parametrize("values", [[], [1.0]])
def test_mean_interval_of_too_few_runs_is_unknown(values):
    assert np.isnan(statistics.mean_interval(np.array(values))).all()


@pytest.mark.parametrize("count", [20, 128, 656])
def test_mean_interval_of_shares_covers_the_mean(count):
    samples = np.random.default_rng(count).beta(2, 3, size=(1500, count))
    low, high = np.transpose([statistics.mean_interval(sample) for sample in samples])
    assert 0.93 < np.mean((low <= 0.4) & (high >= 0.4)) < 0.97


def test_interval_of_shares_of_one_run_a_seed_is_wilsons():
    shares = np.array([0, 1, 0, 0, 1.0])
    np.testing.assert_allclose(
        statistics.share_interval(shares, 5), statistics.wilson_interval(2, 5)
    )


def test_interval_of_shares_without_spread_is_that_of_its_seeds():
    """Zero of 256 runs of 128 seeds is no certainty; nor is one seed, whatever it has."""
    for shares, total in (np.zeros(128), 256), (np.full(3, 0.5), 6), (np.array([0.5]), 2):
        count = len(shares)
        expected = statistics.wilson_interval(shares.sum(), count)
        np.testing.assert_allclose(statistics.share_interval(shares, total), expected)


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.6])
@pytest.mark.parametrize("alike", [0.01, 0.5, 0.99])
def test_interval_of_shares_covers_the_rate(rate, alike):
    """Of four runs a seed that are all but independent, or all but the same."""
    random = np.random.default_rng(0)
    of_seed = random.beta(rate * (1 / alike - 1), (1 - rate) * (1 / alike - 1), (60, 3000))
    shares = random.binomial(4, of_seed) / 4
    low, high = statistics.share_interval(shares, 240)
    assert np.mean((low <= rate) & (rate <= high)) > 0.93
