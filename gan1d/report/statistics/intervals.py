"""Rates, medians and means over runs with their 95% intervals.

Nothing here is interpolated but the median of an even number of runs: quantiles and their intervals
are order statistics, for which +inf is a value like any other.
"""

import numpy as np
import scipy.stats

TAILS = (0.025, 0.975)  # of every 95% interval
Z = float(scipy.stats.norm.ppf(TAILS[1]))
FEWEST = 6  # runs of which a sign test can tell anything at 5%: 2 / 2^6 < .05 < 2 / 2^5


def wilson_interval(count: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% score interval of a proportion, elementwise; without any run it is [0, 1].

    (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2) for k of n (Wilson 1927).
    """
    count, total = np.asarray(count, float), np.asarray(total, float)
    centre = count + Z**2 / 2
    half = Z * np.sqrt(count * (total - count) / np.maximum(total, 1) + Z**2 / 4)
    low, high = (centre - half) / (total + Z**2), (centre + half) / (total + Z**2)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def share_interval(shares: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
    """The 95% interval of the mean of shares `[seed, ...]`, where runs of one seed are alike.

    Wilson's, of as many independent runs as would vary as much: p (1 - p) over the variance of the
    mean of seeds, with Student's t for what is uncertain in it (Korn & Graubard 1998), but not
    fewer than there are seeds, nor more than there are runs. Of one run a seed it is Wilson's.

    Args:
      shares: of the runs of each seed, `[seed, ...]`.
      total: how many runs there are.
    """
    seeds = len(shares)
    rate = shares.mean(0)
    count = np.full(rate.shape, float(seeds))
    if seeds > 1:
        variance = shares.var(0, ddof=1) / seeds * (scipy.stats.t.ppf(0.975, seeds - 1) / Z) ** 2
        spread = rate * (1 - rate)
        alike = np.divide(spread, variance, out=count.copy(), where=variance > 0)
        count = np.clip(alike, seeds, max(total, seeds))
    return wilson_interval(rate * count, count)


def quantiles(values: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Order statistics x_(ceil(n p)) over the first axis, `[run, ...]` -> `[level, ...]`.

    Never interpolated, so +inf is a value like any other; without any run they are NaN.
    """
    ordered = _ordered(values)
    count = len(ordered)
    if count == 0:
        return np.full((len(levels), *ordered.shape[1:]), np.nan)
    # The subtraction undoes rounding such as 0.07 * 100 = 7.000000000000001.
    ranks = np.ceil(np.asarray(levels) * count - 1e-9).astype(int)
    return ordered[np.maximum(ranks, 1) - 1]


def median(values: np.ndarray) -> np.ndarray:
    """The mean of the two middle values over the first axis, `[run, ...]` -> `[...]`.

    As numpy's: +inf where either of the two is, so that of an even number of runs of which half
    diverged the median is +inf, not the worst of those that did not (the lower median, which lies
    below the true one more often than above). NaN without any run.
    """
    ordered = _ordered(values)
    count = len(ordered)
    if count == 0:
        return np.full(ordered.shape[1:], np.nan)
    return (ordered[(count - 1) // 2] + ordered[count // 2]) / 2


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% interval of the median of `[run]` that inverts the sign test.

    [x_(r), x_(n + 1 - r)] with the largest r for which P(Binomial(n, 1/2) < r) <= .025 (Thompson
    1936). Its coverage is exact whatever the distribution: at least 95%, as ranks are whole, 95.9%
    for 20 runs. NaN below six runs, of which not even the extremes cover that much.
    """
    ordered = np.sort(values)
    count = len(ordered)
    if count < FEWEST:
        return np.nan, np.nan
    rank = int(scipy.stats.binom.ppf(TAILS[0], count, 0.5))
    return float(ordered[rank - 1]), float(ordered[count - rank])


def iqm(values: np.ndarray) -> np.ndarray:
    """Interquartile mean over the first axis, `[run, ...]` -> `[...]`.

    The mean without the lowest and the highest floor(n / 4) values (Agarwal et al. 2021, arXiv
    2108.13264): +inf where more than a quarter of the runs diverged, NaN without any run.
    """
    ordered = _ordered(values)
    cut = len(ordered) // 4
    if len(ordered) == 0:
        return np.full(ordered.shape[1:], np.nan)
    return np.mean(ordered[cut : len(ordered) - cut], axis=0)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% t interval of the mean of `[run]` (Student 1908); NaN for fewer than two runs."""
    count = len(values)
    if count < 2:
        return np.nan, np.nan
    half = scipy.stats.t.ppf(TAILS[1], count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def _ordered(values: np.ndarray) -> np.ndarray:
    return np.sort(np.asarray(values, float), axis=0)
