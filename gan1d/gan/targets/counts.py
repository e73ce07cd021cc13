"""Counts: laws on the whole numbers, as tables, in standard coordinates k = (x - loc) / scale.

  poisson            P(k) = rate^k exp(-rate) / k!
  binomial           P(k) = C(n, k) p^k (1 - p)^(n - k), with n = `trials`, p = `probability`
  negative_binomial  P(k) = Gamma(k + r) / (k! Gamma(r)) p^r (1 - p)^k: failures before the r-th
                     success, with r = `successes`, p = `probability`, as scipy.stats has it

They have masses and no density, and every number of theirs is known before anything is traced.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gan1d.gan.targets import data
from gan1d.system.lazy import Array, jnp

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

BEYOND = 1e-9  # of a law on either side, that tables leave out: uniforms come in steps of 1.2e-7
RARE = 0.001  # of a law on either side, where counts are no modes
# Three standard deviations of a mode are a fifth of the way to the next count: of what is spread
# evenly between counts less than half is at modes.
MODE_STD = 1 / 15
SNAP = 1e-3  # so much below a count is at it: floats around loc have no more digits
REACH = 60.0  # stds above the mean, where there is nothing left of any law


class Law(NamedTuple):
    """A law on consecutive counts, in float64."""

    first: int
    masses: np.ndarray  # [K] of the counts from the first on, 1 together

    @property
    def places(self) -> np.ndarray:
        """The counts `[K]`."""
        return self.first + np.arange(len(self.masses))

    @property
    def levels(self) -> np.ndarray:
        """P(T <= k) of each count, `[K]`."""
        return np.minimum(np.cumsum(self.masses), 1.0)

    @property
    def mean(self) -> float:
        """E[T]."""
        return float(self.masses @ self.places)

    @property
    def std(self) -> float:
        """The standard deviation."""
        return float((self.masses @ (self.places - self.mean) ** 2) ** 0.5)

    @property
    def usual(self) -> slice:
        """Which of the counts are between the quantiles at 0.1% and 99.9%."""
        low, high = np.searchsorted(self.levels, [RARE, 1 - RARE])
        return slice(int(low), int(high) + 1)


def _law(log_mass: Callable[[np.ndarray], np.ndarray], mean: float, variance: float) -> Law:
    """A law by the logarithm of its masses, up to a factor, and its moments."""
    k = np.arange(int(mean + REACH * variance**0.5 + REACH))
    logs = log_mass(k)
    masses = np.exp(logs - logs.max())
    masses /= masses.sum()
    below, above = np.cumsum(masses), np.cumsum(masses[::-1])[::-1]
    kept = np.flatnonzero((below > BEYOND) & (above > BEYOND))
    masses = masses[kept[0] : kept[-1] + 1]
    return Law(int(kept[0]), masses / masses.sum())


@functools.lru_cache(64)
def _poisson(rate: float) -> Law:
    from scipy import special

    return _law(lambda k: k * np.log(rate) - special.gammaln(k + 1), rate, rate)


@functools.lru_cache(64)
def _binomial(n: int, p: float) -> Law:
    from scipy import special

    def log_mass(k: np.ndarray) -> np.ndarray:
        ways = -special.gammaln(k + 1) - special.gammaln(np.maximum(n - k, 0) + 1)
        return np.where(k <= n, ways + k * np.log(p) + (n - k) * np.log1p(-p), -np.inf)

    return _law(log_mass, n * p, n * p * (1 - p))


@functools.lru_cache(64)
def _negative_binomial(r: float, p: float) -> Law:
    from scipy import special

    mean = r * (1 - p) / p
    return _law(
        lambda k: special.gammaln(k + r) - special.gammaln(k + 1) + k * np.log1p(-p),
        mean,
        mean / p,
    )


LAWS: dict[str, Callable[["TargetFields"], Law]] = {
    "poisson": lambda target: _poisson(target.rate),
    "binomial": lambda target: _binomial(target.trials, target.probability),
    "negative_binomial": lambda target: _negative_binomial(target.successes, target.probability),
}


def law(target: "TargetFields") -> Law:
    """That of a target of counts."""
    return LAWS[target.kind](target)


def quantile(target: "TargetFields", u: Array) -> Array:
    """The least count that a share u of the law is not above, any shape; so samples are drawn."""
    known = law(target)
    ends = jnp.asarray(known.levels[:-1, None], jnp.float32)
    return (known.first + data.count_below(ends, u, strictly=True)).astype(u.dtype)


def cdf(target: "TargetFields", t: Array) -> Array:
    """P(T <= t), any shape."""
    return _up_to(target, jnp.floor(_inside(target, t) + SNAP))


def cdf_below(target: "TargetFields", t: Array) -> Array:
    """P(T < t), any shape."""
    return _up_to(target, jnp.ceil(_inside(target, t) - SNAP) - 1)


def _inside(target: "TargetFields", t: Array) -> Array:
    """Places t, those beyond all counts nearer to them."""
    known = law(target)
    return jnp.clip(t, known.first - 1, known.first + len(known.masses))


def _up_to(target: "TargetFields", k: Array) -> Array:
    """P(T <= k) of whole numbers."""
    known = law(target)
    levels = jnp.asarray(np.concatenate([[0.0], known.levels]), jnp.float32)
    index = jnp.clip(k.astype(jnp.int32) - (known.first - 1), 0, len(known.masses))
    return levels.at[index].get(mode="promise_in_bounds")


def modes(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights, places and widths `[K]` of the counts that are its modes: but for the rare ends."""
    known = law(target)
    masses, places = known.masses[known.usual], known.places[known.usual]
    shares, widths = masses / masses.sum(), np.full(len(places), MODE_STD)
    return (
        jnp.asarray(shares, jnp.float32),
        jnp.asarray(places, jnp.float32),
        jnp.asarray(widths, jnp.float32),
    )
