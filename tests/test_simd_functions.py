"""Operations on vectors: as accurate as claimed, with IEEE's NaN, infinity and signed zeros."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from jax import lax

from gan1d.simd import Program

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
SPECIAL = np.float32([0, -0.0, 1, -1, np.inf, -np.inf, np.nan])


def on_vectors(function, *arrays):
    """A function of scalars, applied to all entries of arrays: each entry is a run of its own."""
    kinds = tuple(jax.ShapeDtypeStruct((), array.dtype) for array in arrays)
    program = Program(lambda given, carried, number: (carried, function(*given)), kinds, ())
    return program(arrays, (), 0, 1)[1]


def floats():
    """The whole range of float32, then more of where functions bend, then the special cases."""
    every = np.arange(0, 2**32, 2**32 // 200_000, dtype=np.uint64).astype(np.uint32)
    parts = [every.view(np.float32)]
    parts += [np.linspace(-reach, reach, 50_001, dtype=np.float32) for reach in (120, 12, 1.5)]
    edges = np.float32([SMALLEST_NORMAL, 1e-45, 3.4028235e38, 88.72284, -103.97208, 2**23, 0.9, 11])
    return np.concatenate([*parts, edges, -edges, SPECIAL])


def units(found, wanted):
    """Errors in units of the last place; below the smallest normal number, of that one's place."""
    rounded = np.maximum(np.abs(wanted), SMALLEST_NORMAL).astype(np.float32)
    with np.errstate(invalid="ignore"):
        error = np.abs(found.astype(np.float64) - wanted) / np.spacing(rounded)
    # Both infinite, or NaN where it should be: no error. Anything else that isn't finite: all.
    same = (found == wanted.astype(np.float32)) | (np.isnan(found) & np.isnan(wanted))
    return np.where(same, 0, np.where(np.isnan(error), np.inf, error))


def in_range(wanted):
    """What rounds to infinity in float32, as infinity."""
    with np.errstate(over="ignore"):
        return np.where(np.isinf(wanted.astype(np.float32)), np.copysign(np.inf, wanted), wanted)


# In float64, and the largest error in units of the last place, measured and rounded up.
FUNCTIONS = {
    "exp": (jnp.exp, np.exp, 1),
    "exp2": (jnp.exp2, np.exp2, 1),
    "expm1": (jnp.expm1, np.expm1, 1.5),
    "log": (jnp.log, np.log, 1),
    "log1p": (jnp.log1p, np.log1p, 1.5),
    "tanh": (jnp.tanh, np.tanh, 4.5),
    "logistic": (lax.logistic, scipy.special.expit, 2.5),
    "erf": (lax.erf, scipy.special.erf, 4.5),
    "erfc": (lax.erfc, scipy.special.erfc, 8),
    "erf_inv": (lax.erf_inv, lambda x: np.copysign(scipy.special.erfinv(x), x), 4),
    "rsqrt": (lax.rsqrt, lambda x: 1 / np.sqrt(x), 1.5),
    "sqrt": (jnp.sqrt, np.sqrt, 0.5),
    "sin": (jnp.sin, np.sin, 1),
    "cos": (jnp.cos, np.cos, 1),
    "acos": (lax.acos, np.arccos, 1),
    "atan": (lax.atan, np.arctan, 1),
}


@pytest.fixture(scope="module")
def computed():
    """Every function of every float, in one program."""
    ours = [function for function, _, _ in FUNCTIONS.values()]
    results = on_vectors(lambda x: [function(x) for function in ours], floats())
    return dict(zip(FUNCTIONS, results, strict=True))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_accurate_over_all_floats(name, computed):
    _, exact, bound = FUNCTIONS[name]
    x, found = floats(), computed[name]
    with np.errstate(all="ignore"):
        wanted = exact(x.astype(np.float64))
        wanted = in_range(wanted)
    error = units(found, wanted)
    if name == "logistic":  # 1 / (1 + exp(-x)) is 0 where the exponential overflows
        error[(found == 0) & (np.abs(wanted) < SMALLEST_NORMAL)] = 0
    worst = error.argmax()
    assert error[worst] <= bound, f"{name}({x[worst]}) = {found[worst]}, not {wanted[worst]}"
    # A network's zero must keep its sign: 1 / 0 shows it.
    zero = (found == 0) & (wanted == 0)
    np.testing.assert_array_equal(np.signbit(found[zero]), np.signbit(wanted[zero]))


def test_powers_are_exact_to_half_a_unit_whatever_their_signs():
    rng = np.random.default_rng(0)
    anything = rng.integers(0, 2**32, (2, 100_000), dtype=np.uint32).view(np.float32)
    bases = np.exp(rng.normal(size=100_000)).astype(np.float32)
    tame = np.stack([bases, np.float32(20 * rng.normal(size=100_000))])
    whole = np.stack([-bases, rng.integers(-20, 20, 100_000).astype(np.float32)])
    odd = np.float32([2, -2, 3, -3, 0.5, -0.5, 1e-45, -1e-45, 3e38, -3e38, 16777215, 16777217])
    corners = np.stack(np.meshgrid([*SPECIAL, *odd], [*SPECIAL, *odd])).reshape(2, -1)
    x, y = np.concatenate([anything, tame, whole, corners.astype(np.float32)], axis=1)
    found = on_vectors(jnp.power, x, y)
    with np.errstate(all="ignore"):
        wanted = in_range(np.power(x.astype(np.float64), y.astype(np.float64)))
    error = units(found, wanted)
    worst = error.argmax()
    assert error[worst] <= 0.501, f"{x[worst]} ** {y[worst]} = {found[worst]}, not {wanted[worst]}"
    known = ~np.isnan(wanted)
    np.testing.assert_array_equal(np.signbit(found[known]), np.signbit(wanted[known]))


def same(found, wanted):
    """Equal, NaN for NaN, and of the same kind."""
    assert found.dtype == wanted.dtype
    np.testing.assert_array_equal(found, wanted)


def pairs(*values):
    """Every value with every other, as two arrays."""
    return tuple(array.ravel() for array in np.meshgrid(*[np.concatenate(values)] * 2))


FLOATS = np.float32([2.5, -2.5, 1e-40, 3e38, -3e38, 0.5])
BINARY = {
    "max": jnp.maximum,
    "min": jnp.minimum,
    "lt": lambda x, y: x < y,
    "le": lambda x, y: x <= y,
    "gt": lambda x, y: x > y,
    "ge": lambda x, y: x >= y,
    "eq": lambda x, y: x == y,
    "ne": lambda x, y: x != y,
    "select": lambda x, y: jnp.where(x > y, x, y),
    "clamp": lambda x, y: jnp.clip(x, -1, y),
    "clamped by numbers": lambda x, y: jnp.clip(x, -1, 2),
    "max of a known number": lambda x, y: jnp.maximum(0, x),
    "min of a known NaN": lambda x, y: jnp.minimum(x, jnp.nan),
    "is_finite": lambda x, y: jnp.isfinite(x),
    "isnan": lambda x, y: jnp.isnan(x),
    "sign": lambda x, y: jnp.sign(x),
    "abs": lambda x, y: jnp.abs(x),
    "floor": lambda x, y: jnp.floor(x),
    "ceil": lambda x, y: jnp.ceil(x),
    "neg": lambda x, y: -x,
    "to bool": lambda x, y: x.astype(bool),
}


@pytest.mark.parametrize("name", BINARY)
def test_nan_and_infinity_come_through(name):
    """NaN is what a diverged run is known by: it must not be compared, or clipped, away."""
    x, y = pairs(SPECIAL, FLOATS[[0, 1, 3]])
    same(on_vectors(BINARY[name], x, y), np.asarray(jax.jit(BINARY[name])(x, y)))


def test_sums_products_and_quotients_are_ieees():
    x, y = pairs(SPECIAL, FLOATS)
    found = on_vectors(lambda x, y: (x + y, x - y, x * y, x / y), x, y)
    with np.errstate(all="ignore"):
        for ours, wanted in zip(found, (x + y, x - y, x * y, x / y), strict=True):
            same(ours, wanted)


def test_remainders_and_angles_are_the_c_librarys():
    x, y = pairs(SPECIAL, FLOATS)
    remainder, angle = on_vectors(lambda x, y: (lax.rem(x, y), jnp.arctan2(x, y)), x, y)
    with np.errstate(all="ignore"):
        same(remainder, np.fmod(x, y))
        np.testing.assert_allclose(angle, np.arctan2(x, y), rtol=3e-7)


INTEGERS = np.int32([0, 1, -1, 7, -7, 31, 32, 33, 100, 2**31 - 1, -(2**31), 12345])


def test_integers_wrap_around_and_compare_by_their_signs():
    def function(x, y):
        signed = (jnp.maximum(x, y), jnp.minimum(x, y), x < y, x >= y, -x)
        return (x + y, x - y, x * y, x == y, x & y, x | y, x ^ y, ~x), signed

    x, y = pairs(INTEGERS)
    jax.tree.map(same, on_vectors(function, x, y), jax.tree.map(np.asarray, function(x, y)))


def test_unsigned_integers_compare_without_signs():
    def function(x, y):
        large = jnp.uint32(3_000_000_000)
        return x + y, x * y, x < y, x >= y, x > large, x + large, x.astype(jnp.float32)

    x, y = (array.view(np.uint32) for array in pairs(INTEGERS))
    jax.tree.map(
        same, on_vectors(function, x, y), jax.tree.map(np.asarray, jax.jit(function)(x, y))
    )


def test_shifts_by_32_or_more_leave_no_bits():
    """LLVM leaves them undefined, and so might take the shift modulo 32."""

    def function(x, by):
        return (
            lax.shift_left(x, by),
            lax.shift_right_logical(x, by),
            lax.shift_right_arithmetic(x, by),
        )

    x, by = pairs(INTEGERS)
    left, logical, arithmetic = on_vectors(function, x, by)
    inside = (by >= 0) & (by < 32)
    wide, bits = x.astype(np.int64), np.where(inside, by, 0)
    same(left, np.where(inside, (wide << bits).astype(np.int32), 0).astype(np.int32))
    unsigned = x.view(np.uint32).astype(np.int64) >> bits
    same(logical, np.where(inside, unsigned.astype(np.uint32).view(np.int32), 0).astype(np.int32))
    same(arithmetic, np.where(inside, wide >> bits, np.where(x < 0, -1, 0)).astype(np.int32))


def test_conversions_round_towards_zero_and_stop_at_the_ends():
    x = np.concatenate([SPECIAL, FLOATS, np.float32([3e9, -3e9, 5e9, 1.9, -1.9, 2**31, -(2**31)])])

    def function(x):
        return x.astype(jnp.int32), x.astype(jnp.uint32), lax.bitcast_convert_type(x, jnp.uint32)

    found = on_vectors(function, x)
    jax.tree.map(same, found, jax.tree.map(np.asarray, jax.jit(function)(x)))

    def back(i):
        return i.astype(jnp.float32), (i > 3).astype(jnp.float32), (i > 3).astype(jnp.int32)

    integers = np.concatenate([INTEGERS, np.int32([2**24 + 1, -(2**24) - 1, 2**30 + 65])])
    found = on_vectors(back, integers)
    jax.tree.map(same, found, jax.tree.map(np.asarray, jax.jit(back)(integers)))


def test_known_floats_convert_as_others_do():
    """They are converted when compiling, by numpy, which wraps or worse where XLA clips."""
    known = np.float32([3e9, -3e9, 1.9, -1.9])

    def function(i):
        return i + jnp.asarray(known).astype(jnp.int32)

    program = Program(lambda given, c, n: (c, function(given)), jnp.zeros(4, jnp.int32), ())
    zeros = np.zeros((1, 4), np.int32)
    same(program(zeros, (), 0, 1)[1][0], np.int32([2**31 - 1, -(2**31), 1, -1]))


RANDOM = {
    "bits": lambda key: jax.random.bits(key, (2, 3)),
    "one uniform": jax.random.uniform,
    "uniforms": lambda key: jax.random.uniform(key, (7,)),
    "folded": lambda key: jax.random.bits(jax.random.fold_in(key, 123456789), (3,)),
    "folded twice": lambda key: jax.random.bits(
        jax.random.fold_in(jax.random.fold_in(key, 2), 3), (3,)
    ),
    "split": lambda key: jax.random.bits(jax.random.split(key, 3)[1], (3,)),
    "keys in rows": lambda key: jax.vmap(lambda k: jax.random.bits(k, (3,)))(
        jax.random.split(key, (4,))
    ),
    "keys folded alike": lambda key: jax.vmap(lambda k: jax.random.bits(jax.random.fold_in(k, 5)))(
        jax.random.split(key, 3)
    ),
    "keys folded each": lambda key: jax.vmap(
        lambda i: jax.random.bits(jax.random.fold_in(key, i), (2,))
    )(jnp.arange(3)),
}


@pytest.fixture(scope="module")
def drawn():
    """All of these from a few seeds, by native code and by JAX."""

    def function(seed):
        key = jax.random.key(seed, impl="threefry2x32")
        return {name: draw(key) for name, draw in RANDOM.items()}

    seeds = np.uint32([0, 1, 7, 2**31, 2**32 - 1])
    lowered = jax.jit(jax.vmap(function)).lower(seeds)
    # In a hurry: the optimizations change no integer.
    theirs = lowered.compile(compiler_options={"xla_backend_optimization_level": 0})
    return on_vectors(function, seeds), theirs(seeds)


@pytest.mark.parametrize("name", RANDOM)
def test_random_numbers_are_bitwise_jaxs(name, drawn):
    """Both engines see the same data: only so can their runs be compared one by one."""
    ours, theirs = drawn
    same(ours[name], np.asarray(theirs[name]))
