"""The distributions to be learned: location-scale families on the line and in the plane, and data.

Every family is written in standard coordinates t = (x - loc) / scale: `line` has those with a
density, CDF and quantiles in closed form, `counts` those with masses instead, `plane` curves and
clusters with noise around them. The functions here take the setting's `target` section and work in
data coordinates. A target has `dim` coordinates; loc and scale are the same for all of them, or in
the plane pairs. X below is dim. Own data (`data`) have as many coordinates as columns, and are
neither moved nor scaled; X = 1 is the line here too.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from gan1d.gan.spec import Value
from gan1d.gan.targets import counts, data, mixture, plane
from gan1d.gan.targets.deviations import LEAST_SLICES, Point
from gan1d.gan.targets.section import (
    COUNTS,
    DATA,
    FAMILIES,
    LEAST_FREEDOM,
    LEAST_PARETO,
    LINE,
    MIXTURES,
    MOST_SIGMA,
    PLANE,
    TargetFields,
)
from gan1d.system.lazy import Array, jax, jnp

__all__ = [
    "COUNTS",
    "DATA",
    "FAMILIES",
    "LEAST_FREEDOM",
    "LEAST_PARETO",
    "LINE",
    "MIXTURES",
    "MOST_SIGMA",
    "PLANE",
    "Modes",
    "TargetFields",
    "cdf",
    "curve",
    "deviation",
    "deviation_of_slices",
    "dim",
    "has_like_modes",
    "log_prob",
    "mean",
    "mode_count",
    "modes",
    "normals",
    "pieces",
    "point",
    "quantile",
    "sample",
    "scale",
    "standardise",
    "std",
    "uniforms",
    "winsorised",
    "winsorised_share",
]


def dim(target: TargetFields) -> int:
    """How many coordinates a row of data has."""
    if target.kind == data.KIND:
        return len(target.columns)
    return 2 if target.kind in PLANE else 1


def uniforms(target: TargetFields) -> int:
    """How many uniforms `sample` makes a row of data from."""
    return plane.UNIFORMS if target.kind in PLANE else 1


def sample(target: TargetFields, u: Array) -> Array:
    """Rows `[..., X]` of the target from `uniforms(target)` uniforms each, `[..., uniforms]`.

    The uniforms are in the open interval (0, 1).
    """
    if target.kind == data.KIND:
        return data.sample(target, u)
    if target.kind in PLANE:
        return _placed(target, plane.sample(target, u))
    if target.kind in COUNTS:
        return target.loc + target.scale * counts.quantile(target, u)
    return target.loc + target.scale * LINE[target.kind].sample(target, u)


def mean(target: TargetFields) -> Array:
    """E[X], of a law without moments that of `winsorised` values: a scalar, or `[X]`."""
    if target.kind == data.KIND:
        return target.rows.mean[0] if dim(target) == 1 else target.rows.mean
    if target.kind in PLANE:
        return _placed(target, plane.mean(target))
    if target.kind in COUNTS:
        return target.loc + target.scale * jnp.asarray(counts.law(target).mean)
    return target.loc + target.scale * LINE[target.kind].mean(target)


def std(target: TargetFields) -> Array:
    """The standard deviation, of `winsorised` values too: a scalar, or each coordinate's, `[X]`."""
    if target.kind == data.KIND:
        return target.rows.std[0] if dim(target) == 1 else target.rows.std
    if target.kind in PLANE:
        return scale(target) * plane.std(target)
    if target.kind in COUNTS:
        return target.scale * jnp.asarray(counts.law(target).std)
    return target.scale * LINE[target.kind].std(target)


def standardise(target: TargetFields, x: Array) -> Array:
    """Standard coordinates t = (x - loc) / scale of data x, any shape."""
    if target.kind not in PLANE:
        return (x - target.loc) / target.scale
    return (x - _along(target.loc, x)) / _along(target.scale, x)


def scale(target: TargetFields) -> Array:
    """The scale of every coordinate, `[]`, or in the plane where it is a pair `[2]` of each."""
    return jnp.asarray(target.scale, jnp.float32)


def _placed(target: TargetFields, t: Array) -> Array:
    """The data of standard rows `[..., 2]`."""
    return _along(target.loc, t) + _along(target.scale, t) * t


def _along(value: Value, rows: Array) -> Array:
    """A number, or a pair as what goes with rows `[..., 2]`."""
    if not isinstance(value, tuple):
        return value
    return mixture.stacked(value).reshape((1,) * (jnp.ndim(rows) - 1) + (2,))


class Modes(NamedTuple):
    """Normals that a target is made of, in standard coordinates, or what has such a width."""

    weights: Array  # [K], 1 together
    centres: Array  # [K, X]
    stds: Array  # [K] of each coordinate; of those that are not round in the geometric mean
    factors: plane.Factors | None = None  # of their covariances, where they are not round
    flat: bool = False  # whether they are uniform instead, within 3 stds of their centres


def mode_count(target: TargetFields) -> int:
    """K, of how many modes a target is made; 0 where it is made of something else."""
    if target.kind == data.KIND:
        return 0
    if target.kind in COUNTS:
        return len(counts.law(target).masses[counts.law(target).usual])
    alike, components = _alike(target), _components(target)
    if alike is not None:
        return len(alike)
    return 0 if components is None else len(jax.eval_shape(components, target)[0])


def has_like_modes(target: TargetFields) -> bool:
    """Whether a target is made of normals of one width and one weight, whatever its numbers."""
    return target.kind in PLANE and PLANE[target.kind].modes is not None


def _alike(target: TargetFields) -> np.ndarray | None:
    """The centres `[K, 2]` of modes that are all alike; None of others."""
    centres = PLANE[target.kind].modes if target.kind in PLANE else None
    return None if centres is None else centres(target)


def _components(
    target: TargetFields,
) -> Callable[[TargetFields], tuple[Array, Array, Array]] | None:
    """What gives weights, centres and stds of modes that are not all alike; None without."""
    if target.kind in COUNTS:
        return counts.modes
    return (PLANE[target.kind] if target.kind in PLANE else LINE[target.kind]).components


def normals(target: TargetFields) -> Modes:
    """The modes that a target is made of.

    Raises:
      ValueError: it is made of something else.
    """
    alike, components = _alike(target), _components(target)
    if alike is not None:
        same = jnp.ones(len(alike))
        return Modes(same / len(alike), jnp.asarray(alike, jnp.float32), target.noise * same)
    if components is None:
        raise ValueError(f"{target.kind} has no modes")
    weights, centres, stds = components(target)
    factors = PLANE[target.kind].factors if target.kind in PLANE else None
    own = None if factors is None else factors(target)
    flat = target.kind in LINE and LINE[target.kind].flat
    return Modes(weights, centres.reshape(len(stds), -1), stds, own, flat)


# On the line only.


def log_prob(target: TargetFields, x: Array) -> Array:
    """Log density of a target on the line at x, any shape; counts have none."""
    t = standardise(target, x)
    return LINE[target.kind].log_prob(target, t) - jnp.log(target.scale)


def cdf(target: TargetFields, x: Array) -> Array:
    """P(X <= x) of a target on the line, any shape."""
    if target.kind == data.KIND:
        return data.cdf(target, x)
    if target.kind in COUNTS:
        return counts.cdf(target, standardise(target, x))
    return LINE[target.kind].cdf(target, standardise(target, x))


def quantile(target: TargetFields, u: Array) -> Array:
    """The inverse of the CDF of a target on the line at levels u in [0, 1], any shape.

    Infinite tails give infinity.
    """
    if target.kind == data.KIND:
        return data.quantile(target, u)
    if target.kind in COUNTS:
        return target.loc + target.scale * counts.quantile(target, u)
    return target.loc + target.scale * LINE[target.kind].quantile(target, u)


def winsorised_share(target: TargetFields) -> float:
    """Of a target on the line without moments what is taken for its quantiles on either side.

    0 of all others: their means, standard deviations and distances are those of all of it.
    """
    return LINE[target.kind].winsorised if target.kind in LINE else 0.0


def winsorised(target: TargetFields, x: Array) -> Array:
    """Data x, any shape, but for a target without moments those beyond its ends taken for them."""
    if share := winsorised_share(target):
        ends = quantile(target, jnp.array([share, 1 - share]))
        return jnp.clip(x, ends[0], ends[1])
    return x


def point(target: TargetFields, u: Array) -> Point:
    """Standard coordinates of quantiles, to more digits than a float has where that matters.

    Of a target without moments those beyond its ends are taken for them.
    """
    family = LINE[target.kind]
    u = jnp.clip(u, family.winsorised, 1 - family.winsorised) if family.winsorised else u
    if family.point is not None:
        return family.point(target, u)
    t = family.quantile(target, u)
    return Point(t, jnp.zeros_like(t))


def deviation(target: TargetFields, low: Point, middle: Point, high: Point) -> Array:
    """The integral of |s - middle| f(s) from low to high, any shape, in standard coordinates.

    With f the density of a target on the line, and low <= middle <= high.
    """
    return LINE[target.kind].deviation(target, low, middle, high)


def deviation_of_slices(target: TargetFields, low: Point, middle: Point, high: Point) -> Array:
    """The same of slices of equal probability `[N]`, which together are the whole target: `[]`."""
    slices = LINE[target.kind].slices
    if slices is not None and low.high.shape[0] >= LEAST_SLICES:
        return slices(low, middle, high)
    return deviation(target, low, middle, high).sum()


# In the plane only.


def pieces(target: TargetFields) -> int:
    """Of how many pieces the curve under a target consists; 0 where there is none."""
    return 0 if target.kind == data.KIND else PLANE[target.kind].curve


def curve(target: TargetFields, s: Array) -> Array:
    """Points `[..., 2]` on the curve without its noise, at parameters s in [0, 1], any shape.

    A uniform s gives the target without its noise. Of `pieces` the first belongs to s from 0 to
    1 / pieces, without that end, and so on.

    Raises:
      ValueError: the family has no curve.
    """
    if not pieces(target):
        raise ValueError(f"{target.kind} has no curve")
    return _placed(target, PLANE[target.kind].place(target, s))


def modes(target: TargetFields) -> Array:
    """The centres `[K, 2]` of the Gaussians that it is made of, in data units.

    Raises:
      ValueError: the family has no modes.
    """
    return _placed(target, normals(target).centres)
