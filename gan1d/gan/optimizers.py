"""optax optimizers rebuilt from traced numbers, which is what lets a learning rate be swept."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

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


Transformation: TypeAlias = "optax.GradientTransformation"


def _sgd(optimizer: "OptimizerFields") -> Transformation:
    """The gradient itself."""
    return optax.identity()


def _momentum(optimizer: "OptimizerFields") -> Transformation:
    """Heavy ball, as TensorFlow 1's; below 0 that of Gidel et al. 2019 (arXiv 1807.04740)."""
    return optax.trace(decay=optimizer.momentum)


def _nesterov(optimizer: "OptimizerFields") -> Transformation:
    """Nesterov 1983, in the form of Sutskever et al. 2013."""
    return optax.trace(decay=optimizer.momentum, nesterov=True)


def _adam(optimizer: "OptimizerFields") -> Transformation:
    """Kingma & Ba 2015 (arXiv 1412.6980)."""
    return optax.scale_by_adam(b1=optimizer.b1, b2=optimizer.b2, eps=optimizer.epsilon)


def _nadam(optimizer: "OptimizerFields") -> Transformation:
    """Adam with Nesterov's momentum: Dozat 2016."""
    return optax.scale_by_adam(
        b1=optimizer.b1, b2=optimizer.b2, eps=optimizer.epsilon, nesterov=True
    )


def _amsgrad(optimizer: "OptimizerFields") -> Transformation:
    """Adam by its largest second moment: Reddi et al. 2018 (arXiv 1904.09237)."""
    return optax.scale_by_amsgrad(b1=optimizer.b1, b2=optimizer.b2, eps=optimizer.epsilon)


def _lion(optimizer: "OptimizerFields") -> Transformation:
    """The sign of a momentum: Chen et al. 2023 (arXiv 2302.06675)."""
    return optax.scale_by_lion(b1=optimizer.b1, b2=optimizer.b2)


def _rmsprop(optimizer: "OptimizerFields") -> Transformation:
    """Hinton 2012, lecture 6e, with epsilon inside the root as TensorFlow has it.

    TensorFlow 1 starts the accumulator at 1 (rms_initial), today's optimizers at 0.
    """
    return optax.scale_by_rms(
        decay=optimizer.rms_decay,
        eps=optimizer.epsilon,
        initial_scale=optimizer.rms_initial,
        eps_in_sqrt=True,
    )


def _optimistic(optimizer: "OptimizerFields") -> Transformation:
    """Optimistic descent: Daskalakis et al. 2018 (arXiv 1711.00141)."""
    return _ahead()


def _optimistic_adam(optimizer: "OptimizerFields") -> Transformation:
    """The same of Adam's directions: Daskalakis et al. 2018 (arXiv 1711.00141), algorithm 1."""
    return optax.chain(_adam_tf1(optimizer), _ahead())


def _ahead() -> Transformation:
    """2 u_t - u_{t-1}, of directions u.

    Nothing is subtracted from the first step, which is double, as in the code of Gidel et al. 2019;
    optax's own starts otherwise.
    """

    def update(
        directions: Params, before: Params, params: Params | None = None
    ) -> tuple[Params, Params]:
        del params
        return jax.tree.map(lambda u, b: 2 * u - b, directions, before), directions

    return optax.GradientTransformation(lambda p: jax.tree.map(jnp.zeros_like, p), update)


OPTIMIZERS: dict[str, Callable[["OptimizerFields"], Transformation]] = {
    "sgd": _sgd,
    "momentum": _momentum,
    "nesterov": _nesterov,
    "adam": _adam,
    "adam_tf1": _adam_tf1,
    "nadam": _nadam,
    "amsgrad": _amsgrad,
    "lion": _lion,
    "rmsprop": _rmsprop,
    "optimistic": _optimistic,
    "optimistic_adam": _optimistic_adam,
}


def _stairs(optimizer: "OptimizerFields", steps: Array) -> Array:
    """By the factor every decay_steps steps."""
    # Half a step on: an inexact division must not put off a stair by a step.
    return optimizer.decay ** jnp.floor((steps + 0.5) / optimizer.decay_steps)


def _line(optimizer: "OptimizerFields", steps: Array) -> Array:
    """To the factor along a line, within decay_steps steps."""
    return 1 + (optimizer.decay - 1) * _done(optimizer, steps)


def _cosine(optimizer: "OptimizerFields", steps: Array) -> Array:
    """Along half a cosine, without restarts: Loshchilov & Hutter 2017 (arXiv 1608.03983)."""
    down = (1 - jnp.cos(jnp.pi * _done(optimizer, steps))) / 2
    return 1 + (optimizer.decay - 1) * down


def _done(optimizer: "OptimizerFields", steps: Array) -> Array:
    """How much of the way to the last rate, from 0 to 1."""
    return jnp.minimum(steps / optimizer.decay_steps, 1.0)


# Factors on the rate after so many steps.
SCHEDULES: dict[str, Callable[["OptimizerFields", Array], Array]] = {
    "stairs": _stairs,
    "line": _line,
    "cosine": _cosine,
}


def make(optimizer: "OptimizerFields") -> "optax.GradientTransformation":
    """The optimizer of one network, with its rate's schedule.

    Weights decay as in Loshchilov & Hutter 2019 (arXiv 1711.05101): by rate * weight_decay of
    themselves a step, apart from the gradient.
    """

    def negative_rate(count: Array) -> Array:
        rate = -optimizer.rate * SCHEDULES[optimizer.schedule](optimizer, count)
        if optimizer.warmup is None:
            return rate
        return rate * jnp.minimum((count + 1) / jnp.maximum(optimizer.warmup, 1.0), 1.0)

    parts = [OPTIMIZERS[optimizer.kind](optimizer)]
    if optimizer.weight_decay is not None:
        parts.append(optax.add_decayed_weights(optimizer.weight_decay))
    return optax.chain(*parts, optax.scale_by_schedule(negative_rate))


def _falls(decay: float) -> bool:
    """Other than 1."""
    return decay != 1


# What `only` says of several fields.
FALLS = ("decay", _falls)
MOMENTUM = ("kind", "momentum", "nesterov")
DIVIDED = ("kind", "adam", "adam_tf1", "nadam", "amsgrad", "optimistic_adam")
ADAM = (*DIVIDED, "lion")


@pytree
class OptimizerFields:
    """How one network's gradients become steps."""

    kind: str = choice("adam", "method", OPTIMIZERS, label="optimizer")
    rate: float = number(1e-3, "learning rate", low=0, unit="per step", label="rate")
    schedule: str = choice(
        "stairs",
        "how it falls, by the factor `decay`",
        SCHEDULES,
        label="schedule",
        only=FALLS,
    )
    decay: float = number(
        1.0, "factor on the rate", low=0, open_low=True, unit="ratio", label="rate decay"
    )
    decay_steps: float = number(
        1000.0,
        "steps of this network that it is for",
        low=1,
        unit="steps",
        label="decay steps",
        only=FALLS,
    )
    warmup: float = number(
        0.0,
        "first steps of this network in which the rate rises to what it is (0: none)",
        low=0,
        unit="steps",
        label="warm-up",
        neutral=0.0,
        vanishes=True,
    )
    weight_decay: float = number(
        0.0,
        "part of the weights that is taken off in a step, times the rate",
        low=0,
        unit="ratio",
        label="weight decay",
        neutral=0.0,
        vanishes=True,
    )
    momentum: float = number(
        0.9,
        "momentum, nesterov: coefficient",
        low=-1,
        high=1,
        unit="ratio",
        label="momentum",
        only=MOMENTUM,
    )
    b1: float = number(
        0.9,
        "adam and its kin: decay of the first moment; below 0 it is negative momentum",
        low=-0.999999,
        high=0.999999,
        unit="ratio",
        label="b1",
        only=ADAM,
    )
    b2: float = number(
        0.999,
        "adam and its kin: decay of the second moment; lion: of its memory",
        low=0,
        high=0.999999,
        unit="ratio",
        label="b2",
        only=ADAM,
    )
    epsilon: float = number(
        1e-8,
        "adam and its kin, rmsprop: keeps the divisor from 0",
        low=0,
        unit="gradient units",
        label="epsilon",
        only=(*DIVIDED, "rmsprop"),
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
