"""The distributions to be learned: location-scale families on the line and in the plane.

Every family is written in standard coordinates t = (x - loc) / scale: `line` has those with a
density, CDF and quantiles in closed form, `plane` curves and clusters with noise around them. The
functions here take the setting's `target` section and work in data coordinates. A target has `dim`
coordinates, loc and scale are the same for all of them, and X below is dim.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array

from gan1d.gan.targets import line, plane

LINE = line.FAMILIES
PLANE = plane.FAMILIES
FAMILIES = LINE | PLANE


def dim(target: Any) -> int:
    """How many coordinates a row of data has: 1 or 2."""
    return 2 if target.kind in PLANE else 1


def uniforms(target: Any) -> int:
    """How many uniforms `sample` makes a row of data from."""
    return plane.UNIFORMS if target.kind in PLANE else 1


def sample(target: Any, u: Array) -> Array:
    """Rows `[..., X]` of the target from `uniforms(target)` uniforms each, `[..., uniforms]`.

    The uniforms are in the open interval (0, 1).
    """
    if target.kind in PLANE:
        return target.loc + target.scale * plane.sample(target, u)
    return target.loc + target.scale * LINE[target.kind].sample(target, u)


def mean(target: Any) -> Array:
    """E[X]: a scalar, in the plane `[2]`."""
    if target.kind in PLANE:
        return target.loc + target.scale * plane.mean(target)
    return target.loc + target.scale * LINE[target.kind].mean(target)


def std(target: Any) -> Array:
    """The standard deviation: a scalar, in the plane each coordinate's, `[2]`."""
    if target.kind in PLANE:
        return target.scale * plane.std(target)
    return target.scale * LINE[target.kind].std(target)


def standardise(target: Any, x: Array) -> Array:
    """Standard coordinates t = (x - loc) / scale of data x, any shape."""
    return (x - target.loc) / target.scale


# On the line only.


def log_prob(target: Any, x: Array) -> Array:
    """Log density of a target on the line at x, any shape."""
    t = standardise(target, x)
    return LINE[target.kind].log_prob(target, t) - jnp.log(target.scale)


def cdf(target: Any, x: Array) -> Array:
    """P(X <= x) of a target on the line, any shape."""
    return LINE[target.kind].cdf(target, standardise(target, x))


def quantile(target: Any, u: Array) -> Array:
    """The inverse of the CDF of a target on the line at levels u in [0, 1], any shape.

    Infinite tails give infinity.
    """
    return target.loc + target.scale * LINE[target.kind].quantile(target, u)


# In the plane only.


def pieces(target: Any) -> int:
    """Of how many pieces the curve under a target consists; 0 where it has modes instead."""
    return PLANE[target.kind].curve


def curve(target: Any, s: Array) -> Array:
    """Points `[..., 2]` on the curve without its noise, at parameters s in [0, 1], any shape.

    A uniform s gives the target without its noise. Of `pieces` the first belongs to s from 0 to
    1 / pieces, without that end, and so on.

    Raises:
      ValueError: the family has no curve.
    """
    if not pieces(target):
        raise ValueError(f"{target.kind} has no curve")
    return target.loc + target.scale * PLANE[target.kind].place(target, s)


def modes(target: Any) -> Array:
    """The centres `[K, 2]` of equally likely Gaussians; each one's std is `mode_std`.

    Raises:
      ValueError: the family has no modes.
    """
    if pieces(target):
        raise ValueError(f"{target.kind} has no modes")
    centres = jnp.asarray(PLANE[target.kind].modes(target), jnp.float32)
    return target.loc + target.scale * centres


def mode_std(target: Any) -> Array:
    """The standard deviation of each coordinate around a mode, or of the noise around a curve."""
    return target.scale * target.noise
