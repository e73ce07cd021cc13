"""A plan as LLVM code: a function that takes a block of runs through some steps.

Everything that the plan keeps lies in memory as vectors of lanes: element i of an array of n
elements is the i-th of n vectors, which hold that element of as many runs. So moving elements about
costs nothing but another address, and every loop below runs over elements of one run, never over
runs.

    void lanes(ptr* arrays, i32 first, i64 count, ptr scratch)

takes one block of runs through `count` steps, the first of which has number `first`. Each of
`arrays` is the block's `[elements, lanes]` of one input or output.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from gan1d.simd import alone
from gan1d.simd.graph import Node
from gan1d.simd.loops import nest
from gan1d.simd.plan import Kernel, Plan
from gan1d.simd.vector import INDEX, POINTER
from gan1d.simd.writer import Writer, known

ALONE = {"dot": alone.dot, "cumsum": alone.cumsum, "sort": alone.sort}
NAME = "lanes"
FUNCTION = ir.FunctionType(ir.VoidType(), [POINTER, ir.IntType(32), INDEX, POINTER])


class Array(NamedTuple):
    """One of the function's arrays."""

    input: Node | None  # that is read there
    output: int | None  # whose number this is, that is written there


def module(plan: Plan, arrays: Sequence[Array], lanes: int) -> ir.Module:
    """LLVM code for a plan.

    Args:
      plan: what to compute.
      arrays: what the function's arrays are, in order.
      lanes: runs in a block.
    """
    result = ir.Module(NAME)
    function = ir.Function(result, FUNCTION, NAME)
    function.attributes.add("nounwind")
    _function(Writer(result, function, lanes), plan, arrays)
    return result


def _function(w: Writer, plan: Plan, arrays: Sequence[Array]) -> None:
    pointers, first, count, scratch = w.function.args
    _scratch(w, plan, scratch)
    outputs: dict[int, Any] = {}
    for i, array in enumerate(arrays):
        place = w.b.load(w.at(pointers, known(i), POINTER), typ=POINTER)
        if array.input is not None:
            w.place[array.input] = place
        if array.output is not None:
            outputs[array.output] = place
    for node, number in plan.direct.items():
        w.place[node] = outputs[number]
    _kernels(w, plan, plan.once)
    with w.loop(known(0), count) as i:
        w.step = w.b.add(first, w.b.trunc(i, ir.IntType(32)))
        _kernels(w, plan, plan.every)
        for node, number in plan.copied:
            w.copy(w.place[node], outputs[number], node.size)
    w.finish()


def _scratch(w: Writer, plan: Plan, scratch: Any) -> None:
    for node, offset in plan.offsets.items():
        w.place[node] = w.at(scratch, known(offset), w.m.float)
    for body in plan.bodies.values():
        _scratch(w, body, scratch)


def _kernels(w: Writer, plan: Plan, kernels: Sequence[Kernel]) -> None:
    for kernel in kernels:
        if kernel.alone is None:
            nest(w, kernel)
        elif kernel.alone.op == "loop":
            _repeat(w, kernel.alone, plan.bodies[kernel.alone])
        else:
            ALONE[kernel.alone.op](w, kernel.alone)


def _repeat(w: Writer, node: Node, body: Plan) -> None:
    """A loop: its carries stay in the results' memory from one iteration to the next."""
    inner, results = node.params["body"], node.params["results"]
    inputs = [n for n in inner.nodes if n.op == "input"]
    carried, scanned = node.params["carried"], node.params["scanned"]
    stays = len(inputs) - carried - scanned
    given = [view.node for view in node.operands]
    for i, result in enumerate(results[:carried]):
        w.copy(w.place[given[stays + i]], w.place[result], result.size)
    for n, source in zip(inputs[:stays], given[:stays], strict=True):
        w.place[n] = w.place[source]
    for n, result in zip(inputs[stays : stays + carried], results[:carried], strict=True):
        w.place[n] = w.place[result]
    _kernels(w, body, body.once)
    with w.loop(known(0), known(node.params["length"])) as i:
        for n, source in zip(inputs[stays + carried :], given[stays + carried :], strict=True):
            at = w.b.mul(i, known(n.size))
            w.place[n] = w.at(w.place[source], at, w.m.float)
        _kernels(w, body, body.every)
        outputs = [view.node for view in inner.outputs]
        for n, result in zip(outputs[:carried], results[:carried], strict=True):
            w.copy(w.place[n], w.place[result], result.size)
        for n, result in zip(outputs[carried:], results[carried:], strict=True):
            at = w.b.mul(i, known(n.size))
            w.copy(w.place[n], w.at(w.place[result], at, w.m.float), n.size)
