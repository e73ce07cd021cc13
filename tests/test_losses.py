import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting

from gan1d import losses

OUTPUTS = np.linspace(-6, 6, 49)
each_loss = pytest.mark.parametrize("kind", losses.LOSSES)
CROSS_ENTROPIES = ("non_saturating", "saturating")


def section(kind, floor=0.0):
    return setting(**{"loss.kind": kind, "loss.log_floor": floor}).loss


def discriminator(loss, real, fake):
    return losses.LOSSES[loss.kind].discriminator(loss, jnp.float32(real), jnp.float32(fake))


def generator(loss, fake):
    return losses.LOSSES[loss.kind].generator(loss, jnp.float32(fake))


def log_d(floor, output):
    """log max(D, floor), as the sources have it."""
    return np.log(np.maximum(1 / (1 + np.exp(-np.asarray(output, float))), floor))


# Closed forms in float64: (floor, real, fake) and (floor, fake). A new loss needs an entry.
CLOSED_FORMS = {
    "non_saturating": (
        lambda floor, real, fake: -(log_d(floor, real) + log_d(floor, -fake)),
        lambda floor, fake: -log_d(floor, fake),
    ),
    "saturating": (
        lambda floor, real, fake: -(log_d(floor, real) + log_d(floor, -fake)),
        lambda floor, fake: log_d(floor, -fake),
    ),
    "least_squares": (
        lambda floor, real, fake: 0.5 * (real - 1) ** 2 + 0.5 * fake**2,
        lambda floor, fake: 0.5 * (fake - 1) ** 2,
    ),
}


@each_loss
@pytest.mark.parametrize("floor", [0.0, 1e-5, 0.25])
def test_losses_are_their_formulas_row_by_row(kind, floor):
    loss = section(kind, floor)
    expected_d, expected_g = CLOSED_FORMS[kind]
    real, fake = (array.ravel() for array in np.meshgrid(OUTPUTS, OUTPUTS))
    close = {"rtol": 2e-6, "atol": 1e-6}
    np.testing.assert_allclose(
        discriminator(loss, real, fake), expected_d(floor, real, fake), **close
    )
    np.testing.assert_allclose(generator(loss, fake), expected_g(floor, fake), **close)


@pytest.mark.parametrize(
    "kind, output, d, g",
    [
        ("non_saturating", 0.0, 2 * np.log(2), np.log(2)),
        ("saturating", 0.0, 2 * np.log(2), -np.log(2)),
        ("least_squares", 0.5, 1 / 4, 1 / 8),
    ],
)
def test_values_where_d_cannot_tell_real_from_generated(kind, output, d, g):
    loss = section(kind, 1e-5)
    np.testing.assert_allclose(discriminator(loss, output, output), d, rtol=1e-6)
    np.testing.assert_allclose(generator(loss, output), g, rtol=1e-6)


@each_loss
def test_the_best_answer_to_indistinguishable_rows_is_one_half(kind):
    outputs = np.linspace(-2, 2, 257, dtype=np.float32)  # holds both 0 and 1/2
    best = outputs[np.argmin(discriminator(section(kind), outputs, outputs))]
    np.testing.assert_allclose(losses.LOSSES[kind].probability(jnp.float32(best)), 0.5, atol=1e-6)


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_probability_is_the_sigmoid(kind):
    expected = 1 / (1 + np.exp(-OUTPUTS))
    actual = losses.LOSSES[kind].probability(jnp.float32(OUTPUTS))
    np.testing.assert_allclose(actual, expected, rtol=1e-6)


@each_loss
def test_d_learns_to_raise_real_and_lower_generated_outputs(kind):
    # Between the labels, where least squares pushes outwards too.
    outputs = jnp.linspace(0.05, 0.95, 19)
    loss = section(kind, 1e-5)
    function = losses.LOSSES[kind].discriminator
    real, fake = jax.grad(lambda real, fake: function(loss, real, fake).sum(), argnums=(0, 1))(
        outputs, outputs[::-1]
    )
    assert (real < 0).all()
    assert (fake > 0).all()


@each_loss
def test_g_learns_to_raise_its_rows_outputs(kind):
    outputs = jnp.linspace(0.05, 0.95, 19)
    loss = section(kind, 1e-5)
    assert (np.diff(generator(loss, outputs)) < 0).all()
    gradient = jax.grad(lambda fake: losses.LOSSES[kind].generator(loss, fake).sum())(outputs)
    assert (gradient < 0).all()


def test_only_the_non_saturating_g_learns_from_a_d_that_is_sure():
    def slope(kind):
        function = losses.LOSSES[kind].generator
        return float(jax.grad(lambda fake: function(section(kind), fake))(jnp.float32(-6.0)))

    # Derivatives at output -6: sigmoid(-6) - 1 and -sigmoid(-6).
    certainty = 1 / (1 + np.exp(6.0))
    np.testing.assert_allclose(slope("non_saturating"), certainty - 1, rtol=1e-5)
    np.testing.assert_allclose(slope("saturating"), -certainty, rtol=1e-5)


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_the_floor_bounds_every_log_and_stops_its_gradient(kind):
    floor = 1e-5
    at_floor = np.log(floor / (1 - floor))  # the output whose probability is the floor
    function = losses.LOSSES[kind].discriminator
    loss = section(kind, floor)
    slopes = jax.grad(lambda real, fake: function(loss, real, fake), argnums=(0, 1))
    sign = 1 if kind == "non_saturating" else -1  # which of D and 1 - D G's log is taken of
    g_slope = jax.grad(lambda fake: losses.LOSSES[kind].generator(loss, fake))
    below, above = jnp.float32(at_floor - 0.01), jnp.float32(at_floor + 0.01)

    # -log(floor) for the real row plus as good as nothing for the generated row.
    np.testing.assert_allclose(discriminator(loss, below, -200), -np.log(floor), rtol=1e-6)
    np.testing.assert_allclose(discriminator(loss, 200, -below), -np.log(floor), rtol=1e-6)
    np.testing.assert_allclose(generator(loss, sign * below), -sign * np.log(floor), rtol=1e-6)
    assert slopes(below, -below) == (0, 0)
    assert g_slope(sign * below) == 0
    # Just above it the log's own slope, 1 - floor in size.
    np.testing.assert_allclose(slopes(above, -above), (-1, 1), rtol=1e-4)
    np.testing.assert_allclose(g_slope(sign * above), -1, rtol=1e-4)


@pytest.mark.parametrize("kind", CROSS_ENTROPIES)
def test_without_a_floor_losses_of_extreme_outputs_stay_finite(kind):
    loss = section(kind, 0.0)
    # -log D(-200) = 200, though D(-200) itself is 0 in float32.
    np.testing.assert_allclose(discriminator(loss, -200, 200), 400, rtol=1e-6)
    np.testing.assert_allclose(discriminator(loss, 200, -200), 0, atol=1e-6)
    expected = {"non_saturating": (200, 0), "saturating": (0, -200)}[kind]
    np.testing.assert_allclose(generator(loss, np.array([-200, 200])), expected, atol=1e-6)
    function = losses.LOSSES[kind].discriminator
    slopes = jax.grad(lambda real, fake: function(loss, real, fake), argnums=(0, 1))
    np.testing.assert_allclose(slopes(-200.0, 200.0), (-1, 1), rtol=1e-6)
