"""Training tricks that are not losses: what minibatch layers, matching, noise and norms compute."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import ndtri


def minibatch_features(projected: Array, self_distance: Array | float, rows: int = 0) -> Array:
    """How near each row of a batch is to the others: o_ib = sum_j exp(-||M_ib - M_jb||_1).

    Salimans et al. 2016 (arXiv 1606.03498), section 3.2. The sum includes j = i.

    Args:
      projected: M, the projected rows `[B, kernels, dim]`.
      self_distance: what is added to a row's distance to itself: 0 in the paper and in AYLIEN's
        later code, 1 in its first, which adds an identity matrix to the distances.
      rows: how many rows enter a row's sum: itself and others evenly spaced through the batch, as
        AYLIEN (2016) suggests to try; 0 for all.

    Returns:
      `[B, kernels]`.
    """
    size, _, dim = projected.shape
    # [kernels, dim, B], and one entry of `dim` at a time: so XLA fuses distance, exponential and
    # sum over j into one loop, several times faster than an array of all differences.
    entries = projected.transpose(1, 2, 0)
    differences = (jnp.abs(entries[:, d, :, None] - entries[:, d, None, :]) for d in range(dim))
    # [kernels, j, i]
    similarities = jnp.exp(-(sum(differences) + self_distance * jnp.eye(size)[None]))
    if rows:
        similarities = similarities * _compared(size, rows)[None]
    return similarities.sum(1).T


def _compared(size: int, rows: int) -> np.ndarray:
    """Whether row j enters the sum of row i `[j, i]`: `rows` of them, j = i the first."""
    offsets = np.arange(rows) * size // rows
    compared = np.zeros((size, size), np.float32)
    for i in range(size):
        compared[(i + offsets) % size, i] = 1
    return compared


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


def virtual_batch_norm(x: Array, reference: Array, epsilon: float = 1e-5) -> tuple[Array, Array]:
    """Normalise rows `[B, F]`, each by a fixed batch `[N, F]` and itself; returns both normalised.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.5: a row's mean and variance are those of the
    reference batch with that row added, so that rows of one batch don't depend on each other; the
    reference batch is normalised by its own statistics only.
    """
    count = reference.shape[0]
    mean, variance = reference.mean(0)[None], reference.var(0)[None]
    # A row moves the mean by 1 / (N + 1) of its distance to it.
    distance = (x - mean) * count / (count + 1)
    with_row = (count * variance + (x - mean) * distance) / (count + 1)
    return (
        distance / jnp.sqrt(with_row + epsilon),
        (reference - mean) / jnp.sqrt(variance + epsilon),
    )
