"""Where players have ended: gradients along the way there, and eigenvalues at the end.

Both are drawn by `python -m gan1d path --draw` only, which trains runs again to have their players.
"""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.report import statistics
from gan1d.report.figures import common, facets, layout
from gan1d.report.figures.common import BLUE, GREY, LINES, Selection

MOST_SEEDS = 5  # whose eigenvalues can be told apart
PANEL = (1.65, 1.45)  # inches
LINEAR = 0.1  # up to where scales of eigenvalues are, and logarithmic beyond


def path(selection: Selection) -> Figure | None:
    """The angle and the size of the players' gradients along the way from beginning to end.

    A column a setting: seeds and their median; by `python -m gan1d path --draw` only.
    """
    runs = selection.runs
    if not common.holds(runs, "path_angle", "path_norm"):
        return None
    among = runs.setting.values[runs.path_angle.notnull().any(["seed", "t"]).values].tolist()
    (ds, _, note), plan = facets.planned(selection, among, panel=PANEL)
    figure = layout.new_figure(selection.width, 2 * plan.height)
    parts = figure.subfigures(2, 1, squeeze=False)[:, 0]
    for part, name, words in zip(
        parts, ("path_angle", "path_norm"), ("angle", "size of v"), strict=True
    ):
        along = "t" if part is parts[-1] else ""
        for i, cell in enumerate(plan.draw(part, along, words, sharex=True, sharey=True)):
            values = ds[name].values[i]
            _draw_seeds(cell.ax, ds.t.values, values[np.isfinite(values).all(-1)])
            if part is parts[0]:
                cell.ax.axhline(0, color="black", lw=0.5)
                cell.title()
    layout.finish(figure, runs, "gradients v along the way from beginning (0) to end (1)", note)
    return figure


def _draw_seeds(ax: Axes, t: np.ndarray, curves: np.ndarray) -> None:
    """Curves `[seed, T]` behind their median, and where the way begins and ends."""
    common.draw_behind(ax, [np.column_stack([t, curve]) for curve in curves], "a seed")
    ax.plot(t, statistics.median(curves), color=BLUE, label="median over seeds")
    for end in (0, 1):
        ax.axvline(end, color="black", lw=0.6, ls=":", label="beginning, end")
    ax.set_xlim(t[0], t[-1])


def eigenvalues(selection: Selection) -> Figure | None:
    """Eigenvalues of the games' Jacobians at the end: by `python -m gan1d path --draw` only.

    A panel a setting, and a colour a seed, of the first ones.
    """
    runs = selection.runs
    if not common.holds(runs, "game_eigenvalue"):
        return None
    known = runs.game_eigenvalue.notnull().any(["seed", "number"]).values
    if not known.any():
        return None
    (ds, _, note), plan = facets.planned(
        selection, runs.setting.values[known].tolist(), panel=PANEL
    )
    figure = layout.new_figure(selection.width, plan.height)
    for i, cell in enumerate(plan.draw(figure, "real part", "imaginary part")):
        found = ds.game_eigenvalue.isel(setting=i).dropna("seed", how="all")
        cell.ax.axvline(0, color=GREY, lw=0.8, zorder=1)
        cell.ax.set_xscale("symlog", linthresh=LINEAR)
        cell.ax.set_yscale("symlog", linthresh=LINEAR)
        seeds = zip(found.seed.values[:MOST_SEEDS], found.values, LINES, strict=False)
        for seed, numbers, color in seeds:
            cell.ax.plot(numbers.real, numbers.imag, ".", color=color, ms=3, label=f"seed {seed}")
        cell.title()
    what = f"eigenvalues of the game at the end, stable right of 0, linear within {LINEAR:g}"
    layout.finish(figure, runs, what, note)
    return figure
