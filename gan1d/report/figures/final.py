"""How runs ended: verdicts a setting, over two swept fields, and the settled W1."""

import itertools

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, ORANGE, SKY, Selection
from gan1d.results import judge
from gan1d.results.schema import coordinate
from gan1d.results.verdicts import word

MAX_CELLS = 24  # along an axis of the heat map, for its numbers to be legible


def verdicts(selection: Selection) -> Figure:
    """Share of each verdict among the finished runs, and the success rate's 95% interval."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    figure, ax = _one_row_a_setting(frame)
    position = np.arange(len(frame))
    left = np.zeros(len(frame))
    for verdict, color in common.VERDICT_COLORS.items():
        rate = frame[f"{word(verdict)}_rate"].fillna(0).to_numpy()
        ax.barh(position, rate, left=left, height=0.75, color=color, label=verdict)
        left += rate
    _draw_intervals(ax, frame[frame.finished > 0])
    for i, row in frame.iterrows():
        ax.text(1.01, i, f"{row.success} of {row.finished}", va="center", fontsize=7)
    ax.set(xlim=(0, 1), xlabel="share of finished runs")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    common.set_title(figure, ds, "verdicts", note)
    common.legend(figure)
    return figure


def _draw_intervals(ax: Axes, frame: pd.DataFrame) -> None:
    """The success rates' 95% intervals, black on white to be seen on every colour."""
    centre = frame.success_rate.to_numpy()
    error = np.abs([frame.success_low - centre, frame.success_high - centre])
    for color, width, cap, label in (
        ("white", 4, 5, None),
        ("black", 1.4, 4, "success rate, 95% interval (Wilson)"),
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
    return f"{'sliced ' if common.is_plane(runs) else ''}W1 to the target (target stds)"


def w1_limits(w1: np.ndarray, limit: float) -> tuple[float, float]:
    """What an axis of W1 in target stds begins with, and the edge where diverged runs are put."""
    known = w1[np.isfinite(w1) & (w1 > 0)]  # 0 has no logarithm
    low, high = known.min(initial=limit or 1), known.max(initial=1)
    return float(low), float(1.5 * min(high, 1000 * max(1, limit)))


def strip(selection: Selection) -> Figure:
    """Every run as a dot by its settled W1, coloured by its verdict; diverged ones at the edge."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    w1, finished = of_runs.settled_w1(ds), of_runs.finished(ds)
    figure, ax = _one_row_a_setting(frame)
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
            ax.scatter(shown, rows[chosen], s=size, color=color, lw=0, label=verdict, zorder=2)
    medians = np.clip(frame.w1_median, None, edge)
    places = range(len(frame))
    ax.scatter(medians, places, marker="|", s=130, color="black", zorder=3, label="median")
    ax.axvline(limit, color="black", lw=0.8, ls=":", label=f"success threshold, {limit:g}")
    ax.set(xscale="log", xlim=(low / 1.3, edge * 1.15), xlabel=w1_label(ds))
    common.set_title(figure, ds, "settled W1 of every run; at the right edge: diverged", note)
    common.legend(figure, markerscale=2)
    return figure


def raster(selection: Selection) -> Figure:
    """Every run's verdict: settings by seeds, so that seeds that are hard for all show."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    figure, ax = _one_row_a_setting(frame)
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
    common.set_title(figure, ds, "verdict of every run; white: not finished", note)
    common.legend(figure)
    return figure


def stability(selection: Selection) -> Figure:
    """Over the last tenth of training: who meets the criterion at every look, at some, at none."""
    ds, frame, note = common.ranked(selection, common.MAX_LINES)
    met = judge.meets_criterion(ds)[:, :, judge.settled_looks(ds)]
    finished = of_runs.finished(ds)
    share = met.mean(axis=-1)
    figure, ax = _one_row_a_setting(frame)
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
    common.set_title(figure, ds, "runs that meet the criterion of success in the last tenth", note)
    common.legend(figure)
    return figure


def _one_row_a_setting(frame: pd.DataFrame) -> tuple[Figure, Axes]:
    """An axes with a row for each setting, from top to bottom."""
    labels = [common.wrapped(label, 44) for label in frame.setting]
    lines = sum(max(2, 1 + label.count("\n")) for label in labels)
    figure = Figure(figsize=(9, 2.3 + 0.17 * lines), layout="constrained")
    ax = figure.subplots()
    ax.set_yticks(range(len(frame)), labels, fontsize=8)
    ax.set_ylim(len(frame) - 0.5, -0.5)
    return figure, ax


def _grid_fields(runs: xr.Dataset) -> tuple[str, str] | None:
    """The first two numeric swept fields whose values occur in every combination.

    Fields that were varied in step do not: there is nothing between them to be mapped.
    """
    fields = of_runs.swept_fields(runs)
    columns = {field: runs[coordinate(field)].values for field in fields}
    values = {name: np.unique(each) for name, each in columns.items() if each.dtype.kind in "iuf"}
    for pair in itertools.combinations((name for name in values if len(values[name]) > 1), 2):
        combinations = set(zip(*(columns[name] for name in pair), strict=True))
        if len(combinations) == len(values[pair[0]]) * len(values[pair[1]]):
            return pair
    return None


def heatmap(selection: Selection) -> Figure | None:
    """Success rate over the first two numeric fields that span a grid, pooled over all others.

    None where there are no two such fields, more values than can be told apart, or no finished run.
    """
    runs = selection.runs
    fields = _grid_fields(runs)
    columns_of = [coordinate(field) for field in fields or ()]
    if fields is None or max(len(np.unique(runs[name])) for name in columns_of) > MAX_CELLS:
        return None
    counts = selection.summary.groupby(columns_of)[["success", "diverged", "finished"]].sum()
    counts = counts[counts.finished > 0]
    if counts.empty:
        return None
    success = (counts.success / counts.finished).unstack()
    diverged = (counts.diverged / counts.finished).unstack()
    rows, columns = success.shape
    figure = Figure(
        figsize=(max(common.MIN_SIZE[0], 0.75 * columns + 3), 0.6 * rows + 2.5),
        layout="constrained",
    )
    ax = figure.subplots()
    ax.set_facecolor("#E5E5E5")  # cells that the sweep does not have
    image = ax.imshow(success, vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower")
    for (row, column), rate in np.ndenumerate(success.to_numpy()):
        if np.isnan(rate):
            continue
        text = common.percent(rate)
        if counts.diverged.any():
            text += f"\n({common.percent(diverged.iloc[row, column])})"
        color = "white" if rate < 0.6 else "black"
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(columns), [f"{value:g}" for value in success.columns])
    ax.set_yticks(range(rows), [f"{value:g}" for value in success.index])
    ax.set(xlabel=fields[1], ylabel=fields[0])
    figure.colorbar(image, ax=ax, label="success rate", format=PercentFormatter(1))
    others = [field for field in of_runs.swept_fields(runs) if field not in fields]
    pooled = f"pooled over {', '.join(others)}" if others else ""
    shares = "success rate (diverged in brackets)" if counts.diverged.any() else "success rate"
    common.set_title(figure, runs, shares, pooled)
    return figure
