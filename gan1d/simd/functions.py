"""Transcendental functions and random bits of vectors of lanes.

The functions are accurate to a few units in the last place over the whole range, with NaN and
infinity as IEEE has them. Their polynomials were fitted for this module by iterated weighted least
squares to a relative error below 3e-8.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir

from gan1d.simd.vector import Machine

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


def _parts(m: Machine, x: Any) -> tuple[Any, Any]:
    """(f, e) with x = 2^e (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)], for normal x > 0."""
    start = m.bits(m.f(math.sqrt(0.5)))
    exponent = m.builder.ashr(m.builder.sub(m.bits(x), start), m.i(23))
    mantissa = m.builder.sub(m.bits(x), m.builder.shl(exponent, m.i(23)))
    return m.builder.fsub(m.from_bits(mantissa), m.f(1)), exponent


def _log_of_parts(m: Machine, f: Any, e: Any) -> Any:
    """log(2^e (1 + f)), e as a float."""
    square = m.builder.fmul(f, f)
    tail = m.mul(m.builder.fmul(square, f), m.polynomial(f, LOGARITHM))
    tail = m.fma(e, m.f(LN2_LOW), tail)
    tail = m.fma(square, m.f(-0.5), tail)
    return m.fma(e, m.f(LN2_HIGH), m.builder.fadd(f, tail))


def _log_at_ends(m: Machine, x: Any, result: Any) -> Any:
    """A logarithm, but what it should be where x is 0, infinite, negative or NaN."""
    result = m.where(m.compare("==", x, m.f(0)), m.f(-math.inf), result)
    result = m.where(m.compare("==", x, m.f(math.inf)), x, result)
    return m.where(m.builder.fcmp_unordered("<", x, m.f(0)), m.f(math.nan), result)


def _log(m: Machine, x: Any) -> Any:
    tiny = m.compare("<", x, m.f(2.0**-126))
    f, exponent = _parts(m, m.where(tiny, m.builder.fmul(x, m.f(2.0**23)), x))
    e = m.builder.sitofp(exponent, m.float)
    e = m.builder.fsub(e, m.where(tiny, m.f(23), m.f(0)))
    return _log_at_ends(m, x, _log_of_parts(m, f, e))


def _log1p(m: Machine, x: Any) -> Any:
    u = m.builder.fadd(x, m.f(1))
    f, exponent = _parts(m, u)
    # What rounding 1 + x lost is given back to f, on f's scale, where it counts: so near 0, f is x.
    lost = m.builder.fsub(x, m.builder.fsub(u, m.f(1)))
    whole = m.fma(lost, _power_of_two(m, m.builder.neg(exponent)), f)
    f = m.where(m.compare("<", u, m.f(2.0**24)), whole, f)
    result = _log_of_parts(m, f, m.builder.sitofp(exponent, m.float))
    return _signed_zero(m, x, _log_at_ends(m, u, result))


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


def call(m: Machine, name: str, *arguments: Any) -> Any:
    """One of FUNCTIONS."""
    return m.call(name, *FUNCTIONS[name], *arguments)
