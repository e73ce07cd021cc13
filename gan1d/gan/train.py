"""One GAN: its initial state, the randomness of an update, and the update itself.

The only randomness of training is in `draw`; `update` is a deterministic function of arrays. A
run's keys come from its seed alone: key(seed), then a named stream, then the number of the update.
So the same seed sees the same data and latents in every setting (common random numbers), and a run
never depends on which other runs share its call.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.scipy.special import ndtri

from gan1d.gan import latents, losses, networks, optimizers, targets, tricks
from gan1d.gan.randomness import stream, uniforms
from gan1d.gan.setting import Setting

PRETRAINING_PARTS = 100  # of the curve that is kept of its loss


class Pair(NamedTuple):
    """What both networks have."""

    g: Any
    d: Any


class History(NamedTuple):
    """The running mean of both networks' weights, for historical averaging."""

    mean: Pair
    count: Array


class State(NamedTuple):
    """Everything that training changes; arrays only."""

    params: Pair
    opt_state: Pair
    history: History | None  # None unless the setting averages over history


class InstanceNoise(NamedTuple):
    """Noise on D's inputs, already scaled."""

    real: Array | None  # [d_steps, B, X]
    fake_d: Array | None  # [d_steps, B, X], generated rows in D's steps
    fake_g: Array | None  # [g_steps, B, X], generated rows in G's steps


NO_NOISE = InstanceNoise(None, None, None)


class Batch(NamedTuple):
    """All randomness of one update."""

    real: Array  # [d_steps, B, X]
    latent_d: Array  # [d_steps, B, L]
    latent_g: Array  # [g_steps, B, L]
    instance_noise: InstanceNoise | None  # None where the setting has none


class Losses(NamedTuple):
    """Mean losses of one update's steps, scalars."""

    d: Array
    g: Array


class Pretraining(NamedTuple):
    """What is kept of D's pretraining."""

    initial: Any  # D's parameters before it
    losses: Array  # [100] means over hundredths of its steps; NaN where those hold no step


class Run(NamedTuple):
    """One GAN in training: its state, when it diverged, and its losses since the last log point."""

    state: State
    diverged_at: Array  # int32: the update that first gave a non-finite value, -1 for never
    loss_sums: Losses


def init(setting: Setting, key: Array) -> tuple[State, Pretraining | None]:
    """Initial weights and optimizer states, and D's pretraining where the setting has any."""
    g_params = networks.init_generator(setting, stream(key, "init_g"))
    d_params = networks.init_discriminator(setting, stream(key, "init_d"))
    pretraining = None
    if setting.pretraining.steps:
        d_params, pretraining = pretrain(setting, d_params, stream(key, "pretraining"))
    params = Pair(g_params, d_params)
    moved_by_g = params if _trains_features(setting) else g_params
    opt_state = Pair(
        optimizers.make(setting.generator.optimizer).init(moved_by_g),
        optimizers.make(setting.discriminator.optimizer).init(d_params),
    )
    history = None
    if setting.tricks.historical_averaging == "on":
        history = History(params, jnp.ones(()))
    return State(params, opt_state, history), pretraining


def start(setting: Setting, key: Array) -> tuple[Run, Pretraining | None]:
    """A run before its first update, and how D was pretrained."""
    state, pretraining = init(setting, key)
    diverged_at = jnp.where(_all_finite(state.params), -1, 0).astype(jnp.int32)
    return Run(state, diverged_at, Losses(jnp.zeros(()), jnp.zeros(()))), pretraining


def pretrain(setting: Setting, d_params: Any, key: Array) -> tuple[Any, Pretraining]:
    """Fit D to the target's density by least squares on uniform points, with D's own optimizer.

    Jang (2016), whose squared error is that of D before it is clipped; AYLIEN (2016) in the code
    that it was first published with.
    """
    section = setting.pretraining
    optimizer = optimizers.make(setting.discriminator.optimizer)
    shape = (setting.training.batch_size, 1)

    def loss(params, x):
        output, _ = networks.discriminate(setting, params, x)
        density = jnp.exp(targets.log_prob(setting.target, x[:, 0]))
        return ((losses.estimate(setting.loss, output) - density) ** 2).mean()

    def step(carry, i):
        params, opt_state = carry
        u = uniforms(jax.random.fold_in(key, i), shape)
        x = section.low + (section.high - section.low) * u
        value, grads = jax.value_and_grad(loss)(params, x)
        updates, opt_state = optimizer.update(grads, opt_state)
        return (optax.apply_updates(params, updates), opt_state), value

    steps = np.arange(section.steps)
    (trained, _), values = jax.lax.scan(step, (d_params, optimizer.init(d_params)), steps)
    # Each part's steps, repeated to the length of the longest, and which of them are repetitions.
    edges = -(-np.arange(PRETRAINING_PARTS + 1) * section.steps // PRETRAINING_PARTS)
    place = edges[:-1, None] + np.arange(np.diff(edges).max())
    inside = place < edges[1:, None]
    sums = jnp.where(inside, values[np.minimum(place, section.steps - 1)], 0).sum(1)
    counts = inside.sum(1)
    means = jnp.where(counts > 0, sums / np.maximum(counts, 1), jnp.nan)
    return trained, Pretraining(d_params, means)


def draw(setting: Setting, key: Array, step: Array) -> Batch:
    """All randomness of update number `step` (from 0) of the run with this key.

    A noise whose scale is None is not drawn, which changes nothing against a scale of 0 but time.
    """
    training = setting.training
    d_rows = (training.d_steps, training.batch_size)
    g_rows = (training.g_steps, training.batch_size)
    dim = targets.dim(setting.target)

    def u(name: str, shape: tuple[int, ...]) -> Array:
        return uniforms(jax.random.fold_in(stream(key, name), step), shape)

    def with_noise(values: Array, name: str) -> Array:
        scale = setting.tricks.input_noise
        if scale is None:
            return values
        steps, rows, columns = values.shape
        noise = u(name, (steps, rows + 1, columns))
        return values + scale * jax.vmap(tricks.sorted_normals)(noise)

    def instance_noise(name: str, rows: tuple[int, int]) -> Array:
        return setting.tricks.instance_noise * ndtri(u(name, (*rows, dim)))

    def arrange(values: Array) -> Array:
        # Only 1-D values have an order; those of more dimensions keep theirs.
        return jnp.sort(values, axis=1) if training.sort and values.shape[-1] == 1 else values

    def latent(name: str, rows: tuple[int, int]) -> Array:
        values = u(name, (*rows, setting.latent.dim))
        values = jax.vmap(lambda batch: latents.draw(setting.latent, batch))(values)
        # Stratified ones come in order, but for jitter wider than their spacing, which no source
        # sorts: and a sort takes longer than all else that is drawn.
        return values if setting.latent.kind == "stratified" else arrange(values)

    def data(rows: tuple[int, int]) -> Array:
        values = u("data", (*rows, targets.uniforms(setting.target)))
        return arrange(targets.sample(setting.target, values))

    if training.fresh_batches:
        real = data(d_rows)
        latent_d, latent_g = latent("latent_d", d_rows), latent("latent_g", g_rows)
    else:
        one = (1, training.batch_size)
        real = jnp.repeat(data(one), training.d_steps, axis=0)
        shared = latent("latent_d", one)
        latent_d, latent_g = (jnp.repeat(shared, rows[0], axis=0) for rows in (d_rows, g_rows))
    noise = None
    if setting.tricks.instance_noise is not None:
        noise = InstanceNoise(
            real=instance_noise("real_noise", d_rows),
            fake_d=instance_noise("fake_d_noise", d_rows),
            fake_g=instance_noise("fake_g_noise", g_rows),
        )
    return Batch(
        real=with_noise(real, "data_noise"),
        latent_d=with_noise(latent_d, "latent_d_noise"),
        latent_g=with_noise(latent_g, "latent_g_noise"),
        instance_noise=noise,
    )


def d_loss(d_params: Any, setting: Setting, real: Array, fake: Array) -> Array:
    """D's mean loss on real and generated rows `[B, X]`, each a batch of its own."""
    real_output, _ = networks.discriminate(setting, d_params, real)
    fake_output, _ = networks.discriminate(setting, d_params, fake)
    return (
        losses.LOSSES[setting.loss.kind]
        .discriminator(setting.loss, real_output, fake_output)
        .mean()
    )


def g_loss(
    g_params: Any, setting: Setting, d_params: Any, real: Array, latent: Array, noise: Array | None
) -> Array:
    """G's mean loss on latents `[B, L]`; under feature matching against the real rows `[B, X]`."""
    fake = _added(networks.generate(setting, g_params, latent), noise)
    output, features = networks.discriminate(setting, d_params, fake)
    if setting.tricks.feature_matching == "off":
        return losses.LOSSES[setting.loss.kind].generator(setting.loss, output).mean()
    _, real_features = networks.discriminate(setting, d_params, real)
    match = tricks.FEATURE_MATCHING[setting.tricks.feature_matching]
    return match(real_features, features)


def d_phase(setting: Setting, state: State, batch: Batch) -> tuple[State, Array]:
    """D's steps of an update; returns their mean loss as well."""
    optimizer = optimizers.make(setting.discriminator.optimizer)
    noise = batch.instance_noise or NO_NOISE
    mean = state.history.mean.d if state.history else None

    def step(carry, inputs):
        params, opt_state = carry
        real, latent, real_noise, fake_noise = inputs
        fake = _added(networks.generate(setting, state.params.g, latent), fake_noise)
        real = _added(real, real_noise)
        loss, grads = jax.value_and_grad(d_loss)(params, setting, real, fake)
        updates, opt_state = optimizer.update(_pulled(setting, grads, params, mean), opt_state)
        return (optax.apply_updates(params, updates), opt_state), loss

    (params, opt_state), losses_ = _repeat(
        step,
        (state.params.d, state.opt_state.d),
        (batch.real, batch.latent_d, noise.real, noise.fake_d),
    )
    state = state._replace(
        params=state.params._replace(d=params), opt_state=state.opt_state._replace(d=opt_state)
    )
    return state, losses_.mean()


def g_phase(setting: Setting, state: State, batch: Batch) -> tuple[State, Array]:
    """G's steps of an update; returns their mean loss as well."""
    optimizer = optimizers.make(setting.generator.optimizer)
    mean = state.history.mean if state.history else Pair(None, None)
    real, noise = last_real(batch), batch.instance_noise or NO_NOISE

    def step(carry, inputs):
        params, opt_state = carry
        latent, fake_noise = inputs

        def loss(moved):
            g_params, d_params = moved if _trains_features(setting) else (moved, params.d)
            return g_loss(g_params, setting, d_params, real, latent, fake_noise)

        if _trains_features(setting):
            # D's output layer has no part in the features: its gradients, and steps, are zero.
            value, grads = jax.value_and_grad(loss)(params)
            grads = grads._replace(g=_pulled(setting, grads.g, params.g, mean.g))
            updates, opt_state = optimizer.update(grads, opt_state)
            return (optax.apply_updates(params, updates), opt_state), value
        value, grads = jax.value_and_grad(loss)(params.g)
        updates, opt_state = optimizer.update(_pulled(setting, grads, params.g, mean.g), opt_state)
        return (params._replace(g=optax.apply_updates(params.g, updates)), opt_state), value

    (params, opt_state), losses_ = _repeat(
        step, (state.params, state.opt_state.g), (batch.latent_g, noise.fake_g)
    )
    state = state._replace(params=params, opt_state=state.opt_state._replace(g=opt_state))
    return state, losses_.mean()


def last_real(batch: Batch) -> Array:
    """The real rows `[B, X]` that D saw last, which feature matching compares with."""
    noise = batch.instance_noise
    return batch.real[-1] if noise is None else batch.real[-1] + noise.real[-1]


def update(setting: Setting, state: State, batch: Batch) -> tuple[State, Losses]:
    """One update: D's steps, then G's. Deterministic: everything random is in `batch`."""
    state, d_value = d_phase(setting, state, batch)
    state, g_value = g_phase(setting, state, batch)
    if state.history:
        count = state.history.count + 1
        mean = jax.tree.map(lambda m, p: m + (p - m) / count, state.history.mean, state.params)
        state = state._replace(history=History(mean, count))
    return state, Losses(d_value, g_value)


def advance(setting: Setting, run: Run, batch: Batch, step: Array) -> Run:
    """Update number `step` (from 0) of a run, unless it has diverged.

    A run whose weights, optimizer state or losses become NaN or infinite keeps its last finite
    state from then on.
    """
    state, update_losses = update(setting, run.state, batch)
    finite = _all_finite((state, update_losses))
    running = run.diverged_at < 0

    def keep(new: Array, old: Array) -> Array:
        return jnp.where(running & finite, new, old)

    return Run(
        state=jax.tree.map(keep, state, run.state),
        diverged_at=jnp.where(running & ~finite, step + 1, run.diverged_at),
        loss_sums=jax.tree.map(
            lambda total, loss: keep(total + loss, total), run.loss_sums, update_losses
        ),
    )


def _added(rows: Array, noise: Array | None) -> Array:
    return rows if noise is None else rows + noise


def _trains_features(setting: Setting) -> bool:
    """Whether G's optimizer moves D's hidden layers too.

    As Neural Perspective's code (2016) does, whose optimizer of the matching loss was given no list
    of variables.
    """
    matching = setting.tricks.feature_matching != "off"
    return matching and setting.tricks.feature_matching_trains == "g_and_features"


def _pulled(setting: Setting, grads: Any, params: Any, mean: Any) -> Any:
    """Gradients plus those of historical averaging, weight * ||params - their past mean||^2.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.3. Without a mean they are left alone.
    """
    if mean is None:
        return grads
    factor = 2 * setting.tricks.historical_weight
    return jax.tree.map(lambda g, p, m: g + factor * (p - m), grads, params, mean)


def _repeat(
    step: Callable[[Any, Any], tuple[Any, Array]], carry: Any, inputs: Any
) -> tuple[Any, Array]:
    """lax.scan, without its loop where there is one step only."""
    if jax.tree.leaves(inputs)[0].shape[0] > 1:
        return jax.lax.scan(step, carry, inputs)
    carry, output = step(carry, jax.tree.map(lambda array: array[0], inputs))
    return carry, output[None]


def _all_finite(tree: Any) -> Array:
    return jnp.stack([jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)]).all()
