"""How runs ended: verdicts a setting and a run, and the settled W1."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report.figures import common, layout
from gan1d.report.figures.common import BLUE, ORANGE, SKY, Selection
from gan1d.results import judge
from gan1d.results.verdicts import word


def verdicts(selection: Selection) -> Figure:
    """Share of each verdict among the finished runs, and the success rate's 95% interval."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    figure, ax = layout.rows(selection.width, frame.setting)
    position = np.arange(len(frame))
    left = np.zeros(len(frame))
    for verdict, color in common.VERDICT_COLORS.items():
        rate = frame[f"{word(verdict)}_rate"].fillna(0).to_numpy()
        ax.barh(position, rate, left=left, height=0.75, color=color, label=verdict)
        left += rate
    _draw_intervals(ax, frame[frame.finished > 0])
    small = layout.points_of("ytick.labelsize")
    for i, row in frame.iterrows():
        ax.text(1.01, i, f"{row.success} of {row.finished}", va="center", fontsize=small)
    ax.set(xlim=(0, 1), xlabel="share of finished runs")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    layout.finish(figure, ds, "verdicts", note)
    return figure


def _draw_intervals(ax: Axes, frame: pd.DataFrame) -> None:
    """The success rates' 95% intervals, black on white to be seen on every colour."""
    centre = frame.success_rate.to_numpy()
    error = np.abs([frame.success_low - centre, frame.success_high - centre])
    for color, width, cap, label in (
        ("white", 2.4, 4.5, None),
        ("black", 1.2, 4, "success rate, 95% interval (Wilson)"),
    ):
        ax.errorbar(
            centre,
            frame.index,
            xerr=error,
            fmt="none",
            ecolor=color,
            elinewidth=width,
            capsize=cap,
            capthick=width,
            zorder=3,
            clip_on=False,
            label=label,
        )


def w1_label(runs: xr.Dataset) -> str:
    """What an axis of W1 in target stds shows."""
    return f"{w1_name(runs)} to the target (target stds)"


def w1_name(runs: xr.Dataset) -> str:
    """Which W1 runs are judged by."""
    return "sliced W1" if common.is_plane(runs) else "W1"


def w1_limits(w1: np.ndarray, limit: float) -> tuple[float, float]:
    """What an axis of W1 in target stds begins with, and the edge where diverged runs are put."""
    known = w1[np.isfinite(w1) & (w1 > 0)]  # 0 has no logarithm
    low, high = known.min(initial=limit or 1), known.max(initial=1)
    return float(low), float(1.5 * min(high, 1000 * max(1, limit)))


def strip(selection: Selection) -> Figure:
    """Every run as a dot by its settled W1, coloured by its verdict; diverged ones at the edge."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    w1, finished = of_runs.settled_w1(ds), of_runs.finished(ds)
    figure, ax = layout.rows(selection.width, frame.setting)
    limit = judge.thresholds(ds).success_w1
    low, edge = w1_limits(w1[finished], limit)
    # Beside each other as far as needed, the same for each figure of these runs.
    offset = np.random.default_rng(0).uniform(-0.32, 0.32, w1.shape)
    rows = np.arange(len(frame))[:, None] + offset
    for code, (verdict, color) in enumerate(common.VERDICT_COLORS.items()):
        chosen = finished & (ds.verdict.values == code)
        if chosen.any():
            shown = np.clip(w1[chosen], None, edge)
            size = 12 if ds.sizes["seed"] < 50 else 5
            ax.scatter(
                shown,
                rows[chosen],
                s=size,
                color=color,
                lw=0,
                label=verdict,
                zorder=2,
                rasterized=True,  # there may be thousands of them
            )
    medians = np.clip(frame.w1_median, None, edge)
    places = range(len(frame))
    ax.scatter(medians, places, marker="|", s=70, color="black", zorder=3, label="median")
    ax.axvline(limit, color="black", lw=0.8, ls=":", label=f"success threshold, {limit:g}")
    ax.set(xlim=(low / 1.3, edge * 1.15), xlabel=w1_label(ds))
    layout.logarithmic(ax, "x", (1 - layout.LABELS) * selection.width)
    layout.finish(
        figure, ds, "settled W1 of every run; at the right edge: diverged", note, markerscale=1.2
    )
    return figure


def raster(selection: Selection) -> Figure:
    """Every run's verdict: settings by seeds, so that seeds that are hard for all show."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    figure, ax = layout.rows(selection.width, frame.setting)
    colors = ["white", *common.VERDICT_COLORS.values()]
    ax.imshow(
        ds.verdict.values,
        cmap=ListedColormap(colors),
        vmin=-1.5,
        vmax=len(colors) - 1.5,
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, ds.sizes["seed"] - 0.5, len(frame) - 0.5, -0.5),
    )
    for verdict, color in common.VERDICT_COLORS.items():
        ax.bar(0, 0, color=color, label=verdict)
    ax.set_ylim(len(frame) - 0.5, -0.5)
    ax.set_xlim(-0.5, ds.sizes["seed"] - 0.5)
    places = common.checkpoints(ds.sizes["seed"], 9)
    ax.set_xticks(places, ds.seed.values[places])
    ax.set_xlabel("seed")
    layout.finish(figure, ds, "verdict of every run; white: not finished", note)
    return figure


def stability(selection: Selection) -> Figure:
    """Over the last tenth of training: who meets the criterion at every look, at some, at none."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    met = judge.meets_criterion(ds)[:, :, judge.settled_looks(ds)]
    finished = of_runs.finished(ds)
    share = met.mean(axis=-1)
    figure, ax = layout.rows(selection.width, frame.setting)
    left = np.zeros(len(frame))
    kinds = {
        "at every look": (share == 1, BLUE),
        "at most looks": ((share < 1) & (share >= 0.5), SKY),
        "at some looks": ((share < 0.5) & (share > 0), ORANGE),
        "at none": (share == 0, "#DDDDDD"),
    }
    total = np.maximum(finished.sum(axis=1), 1)
    for label, (mask, color) in kinds.items():
        width = (mask & finished).sum(axis=1) / total
        ax.barh(range(len(frame)), width, left=left, height=0.75, color=color, label=label)
        left += width
    ax.set(xlim=(0, 1), xlabel="share of finished runs")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    layout.finish(figure, ds, "runs that meet the criterion of success in the last tenth", note)
    return figure
