"""What is done to one run: at its start, in an update and at a log point. Engines map these."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.engines.programs import LogPoints
from gan1d.gan import feature_motion, metrics, randomness, train
from gan1d.gan.inputs import Batch, draw
from gan1d.gan.judging import Judging
from gan1d.gan.players import Players
from gan1d.gan.pretrain import Pretraining
from gan1d.gan.setting import Setting
from gan1d.gan.targets.data import Rows

Own = tuple[Setting, Array]  # what tells a run from others: its setting and seed


class Started(NamedTuple):
    """A run before its first update."""

    run: train.Run
    reference: metrics.Reference  # what it is judged by
    pretraining: Pretraining | None  # None without


class Scores(NamedTuple):
    """A run at a log point, in numbers."""

    metrics: dict[str, Array]  # named as in results
    quantiles: Array  # [101, ...] of generated samples
    loss_sums: Players[Array]  # since the log point before
    finite: Array  # [] whether all samples are


class Motion(NamedTuple):
    """What one more update does to D's features."""

    distances: Array  # [3] of their centroids: before it, after D's steps, after G's
    features: Array | None  # [3, 2, B, F]; None where no picture shows them


def start(setting: Setting, seed: Array, judging: Judging) -> Started:
    """Begin a run."""
    run, pretraining = train.start(setting, randomness.run_key(seed))
    return Started(run, metrics.reference(setting, judging), pretraining)


def batch(setting: Setting, seed: Array, number: Array) -> Batch:
    """All randomness of an update."""
    return draw(setting, randomness.run_key(seed), number)


def update(setting: Setting, seed: Array, run: train.Run, number: Array) -> train.Run:
    """Make update number `number` (from 0)."""
    return train.advance(setting, run, batch(setting, seed, number), number)


def score(
    setting: Setting, reference: metrics.Reference, variables: Players, loss_sums: Players[Array]
) -> tuple[Players[Array], Scores]:
    """Judge a run; also returns its sums of losses from here on."""
    found = metrics.evaluate(setting, variables, reference)
    quantiles, finite = found.pop("quantiles"), found.pop("finite")
    return jax.tree.map(jnp.zeros_like, loss_sums), Scores(found, quantiles, loss_sums, finite)


def picture(setting: Setting, reference: metrics.Reference, variables: Players) -> dict[str, Array]:
    """What pictures of a run show, named as in results."""
    return metrics.snapshot(setting, variables, reference)


def follow_features(setting: Setting, seed: Array, state: train.State, number: Array) -> Motion:
    """Make an update of a copy of a run and look at D's features."""
    return Motion(*feature_motion.look(setting, state, batch(setting, seed, number)))


def log_points(scores: Scores, pictures: dict[str, Array], motion: Motion | None) -> LogPoints:
    """Runs at some log points, as the host loop gets them.

    Args:
      scores: `[P, R, ...]`.
      pictures: `[P, K, ...]` of the first runs.
      motion: distances `[P, R, 3]` and features `[P, K, ...]`, where they are followed.
    """
    found, snapshots = dict(scores.metrics), dict(pictures)
    if motion is not None:
        found["centroid_distance"] = motion.distances
        if motion.features is not None:
            snapshots["features"] = motion.features
    arrays = found, scores.quantiles[-1], scores.loss_sums, snapshots, scores.finite
    return LogPoints(*jax.tree.map(np.asarray, arrays))


def shapes(setting: Setting, *runs: int) -> Own:
    """The shapes of one run's numbers and seed, or of so many runs'.

    What the setting has of the rows of its data, shapes of arrays that all runs share, it keeps.
    """
    dtypes = jax.tree.map(lambda _: np.float32, bound(setting, None)), np.uint32
    settings, seeds = jax.tree.map(lambda dtype: jax.ShapeDtypeStruct(runs, dtype), dtypes)
    return bound(settings, setting.target.rows), seeds


def bound(setting: Setting, rows: Rows | None) -> Setting:
    """A setting with the rows of its data, or the shapes of these; None without data."""
    return dataclasses.replace(setting, target=dataclasses.replace(setting.target, rows=rows))
