"""Student's t in standard coordinates, by its degrees of freedom; with 1 it is Cauchy's law.

With 4 of them all is in closed form. With others CDF and quantiles are of tables.
"""

import math

from gan1d.gan.targets import tables
from gan1d.gan.targets.deviations import FAR, Side, smooth
from gan1d.system.lazy import Array, jnp, jst

CLOSED, CAUCHY = 4, 1  # degrees of freedom
# Cauchy's law has no mean, no standard deviation and no Wasserstein distance from anything. What is
# beyond this share of it on either side is taken for its quantile there (Winsor's way, Tukey 1962).
WINSORISED = 0.025
WINSORISED_END = 1 / math.tan(math.pi * WINSORISED)


def log_prob(freedom: float, t: Array) -> Array:
    """Log density, any shape."""
    if freedom == CLOSED:
        return jst.t.logpdf(t, CLOSED)
    return _log_density(freedom, t)


def cdf(freedom: float, t: Array) -> Array:
    """P(T <= t), any shape; it has all digits in its lower tail."""
    return _closed_cdf(t) if freedom == CLOSED else _cdf(freedom, t)


def quantile(freedom: float, u: Array) -> Array:
    """The inverse of the CDF at levels u in [0, 1], any shape."""
    if freedom == CLOSED:
        return _closed_quantile(u)
    y = tables.student_t(freedom).coordinate(u)
    return 0.5 * (jnp.exp(y) - jnp.exp(-y))


def side(freedom: float) -> Side:
    """E(a, c) of slices, as `deviations` has it; of Cauchy's law of finite ones."""
    return _CLOSED_SIDE if freedom == CLOSED else _side(freedom)


def std(freedom: float) -> float:
    """The standard deviation, with more than 2 degrees of freedom."""
    return (freedom / (freedom - 2)) ** 0.5


def _log_density(freedom: float, t: Array) -> Array:
    logs = math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
    constant = logs - 0.5 * math.log(math.pi * freedom)
    return constant - 0.5 * (freedom + 1) * jnp.log1p(t * t / freedom)


def _cdf(freedom: float, t: Array) -> Array:
    size = jnp.abs(t)
    return tables.student_t(freedom).cdf(jnp.sign(t) * jnp.log(size + jnp.sqrt(1 + size * size)))


def _side(freedom: float) -> Side:
    def density(t: Array) -> Array:
        return jnp.exp(_log_density(freedom, t))

    def partial_mean(t: Array) -> Array:
        t = jnp.clip(t, -FAR, FAR)
        if freedom == CAUCHY:  # of which this is but for a constant, that is infinite
            return 0.5 / math.pi * jnp.log1p(t * t)
        return -(freedom + t * t) / (freedom - 1) * density(t)

    return smooth(density, lambda t: _cdf(freedom, t), partial_mean)


def winsorised_std() -> float:
    """Of Cauchy's law, what is beyond its ends taken for them."""
    end = WINSORISED_END
    return (2 / math.pi * (end - math.atan(end)) + 2 * WINSORISED * end**2) ** 0.5


# With 4 degrees of freedom, by cos(theta) and sin(theta) of tan(theta) = t / 2.


def _closed_angle(t: Array) -> tuple[Array, Array]:
    half = jnp.clip(0.5 * t, -FAR, FAR)
    cosine = 1 / jnp.sqrt(1 + half * half)
    return cosine, half * cosine


def _closed_density(t: Array) -> Array:
    """The density, any shape."""
    cosine, _ = _closed_angle(t)
    return 0.375 * cosine**5


def _closed_cdf(t: Array) -> Array:
    """P(T <= t), any shape; it has all digits in its lower tail, and is good at infinity."""
    cosine, sine = _closed_angle(t)
    size = jnp.abs(sine)
    tail = 0.25 * (cosine**2 / (1 + size)) ** 2 * (2 + size)  # 1/2 - 3/4 size + 1/4 size^3
    return jnp.where(t < 0, tail, 1 - tail)


def _closed_partial_mean(t: Array) -> Array:
    """E[T; T <= t], any shape."""
    cosine, _ = _closed_angle(t)
    return -0.5 * cosine**3


def _closed_quantile(u: Array) -> Array:
    # Shaw (2006): closed form for 4 degrees of freedom.
    root = jnp.sqrt(4 * u * (1 - u))
    ratio = jnp.cos(jnp.arccos(jnp.minimum(root, 1.0)) / 3) / root
    t = jnp.sign(u - 0.5) * 2 * jnp.sqrt(jnp.maximum(ratio - 1, 0.0))
    # ratio - 1 cancels near the median: one Newton step gives the lost digits back.
    refined = t - (_closed_cdf(t) - u) / _closed_density(t)
    return jnp.where(jnp.abs(t) < 1, refined, t)


_CLOSED_SIDE = smooth(_closed_density, _closed_cdf, _closed_partial_mean)
