"""What the generator is fed: draws for training and a fixed grid for judging."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan1d.gan.spec import choice, field, number, pytree
from gan1d.system.lazy import Array, jnp, jsp


class Kind(NamedTuple):
    """A latent distribution: `draw` pushes uniforms `[B, L]`; `grid` pushes levels `[N, L]`."""

    draw: Callable[["LatentFields", Array], Array]
    grid: Callable[["LatentFields", Array], Array]


def _stratified(latent: "LatentFields", u: Array) -> Array:
    # Jang (2016), AYLIEN (2016): evenly spaced points, each moved by U(0, jitter).
    points = jnp.linspace(0.0, 1.0, u.shape[0])[:, None]
    return latent.low + (latent.high - latent.low) * points + latent.jitter * u


def _interval(latent: "LatentFields", u: Array) -> Array:
    return latent.low + (latent.high - latent.low) * u


KINDS = {
    "stratified": Kind(_stratified, _interval),
    "uniform": Kind(_interval, _interval),
    "normal": Kind(lambda latent, u: jsp.ndtri(u), lambda latent, u: jsp.ndtri(u)),
}


def draw(latent: "LatentFields", u: Array) -> Array:
    """Latents `[B, L]` from uniforms `[B, L]` in the open interval (0, 1)."""
    return KINDS[latent.kind].draw(latent, u)


def grid(latent: "LatentFields", points: int) -> Array:
    """A fixed set of latents `[points, L]` that represents the distribution."""
    return KINDS[latent.kind].grid(latent, jnp.asarray(levels(points, latent.dim)))


def levels(points: int, dim: int) -> np.ndarray:
    """Points `[points, dim]` spread evenly over the open unit cube.

    In one dimension the midpoints of equal slices; in more the additive recurrence of Roberts
    (2018), "The unreasonable effectiveness of quasirandom sequences".
    """
    index = np.arange(points, dtype=np.float64)[:, None]
    if dim == 1:
        return ((index + 0.5) / points).astype(np.float32)
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
