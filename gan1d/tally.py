"""A sweep's results as they come in, on the host: allocated once, filled block by block."""

import dataclasses
from collections import defaultdict
from typing import Any, NamedTuple

import jax
import numpy as np

from gan1d import metrics, results, targets, train
from gan1d.experiment import Experiment, value_text

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
    snapshot_seeds: int  # how many seeds snapshots are kept of
    seconds: dict[str, float]
    runs_done: int = 0
    updates_done: int = 0
    diverged: int = 0


def new(experiment: Experiment) -> Tally:
    """An empty tally."""
    sizes = {
        "setting": len(experiment.points),
        "seed": len(experiment.seeds),
        "step": len(experiment.log_steps()),
        "level": len(metrics.LEVELS),
        "point": metrics.SNAPSHOT_POINTS,
        "grid": metrics.GRID_POINTS,
        "dim": targets.DIM,
        "latent_dim": max(setting.latent.dim for setting in experiment.settings()),
    }
    seeds = _snapshot_seeds(experiment, sizes)
    snapshots = results.allocate(results.SNAPSHOT_VARIABLES, sizes | {"snapshot_seed": seeds})
    runs = results.allocate(results.RUN_VARIABLES, sizes)
    return Tally(experiment, runs, snapshots if seeds else {}, seeds, defaultdict(float))


def enter(
    tally: Tally,
    setting: np.ndarray,
    seed: np.ndarray,
    scores: list[Score],
    snapshots: list[metrics.Snapshot],
) -> None:
    """Enter finished runs: `scores` and `snapshots` have an entry a log point, padding last."""
    count = len(setting)
    log_steps = np.asarray(tally.experiment.log_steps())
    spans = np.diff(log_steps, prepend=0)
    diverged_at = scores[-1].diverged_at[:count]
    for i, (step, score) in enumerate(zip(log_steps, scores, strict=True)):
        # Before the first update there is no loss.
        loss_d, loss_g = (sums / spans[i] if i else sums * np.nan for sums in score.loss_sums)
        values = score.metrics._asdict() | {"loss_d": loss_d, "loss_g": loss_g}
        final_quantiles = values.pop("quantiles")[:count]
        # Weights can be finite and yet so large that what is generated is not.
        overflow = ~np.isfinite(score.metrics.w1 + score.metrics.std)[:count]
        diverged_at = np.where(overflow & (diverged_at < 0), step, diverged_at)
        lost = (diverged_at >= 0) & (diverged_at <= step)
        for name, value in values.items():
            tally.runs[name][setting, seed, i] = np.where(lost, np.nan, value[:count])
    tally.runs["quantiles"][setting, seed] = np.where(lost[:, None], np.nan, final_quantiles)
    tally.runs["diverged_at"][setting, seed] = diverged_at
    tally.runs["finished"][setting, seed] = 1
    kept = seed < tally.snapshot_seeds
    for i, snapshot in enumerate(snapshots):
        taken = jax.tree.map(lambda array: array[:count][kept], snapshot)
        row, column = setting[kept], seed[kept]
        tally.snapshots["latent"][row, :, : taken.latent.shape[-1]] = taken.latent
        tally.snapshots["samples"][row, column, i] = taken.samples
        tally.snapshots["d"][row, column, i] = taken.d


def _snapshot_seeds(experiment: Experiment, sizes: dict[str, int]) -> int:
    """How many seeds' snapshots fit SNAPSHOT_BYTES, at most as many as are asked for."""
    wanted = min(experiment.schedule.judging.snapshot_seeds, sizes["seed"])
    points = sizes["point"] * sizes["dim"] + sizes["grid"]
    seed_bytes = 4 * points * sizes["setting"] * sizes["step"]
    return min(wanted, SNAPSHOT_BYTES // seed_bytes)


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
        target=_describe_targets(experiment),
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
    key = jax.random.key(0)
    described: dict[Any, dict[str, np.ndarray]] = {}
    rows = defaultdict(list)
    for setting in experiment.settings():
        target = setting.target
        shape = dataclasses.replace(target, loc=0.0, scale=1.0)
        if shape not in described:
            standard = describe(shape, key, points, results.NULL_REPLICATES)
            described[shape] = jax.device_get(standard)._asdict()
        standard = described[shape]
        for name in ("quantiles", "mean", "x"):
            rows[name].append(np.float32(target.loc + target.scale * standard[name]))
        for name in ("std", "w1_null"):
            rows[name].append(np.float32(target.scale * standard[name]))
        rows["density"].append(np.float32(standard["density"] / target.scale))
    names = {"x": "x", "w1_null": "w1_null"}
    return {names.get(name, f"target_{name}"): np.stack(row) for name, row in rows.items()}
