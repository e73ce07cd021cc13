"""Judging generators of a target that is made of normals, its modes, on the line or in the plane.

Counts and flat clusters are modes too: of a std such that what is at one is within 3 of them.

The conventions are those of VEEGAN (Srivastava et al. 2017) and PacGAN (Lin et al. 2018): a row is
of high quality if it is within 3 standard deviations of a mode, and belongs to one mode at most.
Where it is that near several, on a line of overlapping modes of several widths, it belongs to the
one that most likely made it: the nearest in space would leave a narrow mode what a wide one makes
around it, and the nearest in stds would leave a narrow one in the midst of a wide one nothing. Of
modes that are all alike, as those of a ring or grid are, it is the nearest by any rule.

How many modes are hit, and what the shares of modes are worth, depends on how many rows one looks
at: 2500, as in these papers.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array

from gan1d.gan import latents, targets
from gan1d.gan.metrics.metric import Judged, Metric, shared
from gan1d.gan.setting import Setting
from gan1d.gan.targets import Modes, TargetFields
from gan1d.gan.targets.plane import Factors

MODE_STDS = 3.0  # a row of high quality is at most so far from a mode
CORE_STDS = 2.0  # a row at the core of one
MOST_MODES = 100  # of a target, so that each one's mass is kept
LEAST_SHARE = 1e-9  # of the target at a mode, where a logarithm is taken of it
SURE = 0.006  # of a target: no perfect sampler misses a mode of as much in 2500 rows, but 1 in 10^6
TOGETHER = 50  # rows that are looked at together, at most: all of them would take much memory
PER_MODE = 500  # rows of each mode that its share is found by


def shares(target: TargetFields) -> Array:
    """How much of the target's rows of high quality is at each mode, `[K]`, 1 together.

    By rows of each component, since where these overlap one takes from another. Modes that are all
    alike have like shares.
    """
    made = targets.normals(target)
    count, dim = made.centres.shape
    if targets.has_like_modes(target) or count == 1:
        return made.weights
    levels = jnp.asarray(latents.levels(PER_MODE, dim))
    own = MODE_STDS * (2 * levels - 1) if made.flat else jax.scipy.special.ndtri(levels)
    rows = made.centres[:, None] + _spread(made, own)
    weights = jnp.broadcast_to(made.weights[:, None], rows.shape[:2])
    found = _masses(made, rows.reshape(-1, dim), weights.reshape(-1))
    found = jnp.maximum(found, LEAST_SHARE)
    return found / found.sum()


def least_std(target: TargetFields) -> Array:
    """The standard deviation of the narrowest mode, as `generated_std` would have it, `[]`."""
    made = targets.normals(target)
    if targets.dim(target) == 1:
        return targets.scale(target) * made.stds.min()
    stds = made.stds[:, None] if made.factors is None else made.factors.stds()
    return (stds * (targets.scale(target) / targets.std(target))[None]).mean(1).min()


def _spread(made: Modes, rows: Array) -> Array:
    """Rows `[N, X]` in stds as those of each mode are around its centre, `[K, N, X]`."""
    if made.factors is None:
        return made.stds[:, None, None] * rows[None]
    return Factors(*(each[:, None] for each in made.factors)).spread(rows[None])


def _in_stds(made: Modes, rows: Array) -> Array:
    """Rows `[N, X]` as each mode has them, `[N, K, X]`: its own are standard normal."""
    apart = rows[:, None] - made.centres[None]
    if made.factors is None:
        return apart / made.stds[None, :, None]
    return Factors(*(each[None] for each in made.factors)).gathered(apart)


def _masses(made: Modes, rows: Array, weights: Array, reach: float = MODE_STDS) -> Array:
    """The weights `[N]` of the rows `[N, X]`, in standard coordinates, at each mode: `[K]`."""
    together = math.gcd(rows.shape[0], TOGETHER)
    # Of the density of each mode, twice minus its logarithm is this and the square of the distance.
    cost = 2 * made.centres.shape[1] * jnp.log(made.stds) - 2 * jnp.log(made.weights)

    def add(masses: Array, some: tuple[Array, Array]) -> tuple[Array, None]:
        rows, weights = some
        squares = (_in_stds(made, rows) ** 2).sum(-1)
        likely = jnp.where(squares <= reach**2, -squares - cost[None], -jnp.inf)
        best = likely.max(1, keepdims=True)
        at = (likely == best) & (best > -jnp.inf)
        # Rows midway between modes are shared out.
        each = weights / jnp.maximum(at.sum(1), 1)
        return masses + (at * each[:, None]).sum(0), None

    chunks = rows.reshape(-1, together, rows.shape[1]), weights.reshape(-1, together)
    return jax.lax.scan(add, jnp.zeros(made.centres.shape[0]), chunks)[0]


@shared
def _counts(judged: Judged) -> Array:
    """How many rows of high quality are at each mode, `[K]`."""
    target, rows = judged.setting.target, judged.mode_rows
    rows = targets.standardise(target, rows)
    return _masses(targets.normals(target), rows, jnp.ones(rows.shape[0]))


def _core(judged: Judged) -> Array:
    """The share of rows within 2 standard deviations of a mode.

    Where modes are wide, what lies between them is within 3 of one, and is found by this.
    """
    target, rows = judged.setting.target, judged.mode_rows
    standard, ones = targets.standardise(target, rows), jnp.ones(rows.shape[0])
    return _masses(targets.normals(target), standard, ones, CORE_STDS).sum() / rows.shape[0]


def _of_all_rows(judged: Judged) -> Array:
    return _counts(judged) / judged.mode_rows.shape[0]


@shared
def _distributions(judged: Judged) -> tuple[Array, Array, Array]:
    """Shares of the modes `[K]` among generated rows of high quality, and in the target.

    And whether there are such rows at all.
    """
    counts, p = _counts(judged), judged.reference.shares
    if p is None:
        raise ValueError("the target has no modes")
    total = counts.sum()
    return counts / jnp.maximum(total, 1.0), p, total > 0


def _hit(judged: Judged) -> Array:
    """How many modes have a row, `[]`; of counts those that only a fault can leave without one."""
    hit = _counts(judged) > 0
    if judged.setting.target.kind in targets.COUNTS:
        _, p, _ = _distributions(judged)
        hit &= p >= SURE
    return hit.sum().astype(judged.mode_rows.dtype)


def _divergence(q: Array, p: Array) -> Array:
    """Of Kullback and Leibler, of q from p, in nats."""
    some = q > 0
    return (q * jnp.log(jnp.where(some, q, 1.0) / jnp.where(some, p, 1.0))).sum()


def _reverse_kl(judged: Judged) -> Array:
    q, p, any_captured = _distributions(judged)
    # Without a row at any mode, what it is with all of them at the rarest: nothing is worse.
    worst = -jnp.log(p.min())
    return jnp.where(any_captured, jnp.maximum(_divergence(q, p), 0.0), worst)


def _jensen_shannon(judged: Judged) -> Array:
    q, p, any_captured = _distributions(judged)
    middle = 0.5 * (p + q)
    found = 0.5 * (_divergence(q, middle) + _divergence(p, middle))
    return jnp.where(any_captured, jnp.maximum(found, 0.0), math.log(2))


def has_modes(setting: Setting) -> bool:
    """Whether its target is made of normals."""
    return targets.mode_count(setting.target) > 0


def has_no_modes(setting: Setting) -> bool:
    """Whether its target is made of something else."""
    return not has_modes(setting)


def has_several_modes(setting: Setting) -> bool:
    """Whether its target is made of more than one."""
    return targets.mode_count(setting.target) > 1


def _may_be_wide(setting: Setting) -> bool:
    return has_several_modes(setting) and not targets.has_like_modes(setting.target)


def has_masses(target: TargetFields) -> bool:
    """Whether the mass at each of its modes is kept."""
    return 0 < targets.mode_count(target) <= MOST_MODES


METRICS: dict[str, Metric] = {
    # The target itself has 99.73 % there on the line, and 1 - exp(-9 / 2) = 98.89 % in the plane.
    "high_quality": Metric(
        lambda judged: _counts(judged).sum() / judged.mode_rows.shape[0],
        "share of samples within 3 standard deviations of a mode",
        better="higher",
        applies=has_modes,
        of_samples_alone=True,
    ),
    "core": Metric(
        _core,
        "share of samples within 2 standard deviations of a mode",
        better="higher",
        applies=_may_be_wide,
        of_samples_alone=True,
    ),
    "modes": Metric(
        _hit,
        "modes with at least one sample within 3 standard deviations",
        unit="modes",
        better="higher",
        applies=has_modes,
        of_samples_alone=True,
    ),
    "mode_mass": Metric(
        _of_all_rows,
        "share of samples at each mode, within 3 standard deviations of it",
        dims=("target_mode",),
        applies=lambda setting: has_masses(setting.target),
        of_samples_alone=True,
    ),
    "reverse_kl": Metric(
        _reverse_kl,
        "Kullback-Leibler divergence of the modes' shares from the target's, of captured samples",
        unit="nats",
        better="lower",
        applies=has_several_modes,
        of_samples_alone=True,
    ),
    "js": Metric(
        _jensen_shannon,
        "Jensen-Shannon divergence of the modes' shares from the target's, of captured samples",
        unit="nats",
        better="lower",
        applies=has_several_modes,
        of_samples_alone=True,
    ),
}
