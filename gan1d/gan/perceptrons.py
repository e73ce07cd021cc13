"""Generator and discriminator as flax Linen modules, and as pure functions of their variables."""

from collections.abc import Callable
from typing import Any, cast

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import Array

from gan1d.gan import latents, randomness, targets, tricks
from gan1d.gan.networks import (
    ACTIVATIONS,
    INITIALIZERS,
    DiscriminatorFields,
    GeneratorFields,
)
from gan1d.gan.players import Output, Params, Variables
from gan1d.gan.setting import Setting
from gan1d.gan.tricks import TrickFields


def _scaled(initializer: Callable[..., Array], scale: Array | float) -> Callable[..., Array]:
    def init(*args: Any, **kwargs: Any) -> Array:
        return scale * initializer(*args, **kwargs)

    return init


def _weights(network: GeneratorFields | DiscriminatorFields) -> Callable[..., Array]:
    return _scaled(INITIALIZERS[network.kernel_init], network.kernel_scale)


def _dense(network: GeneratorFields | DiscriminatorFields, units: int, name: str) -> nn.Dense:
    return nn.Dense(units, use_bias=network.bias, kernel_init=_weights(network), name=name)


class Generator(nn.Module):
    """Latents `[B, L]` to samples `[B, X]`.

    Under virtual batch normalization the variables have a collection `reference` beside `params`:
    the latents `[training.batch_size, L]` that normalise the hidden layers.
    """

    setting: Setting

    @nn.compact
    def __call__(self, latent: Array) -> Array:
        """Apply the hidden layers, then the output layer, its activation and scale."""
        network, dim = self.setting.generator, targets.dim(self.setting.target)
        if network.kind == "point":
            point = self.param("point", _weights(network), (1, dim))
            return jnp.broadcast_to(point, (latent.shape[0], dim))
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
        output = _dense(network, dim, "output")(hidden)
        return network.output_scale * ACTIVATIONS[network.output_activation](output)

    def _draw(self) -> Array:
        shape = (self.setting.training.batch_size, self.setting.latent.dim)
        u = randomness.uniforms(self.make_rng("params"), shape)
        return latents.draw(self.setting.latent, u)


class Discriminator(nn.Module):
    """Rows `[B, X]` to raw outputs `[B]` and the last hidden layer's features `[B, F]`."""

    network: DiscriminatorFields
    tricks: TrickFields

    @nn.compact
    def __call__(self, x: Array) -> Output:
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
        return Output(ACTIVATIONS[self.network.output_activation](output), features)

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


def init_generator(setting: Setting, key: Array) -> tuple[Params, Variables]:
    """G's initial parameters, and what it keeps beside them."""
    return _apart(dict(Generator(setting).init(key, jnp.zeros((1, setting.latent.dim)))))


def init_discriminator(setting: Setting, key: Array) -> tuple[Params, Variables]:
    """D's initial parameters, and what it keeps beside them."""
    module = Discriminator(setting.discriminator, setting.tricks)
    return _apart(dict(module.init(key, jnp.zeros((1, targets.dim(setting.target))))))


def _apart(variables: Variables) -> tuple[Params, Variables]:
    rest = {name: value for name, value in variables.items() if name != "params"}
    return variables["params"], rest


def generate(setting: Setting, variables: Variables, latent: Array) -> Array:
    """G(z): latents `[B, L]` to samples `[B, X]`."""
    return cast(Array, Generator(setting).apply(variables, latent))


def discriminate(setting: Setting, variables: Variables, x: Array) -> Output:
    """What D makes of one batch of rows `[B, X]`."""
    module = Discriminator(setting.discriminator, setting.tricks)
    return cast(Output, module.apply(variables, x))


def feature_count(setting: Setting) -> int:
    """How many features D's last hidden layer gives."""
    widths = (targets.dim(setting.target), *setting.discriminator.hidden)
    if setting.tricks.minibatch == "off":
        return widths[-1]
    before = widths[-2] if setting.tricks.minibatch == "replace" else widths[-1]
    return before + setting.tricks.minibatch_kernels
