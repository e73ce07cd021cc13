"""A plan as LLVM code: a function that takes a block of runs through some steps.

Everything that the plan keeps lies in memory as vectors of lanes: element i of an array of n
elements is the i-th of n vectors, which hold that element of as many runs. So moving elements about
costs nothing but another address, and every loop below runs over elements of one run, never over
runs.

    void lanes(ptr* arrays, i32 first, i64 count, i64 begin, i64 end, ptr scratch)

takes blocks `begin` to `end` of runs through `count` steps, the first of which has number `first`.
Each of `arrays` holds all blocks of one input or output, `[blocks, elements, lanes]`.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.lanes import plan as planning
from gan1d.lanes import vector
from gan1d.lanes.graph import BOOL, F32, Affine, Node, View, layout
from gan1d.lanes.plan import Kernel, Plan
from gan1d.lanes.vector import INDEX, POINTER

PARTIAL_SUMS = 4  # of a reduction that are independent, so that they overlap in time
UNROLLED_SORT = 16  # rows up to this length are sorted in registers
NAME = "lanes"


class Access(NamedTuple):
    """Where the entries of an array over a kernel's axes lie."""

    node: Node
    where: Affine | np.ndarray  # strides, or a table of all

    def depth(self) -> int:
        """How many of the axes must be known."""
        if not isinstance(self.where, Affine):
            return self.where.ndim
        return max((a + 1 for a, stride in enumerate(self.where.strides) if stride), default=0)


class Array(NamedTuple):
    """One of the function's arrays."""

    input: Node | None  # that is read there
    output: int | None  # whose number this is, that is written there
    size: int


def module(plan: Plan, arrays: Sequence[Array], lanes: int) -> ir.Module:
    """LLVM code for a plan.

    Args:
      plan: what to compute.
      arrays: what the function's arrays are, in order.
      lanes: runs in a block.
    """
    result = ir.Module(NAME)
    kind = ir.FunctionType(
        ir.VoidType(), [POINTER, ir.IntType(32), INDEX, INDEX, INDEX, POINTER]
    )
    function = ir.Function(result, kind, NAME)
    function.attributes.add("nounwind")
    _Emitter(result, function, lanes).function(plan, arrays)
    return result


class _Emitter:
    def __init__(self, module: ir.Module, function: ir.Function, lanes: int) -> None:
        self.m = vector.Machine(module, lanes)
        self.lanes = lanes
        self.llvm = function
        self.entry = ir.IRBuilder(function.append_basic_block("entry"))
        self.m.builder = ir.IRBuilder(function.append_basic_block("start"))
        self.place: dict[Node, Any] = {}  # where a node's memory begins
        self.step: Any = None
        self._tables: dict[bytes, ir.GlobalVariable] = {}

    @property
    def b(self) -> ir.IRBuilder:
        return self.m.builder

    def function(self, plan: Plan, arrays: Sequence[Array]) -> None:
        pointers, first, count, begin, end, scratch = self.llvm.args
        start = self.b.block
        bases = [
            self.b.load(self._at(pointers, _known(i), POINTER), typ=POINTER)
            for i in range(len(arrays))
        ]
        outputs: dict[int, Any] = {}
        self._scratch(plan, scratch)
        with self._loop(begin, end) as block:
            for base, array in zip(bases, arrays, strict=True):
                place = self._at(base, self.b.mul(block, _known(array.size)), self.m.float)
                if array.input is not None:
                    self.place[array.input] = place
                if array.output is not None:
                    outputs[array.output] = place
            for node, number in plan.direct.items():
                self.place[node] = outputs[number]
            self._kernels(plan, plan.once)
            with self._loop(_known(0), count) as i:
                self.step = self.b.add(first, self.b.trunc(i, ir.IntType(32)))
                self._kernels(plan, plan.every)
                for node, number in plan.copied:
                    self._copy(self.place[node], outputs[number], node.size)
        self.b.ret_void()
        self.entry.branch(start)

    def _scratch(self, plan: Plan, scratch: Any) -> None:
        for node, offset in plan.offsets.items():
            self.place[node] = self._at(scratch, _known(offset), self.m.float)
        for body in plan.bodies.values():
            self._scratch(body, scratch)

    def _kernels(self, plan: Plan, kernels: Sequence[Kernel]) -> None:
        for kernel in kernels:
            if kernel.alone is None:
                self._nest(kernel)
            elif kernel.alone.op == "loop":
                self._repeat(kernel.alone, plan.bodies[kernel.alone])
            else:
                {"dot": self._dot, "cumsum": self._cumsum, "sort": self._sort}[kernel.alone.op](
                    kernel.alone
                )

    # Memory

    def _at(self, base: Any, index: Any, kind: ir.Type) -> Any:
        return self.b.gep(base, [index], inbounds=True, source_etype=kind)

    def _table(self, values: np.ndarray) -> ir.GlobalVariable:
        """A known array, one scalar an entry."""
        values = np.ascontiguousarray(values)
        key = str(values.dtype).encode() + values.tobytes()
        if key not in self._tables:
            scalar = ir.FloatType() if values.dtype == F32 else ir.IntType(32)
            kind = ir.ArrayType(scalar, values.size)
            plain = values.ravel().tolist()
            table = ir.GlobalVariable(self.m.module, kind, f"table.{len(self._tables)}")
            table.linkage, table.global_constant = "internal", True
            table.initializer = ir.Constant(kind, [ir.Constant(scalar, v) for v in plain])
            self._tables[key] = table
        return self._tables[key]

    def _element(self, where: Affine | np.ndarray, indices: Sequence[Any]) -> Any:
        """The number of the element at these indices."""
        if not isinstance(where, Affine):
            flat = self._element(Affine(0, _row_major(where.shape)), indices)
            table = self._table(where.astype(np.int32))
            loaded = self.b.load(self._at(table, flat, ir.IntType(32)), typ=ir.IntType(32))
            return self.b.sext(loaded, INDEX)
        total: Any = _known(where.offset)
        for stride, index in zip(where.strides, indices, strict=False):
            if stride:
                step = index if stride == 1 else self.b.mul(index, _known(stride))
                total = step if _is_known(total, 0) else self.b.add(total, step)
        return total

    def _load(self, access: Access, indices: Sequence[Any]) -> Any:
        node, where = access
        if node.op == "const":
            return self._constant(node, where, indices)
        if "step" in node.params:
            return self.m.splat(self.step)
        at = self._at(self.place[node], self._element(where, indices), self.m.float)
        if node.dtype == F32:
            return self.b.load(at, typ=self.m.float, align=self._alignment())
        value = self.b.load(at, typ=self.m.int, align=self._alignment())
        if node.dtype == BOOL:
            return self.b.icmp_unsigned("!=", value, self.m.i(0))
        return value

    def _constant(self, node: Node, where: Affine | np.ndarray, indices: Sequence[Any]) -> Any:
        values = node.params["value"]
        used = where if isinstance(where, np.ndarray) else None
        if values.size == 1 or (values == values[0]).all():
            return self.m.number(values[0], node.dtype)
        if used is None and not any(where.strides):
            return self.m.number(values[where.offset], node.dtype)
        scalar = ir.FloatType() if node.dtype == F32 else ir.IntType(32)
        table = self._table(values if node.dtype != BOOL else values.astype(np.int32))
        at = self._at(table, self._element(where, indices), scalar)
        value = self.m.splat(self.b.load(at, typ=scalar))
        return self.b.icmp_unsigned("!=", value, self.m.i(0)) if node.dtype == BOOL else value

    def _store(self, value: Any, access: Access, indices: Sequence[Any]) -> None:
        if access.node.dtype == BOOL:
            value = self.b.zext(value, self.m.int)
        at = self._at(self.place[access.node], self._element(access.where, indices), self.m.float)
        self.b.store(value, at, align=self._alignment())

    def _alignment(self) -> int:
        return 4 * self.lanes

    def _copy(self, source: Any, target: Any, size: int) -> None:
        with self._loop(_known(0), _known(size)) as i:
            value = self.b.load(
                self._at(source, i, self.m.float), typ=self.m.float, align=self._alignment()
            )
            self.b.store(value, self._at(target, i, self.m.float), align=self._alignment())

    # Loops

    @contextlib.contextmanager
    def _loop(self, begin: Any, end: Any, step: int = 1) -> Iterator[Any]:
        """A loop over begin, begin + step, ... below end; none where that is one iteration."""
        if _both_known(begin, end) and end.constant - begin.constant <= step:
            if end.constant > begin.constant:
                yield begin
                return
        head = self.llvm.append_basic_block("loop")
        body = self.llvm.append_basic_block("body")
        done = self.llvm.append_basic_block("done")
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(INDEX)
        index.add_incoming(begin, before)
        self.b.cbranch(self.b.icmp_signed("<", index, end), body, done)
        self.b.position_at_end(body)
        yield index
        index.add_incoming(self.b.add(index, _known(step)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(done)

    def _variable(self, kind: ir.Type) -> Any:
        """A register that is assigned more than once."""
        return self.entry.alloca(kind)

    # Kernels

    def _nest(self, kernel: Kernel) -> None:
        """Loops over what a kernel leaves; inside them loops over what it reduces."""
        axes = kernel.axes or ()
        outer = [a for a in range(len(kernel.shape)) if a not in axes]
        order = [*outer, *axes]

        def ordered(view_or_place: np.ndarray) -> Affine | np.ndarray:
            index = view_or_place.transpose(order)
            return layout(index) or np.ascontiguousarray(index)

        inner = _Part(self, kernel, kernel.body, kernel.totals, ordered)
        stored = [
            node for node in kernel.body if self._is_kept(node) and node not in kernel.again
        ]
        inner.stores = [Access(*_target(node, ordered)) for node in stored]
        lengths = [kernel.shape[a] for a in order]
        if not axes:
            inner.collapse(lengths)
            self._loops(inner, inner.lengths, 0, [], {}, lambda at, known: inner.body(at, known, stored))
            return

        def direct(index: np.ndarray) -> Affine | np.ndarray:
            return layout(index) or np.ascontiguousarray(index)

        after = _Part(self, kernel, kernel.after, [], direct)
        left = [node for node in (*kernel.totals, *kernel.after) if self._is_kept(node)]
        after.stores = [Access(*_target(node, direct)) for node in left]
        copies = PARTIAL_SUMS if lengths[-1] >= 2 * PARTIAL_SUMS else 1
        sums = [
            [self._variable(self.m.type(node.dtype)) for _ in range(copies)]
            for node in kernel.totals
        ]
        inner.lengths = lengths

        def reduce(at: list[Any], known: dict[Any, Any]) -> None:
            for node, parts in zip(kernel.totals, sums, strict=True):
                for part in parts:
                    self.b.store(self.m.number(*_neutral(node)), part)

            def accumulate(at: list[Any], known: dict[Any, Any], copy: int) -> None:
                values = inner.body(at, known, stored)
                for node, parts in zip(kernel.totals, sums, strict=True):
                    kind = self.m.type(node.dtype)
                    total = self.b.load(parts[copy], typ=kind)
                    value = values[node.operands[0].node] if not planning.reads_memory(
                        kernel, node, node.operands[0]
                    ) else inner.read(node.operands[0], at, known)
                    self.b.store(self._combined(node.op, node.dtype, total, value), parts[copy])

            def last(at: list[Any], known: dict[Any, Any]) -> None:
                length = lengths[-1]
                whole = length - length % copies
                with self._loop(_known(0), _known(whole), copies) as i:
                    for copy in range(copies):
                        accumulate([*at, self.b.add(i, _known(copy))], dict(known), copy)
                for rest in range(whole, length):
                    accumulate([*at, _known(rest)], dict(known), rest - whole)

            self._loops(inner, lengths, len(outer), at, known, last, stop=len(lengths) - 1)
            values: dict[Node, Any] = {}
            for node, parts in zip(kernel.totals, sums, strict=True):
                kind = self.m.type(node.dtype)
                loaded = [self.b.load(part, typ=kind) for part in parts]
                while len(loaded) > 1:
                    loaded = [
                        self._combined(node.op, node.dtype, x, y)
                        for x, y in zip(loaded[::2], loaded[1::2], strict=True)
                    ]
                values[node] = loaded[0]
            after.body(at, {}, left, values)

        self._loops(inner, lengths, 0, [], {}, reduce, stop=len(outer))

    def _loops(
        self,
        part: "_Part",
        lengths: Sequence[int],
        depth: int,
        at: list[Any],
        known: dict[Any, Any],
        innermost: Callable[[list[Any], dict[Any, Any]], None],
        stop: int | None = None,
    ) -> None:
        """Loops from `depth` to `stop`; what needs no deeper index is loaded outside of them."""
        known = part.loaded(at, known, depth)
        if depth == (len(lengths) if stop is None else stop):
            innermost(at, known)
            return
        with self._loop(_known(0), _known(lengths[depth])) as i:
            self._loops(part, lengths, depth + 1, [*at, i], known, innermost, stop)

    def _combined(self, op: str, kind: np.dtype, a: Any, b: Any) -> Any:
        name = {
            "reduce_sum": "add",
            "reduce_prod": "mul",
            "reduce_max": "max",
            "reduce_min": "min",
            "reduce_and": "and",
            "reduce_or": "or",
        }[op]
        return vector.emit(self.m, name, kind, [kind, kind], [a, b])

    def _is_kept(self, node: Node) -> bool:
        return node in self.place or node.op == "piece"

    def _dot(self, node: Node) -> None:
        """A product [batch, M, K] x [batch, N, K] in tiles that are added up in registers."""
        left, right = node.operands
        batch, rows, length = left.shape
        columns = right.shape[1]
        a, b = (Access(v.node, layout(v.index) or v.index) for v in node.operands)
        result = Access(node, Affine(0, (rows * columns, columns, 1)))
        height, width = _tile(rows, columns)

        def tile(of: Any, row: Any, column: Any, height: int, width: int) -> None:
            sums = [[self._variable(self.m.float) for _ in range(width)] for _ in range(height)]
            for line in sums:
                for total in line:
                    self.b.store(self.m.f(0), total)
            with self._loop(_known(0), _known(length)) as k:
                ys = [
                    self._load(b, [of, self.b.add(column, _known(j)), k]) for j in range(width)
                ]
                for i in range(height):
                    x = self._load(a, [of, self.b.add(row, _known(i)), k])
                    for j in range(width):
                        total = self.b.load(sums[i][j], typ=self.m.float)
                        self.b.store(self.m.fma(x, ys[j], total), sums[i][j])
            for i in range(height):
                for j in range(width):
                    place = [of, self.b.add(row, _known(i)), self.b.add(column, _known(j))]
                    self._store(self.b.load(sums[i][j], typ=self.m.float), result, place)

        with self._loop(_known(0), _known(batch)) as of:
            for row, row_end, tall in _tiles(rows, height):
                for column, column_end, wide in _tiles(columns, width):
                    with (
                        self._loop(_known(row), _known(row_end), tall) as i,
                        self._loop(_known(column), _known(column_end), wide) as j,
                    ):
                        tile(of, i, j, tall, wide)

    def _cumsum(self, node: Node) -> None:
        rows, length = node.shape
        (view,) = node.operands
        source = Access(view.node, layout(view.index) or view.index)
        target = Access(node, Affine(0, (length, 1)))
        kind = self.m.type(node.dtype)
        total = self._variable(kind)
        with self._loop(_known(0), _known(rows)) as row:
            self.b.store(self.m.number(0, node.dtype), total)
            with self._loop(_known(0), _known(length)) as i:
                place = self.b.sub(_known(length - 1), i) if node.params["reverse"] else i
                value = self._load(source, [row, place])
                before = self.b.load(total, typ=kind)
                value = self._combined("reduce_sum", node.dtype, before, value)
                self.b.store(value, total)
                self._store(value, target, [row, place])

    def _sort(self, node: Node) -> None:
        """Batcher's merge exchange: each pair of places in a fixed list is put in order."""
        rows, length = node.shape
        (view,) = node.operands
        source = Access(view.node, layout(view.index) or view.index)
        target = Access(node, Affine(0, (length, 1)))
        pairs = exchanges(length)
        with self._loop(_known(0), _known(rows)) as row:
            if length <= UNROLLED_SORT:
                values = [self._load(source, [row, _known(i)]) for i in range(length)]
                for low, high in pairs:
                    values[low], values[high] = self._in_order(values[low], values[high])
                for i, value in enumerate(values):
                    self._store(value, target, [row, _known(i)])
                return
            with self._loop(_known(0), _known(length)) as i:
                self._store(self._load(source, [row, i]), target, [row, i])
            table = self._table(np.asarray(pairs, np.int32))
            number = ir.IntType(32)
            with self._loop(_known(0), _known(2 * len(pairs)), 2) as i:
                low, high = (
                    self.b.sext(
                        self.b.load(self._at(table, self.b.add(i, _known(n)), number), typ=number),
                        INDEX,
                    )
                    for n in (0, 1)
                )
                pair = self._in_order(
                    self._load(target, [row, low]), self._load(target, [row, high])
                )
                self._store(pair[0], target, [row, low])
                self._store(pair[1], target, [row, high])

    def _in_order(self, a: Any, b: Any) -> tuple[Any, Any]:
        """The smaller, then the larger; NaN counts as larger than anything."""
        wrong = self.b.or_(self.m.compare(">", a, b), self.m.is_nan(a))
        return self.m.where(wrong, b, a), self.m.where(wrong, a, b)

    def _repeat(self, node: Node, body: Plan) -> None:
        """A loop: its carries stay in the results' memory from one iteration to the next."""
        inner, results = node.params["body"], node.params["results"]
        inputs = [n for n in inner.nodes if n.op == "input"]
        carried, scanned = node.params["carried"], node.params["scanned"]
        stays = len(inputs) - carried - scanned
        given = [view.node for view in node.operands]
        for i, result in enumerate(results[:carried]):
            self._copy(self.place[given[stays + i]], self.place[result], result.size)
        for n, source in zip(inputs[:stays], given[:stays], strict=True):
            self.place[n] = self.place[source]
        for n, result in zip(inputs[stays : stays + carried], results[:carried], strict=True):
            self.place[n] = self.place[result]
        self._kernels(body, body.once)
        with self._loop(_known(0), _known(node.params["length"])) as i:
            for n, source in zip(inputs[stays + carried :], given[stays + carried :], strict=True):
                at = self.b.mul(i, _known(n.size))
                self.place[n] = self._at(self.place[source], at, self.m.float)
            self._kernels(body, body.every)
            outputs = [view.node for view in inner.outputs]
            for n, result in zip(outputs[:carried], results[:carried], strict=True):
                self._copy(self.place[n], self.place[result], result.size)
            for n, result in zip(outputs[carried:], results[carried:], strict=True):
                at = self.b.mul(i, _known(n.size))
                self._copy(self.place[n], self._at(self.place[result], at, self.m.float), n.size)


class _Part:
    """What a kernel computes at one depth of its loops."""

    def __init__(
        self,
        emitter: _Emitter,
        kernel: Kernel,
        nodes: Sequence[Node],
        totals: Sequence[Node],
        arranged: Callable[[np.ndarray], Affine | np.ndarray],
    ) -> None:
        self.emitter = emitter
        self.nodes = nodes
        self.access: dict[View, Access] = {}
        known: dict[Any, Access] = {}
        for node in (*nodes, *totals):
            for view in node.operands:
                if not planning.reads_memory(kernel, node, view):
                    continue
                where = arranged(view.index)
                key = (view.node, where if isinstance(where, Affine) else where.tobytes())
                self.access[view] = known.setdefault(key, Access(view.node, where))
        self.stores: list[Access] = []
        self.lengths: list[int] = []

    def collapse(self, lengths: Sequence[int]) -> None:
        """Join neighbouring axes where every array goes through them as through one."""
        wheres = [a.where for a in (*self.access.values(), *self.stores)]
        if not all(isinstance(where, Affine) for where in wheres):
            self.lengths = list(lengths)
            return
        groups: list[list[int]] = []
        for axis in range(len(lengths)):
            if groups and all(
                w.strides[axis - 1] == w.strides[axis] * lengths[axis] for w in wheres
            ):
                groups[-1].append(axis)
            else:
                groups.append([axis])
        self.lengths = [math.prod(lengths[a] for a in group) for group in groups]

        def joined(access: Access) -> Access:
            offset, strides = access.where
            return Access(access.node, Affine(offset, tuple(strides[g[-1]] for g in groups)))

        shared: dict[int, Access] = {}
        for view, access in self.access.items():
            self.access[view] = shared.setdefault(id(access), joined(access))
        self.stores = [joined(access) for access in self.stores]

    def loaded(self, at: list[Any], known: dict[Any, Any], depth: int) -> dict[Any, Any]:
        """What is known with loads added that need this many indices and no more."""
        known = dict(known)
        for access in {id(a): a for a in self.access.values()}.values():
            if access.depth() <= depth and id(access) not in known:
                known[id(access)] = self.emitter._load(access, at)
        return known

    def read(self, view: View, at: list[Any], known: dict[Any, Any]) -> Any:
        access = self.access[view]
        if id(access) not in known:
            known[id(access)] = self.emitter._load(access, at)
        return known[id(access)]

    def body(
        self,
        at: list[Any],
        known: dict[Any, Any],
        stored: Sequence[Node],
        values: dict[Node, Any] | None = None,
    ) -> dict[Node, Any]:
        """Compute all nodes for one entry, then store those that are kept."""
        values = {} if values is None else values
        m = self.emitter.m
        for node in self.nodes:
            operands = [
                values[view.node]
                if view not in self.access
                else self.read(view, at, known)
                for view in node.operands
            ]
            kinds = [view.dtype for view in node.operands]
            values[node] = vector.emit(m, node.op, node.dtype, kinds, operands)
        for node, access in zip(stored, self.stores, strict=True):
            self.emitter._store(values[node], access, at)
        return values


def exchanges(length: int) -> list[tuple[int, int]]:
    """Pairs of places that, put in order one after the other, sort any row.

    Batcher's merge exchange: Knuth, The Art of Computer Programming, volume 3, algorithm 5.2.2M.
    """
    pairs = []
    top = 1 << max(0, (length - 1).bit_length() - 1)
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(length - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return pairs


def _target(node: Node, arranged: Callable[[np.ndarray], Any]) -> tuple[Node, Any]:
    """Where a node's values are stored."""
    if node.op == "piece":
        return node.params["whole"], arranged(node.params["place"])
    return node, arranged(np.arange(node.size).reshape(node.shape))


def _neutral(node: Node) -> tuple[Any, np.dtype]:
    value = {
        "reduce_sum": 0,
        "reduce_prod": 1,
        "reduce_max": -np.inf if node.dtype == F32 else np.iinfo(np.int32).min,
        "reduce_min": np.inf if node.dtype == F32 else np.iinfo(np.int32).max,
        "reduce_and": 1 if node.dtype == BOOL else -1,
        "reduce_or": 0,
    }[node.op]
    return value, node.dtype


def _tile(rows: int, columns: int) -> tuple[int, int]:
    """How much of a product is added up in registers: what leaves least at the edges."""
    height = min(rows, 5, key=lambda n: n) if rows < 5 else _even(rows)
    width = columns if columns < 5 else _even(columns)
    if width == 1:
        height = min(rows, 8)
    if height == 1:
        width = min(columns, 8)
    return height, width


def _even(length: int) -> int:
    """4 or 5, whichever leaves less over."""
    return min((5, 4), key=lambda n: length % n)


def _tiles(length: int, size: int) -> list[tuple[int, int, int]]:
    """(begin, end, size) of tiles that cover a length: full ones, then what is left."""
    whole = length - length % size
    tiles = [(0, whole, size)] if whole else []
    if whole < length:
        tiles.append((whole, length, length - whole))
    return tiles


def _row_major(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))


def _known(value: int) -> ir.Constant:
    return ir.Constant(INDEX, value)


def _is_known(value: Any, number: int) -> bool:
    return isinstance(value, ir.Constant) and value.constant == number


def _both_known(a: Any, b: Any) -> bool:
    return isinstance(a, ir.Constant) and isinstance(b, ir.Constant)
