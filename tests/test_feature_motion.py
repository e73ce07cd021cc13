"""D's features around one update."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import draw, setting

from gan1d.gan import feature_motion, perceptrons, train

KEY = jax.random.key(5)
CASES = {
    "plain": {},
    "noise, several steps": {
        "tricks.instance_noise": 0.3,
        "training.d_steps": 2,
        "training.g_steps": 3,
    },
    "matching, minibatch": {
        "tricks.feature_matching": "mean",
        "tricks.minibatch": "append",
        "tricks.minibatch_init_scale": 0.3,
    },
}
BY_G_AND_FEATURES = {
    "tricks.feature_matching": "paired",
    "tricks.feature_matching_trains": "g_and_features",
}


@functools.cache
def around(made):
    """A state, its batch, its features around the update, and the states after D and after G."""
    state, batch = train.init(made, KEY)[0], draw(made, KEY, 0)
    return state, batch, *_around(made, state, batch)


@jax.jit
def _around(made, state, batch):
    after_d, _ = train.d_turn(made, state, batch)
    after_g, _ = train.update(made, state, batch)
    return feature_motion.features(made, state, batch), after_d, after_g


@jax.jit
def looked_at(made, state, batch):
    """Features of the update's last real rows and of those that G makes of its last latents."""
    g, d = train.judged(state)
    fake = perceptrons.generate(made, g, batch.latent_g[-1])
    real = batch.real[-1]
    if (noise := batch.instance_noise) is not None:
        real, fake = real + noise.real[-1], fake + noise.fake_g[-1]
    return jnp.stack([perceptrons.discriminate(made, d, rows).features for rows in (real, fake)])


@pytest.mark.parametrize("case", CASES)
def test_features_are_ds_before_its_steps_after_them_and_after_gs(case):
    """A stale D or G, or the rows of another step, would show."""
    made = setting(**CASES[case])
    state, batch, features, after_d, after_g = around(made)
    assert features.shape == (3, 2, 8, perceptrons.feature_count(made))
    for moment, at in zip(features, (state, after_d, after_g), strict=True):
        np.testing.assert_allclose(moment, looked_at(made, at, batch), rtol=1e-4, atol=1e-5)
    # Each look differs from the others, so that none stands in for another.
    for one, other in ((0, 1), (1, 2)):
        assert np.abs(features[one, 1] - features[other, 1]).max() > 1e-4


@pytest.mark.parametrize("case", CASES)
def test_gs_steps_do_not_move_the_features_of_real_rows(case):
    """True by construction: they are D's alone. A post took it for an observation."""
    _, _, features, _, _ = around(setting(**CASES[case]))
    np.testing.assert_array_equal(features[2, 0], features[1, 0])
    assert np.abs(features[1, 0] - features[0, 0]).max() > 1e-4


def test_they_move_where_gs_optimizer_trains_them():
    made = setting(**BY_G_AND_FEATURES)
    state, batch, features, after_d, after_g = around(made)
    assert np.abs(features[2, 0] - features[1, 0]).max() > 1e-4
    for moment, at in zip(features, (state, after_d, after_g), strict=True):
        np.testing.assert_allclose(moment, looked_at(made, at, batch), rtol=1e-4, atol=1e-5)


def test_looking_changes_no_run():
    made = setting()

    @jax.jit
    def with_a_look(state, batch):
        return feature_motion.features(made, state, batch), train.update(made, state, batch)

    state, batch, features, _, after_g = around(made)
    seen, (updated, _) = with_a_look(state, batch)
    np.testing.assert_allclose(seen, features, rtol=1e-5, atol=1e-6)
    for one, other in zip(jax.tree.leaves(updated), jax.tree.leaves(after_g), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)  # fused differently


def test_centroid_distances_are_those_of_mean_features():
    looks = np.random.default_rng(0).normal(size=(3, 2, 7, 4))
    expected = [np.linalg.norm(real.mean(0) - fake.mean(0)) for real, fake in looks]
    np.testing.assert_allclose(
        feature_motion.centroid_distances(jnp.asarray(looks, jnp.float32)), expected, rtol=1e-5
    )
