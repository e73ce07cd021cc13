"""Generator and discriminator as flax Linen modules, and as pure functions of their variables."""

import functools
from collections.abc import Callable, Sequence
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
    hidden_activations,
)
from gan1d.gan.players import Masks, Output, Params, Variables
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF
from gan1d.gan.tricks import TrickFields

OUTPUT = "output"
EPSILON = 1e-5  # added to variances
KEPT = 0.95  # of running means by a step of their network, as in Lin et al. 2018 (PacGAN)


def _scaled(initializer: Callable[..., Array], scale: Array | float) -> Callable[..., Array]:
    def init(*args: Any, **kwargs: Any) -> Array:
        return scale * initializer(*args, **kwargs)

    return init


def _weights(network: GeneratorFields | DiscriminatorFields) -> Callable[..., Array]:
    return _scaled(INITIALIZERS[network.kernel_init], network.kernel_scale)


def _dense(
    network: GeneratorFields | DiscriminatorFields, units: int, name: str, inputs: int
) -> nn.Dense:
    """A layer from so many inputs; no bias where a norm over the batch would take it away."""
    bias_init: Callable[..., Array] = nn.initializers.zeros
    if network.kernel_init == "torch_linear":

        def bias_init(key: Array, shape: tuple[int], dtype: Any = jnp.float32) -> Array:
            return _weights(network)(key, (inputs, *shape), dtype)[0]

    bias = network.bias and not (network.norm == "batch" and name != OUTPUT)
    return nn.Dense(
        units, use_bias=bias, kernel_init=_weights(network), bias_init=bias_init, name=name
    )


def _norm(
    network: GeneratorFields | DiscriminatorFields, i: int, training: bool
) -> Callable[[Array], Array]:
    """What normalises hidden layer number `i`."""
    if network.norm == "batch":
        return nn.BatchNorm(not training, momentum=KEPT, epsilon=EPSILON, name=f"norm_{i}")
    if network.norm == "layer":
        return nn.LayerNorm(epsilon=EPSILON, name=f"norm_{i}")
    return lambda x: x


def _largest(linear: Array, pieces: int) -> Array:
    """Each unit's largest piece `[B, F]`, of all units' first ones, second ones ... `[B, K F]`."""
    return functools.reduce(jnp.maximum, jnp.split(linear, pieces, axis=1))


class Generator(nn.Module):
    """Latents `[B, L]` to samples `[B, X]`.

    Under virtual batch normalization the variables have a collection `reference` beside `params`:
    the latents `[training.batch_size, L]` that normalise the hidden layers. Under batch
    normalization they have `batch_stats`, the running means that do it when nobody is training.
    """

    setting: Setting
    training: bool = False

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
        for i, (units, activation) in enumerate(
            zip(network.hidden, hidden_activations(network), strict=True)
        ):
            layer = _dense(network, units, f"hidden_{i}", hidden.shape[-1])
            hidden = layer(hidden)
            if normalised:
                reference = layer(reference)
                scale = self.param(f"scale_{i}", nn.initializers.ones, (units,))
                shift = self.param(f"shift_{i}", nn.initializers.zeros, (units,))
                hidden, reference = (
                    scale[None] * rows + shift[None]
                    for rows in tricks.virtual_batch_norm(hidden, reference)
                )
                reference = ACTIVATIONS[activation](reference)
            hidden = ACTIVATIONS[activation](_norm(network, i, self.training)(hidden))
        output = _dense(network, dim, OUTPUT, hidden.shape[-1])(hidden)
        return network.output_scale * ACTIVATIONS[network.output_activation](output)

    def _draw(self) -> Array:
        shape = (self.setting.training.batch_size, self.setting.latent.dim)
        u = randomness.uniforms(self.make_rng("params"), shape)
        return latents.draw(self.setting.latent, u)


class Discriminator(nn.Module):
    """Rows `[B, X]` to raw outputs `[B]` and the last hidden layer's features `[B, F]`.

    Beside `params` the variables have `batch_stats` under batch normalization, as G's do, and under
    spectral normalization `spectral`: an estimate of each weight matrix's first singular vector,
    which every use improves by one power iteration, and which keeps D's in its steps.
    """

    network: DiscriminatorFields
    tricks: TrickFields
    training: bool = False

    @nn.compact
    def __call__(self, x: Array, masks: Masks | None = None) -> Output:
        """Apply the hidden layers, the minibatch layer where there is one, and the output layer."""
        widths = self.network.hidden
        if self.tricks.minibatch == "replace":
            widths = widths[:-1]
        features = x
        # The minibatch layer may be in the last one's place.
        activations = hidden_activations(self.network)[: len(widths)]
        for i, (units, activation) in enumerate(zip(widths, activations, strict=True)):
            features = self._layer(features, self.network.maxout * units, f"hidden_{i}")
            if self.network.maxout > 1:
                features = _largest(features, self.network.maxout)
            features = ACTIVATIONS[activation](_norm(self.network, i, self.training)(features))
            if masks is not None:
                features = features * masks[i]
        if self.tricks.minibatch != OFF:
            features = jnp.concatenate([features, self._similarities(features)], axis=1)
        if self.tricks.minibatch_std:
            spread = tricks.minibatch_std(features, self.tricks.minibatch_std)
            features = jnp.concatenate([features, spread], axis=1)
        output = self._layer(features, 1, OUTPUT)[:, 0]
        output = ACTIVATIONS[self.network.output_activation](output)
        return Output(self.network.output_scale * output, features)

    def _layer(self, x: Array, units: int, name: str) -> Array:
        layer = _dense(self.network, units, name, x.shape[-1])
        if self.network.spectral_norm == OFF:
            return cast(Array, layer(x))
        normalised = nn.SpectralNorm(layer, collection_name="spectral", name=f"{name}_spectral")
        return cast(Array, normalised(x, update_stats=self.training))

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
    # As many rows as a group has of them.
    rows = jnp.zeros((max(setting.tricks.minibatch_std, 1), pack_width(setting)))
    return _apart(dict(module.init(key, rows)))


def _apart(variables: Variables) -> tuple[Params, Variables]:
    rest = {name: value for name, value in variables.items() if name != "params"}
    return variables["params"], rest


def generate(
    setting: Setting, variables: Variables, latent: Array, *, training: bool = False
) -> Array:
    """G(z): latents `[B, L]` to samples `[B, X]`."""
    return cast(Array, _applied(Generator(setting, training), variables, latent)[0])


def discriminate(
    setting: Setting,
    variables: Variables,
    x: Array,
    masks: Masks | None = None,
    *,
    training: bool = False,
) -> Output:
    """What D makes of one batch of rows `[B, X]`; masks `[B, F]` are of its hidden layers."""
    module = Discriminator(setting.discriminator, setting.tricks, training)
    return cast(Output, _applied(module, variables, x, masks)[0])


def pack_width(setting: Setting) -> int:
    """How many numbers D is shown of a row, or of a pack of rows."""
    return targets.dim(setting.target) * setting.tricks.packing


def packed(setting: Setting, rows: Array) -> Array:
    """Rows `[B, X]` side by side as D is shown them: `[B / packing, packing X]`."""
    return rows.reshape(-1, pack_width(setting))


def renewed_generator(setting: Setting, variables: Variables, latent: Array) -> Variables:
    """What G keeps beside its parameters, after a step on these latents."""
    if setting.generator.norm != "batch":
        return _apart(variables)[1]
    return _applied(Generator(setting, True), variables, latent)[1]


def renewed_discriminator(
    setting: Setting, variables: Variables, batches: Sequence[Array]
) -> Variables:
    """What D keeps beside its parameters, after a step on some batches of rows."""
    module = Discriminator(setting.discriminator, setting.tricks, True)
    if setting.discriminator.norm != "batch":
        # Power iterations are of the weights alone: one row will do, or one group.
        few = batches[0][: max(setting.tricks.minibatch_std, 1)]
        batches = [] if setting.discriminator.spectral_norm == OFF else [few]
    kept = _apart(variables)[1]
    for rows in batches:
        kept = _applied(module, variables | kept, rows)[1]
    return kept


def _applied(
    module: Generator | Discriminator, variables: Variables, *inputs: Array | Masks | None
) -> tuple[Any, Variables]:
    """What a network makes of inputs, and of what it keeps beside its parameters."""
    kept = _apart(variables)[1]
    if not (module.training and kept):
        return module.apply(variables, *inputs), kept
    output, renewed = module.apply(variables, *inputs, mutable=list(kept))
    return output, kept | dict(renewed)


def feature_count(setting: Setting) -> int:
    """How many features D's last hidden layer gives."""
    widths = (pack_width(setting), *setting.discriminator.hidden)
    more = 1 if setting.tricks.minibatch_std else 0
    if setting.tricks.minibatch == OFF:
        return widths[-1] + more
    before = widths[-2] if setting.tricks.minibatch == "replace" else widths[-1]
    return before + setting.tricks.minibatch_kernels + more


def compares_rows(setting: Setting) -> bool:
    """Whether what D makes of a row depends on the others."""
    tricks = setting.tricks
    return tricks.minibatch != OFF or tricks.minibatch_std > 0 or tricks.packing > 1
