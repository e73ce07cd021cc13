"""Instruction selection: elementwise operations, by their names in a graph, on vectors."""

import math
from collections.abc import Callable

import numpy as np
from llvmlite import ir

from gan1d.simd import functions
from gan1d.simd.nodes import BOOL, F32, I32, U32, Unsupported
from gan1d.simd.vector import VectorBuilder

COMPARISONS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
INTRINSICS = {
    "abs": "llvm.fabs",
    "floor": "llvm.floor",
    "ceil": "llvm.ceil",
    "sqrt": "llvm.sqrt",
}
LIBRARY = {
    "acos": "acosf",
    "atan": "atanf",
    "lgamma": "lgammaf",
    "sin": "sinf",
    "cos": "cosf",
    "atan2": "atan2f",
}


def emit(
    v: VectorBuilder, op: str, dtype: np.dtype, kinds: list[np.dtype], args: list[ir.Value]
) -> ir.Value:
    """One elementwise operation on vectors of the given dtypes, with a result of `dtype`.

    Raises:
      Unsupported: there is no code for it.
    """
    kind = kinds[0]
    if op in ("copy", "piece"):
        return args[0]
    if op == "select":
        return v.select(*args)
    if op == "convert":
        return _convert(v, kind, dtype, args[0])
    if op in COMPARISONS:
        return _compare(v, COMPARISONS[op], kind, *args)
    if op == "bitcast" and F32 not in (kind, dtype):
        return args[0]
    if op in LOGIC:
        return LOGIC[op](v, *args)
    table = FLOATS if kind == F32 else INTEGERS
    if kind == BOOL or op not in table:
        raise Unsupported(f"primitive {op} of {kind}")
    if op in ("max", "min") and kind == U32:
        raise Unsupported(f"primitive {op} of {kind}")
    if op == "pow" and kinds[1] != F32:
        args = [args[0], _convert(v, kinds[1], F32, args[1])]
    return table[op](v, *args)


def _compare(v: VectorBuilder, how: str, kind: np.dtype, a: ir.Value, b: ir.Value) -> ir.Value:
    if kind == F32:
        if how == "!=":
            return v.builder.fcmp_unordered(how, a, b)
        return v.builder.fcmp_ordered(how, a, b)
    if kind == I32:
        return v.builder.icmp_signed(how, a, b)
    return v.builder.icmp_unsigned(how, a, b)


def _convert(v: VectorBuilder, old: np.dtype, new: np.dtype, x: ir.Value) -> ir.Value:
    b = v.builder
    if old == new or {old, new} == {I32, U32}:
        return x
    if new == BOOL:
        zero = v.number(0, old)
        return b.fcmp_unordered("!=", x, zero) if old == F32 else b.icmp_unsigned("!=", x, zero)
    if new == F32:
        return b.uitofp(x, v.float) if old in (BOOL, U32) else b.sitofp(x, v.float)
    if old == BOOL:
        return b.zext(x, v.int)
    name = "llvm.fptosi.sat" if new == I32 else "llvm.fptoui.sat"
    return v.intrinsic(name, [v.int, v.float], x)


def _extreme(how: str) -> Callable[..., ir.Value]:
    def emit_extreme(v: VectorBuilder, a: ir.Value, b: ir.Value) -> ir.Value:
        # The machine's own maximum of (known, x) is x where x is NaN, as it should be.
        if _is_known_number(a):
            a, b = b, a
        if _is_known_number(b):
            return v.select(v.compare(how, b, a), b, a)
        larger = v.select(v.compare(how, a, b), a, b)
        return v.select(v.is_nan(a), a, larger)

    return emit_extreme


def _is_known_number(x: ir.Value) -> bool:
    return isinstance(x, ir.Constant) and not math.isnan(x.constant[0].constant)


def _sign(v: VectorBuilder, x: ir.Value) -> ir.Value:
    up = v.select(v.compare(">", x, v.f(0)), v.f(1), x)
    return v.select(v.compare("<", x, v.f(0)), v.f(-1), up)


def _signed_extreme(how: str) -> Callable[..., ir.Value]:
    return lambda v, a, b: v.select(v.builder.icmp_signed(how, a, b), a, b)


def _shift(name: str) -> Callable[..., ir.Value]:
    def emit_shift(v: VectorBuilder, x: ir.Value, by: ir.Value) -> ir.Value:
        # Shifts by 32 or more are undefined for LLVM and 0 for JAX.
        inside = v.builder.icmp_unsigned("<", by, v.i(32))
        last = v.builder.ashr(x, v.i(31)) if name == "ashr" else v.i(0)
        return v.select(inside, getattr(v.builder, name)(x, by), last)

    return emit_shift


FLOATS: dict[str, Callable[..., ir.Value]] = {
    "add": VectorBuilder.add,
    "sub": VectorBuilder.sub,
    "mul": VectorBuilder.mul,
    "div": VectorBuilder.div,
    "neg": lambda v, x: v.builder.fneg(x),
    "max": _extreme(">"),
    "min": _extreme("<"),
    "rem": lambda v, a, b: v.scalarized("fmodf", a, b),
    "rsqrt": lambda v, x: v.div(v.f(1), v.intrinsic("llvm.sqrt", [v.float], x)),
    "sign": _sign,
    "is_finite": lambda v, x: v.compare("<", v.intrinsic("llvm.fabs", [v.float], x), v.f(math.inf)),
    "bitcast": lambda v, x: v.bits(x),
}
FLOATS |= {
    name: lambda v, x, intrinsic=intrinsic: v.intrinsic(intrinsic, [v.float], x)
    for name, intrinsic in INTRINSICS.items()
}
FLOATS |= {
    name: lambda v, *a, name=name: functions.call(v, name, *a)
    for name, (_, takes, _) in functions.FUNCTIONS.items()
    if "float" in takes
}
FLOATS |= {
    name: lambda v, *a, symbol=symbol: v.scalarized(symbol, *a) for name, symbol in LIBRARY.items()
}
INTEGERS: dict[str, Callable[..., ir.Value]] = {
    "add": lambda v, a, b: v.builder.add(a, b),
    "sub": lambda v, a, b: v.builder.sub(a, b),
    "mul": lambda v, a, b: v.builder.mul(a, b),
    "neg": lambda v, x: v.builder.neg(x),
    "max": _signed_extreme(">"),
    "min": _signed_extreme("<"),
    "shift_left": _shift("shl"),
    "shift_right_logical": _shift("lshr"),
    "shift_right_arithmetic": _shift("ashr"),
    "bitcast": lambda v, x: v.from_bits(x),
    "threefry_0": lambda v, *a: functions.call(v, "threefry_0", *a),
    "threefry_1": lambda v, *a: functions.call(v, "threefry_1", *a),
}
LOGIC: dict[str, Callable[..., ir.Value]] = {
    "and": lambda v, a, b: v.builder.and_(a, b),
    "or": lambda v, a, b: v.builder.or_(a, b),
    "xor": lambda v, a, b: v.builder.xor(a, b),
    "not": lambda v, x: v.builder.not_(x),
}
