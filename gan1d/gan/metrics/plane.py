"""Judging generators of two coordinates by a fixed sample of the target, and of more of data.

Distances are taken in *standardised* coordinates: from each the target's mean is subtracted, and
what is left is divided by the target's std there. Without that, y alone would count where the
target is a hundred times as high as it is wide. So w1, energy, std and residual do not depend on
the target's loc and scale. Own data are judged by rows that were held out (`held_out`).
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d.gan import latents, targets
from gan1d.gan.metrics import empirical, moments, neighbours
from gan1d.gan.metrics.empirical import HeldOut
from gan1d.gan.metrics.levels import at_levels
from gan1d.gan.metrics.metric import Judged, Metric, sees_few_latents, shared
from gan1d.gan.metrics.modes import METRICS as MODE_METRICS
from gan1d.gan.metrics.modes import has_modes, has_no_modes
from gan1d.gan.metrics.neighbours import Across, Own
from gan1d.gan.setting import Setting
from gan1d.gan.targets import TargetFields, data

DIRECTIONS = 64  # that samples are projected on
SEGMENTS = 512  # straight ones, that stand for the target's curve
GRID_SIDE = 41  # points on each side of the grid where D is drawn
GRID_STDS = 2.5  # how far that grid reaches from the target's mean, along each axis
MOST_REMEMBERED = 5000  # rows that train, of which it is told whether they are memorised
KEPT_SAMPLES = 256  # of a target, for pictures
FARTHEST = 1e15  # stds from the target's mean that are told apart: squared, they are still floats


class Cloud(NamedTuple):
    """A sample of a target, in standardised coordinates, and its curve."""

    rows: Array  # [N, X]
    projections: Array  # [64, N] sorted along each direction
    own: Own  # how far they are from each other; radii where there are no modes
    segments: tuple[Array, Array] | None  # starts and ends [512, 2]; None without a curve


Law = Cloud | HeldOut


class HeldOutRows(NamedTuple):
    """What there is to know of the held-out rows of data, in standardised coordinates."""

    cloud: Cloud
    directions: Array  # [64, X] that samples are projected on
    # Rows that train [n, X], and the distance of each to its nearest other one [n]; None of many.
    trained: Array | None
    apart: Array | None


def law(target: TargetFields, points: int) -> Law:
    """`points` rows that stand for the target, and what is compared with them."""
    if target.kind == data.KIND:
        return HeldOut(points)
    rows = _standardised(target, _sample(target, points))
    projections = jnp.sort(_project(target, rows), axis=1)
    own = neighbours.among(rows, radii=not targets.mode_count(target))
    return Cloud(rows, projections, own, _segments(target))


def points(law: Law) -> int:
    """How many samples are judged by this law."""
    return law.points if isinstance(law, HeldOut) else law.rows.shape[-2]


def _cloud(target: TargetFields, law: Law) -> Cloud:
    return target.rows.judging.cloud if isinstance(law, HeldOut) else law


def batches(target: TargetFields, count: int, size: int) -> Array:
    """Rows of the target in batches `[count, size, X]`, each spread over the whole of it."""
    if target.kind == data.KIND:
        rows = _evenly(target.rows.held_out, count * size)
        return rows.reshape(size, count, -1).transpose(1, 0, 2)
    # Along the curve, or over the modes, a batch has one row in each of `size` equal slices.
    places = latents.levels(count * size, 1).reshape(size, count).T[:, :, None]
    noise = latents.levels(count * size, targets.uniforms(target) - 1).reshape(count, size, -1)
    return targets.sample(target, jnp.asarray(np.concatenate([places, noise], axis=-1)))


def _evenly(rows: Array, count: int) -> Array:
    """So many of the rows `[N, X]`, each as often as the others, or nearly so."""
    return rows[((np.arange(count) + 0.5) * (rows.shape[0] / count)).astype(int)]


def grid(target: TargetFields, view: tuple[float, float]) -> Array:
    """A grid of points `[1681, X]` around the target's mean, the second coordinate running first.

    Of more than two coordinates the others are at their means. `view` is meant for the line.
    """
    del view
    side = np.linspace(-GRID_STDS, GRID_STDS, GRID_SIDE, dtype=np.float32)
    t = np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1).reshape(-1, 2)
    t = np.pad(t, [(0, 0), (0, targets.dim(target) - 2)])
    return _row(targets.mean(target)) + _row(targets.std(target)) * t


def w1(target: TargetFields, samples: Array, law: Law) -> Array:
    """The sliced Wasserstein-1 distance of samples `[N, X]` from the target."""
    return _sliced_w1(_project(target, _standardised(target, samples)), _cloud(target, law))


def _sample(target: TargetFields, points: int) -> Array:
    """Rows `[points, X]` that represent the target."""
    return batches(target, 1, points)[0]


def _row(values: Array) -> Array:
    return values[None, :]


def _standardised(target: TargetFields, x: Array) -> Array:
    """Rows `[N, X]` in standardised coordinates."""
    t = (x - _row(targets.mean(target))) / _row(targets.std(target))
    return jnp.clip(t, -FARTHEST, FARTHEST)


def _project(target: TargetFields, rows: Array) -> Array:
    """Rows `[N, X]` along each direction, `[64, N]`."""
    if target.kind == data.KIND:
        return (target.rows.judging.directions[:, None] * rows[None]).sum(-1)
    angles = np.pi * np.arange(DIRECTIONS)[:, None] / DIRECTIONS
    x, y = rows[None, :, 0], rows[None, :, 1]
    # No matrix product: GPUs would round its factors to a few digits.
    return jnp.asarray(np.cos(angles), x.dtype) * x + jnp.asarray(np.sin(angles), x.dtype) * y


def _sliced_w1(projections: Array, cloud: Cloud) -> Array:
    projections = jnp.sort(projections, axis=1)
    if projections.shape != cloud.projections.shape:
        return empirical.w1_of_sorted(projections.T, cloud.projections.T).mean()
    return jnp.abs(projections - cloud.projections).mean()


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
    """The generated samples `[N, X]` in standardised coordinates."""
    return _standardised(judged.setting.target, judged.samples)


@shared
def _projections(judged: Judged) -> Array:
    """The generated samples along each direction, `[64, N]`."""
    return _project(judged.setting.target, _rows(judged))


@shared
def _own(judged: Judged) -> Own:
    """The generated samples among themselves."""
    return neighbours.among(_rows(judged), radii=not has_modes(judged.setting))


@shared
def _across(judged: Judged) -> Across:
    """The generated samples and the cloud."""
    cloud = _cloud(judged.setting.target, judged.reference.law)
    return neighbours.across(_rows(judged), _own(judged), cloud.rows, cloud.own)


def _energy(judged: Judged) -> Array:
    """2 E|X-Y| - E|X-X'| - E|Y-Y'| from the cloud Y.

    Each pair of rows is counted, those of a row with itself too.
    """
    rows, cloud = _rows(judged), _cloud(judged.setting.target, judged.reference.law)
    if has_modes(judged.setting):
        between = neighbours.mean_distance(rows, cloud.rows)
    else:
        between = _across(judged).spread
    # Rounding can make it negative.
    return jnp.maximum((between - _own(judged).spread) + (between - cloud.own.spread), 0.0)


def _residual(judged: Judged) -> Array:
    """The samples' mean distance from the curve; the target's own is not 0 but its noise's."""
    starts, ends = judged.reference.law.segments
    along = ends - starts
    lengths = (along**2).sum(-1)

    def distance(row: Array) -> Array:
        offsets = _row(row) - starts
        part = jnp.clip((offsets * along).sum(-1) / lengths, 0, 1)
        return jnp.sqrt(((offsets - part[:, None] * along) ** 2).sum(-1)).min()

    return jax.lax.map(distance, _rows(judged)).mean()


def _memorised(judged: Judged) -> Array:
    target = judged.setting.target
    known = target.rows.judging

    def is_copy(row: Array) -> Array:
        found = neighbours.distances(known.trained, row)
        nearest = found.min()
        return jnp.where(found == nearest, known.apart, 0.0).max() > nearest

    copies = jax.lax.map(is_copy, _standardised(target, judged.unseen_rows))
    return jnp.where(copies, 1.0, 0.0).mean()


def is_remembered(setting: Setting) -> bool:
    """Whether its target is data of so few rows that it can be told if they are memorised."""
    target = setting.target
    if target.kind != data.KIND or targets.dim(target) == 1:
        return False
    return len(data.parts(target).originals) <= MOST_REMEMBERED


def _has_curve(setting: Setting) -> bool:
    return targets.pieces(setting.target) > 0


STANDARDISED = "stds of the target"
METRICS: dict[str, Metric] = MODE_METRICS | {
    # Bonneel et al. 2015: the mean, over directions spread evenly over the half circle, of that of
    # the projections.
    "w1": Metric(
        lambda judged: _sliced_w1(
            _projections(judged), _cloud(judged.setting.target, judged.reference.law)
        ),
        "sliced Wasserstein-1 distance, in standardised coordinates, of the generator from the "
        "target",
        unit=STANDARDISED,
        better="lower",
        of_samples_alone=True,
    ),
    "w1_trained": Metric(
        lambda judged: w1(judged.setting.target, judged.trained_rows, judged.reference.trained_law),
        "sliced W1 of what training sees: the batch's own latents",
        unit=STANDARDISED,
        better="lower",
        applies=sees_few_latents,
    ),
    "energy": Metric(
        _energy,
        "energy distance, in standardised coordinates",
        unit=STANDARDISED,
        better="lower",
        of_samples_alone=True,
    ),
    "precision": Metric(
        lambda judged: _across(judged).precision,
        "share of samples that are as near a real one as its 5th neighbour",
        better="higher",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
    "recall": Metric(
        lambda judged: _across(judged).recall,
        "share of real samples that are as near a generated one as its 5th neighbour",
        better="higher",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
    "density": Metric(
        lambda judged: _across(judged).density,
        "real samples that have a generated one as near as their 5th neighbour, by their number",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
    "coverage": Metric(
        lambda judged: _across(judged).coverage,
        "share of real samples with a generated one as near as their 5th neighbour",
        better="higher",
        applies=has_no_modes,
        of_samples_alone=True,
    ),
    "generated_std": Metric(
        lambda judged: _projections(judged).std(axis=1).mean(),
        "mean standard deviation over directions, in standardised coordinates",
        unit=STANDARDISED,
    ),
    "generated_mean": Metric(
        lambda judged: moments.mean(judged.samples),
        "mean of the generated samples",
        unit="data units",
        dims=("dim",),
    ),
    # Alaa et al. 2022, "How faithful is your synthetic data?" (arXiv 2102.08921): 1 - authenticity.
    "memorised": Metric(
        _memorised,
        "share of samples nearer to a row that trains than that is to any other such row",
        applies=is_remembered,
        of_samples_alone=True,
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
    """Of each coordinate of the generated samples at LEVELS, in data units, `[101, X]`."""
    return at_levels(judged.ordered)


def describe(target: TargetFields, law: Law, x: Array) -> dict[str, Array]:
    """The cloud's quantiles `[101, X]` and std `[]` (as METRICS have them), x and a sample."""
    cloud, is_data = _cloud(target, law), target.kind == data.KIND
    return {
        "target_quantiles": at_levels(jnp.sort(_sample(target, points(law)), axis=0)),
        "target_std": cloud.projections.std(axis=1).mean(),
        "x": x,
        # Of data those that train, which are more.
        "target_samples": _evenly(target.rows.train, KEPT_SAMPLES)
        if is_data
        else _sample(target, KEPT_SAMPLES),
    }
