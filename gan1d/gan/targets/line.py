"""Targets on the line: families in closed form, in standard coordinates t = (x - loc) / scale.

`scale` is each family's usual parameter: the standard deviation for the Gaussian, the half-width
for the uniform, b for the Laplace, the scale of Student's t. The mixture's components are part of
the setting's `target` section.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.system.lazy import Array, jax, jnp, jsp, jst

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields


class Family(NamedTuple):
    """One family in standard coordinates; each function takes (target, argument)."""

    log_prob: Callable[["TargetFields", Array], Array]
    cdf: Callable[["TargetFields", Array], Array]
    quantile: Callable[["TargetFields", Array], Array]
    partial_mean: Callable[["TargetFields", Array], Array]  # E[T; T <= t]
    mean: Callable[["TargetFields"], Array]
    std: Callable[["TargetFields"], Array]
    sample: Callable[["TargetFields", Array], Array]  # pushes u ~ U(0, 1) to the family


def _inverse_transform(
    log_prob: Callable[[Array], Array],
    cdf: Callable[[Array], Array],
    quantile: Callable[[Array], Array],
    partial_mean: Callable[[Array], Array],
    std: float,
) -> Family:
    """A parameter-free symmetric family, sampled by its quantile function."""
    return Family(
        log_prob=lambda target, t: log_prob(t),
        cdf=lambda target, t: cdf(t),
        quantile=lambda target, u: quantile(u),
        partial_mean=lambda target, t: partial_mean(t),
        mean=lambda target: jnp.zeros(()),
        std=lambda target: jnp.full((), std),
        sample=lambda target, u: quantile(u),
    )


def _laplace_quantile(u: Array) -> Array:
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 * (1 - u)))


def _laplace_partial_mean(t: Array) -> Array:
    distance = jnp.minimum(jnp.abs(t), 80.0)  # keeps exp(-inf) * inf from becoming NaN
    return -0.5 * jnp.exp(-distance) * (distance + 1)


def _student_cdf(t: Array) -> Array:
    # 4 degrees of freedom in s = sin(theta), tan(theta) = t / 2: good at infinity as well.
    s = jnp.sin(jnp.arctan(t / 2))
    return 0.5 + 0.75 * s - 0.25 * s**3


def _student_quantile(u: Array) -> Array:
    # Shaw (2006): closed form for 4 degrees of freedom.
    root = jnp.sqrt(4 * u * (1 - u))
    ratio = jnp.cos(jnp.arccos(jnp.minimum(root, 1.0)) / 3) / root
    t = jnp.sign(u - 0.5) * 2 * jnp.sqrt(jnp.maximum(ratio - 1, 0.0))
    # ratio - 1 cancels near the median: one Newton step gives the lost digits back.
    refined = t - (_student_cdf(t) - u) / jnp.exp(jst.t.logpdf(t, 4))
    return jnp.where(jnp.abs(t) < 1, refined, t)


def _components(target: "TargetFields") -> tuple[Array, Array, Array]:
    """Weights (normalised), means and standard deviations of the mixture, each `[K]`."""
    weights = jnp.stack([jnp.asarray(weight) for weight in target.weights])
    means = jnp.stack([jnp.asarray(mean) for mean in target.means])
    stds = jnp.stack([jnp.asarray(std) for std in target.stds])
    return weights / weights.sum(), means, stds


def _by_component(target: "TargetFields", t: Array) -> tuple[Array, Array, Array, Array]:
    """The components and t in each component's coordinates, `[..., K]`."""
    weights, means, stds = _components(target)
    shape = (1,) * jnp.ndim(t) + (-1,)
    weights, means, stds = (array.reshape(shape) for array in (weights, means, stds))
    return weights, means, stds, (t[..., None] - means) / stds


def _mixture_log_prob(target: "TargetFields", t: Array) -> Array:
    weights, _, stds, z = _by_component(target, t)
    return jax.nn.logsumexp(jnp.log(weights) + jst.norm.logpdf(z) - jnp.log(stds), axis=-1)


def _mixture_cdf(target: "TargetFields", t: Array) -> Array:
    weights, _, _, z = _by_component(target, t)
    return (weights * jst.norm.cdf(z)).sum(-1)


def _mixture_quantile(target: "TargetFields", u: Array) -> Array:
    _, means, stds = _components(target)
    low = jnp.full_like(u, (means - 9 * stds).min())
    high = jnp.full_like(u, (means + 9 * stds).max())

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        below = _mixture_cdf(target, middle) < u
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low, high = jax.lax.fori_loop(0, 40, halve, (low, high))
    middle = 0.5 * (low + high)
    return jnp.where(u <= 0, -jnp.inf, jnp.where(u >= 1, jnp.inf, middle))


def _mixture_partial_mean(target: "TargetFields", t: Array) -> Array:
    weights, means, stds, z = _by_component(target, t)
    return (weights * (means * jst.norm.cdf(z) - stds * jst.norm.pdf(z))).sum(-1)


def _mixture_mean(target: "TargetFields") -> Array:
    weights, means, _ = _components(target)
    return (weights * means).sum()


def _mixture_std(target: "TargetFields") -> Array:
    weights, means, stds = _components(target)
    mean = (weights * means).sum()
    return jnp.sqrt((weights * (stds**2 + (means - mean) ** 2)).sum())


def _mixture_sample(target: "TargetFields", u: Array) -> Array:
    # u picks the component; what is left of it, rescaled, is uniform again and draws from it.
    # Exact, and far cheaper than inverting the mixture's CDF at every update.
    weights, means, stds = _components(target)
    upper = jnp.cumsum(weights)
    shape = (1,) * jnp.ndim(u) + (-1,)
    component = (u[..., None] >= upper[:-1].reshape(shape)).sum(-1)
    rest = (u - (upper - weights)[component]) / weights[component]
    return means[component] + stds[component] * jsp.ndtri(jnp.clip(rest, 1e-7, 1 - 1e-7))


FAMILIES: dict[str, Family] = {
    "gaussian": _inverse_transform(
        lambda t: jst.norm.logpdf(t),
        lambda t: jst.norm.cdf(t),
        lambda u: jsp.ndtri(u),
        lambda t: -jst.norm.pdf(t),
        1.0,
    ),
    "uniform": _inverse_transform(
        lambda t: jst.uniform.logpdf(t, -1, 2),
        lambda t: jnp.clip((t + 1) / 2, 0, 1),
        lambda u: 2 * u - 1,
        lambda t: (jnp.clip(t, -1, 1) ** 2 - 1) / 4,
        3**-0.5,
    ),
    "laplace": _inverse_transform(
        lambda t: jst.laplace.logpdf(t),
        lambda t: jst.laplace.cdf(t),
        _laplace_quantile,
        _laplace_partial_mean,
        2**0.5,
    ),
    # 4 degrees of freedom: the heaviest tail of the family with a closed form whose W1 and
    # standard deviation, which the outcomes are judged by, are both finite.
    "student_t": _inverse_transform(
        lambda t: jst.t.logpdf(t, 4),
        _student_cdf,
        _student_quantile,
        lambda t: -0.5 * (1 + t**2 / 4) ** -1.5,
        2**0.5,
    ),
    "mixture": Family(
        _mixture_log_prob,
        _mixture_cdf,
        _mixture_quantile,
        _mixture_partial_mean,
        _mixture_mean,
        _mixture_std,
        _mixture_sample,
    ),
}
