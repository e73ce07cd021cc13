"""Losses of G that need no D: distances between the batches of rows themselves."""

from typing import TYPE_CHECKING

from gan1d.gan.losses.loss import Loss
from gan1d.gan.numerics import safe_sqrt
from gan1d.system.lazy import Array, jax, jnp

if TYPE_CHECKING:
    from gan1d.gan.losses import LossFields


def _squares(one: Array, other: Array) -> Array:
    """The squared distance of each row from each other one, `[B, B]`."""
    return ((one[:, None] - other[None]) ** 2).sum(-1)


def mmd(loss: "LossFields", real: Array, fake: Array) -> Array:
    """The squared maximum mean discrepancy by a sum of Gaussian kernels, `[]`.

    Gretton et al. 2012, equation 5: the estimate that counts a row with itself, so never negative.
    As a generator's loss Li et al. 2015 (arXiv 1502.02761) and Dziugaite et al. 2015 (1505.03906).
    """

    def kernel(one: Array, other: Array) -> Array:
        squares = _squares(one, other)
        return sum(
            (jnp.exp(-squares / (2 * width**2)).mean() for width in loss.bandwidths), jnp.zeros(())
        )

    return kernel(real, real) + kernel(fake, fake) - 2 * kernel(real, fake)


def energy(loss: "LossFields", real: Array, fake: Array) -> Array:
    """The energy distance 2 E|x - y| - E|x - x'| - E|y - y'|, a row with itself counted, `[]`.

    Szekely & Rizzo 2013; as a generator's loss Bellemare et al. 2017 (arXiv 1705.10743), here
    without their critic.
    """
    del loss

    def apart(one: Array, other: Array) -> Array:
        return safe_sqrt(_squares(one, other)).mean()

    return 2 * apart(real, fake) - apart(real, real) - apart(fake, fake)


def ranks(loss: "LossFields", real: Array, fake: Array) -> Array:
    """ISL: how far the ranks of real rows among `ranks` generated ones are from uniform, `[]`.

    De Frutos et al. 2024 (AISTATS), and their code: a rank is a sum of sigmoids of 10 times the
    differences, its histogram one of Gaussians of width 0.1. Here a row is ranked among those that
    follow its place in the batch, whose order says nothing. On the line only.
    """
    following = (jnp.roll(fake[:, 0], -k) for k in range(1, loss.ranks + 1))
    rank = sum((jax.nn.sigmoid(10.0 * (real[:, 0] - row)) for row in following), jnp.zeros(()))
    places = jnp.arange(loss.ranks + 1.0)
    shares = jnp.exp(-0.5 * ((rank[:, None] - places[None]) / 0.1) ** 2).sum(0)
    return ((shares / shares.sum() - 1 / (loss.ranks + 1)) ** 2).sum()


def _nothing(loss: "LossFields", real: Array, fake: Array) -> Array:
    return jnp.zeros_like(real)


MMD = Loss(
    "no D, maximum mean discrepancy of the batches, GMMN: Li et al. 2015 (arXiv 1502.02761)",
    d=_nothing,
    g=_nothing,
    of_rows=mmd,
)
ENERGY = Loss(
    "no D, energy distance of the batches, Cramer GAN: Bellemare et al. 2017 (arXiv 1705.10743)",
    d=_nothing,
    g=_nothing,
    of_rows=energy,
)
RANKS = Loss(
    "no D, ranks of real rows among generated ones, ISL: De Frutos et al. 2024 (AISTATS)",
    d=_nothing,
    g=_nothing,
    of_rows=ranks,
    paired=True,
)
