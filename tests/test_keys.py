"""A run's keys, and the uniforms that all of its randomness is made of."""

import hashlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import setting

from gan1d.gan import inputs, randomness, train

SHAPE = (3, 5)


def names_of_streams(penalty):
    """The streams that a run with this penalty draws from, and with all else that is drawn."""
    names = []

    def noted(key, name, draw=randomness.stream):
        names.append(name)
        return draw(key, name)

    noise = {"tricks.input_noise": 0.1, "tricks.instance_noise": 0.1, "loss.flips": 0.1}
    noise["discriminator.dropout"] = 0.1
    pairs = {"diversity.kind": "mode_seeking", "latent.kind": "uniform"}
    one = setting(**noise, **pairs, **{"pretraining.steps": 1, "penalty.kind": penalty})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randomness, "stream", noted)
        patch.setattr(train, "stream", noted)
        jax.eval_shape(
            lambda key: (train.init(one, key), inputs.draw(one, key, 0)), randomness.run_key(0)
        )
    return names


def test_streams_have_keys_of_their_own():
    drawn = [names_of_streams(penalty) for penalty in ("gradient", "dragan")]
    assert all(len(names) == len(set(names)) for names in drawn)
    names = sorted(set.union(*map(set, drawn)))
    assert len(names) == 23  # dropout has one of each hidden layer
    key = randomness.run_key(11)
    keys = [jax.random.key_data(randomness.stream(key, name)).tolist() for name in names]
    assert len({tuple(words) for words in keys}) == len(names)


@pytest.mark.parametrize(
    "name, number", [("data", 980332665), ("latent_g", None), ("init_d", None)]
)
def test_streams_keep_their_numbers(name, number):
    """Results of a seed are the same in every version, whatever streams are new in it."""
    expected = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    if number is not None:
        assert expected == number
    key = randomness.run_key(3)
    ours, plain = randomness.stream(key, name), jax.random.fold_in(key, np.uint32(expected))
    np.testing.assert_array_equal(jax.random.key_data(ours), jax.random.key_data(plain))


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
