"""How runs ended: outcomes a setting, over two swept fields, and the final W1."""

import itertools

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d.report import tables
from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, GREY, LINES, ORANGE, SKY, Selection
from gan1d.results.outcomes import OUTCOMES, UNFINISHED, word

OUTCOME_COLORS = dict(zip(OUTCOMES, (BLUE, SKY, ORANGE, "#404040"), strict=True))
MAX_CELLS = 24  # along an axis of the heat map, for its numbers to be legible


def outcomes(selection: Selection) -> Figure:
    """Share of each outcome among the finished runs, and the success rate's 95% interval."""
    ds, frame, note = common.ranked(selection)
    labels = [common.wrapped(label, 44) for label in frame.setting]
    lines = sum(max(2, 1 + label.count("\n")) for label in labels)
    figure = Figure(figsize=(9, 1.8 + 0.17 * lines), layout="constrained")
    ax = figure.subplots()
    position = np.arange(len(frame))
    left = np.zeros(len(frame))
    for outcome, color in OUTCOME_COLORS.items():
        rate = frame[f"{word(outcome)}_rate"].fillna(0).to_numpy()
        ax.barh(position, rate, left=left, height=0.75, color=color, label=outcome)
        left += rate
    _draw_intervals(ax, frame[frame.finished > 0])
    for i, row in frame.iterrows():
        ax.text(1.01, i, f"{row.success} of {row.finished}", va="center", fontsize=7)
    ax.set_yticks(position, labels, fontsize=8)
    ax.set(xlim=(0, 1), ylim=(len(frame) - 0.5, -0.5), xlabel="share of finished runs")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    common.set_title(figure, ds, "outcomes", note)
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
    """What an axis of W1 shows."""
    if common.is_plane(runs):
        return "sliced W1 to the target (standardised)"
    return "W1 to the target (units of x)"


def w1_limits(runs: xr.Dataset, w1: np.ndarray) -> tuple[float, float]:
    """A range of W1 that holds the null floor and what of `w1` is not absurdly large."""
    scale = float(runs.target_std.max())
    null = np.concatenate(tables.null_floor(runs))
    shown = np.concatenate([w1[np.isfinite(w1) & (w1 > 0)], null[np.isfinite(null)], [scale]])
    return shown.min() / 1.3, min(shown.max() * 1.3, 1000 * scale)


def finished_w1(runs: xr.Dataset) -> list[np.ndarray]:
    """W1 `[finished run, step]` of each setting, +inf where diverged."""
    finished = runs.outcome.values != UNFINISHED
    w1 = tables.w1_with_divergence(runs)
    return [values[mask] for values, mask in zip(w1, finished, strict=True)]


def _ecdf(ordered: np.ndarray, left: float, right: float) -> np.ndarray:
    """The empirical CDF of `[run]` as the corners `[point, 2]` of a step curve."""
    finite = ordered[np.isfinite(ordered)]
    share = np.arange(len(finite) + 1) / max(1, len(ordered))
    x = np.concatenate([[left], np.repeat(finite, 2), [right]])
    return np.column_stack([x, np.repeat(share, 2)])


def _mark_judgement(ax: Axes, floor: tuple[float, float], threshold: float) -> None:
    """The null floor and the largest W1 of a success on an axis of W1."""
    if np.isfinite(floor).all():
        ax.axvspan(*floor, color=GREY, alpha=0.5, lw=0, label="null floor, median to 95%")
    ax.axvline(threshold, color="black", lw=0.8, ls=":", label="success threshold")


def final_w1(selection: Selection) -> Figure:
    """Empirical CDF of the final W1; diverged runs keep a curve below 1.

    A few settings share one axes, more get a panel each.
    """
    ds, frame, note = common.ranked(selection)
    final = [np.sort(w1[:, -1]) for w1 in finished_w1(ds)]
    limits = w1_limits(ds, np.concatenate(final))
    curves = [_ecdf(values, *limits) for values in final]
    thresholds = common.criterion_of(ds).success_w1 * ds.target_std.values
    judgements = list(zip(zip(*tables.null_floor(ds), strict=True), thresholds, strict=True))
    xlabel = w1_label(ds)
    if len(frame) <= len(LINES):
        figure, axes = common.panels(1, xlabel)
        for curve, color, label in zip(curves, LINES, frame.setting, strict=False):
            axes[0].plot(*curve.T, color=color, lw=1.5, label=label)
        for judgement in set(judgements):  # one, unless the target is swept
            _mark_judgement(axes[0], *judgement)
    else:
        figure, axes = common.panels(len(frame), xlabel, sharex=True, sharey=True)
        for i, ax in enumerate(axes):
            ax.plot(*curves[i].T, color=BLUE, lw=1.5, label="this setting")
            common.draw_behind(ax, curves, "other settings")
            _mark_judgement(ax, *judgements[i])
            ax.set_title(common.wrapped(frame.setting[i]), fontsize=common.TITLE)
    axes[0].set(xscale="log", xlim=limits, ylim=(0, 1.03))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("share of finished runs at or below", fontsize=9)
    what = f"W1 after {ds.step.values[-1]} updates, diverged runs counted as infinite"
    common.set_title(figure, ds, what, note)
    common.legend(figure)
    return figure


def _grid_fields(runs: xr.Dataset) -> tuple[str, str] | None:
    """The first two numeric swept fields whose values occur in every combination.

    Fields that were varied in step do not: there is nothing between them to be mapped.
    """
    fields = common.swept_fields(runs)
    values = {name: np.unique(runs[name]) for name in fields if runs[name].dtype.kind in "iuf"}
    for pair in itertools.combinations((name for name in values if len(values[name]) > 1), 2):
        combinations = set(zip(*(runs[name].values for name in pair), strict=True))
        if len(combinations) == len(values[pair[0]]) * len(values[pair[1]]):
            return pair
    return None


def heatmap(selection: Selection) -> Figure | None:
    """Success rate over the first two numeric fields that span a grid, pooled over all others.

    None where there are no two such fields, more values than can be told apart, or no finished run.
    """
    runs = selection.runs
    fields = _grid_fields(runs)
    if fields is None or max(len(np.unique(runs[field])) for field in fields) > MAX_CELLS:
        return None
    counts = selection.summary.groupby(list(fields))[["success", "diverged", "finished"]].sum()
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
    others = [field for field in common.swept_fields(runs) if field not in fields]
    pooled = f"pooled over {', '.join(others)}" if others else ""
    shares = "success rate (diverged in brackets)" if counts.diverged.any() else "success rate"
    common.set_title(figure, runs, shares, pooled)
    return figure
