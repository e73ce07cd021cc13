"""Loop nests: kernels of elementwise operations and reductions."""

import math
from collections.abc import Callable, Hashable, Sequence

import numpy as np
from llvmlite import ir

from gan1d.simd import instructions
from gan1d.simd.fusion import Kernel
from gan1d.simd.nodes import F32, Affine, Node, Piece, Reduction, View
from gan1d.simd.writer import Access, Index, Writer, as_index, known

PARTIAL_SUMS = 4  # of a reduction that are independent, so that they overlap in time
COMBINED = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}

Axes = list[ir.Value]  # the indices of the loops that are open
Loaded = dict[int, ir.Value]  # values of accesses, by their identity
Values = dict[Node, ir.Value]


def emit(w: Writer, kernel: Kernel) -> None:
    """Loops over what a kernel leaves; inside them loops over what it reduces."""
    if kernel.axes is None:
        _emit_elementwise(w, kernel)
    else:
        _ReductionNest(w, kernel, kernel.axes).emit()


def combine(w: Writer, op: str, kind: np.dtype, a: ir.Value, b: ir.Value) -> ir.Value:
    """Two values of a reduction in one."""
    return instructions.emit(w.v, COMBINED[op], kind, [kind, kind], [a, b])


def _emit_elementwise(w: Writer, kernel: Kernel) -> None:
    part = _Part(w, kernel, kernel.body, (), _stored(w, kernel), as_index)
    lengths = part.collapse(kernel.shape)

    def entry(axes: Axes, loaded: Loaded) -> None:
        part.store(axes, part.compute(axes, loaded))

    _loops(w, part, lengths, 0, len(lengths), [], {}, entry)


def _stored(w: Writer, kernel: Kernel) -> list[Node]:
    return [n for n in kernel.body if w.has_memory(n) and n not in kernel.recomputed]


class _ReductionNest:
    """Outer loops over what is left, inner ones over what is reduced, then the epilogue."""

    def __init__(self, w: Writer, kernel: Kernel, axes: tuple[int, ...]) -> None:
        self._w, self._kernel = w, kernel
        outer = [a for a in range(len(kernel.shape)) if a not in axes]
        order = [*outer, *axes]
        self._depth = len(outer)
        self._lengths = [kernel.shape[a] for a in order]
        self._body = _Part(
            w,
            kernel,
            kernel.body,
            kernel.reductions,
            _stored(w, kernel),
            lambda index: as_index(index.transpose(order)),
        )
        left = [n for n in (*kernel.reductions, *kernel.epilogue) if w.has_memory(n)]
        self._epilogue = _Part(w, kernel, kernel.epilogue, (), left, as_index)
        # Sums that wait for each other are slow: several at once, of the last axis's entries in
        # turn.
        self._copies = PARTIAL_SUMS if self._lengths[-1] >= 2 * PARTIAL_SUMS else 1
        self._partials = [
            (node, [w.variable(w.v.type(node.dtype)) for _ in range(self._copies)])
            for node in kernel.reductions
        ]

    def emit(self) -> None:
        _loops(self._w, self._body, self._lengths, 0, self._depth, [], {}, self._reduce)

    def _reduce(self, axes: Axes, loaded: Loaded) -> None:
        """One entry of what is left."""
        w = self._w
        for node, partials in self._partials:
            for partial in partials:
                w.b.store(_neutral(w, node), partial)
        last = len(self._lengths) - 1
        _loops(w, self._body, self._lengths, self._depth, last, axes, loaded, self._last_axis)
        values: Values = {node: self._total(node, partials) for node, partials in self._partials}
        self._epilogue.store(axes, self._epilogue.compute(axes, {}, values))

    def _last_axis(self, axes: Axes, loaded: Loaded) -> None:
        w, length, copies = self._w, self._lengths[-1], self._copies
        whole = length - length % copies
        with w.loop(known(0), known(whole), copies) as i:
            for copy in range(copies):
                self._accumulate([*axes, w.b.add(i, known(copy))], dict(loaded), copy)
        for rest in range(whole, length):
            self._accumulate([*axes, known(rest)], dict(loaded), rest - whole)

    def _accumulate(self, axes: Axes, loaded: Loaded, copy: int) -> None:
        """Add one entry to a partial sum of each reduction."""
        w = self._w
        values = self._body.compute(axes, loaded)
        for node, partials in self._partials:
            (view,) = node.operands
            value = self._body.operand(view, axes, loaded, values)
            total = w.b.load(partials[copy], typ=w.v.type(node.dtype))
            w.b.store(combine(w, node.op, node.dtype, total, value), partials[copy])
        self._body.store(axes, values)

    def _total(self, node: Reduction, partials: list[ir.Value]) -> ir.Value:
        w = self._w
        values = [w.b.load(partial, typ=w.v.type(node.dtype)) for partial in partials]
        while len(values) > 1:
            pairs = zip(values[::2], values[1::2], strict=True)
            values = [combine(w, node.op, node.dtype, a, b) for a, b in pairs]
        return values[0]


def _loops(
    w: Writer,
    part: "_Part",
    lengths: Sequence[int],
    depth: int,
    stop: int,
    axes: Axes,
    loaded: Loaded,
    innermost: Callable[[Axes, Loaded], None],
) -> None:
    """Loops from `depth` to `stop`; what needs no deeper index is loaded outside of them."""
    loaded = part.load(axes, loaded, depth)
    if depth == stop:
        innermost(axes, loaded)
        return
    with w.loop(known(0), known(lengths[depth])) as i:
        _loops(w, part, lengths, depth + 1, stop, [*axes, i], loaded, innermost)


def _neutral(w: Writer, node: Node) -> ir.Constant:
    """What a reduction starts from."""
    limits = np.iinfo(np.int32)
    low, high = (-np.inf, np.inf) if node.dtype == F32 else (limits.min, limits.max)
    start = {"reduce_prod": 1, "reduce_max": low, "reduce_min": high, "reduce_and": -1}
    return w.v.number(start.get(node.op, 0), node.dtype)


class _Part:
    """What a kernel computes at one depth of its loops, and what that reads and stores."""

    def __init__(
        self,
        w: Writer,
        kernel: Kernel,
        nodes: Sequence[Node],
        reductions: Sequence[Node],
        stored: Sequence[Node],
        arrange: Callable[[np.ndarray], Index],
    ) -> None:
        self._w = w
        self._nodes = nodes
        self._stored = stored
        self._access: dict[View, Access] = {}
        shared: dict[Hashable, Access] = {}
        for node in (*nodes, *reductions):
            for view in node.operands:
                if kernel.reads_memory(node, view):
                    index = arrange(view.index)
                    key = (view.node, index if isinstance(index, Affine) else index.tobytes())
                    self._access[view] = shared.setdefault(key, Access(view.node, index))
        self._targets = [_target(node, arrange) for node in stored]

    def collapse(self, lengths: Sequence[int]) -> Sequence[int]:
        """Join neighbouring axes where every array goes through them as through one."""
        indices = [access.index for access in (*self._access.values(), *self._targets)]
        affine = [index for index in indices if isinstance(index, Affine)]
        if len(affine) < len(indices):
            return lengths
        groups: list[list[int]] = []
        for axis, length in enumerate(lengths):
            joins = all(i.strides[axis - 1] == i.strides[axis] * length for i in affine)
            if groups and joins:
                groups[-1].append(axis)
            else:
                groups.append([axis])
        shared: dict[int, Access] = {}
        for view, access in self._access.items():
            self._access[view] = shared.setdefault(id(access), _joined(access, groups))
        self._targets = [_joined(access, groups) for access in self._targets]
        return [math.prod(lengths[a] for a in group) for group in groups]

    def load(self, axes: Axes, loaded: Loaded, depth: int) -> Loaded:
        """What is loaded, with what needs this many indices and no more."""
        loaded = dict(loaded)
        for access in {id(access): access for access in self._access.values()}.values():
            if access.depth() <= depth and id(access) not in loaded:
                loaded[id(access)] = self._w.load(access, axes)
        return loaded

    def operand(self, view: View, axes: Axes, loaded: Loaded, values: Values) -> ir.Value:
        """A view's entry, from memory or as it was just computed."""
        if view not in self._access:
            return values[view.node]
        access = self._access[view]
        if id(access) not in loaded:
            loaded[id(access)] = self._w.load(access, axes)
        return loaded[id(access)]

    def compute(self, axes: Axes, loaded: Loaded, values: Values | None = None) -> Values:
        """Compute all nodes for one entry."""
        values = {} if values is None else values
        for node in self._nodes:
            operands = [self.operand(view, axes, loaded, values) for view in node.operands]
            kinds = [view.dtype for view in node.operands]
            values[node] = instructions.emit(self._w.v, node.op, node.dtype, kinds, operands)
        return values

    def store(self, axes: Axes, values: Values) -> None:
        """Store an entry, once all is read: it may lie where that was."""
        for node, access in zip(self._stored, self._targets, strict=True):
            self._w.store(values[node], access, axes)


def _joined(access: Access, groups: Sequence[Sequence[int]]) -> Access:
    """An access by groups of axes, each gone through as through its last one."""
    if not isinstance(access.index, Affine):
        raise TypeError("a table has no strides")
    offset, strides = access.index
    return Access(access.node, Affine(offset, tuple(strides[group[-1]] for group in groups)))


def _target(node: Node, arrange: Callable[[np.ndarray], Index]) -> Access:
    """Where a node's values are stored."""
    if isinstance(node, Piece):
        return Access(node.whole, arrange(node.index))
    return Access(node, arrange(np.arange(node.size).reshape(node.shape)))
