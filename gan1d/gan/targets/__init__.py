"""The distributions to be learned: location-scale families on the line and in the plane, and data.

Every family is written in standard coordinates t = (x - loc) / scale: `line` has those with a
density, CDF and quantiles in closed form, `counts` those with masses instead, `plane` curves and
clusters with noise around them. The functions here take the setting's `target` section and work in
data coordinates. A target has `dim` coordinates; loc and scale are the same for all of them, or in
the plane pairs. X below is dim. Own data (`data`) have as many coordinates as columns, and are
neither moved nor scaled; X = 1 is the line here too.
"""

from collections import ChainMap
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from gan1d.gan.spec import OFF, Value, choice, field, filled, number, pytree
from gan1d.gan.targets import counts, data, line, mixture, plane
from gan1d.gan.targets.deviations import LEAST_SLICES, Point
from gan1d.system.lazy import Array, jax, jnp

LINE = line.FAMILIES
PLANE = plane.FAMILIES
COUNTS = counts.LAWS
DATA = {data.KIND: "rows of a file, or of an array"}
FAMILIES: ChainMap[str, Any] = ChainMap({}, DATA, COUNTS, LINE, PLANE)
MIXTURES = ("mixture", "plane_mixture")
MIXTURE = ("kind", *MIXTURES)  # what `only` says of several fields
OF_DATA = ("kind", data.KIND)
# The heaviest tails that can be judged: 501 even samples have at least half of the law's std.
LEAST_FREEDOM, LEAST_PARETO, MOST_SIGMA = 2.1, 2.2, 1.5


def _is_family(kind: str) -> bool:
    """any but data"""  # noqa: D403, D415 - as `Condition.words` has it
    return kind != data.KIND


def _is_noisy(kind: str) -> bool:
    """any in the plane but plane_mixture"""  # noqa: D403, D415 - as `Condition.words` has it
    return kind in PLANE and PLANE[kind].components is None


@pytree
class TargetFields:
    """The distribution to be learned."""

    kind: str = choice("gaussian", "family, or data", FAMILIES, label="target")
    loc: Value = number(
        4.0,
        "location; in the plane of both coordinates, or of each",
        unit="data units",
        label="target loc",
        only=("kind", _is_family),
        pairs=True,
    )
    scale: Value = number(
        0.5,
        "scale; in the plane of both coordinates, or of each",
        pairs=True,
        low=0,
        open_low=True,
        unit="data units",
        label="target scale",
        only=("kind", _is_family),
    )
    weights: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixtures: weights, normalised",
        low=0,
        open_low=True,
        unit="ratio",
        label="weights",
        only=MIXTURE,
    )
    means: tuple[float, ...] = number(
        (-2.0, 2.0),
        "mixture: means, before loc and scale",
        unit="target scales",
        label="means",
        only=("kind", "mixture"),
    )
    centres: tuple[tuple[float, float], ...] = number(
        ((-1.0, 0.0), (1.0, 0.0)),
        "plane_mixture: centres, pairs of coordinates before loc and scale",
        unit="target scales",
        label="centres",
        only=("kind", "plane_mixture"),
    )
    stds: tuple[float, ...] = number(
        (0.5, 0.5),
        "mixtures: standard deviations, in the plane of each coordinate",
        low=0,
        open_low=True,
        unit="target scales",
        label="stds",
        only=MIXTURE,
    )
    shape: float = field(
        3.0,
        f"gamma and Weibull: k; Pareto: alpha, at least {LEAST_PARETO:g}",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="shape",
        only=("kind", "gamma", "weibull", "pareto"),
    )
    sigma: float = field(
        0.5,
        "lognormal: standard deviation of the logarithm, before loc and scale",
        low=0.01,
        high=MOST_SIGMA,
        unit="ratio",
        label="sigma",
        only=("kind", "lognormal"),
    )
    alpha: float = field(
        2.0,
        "beta: alpha, of the end at 0",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="alpha",
        only=("kind", "beta"),
    )
    beta: float = field(
        5.0,
        "beta: beta, of the end at 1",
        low=0.5,
        high=100.0,
        unit="ratio",
        label="beta",
        only=("kind", "beta"),
    )
    rate: float = field(
        4.0,
        "Poisson: mean, before loc and scale",
        low=0.1,
        high=1000.0,
        unit="counts",
        label="rate",
        only=("kind", "poisson"),
    )
    trials: int = field(
        10,
        "binomial: n",
        low=1,
        high=1000,
        unit="counts",
        label="trials",
        only=("kind", "binomial"),
    )
    successes: float = field(
        3.0,
        "negative binomial: r, of which failures come before",
        low=0.5,
        high=100.0,
        unit="counts",
        label="successes",
        only=("kind", "negative_binomial"),
    )
    probability: float = field(
        0.3,
        "binomial, negative binomial: p, of a success",
        low=0.01,
        high=0.99,
        unit="ratio",
        label="probability",
        only=("kind", "binomial", "negative_binomial"),
    )
    freedom: float = field(
        4.0,
        "Student's t: degrees of freedom; with 1 it is kind cauchy",
        low=LEAST_FREEDOM,
        high=1000.0,
        unit="ratio",
        label="degrees of freedom",
        only=("kind", "student_t"),
    )
    noise: float = number(
        0.02,
        "2-D: std of the normal noise around the curve or the modes, before scale",
        low=0,
        unit="target scales",
        label="target noise",
        only=("kind", _is_noisy),
    )
    modes: int = field(
        8,
        "ring: modes; grid: modes along a side",
        low=1,
        high=64,
        unit="modes",
        label="modes",
        only=("kind", "ring", "grid"),
    )
    file: str = field(
        "", "table of numbers: .csv, .tsv, .parquet, .npy or .nc", label="file", only=OF_DATA
    )
    columns: tuple[str, ...] = field(
        (), "columns to be learned, by their names; (): all", label="columns", only=OF_DATA
    )
    weight: str = field(
        "", "column of the rows' weights; none where empty", label="weight", only=OF_DATA
    )
    held_out: float = field(
        0.2,
        f"share of the rows that judge and do not train, {data.MOST_HELD_OUT} rows at most",
        low=0.01,
        high=0.9,
        unit="ratio",
        label="held out",
        only=OF_DATA,
    )
    standardise: str = choice(
        OFF,
        "each column less its mean and over its std, of the rows that train",
        (OFF, "on"),
        label="standardised",
        only=OF_DATA,
    )
    digest: str = field("", "SHA-256 of the file, filled in where empty", only=OF_DATA)
    rows: Any = filled()  # data.Rows of own data, None of families


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
    """Normals that a target is made of, in standard coordinates, or counts with a width."""

    weights: Array  # [K], 1 together
    centres: Array  # [K, X]
    stds: Array  # [K] of each coordinate


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
    return Modes(weights, centres.reshape(len(stds), -1), stds)


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
