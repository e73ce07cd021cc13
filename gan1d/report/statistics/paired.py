"""Two settings' successes on the same seeds.

The same seed sees the same data in both, so only the seeds on which exactly one of them succeeds
say anything about their difference.
"""

from typing import NamedTuple

import numpy as np
import scipy.special
import scipy.stats

from gan1d.report.statistics.intervals import Z


class Difference(NamedTuple):
    """Two settings seed by seed."""

    pairs: int
    both: int  # seeds on which both succeed
    only_first: int
    only_second: int
    neither: int
    difference: float  # of the success rates, first - second
    low: float  # its 95% interval
    high: float
    p_exact: float  # McNemar's exact test, two-sided
    p_mid: float  # the same, less half of the probability of what was seen


def difference(first: np.ndarray, second: np.ndarray) -> Difference:
    """Compare the successes `[seed]`, booleans, of two settings.

    Raises:
      ValueError: not one of each for every seed.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"{first.shape} and {second.shape} successes: one a seed is needed")
    cells = first & second, first & ~second, ~first & second, ~first & ~second
    return difference_of_counts(*(int(np.count_nonzero(cell)) for cell in cells))


def difference_of_counts(both: int, only_first: int, only_second: int, neither: int) -> Difference:
    """Compare two settings from the numbers of seeds on which each succeeds.

    The interval is Tango's (1998), the p-values are McNemar's (1947): exact, and mid-p (Fagerland,
    Lydersen and Laake 2013), which is less conservative. Without any seed the interval is [-1, 1].
    """
    pairs = both + only_first + only_second + neither
    low, high = tango_interval(only_first, only_second, pairs)
    p_exact, p_mid = sign_test(only_first, only_second)
    return Difference(
        pairs=pairs,
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=neither,
        difference=(only_first - only_second) / pairs if pairs else np.nan,
        low=float(low),
        high=float(high),
        p_exact=p_exact,
        p_mid=p_mid,
    )


def sign_test(first: int, second: int) -> tuple[float, float]:
    """Exact and mid-p two-sided p-values of `first` against `second` fair coin tosses."""
    tosses = first + second
    exact = min(1.0, 2 * float(scipy.special.bdtr(min(first, second), tosses, 0.5)))
    return exact, min(1.0, exact - float(scipy.stats.binom.pmf(first, tosses, 0.5)) * (tosses > 0))


def tango_score(
    only_first: np.ndarray, only_second: np.ndarray, pairs: np.ndarray, delta: np.ndarray
) -> np.ndarray:
    """How many standard errors the difference is above `delta`, elementwise.

    (b - c - n delta) / sqrt(n (2 q + delta (1 - delta))), with q the maximum-likelihood probability
    that only the second succeeds where the difference is delta (Tango 1998, Statistics in Medicine
    17, equations 12 and 23). 0 where nothing differs, as expected.
    """
    b, c, n = only_first, only_second, pairs
    linear = (2 * n - b + c) * delta - b - c
    product = -c * delta * (1 - delta)
    q = (np.sqrt(np.maximum(linear**2 - 8 * n * product, 0)) - linear) / (4 * n)
    variance = n * (2 * q + delta * (1 - delta))
    return (b - c - n * delta) / np.sqrt(np.maximum(variance, 1e-300))


def tango_interval(
    only_first: np.ndarray | int, only_second: np.ndarray | int, pairs: int, z: float = Z
) -> tuple[np.ndarray, np.ndarray]:
    """Tango's (1998) score interval of a paired difference of rates, elementwise.

    Every difference whose score is within z: 95% by default. Never without width; equal to Wilson's
    where all seeds differ, or where none does.
    """
    b, c = np.broadcast_arrays(np.asarray(only_first, float), np.asarray(only_second, float))
    if pairs == 0:
        return np.full(b.shape, -1.0), np.full(b.shape, 1.0)
    return _lowest(b, c, pairs, z), -_lowest(c, b, pairs, z)


def _lowest(b: np.ndarray, c: np.ndarray, pairs: int, z: float) -> np.ndarray:
    """The smallest difference whose score is within z, by bisection: the score falls with it."""
    low, high = np.full(b.shape, -1.0), (b - c) / pairs
    for _ in range(60):
        middle = (low + high) / 2
        outside = tango_score(b, c, np.asarray(pairs), middle) > z
        low, high = np.where(outside, middle, low), np.where(outside, high, middle)
    return high


def equivalent_within(only_first: int, only_second: int, pairs: int) -> float:
    """The smallest difference that is ruled out in both directions.

    Two one-sided tests at 5% (Schuirmann 1987) reject everything beyond the 90% interval, so the
    two settings' success rates are equivalent within its larger end. 1 where nothing is known.
    """
    low, high = tango_interval(only_first, only_second, pairs, float(scipy.stats.norm.ppf(0.95)))
    return float(max(-low, high))


def seeds_needed(only_first: int, only_second: int, pairs: int, power: float = 0.8) -> float:
    """Seeds for a power of 80% at 5%, two-sided, if the rates are those seen.

    (z_{.975} sqrt(psi) + z_{.8} sqrt(psi - d^2))^2 / d^2, for a share psi of seeds that differ and
    a difference d of rates (Connor 1987, Biometrics 43), rounded up. inf without a difference.
    """
    if only_first == only_second:
        return np.inf
    psi, d = (only_first + only_second) / pairs, abs(only_first - only_second) / pairs
    z_power = float(scipy.stats.norm.ppf(power))
    return float(np.ceil((Z * np.sqrt(psi) + z_power * np.sqrt(psi - d**2)) ** 2 / d**2))


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values `[test]` corrected for their number, by Holm's step-down procedure (1979)."""
    p_values = np.asarray(p_values, float)
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected
