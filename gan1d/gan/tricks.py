"""Training tricks that are not losses: minibatch layers, packing, virtual batch norm, noise."""

import numpy as np

from gan1d.gan.matching import MATCHING
from gan1d.gan.numerics import FADES
from gan1d.gan.spec import OFF, Switch, above_0, choice, field, number, pytree
from gan1d.system.lazy import Array, jnp


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


def minibatch_std(features: Array, group: int) -> Array:
    """How much features `[B, F]` vary over the rows of a group, one number a row: `[B, 1]`.

    Karras et al. 2018 (arXiv 1710.10196), section 3, and their code: the mean over features of
    their standard deviations over a group, whose rows are evenly spaced through the batch.
    """
    size, count = features.shape
    grouped = features.reshape(group, size // group, count)
    deviations = jnp.sqrt(grouped.var(0) + 1e-8).mean(1)
    return jnp.tile(deviations, group)[:, None]


SWITCH = (OFF, "on")
MINIBATCH = ("minibatch", "append", "replace")  # what `only` says of several fields


@pytree
class TrickFields:
    """What changes training and is not a loss."""

    minibatch: str = choice(
        OFF,
        "minibatch discrimination, after D's last hidden layer or in its place (Salimans et al. "
        "2016, arXiv 1606.03498)",
        (OFF, "append", "replace"),
        label="minibatch",
        neutral=OFF,
    )
    minibatch_kernels: int = field(
        5, "minibatch: kernels", low=1, high=1024, unit="kernels", label="kernels", only=MINIBATCH
    )
    minibatch_dim: int = field(
        3,
        "minibatch: dimension of a kernel",
        low=1,
        high=1024,
        unit="dimensions",
        label="kernel dim",
        only=MINIBATCH,
    )
    minibatch_init_scale: float = number(
        0.02,
        "minibatch: std of the initial projection",
        low=0,
        unit="ratio",
        label="projection scale",
        only=MINIBATCH,
    )
    minibatch_self_distance: float = number(
        0.0,
        "minibatch: added to a row's distance to itself",
        low=0,
        unit="distance",
        label="self distance",
        only=MINIBATCH,
    )
    minibatch_rows: int = field(
        0,
        "minibatch: rows that each row is compared with, itself included (0: all)",
        low=0,
        high=65536,
        unit="rows",
        label="rows compared",
        only=MINIBATCH,
    )
    minibatch_std: int = field(
        0,
        "rows of a group over which the std of D's features is one feature more (Karras et al. "
        "2018, arXiv 1710.10196; 0: none)",
        low=0,
        high=65536,
        unit="rows",
        label="minibatch std",
        neutral=0,
    )
    packing: int = field(
        1,
        "rows that D judges together, as one: a batch is of so many times fewer packs (Lin et al. "
        "2018, arXiv 1712.04086)",
        low=1,
        high=64,
        unit="rows",
        label="packing",
        neutral=1,
    )
    top_k: float = number(
        0.0,
        "least share of generated rows, or packs, those that D scores best, that G learns from "
        "(Sinha et al. 2020, arXiv 2002.06224; 0: all)",
        low=0,
        high=1,
        unit="ratio",
        label="top k",
        neutral=0.0,
        vanishes=True,
    )
    top_k_decay: float = number(
        0.999,
        "factor on that share in an update, from all rows down to the least",
        low=0,
        high=1,
        unit="ratio per update",
        label="top k decay",
        only=("top_k", above_0),
    )
    feature_matching: str = choice(
        OFF,
        "G matches D's last hidden features instead of its own loss (Salimans et al. 2016, arXiv "
        "1606.03498)",
        Switch(MATCHING),
        label="feature matching",
        neutral=OFF,
    )
    feature_matching_trains: str = choice(
        "g",
        "feature matching: what G's optimizer moves, G or G and D's hidden layers",
        ("g", "g_and_features"),
        label="D's features trained",
        neutral="g",
        only=("feature_matching", MATCHING),
    )
    virtual_batch_norm: str = choice(
        OFF,
        "G's hidden layers are normalised by a batch of latents that is drawn once (Salimans et "
        "al. 2016, arXiv 1606.03498)",
        SWITCH,
        label="virtual batch norm",
        neutral=OFF,
    )
    historical_averaging: str = choice(
        OFF,
        "both networks are pulled towards the mean of their past weights (Salimans et al. 2016, "
        "arXiv 1606.03498)",
        SWITCH,
        label="historical averaging",
        neutral=OFF,
    )
    historical_weight: float = number(
        1.0,
        "historical averaging: weight of the squared distance",
        low=0,
        unit="ratio",
        label="history weight",
        only=("historical_averaging", "on"),
    )
    input_noise: float = number(
        0.0,
        "std of sorted normal noise on the data and on G's latents",
        low=0,
        unit="data units",
        label="input noise",
        neutral=0.0,
        vanishes=True,
    )
    instance_noise: float = number(
        0.0,
        "std of normal noise on D's inputs, real and generated (Sonderby et al. 2017, arXiv "
        "1610.04490)",
        low=0,
        unit="data units",
        label="instance noise",
        neutral=0.0,
        vanishes=True,
    )
    noise_fade_steps: float = number(
        0.0,
        "updates in which the instance noise falls (0: it doesn't)",
        low=0,
        unit="updates",
        label="noise fades in",
        neutral=0.0,
        only=("instance_noise", above_0),
        vanishes=True,
    )
    noise_fade: float = number(
        0.0,
        "to which part of itself it falls",
        low=0,
        high=1,
        unit="ratio",
        label="noise left",
        only=("noise_fade_steps", above_0),
    )
    noise_fade_shape: str = choice(
        "line",
        "along a line, or exponentially, which never gets to 0",
        FADES,
        label="noise falls",
        only=("noise_fade_steps", above_0),
    )
