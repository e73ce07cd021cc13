"""Draws a sweep's results as figures.

Usage: python -m gan1d.figures results/NAME [--kind=KIND ...]

Each kind is a pure function of the results, written to results/NAME/figures/KIND.png. Quantiles
over seeds count a diverged run's W1 as +inf. Settings are ordered as in the summary, best first.
"""

import itertools
import json
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from absl import app, flags
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from gan1d import results, stats

# Okabe and Ito's colours, told apart by colour-blind readers as well.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
LINES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
OUTCOME_COLORS = dict(zip(stats.OUTCOMES, (BLUE, SKY, ORANGE, "#404040"), strict=True))
GREY = "#BBBBBB"

MAX_PANELS = 36
MAX_CELLS = 24  # along an axis of the heat map, for its numbers to be legible
BAND = (0.5, 0.05, 0.95)
QUARTILES = (0.5, 0.25, 0.75)
PANEL = (2.9, 2.3)  # inches
PANEL_CHARACTERS = 38  # of a panel's title
MIN_SIZE = (7.0, 4.5)  # of a figure
LOG2 = np.log(2)
# D's and G's loss at D(x) = 1/2, where generator and target agree (Goodfellow et al. 2014).
EQUILIBRIUM = {"non_saturating": (2 * LOG2, LOG2), "saturating": (2 * LOG2, -LOG2)}


def _config(ds: xr.Dataset) -> dict:
    return json.loads(ds.attrs["config"])


def _ranked(ds: xr.Dataset) -> tuple[xr.Dataset, pd.DataFrame, str]:
    """The settings to draw in the summary's order, their summary, and what was left out."""
    frame = stats.summary(ds)
    note = ""
    if len(frame) > MAX_PANELS:
        frame = frame[frame.finished > 0]
    if len(frame) > MAX_PANELS:
        half = MAX_PANELS // 2
        note = f"{half} best and {half} worst of {len(frame)} settings"
        frame = pd.concat([frame.head(half), frame.tail(half)])
    return ds.sel(setting=frame.setting.to_numpy()), frame.reset_index(drop=True), note


def _wrapped(label: str, width: int) -> str:
    """A setting's label in lines that break before a "+" where they can."""
    parts = [part.replace(" ", "\N{NO-BREAK SPACE}") for part in label.split(" + ")]
    text = " +\N{NO-BREAK SPACE}".join(parts)
    return textwrap.fill(text, width, break_on_hyphens=False).replace("\N{NO-BREAK SPACE}", " ")


def _title(figure: Figure, ds: xr.Dataset, *parts: str) -> None:
    text = ", ".join(part for part in (*parts, f"seeds: {ds.sizes['seed']}") if part)
    width = int(10 * figure.get_figwidth())
    figure.suptitle("\n".join([ds.attrs["title"], *textwrap.wrap(text, width)]), fontsize=11)


def _panels(count: int, xlabel: str, **shared) -> tuple[Figure, list[Axes]]:
    """A grid with one axes a setting."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = int(np.ceil(count / columns))
    size = (max(MIN_SIZE[0], PANEL[0] * columns), max(MIN_SIZE[1], PANEL[1] * rows + 1.2))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **shared).flat
    for ax in axes[count:]:
        ax.set_visible(False)
    for ax in axes[:count]:
        ax.tick_params(labelsize=7)
    # The lowest axes of each column: where the last row is short, some are in the row above it.
    for ax in axes[max(0, count - columns) : count]:
        ax.xaxis.set_tick_params(labelbottom=True)
        ax.set_xlabel(xlabel, fontsize=8)
    return figure, list(axes[:count])


def _legend(figure: Figure) -> None:
    """One legend for all axes, below them."""
    entries = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(_wrapped(label, 80), handle)
    longest = max(len(label) for label in entries)
    columns = max(1, min(len(entries), int(12 * figure.get_figwidth() / (longest + 8))))
    figure.legend(
        entries.values(),
        entries.keys(),
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        frameon=False,
    )


def _draw_behind(ax: Axes, curves: list[np.ndarray], label: str) -> None:
    """All settings' curves `[point, 2]` in grey, for one of them to stand out from."""
    ax.add_collection(LineCollection(curves, color=GREY, lw=0.5, zorder=1, label=label))


def _percent(rate: float) -> str:
    return f"{100 * rate:.0f}%"


def _status(row: pd.Series) -> str:
    """What became of a setting's runs, in two lines."""
    if row.finished == 0:
        return "no finished run"
    diverged = f", {row.diverged} diverged" if row.diverged else ""
    rates = f"success {_percent(row.success_rate)}, collapsed {_percent(row.collapsed_rate)}"
    return f"{rates}\nn = {row.finished}{diverged}"


def _run_densities(quantiles: np.ndarray, levels: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Density `[run, bin]` from quantiles `[run, level]`: mass per bin over its width.

    The CDF is linear between quantiles, and jumps where they coincide.
    """
    cdf = [np.interp(edges, row, levels, left=0, right=1) for row in quantiles]
    return np.diff(np.reshape(cdf, (len(quantiles), len(edges)))) / np.diff(edges)


def densities(ds: xr.Dataset) -> Figure:
    """Target density and the generators' densities: median over seeds and 5-95% band.

    Both are pointwise: where runs collapse, each at its own place, the median is near 0 everywhere.
    """
    ds, frame, note = _ranked(ds)
    same_target = bool(
        (ds.x == ds.x[0]).all() and (ds.target_density == ds.target_density[0]).all()
    )
    figure, axes = _panels(len(frame), "x", sharex=same_target, sharey=same_target)
    for i, ax in enumerate(axes):
        run = ds.isel(setting=i)
        edges = run.x.values[::4].astype(float)
        centres = (edges[1:] + edges[:-1]) / 2
        final = run.quantiles.values[np.isfinite(run.quantiles.values).all(axis=-1)]
        density = _run_densities(final, run.level.values, edges)
        median, low, high = stats.quantiles(density, BAND)
        top = 2.5 * float(run.target_density.max())
        ax.fill_between(centres, low, high, color=BLUE, alpha=0.25, lw=0, label="5-95% of seeds")
        ax.plot(centres, median, color=BLUE, lw=1.3, label="generator, pointwise median over seeds")
        ax.plot(run.x, run.target_density, color="black", lw=1, ls="--", label="target")
        ax.set_ylim(0, top)
        if len(density) and median.max() > top:
            left = centres[median.argmax()] > centres.mean()  # the corner away from the peak
            ax.text(
                0.02 if left else 0.98,
                0.96,
                f"median cut off,\npeak at {median.max():.2g}",
                ha="left" if left else "right",
                va="top",
                fontsize=7,
                transform=ax.transAxes,
            )
        title = f"{_wrapped(frame.setting[i], PANEL_CHARACTERS)}\n{_status(frame.loc[i])}"
        ax.set_title(title, fontsize=8)
    figure.supylabel("density", fontsize=9)
    _title(figure, ds, f"densities after {ds.step.values[-1]} updates", note)
    _legend(figure)
    return figure


def outcomes(ds: xr.Dataset) -> Figure:
    """Share of each outcome among the finished runs, and the success rate's 95% interval."""
    ds, frame, note = _ranked(ds)
    labels = [_wrapped(label, 44) for label in frame.setting]
    lines = sum(max(2, 1 + label.count("\n")) for label in labels)
    figure = Figure(figsize=(9, 1.8 + 0.17 * lines), layout="constrained")
    ax = figure.subplots()
    position = np.arange(len(frame))
    left = np.zeros(len(frame))
    for outcome, color in OUTCOME_COLORS.items():
        rate = frame[f"{outcome.replace(' ', '_')}_rate"].fillna(0).to_numpy()
        ax.barh(position, rate, left=left, height=0.75, color=color, label=outcome)
        left += rate
    known = frame[frame.finished > 0]
    centre = known.success_rate.to_numpy()
    error = np.abs([known.success_low - centre, known.success_high - centre])
    style = {"xerr": error, "fmt": "none", "zorder": 3, "clip_on": False}
    ax.errorbar(centre, known.index, ecolor="white", elinewidth=4, capsize=5, capthick=4, **style)
    ax.errorbar(
        centre,
        known.index,
        ecolor="black",
        elinewidth=1.4,
        capsize=4,
        capthick=1.4,
        label="success rate, 95% interval (Wilson)",
        **style,
    )
    for i, row in frame.iterrows():
        ax.text(1.01, i, f"{row.success} of {row.finished}", va="center", fontsize=7)
    ax.set_yticks(position, labels, fontsize=8)
    ax.set(xlim=(0, 1), ylim=(len(frame) - 0.5, -0.5), xlabel="share of finished runs")
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    _title(figure, ds, "outcomes", note)
    _legend(figure)
    return figure


def _w1_limits(ds: xr.Dataset, w1: np.ndarray) -> tuple[float, float]:
    """A range of W1 that holds the null floor and what of `w1` is not absurdly large."""
    scale = float(ds.target_std.max())
    null = np.concatenate(stats.null_floor(ds))
    shown = np.concatenate([w1[np.isfinite(w1) & (w1 > 0)], null, [scale]])
    return shown.min() / 1.3, min(shown.max() * 1.3, 1000 * scale)


def _finished_w1(ds: xr.Dataset) -> list[np.ndarray]:
    """W1 `[finished run, step]` of each setting, +inf where diverged."""
    finished = ds.outcome.values != stats.UNFINISHED
    w1 = stats.w1_with_divergence(ds)
    return [values[mask] for values, mask in zip(w1, finished, strict=True)]


def w1(ds: xr.Dataset) -> Figure:
    """W1 during training: median over seeds, 5-95% band, and the null floor."""
    ds, frame, note = _ranked(ds)
    quantiles = np.stack([stats.quantiles(values, BAND) for values in _finished_w1(ds)])
    bottom, top = _w1_limits(ds, quantiles)
    # A line to +inf would end short of the axes' upper edge: let it cross.
    quantiles = np.where(np.isinf(quantiles), 100 * top, quantiles)
    median, low, high = np.moveaxis(quantiles, 1, 0)
    null_median, null_high = stats.null_floor(ds)
    figure, axes = _panels(len(frame), "updates", sharex=True, sharey=True)
    curves = [np.column_stack([ds.step, curve]) for curve in median]
    for i, ax in enumerate(axes):
        if len(axes) > 1:
            _draw_behind(ax, curves, "medians of other settings")
        ax.plot(ds.step, median[i], color=BLUE, lw=1.5, label="median over seeds")
        ax.fill_between(
            ds.step, low[i], high[i], color=BLUE, alpha=0.15, lw=0, label="5-95% of seeds"
        )
        ax.axhline(null_median[i], color="black", lw=0.8, ls="--", label="null floor, median")
        ax.axhline(null_high[i], color="black", lw=0.8, ls=":", label="null floor, 95%")
        ax.set_title(_wrapped(frame.setting[i], PANEL_CHARACTERS), fontsize=8)
    axes[0].set(yscale="log", ylim=(bottom, top), xlim=(0, ds.step.values[-1]))
    figure.supylabel("W1 to the target (units of x)", fontsize=9)
    _title(figure, ds, "W1 during training, diverged runs counted as infinite", note)
    _legend(figure)
    return figure


def _matching(ds: xr.Dataset) -> np.ndarray:
    """Whether G's loss is a feature matching loss `[setting]`."""
    field = "tricks.feature_matching"
    if field in json.loads(ds.attrs["swept"]):
        return ds[field].values != "off"
    return np.full(ds.sizes["setting"], _config(ds)["tricks"]["feature_matching"] != "off")


def _surviving_quantiles(values: np.ndarray) -> np.ndarray:
    """Median and quartiles `[3, step]` of `[run, step]` over the runs not NaN at that step."""
    columns = [stats.quantiles(column[~np.isnan(column)], QUARTILES) for column in values.T]
    return np.stack(columns, axis=1)


def _common_limits(bands: np.ndarray) -> tuple[float, float]:
    """Limits that hold all medians, and the bands `[..., 3, step]` but for their extremes."""
    medians = bands[..., 0, :]
    if np.isnan(medians).all():
        return 0, 1
    edges = np.nanquantile(bands[..., 1:, :], [0.01, 0.99])
    low, high = min(np.nanmin(medians), edges[0]), max(np.nanmax(medians), edges[1])
    margin = 0.05 * (high - low) + 1e-6
    return low - margin, high + margin


def losses(ds: xr.Dataset) -> Figure:
    """Losses of D and G during training: median and quartiles over the runs not yet diverged.

    Quartiles, since a D whose logs are all at their floor is common enough to fill a wider band. A
    feature matching loss of G has a scale of its own, so it gets an axis of its own.
    """
    ds, frame, note = _ranked(ds)
    swept = json.loads(ds.attrs["swept"])
    equilibrium = EQUILIBRIUM.get(_config(ds)["loss"]["kind"]) if "loss.kind" not in swept else None
    matching = _matching(ds)
    step = ds.step.values
    d_bands, g_bands = (
        np.stack([_surviving_quantiles(runs) for runs in ds[name].values])
        for name in ("loss_d", "loss_g")
    )
    figure, axes = _panels(len(frame), "updates", sharex=True, sharey="loss.kind" not in swept)
    for i, ax in enumerate(axes):
        g_ax, g_label = ax, "G"
        if matching[i]:
            g_ax, g_label = ax.twinx(), "G, feature matching loss (right axis)"
            g_ax.tick_params(labelsize=7, colors=VERMILLION)
        elif equilibrium:
            for value in equilibrium:
                ax.axhline(value, color="black", lw=0.8, ls="--", label="equilibrium, D(x) = 1/2")
        curves = ((ax, d_bands[i], BLUE, "D"), (g_ax, g_bands[i], VERMILLION, g_label))
        for loss_ax, (median, low, high), color, label in curves:
            loss_ax.plot(step, median, color=color, lw=1.3, label=label)
            loss_ax.fill_between(step, low, high, color=color, alpha=0.2, lw=0)
        ax.set_title(_wrapped(frame.setting[i], PANEL_CHARACTERS), fontsize=8)
    axes[0].set_xlim(0, step[-1])
    if "loss.kind" not in swept:
        axes[0].set_ylim(_common_limits(np.concatenate([d_bands, g_bands[~matching]])))
    figure.supylabel("loss", fontsize=9)
    _title(figure, ds, "losses, median and quartiles of the runs not yet diverged", note)
    _legend(figure)
    return figure


def _ecdf(ordered: np.ndarray, left: float, right: float) -> np.ndarray:
    """The empirical CDF of `[run]` as the corners `[point, 2]` of a step curve."""
    finite = ordered[np.isfinite(ordered)]
    share = np.arange(len(finite) + 1) / max(1, len(ordered))
    x = np.concatenate([[left], np.repeat(finite, 2), [right]])
    return np.column_stack([x, np.repeat(share, 2)])


def _mark_judgement(ax: Axes, floor: tuple[float, float], threshold: float) -> None:
    """The null floor and the largest W1 of a success on an axis of W1."""
    ax.axvspan(*floor, color=GREY, alpha=0.5, lw=0, label="null floor, median to 95%")
    ax.axvline(threshold, color="black", lw=0.8, ls=":", label="success threshold")


def final_w1(ds: xr.Dataset) -> Figure:
    """Empirical CDF of the final W1; diverged runs keep a curve below 1.

    A few settings share one axes, more get a panel each.
    """
    ds, frame, note = _ranked(ds)
    final = [np.sort(runs[:, -1]) for runs in _finished_w1(ds)]
    limits = _w1_limits(ds, np.concatenate(final))
    curves = [_ecdf(values, *limits) for values in final]
    thresholds = _config(ds)["judging"]["success_w1"] * ds.target_std.values
    judgements = list(zip(zip(*stats.null_floor(ds), strict=True), thresholds, strict=True))
    xlabel = "W1 to the target (units of x)"
    if len(frame) <= len(LINES):
        figure, axes = _panels(1, xlabel)
        for curve, color, label in zip(curves, LINES, frame.setting, strict=False):
            axes[0].plot(*curve.T, color=color, lw=1.5, label=label)
        for judgement in set(judgements):  # one, unless the target is swept
            _mark_judgement(axes[0], *judgement)
    else:
        figure, axes = _panels(len(frame), xlabel, sharex=True, sharey=True)
        for i, ax in enumerate(axes):
            ax.plot(*curves[i].T, color=BLUE, lw=1.5, label="this setting")
            _draw_behind(ax, curves, "other settings")
            _mark_judgement(ax, *judgements[i])
            ax.set_title(_wrapped(frame.setting[i], PANEL_CHARACTERS), fontsize=8)
    axes[0].set(xscale="log", xlim=limits, ylim=(0, 1.03))
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    figure.supylabel("share of finished runs at or below", fontsize=9)
    what = f"W1 after {ds.step.values[-1]} updates, diverged runs counted as infinite"
    _title(figure, ds, what, note)
    _legend(figure)
    return figure


def _grid_fields(ds: xr.Dataset) -> tuple[str, str] | None:
    """The first two numeric swept fields whose values occur in every combination.

    Fields that were varied in step do not: there is nothing between them to be mapped.
    """
    fields = json.loads(ds.attrs["swept"])
    values = {name: np.unique(ds[name]) for name in fields if ds[name].dtype.kind in "iuf"}
    for pair in itertools.combinations((name for name in values if len(values[name]) > 1), 2):
        combinations = set(zip(*(ds[name].values for name in pair), strict=True))
        if len(combinations) == len(values[pair[0]]) * len(values[pair[1]]):
            return pair
    return None


def heatmap(ds: xr.Dataset) -> Figure | None:
    """Success rate over the first two numeric fields that span a grid, pooled over all others.

    None where there are no two such fields, more values than can be told apart, or no finished run.
    """
    fields = _grid_fields(ds)
    if fields is None or max(len(np.unique(ds[field])) for field in fields) > MAX_CELLS:
        return None
    counts = stats.summary(ds).groupby(list(fields))[["success", "diverged", "finished"]].sum()
    counts = counts[counts.finished > 0]
    if counts.empty:
        return None
    success = (counts.success / counts.finished).unstack()
    diverged = (counts.diverged / counts.finished).unstack()
    rows, columns = success.shape
    figure = Figure(
        figsize=(max(MIN_SIZE[0], 0.75 * columns + 3), 0.6 * rows + 2.5), layout="constrained"
    )
    ax = figure.subplots()
    ax.set_facecolor("#E5E5E5")  # cells that the sweep does not have
    image = ax.imshow(success, vmin=0, vmax=1, cmap="viridis", aspect="auto", origin="lower")
    for (row, column), rate in np.ndenumerate(success.to_numpy()):
        if np.isnan(rate):
            continue
        text = _percent(rate)
        if counts.diverged.any():
            text += f"\n({_percent(diverged.iloc[row, column])})"
        color = "white" if rate < 0.6 else "black"
        ax.text(column, row, text, ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(columns), [f"{value:g}" for value in success.columns])
    ax.set_yticks(range(rows), [f"{value:g}" for value in success.index])
    ax.set(xlabel=fields[1], ylabel=fields[0])
    figure.colorbar(image, ax=ax, label="success rate", format=PercentFormatter(1))
    others = [field for field in json.loads(ds.attrs["swept"]) if field not in fields]
    pooled = f"pooled over {', '.join(others)}" if others else ""
    shares = "success rate (diverged in brackets)" if counts.diverged.any() else "success rate"
    _title(figure, ds, shares, pooled)
    return figure


KINDS: dict[str, Callable[[xr.Dataset], Figure | None]] = {
    "densities": densities,
    "outcomes": outcomes,
    "w1": w1,
    "losses": losses,
    "final_w1": final_w1,
    "heatmap": heatmap,
}


def draw_all(ds: xr.Dataset, folder: Path, kinds: Sequence[str] = tuple(KINDS)) -> list[Path]:
    """Writes each kind that applies to folder/figures/KIND.png; returns the files' paths."""
    target = Path(folder) / "figures"
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for kind in kinds:
        figure = KINDS[kind](ds)
        if figure is None:
            continue
        paths.append(target / f"{kind}.png")
        figure.savefig(paths[-1], dpi=150)
    return paths


def main(argv: Sequence[str]) -> int:
    """Draws the figures of one results folder and prints their paths."""
    if len(argv) != 2:
        print("usage: python -m gan1d.figures results/NAME [--kind=KIND ...]", file=sys.stderr)
        return 2
    try:
        ds = results.load(Path(argv[1]))
    except results.ResultsError as error:
        print(error, file=sys.stderr)
        return 2
    wanted = flags.FLAGS.kind or []
    drawn = draw_all(ds, Path(argv[1]), wanted or tuple(KINDS))
    for path in drawn:
        print(path)
    for kind in wanted:
        if kind not in {path.stem for path in drawn}:
            print(f"{kind}: does not apply to this sweep", file=sys.stderr)
    return 0


if __name__ == "__main__":
    # Here, so that programs that import this module do not get a --kind of their own.
    flags.DEFINE_multi_enum(
        "kind", None, list(KINDS), "Kind of figure to draw; repeatable. Default: all that apply."
    )
    app.run(main)
