"""Densities on the real line: of all seeds, and of one run together with its discriminator."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.report.figures import common, facets, layout
from gan1d.report.figures.common import BLUE, GREEN, Selection

TALLEST = 2.5  # of an axis of densities, in heights of the target's
REACH = 2  # ranges of x, on either side of it, that a view may go to hold generators
PANEL = (2.1, 1.45)  # inches
BULK = (0.02, 0.98)  # of samples, that a view is to hold


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


def view(x: np.ndarray, samples: np.ndarray) -> np.ndarray:
    """Edges of bins as wide as those over `x`, as far as it takes to hold the bulk of samples.

    Each row of samples `[..., point]` counts; what is far beyond `x` is left out.
    """
    edges = bin_edges(x)
    finite = samples[np.isfinite(samples).all(axis=-1)]
    if not finite.size:
        return edges
    lows, highs = np.quantile(finite, BULK, axis=-1)
    width, most = edges[1] - edges[0], REACH * (len(edges) - 1)
    below = int(np.clip(np.ceil((edges[0] - lows.min()) / width), 0, most))
    above = int(np.clip(np.ceil((highs.max() - edges[-1]) / width), 0, most))
    before = edges[0] - width * np.arange(below, 0, -1)
    return np.concatenate([before, edges, edges[-1] + width * np.arange(1, above + 1)])


def generated_masses(run: xr.Dataset, edges: np.ndarray) -> np.ndarray:
    """The mass `[step, bin]` that a run's generator puts in each bin.

    By its latents' order where they have one dimension, by counting points where they have more.
    """
    samples = run.samples.values[..., 0]
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
    (ds, frame, note), plan = facets.planned(selection)
    same_target = _same(ds.x) and _same(ds.target_density)
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "x", "density", sharex=same_target, sharey=same_target)
    for i, cell in enumerate(cells):
        ax, run = cell.ax, ds.isel(setting=i)
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
            inside = masses.sum(axis=1).mean()
            notes = [_outside(inside)] if 1 - inside >= 0.005 else []
            if mean.max() > TALLEST * float(run.target_density.max()):
                notes.append(f"mean cut off, peak at {mean.max():.2g}")
        _draw_target(ax, run)
        cell.title(_status(frame.loc[i]), *notes)
    layout.finish(figure, ds, f"densities {common.moment(ds.step.values[-1])}", note)
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

    def __init__(self, ax: Axes, run: xr.Dataset, edges: np.ndarray):
        """Draw what does not change; `run` is from `common.one_run`, `edges` from `view`."""
        self._edges = edges
        self._masses = generated_masses(run, edges)
        self._d = run.d.values
        self._ax, self.d_ax = ax, ax.twinx()
        _draw_target(ax, run)
        ax.set_xlim(edges[0], edges[-1])
        layout.set_ticks_style([self.d_ax])
        self.d_ax.tick_params(colors=GREEN)
        self.d_ax.set_ylim(*common.d_limits(run))
        if common.is_probability(run):
            self.d_ax.axhline(0.5, color=GREEN, lw=0.6, ls=":", label="D = 1/2")
        nothing = np.zeros(len(edges) - 1)
        self._density = ax.stairs(
            nothing, edges, fill=True, color=BLUE, alpha=0.5, label="generator density"
        )
        label = f"{common.d_label(run, 'D(x)')}, right axis"
        (self._line,) = self.d_ax.plot(run.x, self._d[0], color=GREEN, lw=1.2, label=label)
        self.artists: list[Artist] = [self._density, self._line, ax.title]

    def show(self, i: int) -> list[str]:
        """Move on to log point `i`; what it can't show, in words."""
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
        return notes


def boundary(selection: Selection) -> Figure | None:
    """Target density, generator density and D over x after training, and once before, of one seed.

    What is alike before training, for all settings or some, is drawn once. None in 2-D and without
    snapshots.
    """
    snapshots, seed = selection.snapshots, selection.seed
    if common.is_plane(selection.runs) or snapshots is None or not can_show(selection):
        return None
    (ds, frame, note), plan = facets.planned(selection, panel=PANEL)
    runs = [common.one_run(ds, snapshots, setting, seed) for setting in frame.setting]
    alike = _alike_before(runs)
    names = [_of(runs, each) for each in alike]
    before = facets.wall(names, selection.width, PANEL, columns=plan.shape[1])
    heights = [before.height, plan.height]
    figure = layout.new_figure(selection.width, sum(heights))
    upper, lower = figure.subfigures(2, 1, squeeze=False, height_ratios=heights)[:, 0]
    same_target = _same(ds.x) and _same(ds.target_density)
    first = before.draw(upper, "", f"density {common.moment(0)}", sharey=same_target)
    after = f"density {common.moment(ds.step.values[-1])}"
    last = plan.draw(lower, "x", after, sharey=same_target)
    shown = [(cell, each[0], 0) for cell, each in zip(first, alike, strict=True)]
    shown += [(cell, i, -1) for i, cell in enumerate(last)]
    for cell, i, at in shown:
        panel = LinePanel(cell.ax, runs[i], view(runs[i].x, runs[i].samples.values[[at], :, 0]))
        notes = panel.show(at)
        if same_target and common.is_probability(runs[i]):
            panel.d_ax.tick_params(labelright=cell.is_last)
        cell.title("" if at == 0 else common.fate(runs[i]), "; ".join(notes))
    what = "densities and D before and after training"
    layout.finish(figure, ds, what, note, seeds=f"seed {seed}")
    return figure


def _same(values: xr.DataArray) -> bool:
    """Whether all settings have the same."""
    return bool((values == values[0]).all())


def _alike_before(runs: list[xr.Dataset]) -> list[list[int]]:
    """The runs that are the same before training, players and target, together."""
    groups: dict[tuple[bytes, ...], list[int]] = {}
    for i, run in enumerate(runs):
        parts = run.samples.values[0], run.d.values[0], run.target_density.values
        key = tuple(np.asarray(part, np.float32).round(4).tobytes() for part in parts)
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _of(runs: list[xr.Dataset], group: list[int]) -> str:
    """Which settings runs are of, in words."""
    if len(group) == len(runs):
        return "all settings" if len(runs) > 1 else str(runs[0].setting.values)
    others = f" and {len(group) - 1} more" if len(group) > 1 else ""
    return f"{runs[group[0]].setting.values}{others}"


def _outside(inside: float) -> str:
    """How much mass is not within the axes, where so much is; sums of shares may exceed 1."""
    return f"{common.percent(max(1 - inside, 0.0))} of mass outside"
