"""D's regression on the target's density, before the GAN starts."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gan1d.gan import losses, optimizers, randomness, targets
from gan1d.gan.players import Params, Tree
from gan1d.gan.spec import above_0, field, number, pytree
from gan1d.system import lazy
from gan1d.system.lazy import Array, jax, jnp, optax

if TYPE_CHECKING:
    from gan1d.gan import perceptrons
    from gan1d.gan.setting import Setting
else:
    perceptrons = lazy.module("gan1d.gan.perceptrons")

PARTS = 100  # of the curve that is kept of its loss


@pytree
class PretrainingFields:
    """D's regression on the target's density before the GAN starts."""

    steps: int = field(
        0, "steps", low=0, high=100_000, unit="steps", label="pretraining", neutral=0
    )
    low: float = number(
        -5.0,
        "lower end of the points' uniform distribution",
        unit="data units",
        label="pre low",
        only=("steps", above_0),
    )
    high: float = number(
        5.0,
        "upper end of the points' uniform distribution",
        unit="data units",
        label="pre high",
        only=("steps", above_0),
    )


class Pretraining(NamedTuple):
    """What is kept of D's pretraining."""

    initial: Params  # D's parameters before it
    losses: Array  # [100] means over hundredths of its steps; NaN where those hold no step


def pretrain(setting: "Setting", d_params: Params, key: Array) -> tuple[Params, Pretraining]:
    """Fit D to the target's density by least squares on uniform points, with D's own optimizer.

    Jang (2016), whose squared error is that of D before it is clipped; AYLIEN (2016) in the code
    that it was first published with.
    """
    section = setting.pretraining
    optimizer = optimizers.make(setting.discriminator.optimizer)
    shape = (setting.training.batch_size, 1)

    def loss(params: Params, x: Array) -> Array:
        output = perceptrons.discriminate(setting, {"params": params}, x)
        density = jnp.exp(targets.log_prob(setting.target, x[:, 0]))
        return ((losses.estimate(setting.loss, output.value) - density) ** 2).mean()

    def step(carry: tuple[Params, Tree], i: Array) -> tuple[tuple[Params, Tree], Array]:
        params, opt_state = carry
        u = randomness.uniforms(jax.random.fold_in(key, i), shape)
        x = section.low + (section.high - section.low) * u
        value, grads = jax.value_and_grad(loss)(params, x)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return (optax.apply_updates(params, updates), opt_state), value

    steps = np.arange(section.steps)
    start = d_params, optimizer.init(d_params)
    (trained, _), values = jax.lax.scan(step, start, steps)  # type: ignore[arg-type]
    # Each part's steps, repeated to the length of the longest, and which of them are repetitions.
    edges = -(-np.arange(PARTS + 1) * section.steps // PARTS)
    place = edges[:-1, None] + np.arange(np.diff(edges).max())
    inside = place < edges[1:, None]
    sums = jnp.where(inside, values[np.minimum(place, section.steps - 1)], 0).sum(1)
    counts = inside.sum(1)
    means = jnp.where(counts > 0, sums / np.maximum(counts, 1), jnp.nan)
    return trained, Pretraining(d_params, means)
