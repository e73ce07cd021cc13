"""Samples in the plane, and the plane of the discriminator's features."""

import math
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, VERMILLION, Selection

CHECKPOINTS = 5
# D's output: light, for points to stand out, and white where D can't tell.
SHADE = LinearSegmentedColormap.from_list("shade", ["#BDBDBD", "white", "#8EC3E6"])
RAW_SHADE = LinearSegmentedColormap.from_list("raw shade", ["#BDBDBD", "#8EC3E6"])
SOURCES = {"real": "black", "generated": VERMILLION}


def can_show(selection: Selection) -> bool:
    """Whether results have what a PlanePanel is drawn from."""
    return common.holds(selection.runs, "x", "target_samples") and common.holds(
        selection.snapshots, "samples", "d"
    )


def draw_points(
    ax: Axes, points: np.ndarray, source: str, size: float, alpha: float, label: str | None = None
) -> Line2D:
    """Points `[N, 2]` in the colour of where they come from."""
    (drawn,) = ax.plot(
        *points.T,
        ls="none",
        marker="o",
        ms=size,
        mew=0,
        alpha=alpha,
        color=SOURCES[source],
        label=source if label is None else label,
    )
    return drawn


class PlanePanel:
    """Real and generated points of one run over D's output, at one log point at a time."""

    def __init__(self, ax: Axes, run: xr.Dataset):
        """Draw what does not change; `run` is from `common.one_run`."""
        self._samples = run.samples.values
        side = math.isqrt(run.sizes["grid"])
        x, y = run.x.values.reshape(side, side, 2).transpose(2, 0, 1)
        self._d = run.d.values.reshape(-1, side, side)
        self._limits = np.array([[x.min(), y.min()], [x.max(), y.max()]])
        self.ax = ax
        low, high = common.d_limits(run)
        self.is_probability, self.d_label = common.is_probability(run), common.d_label(run)
        self.shade = ax.pcolormesh(
            x,
            y,
            self._d[0],
            vmin=low,
            vmax=high,
            cmap=SHADE if self.is_probability else RAW_SHADE,
            shading="nearest",
            rasterized=True,
        )
        self._real = draw_points(ax, run.target_samples.values, "real", 2, 0.7)
        self._generated = draw_points(ax, np.empty((0, 2)), "generated", 2, 0.7)
        ax.set(xlim=self._limits[:, 0], ylim=self._limits[:, 1])
        # The spines too, since the shade is drawn over them.
        above = [self._real, self._generated, *ax.spines.values(), ax.title]
        self.artists: list[Artist] = [self.shade, *above]

    def show(self, i: int, heading: str) -> None:
        """Move on to log point `i`, and say above the panel what it can't show."""
        points = self._samples[i]
        self.shade.set_array(self._d[i])
        self._generated.set_data(*points.T)
        finite = np.isfinite(points).all(axis=-1)
        inside = ((points >= self._limits[0]) & (points <= self._limits[1])).all(axis=-1)
        note = ""
        if not finite.any():
            note = "nothing finite to draw"
        elif not inside.all():
            note = f"{np.count_nonzero(~inside)} of {len(points)} outside"
        self.ax.set_title(f"{heading}\n{note}", fontsize=common.TITLE)


def draw_scales(figure: Figure, rows: Sequence[Sequence[PlanePanel]]) -> None:
    """The scale of D's shades beside the axes; one a row unless D is a probability in all."""
    if all(row[0].is_probability for row in rows):
        rows = [[panel for row in rows for panel in row]]
    for row in rows:
        aspect = 6 * figure.get_figheight() / len(rows)
        bar = figure.colorbar(row[0].shade, ax=[panel.ax for panel in row], aspect=aspect)
        bar.ax.tick_params(labelsize=7)
        bar.set_label(row[0].d_label, fontsize=8)


def samples(selection: Selection) -> Figure | None:
    """Real and generated points over D's output at a few checkpoints of one seed's training.

    None in 1-D and without snapshots.
    """
    snapshots, seed = selection.snapshots, selection.seed
    if not common.is_plane(selection.runs) or snapshots is None or not can_show(selection):
        return None
    ds, frame, note = common.ranked(selection, common.MAX_ROWS)
    chosen = common.checkpoints(snapshots.sizes["step"], CHECKPOINTS)
    figure, axes = common.rows_of_panels(len(frame), [""] * len(chosen), (2.3, 2.3))
    rows = []
    for setting, row in zip(frame.setting, axes, strict=True):
        run = common.one_run(ds, snapshots, setting, seed)
        rows.append([PlanePanel(ax, run) for ax in row])
        for panel, i in zip(rows[-1], chosen, strict=True):
            panel.show(i, common.moment(run.step.values[i]))
            panel.ax.tick_params(labelleft=panel.ax is row[0])
        row[0].set_ylabel(f"{common.wrapped(setting, 24)}\n({common.fate(run)})", fontsize=8)
    draw_scales(figure, rows)
    what = "real and generated points during training"
    dim = ds.sizes["dim"]
    more = f"the first 2 of {dim} columns" if dim > 2 else ""
    common.set_title(figure, ds, what, more, note, seeds=f"seed {seed}")
    common.legend(figure, markerscale=2)
    return figure


UPDATES = {"D": ("before D", "after D"), "G": ("after D", "after G")}


def features(selection: Selection) -> Figure | None:
    """D's two last hidden features of real and generated rows around an update of D, and of G.

    Of one seed of the best setting, at a few checkpoints. None where D's last hidden layer has not
    two units.
    """
    runs, _, snapshots, seed = selection
    if snapshots is None or "features" not in snapshots:
        return None
    setting = common.best(selection)
    run = common.one_run(runs, snapshots, setting, seed)
    chosen = common.checkpoints(run.sizes["step"], CHECKPOINTS)
    shared = {"sharex": "col", "sharey": "col"}
    figure, axes = common.rows_of_panels(2, [""] * len(chosen), (2.5, 2.5), **shared)
    for (network, moments), row in zip(UPDATES.items(), axes, strict=True):
        for ax, i in zip(row, chosen, strict=True):
            rows = run.features.isel(step=i).sel(moment=list(moments))
            distances = _draw_move(ax, rows.transpose("moment", "source", "row", "feature"))
            when = f"{common.moment(run.step.values[i])}\n" if network == "D" else ""
            ax.set_title(f"{when}{_moved(*distances)}", fontsize=common.TITLE)
        row[0].set_ylabel(f"{network}'s step", fontsize=9)
    what = "D's features before (pale) and after one update, arrows: moves of the centroids"
    common.set_title(figure, runs, what, f"{setting} ({common.fate(run)})", seeds=f"seed {seed}")
    common.legend(figure)
    return figure


def _draw_move(ax: Axes, rows: xr.DataArray) -> np.ndarray:
    """Rows before and after an update; the distance between the centroids at both `[2]`."""
    centroids = rows.mean("row").values  # [moment, source, feature]
    for i, (source, color) in enumerate(SOURCES.items()):
        before, after = rows.sel(source=source).values
        draw_points(ax, before, source, 3, 0.12, label="")
        draw_points(ax, after, source, 3, 0.4)
        for when, (x, y), face, edge in zip(
            ("before", "after"), centroids[:, i], ("white", color), (color, "white"), strict=True
        ):
            label = f"centroid {when}, {source}"
            ax.plot(x, y, ls="none", marker="o", ms=7, mew=1, mfc=face, mec=edge, label=label)
    (x, y), (dx, dy) = centroids[0].T, (centroids[1] - centroids[0]).T
    ax.quiver(
        x,
        y,
        dx,
        dy,
        angles="xy",
        scale_units="xy",
        scale=1,
        color=BLUE,
        width=0.012,
        zorder=4,
    )
    return np.linalg.norm(centroids[:, 0] - centroids[:, 1], axis=-1)


def _moved(before: float, after: float) -> str:
    if not np.isfinite(before + after):
        return "nothing finite to draw"
    return f"distance {after:.3g} ({after - before:+.2g})"
