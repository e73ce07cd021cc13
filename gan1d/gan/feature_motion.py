"""What one update does to D's features: where real and generated rows lie before and after it."""

import jax.numpy as jnp
from jax import Array

from gan1d.gan import perceptrons, train
from gan1d.gan.inputs import Batch
from gan1d.gan.setting import Setting
from gan1d.gan.train import State


def features(setting: Setting, state: State, batch: Batch) -> Array:
    """D's last hidden features around one update of a copy of `state`.

    Returns:
      `[3, 2, B, F]`: before D's steps, after them, and after G's; of the real and of the generated
      rows of the update's last batch, the same ones each time.
    """
    after_d, _ = train.d_turn(setting, state, batch)
    after_g, _ = train.g_turn(setting, after_d, batch)
    noise = batch.noise
    real = batch.real[-1] if noise.real is None else batch.real[-1] + noise.real[-1]

    def look(moment: State) -> Array:
        g, d = train.variables(moment.params, moment.carried)
        fake = perceptrons.generate(setting, g, batch.latent_g[-1])
        if noise.fake_g is not None:
            fake = fake + noise.fake_g[-1]
        return jnp.stack(
            [perceptrons.discriminate(setting, d, rows).features for rows in (real, fake)]
        )

    return jnp.stack([look(moment) for moment in (state, after_d, after_g)])


def centroid_distances(looks: Array) -> Array:
    """How far the mean features of real and generated rows are apart: `[3, 2, B, F]` to `[3]`."""
    real, fake = jnp.moveaxis(looks.mean(-2), 1, 0)
    return jnp.sqrt(((real - fake) ** 2).sum(-1))


def is_picture(setting: Setting) -> bool:
    """Whether the features are kept as pictures: of two units, that is."""
    return perceptrons.feature_count(setting) == 2


def look(setting: Setting, state: State, batch: Batch) -> tuple[Array, Array]:
    """How far the centroids of both kinds of features are apart, `[3]`, and the features."""
    looks = features(setting, state, batch)
    return centroid_distances(looks), looks
