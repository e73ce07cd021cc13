"""Two settings' W1 on the same seeds, however bad: +inf is worse than everything, never dropped."""

from typing import NamedTuple

import numpy as np
import scipy.stats

from gan1d.report.statistics import intervals, resampling
from gan1d.report.statistics.paired import sign_test, tango_interval


class W1Comparison(NamedTuple):
    """Two settings' W1 seed by seed."""

    pairs: int
    first_lower: int  # seeds on which the first is better
    second_lower: int
    ties: int  # equal, or both diverged
    p_sign: float  # two-sided
    p_wilcoxon: float  # two-sided
    ratio: float  # of the medians, first / second
    ratio_low: float  # its 95% interval
    ratio_high: float
    improvement: float  # P(first < second) + P(tie) / 2
    improvement_low: float  # its 95% interval
    improvement_high: float


def compare_w1(
    first: np.ndarray,
    second: np.ndarray,
    *,
    resamples: int = resampling.RESAMPLES,
    rng: resampling.Rng = 0,
) -> W1Comparison:
    """Compare two settings' W1 `[seed]`.

    The sign test drops ties. The ratio's interval is the percentile one of the paired bootstrap,
    by order statistics. The probability of improvement is (1 + d) / 2 for the difference d of the
    shares of seeds on which either is better, so its interval is Tango's (1998) of d: Wilson's
    where there are no ties.

    Raises:
      ValueError: not one of each for every seed, or NaN.
    """
    first, second = resampling.runs_of(first, second)
    pairs = len(first)
    lower, higher = (int(np.count_nonzero(mask)) for mask in (first < second, first > second))
    low, high = tango_interval(lower, higher, pairs)
    ratio_low, ratio_high = _ratio_interval(first, second, resamples, rng)
    return W1Comparison(
        pairs=pairs,
        first_lower=lower,
        second_lower=higher,
        ties=pairs - lower - higher,
        p_sign=sign_test(lower, higher)[0],
        p_wilcoxon=_wilcoxon(first, second),
        ratio=float(_ratio(intervals.median(first), intervals.median(second))),
        ratio_low=ratio_low,
        ratio_high=ratio_high,
        improvement=0.5 + (lower - higher) / pairs / 2,
        improvement_low=float(1 + low) / 2,
        improvement_high=float(1 + high) / 2,
    )


def _wilcoxon(first: np.ndarray, second: np.ndarray) -> float:
    """Wilcoxon's signed-rank test (1945) of log W1, two-sided; ties are dropped.

    Of the logarithm: W1 spans decades, and on its own scale the seeds on which both settings are
    bad would have the highest ranks, whatever their ratio. Only ranks count, so a seed on which one
    diverged (or is 0) has the highest, and shares it with the others of its kind.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.log(np.maximum(first, 0)) - np.log(np.maximum(second, 0))
    change = change[~np.isnan(change) & (change != 0)]  # NaN: both inf, or both 0
    if len(change) == 0:
        return 1.0
    ranks = np.sign(change) * scipy.stats.rankdata(np.abs(change))
    return float(scipy.stats.wilcoxon(ranks).pvalue)


def _ratio(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Elementwise first / second; NaN where both are inf or both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.divide(first, second)


def _ratio_interval(
    first: np.ndarray, second: np.ndarray, resamples: int, rng: resampling.Rng
) -> tuple[float, float]:
    """The ratio of medians in 95% of the resamples; one that says nothing could be anything."""
    if len(first) < intervals.FEWEST:
        return np.nan, np.nan
    drawn = resampling.indices(len(first), resamples, rng).T
    ratio = _ratio(intervals.median(first[drawn]), intervals.median(second[drawn]))
    low = intervals.quantiles(np.where(np.isnan(ratio), 0, ratio), intervals.TAILS[:1])[0]
    high = intervals.quantiles(np.where(np.isnan(ratio), np.inf, ratio), intervals.TAILS[1:])[0]
    return float(low), float(high)
