"""Games of two Gaussians against two intervals: where they went, and from which starts."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.report import statistics, tables
from gan1d.report.figures import common, layout
from gan1d.report.figures.common import BLUE, GREY, ORANGE, VERMILLION

MOST_SEEDS = 12  # of which trajectories can be told apart
ROW = 1.75  # inches


class Played(NamedTuple):
    """The games of one dynamics, look by look, evenly spread."""

    means: np.ndarray  # [seed, look, 2] of G
    total_variation: np.ndarray  # [seed, look]
    parts: np.ndarray  # [seed] intervals that D has left at the end


def draw(
    games: dict[str, Played],
    data: np.ndarray,
    converged: dict[str, np.ndarray],
    close: float,
    steps: int,
    caption: str,
) -> Figure:
    """A column a dynamics: trajectories of G's means, total variation, and who converged.

    Args:
      games: by the names of the dynamics.
      data: means `[2]`.
      converged: which of the games `[seed]` did.
      close: total variation of those that did.
      steps: updates until the last look.
      caption: what all of it rests on.
    """
    figure = layout.new_figure(common.PAGE, 3 * ROW)
    axes = layout.subplots(figure, 3, len(games), sharex="row", sharey="row")
    for (way, course, map_), (name, game) in zip(axes.T, games.items(), strict=True):
        met = converged[name]
        way.set_title(f"{name}\n{tables.percent(float(met.mean()))}% converged")
        _draw_ways(way, game.means, data)
        _draw_course(course, game.total_variation, steps)
        course.axhline(close, color=GREY, lw=0.8, zorder=1, label=f"{close:g}: converged below")
        _draw_map(map_, game.means[:, 0], met, data)
    for row, (x, y) in zip(
        axes,
        (("m1", "m2"), ("updates", "total variation"), ("m1 at the start", "m2 at the start")),
        strict=True,
    ):
        row[0].set_ylabel(y)
        row[len(row) // 2].set_xlabel(x)
    figure.suptitle(f"two Gaussians against two intervals\n{caption}")
    figure.set_figheight(figure.get_figheight() + layout.LINE_HEIGHT * layout.legend(figure, 1.5))
    return figure


def _draw_ways(ax: Axes, means: np.ndarray, data: np.ndarray) -> None:
    """Where the first few games went `[seed, look, 2]`."""
    few = means[:MOST_SEEDS]
    ax.plot(*few.transpose(2, 1, 0), color=BLUE, lw=0.6, zorder=2)
    ax.lines[0].set_label(f"a seed, of the first {len(few)}")
    ax.plot(*few[:, 0].T, "o", color=ORANGE, ms=2.5, zorder=3, label="its beginning")
    ax.plot(*few[:, -1].T, "o", color=VERMILLION, ms=2.5, zorder=4, label="its end")
    _draw_data(ax, data)


def _draw_course(ax: Axes, total_variation: np.ndarray, steps: int) -> None:
    updates = np.linspace(0, steps, total_variation.shape[1])
    curves = statistics.quantiles(total_variation, common.QUARTILES)
    common.draw_band(ax, updates, curves, BLUE, "median of all seeds", "between their quartiles")


def _draw_map(ax: Axes, starts: np.ndarray, met: np.ndarray, data: np.ndarray) -> None:
    """Starts `[seed, 2]` by what became of them."""
    for chosen, color, label in (
        (~met, VERMILLION, "a start that did not converge"),
        (met, BLUE, "a start that did"),
    ):
        ax.plot(*starts[chosen].T, ".", color=color, ms=3.5, mew=0, zorder=2, label=label)
    _draw_data(ax, data)


def _draw_data(ax: Axes, data: np.ndarray) -> None:
    ax.plot(data, data[::-1], "k+", ms=7, zorder=5, label="data's means, either order")
