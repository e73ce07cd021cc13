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
import optax
from jax import Array
from jax.scipy.special import ndtri

from gan1d import latents, losses, networks, optimizers, targets, tricks
from gan1d.settings import Setting

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


class Pair(NamedTuple):
    """What both networks have."""

    g: Any
    d: Any


class State(NamedTuple):
    """Everything that training changes; arrays only."""

    params: Pair
    opt_state: Pair


class InstanceNoise(NamedTuple):
    """Noise on D's inputs, already scaled."""

    real: Array  # [d_steps, B, X]
    fake_d: Array  # [d_steps, B, X], generated rows in D's steps
    fake_g: Array  # [g_steps, B, X], generated rows in G's steps


class Batch(NamedTuple):
    """All randomness of one update."""

    real: Array  # [d_steps, B, X]
    latent_d: Array  # [d_steps, B, L]
    latent_g: Array  # [g_steps, B, L]
    instance_noise: InstanceNoise


class Losses(NamedTuple):
    """Mean losses of one update's steps, scalars."""

    d: Array
    g: Array


class Run(NamedTuple):
    """One GAN in training: its state, when it diverged, and its losses since the last log point."""

    state: State
    diverged_at: Array  # int32: the update that first gave a non-finite value, -1 for never
    loss_sums: Losses


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


def init(setting: Setting, key: Array) -> State:
    """Initial weights, then D's pretraining where the setting has any."""
    params = Pair(
        networks.init_generator(setting, stream(key, "init_g")),
        networks.init_discriminator(setting, stream(key, "init_d")),
    )
    if setting.pretraining.steps:
        params = params._replace(d=pretrain(setting, params.d, stream(key, "pretraining")))
    opt_state = Pair(
        optimizers.make(setting.generator.optimizer).init(params.g),
        optimizers.make(setting.discriminator.optimizer).init(params.d),
    )
    return State(params, opt_state)


def start(setting: Setting, key: Array) -> Run:
    """A run before its first update."""
    state = init(setting, key)
    diverged_at = jnp.where(_all_finite(state.params), -1, 0).astype(jnp.int32)
    return Run(state, diverged_at, Losses(jnp.zeros(()), jnp.zeros(())))


def pretrain(setting: Setting, d_params: Any, key: Array) -> Any:
    """Fit D to the target's density by least squares on uniform points, with D's own optimizer.

    Jang (2016); AYLIEN (2016) in the code that it was first published with.
    """
    section = setting.pretraining
    optimizer = optimizers.make(setting.discriminator.optimizer)
    probability = losses.LOSSES[setting.loss.kind].probability
    shape = (setting.training.batch_size, targets.DIM)

    def loss(params, x):
        output, _ = networks.discriminate(setting, params, x)
        density = jnp.exp(targets.log_prob(setting.target, x[:, 0]))
        return ((probability(output) - density) ** 2).mean()

    def step(carry, i):
        params, opt_state = carry
        u = uniforms(jax.random.fold_in(key, i), shape)
        x = section.low + (section.high - section.low) * u
        updates, opt_state = optimizer.update(jax.grad(loss)(params, x), opt_state)
        return (optax.apply_updates(params, updates), opt_state), None

    carry = (d_params, optimizer.init(d_params))
    (d_params, _), _ = jax.lax.scan(step, carry, jnp.arange(section.steps))
    return d_params


def draw(setting: Setting, key: Array, step: Array) -> Batch:
    """All randomness of update number `step` (from 0) of the run with this key."""
    training = setting.training
    d_rows = (training.d_steps, training.batch_size)
    g_rows = (training.g_steps, training.batch_size)

    def u(name: str, shape: tuple[int, ...]) -> Array:
        return uniforms(jax.random.fold_in(stream(key, name), step), shape)

    def input_noise(name: str, steps: int, dim: int) -> Array:
        values = u(name, (steps, training.batch_size + 1, dim))
        return setting.tricks.input_noise * jax.vmap(tricks.sorted_normals)(values)

    def instance_noise(name: str, rows: tuple[int, int]) -> Array:
        return setting.tricks.instance_noise * ndtri(u(name, (*rows, targets.DIM)))

    def latent(name: str, rows: tuple[int, int]) -> Array:
        values = u(name, (*rows, setting.latent.dim))
        return jax.vmap(lambda batch: latents.draw(setting.latent, batch))(values)

    def arrange(values: Array) -> Array:
        # Only 1-D values have an order; those of more dimensions keep theirs.
        return jnp.sort(values, axis=1) if training.sort and values.shape[-1] == 1 else values

    real = arrange(targets.sample(setting.target, u("data", (*d_rows, targets.DIM))))
    latent_d, latent_g = arrange(latent("latent_d", d_rows)), arrange(latent("latent_g", g_rows))
    dim = setting.latent.dim
    return Batch(
        real=real + input_noise("data_noise", training.d_steps, targets.DIM),
        latent_d=latent_d + input_noise("latent_d_noise", training.d_steps, dim),
        latent_g=latent_g + input_noise("latent_g_noise", training.g_steps, dim),
        instance_noise=InstanceNoise(
            real=instance_noise("real_noise", d_rows),
            fake_d=instance_noise("fake_d_noise", d_rows),
            fake_g=instance_noise("fake_g_noise", g_rows),
        ),
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
    g_params: Any, setting: Setting, d_params: Any, real: Array, latent: Array, noise: Array
) -> Array:
    """G's mean loss on latents `[B, L]`; under feature matching against the real rows `[B, X]`."""
    fake = networks.generate(setting, g_params, latent) + noise
    output, features = networks.discriminate(setting, d_params, fake)
    if setting.tricks.feature_matching == "off":
        return losses.LOSSES[setting.loss.kind].generator(setting.loss, output).mean()
    _, real_features = networks.discriminate(setting, d_params, real)
    match = tricks.FEATURE_MATCHING[setting.tricks.feature_matching]
    return match(real_features, features)


def update(setting: Setting, state: State, batch: Batch) -> tuple[State, Losses]:
    """One update: D's steps, then G's. Deterministic: everything random is in `batch`."""
    g_optimizer = optimizers.make(setting.generator.optimizer)
    d_optimizer = optimizers.make(setting.discriminator.optimizer)
    noise = batch.instance_noise

    def d_step(carry, inputs):
        params, opt_state = carry
        real, latent, real_noise, fake_noise = inputs
        fake = networks.generate(setting, state.params.g, latent) + fake_noise
        loss, grads = jax.value_and_grad(d_loss)(params, setting, real + real_noise, fake)
        updates, opt_state = d_optimizer.update(grads, opt_state)
        return (optax.apply_updates(params, updates), opt_state), loss

    (d_params, d_opt_state), d_losses = _repeat(
        d_step,
        (state.params.d, state.opt_state.d),
        (batch.real, batch.latent_d, noise.real, noise.fake_d),
    )
    # Feature matching compares with the rows that D saw last.
    last_real = batch.real[-1] + noise.real[-1]

    def g_step(carry, inputs):
        params, opt_state = carry
        latent, fake_noise = inputs
        loss, grads = jax.value_and_grad(g_loss)(
            params, setting, d_params, last_real, latent, fake_noise
        )
        updates, opt_state = g_optimizer.update(grads, opt_state)
        return (optax.apply_updates(params, updates), opt_state), loss

    (g_params, g_opt_state), g_losses = _repeat(
        g_step, (state.params.g, state.opt_state.g), (batch.latent_g, noise.fake_g)
    )
    new = State(Pair(g_params, d_params), Pair(g_opt_state, d_opt_state))
    return new, Losses(d_losses.mean(), g_losses.mean())


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
