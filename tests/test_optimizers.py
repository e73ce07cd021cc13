import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting
from hypothesis import given
from hypothesis import strategies as st

from gan1d.gan import optimizers

GRADIENTS = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

each_optimizer = pytest.mark.parametrize("kind", optimizers.OPTIMIZERS)


def optimizer(kind, **numbers):
    fields = {"kind": kind, **numbers}
    values = {f"generator.optimizer.{name}": value for name, value in fields.items()}
    return setting(**values).generator.optimizer


@jax.jit
def updates(optimizer, gradients, params=0.0):
    """What is added to the parameters at each step, for gradients `[steps, D]`."""
    transform = optimizers.make(optimizer)
    params = jnp.zeros_like(gradients[0]) + params

    def step(state, gradient):
        update, state = transform.update(gradient, state, params)
        return state, update

    return jax.lax.scan(step, transform.init(params), gradients)[1]


# Directions of descent in float64, before the rate: textbook formulas, one gradient at a time.
def sgd(hyper, gradients):
    return list(gradients)


def momentum(hyper, gradients):
    velocity, directions = 0.0, []
    for gradient in gradients:
        velocity = hyper.momentum * velocity + gradient
        directions.append(velocity)
    return directions


def adam(hyper, gradients):
    first, second, directions = 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        first = hyper.b1 * first + (1 - hyper.b1) * gradient
        second = hyper.b2 * second + (1 - hyper.b2) * gradient**2
        unbiased = first / (1 - hyper.b1**t), second / (1 - hyper.b2**t)
        directions.append(unbiased[0] / (np.sqrt(unbiased[1]) + hyper.epsilon))
    return directions


def adam_tf1(hyper, gradients):
    first, second, directions = 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        first = hyper.b1 * first + (1 - hyper.b1) * gradient
        second = hyper.b2 * second + (1 - hyper.b2) * gradient**2
        correction = np.sqrt(1 - hyper.b2**t) / (1 - hyper.b1**t)
        directions.append(correction * first / (np.sqrt(second) + hyper.epsilon))
    return directions


def rmsprop(hyper, gradients):
    square, directions = hyper.rms_initial, []
    for gradient in gradients:
        square = hyper.rms_decay * square + (1 - hyper.rms_decay) * gradient**2
        directions.append(gradient / np.sqrt(square + hyper.epsilon))
    return directions


def nesterov(hyper, gradients):
    ahead = zip(gradients, momentum(hyper, gradients), strict=True)
    return [gradient + hyper.momentum * velocity for gradient, velocity in ahead]


def nadam(hyper, gradients):
    """Of Adam's mean a step more."""
    first, second, directions = 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        first = hyper.b1 * first + (1 - hyper.b1) * gradient
        second = hyper.b2 * second + (1 - hyper.b2) * gradient**2
        ahead = hyper.b1 * first / (1 - hyper.b1 ** (t + 1))
        ahead = ahead + (1 - hyper.b1) * gradient / (1 - hyper.b1**t)
        directions.append(ahead / (np.sqrt(second / (1 - hyper.b2**t)) + hyper.epsilon))
    return directions


def amsgrad(hyper, gradients):
    first, second, largest, directions = 0.0, 0.0, 0.0, []
    for t, gradient in enumerate(gradients, 1):
        first = hyper.b1 * first + (1 - hyper.b1) * gradient
        second = hyper.b2 * second + (1 - hyper.b2) * gradient**2
        largest = np.maximum(largest, second / (1 - hyper.b2**t))
        directions.append(first / (1 - hyper.b1**t) / (np.sqrt(largest) + hyper.epsilon))
    return directions


def lion(hyper, gradients):
    memory, directions = 0.0, []
    for gradient in gradients:
        directions.append(np.sign(hyper.b1 * memory + (1 - hyper.b1) * gradient))
        memory = hyper.b2 * memory + (1 - hyper.b2) * gradient
    return directions


def optimistic(hyper, gradients, inner=sgd):
    """Twice the direction minus the one before; nothing is subtracted from the first."""
    own = inner(hyper, gradients)
    before = [np.zeros_like(own[0]), *own[:-1]]
    return [2 * now - then for now, then in zip(own, before, strict=True)]


def optimistic_adam(hyper, gradients):
    return optimistic(hyper, gradients, adam_tf1)


# A new optimizer needs an entry.
TEXTBOOK = {
    "sgd": sgd,
    "momentum": momentum,
    "adam": adam,
    "adam_tf1": adam_tf1,
    "rmsprop": rmsprop,
    "nesterov": nesterov,
    "nadam": nadam,
    "amsgrad": amsgrad,
    "lion": lion,
    "optimistic": optimistic,
    "optimistic_adam": optimistic_adam,
}


def test_every_optimizer_has_its_textbook():
    assert TEXTBOOK.keys() == optimizers.OPTIMIZERS.keys()


def expected(hyper, gradients):
    gradients = np.asarray(gradients, float)
    periods = np.floor(np.arange(len(gradients)) / hyper.decay_steps)
    rates = hyper.rate * hyper.decay**periods
    return -rates[:, None] * np.stack(TEXTBOOK[hyper.kind](hyper, gradients))


@pytest.mark.parametrize(
    "numbers",
    [
        {},
        {"rate": 0.1, "decay": 0.5, "decay_steps": 7.0},
        # Jang's momentum; TensorFlow 1's RMSProp, with an epsilon that shows where it is added.
        {"momentum": 0.6, "rms_initial": 1.0, "epsilon": 0.01},
        {"b1": 0.5, "b2": 0.9, "rms_decay": 0.99, "epsilon": 1e-10, "rms_initial": 1.0},
        # Negative momentum.
        {"b1": -0.9, "momentum": -0.5, "epsilon": 1e-3},
    ],
)
@each_optimizer
def test_updates_are_the_textbooks(kind, numbers):
    hyper = optimizer(kind, **numbers)
    actual = updates(hyper, jnp.asarray(GRADIENTS))
    # 1 - b2^t and the running means lose some digits in float32.
    np.testing.assert_allclose(actual, expected(hyper, GRADIENTS), rtol=1e-4, atol=1e-9)


SHAPES = {
    "line": lambda part: part,
    "cosine": lambda part: (1 - np.cos(np.pi * part)) / 2,
}


@pytest.mark.parametrize("schedule", [name for name in optimizers.SCHEDULES if name != "stairs"])
def test_the_rate_falls_to_its_end_and_stays_there(schedule):
    hyper = optimizer("sgd", rate=0.3, schedule=schedule, decay=0.1, decay_steps=20.0)
    rates = -np.asarray(updates(hyper, jnp.ones((40, 1))))[:, 0]
    part = SHAPES[schedule](np.minimum(np.arange(40) / 20, 1))
    np.testing.assert_allclose(rates, 0.3 + (0.03 - 0.3) * part, rtol=1e-5)


def test_the_rate_warms_up():
    hyper = optimizer("sgd", rate=0.3, warmup=4.0)
    rates = -np.asarray(updates(hyper, jnp.ones((6, 1))))[:, 0]
    np.testing.assert_allclose(rates, 0.3 * np.array([0.25, 0.5, 0.75, 1, 1, 1]), rtol=1e-6)


@each_optimizer
def test_weights_decay_apart_from_the_gradient(kind):
    plain = optimizer(kind, rate=0.3)
    decaying = dataclasses.replace(plain, weight_decay=0.05)
    gradients, params = jnp.asarray(GRADIENTS), jnp.asarray([1.0, -2.0, 3.0])
    apart = updates(decaying, gradients, params) - updates(plain, gradients, params)
    np.testing.assert_allclose(apart, np.tile(-0.3 * 0.05 * params, (40, 1)), atol=2e-6)


@given(
    rate=st.floats(2.0**-20, 1, width=32),
    decay=st.floats(0.125, 1, width=32),
    decay_steps=st.integers(1, 41),
)
def test_the_rate_falls_in_stairs(rate, decay, decay_steps):
    hyper = optimizer("sgd", rate=rate, decay=decay, decay_steps=decay_steps)
    ones = np.ones((40, 1), np.float32)
    # Numbers below about 1e-38 are flushed to zero.
    actual = updates(hyper, jnp.asarray(ones))
    np.testing.assert_allclose(actual, expected(hyper, ones), rtol=1e-5, atol=1e-37)


# AYLIEN's 150 steps, Jang's 2500, and 41, which times its float32 reciprocal is below 1.
@pytest.mark.parametrize("decay_steps", [1, 41, 150, 1000, 2500])
def test_stairs_begin_at_exact_multiples_of_their_length(decay_steps):
    hyper = optimizer("sgd", rate=1.0, decay=0.99, decay_steps=decay_steps)
    rates = -np.asarray(updates(hyper, jnp.ones((6000, 1))))[:, 0]
    starts = 1 + np.flatnonzero(np.diff(rates))
    # With a decay of 0.99 no rate is lost to rounding before 6000 stairs; steps count from 0.
    np.testing.assert_array_equal(starts, np.arange(decay_steps, 6000, decay_steps))


def test_without_decay_the_rate_never_changes():
    rates = np.asarray(updates(optimizer("sgd", rate=0.3), jnp.ones((6000, 1))))
    np.testing.assert_array_equal(rates, np.float32(-0.3))


@pytest.mark.parametrize(
    ("decay_steps", "rate", "at"),
    [
        # E1: 0.001 * 0.95^floor(step / 2500), over 10000 steps.
        (2500.0, 0.001, {0: 0, 2499: 0, 2500: 1, 4999: 1, 5000: 2, 7500: 3, 9999: 3}),
        # E4 in 2016: every 150 of 1200 steps.
        (150.0, 0.005, {0: 0, 149: 0, 150: 1, 299: 1, 300: 2, 1049: 6, 1050: 7, 1199: 7}),
    ],
)
def test_the_posts_schedules_have_their_values(decay_steps, rate, at):
    hyper = optimizer("sgd", rate=rate, decay=0.95, decay_steps=decay_steps)
    rates = -np.asarray(updates(hyper, jnp.ones((10_000, 1))))[:, 0]
    expected = [rate * 0.95**periods for periods in at.values()]
    np.testing.assert_allclose(rates[list(at)], expected, rtol=1e-6)


def test_where_adam_adds_epsilon_matters_to_small_gradients_only():
    """On step 1 sqrt(1 - b2) is .03: there TensorFlow 1's epsilon weighs 32 times as much."""
    numbers = {"rate": 1.0, "epsilon": 1e-8}
    kinds = [optimizer(kind, **numbers) for kind in ("adam", "adam_tf1")]
    large, small = jnp.full((40, 1), 1.0), jnp.full((40, 1), 1e-8)
    one, other = (np.asarray(updates(kind, large)) for kind in kinds)
    np.testing.assert_allclose(one, other, rtol=1e-4)
    one, other = (float(updates(kind, small)[0, 0]) for kind in kinds)
    np.testing.assert_allclose(one, -1 / 2, rtol=1e-4)  # g / (g + epsilon)
    np.testing.assert_allclose(other, -1 / (1 + 1 / 0.001**0.5), rtol=1e-3)


@each_optimizer
def test_no_gradient_is_no_step(kind):
    np.testing.assert_array_equal(updates(optimizer(kind), jnp.zeros((5, 3))), 0)


def test_rmsprops_first_step_depends_on_where_its_mean_square_starts():
    gradient = jnp.full((1, 1), 2.0)
    # decay .9: square = .9 * start + .4
    for start, square in ((0.0, 0.4), (1.0, 1.3)):
        hyper = optimizer("rmsprop", rate=1.0, rms_initial=start)
        np.testing.assert_allclose(updates(hyper, gradient), -2 / square**0.5, rtol=1e-6)


@each_optimizer
def test_other_numbers_do_not_recompile(kind):
    traces = []

    @jax.jit
    def step(optimizer, gradient):
        traces.append(optimizer)
        transform = optimizers.make(optimizer)
        return transform.update(gradient, transform.init(gradient), gradient)[0]

    default = optimizer(kind)
    gradient = jnp.asarray(GRADIENTS[0])
    for rate in (1e-3, 1e-2, 0.0):
        hyper = dataclasses.replace(default, rate=rate)
        update = step(hyper, gradient)
        np.testing.assert_allclose(update, expected(hyper, GRADIENTS[:1])[0], rtol=1e-4)
    for field in dataclasses.fields(default):
        if "spec" in field.metadata and field.name != "kind":
            if field.metadata["spec"].traced and getattr(default, field.name) is not None:
                step(dataclasses.replace(default, **{field.name: 0.5}), gradient)
    assert len(traces) == 1


@each_optimizer
def test_rates_can_be_mapped_over(kind):
    rates = np.array([0.0, 1e-4, 0.1], np.float32)
    default = optimizer(kind)
    axes = dataclasses.replace(jax.tree.map(lambda _: None, default), rate=0)
    mapped = jax.vmap(updates, in_axes=(axes, None))(
        dataclasses.replace(default, rate=jnp.asarray(rates)), jnp.asarray(GRADIENTS)
    )
    for rate, actual in zip(rates.astype(float), mapped, strict=True):
        hyper = dataclasses.replace(default, rate=rate)
        # What two steps leave over may be nearly nothing.
        found = expected(hyper, GRADIENTS)
        np.testing.assert_allclose(actual, found, rtol=1e-4, atol=1e-9 + 1e-6 * rate)
