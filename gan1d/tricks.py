"""Training tricks that are not losses: minibatch discrimination, feature matching, noise."""

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtri


def minibatch_features(projected: Array, self_distance: Array | float) -> Array:
    """How near each row of a batch is to the others: o_ib = sum_j exp(-||M_ib - M_jb||_1).

    Salimans et al. 2016 (arXiv 1606.03498), section 3.2. The sum includes j = i.

    Args:
      projected: M, the projected rows `[B, kernels, dim]`.
      self_distance: what is added to a row's distance to itself: 0 in the paper and in AYLIEN's
      later
        code, 1 in its first, which adds an identity matrix to the distances.

    Returns:
      `[B, kernels]`.
    """
    distances = jnp.abs(projected[:, None] - projected[None, :]).sum(-1)
    itself = jnp.eye(projected.shape[0])[:, :, None]
    return jnp.exp(-(distances + self_distance * itself)).sum(1)


def _safe_sqrt(value: Array) -> Array:
    """The square root, with gradient 0 instead of infinity at 0."""
    positive = value > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, value, 1.0)), 0.0)


# Losses of G on D's features of real and generated rows, each `[B, F]`; they replace G's loss.
FEATURE_MATCHING = {
    # As highdimensional.space (2018) and Neural Perspective (2016): row i against row i.
    "paired": lambda real, fake: _safe_sqrt(((real - fake) ** 2).sum()),
    # The same without the root.
    "paired_squared": lambda real, fake: ((real - fake) ** 2).sum(),
    # As the paper has it: Salimans et al. 2016, section 3.1.
    "mean": lambda real, fake: ((real.mean(0) - fake.mean(0)) ** 2).sum(),
}


def sorted_normals(u: Array) -> Array:
    """B standard normals in ascending order, from uniforms `[B + 1, D]`; returns `[B, D]`.

    The order statistics of B uniforms are distributed as the partial sums of B + 1 exponentials
    over their total (Devroye 1986, section V.3.1): exact, and cheaper than a sort.
    """
    sums = jnp.cumsum(-jnp.log(u), axis=0)
    return ndtri(jnp.clip(sums[:-1] / sums[-1:], 1e-7, 1 - 1e-7))
