"""Mixtures of uniform laws on the line, in standard coordinates: clusters with flat tops.

A component is uniform within its half-width of its mean. As in `mixture`, places are taken in each
component's own coordinate z = (t - mean) / half-width. The CDF is straight between neighbours among
the components' ends, and flat in a gap; so its inverse is exact.
"""

from typing import TYPE_CHECKING

from gan1d.gan.targets import deviations
from gan1d.gan.targets.deviations import Point
from gan1d.gan.targets.mixture import along, distances, drawn, normalised, stacked, std_of
from gan1d.system.lazy import Array, jnp

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

STD = 3**-0.5  # of a half-width
MODE_STD = 1 / 3  # of a half-width: what is within 3 of them is in the cluster
LEAST_LEVEL = 1e-30  # of a quantile, that an end is below it


def components(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights (normalised), means and half-widths of the mixture, each `[K]`."""
    return normalised(target.weights), stacked(target.means), stacked(target.half_widths)


def log_prob(target: "TargetFields", t: Array) -> Array:
    """Log density, any shape."""
    weights, means, half_widths = along(components(target), t)
    inside = jnp.abs(distances(means, Point(t, jnp.zeros_like(t)))) <= half_widths
    return jnp.log(jnp.where(inside, 0.5 * weights / half_widths, 0.0).sum(-1))


def cdf(target: "TargetFields", t: Array) -> Array:
    """P(T <= t), any shape."""
    return _cdf(target, Point(t, jnp.zeros_like(t)))


def quantile(target: "TargetFields", u: Array) -> Array:
    """The inverse of the CDF at levels u in [0, 1], any shape; of a gap's its lower end."""
    return point(target, u).nearest


def point(target: "TargetFields", u: Array) -> Point:
    """Quantiles to more digits than a float has, by the two ends that they are between."""
    _, means, half_widths = components(target)
    ends = Point(jnp.concatenate([means, means]), jnp.concatenate([-half_widths, half_widths]))
    levels = _cdf(target, ends)
    # The last one is where all weights add up to, rounded; each u has ends on either side.
    level = jnp.maximum(u * levels.max(), LEAST_LEVEL)
    nearest = ends.nearest
    rest = (ends.high - nearest) + ends.low
    nearest, rest, levels = along((nearest, rest, levels), u)
    below = levels < level[..., None]
    low = _highest(nearest, rest, below)
    mirrored = _highest(-nearest, -rest, ~below)
    high = Point(-mirrored.high, -mirrored.low)
    from_low = level - jnp.where(below, levels, -jnp.inf).max(-1)
    to_high = jnp.where(below, jnp.inf, levels).min(-1) - level
    slope = ((high.high - low.high) + (high.low - low.low)) / (from_low + to_high)
    # From the nearer end: rounding must not move it to the other side of one.
    return Point(
        jnp.where(from_low < to_high, low.high, high.high),
        jnp.where(from_low < to_high, low.low + slope * from_low, high.low - slope * to_high),
    )


def deviation(target: "TargetFields", low: Point, middle: Point, high: Point) -> Array:
    """That of each slice `[N]` around points in them, as `deviations` says."""
    weights, means, half_widths = along(components(target), low.high)
    a, c, b = (distances(means, each) / half_widths for each in (low, middle, high))
    sides = deviations.uniform(a, c) + deviations.uniform(-b, -c)
    return (weights * half_widths * sides).sum(-1)


def mean(target: "TargetFields") -> Array:
    """E[T]."""
    weights, means, _ = components(target)
    return (weights * means).sum()


def std(target: "TargetFields") -> Array:
    """The standard deviation."""
    weights, means, half_widths = components(target)
    return std_of(weights, means, STD * half_widths)


def sample(target: "TargetFields", u: Array) -> Array:
    """Samples from uniforms u of as many, any shape."""
    weights, means, half_widths = components(target)
    component, rest = drawn(weights, u)
    return means[component] + half_widths[component] * (2 * rest - 1)


def modes(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights, means and widths `[K]` by which a sample is in a cluster, or at its core."""
    weights, means, half_widths = components(target)
    return weights, means, MODE_STD * half_widths


def _cdf(target: "TargetFields", place: Point) -> Array:
    weights, means, half_widths = along(components(target), place.high)
    away = distances(means, place)
    below = jnp.clip(0.5 + 0.5 * away / half_widths, 0.0, 1.0)
    # At an end exactly 0 or 1, whatever a division leaves: the CDF does not change over a gap.
    below = jnp.where(jnp.abs(away) < half_widths, below, jnp.where(away < 0, 0.0, 1.0))
    return (weights * below).sum(-1)


def _highest(high: Array, low: Array, among: Array) -> Point:
    """The highest `[...]` of places high + low, `[..., E]`, that are among some of them."""
    highest = jnp.where(among, high, -jnp.inf).max(-1)
    at = among & (high == highest[..., None])
    return Point(highest, jnp.where(at, low, -jnp.inf).max(-1))
