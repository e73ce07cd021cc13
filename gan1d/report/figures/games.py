"""Games of two numbers, theta and psi: where they went, and what theory says of them."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gan1d.report.figures import common, facets, layout
from gan1d.report.figures.common import BLUE, GREY, ORANGE, VERMILLION, Selection

MOST_SEEDS = 8  # of which trajectories can be told apart
PANEL = (1.65, 1.75)  # inches, near to a square


def phase(selection: Selection) -> Figure | None:
    """Trajectories of a point generator and the slope of its D, around their equilibrium.

    A panel a setting, and a line a seed, of the first ones; where `python -m gan1d games` draws,
    over the field of the players' gradients. None where no setting is such a game.
    """
    runs = selection.runs
    if not common.holds(runs, "d_slope", "generated_mean", "target_mean"):
        return None
    known = runs.d_slope.notnull().any(["seed", "step"]).values
    if not known.any():
        return None
    among = runs.setting.values[known].tolist()
    (ds, frame, note), plan = facets.planned(selection, among, panel=PANEL)
    ds = ds.isel(seed=slice(MOST_SEEDS))
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "theta, where the generator is", "psi, the slope of D")
    for i, cell in enumerate(cells):
        ax = cell.ax
        theta, psi = (ds[name].values[i].T for name in ("generated_mean", "d_slope"))
        if "field" in ds:
            _draw_field(ax, ds.place.values[i], ds.field.values[i])
        ax.plot(theta, psi, color=BLUE, lw=0.6, zorder=2)
        ax.lines[0].set_label("a seed, look by look")
        ends = _last(theta), _last(psi)
        ax.plot(theta[0], psi[0], "o", color=ORANGE, ms=4, zorder=3, label="its beginning")
        ax.plot(*ends, "o", color=VERMILLION, ms=4, zorder=3, label="its end")
        ax.plot(ds.target_mean.values[i], 0, "k+", ms=9, zorder=4, label="equilibrium")
        ax.locator_params(nbins=4)
        cell.title(common.counted(frame.loc[i]))
    shown = f"the first {MOST_SEEDS} seeds" if runs.sizes["seed"] > MOST_SEEDS else ""
    layout.finish(figure, selection.runs, "trajectories of games", shown, note)
    return figure


def _draw_field(ax: Axes, places: np.ndarray, field: np.ndarray) -> None:
    """Arrows of one length `[N, 2]` in the axes' own units: where -v points to."""
    ways = field / np.ptp(places, axis=0)
    ways = ways / np.maximum(np.hypot(*ways.T), 1e-30)[:, None]
    ax.quiver(
        *places.T,
        *ways.T,
        color=GREY,
        angles="uv",
        pivot="mid",
        scale=22,
        width=0.005,
        zorder=1,
        label="where the players' own gradients lead",
    )


def spectra(selection: Selection) -> Figure | None:
    """Eigenvalues of games' updates in the complex plane: by `python -m gan1d games --draw` only.

    A panel a setting: of an update at its equilibrium, at steps that grow from 0 to its own, beside
    those of the way that it would take in continuous time.
    """
    runs = selection.runs
    if not common.holds(runs, "update_eigenvalue", "flow_eigenvalue"):
        return None
    known = runs.update_eigenvalue.notnull().any(["part", "number"]).values
    if not known.any():
        return None
    among = runs.setting.values[known].tolist()
    (ds, _, note), plan = facets.planned(selection, among, panel=PANEL)
    figure = layout.new_figure(selection.width, plan.height)
    cells = plan.draw(figure, "real part", "imaginary part")
    circle = np.exp(2j * np.pi * np.linspace(0, 1, 200))
    for i, cell in enumerate(cells):
        ax = cell.ax
        updates, flow = ds.update_eigenvalue.values[i], ds.flow_eigenvalue.values[i]
        ends = updates[-1][np.isfinite(updates[-1])]
        ax.plot(circle.real, circle.imag, color=GREY, lw=0.8, label="size 1", zorder=1)
        ax.plot(flow.real, flow.imag, color=ORANGE, lw=3, alpha=0.6, zorder=2)
        ax.lines[-1].set_label("of the game in continuous time, step from 0 to its own")
        ax.plot(updates.real, updates.imag, ".", color=BLUE, ms=3, zorder=3)
        ax.lines[-1].set_label("of an update, step from 0 to its own")
        ax.plot(ends.real, ends.imag, "o", color=VERMILLION, ms=5, zorder=4)
        ax.lines[-1].set_label("of an update")
        _show(ax, np.concatenate([[1], flow[-1], ends]))
        cell.title(f"largest: {np.abs(ends).max():.6f}")
    layout.finish(figure, runs, "eigenvalues of updates at the equilibrium", note)
    return figure


def _show(ax: Axes, numbers: np.ndarray) -> None:
    """A square of the complex plane that holds these numbers, real axis in the middle."""
    low, high = numbers.real.min(), numbers.real.max()
    half = 1.2 * max(0.1, (high - low) / 2, np.abs(numbers.imag).max())
    ax.set_xlim((low + high) / 2 - half, (low + high) / 2 + half)
    ax.set_ylim(-half, half)
    ax.set_box_aspect(1)
    ax.locator_params(nbins=4)


def _last(values: np.ndarray) -> np.ndarray:
    """The last number that is known of each run `[step, run]`; NaN where none is."""
    steps = np.arange(len(values))[:, None]
    at = np.where(np.isfinite(values), steps, 0).max(axis=0)
    return np.take_along_axis(values, at[None], axis=0)[0]
