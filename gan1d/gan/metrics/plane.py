"""Judging generators of two coordinates by a fixed sample of the target.

Distances are taken in *standardised* coordinates: from each the target's mean is subtracted, and
what is left is divided by the target's std there. Without that, y alone would count where the
target is a hundred times as high as it is wide. So w1, energy, std and residual do not depend on
the target's loc and scale.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import latents, targets
from gan1d.gan.metrics.levels import at_levels
from gan1d.gan.metrics.metric import Judged, Metric, shared
from gan1d.gan.setting import Setting
from gan1d.gan.targets import TargetFields

DIRECTIONS = 64  # that samples are projected on
SEGMENTS = 512  # straight ones, that stand for the target's curve
MODE_STDS = 3.0  # a sample of high quality is at most so far from a mode
GRID_SIDE = 41  # points on each side of the grid where D is drawn
GRID_STDS = 2.5  # how far that grid reaches from the target's mean, along each axis
KEPT_SAMPLES = 256  # of a target, for pictures


class Cloud(NamedTuple):
    """A sample of a target, in standardised coordinates, and its curve."""

    rows: Array  # [N, 2]
    projections: Array  # [64, N] sorted along each direction
    spread: Array  # the mean distance between two rows
    segments: tuple[Array, Array] | None  # starts and ends [512, 2]; None without a curve


def law(target: TargetFields, points: int) -> Cloud:
    """`points` rows that stand for the target, and what is compared with them."""
    rows = _standardised(target, _sample(target, points))
    projections = jnp.sort(_project(rows), axis=1)
    spread = _mean_over_rows(lambda row: _lengths(rows - _row(row)).mean(), rows)
    return Cloud(rows, projections, spread, _segments(target))


def points(cloud: Cloud) -> int:
    """How many samples are judged by this cloud."""
    return cloud.rows.shape[-2]


def batches(target: TargetFields, count: int, size: int) -> Array:
    """Rows of the target in batches `[count, size, 2]`, each spread over the whole of it."""
    # Along the curve, or over the modes, a batch has one row in each of `size` equal slices.
    places = latents.levels(count * size, 1).reshape(size, count).T[:, :, None]
    noise = latents.levels(count * size, targets.uniforms(target) - 1).reshape(count, size, -1)
    return targets.sample(target, jnp.asarray(np.concatenate([places, noise], axis=-1)))


def grid(target: TargetFields, view: tuple[float, float]) -> Array:
    """A grid of points `[1681, 2]` around the target's mean, the second coordinate running first.

    `view` is meant for the line.
    """
    del view
    side = np.linspace(-GRID_STDS, GRID_STDS, GRID_SIDE, dtype=np.float32)
    t = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    return _row(targets.mean(target)) + _row(targets.std(target)) * t


def w1(target: TargetFields, samples: Array, cloud: Cloud) -> Array:
    """The sliced Wasserstein-1 distance of samples `[N, 2]` from the cloud."""
    return _sliced_w1(_project(_standardised(target, samples)), cloud)


def _sample(target: TargetFields, points: int) -> Array:
    """Rows `[points, 2]` that represent the target."""
    return batches(target, 1, points)[0]


def _row(values: Array) -> Array:
    return values[None, :]


def _standardised(target: TargetFields, x: Array) -> Array:
    """Rows `[N, 2]` in standardised coordinates."""
    return (x - _row(targets.mean(target))) / _row(targets.std(target))


def _project(rows: Array) -> Array:
    """Rows `[N, 2]` along each direction, `[64, N]`."""
    angles = np.pi * np.arange(DIRECTIONS)[:, None] / DIRECTIONS
    x, y = rows[None, :, 0], rows[None, :, 1]
    # No matrix product: GPUs would round its factors to a few digits.
    return jnp.asarray(np.cos(angles), x.dtype) * x + jnp.asarray(np.sin(angles), x.dtype) * y


def _sliced_w1(projections: Array, cloud: Cloud) -> Array:
    return jnp.abs(jnp.sort(projections, axis=1) - cloud.projections).mean()


def _lengths(vectors: Array) -> Array:
    """Of each vector `[N, 2]`."""
    return jnp.sqrt((vectors**2).sum(-1))


def _mean_over_rows(function: Callable[[Array], Array], rows: Array) -> Array:
    """The mean of a function of a row `[2]`, taken row by row.

    So the memory needed is that of one row's distances, and no float32 sum is so long that its
    rounding would show in a difference of means.
    """
    return jax.lax.map(function, rows).mean()


def _segments(target: TargetFields) -> tuple[Array, Array] | None:
    pieces = targets.pieces(target)
    if not pieces:
        return None
    # A piece's end has the next one's beginning as its parameter, so stop just before it.
    along = np.linspace(0, 1 - 2.0**-22, SEGMENTS // pieces + 1)
    s = (np.arange(pieces)[:, None] + along) / pieces
    x = targets.curve(target, jnp.asarray(s, jnp.float32))
    x = _standardised(target, x.reshape(-1, 2)).reshape(x.shape)
    return x[:, :-1].reshape(-1, 2), x[:, 1:].reshape(-1, 2)


@shared
def _rows(judged: Judged) -> Array:
    """The generated samples `[N, 2]` in standardised coordinates."""
    return _standardised(judged.setting.target, judged.samples)


@shared
def _projections(judged: Judged) -> Array:
    """The generated samples along each direction, `[64, N]`."""
    return _project(_rows(judged))


@shared
def _captured(judged: Judged) -> Array:
    """By which mode `[N, K]` each sample is: the nearest, if that is near enough."""
    target = judged.setting.target
    centres = targets.modes(target)
    reach = MODE_STDS * targets.mode_std(target)

    def captured(row: Array) -> Array:
        distances = _lengths(centres - _row(row))
        return (distances == distances.min()) & (distances <= reach)

    return jax.lax.map(captured, judged.samples)


def _energy(judged: Judged) -> Array:
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| from the cloud Y.

    Each pair of rows is counted, those of a row with itself too.
    """
    rows, cloud = _rows(judged), judged.reference.law

    def energy_of(row: Array) -> Array:
        return 2 * _lengths(cloud.rows - _row(row)).mean() - _lengths(rows - _row(row)).mean()

    # Rounding can make it negative.
    return jnp.maximum(_mean_over_rows(energy_of, rows) - cloud.spread, 0.0)


def _residual(judged: Judged) -> Array:
    """The samples' mean distance from the curve; the target's own is not 0 but its noise's."""
    starts, ends = judged.reference.law.segments
    along = ends - starts
    lengths = (along**2).sum(-1)

    def distance(row: Array) -> Array:
        offsets = _row(row) - starts
        part = jnp.clip((offsets * along).sum(-1) / lengths, 0, 1)
        return _lengths(offsets - part[:, None] * along).min()

    return _mean_over_rows(distance, _rows(judged))


def _has_modes(setting: Setting) -> bool:
    return not targets.pieces(setting.target)


def _has_curve(setting: Setting) -> bool:
    return targets.pieces(setting.target) > 0


STANDARDISED = "stds of the target"
METRICS: dict[str, Metric] = {
    # Bonneel et al. 2015: the mean, over directions spread evenly over the half circle, of that of
    # the projections.
    "w1": Metric(
        lambda judged: _sliced_w1(_projections(judged), judged.reference.law),
        "sliced Wasserstein-1 distance, in standardised coordinates, of the generator from the "
        "target",
        unit=STANDARDISED,
        better="lower",
    ),
    # Szekely and Rizzo 2013.
    "energy": Metric(
        _energy, "energy distance, in standardised coordinates", unit=STANDARDISED, better="lower"
    ),
    "generated_std": Metric(
        lambda judged: _projections(judged).std(axis=1).mean(),
        "mean standard deviation over directions, in standardised coordinates",
        unit=STANDARDISED,
    ),
    "generated_mean": Metric(
        lambda judged: judged.samples.mean(axis=0),
        "mean of the generated samples",
        unit="data units",
        dims=("dim",),
    ),
    # The convention of VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018); the target
    # itself has 1 - exp(-9 / 2) = 98.89 % there.
    "high_quality": Metric(
        lambda judged: _captured(judged).any(1).mean(),
        "share of samples within 3 standard deviations of a mode",
        better="higher",
        applies=_has_modes,
    ),
    "modes": Metric(
        lambda judged: _captured(judged).any(0).sum().astype(judged.samples.dtype),
        "modes with at least one sample within 3 standard deviations",
        unit="modes",
        better="higher",
        applies=_has_modes,
    ),
    "residual": Metric(
        _residual,
        "mean distance from the curve, in standardised coordinates",
        unit=STANDARDISED,
        better="lower",
        applies=_has_curve,
    ),
}


def quantiles(judged: Judged) -> Array:
    """Of each coordinate of the generated samples at LEVELS, in data units, `[101, 2]`."""
    return at_levels(judged.ordered)


def describe(target: TargetFields, cloud: Cloud, x: Array) -> dict[str, Array]:
    """The cloud's quantiles `[101, 2]` and std `[]` (as METRICS have them), x and a sample."""
    return {
        "target_quantiles": at_levels(jnp.sort(_sample(target, points(cloud)), axis=0)),
        "target_std": cloud.projections.std(axis=1).mean(),
        "x": x,
        "target_samples": _sample(target, KEPT_SAMPLES),
    }
