"""optax optimizers rebuilt from traced numbers, which is what lets a learning rate be swept."""

from collections.abc import Callable
from typing import NamedTuple

from gan1d.gan.players import Params
from gan1d.gan.spec import choice, number, pytree
from gan1d.system.lazy import Array, jax, jnp, optax


class AdamState(NamedTuple):
    """Adam's memory."""

    steps: Array
    mean: Params
    square: Params


def _adam_tf1(optimizer: "OptimizerFields") -> "optax.GradientTransformation":
    """Adam as TensorFlow 1 has it, with epsilon outside the bias correction.

    m sqrt(1 - b2^t) / (1 - b1^t) / (sqrt(v) + epsilon): the form that
    Kingma & Ba name at the end of section 2.
    """
    b1, b2 = optimizer.b1, optimizer.b2

    def init(params: Params) -> AdamState:
        zeros = jax.tree.map(jnp.zeros_like, params)
        return AdamState(jnp.zeros((), jnp.int32), zeros, zeros)

    def update(
        grads: Params, state: AdamState, params: Params | None = None
    ) -> tuple[Params, AdamState]:
        del params
        taken = state.steps + 1
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, state.mean, grads)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, state.square, grads)
        correction = jnp.sqrt(1 - b2**taken) / (1 - b1**taken)
        steps = jax.tree.map(
            lambda m, v: correction * m / (jnp.sqrt(v) + optimizer.epsilon), mean, square
        )
        return steps, AdamState(taken, mean, square)

    return optax.GradientTransformation(init, update)


OPTIMIZERS: dict[str, Callable[["OptimizerFields"], "optax.GradientTransformation"]] = {
    "sgd": lambda optimizer: optax.identity(),
    # Plain (heavy-ball) momentum, as TensorFlow 1's.
    "momentum": lambda optimizer: optax.trace(decay=optimizer.momentum),
    # Kingma & Ba 2015 (arXiv 1412.6980).
    "adam": lambda optimizer: optax.scale_by_adam(
        b1=optimizer.b1, b2=optimizer.b2, eps=optimizer.epsilon
    ),
    "adam_tf1": _adam_tf1,
    # Hinton 2012, lecture 6e, with epsilon inside the root as TensorFlow has it; TensorFlow 1
    # starts the accumulator at 1 (rms_initial), today's optimizers at 0.
    "rmsprop": lambda optimizer: optax.scale_by_rms(
        decay=optimizer.rms_decay,
        eps=optimizer.epsilon,
        initial_scale=optimizer.rms_initial,
        eps_in_sqrt=True,
    ),
}


def make(optimizer: "OptimizerFields") -> "optax.GradientTransformation":
    """The optimizer of one network, with rate * decay^floor(steps taken / decay_steps)."""

    def negative_rate(count: Array) -> Array:
        # Half a step on: an inexact division must not put off a stair by a step.
        periods = jnp.floor((count + 0.5) / optimizer.decay_steps)
        return -optimizer.rate * optimizer.decay**periods

    return optax.chain(
        OPTIMIZERS[optimizer.kind](optimizer), optax.scale_by_schedule(negative_rate)
    )


ADAM = ("kind", "adam", "adam_tf1")  # what `only` says of several fields


@pytree
class OptimizerFields:
    """How one network's gradients become steps."""

    kind: str = choice("adam", "method", OPTIMIZERS, label="optimizer")
    rate: float = number(1e-3, "learning rate", low=0, unit="per step", label="rate")
    decay: float = number(
        1.0,
        "factor on the rate every decay_steps steps",
        low=0,
        open_low=True,
        unit="ratio",
        label="rate decay",
    )
    decay_steps: float = number(
        1000.0, "steps of this network between decays", low=1, unit="steps", label="decay steps"
    )
    momentum: float = number(
        0.9,
        "momentum: coefficient",
        low=0,
        high=1,
        unit="ratio",
        label="momentum",
        only=("kind", "momentum"),
    )
    b1: float = number(
        0.9,
        "adam: decay of the first moment",
        low=0,
        high=0.999999,
        unit="ratio",
        label="b1",
        only=ADAM,
    )
    b2: float = number(
        0.999,
        "adam: decay of the second moment",
        low=0,
        high=0.999999,
        unit="ratio",
        label="b2",
        only=ADAM,
    )
    epsilon: float = number(
        1e-8,
        "adam, rmsprop: keeps the divisor from 0",
        low=0,
        unit="gradient units",
        label="epsilon",
        only=(*ADAM, "rmsprop"),
    )
    rms_decay: float = number(
        0.9,
        "rmsprop: decay of the mean square",
        low=0,
        high=1,
        unit="ratio",
        label="rms",
        only=("kind", "rmsprop"),
    )
    rms_initial: float = number(
        0.0,
        "rmsprop: first value of the mean square (TensorFlow 1: 1)",
        low=0,
        unit="gradient units squared",
        label="rms start",
        only=("kind", "rmsprop"),
    )
