"""The picture of a run on the line: its density and D beside the target's density."""

import numpy as np
from bokeh.models import ColumnDataSource, LinearAxis, Range1d

from gan1d.report.figures import common, line
from gan1d.report.figures.common import BLUE, GREEN, Selection
from gan1d.report.page import film
from gan1d.report.page.run import Run
from gan1d.report.page.shown import Drawn, Shown, plot, single


def draw(shown: Shown, run: Run) -> Drawn:
    """The density of every run's end and, where there are snapshots, of all frames, and D.

    Nothing where targets or ends are not known.
    """
    runs = shown.runs
    if not common.holds(runs, "x", "target_density", "quantiles"):
        return Drawn({})
    films = None
    if line.can_show(Selection(runs, shown.summary, shown.snapshots, None)):
        films = film.choose(shown, 4 * (runs.sizes["grid"] + runs.sizes["grid"] // 2))
    drawn = plot(height=film.HEIGHT, x_axis_label="x", y_axis_label="density")
    drawn.x_range, drawn.y_range = Range1d(0, 1), Range1d(0, 1)
    d_range = Range1d(0, 1)
    drawn.extra_y_ranges = {"d": d_range}
    right = LinearAxis(y_range_name="d", axis_label="D(x)", minor_tick_line_color=None)
    drawn.add_layout(right, "right")
    bars = ColumnDataSource({"left": [], "right": [], "top": []})
    target, d = ColumnDataSource({"x": [], "y": []}), ColumnDataSource({"x": [], "y": []})
    drawn.quad(
        left="left",
        right="right",
        top="top",
        bottom=0,
        source=bars,
        color=BLUE,
        alpha=0.5,
        line_width=0,
        legend_label="generator",
        name="generated",
    )
    drawn.line("x", "y", source=target, color="black", line_dash="dashed", legend_label="target")
    drawn.line(
        "x", "y", source=d, color=GREEN, line_width=1.5, y_range_name="d", legend_label="D, right"
    )
    drawn.legend.background_fill_alpha = 0.6
    given = {
        "bars": bars,
        "target": target,
        "d": d,
        "d_range": d_range,
        "right": right,
        "tallest": line.TALLEST,
    }
    given |= {name: single(runs[name]) for name in ("x", "target_density")}
    given |= _ends(shown)
    if films is not None:
        given |= _frames(films)
    return film.play(shown, run, films, "line_film", drawn, **given)


def _ends(shown: Shown) -> dict[str, np.ndarray]:
    """The density of every run's end `[setting, seed, bin]`, as the figure of densities has it."""
    runs = shown.runs
    edges = np.stack([line.bin_edges(x)[::2] for x in runs.x.values])
    quantiles = runs.quantiles.transpose("setting", "seed", "quantile_level").values
    densities = [
        line.bin_masses(of_setting, each) / np.diff(each)
        for of_setting, each in zip(quantiles, edges, strict=True)
    ]
    return {"end_edges": single(edges), "ends": single(densities)}


def _frames(films: film.Films) -> dict[str, object]:
    """The density and D in every frame `[setting, seed, frame, ...]`."""
    runs = [run for of_setting in films.runs for run in of_setting]
    edges = np.stack([line.bin_edges(of_setting[0].x) for of_setting in films.runs])
    densities = [line.generated_masses(run) / np.diff(line.bin_edges(run.x)) for run in runs]
    return {
        "edges": single(edges),
        "densities": single(film.stacked(films, densities)),
        "d_values": single(film.stacked(films, [run.d.values for run in runs])),
        "d_limits": single(film.stacked(films, [np.array(common.d_limits(run)) for run in runs])),
        "d_labels": [common.d_label(of_setting[0], "D(x)") for of_setting in films.runs],
    }
