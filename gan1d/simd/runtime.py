"""Take blocks of runs through updates and stops in one native call.

At each stop programs may look at a block, and Python is not needed before all stops are done. The
stops are cut into rounds, as far as there are several. Each thread takes the next round of the next
block that nobody has taken, so that none waits long for the others in the end.
"""

import functools
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.simd import arrays, codegen, llvm
from gan1d.simd.vector import INDEX, POINTER
from gan1d.simd.writer import Writer, known

NAME = "drive"
ROUNDS = 8  # at most; in each of them a block comes into the caches anew
TASK = ("function", "arrays", "count", "blocks")  # a task as the native function has it


class Task(NamedTuple):
    """A compiled function with the memory that it works on."""

    function: llvm.Function
    scratch: int  # vectors that it needs
    blocks: int  # it is called on the first so many
    fixed: Sequence[np.ndarray]  # its first arrays [blocks, elements, lanes]
    results: Sequence[np.ndarray]  # the others, [stops, blocks, elements, lanes]

    def places(self) -> np.ndarray:
        """Where its arrays begin, and how far the next stop's and block's are: `[arrays, 3]`."""
        rows = [(array.ctypes.data, 0, array.strides[0]) for array in self.fixed]
        rows += [(array.ctypes.data, *array.strides[:2]) for array in self.results]
        return np.asarray(rows, np.int64).reshape(-1, 3)


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
    if len(tasks) == 1 and not tasks[0].results:
        stops = [piece for stop in stops for piece in _pieces(*stop)]  # nobody looks
    blocks = tasks[0].blocks
    if not blocks or not stops:
        return [0.0] * len(tasks)
    threads = max(1, min(threads, blocks))
    places = [task.places() for task in tasks]
    table = np.asarray(
        [
            (task.function.address, each.ctypes.data, len(each), task.blocks)
            for task, each in zip(tasks, places, strict=True)
        ],
        np.int64,
    )
    ahead = np.asarray(stops, np.int64)
    sizes = np.asarray([len(stops), len(tasks), blocks, -(-len(stops) // ROUNDS)], np.int64)
    progress = np.zeros(1 + blocks, np.int64)  # turns taken, and rounds that each block has done
    nanoseconds = np.zeros((threads, len(tasks)), np.int64)
    function = _function()

    def work(thread: int) -> None:
        scratch = arrays.aligned((max(task.scratch for task in tasks), lanes))
        pointers = np.zeros(max(map(len, places)), np.int64)
        given = (ahead, table, sizes, progress, pointers, scratch, nanoseconds[thread])
        function(*(array.ctypes.data for array in given))

    if threads == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(threads)))
    return (nanoseconds.sum(0) / 1e9).tolist()


def _pieces(first: int, count: int) -> list[tuple[int, int]]:
    """So many updates in as many rounds as there may be."""
    edges = [first + count * i // ROUNDS for i in range(ROUNDS + 1)]
    return [(begin, end - begin) for begin, end in itertools.pairwise(edges) if begin < end]


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="lanes")


@functools.cache
def _function() -> llvm.Function:
    return llvm.compile(str(_module()), NAME)


def _module() -> ir.Module:
    """The loops over rounds of blocks, and over the stops of a round.

    void drive(i64* stops, i64* tasks, i64* sizes, i64* progress, i64* pointers, ptr scratch,
               i64* nanoseconds)
    """
    module = ir.Module(NAME)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER] * 7), NAME)
    w = Writer(module, function, lanes=1)
    _, _, sizes, progress, _, _, _ = function.args
    stop_count, _, blocks, length = (_entry(w, sizes, known(i)) for i in range(4))
    turn, waiting, ready, done = (
        function.append_basic_block(name) for name in ("turn", "waiting", "ready", "done")
    )
    w.b.branch(turn)
    w.b.position_at_end(turn)
    number = w.b.atomic_rmw("add", progress, known(1), "monotonic")
    round_, block = w.b.sdiv(number, blocks), w.b.srem(number, blocks)
    begin = w.b.mul(round_, length)
    w.b.cbranch(w.b.icmp_signed("<", begin, stop_count), waiting, done)
    w.b.position_at_end(waiting)  # for another thread that may still be at the round before
    passed = w.at(progress, w.b.add(block, known(1)), INDEX)
    rounds_done = w.b.load_atomic(passed, "acquire", 8, typ=INDEX)
    w.b.cbranch(w.b.icmp_signed("<", rounds_done, round_), waiting, ready)
    w.b.position_at_end(ready)
    end = w.b.add(begin, length)
    end = w.b.select(w.b.icmp_signed("<", end, stop_count), end, stop_count)
    with w.loop(begin, end) as stop:
        _stop(w, stop, block)
    w.b.atomic_rmw("add", passed, known(1), "release")
    w.b.branch(turn)
    w.b.position_at_end(done)
    w.finish()
    return module


def _stop(w: Writer, stop: Any, block: Any) -> None:
    """A block's updates before one stop, and what looks at it there."""
    stops, tasks, sizes, _, pointers, scratch, nanoseconds = w.function.args
    at = w.b.mul(stop, known(2))
    first, count = _entry(w, stops, at), _entry(w, stops, w.b.add(at, known(1)))
    with w.loop(known(0), _entry(w, sizes, known(1))) as number:
        at = w.b.mul(number, known(len(TASK)))
        called, arrays, array_count, limit = (
            _entry(w, tasks, w.b.add(at, known(i))) for i in range(len(TASK))
        )
        with w.b.if_then(w.b.icmp_signed("<", block, limit)):
            begun = _clock(w)
            with w.loop(known(0), array_count) as i:
                at = w.b.mul(i, known(3))
                place = w.b.inttoptr(arrays, POINTER)
                base, by_stop, by_block = (
                    _entry(w, place, w.b.add(at, known(j))) for j in range(3)
                )
                base = w.b.add(base, w.b.mul(stop, by_stop))
                base = w.b.add(base, w.b.mul(block, by_block))
                w.b.store(base, w.at(pointers, i, INDEX))
            moves = w.b.icmp_signed("==", number, known(0))
            w.b.call(
                w.b.inttoptr(called, codegen.FUNCTION.as_pointer()),
                [
                    pointers,
                    w.b.trunc(w.b.select(moves, first, w.b.add(first, count)), ir.IntType(32)),
                    w.b.select(moves, count, known(1)),
                    scratch,
                ],
            )
            total = w.at(nanoseconds, number, INDEX)
            taken = w.b.sub(_clock(w), begun)
            w.b.store(w.b.add(w.b.load(total, typ=INDEX), taken), total)


def _entry(w: Writer, array: Any, index: Any) -> Any:
    return w.b.load(w.at(array, index, INDEX), typ=INDEX)


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
