"""Penalties of D: closed forms, and derivatives against differences in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting

from gan1d.gan import penalties, perceptrons
from gan1d.gan.players import Output, Seen

GAMMA = 0.7
RNG = np.random.default_rng(3)


def section(kind, weight=GAMMA):
    return setting(**{"penalty.kind": kind, "penalty.weight": weight}).penalty


def linear(w, b):
    return lambda x: Output(x @ w + b, x)


# Of D(x) = w x + b on any rows. A new penalty needs a row here, and an entry in PENALTIES.
OF_LINEAR = {"r1": lambda w: GAMMA / 2 * (w**2).sum()}
each_penalty = pytest.mark.parametrize("kind", penalties.PENALTIES)


def test_every_penalty_has_its_closed_form():
    assert OF_LINEAR.keys() == penalties.PENALTIES.keys()


@each_penalty
def test_penalties_of_a_linear_d(kind):
    w = np.float32([0.6, -1.5])
    seen = Seen(*RNG.normal(size=(2, 5, 2)).astype(np.float32))
    value = penalties.PENALTIES[kind](section(kind), linear(w, 0.3), seen)
    np.testing.assert_allclose(value, OF_LINEAR[kind](w), rtol=1e-6)


def test_r1_of_a_parabola_is_that_of_the_second_moment():
    """D = a x^2 / 2: (gamma / 2) a^2 E x^2, over the real rows alone."""
    real = RNG.normal(1.0, 2.0, (50, 1)).astype(np.float32)
    seen = Seen(jnp.asarray(real), jnp.full((50, 1), 1e3))
    value = penalties.r1(section("r1"), lambda x: Output(1.5 * x[:, 0] ** 2 / 2, x), seen)
    np.testing.assert_allclose(value, GAMMA / 2 * 1.5**2 * (real**2).mean(), rtol=1e-5)


def test_the_slope_of_a_d_that_compares_rows_is_that_of_the_sum_of_its_outputs():
    rows = jnp.asarray(RNG.normal(size=(4, 1)), jnp.float32)
    slopes = penalties.slopes(lambda x: Output(x[:, 0] * x.sum(), x), rows)
    np.testing.assert_allclose(slopes[:, 0], np.full(4, 2 * rows.sum()), rtol=1e-5)


@each_penalty
@pytest.mark.parametrize("activation", ["tanh", "softplus", "relu"])
def test_the_gradient_in_ds_weights_is_that_of_differences(kind, activation):
    fields = {"discriminator.hidden": (3, 2), "discriminator.activation": activation}
    one = setting(**fields)
    params, _ = perceptrons.init_discriminator(one, jax.random.key(1))
    seen = Seen(*RNG.normal(size=(2, 6, 1)))
    leaves, structure = jax.tree.flatten(jax.tree.map(lambda x: np.asarray(x, float), params))
    ends = np.cumsum([leaf.size for leaf in leaves])

    def value(flat):
        parts = jnp.split(flat, ends[:-1])
        rebuilt = [part.reshape(x.shape) for part, x in zip(parts, leaves, strict=True)]
        d = {"params": jax.tree.unflatten(structure, rebuilt)}
        return penalties.PENALTIES[kind](
            section(kind), lambda x: perceptrons.discriminate(one, d, x), seen
        )

    flat, step = np.concatenate([leaf.ravel() for leaf in leaves]), 1e-6
    ways = np.eye(len(flat)) * step
    with jax.enable_x64(True):
        values = jax.jit(jax.vmap(value))
        found = jax.jit(jax.grad(value))(flat), values(flat + ways), values(flat - ways)
    gradient, above, below = map(np.asarray, found)
    assert gradient.dtype == above.dtype == np.float64 and np.abs(gradient).max() > 1e-3
    np.testing.assert_allclose(gradient, (above - below) / (2 * step), rtol=1e-5, atol=1e-8)
