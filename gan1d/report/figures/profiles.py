"""Success at every threshold at once: profiles of settings, and their differences."""

from typing import TypedDict

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import comparisons, statistics
from gan1d.report import runs as of_runs
from gan1d.report.figures import common, facets, layout
from gan1d.report.figures.common import BLUE, GREY, LINES, Selection
from gan1d.report.figures.final import w1_label
from gan1d.results import judge

STYLES = ("-", "--")
COLOURED = len(STYLES) * len(LINES)
BANDED = 3  # settings whose bands can be told apart on one axes


class Style(TypedDict):
    """How a line is drawn."""

    color: str
    ls: str
    label: str
    zorder: float


def style_of(i: int, setting: str) -> Style:
    """How the line of the i-th best setting is drawn, beside those of all others."""
    if i >= COLOURED:
        return Style(color=GREY, ls="-", label="other settings", zorder=1)
    line, dash = LINES[i % len(LINES)], STYLES[i // len(LINES)]
    return Style(color=line, ls=dash, label=setting, zorder=3 - i / COLOURED)


def profiles(selection: Selection) -> Figure | None:
    """Share of runs at or below every settled W1, all settings on one axes; 95% bands of the best.

    Diverged runs keep a curve below 1. Of more settings than can be told apart the best are
    coloured. None without a finished run.
    """
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    w1, finished = of_runs.settled_w1(ds), of_runs.finished(ds)
    if not finished.any():
        return None
    x = comparisons.thresholds(w1[finished])
    figure, ax = layout.single(selection.width, 0.25 * selection.width + 1.3)
    for i, setting in enumerate(frame.setting):
        of_setting = w1[i, finished[i]]
        if not of_setting.size:
            continue
        style, found = style_of(i, setting), statistics.profile(of_setting, x)
        ax.step(x, found.estimate, where="post", lw=1.4, **style)
        if i < BANDED:
            band = found.low, found.high
            ax.fill_between(x, *band, step="post", color=style["color"], alpha=0.12, lw=0)
    _mark_thresholds(ax, ds)
    ax.set(xlim=(x[0], x[-1]), ylim=(0, 1.03), xlabel=w1_label(ds))
    layout.logarithmic(ax, "x", selection.width)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.set_ylabel("share of finished runs at or below")
    bands = f"simultaneous 95% bands of the best {BANDED}" if len(frame) > BANDED else "95% bands"
    layout.finish(figure, ds, f"profiles of settled W1, {bands}", note)
    return figure


def profile_differences(selection: Selection) -> Figure | None:
    """Each setting's profile less the first declared one's on the same seeds, with its 95% band.

    None where there is nothing to compare.
    """
    if selection.runs.sizes["setting"] < 2:
        return None
    reference = str(selection.runs.setting.values[0])
    others = [label for label in selection.summary.setting if label != reference]
    compared = {}
    for setting in others:
        try:
            pair = comparisons.paired(selection.runs, setting, reference)
        except ValueError:  # they have no seed in common
            continue
        compared[setting] = of_runs.settled_w1(pair)
    if not compared:
        return None
    (ds, frame, note), plan = facets.planned(selection, list(compared))
    pairs = [compared[setting] for setting in frame.setting]
    x = comparisons.thresholds(np.concatenate([w1.ravel() for w1 in pairs]))
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, w1_label(ds), "difference of shares", sharex=True, sharey=True)
    for cell, (first, second) in zip(cells, pairs, strict=True):
        found = statistics.profile_difference(first, second, x)
        band = found.low, found.high
        cell.ax.fill_between(x, *band, color=BLUE, alpha=0.25, lw=0, label="95% band")
        cell.ax.plot(x, found.estimate, color=BLUE, label="difference of shares")
        cell.ax.axhline(0, color="black", lw=0.8)
        _mark_thresholds(cell.ax, ds)
        cell.title(f"n = {len(first)}")
    cells[0].ax.set(xlim=(x[0], x[-1]))
    layout.logarithmic(cells[0].ax, "x", plan.panel[0])
    cells[0].ax.yaxis.set_major_formatter(PercentFormatter(1))
    what = f"shares at or below, less those of {reference!r}, simultaneous 95% bands"
    layout.finish(figure, ds, what, note)
    return figure


def _mark_thresholds(ax: Axes, runs: xr.Dataset) -> None:
    limits = judge.thresholds(runs)
    ax.axvline(limits.success_w1, color="black", lw=0.8, ls=":", label="thresholds of W1")
    for limit in (of_runs.HALF, of_runs.ONE):
        ax.axvline(limit, color="black", lw=0.8, ls=":")
