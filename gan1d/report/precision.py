"""How well what a sweep asks is known, and how many seeds would tell it better."""

import math
from typing import NamedTuple

import xarray as xr

from gan1d.report import comparisons, effects, statistics
from gan1d.report import runs as of_runs
from gan1d.report.runs import value_text

BATCH = 32  # seeds that are added at least
MOST_AT_ONCE = 4  # times as many seeds as before: what so few say of the need is rough
MORE = 1.05  # seeds beyond the need, so that it is met in one go more often than not


class Precision(NamedTuple):
    """The widest 95% interval of what a sweep asks about success."""

    what: str  # it is of, in words
    half_width: float  # of a share of runs
    intervals: int  # how many there are

    def points(self) -> str:
        """Half of its width in words."""
        return f"+-{100 * self.half_width:.1f} points"


def asked(runs: xr.Dataset) -> Precision:
    """What a sweep asks, and the least known of it.

    A product of factors asks for its main effects on success; other settings for their
    differences from the first, on the same seeds; one setting alone for its rate of success.

    Raises:
      ValueError: no seed is finished in all settings.
    """
    widths = _half_widths(runs)
    what = max(widths, key=widths.__getitem__)
    return Precision(what, widths[what], len(widths))


def _half_widths(runs: xr.Dataset) -> dict[str, float]:
    """Half of the width of each interval, by what it is of."""
    labels = runs.setting.values.tolist()
    if len(labels) == 1:
        met = of_runs.succeeded(runs)[of_runs.finished(runs)]
        low, high = statistics.wilson_interval(met.sum(), met.size)
        return {"the rate of success": float(high - low) / 2}
    if _is_product(runs):
        known = effects.find(runs)[0].effects
        return {name: (e.high - e.low) / 2 for name, e in known if len(e.levels) == 1}
    widths = {}
    for label in labels[1:]:
        found = comparisons.differences(comparisons.paired(runs, label, labels[0]))
        success = next(iter(found.values()))
        widths[f"{label!r} against {labels[0]!r}"] = (success.high - success.low) / 2
    return widths


def _is_product(runs: xr.Dataset) -> bool:
    try:
        effects.factors(runs)
    except ValueError:
        return False
    return True


def seeds_for(points: float, seeds: int, half_width: float, most: int) -> int:
    """How many seeds to go on with, where so many have given an interval of this half width.

    As many as would give one of `points`, as widths fall with the root of the number of seeds; at
    least a batch more, at most a few times as many, and in whole batches.

    Args:
      points: the half width that is asked for, in points.
      seeds: how many there are, fewer than `most`.
      half_width: as a share.
      most: how many seeds there may be.
    """
    need = MORE * seeds * (100 * half_width / points) ** 2
    bounded = min(max(need, seeds + BATCH), MOST_AT_ONCE * seeds)
    return min(math.ceil(bounded / BATCH) * BATCH, most)


def told(found: Precision, points: float, runs: xr.Dataset, most: int) -> str:
    """In words, where a sweep ends that was to be trained until all is known to so many points."""
    seeds, settings = runs.sizes["seed"], runs.sizes["setting"]
    known = f"{found.what} is known to {found.points()}"
    if 100 * found.half_width > points:
        return (
            f"All {most} seeds are trained, and {known}, not to the {value_text(points)} that "
            "were asked for: give more --seeds, or more --until."
        )
    widest = f", the least known of {found.intervals}" if found.intervals > 1 else ""
    saved = (most - seeds) * settings
    return (
        f"{seeds} of up to {most} seeds are enough: {known}{widest}. "
        f"{saved} of {most * settings} runs were not needed."
    )
