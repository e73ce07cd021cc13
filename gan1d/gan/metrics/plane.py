"""Judging generators of two coordinates by a fixed sample of the target.

Distances are taken in *standardised* coordinates: from each the target's mean is subtracted, and
what is left is divided by the target's std there. Without that, y alone would count where the
target is a hundred times as high as it is wide. So w1, energy, std and residual do not depend on
the target's loc and scale.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import latents, targets
from gan1d.gan.metrics.levels import at_levels

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


def law(target: Any, points: int) -> Cloud:
    """`points` rows that stand for the target, and what is compared with them."""
    rows = _standardised(target, _sample(target, points))
    projections = jnp.sort(_project(rows), axis=1)
    spread = _mean_over_rows(lambda row: _lengths(rows - _row(row)).mean(), rows)
    return Cloud(rows, projections, spread, _segments(target))


def points(cloud: Cloud) -> int:
    """How many samples are judged by this cloud."""
    return cloud.rows.shape[-2]


def batches(target: Any, count: int, size: int) -> Array:
    """Rows of the target in batches `[count, size, 2]`, each spread over the whole of it."""
    # Along the curve, or over the modes, a batch has one row in each of `size` equal slices.
    places = latents.levels(count * size, 1).reshape(size, count).T[:, :, None]
    noise = latents.levels(count * size, targets.uniforms(target) - 1).reshape(count, size, -1)
    return targets.sample(target, jnp.asarray(np.concatenate([places, noise], axis=-1)))


def grid(target: Any, view: tuple[float, float]) -> Array:
    """A grid of points `[1681, 2]` around the target's mean, the second coordinate running first.

    `view` is meant for the line.
    """
    del view
    side = np.linspace(-GRID_STDS, GRID_STDS, GRID_SIDE, dtype=np.float32)
    t = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    return _row(targets.mean(target)) + _row(targets.std(target)) * t


def scores(target: Any, samples: Array, cloud: Cloud) -> dict[str, Array]:
    """Scores of samples `[N, 2]`; N is the cloud's.

    Returns:
      w1: the sliced Wasserstein-1 distance from the cloud (Bonneel et al. 2015), `[]`: the mean,
        over directions spread evenly over the half circle, of that of the projections.
      energy: the energy distance of Szekely and Rizzo (2013), 2 E|X-Y| - E|X-X'| - E|Y-Y'|, from
        the cloud, each pair of rows counted, those of a row with itself too, `[]`.
      std: the mean over the same directions of the projections' std, `[]`.
      mean: in data units, `[2]`.
      quantiles: of each coordinate at LEVELS, in data units, `[101, 2]`.
      high_quality: the share of the samples that are within 3 stds of a mode, `[]`: the convention
        of VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018). The target itself has
        1 - exp(-9 / 2) = 98.89 % there. NaN without modes.
      modes: how many modes have such a sample nearest to them, `[]`; NaN without modes.
      residual: the samples' mean distance from the curve, `[]`. The target's own is not 0 but that
        of its noise. NaN without a curve.
    """
    rows = _standardised(target, samples)
    projections = _project(rows)

    def energy_of(row: Array) -> Array:
        return 2 * _lengths(cloud.rows - _row(row)).mean() - _lengths(rows - _row(row)).mean()

    # Rounding can make it negative.
    energy = jnp.maximum(_mean_over_rows(energy_of, rows) - cloud.spread, 0.0)
    high_quality, modes = _modes(target, samples)
    return {
        "w1": _sliced_w1(projections, cloud),
        "energy": energy,
        "std": projections.std(axis=1).mean(),
        "mean": samples.mean(axis=0),
        "quantiles": at_levels(jnp.sort(samples, axis=0)),
        "high_quality": high_quality,
        "modes": modes,
        "residual": _residual(rows, cloud),
    }


def w1(target: Any, samples: Array, cloud: Cloud) -> Array:
    """The sliced Wasserstein-1 distance of samples `[N, 2]` from the cloud."""
    return _sliced_w1(_project(_standardised(target, samples)), cloud)


def describe(target: Any, cloud: Cloud, x: Array) -> dict[str, Array]:
    """The cloud's quantiles `[101, 2]` and std `[]` (as `scores` has them), x and a sample."""
    return {
        "target_quantiles": at_levels(jnp.sort(_sample(target, points(cloud)), axis=0)),
        "target_std": cloud.projections.std(axis=1).mean(),
        "x": x,
        "target_samples": _sample(target, KEPT_SAMPLES),
    }


def _sample(target: Any, points: int) -> Array:
    """Rows `[points, 2]` that represent the target."""
    return batches(target, 1, points)[0]


def _row(values: Array) -> Array:
    return values[None, :]


def _standardised(target: Any, x: Array) -> Array:
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


def _mean_over_rows(function: Any, rows: Array) -> Array:
    """The mean of a function of a row `[2]`, taken row by row.

    So the memory needed is that of one row's distances, and no float32 sum is so long that its
    rounding would show in a difference of means.
    """
    return jax.lax.map(function, rows).mean()


def _segments(target: Any) -> tuple[Array, Array] | None:
    pieces = targets.pieces(target)
    if not pieces:
        return None
    # A piece's end has the next one's beginning as its parameter, so stop just before it.
    along = np.linspace(0, 1 - 2.0**-22, SEGMENTS // pieces + 1)
    s = (np.arange(pieces)[:, None] + along) / pieces
    x = targets.curve(target, jnp.asarray(s, jnp.float32))
    x = _standardised(target, x.reshape(-1, 2)).reshape(x.shape)
    return x[:, :-1].reshape(-1, 2), x[:, 1:].reshape(-1, 2)


def _residual(rows: Array, cloud: Cloud) -> Array:
    if cloud.segments is None:
        return jnp.full((), jnp.nan)
    starts, ends = cloud.segments
    along = ends - starts
    lengths = (along**2).sum(-1)

    def distance(row: Array) -> Array:
        offsets = _row(row) - starts
        part = jnp.clip((offsets * along).sum(-1) / lengths, 0, 1)
        return _lengths(offsets - part[:, None] * along).min()

    return _mean_over_rows(distance, rows)


def _modes(target: Any, samples: Array) -> tuple[Array, Array]:
    """The share of the samples `[N, 2]` near a mode, and the number of modes that have any."""
    if targets.pieces(target):
        return jnp.full((), jnp.nan), jnp.full((), jnp.nan)
    centres = targets.modes(target)

    reach = MODE_STDS * targets.mode_std(target)

    def captured(row: Array) -> Array:
        """By which mode `[K]` a sample is: the nearest, if that is near enough."""
        distances = _lengths(centres - _row(row))
        return (distances == distances.min()) & (distances <= reach)

    by = jax.lax.map(captured, samples)
    return by.any(1).mean(), by.any(0).sum().astype(samples.dtype)
