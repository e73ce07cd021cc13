"""Generated samples against held-out rows of the user's own data: exact distances of two samples.

A sample's quantile function is a step function. Two of N and M values have N + M - 1 steps
together, and where these begin follows from N and M alone.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan.metrics.moments import LARGEST
from gan1d.gan.targets import data


@jax.tree_util.register_static
@dataclasses.dataclass(frozen=True)
class HeldOut:
    """What stands for the law of a target that is data: it has its held-out rows with it."""

    points: int  # samples that are judged by them


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


def ks_of_sorted(samples: Array, rows: Array) -> Array:
    """The Kolmogorov-Smirnov distance of sorted samples `[N]` from ordered rows `[M, 1]`, exactly.

    The largest difference is at a sample, or right below one.
    """
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    at = data.share_below(rows, samples)
    below = data.share_below(rows, samples, strictly=True)
    return jnp.maximum(levels[1:] - at, below - levels[:-1]).max()
