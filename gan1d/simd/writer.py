"""What every kernel is written with: memory, known arrays and loops."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir

from gan1d.simd import vector
from gan1d.simd.graph import BOOL, F32, Affine, Node, View, layout
from gan1d.simd.vector import INDEX


class Access(NamedTuple):
    """Where the entries of an array over a kernel's axes lie."""

    node: Node
    where: Affine | np.ndarray  # strides, or a table of all

    def depth(self) -> int:
        """How many of the axes must be known."""
        if not isinstance(self.where, Affine):
            return self.where.ndim
        return max((a + 1 for a, stride in enumerate(self.where.strides) if stride), default=0)


class Writer:
    """Writes one function; `m` has the operations, `place` says where a node's memory begins."""

    def __init__(self, module: ir.Module, function: ir.Function, lanes: int) -> None:
        """Begin with a function that has no code yet."""
        self.m = vector.Machine(module, lanes)
        self.lanes = lanes
        self.function = function
        self.entry = ir.IRBuilder(function.append_basic_block("entry"))
        self.m.builder = ir.IRBuilder(function.append_basic_block("start"))
        self.place: dict[Node, Any] = {}
        self.step: Any = None  # the number of the step
        self._tables: dict[bytes, ir.GlobalVariable] = {}

    @property
    def b(self) -> ir.IRBuilder:
        """The builder at the place where code is written now."""
        return self.m.builder

    def finish(self) -> None:
        """End the function."""
        self.b.ret_void()
        self.entry.branch(self.function.basic_blocks[1])

    def is_kept(self, node: Node) -> bool:
        """Whether the node's values have a place in memory."""
        return node in self.place or node.op == "piece"

    def at(self, base: Any, index: Any, kind: ir.Type) -> Any:
        """The address of an array's entry."""
        return self.b.gep(base, [index], inbounds=True, source_etype=kind)

    def table(self, values: np.ndarray) -> ir.GlobalVariable:
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

    def element(self, where: Affine | np.ndarray, indices: Sequence[Any]) -> Any:
        """The number of the element at these indices."""
        if not isinstance(where, Affine):
            flat = self.element(Affine(0, _row_major(where.shape)), indices)
            table = self.table(where.astype(np.int32))
            loaded = self.b.load(self.at(table, flat, ir.IntType(32)), typ=ir.IntType(32))
            return self.b.sext(loaded, INDEX)
        total: Any = known(where.offset)
        for stride, index in zip(where.strides, indices, strict=False):
            if stride:
                step = index if stride == 1 else self.b.mul(index, known(stride))
                total = step if _is_known(total, 0) else self.b.add(total, step)
        return total

    def load(self, access: Access, indices: Sequence[Any]) -> Any:
        """The entry at these indices, as a vector of all lanes."""
        node, where = access
        if node.op == "const":
            return self._constant(node, where, indices)
        if "step" in node.params:
            return self.m.splat(self.step)
        at = self.at(self.place[node], self.element(where, indices), self.m.float)
        if node.dtype == F32:
            return self.b.load(at, typ=self.m.float, align=self._alignment())
        value = self.b.load(at, typ=self.m.int, align=self._alignment())
        if node.dtype == BOOL:
            return self.b.icmp_unsigned("!=", value, self.m.i(0))
        return value

    def _constant(self, node: Node, where: Affine | np.ndarray, indices: Sequence[Any]) -> Any:
        values = node.params["value"]
        if (values == values[0]).all():
            return self.m.number(values[0], node.dtype)
        if isinstance(where, Affine) and not any(where.strides):
            return self.m.number(values[where.offset], node.dtype)
        scalar = ir.FloatType() if node.dtype == F32 else ir.IntType(32)
        table = self.table(values if node.dtype != BOOL else values.astype(np.int32))
        at = self.at(table, self.element(where, indices), scalar)
        value = self.m.splat(self.b.load(at, typ=scalar))
        return self.b.icmp_unsigned("!=", value, self.m.i(0)) if node.dtype == BOOL else value

    def store(self, value: Any, access: Access, indices: Sequence[Any]) -> None:
        """Store a vector as the entry at these indices."""
        if access.node.dtype == BOOL:
            value = self.b.zext(value, self.m.int)
        at = self.at(self.place[access.node], self.element(access.where, indices), self.m.float)
        self.b.store(value, at, align=self._alignment())

    def _alignment(self) -> int:
        return 4 * self.lanes

    def copy(self, source: Any, target: Any, size: int) -> None:
        """Copy whole arrays of `size` elements."""
        with self.loop(known(0), known(size)) as i:
            value = self.b.load(
                self.at(source, i, self.m.float), typ=self.m.float, align=self._alignment()
            )
            self.b.store(value, self.at(target, i, self.m.float), align=self._alignment())

    @contextlib.contextmanager
    def loop(self, begin: Any, end: Any, step: int = 1) -> Iterator[Any]:
        """A loop over begin, begin + step, ... below end; none where that is one iteration."""
        if _both_known(begin, end) and end.constant - begin.constant <= step:
            if end.constant > begin.constant:
                yield begin
                return
        head = self.function.append_basic_block("loop")
        body = self.function.append_basic_block("body")
        done = self.function.append_basic_block("done")
        before = self.b.block
        self.b.branch(head)
        self.b.position_at_end(head)
        index = self.b.phi(INDEX)
        index.add_incoming(begin, before)
        self.b.cbranch(self.b.icmp_signed("<", index, end), body, done)
        self.b.position_at_end(body)
        yield index
        index.add_incoming(self.b.add(index, known(step)), self.b.block)
        self.b.branch(head)
        self.b.position_at_end(done)

    def variable(self, kind: ir.Type) -> Any:
        """A register that is assigned more than once."""
        return self.entry.alloca(kind)


def arranged(view: View) -> Access:
    """A view's entries by the view's own axes."""
    return Access(view.node, strided(view.index))


def strided(index: np.ndarray) -> Affine | np.ndarray:
    """An index array as strides where it has any."""
    return layout(index) or np.ascontiguousarray(index)


def _row_major(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))


def known(value: int) -> ir.Constant:
    """An index that is known."""
    return ir.Constant(INDEX, value)


def _is_known(value: Any, number: int) -> bool:
    return isinstance(value, ir.Constant) and value.constant == number


def _both_known(a: Any, b: Any) -> bool:
    return isinstance(a, ir.Constant) and isinstance(b, ir.Constant)
