"""A whole training on the line as one picture: densities over updates, and mean against std."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from gan1d.report import runs as of_runs
from gan1d.report.figures import common, facets, layout, line
from gan1d.report.figures.common import BLUE, GREEN, GREY, Selection

MOST_SETTINGS = 6  # a row each
DENSITY = LinearSegmentedColormap.from_list("density", ["white", BLUE, "#001A33"])
# White where D can't tell, as in the plane.
D_SHADE = LinearSegmentedColormap.from_list("D", ["#7F7F7F", "white", GREEN])
SEEN = (0.03, 0.97)  # of means and of stds, that are to be in view


def training_density(selection: Selection) -> Figure | None:
    """A generator's density over x and updates, and D beside it, of one seed; a row a setting.

    The target's density is at the left. None in 2-D and without snapshots.
    """
    snapshots, seed = selection.snapshots, selection.seed
    if common.is_plane(selection.runs) or snapshots is None or not line.can_show(selection):
        return None
    ds, frame, note = common.ranked(selection, MOST_SETTINGS)
    figure = layout.new_figure(selection.width, 1.45 * len(frame) + 0.3)
    axes = layout.subplots(
        figure, len(frame), 3, sharex="col", sharey="row", width_ratios=[1, 4, 4]
    )
    runs = [common.one_run(ds, snapshots, setting, seed) for setting in frame.setting]
    for setting, run, (target, density, d) in zip(frame.setting, runs, axes, strict=True):
        layout.name_row(target, setting, 1.4)
        target.plot(run.target_density, run.x, color="black", lw=1)
        target.set_xticks([])
        target.set_xlim(left=0)
        _draw_density(density, run)
        density.set_title(f"density; {common.fate(run)}")
        d.set_title(common.d_label(run, "D(x)"))
        _draw_d(figure, d, run)
    for ax, label in zip(axes[-1], ("target", "updates", "updates"), strict=True):
        ax.set_xlabel(label)
    what = "the generator's density and D at each x during training"
    layout.finish(figure, ds, what, note, seeds=f"seed {seed}")
    return figure


def _draw_density(ax: Axes, run: xr.Dataset) -> None:
    """The generator's density `[x, update]`, as dark as can be from twice the target's on."""
    samples = run.samples.values[..., 0]
    finite = samples[np.isfinite(samples)]
    edges = line.view(run.x, finite[None])
    density = line.generated_masses(run, edges) / np.diff(edges)
    ax.pcolormesh(
        run.step,
        (edges[1:] + edges[:-1]) / 2,
        density.T,
        cmap=DENSITY,
        vmin=0,
        vmax=2 * float(run.target_density.max()),
        shading="nearest",
        rasterized=True,
    )
    _finish_axes(ax, run)
    ax.set_ylim(edges[0], edges[-1])


def _draw_d(figure: Figure, ax: Axes, run: xr.Dataset) -> None:
    """D `[x, update]` where it is known, with its scale."""
    low, high = common.d_limits(run)
    shade = ax.pcolormesh(
        run.step,
        run.x,
        run.d.values.T,
        cmap=D_SHADE if common.is_probability(run) else "viridis",
        vmin=low,
        vmax=high,
        shading="nearest",
        rasterized=True,
    )
    _finish_axes(ax, run)
    layout.color_bar(figure, shade, ax, common.d_label(run))


def _finish_axes(ax: Axes, run: xr.Dataset) -> None:
    ax.set_facecolor("#E5E5E5")  # what is not known: beyond D's range, or after a divergence
    ax.set_xlim(0, run.step.values[-1])
    ax.tick_params(labelleft=False)


def moments(selection: Selection) -> Figure | None:
    """Phase portrait of training: the generators' std against their mean, a line a seed.

    Every line ends in a dot of its verdict's colour. None in 2-D.
    """
    runs = selection.runs
    if common.is_plane(runs) or not common.holds(runs, "generated_mean", "target_mean"):
        return None
    (ds, frame, note), plan = facets.planned(selection)
    paths = np.stack([ds.generated_mean.values, ds.generated_std.values], axis=-1)
    targets = np.stack([ds.target_mean.values, ds.target_std.values], axis=-1)
    finite = paths[np.isfinite(paths).all(axis=-1)]
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "mean", "std", sharex=True, sharey=True)
    size = 9 if ds.sizes["seed"] < 50 else 4
    for i, cell in enumerate(cells):
        ended = of_runs.finished(ds)[i]
        known = [path[np.isfinite(path).all(axis=-1)] for path in paths[i]]
        _draw_paths(cell.ax, [path for path in known if len(path)])
        for verdict, color in reversed(common.VERDICT_COLORS.items()):  # successes on top
            code = list(common.VERDICT_COLORS).index(verdict)
            chosen = ended & (ds.verdict.values[i] == code)
            ends = [path[-1] for path, one in zip(known, chosen, strict=True) if one and len(path)]
            if ends:
                x, y = np.array(ends).T
                cell.ax.scatter(x, y, s=size, color=color, lw=0, zorder=3)
                cell.ax.collections[-1].set_label(verdict)
        cell.ax.plot(*targets[i], "+", color="black", ms=9, mew=1.5, zorder=4, label="target")
        cell.title(common.counted(frame.loc[i]))
    if len(finite):
        low, high = np.quantile(finite, SEEN, axis=0)
        low, high = np.minimum(low, targets.min(0)), np.maximum(high, targets.max(0))
        margin = 0.08 * (high[0] - low[0]) + 1e-6
        cells[0].ax.set(xlim=(low[0] - margin, high[0] + margin))
        cells[0].ax.set_ylim(max(low[1], 1e-3 * high[1]) / 1.5, high[1] * 1.5)
        layout.logarithmic(cells[0].ax, "y", plan.panel[1])
    said = f"the view holds {100 * (SEEN[1] - SEEN[0]):.0f}% of means and of stds"
    layout.finish(figure, ds, "std against mean of generators during training", said, note)
    return figure


def _draw_paths(ax: Axes, paths: list[np.ndarray]) -> None:
    """A line a seed, and where they begin."""
    lines = LineCollection(paths, color=GREY, lw=0.5, alpha=0.7, zorder=1, rasterized=True)
    lines.set_label("a seed, look by look")
    ax.add_collection(lines)
    if paths:
        starts = np.array([path[0] for path in paths]).T
        ax.plot(*starts, ".", color="#666666", ms=1, zorder=2, label="before training")
