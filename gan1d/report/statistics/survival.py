"""Time until something happens to a run, where not every run was watched for as long."""

from typing import NamedTuple

import numpy as np
import scipy.special

from gan1d.report.statistics.intervals import TAILS


class Survival(NamedTuple):
    """The share of runs to which it has not happened yet, and when half of them have it behind."""

    times: np.ndarray  # [time]
    at_risk: np.ndarray  # runs watched until then to which it had not happened before
    events: np.ndarray  # at that time
    survival: np.ndarray  # after that time; NaN, as its interval, where no run is watched any more
    low: np.ndarray  # its 95% interval
    high: np.ndarray
    median: float  # inf where more than half survive as long as any is watched
    median_low: float  # its 95% interval
    median_high: float


def kaplan_meier(event: np.ndarray, end: np.ndarray, times: np.ndarray | None = None) -> Survival:
    """Kaplan and Meier's (1958) estimate, at all times of events or at rising `times`.

    `event [run]` says when it happened, +inf if it did not, and `end [run]` until when the run was
    watched: later events were not seen, one at `end` was. What cannot happen any more is no loss of
    sight: a diverged run never succeeds, so watch it to the end like all others, with event = inf.

    The interval is the beta product (Fay, Brittain and Proschan 2013, Biostatistics 14, by the
    method of moments): Clopper and Pearson's where all runs are watched. Unlike the log-log one of
    Greenwood's variance it covers at least 95% with few events, and exists before the first and
    after the last one. The median's is where this band crosses 1/2 (Brookmeyer and Crowley 1982).

    Raises:
      ValueError: not one of each for every run, or NaN.
    """
    event, end = np.asarray(event, float), np.asarray(end, float)
    if event.shape != end.shape or event.ndim != 1:
        raise ValueError(f"{event.shape} events and {end.shape} ends: one a run is needed")
    if np.isnan(event).any() or np.isnan(end).any():
        raise ValueError("NaN: leave out unfinished runs; what never happened is at inf")
    event = np.where(event <= end, event, np.inf)
    steps = np.unique(event[np.isfinite(event)])
    times = steps if times is None else np.asarray(times, float)
    return Survival(
        times,
        _at_risk(event, end, times),
        (event == times[:, None]).sum(axis=1),
        *_curve(event, end, steps, times),
        *_median(event, end, steps),
    )


def _at_risk(event: np.ndarray, end: np.ndarray, times: np.ndarray) -> np.ndarray:
    return ((event >= times[:, None]) & (end >= times[:, None])).sum(axis=1)


def _curve(
    event: np.ndarray, end: np.ndarray, steps: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Survival after `times` and its interval, each `[time]`, with events at rising `steps`."""
    at_risk, events = _at_risk(event, end, steps), (event == steps[:, None]).sum(axis=1)
    passed = np.searchsorted(steps, times, side="right")  # steps up to each time
    survival = np.concatenate([[1], np.cumprod(1 - events / at_risk)])[passed]
    # The survival is a product of Beta(n_i - d_i + 1, d_i), of which two moments are known; for the
    # lower limit the next event might come at once: times Beta(n, 1) of the n that are left.
    first, second = _moments(at_risk - events + 1, events)
    first = np.concatenate([[1], np.cumprod(first)])[passed]
    second = np.concatenate([[1], np.cumprod(second)])[passed]
    left = ((event > times[:, None]) & (end >= times[:, None])).sum(axis=1)
    next_first, next_second = _moments(left, np.ones_like(left))
    low = _beta_quantile(first * next_first, second * next_second, TAILS[0])
    high = _beta_quantile(first, second, TAILS[1])
    watched = (times <= np.max(np.minimum(event, end), initial=-np.inf)) | (survival == 0)
    survival, low, high = (np.where(watched, curve, np.nan) for curve in (survival, low, high))
    return survival, low, high


def _median(event: np.ndarray, end: np.ndarray, steps: np.ndarray) -> tuple[float, float, float]:
    """When the curve and the limits of its band come down to 1/2; inf where they don't."""
    bends = np.unique(np.concatenate([steps, end]))
    survival, low, high = _curve(event, end, steps, bends)
    # The lower limit also falls just after a run was last watched.
    low = np.fmin(low, _curve(event, end, steps, np.nextafter(bends, np.inf))[1])
    first = [np.min(bends[curve <= 0.5], initial=np.inf) for curve in (survival, low, high)]
    return float(first[0]), float(first[1]), float(first[2])


def _moments(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E[X] and E[X^2] of X ~ Beta(a, b)."""
    first = a / (a + b)
    return first, first * (a + 1) / (a + b + 1)


def _beta_quantile(first: np.ndarray, second: np.ndarray, level: float) -> np.ndarray:
    """The quantile of the beta distribution with these E[X] and E[X^2]."""
    variance = second - first**2
    certain = variance <= 0  # 0 or 1: nothing has happened, or no run is left
    size = (first - second) / np.where(certain, 1, variance)
    a, b = np.where(certain, 1, first * size), np.where(certain, 1, (1 - first) * size)
    return np.where(certain, first, scipy.special.betaincinv(a, b, level))
