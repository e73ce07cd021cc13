"""A sweep's results as they come in, on the host: allocated once, filled block by block."""

import dataclasses
from collections import defaultdict
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan1d import keys, metrics, networks, results, targets, train
from gan1d.experiment import Experiment
from gan1d.fields import ConfigError, value_text

SNAPSHOT_BYTES = 2**27  # that the snapshots of a whole sweep may take


class Score(NamedTuple):
    """What a block's runs `[R]` scored at one log point."""

    metrics: dict[str, np.ndarray]  # named as in results
    loss_sums: train.Losses
    diverged_at: np.ndarray


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


def new(experiment: Experiment) -> Tally:
    """An empty tally.

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
        target=_describe_targets(experiment),
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
    # Features are pictures: of two units, that is.
    if not (features and all(networks.feature_count(setting) == 2 for setting in made)):
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
    beginning: dict[str, np.ndarray],
    scores: list[Score],
    snapshots: list[dict[str, np.ndarray]],
) -> None:
    """Enter finished runs.

    Args:
      tally: is changed.
      setting: indices `[C]`.
      seed: indices `[C]`.
      beginning: what is known before the first update, of these runs and of padding after them.
      scores: one a log point, of these runs and of padding after them.
      snapshots: one a log point, of the runs `[K]` whose seed snapshots are kept of; or none.
    """
    count = len(setting)
    log_steps = np.asarray(tally.experiment.log_steps())
    spans = np.diff(log_steps, prepend=0)
    diverged_at = scores[-1].diverged_at[:count]
    for i, (step, score) in enumerate(zip(log_steps, scores, strict=True)):
        # Before the first update there is no loss.
        loss_d, loss_g = (sums / spans[i] if i else sums * np.nan for sums in score.loss_sums)
        values = score.metrics | {"loss_d": loss_d, "loss_g": loss_g}
        # Weights can be finite and yet so large that what is generated is not.
        overflow = ~np.isfinite(values["w1"] + values["std"])[:count]
        later = (diverged_at < 0) | (diverged_at > step)
        diverged_at = np.where(overflow & later, step, diverged_at)
        lost = (diverged_at >= 0) & (diverged_at <= step)
        final = values.pop("quantiles", None)
        for name in values.keys() & tally.runs.keys():
            tally.runs[name][setting, seed, i] = _masked(values[name][:count], lost)
    tally.runs["quantiles"][setting, seed] = _masked(final[:count], lost)
    tally.runs["diverged_at"][setting, seed] = diverged_at
    tally.runs["finished"][setting, seed] = 1
    if "pretraining_loss" in beginning:
        tally.runs["pretraining_loss"][setting, seed] = beginning["pretraining_loss"][:count]
    kept = seed < tally.snapshot_seeds
    row, column = setting[kept], seed[kept]
    for name in tally.snapshots.keys() & beginning.keys():
        tally.snapshots[name][row, column] = beginning[name][:count][kept]
    for i, snapshot in enumerate(snapshots):
        tally.snapshots["latent"][row, :, : snapshot["latent"].shape[-1]] = snapshot["latent"]
        for name in ("samples", "d"):
            tally.snapshots[name][row, column, i] = snapshot[name]
        if "features" in tally.snapshots:
            rows = snapshot["features"].shape[-2]
            tally.snapshots["features"][row, column, i, :, :, :rows] = snapshot["features"]


def _masked(values: np.ndarray, lost: np.ndarray) -> np.ndarray:
    """Values `[run, ...]`, NaN where a run is lost."""
    return np.where(lost.reshape(-1, *[1] * (values.ndim - 1)), np.nan, values)


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


def _describe_targets(experiment: Experiment) -> dict[str, np.ndarray]:
    """The variables of every setting's target; equal targets are computed once."""
    judging = experiment.schedule.judging
    describe = jax.jit(metrics.describe, static_argnums=(1, 3))
    described: dict[Any, dict[str, np.ndarray]] = {}
    rows = defaultdict(list)
    for label, setting in zip(experiment.labels, experiment.settings(), strict=True):
        target = setting.target
        if target not in described:
            made = describe(setting, judging, keys.run_key(0), results.NULL_REPLICATES)
            described[target] = jax.device_get(made)
            std = described[target]["target_std"]
            if not (np.isfinite(std) and std > 0):
                raise ConfigError(
                    [f"target: its standard deviation is {std} (in the setting {label})"]
                )
        for name, value in described[target].items():
            rows[name].append(value)
    return {name: np.stack(row) for name, row in rows.items()}
