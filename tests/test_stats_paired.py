import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.special
import scipy.stats

from gan1d.report import statistics

CASES = pd.read_csv(Path(__file__).parent / "data" / "cases" / "paired_differences.csv")
CELLS = ["both", "only_first", "only_second", "neither"]


@pytest.mark.parametrize("case", CASES.to_dict("records"), ids=lambda c: str([c[k] for k in CELLS]))
def test_a_difference_gives_every_digit(case):
    found = statistics.difference_of_counts(*(case[cell] for cell in CELLS))
    assert found.difference == pytest.approx(case["difference"], rel=1e-12, abs=1e-15)
    # The reference's root finder stops at 2e-12.
    assert found.low == pytest.approx(case["tango_low"], abs=4e-12)
    assert found.high == pytest.approx(case["tango_high"], abs=4e-12)
    assert found.p_exact == pytest.approx(case["mcnemar_exact_p"], rel=1e-9)
    assert found.p_mid == pytest.approx(case["mcnemar_midp"], rel=1e-9)


def test_a_difference_counts_seeds():
    first = np.array([1, 1, 1, 0, 0, 0, 1, 0], bool)
    second = np.array([1, 0, 0, 1, 0, 0, 0, 0], bool)
    assert statistics.difference(first, second)[:6] == (8, 1, 3, 1, 3, 0.25)
    swapped = statistics.difference(second, first)
    assert swapped.difference == -0.25
    assert (-swapped.high, -swapped.low) == statistics.difference(first, second)[6:8]


def test_nothing_is_known_of_no_seeds():
    found = statistics.difference_of_counts(0, 0, 0, 0)
    assert math.isnan(found.difference) and found[6:] == (-1, 1, 1, 1)
    assert statistics.equivalent_within(0, 0, 0) == 1


def test_seeds_of_different_numbers_raise():
    with pytest.raises(ValueError, match="one a seed"):
        statistics.difference(np.ones(3, bool), np.ones(4, bool))


@pytest.mark.parametrize("wins", [0, 3, 10, 20])
def test_tangos_interval_is_wilsons_where_all_seeds_differ(wins):
    wilson = np.array(statistics.wilson_interval(wins, 20))
    np.testing.assert_allclose(
        statistics.tango_interval(wins, 20 - wins, 20), 2 * wilson - 1, atol=1e-12
    )


def trinomial(pairs, first, second):
    """All numbers of seeds on which only the first or second succeeds, and their probability."""
    b, c = (k.ravel() for k in np.indices((pairs + 1, pairs + 1)))
    b, c = b[b + c <= pairs], c[b + c <= pairs]
    log_ways = scipy.special.gammaln([pairs + 1, 0 + 1]).sum() - sum(
        scipy.special.gammaln(k + 1) for k in (b, c, pairs - b - c)
    )
    chance = b * np.log(first) + c * np.log(second) + (pairs - b - c) * np.log(1 - first - second)
    return b, c, np.exp(log_ways + chance)


@pytest.mark.parametrize("pairs", [20, 128])
@pytest.mark.parametrize("first, second", [(0.2, 0.1), (0.3, 0.3), (0.46, 0.02), (0.1, 0.3)])
def test_tangos_interval_covers_the_difference(pairs, first, second):
    """By enumeration, so to every digit: 93.8 to 96.5%."""
    b, c, chance = trinomial(pairs, first, second)
    low, high = statistics.tango_interval(b, c, pairs)
    covered = chance[(low <= first - second) & (first - second <= high)].sum()
    assert chance.sum() == pytest.approx(1) and 0.93 < covered < 0.97


@pytest.mark.parametrize("pairs, least", [(20, 0.97), (128, 0.95)])
def test_tangos_interval_of_rare_successes_is_conservative(pairs, least):
    """The counts are few and whole: .4 and 2.6 seeds differ on average."""
    b, c, chance = trinomial(pairs, 0.01, 0.01)
    low, high = statistics.tango_interval(b, c, pairs)
    assert chance[(low <= 0) & (high >= 0)].sum() >= least


def test_tangos_interval_of_many_seeds_covers_the_difference():
    cells = np.random.default_rng(0).multinomial(656, [0.06, 0.01, 0.93], size=20_000)
    low, high = statistics.tango_interval(cells[:, 0], cells[:, 1], 656)
    assert 0.945 < np.mean((low <= 0.05) & (high >= 0.05)) < 0.955


@pytest.mark.parametrize("first, second", [(0, 0), (3, 3), (8, 2), (0, 7), (59, 2)])
def test_the_sign_test_is_the_binomial_one(first, second):
    exact, middle = statistics.sign_test(first, second)
    if first + second == 0:
        assert (exact, middle) == (1, 1)
        return
    test = scipy.stats.binomtest(first, first + second)
    assert exact == pytest.approx(test.pvalue)
    tail = scipy.stats.binom(first + second, 0.5)
    least = min(first, second)
    both = 2 * (tail.cdf(least - 1) + tail.pmf(least) / 2)
    assert middle == pytest.approx(both if first != second else 1 - tail.pmf(first))


def test_equivalence_is_two_one_sided_tests():
    # Input noise against none in the main job: one seed of 128 differs.
    assert statistics.equivalent_within(1, 0, 128) == pytest.approx(0.03425625893)
    assert statistics.equivalent_within(0, 1, 128) == pytest.approx(0.03425625893)
    # No seed differs: Wilson's 90% interval of 0 of 128.
    z = scipy.stats.norm.ppf(0.95)
    assert statistics.equivalent_within(0, 0, 128) == pytest.approx(z**2 / (128 + z**2))
    low, high = statistics.tango_interval(20, 33, 128, z)
    assert statistics.equivalent_within(20, 33, 128) == -low > high


@pytest.mark.parametrize("difference", [0.1, -0.1])
def test_equivalence_is_claimed_wrongly_in_5_percent_at_most(difference):
    b, c, chance = trinomial(128, 0.2 + difference / 2, 0.2 - difference / 2)
    low, high = statistics.tango_interval(b, c, 128, scipy.stats.norm.ppf(0.95))
    within = np.maximum(-low, high)
    for i in (0, 100, 4000):
        assert statistics.equivalent_within(int(b[i]), int(c[i]), 128) == within[i]
    # Less than 5%: with so few seeds some do not rule out the other direction.
    assert 0.02 < chance[within < 0.1].sum() < 0.05


def test_seeds_needed():
    # 38 seeds of 656 to 5: minibatch discrimination against the plain GAN.
    assert statistics.seeds_needed(38, 5, 656) == statistics.seeds_needed(5, 38, 656) == 201
    # One of the counts that give -12 points [-16, -7] of 656: minibatch on top of matching.
    assert statistics.seeds_needed(84, 160, 656) == 216
    assert statistics.seeds_needed(0, 0, 128) == statistics.seeds_needed(7, 7, 128) == math.inf


def test_as_many_seeds_as_needed_have_that_power():
    seeds = int(statistics.seeds_needed(30, 15, 100))
    cells = np.random.default_rng(0).multinomial(seeds, [0.3, 0.15, 0.55], size=20_000)
    low, high = statistics.tango_interval(cells[:, 0], cells[:, 1], seeds)
    assert np.mean((low > 0) | (high < 0)) == pytest.approx(0.8, abs=0.02)


def test_holm_multiplies_the_smallest_by_all_and_never_reorders():
    corrected = statistics.holm(np.array([0.01, 0.04, 0.03, 0.6]))
    np.testing.assert_allclose(corrected, [0.04, 0.09, 0.09, 0.6])
    assert statistics.holm(np.array([0.7, 0.9])).tolist() == [1, 1]


def test_w1_is_compared_seed_by_seed():
    first = np.array([1, 2, 3, math.inf, math.inf, 1, 5, 0.5])
    second = np.array([2, 3, 3, math.inf, 1, math.inf, 6, 4])
    found = statistics.compare_w1(first, second)
    assert found[:4] == (8, 5, 1, 2)
    assert found.p_sign == pytest.approx(scipy.stats.binomtest(1, 6).pvalue)
    assert found.ratio == 2.5 / 3.5
    assert found.improvement == 6 / 8 and found.improvement_low < 6 / 8 < found.improvement_high
    swapped = statistics.compare_w1(second, first)
    assert swapped.p_wilcoxon == found.p_wilcoxon
    assert swapped.improvement_low == pytest.approx(1 - found.improvement_high)
    assert found == statistics.compare_w1(first, second)  # what is random repeats itself


@pytest.mark.parametrize("seeds", [12, 40, 128])
def test_wilcoxons_test_equals_scipys_of_log_w1(seeds):
    first, second = np.random.default_rng(seeds).lognormal(size=(2, seeds))
    expected = scipy.stats.wilcoxon(np.log(first), np.log(second)).pvalue
    assert statistics.compare_w1(first, second * 1.3).p_wilcoxon != pytest.approx(expected)
    assert statistics.compare_w1(first, second).p_wilcoxon == pytest.approx(expected)


def test_divergence_is_the_largest_change_in_wilcoxons_test():
    first, second = np.random.default_rng(0).lognormal(size=(2, 30))
    huge = first.copy()
    first[:3], huge[:3] = math.inf, [1e30] * 3
    second[:3] = 1.0
    found, expected = statistics.compare_w1(first, second), statistics.compare_w1(huge, second)
    assert found.p_wilcoxon == expected.p_wilcoxon
    first[3] = second[3] = math.inf  # a tie, as if it weren't there
    others = np.arange(30) != 3
    expected = statistics.compare_w1(huge[others], second[others])
    assert statistics.compare_w1(first, second).p_wilcoxon == expected.p_wilcoxon


@pytest.mark.parametrize("value", [0.3, 0.0, math.inf])
def test_equal_w1_is_no_difference(value):
    found = statistics.compare_w1(np.full(8, value), np.full(8, value))
    assert (found.ties, found.p_sign, found.p_wilcoxon, found.improvement) == (8, 1, 1, 0.5)
    assert found.improvement_low < 0.4 and found.improvement_high > 0.6
    if value == 0.3:
        assert found[6:9] == (1, 1, 1)
    else:
        assert math.isnan(found.ratio) and found[7:9] == (0, math.inf)


def test_unfinished_runs_are_refused():
    with pytest.raises(ValueError, match="unfinished"):
        statistics.compare_w1(np.array([1.0, math.nan]), np.ones(2))
    with pytest.raises(ValueError, match="every seed"):
        statistics.compare_w1(np.ones(3), np.ones(2))


@pytest.mark.parametrize("seeds, diverged", [(20, 0), (20, 0.2), (128, 0.2)])
def test_intervals_of_w1_cover_the_truth(seeds, diverged):
    """2 x 400 times: improvement 94 to 96%; the ratio's bootstrap is conservative at 20 seeds."""
    rng, norm, covered = np.random.default_rng(seeds), scipy.stats.norm, []
    improvement = (1 - diverged) ** 2 * norm.cdf(0.5 / (0.8 * 2**0.5))
    improvement += (1 - diverged) * diverged + diverged**2 / 2
    for _ in range(400):
        common = rng.normal(size=seeds) * 0.6
        w1 = np.exp(common + 0.8 * rng.normal(size=(2, seeds)) + [[0], [0.5]])
        w1[rng.random(w1.shape) < diverged] = math.inf
        found = statistics.compare_w1(*w1, resamples=400, rng=rng)
        ratio = found.ratio_low <= np.exp(-0.5) <= found.ratio_high
        covered.append((ratio, found.improvement_low <= improvement <= found.improvement_high))
    ratio, better = np.mean(covered, axis=0)
    assert 0.94 < ratio < 0.99 and 0.93 < better < 0.97
