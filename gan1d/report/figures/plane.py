"""Samples in the plane, and the plane of the discriminator's features."""

import math
from collections.abc import Iterable

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, VERMILLION

CHECKPOINTS = 5
# D's output: light, for points to stand out, and white where D can't tell.
SHADE = LinearSegmentedColormap.from_list("shade", ["#BDBDBD", "white", "#8EC3E6"])
SOURCES = {"real": "black", "generated": VERMILLION}


class PlanePanel:
    """Real and generated points of one run over D's output, at one log point at a time."""

    def __init__(self, ax: Axes, run: xr.Dataset):
        """Draw what does not change; `run` is from `common.one_run`."""
        self._samples = run.samples.values
        side = math.isqrt(run.sizes["grid"])
        x, y = run.x.values.reshape(side, side, 2).transpose(2, 0, 1)
        self._d = run.d.values.reshape(-1, side, side)
        self._limits = np.array([[x.min(), y.min()], [x.max(), y.max()]])
        self._ax = ax
        style = {"vmin": 0, "vmax": 1, "cmap": SHADE, "shading": "nearest", "rasterized": True}
        self.shade = ax.pcolormesh(x, y, self._d[0], **style)
        style = {"ls": "none", "marker": "o", "ms": 2, "mew": 0, "alpha": 0.7}
        (self._real,) = ax.plot(*run.target_samples.values.T, color=SOURCES["real"], **style)
        (self._generated,) = ax.plot([], [], color=SOURCES["generated"], **style)
        self._real.set_label("real")
        self._generated.set_label("generated")
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
        self._ax.set_title(f"{heading}\n{note}", fontsize=common.TITLE)


def draw_scale(figure: Figure, panel: PlanePanel, axes: Iterable[Axes]) -> None:
    """The scale of D's shades in `panel`, and in all others, beside their axes."""
    bar = figure.colorbar(panel.shade, ax=list(axes), aspect=6 * figure.get_figheight())
    bar.ax.tick_params(labelsize=7)
    bar.set_label("D", fontsize=8)


def samples(runs: xr.Dataset, snapshots: xr.Dataset | None, seed: int | None) -> Figure | None:
    """Real and generated points over D's output at a few checkpoints of one seed's training.

    None in 1-D and without snapshots.
    """
    if not common.is_plane(runs) or snapshots is None:
        return None
    ds, frame, note = common.ranked(runs, common.MAX_ROWS)
    chosen = common.checkpoints(snapshots.sizes["step"], CHECKPOINTS)
    figure, axes = common.rows_of_panels(len(frame), [""] * len(chosen), (2.3, 2.3))
    for setting, row in zip(frame.setting, axes, strict=True):
        run = common.one_run(ds, snapshots, setting, seed)
        for ax, i in zip(row, chosen, strict=True):
            panel = PlanePanel(ax, run)
            panel.show(i, common.moment(run.step.values[i]))
            ax.tick_params(labelleft=ax is row[0])
        row[0].set_ylabel(f"{common.wrapped(setting, 24)}\n({common.fate(run)})", fontsize=8)
    draw_scale(figure, panel, axes.flat)
    what = "real and generated points during training"
    common.set_title(figure, ds, what, note, seeds=f"seed {seed}")
    common.legend(figure, markerscale=2)
    return figure


UPDATES = {"D": ("before D", "after D"), "G": ("after D", "after G")}


def features(runs: xr.Dataset, snapshots: xr.Dataset | None, seed: int | None) -> Figure | None:
    """D's two last hidden features of real and generated rows around an update of D, and of G.

    Of one seed of the best setting, at a few checkpoints. None where D's last hidden layer has not
    two units.
    """
    if snapshots is None or "features" not in snapshots:
        return None
    setting = common.best(runs)
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
        style = {"ls": "none", "marker": "o", "ms": 3, "mew": 0, "color": color}
        ax.plot(*before.T, **style, alpha=0.12)
        ax.plot(*after.T, **style, alpha=0.4, label=source)
        start, end = centroids[:, i]
        style = {"ls": "none", "marker": "o", "ms": 7, "mew": 1}
        before_label = f"centroid before, {source}"
        ax.plot(*start, **style, mfc="white", mec=color, label=before_label)
        ax.plot(*end, **style, mfc=color, mec="white", label=f"centroid after, {source}")
    starts, moves = centroids[0].T, (centroids[1] - centroids[0]).T
    units = {"angles": "xy", "scale_units": "xy", "scale": 1}
    ax.quiver(*starts, *moves, **units, color=BLUE, width=0.012, zorder=4)
    return np.linalg.norm(centroids[:, 0] - centroids[:, 1], axis=-1)


def _moved(before: float, after: float) -> str:
    if not np.isfinite(before + after):
        return "nothing finite to draw"
    return f"distance {after:.3g} ({after - before:+.2g})"
