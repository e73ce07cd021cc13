"""Intervals and order statistics over runs: plain arrays in and out; numpy and scipy only.

A diverged run counts as the worst possible (W1 = +inf) and is never dropped; so quantiles over runs
are order statistics: nothing lies between a finite value and +inf.
"""

import numpy as np
import scipy.special
import scipy.stats

TAILS = (0.025, 0.975)  # of every 95% interval here
Z = scipy.stats.norm.ppf(TAILS[1])


def wilson_interval(count: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% score interval of a proportion, elementwise; without any run it is [0, 1].

    (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2) for k of n (Wilson 1927).
    """
    count, total = np.asarray(count, float), np.asarray(total, float)
    centre = count + Z**2 / 2
    half = Z * np.sqrt(count * (total - count) / np.maximum(total, 1) + Z**2 / 4)
    low, high = (centre - half) / (total + Z**2), (centre + half) / (total + Z**2)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def quantiles(values: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Order statistics x_(ceil(n p)) over the first axis, `[run, ...]` -> `[level, ...]`.

    Never interpolated, so +inf is a value like any other; without any run they are NaN.
    """
    ordered = np.sort(np.asarray(values, float), axis=0)
    count = len(ordered)
    if count == 0:
        return np.full((len(levels), *ordered.shape[1:]), np.nan)
    # The subtraction undoes rounding such as 0.07 * 100 = 7.000000000000001.
    ranks = np.ceil(np.asarray(levels) * count - 1e-9).astype(int)
    return ordered[np.maximum(ranks, 1) - 1]


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the median of `[run]`, without resampling.

    A resample's median is its k-th smallest of n, k = ceil(n / 2), whose distribution is known:
    P(median* <= x_(j)) = P(Binomial(n, j / n) >= k) (Efron 1979). NaN for fewer than two runs: the
    bootstrap of a single run would claim certainty.
    """
    ordered = np.sort(values)
    count = len(ordered)
    if count < 2:
        return np.nan, np.nan
    share = np.arange(1, count + 1) / count
    distribution = scipy.special.bdtrc((count + 1) // 2 - 1, count, share)
    low, high = ordered[np.searchsorted(distribution, TAILS)]
    return float(low), float(high)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% t interval of the mean of `[run]` (Student 1908); NaN for fewer than two runs."""
    count = len(values)
    if count < 2:
        return np.nan, np.nan
    half = scipy.stats.t.ppf(TAILS[1], count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values) - half), float(np.mean(values) + half)
