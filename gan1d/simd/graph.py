"""What is computed for one run, as a graph with all movement of data folded away.

Whatever only moves elements (broadcast, reshape, transpose, slice, ...) leaves no node: it becomes
part of the `View` through which a node is read, an array that says which element is read where.
What is left computes: elementwise operations, reductions, matrix products, and a few that need an
order (cumulative sums, sorts, loops). A node that computes what another one does is that one
(value numbering), and what follows from constants is one (constant folding).
"""

import functools
import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from gan1d.simd.nodes import (
    BOOL,
    F32,
    I32,
    U32,
    AnyNode,
    Constant,
    CumulativeSum,
    Input,
    Loop,
    Node,
    Piece,
    Reduction,
    Unsupported,
    View,
    affine,
    positions,
    whole_view,
)

SHORT_DOT = 8  # up to this length a product is a chain of multiplications and additions

# The axes that dot_general sums over, of both operands, and those of the batch.
DotAxes = tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]


def _select(which: np.ndarray, yes: np.ndarray, no: np.ndarray) -> np.ndarray:
    return np.where(which, yes, no)


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
    "select": _select,
}


def _squeezed(index: np.ndarray) -> np.ndarray:
    if not index.size:
        raise Unsupported("arrays without elements")
    return index.reshape(_long(index.shape))


def _long(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without axes of length 1."""
    return tuple(length for length in shape if length > 1)


class Graph:
    """A graph under construction, and what comes out of it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.nodes: list[Node] = []  # each after what it needs
        self.outputs: list[View] = []
        self._numbered: dict[Hashable, Node] = {}  # nodes by what they compute

    def input(
        self,
        shape: Sequence[int],
        dtype: DTypeLike,
        varies: bool,
        *,
        is_step: bool = False,
        is_shared: bool = False,
    ) -> View:
        """An array that is given."""
        node = Input(
            "input",
            _long(shape),
            np.dtype(dtype),
            varies=varies,
            is_step=is_step,
            is_shared=is_shared,
        )
        self.nodes.append(node)
        return whole_view(node, shape)

    def constant(self, value: ArrayLike) -> View:
        """An array that is known, the same in every run."""
        array = np.asarray(value)
        if array.dtype not in (F32, I32, U32, BOOL):
            raise Unsupported(f"dtype {array.dtype}")
        node = Constant("const", _long(array.shape), array.dtype, elements=array.ravel())
        return whole_view(self._numbered_node(node, node.elements.tobytes()), array.shape)

    def elementwise(self, op: str, dtype: DTypeLike, shape: Sequence[int], *operands: View) -> View:
        """One operation, entry by entry, on operands that broadcast to `shape`."""
        if op in FOLDED and all(isinstance(v.node, Constant) for v in operands):
            with np.errstate(all="ignore"):
                values = FOLDED[op](*(v.constant for v in operands))
            return self.constant(np.broadcast_to(values, shape).astype(dtype))
        views = tuple(
            View(v.node, _squeezed(np.broadcast_to(v.index, tuple(shape)))) for v in operands
        )
        node = Node(op, _long(shape), np.dtype(dtype), views)
        return whole_view(self._numbered_node(node), shape)

    def reduce(self, op: str, view: View, axes: Sequence[int]) -> View:
        """Reduce `axes` of a view."""
        operand = View(view.node, _squeezed(view.index))
        left = [n for axis, n in enumerate(view.shape) if axis not in axes]
        long = [axis for axis, n in enumerate(view.shape) if n > 1]
        reduced = tuple(number for number, axis in enumerate(long) if axis in axes)
        if not reduced:
            return view.moved(lambda index: index.reshape(left))
        node = Reduction(op, _long(left), view.dtype, (operand,), axes=reduced)
        return whole_view(self._numbered_node(node, reduced), left)

    def dot(self, left: View, right: View, axes: DotAxes) -> View:
        """The product of two arrays over axes that are named as dot_general names them."""
        (left_sum, right_sum), (left_batch, right_batch) = axes
        a = _as_rows(left, left_batch, left_sum)  # [batch, M, K]
        b = _as_rows(right, right_batch, right_sum)  # [batch, N, K]
        batch, m, k = a.shape
        n = b.shape[1]
        shape = [left.shape[i] for i in left_batch]
        shape += [s for i, s in enumerate(left.shape) if i not in (*left_batch, *left_sum)]
        shape += [s for i, s in enumerate(right.shape) if i not in (*right_batch, *right_sum)]
        if 0 < k <= SHORT_DOT:
            terms = (
                self.elementwise(
                    "mul",
                    F32,
                    (batch, m, n),
                    View(left.node, a[:, :, None, i]),
                    View(right.node, b[:, None, :, i]),
                )
                for i in range(k)
            )
            total = functools.reduce(
                lambda total, term: self.elementwise("add", F32, term.shape, total, term), terms
            )
            return total.moved(lambda index: index.reshape(shape))
        node = Node("dot", _long((batch, m, n)), F32, (View(left.node, a), View(right.node, b)))
        return whole_view(self._numbered_node(node), shape)

    def cumsum(self, view: View, axis: int, reverse: bool) -> View:
        """Cumulative sums along an axis."""
        rows, moved = _along(view, axis)
        node = CumulativeSum("cumsum", rows.shape, view.dtype, (rows,), reverse=reverse)
        return View(self._numbered_node(node, reverse), moved)

    def sort(self, view: View, axis: int) -> View:
        """Entries in order along an axis."""
        rows, moved = _along(view, axis)
        return View(self._numbered_node(Node("sort", rows.shape, view.dtype, (rows,))), moved)

    def gather(self, table: View, rows: View) -> View:
        """Rows `[..., *rest]` of a table `[N, *rest]` by their numbers `[...]`, which are in it."""
        shape = (*rows.shape, *table.shape[1:])
        whole = self.materialized(table, may_be_shared=True)
        number = View(rows.node, rows.index.ravel())
        columns = math.prod(table.shape[1:])
        node = Node("gather", (rows.index.size, columns), table.dtype, (whole, number))
        return whole_view(self._numbered_node(node), shape)

    def assembled(self, shape: Sequence[int], pieces: Sequence[tuple[View, np.ndarray]]) -> View:
        """An array put together of views, each with the elements that it becomes."""
        dtype = pieces[0][0].dtype
        # All pieces vary or none: what is put in before the first step may be overwritten in it.
        varies = any(view.node.varies for view, _ in pieces)
        whole = Node("assemble", _long(shape), dtype, varies=varies)
        parts: list[View] = []
        for view, elements in pieces:
            if not view.index.size:
                continue
            operand = View(view.node, _squeezed(view.index))
            index = _squeezed(elements)
            part = Piece(
                "piece", operand.shape, dtype, (operand,), varies, whole=whole, index=index
            )
            self.nodes.append(part)
            parts.append(whole_view(part, part.shape))
        whole.operands = tuple(parts)
        self.nodes.append(whole)
        return whole_view(whole, shape)

    def loop(
        self, body: "Graph", start: Sequence[View], carried: int, scanned: int, length: int
    ) -> list[Node]:
        """A loop; returns its results, final carries before stacked outputs.

        `start` is what the body's inputs start from: what stays, what is carried, what is scanned.
        """
        stays = len(start) - carried - scanned
        operands = tuple(
            self.materialized(view, may_be_shared=number < stays)
            for number, view in enumerate(start)
        )
        varies = any(view.node.varies for view in operands)
        loop = Loop(
            "loop",
            (),
            F32,
            operands,
            varies,
            body=body,
            carried=carried,
            scanned=scanned,
            length=length,
        )
        self.nodes.append(loop)
        for number, view in enumerate(body.outputs):
            shape = _long(view.shape)
            if number >= carried and length > 1:
                shape = (length, *shape)
            link = View(loop, np.zeros((), np.int32))
            result = Node("result", shape, view.dtype, (link,), varies)
            self.nodes.append(result)
            loop.results.append(result)
        return loop.results

    def materialized(self, view: View, *, may_be_shared: bool = False) -> View:
        """The view as a node of its own, in order, so that it can be read by position.

        As vectors over runs, unless it may be what all runs share as numbers.
        """
        flat = View(view.node, _squeezed(view.index))
        # What is known, and the number of the step, are not in memory.
        known = isinstance(view.node, Constant)
        if isinstance(view.node, Input):
            known |= view.node.is_step or (view.node.is_shared and not may_be_shared)
        if flat.is_whole() and not known:
            return flat
        node = self._numbered_node(Node("copy", flat.shape, view.dtype, (flat,)))
        return whole_view(node, flat.shape)

    def copied(self, view: View, number: int) -> View:
        """A copy that is nobody else's, made in every step; `number` tells copies apart."""
        node = Node("copy", view.shape, view.dtype, (view,))
        node = self._numbered_node(node, ("own", number))
        node.varies = True
        return whole_view(node, view.shape)

    def _numbered_node(self, node: AnyNode, more: Hashable = None) -> Node:
        """The node, or the one that already computes the same.

        `more` is all that it differs by from others of its operation, shape, dtype and operands.
        """
        operands = tuple(
            (id(v.node), v.shape, affine(v.index) or v.index.tobytes()) for v in node.operands
        )
        key = (node.op, node.shape, str(node.dtype), operands, more)
        if key not in self._numbered:
            node.varies = any(v.node.varies for v in node.operands)
            self._numbered[key] = node
            self.nodes.append(node)
        return self._numbered[key]


def _as_rows(view: View, batch: Sequence[int], summed: Sequence[int]) -> np.ndarray:
    """An operand of a product as `[batch, rows, summed]`."""
    free = [a for a in range(len(view.shape)) if a not in (*batch, *summed)]
    lengths = [math.prod(view.shape[a] for a in axes) for axes in (batch, free, summed)]
    return view.index.transpose([*batch, *free, *summed]).reshape(lengths)


def _along(view: View, axis: int) -> tuple[View, np.ndarray]:
    """A view as rows along an axis, and the elements of those rows in the view's own shape."""
    last = np.moveaxis(view.index, axis, -1)
    rows = View(view.node, last.reshape(-1, last.shape[-1]))
    return rows, np.moveaxis(positions(last.size).reshape(last.shape), -1, axis)


def distinct(graph: Graph, results: Sequence[View]) -> list[View]:
    """Each result as a node that is no other result, and not given either."""
    taken: set[Node] = set()
    views = []
    for number, result in enumerate(results):
        view = graph.materialized(result)
        if isinstance(view.node, Input) or view.node in taken or not view.node.varies:
            view = graph.copied(view, number)
        taken.add(view.node)
        views.append(view)
    return views


def eliminate_dead_code(graph: Graph) -> None:
    """Drop what no output needs."""
    needed = {view.node for view in graph.outputs}
    live = []
    for node in reversed(graph.nodes):
        if node in needed or isinstance(node, Input):
            live.append(node)
            needed.update(view.node for view in node.operands)
    graph.nodes = live[::-1]
    for node in graph.nodes:
        if isinstance(node, Loop):
            eliminate_dead_code(node.body)
