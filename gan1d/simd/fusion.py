"""Kernel fusion: a graph cut into kernels, each one loop nest.

Elementwise nodes of one shape share a kernel where what they need is there; a reduction shares it
with what it adds up, and what follows from the sums shares it too. Kernels are in an order in which
each comes after all that it reads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gan1d.simd.nodes import REDUCTIONS, Loop, Node, Piece, Reduction, View

RECOMPUTED = 2**14  # entries from which on it is faster to compute something again than to read it
LEAVES = frozenset({"input", "const"})
UNFUSED = frozenset({"dot", "cumsum", "sort", "gather", "loop"})
RESULTS = frozenset({"assemble", "result"})  # written by the pieces, or the loop, that they are of


@dataclass(eq=False, slots=True)
class Kernel:
    """One loop nest over `shape`; `axes` are those that it reduces, its inner loops."""

    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None
    body: list[Node] = field(default_factory=list)  # computed for every entry
    reductions: list[Reduction] = field(default_factory=list)  # of those
    epilogue: list[Node] = field(default_factory=list)  # computed for every entry that is left
    recomputed: set[Node] = field(default_factory=set)  # of the body, by an earlier kernel too
    unfused: Node | None = None  # of a kernel that is no plain loop nest, its only node

    def nodes(self) -> list[Node]:
        """All that it computes."""
        if self.unfused is not None:
            return [self.unfused]
        return [*self.body, *self.reductions, *self.epilogue]

    def outer(self) -> tuple[int, ...]:
        """The shape of what it leaves."""
        return tuple(n for axis, n in enumerate(self.shape) if axis not in (self.axes or ()))

    def reads_memory(self, reader: Node, view: View) -> bool:
        """Whether one of its nodes reads this operand from memory."""
        if self.unfused is not None or not view.is_whole():
            return True
        inner = reader in self.body or reader in self.reductions
        registers = self.body if inner else [*self.reductions, *self.epilogue]
        return view.node not in registers

    def reads(self) -> Iterable[View]:
        """What it reads from memory."""
        for node in self.nodes():
            for view in node.operands:
                if view.node.op != "const" and self.reads_memory(node, view):
                    yield view

    def writes(self) -> Iterable[Node]:
        """The nodes that have their memory from this kernel on."""
        for node in self.nodes():
            if node in self.recomputed:
                continue
            if isinstance(node, Piece):
                yield node.whole
            elif isinstance(node, Loop):
                yield from node.results
            else:
                yield node


def is_elementwise(node: Node) -> bool:
    """Whether each of its entries follows from one entry of each operand."""
    return node.op not in LEAVES | UNFUSED | RESULTS | REDUCTIONS | {"piece"}


class Schedule:
    """Kernels in order, and in which one each node is."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        """Fuse nodes, each of which comes after what it needs."""
        self.kernels: list[Kernel] = []
        self.position: dict[Node, int] = {}
        for node in nodes:
            self._place(node)

    def _place(self, node: Node) -> None:
        if node.op in LEAVES:
            return
        if node.op in RESULTS:
            self.position[node] = self._last(node.operands)
        elif node.op in UNFUSED:
            self.position[node] = len(self.kernels)
            self.kernels.append(Kernel(node.shape, unfused=node))
        elif not self._fuse(node):
            self.kernels.append(Kernel(_iterated(node)))
            number = len(self.kernels) - 1
            self._enter(node, number, self._recomputed(node.operands, number, []) or [])

    def _last(self, views: Iterable[View]) -> int:
        """The last kernel that one of these views needs, -1 for none."""
        return max((self.position.get(view.node, -1) for view in views), default=-1)

    def _fuse(self, node: Node) -> bool:
        """Put a node into the first kernel that can have it; whether there is one."""
        axes = node.axes if isinstance(node, Reduction) else None
        shape = _iterated(node)
        for number in range(max(self._last(node.operands), 0), len(self.kernels)):
            kernel = self.kernels[number]
            if kernel.unfused is not None:
                continue
            if kernel.shape == shape and (axes is None or kernel.axes in (None, axes)):
                recomputed = self._recomputed(node.operands, number, kernel.body)
                if recomputed is not None:
                    self._enter(node, number, recomputed)
                    return True
            if axes is None and kernel.axes is not None and kernel.outer() == shape:
                left = [*kernel.reductions, *kernel.epilogue]
                if all(self._ready(view, number, left) for view in node.operands):
                    kernel.epilogue.append(node)
                    self.position[node] = number
                    return True
        return False

    def _enter(self, node: Node, number: int, recomputed: list[Node]) -> None:
        """Put a node into a kernel, after what that has to compute again for it."""
        kernel = self.kernels[number]
        kernel.body += recomputed
        kernel.recomputed.update(recomputed)
        self.position[node] = number
        if isinstance(node, Reduction):
            kernel.axes = node.axes
            kernel.reductions.append(node)
        else:
            kernel.body.append(node)

    def _ready(self, view: View, number: int, inside: Sequence[Node]) -> bool:
        """Whether a kernel may read the view: from memory, or from what it computes itself."""
        position = self.position.get(view.node, -1)
        return position < number or (view.node in inside and view.is_whole())

    def _recomputed(
        self, views: Iterable[View], number: int, inside: Sequence[Node]
    ) -> list[Node] | None:
        """What a kernel has to compute again to have these views; None if it can't have them."""
        nodes: list[Node] = []
        for view in views:
            node = view.node
            if node in (*inside, *nodes) and view.is_whole():
                continue
            if self.position.get(node, -1) >= number:
                return None
            if node.size >= RECOMPUTED and is_elementwise(node) and view.is_whole():
                nodes += self._recomputed(node.operands, number, [*inside, *nodes]) or []
                nodes.append(node)
        return nodes


def _iterated(node: Node) -> tuple[int, ...]:
    """The shape that a node's loops go over."""
    return node.operands[0].shape if isinstance(node, Reduction) else node.shape
