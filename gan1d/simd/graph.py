"""What is computed for one run, as a graph with all movement of data folded away.

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

import numpy as np

F32, I32, U32, BOOL = (np.dtype(kind) for kind in (np.float32, np.int32, np.uint32, np.bool_))
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
        """How many elements it has."""
        return math.prod(self.shape)


@dataclass(eq=False, slots=True)
class View:
    """An array made of a node's elements: entry i is the node's element `index[i]`."""

    node: Node
    index: np.ndarray
    _straight: bool | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The view's own shape, axes of length 1 included."""
        return self.index.shape

    @property
    def dtype(self) -> np.dtype:
        """The node's."""
        return self.node.dtype

    @property
    def values(self) -> np.ndarray:
        """A constant's entries."""
        return self.node.params["value"][self.index]

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> "View":
        """The view with its entries moved about as `move` moves those of an array."""
        return View(self.node, move(self.index))

    def straight(self) -> bool:
        """Whether it is the node itself, in its own order."""
        if self._straight is None:
            self._straight = self.shape == self.node.shape and np.array_equal(
                self.index.ravel(), positions(self.node.size)
            )
        return self._straight


class Affine(NamedTuple):
    """An index array as offset + sum(strides * indices)."""

    offset: int
    strides: tuple[int, ...]


@functools.cache
def positions(size: int) -> np.ndarray:
    """0, 1, ..., size - 1; shared, so not to be written to."""
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
    "nextafter": np.nextafter,
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
        """Begin with nothing."""
        self.nodes: list[Node] = []  # each after what it needs
        self.outputs: list[View] = []
        self._known: dict[Any, Node] = {}

    def input(self, shape: Sequence[int], dtype: np.dtype, varies: bool, **params: Any) -> View:
        """An array that is given."""
        squeezed = tuple(n for n in shape if n > 1)
        node = Node("input", squeezed, np.dtype(dtype), params=params, varies=varies)
        self.nodes.append(node)
        return whole_view(node, shape)

    def constant(self, value: Any) -> View:
        """An array that is known, the same in every run."""
        array = np.asarray(value)
        if array.dtype not in (F32, I32, U32, BOOL):
            raise Unsupported(f"dtype {array.dtype}")
        flat = array.ravel()
        squeezed = tuple(n for n in array.shape if n > 1)
        node = self._node("const", squeezed, array.dtype, (), value=flat)
        return whole_view(node, array.shape)

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
        return whole_view(self._node(op, squeezed, dtype, views, **params), shape)

    def reduce(self, op: str, view: View, axes: Sequence[int]) -> View:
        """Reduce `axes` of a view."""
        kept = [n for axis, n in enumerate(view.shape) if axis not in axes]
        long = [axis for axis, n in enumerate(view.shape) if n > 1]
        reduced = tuple(place for place, axis in enumerate(long) if axis in axes)
        if not reduced:
            return view.moved(lambda index: index.reshape(kept))
        squeezed = tuple(n for n in kept if n > 1)
        operand = View(view.node, _squeezed(view.index))
        return whole_view(self._node(op, squeezed, view.dtype, (operand,), axes=reduced), kept)

    def dot(self, left: View, right: View, dims: Any) -> View:
        """The product of two arrays over the axes that `dims` (dot_general's) names."""
        (left_sum, right_sum), (left_batch, right_batch) = dims

        def arranged(view: View, batch: Sequence[int], summed: Sequence[int]) -> np.ndarray:
            free = [a for a in range(len(view.shape)) if a not in (*batch, *summed)]
            lengths = [math.prod(view.shape[a] for a in axes) for axes in (batch, free, summed)]
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
                total = (
                    term if total is None else self.elementwise("add", F32, term.shape, total, term)
                )
            return total.moved(lambda index: index.reshape(shape))
        squeezed = tuple(s for s in (batch, m, n) if s > 1)
        node = self._node("dot", squeezed, F32, (View(left.node, a), View(right.node, b)))
        return whole_view(node, shape)

    def ordered(self, op: str, view: View, axis: int, **params: Any) -> View:
        """Something that goes along an axis in order: a cumulative sum or a sort."""
        last = np.moveaxis(view.index, axis, -1)
        rows = last.reshape(-1, last.shape[-1])
        node = self._node(op, rows.shape, view.dtype, (View(view.node, rows),), **params)
        return View(node, np.moveaxis(positions(rows.size).reshape(last.shape), -1, axis))

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
            parts.append(whole_view(part, part.shape))
        whole.operands = tuple(parts)
        self.nodes.append(whole)
        return whole_view(whole, shape)

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
        return whole_view(self._node("copy", flat.shape, view.dtype, (flat,)), flat.shape)

    def copied(self, view: View, number: int) -> View:
        """A copy that is nobody else's, made in every step."""
        node = self._node("copy", view.shape, view.dtype, (view,), own=number)
        node.varies = True
        return whole_view(node, view.shape)

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
                (name, v.tobytes() if isinstance(v, np.ndarray) else v)
                for name, v in params.items()
            ),
        )
        if key not in self._known:
            varies = any(v.node.varies for v in operands)
            self._known[key] = Node(op, shape, np.dtype(dtype), operands, params, varies)
            self.nodes.append(self._known[key])
        return self._known[key]


def whole_view(node: Node, shape: Sequence[int]) -> View:
    """All of a node in its own order, in a shape that may have axes of length 1."""
    return View(node, positions(node.size).reshape(tuple(shape)))


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
