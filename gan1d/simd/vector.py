"""Vectors that hold a number of as many runs as are wide, and what LLVM has instructions for."""

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
from llvmlite import ir

from gan1d.simd.nodes import BOOL, F32, I32, U32

INDEX = ir.IntType(64)
POINTER = ir.PointerType()
_SHORT = {"float": "f32", "double": "f64", "i32": "i32"}
CONTRACT = ("contract",)  # a product and a sum may become one operation; nothing else may change


class VectorBuilder:
    """Emits operations on vectors of `width` entries where its IRBuilder stands."""

    def __init__(self, module: ir.Module, width: int) -> None:
        """Begin nowhere: `builder` is to be set."""
        self.module = module
        self.width = width
        self.builder: ir.IRBuilder = None
        self.float = ir.VectorType(ir.FloatType(), width)
        self.int = ir.VectorType(ir.IntType(32), width)
        self.bool = ir.VectorType(ir.IntType(1), width)
        self.double = ir.VectorType(ir.DoubleType(), width)
        self.long = ir.VectorType(ir.IntType(64), width)
        self._functions: dict[str, ir.Function] = {}

    def type(self, dtype: np.dtype) -> ir.Type:
        """The vector that holds a dtype in a register."""
        return {F32: self.float, I32: self.int, U32: self.int, BOOL: self.bool}[dtype]

    def number(self, value: float | np.generic, dtype: np.dtype) -> ir.Constant:
        """The same known number in every entry."""
        plain = float(value) if dtype == F32 else int(value)
        return ir.Constant(self.type(dtype), [plain] * self.width)

    def f(self, value: float) -> ir.Constant:
        """A float in every entry."""
        return ir.Constant(self.float, [float(np.float32(value))] * self.width)

    def i(self, value: int) -> ir.Constant:
        """A 32-bit integer in every entry."""
        return ir.Constant(self.int, [value] * self.width)

    def d(self, value: float) -> ir.Constant:
        """A double in every entry."""
        return ir.Constant(self.double, [value] * self.width)

    def splat(self, scalar: ir.Value) -> ir.Value:
        """A scalar in every entry."""
        kind = ir.VectorType(scalar.type, self.width)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
        return self.builder.shuffle_vector(first, undefined, zeros)

    # Arithmetic. Sums and products of floats may be contracted.

    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The sum of floats."""
        return self.builder.fadd(a, b, flags=CONTRACT)

    def sub(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Their difference."""
        return self.builder.fsub(a, b, flags=CONTRACT)

    def mul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Their product."""
        return self.builder.fmul(a, b, flags=CONTRACT)

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """The sum of a product, a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", [a.type], a, b, c)

    def div(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Their quotient."""
        return self.builder.fdiv(a, b)

    def polynomial(self, x: ir.Value, coefficients: list[float]) -> ir.Value:
        """sum_i coefficients[i] * x^i, by Horner's rule."""
        number = self.d if x.type == self.double else self.f
        total = number(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.fma(total, x, number(coefficient))
        return total

    def bits(self, x: ir.Value) -> ir.Value:
        """Floats as the integers of the same bits."""
        return self.builder.bitcast(x, self.int)

    def from_bits(self, x: ir.Value) -> ir.Value:
        """Integers as the floats of the same bits."""
        return self.builder.bitcast(x, self.float)

    def select(self, condition: ir.Value, yes: ir.Value, no: ir.Value) -> ir.Value:
        """One or the other, entry by entry."""
        return self.builder.select(condition, yes, no)

    def compare(self, how: str, a: ir.Value, b: ir.Value) -> ir.Value:
        """An ordered comparison: false where either is NaN."""
        return self.builder.fcmp_ordered(how, a, b)

    def is_nan(self, x: ir.Value) -> ir.Value:
        """Whether floats are NaN."""
        return self.builder.fcmp_unordered("uno", x, x)

    def intrinsic(self, name: str, kinds: list[ir.Type], *arguments: ir.Value) -> ir.Value:
        """An LLVM intrinsic; it is overloaded by `kinds`, the first of which it gives."""
        suffixes = [f".v{kind.count}{_SHORT[str(kind.element)]}" for kind in kinds]
        full = name + "".join(suffixes)
        function = self.module.globals.get(full) or ir.Function(
            self.module, ir.FunctionType(kinds[0], [a.type for a in arguments]), full
        )
        return self.builder.call(function, arguments)

    def scalarized(self, name: str, *arguments: ir.Value) -> ir.Value:
        """A function of the C library, one entry after the other: slow, for what is rare."""
        scalar = ir.FloatType()
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(scalar, [scalar] * len(arguments)), name
        )
        result = ir.Constant(self.float, ir.Undefined)
        for entry in range(self.width):
            index = ir.Constant(ir.IntType(32), entry)
            scalars = [self.builder.extract_element(a, index) for a in arguments]
            value = self.builder.call(function, scalars)
            result = self.builder.insert_element(result, value, index)
        return result

    def call(
        self,
        name: str,
        body: Callable[..., ir.Value],
        takes: list[str],
        gives: str,
        *arguments: ir.Value,
    ) -> ir.Value:
        """A function emitted once, from `body(self, ...)`, and inlined.

        `takes` and `gives` name types of this builder.
        """
        if name not in self._functions:
            kind = ir.FunctionType(getattr(self, gives), [getattr(self, t) for t in takes])
            function = ir.Function(self.module, kind, f"simd.{name}")
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            with self.at(ir.IRBuilder(function.append_basic_block())):
                self.builder.ret(body(self, *function.args))
            self._functions[name] = function
        return self.builder.call(self._functions[name], arguments)

    @contextlib.contextmanager
    def at(self, builder: ir.IRBuilder) -> Iterator[None]:
        """Emit where another IRBuilder stands for a while."""
        before, self.builder = self.builder, builder
        yield
        self.builder = before
