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
    """x W: the gradient's product, and for the value also the forward product and its sum."""

    def loss(w):
        return (X @ w).sum()

    weights, product = jnp.ones((5, 7)), 2 * 3 * 5 * 7
    assert cost.count(jax.grad(loss), weights) == product
    assert cost.count(jax.value_and_grad(loss), weights) == 2 * product + 3 * 7


def last_of(step, carry):
    """The first carry after four iterations, its other results thrown away."""
    return lambda x: jax.lax.scan(step, carry(x), None, length=4)[0][0]


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: (jnp.tanh(x), x + x)[1], 15),
        (lambda x: jax.jit(lambda x: (jnp.tanh(x), x + x))(x)[1], 15),
        (jax.jit(lambda x: jax.jit(lambda y: y * y)(x + x) * 0 + x), 4 * 15),
        # Carries that nothing reads, and one that the next iteration reads.
        (last_of(lambda c, _: ((c[0] + 1, jnp.tanh(c[1])), c[1] * 2), lambda x: (x, x)), 4 * 15),
        (last_of(lambda c, _: ((c[0] + c[1], jnp.tanh(c[1])), ()), lambda x: (x, x)), 4 * 30),
        # What only starts a carry that nothing reads.
        (last_of(lambda c, _: ((c[0] + 1, c[1]), ()), lambda x: (x, jnp.tanh(x))), 4 * 15),
        # Through two iterations: the first carry needs the second, and that the third.
        (
            last_of(lambda c, _: ((c[1], c[2], jnp.tanh(c[2])), ()), lambda x: (x, x, x)),
            4 * 15,
        ),
    ],
)
def test_what_no_result_needs_costs_nothing(function, expected):
    assert cost.count(function, X) == expected


def test_operations_that_depend_on_values_are_not_guessed():
    with pytest.raises(ValueError, match="while"):
        cost.count(lambda x: jax.lax.while_loop(lambda x: x < 9, lambda x: x + 1, x), 0.0)
