"""Densities on the real line: of all seeds, and of one run together with its discriminator."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, GREEN, Selection

TALLEST = 2.5  # of an axis of densities, in heights of the target's


def bin_masses(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """What `[..., point]`, a map's values on an even grid of probability, put in each bin.

    Each interval between neighbouring points carries the same mass, spread evenly between their two
    values: exact where the map is linear between them. What `edges` leave out is missing.
    """
    values = np.asarray(values, float)
    start = np.minimum(values[..., :-1], values[..., 1:])
    width = np.abs(np.diff(values))
    flat = width == 0
    width = np.where(flat, 1, width)
    edges = np.array(edges, float)
    edges[-1] = np.nextafter(edges[-1], np.inf)  # the last bin holds both its edges
    below = [
        np.where(flat, edge > start, np.clip((edge - start) / width, 0, 1)).mean(axis=-1)
        for edge in edges
    ]
    return np.diff(np.stack(below, axis=-1))


def bin_edges(x: np.ndarray) -> np.ndarray:
    """Edges of the bins of a run's density over the grid `x`: every other point."""
    return np.asarray(x, float)[::2]


def generated_masses(run: xr.Dataset) -> np.ndarray:
    """The mass `[step, bin]` that a run's generator puts in each bin.

    By its latents' order where they have one dimension, by counting points where they have more.
    """
    samples, edges = run.samples.values[..., 0], bin_edges(run.x)
    if np.isfinite(run.latent.values).all(axis=0).sum() == 1:
        return bin_masses(samples, edges)
    counts = np.stack([np.histogram(row, edges)[0] for row in samples])
    lost = np.isnan(samples).any(axis=-1, keepdims=True)
    return np.where(lost, np.nan, counts / samples.shape[-1])


def densities(selection: Selection) -> Figure | None:
    """Target density, the final generators' densities, and their mean over seeds.

    How much of the mean's mass lies outside is said. None in 2-D.
    """
    runs = selection.runs
    if common.is_plane(runs) or not common.holds(runs, "x", "target_density", "quantiles"):
        return None
    ds, frame, note = common.ranked(selection)
    same_target = bool(
        (ds.x == ds.x[0]).all() and (ds.target_density == ds.target_density[0]).all()
    )
    figure, axes = common.panels(len(frame), "x", sharex=same_target, sharey=same_target)
    for i, ax in enumerate(axes):
        run = ds.isel(setting=i)
        edges = bin_edges(run.x)[::2]  # a run's final quantiles are fewer than its samples
        centres = (edges[1:] + edges[:-1]) / 2
        final = run.quantiles.values[np.isfinite(run.quantiles.values).all(axis=-1)]
        masses = bin_masses(final, edges)
        density = masses / np.diff(edges)
        curves = [np.column_stack([centres, each]) for each in density]
        common.draw_behind(ax, curves, "generators, a line a seed")
        notes = []
        if len(density):
            mean = density.mean(axis=0)
            ax.plot(centres, mean, color=BLUE, lw=1.5, label="their mean over seeds")
            notes = [_outside(masses.sum(axis=1).mean())]
            if mean.max() > TALLEST * float(run.target_density.max()):
                notes.append(f"mean cut off, peak at {mean.max():.2g}")
        _draw_target(ax, run)
        title = [common.wrapped(frame.setting[i]), _status(frame.loc[i]), *notes]
        ax.set_title("\n".join(title), fontsize=common.TITLE)
    figure.supylabel("density", fontsize=9)
    common.set_title(figure, ds, f"densities {common.moment(ds.step.values[-1])}", note)
    common.legend(figure)
    return figure


def _status(row: pd.Series) -> str:
    """What became of a setting's runs, in two lines."""
    if row.finished == 0:
        return "no finished run"
    success, collapsed = common.percent(row.success_rate), common.percent(row.collapsed_rate)
    return f"success {success}, collapsed {collapsed}\n{common.counted(row)}"


def _draw_target(ax: Axes, run: xr.Dataset) -> None:
    ax.plot(run.x, run.target_density, color="black", lw=1, ls="--", label="target density")
    ax.set_ylim(0, TALLEST * float(run.target_density.max()))


def can_show(selection: Selection) -> bool:
    """Whether results have what a LinePanel is drawn from."""
    return common.holds(selection.runs, "x", "target_density") and common.holds(
        selection.snapshots, "samples", "latent", "d"
    )


class LinePanel:
    """Target density, generator density and D over x of one run, at one log point at a time."""

    def __init__(self, ax: Axes, run: xr.Dataset):
        """Draw what does not change; `run` is from `common.one_run`."""
        self._edges = bin_edges(run.x)
        self._masses = generated_masses(run)
        self._d = run.d.values
        self._ax, self.d_ax = ax, ax.twinx()
        _draw_target(ax, run)
        ax.set_xlim(self._edges[0], self._edges[-1])
        self.d_ax.tick_params(labelsize=7, colors=GREEN)
        self.d_ax.set_ylim(*common.d_limits(run))
        if common.is_probability(run):
            self.d_ax.axhline(0.5, color=GREEN, lw=0.6, ls=":", label="D = 1/2")
        nothing = np.zeros(len(self._edges) - 1)
        self._density = ax.stairs(
            nothing, self._edges, fill=True, color=BLUE, alpha=0.5, label="generator density"
        )
        label = f"{common.d_label(run, 'D(x)')}, right axis"
        (self._line,) = self.d_ax.plot(run.x, self._d[0], color=GREEN, lw=1.2, label=label)
        self.artists: list[Artist] = [self._density, self._line, ax.title]

    def show(self, i: int, heading: str) -> None:
        """Move on to log point `i`, and say above the panel what it can't show."""
        masses = self._masses[i]
        density = masses / np.diff(self._edges)
        self._line.set_ydata(self._d[i])
        self._density.set_data(density)
        notes = []
        if np.isnan(masses).any():
            notes.append("nothing finite to draw")
        if 1 - masses.sum() >= 0.005:
            notes.append(_outside(masses.sum()))
        if density.max() > self._ax.get_ylim()[1]:
            notes.append(f"peak of {density.max():.2g} cut off")
        self._ax.set_title(f"{heading}\n{'; '.join(notes)}", fontsize=common.TITLE)


def boundary(selection: Selection) -> Figure | None:
    """Target density, generator density and D over x, before and after training, of one seed.

    None in 2-D and without snapshots.
    """
    snapshots, seed = selection.snapshots, selection.seed
    if common.is_plane(selection.runs) or snapshots is None or not can_show(selection):
        return None
    ds, frame, note = common.ranked(selection, common.MAX_ROWS)
    figure, axes = common.rows_of_panels(len(frame), ["x", "x"], (3.4, 2.3))
    for setting, row in zip(frame.setting, axes, strict=True):
        run = common.one_run(ds, snapshots, setting, seed)
        headings = (common.moment(0), f"{common.moment(run.step.values[-1])}: {common.fate(run)}")
        for ax, i, heading in zip(row, (0, -1), headings, strict=True):
            panel = LinePanel(ax, run)
            panel.show(i, f"{common.wrapped(setting, 46)}\n{heading}")
            panel.d_ax.tick_params(labelright=ax is row[-1])
    figure.supylabel("density", fontsize=9)
    common.set_title(
        figure, ds, "densities and D before and after training", note, seeds=f"seed {seed}"
    )
    common.legend(figure)
    return figure


def _outside(inside: float) -> str:
    """How much mass is not within the axes, where so much is; sums of shares may exceed 1."""
    return f"{common.percent(max(1 - inside, 0.0))} of mass outside"
