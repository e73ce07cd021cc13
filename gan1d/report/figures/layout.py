"""How figures are laid out: their width, panels, title and legend, and the style of their text.

Every figure is as wide as is asked for and as high as it needs to be, so that its text keeps its
size in print. What kinds don't say of text and lines is `styled`'s, or the reader's own style's.
"""

import contextlib
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure, SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from gan1d.report import runs as of_runs
from gan1d.report.figures import common

NARROWEST = 2.0  # inches, that a figure can be drawn in
LABELS = 0.38  # of a figure's width, for the names of rows
EM = 0.53  # the mean width of a character, in heights
LINE_HEIGHT = 1.3 / 72  # inches of a line of text a point
POINTS = 3.0  # diameter of a dot
ROOM_FOR_TICK = {"x": 0.4, "y": 0.16}  # inches of a number and the space around it
TextSize = Literal[
    "axes.titlesize",
    "axes.labelsize",
    "xtick.labelsize",
    "ytick.labelsize",
    "legend.fontsize",
    "figure.titlesize",
]


@contextlib.contextmanager
def styled(style: str | None = None) -> Iterator[None]:
    """Draw in gan1d's style and, over it, in one of matplotlib's: its name or its file.

    A user's own style, of a matplotlibrc, may not work here: one with TeX for example.
    """
    ours = mpl.rc_context(
        rc={
            **{k: v for k, v in mpl.rcParamsDefault.items() if not k.startswith("backend")},
            "font.size": 8,
            "axes.titlesize": 7.5,
            "axes.labelsize": 8,
            "xtick.labelsize": 7,
            "ytick.labelsize": 7,
            "legend.fontsize": 7.5,
            "legend.frameon": False,
            "figure.titlesize": 8.5,
            "figure.labelsize": 8,
            "axes.linewidth": 0.6,
            "lines.linewidth": 1.3,
            "savefig.dpi": 200,
            "pdf.fonttype": 42,  # text as text: journals take no fonts of type 3
            "svg.fonttype": "none",
            "svg.hashsalt": "gan1d",  # the same picture is the same file
        }
    )
    with ours:
        if style is not None:
            import matplotlib.style  # reads all of matplotlib's styles

            matplotlib.style.use(style)
        yield


def problem_of_style(style: str) -> str | None:
    """Why there is no such style, in one line; None where there is."""
    import matplotlib.style

    if Path(style).is_file() or style in matplotlib.style.available:
        return None
    return f"style={style}: no such file; there are {', '.join(matplotlib.style.available)}"


def points_of(setting: TextSize) -> float:
    """A size of text among matplotlib's settings, in points."""
    return FontProperties(size=mpl.rcParams[setting]).get_size_in_points()


def characters(inches: float, setting: TextSize = "axes.titlesize") -> int:
    """How many characters of such text fit beside each other."""
    return max(8, int(72 * inches / (EM * points_of(setting))))


def new_figure(width: float, height: float) -> Figure:
    """A figure with so much room, in inches, besides what `finish` adds."""
    return Figure(figsize=(width, height), layout="constrained")


def columns_in(width: float, panel: float) -> int:
    """How many panels of at least so many inches go beside each other."""
    return max(1, int(width / panel + 0.05))


def set_ticks_style(axes: Sequence[Axes]) -> None:
    """Hold fast how ticks are labelled: they are made when they are drawn, in whatever style."""
    for ax in axes:
        ax.xaxis.set_tick_params(which="both", labelsize=mpl.rcParams["xtick.labelsize"])
        ax.yaxis.set_tick_params(which="both", labelsize=mpl.rcParams["ytick.labelsize"])


def logarithmic(ax: Axes, which: Literal["x", "y"], inches: float) -> None:
    """Scale an axis of so many inches by logarithms, with plain numbers at as many ticks as fit.

    What matplotlib writes at ticks within a decade, 2 x 10^-1, has no room in a panel. Limits that
    are set later may have too many ticks, or none.
    """
    ax.set(**{f"{which}scale": "log"})
    axis, (low, high) = (ax.xaxis, ax.get_xlim()) if which == "x" else (ax.yaxis, ax.get_ylim())
    all_fit = 3 * np.log10(high / low) < inches / ROOM_FOR_TICK[which]
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if all_fit else (1,)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_formatter(NullFormatter())


def subplots(figure: Figure | SubFigure, rows: int, columns: int, **given) -> np.ndarray:
    """Axes `[row, column]`."""
    axes = figure.subplots(rows, columns, squeeze=False, **given)
    set_ticks_style(axes.flat)
    return axes


def single(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one axes."""
    figure = new_figure(width, height)
    return figure, subplots(figure, 1, 1)[0, 0]


def rows(width: float, names: Sequence[str], line: float = 0.17) -> tuple[Figure, Axes]:
    """An axes with a named row for each setting, from top to bottom."""
    at_most = characters(LABELS * width, "ytick.labelsize")
    labels = [common.wrapped(name, at_most) for name in names]
    lines = max(1 + label.count("\n") for label in labels)
    height = max(line, LINE_HEIGHT * points_of("ytick.labelsize") * lines)
    figure, ax = single(width, 0.6 + height * len(labels))
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    return figure, ax


def rows_of_panels(
    width: float, rows: int, xlabels: Sequence[str], height: float, **given
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes `[row, column]`, a row a setting; the lowest say what x is."""
    figure = new_figure(width, height * rows + 0.2)
    axes = subplots(figure, rows, len(xlabels), **given)
    for ax, xlabel in zip(axes[-1], xlabels, strict=True):
        ax.set_xlabel(xlabel)
    return figure, axes


def name_row(ax: Axes, name: str, height: float) -> None:
    """Say at the left of a row of panels, so many inches high, what it is."""
    name = common.row_name(name, characters(height))
    ax.set_ylabel(name, fontsize=points_of("axes.titlesize"))


def color_bar(
    figure: Figure,
    shown: ScalarMappable,
    ax: Axes | Sequence[Axes],
    label: str,
    percent: bool = False,
) -> None:
    """The scale of colours beside axes."""
    bar = figure.colorbar(shown, ax=ax, aspect=30, format=PercentFormatter(1) if percent else None)
    set_ticks_style([bar.ax])
    height = figure.get_figheight() * (1 if isinstance(ax, Axes) else 0.8)
    bar.set_label(textwrap.fill(label, characters(0.7 * height, "axes.labelsize")))


def finish(
    figure: Figure, runs: xr.Dataset, *parts: str, seeds: str = "", markerscale: float = 1
) -> Text:
    """Title and legend, and the height that they take.

    The title: the sweep's name, what is drawn, and what it rests on; `seeds` says of which seeds,
    if not of all.
    """
    unbroken = seeds.replace(" ", "\N{NO-BREAK SPACE}")
    text = ", ".join(part for part in (*parts, unbroken) if part)
    caption = of_runs.caption(runs).replace(": ", ":\N{NO-BREAK SPACE}")
    at_most = characters(0.96 * figure.get_figwidth(), "figure.titlesize")
    lines = [*textwrap.wrap(f"{runs.attrs['title']}: {text}", at_most)]
    lines += textwrap.wrap(caption, at_most)
    title = figure.suptitle("\n".join(lines).replace("\N{NO-BREAK SPACE}", " "))
    added = len(lines) * points_of("figure.titlesize") + legend(figure, markerscale)
    figure.set_figheight(figure.get_figheight() + 0.1 + LINE_HEIGHT * added)
    return title


def settle(figure: Figure) -> None:
    """Lay a figure out for good: to write it would do so each time, and draw it once more."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)
    if any(ax.get_aspect() != "auto" for ax in figure.axes):
        # Such panels shrink in their places, and what is around them was measured before they did.
        engine.execute(figure)
    figure.set_layout_engine("none")


def legend(figure: Figure, markerscale: float = 1) -> float:
    """One legend for all axes, below them; returns its height in points of text."""
    entries: dict[str, Artist] = {}
    room, size = figure.get_figwidth(), points_of("legend.fontsize")
    at_most = characters(room - 0.6, "legend.fontsize")
    for ax in figure.axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            entries.setdefault(common.wrapped(label, at_most), handle)
    if not entries:
        return 0
    longest = max(len(line) for label in entries for line in label.split("\n"))
    columns = int(room / (longest * EM * size / 72 + 0.55))
    columns = max(1, min(len(entries), columns))
    figure.legend(
        list(entries.values()),
        list(entries),
        loc="outside lower center",
        ncols=columns,
        markerscale=markerscale,
    )
    lines = sum(1 + label.count("\n") for label in entries)
    return (1 + lines / columns) * 1.1 * size
