"""Success at every threshold at once: the share of runs whose W1 is at most so much.

The bands hold at all thresholds together with 95%: their common level is that of the most extreme
threshold in each resample of the seeds (sup-t: Montiel Olea and Plagborg-Moller 2019, Journal of
Applied Econometrics 34). Only this level is resampled. The limits at each threshold are those of an
interval that never lacks width, so a share of 0 or 1, which no resample changes, is no certainty.
"""

import itertools
from typing import NamedTuple

import numpy as np
import scipy.special

from gan1d.report.statistics import resampling
from gan1d.report.statistics.intervals import Z
from gan1d.report.statistics.paired import tango_interval, tango_score

LEVEL = 0.05  # of missing the truth anywhere


class Profile(NamedTuple):
    """Shares, or differences of shares, with a simultaneous 95% band; all `[threshold]`."""

    thresholds: np.ndarray
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Crossing(NamedTuple):
    """A change of sign of a difference of profiles, between two thresholds."""

    low: float  # the last threshold with the one sign
    high: float  # the first one with the other
    significant: bool  # the band excludes 0 on both sides, in opposite directions


def profile(
    w1: np.ndarray,
    thresholds: np.ndarray,
    *,
    resamples: int = resampling.RESAMPLES,
    rng: resampling.Rng = 0,
) -> Profile:
    """The share of runs `[run]` at or below each threshold `[threshold]`, with its band.

    A performance profile (Agarwal et al. 2021, arXiv 2108.13264). The limits are Clopper and
    Pearson's (1934) at the level whose p-value the least of all thresholds' falls below in 5% of
    the resamples, never above 5% (equal local levels: Aldor-Noiman et al. 2013, The American
    Statistician 67). At a share of 0 of n the upper limit is 1 - (level / 2)^(1 / n). The resamples
    are of a smoothed distribution, for there are more thresholds than runs to tell them apart.

    Raises:
      ValueError: no runs, or NaN.
    """
    (w1,), thresholds = resampling.runs_of(w1), np.asarray(thresholds, float)
    runs = len(w1)
    order = np.argsort(thresholds)
    count = np.searchsorted(np.sort(w1), thresholds, side="right")
    share = _smoothed(count[order], runs)
    steps = np.diff(share, prepend=0, append=1)
    drawn = np.random.default_rng(rng).multinomial(runs, steps, resamples).cumsum(axis=1)[:, :-1]
    p_values = _binomial_p_values(runs, share)[drawn, np.arange(len(share))]
    extreme = p_values.min(axis=1, initial=1)
    level = min(LEVEL, float(np.quantile(extreme, LEVEL, method="inverted_cdf")))
    low = scipy.special.betaincinv(count, runs - count + 1, level / 2)
    high = scipy.special.betaincinv(count + 1, runs - count, 1 - level / 2)
    low, high = np.where(count == 0, 0, low), np.where(count == runs, 1, high)
    return Profile(thresholds, count / runs, low, high)


def _smoothed(count: np.ndarray, runs: int) -> np.ndarray:
    """A true share for every threshold, of rising counts `[threshold]`; never 0 or 1.

    Below the next of n runs lies a share of (k + 1) / (n + 1) on average, and of k / (n + 1) below
    the last: the thresholds between the two are spread evenly.
    """
    first, last = (np.searchsorted(count, count, side=side) for side in ("left", "right"))
    place = (np.arange(len(count)) - first + 1) / (last - first + 1)
    return (count + place) / (runs + 1)


def _binomial_p_values(total: int, share: np.ndarray) -> np.ndarray:
    """Two-sided p-value of every count, `[count, threshold]`, where the true share is `share`."""
    count = np.arange(total + 1)[:, None]
    at_most = scipy.special.bdtr(count, total, share)
    at_least = scipy.special.bdtrc(count - 1, total, share)
    return np.minimum(2 * np.minimum(at_most, at_least), 1)


def profile_difference(
    first: np.ndarray,
    second: np.ndarray,
    thresholds: np.ndarray,
    *,
    resamples: int = resampling.RESAMPLES,
    rng: resampling.Rng = 0,
) -> Profile:
    """The difference of two settings' profiles over the same seeds, with its band.

    At every threshold it is a paired difference of rates with Tango's interval, as many standard
    errors wide as the largest of all thresholds' scores is in 95% of the resamples (at least 1.96).

    Raises:
      ValueError: not one of each for every seed `[seed]`, or NaN.
    """
    first, second = resampling.runs_of(first, second)
    thresholds, pairs = np.asarray(thresholds, float), len(first)
    below = first[:, None] <= thresholds, second[:, None] <= thresholds
    only_first, only_second = below[0] & ~below[1], below[1] & ~below[0]
    estimate = (only_first.sum(axis=0) - only_second.sum(axis=0)) / pairs
    weights = resampling.counts(pairs, resamples, rng)
    # Between two runs' W1 all thresholds are alike.
    _, unlike = np.unique(np.concatenate([only_first, only_second]), axis=1, return_index=True)
    one, other = (weights @ only[:, unlike] for only in (only_first, only_second))
    score = tango_score(one, other, np.asarray(pairs), estimate[unlike])
    extreme = np.abs(score).max(axis=1, initial=0)
    z = float(np.quantile(extreme, 1 - LEVEL, method="inverted_cdf"))
    z = max(Z, z * np.sqrt(pairs / max(pairs - 1, 1)))  # resamples vary that much less than runs
    low, high = tango_interval(only_first.sum(axis=0), only_second.sum(axis=0), pairs, z)
    return Profile(thresholds, estimate, low, high)


def crossings(difference: Profile) -> list[Crossing]:
    """Where a difference of profiles, at rising thresholds, changes its sign.

    Significant is a crossing between one threshold where the band lies above 0 and one where it
    lies below, with no such threshold between them; it spans all changes of sign that the estimate
    makes there. All other changes are listed one by one, as what these seeds cannot tell.
    """
    excludes_zero = (difference.low > 0) | (difference.high < 0)
    sign = np.sign(difference.estimate)
    decided = np.flatnonzero(excludes_zero)
    nonzero = np.flatnonzero(sign).tolist()
    changes = [(a, b) for a, b in itertools.pairwise(nonzero) if sign[a] != sign[b]]
    found: list[tuple[int, int, bool]] = []
    for a, b in changes:
        before, after = decided[decided <= a], decided[decided >= b]
        opposite = len(before) and len(after) and sign[before[-1]] != sign[after[0]]
        if opposite and found and found[-1][2] and found[-1][0] >= before[-1]:
            found[-1] = (found[-1][0], b, True)  # another change within the same crossing
        else:
            found.append((a, b, bool(opposite)))
    at = difference.thresholds
    return [Crossing(float(at[a]), float(at[b]), significant) for a, b, significant in found]
