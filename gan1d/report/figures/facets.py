"""Where settings go among panels: in rows, columns and colours by what is swept, or one each.

A sweep whose settings are a product of factors is laid out as one, with what they are called once,
at the edges. Of what is none, or has more levels than there is room for, each has its own panel.
"""

import contextlib
import itertools
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from gan1d.report import effects
from gan1d.report.effects import Factor
from gan1d.report.figures import common, layout
from gan1d.report.figures.common import Ranked, Selection

MOST_ROWS = 8
MARGIN = 0.7  # inches at the left, for what rows and axes are called
MOST_COLOURS = 4  # whose bands can be told apart in one panel
FLATTEST = 0.38  # height over width of a panel
PANEL = (1.65, 1.25)  # inches: least width, and height


class Cell(NamedTuple):
    """A setting's panel."""

    ax: Axes
    heading: tuple[str, ...]  # lines above it that say which setting it is
    colour: str
    level: str  # what its colour stands for; "" where that is nothing
    is_last: bool  # in its row
    wide: int  # characters that fit above it

    def title(self, *lines: str) -> None:
        """Say above the panel which setting it is, where that isn't said at an edge, and more."""
        parts = [part for line in lines for part in line.splitlines()]
        said = [textwrap.fill(part, self.wide) for part in parts]
        self.ax.set_title("\n".join([*self.heading, *said]))

    def label(self, what: str) -> str:
        """What a line is, for the legend."""
        return f"{what}, {self.level}" if self.level else what


class Plan(NamedTuple):
    """Where settings go, before there is a figure."""

    place: list[tuple[int, int, int]]  # of each setting its row, column and colour
    rows: list[str]  # their names; none where each setting has a panel of its own
    columns: list[str]
    levels: list[str]  # what colours stand for; none where they stand for nothing
    names: list[str]  # the settings'
    shape: tuple[int, int]
    panel: tuple[float, float]

    @property
    def is_product(self) -> bool:
        """Whether settings are laid out by what is swept."""
        return bool(self.rows or self.columns or self.levels)

    @property
    def height(self) -> float:
        """Inches."""
        return self.panel[1] * self.shape[0] + 0.25

    @property
    def wide(self) -> int:
        """Characters that fit above a panel."""
        return layout.characters(0.95 * (self.panel[0] - MARGIN / self.shape[1]))

    def draw(self, figure: Figure | SubFigure, xlabel: str, ylabel: str, **given) -> list[Cell]:
        """The settings' panels, in their order, with what their axes show at the edges."""
        axes = layout.subplots(figure, *self.shape, **given)
        taken = {(row, column) for row, column, _ in self.place}
        for (row, column), ax in np.ndenumerate(axes):
            if (row, column) not in taken:
                self._leave_blank(ax, row, column)
            # Where the last row is short, some panels above it are the lowest.
            elif not any((below, column) in taken for below in range(row + 1, self.shape[0])):
                ax.xaxis.set_tick_params(labelbottom=True)
                ax.set_xlabel(self._wrapped(xlabel))
            if (row, column) in taken and not any((row, left) in taken for left in range(column)):
                ax.yaxis.set_tick_params(labelleft=True)
        if ylabel:
            figure.supylabel(ylabel)
        for name, ax in zip(self.rows, axes[:, 0], strict=False):
            layout.name_row(ax, name, self.panel[1])
        return [self._cell(axes[row, column], i) for i, (row, column, _) in enumerate(self.place)]

    def _leave_blank(self, ax: Axes, row: int, column: int) -> None:
        """A place without a setting, which may still have to name its row or column."""
        ax.spines[:].set_visible(False)
        ax.tick_params(which="both", bottom=False, left=False, labelbottom=False, labelleft=False)
        if row == 0 and self.columns:
            ax.set_title(self._wrapped(self.columns[column]))
        ax.set_visible(bool(ax.get_title()) or (column == 0 and bool(self.rows)))

    def _wrapped(self, text: str) -> str:
        return common.wrapped(text, self.wide)

    def _cell(self, ax: Axes, i: int) -> Cell:
        row, column, colour = self.place[i]
        heading: tuple[str, ...] = ()
        if not (self.rows or self.columns) and self.names:
            heading = (self._wrapped(self.names[i]),)
        elif row == 0 and self.columns:
            heading = (self._wrapped(self.columns[column]),)
        level = self.levels[colour] if self.levels else ""
        is_last = column == max(each for at, each, _ in self.place if at == row)
        return Cell(ax, heading, common.LINES[colour], level, is_last, self.wide)


def planned(
    selection: Selection,
    among: Sequence[str] | None = None,
    *,
    coloured: bool = False,
    panel: tuple[float, float] = PANEL,
) -> tuple[Ranked, Plan]:
    """The settings to draw, and where: all of a product that there is room for, else some."""
    for most in (len(selection.summary), common.MAX_PANELS):
        shown = common.ranked(selection, most, among)
        found = plan(
            selection.runs, shown.summary.setting, selection.width, coloured=coloured, panel=panel
        )
        if found.is_product:
            break
    return shown, found


def plan(
    runs: xr.Dataset,
    settings: Sequence[str],
    width: float,
    *,
    coloured: bool = False,
    panel: tuple[float, float] = PANEL,
) -> Plan:
    """Where settings of `runs` go in a figure so many inches wide.

    Args:
      runs: of all settings of the sweep, which may be more than are drawn.
      settings: the labels of those that are drawn.
      width: of the figure.
      coloured: whether one panel can hold several settings, told apart by colour.
      panel: the least width, and the height, of a panel.
    """
    factors: list[Factor] = []
    runs = shown = runs.drop_vars(runs.data_vars)
    some = runs.isel(setting=runs.setting.isin(list(settings)).values)
    for shown in (some, runs):  # some of a product may be one of their own
        with contextlib.suppress(ValueError):
            factors = effects.factors(shown)
            break
    index = {label: i for i, label in enumerate(shown.setting.values.tolist())}
    chosen = [index[setting] for setting in settings]
    return of_factors(factors, chosen, list(settings), width, coloured=coloured, panel=panel)


def of_factors(
    factors: Sequence[Factor],
    chosen: Sequence[int],
    names: list[str],
    width: float,
    *,
    coloured: bool,
    panel: tuple[float, float],
) -> Plan:
    """The same of what is `chosen` of a product of factors, by index."""
    factors = [factor for factor in factors if len(factor.levels) > 1]
    most = layout.columns_in(width, panel[0])
    split = _split(factors, most, coloured)
    if split is None or len(chosen) < 2:
        return wall(names, width, panel)
    rows, columns, colours = ([factors[i] for i in part] for part in split)
    if not columns and _size(rows) > 2:  # panels as wide as the page, a wall high
        if not colours:
            return wall(names, width, panel)
        return _wrapped_rows(rows, colours, chosen, width, panel)
    place = [(_place(rows, i), _place(columns, i), _place(colours, i)) for i in chosen]
    if not (rows or columns):
        names = []  # all are in one panel
    shape = _size(rows), _size(columns)
    size = _sized(width / shape[1], panel)
    return Plan(place, _names(rows), _names(columns), _names(colours), names, shape, size)


def _wrapped_rows(
    rows: Sequence[Factor],
    colours: Sequence[Factor],
    chosen: Sequence[int],
    width: float,
    panel: tuple[float, float],
) -> Plan:
    """A panel for each of the rows, side by side, with what is told apart by colours in it."""
    levels, order = _names(rows), [_place(rows, i) for i in chosen]
    grid = wall(levels, width, panel)
    place = [(*grid.place[at][:2], _place(colours, i)) for at, i in zip(order, chosen, strict=True)]
    names = [levels[at] for at in order]
    return grid._replace(place=place, levels=_names(colours), names=names)


def wall(
    names: Sequence[str],
    width: float,
    panel: tuple[float, float] = PANEL,
    columns: int | None = None,
) -> Plan:
    """A panel for each of these, in so many columns; None: as many as look well."""
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    most = layout.columns_in(width, panel[0])
    columns = columns or min(most, round(np.sqrt(1.5 * len(order))))
    place = [(*divmod(order[name], columns), 0) for name in names]
    shape = -(-len(order) // columns), columns
    return Plan(place, [], [], [], list(names), shape, _sized(width / columns, panel))


def _sized(width: float, panel: tuple[float, float]) -> tuple[float, float]:
    """A panel's width and its height, which is more where there is room to be wide."""
    return width, max(panel[1], FLATTEST * width)


def _split(
    factors: Sequence[Factor], most: int, coloured: bool
) -> tuple[list[int], list[int], list[int]] | None:
    """Which factors make rows, columns and colours; None where there is no room for them."""
    if not factors:
        return None
    colours = []
    if coloured:
        few = [i for i, factor in enumerate(factors) if len(factor.levels) <= MOST_COLOURS]
        colours = few[-1:]
    others = [i for i in range(len(factors)) if i not in colours]
    best = None
    for count in range(len(others) + 1):
        for columns in itertools.combinations(others, count):
            rows = [i for i in others if i not in columns]
            wide, high = (_size([factors[i] for i in part]) for part in (columns, rows))
            if wide <= most and high <= MOST_ROWS and (best is None or wide > best[0]):
                best = wide, (rows, list(columns), colours)
    return None if best is None else best[1]


def _size(factors: Sequence[Factor]) -> int:
    return int(np.prod([len(factor.levels) for factor in factors], dtype=int))


def _place(factors: Sequence[Factor], setting: int) -> int:
    """Where a setting is among all combinations of factors' levels, the last one's fastest."""
    place = 0
    for factor in factors:
        place = place * len(factor.levels) + int(factor.of_setting[setting])
    return place


def _names(factors: Sequence[Factor]) -> list[str]:
    """Every combination of factors' levels in words; none without factors."""
    if not factors:
        return []
    levels = itertools.product(*(factor.levels for factor in factors))
    return [" + ".join(each) for each in levels]
