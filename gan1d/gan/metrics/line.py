"""Judging generators of one coordinate by the target's own CDF.

W1 and KS are exact for the empirical distribution of the generated samples: no second sample, no
bins. The CDF of own data is that of their held-out rows, and that of counts a table. Of Cauchy's
law, which has no moments, W1, means and standard deviations are those of winsorised values: what is
beyond its 2.5% and 97.5% quantiles is taken for these.
"""

import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import targets
from gan1d.gan.metrics import empirical
from gan1d.gan.metrics.empirical import Counted, HeldOut
from gan1d.gan.metrics.game import METRICS as GAME_METRICS
from gan1d.gan.metrics.levels import LEVELS, at_levels
from gan1d.gan.metrics.metric import Judged, Metric, sees_few_latents, shared
from gan1d.gan.metrics.modes import METRICS as MODE_METRICS
from gan1d.gan.metrics.modes import has_no_modes
from gan1d.gan.metrics.moments import LARGEST, mean, std
from gan1d.gan.targets import TargetFields, data
from gan1d.gan.targets.deviations import Point

GRID_POINTS = 201  # where a target's density and D are drawn
BIN = 3  # of these points in a bin of a histogram
GRID_STDS = 5.0  # how far that grid reaches from the target's mean, unless a view is given
TAIL = 0.001  # of the target on either side, where a sample is not precise
SLICE_SAMPLES = 5  # of the target, that are expected in a slice which is to be covered


Law = Point | HeldOut | Counted


def law(target: TargetFields, points: int) -> Law:
    """The target's quantiles at 0, 1 / points, ..., 1: the edges of slices of equal probability."""
    if target.kind == data.KIND:
        return HeldOut(points)
    if target.kind in targets.COUNTS:
        return Counted(points)
    return targets.point(target, jnp.linspace(0.0, 1.0, points + 1))


def points(edges: Law) -> int:
    """How many samples are judged by these edges."""
    if not isinstance(edges, Point):
        return edges.points
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


def w1(target: TargetFields, samples: Array, edges: Law) -> Array:
    """The Wasserstein-1 distance of samples `[N, 1]` from the target."""
    return w1_of_sorted(target, jnp.sort(samples[:, 0]), edges)


def w1_of_sorted(target: TargetFields, samples: Array, edges: Law) -> Array:
    """The Wasserstein-1 distance of sorted samples `[N]` from the target, exactly.

    It is the integral of |Q_N(u) - Q(u)| over u, with Q_N the empirical quantile function. In the
    slice (i / N, (i + 1) / N) Q_N is one sample t. Of its distance from the slice, that from the
    nearest point c of it counts in full, and beyond that the slice's deviation around c. No term is
    negative, so no digits are lost. In float32 what is larger than a float is the largest one.
    """
    if isinstance(edges, HeldOut):
        return empirical.w1_of_sorted(samples, target.rows.held_out[:, 0])
    if isinstance(edges, Counted):
        return empirical.w1_from_counts(target, samples)
    scale = target.scale
    samples = targets.winsorised(target, samples)
    away = jnp.clip(samples - target.loc, -LARGEST, LARGEST)
    t = jnp.clip(away / scale, -LARGEST, LARGEST)
    low, high = (Point(edges.high[part], edges.low[part]) for part in (slice(-1), slice(1, None)))
    below = (scale * low.high - away) + scale * low.low
    above = (away - scale * high.high) - scale * high.low

    def nearest(lower: Array, inside: Array, upper: Array) -> Array:
        return jnp.where(below > 0, lower, jnp.where(above > 0, upper, inside))

    middle = Point(nearest(low.high, t, high.high), nearest(low.low, jnp.zeros_like(t), high.low))
    outside = (jnp.maximum(below, 0.0) + jnp.maximum(above, 0.0)) / samples.shape[0]
    inside = targets.deviation_of_slices(target, low, middle, high)
    if share := targets.winsorised_share(target):
        # As much of each slice is at either end.
        levels = np.arange(samples.shape[0] + 1) / samples.shape[0]
        at_low = np.diff(np.minimum(levels, share)).astype(np.float32)
        to_low, to_high = middle.nearest - low.nearest, high.nearest - middle.nearest
        inside += (at_low * to_low + at_low[::-1] * to_high).sum()
    return jnp.minimum(outside.sum() + scale * inside, LARGEST)


def _w1(judged: Judged) -> Array:
    return w1_of_sorted(judged.setting.target, judged.ordered[:, 0], judged.reference.law)


def ks_of_sorted(probabilities: Array) -> Array:
    """The Kolmogorov-Smirnov distance sup |F_N - F| of sorted samples, by F at each, `[N]`."""
    levels = jnp.linspace(0.0, 1.0, probabilities.shape[0] + 1)
    return jnp.maximum(levels[1:] - probabilities, probabilities - levels[:-1]).max()


def _ks(judged: Judged) -> Array:
    target, samples = judged.setting.target, judged.ordered[:, 0]
    if target.kind == data.KIND:
        return empirical.ks_of_sorted(samples, target.rows.held_out)
    if target.kind in targets.COUNTS:
        return empirical.ks_from_counts(target, samples)
    return ks_of_sorted(_probabilities(judged))


@shared
def _probabilities(judged: Judged) -> Array:
    """The target's CDF at the sorted samples, `[N]`."""
    return targets.cdf(judged.setting.target, judged.ordered[:, 0])


def _winsorised(judged: Judged) -> Array:
    """The samples `[N]` whose mean and standard deviation are told."""
    return targets.winsorised(judged.setting.target, judged.ordered[:, 0])


def _precision(judged: Judged) -> Array:
    """The share of samples where all but 0.2% of the target is."""
    low, high = targets.quantile(judged.setting.target, jnp.array([TAIL, 1 - TAIL]))
    samples = judged.samples[:, 0]
    return jnp.where((samples >= low) & (samples <= high), 1.0, 0.0).mean()


def _coverage(judged: Judged) -> Array:
    """The share of the target's slices of equal probability that hold a sample.

    Each is as wide as 5 samples of the target.
    """
    target, samples = judged.setting.target, judged.ordered[:, 0]
    slices = max(1, samples.shape[0] // SLICE_SAMPLES)
    ends = targets.quantile(target, jnp.array([0.0, 1.0]))
    inside = (samples >= ends[0]) & (samples <= ends[1])
    at = jnp.floor(jnp.minimum(_probabilities(judged) * slices, slices - 1))
    again = inside[1:] & inside[:-1] & (at[1:] == at[:-1])
    held = inside.sum() - again.sum()
    return held.astype(samples.dtype) / slices


METRICS: dict[str, Metric] = MODE_METRICS | {
    **GAME_METRICS,
    "w1": Metric(
        _w1,
        "Wasserstein-1 distance of the generator from the target",
        unit="data units",
        better="lower",
        of_samples_alone=True,
    ),
    "w1_trained": Metric(
        lambda judged: w1(judged.setting.target, judged.trained_rows, judged.reference.trained_law),
        "W1 of what training sees: the batch's own latents",
        unit="data units",
        better="lower",
        applies=sees_few_latents,
    ),
    "ks": Metric(
        _ks,
        "Kolmogorov-Smirnov distance of the generator from the target",
        better="lower",
        of_samples_alone=True,
    ),
    "generated_mean": Metric(
        lambda judged: mean(_winsorised(judged)),
        "mean of the generated samples",
        unit="data units",
    ),
    "generated_std": Metric(
        lambda judged: std(_winsorised(judged)),
        "standard deviation of the generated samples",
        unit="data units",
    ),
    "precision": Metric(
        _precision,
        "share of samples between the target's 0.1% and 99.9% quantiles",
        better="higher",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
    "coverage": Metric(
        _coverage,
        "share of the target's slices of equal probability that hold a sample",
        better="higher",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
}


def quantiles(judged: Judged) -> Array:
    """Of the generated samples at LEVELS, `[101]`."""
    return at_levels(judged.ordered[:, 0])


def describe(target: TargetFields, edges: Law, x: Array) -> dict[str, Array]:
    """The target's quantiles `[101]`, its std `[]`, and its density `[201]` at x `[201, 1]`."""
    del edges  # the quantiles are known better than at these
    x = x[:, 0]
    return {
        "target_quantiles": targets.quantile(target, jnp.asarray(LEVELS, jnp.float32)),
        "target_std": targets.std(target),
        "x": x,
        "target_density": _density(target, x),
    }


def _density(target: TargetFields, x: Array) -> Array:
    """The target's density at evenly spaced x `[201]`.

    Of data it is a histogram of those that train, and of counts one of their masses.
    """
    is_counts = target.kind in targets.COUNTS
    if target.kind != data.KIND and not is_counts:
        return jnp.exp(targets.log_prob(target, x))
    apart = x[1] - x[0]
    # Each bin has as many of the x, and the x in its midst is that of the middle one.
    edges = x[0] + apart * (jnp.arange(0.0, GRID_POINTS + 1, BIN) - 0.5)
    if is_counts:
        shares = targets.cdf(target, edges)
    else:
        shares = data.share_below(target.rows.train, edges)
    heights = (shares[1:] - shares[:-1]) / (BIN * apart)
    return jnp.repeat(heights, BIN)
