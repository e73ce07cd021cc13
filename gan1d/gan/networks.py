"""Generator and discriminator: multilayer perceptrons as pure functions of their parameters."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from gan1d.gan import latents, randomness, targets, tricks

ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": nn.relu,
    # TensorFlow 1's default slope, which the tutorials used; today's default elsewhere is 0.01.
    "leaky_relu": lambda x: nn.leaky_relu(x, negative_slope=0.2),
    "tanh": jnp.tanh,
    "sigmoid": nn.sigmoid,
    "softplus": nn.softplus,
    "elu": nn.elu,
    "gelu": nn.gelu,
    "silu": nn.silu,
    "linear": lambda x: x,
}

# Unit initializers; a network's kernel_scale multiplies what they draw. Biases start at zero.
INITIALIZERS: dict[str, Callable[..., Array]] = {
    "normal": nn.initializers.normal(1.0),
    "glorot_uniform": nn.initializers.glorot_uniform(),
    "glorot_normal": nn.initializers.glorot_normal(),
    "he_normal": nn.initializers.he_normal(),
    "lecun_normal": nn.initializers.lecun_normal(),
}


def _scaled(initializer: Callable[..., Array], scale: Any) -> Callable[..., Array]:
    def init(*args: Any, **kwargs: Any) -> Array:
        return scale * initializer(*args, **kwargs)

    return init


def _dense(network: Any, units: int, name: str) -> nn.Dense:
    kernel_init = _scaled(INITIALIZERS[network.kernel_init], network.kernel_scale)
    return nn.Dense(units, kernel_init=kernel_init, name=name)


class Generator(nn.Module):
    """Latents `[B, L]` to samples `[B, X]`.

    Under virtual batch normalization the variables have a collection `reference` beside `params`:
    the latents `[training.batch_size, L]` that normalise the hidden layers.
    """

    setting: Any

    @nn.compact
    def __call__(self, latent: Array) -> Array:
        """Apply the hidden layers, then the output layer, its activation and scale."""
        network = self.setting.generator
        normalised = self.setting.tricks.virtual_batch_norm == "on"
        hidden = latent
        if normalised:
            # No weight: it must not be trained.
            reference = jax.lax.stop_gradient(
                self.variable("reference", "latent", self._draw).value
            )
        for i, units in enumerate(network.hidden):
            layer = _dense(network, units, f"hidden_{i}")
            hidden = layer(hidden)
            if normalised:
                reference = layer(reference)
                scale = self.param(f"scale_{i}", nn.initializers.ones, (units,))
                shift = self.param(f"shift_{i}", nn.initializers.zeros, (units,))
                hidden, reference = (
                    scale[None] * rows + shift[None]
                    for rows in tricks.virtual_batch_norm(hidden, reference)
                )
                reference = ACTIVATIONS[network.activation](reference)
            hidden = ACTIVATIONS[network.activation](hidden)
        output = _dense(network, targets.dim(self.setting.target), "output")(hidden)
        return network.output_scale * ACTIVATIONS[network.output_activation](output)

    def _draw(self) -> Array:
        shape = (self.setting.training.batch_size, self.setting.latent.dim)
        return latents.draw(
            self.setting.latent, randomness.uniforms(self.make_rng("params"), shape)
        )


class Discriminator(nn.Module):
    """Rows `[B, X]` to raw outputs `[B]` and the last hidden layer's features `[B, F]`."""

    network: Any
    tricks: Any

    @nn.compact
    def __call__(self, x: Array) -> tuple[Array, Array]:
        """Apply the hidden layers, the minibatch layer where there is one, and the output layer."""
        widths = self.network.hidden
        if self.tricks.minibatch == "replace":
            widths = widths[:-1]
        features = x
        activations = [self.network.activation] * len(self.network.hidden)
        if self.network.last_activation != "same":
            activations[-1] = self.network.last_activation
        for i, (units, activation) in enumerate(zip(widths, activations, strict=False)):
            features = _dense(self.network, units, f"hidden_{i}")(features)
            features = ACTIVATIONS[activation](features)
        if self.tricks.minibatch != "off":
            features = jnp.concatenate([features, self._similarities(features)], axis=1)
        output = _dense(self.network, 1, "output")(features)[:, 0]
        return ACTIVATIONS[self.network.output_activation](output), features

    def _similarities(self, features: Array) -> Array:
        kernels, dim = self.tricks.minibatch_kernels, self.tricks.minibatch_dim
        # The sources give the projection a bias. It cancels in the distances between rows.
        project = nn.Dense(
            kernels * dim,
            kernel_init=_scaled(INITIALIZERS["normal"], self.tricks.minibatch_init_scale),
            name="minibatch",
        )
        projected = project(features).reshape(-1, kernels, dim)
        return tricks.minibatch_features(
            projected, self.tricks.minibatch_self_distance, self.tricks.minibatch_rows
        )


def init_generator(setting: Any, key: Array) -> Any:
    """G's initial variables."""
    return Generator(setting).init(key, jnp.zeros((1, setting.latent.dim)))


def init_discriminator(setting: Any, key: Array) -> Any:
    """D's initial parameters."""
    module = Discriminator(setting.discriminator, setting.tricks)
    return module.init(key, jnp.zeros((1, targets.dim(setting.target))))


def generate(setting: Any, params: Any, latent: Array) -> Array:
    """G(z): latents `[B, L]` to samples `[B, X]`."""
    return Generator(setting).apply(params, latent)


def discriminate(setting: Any, params: Any, x: Array) -> tuple[Array, Array]:
    """D's raw outputs `[B]` and last hidden features `[B, F]` of one batch of rows `[B, X]`."""
    return Discriminator(setting.discriminator, setting.tricks).apply(params, x)


def feature_count(setting: Any) -> int:
    """How many features D's last hidden layer gives."""
    widths = (targets.dim(setting.target), *setting.discriminator.hidden)
    if setting.tricks.minibatch == "off":
        return widths[-1]
    own = widths[-2] if setting.tricks.minibatch == "replace" else widths[-1]
    return own + setting.tricks.minibatch_kernels
