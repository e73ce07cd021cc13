"""Says how the games of a sweep ended, and what the theory of dynamics says of them.

    python -m gan1d games results/NAME

A game is a setting whose generator is a point on the line and whose D is linear. Printed are, of
each one, the distance from its equilibrium after the last update (median over seeds); the
eigenvalues there of -J, by which the players' own gradients move them in continuous time; and the
spectral radius there of an update, by which distances are multiplied in the long run. The latter
two are of one batch; "-" where an update has no Jacobian.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from gan1d import results
from gan1d.commands import shell
from gan1d.config import experiment
from gan1d.config.fields import ConfigError
from gan1d.report import runs as of_runs
from gan1d.report import statistics, tables

if TYPE_CHECKING:
    from gan1d.gan.setting import Setting

NONE = "there is no game in it, of a point generator against a linear D without a bias"


def main(argv: list[str]) -> int:
    """Print the table; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d games results/NAME")
    try:
        runs = results.load(Path(argv[1]))
        rows = _rows(runs)
    except (results.ResultsError, ConfigError) as error:
        return shell.refuse(str(error))
    if not rows:
        return shell.refuse(f"{argv[1]}: {NONE}")
    print(f"{tables.markdown(rows)}\n\n{of_runs.caption(runs)}")
    return 0


def _rows(runs: xr.Dataset) -> list[dict[str, str]]:
    if "equilibrium_distance" not in runs:
        return []
    from gan1d.system import backend

    backend.enable_compilation_cache()
    backend.devices()
    last = runs.equilibrium_distance.isel(step=-1).transpose("setting", "seed").values
    settings = experiment.resolve(json.loads(runs.attrs["config"])).settings
    rows = []
    for i, (label, setting) in enumerate(zip(runs.setting.values, settings, strict=True)):
        known = last[i][~np.isnan(last[i])].astype(float)
        if known.size:
            eigenvalues, radius = _theory(setting)
            rows.append(
                {
                    "#": str(i + 1),
                    "distance": f"{statistics.median(known):.6g}",
                    "eigenvalues": ", ".join(map(_complex, eigenvalues)),
                    "radius": "-" if np.isnan(radius) else f"{radius:.6f}",
                    "setting": str(label),
                }
            )
    return rows


def _theory(setting: "Setting") -> tuple[np.ndarray, float]:
    """The eigenvalues of the game, and the spectral radius of an update, at the equilibrium."""
    from gan1d.gan import inputs, laboratory, randomness
    from gan1d.sweep import cohorts

    (cohort,) = cohorts.group((setting,))
    setting = cohort.example()  # without what has no part in it
    key = randomness.run_key(0)
    state, batch = laboratory.at_equilibrium(setting, key), inputs.draw(setting, key, 0)
    eigenvalues = laboratory.eigenvalues(-laboratory.game_jacobian(setting, state, batch))
    updates = int(setting.averages.lookahead or 1)
    try:
        jacobian = laboratory.update_jacobian(setting, state, batch, updates)
    except ValueError:  # it has none
        return eigenvalues, np.nan
    return eigenvalues, laboratory.spectral_radius(jacobian, updates)


def _complex(value: complex) -> str:
    """A number of the plane, without the part that rounding has left of nothing."""
    least = 1e-6 * max(abs(value), 1)
    real = "" if abs(value.real) < least else f"{value.real:.3g}"
    imaginary = "" if abs(value.imag) < least else f"{value.imag:+.3g}i"
    return f"{real}{imaginary}" or "0"


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
