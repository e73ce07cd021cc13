"""Mixtures of normals on the line, in standard coordinates t = (x - loc) / scale.

Wherever digits count, a place is taken in each component's own coordinate z = (t - mean) / std: a
component may be so narrow that a float has hardly any of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gan1d.gan.targets import deviations
from gan1d.gan.targets.deviations import Point, normal_cdf, normal_density, normal_partial_mean
from gan1d.system.lazy import Array, jax, jnp, jsp, jst

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

HALVINGS = 30  # of the bracket of a quantile, twice
HALF_STEP = 2.0**-24  # of training's uniforms, which are odd multiples of it


def components(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights (normalised), means and standard deviations of the mixture, each `[K]`."""
    return normalised(target.weights), stacked(target.means), stacked(target.stds)


def normalised(weights: Sequence[Any]) -> Array:
    """Weights `[K]`, 1 together."""
    shares = stacked(weights)
    return shares / shares.sum()


def stacked(numbers: Sequence[Any]) -> Array:
    """A field's numbers, or tuples of them, as an array `[K]`, or `[K, ...]`."""
    return jnp.stack(
        [stacked(each) if isinstance(each, tuple) else jnp.asarray(each) for each in numbers]
    )


def log_prob(target: "TargetFields", t: Array) -> Array:
    """Log density, any shape."""
    weights, means, stds = along(components(target), t)
    z = distances(means, Point(t, jnp.zeros_like(t))) / stds
    return jax.nn.logsumexp(jnp.log(weights) + jst.norm.logpdf(z) - jnp.log(stds), axis=-1)


def cdf(target: "TargetFields", t: Array) -> Array:
    """P(T <= t), any shape."""
    return _cdf(target, Point(t, jnp.zeros_like(t)))


def quantile(target: "TargetFields", u: Array) -> Array:
    """The inverse of the CDF at levels u in [0, 1], any shape."""
    return point(target, u).nearest


def point(target: "TargetFields", u: Array) -> Point:
    """Quantiles to more digits than a float has: else a spike's would all be one."""
    _, means, stds = components(target)
    nothing = jnp.zeros_like(u)

    def halved(base: Array, low: Array, high: Array) -> tuple[Array, Array]:
        """A smaller bracket of a quantile less its base."""

        def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bracket
            middle = 0.5 * (low + high)
            below = _cdf(target, Point(base, middle)) < u
            return jnp.where(below, middle, low), jnp.where(below, high, middle)

        return jax.lax.fori_loop(0, HALVINGS, halve, (low, high))

    reach = 9 * stds + 3e-7 * jnp.abs(means)  # a float further at least, be a spike so narrow
    base, top = halved(nothing, nothing + (means - reach).min(), nothing + (means + reach).max())
    low, high = halved(base, nothing, top - base)
    end = jnp.where(u <= 0, -jnp.inf, jnp.where(u >= 1, jnp.inf, 0.0))
    return Point(base + end, jnp.where(end == 0, 0.5 * (low + high), 0.0))


def deviation(target: "TargetFields", low: Point, middle: Point, high: Point) -> Array:
    """That of each slice `[N]` around points in them, as `deviations` says."""
    weights, means, stds = along(components(target), low.high)
    a, c, b = (distances(means, each) for each in (low, middle, high))

    def side(a: Array, c: Array) -> Array:
        return deviations.scaled(
            normal_density, normal_cdf, normal_partial_mean, a / stds, c / stds, c, stds
        )

    return (weights * (side(a, c) + side(-b, -c))).sum(-1)


def mean(target: "TargetFields") -> Array:
    """E[T]."""
    weights, means, _ = components(target)
    return (weights * means).sum()


def std(target: "TargetFields") -> Array:
    """The standard deviation."""
    return std_of(*components(target))


def std_of(weights: Array, means: Array, stds: Array) -> Array:
    """That of a mixture of any laws with these means and standard deviations, `[K]` each."""
    mean = (weights * means).sum()
    return jnp.sqrt((weights * (stds**2 + (means - mean) ** 2)).sum())


def parts(weights: Array) -> tuple[Array, Array]:
    """Where in (0, 1) the part of each of normalised weights `[K]` begins, and ends: `[K]` each."""
    first, last = jnp.zeros(1), jnp.ones(1)
    if weights.shape[0] == 1:
        return first, last
    # A sum's rounding counts where it is near 1 and a weight is small: from the other end there.
    upward, downward = jnp.cumsum(weights)[:-1], jnp.cumsum(weights[::-1])[-2::-1]
    between = jnp.where(upward < 0.5, upward, 1 - downward)
    return jnp.concatenate([first, between]), jnp.concatenate([between, last])


def picked(weights: Array, u: Array) -> Array:
    """The number of the component in whose part of (0, 1) each uniform u lies, any shape."""
    starts, _ = parts(weights)
    return (u[..., None] >= starts.reshape((1,) * jnp.ndim(u) + (-1,))).sum(-1) - 1


def sample(target: "TargetFields", u: Array) -> Array:
    """Samples from uniforms u of as many, any shape."""
    weights, means, stds = components(target)
    component, rest = drawn(weights, u)
    return means[component] + stds[component] * jsp.ndtri(rest)


def drawn(weights: Array, u: Array) -> tuple[Array, Array]:
    """Of uniforms u, any shape, the numbers of components and uniforms to draw from these.

    u picks the component; where in that one's part of (0, 1) it lies is uniform again and draws
    from it. Exact, and far cheaper than inverting the mixture's CDF at every update.
    """
    lower, upper = parts(weights)
    width = upper - lower
    component = picked(weights, u)
    rest = (u - lower[component]) / width[component]
    # A u stands for all numbers within half a step of it, and so do these at the ends of a part.
    margin = jnp.minimum(HALF_STEP / width[component], 0.5)
    margin = jnp.maximum(margin, 1e-7)
    return component, jnp.clip(rest, margin, 1 - margin)


def along(arrays: Iterable[Array], like: Array) -> Iterator[Array]:
    """Arrays `[K]` as `[..., K]`, with as many axes before the last as another one has."""
    return (array.reshape((1,) * jnp.ndim(like) + (-1,)) for array in arrays)


def distances(means: Array, place: Point) -> Array:
    """How far a place `[...]` is above each mean, `[..., K]`: exactly, if it is near."""
    return (place.high[..., None] - means) + place.low[..., None]


def _cdf(target: "TargetFields", place: Point) -> Array:
    weights, means, stds = along(components(target), place.high)
    return (weights * normal_cdf(distances(means, place) / stds)).sum(-1)
