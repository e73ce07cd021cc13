"""Operations of an update, against counts by hand."""

import jax
import jax.numpy as jnp
import pytest

from gan1d.engines import cost

X = jnp.ones((3, 5))


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: x @ jnp.ones((5, 7)), 2 * 3 * 5 * 7),
        (lambda x: jnp.einsum("bi,bj->bij", x, x), 2 * 3 * 5 * 5),
        (lambda x: x + x * x, 2 * 15),
        (lambda x: jnp.tanh(x), 15),
        (lambda x: x.sum(1), 15),
        (lambda x: x.T.reshape(15)[2:], 0),
        (lambda x: jnp.where(x > 0, x, 0), 0),
        (lambda x: jnp.arange(9) * 2, 0),
        (jax.jit(lambda x: x - 1), 15),
        (jax.nn.relu, 15),
        (lambda x: jax.lax.scan(lambda c, row: (c + row, c), jnp.zeros(5), x), 3 * 5),
    ],
)
def test_operations_are_counted_as_by_hand(function, expected):
    assert cost.count(function, X) == expected


def test_a_gradient_of_a_linear_layer_costs_what_it_should():
    """x W: forward, its sum, and the gradient's product; dx is not asked for."""
    weights = jnp.ones((5, 7))
    grad = jax.grad(lambda w: (X @ w).sum())
    assert cost.count(grad, weights) == 2 * (2 * 3 * 5 * 7) + 3 * 7


def test_operations_that_depend_on_values_are_not_guessed():
    with pytest.raises(ValueError, match="while"):
        cost.count(lambda x: jax.lax.while_loop(lambda x: x < 9, lambda x: x + 1, x), 0.0)
