"""How JAX's primitives are lowered: those that move elements, and those with rules of their own."""

import itertools
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gan1d.simd.graph import Graph
from gan1d.simd.nodes import BOOL, F32, I32, U32, Unsupported, View, positions

SELECTED = 64  # rows at most of a table through all of which a run goes for one of them

Params = dict[str, Any]  # of an equation, as JAX has them
Move = Callable[[np.ndarray], np.ndarray]
Shaped = jax.core.ShapedArray | jax.ShapeDtypeStruct


def shaped(aval: jax.core.AbstractValue) -> jax.core.ShapedArray:
    """What is known of an array when compiling: all values but tokens and references are arrays."""
    if not isinstance(aval, jax.core.ShapedArray):
        raise Unsupported(f"{aval}, which is no array")
    return aval


def known_dtype(aval: Shaped) -> np.dtype:
    """The dtype of an array.

    Raises:
      Unsupported: there is no code for it.
    """
    if aval.dtype not in (F32, I32, U32, BOOL):
        raise Unsupported(f"dtype {aval.dtype}")
    return np.dtype(aval.dtype)


def _broadcast_in_dim(
    index: np.ndarray,
    shape: tuple[int, ...],
    broadcast_dimensions: tuple[int, ...],
    sharding: object = None,
) -> np.ndarray:
    placed = [1] * len(shape)
    for axis, length in zip(broadcast_dimensions, index.shape, strict=True):
        placed[axis] = length
    return np.broadcast_to(index.reshape(placed), shape)


def _reshape(
    index: np.ndarray,
    new_sizes: tuple[int, ...],
    dimensions: tuple[int, ...] | None,
    sharding: object = None,
) -> np.ndarray:
    if dimensions is not None:
        index = index.transpose(dimensions)
    return index.reshape(new_sizes)


def _slice(
    index: np.ndarray,
    start_indices: tuple[int, ...],
    limit_indices: tuple[int, ...],
    strides: tuple[int, ...] | None,
) -> np.ndarray:
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
    "tile": lambda index, reps: np.tile(index, reps),
}


def _split(params: Params, operand: View) -> list[View]:
    edges = np.cumsum(params["sizes"])[:-1]
    return [View(operand.node, part) for part in np.split(operand.index, edges, params["axis"])]


def _unstack(params: Params, operand: View) -> list[View]:
    return [View(operand.node, part) for part in np.moveaxis(operand.index, params["axis"], 0)]


# The parts of an array along an axis.
SPLITS: dict[str, Callable[[Params, View], list[View]]] = {"split": _split, "unstack": _unstack}


def _integer_pow(graph: Graph, params: Params, out: Shaped, base: View) -> View:
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


def _one_minus_square(graph: Graph, params: Params, out: Shaped, x: View) -> View:
    """What JAX has from 0.11 on in derivatives, tanh's among them."""
    square = graph.elementwise("mul", out.dtype, out.shape, x, x)
    one = graph.constant(np.ones(out.shape, out.dtype))
    return graph.elementwise("sub", out.dtype, out.shape, one, square)


def _select(graph: Graph, params: Params, out: Shaped, which: View, *cases: View) -> View:
    if len(cases) != 2 or which.dtype != BOOL:
        raise Unsupported("primitive select_n of other than two cases")
    return graph.elementwise("select", known_dtype(out), out.shape, which, cases[1], cases[0])


def _convert(graph: Graph, params: Params, out: Shaped, operand: View) -> View:
    dtype = known_dtype(out)
    if dtype == operand.dtype:
        return operand
    if operand.constant is not None and not _saturates(operand.constant, dtype):
        return graph.constant(operand.constant.astype(dtype))
    return graph.elementwise("convert", dtype, out.shape, operand)


def _saturates(values: np.ndarray, dtype: np.dtype) -> bool:
    """Whether a conversion clips values, which numpy leaves undefined."""
    if values.dtype != F32 or dtype not in (I32, U32):
        return False
    bounds = np.iinfo(dtype)
    return not ((values > bounds.min - 1) & (values < bounds.max)).all()


def _concatenate(graph: Graph, params: Params, out: Shaped, *parts: View) -> View:
    axis = params["dimension"]
    elements = positions(math.prod(out.shape)).reshape(out.shape)
    starts = np.cumsum([0, *(part.shape[axis] for part in parts)])
    pieces = [
        (part, np.take(elements, np.arange(a, b), axis=axis))
        for part, (a, b) in zip(parts, itertools.pairwise(starts), strict=True)
    ]
    return graph.assembled(out.shape, pieces)


def _stack(graph: Graph, params: Params, out: Shaped, *parts: View) -> View:
    axis = params["axis"]
    elements = positions(math.prod(out.shape)).reshape(out.shape)
    pieces = [(part, np.take(elements, i, axis=axis)) for i, part in enumerate(parts)]
    return graph.assembled(out.shape, pieces)


def _pad(graph: Graph, params: Params, out: Shaped, operand: View, filling: View) -> View:
    elements = positions(math.prod(out.shape)).reshape(out.shape)
    taken, put = [], []
    for length, full, (low, _, interior) in zip(
        operand.shape, out.shape, params["padding_config"], strict=True
    ):
        position = low + np.arange(length) * (interior + 1)
        within = (position >= 0) & (position < full)
        taken.append(np.flatnonzero(within))
        put.append(position[within])
    inside = operand.moved(lambda index: index[np.ix_(*taken)])
    covered = elements[np.ix_(*put)]
    rest = np.setdiff1d(elements, covered)
    around = filling.moved(lambda index: np.broadcast_to(index.reshape(()), rest.shape))
    return graph.assembled(out.shape, [(inside, covered), (around, rest)])


def _iota(graph: Graph, params: Params, out: Shaped) -> View:
    shape, axis = out.shape, params["dimension"]
    counts = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return graph.constant(np.broadcast_to(counts, shape).astype(known_dtype(out)))


def _clamp(graph: Graph, params: Params, out: Shaped, low: View, x: View, high: View) -> View:
    raised = graph.elementwise("max", out.dtype, out.shape, x, low)
    return graph.elementwise("min", out.dtype, out.shape, raised, high)


def _sort(graph: Graph, params: Params, out: Shaped, operand: View, *others: View) -> View:
    if others or params["num_keys"] != 1 or operand.dtype != F32:
        raise Unsupported("primitive sort of several arrays or other than floats")
    return graph.sort(operand, params["dimension"])


def _gather(graph: Graph, params: Params, out: Shaped, table: View, indices: View) -> View:
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
    if (chosen := rows.constant) is not None:
        if chosen.size and not 0 <= chosen.min() <= chosen.max() <= last:
            raise Unsupported("primitive gather outside of its table")
        return table.at(chosen)
    if params["mode"] is jax.lax.GatherScatterMode.FILL_OR_DROP:
        raise Unsupported("primitive gather that fills in what is outside of its table")
    if last >= SELECTED:
        if rows.dtype != I32 or table.dtype == BOOL:
            raise Unsupported("primitive gather of flags, or by other than int32")
        first = graph.constant(np.zeros((), np.int32))
        low = graph.elementwise("max", I32, rows.shape, rows, first)
        end = graph.constant(np.asarray(last, np.int32))
        return graph.gather(table, graph.elementwise("min", I32, rows.shape, low, end))
    # Each run has an index of its own: go through all rows.
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
            table.at(row),
            result,
        )
    return result


def _dot_general(graph: Graph, params: Params, out: Shaped, left: View, right: View) -> View:
    if not left.dtype == right.dtype == out.dtype == F32:
        raise Unsupported("primitive dot_general of other than floats")
    return graph.dot(left, right, params["dimension_numbers"])


RULES: dict[str, Callable[..., View]] = {
    "gather": _gather,
    "integer_pow": _integer_pow,
    "one_minus_square": _one_minus_square,
    "square": lambda graph, params, out, x: graph.elementwise("mul", out.dtype, out.shape, x, x),
    "select_n": _select,
    "convert_element_type": _convert,
    "bitcast_convert_type": lambda graph, params, out, x: graph.elementwise(
        "bitcast", known_dtype(out), out.shape, x
    ),
    "concatenate": _concatenate,
    "stack": _stack,
    "pad": _pad,
    "iota": _iota,
    "clamp": _clamp,
    "dot_general": _dot_general,
    "cumsum": lambda graph, params, out, x: graph.cumsum(x, params["axis"], params["reverse"]),
    "sort": _sort,
}
