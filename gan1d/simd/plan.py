"""What code is to be generated: a graph's kernels in order, and where each result lies.

What is the same in all steps is moved out of their loop (loop-invariant code motion), and outputs
are written where the caller wants them as far as nothing else is still read there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gan1d.simd import allocation
from gan1d.simd.fusion import Kernel, Schedule
from gan1d.simd.graph import Graph
from gan1d.simd.nodes import Loop, Node


@dataclass(eq=False, slots=True)
class Plan:
    """Kernels in order, and of each node that is in memory where."""

    invariant: list[Kernel]  # before the first step, for what is the same in all
    per_step: list[Kernel]
    offsets: dict[Node, int]  # of nodes in scratch memory, in vectors
    size: int  # of the scratch memory, in vectors
    direct: dict[Node, int]  # nodes written where an output is wanted
    copied: list[tuple[Node, int]]  # outputs to be copied there at the end
    bodies: dict[Loop, "Plan"]

    def kernels(self) -> Iterator[Kernel]:
        """All kernels, those of loops' bodies too."""
        yield from (*self.invariant, *self.per_step)
        for body in self.bodies.values():
            yield from body.kernels()

    def move(self, by: int) -> None:
        """Move its scratch memory."""
        self.offsets = {node: offset + by for node, offset in self.offsets.items()}
        for body in self.bodies.values():
            body.move(by)


def build(graph: Graph, aliases: Mapping[int, Node] | None = None) -> Plan:
    """Plan a graph.

    Args:
      graph: without dead code; each output a node of its own, in order.
      aliases: of outputs that are written where an input lies, that input; None for outputs that
        are not wanted anywhere but in scratch memory.
    """
    invariant = Schedule(node for node in graph.nodes if not node.varies)
    per_step = Schedule(node for node in graph.nodes if node.varies)
    outputs = [view.node for view in graph.outputs]
    direct: dict[Node, int] = {}
    copied: list[tuple[Node, int]] = []
    if aliases is not None:
        for number, node in enumerate(outputs):
            if allocation.may_overwrite(per_step, node, aliases.get(number)):
                direct[node] = number
            else:
                copied.append((node, number))
    in_memory = allocation.in_memory(graph, [invariant, per_step], outputs)
    in_scratch = [node for node in in_memory if node not in direct]
    until_end = outputs if aliases is None else [node for node, _ in copied]
    offsets, size = allocation.allocate(per_step, in_scratch, until_end)
    bodies: dict[Loop, Plan] = {}
    for node in graph.nodes:
        if isinstance(node, Loop):
            body = bodies[node] = build(node.body)
            body.move(size)
            size += body.size
    return Plan(invariant.kernels, per_step.kernels, offsets, size, direct, copied, bodies)
