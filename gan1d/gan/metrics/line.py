"""Judging generators of one coordinate by the target's own CDF.

W1 and KS are exact for the empirical distribution of the generated samples: no second sample, no
bins.
"""

import jax.numpy as jnp
from jax import Array

from gan1d.gan import targets
from gan1d.gan.metrics.levels import LEVELS, at_levels
from gan1d.gan.metrics.metric import Judged, Metric
from gan1d.gan.metrics.moments import LARGEST, mean, std
from gan1d.gan.targets import TargetFields
from gan1d.gan.targets.deviations import Point

GRID_POINTS = 201  # where a target's density and D are drawn
GRID_STDS = 5.0  # how far that grid reaches from the target's mean, unless a view is given


def law(target: TargetFields, points: int) -> Point:
    """The target's quantiles at 0, 1 / points, ..., 1: the edges of slices of equal probability."""
    return targets.point(target, jnp.linspace(0.0, 1.0, points + 1))


def points(edges: Point) -> int:
    """How many samples are judged by these edges."""
    return edges.high.shape[-1] - 1


def batches(target: TargetFields, count: int, size: int) -> Array:
    """Quantiles of the target in batches `[count, size, 1]`, each spread over the whole of it."""
    levels = (jnp.arange(count * size) + 0.5) / (count * size)
    return targets.quantile(target, levels).reshape(size, count).T[:, :, None]


def grid(target: TargetFields, view: tuple[float, float]) -> Array:
    """Points `[201, 1]` from view[0] to view[1], or around the target's mean if view is empty."""
    if view[0] < view[1]:
        x = jnp.linspace(*view, GRID_POINTS)
    else:
        reach = GRID_STDS * targets.std(target)
        x = targets.mean(target) + reach * jnp.linspace(-1.0, 1.0, GRID_POINTS)
    return x[:, None]


def w1(target: TargetFields, samples: Array, edges: Point) -> Array:
    """The Wasserstein-1 distance of samples `[N, 1]` from the target."""
    return w1_of_sorted(target, jnp.sort(samples[:, 0]), edges)


def w1_of_sorted(target: TargetFields, samples: Array, edges: Point) -> Array:
    """The Wasserstein-1 distance of sorted samples `[N]` from the target, exactly.

    It is the integral of |Q_N(u) - Q(u)| over u, with Q_N the empirical quantile function. In the
    slice (i / N, (i + 1) / N) Q_N is one sample t. Of its distance from the slice, that from the
    nearest point c of it counts in full, and beyond that the slice's deviation around c. No term is
    negative, so no digits are lost. In float32 what is larger than a float is the largest one.
    """
    scale = target.scale
    away = jnp.clip(samples - target.loc, -LARGEST, LARGEST)
    t = jnp.clip(away / scale, -LARGEST, LARGEST)
    low, high = (Point(edges.high[part], edges.low[part]) for part in (slice(-1), slice(1, None)))
    below = (scale * low.high - away) + scale * low.low
    above = (away - scale * high.high) - scale * high.low

    def nearest(lower: Array, inside: Array, upper: Array) -> Array:
        return jnp.where(below > 0, lower, jnp.where(above > 0, upper, inside))

    middle = Point(nearest(low.high, t, high.high), nearest(low.low, jnp.zeros_like(t), high.low))
    outside = (jnp.maximum(below, 0.0) + jnp.maximum(above, 0.0)) / samples.shape[0]
    slices = outside + scale * targets.deviation(target, low, middle, high)
    return jnp.minimum(slices.sum(), LARGEST)


def ks_of_sorted(target: TargetFields, samples: Array) -> Array:
    """The Kolmogorov-Smirnov distance sup |F_N - F| of sorted samples `[N]` from the target."""
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    probabilities = targets.cdf(target, samples)
    return jnp.maximum(levels[1:] - probabilities, probabilities - levels[:-1]).max()


def _w1(judged: Judged) -> Array:
    return w1_of_sorted(judged.setting.target, judged.ordered[:, 0], judged.reference.law)


def _ks(judged: Judged) -> Array:
    return ks_of_sorted(judged.setting.target, judged.ordered[:, 0])


METRICS: dict[str, Metric] = {
    "w1": Metric(
        _w1,
        "Wasserstein-1 distance of the generator from the target",
        unit="data units",
        better="lower",
    ),
    "ks": Metric(
        _ks, "Kolmogorov-Smirnov distance of the generator from the target", better="lower"
    ),
    "generated_mean": Metric(
        lambda judged: mean(judged.ordered[:, 0]),
        "mean of the generated samples",
        unit="data units",
    ),
    "generated_std": Metric(
        lambda judged: std(judged.ordered[:, 0]),
        "standard deviation of the generated samples",
        unit="data units",
    ),
}


def quantiles(judged: Judged) -> Array:
    """Of the generated samples at LEVELS, `[101]`."""
    return at_levels(judged.ordered[:, 0])


def describe(target: TargetFields, edges: Point, x: Array) -> dict[str, Array]:
    """The target's quantiles `[101]`, its std `[]`, and its density `[201]` at x `[201, 1]`."""
    del edges  # the quantiles are known better than at these
    x = x[:, 0]
    return {
        "target_quantiles": targets.quantile(target, jnp.asarray(LEVELS, jnp.float32)),
        "target_std": targets.std(target),
        "x": x,
        "target_density": jnp.exp(targets.log_prob(target, x)),
    }
