"""Lower a jaxpr, the program of one run as JAX traced it, to a graph.

A primitive moves elements (`primitives.MOVES`), is one operation under the same name (SAME), or has
a rule of its own (`primitives.RULES`, `threefry.RULES`). Calls are inlined, short scans unrolled.
"""

import functools
from collections.abc import Sequence

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var
from numpy.typing import ArrayLike

from gan1d.simd import primitives, threefry
from gan1d.simd.graph import Graph, distinct
from gan1d.simd.nodes import REDUCTIONS, Input, Unsupported, View, whole_view
from gan1d.simd.primitives import Params, Shaped
from gan1d.simd.threefry import Key

UNROLLED = 96  # equations that a loop may unroll to

Value = View | Key
# Elementwise primitives that are one operation under the same name.
SAME = frozenset(
    "abs acos add and atan atan2 cos div eq erf erfc erf_inv exp exp2 expm1 floor ceil ge gt"
    " is_finite le lgamma log log1p logistic lt max min mul ne neg nextafter not or pow"
    " rem round rsqrt shift_left shift_right_arithmetic shift_right_logical sign sin sqrt"
    " sub tanh xor".split()
)
RENAMED = {"add_any": "add"}
COPIES = frozenset({"copy", "copy_p", "stop_gradient", "optimization_barrier"})
CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
}


def lower(
    graph: Graph, jaxpr: Jaxpr, consts: Sequence[ArrayLike], arguments: Sequence[Value]
) -> list[Value]:
    """Add a jaxpr's equations to the graph; returns its outputs.

    Raises:
      Unsupported: it has a primitive, or a use of one, that there is no code for.
    """
    values: dict[Var, Value] = {}

    def value(atom: Var | Literal) -> Value:
        if isinstance(atom, Literal):
            return graph.constant(np.asarray(atom.val, primitives.shaped(atom.aval).dtype))
        return values[atom]

    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        values[variable] = graph.constant(const)
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        results = _equation(graph, equation, [value(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _equation(graph: Graph, equation: JaxprEqn, operands: list[Value]) -> Sequence[Value]:
    name, params = equation.primitive.name, equation.params
    if name in CALLS:
        inner = params[CALLS[name]]
        if isinstance(inner, ClosedJaxpr):
            return lower(graph, inner.jaxpr, inner.consts, operands)
        return lower(graph, inner, (), operands)
    if name in COPIES:
        return operands
    if name == "scan":
        return _scan(graph, params, operands)
    if name in primitives.MOVES:
        move = functools.partial(primitives.MOVES[name], **params)
        return [_moved(operands[0], move)]
    if name in threefry.RULES:
        return [threefry.RULES[name](graph, params, *operands)]
    views = _views(operands, f"primitive {name} of keys")
    if name in primitives.SPLITS:
        return primitives.SPLITS[name](params, *views)
    name = RENAMED.get(name, name)
    if name not in SAME | REDUCTIONS | primitives.RULES.keys():
        raise Unsupported(f"primitive {name}")
    out = primitives.shaped(equation.outvars[0].aval)
    if name in SAME:
        return [graph.elementwise(name, primitives.known_dtype(out), out.shape, *views)]
    if name in REDUCTIONS:
        return [graph.reduce(name, views[0], params["axes"])]
    return [primitives.RULES[name](graph, params, out, *views)]


def _moved(value: Value, move: primitives.Move) -> Value:
    return value.moved(move) if isinstance(value, View) else Key(*(v.moved(move) for v in value))


def _views(values: Sequence[Value], problem: str) -> list[View]:
    """Values none of which may be a key."""
    views = [value for value in values if isinstance(value, View)]
    if len(views) < len(values):
        raise Unsupported(problem)
    return views


def scan_counts(params: Params) -> tuple[int, int]:
    """How many of a scan's operands are constants, and how many are carried."""
    if "ft_in" not in params:
        return params["num_consts"], params["num_carry"]
    consts, carry, _ = params["ft_in"].unpack()  # from JAX 0.11 on
    return len(list(consts)), len(list(carry))


def _scan(graph: Graph, params: Params, operands: list[Value]) -> list[Value]:
    const_count, carry_count = scan_counts(params)
    consts, rest = operands[:const_count], operands[const_count:]
    views = _views(rest, "primitive scan that carries keys")
    carry, scanned = views[:carry_count], views[carry_count:]
    body, length, reverse = params["jaxpr"], params["length"], params["reverse"]
    short = length * len(body.jaxpr.eqns) <= UNROLLED
    return (_unrolled if short else _looped)(graph, body, length, reverse, consts, carry, scanned)


def _unrolled(
    graph: Graph,
    body: ClosedJaxpr,
    length: int,
    reverse: bool,
    consts: list[Value],
    carry: Sequence[Value],
    scanned: list[View],
) -> list[Value]:
    """A short loop as the same equations again and again."""
    carries = len(carry)
    stacked: list[list[Value]] = []
    for i in range(length)[::-1] if reverse else range(length):
        row = [view.at(i) for view in scanned]
        results = lower(graph, body.jaxpr, body.consts, [*consts, *carry, *row])
        carry = results[:carries]
        stacked.append(results[carries:])
    if reverse:
        stacked.reverse()
    columns = zip(*stacked, strict=True)
    outs = [
        jax.ShapeDtypeStruct((length, *aval.shape), aval.dtype)
        for aval in map(primitives.shaped, body.out_avals[carries:])
    ]
    return [
        *carry,
        *(_stacked(graph, out, column) for out, column in zip(outs, columns, strict=True)),
    ]


def _stacked(graph: Graph, out: Shaped, rows: Sequence[Value]) -> View:
    views = _views(rows, "primitive scan that stacks keys")
    return primitives.RULES["stack"](graph, {"axis": 0}, out, *views)


def _looped(
    graph: Graph,
    body: ClosedJaxpr,
    length: int,
    reverse: bool,
    consts: list[Value],
    carry: list[View],
    scanned: list[View],
) -> list[Value]:
    """A loop with a graph of its own as its body."""
    if reverse:
        scanned = [view.moved(lambda index: np.flip(index, 0)) for view in scanned]
    inputs = _BodyInputs()
    arguments: list[Value] = [inputs.constant(operand) for operand in consts]
    arguments += [inputs.add(view, view.shape, varies=True) for view in carry]
    arguments += [inputs.add(view, view.shape[1:], varies=True) for view in scanned]
    inner, carries = inputs.graph, len(carry)
    results = lower(inner, body.jaxpr, body.consts, arguments)
    inner.outputs = distinct(inner, _views(results, "primitive scan that stacks keys"))
    nodes = graph.loop(inner, inputs.start, carries, len(scanned), length)
    avals = [primitives.shaped(aval) for aval in body.out_avals]
    shapes = [aval.shape for aval in avals[:carries]]
    shapes += [(length, *aval.shape) for aval in avals[carries:]]
    views = [whole_view(node, shape) for node, shape in zip(nodes, shapes, strict=True)]
    if reverse:
        views[carries:] = [view.moved(lambda index: np.flip(index, 0)) for view in views[carries:]]
    return list(views)


class _BodyInputs:
    """The inputs of a loop's body, and what each of them starts from outside."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.start: list[View] = []

    def add(self, view: View, shape: Sequence[int], *, varies: bool) -> View:
        self.start.append(view)
        shared = not varies and isinstance(view.node, Input) and view.node.is_shared
        return self.graph.input(shape, view.dtype, varies, is_shared=shared and view.is_whole())

    def constant(self, operand: Value) -> Value:
        """An operand that stays the same in all iterations."""
        if isinstance(operand, Key):
            return Key(*(self._constant(word) for word in operand))
        return self._constant(operand)

    def _constant(self, view: View) -> View:
        if view.constant is not None:
            return self.graph.constant(view.constant)
        return self.add(view, view.shape, varies=False)
