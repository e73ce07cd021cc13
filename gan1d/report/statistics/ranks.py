"""Which settings are best, and how sure that is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.stats

from gan1d.report.statistics import resampling
from gan1d.report.statistics.intervals import FEWEST, median


class Ranks(NamedTuple):
    """Settings in order of a statistic; all `[setting]`."""

    estimate: np.ndarray
    rank: np.ndarray  # 1 is best; the mean of their ranks where some are equal
    low: np.ndarray  # the best rank within the 95% interval
    high: np.ndarray  # the worst one
    best: np.ndarray  # share of the resamples in which it is best, shared by those that are equal


def ranks(
    values: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray] = median,
    *,
    highest: bool = False,
    resamples: int = resampling.RESAMPLES,
    rng: resampling.Rng = 0,
) -> Ranks:
    """Rank settings by a statistic of their runs `[setting, seed]`; the lowest is best.

    `statistic` maps `[run, ...]` to `[...]`: `median` or `iqm` of W1, of which inf is the worst; or
    `success_rate` of successes with `highest`, by which the highest is best.

    The ranks of resamples themselves are no interval of the rank: settings of nearly equal merit
    swap, and their true order is covered too rarely (Hall and Miller 2009, Annals of Statistics
    37). Instead a setting's best rank is one more than the number of settings that are better for
    certain, and its worst leaves those behind it that are worse for certain: by the differences
    from it, simultaneously at 95% (Mogstad et al. 2024, Review of Economic Studies 91), sup-t over
    the paired bootstrap of seeds. Each interval holds for its setting alone. Differences are of the
    statistic as it is: that of a logarithm of W1 cancels a factor which settings share by seed, so
    it decides more. Where it is inf in some resamples, differences are of x / (m + abs(x)), which
    has the same order; m is the median of the finite abs(x). Below six seeds nothing is certain.
    The probability of being best is the plain bootstrap's.

    Raises:
      ValueError: NaN among the values or the statistics.
    """
    values = np.asarray(values, float)
    if np.isnan(values).any():
        raise ValueError("NaN: leave out unfinished runs; a diverged run's W1 is inf")
    # Settings whose runs are the same, as many are by success, are looked at once.
    unlike, setting, count = np.unique(values, axis=0, return_inverse=True, return_counts=True)
    drawn = resampling.indices(values.shape[1], resamples, rng)
    estimate = statistic(unlike.T)
    resampled = np.stack([statistic(row[drawn].T) for row in unlike], axis=1)
    worse = np.concatenate([estimate[None], resampled]) * (-1 if highest else 1)
    if np.isnan(worse).any():
        raise ValueError("NaN: the statistic has none of some resamples")
    best = worse[1:] == worse[1:].min(axis=1, keepdims=True)
    better, behind = np.zeros((2, len(unlike)), int)
    if values.shape[1] >= FEWEST:
        scale = _finite(worse, count)
        better, behind = np.transpose(
            [_decided(scale - scale[:, [i]], count) for i in range(len(unlike))]
        )
    return Ranks(
        estimate=estimate[setting],
        rank=scipy.stats.rankdata(worse[0, setting]),
        low=1 + better[setting],
        high=len(values) - behind[setting],
        best=(best / (best @ count)[:, None]).mean(axis=0)[setting],
    )


def success_rate(success: np.ndarray) -> np.ndarray:
    """The mean over the first axis, `[run, ...]` -> `[...]`."""
    return np.mean(success, axis=0)


def _finite(values: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The values, on a scale of the same order on which inf is finite, if any is.

    `[..., setting]`, of which each stands for so many.
    """
    finite = np.isfinite(values)
    if finite.all():
        return values
    size = np.abs(np.where(finite, values, 0))
    known = np.repeat(size, count, axis=-1)[np.repeat(finite & (size > 0), count, axis=-1)]
    middle = np.median(known) if len(known) else 1.0
    return np.where(finite, np.where(finite, values, 0) / (middle + size), np.sign(values))


def _decided(difference: np.ndarray, count: np.ndarray) -> tuple[int, int]:
    """How many settings' differences are negative and positive for certain.

    `[1 + resample, setting]`, the first row the estimate, of which each stands for so many.
    """
    estimate, resampled = difference[0], difference[1:]
    error = np.sqrt(np.mean((resampled - estimate) ** 2, axis=0))
    with np.errstate(invalid="ignore"):
        score = np.abs(resampled - estimate) / np.where(error > 0, error, np.inf)
    critical = np.quantile(score.max(axis=1), 0.95, method="inverted_cdf")
    reach = critical * error
    return int(count @ (estimate + reach < 0)), int(count @ (estimate - reach > 0))
