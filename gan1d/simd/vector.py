"""Vectors of lanes, one lane a run, and what LLVM has instructions for."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir

from gan1d.simd.graph import BOOL, F32, I32, U32

INDEX = ir.IntType(64)
POINTER = ir.PointerType()
_SHORT = {"float": "f32", "double": "f64", "i32": "i32"}
CONTRACT = ("contract",)  # a product and a sum may become one operation; nothing else may change


class Machine:
    """Emits operations on vectors of `lanes` entries at a builder's place."""

    def __init__(self, module: ir.Module, lanes: int) -> None:
        """Begin without a place: `builder` is to be set."""
        self.module = module
        self.lanes = lanes
        self.builder: Any = None
        self.float = ir.VectorType(ir.FloatType(), lanes)
        self.int = ir.VectorType(ir.IntType(32), lanes)
        self.bool = ir.VectorType(ir.IntType(1), lanes)
        self.double = ir.VectorType(ir.DoubleType(), lanes)
        self.long = ir.VectorType(ir.IntType(64), lanes)
        self._functions: dict[str, ir.Function] = {}

    def type(self, dtype: np.dtype) -> ir.Type:
        """The vector that holds a dtype in a register."""
        return {F32: self.float, I32: self.int, U32: self.int, BOOL: self.bool}[dtype]

    def number(self, value: Any, dtype: np.dtype) -> ir.Constant:
        """The same known number in every lane."""
        plain = float(value) if dtype == F32 else int(value)
        return ir.Constant(self.type(dtype), [plain] * self.lanes)

    def f(self, value: float) -> ir.Constant:
        """A float in every lane."""
        return ir.Constant(self.float, [float(np.float32(value))] * self.lanes)

    def i(self, value: int) -> ir.Constant:
        """A 32-bit integer in every lane."""
        return ir.Constant(self.int, [value] * self.lanes)

    def d(self, value: float) -> ir.Constant:
        """A double in every lane."""
        return ir.Constant(self.double, [value] * self.lanes)

    def splat(self, scalar: ir.Value) -> ir.Value:
        """A scalar in every lane."""
        kind = ir.VectorType(scalar.type, self.lanes)
        undefined = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, zeros)

    # Arithmetic. Sums and products of floats may be contracted.

    def add(self, a: Any, b: Any) -> Any:
        """The sum of floats."""
        return self.builder.fadd(a, b, flags=CONTRACT)

    def sub(self, a: Any, b: Any) -> Any:
        """Their difference."""
        return self.builder.fsub(a, b, flags=CONTRACT)

    def mul(self, a: Any, b: Any) -> Any:
        """Their product."""
        return self.builder.fmul(a, b, flags=CONTRACT)

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """The sum of a product, a * b + c, rounded once."""
        return self.intrinsic("llvm.fma", [a.type], a, b, c)

    def div(self, a: Any, b: Any) -> Any:
        """Their quotient."""
        return self.builder.fdiv(a, b)

    def polynomial(self, x: Any, coefficients: list[float]) -> Any:
        """sum_i coefficients[i] * x^i, by Horner's rule."""
        number = self.d if x.type == self.double else self.f
        total = number(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            total = self.fma(total, x, number(coefficient))
        return total

    def bits(self, x: Any) -> Any:
        """Floats as the integers of the same bits."""
        return self.builder.bitcast(x, self.int)

    def from_bits(self, x: Any) -> Any:
        """Integers as the floats of the same bits."""
        return self.builder.bitcast(x, self.float)

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        """One or the other, lane by lane."""
        return self.builder.select(condition, yes, no)

    def compare(self, how: str, a: Any, b: Any) -> Any:
        """An ordered comparison: false where either is NaN."""
        return self.builder.fcmp_ordered(how, a, b)

    def is_nan(self, x: Any) -> Any:
        """Whether floats are NaN."""
        return self.builder.fcmp_unordered("uno", x, x)

    def intrinsic(self, name: str, kinds: list[Any], *arguments: Any) -> Any:
        """An LLVM intrinsic; it is overloaded by `kinds`, the first of which it gives."""
        suffixes = [f".v{kind.count}{_SHORT[str(kind.element)]}" for kind in kinds]
        full = name + "".join(suffixes)
        function = self.module.globals.get(full) or ir.Function(
            self.module, ir.FunctionType(kinds[0], [a.type for a in arguments]), full
        )
        return self.builder.call(function, arguments)

    def per_lane(self, name: str, *arguments: Any) -> Any:
        """A function of the C library, one lane after the other: slow, for what is rare."""
        scalar = ir.FloatType()
        function = self.module.globals.get(name) or ir.Function(
            self.module, ir.FunctionType(scalar, [scalar] * len(arguments)), name
        )
        result = ir.Constant(self.float, ir.Undefined)
        for lane in range(self.lanes):
            place = ir.Constant(ir.IntType(32), lane)
            given = [self.builder.extract_element(a, place) for a in arguments]
            result = self.builder.insert_element(result, self.builder.call(function, given), place)
        return result

    def call(
        self, name: str, body: Callable[..., Any], takes: list[str], gives: str, *arguments: Any
    ) -> Any:
        """A function emitted once, from `body(self, ...)`, and inlined.

        `takes` and `gives` name types of this machine.
        """
        if name not in self._functions:
            kind = ir.FunctionType(getattr(self, gives), [getattr(self, t) for t in takes])
            function = ir.Function(self.module, kind, f"lanes.{name}")
            function.linkage = "internal"
            function.attributes.add("alwaysinline")
            with self.at(ir.IRBuilder(function.append_basic_block())):
                self.builder.ret(body(self, *function.args))
            self._functions[name] = function
        return self.builder.call(self._functions[name], arguments)

    @contextlib.contextmanager
    def at(self, builder: ir.IRBuilder) -> Iterator[None]:
        """Emit at another builder's place for a while."""
        before, self.builder = self.builder, builder
        yield
        self.builder = before
