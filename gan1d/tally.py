"""A sweep's results as they come in, on the host: allocated once, filled block by block."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan1d import metrics, probe, results, targets, train
from gan1d.engines.describe import describe
from gan1d.engines.programs import Looks, Start
from gan1d.experiment import Experiment
from gan1d.fields import ConfigError, value_text

SNAPSHOT_BYTES = 2**27  # that the snapshots of a whole sweep may take
_NEVER = np.iinfo(np.int32).max


@dataclasses.dataclass
class Tally:
    """Counts and arrays of a sweep; indices are into its settings and seeds."""

    experiment: Experiment
    runs: dict[str, np.ndarray]
    snapshots: dict[str, np.ndarray]
    target: dict[str, np.ndarray]
    snapshot_seeds: int  # how many seeds snapshots are kept of
    seconds: dict[str, float]
    runs_done: int = 0
    updates_done: int = 0
    diverged: int = 0
    engines: list[str] = dataclasses.field(default_factory=list)  # of each cohort, in order


def new(experiment: Experiment, *, on_lanes: bool) -> Tally:
    """An empty tally; targets are described by native code, or by XLA.

    Raises:
      ConfigError: runs could not be judged, as float32 can't hold a target's standard deviation.
    """
    described = sizes(experiment)
    seeds = described["snapshot_seed"]
    asked = min(experiment.schedule.judging.snapshot_seeds, len(experiment.seeds))
    if seeds < asked:
        logging.info("Snapshots of %d seeds instead of %d, to bound memory.", seeds, asked)
    kept = kept_variables(experiment)
    return Tally(
        experiment,
        runs=results.allocate(kept.runs, described),
        snapshots=results.allocate(kept.snapshots, described) if seeds else {},
        target=_describe_targets(experiment, on_lanes),
        snapshot_seeds=seeds,
        seconds=defaultdict(float),
    )


class Kept(NamedTuple):
    """The variables that a sweep's results have."""

    runs: dict[str, results.Variable]
    targets: dict[str, results.Variable]
    snapshots: dict[str, results.Variable]


def kept_variables(experiment: Experiment) -> Kept:
    """Those that make sense for at least one setting."""
    made = list(experiment.settings())
    features = experiment.schedule.judging.features
    useless = set()
    if not any(setting.pretraining.steps for setting in made):
        useless |= {"pretraining_loss", "d_initial", "d_pretrained"}
    if not features:
        useless |= {"centroid_distance"}
    if not (features and all(map(probe.is_picture, made))):
        useless |= {"features"}
    dim = targets.dim(made[0].target)
    if dim == 2:
        curves = [targets.pieces(setting.target) > 0 for setting in made]
        if all(curves):
            useless |= {"high_quality", "modes"}
        if not any(curves):
            useless |= {"residual"}
    tables = (results.run_variables(dim), results.target_variables(dim), results.SNAPSHOT_VARIABLES)
    return Kept(
        *(
            {name: variable for name, variable in table.items() if name not in useless}
            for table in tables
        )
    )


def sizes(experiment: Experiment) -> dict[str, int]:
    """The length of every dimension of a sweep's results."""
    made = list(experiment.settings())
    dim = targets.dim(made[0].target)
    lengths = {
        "setting": len(made),
        "seed": len(experiment.seeds),
        "step": len(experiment.log_steps()),
        "level": len(metrics.LEVELS),
        "point": metrics.SNAPSHOT_POINTS,
        "grid": metrics.grid_size(dim),
        "dim": dim,
        "replicate": results.NULL_REPLICATES,
        "part": train.PRETRAINING_PARTS,
        "latent_dim": max(setting.latent.dim for setting in made),
        "moment": len(results.MOMENTS),
        "source": len(results.SOURCES),
        "row": max(setting.training.batch_size for setting in made),
        "feature": 2,
    }
    kept = kept_variables(experiment).snapshots
    seed_bytes = results.nbytes(kept, lengths | {"snapshot_seed": 1})
    fitting = SNAPSHOT_BYTES // seed_bytes
    wanted = min(experiment.schedule.judging.snapshot_seeds, lengths["seed"])
    return lengths | {"snapshot_seed": min(wanted, fitting)}


def enter(
    tally: Tally,
    setting: np.ndarray,
    seed: np.ndarray,
    start: Start,
    diverged_at: np.ndarray,
    looks: Sequence[Looks],
) -> None:
    """Enter finished runs.

    Args:
      tally: is changed.
      setting: indices `[R]`.
      seed: indices `[R]`.
      start: what is known before the first update.
      diverged_at: in the end, `[R]`.
      looks: at all log points, in order.
    """
    log_steps = np.asarray(tally.experiment.log_steps())[:, None]
    parts = [look._replace(quantiles=None) for look in looks]
    whole = jax.tree.map(lambda *each: np.concatenate(each), *parts)
    # Before the first update there is no loss.
    spans = np.diff(log_steps, axis=0, prepend=0).astype(np.float32)
    spans[0] = np.nan
    loss_d, loss_g = (sums / spans for sums in whole.loss_sums)
    values = whole.metrics | {"loss_d": loss_d, "loss_g": loss_g}
    # Weights can be finite and yet so large that what is generated is not.
    overflow = ~np.isfinite(values["w1"] + values["std"])
    overflow_at = np.where(overflow, log_steps, _NEVER).min(0)
    ended = np.minimum(np.where(diverged_at < 0, _NEVER, diverged_at), overflow_at)
    for name in values.keys() & tally.runs.keys():
        kept = _masked(values[name], ended <= log_steps)
        tally.runs[name][setting, seed] = np.moveaxis(kept, 0, 1)
    tally.runs["quantiles"][setting, seed] = _masked(looks[-1].quantiles, ended < _NEVER)
    tally.runs["diverged_at"][setting, seed] = np.where(ended < _NEVER, ended, -1)
    tally.runs["finished"][setting, seed] = 1
    if start.pretraining_loss is not None:
        tally.runs["pretraining_loss"][setting, seed] = start.pretraining_loss
    pictured = seed < tally.snapshot_seeds
    if not pictured.any():
        return
    row, column = setting[pictured], seed[pictured]
    for name, value in start.snapshots.items():
        tally.snapshots[name][row, column] = value
    for name, value in whole.snapshots.items():
        _enter_snapshots(tally.snapshots, name, row, column, np.moveaxis(value, 0, 1))


def _enter_snapshots(
    snapshots: dict[str, np.ndarray],
    name: str,
    row: np.ndarray,
    column: np.ndarray,
    value: np.ndarray,
) -> None:
    """Enter pictures `[K, P, ...]`; settings may differ in how many latents and rows there are."""
    if name == "latent":  # the same in all runs of a setting, and at all times
        snapshots[name][row, :, : value.shape[-1]] = value[:, 0]
    elif name == "features" and name in snapshots:
        snapshots[name][row, column, ..., : value.shape[-2], :] = value
    elif name in snapshots:
        snapshots[name][row, column] = value


def _masked(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Values, NaN where a run is lost; `lost` has their first axes."""
    return np.where(lost.reshape(*lost.shape, *[1] * (values.ndim - lost.ndim)), np.nan, values)


def datasets(tally: Tally) -> tuple[Any, Any]:
    """The sweep as a Dataset of runs and one of snapshots (None where none were kept)."""
    experiment = tally.experiment
    coords = {
        "setting": np.asarray(experiment.labels),
        "seed": np.asarray(experiment.seeds),
        "step": np.asarray(experiment.log_steps()),
        "level": metrics.LEVELS,
    }
    if "centroid_distance" in tally.runs:
        coords["moment"] = np.asarray(results.MOMENTS)
    columns = zip(*experiment.points, strict=True) if experiment.swept else ()
    runs = results.dataset(
        arrays=tally.runs,
        target=tally.target,
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
    if not tally.snapshots:
        return runs, None
    kept = {
        "setting": coords["setting"],
        "snapshot_seed": coords["seed"][: tally.snapshot_seeds],
        "step": coords["step"],
    }
    if "features" in tally.snapshots:
        kept |= {"moment": np.asarray(results.MOMENTS), "source": np.asarray(results.SOURCES)}
    return runs, results.snapshot_dataset(tally.snapshots, kept)


def _describe_targets(experiment: Experiment, on_lanes: bool) -> dict[str, np.ndarray]:
    """The variables of every setting's target."""
    made = [setting.target for setting in experiment.settings()]
    described = describe(
        made, experiment.schedule.judging, results.NULL_REPLICATES, on_lanes=on_lanes
    )
    for label, std in zip(experiment.labels, described["target_std"], strict=True):
        if not (np.isfinite(std) and std > 0):
            raise ConfigError([f"target: its standard deviation is {std} (in the setting {label})"])
    return described
