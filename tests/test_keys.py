"""A run's keys, and the uniforms that all of its randomness is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import scipy.stats

from gan1d.gan import randomness

SHAPE = (3, 5)


def test_streams_have_keys_of_their_own():
    key = randomness.run_key(11)
    data = {
        tuple(jax.random.key_data(randomness.stream(key, name)).tolist())
        for name in randomness.STREAMS
    }
    assert len(data) == len(randomness.STREAMS) == len(set(randomness.STREAMS))


def test_streams_keep_their_numbers():
    """Results of a seed are the same in every version: new streams go to the end."""
    assert randomness.STREAMS[:12] == (
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


def test_keys_are_threefrys_whatever_the_default():
    assert str(jax.random.key_impl(randomness.run_key(0))) == "threefry2x32"
    with jax.default_prng_impl("rbg"):
        assert str(jax.random.key_impl(randomness.run_key(0))) == "threefry2x32"


def test_a_traced_seed_gives_the_key_of_the_same_number():
    seeds = jnp.array([0, 7, 2**31 - 1])
    mapped = jax.vmap(randomness.run_key)(seeds)
    for i, seed in enumerate((0, 7, 2**31 - 1)):
        alone = jax.random.key_data(randomness.run_key(seed))
        np.testing.assert_array_equal(jax.random.key_data(mapped[i]), alone)


def test_uniforms_under_vmap_are_those_of_each_key():
    many = jax.vmap(randomness.run_key)(jnp.arange(4))
    mapped = jax.vmap(lambda key: randomness.uniforms(key, SHAPE))(many)
    for i in range(4):
        np.testing.assert_array_equal(mapped[i], randomness.uniforms(randomness.run_key(i), SHAPE))


def test_uniforms_are_uniform():
    values = np.asarray(randomness.uniforms(randomness.run_key(0), (100_000,)))
    assert values.dtype == np.float32
    assert scipy.stats.kstest(values, "uniform").pvalue > 1e-3


def test_uniforms_are_within_the_open_interval(monkeypatch):
    """The smallest and the largest number that JAX draws, whose quantiles must be finite."""
    extremes = jnp.array([0.0, 1 - 2.0**-23], jnp.float32)
    monkeypatch.setattr(jax.random, "uniform", lambda *args, **kwargs: extremes)
    values = np.asarray(randomness.uniforms(randomness.run_key(0), (2,)))
    assert 0 < values[0] < values[1] < 1
    assert np.isfinite(scipy.special.ndtri(values)).all()
