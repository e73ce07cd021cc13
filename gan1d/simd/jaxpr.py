"""Read a jaxpr, the program of one run as JAX traced it, into a graph.

A primitive is either a movement of elements (MOVES), one operation under the same name (SAME), or
has a function of its own here.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from gan1d.simd.graph import (
    BOOL,
    F32,
    I32,
    REDUCTIONS,
    U32,
    Graph,
    Unsupported,
    View,
    own_nodes,
    positions,
    whole_view,
)
from gan1d.simd.threefry import RANDOM, Key

UNROLLED = 96  # equations that a loop may unroll to
SELECTED = 64  # rows at most of a table that each run looks up for itself


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


def read(graph: Graph, jaxpr: Jaxpr, consts: Sequence[Any], arguments: Sequence[Any]) -> list[Any]:
    """Add a jaxpr's equations to the graph; returns its outputs, Views or Keys.

    Raises:
      Unsupported: it has a primitive, or a use of one, that there is no code for.
    """
    values: dict[Any, View | Key] = {}

    def value(atom: Any) -> View | Key:
        if isinstance(atom, Literal):
            return graph.constant(np.asarray(atom.val, atom.aval.dtype))
        return values[atom]

    for variable, const in zip(jaxpr.constvars, consts, strict=True):
        values[variable] = graph.constant(const)
    values.update(zip(jaxpr.invars, arguments, strict=True))
    for equation in jaxpr.eqns:
        results = _equation(graph, equation, [value(atom) for atom in equation.invars])
        values.update(zip(equation.outvars, results, strict=True))
    return [value(atom) for atom in jaxpr.outvars]


def _equation(graph: Graph, equation: Any, operands: list[Any]) -> list[Any]:
    name, params = equation.primitive.name, equation.params
    out = equation.outvars[0].aval if equation.outvars else None
    if name in CALLS:
        inner = params[CALLS[name]]
        if isinstance(inner, ClosedJaxpr):
            return read(graph, inner.jaxpr, inner.consts, operands)
        return read(graph, inner, (), operands)
    if name in COPIES:
        return operands
    if name == "scan":
        return _scan(graph, params, operands)
    if name == "split":
        starts = np.cumsum([0, *params["sizes"]])
        return [
            operands[0].moved(lambda i, a=a, b=b: np.take(i, np.arange(a, b), axis=params["axis"]))
            for a, b in itertools.pairwise(starts)
        ]
    if name in MOVES:
        move = functools.partial(MOVES[name], **params)
        if isinstance(operands[0], Key):
            return [Key(*(part.moved(move) for part in operands[0]))]
        return [operands[0].moved(move)]
    if name in RANDOM:
        return [RANDOM[name](graph, params, *operands)]
    name = RENAMED.get(name, name)
    if name in SAME:
        return [graph.elementwise(name, _dtype(out), out.shape, *operands)]
    if name in REDUCTIONS:
        return [graph.reduce(name, operands[0], params["axes"])]
    if name not in OTHERS:
        raise Unsupported(f"primitive {name}")
    return [OTHERS[name](graph, params, out, *operands)]


def _dtype(aval: Any) -> np.dtype:
    if aval.dtype not in (F32, I32, U32, BOOL):
        raise Unsupported(f"dtype {aval.dtype}")
    return np.dtype(aval.dtype)


def _broadcast_in_dim(index: np.ndarray, shape: Any, broadcast_dimensions: Any, **_: Any) -> Any:
    placed = [1] * len(shape)
    for axis, length in zip(broadcast_dimensions, index.shape, strict=True):
        placed[axis] = length
    return np.broadcast_to(index.reshape(placed), shape)


def _reshape(index: np.ndarray, new_sizes: Any, dimensions: Any, **_: Any) -> np.ndarray:
    if dimensions is not None:
        index = index.transpose(dimensions)
    return index.reshape(new_sizes)


def _slice(index: np.ndarray, start_indices: Any, limit_indices: Any, strides: Any) -> np.ndarray:
    steps = strides or (1,) * index.ndim
    return index[tuple(map(slice, start_indices, limit_indices, steps))]


MOVES: dict[str, Callable[..., np.ndarray]] = {
    "broadcast_in_dim": _broadcast_in_dim,
    "reshape": _reshape,
    "transpose": lambda index, permutation: index.transpose(permutation),
    "squeeze": lambda index, dimensions: np.squeeze(index, tuple(dimensions)),
    "expand_dims": lambda index, dimensions: np.expand_dims(index, tuple(dimensions)),
    "slice": _slice,
    "rev": lambda index, dimensions: np.flip(index, tuple(dimensions)),
}


def _integer_pow(graph: Graph, params: Any, out: Any, base: View) -> View:
    exponent = params["y"]

    def power(n: int) -> View:
        if n == 1:
            return base
        half = power(n // 2)
        square = graph.elementwise("mul", out.dtype, out.shape, half, half)
        return graph.elementwise("mul", out.dtype, out.shape, square, base) if n % 2 else square

    one = graph.constant(np.ones(out.shape, out.dtype))
    if exponent == 0:
        return one
    if exponent < 0:
        return graph.elementwise("div", out.dtype, out.shape, one, power(-exponent))
    return power(exponent)


def _select(graph: Graph, params: Any, out: Any, which: View, *cases: View) -> View:
    if len(cases) != 2 or which.dtype != BOOL:
        raise Unsupported("primitive select_n of other than two cases")
    return graph.elementwise("select", _dtype(out), out.shape, which, cases[1], cases[0])


def _convert(graph: Graph, params: Any, out: Any, operand: View) -> View:
    dtype = _dtype(out)
    if dtype == operand.dtype:
        return operand
    if operand.node.op == "const" and not _saturates(operand.values, dtype):
        return graph.constant(operand.values.astype(dtype))
    return graph.elementwise("convert", dtype, out.shape, operand)


def _saturates(values: np.ndarray, dtype: np.dtype) -> bool:
    """Whether a conversion clips values, which numpy leaves undefined."""
    if values.dtype != F32 or dtype not in (I32, U32):
        return False
    bounds = np.iinfo(dtype)
    return not ((values > bounds.min - 1) & (values < bounds.max)).all()


def _concatenate(graph: Graph, params: Any, out: Any, *parts: View) -> View:
    axis = params["dimension"]
    places = positions(math.prod(out.shape)).reshape(out.shape)
    starts = np.cumsum([0, *(part.shape[axis] for part in parts)])
    pieces = [
        (part, np.take(places, np.arange(a, b), axis=axis))
        for part, (a, b) in zip(parts, itertools.pairwise(starts), strict=True)
    ]
    return graph.assembled(out.shape, pieces)


def _stack(graph: Graph, params: Any, out: Any, *parts: View) -> View:
    axis = params["axis"]
    places = positions(math.prod(out.shape)).reshape(out.shape)
    pieces = [(part, np.take(places, i, axis=axis)) for i, part in enumerate(parts)]
    return graph.assembled(out.shape, pieces)


def _pad(graph: Graph, params: Any, out: Any, operand: View, filling: View) -> View:
    places = positions(math.prod(out.shape)).reshape(out.shape)
    taken, put = [], []
    for length, full, (low, _, inside) in zip(
        operand.shape, out.shape, params["padding_config"], strict=True
    ):
        position = low + np.arange(length) * (inside + 1)
        inner = (position >= 0) & (position < full)
        taken.append(np.flatnonzero(inner))
        put.append(position[inner])
    kept = operand.moved(lambda index: index[np.ix_(*taken)])
    place = places[np.ix_(*put)]
    rest = np.setdiff1d(places, place)
    around = filling.moved(lambda index: np.broadcast_to(index.reshape(()), rest.shape))
    return graph.assembled(out.shape, [(kept, place), (around, rest)])


def _iota(graph: Graph, params: Any, out: Any) -> View:
    shape, axis = out.shape, params["dimension"]
    counts = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return graph.constant(np.broadcast_to(counts, shape).astype(_dtype(out)))


def _clamp(graph: Graph, params: Any, out: Any, low: View, x: View, high: View) -> View:
    raised = graph.elementwise("max", out.dtype, out.shape, x, low)
    return graph.elementwise("min", out.dtype, out.shape, raised, high)


def _sort(graph: Graph, params: Any, out: Any, operand: View, *others: View) -> View:
    if others or params["num_keys"] != 1 or operand.dtype != F32:
        raise Unsupported("primitive sort of several arrays or other than floats")
    return graph.ordered("sort", operand, params["dimension"])


def _gather(graph: Graph, params: Any, out: Any, table: View, indices: View) -> View:
    """Rows of a table, in the form that indexing its first axis has."""
    dims, sizes = params["dimension_numbers"], params["slice_sizes"]
    rows = indices.moved(lambda index: index[..., 0])
    trailing = tuple(range(len(rows.shape), len(out.shape)))
    if (
        dims.collapsed_slice_dims != (0,)
        or dims.start_index_map != (0,)
        or dims.operand_batching_dims
        or tuple(sizes[1:]) != table.shape[1:]
        or dims.offset_dims != trailing
    ):
        raise Unsupported("primitive gather of other than whole rows")
    last = table.shape[0] - 1
    if indices.node.op == "const":
        chosen = rows.values
        if chosen.size and not 0 <= chosen.min() <= chosen.max() <= last:
            raise Unsupported("primitive gather outside of its table")
        return table.moved(lambda index: index[chosen])
    if params["mode"] is jax.lax.GatherScatterMode.FILL_OR_DROP:
        raise Unsupported("primitive gather that fills in what is outside of its table")
    if last >= SELECTED:
        raise Unsupported(f"primitive gather from more than {SELECTED} rows")
    # Each lane has an index of its own: go through all rows.
    spread = rows.moved(lambda index: index.reshape(*index.shape, *(1,) * len(trailing)))
    result = table.moved(lambda index: np.broadcast_to(index[0], out.shape))
    for row in range(1, last + 1):
        number = graph.constant(np.asarray(row, rows.dtype))
        reached = graph.elementwise("ge", BOOL, spread.shape, spread, number)
        result = graph.elementwise(
            "select",
            out.dtype,
            out.shape,
            reached,
            table.moved(lambda index, row=row: index[row]),
            result,
        )
    return result


def _dot_general(graph: Graph, params: Any, out: Any, left: View, right: View) -> View:
    if not left.dtype == right.dtype == out.dtype == F32:
        raise Unsupported("primitive dot_general of other than floats")
    return graph.dot(left, right, params["dimension_numbers"])


OTHERS: dict[str, Callable[..., View]] = {
    "gather": _gather,
    "integer_pow": _integer_pow,
    "square": lambda graph, params, out, x: graph.elementwise("mul", out.dtype, out.shape, x, x),
    "select_n": _select,
    "convert_element_type": _convert,
    "bitcast_convert_type": lambda graph, params, out, x: graph.elementwise(
        "bitcast", _dtype(out), out.shape, x
    ),
    "concatenate": _concatenate,
    "stack": _stack,
    "pad": _pad,
    "iota": _iota,
    "clamp": _clamp,
    "dot_general": _dot_general,
    "cumsum": lambda graph, params, out, x: graph.ordered(
        "cumsum", x, params["axis"], reverse=params["reverse"]
    ),
    "sort": _sort,
}


def _scan(graph: Graph, params: Any, operands: list[Any]) -> list[Any]:
    stays, carries = params["num_consts"], params["num_carry"]
    if any(isinstance(operand, Key) for operand in operands[stays:]):
        raise Unsupported("primitive scan that carries keys")
    parts = operands[:stays], operands[stays : stays + carries], operands[stays + carries :]
    short = params["length"] * len(params["jaxpr"].jaxpr.eqns) <= UNROLLED
    return (_unrolled if short else _looped)(graph, params, *parts)


def _unrolled(
    graph: Graph, params: Any, consts: list[Any], carry: list[View], scanned: list[View]
) -> list[View]:
    """A short loop as the same equations again and again."""
    body, length, carries = params["jaxpr"], params["length"], len(carry)
    stacked = []
    for i in range(length)[::-1] if params["reverse"] else range(length):
        row = [view.moved(lambda index, i=i: index[i]) for view in scanned]
        results = read(graph, body.jaxpr, body.consts, [*consts, *carry, *row])
        carry = results[:carries]
        stacked.append(results[carries:])
    if params["reverse"]:
        stacked.reverse()
    outs = [
        jax.ShapeDtypeStruct((length, *aval.shape), aval.dtype) for aval in body.out_avals[carries:]
    ]
    columns = zip(*stacked, strict=True) if outs else ()
    return [
        *carry,
        *(
            _stack(graph, {"axis": 0}, out, *column)
            for out, column in zip(outs, columns, strict=True)
        ),
    ]


def _looped(
    graph: Graph, params: Any, consts: list[Any], carry: list[View], scanned: list[View]
) -> list[View]:
    """A loop with a graph of its own as its body."""
    body, length, carries = params["jaxpr"], params["length"], len(carry)
    if params["reverse"]:
        scanned = [view.moved(lambda index: np.flip(index, 0)) for view in scanned]
    inner = Graph()
    given: list[View] = []

    def entered(view: View, shape: Sequence[int], varies: bool) -> View:
        """The body's own input for something that it is given."""
        given.append(view)
        return inner.input(shape, view.dtype, varies)

    def constant(operand: Any) -> Any:
        if isinstance(operand, Key):
            return Key(*map(constant, operand))
        if operand.node.op == "const":
            return inner.constant(operand.values)
        return entered(operand, operand.shape, False)

    arguments = [constant(operand) for operand in consts]
    arguments += [entered(view, view.shape, True) for view in carry]
    arguments += [entered(view, view.shape[1:], True) for view in scanned]
    inner.outputs = own_nodes(inner, read(inner, body.jaxpr, body.consts, arguments))
    nodes = graph.loop(inner, given, carries, len(scanned), length=length)
    shapes = [aval.shape for aval in body.out_avals[:carries]]
    shapes += [(length, *aval.shape) for aval in body.out_avals[carries:]]
    views = [whole_view(node, shape) for node, shape in zip(nodes, shapes, strict=True)]
    if params["reverse"]:
        views[carries:] = [view.moved(lambda index: np.flip(index, 0)) for view in views[carries:]]
    return views
