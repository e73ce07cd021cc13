"""Operations on vectors of lanes, one lane a run, as LLVM instructions.

The transcendental functions are accurate to a few units in the last place over the whole range,
with NaN and infinity as IEEE has them. Their polynomials were fitted for this module by iterated
weighted least squares to a relative error below 3e-8.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from llvmlite import ir

from gan1d.lanes.graph import BOOL, F32, I32, U32, Unsupported

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

    def call(self, name: str, *arguments: Any) -> Any:
        """One of FUNCTIONS, emitted once and inlined where LLVM sees fit."""
        if name not in self._functions:
            body, takes, gives = FUNCTIONS[name]
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


LOG2E = 1 / math.log(2)
LN2_HIGH = 0.693359375  # of few enough bits that its products with small integers are exact
LN2_LOW = math.log(2) - LN2_HIGH
ROUNDER = 1.5 * 2**23  # adding it rounds a float to an integer, in its lowest bits
# (e^r - 1 - r) / r^2 for |r| <= log(2) / 2.
EXPONENTIAL = [
    0.4999999403953552,
    0.1666652113199234,
    0.04166838899254799,
    0.008368710055947304,
    0.0013814610429108143,
]
# (log(1 + f) - f + f^2 / 2) / f^3 for 1 + f in [sqrt(1/2), sqrt(2)].
LOGARITHM = [
    0.3333333134651184,
    -0.250008225440979,
    0.20001226663589478,
    -0.16623356938362122,
    0.14201761782169342,
    -0.131601944565773,
    0.12761549651622772,
    -0.07634429633617401,
]
# tanh(x) / x as a ratio of polynomials of x^2, for |x| <= 9.
TANH_ABOVE = [
    1.0,
    0.13381025195121765,
    0.003495588432997465,
    2.060908627754543e-05,
    1.3354664929465798e-08,
]
TANH_BELOW = [
    1.0,
    0.4671434164047241,
    0.025876984000205994,
    0.00032856353209353983,
    7.776559982630715e-07,
]


# erf(x) / x as a polynomial of x^2, for |x| <= 1.
ERF = [
    1.1283791065216064,
    -0.3761262595653534,
    0.1128358542919159,
    -0.026853814721107483,
    0.005188331473618746,
    -0.0008010224555619061,
    7.85395604907535e-05,
]
# erfc(x) (1 + x) exp(x^2) as a polynomial of (x - 2) / (x + 2), for x in [0.8, 11].
ERFC = [
    0.7661870121955872,
    -0.25997480750083923,
    0.03781388700008392,
    0.04253460839390755,
    -0.0252425167709589,
    -0.0004969070432707667,
    0.003920136019587517,
    4.9960988690145314e-05,
    -0.0006166158127598464,
]
ERF_SMALL = 0.9  # below it erf is a polynomial, above it 1 - erfc


# erf^-1(x) / x as polynomials of w - 5/2 and sqrt(w) - 3, with w = -log(1 - x^2) below and above 5:
# Giles 2010, "Approximating the erfinv function", single precision.
ERF_INV_NEAR = [
    1.50140941,
    0.246640727,
    -0.00417768164,
    -0.00125372503,
    0.00021858087,
    -4.39150654e-06,
    -3.5233877e-06,
    3.43273939e-07,
    2.81022636e-08,
]
ERF_INV_FAR = [
    2.83297682,
    1.00167406,
    0.00943887047,
    -0.0076224613,
    0.00573950773,
    -0.00367342844,
    0.00134934322,
    0.000100950558,
    -0.000200214257,
]


def _power_of_two(m: Machine, exponent: Any) -> Any:
    return m.from_bits(m.builder.shl(m.builder.add(exponent, m.i(127)), m.i(23)))


def _bounded(m: Machine, x: Any, low: float, high: float) -> Any:
    """X within bounds; NaN stays."""
    x = m.where(m.compare("<", x, m.f(low)), m.f(low), x)
    return m.where(m.compare(">", x, m.f(high)), m.f(high), x)


def _split(m: Machine, x: Any, scale: float) -> tuple[Any, Any]:
    """The integer next to x * scale, as a float and as an integer."""
    shifted = m.fma(x, m.f(scale), m.f(ROUNDER))
    whole = m.builder.fsub(shifted, m.f(ROUNDER))
    return whole, m.builder.sub(m.bits(shifted), m.bits(m.f(ROUNDER)))


def _remainder(m: Machine, x: Any) -> tuple[Any, Any]:
    """(r, n) with x = n log(2) + r and |r| <= log(2) / 2."""
    whole, n = _split(m, x, LOG2E)
    r = m.fma(whole, m.f(-LN2_HIGH), x)
    return m.fma(whole, m.f(-LN2_LOW), r), n


def _twice_scaled(m: Machine, x: Any, n: Any) -> Any:
    """X * 2^n in two steps, since 2^n alone may overflow or be lost."""
    half = m.builder.ashr(n, m.i(1))
    x = m.mul(x, _power_of_two(m, half))
    return m.mul(x, _power_of_two(m, m.builder.sub(n, half)))


def _exp(m: Machine, x: Any) -> Any:
    r, n = _remainder(m, _bounded(m, x, -104.0, 89.0))
    tail = m.fma(m.mul(r, r), m.polynomial(r, EXPONENTIAL), r)
    return _twice_scaled(m, m.builder.fadd(tail, m.f(1)), n)


def _exp2(m: Machine, x: Any) -> Any:
    x = _bounded(m, x, -151.0, 129.0)
    whole, n = _split(m, x, 1.0)
    r = m.mul(m.builder.fsub(x, whole), m.f(math.log(2)))
    tail = m.fma(m.mul(r, r), m.polynomial(r, EXPONENTIAL), r)
    return _twice_scaled(m, m.builder.fadd(tail, m.f(1)), n)


def _expm1(m: Machine, x: Any) -> Any:
    r, n = _remainder(m, _bounded(m, x, -60.0, 89.0))
    tail = m.fma(m.mul(r, r), m.polynomial(r, EXPONENTIAL), r)
    # 2 (2^(n-1) tail + 2^(n-1) - 1/2), as 2^128 is none.
    half = _power_of_two(m, m.builder.sub(n, m.i(1)))
    large = m.mul(m.f(2), m.fma(half, tail, m.builder.fsub(half, m.f(0.5))))
    # Near 0 the sum would round away what the difference is made of, and the sign of 0.
    return m.where(m.builder.icmp_signed("==", n, m.i(0)), _signed_zero(m, x, tail), large)


def _signed_zero(m: Machine, x: Any, y: Any) -> Any:
    """Y, but x where that is 0."""
    return m.where(m.compare("==", x, m.f(0)), x, y)


def _log(m: Machine, x: Any) -> Any:
    tiny = m.compare("<", x, m.f(2.0**-126))
    scaled = m.where(tiny, m.builder.fmul(x, m.f(2.0**23)), x)
    start = m.bits(m.f(math.sqrt(0.5)))
    exponent = m.builder.ashr(m.builder.sub(m.bits(scaled), start), m.i(23))
    mantissa = m.builder.sub(m.bits(scaled), m.builder.shl(exponent, m.i(23)))
    f = m.builder.fsub(m.from_bits(mantissa), m.f(1))
    e = m.builder.sitofp(exponent, m.float)
    e = m.builder.fsub(e, m.where(tiny, m.f(23), m.f(0)))
    square = m.builder.fmul(f, f)
    tail = m.mul(m.builder.fmul(square, f), m.polynomial(f, LOGARITHM))
    tail = m.fma(e, m.f(LN2_LOW), tail)
    tail = m.fma(square, m.f(-0.5), tail)
    result = m.fma(e, m.f(LN2_HIGH), m.builder.fadd(f, tail))
    result = m.where(m.compare("==", x, m.f(0)), m.f(-math.inf), result)
    result = m.where(m.compare("==", x, m.f(math.inf)), x, result)
    return m.where(m.builder.fcmp_unordered("<", x, m.f(0)), m.f(math.nan), result)


def _log1p(m: Machine, x: Any) -> Any:
    u = m.builder.fadd(x, m.f(1))
    # What rounding 1 + x lost, relative to it: log(1 + x) = log(u) + lost / u.
    lost = m.div(m.builder.fsub(x, m.builder.fsub(u, m.f(1))), u)
    inside = m.builder.and_(m.compare(">", u, m.f(0)), m.compare("<", u, m.f(math.inf)))
    lost = m.where(inside, lost, m.f(0))
    return _signed_zero(m, x, m.builder.fadd(_log(m, u), lost))


def _tanh(m: Machine, x: Any) -> Any:
    inner = _bounded(m, x, -9.0, 9.0)
    square = m.builder.fmul(inner, inner)
    above = m.builder.fmul(inner, m.polynomial(square, TANH_ABOVE))
    return _bounded(m, m.div(above, m.polynomial(square, TANH_BELOW)), -1.0, 1.0)


def _logistic(m: Machine, x: Any) -> Any:
    return m.div(m.f(1), m.builder.fadd(m.f(1), _exp(m, m.builder.fneg(x))))


def _erf_small(m: Machine, x: Any) -> Any:
    return m.builder.fmul(x, m.polynomial(m.builder.fmul(x, x), ERF))


def _erfc_large(m: Machine, x: Any) -> Any:
    """Of x >= 0.8."""
    x = m.where(m.compare(">", x, m.f(11)), m.f(11), x)
    u = m.div(m.builder.fsub(x, m.f(2)), m.builder.fadd(x, m.f(2)))
    ratio = m.div(m.polynomial(u, ERFC), m.builder.fadd(x, m.f(1)))
    square = m.builder.fmul(x, x)
    lost = m.fma(x, x, m.builder.fneg(square))  # by rounding the square
    falling = _exp(m, m.builder.fneg(square))
    return m.mul(m.fma(falling, m.builder.fneg(lost), falling), ratio)


def _erf(m: Machine, x: Any) -> Any:
    size = m.intrinsic("llvm.fabs", [m.float], x)
    large = m.builder.fsub(m.f(1), _erfc_large(m, size))
    large = m.where(m.compare("<", x, m.f(0)), m.builder.fneg(large), large)
    return m.where(m.compare(">", size, m.f(ERF_SMALL)), large, _erf_small(m, x))


def _erfc(m: Machine, x: Any) -> Any:
    size = m.intrinsic("llvm.fabs", [m.float], x)
    large = _erfc_large(m, size)
    large = m.where(m.compare("<", x, m.f(0)), m.builder.fsub(m.f(2), large), large)
    small = m.builder.fsub(m.f(1), _erf_small(m, x))
    return m.where(m.compare(">", size, m.f(ERF_SMALL)), large, small)


def _erf_inv(m: Machine, x: Any) -> Any:
    b = m.builder
    # In two factors: squared, x would lose what tells it from 1.
    w = b.fneg(b.fadd(_log1p(m, x), _log1p(m, b.fneg(x))))
    near = m.polynomial(b.fsub(w, m.f(2.5)), ERF_INV_NEAR)
    root = m.intrinsic("llvm.sqrt", [m.float], w)
    far = m.polynomial(b.fsub(root, m.f(3)), ERF_INV_FAR)
    result = b.fmul(m.where(m.compare("<", w, m.f(5)), near, far), x)
    at_end = m.compare("==", m.intrinsic("llvm.fabs", [m.float], x), m.f(1))
    return m.where(at_end, b.fmul(x, m.f(math.inf)), result)


def _pow(m: Machine, x: Any, y: Any) -> Any:
    """x^y as 2^(y log2 |x|) in double precision."""
    b = m.builder
    wide = b.fpext(m.intrinsic("llvm.fabs", [m.float], x), m.double)
    raw = b.bitcast(wide, m.long)

    def whole(value: int) -> ir.Constant:
        return ir.Constant(m.long, [value] * m.lanes)

    start = int(np.float64(math.sqrt(0.5)).view(np.int64))
    exponent = b.ashr(b.sub(raw, whole(start)), whole(52))
    mantissa = b.bitcast(b.sub(raw, b.shl(exponent, whole(52))), m.double)
    # log(mantissa) = 2 artanh(s), s in [-0.172, 0.172].
    s = b.fdiv(b.fsub(mantissa, m.d(1)), b.fadd(mantissa, m.d(1)))
    series = m.polynomial(b.fmul(s, s), [2 / (2 * k + 1) / math.log(2) for k in range(9)])
    logarithm = b.fadd(b.sitofp(exponent, m.double), b.fmul(s, series))
    logarithm = m.where(m.compare("==", wide, m.d(0)), m.d(-math.inf), logarithm)
    infinite = m.compare("==", wide, m.d(math.inf))
    logarithm = m.where(infinite, m.d(math.inf), logarithm)
    power = b.fmul(b.fpext(y, m.double), logarithm)
    power = m.where(m.compare("<", power, m.d(-1000)), m.d(-1000), power)
    power = m.where(m.compare(">", power, m.d(1000)), m.d(1000), power)
    shifted = b.fadd(power, m.d(1.5 * 2**52))
    r = b.fmul(b.fsub(power, b.fsub(shifted, m.d(1.5 * 2**52))), m.d(math.log(2)))
    n = b.sub(b.bitcast(shifted, m.long), whole(int(np.float64(1.5 * 2**52).view(np.int64))))
    scale = b.bitcast(b.shl(b.add(n, whole(1023)), whole(52)), m.double)
    value = m.polynomial(r, [1 / math.factorial(k) for k in range(12)])
    result = b.fptrunc(b.fmul(value, scale), m.float)
    # A negative base has the sign of its integer powers, and no others.
    floor = m.intrinsic("llvm.floor", [m.float], y)
    half = b.fmul(y, m.f(0.5))
    odd = m.compare("!=", half, m.intrinsic("llvm.floor", [m.float], half))
    integer = m.compare("==", floor, y)
    negative = b.icmp_signed("<", m.bits(x), m.i(0))
    flipped = m.where(b.and_(odd, integer), b.fneg(result), result)
    strict = m.compare("<", x, m.f(0))
    finite = m.compare(">", x, m.f(-math.inf))
    allowed = b.or_(integer, b.not_(b.and_(strict, finite)))
    result = m.where(negative, m.where(allowed, flipped, m.f(math.nan)), result)
    result = m.where(b.or_(m.is_nan(x), m.is_nan(y)), m.f(math.nan), result)
    one = b.or_(m.compare("==", y, m.f(0)), m.compare("==", x, m.f(1)))
    # 0 times infinity above; infinity counts as even.
    endless = m.compare("==", m.intrinsic("llvm.fabs", [m.float], y), m.f(math.inf))
    one = b.or_(one, b.and_(m.compare("==", x, m.f(-1)), endless))
    return m.where(one, m.f(1), result)


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry(m: Machine, word: int, key0: Any, key1: Any, counter: Any) -> Any:
    """A word of threefry-2x32, 20 rounds, of the counter (0, counter).

    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    b = m.builder
    keys = (key0, key1, b.xor(b.xor(key0, key1), m.i(0x1BD11BDA)))
    x0, x1 = key0, b.add(counter, key1)
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = b.add(x0, x1)
            x1 = m.intrinsic("llvm.fshl", [m.int], x1, x1, m.i(rotation))
            x1 = b.xor(x1, x0)
        x0 = b.add(x0, keys[(group + 1) % 3])
        x1 = b.add(x1, b.add(keys[(group + 2) % 3], m.i(group + 1)))
    return (x0, x1)[word]


# name -> how to emit it, the types that it takes, and the type that it gives
FUNCTIONS: dict[str, tuple[Callable[..., Any], list[str], str]] = {
    "exp": (_exp, ["float"], "float"),
    "exp2": (_exp2, ["float"], "float"),
    "expm1": (_expm1, ["float"], "float"),
    "log": (_log, ["float"], "float"),
    "log1p": (_log1p, ["float"], "float"),
    "tanh": (_tanh, ["float"], "float"),
    "logistic": (_logistic, ["float"], "float"),
    "erf": (_erf, ["float"], "float"),
    "erfc": (_erfc, ["float"], "float"),
    "erf_inv": (_erf_inv, ["float"], "float"),
    "pow": (_pow, ["float"] * 2, "float"),
    "threefry_0": (lambda m, *a: _threefry(m, 0, *a), ["int"] * 3, "int"),
    "threefry_1": (lambda m, *a: _threefry(m, 1, *a), ["int"] * 3, "int"),
}
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
    name: lambda m, *a, name=name: m.call(name, *a)
    for name, (_, takes, _) in FUNCTIONS.items()
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
    "threefry_0": lambda m, *a: m.call("threefry_0", *a),
    "threefry_1": lambda m, *a: m.call("threefry_1", *a),
}
LOGIC: dict[str, Callable[..., Any]] = {
    "and": lambda m, a, b: m.builder.and_(a, b),
    "or": lambda m, a, b: m.builder.or_(a, b),
    "xor": lambda m, a, b: m.builder.xor(a, b),
    "not": lambda m, x: m.builder.not_(x),
}
