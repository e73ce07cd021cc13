"""Success at every threshold: profiles of chosen settings, and their differences from the first."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from bokeh.models import (
    ColumnDataSource,
    Legend,
    LegendItem,
    Model,
    MultiSelect,
    NumeralTickFormatter,
    Range1d,
    Span,
)
from bokeh.plotting import figure

from gan1d.report import comparisons, statistics
from gan1d.report import runs as of_runs
from gan1d.report.comparisons import Compared
from gan1d.report.figures.common import LINES
from gan1d.report.figures.final import w1_label
from gan1d.report.page.shown import Drawn, mark_log, plot, script, single
from gan1d.report.statistics import Profile
from gan1d.results import judge

SHOWN = 3  # settings that are chosen at first: the best
# BokehJS hangs on steps of no points.
EMPTY = {name: [np.nan, np.nan] for name in ("x", "estimate", "low", "high")}


def draw(runs: xr.Dataset, compared: list[Compared]) -> Drawn:
    """A list to choose settings from, their profiles, and their differences with 95% bands.

    Args:
      runs: of the settings that can be chosen, the best first.
      compared: settings against the first declared one, whose difference is therefore none.
    """
    w1, finished = of_runs.settled_w1(runs), of_runs.finished(runs)
    if not finished.any():
        return Drawn({})
    labels = runs.setting.values.tolist()
    x = comparisons.thresholds(w1[finished])
    known = [
        statistics.profile(row[mask], x) if mask.any() else None
        for row, mask in zip(w1, finished, strict=True)
    ]
    by_label = {each.setting: each.profiles for each in compared}

    drawn, slots, items = _axes(runs, "share of finished runs at or below", x)
    drawn.y_range = Range1d(0, 1.02)
    drawings = [(slots, items, _table(known))]
    roots: dict[str, Model] = {"profiles": drawn}
    if by_label:
        other, slots, items = _axes(runs, "difference of shares", x)
        other.add_layout(Span(dimension="width", location=0, line_width=1))
        other.x_range = drawn.x_range
        table = _table([by_label.get(label) for label in labels])
        other.y_range = Range1d(1.05 * np.nanmin(table[:, 1:]), 1.05 * np.nanmax(table[:, 1:]))
        drawings.append((slots, items, table))
        roots["differences"] = other
    chosen = MultiSelect(
        name="chosen",
        title=f"settings, up to {len(LINES)}",
        options=[(str(i), label) for i, label in enumerate(labels)],
        value=[str(i) for i in range(min(SHOWN, len(labels)))],
        size=int(np.clip(len(labels), 2, 8)),
        sizing_mode="stretch_width",
    )
    show = script("profiles", chosen=chosen, labels=labels, drawings=drawings)
    chosen.js_on_change("value", show)
    return Drawn({"chosen": chosen, **roots}, [show])


def _axes(
    runs: xr.Dataset, what: str, x: np.ndarray
) -> tuple[figure, list[ColumnDataSource], list[LegendItem]]:
    """Axes over thresholds `[threshold]` with a line and a band a colour, for a script to fill."""
    drawn = plot(height=330, x_axis_type="log", x_axis_label=w1_label(runs), y_axis_label=what)
    drawn.x_range = Range1d(x[0], x[-1])
    mark_log(drawn.xaxis[0], x[0], x[-1])
    drawn.yaxis.formatter = NumeralTickFormatter(format="0%")
    slots, items = [], []
    for color in LINES:
        slots.append(ColumnDataSource(EMPTY, name=f"{what}, {color}"))
        drawn.varea_step("x", "low", "high", source=slots[-1], color=color, alpha=0.15)
        line = drawn.step("x", "estimate", source=slots[-1], color=color, mode="after")
        line.glyph.line_width = 1.6
        items.append(LegendItem(label="", renderers=[line], visible=False))
    drawn.add_layout(Legend(items=items, location="left", padding=2, spacing=0), "above")
    drawn.legend.border_line_color = None
    drawn.legend.label_text_font_size = "11px"
    for limit in {judge.thresholds(runs).success_w1, of_runs.HALF, of_runs.ONE}:
        drawn.add_layout(Span(dimension="height", location=limit, line_dash="dotted"))
    return drawn, slots, items


def _table(profiles: Sequence[Profile | None]) -> np.ndarray:
    """Thresholds, estimates and limits `[setting, 4, threshold]`, NaN where there is no profile."""
    nothing = np.full((4, comparisons.THRESHOLDS), np.nan)
    return single([nothing if each is None else np.stack(each) for each in profiles])
