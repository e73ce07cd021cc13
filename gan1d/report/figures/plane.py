"""Samples in the plane, and the plane of the discriminator's features."""

import math
from collections.abc import Sequence

import numpy as np
import scipy.stats
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from gan1d.report.figures import common, layout
from gan1d.report.figures.common import BLUE, VERMILLION, Selection

TITLE_CHARACTERS = 18  # above the narrowest panels
CHECKPOINTS = 5
MOST_SEEDS = 5  # beside each other
MOST_STRETCH = 4  # of one axis over the other, up to which they have the same scale
# D's output: light, for points to stand out, and white where D can't tell.
SHADE = LinearSegmentedColormap.from_list("shade", ["#BDBDBD", "white", "#8EC3E6"])
BANDS = 10  # of ranks, for their borders to be contours
SOURCES = {"real": "black", "generated": VERMILLION}


def can_show(selection: Selection) -> bool:
    """Whether results have what a PlanePanel is drawn from."""
    return common.holds(selection.runs, "x", "target_samples") and common.holds(
        selection.snapshots, "samples", "d"
    )


def shades(d: np.ndarray, is_probability: bool) -> np.ndarray:
    """D `[..., grid]` as shades from 0 to 1; NaN where it is not finite.

    That is D where it is a probability. A raw output has no scale, a critic's not even a zero: of
    it, its ranks on the grid, which leave its contours as they are.
    """
    d = np.where(np.isfinite(d), d, np.nan)
    if is_probability:
        return d
    count = np.maximum(1, np.isfinite(d).sum(axis=-1, keepdims=True))
    return (scipy.stats.rankdata(d, axis=-1, nan_policy="omit") - 0.5) / count


def shade_label(run: xr.Dataset) -> str:
    """What one run's shades are of."""
    return "D" if common.is_probability(run) else "D, ranks of raw output"


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
        self._limits = np.array([[x.min(), y.min()], [x.max(), y.max()]])
        self.ax = ax
        self.is_probability, self.d_label = common.is_probability(run), shade_label(run)
        self._d = run.d.values
        self.shade = ax.pcolormesh(
            x,
            y,
            np.full((side, side), np.nan),  # until it is shown
            vmin=0,
            vmax=1,
            cmap=SHADE if self.is_probability else SHADE.resampled(BANDS),
            shading="nearest",
            rasterized=True,
        )
        self._real = draw_points(ax, run.target_samples.values, "real", 2, 0.7)
        self._generated = draw_points(ax, np.empty((0, 2)), "generated", 2, 0.7)
        ax.set(xlim=self._limits[:, 0], ylim=self._limits[:, 1])
        width, height = np.ptp(self._limits, axis=0)
        if max(width, height) <= MOST_STRETCH * min(width, height):
            ax.set_aspect("equal")
        # The spines too, since the shade is drawn over them.
        above = [self._real, self._generated, *ax.spines.values(), ax.title]
        self.artists: list[Artist] = [self.shade, *above]

    def show(self, i: int) -> list[str]:
        """Move on to log point `i`; what it can't show, in words, and how far a raw D goes."""
        points = self._samples[i]
        self.shade.set_array(shades(self._d[i], self.is_probability))
        self._generated.set_data(*points.T)
        finite = np.isfinite(points).all(axis=-1)
        inside = ((points >= self._limits[0]) & (points <= self._limits[1])).all(axis=-1)
        if not finite.any():
            return ["nothing finite to draw"]
        outside = f"{np.count_nonzero(~inside)} of {len(points)} outside"
        return [*self._span(i), *([] if inside.all() else [outside])]

    def _span(self, i: int) -> list[str]:
        """How far a raw D goes here, which its ranks do not show."""
        d = self._d[i][np.isfinite(self._d[i])]
        return [] if self.is_probability or not d.size else [f"D spans {np.ptp(d):.2g}"]


def draw_scales(figure: Figure, rows: Sequence[Sequence[PlanePanel]]) -> None:
    """The scale of D's shades beside the axes; one a row unless it is the same of all."""
    if len({row[0].is_probability for row in rows}) == 1:
        rows = [[panel for row in rows for panel in row]]
    for row in rows:
        layout.color_bar(figure, row[0].shade, [panel.ax for panel in row], row[0].d_label)


def _grid(
    selection: Selection, columns: Sequence[tuple[int | None, int]], what: str, seeds: str
) -> Figure:
    """A row a setting, and in each column a seed's points at a log point."""
    ds, frame, note = common.ranked(selection, common.MAX_ROWS)
    assert selection.snapshots is not None
    height = 0.25 + min(1.6, (selection.width - 1.2) / len(columns))
    shared = {"sharex": "row", "sharey": "row"}
    figure, axes = layout.rows_of_panels(
        selection.width, len(frame), [""] * len(columns), height, **shared
    )
    shown = list(dict.fromkeys(seed for seed, _ in columns))
    films = common.films(ds, selection.snapshots.sel(setting=ds.setting), shown)
    rows: list[list[PlanePanel]] = []
    for setting, runs, row in zip(frame.setting, films, axes, strict=True):
        rows.append([])
        for (seed, i), ax in zip(columns, row, strict=True):
            run = common.in_plane(runs[shown.index(seed)])
            rows[-1].append(panel := PlanePanel(ax, run))
            step = common.wrapped(common.moment(run.step.values[i]), TITLE_CHARACTERS)
            heading = [step] if len(shown) == 1 else [f"seed {seed}: {common.fate(run)}"]
            ax.set_title("\n".join([*heading, *panel.show(i)]))
        fate = f"\n({common.fate(runs[0])})" if len(shown) == 1 else ""
        at_most = layout.characters(height)
        row[0].set_ylabel(common.row_name(setting, at_most) + fate)
    draw_scales(figure, rows)
    dim = selection.runs.sizes["dim"]
    more = f"the first 2 of {dim} columns" if dim > 2 else ""
    layout.finish(figure, ds, what, more, note, seeds=seeds, markerscale=2)
    return figure


def samples(selection: Selection) -> Figure | None:
    """Real and generated points over D's output at a few checkpoints of one seed's training.

    None in 1-D and without snapshots.
    """
    snapshots, seed = selection.snapshots, selection.seed
    if not common.is_plane(selection.runs) or snapshots is None or not can_show(selection):
        return None
    most = min(CHECKPOINTS, layout.columns_in(selection.width - 1.2, 1))
    chosen = common.checkpoints(snapshots.sizes["step"], most)
    what = "real and generated points during training"
    return _grid(selection, [(seed, int(i)) for i in chosen], what, f"seed {seed}")


def seeds(selection: Selection) -> Figure | None:
    """Real and generated points over D's output after training, of every setting and kept seed.

    None in 1-D and without snapshots.
    """
    snapshots = selection.snapshots
    if not common.is_plane(selection.runs) or snapshots is None or not can_show(selection):
        return None
    most = min(MOST_SEEDS, layout.columns_in(selection.width - 1.2, 1))
    shown = snapshots.snapshot_seed.values[:most].tolist()
    what = f"real and generated points {common.moment(snapshots.step.values[-1])}"
    of = f"the first {len(shown)} of {selection.runs.sizes['seed']} seeds"
    return _grid(selection, [(seed, -1) for seed in shown], what, of)


UPDATES = {"D": ("before D", "after D"), "G": ("after D", "after G")}


def features(selection: Selection) -> Figure | None:
    """D's two last hidden features of real and generated rows around an update of D, and of G.

    Of one seed of the best setting, at a few checkpoints. None where D's last hidden layer has not
    two units.
    """
    runs, snapshots, seed = selection.runs, selection.snapshots, selection.seed
    if snapshots is None or "features" not in snapshots:
        return None
    setting = common.best(selection)
    run = common.one_run(runs, snapshots, setting, seed)
    most = min(CHECKPOINTS, layout.columns_in(selection.width, 1.2))
    chosen = common.checkpoints(run.sizes["step"], most)
    shared = {"sharex": "col", "sharey": "col"}
    figure, axes = layout.rows_of_panels(
        selection.width, 2, [""] * len(chosen), 0.4 + selection.width / len(chosen), **shared
    )
    for (network, moments), row in zip(UPDATES.items(), axes, strict=True):
        for ax, i in zip(row, chosen, strict=True):
            rows = run.features.isel(step=i).sel(moment=list(moments))
            distances = _draw_move(ax, rows.transpose("moment", "source", "row", "feature"))
            when = f"{common.moment(run.step.values[i])}\n" if network == "D" else ""
            ax.set_title(f"{when}{_moved(*distances)}")
        row[0].set_ylabel(f"{network}'s step")
    what = "D's features before (pale) and after one update, arrows: moves of the centroids"
    layout.finish(figure, runs, what, f"{setting} ({common.fate(run)})", seeds=f"seed {seed}")
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
    return f"distance {after:.3g}\n({after - before:+.2g})"
