"""Floating-point operations of an update: what a GAN costs, before it is trained.

They are counted in its jaxpr, by primitive: a matrix product has 2 M N K, a reduction one an input
entry, anything elementwise one an entry, be it an addition or a tanh. Comparisons, selections,
integers and movement of data count nothing, nor does the drawing of noise, and what no result needs
is left out, as any compiler does.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var

from gan1d.engines import one_run
from gan1d.gan import randomness, train
from gan1d.gan.setting import Setting
from gan1d.gan.targets import data
from gan1d.simd.jaxpr import scan_counts

ELEMENTWISE = frozenset(
    "abs add add_any cos div erf erf_inv exp exp2 expm1 floor integer_pow log log1p logistic max"
    " min mul neg one_minus_square pow round rsqrt sign sin sqrt square sub tanh".split()
)
REDUCTIONS = frozenset("reduce_sum reduce_max reduce_min reduce_prod cumsum".split())
MOVEMENT = frozenset(
    "broadcast_in_dim concatenate convert_element_type copy copy_p dynamic_slice gather iota pad"
    " reshape rev select_n slice sort split squeeze stack stop_gradient tile transpose"
    " unstack".split()
)


def of_update(setting: Setting) -> int:
    """Operations of one update of one GAN."""
    setting = one_run.bound(setting, data.rows(setting.target))

    def example(setting: Setting) -> tuple[train.State, train.Batch]:
        key = randomness.run_key(0)
        return train.init(setting, key)[0], train.draw(setting, key, jnp.int32(0))

    return count(train.update, setting, *jax.eval_shape(example, setting))


def count(function: Callable[..., object], *arguments: object) -> int:
    """Operations of a function of arrays, or of their shapes.

    Raises:
      ValueError: it has a primitive that isn't known here.
    """
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    operations, _ = _of_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return operations


def _of_jaxpr(jaxpr: Jaxpr, wanted: Sequence[bool]) -> tuple[int, list[bool]]:
    """Operations that the wanted ones of its results need, and which of its arguments these need.

    From the last equation to the first, so that what needs a result is known before it.
    """
    needed = _variables(jaxpr.outvars, wanted)
    total = 0
    for equation in reversed(jaxpr.eqns):
        results = [variable in needed for variable in equation.outvars]
        if any(results):
            operations, arguments = _of_equation(equation, results)
            total += operations
            needed |= _variables(equation.invars, arguments)
    return total, [variable in needed for variable in jaxpr.invars]


def _variables(atoms: Sequence[Var | Literal], chosen: Sequence[bool]) -> set[Var]:
    pairs = zip(atoms, chosen, strict=True)
    return {atom for atom, is_chosen in pairs if is_chosen and isinstance(atom, Var)}


def _of_equation(equation: JaxprEqn, wanted: Sequence[bool]) -> tuple[int, list[bool]]:
    """Operations, and which arguments they need."""
    called = _called(equation)
    if called is None:
        return _of_primitive(equation), [True] * len(equation.invars)
    if equation.primitive.name == "scan":
        return _of_scan(called, equation, wanted)
    return _of_jaxpr(called, wanted)


def _of_scan(body: Jaxpr, equation: JaxprEqn, wanted: Sequence[bool]) -> tuple[int, list[bool]]:
    """A scan's; what an iteration needs of its carry, the one before must give."""
    constants, carries = scan_counts(equation.params)
    wanted = list(wanted)
    while True:
        operations, arguments = _of_jaxpr(body, wanted)
        carried = arguments[constants : constants + carries]
        grown = [w or c for w, c in zip(wanted[:carries], carried, strict=True)]
        if grown == wanted[:carries]:
            return operations * equation.params["length"], arguments
        wanted[:carries] = grown


def _of_primitive(equation: JaxprEqn) -> int:
    name, result = equation.primitive.name, _array(equation.outvars[0])
    if not jnp.issubdtype(result.dtype, jnp.floating) or name in MOVEMENT:
        return 0
    if name == "dot_general":
        (contracted, _), _ = equation.params["dimension_numbers"]
        left = _array(equation.invars[0])
        return 2 * result.size * math.prod(left.shape[axis] for axis in contracted)
    if name in REDUCTIONS:
        return _array(equation.invars[0]).size
    if name in ELEMENTWISE:
        return result.size
    raise ValueError(f"no count of the primitive {name}")


def _array(atom: Var | Literal) -> jax.core.ShapedArray:
    if not isinstance(atom.aval, jax.core.ShapedArray):
        raise ValueError(f"no count of operations on {atom.aval}")
    return atom.aval


def _called(equation: JaxprEqn) -> Jaxpr | None:
    """The function that an equation calls, without the rules for its derivatives."""
    for name in ("jaxpr", "call_jaxpr"):
        if name in equation.params:
            jaxpr = equation.params[name]
            return jaxpr.jaxpr if isinstance(jaxpr, ClosedJaxpr) else jaxpr
    return None
