"""Generated samples against held-out rows of the user's own data, or against counts: exactly.

A sample's quantile function is a step function, and so is that of counts. Two of N and M values
have N + M - 1 steps together, and where these begin follows from N and M, or from the masses of
counts, alone.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import targets
from gan1d.gan.metrics.moments import LARGEST
from gan1d.gan.targets import TargetFields, counts, data


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class HeldOut:
    """What stands for the law of a target that is data: it has its held-out rows with it."""

    points: int  # samples that are judged by them


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class Counted:
    """What stands for the law of a target of counts: the target has it as a table."""

    points: int  # samples that are judged by it


def steps(count: int, others: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The steps of two quantile functions, of `count` and of `others` values.

    Returns:
      Of each step the number of the first's value, that of the second's, and its width, 1 together.
    """
    # In units of 1 / (count * others), so that nothing is rounded.
    ends = np.union1d(np.arange(1, count + 1) * others, np.arange(1, others + 1) * count)
    starts = np.concatenate([[0], ends[:-1]])
    widths = (ends - starts) / (count * others)
    return (
        (starts // others).astype(np.int32),
        (starts // count).astype(np.int32),
        widths.astype(np.float32),
    )


def w1_of_sorted(samples: Array, rows: Array) -> Array:
    """The Wasserstein-1 distance of sorted values `[N, ...]` from sorted ones `[M, ...]`, exactly.

    Along the first axis. Beyond a quarter of the largest float values are taken for that, so that
    no difference overflows.
    """
    first, second, widths = steps(samples.shape[0], rows.shape[0])
    samples, rows = (jnp.clip(each, -LARGEST / 4, LARGEST / 4) for each in (samples, rows))
    widths = widths.reshape(-1, *[1] * (samples.ndim - 1))
    return (jnp.abs(samples[first] - rows[second]) * widths).sum(0)


def w1_from_counts(target: TargetFields, samples: Array) -> Array:
    """The Wasserstein-1 distance of sorted samples `[N]` from a target of counts, exactly."""
    law, count = counts.law(target), samples.shape[0]
    ends = np.union1d(np.arange(count + 1) / count, np.concatenate([[0.0], law.levels]))
    middles, widths = (ends[1:] + ends[:-1]) / 2, np.diff(ends)
    first = np.minimum(middles * count, count - 1).astype(np.int32)
    second = law.places[np.minimum(np.searchsorted(law.levels, middles), len(law.masses) - 1)]
    away = jnp.clip(samples - target.loc, -LARGEST / 4, LARGEST / 4)
    distances = jnp.abs(away[first] - target.scale * second.astype(np.float32))
    return (distances * widths.astype(np.float32)).sum()


def ks_from_counts(target: TargetFields, samples: Array) -> Array:
    """The Kolmogorov-Smirnov distance of sorted samples `[N]` from a target of counts, exactly."""
    t = targets.standardise(target, samples)
    return _ks(counts.cdf(target, t), counts.cdf_below(target, t))


def ks_of_sorted(samples: Array, rows: Array) -> Array:
    """The Kolmogorov-Smirnov distance of sorted samples `[N]` from ordered rows `[M, 1]`, exactly.

    The largest difference is at a sample, or right below one.
    """
    return _ks(data.share_below(rows, samples), data.share_below(rows, samples, strictly=True))


def _ks(at: Array, below: Array) -> Array:
    """By the shares of a law that are at most a sample, and below it, `[N]` both."""
    levels = jnp.linspace(0.0, 1.0, at.shape[0] + 1)
    return jnp.maximum(levels[1:] - at, below - levels[:-1]).max()
