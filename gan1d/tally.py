"""A sweep's results as they come in, on the host: allocated once, filled block by block."""

import dataclasses
from collections import defaultdict
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan1d import metrics, results, targets, train
from gan1d.experiment import ConfigError, Experiment, value_text

SNAPSHOT_BYTES = 2**27  # that the snapshots of a whole sweep may take


class Score(NamedTuple):
    """What a block's runs `[R]` scored at one log point."""

    metrics: metrics.Metrics
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
    return Tally(
        experiment,
        runs=results.allocate(results.RUN_VARIABLES, described),
        snapshots=results.allocate(results.SNAPSHOT_VARIABLES, described) if seeds else {},
        target=_describe_targets(experiment),
        snapshot_seeds=seeds,
        seconds=defaultdict(float),
    )


def sizes(experiment: Experiment) -> dict[str, int]:
    """The length of every dimension of a sweep's results."""
    lengths = {
        "setting": len(experiment.points),
        "seed": len(experiment.seeds),
        "step": len(experiment.log_steps()),
        "level": len(metrics.LEVELS),
        "point": metrics.SNAPSHOT_POINTS,
        "grid": metrics.GRID_POINTS,
        "dim": targets.DIM,
        "replicate": results.NULL_REPLICATES,
        "latent_dim": max(setting.latent.dim for setting in experiment.settings()),
    }
    seed_bytes = results.nbytes(results.SNAPSHOT_VARIABLES, lengths | {"snapshot_seed": 1})
    fitting = SNAPSHOT_BYTES // seed_bytes
    wanted = min(experiment.schedule.judging.snapshot_seeds, lengths["seed"])
    return lengths | {"snapshot_seed": min(wanted, fitting)}


def enter(
    tally: Tally,
    setting: np.ndarray,
    seed: np.ndarray,
    scores: list[Score],
    snapshots: list[metrics.Snapshot],
) -> None:
    """Enter finished runs.

    Args:
      tally: is changed.
      setting: indices `[C]`.
      seed: indices `[C]`.
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
        values = score.metrics._asdict() | {"loss_d": loss_d, "loss_g": loss_g}
        final_quantiles = values.pop("quantiles")
        # Weights can be finite and yet so large that what is generated is not.
        overflow = ~np.isfinite(score.metrics.w1 + score.metrics.std)[:count]
        later = (diverged_at < 0) | (diverged_at > step)
        diverged_at = np.where(overflow & later, step, diverged_at)
        lost = (diverged_at >= 0) & (diverged_at <= step)
        for name, value in values.items():
            tally.runs[name][setting, seed, i] = np.where(lost, np.nan, value[:count])
    tally.runs["quantiles"][setting, seed] = np.where(
        lost[:, None], np.nan, final_quantiles[:count]
    )
    tally.runs["diverged_at"][setting, seed] = diverged_at
    tally.runs["finished"][setting, seed] = 1
    kept = seed < tally.snapshot_seeds
    row, column = setting[kept], seed[kept]
    for i, snapshot in enumerate(snapshots):
        tally.snapshots["latent"][row, :, : snapshot.latent.shape[-1]] = snapshot.latent
        tally.snapshots["samples"][row, column, i] = snapshot.samples
        tally.snapshots["d"][row, column, i] = snapshot.d


def datasets(tally: Tally) -> tuple[Any, Any]:
    """The sweep as a Dataset of runs and one of snapshots (None where none were kept)."""
    experiment = tally.experiment
    coords = {
        "setting": np.asarray(experiment.labels),
        "seed": np.asarray(experiment.seeds),
        "step": np.asarray(experiment.log_steps()),
        "level": metrics.LEVELS,
    }
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
    return runs, results.snapshot_dataset(tally.snapshots, kept)


def _describe_targets(experiment: Experiment) -> dict[str, np.ndarray]:
    """The variables of every setting's target; each shape of target is computed once.

    loc and scale only move and stretch: a target is described in standard coordinates.
    """
    points = experiment.schedule.judging.points
    describe = jax.jit(metrics.describe, static_argnums=(2, 3))
    described: dict[Any, dict[str, np.ndarray]] = {}
    rows = defaultdict(list)
    for label, setting in zip(experiment.labels, experiment.settings(), strict=True):
        target = setting.target
        shape = dataclasses.replace(target, loc=0.0, scale=1.0)
        if shape not in described:
            standard = describe(shape, train.run_key(0), points, results.NULL_REPLICATES)
            described[shape] = jax.device_get(standard)._asdict()
        standard = described[shape]
        for name in ("target_quantiles", "target_mean", "x"):
            rows[name].append(np.float32(target.loc + target.scale * standard[name]))
        for name in ("target_std", "w1_null"):
            rows[name].append(np.float32(target.scale * standard[name]))
        rows["target_density"].append(np.float32(standard["target_density"] / target.scale))
        std = rows["target_std"][-1]
        if not (np.isfinite(std) and std > 0):
            raise ConfigError([f"target: its standard deviation is {std} (in the setting {label})"])
    return {name: np.stack(row) for name, row in rows.items()}
