"""Elementwise operations, by the names that a graph has them under, on vectors of lanes."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from gan1d.simd import functions
from gan1d.simd.graph import BOOL, F32, I32, U32, Unsupported
from gan1d.simd.vector import Machine

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


def emit(m: Machine, op: str, dtype: np.dtype, kinds: list[np.dtype], args: list[Any]) -> Any:
    """One elementwise operation on vectors of the given dtypes, with a result of `dtype`.

    Raises:
      Unsupported: there is no code for it.
    """
    kind = kinds[0]
    if op in ("copy", "piece"):
        return args[0]
    if op == "select":
        return m.where(*args)
    if op == "convert":
        return _convert(m, kind, dtype, args[0])
    if op in COMPARISONS:
        return _compare(m, COMPARISONS[op], kind, *args)
    if op == "bitcast" and F32 not in (kind, dtype):
        return args[0]
    if op in LOGIC:
        return LOGIC[op](m, *args)
    table = FLOATS if kind == F32 else INTEGERS
    if kind == BOOL or op not in table:
        raise Unsupported(f"primitive {op} of {kind}")
    if op in ("max", "min") and kind == U32:
        raise Unsupported(f"primitive {op} of {kind}")
    if op == "pow" and kinds[1] != F32:
        args = [args[0], _convert(m, kinds[1], F32, args[1])]
    return table[op](m, *args)


def _compare(m: Machine, how: str, kind: np.dtype, a: Any, b: Any) -> Any:
    if kind == F32:
        if how == "!=":
            return m.builder.fcmp_unordered(how, a, b)
        return m.builder.fcmp_ordered(how, a, b)
    if kind == I32:
        return m.builder.icmp_signed(how, a, b)
    return m.builder.icmp_unsigned(how, a, b)


def _convert(m: Machine, old: np.dtype, new: np.dtype, x: Any) -> Any:
    b = m.builder
    if old == new or {old, new} == {I32, U32}:
        return x
    if new == BOOL:
        zero = m.number(0, old)
        return b.fcmp_unordered("!=", x, zero) if old == F32 else b.icmp_unsigned("!=", x, zero)
    if new == F32:
        return b.uitofp(x, m.float) if old in (BOOL, U32) else b.sitofp(x, m.float)
    if old == BOOL:
        return b.zext(x, m.int)
    name = "llvm.fptosi.sat" if new == I32 else "llvm.fptoui.sat"
    return m.intrinsic(name, [m.int, m.float], x)


def _extreme(how: str) -> Callable[..., Any]:
    def emit_extreme(m: Machine, a: Any, b: Any) -> Any:
        # The machine's own maximum of (known, x) is x where x is NaN, as it should be.
        if _is_known_number(a):
            a, b = b, a
        if _is_known_number(b):
            return m.where(m.compare(how, b, a), b, a)
        larger = m.where(m.compare(how, a, b), a, b)
        return m.where(m.is_nan(a), a, larger)

    return emit_extreme


def _is_known_number(x: Any) -> bool:
    return isinstance(x, ir.Constant) and not math.isnan(x.constant[0].constant)


def _sign(m: Machine, x: Any) -> Any:
    up = m.where(m.compare(">", x, m.f(0)), m.f(1), x)
    return m.where(m.compare("<", x, m.f(0)), m.f(-1), up)


def _signed_extreme(how: str) -> Callable[..., Any]:
    return lambda m, a, b: m.where(m.builder.icmp_signed(how, a, b), a, b)


def _shift(name: str) -> Callable[..., Any]:
    def emit_shift(m: Machine, x: Any, by: Any) -> Any:
        # Shifts by 32 or more are undefined for LLVM and 0 for JAX.
        inside = m.builder.icmp_unsigned("<", by, m.i(32))
        last = m.builder.ashr(x, m.i(31)) if name == "ashr" else m.i(0)
        return m.where(inside, getattr(m.builder, name)(x, by), last)

    return emit_shift


FLOATS: dict[str, Callable[..., Any]] = {
    "add": Machine.add,
    "sub": Machine.sub,
    "mul": Machine.mul,
    "div": Machine.div,
    "neg": lambda m, x: m.builder.fneg(x),
    "max": _extreme(">"),
    "min": _extreme("<"),
    "rem": lambda m, a, b: m.per_lane("fmodf", a, b),
    "rsqrt": lambda m, x: m.div(m.f(1), m.intrinsic("llvm.sqrt", [m.float], x)),
    "sign": _sign,
    "is_finite": lambda m, x: m.compare("<", m.intrinsic("llvm.fabs", [m.float], x), m.f(math.inf)),
    "bitcast": lambda m, x: m.bits(x),
}
FLOATS |= {
    name: lambda m, x, intrinsic=intrinsic: m.intrinsic(intrinsic, [m.float], x)
    for name, intrinsic in INTRINSICS.items()
}
FLOATS |= {
    name: lambda m, *a, name=name: functions.call(m, name, *a)
    for name, (_, takes, _) in functions.FUNCTIONS.items()
    if "float" in takes
}
FLOATS |= {
    name: lambda m, *a, symbol=symbol: m.per_lane(symbol, *a) for name, symbol in LIBRARY.items()
}
INTEGERS: dict[str, Callable[..., Any]] = {
    "add": lambda m, a, b: m.builder.add(a, b),
    "sub": lambda m, a, b: m.builder.sub(a, b),
    "mul": lambda m, a, b: m.builder.mul(a, b),
    "neg": lambda m, x: m.builder.neg(x),
    "max": _signed_extreme(">"),
    "min": _signed_extreme("<"),
    "shift_left": _shift("shl"),
    "shift_right_logical": _shift("lshr"),
    "shift_right_arithmetic": _shift("ashr"),
    "bitcast": lambda m, x: m.from_bits(x),
    "threefry_0": lambda m, *a: functions.call(m, "threefry_0", *a),
    "threefry_1": lambda m, *a: functions.call(m, "threefry_1", *a),
}
LOGIC: dict[str, Callable[..., Any]] = {
    "and": lambda m, a, b: m.builder.and_(a, b),
    "or": lambda m, a, b: m.builder.or_(a, b),
    "xor": lambda m, a, b: m.builder.xor(a, b),
    "not": lambda m, x: m.builder.not_(x),
}
