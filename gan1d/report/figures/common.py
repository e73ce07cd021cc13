"""What every kind of figure shares: colours, who is drawn, and words.

A kind is a pure function of a Selection that gives a Figure, or None where it does not apply.
"""

import itertools
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

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

CROWD, FAINTEST = 50, 0.2  # curves from which on they are drawn fainter, and how faint at most
MAX_PANELS = 24
MAX_LINES = 60  # of settings, where each has a line of its own in one axes
MAX_ROWS = 12  # of settings, where each has several panels
QUARTILES = (0.5, 0.25, 0.75)
PAGE = 7.2  # inches: the width of a page's text
UNBROKEN = "\N{NO-BREAK SPACE}"
MOST_LINES = 5  # of a row's name
PANEL_CHARACTERS = 38  # of a panel's title


class Mapped(NamedTuple):
    """What heat maps and responses show."""

    x: str | None = None  # a swept field, by its name or the end of it; None: the first that can be
    y: str | None = None
    measure: str = "success"  # as `measured.NAMES` has them, or a metric


FIRST = Mapped()


class Selection(NamedTuple):
    """What is drawn."""

    runs: xr.Dataset
    summary: pd.DataFrame  # what `tables.summary` says of all these runs
    snapshots: xr.Dataset | None  # None where none were kept
    seed: int | None  # that kinds of a single run draw; None without snapshots
    width: float = PAGE  # inches of a figure
    mapped: Mapped = FIRST


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
    width: float = PAGE,
    mapped: Mapped = FIRST,
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
        seed = seeds[0] if seeds else None
    elif seed not in seeds:
        kept = ", ".join(map(str, seeds)) or "no seed"
        raise of_runs.SelectionError(f"seed={seed}: snapshots were kept of {kept}")
    return Selection(runs, summary, snapshots, seed, width, mapped)


def literal(selection: Selection) -> Selection:
    """The same with names that matplotlib shows as they are: between dollars it reads formulas."""

    def escaped(text: object) -> str:
        return str(text).replace("$", r"\$")

    def named(data: xr.Dataset) -> xr.Dataset:
        data = data.assign_coords(setting=[*map(escaped, data.setting.values)])
        return data.assign_attrs(title=escaped(data.attrs.get("title", "")))

    runs, summary, snapshots, *_ = selection
    if "$" not in "".join([str(runs.attrs["title"]), *map(str, runs.setting.values)]):
        return selection
    return selection._replace(
        runs=named(runs),
        summary=summary.assign(setting=summary.setting.map(escaped)),
        snapshots=None if snapshots is None else named(snapshots),
    )


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
        left_out = len(frame) - 2 * half
        note = f"{half} best and {half} worst of {len(frame)} settings, {left_out} left out"
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
    """A setting's label in lines that break before a "+" where they can, else between words.

    Of fields with their values, as `input noise=0 instance noise=0`, each stays in one piece.
    """
    lines = [""]
    for i, part in enumerate(_in_pieces(label).split(" + ")):
        joined = f"{lines[-1]} + {part}" if i else part
        if len(joined) <= width or not i:
            lines[-1] = joined
        else:
            lines.append(f"+ {part}")
    text = "\n".join(textwrap.fill(line, width, break_on_hyphens=False) for line in lines)
    return text.replace(UNBROKEN, " ")


def row_name(label: str, width: int) -> str:
    """A setting's label beside its panels, which keep their room: of many lines the first ones."""
    lines = wrapped(label, width).split("\n")
    if len(lines) <= MOST_LINES:
        return "\n".join(lines)
    kept, rest = lines[: MOST_LINES - 1], " ".join(lines[MOST_LINES - 1 :])
    return "\n".join([*kept, f"+ {rest.count('+ ')} more"])


def _in_pieces(label: str) -> str:
    """A label whose fields' names are not broken, as it has their values behind them."""
    words = label.split(" ")
    apart = [
        "=" not in label or "=" in before or "+" in (before, after)
        for before, after in itertools.pairwise(words)
    ]
    return words[0] + "".join(
        (" " if here else UNBROKEN) + word for here, word in zip(apart, words[1:], strict=True)
    )


def percent(rate: float) -> str:
    """A rate in percent."""
    return f"{100 * rate:.0f}%"


def counted(row: pd.Series) -> str:
    """How many runs there are, those diverged among them, by a setting's row of the summary."""
    diverged = f", {row.diverged} diverged" if row.diverged else ""
    return f"n = {row.finished}{diverged}"


def draw_band(
    ax: Axes,
    x: np.ndarray,
    curves: np.ndarray,
    color: str,
    label: str,
    band: str = "",
    lw: float | None = None,
) -> None:
    """A line within a band: `curves` are its middle, its low and its high edge `[3, point]`."""
    middle, low, high = curves
    ax.plot(x, middle, color=color, lw=lw, label=label)
    ax.fill_between(x, low, high, color=color, alpha=0.2, lw=0, label=band)


def draw_behind(ax: Axes, curves: list[np.ndarray], label: str) -> None:
    """All settings' curves `[point, 2]` in grey, for one of them to stand out from."""
    alpha = max(FAINTEST, min(1.0, CROWD / max(len(curves), 1)))
    ax.add_collection(
        LineCollection(curves, color=GREY, lw=0.5, alpha=alpha, zorder=1, label=label)
    )
