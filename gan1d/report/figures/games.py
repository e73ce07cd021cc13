"""Games of two numbers, theta and psi: where they went."""

import numpy as np
from matplotlib.figure import Figure

from gan1d.report.figures import common
from gan1d.report.figures.common import BLUE, ORANGE, VERMILLION, Selection

MOST_SEEDS = 8  # of which trajectories can be told apart


def phase(selection: Selection) -> Figure | None:
    """Trajectories of a point generator and the slope of its D, around their equilibrium.

    A panel a setting, and a line a seed, of the first ones. None where no setting is such a game.
    """
    runs = selection.runs
    if not common.holds(runs, "d_slope", "generated_mean", "target_mean"):
        return None
    known = runs.d_slope.notnull().any(["seed", "step"]).values
    if not known.any():
        return None
    ds, frame, note = common.ranked(selection, among=runs.setting.values[known].tolist())
    ds = ds.isel(seed=slice(MOST_SEEDS))
    figure, axes = common.panels(len(frame), "theta, where the generator is")
    for i, ax in enumerate(axes):
        theta, psi = (ds[name].values[i].T for name in ("generated_mean", "d_slope"))
        ax.plot(theta, psi, color=BLUE, lw=0.6, zorder=2)
        ax.lines[0].set_label("a seed, look by look")
        ends = _last(theta), _last(psi)
        ax.plot(theta[0], psi[0], "o", color=ORANGE, ms=4, zorder=3, label="its beginning")
        ax.plot(*ends, "o", color=VERMILLION, ms=4, zorder=3, label="its end")
        ax.plot(ds.target_mean.values[i], 0, "k+", ms=9, zorder=4, label="equilibrium")
        ax.set_title(
            "\n".join([common.wrapped(frame.setting[i]), common.counted(frame.loc[i])]),
            fontsize=common.TITLE,
        )
    figure.supylabel("psi, the slope of D", fontsize=9)
    shown = f"the first {MOST_SEEDS} seeds" if runs.sizes["seed"] > MOST_SEEDS else ""
    common.set_title(figure, selection.runs, "trajectories of games", shown, note)
    common.legend(figure)
    return figure


def _last(values: np.ndarray) -> np.ndarray:
    """The last number that is known of each run `[step, run]`; NaN where none is."""
    steps = np.arange(len(values))[:, None]
    at = np.where(np.isfinite(values), steps, 0).max(axis=0)
    return np.take_along_axis(values, at[None], axis=0)[0]
