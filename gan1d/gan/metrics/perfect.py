"""Samples of the target itself, as those of a generator that has learned it would be judged.

A generator is judged on latents that are spread evenly. So a perfect one's samples are no random
ones, and nearer to the target than those: by much where there are few latent dimensions.
"""

import jax.numpy as jnp
from jax import Array

from gan1d.gan import latents, targets
from gan1d.gan.latents import LatentFields
from gan1d.gan.randomness import stream, uniforms
from gan1d.gan.targets import TargetFields

LEAST = 2.0**-24  # the smallest uniform, as training's


def lattice_dims(target: TargetFields, latent: LatentFields) -> int:
    """Of how many dimensions the lattice is that a target's perfect samples are made of.

    They are made of its first coordinates. 0 where it is none, but independent points.
    """
    if not latents.is_lattice(latent.dim):
        return 0
    return max(latent.dim, targets.uniforms(target))


def samples(target: TargetFields, points: int, dims: int, key: Array) -> Array:
    """Samples `[points, X]` of a target, of a lattice of so many dims moved by chance; 0: random.

    One generator may make any coordinate of the latents its first, and begin anywhere in it.
    """
    count = targets.uniforms(target)
    if not dims:
        return random_samples(target, points, key)
    moved = latents.levels(points, dims)[:, :count] + uniforms(stream(key, "shift"), (1, count))
    u = jnp.where(moved < 1, moved, moved - 1)
    return targets.sample(target, jnp.clip(u, LEAST, 1 - LEAST))


def random_samples(target: TargetFields, points: int, key: Array) -> Array:
    """Independent samples `[points, X]` of a target."""
    return targets.sample(target, uniforms(key, (points, targets.uniforms(target))))
