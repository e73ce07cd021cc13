"""Says how the games of a sweep ended, and what the theory of dynamics says of them.

    python -m gan1d games results/NAME [--draw]

A game is a setting whose generator is a point on the line and whose D is linear. Printed are, of
each one, the distance from its equilibrium after the last update (median over seeds); the
eigenvalues there of -J, by which the players' own gradients move them in continuous time; and the
spectral radius there of an update, by which distances are multiplied in the long run. The latter
two are of one batch; "-" where an update has no Jacobian. With --draw there are trajectories over
the field of the players' gradients, too (figures/phase.png), and the eigenvalues of updates in the
complex plane (figures/spectra.png).
"""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import xarray as xr
from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.commands.shared_flags import DRAW
from gan1d.config import experiment
from gan1d.config.fields import ConfigError
from gan1d.report import drawing, statistics, tables
from gan1d.report import runs as of_runs

if TYPE_CHECKING:
    from gan1d.gan.inputs import Batch
    from gan1d.gan.networks import DiscriminatorFields, GeneratorFields
    from gan1d.gan.setting import Setting
    from gan1d.gan.train import State

    Player = TypeVar("Player", GeneratorFields, DiscriminatorFields)

NONE = "there is no game in it, of a point generator against a linear D without a bias"
DRAWN = ("phase", "spectra")
NODES = 15  # of a vector field, each way
PARTS = np.linspace(0, 1, 25)  # of their rates at which updates' eigenvalues are drawn

flags.declare_key_flag("draw")


class Game(NamedTuple):
    """A setting that is one, as it is trained alone, at its equilibrium."""

    setting: "Setting"
    state: "State"
    batch: "Batch"


def main(argv: list[str]) -> int:
    """Print the table, and draw if it is asked for; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d games results/NAME [--draw]")
    folder = Path(argv[1])
    try:
        runs = results.load(folder)
        games = _games(runs)
        if not games:
            return shell.refuse(f"{folder}: {NONE}")
        rows = [_row(runs, i, game) for i, game in games.items()]
        print(f"{tables.markdown(rows)}\n\n{of_runs.caption(runs)}")
        if DRAW.value:
            whole = runs.assign(_variables(runs, games))
            drawn = drawing.draw_all(folder, whole, None, tables.summary(runs), DRAWN)
            print(*drawn, sep="\n")
    except (results.ResultsError, ConfigError) as error:
        return shell.refuse(str(error))
    return 0


def _games(runs: xr.Dataset) -> dict[int, Game]:
    """Each setting that is a game, by its index."""
    if "equilibrium_distance" not in runs:
        return {}
    from gan1d.gan import inputs, laboratory, randomness
    from gan1d.sweep import cohorts
    from gan1d.system import backend

    backend.enable_compilation_cache()
    backend.devices()
    key = randomness.run_key(0)
    games = {}
    settings = experiment.resolve(json.loads(runs.attrs["config"])).settings
    known = runs.equilibrium_distance.notnull().any(["seed", "step"]).values
    for i in np.flatnonzero(known):
        (cohort,) = cohorts.group((settings[i],))
        setting = cohort.example()  # without what has no part in it
        batch = inputs.draw(setting, key, 0)
        games[int(i)] = Game(setting, laboratory.at_equilibrium(setting, key), batch)
    return games


def _row(runs: xr.Dataset, i: int, game: Game) -> dict[str, str]:
    from gan1d.gan import laboratory

    last = runs.equilibrium_distance.isel(setting=i, step=-1).values
    distance = statistics.median(last[~np.isnan(last)].astype(float))
    eigenvalues = laboratory.eigenvalues(-laboratory.game_jacobian(*game))
    radius = np.abs(_spectrum(game, 1.0)[0])
    return {
        "#": str(i + 1),
        "distance": f"{distance:.6g}",
        "eigenvalues": ", ".join(map(_complex, eigenvalues)),
        "radius": "-" if np.isnan(radius) else f"{radius:.6f}",
        "setting": str(runs.setting.values[i]),
    }


def _spectrum(game: Game, part: float) -> np.ndarray:
    """The eigenvalues `[M]` of an update at a part of its rates; NaN where it has no Jacobian."""
    from gan1d.gan import laboratory

    updates = int(game.setting.averages.lookahead or 1)
    slower = game._replace(setting=_slower(game.setting, part))
    try:
        jacobian = laboratory.update_jacobian(*slower, updates)
    except ValueError:  # it has none
        return np.full(1, np.nan + 0j)
    return laboratory.eigenvalues(jacobian) ** (1 / updates)


def _flow(game: Game) -> np.ndarray:
    """Those `[PARTS, 2]` of the way that it would take along -v in continuous time."""
    from gan1d.gan import laboratory

    g, d, training = game.setting.generator, game.setting.discriminator, game.setting.training
    lengths = [g.optimizer.rate * training.g_steps, d.optimizer.rate * training.d_steps]
    jacobian = laboratory.game_jacobian(*game)
    return np.exp(PARTS[:, None] * laboratory.eigenvalues(-np.diag(lengths) @ jacobian))


def _field(game: Game, places: np.ndarray) -> np.ndarray:
    """-v `[N, 2]` at places `[N, 2]`."""
    import jax
    from jax.flatten_util import ravel_pytree

    from gan1d.gan import laboratory

    v, (_, restored) = laboratory.gradients(*game), ravel_pytree(game.state.params)
    at = jax.vmap(lambda place: -ravel_pytree(v(restored(place)))[0])
    return np.asarray(at(jax.numpy.asarray(places)))


def _slower(setting: "Setting", part: float) -> "Setting":
    """The same with a part of both players' rates."""

    def slower(player: "Player") -> "Player":
        optimizer = dataclasses.replace(player.optimizer, rate=player.optimizer.rate * part)
        return dataclasses.replace(player, optimizer=optimizer)

    return dataclasses.replace(
        setting, generator=slower(setting.generator), discriminator=slower(setting.discriminator)
    )


def _places(runs: xr.Dataset) -> np.ndarray:
    """A grid `[N, 2]` over where the runs of one game went, and where its equilibrium is."""
    ways = []
    for values, rest in ((runs.generated_mean, float(runs.target_mean)), (runs.d_slope, 0.0)):
        known = values.values[np.isfinite(values.values)]
        low, high = min(known.min(), rest), max(known.max(), rest)
        if low == high:
            low, high = low - 1, high + 1
        ways.append(np.linspace(low, high, NODES, dtype=np.float32))
    return np.stack(np.meshgrid(*ways), -1).reshape(-1, 2)


def _variables(runs: xr.Dataset, games: dict[int, Game]) -> dict[str, tuple[tuple, np.ndarray]]:
    """What figures draw of the theory: variables of all settings, NaN where one is no game."""
    count = runs.sizes["setting"]
    spectra = {i: np.array([_spectrum(game, x) for x in PARTS]) for i, game in games.items()}
    numbers = max(each.shape[1] for each in spectra.values())
    updates = np.full((count, len(PARTS), numbers), np.nan + 0j)
    flow = np.full((count, len(PARTS), 2), np.nan + 0j)
    places, field = np.full((2, count, NODES**2, 2), np.nan)
    for i, game in games.items():
        updates[i, :, : spectra[i].shape[1]] = spectra[i]
        flow[i], places[i] = _flow(game), _places(runs.isel(setting=i))
        field[i] = _field(game, places[i].astype(np.float32))
    return {
        "update_eigenvalue": (("setting", "part", "number"), updates),
        "flow_eigenvalue": (("setting", "part", "player"), flow),
        "place": (("setting", "node", "player"), places),
        "field": (("setting", "node", "player"), field),
    }


def _complex(value: complex) -> str:
    """A number of the plane, without the part that rounding has left of nothing."""
    least = 1e-6 * max(abs(value), 1)
    real = "" if abs(value.real) < least else f"{value.real:.3g}"
    imaginary = "" if abs(value.imag) < least else f"{value.imag:+.3g}i"
    return f"{real}{imaginary}" or "0"


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
