"""What every kind of figure shares: colours, grids of panels, titles, legends, and who is drawn.

A kind is a pure function of a Selection that gives a Figure, or None where it does not apply.
"""

import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from gan1d.report import runs as of_runs
from gan1d.results import verdicts

# Okabe and Ito's colours, told apart by colour-blind readers as well.
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
LINES = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
GREY = "#BBBBBB"
VERDICT_COLORS = dict(
    zip(
        verdicts.VERDICTS,
        (BLUE, SKY, "#DDDDDD", "#999999", PURPLE, ORANGE, "#303030"),
        strict=True,
    )
)

MAX_PANELS = 36
MAX_LINES = 60  # of settings, where each has a line of its own in one axes
MAX_ROWS = 12  # of settings, where each has several panels
QUARTILES = (0.5, 0.25, 0.75)
PANEL = (2.9, 2.3)  # inches
PANEL_CHARACTERS = 38  # of a panel's title
TITLE = 8  # font size of a panel's title
MIN_SIZE = (7.0, 4.5)  # of a figure


class Selection(NamedTuple):
    """What is drawn."""

    runs: xr.Dataset
    summary: pd.DataFrame  # what `tables.summary` says of all these runs
    snapshots: xr.Dataset | None  # None where none were kept
    seed: int | None  # that kinds of a single run draw; None without snapshots


class Ranked(NamedTuple):
    """Settings in the summary's order, best first."""

    runs: xr.Dataset
    summary: pd.DataFrame
    note: str  # what was left out; "" where nothing was


def select(
    runs: xr.Dataset,
    summary: pd.DataFrame,
    snapshots: xr.Dataset | None,
    setting: str | None,
    seed: int | None,
) -> Selection:
    """The results of one setting (None: all), and the seed to draw (None: the first one kept).

    Raises:
      SelectionError: there is no such setting, or no snapshots of that seed.
    """
    if setting is not None:
        setting = of_runs.find_setting(runs, setting)
        runs = runs.sel(setting=[setting])
        summary = summary[summary.setting == setting].reset_index(drop=True)
        snapshots = None if snapshots is None else snapshots.sel(setting=[setting])
    seeds = [] if snapshots is None else snapshots.snapshot_seed.values.tolist()
    if seed is None:
        return Selection(runs, summary, snapshots, seeds[0] if seeds else None)
    if seed not in seeds:
        kept = ", ".join(map(str, seeds)) or "no seed"
        raise of_runs.SelectionError(f"seed={seed}: snapshots were kept of {kept}")
    return Selection(runs, summary, snapshots, seed)


def is_plane(runs: xr.Dataset) -> bool:
    """Whether the targets are 2-D."""
    return "dim" in runs.sizes


def holds(data: xr.Dataset | None, *names: str) -> bool:
    """Whether results have all these variables: those of other versions may have fewer."""
    return data is not None and all(name in data for name in names)


def ranked(
    selection: Selection, most: int = MAX_PANELS, among: Sequence[str] | None = None
) -> Ranked:
    """The settings to draw: at most so many, of all or of those that are named."""
    frame = selection.summary
    if among is not None:
        frame = frame[frame.setting.isin(among)]
    note = ""
    if len(frame) > most:
        frame = frame[frame.finished > 0]
    if len(frame) > most:
        half = most // 2
        note = f"{half} best and {half} worst of {len(frame)} settings"
        frame = pd.concat([frame.head(half), frame.tail(half)])
    runs = selection.runs.sel(setting=frame.setting.to_numpy())
    return Ranked(runs, frame.reset_index(drop=True), note)


def best(selection: Selection) -> str:
    """The setting at the top of the summary."""
    return str(selection.summary.setting[0])


def one_run(runs: xr.Dataset, snapshots: xr.Dataset, setting: str, seed: int | None) -> xr.Dataset:
    """As `of_one`, of the first two columns of data that have more."""
    return in_plane(of_one(runs, snapshots, setting, seed))


def of_one(runs: xr.Dataset, snapshots: xr.Dataset, setting: str, seed: int | None) -> xr.Dataset:
    """One run's snapshots, NaN from its divergence on, and what is known of its target."""
    return films(runs.sel(setting=[setting]), snapshots.sel(setting=[setting]), [seed])[0][0]


def in_plane(data: xr.Dataset) -> xr.Dataset:
    """The first two columns of data that have more: D is known along these, all else average."""
    return data.isel(dim=slice(2)) if data.sizes.get("dim", 1) > 2 else data


def films(
    runs: xr.Dataset, snapshots: xr.Dataset, seeds: Sequence[int | None]
) -> list[list[xr.Dataset]]:
    """Of each setting and of these seeds of it what `one_run` gives."""
    of_seeds, shown = runs.sel(seed=seeds), snapshots.sel(snapshot_seed=seeds)
    diverged_at = of_seeds.diverged_at.rename(seed="snapshot_seed").drop_vars("snapshot_seed")
    alive = ~(shown.step >= diverged_at)
    shown = shown.map(lambda values: values.where(alive) if "step" in values.dims else values)
    known = of_seeds.drop_dims("step")
    return [
        [
            known.isel(setting=i, seed=j).assign(shown.isel(setting=i, snapshot_seed=j).data_vars)
            for j in range(len(seeds))
        ]
        for i in range(runs.sizes["setting"])
    ]


def is_probability(run: xr.Dataset) -> bool:
    """Whether one run's D is drawn as a probability, 1/2 where it can't tell; else as it is."""
    return "d_is_probability" not in run or bool(run.d_is_probability)


def d_label(run: xr.Dataset, name: str = "D") -> str:
    """What is drawn of one run's D."""
    return name if is_probability(run) else f"{name}, raw output"


def d_limits(run: xr.Dataset) -> tuple[float, float]:
    """A range that one run's D is drawn in."""
    if is_probability(run):
        return 0, 1
    finite = run.d.values[np.isfinite(run.d.values)]
    if not finite.size or finite.min() == finite.max():
        return -1, 1
    return float(finite.min()), float(finite.max())


def fate(run: xr.Dataset) -> str:
    """What became of one run, in words."""
    if run.verdict == verdicts.UNFINISHED:
        return "not finished"
    if run.verdict == verdicts.DIVERGED:
        return f"diverged at update {int(run.diverged_at)}"
    dead = ", dead" if "dead" in run and run.dead else ""
    return verdicts.VERDICTS[int(run.verdict)] + dead


def moment(step: int) -> str:
    """A log point in words."""
    return f"after {step} updates" if step else "before training"


def checkpoints(count: int, most: int) -> np.ndarray:
    """Indices of at most so many of `count` log points, evenly spread from first to last."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def wrapped(label: str, width: int = PANEL_CHARACTERS) -> str:
    """A setting's label in lines that break before a "+" where they can."""
    parts = [part.replace(" ", "\N{NO-BREAK SPACE}") for part in label.split(" + ")]
    text = " +\N{NO-BREAK SPACE}".join(parts)
    return textwrap.fill(text, width, break_on_hyphens=False).replace("\N{NO-BREAK SPACE}", " ")


def percent(rate: float) -> str:
    """A rate in percent."""
    return f"{100 * rate:.0f}%"


def counted(row: pd.Series) -> str:
    """How many runs there are, those diverged among them, by a setting's row of the summary."""
    diverged = f", {row.diverged} diverged" if row.diverged else ""
    return f"n = {row.finished}{diverged}"


def set_title(figure: Figure, runs: xr.Dataset, *parts: str, seeds: str = "") -> Text:
    """The sweep's name, what is drawn, and what it rests on; `seeds` says of which, if not all."""
    unbroken = seeds.replace(" ", "\N{NO-BREAK SPACE}")
    text = ", ".join(part for part in (*parts, unbroken) if part)
    width = int(10 * figure.get_figwidth())
    caption = of_runs.caption(runs).replace(": ", ":\N{NO-BREAK SPACE}")
    lines = textwrap.wrap(text, width) + textwrap.wrap(caption, width)
    title = "\n".join([runs.attrs["title"], *lines]).replace("\N{NO-BREAK SPACE}", " ")
    return figure.suptitle(title, fontsize=11)


def new_figure(width: float, height: float) -> Figure:
    """A figure of at least the smallest size, in inches."""
    size = (max(MIN_SIZE[0], width), max(MIN_SIZE[1], height))
    return Figure(figsize=size, layout="constrained")


def panels(
    count: int, xlabel: str, panel: tuple[float, float] = PANEL, **shared
) -> tuple[Figure, list[Axes]]:
    """A grid with one axes a setting."""
    columns = int(np.ceil(np.sqrt(count)))
    rows = int(np.ceil(count / columns))
    figure = new_figure(panel[0] * columns, panel[1] * rows + 1.2)
    axes = figure.subplots(rows, columns, squeeze=False, **shared).flat
    for ax in axes[count:]:
        ax.set_visible(False)
    for ax in axes[:count]:
        ax.tick_params(which="both", labelsize=7)
    # The lowest axes of each column: where the last row is short, some are in the row above it.
    for ax in axes[max(0, count - columns) : count]:
        ax.xaxis.set_tick_params(labelbottom=True)
        ax.set_xlabel(xlabel, fontsize=8)
    return figure, list(axes[:count])


def rows_of_panels(
    rows: int, xlabels: Sequence[str], panel: tuple[float, float], **shared
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes `[row, column]`; many short rows are laid out two beside each other."""
    columns = len(xlabels)
    beside = 2 if rows > 3 and columns <= 2 else 1
    lines = -(-rows // beside)
    figure = new_figure(panel[0] * columns * beside, panel[1] * lines + 1.2)
    axes = figure.subplots(lines, columns * beside, squeeze=False, **shared).reshape(-1, columns)
    for ax in axes[rows:].flat:
        ax.set_visible(False)
    for ax in axes.flat:
        ax.tick_params(which="both", labelsize=7)
    for row in axes[max(0, rows - beside) : rows]:
        for ax, xlabel in zip(row, xlabels, strict=True):
            ax.set_xlabel(xlabel, fontsize=8)
    return figure, axes[:rows]


def legend(figure: Figure, markerscale: float = 1) -> None:
    """One legend for all axes, below them."""
    entries: dict[str, Artist] = {}
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(wrapped(label, 80), handle)
    longest = max(len(label) for label in entries)
    columns = max(1, min(len(entries), int(12 * figure.get_figwidth() / (longest + 8))))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=columns,
        fontsize=8,
        markerscale=markerscale,
        frameon=False,
    )


def draw_band(
    ax: Axes,
    x: np.ndarray,
    curves: np.ndarray,
    color: str,
    label: str,
    band: str = "",
    lw: float = 1.3,
) -> None:
    """A line within a band: `curves` are its middle, its low and its high edge `[3, point]`."""
    middle, low, high = curves
    ax.plot(x, middle, color=color, lw=lw, label=label)
    ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0, label=band)


def draw_behind(ax: Axes, curves: list[np.ndarray], label: str) -> None:
    """All settings' curves `[point, 2]` in grey, for one of them to stand out from."""
    ax.add_collection(LineCollection(curves, color=GREY, lw=0.5, zorder=1, label=label))
