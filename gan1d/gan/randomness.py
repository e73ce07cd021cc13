"""All of a run's randomness: from its seed, a named stream and the number of the update."""

from gan1d.system.lazy import Array, jax, jnp

# New ones go to the end: a stream's numbers depend on its place.
STREAMS = (
    "init_g",
    "init_d",
    "pretraining",
    "data",
    "latent_d",
    "latent_g",
    "data_noise",
    "latent_d_noise",
    "latent_g_noise",
    "real_noise",
    "fake_d_noise",
    "fake_g_noise",
)


def run_key(seed: Array | int) -> Array:
    """The key that all of a run's randomness comes from.

    Always threefry's: other generators' numbers change under vmap.
    """
    return jax.random.key(seed, impl="threefry2x32")


def stream(key: Array, name: str) -> Array:
    """The key of one of a run's named streams of randomness."""
    return jax.random.fold_in(key, STREAMS.index(name))


def uniforms(key: Array, shape: tuple[int, ...]) -> Array:
    """Uniforms in the *open* interval (0, 1), so that every quantile function of them is finite."""
    return jax.random.uniform(key, shape, jnp.float32) + jnp.float32(2.0**-24)
