"""How far a law's slices are from points in them: what exact Wasserstein distances are made of.

The deviation of a slice from a to b around c, a <= c <= b, is the integral of |s - c| f(s) ds over
it, with f the density: in standard coordinates. It has two sides, E(a, c), the integral of
(c - s) f(s) ds = (F(s) - F(a)) ds from a to c, and its mirror image from c to b. Both are integrals
of what is never negative, and are computed as such: E as a difference of antiderivatives would have
no digits in a short slice.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gan1d.system.lazy import Array, jnp, jsp

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

SHORT = 1.0  # shorter intervals are integrated by 4 points, longer ones in closed form
LEAST_SLICES = 64  # of equal probability, of a normal law: 3 points integrate all but its tails


def _rule(points: int) -> list[tuple[float, float]]:
    """Points and weights by which the integral of (1 - x) f(x) over (0, 1) is a sum over f.

    Gauss and Jacobi's. The points are Radau's but for his last one, at 1, where (1 - x) is 0.
    """
    ends = [0.0] * points + [1.0, -1.0]
    x = (1 + np.sort(np.polynomial.legendre.legroots(ends).real)[:points]) / 2
    powers = np.arange(points)
    moments = 1 / (powers + 1) - 1 / (powers + 2)
    weights = np.linalg.solve(x[None] ** powers[:, None], moments)
    return [(float(at), float(weight)) for at, weight in zip(x, weights, strict=True)]


GAUSS, FEW = _rule(4), _rule(3)
FAR = 1e15  # scales; squared, it is still a float


class Point(NamedTuple):
    """Places on the line to more digits than a float has: they are high + low."""

    high: Array
    low: Array

    @property
    def nearest(self) -> Array:
        """The nearest floats."""
        return self.high + self.low


Function = Callable[[Array], Array]
Side = Callable[[Array, Array], Array]  # E(a, c)
Deviation = Callable[["TargetFields", Point, Point, Point], Array]


def symmetric(side: Side) -> Deviation:
    """The deviation of a family without parameters that is symmetric around 0."""

    def deviation(target: "TargetFields", low: Point, middle: Point, high: Point) -> Array:
        del target
        a, c, b = low.nearest, middle.nearest, high.nearest
        return side(a, c) + side(-b, -c)

    return deviation


def smooth(density: Function, cdf: Function, partial_mean: Function) -> Side:
    """E(a, c) of a density without a kink, symmetric around 0; E[T; T <= t] is the partial mean."""
    return lambda a, c: scaled(density, cdf, partial_mean, a, c, c, 1.0)


def scaled(
    density: Function,
    cdf: Function,
    partial_mean: Function,
    a: Array,
    c: Array,
    reach: Array,
    std: Array | float,
) -> Array:
    """`std` times E(a, c), any shape.

    Args:
      density: symmetric around 0, as are the cdf and the partial mean.
      cdf: with all digits in its lower tail.
      partial_mean: E[T; T <= t].
      a: the lower end, from -inf.
      c: the upper end.
      reach: `std` times c, which may be a float where c is infinite.
      std: the unit of the result.
    """
    length = c - a
    short = integral(density, a, length, GAUSS)
    # Of the probability between a and c: in the tail in which it has digits.
    side = jnp.where(a > 0, -1.0, 1.0)
    probability = side * (cdf(side * c) - cdf(side * a))
    long = reach * probability - std * (partial_mean(c) - partial_mean(a))
    return jnp.maximum(jnp.where(length < SHORT, std * length**2 * short, long), 0.0)


def integral(density: Function, a: Array, length: Array, rule: list[tuple[float, float]]) -> Array:
    """The integral of (1 - x) f(a + x length) over x from 0 to 1."""
    first, *others = (weight * density(a + x * length) for x, weight in rule)
    return sum(others, first)


def normal_slices(low: Point, middle: Point, high: Point) -> Array:
    """The deviation of all slices of equal probability of a standard normal, in order: `[]`.

    All but the first and the last are so short that few points integrate them: of LEAST_SLICES or
    more the error is below 1e-7 of each.
    """

    def side(a: Array, c: Array) -> Array:
        return (c - a) ** 2 * integral(normal_density, a, c - a, FEW)

    a, c, b = low.nearest, middle.nearest, high.nearest
    inner = slice(1, -1)
    short = side(a[inner], c[inner]) + side(-b[inner], -c[inner])
    left = _NORMAL(a[:1], c[:1]) + _NORMAL(-b[:1], -c[:1])
    right = _NORMAL(a[-1:], c[-1:]) + _NORMAL(-b[-1:], -c[-1:])
    return left.sum() + short.sum() + right.sum()


def normal_density(t: Array) -> Array:
    """Of a standard normal, any shape."""
    return (2 * np.pi) ** -0.5 * jnp.exp(-0.5 * t * t)


def normal_cdf(t: Array) -> Array:
    """Of a standard normal, any shape; it has all digits in its lower tail."""
    return 0.5 * jsp.erfc(-(0.5**0.5) * t)


def normal_partial_mean(t: Array) -> Array:
    """E[T; T <= t] of a standard normal, any shape."""
    return -normal_density(t)


_NORMAL = smooth(normal_density, normal_cdf, normal_partial_mean)


def uniform(a: Array, c: Array) -> Array:
    """E(a, c) of a uniform law on (-1, 1)."""
    low, high = jnp.clip(a, -1.0, 1.0), jnp.clip(c, -1.0, 1.0)
    return 0.25 * (high - low) * ((c - low) + (c - high))


def laplace(a: Array, c: Array) -> Array:
    """E(a, c) of the density exp(-|s|) / 2, from the part of the interval on each side of 0."""
    top, bottom = jnp.minimum(c, 0.0), jnp.maximum(a, 0.0)
    length = top - jnp.minimum(a, 0.0)
    below = jnp.exp(top) * (_first_moment(length) - (c - top) * jnp.expm1(-length))
    length = jnp.maximum(c, 0.0) - bottom
    # The integral of (h - x) exp(-x) from 0 to h.
    lever = -length * jnp.expm1(-length) - _first_moment(length)
    return 0.5 * (below + jnp.exp(-bottom) * jnp.maximum(lever, 0.0))


def _first_moment(h: Array) -> Array:
    """The integral of x exp(-x) from 0 to h >= 0, which may be infinite."""
    terms = [(-1) ** n / (np.prod(np.arange(1.0, n + 1)) * (n + 2)) for n in range(9)]
    near = jnp.minimum(h, SHORT)
    series = jnp.full_like(near, terms[-1])
    for term in terms[-2::-1]:
        series = series * near + term
    far = jnp.minimum(h, 80.0)  # keeps exp(-inf) * inf from becoming NaN
    return jnp.where(h < SHORT, series * near**2, 1 - jnp.exp(-far) * (1 + far))
