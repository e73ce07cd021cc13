"""Every run as a dot by its settled W1, a row a setting."""

from typing import NamedTuple

import numpy as np
from bokeh.models import (
    ColumnDataSource,
    FixedTicker,
    HoverTool,
    Legend,
    LegendItem,
    Range1d,
    Span,
    TapTool,
)
from bokeh.plotting import figure

from gan1d.report import runs as of_runs
from gan1d.report.figures import common
from gan1d.report.figures.final import w1_label, w1_limits
from gan1d.report.page.shown import WORDS, Shown, fitted, mark_log, plot, single
from gan1d.results import judge, verdicts

ROW = (4, 30)  # pixels of a row, least and most
HEIGHT = 1500  # pixels of all rows, unless each has the least
MARGIN = 110  # pixels of axis and legend
SPREAD = 0.36  # of a row, to both sides of its middle


class Dots(NamedTuple):
    """The figure, and what it takes to show some of its settings only."""

    figure: figure
    runs: ColumnDataSource  # setting by setting, and seed by seed
    medians: ColumnDataSource  # a row a setting
    labels: list[str]  # of settings, "" where there is no room for any
    row: int  # pixels of a row
    margin: int  # pixels besides


def draw(shown: Shown) -> Dots:
    """All runs that are shown one by one."""
    runs, settings = shown.runs, shown.runs.sizes["setting"]
    w1, finished = of_runs.settled_w1(runs), of_runs.finished(runs)
    limit = judge.thresholds(runs).success_w1
    low, edge = w1_limits(w1[finished], limit)
    source = _source(shown, w1, low, edge)
    row = int(np.clip(HEIGHT // settings, *ROW))
    drawn = plot(
        height=MARGIN + row * settings,
        x_axis_type="log",
        x_range=Range1d(low / 1.3, edge * 1.15),
        y_range=Range1d(settings - 0.5, -0.5),
        x_axis_label=f"settled {w1_label(runs)}; at the right edge: diverged",
        tools="box_zoom,pan,reset,save",
    )
    mark_log(drawn.xaxis[0], low, edge)
    dots = drawn.scatter(
        "x",
        "y",
        source=source,
        size=8 if runs.sizes["seed"] < 50 else 5,
        color="color",
        line_color="#444444",
        line_width=0.4,
        selection_line_color="black",
        selection_line_width=3,
        nonselection_alpha=1,
        name="dots",
    )
    places = np.arange(settings, dtype=np.float32)
    middle = single(np.clip(shown.summary.w1_median, low, edge))
    medians = ColumnDataSource(
        {"x": middle, "y": places, "number": shown.summary.number.to_numpy(np.int32)}
    )
    drawn.scatter(
        "x",
        "y",
        source=medians,
        marker="dash",
        angle=np.pi / 2,
        size=0.8 * row,
        color="black",
        line_width=2,
        name="medians",
    )
    drawn.add_layout(Span(location=limit, dimension="height", line_dash="dotted"))
    tips = "setting @number, seed @seed: @verdict, W1 @w1{0.000}"
    drawn.add_tools(TapTool(renderers=[dots]), HoverTool(tooltips=tips, renderers=[dots]))
    words = source.data["verdict"]
    items = [
        LegendItem(label=word, renderers=[dots], index=words.index(word))
        for word in verdicts.VERDICTS
        if word in words
    ]
    drawn.add_layout(Legend(items=items, orientation="horizontal", location="left"), "above")
    drawn.legend.border_line_color = None
    drawn.yaxis.ticker = FixedTicker(ticks=list(range(settings)))
    labels = [fitted(label, row) for label in shown.summary.setting]
    drawn.yaxis.major_label_overrides = dict(enumerate(labels))
    if not any(labels):
        drawn.yaxis.major_tick_line_color = None
    drawn.ygrid.grid_line_color = None
    return Dots(drawn, source, medians, labels, row, MARGIN)


def _source(shown: Shown, w1: np.ndarray, low: float, edge: float) -> ColumnDataSource:
    """A row a run, also of those that are not finished: they have no place."""
    runs = shown.runs
    settings, seeds = w1.shape
    offset = np.linspace(-SPREAD, SPREAD, seeds) if seeds > 1 else np.zeros(1)
    words = [WORDS[code] for code in runs.verdict.values.ravel()]
    return ColumnDataSource(
        {
            "x": single(np.clip(w1, low, edge)).ravel(),
            "y": single(np.arange(settings)[:, None] + offset).ravel(),
            "offset": np.tile(single(offset), settings),
            "w1": single(w1).ravel(),
            "number": np.repeat(shown.summary.number.to_numpy(np.int32), seeds),
            "seed": np.tile(runs.seed.values.astype(np.int32), settings),
            "verdict": words,
            "color": [common.VERDICT_COLORS.get(word, "white") for word in words],
        }
    )
