"""A measure against what is swept: one number, two fields, or all of them at once."""

import itertools

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter

from gan1d.report import effects
from gan1d.report import runs as of_runs
from gan1d.report.effects import Factor
from gan1d.report.figures import common, facets, layout, measured
from gan1d.report.figures.common import Selection
from gan1d.report.figures.measured import Estimate, Measured

SIZE = 6.5  # points of a cell's text
LOG_FROM = 10  # largest over smallest value from which on an axis is logarithmic
MOST_LEVELS = 12  # of an axis that are named


def heatmap(selection: Selection) -> Figure | None:
    """A measure over two swept fields (--x, --y, --measure), with its interval and n in each cell.

    Of what else is swept the title says that it is pooled. None where there are no two fields, or
    no finished run.
    """
    runs = selection.runs
    fields = _two_fields(selection)
    if fields is None:
        return None
    of_measure = measured.measure(runs, selection.mapped.measure)
    levels = [measured.levels(runs, name) for name in fields]
    found = {
        (i, j): of_measure.estimate(mask)
        for (i, y), (j, x) in itertools.product(enumerate(levels[1]), enumerate(levels[0]))
        if (
            mask := (measured.column(runs, fields[0]) == x)
            & (measured.column(runs, fields[1]) == y)
        ).any()
    }
    found = {place: each for place, each in found.items() if each.runs}
    if not found:
        return None
    values = np.full((len(levels[1]), len(levels[0])), np.nan)
    for place, each in found.items():
        values[place] = each.value
    cell = int(72 * (selection.width - 1.9) / len(levels[0]) / (layout.EM * SIZE))  # characters
    words = {place: _words(each, of_measure) for place, each in found.items()}
    whole = cell >= max(len(line) for each in words.values() for line in each)
    height = 0.5 if whole else 0.22
    figure, ax = layout.single(selection.width, 0.5 + height * len(levels[1]))
    ax.set_facecolor("#E5E5E5")  # cells that the sweep does not have
    norm = _norm(values, of_measure)
    shown = np.where(np.isposinf(values), norm.vmax or 1, values)
    image = ax.imshow(shown, norm=norm, cmap="viridis", aspect="auto", origin="lower")
    if cell >= max(len(estimate) for estimate, *_ in words.values()):
        for (i, j), (estimate, *more) in words.items():
            color = "white" if norm(shown[i, j]) < 0.6 else "black"
            text = "\n".join([estimate, *more]) if whole else estimate
            ax.text(j, i, text, ha="center", va="center", color=color, fontsize=SIZE)
    _name_levels(ax, levels)
    x, y = (of_runs.short_name(runs, name) for name in fields)
    ax.set(xlabel=x, ylabel=y)
    layout.color_bar(figure, image, ax, of_measure.label, percent=of_measure.is_share)
    said = "[95% intervals over seeds]" if whole else _counts(found)
    layout.finish(figure, runs, of_measure.label, said, _pooled(runs, fields))
    return figure


def _two_fields(selection: Selection) -> tuple[str, str] | None:
    """The fields of a heat map's axes: those asked for, else the first two that span a grid.

    Numbers come first. Fields that were varied in step span none: there is nothing between them.
    """
    runs, (x, y, _) = selection.runs, selection.mapped
    varied = [name for name in of_runs.swept_fields(runs) if len(measured.levels(runs, name)) > 1]
    varied.sort(key=lambda name: not measured.is_number(runs, name))
    xs = varied if x is None else [measured.field(runs, x, "x")]
    ys = varied if y is None else [measured.field(runs, y, "y")]
    if x is not None and y is not None:
        return xs[0], ys[0]
    for pair in itertools.product(ys, xs):
        combinations = set(
            zip(*(measured.column(runs, name).tolist() for name in pair), strict=True)
        )
        sizes = [len(measured.levels(runs, name)) for name in pair]
        if pair[0] != pair[1] and len(combinations) == np.prod(sizes):
            return pair[1], pair[0]
    return None


def _norm(values: np.ndarray, of_measure: Measured) -> Normalize:
    if of_measure.is_share:
        return Normalize(0, 1)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 1.0)
    if low > 0 and high > LOG_FROM * low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1)


def _words(each: Estimate, of_measure: Measured) -> tuple[str, str, str]:
    """An estimate, its interval and n."""
    numbers = [each.value, each.low, each.high]
    if of_measure.is_share:
        value, low, high = (f"{100 * number:.0f}" for number in numbers)
        value += "%"
    else:
        value, low, high = (f"{number:.2g}" for number in numbers)
    return value, f"[{low}, {high}]", f"n={each.runs}"


def _counts(found: dict[tuple[int, int], Estimate]) -> str:
    """How many runs cells have, where there is no room to say it in each."""
    runs = sorted({each.runs for each in found.values()})
    return f"{runs[0]} runs a cell" if len(runs) == 1 else f"{runs[0]} to {runs[-1]} runs a cell"


def _pooled(runs: xr.Dataset, shown: tuple[str, ...]) -> str:
    """Over which values of which other fields a figure takes runs together."""
    others = [name for name in of_runs.swept_fields(runs) if name not in shown]
    combined = set(zip(*(measured.column(runs, name).tolist() for name in shown), strict=True))
    if not others or len(combined) == runs.sizes["setting"]:
        return ""
    listed = []
    for name in others:
        values = [of_runs.value_text(value) for value in measured.levels(runs, name)]
        few = ", ".join(values) if len(values) <= 4 else f"{len(values)} values"
        listed.append(f"{of_runs.short_name(runs, name)} ({few})")
    return f"pooled over {', '.join(listed)}"


def _name_levels(ax: Axes, levels: list[list]) -> None:
    for axis, values in zip((ax.xaxis, ax.yaxis), levels, strict=True):
        places = common.checkpoints(len(values), MOST_LEVELS)
        axis.set_ticks(places, [of_runs.value_text(values[place]) for place in places])
    longest = max(len(of_runs.value_text(value)) for value in levels[0])
    if longest * min(len(levels[0]), MOST_LEVELS) > layout.characters(4.5):
        ax.tick_params(axis="x", rotation=40)


def response(selection: Selection) -> Figure | None:
    """A measure against one swept number (--x, --measure), with bands: 95% intervals over seeds.

    Other swept fields go in rows, columns and colours. None where no number is swept over at least
    three values.
    """
    runs = selection.runs
    x = _swept_number(selection)
    if x is None:
        return None
    of_measure = measured.measure(runs, selection.mapped.measure)
    others, note = _others(runs, x)
    index = {label: i for i, label in enumerate(runs.setting.values.tolist())}
    lines: dict[tuple[int, ...], list[int]] = {}  # settings, by what else they are; best first
    for i in (index[setting] for setting in selection.summary.setting):
        lines.setdefault(tuple(int(factor.of_setting[i]) for factor in others), []).append(i)
    plan = _planned(others, list(lines.values()), selection.width)
    if not plan.is_product and len(lines) > common.MAX_PANELS:
        left_out = len(lines) - common.MAX_PANELS
        note = f"{note}{common.MAX_PANELS} best of {len(lines)} lines, {left_out} left out"
        lines = dict(list(lines.items())[: common.MAX_PANELS])
    lines = dict(sorted(lines.items()))  # as declared
    plan = _planned(others, list(lines.values()), selection.width)
    figure = layout.new_figure(selection.width, max(2.2, plan.height))
    name = of_runs.short_name(runs, x)
    cells = plan.draw(figure, name, of_measure.label, sharex=True, sharey=True)
    top = _top(of_measure)
    for cell, members in zip(cells, lines.values(), strict=True):
        members.sort(key=lambda i: float(measured.column(runs, x)[i]))
        found = [of_measure.estimate(np.array([i])) for i in members]
        curves = np.array([(each.value, each.low, each.high) for each in found]).T
        line = "estimate and 95% interval"
        common.draw_band(
            cell.ax,
            measured.column(runs, x)[members],
            np.clip(curves, None, top),
            cell.colour,
            cell.label(line),
        )
        cell.ax.lines[-1].set(marker="o", markersize=layout.POINTS)
        cell.title()
    values = np.unique(measured.column(runs, x))
    if values[0] > 0 and values[-1] >= LOG_FROM * values[0]:
        layout.logarithmic(cells[0].ax, "x", plan.panel[0])
    words = [of_runs.value_text(float(value)) for value in values]
    if sum(map(len, words)) + 4 * len(words) <= layout.characters(plan.panel[0], "xtick.labelsize"):
        cells[0].ax.set_xticks(values, words)
        cells[0].ax.xaxis.set_minor_locator(NullLocator())
    if of_measure.is_share:
        cells[0].ax.set_ylim(-0.03, 1.03)
        cells[0].ax.yaxis.set_major_formatter(PercentFormatter(1))
    counts = _counts({(i, 0): of_measure.estimate(np.array([i])) for i in range(len(index))})
    what = f"{of_measure.label} against {name}"
    layout.finish(figure, runs, what, counts.replace("cell", "dot"), note)
    return figure


def _swept_number(selection: Selection) -> str | None:
    """The field asked for, else the first number that is swept over at least three values."""
    runs, asked = selection.runs, selection.mapped.x
    if asked is not None:
        return measured.field(runs, asked, "x")
    for name in of_runs.swept_fields(runs):
        if measured.is_number(runs, name) and len(measured.levels(runs, name)) > 2:
            return name
    return None


def _others(runs: xr.Dataset, x: str) -> tuple[list[Factor], str]:
    """What is swept besides a field, and in words what goes in step with it."""
    try:
        factors = effects.factors(runs)
    except ValueError:  # no product: what else a setting is counts as one factor
        fields = [name for name in of_runs.swept_fields(runs) if name != x]
        rows = list(zip(*(measured.column(runs, name).tolist() for name in fields), strict=True))
        order = {row: i for i, row in enumerate(dict.fromkeys(rows))}
        words = [
            ", ".join(
                f"{of_runs.short_name(runs, name)}={of_runs.value_text(value)}"
                for name, value in zip(fields, row, strict=True)
            )
            for row in order
        ]
        codes = np.array([order[row] for row in rows], int)
        return [Factor("", tuple(words), codes)] if len(order) > 1 else [], ""
    of_x = [
        factor
        for factor in factors
        if len(set(zip(factor.of_setting, measured.column(runs, x).tolist(), strict=True)))
        == len(factor.levels)
    ]
    in_step = [f"{factor.name} in step" for factor in of_x if " and " in factor.name]
    others = [factor for factor in factors if all(factor is not each for each in of_x)]
    return others, "".join(f"{each}, " for each in in_step)


def _planned(others: list[Factor], lines: list[list[int]], width: float) -> facets.Plan:
    first = [members[0] for members in lines]
    names = [" + ".join(factor.levels[factor.of_setting[i]] for factor in others) for i in first]
    return facets.of_factors(others, first, names, width, coloured=True, panel=facets.PANEL)


def _top(of_measure: Measured) -> float | None:
    """Where diverged runs' W1 is put; None where there is none."""
    finite = of_measure.values[np.isfinite(of_measure.values)]
    if not np.isposinf(of_measure.values).any() or not finite.size:
        return None
    return float(1.5 * finite.max())


def parallel(selection: Selection) -> Figure | None:
    """All swept fields at once: a line a setting through its values, coloured by a measure.

    Parallel coordinates (Inselberg 1985), best settings on top; --measure chooses. None where
    fewer than three fields are swept, or no run is finished.
    """
    runs = selection.runs
    fields = [name for name in of_runs.swept_fields(runs) if len(measured.levels(runs, name)) > 1]
    if len(fields) < 3:
        return None
    of_measure = measured.measure(runs, selection.mapped.measure)
    index = {label: i for i, label in enumerate(runs.setting.values.tolist())}
    order = [index[setting] for setting in reversed(selection.summary.setting.tolist())]
    values = np.array([of_measure.estimate(np.array([i])).value for i in order])
    known = np.isfinite(values)
    if not known.any():
        return None
    order, values = np.array(order)[known], values[known]
    norm = _norm(values, of_measure)
    heights = np.array([_height(runs, name)[order] for name in fields] + [norm(values)]).T
    figure, ax = layout.single(selection.width, 3.2)
    lines = LineCollection(
        [np.column_stack([np.arange(heights.shape[1]), each]) for each in heights],
        array=values,
        norm=norm,
        cmap="viridis",
        lw=float(np.clip(40 / len(order), 0.4, 1.5)),
        alpha=0.8,
    )
    ax.add_collection(lines)
    for place, name in enumerate(fields):
        _draw_axis(ax, place, runs, name)
    ax.axvline(len(fields), color="black", lw=0.8)
    names = [*(measured.short(runs, name) for name in fields), "measure"]
    at_most = layout.characters(selection.width / (len(names) + 1), "xtick.labelsize")
    ax.set_xticks(range(len(names)), [common.wrapped(name, at_most) for name in names])
    ax.set(xlim=(-0.15, len(fields) + 0.02), ylim=(-0.04, 1.04), yticks=[])
    ax.spines[["left", "right", "top", "bottom"]].set_visible(False)
    layout.color_bar(figure, lines, ax, of_measure.label, percent=of_measure.is_share)
    left_out = int((~known).sum())
    said = f"{left_out} settings without a finite value left out" if left_out else ""
    layout.finish(figure, runs, f"{len(order)} settings by {of_measure.label}", said)
    return figure


def _height(runs: xr.Dataset, name: str) -> np.ndarray:
    """Where each setting's value of a field is on its axis, from 0 to 1, levels evenly spread."""
    order = {value: i for i, value in enumerate(measured.levels(runs, name))}
    return np.array([order[value] for value in measured.column(runs, name).tolist()]) / (
        len(order) - 1
    )


def _draw_axis(ax: Axes, place: int, runs: xr.Dataset, name: str) -> None:
    levels = measured.levels(runs, name)
    ax.axvline(place, color="black", lw=0.8)
    for i in common.checkpoints(len(levels), MOST_LEVELS):
        ax.annotate(
            of_runs.value_text(levels[i]),
            (place, i / (len(levels) - 1)),
            (3, 0),
            textcoords="offset points",
            va="center",
            fontsize=layout.points_of("ytick.labelsize"),
            bbox={"fc": "white", "ec": "none", "alpha": 0.9, "pad": 0.8},
            zorder=4,
        )
