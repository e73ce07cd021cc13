"""Targets on the line: families in closed form, in standard coordinates t = (x - loc) / scale.

`scale` is each family's usual parameter: the standard deviation for the Gaussian, the half-width
for the uniform, b for the Laplace, the scale of Student's t. The mixture's components are part of
the setting's `target` section.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.gan.targets import deviations, mixture
from gan1d.gan.targets.deviations import Deviation, Point
from gan1d.system.lazy import Array, jnp, jsp, jst

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields


class Family(NamedTuple):
    """One family in standard coordinates; each function takes (target, argument)."""

    log_prob: Callable[["TargetFields", Array], Array]
    cdf: Callable[["TargetFields", Array], Array]
    quantile: Callable[["TargetFields", Array], Array]
    deviation: Deviation  # of slices around points in them: `deviations`
    mean: Callable[["TargetFields"], Array]
    std: Callable[["TargetFields"], Array]
    sample: Callable[["TargetFields", Array], Array]  # pushes u ~ U(0, 1) to the family
    # Quantiles to more digits than a float has, where slices need them.
    point: Callable[["TargetFields", Array], Point] | None = None
    # The sum of the deviations of slices of equal probability `[N]`, where it takes less than each.
    slices: Callable[[Point, Point, Point], Array] | None = None
    # Weights, means and stds `[K]` of the normals that it is made of, its modes.
    components: Callable[["TargetFields"], tuple[Array, Array, Array]] | None = None


def _inverse_transform(
    log_prob: Callable[[Array], Array],
    cdf: Callable[[Array], Array],
    quantile: Callable[[Array], Array],
    side: deviations.Side,
    std: float,
) -> Family:
    """A parameter-free symmetric family, sampled by its quantile function."""
    return Family(
        log_prob=lambda target, t: log_prob(t),
        cdf=lambda target, t: cdf(t),
        quantile=lambda target, u: quantile(u),
        deviation=deviations.symmetric(side),
        mean=lambda target: jnp.zeros(()),
        std=lambda target: jnp.full((), std),
        sample=lambda target, u: quantile(u),
    )


def _laplace_quantile(u: Array) -> Array:
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


def _student_quantile(u: Array) -> Array:
    # Shaw (2006): closed form for 4 degrees of freedom.
    root = jnp.sqrt(4 * u * (1 - u))
    ratio = jnp.cos(jnp.arccos(jnp.minimum(root, 1.0)) / 3) / root
    t = jnp.sign(u - 0.5) * 2 * jnp.sqrt(jnp.maximum(ratio - 1, 0.0))
    # ratio - 1 cancels near the median: one Newton step gives the lost digits back.
    refined = t - (deviations.student_cdf(t) - u) / deviations.student_density(t)
    return jnp.where(jnp.abs(t) < 1, refined, t)


FAMILIES: dict[str, Family] = {
    "gaussian": _inverse_transform(
        lambda t: jst.norm.logpdf(t),
        # To all digits that distances of distributions have; `deviations` has those of the tail.
        lambda t: 0.5 + 0.5 * jsp.erf(0.5**0.5 * t),
        lambda u: jsp.ndtri(u),
        deviations.smooth(
            deviations.normal_density, deviations.normal_cdf, deviations.normal_partial_mean
        ),
        1.0,
    )._replace(
        slices=deviations.normal_slices,
        components=lambda target: (jnp.ones(1), jnp.zeros(1), jnp.ones(1)),
    ),
    "uniform": _inverse_transform(
        lambda t: jst.uniform.logpdf(t, -1, 2),
        lambda t: jnp.clip((t + 1) / 2, 0, 1),
        lambda u: 2 * u - 1,
        deviations.uniform,
        3**-0.5,
    ),
    "laplace": _inverse_transform(
        lambda t: jst.laplace.logpdf(t),
        lambda t: jst.laplace.cdf(t),
        _laplace_quantile,
        deviations.laplace,
        2**0.5,
    ),
    # 4 degrees of freedom: the heaviest tail of the family with a closed form whose W1 and
    # standard deviation, which the outcomes are judged by, are both finite.
    "student_t": _inverse_transform(
        lambda t: jst.t.logpdf(t, 4),
        deviations.student_cdf,
        _student_quantile,
        deviations.smooth(
            deviations.student_density, deviations.student_cdf, deviations.student_partial_mean
        ),
        2**0.5,
    ),
    "mixture": Family(
        mixture.log_prob,
        mixture.cdf,
        mixture.quantile,
        mixture.deviation,
        mixture.mean,
        mixture.std,
        mixture.sample,
        mixture.point,
        components=mixture.components,
    ),
}
