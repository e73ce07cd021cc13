"""Code generation: a plan as an LLVM function that takes a vector of runs through some steps.

Everything in memory is vectors over runs: element i of an array of n elements is the i-th of n
vectors, each of which holds that element of as many runs as it is wide. So moving elements about
costs nothing but another address, and every loop below runs over elements of one run, never over
runs.

    void steps(ptr* arrays, i32 first, i64 count, ptr scratch)

takes one vector of runs through `count` steps, the first of which has number `first`. Each of
`arrays` is that vector's `[elements, width]` of one input or output, or the elements of an input
that all runs share.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from llvmlite import ir

from gan1d.simd import kernels, loops
from gan1d.simd.fusion import Kernel
from gan1d.simd.nodes import CumulativeSum, Input, Loop, Node
from gan1d.simd.plan import Plan
from gan1d.simd.sharing import Shared
from gan1d.simd.vector import INDEX, POINTER
from gan1d.simd.writer import WORD, Writer, known

UNFUSED: dict[str, Callable[[Writer, Node], None]] = {
    "dot": kernels.dot,
    "sort": kernels.sort,
    "gather": kernels.gather,
}
NAME = "steps"
FUNCTION = ir.FunctionType(ir.VoidType(), [POINTER, WORD, INDEX, POINTER])


class Array(NamedTuple):
    """One of the function's arrays."""

    input: Node | None  # that is read there
    output: int | None  # whose number this is, that is written there


def module(plan: Plan, arrays: Sequence[Array], width: int) -> ir.Module:
    """LLVM code for a plan.

    Args:
      plan: what to compute.
      arrays: what the function's arrays are, in order.
      width: how many runs a vector holds.
    """
    result = ir.Module(NAME)
    function = ir.Function(result, FUNCTION, NAME)
    function.attributes.add("nounwind")
    _function(Writer(result, function, width), plan, arrays)
    return result


def _function(w: Writer, plan: Plan, arrays: Sequence[Array]) -> None:
    pointers, first, count, scratch = w.function.args
    _scratch(w, plan, scratch)
    outputs: dict[int, ir.Value] = {}
    for i, array in enumerate(arrays):
        base = w.entry_of(pointers, known(i), POINTER)
        if array.input is not None:
            w.memory[array.input] = base
        if array.output is not None:
            outputs[array.output] = base
    for node, number in plan.direct.items():
        w.memory[node] = outputs[number]
    shared = Shared(w, plan.kernels())
    _kernels(w, plan, plan.invariant, shared)
    with w.loop(known(0), count) as i:
        w.step = w.b.add(first, w.b.trunc(i, WORD))
        _kernels(w, plan, plan.per_step, shared)
        for node, number in plan.copied:
            w.copy(w.memory[node], outputs[number], node.size)
    w.finish()


def _scratch(w: Writer, plan: Plan, scratch: ir.Value) -> None:
    for node, offset in plan.offsets.items():
        w.memory[node] = w.address(scratch, known(offset), w.v.float)
    for body in plan.bodies.values():
        _scratch(w, body, scratch)


def _kernels(w: Writer, plan: Plan, planned: Sequence[Kernel], shared: Shared) -> None:
    for kernel in planned:
        if isinstance(kernel.unfused, Loop):
            _loop(w, kernel.unfused, plan.bodies[kernel.unfused], shared)
        else:
            shared.emit(w, kernel, _kernel)


def _kernel(w: Writer, kernel: Kernel) -> None:
    if kernel.unfused is None:
        loops.emit(w, kernel)
    elif isinstance(kernel.unfused, CumulativeSum):
        kernels.cumsum(w, kernel.unfused)
    else:
        UNFUSED[kernel.unfused.op](w, kernel.unfused)


def _loop(w: Writer, loop: Loop, body: Plan, shared: Shared) -> None:
    """A loop: its carries stay in the results' memory from one iteration to the next."""
    inputs: list[Node] = [node for node in loop.body.nodes if isinstance(node, Input)]
    starts = [view.node for view in loop.operands]
    stays = len(inputs) - loop.carried - loop.scanned
    scans = stays + loop.carried
    carried, stacked = loop.results[: loop.carried], loop.results[loop.carried :]
    for start, result in zip(starts[stays:scans], carried, strict=True):
        w.copy(w.memory[start], w.memory[result], result.size)
    for node, start in zip(inputs[:stays], starts[:stays], strict=True):
        w.memory[node] = w.memory[start]
    for node, result in zip(inputs[stays:scans], carried, strict=True):
        w.memory[node] = w.memory[result]
    _kernels(w, body, body.invariant, shared)
    outputs = [view.node for view in loop.body.outputs]
    with w.loop(known(0), known(loop.length)) as i:
        for node, start in zip(inputs[scans:], starts[scans:], strict=True):
            w.memory[node] = _row(w, w.memory[start], i, node)
        _kernels(w, body, body.per_step, shared)
        for node, result in zip(outputs[: loop.carried], carried, strict=True):
            w.copy(w.memory[node], w.memory[result], result.size)
        for node, result in zip(outputs[loop.carried :], stacked, strict=True):
            w.copy(w.memory[node], _row(w, w.memory[result], i, node), node.size)


def _row(w: Writer, base: ir.Value, i: ir.Value, node: Node) -> ir.Value:
    """Where row i of an array begins, whose rows have a node's size."""
    return w.address(base, w.b.mul(i, known(node.size)), w.v.float)
