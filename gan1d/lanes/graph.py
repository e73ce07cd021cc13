"""A jaxpr of one run as a graph of scalars' worth of work, with all movement of data folded away.

Whatever only moves elements (broadcast, reshape, transpose, slice, ...) leaves no node: it becomes
part of the `View` through which a node is read, an array that says which element is read where.
What is left computes: elementwise operations, reductions, matrix products, and a few that need an
order (cumulative sums, sorts, loops).
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

F32, I32, U32, BOOL = (np.dtype(kind) for kind in (np.float32, np.int32, np.uint32, np.bool_))
UNROLLED = 96  # equations that a loop may unroll to
SELECTED = 64  # rows at most of a table that each run looks up for itself
SHORT_DOT = 8  # up to this length a product is a chain of multiplications and additions


class Unsupported(Exception):
    """What can't be compiled, by name."""


@dataclass(eq=False, slots=True)
class Node:
    """Something computed, or given, for every element of an array."""

    op: str
    shape: tuple[int, ...]  # without axes of length 1
    dtype: np.dtype
    operands: tuple["View", ...] = ()
    params: dict[str, Any] = field(default_factory=dict)
    varies: bool = True  # from one step of the outermost loop to the next

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(eq=False, slots=True)
class View:
    """An array made of a node's elements: entry i is the node's element `index[i]`."""

    node: Node
    index: np.ndarray
    _straight: bool | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return self.index.shape

    @property
    def dtype(self) -> np.dtype:
        return self.node.dtype

    @property
    def values(self) -> np.ndarray:
        """A constant's entries."""
        return self.node.params["value"][self.index]

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> "View":
        return View(self.node, move(self.index))

    def straight(self) -> bool:
        """Whether it is the node itself, in its own order."""
        if self._straight is None:
            self._straight = self.shape == self.node.shape and np.array_equal(
                self.index.ravel(), _range(self.node.size)
            )
        return self._straight


class Key(NamedTuple):
    """A threefry key, or an array of them: its two words."""

    first: View
    second: View


class Affine(NamedTuple):
    """An index array as offset + sum(strides * indices)."""

    offset: int
    strides: tuple[int, ...]


@functools.cache
def _range(size: int) -> np.ndarray:
    numbers = np.arange(size, dtype=np.int32)
    numbers.flags.writeable = False
    return numbers


def layout(index: np.ndarray) -> Affine | None:
    """The strides that an index array goes by, None where it doesn't."""
    if index.size == 0:
        return Affine(0, (0,) * index.ndim)
    origin = (0,) * index.ndim
    offset = int(index[origin])
    strides = []
    expected = np.asarray(offset, np.int64)
    for axis, length in enumerate(index.shape):
        step = 0
        if length > 1:
            second = tuple(int(a == axis) for a in range(index.ndim))
            step = int(index[second]) - offset
        strides.append(step)
        shape = [1] * index.ndim
        shape[axis] = length
        expected = expected + step * np.arange(length).reshape(shape)
    return Affine(offset, tuple(strides)) if np.array_equal(expected, index) else None


def _squeezed(index: np.ndarray) -> np.ndarray:
    return index.reshape([length for length in index.shape if length > 1])


# Elementwise primitives that are one operation under the same name.
SAME = frozenset(
    "abs add and atan2 cos div eq erf erfc erf_inv exp exp2 expm1 floor ceil ge gt is_finite le log"
    " log1p logistic lt max min mul ne neg not or pow rem round rsqrt shift_left"
    " shift_right_arithmetic shift_right_logical sign sin sqrt sub tanh xor".split()
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
REDUCTIONS = frozenset(
    {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"}
)
# What is known when compiling is computed then; these are exact in any arithmetic.
FOLDED: dict[str, Callable[..., np.ndarray]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "neg": np.negative,
    "max": np.maximum,
    "min": np.minimum,
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
    "and": np.bitwise_and,
    "or": np.bitwise_or,
    "not": np.invert,
    "select": lambda which, yes, no: np.where(which, yes, no),
}


class Graph:
    """A graph under construction, and what comes out of it."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []  # each after what it needs
        self.outputs: list[View] = []
        self._known: dict[Any, Node] = {}

    def input(self, shape: Sequence[int], dtype: np.dtype, varies: bool, **params: Any) -> View:
        """An array that is given."""
        squeezed = tuple(n for n in shape if n > 1)
        node = Node("input", squeezed, np.dtype(dtype), params=params, varies=varies)
        self.nodes.append(node)
        return _whole(node, shape)

    def constant(self, value: Any) -> View:
        """An array that is known, the same in every run."""
        array = np.asarray(value)
        if array.dtype not in (F32, I32, U32, BOOL):
            raise Unsupported(f"dtype {array.dtype}")
        flat = array.ravel()
        squeezed = tuple(n for n in array.shape if n > 1)
        node = self._node("const", squeezed, array.dtype, (), value=flat)
        return _whole(node, array.shape)

    def elementwise(
        self, op: str, dtype: np.dtype, shape: Sequence[int], *operands: View, **params: Any
    ) -> View:
        """One operation, entry by entry, on operands that broadcast to `shape`."""
        if op in FOLDED and all(v.node.op == "const" for v in operands):
            with np.errstate(all="ignore"):
                values = FOLDED[op](*(v.values for v in operands))
            return self.constant(np.broadcast_to(values, shape).astype(dtype))
        views = tuple(
            View(v.node, _squeezed(np.broadcast_to(v.index, tuple(shape)))) for v in operands
        )
        squeezed = tuple(n for n in shape if n > 1)
        return _whole(self._node(op, squeezed, dtype, views, **params), shape)

    def reduce(self, op: str, view: View, axes: Sequence[int]) -> View:
        """Reduce `axes` of a view."""
        kept = [n for axis, n in enumerate(view.shape) if axis not in axes]
        long = [axis for axis, n in enumerate(view.shape) if n > 1]
        reduced = tuple(place for place, axis in enumerate(long) if axis in axes)
        if not reduced:
            return view.moved(lambda index: index.reshape(kept))
        squeezed = tuple(n for n in kept if n > 1)
        operand = View(view.node, _squeezed(view.index))
        return _whole(self._node(op, squeezed, view.dtype, (operand,), axes=reduced), kept)

    def dot(self, left: View, right: View, dims: Any) -> View:
        """The product of two arrays over the axes that `dims` (dot_general's) names."""
        (left_sum, right_sum), (left_batch, right_batch) = dims

        def arranged(view: View, batch: Sequence[int], summed: Sequence[int]) -> np.ndarray:
            free = [a for a in range(len(view.shape)) if a not in (*batch, *summed)]
            lengths = [
                math.prod(view.shape[a] for a in axes) for axes in (batch, free, summed)
            ]
            return view.index.transpose([*batch, *free, *summed]).reshape(lengths)

        a = arranged(left, left_batch, left_sum)  # [batch, M, K]
        b = arranged(right, right_batch, right_sum)  # [batch, N, K]
        batch, m, k = a.shape
        n = b.shape[1]
        shape = [left.shape[i] for i in left_batch]
        shape += [s for i, s in enumerate(left.shape) if i not in (*left_batch, *left_sum)]
        shape += [s for i, s in enumerate(right.shape) if i not in (*right_batch, *right_sum)]
        if k <= SHORT_DOT:
            total = None
            for i in range(k):
                term = self.elementwise(
                    "mul",
                    F32,
                    (batch, m, n),
                    View(left.node, a[:, :, None, i]),
                    View(right.node, b[:, None, :, i]),
                )
                total = term if total is None else self.elementwise("add", F32, term.shape, total, term)
            return total.moved(lambda index: index.reshape(shape))
        squeezed = tuple(s for s in (batch, m, n) if s > 1)
        node = self._node("dot", squeezed, F32, (View(left.node, a), View(right.node, b)))
        return _whole(node, shape)

    def ordered(self, op: str, view: View, axis: int, **params: Any) -> View:
        """Something that goes along an axis in order: a cumulative sum or a sort."""
        last = np.moveaxis(view.index, axis, -1)
        rows = last.reshape(-1, last.shape[-1])
        node = self._node(op, rows.shape, view.dtype, (View(view.node, rows),), **params)
        return View(node, np.moveaxis(_range(rows.size).reshape(last.shape), -1, axis))

    def assembled(self, shape: Sequence[int], pieces: Sequence[tuple[View, np.ndarray]]) -> View:
        """An array put together of views, each with where its entries go."""
        dtype = pieces[0][0].dtype
        whole = Node("assemble", tuple(n for n in shape if n > 1), dtype)
        # All pieces or none: what is put in before the first step may be overwritten in it.
        whole.varies = any(view.node.varies for view, _ in pieces)
        parts = []
        for view, place in pieces:
            if not view.index.size:
                continue
            operand = View(view.node, _squeezed(view.index))
            part = Node(
                "piece",
                operand.shape,
                dtype,
                (operand,),
                {"whole": whole, "place": _squeezed(place)},
                whole.varies,
            )
            self.nodes.append(part)
            parts.append(_whole(part, part.shape))
        whole.operands = tuple(parts)
        self.nodes.append(whole)
        return _whole(whole, shape)

    def loop(
        self, body: "Graph", given: Sequence[View], carried: int, scanned: int, **params: Any
    ) -> list[Node]:
        """A loop; returns its results, final carries before stacked outputs.

        `given` are what the body's inputs start from: what stays, what is carried, what is scanned.
        """
        whole = tuple(self.settled(view) for view in given)
        node = Node(
            "loop", (), F32, whole, {"body": body, "carried": carried, "scanned": scanned} | params
        )
        node.varies = any(view.node.varies for view in whole)
        self.nodes.append(node)
        results = []
        for number, view in enumerate(body.outputs):
            shape = tuple(n for n in view.shape if n > 1)
            if number >= carried and params["length"] > 1:
                shape = (params["length"], *shape)
            link = View(node, np.zeros((), np.int32))
            result = Node("result", shape, view.dtype, (link,), {"number": number}, node.varies)
            self.nodes.append(result)
            results.append(result)
        node.params["results"] = results
        return results

    def settled(self, view: View) -> View:
        """The view as a node of its own, in order, so that it can be read by position."""
        flat = View(view.node, _squeezed(view.index))
        # What is known, and the number of the step, are not in memory.
        if flat.straight() and view.node.op != "const" and "step" not in view.node.params:
            return flat
        return _whole(self._node("copy", flat.shape, view.dtype, (flat,)), flat.shape)

    def copied(self, view: View, number: int) -> View:
        """A copy that is nobody else's, made in every step."""
        node = self._node("copy", view.shape, view.dtype, (view,), own=number)
        node.varies = True
        return _whole(node, view.shape)

    def _node(
        self, op: str, shape: tuple[int, ...], dtype: np.dtype, operands: tuple, **params: Any
    ) -> Node:
        """A new node, or the one that already computes the same."""
        key = (
            op,
            shape,
            str(dtype),
            tuple((id(v.node), v.shape, layout(v.index) or v.index.tobytes()) for v in operands),
            tuple(
                (name, v.tobytes() if isinstance(v, np.ndarray) else v) for name, v in params.items()
            ),
        )
        if key not in self._known:
            varies = any(v.node.varies for v in operands)
            self._known[key] = Node(op, shape, np.dtype(dtype), operands, params, varies)
            self.nodes.append(self._known[key])
        return self._known[key]


def _whole(node: Node, shape: Sequence[int]) -> View:
    return View(node, _range(node.size).reshape(tuple(shape)))


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
            operands[0].moved(
                lambda i, a=a, b=b: np.take(i, np.arange(a, b), axis=params["axis"])
            )
            for a, b in zip(starts, starts[1:], strict=False)
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


def _threefry(graph: Graph, key: Key, counter: View, shape: Sequence[int]) -> Key:
    """Both words of threefry-2x32 of the counter (0, counter)."""
    words = (
        graph.elementwise(f"threefry_{word}", U32, shape, key.first, key.second, counter)
        for word in (0, 1)
    )
    return Key(*words)


def _spread(key: Key, shape: Sequence[int]) -> Key:
    """Each key of an array of them, over further axes."""
    own = key.first.shape
    return Key(
        *(
            part.moved(lambda i: np.broadcast_to(i.reshape(own + (1,) * len(shape)), (*own, *shape)))
            for part in key
        )
    )


def _random_seed(graph: Graph, params: Any, seed: View) -> Key:
    if str(params["impl"]) != "threefry2x32" and "fry" not in str(params["impl"]):
        raise Unsupported(f"keys of {params['impl']}")
    words = graph.elementwise("convert", U32, seed.shape, seed)
    return Key(graph.constant(np.zeros(seed.shape, U32)), words)


def _random_bits(graph: Graph, params: Any, key: Key) -> View:
    if params["bit_width"] != 32:
        raise Unsupported(f"random bits of width {params['bit_width']}")
    words = _random_split(graph, params, key)
    return graph.elementwise("xor", U32, words.first.shape, *words)


def _random_split(graph: Graph, params: Any, key: Key) -> Key:
    if not jax.config.jax_threefry_partitionable:
        raise Unsupported("random bits that are not partitionable")
    shape = tuple(params["shape"])
    counter = graph.constant(_range(math.prod(shape)).reshape(shape).astype(U32))
    return _threefry(graph, _spread(key, shape), counter, (*key.first.shape, *shape))


RANDOM: dict[str, Callable[..., Any]] = {
    "random_seed": _random_seed,
    "random_fold_in": lambda graph, params, key, data: _threefry(
        graph, key, data, np.broadcast_shapes(key.first.shape, data.shape)
    ),
    "random_bits": _random_bits,
    "random_split": _random_split,
    "random_wrap": lambda graph, params, words: Key(
        *(words.moved(lambda index, w=word: index[..., w]) for word in (0, 1))
    ),
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
    places = _range(math.prod(out.shape)).reshape(out.shape)
    starts = np.cumsum([0, *(part.shape[axis] for part in parts)])
    pieces = [
        (part, np.take(places, np.arange(a, b), axis=axis))
        for part, a, b in zip(parts, starts, starts[1:], strict=False)
    ]
    return graph.assembled(out.shape, pieces)


def _stack(graph: Graph, params: Any, out: Any, *parts: View) -> View:
    axis = params["axis"]
    places = _range(math.prod(out.shape)).reshape(out.shape)
    pieces = [(part, np.take(places, i, axis=axis)) for i, part in enumerate(parts)]
    return graph.assembled(out.shape, pieces)


def _pad(graph: Graph, params: Any, out: Any, operand: View, filling: View) -> View:
    places = _range(math.prod(out.shape)).reshape(out.shape)
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
    body, length = params["jaxpr"], params["length"]
    stays, carries = params["num_consts"], params["num_carry"]
    consts, carry = operands[:stays], operands[stays : stays + carries]
    scanned = operands[stays + carries :]
    order = range(length)[::-1] if params["reverse"] else range(length)
    if any(isinstance(operand, Key) for operand in operands):
        raise Unsupported("primitive scan over keys")
    if length * len(body.jaxpr.eqns) <= UNROLLED:
        stacked = []
        for i in order:
            row = [view.moved(lambda index, i=i: index[i]) for view in scanned]
            results = read(graph, body.jaxpr, body.consts, [*consts, *carry, *row])
            carry = results[:carries]
            stacked.append(results[carries:])
        if params["reverse"]:
            stacked.reverse()
        outs = body.out_avals[carries:]
        columns = zip(*stacked, strict=True) if outs else ()
        return [
            *carry,
            *(
                _stack(graph, {"axis": 0}, jax.ShapeDtypeStruct((length, *o.shape), o.dtype), *column)
                for o, column in zip(outs, columns, strict=True)
            ),
        ]
    if params["reverse"]:
        scanned = [view.moved(np.flip if view.index.ndim == 1 else np.flipud) for view in scanned]
    inner = Graph()
    arguments, given = [], []
    for view in consts:
        if view.node.op == "const":
            arguments.append(inner.constant(view.values))
        else:
            arguments.append(inner.input(view.shape, view.dtype, True))
            given.append(view)
    for view in carry:
        arguments.append(inner.input(view.shape, view.dtype, True))
        given.append(view)
    for view in scanned:
        arguments.append(inner.input(view.shape[1:], view.dtype, True))
        given.append(view)
    results = read(inner, body.jaxpr, body.consts, arguments)
    inner.outputs = own_nodes(inner, results)
    results = graph.loop(inner, given, carries, len(scanned), length=length)
    shapes = [aval.shape for aval in body.out_avals[:carries]]
    shapes += [(length, *aval.shape) for aval in body.out_avals[carries:]]
    views = [_whole(node, shape) for node, shape in zip(results, shapes, strict=True)]
    if params["reverse"]:
        views[carries:] = [view.moved(lambda index: np.flip(index, 0)) for view in views[carries:]]
    return views


def own_nodes(graph: Graph, results: Sequence[View]) -> list[View]:
    """Each result as a node that is no other result, and not given either."""
    taken: set[Node] = set()
    views = []
    for number, result in enumerate(results):
        view = graph.settled(result)
        if view.node.op == "input" or view.node in taken or not view.node.varies:
            view = graph.copied(view, number)
        taken.add(view.node)
        views.append(view)
    return views


def prune(graph: Graph) -> None:
    """Drop what no output needs."""
    needed = {id(view.node) for view in graph.outputs}
    kept = []
    for node in reversed(graph.nodes):
        if id(node) in needed or node.op == "input":
            kept.append(node)
            needed.update(id(view.node) for view in node.operands)
    graph.nodes = kept[::-1]
    for node in graph.nodes:
        if node.op == "loop":
            prune(node.params["body"])
