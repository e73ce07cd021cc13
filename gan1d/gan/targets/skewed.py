"""Skewed families in standard coordinates, t from 0 (Pareto: from 1), as scipy.stats has them.

  exponential  f(t) = exp(-t)
  rayleigh     f(t) = t exp(-t^2 / 2)
  weibull      f(t) = k t^(k - 1) exp(-t^k), with k = `shape`
  gamma        f(t) = t^(k - 1) exp(-t) / Gamma(k), with k = `shape`
  pareto       f(t) = a / t^(a + 1), with a = `shape`, above 2 or there is no standard deviation
  lognormal    T = exp(sigma Z), with Z a standard normal
  beta         f(t) = t^(alpha - 1) (1 - t)^(beta - 1) / B(alpha, beta), up to t = 1

What is above a place, E[T - mean; T > t], is Stein's kernel times the density (Ley, Reinert & Swan
2017, arXiv 1408.2998), in closed form for all of them but Weibull's law.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.gan.targets import tables
from gan1d.gan.targets.deviations import FAR, GAUSS, SHORT, Function, Point, integral, normal_cdf
from gan1d.system.lazy import Array, jax, jnp, jsp, jst

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

HALF_PI_ROOT = (math.pi / 2) ** 0.5


class Law(NamedTuple):
    """A law on the half-line without free parameters; functions are of t in its support."""

    log_density: Function
    cdf: Function  # with all digits in the lower tail
    survival: Function  # P(T > t), with all digits in the upper tail
    quantile: Function  # of u in [0, 1]
    above: Function  # E[T - mean; T > t]
    mean: float
    std: float
    start: float = 0.0
    end: float = math.inf


LawOf = Callable[["TargetFields"], Law]


def log_prob(law: Law, t: Array) -> Array:
    """Log density, any shape; -inf outside of the support."""
    inside = (t >= law.start) & (t <= law.end) & (t < jnp.inf)
    return jnp.where(inside, law.log_density(_supported(law, t)), -jnp.inf)


def cdf(law: Law, t: Array) -> Array:
    """P(T <= t), any shape."""
    inside = law.cdf(_supported(law, t))
    return jnp.where(t <= law.start, 0.0, jnp.where(t >= law.end, 1.0, inside))


def deviation(law: Law, low: Point, middle: Point, high: Point) -> Array:
    """That of each slice `[N]` around points in them, as `deviations` says."""
    reach = middle.nearest - law.mean
    a, c, b = (_supported(law, each.nearest) for each in (low, middle, high))

    def density(t: Array) -> Array:
        return jnp.exp(law.log_density(t))

    def probability(a: Array, b: Array) -> Array:
        """Of the interval from a to b: in the tail in which it has digits."""
        below, beyond = law.cdf(b) - law.cdf(a), law.survival(a) - law.survival(b)
        return jnp.where(a < law.mean, below, beyond)

    def side(a: Array, b: Array, short: Array, long: Array) -> Array:
        length = b - a
        # At 0, and at the end, the density may be a power: 4 points need as much room before it.
        room = jnp.minimum(jnp.minimum(a, law.end - b), SHORT * law.std)
        return jnp.maximum(jnp.where(length < room, length**2 * short, long), 0.0)

    lower = reach * probability(a, c) + law.above(c) - law.above(a)
    upper = law.above(c) - law.above(b) - reach * probability(c, b)
    return side(a, c, integral(density, a, c - a, GAUSS), lower) + side(
        c, b, integral(density, b, c - b, GAUSS), upper
    )


def _supported(law: Law, t: Array) -> Array:
    return jnp.clip(t, law.start, min(law.end, FAR))


def _exponential(target: "TargetFields") -> Law:
    del target
    return Law(
        log_density=lambda t: -t,
        cdf=lambda t: -jnp.expm1(-t),
        survival=lambda t: jnp.exp(-t),
        quantile=lambda u: -jnp.log1p(-u),
        above=lambda t: t * jnp.exp(-t),
        mean=1.0,
        std=1.0,
    )


def _rayleigh(target: "TargetFields") -> Law:
    del target

    def survival(t: Array) -> Array:
        return jnp.exp(-0.5 * t * t)

    return Law(
        log_density=lambda t: jnp.log(t) - 0.5 * t * t,
        cdf=lambda t: -jnp.expm1(-0.5 * t * t),
        survival=survival,
        quantile=lambda u: jnp.sqrt(-2 * jnp.log1p(-u)),
        above=lambda t: t * survival(t) + HALF_PI_ROOT * (jsp.erfc(0.5**0.5 * t) - survival(t)),
        mean=HALF_PI_ROOT,
        std=(2 - math.pi / 2) ** 0.5,
    )


def _weibull(target: "TargetFields") -> Law:
    k = target.shape
    mean, square = math.gamma(1 + 1 / k), math.gamma(1 + 2 / k)
    table = tables.gamma(1 + 1 / k)

    def survival(t: Array) -> Array:
        return jnp.exp(-(t**k))

    def above(t: Array) -> Array:
        # Of E[T; T > t] = Gamma(1 + 1/k, t^k) the gamma law of that shape has the share.
        share = table.survival(k * jnp.log(t) - math.log(1 + 1 / k))
        return mean * (share - survival(t))

    return Law(
        log_density=lambda t: math.log(k) + _power(k - 1, t) - t**k,
        cdf=lambda t: -jnp.expm1(-(t**k)),
        survival=survival,
        quantile=lambda u: (-jnp.log1p(-u)) ** (1 / k),
        above=above,
        mean=mean,
        std=(square - mean**2) ** 0.5,
    )


def _gamma(target: "TargetFields") -> Law:
    k = target.shape
    table = tables.gamma(k)
    # Powers of t / k: of a large k those of t would have no digits left.
    log_highest = k * math.log(k) - k - math.lgamma(k)

    def coordinate(t: Array) -> Array:
        return jnp.log(t / k)

    return Law(
        log_density=lambda t: _power(k - 1, t / k) - (t - k) + log_highest - math.log(k),
        cdf=lambda t: table.cdf(coordinate(t)),
        survival=lambda t: table.survival(coordinate(t)),
        quantile=lambda u: k * jnp.exp(table.coordinate(u)),
        above=lambda t: jnp.exp(k * coordinate(t) - (t - k) + log_highest),
        mean=k,
        std=k**0.5,
    )


def _pareto(target: "TargetFields") -> Law:
    a = target.shape

    def survival(t: Array) -> Array:
        return jnp.exp(-a * jnp.log(t))

    return Law(
        log_density=lambda t: math.log(a) - (a + 1) * jnp.log(t),
        cdf=lambda t: -jnp.expm1(-a * jnp.log(t)),
        survival=survival,
        quantile=lambda u: jnp.exp(-jnp.log1p(-u) / a),
        above=lambda t: a / (a - 1) * (t - 1) * survival(t),
        mean=a / (a - 1),
        std=(a / (a - 2)) ** 0.5 / (a - 1),
        start=1.0,
    )


def _lognormal(target: "TargetFields") -> Law:
    sigma = target.sigma
    mean = math.exp(sigma**2 / 2)

    def normal(t: Array) -> Array:
        return jnp.log(t) / sigma

    def log_density(t: Array) -> Array:
        t = jnp.maximum(t, 1e-30)  # below any that has a density, and above 0
        return jst.norm.logpdf(normal(t)) - math.log(sigma) - jnp.log(t)

    return Law(
        log_density=log_density,
        cdf=lambda t: normal_cdf(normal(t)),
        survival=lambda t: normal_cdf(-normal(t)),
        quantile=lambda u: jnp.exp(sigma * jsp.ndtri(u)),
        above=lambda t: mean * (normal_cdf(sigma - normal(t)) - normal_cdf(-normal(t))),
        mean=mean,
        std=mean * math.expm1(sigma**2) ** 0.5,
    )


def _beta(target: "TargetFields") -> Law:
    a, b = target.alpha, target.beta
    total, mean = a + b, a / (a + b)
    table = tables.beta(a, b)
    # Powers of t / mean and of (1 - t) / (1 - mean), as above.
    log_integral = math.lgamma(a) + math.lgamma(b) - math.lgamma(total)
    log_highest = a * math.log(mean) + b * math.log(b / total) - log_integral

    def parts(t: Array) -> tuple[Array, Array]:
        return t / mean, (1 - t) * (total / b)

    def coordinate(t: Array) -> Array:
        return jnp.log(t) - jnp.log1p(-t)

    def log_density(t: Array) -> Array:
        one, other = parts(t)
        return _power(a - 1, one) + _power(b - 1, other) + log_highest - math.log(mean * b / total)

    def above(t: Array) -> Array:
        one, other = parts(t)
        return jnp.exp(a * jnp.log(one) + b * jnp.log(other) + log_highest) / total

    return Law(
        log_density=log_density,
        cdf=lambda t: table.cdf(coordinate(t)),
        survival=lambda t: table.survival(coordinate(t)),
        quantile=lambda u: jax.nn.sigmoid(table.coordinate(u)),
        above=above,
        mean=mean,
        std=(a * b / (total + 1)) ** 0.5 / total,
        end=1.0,
    )


def _power(exponent: float, t: Array) -> Array:
    """The logarithm of t^exponent; 0^0 is 1."""
    return exponent * jnp.log(t) if exponent else jnp.zeros_like(t)


LAWS: dict[str, LawOf] = {
    "exponential": _exponential,
    "rayleigh": _rayleigh,
    "weibull": _weibull,
    "gamma": _gamma,
    "pareto": _pareto,
    "lognormal": _lognormal,
    "beta": _beta,
}
