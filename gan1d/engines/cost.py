"""Floating-point operations of an update: what a GAN costs, before it is trained.

They are counted in its jaxpr, by primitive: a matrix product has 2 M N K, a reduction one an input
entry, anything elementwise one an entry, be it an addition or a tanh. Comparisons, selections,
integers and movement of data count nothing, nor does the drawing of noise.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, JaxprEqn

from gan1d.gan import randomness, train
from gan1d.gan.setting import Setting

ELEMENTWISE = frozenset(
    "abs add add_any cos div erf erf_inv exp exp2 expm1 floor integer_pow log log1p logistic max"
    " min mul neg pow round rsqrt sign sin sqrt square sub tanh".split()
)
REDUCTIONS = frozenset("reduce_sum reduce_max reduce_min reduce_prod cumsum".split())
MOVEMENT = frozenset(
    "broadcast_in_dim concatenate convert_element_type copy copy_p dynamic_slice gather iota pad"
    " reshape rev select_n slice sort split squeeze stop_gradient transpose".split()
)


def of_update(setting: Setting) -> int:
    """Operations of one update of one GAN."""

    def example(setting: Setting) -> tuple[Any, Any]:
        key = randomness.run_key(0)
        return train.init(setting, key)[0], train.draw(setting, key, jnp.int32(0))

    return count(train.update, setting, *jax.eval_shape(example, setting))


def count(function: Callable[..., Any], *arguments: Any) -> int:
    """Operations of a function of arrays, or of their shapes.

    Raises:
      ValueError: it has a primitive that isn't known here.
    """
    return _of_jaxpr(jax.make_jaxpr(function)(*arguments).jaxpr)


def _of_jaxpr(jaxpr: Jaxpr) -> int:
    return sum(_of_equation(equation) for equation in jaxpr.eqns)


def _of_equation(equation: JaxprEqn) -> int:
    name = equation.primitive.name
    called = _called(equation)
    if called is not None:
        return _of_jaxpr(called) * equation.params.get("length", 1)  # that of a scan
    given, made = equation.invars[0].aval if equation.invars else None, equation.outvars[0].aval
    if not jnp.issubdtype(made.dtype, jnp.floating) or name in MOVEMENT:
        return 0
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        return 2 * made.size * math.prod(given.shape[axis] for axis in contracted)
    if name in REDUCTIONS:
        return given.size
    if name in ELEMENTWISE:
        return made.size
    raise ValueError(f"no count of the primitive {name}")


def _called(equation: JaxprEqn) -> Jaxpr | None:
    """The function that an equation calls, without the rules for its derivatives."""
    for name in ("jaxpr", "call_jaxpr"):
        if name in equation.params:
            jaxpr = equation.params[name]
            return getattr(jaxpr, "jaxpr", jaxpr)
    return None
