"""Kernels of elementwise operations and reductions: one nest of loops each."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gan1d.simd import instructions
from gan1d.simd.graph import F32, Affine, Node, View
from gan1d.simd.plan import Kernel, reads_memory
from gan1d.simd.writer import Access, Writer, known, strided

PARTIAL_SUMS = 4  # of a reduction that are independent, so that they overlap in time
COMBINED = {
    "reduce_sum": "add",
    "reduce_prod": "mul",
    "reduce_max": "max",
    "reduce_min": "min",
    "reduce_and": "and",
    "reduce_or": "or",
}

Loaded = dict[int, Any]  # values of accesses, by their identity
Values = dict[Node, Any]


def nest(w: Writer, kernel: Kernel) -> None:
    """Loops over what a kernel leaves; inside them loops over what it reduces."""
    axes = kernel.axes or ()
    outer = [a for a in range(len(kernel.shape)) if a not in axes]
    order = [*outer, *axes]
    stored = [n for n in kernel.body if w.is_kept(n) and n not in kernel.again]
    entries = _Part(
        w,
        kernel,
        kernel.body,
        kernel.totals,
        stored,
        lambda index: strided(index.transpose(order)),
    )
    lengths = [kernel.shape[a] for a in order]
    if not axes:
        lengths = entries.collapse(lengths)

        def whole(at: list[Any], loaded: Loaded) -> None:
            entries.store(at, entries.compute(at, loaded))

        _loops(w, entries, lengths, 0, len(lengths), [], {}, whole)
        return
    left = [n for n in (*kernel.totals, *kernel.after) if w.is_kept(n)]
    after = _Part(w, kernel, kernel.after, [], left, strided)
    # Sums that wait for each other are slow: several at once, of the last axis's entries in turn.
    copies = PARTIAL_SUMS if lengths[-1] >= 2 * PARTIAL_SUMS else 1
    sums = [[w.variable(w.m.type(n.dtype)) for _ in range(copies)] for n in kernel.totals]

    def add_up(at: list[Any], loaded: Loaded, copy: int) -> None:
        values = entries.compute(at, loaded)
        for node, parts in zip(kernel.totals, sums, strict=True):
            (view,) = node.operands
            value = entries.operand(view, at, loaded, values)
            total = w.b.load(parts[copy], typ=w.m.type(node.dtype))
            w.b.store(combined(w, node.op, node.dtype, total, value), parts[copy])
        entries.store(at, values)

    def last_axis(at: list[Any], loaded: Loaded) -> None:
        whole = lengths[-1] - lengths[-1] % copies
        with w.loop(known(0), known(whole), copies) as i:
            for copy in range(copies):
                add_up([*at, w.b.add(i, known(copy))], dict(loaded), copy)
        for rest in range(whole, lengths[-1]):
            add_up([*at, known(rest)], dict(loaded), rest - whole)

    def reduce(at: list[Any], loaded: Loaded) -> None:
        for node, parts in zip(kernel.totals, sums, strict=True):
            for part in parts:
                w.b.store(_neutral(w, node), part)
        _loops(w, entries, lengths, len(outer), len(lengths) - 1, at, loaded, last_axis)
        values: Values = {}
        for node, parts in zip(kernel.totals, sums, strict=True):
            found = [w.b.load(part, typ=w.m.type(node.dtype)) for part in parts]
            while len(found) > 1:
                pairs = zip(found[::2], found[1::2], strict=True)
                found = [combined(w, node.op, node.dtype, a, b) for a, b in pairs]
            values[node] = found[0]
        after.store(at, after.compute(at, {}, values))

    _loops(w, entries, lengths, 0, len(outer), [], {}, reduce)


def _loops(
    w: Writer,
    part: "_Part",
    lengths: Sequence[int],
    depth: int,
    stop: int,
    at: list[Any],
    loaded: Loaded,
    innermost: Callable[[list[Any], Loaded], Any],
) -> None:
    """Loops from `depth` to `stop`; what needs no deeper index is loaded outside of them."""
    loaded = part.load(at, loaded, depth)
    if depth == stop:
        innermost(at, loaded)
        return
    with w.loop(known(0), known(lengths[depth])) as i:
        _loops(w, part, lengths, depth + 1, stop, [*at, i], loaded, innermost)


def combined(w: Writer, op: str, kind: np.dtype, a: Any, b: Any) -> Any:
    """Two values of a reduction in one."""
    return instructions.emit(w.m, COMBINED[op], kind, [kind, kind], [a, b])


def _neutral(w: Writer, node: Node) -> Any:
    """What a reduction starts from."""
    limits = np.iinfo(np.int32)
    low, high = (-np.inf, np.inf) if node.dtype == F32 else (limits.min, limits.max)
    start = {"reduce_prod": 1, "reduce_max": low, "reduce_min": high, "reduce_and": -1}
    return w.m.number(start.get(node.op, 0), node.dtype)


class _Part:
    """What a kernel computes at one depth of its loops, and where that reads and stores."""

    def __init__(
        self,
        w: Writer,
        kernel: Kernel,
        nodes: Sequence[Node],
        totals: Sequence[Node],
        stored: Sequence[Node],
        arrange: Callable[[np.ndarray], Affine | np.ndarray],
    ) -> None:
        self._w = w
        self._nodes = nodes
        self._stored = stored
        self._access: dict[View, Access] = {}
        shared: dict[Any, Access] = {}
        for node in (*nodes, *totals):
            for view in node.operands:
                if reads_memory(kernel, node, view):
                    where = arrange(view.index)
                    key = (view.node, where if isinstance(where, Affine) else where.tobytes())
                    self._access[view] = shared.setdefault(key, Access(view.node, where))
        self._targets = [_target(node, arrange) for node in stored]

    def collapse(self, lengths: list[int]) -> list[int]:
        """Join neighbouring axes where every array goes through them as through one."""
        wheres = [access.where for access in (*self._access.values(), *self._targets)]
        if not all(isinstance(where, Affine) for where in wheres):
            return lengths
        groups: list[list[int]] = []
        for axis in range(len(lengths)):
            if groups and all(
                w.strides[axis - 1] == w.strides[axis] * lengths[axis] for w in wheres
            ):
                groups[-1].append(axis)
            else:
                groups.append([axis])

        def joined(access: Access) -> Access:
            offset, strides = access.where
            return Access(access.node, Affine(offset, tuple(strides[g[-1]] for g in groups)))

        shared: dict[int, Access] = {}
        for view, access in self._access.items():
            self._access[view] = shared.setdefault(id(access), joined(access))
        self._targets = [joined(access) for access in self._targets]
        return [math.prod(lengths[a] for a in group) for group in groups]

    def load(self, at: list[Any], loaded: Loaded, depth: int) -> Loaded:
        """What is loaded, with what needs this many indices and no more."""
        loaded = dict(loaded)
        for access in {id(access): access for access in self._access.values()}.values():
            if access.depth() <= depth and id(access) not in loaded:
                loaded[id(access)] = self._w.load(access, at)
        return loaded

    def operand(self, view: View, at: list[Any], loaded: Loaded, values: Values) -> Any:
        """A view's entry, from memory or as it was just computed."""
        if view not in self._access:
            return values[view.node]
        access = self._access[view]
        if id(access) not in loaded:
            loaded[id(access)] = self._w.load(access, at)
        return loaded[id(access)]

    def compute(self, at: list[Any], loaded: Loaded, values: Values | None = None) -> Values:
        """Compute all nodes for one entry."""
        values = {} if values is None else values
        for node in self._nodes:
            operands = [self.operand(view, at, loaded, values) for view in node.operands]
            kinds = [view.dtype for view in node.operands]
            values[node] = instructions.emit(self._w.m, node.op, node.dtype, kinds, operands)
        return values

    def store(self, at: list[Any], values: Values) -> None:
        """Store what is kept of an entry, once all is read: it may lie where that was."""
        for node, access in zip(self._stored, self._targets, strict=True):
            self._w.store(values[node], access, at)


def _target(node: Node, arrange: Callable[[np.ndarray], Affine | np.ndarray]) -> Access:
    """Where a node's values are stored."""
    if node.op == "piece":
        return Access(node.params["whole"], arrange(node.params["place"]))
    return Access(node, arrange(np.arange(node.size).reshape(node.shape)))
