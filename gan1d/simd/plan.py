"""What is computed together and where results are kept: a graph cut into kernels, with memory.

A kernel is one nest of loops. Elementwise nodes of one shape share it where what they need is
there; a reduction shares it with what it adds up, and what follows from the sums shares it too.
Kernels are kept in an order in which each comes after all that it reads.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from gan1d.simd.graph import REDUCTIONS, Graph, Node, View

RECOMPUTED = 2**14  # entries from which on it is faster to compute something again than to read it
GIVEN = frozenset({"input", "const"})
ALONE = frozenset({"dot", "cumsum", "sort", "loop"})
PLACES = frozenset({"assemble", "piece", "result"})


@dataclass(eq=False, slots=True)
class Kernel:
    """One nest of loops over `shape`; `axes` are those that it reduces, its inner loops."""

    shape: tuple[int, ...]
    axes: tuple[int, ...] | None = None
    body: list[Node] = field(default_factory=list)  # computed for every entry
    totals: list[Node] = field(default_factory=list)  # reductions of those
    after: list[Node] = field(default_factory=list)  # computed for every entry that is left
    again: set[Node] = field(default_factory=set)  # of the body, what an earlier kernel computed
    alone: Node | None = None  # the node of a kernel of another kind

    def nodes(self) -> list[Node]:
        """All that it computes."""
        return [self.alone] if self.alone else [*self.body, *self.totals, *self.after]

    def outer(self) -> tuple[int, ...]:
        """The shape of what it leaves."""
        return tuple(n for axis, n in enumerate(self.shape) if axis not in (self.axes or ()))


@dataclass(eq=False, slots=True)
class Plan:
    """Kernels in order, and of each node that is kept the place in memory."""

    once: list[Kernel]  # before the first step, for what is the same in all
    every: list[Kernel]  # in every step
    offsets: dict[Node, int]  # of nodes kept in scratch memory, in vectors
    size: int  # of the scratch memory, in vectors
    direct: dict[Node, int]  # nodes written where an output is wanted
    copied: list[tuple[Node, int]]  # outputs to be copied there at the end
    bodies: dict[Node, "Plan"]  # of loops


def make(graph: Graph, aliases: dict[int, Node] | None = None) -> Plan:
    """Plan a graph.

    Args:
      graph: pruned; each output a node of its own, in order.
      aliases: of outputs that are written where an input lies, that input; None for outputs that
        are not wanted anywhere but in scratch memory.
    """
    once = _Schedule(node for node in graph.nodes if not node.varies)
    every = _Schedule(node for node in graph.nodes if node.varies)
    outputs = [view.node for view in graph.outputs]
    direct: dict[Node, int] = {}
    copied: list[tuple[Node, int]] = []
    if aliases is not None:
        for number, node in enumerate(outputs):
            if _may_overwrite(every, node, aliases.get(number)):
                direct[node] = number
            else:
                copied.append((node, number))
    kept = [node for node in _kept(graph, [once, every], outputs) if node not in direct]
    until_end = outputs if aliases is None else [node for node, _ in copied]
    offsets, size = _memory(every, kept, until_end)
    bodies: dict[Node, Plan] = {}
    for node in graph.nodes:
        if node.op == "loop":
            bodies[node] = _moved(make(node.params["body"]), size)
            size += bodies[node].size
    return Plan(once.kernels, every.kernels, offsets, size, direct, copied, bodies)


def _moved(plan: Plan, by: int) -> Plan:
    plan.offsets = {node: offset + by for node, offset in plan.offsets.items()}
    for body in plan.bodies.values():
        _moved(body, by)
    return plan


class _Schedule:
    """Kernels in order, and in which one each node is."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.kernels: list[Kernel] = []
        self.position: dict[Node, int] = {}
        for node in nodes:
            self._place(node)

    def _place(self, node: Node) -> None:
        if node.op in GIVEN:
            return
        if node.op in PLACES - {"piece"}:
            positions = [self.position.get(view.node, -1) for view in node.operands]
            self.position[node] = max(positions)
            return
        if node.op in ALONE:
            self.position[node] = len(self.kernels)
            self.kernels.append(Kernel(node.shape, alone=node))
            return
        lowest = max((self.position.get(view.node, -1) for view in node.operands), default=-1)
        reduces = node.op in REDUCTIONS
        shape = node.operands[0].shape if reduces else node.shape
        axes = node.params["axes"] if reduces else None
        for number in range(max(lowest, 0), len(self.kernels)):
            kernel = self.kernels[number]
            if kernel.alone:
                continue
            if kernel.shape == shape and (not reduces or kernel.axes in (None, axes)):
                again = self._again(node.operands, number, kernel.body)
                if again is not None:
                    self._enter(node, number, again)
                    return
            if not reduces and kernel.axes is not None and kernel.outer() == shape:
                left = [*kernel.totals, *kernel.after]
                if all(self._ready(view, number, left) for view in node.operands):
                    kernel.after.append(node)
                    self.position[node] = number
                    return
        self.kernels.append(Kernel(shape))
        number = len(self.kernels) - 1
        self._enter(node, number, self._again(node.operands, number, []) or [])

    def _enter(self, node: Node, number: int, again: list[Node]) -> None:
        """Put a node into a kernel, after what that has to compute again for it."""
        kernel = self.kernels[number]
        kernel.body += again
        kernel.again.update(again)
        self.position[node] = number
        if node.op in REDUCTIONS:
            kernel.axes = node.params["axes"]
            kernel.totals.append(node)
        else:
            kernel.body.append(node)

    def _ready(self, view: View, number: int, inside: list[Node]) -> bool:
        """Whether a kernel may read the view: from memory, or from what it computes itself."""
        position = self.position.get(view.node, -1)
        return position < number or (view.node in inside and view.straight())

    def _again(self, views: Iterable[View], number: int, inside: list[Node]) -> list[Node] | None:
        """What a kernel has to compute again to have these views; None if it can't have them."""
        again: list[Node] = []
        for view in views:
            if view.node in (*inside, *again) and view.straight():
                continue
            if self.position.get(view.node, -1) >= number:
                return None
            node = view.node
            if node.size >= RECOMPUTED and _is_elementwise(node) and view.straight():
                again += self._again(node.operands, number, [*inside, *again]) or []
                again.append(node)
        return again


def _is_elementwise(node: Node) -> bool:
    return node.op not in GIVEN | ALONE | PLACES | REDUCTIONS


def reads_memory(kernel: Kernel, reader: Node, view: View) -> bool:
    """Whether a node of a kernel reads this operand from memory."""
    if kernel.alone or not view.straight():
        return True
    near = (
        kernel.body
        if reader in kernel.body or reader in kernel.totals
        else ([*kernel.totals, *kernel.after])
    )
    return view.node not in near


def _reads(kernel: Kernel) -> Iterable[tuple[Node, View]]:
    for node in kernel.nodes():
        for view in node.operands:
            if view.node.op != "const" and reads_memory(kernel, node, view):
                yield node, view


def _writes(kernel: Kernel) -> Iterable[Node]:
    """The nodes that have their memory from this kernel on."""
    for node in kernel.nodes():
        if node in kernel.again:
            continue
        if node.op == "piece":
            yield node.params["whole"]
        elif node.op == "loop":
            yield from node.params["results"]
        else:
            yield node


def _kept(graph: Graph, schedules: list[_Schedule], outputs: list[Node]) -> dict[Node, None]:
    """Nodes that must be kept in memory, in the graph's order."""
    wanted = set(outputs)
    for schedule in schedules:
        for kernel in schedule.kernels:
            wanted.update(view.node for _, view in _reads(kernel))
            for node in kernel.nodes():
                if node.op == "loop":
                    wanted.update(node.params["results"])
                if node.op == "piece":
                    wanted.add(node.params["whole"])
    nodes = [node for node in graph.nodes if node.op == "loop"]
    results = [result for node in nodes for result in node.params["results"]]
    order = dict.fromkeys([*graph.nodes, *results])
    return {
        node: None for node in order if node in wanted and node.op not in (*GIVEN, "piece", "loop")
    }


def _last_reads(schedule: _Schedule, outputs: list[Node]) -> dict[Node, int]:
    last: dict[Node, int] = {}
    for position, kernel in enumerate(schedule.kernels):
        for _, view in _reads(kernel):
            last[view.node] = position
    for node in outputs:
        last[node] = len(schedule.kernels)
    return last


def _may_overwrite(schedule: _Schedule, node: Node, old: Node | None) -> bool:
    """Whether a node may be written straight where `old` lies: nothing reads that afterwards."""
    if node.op in GIVEN | PLACES | ALONE:
        return False
    if old is None:
        return True
    written = schedule.position[node]
    for position, kernel in enumerate(schedule.kernels[written:], written):
        for _, view in _reads(kernel):
            # Within a kernel an entry is read before it is written.
            if view.node is old and (position > written or not view.straight()):
                return False
            if view.node is old and (kernel.shape != old.shape or node not in kernel.body):
                return False
    return True


def _memory(
    schedule: _Schedule, kept: list[Node], until_end: list[Node]
) -> tuple[dict[Node, int], int]:
    """Places in scratch memory, used again once nobody reads what is there, and its size."""
    offsets: dict[Node, int] = {}
    size = 0
    # What is computed before the first step stays to the end.
    for node in kept:
        if not node.varies:
            offsets[node] = size
            size += node.size
    memory = _Memory(size)
    last = _last_reads(schedule, until_end)
    wanted = set(kept)
    ending: dict[int, list[Node]] = {}
    for position, kernel in enumerate(schedule.kernels):
        for node in _writes(kernel):
            if node in wanted and node not in offsets:
                offsets[node] = memory.take(node.size)
                ending.setdefault(max(last.get(node, 0), position), []).append(node)
        for node in ending.pop(position, ()):
            memory.give(offsets[node], node.size)
    return offsets, memory.top


class _Memory:
    """First-fit allocation of vectors."""

    def __init__(self, start: int) -> None:
        self.top = start
        self._free: list[tuple[int, int]] = []  # (offset, size), by offset

    def take(self, size: int) -> int:
        for i, (offset, room) in enumerate(self._free):
            if room >= size:
                if room == size:
                    del self._free[i]
                else:
                    self._free[i] = (offset + size, room - size)
                return offset
        offset = self.top
        if self._free and sum(self._free[-1]) == self.top:  # grow the hole at the end
            offset = self._free.pop()[0]
        self.top = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        self._free.append((offset, size))
        self._free.sort()
        merged: list[tuple[int, int]] = []
        for start, room in self._free:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + room)
            else:
                merged.append((start, room))
        self._free = merged
