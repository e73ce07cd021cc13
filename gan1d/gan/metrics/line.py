"""Judging generators of one coordinate by the target's own CDF.

W1 and KS are exact for the empirical distribution of the generated samples: no second sample, no
bins.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from gan1d.gan import targets
from gan1d.gan.metrics.levels import LEVELS, at_levels
from gan1d.gan.metrics.metric import Judged, Metric
from gan1d.gan.targets import TargetFields

GRID_POINTS = 201  # where a target's density and D are drawn
GRID_STDS = 5.0  # how far that grid reaches from the target's mean, unless a view is given


class Edges(NamedTuple):
    """A target cut into N slices of equal probability, in standard coordinates."""

    t: Array  # [N + 1] quantiles at i / N
    partial_mean: Array  # [N + 1] E[T; T <= t]


def law(target: TargetFields, points: int) -> Edges:
    """The target's quantiles at 0, 1 / points, ..., 1 and the partial means there."""
    family = targets.LINE[target.kind]
    t = family.quantile(target, jnp.linspace(0.0, 1.0, points + 1))
    return Edges(t, family.partial_mean(target, t))


def points(edges: Edges) -> int:
    """How many samples are judged by these edges."""
    return edges.t.shape[-1] - 1


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


def w1(target: TargetFields, samples: Array, edges: Edges) -> Array:
    """The Wasserstein-1 distance of samples `[N, 1]` from the target."""
    return w1_of_sorted(target, jnp.sort(samples[:, 0]), edges)


def w1_of_sorted(target: TargetFields, samples: Array, edges: Edges) -> Array:
    """The Wasserstein-1 distance of sorted samples `[N]` from the target, exactly.

    It is the integral of |Q_N(u) - Q(u)| over u, with Q_N the empirical quantile function. In the
    slice (i / N, (i + 1) / N) Q_N is one sample y, the integrand changes sign at F(y) if that lies
    in the slice, and E[T; T <= Q(u)] is the antiderivative of Q. Standard coordinates keep the
    digits.
    """
    family = targets.LINE[target.kind]
    t = targets.standardise(target, samples)
    crossing = jnp.clip(t, edges.t[:-1], edges.t[1:])
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    # F of an edge is a level: taken from the levels, since over N slices the rounding adds up.
    below = jnp.clip(family.cdf(target, t), levels[:-1], levels[1:])
    slices = (
        t * (2 * below - levels[:-1] - levels[1:])
        + edges.partial_mean[:-1]
        + edges.partial_mean[1:]
        - 2 * family.partial_mean(target, crossing)
    )
    return target.scale * slices.sum()


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
        lambda judged: judged.ordered[:, 0].mean(),
        "mean of the generated samples",
        unit="data units",
    ),
    "generated_std": Metric(
        lambda judged: judged.ordered[:, 0].std(),
        "standard deviation of the generated samples",
        unit="data units",
    ),
}


def quantiles(judged: Judged) -> Array:
    """Of the generated samples at LEVELS, `[101]`."""
    return at_levels(judged.ordered[:, 0])


def describe(target: TargetFields, edges: Edges, x: Array) -> dict[str, Array]:
    """The target's quantiles `[101]`, its std `[]`, and its density `[201]` at x `[201, 1]`."""
    del edges  # the quantiles are known better than at these
    x = x[:, 0]
    return {
        "target_quantiles": targets.quantile(target, jnp.asarray(LEVELS, jnp.float32)),
        "target_std": targets.std(target),
        "x": x,
        "target_density": jnp.exp(targets.log_prob(target, x)),
    }
