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
    """The Wasserstein-1 distance of sorted values `[..., N]` from sorted ones `[..., M]`, exactly.

    In float32 what is larger than a float is the largest one.
    """
    first, second, widths = steps(samples.shape[-1], rows.shape[-1])
    a, b = samples[..., first], rows[..., second]
    # Of each less what is beyond a quarter of the floats, so that no difference overflows.
    a, b = (jnp.clip(each, -LARGEST / 4, LARGEST / 4) for each in (a, b))
    widths = widths.reshape((1,) * (a.ndim - 1) + (-1,))
    return (jnp.abs(a - b) * widths).sum(-1)


def ks_of_sorted(samples: Array, rows: Array) -> Array:
    """The Kolmogorov-Smirnov distance of sorted samples `[N]` from ordered rows `[M, 1]`, exactly.

    The largest difference is at a sample, or right below one.
    """
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    at = data.share_below(rows, samples)
    below = data.share_below(rows, samples, strictly=True)
    return jnp.maximum(levels[1:] - at, below - levels[:-1]).max()
