"""Any measure of finished runs: a number each, and estimates of it over seeds with intervals."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import xarray as xr

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.figures import common
from gan1d.results import verdicts
from gan1d.results.schema import UNIT, coordinate


def _has_verdict(code: int, runs: xr.Dataset) -> np.ndarray:
    return runs.verdict.values == code


SHARES: dict[str, Callable[[xr.Dataset], np.ndarray]] = {
    **{
        verdicts.word(name): functools.partial(_has_verdict, code)
        for code, name in enumerate(verdicts.VERDICTS)
    },
    "sustained": lambda runs: ~np.isnan(runs.sustained_at.values),
}


class Measured(NamedTuple):
    """One measure of all runs."""

    values: np.ndarray  # [setting, seed]: NaN where there is none, +inf W1 where diverged
    label: str
    is_share: bool  # whether a value is 1 or 0

    def estimate(self, settings: np.ndarray) -> "Estimate":
        """Over seeds, of these settings together: a mask or indices.

        Runs of one seed are alike, so a seed counts as one observation: by its share of runs or
        the median of them.
        """
        values = self.values[settings]
        runs = int(np.isfinite(values).sum() + np.isinf(values).sum())
        values = values[:, ~np.isnan(values).all(axis=0)]
        if not values.size:
            return Estimate(np.nan, np.nan, np.nan, runs)
        if not self.is_share:
            each = np.nanmedian(values, axis=0)
            low, high = statistics.median_interval(each)
            return Estimate(float(statistics.median(each)), low, high, runs)
        each = np.nanmean(values, axis=0)
        low, high = map(float, statistics.share_interval(each, runs))
        return Estimate(float(each.mean()), low, high, runs)


class Estimate(NamedTuple):
    """The share of runs, or the median, and its 95% interval."""

    value: float
    low: float
    high: float
    runs: int


def names(runs: xr.Dataset) -> list[str]:
    """The measures there are."""
    return [*SHARES, "w1", *of_runs.measures(runs)]


def measure(runs: xr.Dataset, name: str) -> Measured:
    """A measure of all runs: shares of finished runs; others of those that did not diverge.

    Raises:
      SelectionError: there is no such measure.
    """
    if name in SHARES:
        values = np.where(of_runs.finished(runs), SHARES[name](runs), np.nan)
        return Measured(values, f"share of runs: {name.replace('_', ' ')}", True)
    if name == "w1":
        what = "settled sliced W1" if common.is_plane(runs) else "settled W1"
        return Measured(of_runs.settled_w1(runs), f"median {what} (target stds)", False)
    if name not in of_runs.measures(runs):
        raise of_runs.SelectionError(f"measure={name}: there are {', '.join(names(runs))}")
    values = np.where(of_runs.survived(runs), of_runs.settled(runs, name), np.nan)
    described = str(runs[name].attrs.get("long_name", name))
    unit = runs[name].attrs.get(UNIT, "")
    return Measured(values, f"median {described}" + (f" ({unit})" if unit else ""), False)


def field(runs: xr.Dataset, name: str, option: str) -> str:
    """The swept field that is meant by its name or the end of it.

    Raises:
      SelectionError: none is, or several are.
    """
    swept = of_runs.swept_fields(runs)
    found = [each for each in swept if each == name or each.endswith(f".{name}")]
    if len(found) == 1:
        return found[0]
    which = "several are meant" if found else "swept are"
    listed = ", ".join(found or swept) or "no fields"
    raise of_runs.SelectionError(f"{option}={name}: {which}: {listed}")


def short(runs: xr.Dataset, name: str) -> str:
    """A swept field in words that can be wrapped."""
    return of_runs.short_name(runs, name).replace(".", ". ")


def column(runs: xr.Dataset, name: str) -> np.ndarray:
    """The values `[setting]` of a swept field."""
    return runs[coordinate(name)].values


def levels(runs: xr.Dataset, name: str) -> list:
    """The values of a swept field: numbers by size, others as declared."""
    values = column(runs, name)
    if values.dtype.kind in "iuf":
        return np.unique(values).tolist()
    return list(dict.fromkeys(values.tolist()))


def is_number(runs: xr.Dataset, name: str) -> bool:
    """Whether a swept field's values are numbers."""
    return column(runs, name).dtype.kind in "iuf"
