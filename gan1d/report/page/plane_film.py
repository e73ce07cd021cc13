"""The picture of a run in the plane: its points and the target's, over D as a shade."""

import math

import numpy as np
import xarray as xr
from bokeh.models import ColorBar, ColumnDataSource, LinearColorMapper, Range1d
from matplotlib.colors import Colormap, to_hex

from gan1d.report.figures import common, plane
from gan1d.report.figures.common import Selection
from gan1d.report.page import film
from gan1d.report.page.run import Run
from gan1d.report.page.shown import Drawn, Shown, plot, single

# A byte a value of D and two a coordinate; the largest of each stands for none: not finite, or not
# within the axes.
D_LEVELS, PLACES = 255, 65535


def draw(shown: Shown, run: Run) -> Drawn:
    """The points of all frames of the runs with snapshots; nothing where there are none."""
    runs, snapshots = shown.runs, shown.snapshots
    if snapshots is None or not plane.can_show(Selection(runs, shown.summary, snapshots, None)):
        return Drawn({})
    films = film.choose(shown, snapshots.sizes["grid"] + 4 * snapshots.sizes["point"])
    if films is None:
        return Drawn({})
    mapper = LinearColorMapper(palette=_palette(plane.SHADE), nan_color="white", low=0, high=1)
    drawn = plot(height=film.HEIGHT, x_axis_label="x", y_axis_label="y")
    drawn.x_range, drawn.y_range = Range1d(0, 1), Range1d(0, 1)
    side = math.isqrt(snapshots.sizes["grid"])
    empty = np.full((side, side), np.nan, np.float32)
    shade = ColumnDataSource({"image": [empty], "x": [0], "y": [0], "dw": [1], "dh": [1]})
    drawn.image("image", "x", "y", "dw", "dh", source=shade, color_mapper=mapper)
    points = {}
    for source, color in plane.SOURCES.items():
        points[source] = ColumnDataSource({"x": [], "y": []})
        drawn.scatter(
            "x",
            "y",
            source=points[source],
            size=4,
            color=color,
            line_width=0,
            alpha=0.6,
            legend_label=source,
            name=source,
        )
    drawn.legend.background_fill_alpha = 0.6
    bar = ColorBar(color_mapper=mapper, title="D", width=10)
    drawn.add_layout(bar, "right")
    return film.play(
        shown,
        run,
        films,
        "plane_film",
        drawn,
        bar=bar,
        shade=shade,
        real=points["real"],
        generated=points["generated"],
        side=side,
        target=single(common.in_plane(runs).target_samples.transpose("setting", "point", "dim")),
        **_frames(films, side),
    )


def _palette(colors: Colormap) -> list[str]:
    return [to_hex(color) for color in colors(np.linspace(0, 1, 64))]


def _frames(films: film.Films, side: int) -> dict[str, object]:
    """Points and D in every frame, `[setting, seed, frame, ...]`, in whole numbers."""
    runs = [run for of_setting in films.runs for run in of_setting]
    limits = [_limits(of_setting[0]) for of_setting in films.runs]
    points, shades = [], []
    for i, run in enumerate(runs):
        low, high = limits[i // len(films.runs[0])].T
        points.append(_whole(run.samples.values, low, high, PLACES).astype(np.uint16))
        d = _whole(plane.shades(run.d.values, common.is_probability(run)), 0, 1, D_LEVELS).astype(
            np.uint8
        )
        # Of the grid the first axis is x; of an image the first one is y.
        shades.append(d.reshape(-1, side, side).swapaxes(1, 2).reshape(len(d), -1))
    return {
        "limits": single(limits),
        "points": film.stacked(films, points),
        "shades": film.stacked(films, shades),
        "shade_labels": [plane.shade_label(of_setting[0]) for of_setting in films.runs],
    }


def _limits(run: xr.Dataset) -> np.ndarray:
    """The least and the largest `[dim, 2]` of where D is drawn."""
    x = run.x.transpose("grid", "dim").values
    return np.stack([x.min(axis=0), x.max(axis=0)], axis=-1)


def _whole(
    values: np.ndarray, low: np.ndarray | float, high: np.ndarray | float, none: int
) -> np.ndarray:
    """Values from `low` to `high` as whole numbers below `none`, which stands for all others."""
    within = np.isfinite(values) & (values >= low) & (values <= high)
    share = (np.where(within, values, low) - low) / (high - low)
    return np.where(within, np.round(share * (none - 1)), none)
