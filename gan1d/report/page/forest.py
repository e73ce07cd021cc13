"""Intervals of effects, or of differences from the first declared setting, a row each."""

from collections.abc import Sequence

import numpy as np
from bokeh.models import ColumnDataSource, FixedTicker, HoverTool, Legend, LegendItem, Range1d, Span
from bokeh.plotting import figure

from gan1d.report.comparisons import Compared
from gan1d.report.effects import Found
from gan1d.report.figures import common
from gan1d.report.figures.effects import COLORS, Interval
from gan1d.report.page.shown import LINE, fitted, plot

ROW, MARGIN = 34, 90  # pixels


def of_effects(found: list[Found]) -> figure:
    """Effects in points."""
    rows = {
        name: [(e.estimate, e.low, e.high) for e in (each.effects[i][1] for each in found)]
        for i, (name, _) in enumerate(found[0].effects[: common.MAX_LINES])
    }
    return _draw(rows, [each.criterion for each in found], "effect on the share of runs, points")


def of_differences(compared: list[Compared], reference: str) -> figure:
    """Differences in points."""
    rows = {
        each.setting: [(d.difference, d.low, d.high) for d in each.differences.values()]
        for each in compared
    }
    label = f"share of runs, less that of {fitted(reference, LINE)!r}, points"
    return _draw(rows, list(compared[0].differences), label)


def _draw(rows: dict[str, list[Interval]], criteria: Sequence[str], label: str) -> figure:
    """An interval for each row and criterion, from the strictest criterion to the laxest."""
    drawn = plot(
        height=MARGIN + ROW * len(rows),
        x_axis_label=label,
        y_range=Range1d(len(rows) - 0.5, -0.5),
    )
    items = []
    values = 100 * np.array(list(rows.values()), float)  # [row, criterion, 3]
    for k, (criterion, color) in enumerate(zip(criteria, COLORS, strict=True)):
        estimate, low, high = values[:, k].T
        y = np.arange(len(rows)) + 0.22 * (k - 1)
        source = ColumnDataSource({"x": estimate, "low": low, "high": high, "y": y})
        line = drawn.segment("low", "y", "high", "y", source=source, color=color, line_width=2)
        dots = drawn.scatter("x", "y", source=source, color=color, size=7)
        tips = criterion + ": @x{+0.0} [@low{+0.0}, @high{+0.0}]"
        drawn.add_tools(HoverTool(tooltips=tips, renderers=[dots]))
        items.append(LegendItem(label=criterion, renderers=[line, dots]))
    drawn.add_layout(Span(dimension="height", location=0, line_width=1))
    drawn.add_layout(Legend(items=items, orientation="horizontal", location="left"), "above")
    drawn.legend.border_line_color = None
    drawn.yaxis.ticker = FixedTicker(ticks=list(range(len(rows))))
    drawn.yaxis.major_label_overrides = {i: fitted(name, ROW) for i, name in enumerate(rows)}
    return drawn
