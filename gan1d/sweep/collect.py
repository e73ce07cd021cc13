"""What results keep of a block of runs, and how blocks are put together to a sweep's results."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan1d import results
from gan1d.config.experiment import Experiment
from gan1d.config.fields import ConfigError, value_text
from gan1d.engines.describe import describe
from gan1d.engines.programs import Looks, Start
from gan1d.gan import feature_motion, metrics, pretrain, targets
from gan1d.gan.setting import Setting

SNAPSHOT_BYTES = 2**27  # that the snapshots of a whole sweep may take
PICTURE = "snapshots/"  # what the names of a block's snapshots begin with
_NEVER = np.iinfo(np.int32).max

# What is kept of the runs of a block, by name: arrays `[R, ...]`, or `[K, ...]` of snapshots, of
# the block's first runs.
Arrays = dict[str, np.ndarray]
# A finished block: index of the setting `[R]`, index of the seed `[R]`, what is kept of the runs.
Entry = tuple[np.ndarray, np.ndarray, Arrays]


class Kept(NamedTuple):
    """The variables that a sweep's results have."""

    runs: dict[str, results.Variable]
    targets: dict[str, results.Variable]
    snapshots: dict[str, results.Variable]


class Tables(NamedTuple):
    """What a sweep's results will hold."""

    kept: Kept
    sizes: dict[str, int]  # the length of every dimension

    @property
    def snapshot_seeds(self) -> int:
        """How many seeds snapshots are kept of, the first ones."""
        return self.sizes["snapshot_seed"]

    def of_block(self, runs: int, pictured: int) -> Arrays:
        """Room for a block of so many runs, filled with what stands for "no value"."""
        variables = {name: _of(variable, "run") for name, variable in self.kept.runs.items()}
        variables |= {
            PICTURE + name: _of(variable, "picture")
            for name, variable in self.kept.snapshots.items()
        }
        return results.allocate(variables, self.sizes | {"run": runs, "picture": pictured})


def _of(variable: results.Variable, row: str) -> results.Variable:
    """A variable of a sweep as one of a block's rows."""
    rest = [dim for dim in variable.dims if dim not in ("setting", "seed", "snapshot_seed")]
    return variable._replace(dims=(row, *rest))


def tables(experiment: Experiment, settings: Sequence[Setting]) -> Tables:
    """The tables of a sweep with these settings."""
    kept = kept_variables(experiment, settings)
    made = Tables(kept, sizes(experiment, settings, kept))
    asked = min(experiment.schedule.judging.snapshot_seeds, len(experiment.seeds))
    if made.snapshot_seeds < asked:
        logging.info("Snapshots of %d seeds, not %d, to bound memory.", made.snapshot_seeds, asked)
    return made


def kept_variables(experiment: Experiment, settings: Sequence[Setting]) -> Kept:
    """Those that make sense for at least one setting."""
    features = experiment.schedule.judging.features
    useless = set()
    if not any(setting.pretraining.steps for setting in settings):
        useless |= {"pretraining_loss", "d_initial", "d_pretrained"}
    if not features:
        useless |= {"centroid_distance"}
    if not (features and all(map(feature_motion.is_picture, settings))):
        useless |= {"features"}
    dim = targets.dim(settings[0].target)
    if dim == 2:
        curves = [targets.pieces(setting.target) > 0 for setting in settings]
        if all(curves):
            useless |= {"high_quality", "modes"}
        if not any(curves):
            useless |= {"residual"}
    found = (results.run_variables(dim), results.target_variables(dim), results.SNAPSHOT_VARIABLES)
    return Kept(
        *(
            {name: variable for name, variable in table.items() if name not in useless}
            for table in found
        )
    )


def sizes(experiment: Experiment, settings: Sequence[Setting], kept: Kept) -> dict[str, int]:
    """The length of every dimension of a sweep's results."""
    dim = targets.dim(settings[0].target)
    lengths = {
        "setting": len(settings),
        "seed": len(experiment.seeds),
        "step": len(experiment.log_steps()),
        "level": len(metrics.LEVELS),
        "point": metrics.SNAPSHOT_POINTS,
        "grid": metrics.grid_size(dim),
        "dim": dim,
        "replicate": results.NULL_REPLICATES,
        "part": pretrain.PARTS,
        "latent_dim": max(setting.latent.dim for setting in settings),
        "moment": len(results.MOMENTS),
        "source": len(results.SOURCES),
        "row": max(setting.training.batch_size for setting in settings),
        "feature": 2,
    }
    seed_bytes = results.nbytes(kept.snapshots, lengths | {"snapshot_seed": 1})
    fitting = SNAPSHOT_BYTES // seed_bytes
    wanted = min(experiment.schedule.judging.snapshot_seeds, lengths["seed"])
    return lengths | {"snapshot_seed": min(wanted, fitting)}


def judged(
    log_steps: Sequence[int],
    block: Arrays,
    start: Start,
    diverged_at: np.ndarray,
    looks: Sequence[Looks],
) -> Arrays:
    """What is kept of finished runs.

    Args:
      log_steps: all of them.
      block: room for it, `Tables.of_block`; is filled.
      start: what is known before the first update.
      diverged_at: in the end, `[R]`.
      looks: at all log points, in order.
    """
    steps = np.asarray(log_steps)[:, None]
    parts = [look._replace(quantiles=None) for look in looks]
    whole = jax.tree.map(lambda *each: np.concatenate(each), *parts)
    # Before the first update there is no loss.
    spans = np.diff(steps, axis=0, prepend=0).astype(np.float32)
    spans[0] = np.nan
    loss_d, loss_g = (sums / spans for sums in whole.loss_sums)
    values = whole.metrics | {"loss_d": loss_d, "loss_g": loss_g}
    # Weights can be finite and yet so large that what is generated is not.
    overflow = ~np.isfinite(values["w1"] + values["std"])
    overflow_at = np.where(overflow, steps, _NEVER).min(0)
    ended = np.minimum(np.where(diverged_at < 0, _NEVER, diverged_at), overflow_at)
    for name in values.keys() & block.keys():
        block[name][:] = np.moveaxis(_masked(values[name], ended <= steps), 0, 1)
    block["quantiles"][:] = _masked(looks[-1].quantiles, ended < _NEVER)
    block["diverged_at"][:] = np.where(ended < _NEVER, ended, -1)
    block["finished"][:] = 1
    if start.pretraining_loss is not None:
        block["pretraining_loss"][:] = start.pretraining_loss
    for name, value in start.snapshots.items():
        if PICTURE + name in block:
            block[PICTURE + name][:] = value
    for name, value in whole.snapshots.items():
        if PICTURE + name in block:
            _fill(block[PICTURE + name], name, np.moveaxis(value, 0, 1))
    return block


def _fill(room: np.ndarray, name: str, value: np.ndarray) -> None:
    """Fill in pictures `[K, P, ...]`; settings differ in how many latents and rows there are."""
    if name == "latent":  # the same at all times
        room[..., : value.shape[-1]] = value[:, 0]
    elif name == "features":
        room[..., : value.shape[-2], :] = value
    else:
        room[:] = value


def _masked(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Values, NaN where a run is lost; `lost` has their first axes."""
    return np.where(lost.reshape(*lost.shape, *[1] * (values.ndim - lost.ndim)), np.nan, values)


def datasets(
    experiment: Experiment,
    made: Tables,
    target: dict[str, np.ndarray],
    blocks: Iterable[Entry],
) -> tuple[Any, Any]:
    """The sweep as a Dataset of runs and one of snapshots (None where none are kept).

    Args:
      experiment: the sweep.
      made: its tables.
      target: what `describe_targets` gives.
      blocks: (index of the setting `[R]`, index of the seed `[R]`, what is kept of these runs);
        runs that are in none are marked as not finished.
    """
    arrays = results.allocate(made.kept.runs, made.sizes)
    snapshots = results.allocate(made.kept.snapshots, made.sizes) if made.snapshot_seeds else {}
    for setting, seed, block in blocks:
        for name, value in block.items():
            if not name.startswith(PICTURE):
                arrays[name][setting, seed] = value
            elif snapshots:
                row, column = setting[: len(value)], seed[: len(value)]
                whole = snapshots[name.removeprefix(PICTURE)]
                # All seeds of a setting share their pictures' latents.
                whole[row if name == PICTURE + "latent" else (row, column)] = value
    coords = {
        "setting": np.asarray(experiment.labels),
        "seed": np.asarray(experiment.seeds),
        "step": np.asarray(experiment.log_steps()),
        "level": metrics.LEVELS,
    }
    if "centroid_distance" in arrays:
        coords["moment"] = np.asarray(results.MOMENTS)
    columns = zip(*experiment.points, strict=True) if experiment.swept else ()
    runs = results.dataset(
        arrays=arrays,
        target=target,
        coords=coords,
        config=experiment.config(),
        swept={
            name: [
                value if isinstance(value, int | float) else value_text(value) for value in column
            ]
            for name, column in zip(experiment.swept, columns, strict=True)
        },
        title=experiment.name,
    )
    if not snapshots:
        return runs, None
    shown = {
        "setting": coords["setting"],
        "snapshot_seed": coords["seed"][: made.snapshot_seeds],
        "step": coords["step"],
    }
    if "features" in snapshots:
        shown |= {"moment": np.asarray(results.MOMENTS), "source": np.asarray(results.SOURCES)}
    return runs, results.snapshot_dataset(snapshots, shown)


def describe_targets(
    experiment: Experiment, settings: Sequence[Setting], *, on_lanes: bool
) -> dict[str, np.ndarray]:
    """The variables of every setting's target, found out by native code or by XLA.

    Raises:
      ConfigError: runs could not be judged, as float32 can't hold a target's standard deviation.
    """
    made = [setting.target for setting in settings]
    described = describe(
        made, experiment.schedule.judging, results.NULL_REPLICATES, on_lanes=on_lanes
    )
    for label, std in zip(experiment.labels, described["target_std"], strict=True):
        if not (np.isfinite(std) and std > 0):
            raise ConfigError([f"target: its standard deviation is {std} (in the setting {label})"])
    return described
