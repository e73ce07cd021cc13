"""What the generator is fed: draws for training and a fixed grid for judging."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan1d.gan.spec import choice, field, number, pytree
from gan1d.gan.targets import student
from gan1d.system.lazy import Array, jnp, jsp

LATTICE_DIMS = 8  # at most; in more the coordinates of a lattice are all but copies of each other
POINTS_SEED = 20260101  # of what judges in more


class Kind(NamedTuple):
    """A latent distribution: `draw` pushes uniforms `[B, L]`; `grid` pushes levels `[N, L]`."""

    draw: Callable[["LatentFields", Array], Array]
    grid: Callable[["LatentFields", Array], Array]


def _stratified(latent: "LatentFields", u: Array) -> Array:
    # Jang (2016), AYLIEN (2016): evenly spaced points, each moved by U(0, jitter).
    return _jittered(latent, jnp.linspace(0.0, 1.0, u.shape[0])[:, None], u)


def _jittered(latent: "LatentFields", points: Array, u: Array) -> Array:
    return latent.low + (latent.high - latent.low) * points + latent.jitter * u


def _interval(latent: "LatentFields", u: Array) -> Array:
    return latent.low + (latent.high - latent.low) * u


def _heavy_tailed(latent: "LatentFields", u: Array) -> Array:
    return student.quantile(latent.freedom, u)


KINDS = {
    "stratified": Kind(_stratified, _interval),
    "uniform": Kind(_interval, _interval),
    "normal": Kind(lambda latent, u: jsp.ndtri(u), lambda latent, u: jsp.ndtri(u)),
    "student_t": Kind(_heavy_tailed, _heavy_tailed),
}


def draw(latent: "LatentFields", u: Array) -> Array:
    """Latents `[B, L]` from uniforms `[B, L]` in the open interval (0, 1)."""
    return KINDS[latent.kind].draw(latent, u)


def grid(latent: "LatentFields", points: int) -> Array:
    """A fixed set of latents `[points, L]` that represents the distribution."""
    return KINDS[latent.kind].grid(latent, jnp.asarray(levels(points, latent.dim)))


def trained(latent: "LatentFields", batch_size: int, points: int) -> Array:
    """A fixed set of latents `[points, 1]` that represents those of stratified batches.

    A batch has the same points each time and their jitter: as many rows, give or take one, are at
    each point, and spread evenly over its jitter.
    """
    places = (np.arange(points) + 0.5) * batch_size / points
    index = np.floor(places)
    point, u = index / max(1, batch_size - 1), places - index
    as_column = (jnp.asarray(column[:, None], jnp.float32) for column in (point, u))
    return _jittered(latent, *as_column)


def is_lattice(dim: int) -> bool:
    """Whether `levels` of so many dimensions are a lattice: else they are independent points."""
    return dim <= LATTICE_DIMS


def levels(points: int, dim: int) -> np.ndarray:
    """Points `[points, dim]` spread evenly over the open unit cube.

    In one dimension the midpoints of equal slices; in a few the additive recurrence of Roberts
    (2018), "The unreasonable effectiveness of quasirandom sequences". In many its steps are almost
    equal, and with them the coordinates of a point: so there are independent points instead, always
    the same ones. Not Sobol's: so many dimensions of so few points are no more even than these, and
    how they are scrambled is up to the version of whoever does it. The bits of PCG64 are not.
    """
    index = np.arange(points, dtype=np.float64)[:, None]
    if dim == 1:
        return ((index + 0.5) / points).astype(np.float32)
    if not is_lattice(dim):
        bits = np.random.PCG64(POINTS_SEED).random_raw(points * dim) >> np.uint64(41)
        return ((bits.reshape(points, dim) + 0.5) * 2.0**-23).astype(np.float32)
    golden = 2.0
    for _ in range(50):  # the root of g^(dim + 1) = g + 1
        golden = (1 + golden) ** (1 / (dim + 1))
    steps = golden ** -np.arange(1.0, dim + 1)
    return np.clip((0.5 + index * steps) % 1, 1e-6, 1 - 1e-6).astype(np.float32)


@pytree
class LatentFields:
    """What the generator is fed."""

    kind: str = choice("stratified", "distribution", KINDS, label="latent")
    dim: int = field(
        1, "dimension (stratified: 1)", low=1, high=1024, unit="dimensions", label="latent dim"
    )
    freedom: float = field(
        4.0,
        "Student's t: degrees of freedom; 1: Cauchy",
        low=1.0,
        high=1000.0,
        unit="ratio",
        label="latent degrees of freedom",
        only=("kind", "student_t"),
    )
    low: float = number(
        -8.0,
        "stratified, uniform: lower end",
        unit="latent units",
        label="latent low",
        only=("kind", "stratified", "uniform"),
    )
    high: float = number(
        8.0,
        "stratified, uniform: upper end",
        unit="latent units",
        label="latent high",
        only=("kind", "stratified", "uniform"),
    )
    jitter: float = number(
        0.01,
        "stratified: width of each point's uniform jitter",
        low=0,
        unit="latent units",
        label="latent jitter",
        only=("kind", "stratified"),
    )
