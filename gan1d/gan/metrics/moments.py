"""Means and standard deviations of finite samples that are finite, however large these are."""

import jax.numpy as jnp
import numpy as np
from jax import Array

LARGEST = float(np.finfo(np.float32).max)
# Samples beyond the first are multiplied by the second before they are squared or added up.
LARGE, SMALL = (2.0**50, 2.0**-80), (2.0**-20, 2.0**60)


def mean(samples: Array) -> Array:
    """Of samples `[N, ...]` along their first axis."""
    tame, unit = _tamed(samples)
    return _product(tame.mean(0), unit)


def std(samples: Array) -> Array:
    """Of samples `[N, ...]` along their first axis, without squares that overflow or vanish."""
    tame, unit = _tamed(samples)
    return _product(tame.std(0), unit)


def _tamed(samples: Array) -> tuple[Array, Array]:
    """Samples in a unit in which they have squares, and that unit, a power of two.

    Selected, not multiplied by 1 / unit: compilers move a common factor out of a sum.
    """
    size = jnp.abs(samples).max(0)
    large, small = size > LARGE[0], size < SMALL[0]
    tame = jnp.where(
        large[None], samples * LARGE[1], jnp.where(small[None], samples * SMALL[1], samples)
    )
    return tame, jnp.where(large, 1 / LARGE[1], jnp.where(small, 1 / SMALL[1], 1.0))


def _product(value: Array, unit: Array) -> Array:
    return jnp.clip(value * unit, -LARGEST, LARGEST)
