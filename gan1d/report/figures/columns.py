"""Data of more than two columns: real and generated points, two columns at a time."""

import itertools
import json

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from gan1d.report.figures import common, layout
from gan1d.report.figures.common import Selection
from gan1d.report.figures.plane import draw_points

MOST = 4  # columns that are drawn against each other, the first ones
REACH = 1.25  # of what is drawn, in units of the real points' extent


def columns(selection: Selection) -> Figure | None:
    """Real and generated points at the end, of the first four columns each against each.

    Of one seed of the best setting. None in fewer than three dimensions.
    """
    runs, snapshots, seed = selection.runs, selection.snapshots, selection.seed
    if runs.sizes.get("dim", 1) < 3 or not common.holds(runs, "target_samples"):
        return None
    if snapshots is None or not common.holds(snapshots, "samples"):
        return None
    setting = common.best(selection)
    run = common.of_one(runs, snapshots, setting, seed)
    real, generated = run.target_samples.values, run.samples.isel(step=-1).values
    names = _names(runs)
    pairs = list(itertools.combinations(range(min(MOST, real.shape[1])), 2))
    across = min(len(pairs), layout.columns_in(selection.width, 2))
    down, side = -(-len(pairs) // across), selection.width / across
    figure, axes = layout.rows_of_panels(selection.width, down, [""] * across, side)
    for ax in axes.ravel()[len(pairs) :]:
        ax.remove()
    for ax, (i, j) in zip(axes.ravel(), pairs, strict=False):
        draw_points(ax, real[:, [i, j]], "real", 2.5, 0.7)
        draw_points(ax, generated[:, [i, j]], "generated", 2.5, 0.7)
        ax.set(xlim=_limits(real[:, i]), ylim=_limits(real[:, j]))
        ax.set_xlabel(names[i])
        ax.set_ylabel(names[j])
    what = f"real and generated points {common.moment(run.step.values[-1])}"
    more = f"the first {MOST} of {len(names)} columns" if len(names) > MOST else ""
    one = f"{setting} ({common.fate(run)})"
    layout.finish(figure, runs, what, more, one, seeds=f"seed {seed}", markerscale=2)
    return figure


def _names(runs: xr.Dataset) -> list[str]:
    """What the columns are called, where the results say it; else their numbers, from 1."""
    target = json.loads(runs.attrs["config"]).get("target", {})
    given = target.get("columns", []) if isinstance(target, dict) else []
    count = runs.sizes["dim"]
    if not isinstance(given, list) or len(given) != count:
        return [str(i + 1) for i in range(count)]
    return [common.wrapped(str(name), 24).replace("$", r"\$") for name in given]


def _limits(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    middle, reach = (low + high) / 2, REACH * (high - low) / 2 or 1.0
    return middle - reach, middle + reach
