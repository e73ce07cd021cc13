"""Take blocks of runs through updates and stops in one native call.

At each stop a program may look at a block while it is still in the processor's caches, and Python
is not needed before all stops are done. Each thread takes the next block that nobody has taken.
"""

import functools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.lanes import emit, memory, native
from gan1d.lanes.vector import INDEX, POINTER
from gan1d.lanes.writer import Writer, known

NAME = "drive"
TASK = ("function", "addresses", "arrays", "blocks")  # a task as the native function has it


class Task(NamedTuple):
    """A compiled function with the memory that it works on."""

    function: native.Function
    scratch: int  # vectors that it needs
    blocks: int  # it is called on the first so many
    fixed: Sequence[np.ndarray]  # its first arrays [blocks, elements, lanes]
    results: Sequence[np.ndarray]  # the others, [stops, blocks, elements, lanes]


def drive(
    stops: Sequence[tuple[int, int]], tasks: Sequence[Task], lanes: int, threads: int = 1
) -> list[float]:
    """Take blocks from stop to stop; the calling thread waits.

    Args:
      stops: the number of the first update, and how many of them, before each stop.
      tasks: the first makes the updates, on all of its blocks; the others are called once at each
        stop, as update number `first + count`.
      lanes: runs in a block.
      threads: to spread the blocks over.

    Returns:
      How many seconds each task took, threads added up.
    """
    blocks = tasks[0].blocks
    threads = max(1, min(threads, blocks))
    addresses = [_addresses(task, len(stops)) for task in tasks]
    table = np.asarray(
        [
            (task.function.address, each.ctypes.data, each.shape[1], task.blocks)
            for task, each in zip(tasks, addresses, strict=True)
        ],
        np.int64,
    )
    ahead = np.asarray(stops, np.int64)
    sizes = np.asarray([len(stops), len(tasks), blocks], np.int64)
    taken = np.zeros(1, np.int64)
    nanoseconds = np.zeros((threads, len(tasks)), np.int64)
    function = _function()

    def work(thread: int) -> None:
        scratch = memory.aligned((max(task.scratch for task in tasks), lanes))
        given = (ahead, table, sizes, taken, scratch, nanoseconds[thread])
        function(*(array.ctypes.data for array in given))

    if threads == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(threads)))
    return (nanoseconds.sum(0) / 1e9).tolist()


def _addresses(task: Task, stops: int) -> np.ndarray:
    """Where a task's arrays begin at each stop, `[stops, arrays]`."""
    table = np.zeros((stops, len(task.fixed) + len(task.results)), np.int64)
    table[:] = [array.ctypes.data for array in (*task.fixed, *task.results)]
    strides = [array.strides[0] for array in task.results]
    table[:, len(task.fixed) :] += np.outer(np.arange(stops), np.asarray(strides, np.int64))
    return table


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lanes")


@functools.cache
def _function() -> native.Function:
    return native.compile(str(_module()), NAME)


def _module() -> ir.Module:
    """The loops over blocks, stops and tasks.

    void drive(i64* stops, i64* tasks, i64* sizes, i64* taken, ptr scratch, i64* nanoseconds)
    """
    module = ir.Module(NAME)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER] * 6), NAME)
    w = Writer(module, function, lanes=1)
    stops, tasks, sizes, taken, scratch, nanoseconds = function.args

    def entry(array: Any, index: Any) -> Any:
        return w.b.load(w.at(array, index, INDEX), typ=INDEX)

    stop_count, task_count, blocks = (entry(sizes, known(i)) for i in range(3))
    more = function.append_basic_block("more")
    some = function.append_basic_block("some")
    none = function.append_basic_block("none")
    w.b.branch(more)
    w.b.position_at_end(more)
    block = w.b.atomic_rmw("add", taken, known(1), "monotonic")
    w.b.cbranch(w.b.icmp_signed("<", block, blocks), some, none)
    w.b.position_at_end(some)
    with w.loop(known(0), stop_count) as stop:
        at = w.b.mul(stop, known(2))
        first, count = entry(stops, at), entry(stops, w.b.add(at, known(1)))
        with w.loop(known(0), task_count) as number:
            at = w.b.mul(number, known(len(TASK)))
            called, addresses, arrays, limit = (
                entry(tasks, w.b.add(at, known(i))) for i in range(len(TASK))
            )
            with w.b.if_then(w.b.icmp_signed("<", block, limit)):
                begun = _clock(w)
                moves = w.b.icmp_signed("==", number, known(0))
                begin = w.b.select(moves, first, w.b.add(first, count))
                steps = w.b.select(moves, count, known(1))
                place = w.b.add(addresses, w.b.mul(w.b.mul(stop, arrays), known(8)))
                w.b.call(
                    w.b.inttoptr(called, emit.FUNCTION.as_pointer()),
                    [
                        w.b.inttoptr(place, POINTER),
                        w.b.trunc(begin, ir.IntType(32)),
                        steps,
                        block,
                        w.b.add(block, known(1)),
                        scratch,
                    ],
                )
                total = w.at(nanoseconds, number, INDEX)
                passed = w.b.sub(_clock(w), begun)
                w.b.store(w.b.add(w.b.load(total, typ=INDEX), passed), total)
    w.b.branch(more)
    w.b.position_at_end(none)
    w.finish()
    return module


def _clock(w: Writer) -> Any:
    """Nanoseconds of the C library's monotonic clock."""
    number = ir.IntType(32)
    kind = ir.FunctionType(number, [number, POINTER])
    function = w.m.module.globals.get("clock_gettime") or ir.Function(
        w.m.module, kind, "clock_gettime"
    )
    time_spec = w.variable(ir.ArrayType(INDEX, 2))
    w.b.call(function, [number(time.CLOCK_MONOTONIC), time_spec])
    seconds, rest = (w.b.load(w.at(time_spec, known(i), INDEX), typ=INDEX) for i in range(2))
    return w.b.add(w.b.mul(seconds, known(10**9)), rest)
