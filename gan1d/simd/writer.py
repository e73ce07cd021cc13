"""What every kernel is written with: memory, tables and loops."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from llvmlite import ir

from gan1d.simd.nodes import BOOL, F32, Affine, Constant, Input, Node, View, affine
from gan1d.simd.vector import INDEX, VectorBuilder

WORD = ir.IntType(32)
TABLE_ALIGNMENT = 16  # bytes
Index = Affine | np.ndarray  # of the elements over a kernel's axes: strides, or a table of all


@dataclass(frozen=True, slots=True)
class Access:
    """Which elements of a node are read, or written, over a kernel's axes."""

    node: Node
    index: Index

    def depth(self) -> int:
        """How many of the axes must be known."""
        if not isinstance(self.index, Affine):
            return self.index.ndim
        return max((a + 1 for a, stride in enumerate(self.index.strides) if stride), default=0)


class Writer:
    """Writes one function; `v` has the operations, `memory` says where a node's begins."""

    def __init__(self, module: ir.Module, function: ir.Function, width: int) -> None:
        """Begin with a function that has no code yet."""
        self.v = VectorBuilder(module, width)
        self.memory: dict[Node, ir.Value] = {}
        self.step: ir.Value = ir.Constant(WORD, 0)  # its number
        self._tables: dict[bytes, ir.GlobalVariable] = {}
        self._begin(function)

    def _begin(self, function: ir.Function) -> None:
        self.function = function
        self.entry = ir.IRBuilder(function.append_basic_block("entry"))
        self.v.builder = ir.IRBuilder(function.append_basic_block("start"))

    @property
    def b(self) -> ir.IRBuilder:
        """The builder that stands where code is written now."""
        return self.v.builder

    @property
    def width(self) -> int:
        """How many runs a vector holds."""
        return self.v.width

    def finish(self) -> None:
        """End the function."""
        self.b.ret_void()
        self.entry.branch(self.function.basic_blocks[1])

    @contextlib.contextmanager
    def within(
        self, function: ir.Function, memory: dict[Node, ir.Value], step: ir.Value
    ) -> Iterator[None]:
        """Write another function for a while, to whom arrays and the step are something else."""
        outside = self.function, self.entry, self.v.builder, self.memory, self.step
        self.memory, self.step = memory, step
        self._begin(function)
        yield
        self.finish()
        self.function, self.entry, self.v.builder, self.memory, self.step = outside

    def has_memory(self, node: Node) -> bool:
        """Whether the node's values are stored."""
        return node in self.memory or node.op == "piece"

    def address(self, base: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
        """The address of an array's entry."""
        return self.b.gep(base, [index], inbounds=True, source_etype=kind)

    def entry_of(self, array: ir.Value, index: ir.Value, kind: ir.Type = INDEX) -> ir.Value:
        """An entry of an array of scalars."""
        return self.b.load(self.address(array, index, kind), typ=kind)

    def table(self, values: np.ndarray) -> ir.GlobalVariable:
        """A known array, one scalar an entry."""
        values = np.ascontiguousarray(values)
        key = str(values.dtype).encode() + values.tobytes()
        if key not in self._tables:
            # As bytes: a table may have a million entries, and each would be a line of text.
            kind = ir.ArrayType(ir.IntType(8), values.nbytes)
            table = ir.GlobalVariable(self.v.module, kind, f"table.{len(self._tables)}")
            table.linkage, table.global_constant = "internal", True
            table.align = TABLE_ALIGNMENT
            table.initializer = ir.Constant(kind, bytearray(values.tobytes()))
            self._tables[key] = table
        return self._tables[key]

    def element(self, index: Index, axes: Sequence[ir.Value]) -> ir.Value:
        """The number of the element where a kernel's loops are at these indices."""
        if not isinstance(index, Affine):
            flat = self.element(Affine(0, _row_major(index.shape)), axes)
            loaded = self.entry_of(self.table(index.astype(np.int32)), flat, WORD)
            return self.b.sext(loaded, INDEX)
        total = known(index.offset)
        for stride, at in zip(index.strides, axes, strict=False):
            if stride:
                step = at if stride == 1 else self.b.mul(at, known(stride))
                total = step if _is_known(total, 0) else self.b.add(total, step)
        return total

    def load(self, access: Access, axes: Sequence[ir.Value]) -> ir.Value:
        """The entry at these indices, as a vector over runs."""
        node, index = access.node, access.index
        if isinstance(node, Constant):
            return self._constant(node, index, axes)
        if isinstance(node, Input) and node.is_step:
            return self.v.splat(self.step)
        element = self.element(index, axes)
        if isinstance(node, Input) and node.is_shared:
            return self.v.splat(self.entry_of(self.memory[node], element, _scalar(node.dtype)))
        address = self.address(self.memory[node], element, self.v.float)
        if node.dtype == F32:
            return self._load_vector(address, self.v.float)
        value = self._load_vector(address, self.v.int)
        return self._as_flag(value) if node.dtype == BOOL else value

    def _load_vector(self, address: ir.Value, kind: ir.Type) -> ir.Value:
        return self.b.load(address, typ=kind, align=4 * self.width)

    def _as_flag(self, value: ir.Value) -> ir.Value:
        return self.b.icmp_unsigned("!=", value, self.v.i(0))

    def _constant(self, node: Constant, index: Index, axes: Sequence[ir.Value]) -> ir.Value:
        values = node.elements
        if (values == values[0]).all():
            return self.v.number(values[0], node.dtype)
        if isinstance(index, Affine) and not any(index.strides):
            return self.v.number(values[index.offset], node.dtype)
        table = self.table(values if node.dtype != BOOL else values.astype(np.int32))
        value = self.v.splat(self.entry_of(table, self.element(index, axes), _scalar(node.dtype)))
        return self._as_flag(value) if node.dtype == BOOL else value

    def store(self, value: ir.Value, access: Access, axes: Sequence[ir.Value]) -> None:
        """Store a vector as the entry at these indices."""
        if access.node.dtype == BOOL:
            value = self.b.zext(value, self.v.int)
        element = self.element(access.index, axes)
        address = self.address(self.memory[access.node], element, self.v.float)
        self.b.store(value, address, align=4 * self.width)

    def copy(self, source: ir.Value, target: ir.Value, size: int) -> None:
        """Copy whole arrays of `size` elements."""
        with self.loop(known(0), known(size)) as i:
            value = self._load_vector(self.address(source, i, self.v.float), self.v.float)
            self.b.store(value, self.address(target, i, self.v.float), align=4 * self.width)

    @contextlib.contextmanager
    def loop(self, begin: ir.Value, end: ir.Value, step: int = 1) -> Iterator[ir.Value]:
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

    def variable(self, kind: ir.Type) -> ir.Value:
        """A register that is assigned more than once."""
        return self.entry.alloca(kind)


def access(view: View) -> Access:
    """A view's entries by the view's own axes."""
    return Access(view.node, as_index(view.index))


def as_index(index: np.ndarray) -> Index:
    """An index array as strides where it has any."""
    return affine(index) or np.ascontiguousarray(index)


def known(value: int) -> ir.Constant:
    """An index that is known."""
    return ir.Constant(INDEX, value)


def _scalar(dtype: np.dtype) -> ir.Type:
    """How one entry of a table is stored."""
    return ir.FloatType() if dtype == F32 else WORD


def _row_major(shape: Sequence[int]) -> tuple[int, ...]:
    return tuple(math.prod(shape[a + 1 :]) for a in range(len(shape)))


def _is_known(value: ir.Value, number: int) -> bool:
    return isinstance(value, ir.Constant) and value.constant == number


def _both_known(a: ir.Value, b: ir.Value) -> bool:
    return isinstance(a, ir.Constant) and isinstance(b, ir.Constant)
