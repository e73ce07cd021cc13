"""What judging needs of the held-out rows of data with several columns: found out once, by numpy.

A row that has many copies would have an empty ball, and no sample that isn't one of them could be
near it: its ball reaches half way to the nearest row that differs.
"""

import functools
from typing import Any

import numpy as np
import scipy.spatial.distance
import scipy.special

from gan1d.gan.metrics.neighbours import NEIGHBOURS, Own
from gan1d.gan.metrics.plane import DIRECTIONS, MOST_REMEMBERED, Cloud, HeldOutRows
from gan1d.gan.targets import TargetFields, data
from gan1d.gan.targets.data import Rows, Source

TOGETHER = 256  # rows whose distances from all others are in memory at a time


def rows(target: TargetFields, points: int) -> Rows:
    """A completed target's rows with what judges `points` samples by them."""
    found = data.parts(target).rows
    judging = _known(data.source(target), points)
    return found._replace(held_out=_spread(found.held_out, points), judging=judging)


@functools.lru_cache(8)
def _known(source: Source, points: int) -> HeldOutRows:
    found = data.parts_of(source)

    def standardised(rows: np.ndarray) -> np.ndarray:
        mean, std = (np.asarray(each, np.float64) for each in (found.rows.mean, found.rows.std))
        return (rows - mean) / std

    judges = standardised(_spread(found.rows.held_out, points))
    along = directions(judges.shape[1])
    cloud = Cloud(
        rows=_float32(judges),
        projections=_float32(np.sort(along @ judges.T, axis=1)),
        own=Own(_float32(_mean_distance(judges)), _float32(radii(judges))),
        segments=None,
    )
    if len(found.originals) > MOST_REMEMBERED:
        return HeldOutRows(cloud, _float32(along), None, None)
    trained = standardised(found.originals)
    apart, _ = scipy.spatial.KDTree(trained).query(trained, [2])
    return HeldOutRows(cloud, _float32(along), _float32(trained), _float32(apart[:, 0]))


def _float32(values: np.ndarray | float) -> Any:
    """As programs take them: of numpy, where they have arrays of JAX."""
    return np.asarray(values, np.float32)


def _spread(rows: np.ndarray, points: int) -> np.ndarray:
    """As many of the rows as there are points, at most; copies of one lie together."""
    count = min(len(rows), points)
    return rows[((np.arange(count) + 0.5) * len(rows) / count).astype(int)]


def directions(dim: int) -> np.ndarray:
    """Unit vectors `[64, dim]`: in the plane spread evenly, in more dimensions random ones."""
    if dim == 2:
        angles = np.pi * np.arange(DIRECTIONS) / DIRECTIONS
        return np.stack([np.cos(angles), np.sin(angles)], axis=1)
    bits = np.random.PCG64(data.SPLIT_SEED).random_raw(DIRECTIONS * dim) >> np.uint64(11)
    normals = scipy.special.ndtri((bits + 0.5) * 2.0**-53).reshape(DIRECTIONS, dim)
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def radii(rows: np.ndarray) -> np.ndarray:
    """The distance `[N]` of each row to its 5th neighbour; of copies half that to another row."""
    kept = min(NEIGHBOURS + 1, len(rows))
    found = scipy.spatial.KDTree(rows).query(rows, [kept])[0][:, 0]
    copies = found == 0
    if copies.any():
        different = np.unique(rows, axis=0)
        if len(different) > 1:
            nearest, _ = scipy.spatial.KDTree(different).query(rows[copies], [2])
            found[copies] = nearest[:, 0] / 2
    return found


def _mean_distance(rows: np.ndarray) -> float:
    """Of each pair of rows, those of a row with itself too."""
    parts = np.array_split(rows, -(-len(rows) // TOGETHER))
    return sum(scipy.spatial.distance.cdist(part, rows).sum() for part in parts) / len(rows) ** 2
