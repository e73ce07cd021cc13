"""Memory allocation by liveness: where in scratch memory results lie, and from when to when."""

from collections.abc import Sequence

from gan1d.simd.fusion import LEAVES, RESULTS, UNFUSED, Schedule
from gan1d.simd.graph import Graph
from gan1d.simd.nodes import Loop, Node, Piece


def in_memory(graph: Graph, schedules: Sequence[Schedule], outputs: Sequence[Node]) -> list[Node]:
    """Nodes whose values some kernel reads from memory, or that are outputs, in order."""
    needed = set(outputs)
    for schedule in schedules:
        for kernel in schedule.kernels:
            needed.update(view.node for view in kernel.reads())
            for node in kernel.nodes():
                if isinstance(node, Loop):
                    needed.update(node.results)
                if isinstance(node, Piece):
                    needed.add(node.whole)
    loops = [node for node in graph.nodes if isinstance(node, Loop)]
    results = [result for loop in loops for result in loop.results]
    order = dict.fromkeys([*graph.nodes, *results])
    return [node for node in order if node in needed and node.op not in LEAVES | {"piece", "loop"}]


def may_overwrite(schedule: Schedule, node: Node, old: Node | None) -> bool:
    """Whether a node may be written straight where `old` lies: nothing reads that afterwards."""
    if node.op in LEAVES | RESULTS | UNFUSED | {"piece"}:
        return False
    if old is None:
        return True
    written = schedule.position[node]
    for position, kernel in enumerate(schedule.kernels[written:], written):
        for view in kernel.reads():
            # Within a kernel an entry is read before it is written.
            if view.node is old and (position > written or not view.is_whole()):
                return False
            if view.node is old and (kernel.shape != old.shape or node not in kernel.body):
                return False
    return True


def allocate(
    schedule: Schedule, nodes: Sequence[Node], until_end: Sequence[Node]
) -> tuple[dict[Node, int], int]:
    """Offsets in scratch memory, used again once nobody reads what is there, and its size."""
    offsets: dict[Node, int] = {}
    size = 0
    # What is computed before the first step stays to the end.
    for node in nodes:
        if not node.varies:
            offsets[node] = size
            size += node.size
    memory = _FreeList(size)
    last = _last_reads(schedule, until_end)
    needed = set(nodes)
    ending: dict[int, list[Node]] = {}
    for position, kernel in enumerate(schedule.kernels):
        for node in kernel.writes():
            if node in needed and node not in offsets:
                offsets[node] = memory.take(node.size)
                ending.setdefault(max(last.get(node, 0), position), []).append(node)
        for node in ending.pop(position, ()):
            memory.give(offsets[node], node.size)
    return offsets, memory.top


def _last_reads(schedule: Schedule, outputs: Sequence[Node]) -> dict[Node, int]:
    """The last kernel that reads each node; for outputs, beyond all of them."""
    last: dict[Node, int] = {}
    for position, kernel in enumerate(schedule.kernels):
        for view in kernel.reads():
            last[view.node] = position
    for node in outputs:
        last[node] = len(schedule.kernels)
    return last


class _FreeList:
    """First-fit allocation of vectors."""

    def __init__(self, start: int) -> None:
        self.top = start
        self._free: list[tuple[int, int]] = []  # (offset, size), by offset

    def take(self, size: int) -> int:
        for i, (offset, hole) in enumerate(self._free):
            if hole >= size:
                if hole == size:
                    del self._free[i]
                else:
                    self._free[i] = (offset + size, hole - size)
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
        for start, hole in self._free:
            if merged and sum(merged[-1]) == start:
                merged[-1] = (merged[-1][0], merged[-1][1] + hole)
            else:
                merged.append((start, hole))
        self._free = merged
