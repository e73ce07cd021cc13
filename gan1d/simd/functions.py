"""Transcendental functions and random bits of vectors.

The functions are accurate to a few units in the last place over the whole range, with NaN and
infinity as IEEE has them. Their polynomials were fitted for this module by iterated weighted least
squares to a relative error below 3e-8.
"""

import math
from collections.abc import Callable

import numpy as np
from llvmlite import ir

from gan1d.simd.vector import VectorBuilder

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


# erf(x) / x as a ratio of polynomials of x^2, to 2e-8, for |x| <= ERF_END: beyond it erf is 1.
ERF_ABOVE = [
    1.1283791065216064,
    0.19155128300189972,
    0.05287552997469902,
    0.0038081917446106672,
    0.0002846864808816463,
    2.0258751192159252e-06,
]
ERF_BELOW = [
    1.0,
    0.5030905604362488,
    0.11455998569726944,
    0.015055149793624878,
    0.0011707295197993517,
    3.783139254665002e-05,
]
ERF_END = 3.95
# erf(x) / x as a polynomial of x^2, for |x| <= 1: what erfc has more digits by.
ERF_NEAR = [
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
ERF_SMALL = 0.9  # below it erfc is 1 - erf, above it a falling exponential


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


def _power_of_two(v: VectorBuilder, exponent: ir.Value) -> ir.Value:
    return v.from_bits(v.builder.shl(v.builder.add(exponent, v.i(127)), v.i(23)))


def _bounded(v: VectorBuilder, x: ir.Value, low: float, high: float) -> ir.Value:
    """X within bounds; NaN stays."""
    x = v.select(v.compare("<", x, v.f(low)), v.f(low), x)
    return v.select(v.compare(">", x, v.f(high)), v.f(high), x)


def _split(v: VectorBuilder, x: ir.Value, scale: float) -> tuple[ir.Value, ir.Value]:
    """The integer next to x * scale, as a float and as an integer."""
    shifted = v.fma(x, v.f(scale), v.f(ROUNDER))
    whole = v.builder.fsub(shifted, v.f(ROUNDER))
    return whole, v.builder.sub(v.bits(shifted), v.bits(v.f(ROUNDER)))


def _remainder(v: VectorBuilder, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(r, n) with x = n log(2) + r and |r| <= log(2) / 2."""
    whole, n = _split(v, x, LOG2E)
    r = v.fma(whole, v.f(-LN2_HIGH), x)
    return v.fma(whole, v.f(-LN2_LOW), r), n


def _twice_scaled(v: VectorBuilder, x: ir.Value, n: ir.Value) -> ir.Value:
    """X * 2^n in two steps, since 2^n alone may overflow or be lost."""
    half = v.builder.ashr(n, v.i(1))
    x = v.mul(x, _power_of_two(v, half))
    return v.mul(x, _power_of_two(v, v.builder.sub(n, half)))


def _exp(v: VectorBuilder, x: ir.Value) -> ir.Value:
    r, n = _remainder(v, _bounded(v, x, -104.0, 89.0))
    tail = v.fma(v.mul(r, r), v.polynomial(r, EXPONENTIAL), r)
    return _twice_scaled(v, v.builder.fadd(tail, v.f(1)), n)


def _exp2(v: VectorBuilder, x: ir.Value) -> ir.Value:
    x = _bounded(v, x, -151.0, 129.0)
    whole, n = _split(v, x, 1.0)
    r = v.mul(v.builder.fsub(x, whole), v.f(math.log(2)))
    tail = v.fma(v.mul(r, r), v.polynomial(r, EXPONENTIAL), r)
    return _twice_scaled(v, v.builder.fadd(tail, v.f(1)), n)


def _expm1(v: VectorBuilder, x: ir.Value) -> ir.Value:
    r, n = _remainder(v, _bounded(v, x, -60.0, 89.0))
    tail = v.fma(v.mul(r, r), v.polynomial(r, EXPONENTIAL), r)
    # 2 (2^(n-1) tail + 2^(n-1) - 1/2), as 2^128 is none.
    half = _power_of_two(v, v.builder.sub(n, v.i(1)))
    large = v.mul(v.f(2), v.fma(half, tail, v.builder.fsub(half, v.f(0.5))))
    # Near 0 the sum would round away what the difference is made of, and the sign of 0.
    return v.select(v.builder.icmp_signed("==", n, v.i(0)), _signed_zero(v, x, tail), large)


def _signed_zero(v: VectorBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """Y, but x where that is 0."""
    return v.select(v.compare("==", x, v.f(0)), x, y)


def _parts(v: VectorBuilder, x: ir.Value) -> tuple[ir.Value, ir.Value]:
    """(f, e) with x = 2^e (1 + f) and 1 + f in [sqrt(1/2), sqrt(2)], for normal x > 0."""
    start = v.bits(v.f(math.sqrt(0.5)))
    exponent = v.builder.ashr(v.builder.sub(v.bits(x), start), v.i(23))
    mantissa = v.builder.sub(v.bits(x), v.builder.shl(exponent, v.i(23)))
    return v.builder.fsub(v.from_bits(mantissa), v.f(1)), exponent


def _log_of_parts(v: VectorBuilder, f: ir.Value, e: ir.Value) -> ir.Value:
    """log(2^e (1 + f)), e as a float."""
    square = v.builder.fmul(f, f)
    tail = v.mul(v.builder.fmul(square, f), v.polynomial(f, LOGARITHM))
    tail = v.fma(e, v.f(LN2_LOW), tail)
    tail = v.fma(square, v.f(-0.5), tail)
    return v.fma(e, v.f(LN2_HIGH), v.builder.fadd(f, tail))


def _log_at_ends(v: VectorBuilder, x: ir.Value, result: ir.Value) -> ir.Value:
    """A logarithm, but what it should be where x is 0, infinite, negative or NaN."""
    result = v.select(v.compare("==", x, v.f(0)), v.f(-math.inf), result)
    result = v.select(v.compare("==", x, v.f(math.inf)), x, result)
    return v.select(v.builder.fcmp_unordered("<", x, v.f(0)), v.f(math.nan), result)


def _log(v: VectorBuilder, x: ir.Value) -> ir.Value:
    tiny = v.compare("<", x, v.f(2.0**-126))
    f, exponent = _parts(v, v.select(tiny, v.builder.fmul(x, v.f(2.0**23)), x))
    e = v.builder.sitofp(exponent, v.float)
    e = v.builder.fsub(e, v.select(tiny, v.f(23), v.f(0)))
    return _log_at_ends(v, x, _log_of_parts(v, f, e))


def _log1p(v: VectorBuilder, x: ir.Value) -> ir.Value:
    u = v.builder.fadd(x, v.f(1))
    f, exponent = _parts(v, u)
    # What rounding 1 + x lost is given back to f, on f's scale, where it counts: so near 0, f is x.
    lost = v.builder.fsub(x, v.builder.fsub(u, v.f(1)))
    whole = v.fma(lost, _power_of_two(v, v.builder.neg(exponent)), f)
    f = v.select(v.compare("<", u, v.f(2.0**24)), whole, f)
    result = _log_of_parts(v, f, v.builder.sitofp(exponent, v.float))
    return _signed_zero(v, x, _log_at_ends(v, u, result))


def _tanh(v: VectorBuilder, x: ir.Value) -> ir.Value:
    inner = _bounded(v, x, -9.0, 9.0)
    square = v.builder.fmul(inner, inner)
    above = v.builder.fmul(inner, v.polynomial(square, TANH_ABOVE))
    return _bounded(v, v.div(above, v.polynomial(square, TANH_BELOW)), -1.0, 1.0)


def _logistic(v: VectorBuilder, x: ir.Value) -> ir.Value:
    return v.div(v.f(1), v.builder.fadd(v.f(1), _exp(v, v.builder.fneg(x))))


def _erf_small(v: VectorBuilder, x: ir.Value) -> ir.Value:
    return v.builder.fmul(x, v.polynomial(v.builder.fmul(x, x), ERF_NEAR))


def _erfc_large(v: VectorBuilder, x: ir.Value) -> ir.Value:
    """Of x >= 0.8."""
    x = v.select(v.compare(">", x, v.f(11)), v.f(11), x)
    u = v.div(v.builder.fsub(x, v.f(2)), v.builder.fadd(x, v.f(2)))
    ratio = v.div(v.polynomial(u, ERFC), v.builder.fadd(x, v.f(1)))
    square = v.builder.fmul(x, x)
    lost = v.fma(x, x, v.builder.fneg(square))  # by rounding the square
    falling = _exp(v, v.builder.fneg(square))
    return v.mul(v.fma(falling, v.builder.fneg(lost), falling), ratio)


def _erf(v: VectorBuilder, x: ir.Value) -> ir.Value:
    x = _bounded(v, x, -ERF_END, ERF_END)
    square = v.builder.fmul(x, x)
    ratio = v.div(v.polynomial(square, ERF_ABOVE), v.polynomial(square, ERF_BELOW))
    return _bounded(v, v.builder.fmul(x, ratio), -1.0, 1.0)


def _erfc(v: VectorBuilder, x: ir.Value) -> ir.Value:
    size = v.intrinsic("llvm.fabs", [v.float], x)
    large = _erfc_large(v, size)
    large = v.select(v.compare("<", x, v.f(0)), v.builder.fsub(v.f(2), large), large)
    small = v.builder.fsub(v.f(1), _erf_small(v, x))
    return v.select(v.compare(">", size, v.f(ERF_SMALL)), large, small)


def _erf_inv(v: VectorBuilder, x: ir.Value) -> ir.Value:
    b = v.builder
    # In two factors: squared, x would lose what tells it from 1.
    w = b.fneg(b.fadd(_log1p(v, x), _log1p(v, b.fneg(x))))
    near = v.polynomial(b.fsub(w, v.f(2.5)), ERF_INV_NEAR)
    root = v.intrinsic("llvm.sqrt", [v.float], w)
    far = v.polynomial(b.fsub(root, v.f(3)), ERF_INV_FAR)
    result = b.fmul(v.select(v.compare("<", w, v.f(5)), near, far), x)
    at_end = v.compare("==", v.intrinsic("llvm.fabs", [v.float], x), v.f(1))
    return v.select(at_end, b.fmul(x, v.f(math.inf)), result)


def _pow(v: VectorBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    """x^y as 2^(y log2 |x|) in double precision."""
    b = v.builder
    wide = b.fpext(v.intrinsic("llvm.fabs", [v.float], x), v.double)
    logarithm = _log2_of_doubles(v, wide)
    power = b.fmul(b.fpext(y, v.double), logarithm)
    result = b.fptrunc(_exp2_of_doubles(v, power), v.float)
    # A negative base has the sign of its integer powers, and no others.
    floor = v.intrinsic("llvm.floor", [v.float], y)
    half = b.fmul(y, v.f(0.5))
    odd = v.compare("!=", half, v.intrinsic("llvm.floor", [v.float], half))
    integer = v.compare("==", floor, y)
    negative = b.icmp_signed("<", v.bits(x), v.i(0))
    flipped = v.select(b.and_(odd, integer), b.fneg(result), result)
    strict = v.compare("<", x, v.f(0))
    finite = v.compare(">", x, v.f(-math.inf))
    allowed = b.or_(integer, b.not_(b.and_(strict, finite)))
    result = v.select(negative, v.select(allowed, flipped, v.f(math.nan)), result)
    result = v.select(b.or_(v.is_nan(x), v.is_nan(y)), v.f(math.nan), result)
    one = b.or_(v.compare("==", y, v.f(0)), v.compare("==", x, v.f(1)))
    # 0 times infinity above; infinity counts as even.
    endless = v.compare("==", v.intrinsic("llvm.fabs", [v.float], y), v.f(math.inf))
    one = b.or_(one, b.and_(v.compare("==", x, v.f(-1)), endless))
    return v.select(one, v.f(1), result)


def _log2_of_doubles(v: VectorBuilder, x: ir.Value) -> ir.Value:
    """Of x >= 0."""
    b = v.builder
    raw = b.bitcast(x, v.long)
    start = int(np.float64(math.sqrt(0.5)).view(np.int64))
    exponent = b.ashr(b.sub(raw, _longs(v, start)), _longs(v, 52))
    mantissa = b.bitcast(b.sub(raw, b.shl(exponent, _longs(v, 52))), v.double)
    # log(mantissa) = 2 artanh(s), s in [-0.172, 0.172].
    s = b.fdiv(b.fsub(mantissa, v.d(1)), b.fadd(mantissa, v.d(1)))
    series = v.polynomial(b.fmul(s, s), [2 / (2 * k + 1) / math.log(2) for k in range(9)])
    logarithm = b.fadd(b.sitofp(exponent, v.double), b.fmul(s, series))
    logarithm = v.select(v.compare("==", x, v.d(0)), v.d(-math.inf), logarithm)
    infinite = v.compare("==", x, v.d(math.inf))
    return v.select(infinite, v.d(math.inf), logarithm)


def _exp2_of_doubles(v: VectorBuilder, x: ir.Value) -> ir.Value:
    b = v.builder
    rounder = 1.5 * 2**52
    x = v.select(v.compare("<", x, v.d(-1000)), v.d(-1000), x)
    x = v.select(v.compare(">", x, v.d(1000)), v.d(1000), x)
    shifted = b.fadd(x, v.d(rounder))
    r = b.fmul(b.fsub(x, b.fsub(shifted, v.d(rounder))), v.d(math.log(2)))
    whole = _longs(v, int(np.float64(rounder).view(np.int64)))
    n = b.sub(b.bitcast(shifted, v.long), whole)
    scale = b.bitcast(b.shl(b.add(n, _longs(v, 1023)), _longs(v, 52)), v.double)
    value = v.polynomial(r, [1 / math.factorial(k) for k in range(12)])
    return b.fmul(value, scale)


def _longs(v: VectorBuilder, value: int) -> ir.Constant:
    return ir.Constant(v.long, [value] * v.width)


ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def _threefry(
    v: VectorBuilder, word: int, key0: ir.Value, key1: ir.Value, counter: ir.Value
) -> ir.Value:
    """A word of threefry-2x32, 20 rounds, of the counter (0, counter).

    Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
    """
    b = v.builder
    keys = (key0, key1, b.xor(b.xor(key0, key1), v.i(0x1BD11BDA)))
    x0, x1 = key0, b.add(counter, key1)
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x0 = b.add(x0, x1)
            x1 = v.intrinsic("llvm.fshl", [v.int], x1, x1, v.i(rotation))
            x1 = b.xor(x1, x0)
        x0 = b.add(x0, keys[(group + 1) % 3])
        x1 = b.add(x1, b.add(keys[(group + 2) % 3], v.i(group + 1)))
    return (x0, x1)[word]


# name -> how to emit it, the types that it takes, and the type that it gives
FUNCTIONS: dict[str, tuple[Callable[..., ir.Value], list[str], str]] = {
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
    "threefry_0": (lambda v, *a: _threefry(v, 0, *a), ["int"] * 3, "int"),
    "threefry_1": (lambda v, *a: _threefry(v, 1, *a), ["int"] * 3, "int"),
}


def call(v: VectorBuilder, name: str, *arguments: ir.Value) -> ir.Value:
    """One of FUNCTIONS."""
    return v.call(name, *FUNCTIONS[name], *arguments)
