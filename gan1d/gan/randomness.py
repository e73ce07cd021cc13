"""All of a run's randomness: from its seed, a named stream and the number of the update."""

import hashlib

import numpy as np

from gan1d.system.lazy import Array, jax, jnp


def run_key(seed: Array | int) -> Array:
    """The key that all of a run's randomness comes from.

    Always threefry's: other generators' numbers change under vmap.
    """
    return jax.random.key(seed, impl="threefry2x32")


def stream(key: Array, name: str) -> Array:
    """The key of one of a run's named streams of randomness.

    By a hash of the name (the first 32 bits of its SHA-256), so that a new stream changes no other.
    """
    number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return jax.random.fold_in(key, np.uint32(number))


def uniforms(key: Array, shape: tuple[int, ...]) -> Array:
    """Uniforms in the *open* interval (0, 1), so that every quantile function of them is finite."""
    return jax.random.uniform(key, shape, jnp.float32) + jnp.float32(2.0**-24)
