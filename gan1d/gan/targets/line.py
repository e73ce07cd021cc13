"""Targets on the line: families in closed form, in standard coordinates t = (x - loc) / scale.

`scale` is each family's usual parameter: the standard deviation for the Gaussian, the half-width
for the uniform, b for the Laplace, the scale of Student's t and of those in `skewed`. Shapes, and
mixtures' components, are part of the setting's `target` section.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.gan.targets import deviations, mixture, skewed, student, uniform_mixture
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
    widths: str = ""  # the field of a mixture that has its components' widths
    flat: bool = False  # whether they are uniform instead, within 3 such stds of their means
    # Of a law symmetric around 0 without moments: the share on either side that is taken for its
    # quantile there wherever a mean, a standard deviation or a distance is.
    winsorised: float = 0.0


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


def _skewed(law_of: skewed.LawOf) -> Family:
    """A family on the half-line, sampled by its quantile function."""
    return Family(
        log_prob=lambda target, t: skewed.log_prob(law_of(target), t),
        cdf=lambda target, t: skewed.cdf(law_of(target), t),
        quantile=lambda target, u: law_of(target).quantile(u),
        deviation=lambda target, *places: skewed.deviation(law_of(target), *places),
        mean=lambda target: jnp.full((), law_of(target).mean),
        std=lambda target: jnp.full((), law_of(target).std),
        sample=lambda target, u: law_of(target).quantile(u),
    )


def _student_t(freedom: Callable[["TargetFields"], float], std: Callable[[float], float]) -> Family:
    return Family(
        log_prob=lambda target, t: student.log_prob(freedom(target), t),
        cdf=lambda target, t: student.cdf(freedom(target), t),
        quantile=lambda target, u: student.quantile(freedom(target), u),
        deviation=lambda target, *places: deviations.symmetric(student.side(freedom(target)))(
            target, *places
        ),
        mean=lambda target: jnp.zeros(()),
        std=lambda target: jnp.full((), std(freedom(target))),
        sample=lambda target, u: student.quantile(freedom(target), u),
    )


def _laplace_quantile(u: Array) -> Array:
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


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
    "student_t": _student_t(lambda target: target.freedom, student.std),
    "cauchy": _student_t(
        lambda target: student.CAUCHY, lambda freedom: student.winsorised_std()
    )._replace(winsorised=student.WINSORISED),
    **{kind: _skewed(law_of) for kind, law_of in skewed.LAWS.items()},
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
        widths="stds",
    ),
    "uniform_mixture": Family(
        uniform_mixture.log_prob,
        uniform_mixture.cdf,
        uniform_mixture.quantile,
        uniform_mixture.deviation,
        uniform_mixture.mean,
        uniform_mixture.std,
        uniform_mixture.sample,
        uniform_mixture.point,
        components=uniform_mixture.modes,
        widths="half_widths",
        flat=True,
    ),
}
