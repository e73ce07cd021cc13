"""Laws whose CDF and quantiles have no closed form, as cubic splines made in float64.

What is tabulated is smooth, and all but straight in either tail: a coordinate of the place (log t
on the half-line) as a function of its level's logit log(u / (1 - u)), and the logit as a function
of that coordinate. The logit has all digits of the level in both tails. A law's parameters are
static fields, so that its tables are constants of a program.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan1d.system.lazy import Array, jax, jnp

LAST_LOGIT = 18.0  # of a table; training's uniforms are within 16.7
PER_LOGIT = 16  # cells
CELLS = 512  # at least, from end to end of what has no unit


class Spline(NamedTuple):
    """A smooth function on evenly spaced cells, and straight beyond them.

    Edges of cells are multiples of a power of 2: no digit of a place in its cell is lost.
    """

    first: int  # number of the first cell, which begins at first / per_unit
    per_unit: float
    coefficients: np.ndarray  # [K, 4] of 1, s, s^2, s^3, with s from 0 to 1 in each cell

    def __call__(self, x: Array) -> Array:
        """Its values, any shape."""
        count = len(self.coefficients)
        z = x * self.per_unit
        # What is no number must not be one of a cell either.
        cell = jnp.floor(jnp.clip(z, self.first, self.first + count)).astype(jnp.int32)
        cell = jnp.clip(cell - self.first, 0, count - 1)
        table = jnp.asarray(self.coefficients, jnp.float32)
        rows = table.at[cell].get(mode="promise_in_bounds")
        c0, c1, c2, c3 = (rows[..., power] for power in range(4))
        s = z - (cell + self.first).astype(z.dtype)
        inner = jnp.clip(s, 0.0, 1.0)
        value = ((c3 * inner + c2) * inner + c1) * inner + c0
        slope = (3 * c3 * inner + 2 * c2) * inner + c1
        # Infinity times what rounding leaves of 0 is none where s is inside.
        return value + jnp.where(s == inner, 0.0, slope * (s - inner))


def _spline(
    function: Callable[[np.ndarray], np.ndarray], low: float, high: float, per_unit: float
) -> Spline:
    """That of a function of float64 from `low` to `high`."""
    from scipy.interpolate import CubicSpline  # takes long to import

    edges = np.arange(math.floor(low * per_unit), math.ceil(high * per_unit) + 1)
    pieces = CubicSpline(edges, function(edges / per_unit))
    return Spline(int(edges[0]), per_unit, pieces.c[::-1].T.astype(np.float32))


class Table(NamedTuple):
    """A law by its levels' logits and a coordinate of its places."""

    coordinates: Spline  # of a logit
    logits: Spline  # of a coordinate

    def coordinate(self, u: Array) -> Array:
        """Of the quantiles at levels u in [0, 1], any shape; infinite at its ends."""
        return self.coordinates(jnp.log(u) - jnp.log1p(-u))

    def cdf(self, y: Array) -> Array:
        """P(Y <= y) of a coordinate, any shape, with all digits in the lower tail."""
        return jax.nn.sigmoid(self.logits(y))

    def survival(self, y: Array) -> Array:
        """P(Y > y) of a coordinate, any shape, with all digits in the upper tail."""
        return jax.nn.sigmoid(-self.logits(y))


Levels = Callable[[np.ndarray], np.ndarray]


def _table(lower: Levels, upper: Levels, cdf: Levels, survival: Levels) -> Table:
    """A table from functions of float64: coordinates by either tail's level, and the reverse."""

    def coordinates(logit: np.ndarray) -> np.ndarray:
        level = 1 / (1 + np.exp(np.abs(logit)))
        return np.where(logit < 0, lower(level), upper(level))

    first, last = coordinates(np.array([-LAST_LOGIT, LAST_LOGIT]))
    per_unit = 2.0 ** math.ceil(math.log2(CELLS / (last - first)))
    return Table(
        _spline(coordinates, -LAST_LOGIT, LAST_LOGIT, PER_LOGIT),
        _spline(lambda y: np.log(cdf(y)) - np.log(survival(y)), first, last, per_unit),
    )


@functools.lru_cache(64)
def gamma(shape: float) -> Table:
    """The gamma law's, by log(t / shape)."""
    from scipy import special

    return _table(
        lambda u: np.log(special.gammaincinv(shape, u) / shape),
        lambda u: np.log(special.gammainccinv(shape, u) / shape),
        lambda y: special.gammainc(shape, shape * np.exp(y)),
        lambda y: special.gammaincc(shape, shape * np.exp(y)),
    )


@functools.lru_cache(64)
def beta(a: float, b: float) -> Table:
    """The beta law's, by log(t / (1 - t))."""
    from scipy import special

    def logit(t: np.ndarray, rest: np.ndarray) -> np.ndarray:
        return np.log(t) - np.log(rest)

    # The mirror image, of b and a, has the digits near 1.
    return _table(
        lambda u: logit(special.betaincinv(a, b, u), special.betainccinv(b, a, u)),
        lambda u: logit(special.betainccinv(a, b, u), special.betaincinv(b, a, u)),
        lambda y: special.betainc(a, b, special.expit(y)),
        lambda y: special.betainc(b, a, special.expit(-y)),
    )


@functools.lru_cache(64)
def student_t(freedom: float) -> Table:
    """Student's t, by asinh(t)."""
    from scipy import special

    return _table(
        lambda u: np.arcsinh(special.stdtrit(freedom, u)),
        lambda u: -np.arcsinh(special.stdtrit(freedom, u)),
        lambda y: special.stdtr(freedom, np.sinh(y)),
        lambda y: special.stdtr(freedom, -np.sinh(y)),
    )
