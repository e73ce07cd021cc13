"""Take vectors of runs through updates and log points in one native call.

After each span of updates programs may look at a vector of runs, and Python is not needed before
all spans are done. The spans are cut into rounds, as far as there are several. Each thread takes
the next round of the next vector that nobody has taken, so that none waits long for the others in
the end.
"""

import functools
import itertools
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.simd import arrays, codegen, llvm
from gan1d.simd.vector import INDEX, POINTER
from gan1d.simd.writer import WORD, Writer, known

NAME = "execute"
ROUNDS = 8  # at most; in each of them a vector of runs comes into the caches anew
TASK = ("function", "arrays", "count", "vectors")  # a task as the native function has it


class Task(NamedTuple):
    """A compiled function with the memory that it works on."""

    function: llvm.Function
    scratch: int  # vectors that it needs
    vectors: int  # of runs: it is called on the first so many
    fixed: Sequence[np.ndarray]  # its first arrays `[vectors, elements, width]`, or `[elements]`
    results: Sequence[np.ndarray]  # the others, `[spans, vectors, elements, width]`

    def layout(self) -> np.ndarray:
        """Where its arrays begin, and how far the next span's and vector's are: `[arrays, 3]`."""
        rows = [
            (array.ctypes.data, 0, array.strides[0] if array.ndim == 3 else 0)
            for array in self.fixed
        ]
        rows += [(each.ctypes.data, each.strides[0], each.strides[1]) for each in self.results]
        return np.asarray(rows, np.int64).reshape(-1, 3)


def execute(
    spans: Sequence[tuple[int, int]], tasks: Sequence[Task], width: int, threads: int = 1
) -> list[float]:
    """Take vectors of runs through spans of updates; the calling thread waits.

    Args:
      spans: of updates, one after the other: the number of the first, and how many.
      tasks: the first makes the updates, on all of its vectors; the others are called once after
        each span, as the update after its last.
      width: runs in a vector.
      threads: to spread the vectors over.

    Returns:
      How many seconds each task took, threads added up.
    """
    if len(tasks) == 1 and not tasks[0].results:
        spans = [piece for span in spans for piece in _pieces(*span)]  # nobody looks in between
    vectors = tasks[0].vectors
    if not vectors or not spans:
        return [0.0] * len(tasks)
    threads = max(1, min(threads, vectors))
    layouts = [task.layout() for task in tasks]
    table = _table(tasks, layouts)
    ahead = np.asarray(spans, np.int64)
    sizes = np.asarray([len(spans), len(tasks), vectors, -(-len(spans) // ROUNDS)], np.int64)
    progress = np.zeros(1 + vectors, np.int64)  # turns taken, and rounds that each vector has done
    nanoseconds = np.zeros((threads, len(tasks)), np.int64)
    function = _function()

    def work(thread: int) -> None:
        scratch = arrays.aligned((max(task.scratch for task in tasks), width))
        pointers = np.zeros(max(map(len, layouts)), np.int64)
        arguments = (ahead, table, sizes, progress, pointers, scratch, nanoseconds[thread])
        function(*(array.ctypes.data for array in arguments))

    if threads == 1:
        work(0)
    else:
        list(_pool(threads).map(work, range(threads)))
    return (nanoseconds.sum(0) / 1e9).tolist()


def _table(tasks: Sequence[Task], layouts: Sequence[np.ndarray]) -> np.ndarray:
    """Tasks as the native function has them, a row each."""
    rows = [
        (task.function.address, layout.ctypes.data, len(layout), task.vectors)
        for task, layout in zip(tasks, layouts, strict=True)
    ]
    return np.asarray(rows, np.int64)


def _pieces(first: int, count: int) -> list[tuple[int, int]]:
    """So many updates in as many rounds as there may be."""
    edges = [first + count * i // ROUNDS for i in range(ROUNDS + 1)]
    return [(begin, end - begin) for begin, end in itertools.pairwise(edges) if begin < end]


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="simd")


@functools.cache
def _function() -> llvm.Function:
    return llvm.compile(str(_module()), NAME)


def _module() -> ir.Module:
    """The loops over rounds of vectors of runs, and over the spans of a round.

    void execute(i64* spans, i64* tasks, i64* sizes, i64* progress, i64* pointers, ptr scratch,
                 i64* nanoseconds)
    """
    module = ir.Module(NAME)
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [POINTER] * 7), NAME)
    w = Writer(module, function, width=1)
    _, _, sizes, progress, _, _, _ = function.args
    span_count, _, vectors, length = (w.entry_of(sizes, known(i)) for i in range(4))
    turn, waiting, ready, done = (
        function.append_basic_block(name) for name in ("turn", "waiting", "ready", "done")
    )
    w.b.branch(turn)
    w.b.position_at_end(turn)
    number = w.b.atomic_rmw("add", progress, known(1), "monotonic")
    round_, vector = w.b.sdiv(number, vectors), w.b.srem(number, vectors)
    begin = w.b.mul(round_, length)
    w.b.cbranch(w.b.icmp_signed("<", begin, span_count), waiting, done)
    w.b.position_at_end(waiting)  # for another thread that may still be at the round before
    passed = w.address(progress, w.b.add(vector, known(1)), INDEX)
    rounds_done = w.b.load_atomic(passed, "acquire", 8, typ=INDEX)
    w.b.cbranch(w.b.icmp_signed("<", rounds_done, round_), waiting, ready)
    w.b.position_at_end(ready)
    end = w.b.add(begin, length)
    end = w.b.select(w.b.icmp_signed("<", end, span_count), end, span_count)
    with w.loop(begin, end) as span:
        _span(w, span, vector)
    w.b.atomic_rmw("add", passed, known(1), "release")
    w.b.branch(turn)
    w.b.position_at_end(done)
    w.finish()
    return module


def _span(w: Writer, span: ir.Value, vector: ir.Value) -> None:
    """One span of a vector of runs: its updates, and what looks at it after them."""
    spans, tasks, sizes, _, pointers, scratch, nanoseconds = w.function.args
    at = w.b.mul(span, known(2))
    first, count = w.entry_of(spans, at), w.entry_of(spans, w.b.add(at, known(1)))
    with w.loop(known(0), w.entry_of(sizes, known(1))) as number:
        at = w.b.mul(number, known(len(TASK)))
        called, layout, array_count, limit = (
            w.entry_of(tasks, w.b.add(at, known(i))) for i in range(len(TASK))
        )
        with w.b.if_then(w.b.icmp_signed("<", vector, limit)):
            begun = _clock(w)
            with w.loop(known(0), array_count) as i:
                _point(w, layout, i, span, vector)
            updates = w.b.icmp_signed("==", number, known(0))
            w.b.call(
                w.b.inttoptr(called, codegen.FUNCTION.as_pointer()),
                [
                    pointers,
                    w.b.trunc(w.b.select(updates, first, w.b.add(first, count)), WORD),
                    w.b.select(updates, count, known(1)),
                    scratch,
                ],
            )
            total = w.address(nanoseconds, number, INDEX)
            taken = w.b.sub(_clock(w), begun)
            w.b.store(w.b.add(w.b.load(total, typ=INDEX), taken), total)


def _point(w: Writer, layout: ir.Value, i: ir.Value, span: ir.Value, vector: ir.Value) -> None:
    """Set the pointer to a task's array number i, of one span and vector of runs."""
    pointers = w.function.args[4]
    at = w.b.mul(i, known(3))
    rows = w.b.inttoptr(layout, POINTER)
    base, by_span, by_vector = (w.entry_of(rows, w.b.add(at, known(j))) for j in range(3))
    base = w.b.add(base, w.b.mul(span, by_span))
    base = w.b.add(base, w.b.mul(vector, by_vector))
    w.b.store(base, w.address(pointers, i, INDEX))


def _clock(w: Writer) -> ir.Value:
    """Nanoseconds of the C library's monotonic clock."""
    kind = ir.FunctionType(WORD, [WORD, POINTER])
    function = w.v.module.globals.get("clock_gettime") or ir.Function(
        w.v.module, kind, "clock_gettime"
    )
    time_spec = w.variable(ir.ArrayType(INDEX, 2))
    w.b.call(function, [WORD(time.CLOCK_MONOTONIC), time_spec])
    seconds, rest = (w.entry_of(time_spec, known(i)) for i in range(2))
    return w.b.add(w.b.mul(seconds, known(10**9)), rest)
