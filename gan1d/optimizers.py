"""optax optimizers rebuilt from traced numbers, which is what lets a learning rate be swept."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import optax

OPTIMIZERS: dict[str, Callable[[Any], optax.GradientTransformation]] = {
    "sgd": lambda optimizer: optax.identity(),
    # Plain (heavy-ball) momentum, as TensorFlow 1's.
    "momentum": lambda optimizer: optax.trace(decay=optimizer.momentum),
    # Kingma & Ba 2015 (arXiv 1412.6980).
    "adam": lambda optimizer: optax.scale_by_adam(
        b1=optimizer.b1, b2=optimizer.b2, eps=optimizer.epsilon
    ),
    # Hinton 2012, lecture 6e, with epsilon inside the root as TensorFlow has it; TensorFlow 1
    # starts the accumulator at 1 (rms_initial), today's optimizers at 0.
    "rmsprop": lambda optimizer: optax.scale_by_rms(
        decay=optimizer.rms_decay,
        eps=optimizer.epsilon,
        initial_scale=optimizer.rms_initial,
        eps_in_sqrt=True,
    ),
}


def make(optimizer: Any) -> optax.GradientTransformation:
    """The optimizer of one network, with rate * decay^floor(steps taken / decay_steps)."""

    def negative_rate(count):
        # Half a step on: an inexact division must not put off a stair by a step.
        periods = jnp.floor((count + 0.5) / optimizer.decay_steps)
        return -optimizer.rate * optimizer.decay**periods

    return optax.chain(
        OPTIMIZERS[optimizer.kind](optimizer), optax.scale_by_schedule(negative_rate)
    )
