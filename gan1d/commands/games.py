"""Says how the games of a sweep ended, and what the theory of dynamics says of them.

    python -m gan1d games results/NAME [--draw]

A game is a setting whose generator is a point on the line and whose D is linear. Printed are, of
each one, the distance from its equilibrium after the last update (median over seeds); the
eigenvalues there of -J, by which the players' own gradients move them in continuous time; and the
spectral radius there of an update, by which distances are multiplied in the long run. The latter
two are of one batch; "-" where an update has no Jacobian.
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
from gan1d.config import experiment
from gan1d.config.fields import ConfigError
from gan1d.report import drawing, statistics, tables
from gan1d.report import runs as of_runs

if TYPE_CHECKING:
    from gan1d.gan.networks import DiscriminatorFields, GeneratorFields
    from gan1d.gan.setting import Setting

    Player = TypeVar("Player", GeneratorFields, DiscriminatorFields)

NONE = "there is no game in it, of a point generator against a linear D without a bias"
DRAWN = ("phase", "spectra")
NODES = 15  # of a vector field, each way
PARTS = np.linspace(0, 1, 25)  # of their rates at which updates' eigenvalues are drawn

_DRAW = flags.DEFINE_bool(
    "draw",
    False,
    "Also draw trajectories over the field of the players' gradients (figures/phase.png), and the "
    "eigenvalues of updates in the complex plane (figures/spectra.png).",
)


class Theory(NamedTuple):
    """What is known of one game, at its equilibrium but for its field."""

    eigenvalues: np.ndarray  # complex [2] of -J
    flow: np.ndarray  # complex [PARTS, 2] of an update's way along -v in continuous time
    spectra: np.ndarray  # complex [PARTS, M] of an update at parts of its rates; NaN: it has none
    radius: float  # of an update; likewise
    places: np.ndarray  # [N, 2] theta and psi
    field: np.ndarray  # [N, 2] -v there


def main(argv: list[str]) -> int:
    """Print the table, and draw if it is asked for; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d games results/NAME [--draw]")
    folder = Path(argv[1])
    try:
        runs = results.load(folder)
        known = _known(runs)
        if not known:
            return shell.refuse(f"{folder}: {NONE}")
        rows = [_row(runs, i, theory) for i, theory in known.items()]
        print(f"{tables.markdown(rows)}\n\n{of_runs.caption(runs)}")
        if _DRAW.value:
            whole = runs.assign(_variables(runs, known))
            drawn = drawing.draw_all(folder, whole, None, tables.summary(runs), DRAWN)
            print(*drawn, sep="\n")
    except (results.ResultsError, ConfigError) as error:
        return shell.refuse(str(error))
    return 0


def _known(runs: xr.Dataset) -> dict[int, Theory]:
    """The theory of each setting that is a game, by its index."""
    if "equilibrium_distance" not in runs:
        return {}
    from gan1d.system import backend

    backend.enable_compilation_cache()
    backend.devices()
    settings = experiment.resolve(json.loads(runs.attrs["config"])).settings
    games = runs.equilibrium_distance.notnull().any(["seed", "step"]).values
    return {
        i: _theory(setting, runs.isel(setting=i)) for i, setting in enumerate(settings) if games[i]
    }


def _row(runs: xr.Dataset, i: int, theory: Theory) -> dict[str, str]:
    last = runs.equilibrium_distance.isel(setting=i, step=-1).values
    distance = statistics.median(last[~np.isnan(last)].astype(float))
    return {
        "#": str(i + 1),
        "distance": f"{distance:.6g}",
        "eigenvalues": ", ".join(map(_complex, theory.eigenvalues)),
        "radius": "-" if np.isnan(theory.radius) else f"{theory.radius:.6f}",
        "setting": str(runs.setting.values[i]),
    }


def _theory(setting: "Setting", runs: xr.Dataset) -> Theory:
    """A game's theory, and its field where these runs of it went."""
    import jax

    from gan1d.gan import inputs, laboratory, randomness
    from gan1d.gan.players import Players
    from gan1d.sweep import cohorts

    (cohort,) = cohorts.group((setting,))
    setting = cohort.example()  # without what has no part in it
    key = randomness.run_key(0)
    state, batch = laboratory.at_equilibrium(setting, key), inputs.draw(setting, key, 0)
    jacobian = laboratory.game_jacobian(setting, state, batch)
    eigenvalues = laboratory.eigenvalues(-jacobian)
    g, d, training = setting.generator, setting.discriminator, setting.training
    lengths = [g.optimizer.rate * training.g_steps, d.optimizer.rate * training.d_steps]
    flow = np.exp(PARTS[:, None] * laboratory.eigenvalues(-np.diag(lengths) @ jacobian))
    updates = int(setting.averages.lookahead or 1)
    try:
        jacobians = [
            laboratory.update_jacobian(_slower(setting, part), state, batch, updates)
            for part in PARTS
        ]
        spectra = np.array(list(map(laboratory.eigenvalues, jacobians))) ** (1 / updates)
        radius = laboratory.spectral_radius(jacobians[-1], updates)
    except ValueError:  # it has none
        spectra, radius = np.full((len(PARTS), 1), np.nan + 0j), np.nan

    v = laboratory.gradients(setting, state, batch)
    structure = jax.tree.structure(state.params)

    def at(place: jax.Array) -> jax.Array:
        shapes = (p.shape for p in jax.tree.leaves(state.params))
        numbers = [x.reshape(shape) for x, shape in zip(place, shapes, strict=True)]
        g, d = v(Players(*jax.tree.unflatten(structure, numbers)))
        return -jax.numpy.stack([leaf.sum() for leaf in jax.tree.leaves((g, d))])

    places = _places(runs)
    field = np.asarray(jax.vmap(at)(jax.numpy.asarray(places)))
    return Theory(eigenvalues, flow, spectra, radius, places, field)


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


def _variables(runs: xr.Dataset, known: dict[int, Theory]) -> dict[str, tuple[tuple, np.ndarray]]:
    """What figures draw of the theory: variables of all settings, NaN where one is no game."""
    count = runs.sizes["setting"]
    numbers = max(theory.spectra.shape[1] for theory in known.values())
    spectra = np.full((count, len(PARTS), numbers), np.nan + 0j)
    flow = np.full((count, len(PARTS), 2), np.nan + 0j)
    places, field = np.full((2, count, NODES**2, 2), np.nan)
    for i, theory in known.items():
        spectra[i, :, : theory.spectra.shape[1]] = theory.spectra
        flow[i], places[i], field[i] = theory.flow, theory.places, theory.field
    return {
        "update_eigenvalue": (("setting", "part", "number"), spectra),
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
