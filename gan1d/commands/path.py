"""Says where the players of a sweep have ended: by the way there, and by eigenvalues at the end.

    python -m gan1d path results/NAME [--seeds=0:8] [--draw]

After Berard et al. 2020 (arXiv 1906.04848). Results keep no D: the runs are trained again, by the
engine that trained them, and their last W1 is held against the recorded one. The angle is the
cosine of both players' gradients v with the way back, along the straight line from their first
parameters to their last. It and the eigenvalues, which are left out ("-") of networks of more than
2500 numbers, are of one batch a run, of its data set where training takes all of that in each step,
else of 2500 rows and latents of its own. Runs that diverged have no end, and are left out. With
--draw there are angles and norms along the paths, too (figures/path.png), and the eigenvalues of
the games in the complex plane (figures/eigenvalues.png).
"""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.commands.shared_flags import DRAW, SEEDS
from gan1d.config import axes
from gan1d.config.fields import ConfigError
from gan1d.report import drawing, paths, tables
from gan1d.report import runs as of_runs
from gan1d.results import ResultsError

if TYPE_CHECKING:
    from gan1d.gan.inputs import Batch
    from gan1d.gan.laboratory import Path as Line
    from gan1d.gan.setting import Setting
    from gan1d.gan.train import Both, State
    from gan1d.sweep.retrained import Retrained

ROWS = 2500  # that v and its Jacobian are of, or as few more as make whole batches
DRAWN = ("path", "eigenvalues")

flags.declare_key_flag("draw")
flags.declare_key_flag("seeds")


def main(argv: list[str]) -> int:
    """Print the table, and draw if it is asked for; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d path results/NAME [--seeds=0:8] [--draw]")
    folder = Path(argv[1])
    try:
        runs = _chosen(results.load(folder))
        whole, alike, count = _with_paths(runs)
    except (ResultsError, ConfigError, ValueError) as error:
        return shell.refuse(str(error))
    if not count:
        return shell.refuse(f"{folder}: all runs of these seeds diverged, or are not finished")
    print(f"{paths.table(whole)}\n\n{of_runs.caption(whole)}")
    print(f"Trained again: W1 at the end is as recorded in {alike} of {count} runs.")
    if DRAW.value:
        print(*drawing.draw_all(folder, whole, None, tables.summary(runs), DRAWN), sep="\n")
    return 0


def _chosen(runs: xr.Dataset) -> xr.Dataset:
    """The runs of the seeds that are asked for.

    Raises:
      ValueError: the sweep has not all of them.
    """
    if SEEDS.value is None:
        return runs
    seeds, known = axes.parse_seeds(SEEDS.value), runs.seed.values
    if not set(seeds) <= set(known.tolist()):
        there = axes.seeds_text(known)
        raise ValueError(f"seeds={SEEDS.value}: the sweep has {there}; give some of these")
    return runs.sel(seed=list(seeds))


def _with_paths(runs: xr.Dataset) -> tuple[xr.Dataset, int, int]:
    """The runs with their paths and eigenvalues; how many have the W1 recorded, and of how many.

    Raises:
      ConfigError: they can't be trained again.
      ValueError: in some G moves D's layers too, so that the players' gradients are not apart.
    """
    from gan1d.gan import train  # JAX takes seconds to import
    from gan1d.sweep import retrained
    from gan1d.system import switches

    sweep = retrained.sweep_of(runs, tuple(runs.seed.values.tolist()))
    for label, setting in zip(runs.setting.values, sweep.settings, strict=True):
        if train.trains_features(setting):
            field = f"tricks.feature_matching_trains={setting.tricks.feature_matching_trains}"
            raise ValueError(f"{field} (in the setting {label}): G moves D's layers; sweep it as g")
    survived, recorded = of_runs.survived(runs), runs.w1.isel(step=-1).values
    trained = retrained.retrained(runs, sweep)
    kept = [run for run in trained if survived[run.setting_index, run.seed_index]]
    alike = [np.float32(run.w1) == recorded[run.setting_index, run.seed_index] for run in kept]
    with switches.pinned():
        return _measured(runs, kept), sum(alike), len(kept)


def _measured(runs: xr.Dataset, kept: "list[Retrained]") -> xr.Dataset:
    """The runs with what is measured of those that are kept; NaN of others."""
    import jax

    from gan1d.gan import inputs, laboratory, randomness

    @jax.jit
    def line(setting: "Setting", state: "State", first: "Both", batch: "Batch") -> "Line":
        return laboratory.path(laboratory.gradients(setting, state, batch), first, state.params)

    shape, draw = (runs.sizes["setting"], runs.sizes["seed"]), jax.jit(inputs.draw)
    lines = np.full((2, *shape, laboratory.POINTS), np.nan)
    spectra = np.full((len(paths.SPECTRA), *shape, laboratory.MOST), np.nan + 0j)
    for run in kept:
        at = run.setting_index, run.seed_index
        key = randomness.run_key(runs.seed.values[run.seed_index])
        batch = draw(_with_large_batches(run.setting), key, int(runs.step.values[-1]))
        found = line(run.setting, run.last, run.first, batch)
        lines[:, *at] = found.angle, found.norm
        for spectrum, numbers in zip(spectra, _spectra(run, batch), strict=True):
            spectrum[at][: len(numbers)] = numbers
    over = ("setting", "seed")
    return runs.assign_coords(t=np.linspace(*laboratory.PATH, laboratory.POINTS)).assign(
        {name: ((*over, "t"), each) for name, each in zip(paths.LINES, lines, strict=True)}
        | {
            name: ((*over, "number"), each)
            for name, each in zip(paths.SPECTRA, spectra, strict=True)
        }
    )


def _with_large_batches(setting: "Setting") -> "Setting":
    """The same with as many rows a batch as v is measured by, unless one is all there are."""
    if setting.training.full_batch:
        return setting
    size = setting.training.batch_size
    training = dataclasses.replace(setting.training, batch_size=-(-ROWS // size) * size)
    return dataclasses.replace(setting, training=training)


def _spectra(run: "Retrained", batch: "Batch") -> list[np.ndarray]:
    """The eigenvalues of the game, of G's Hessian and of D's; none where they are too many."""
    import jax

    from gan1d.gan import laboratory

    of_g, of_d = (sum(map(np.size, jax.tree.leaves(params))) for params in run.last.params)
    if of_g + of_d > laboratory.MOST:
        return [np.empty(0)] * len(paths.SPECTRA)
    jacobian = laboratory.game_jacobian(run.setting, run.last, batch)
    blocks = jacobian, jacobian[:of_g, :of_g], jacobian[of_g:, of_g:]
    return list(map(laboratory.eigenvalues, blocks))


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
