"""The losses of a D whose raw output is a score."""

from typing import TYPE_CHECKING

from gan1d.gan.losses.cross_entropy import label_at_rest, labels
from gan1d.gan.losses.loss import Loss
from gan1d.system.lazy import Array, jax

if TYPE_CHECKING:
    from gan1d.gan.losses import LossFields


def _hinge(x: Array) -> Array:
    """max(0, x); at its kink, as a relu's, the slope is 0."""
    return jax.nn.relu(x)


def _least_squares(loss: "LossFields", real: Array, fake: Array) -> Array:
    label, fake_label = labels(loss)
    return 0.5 * ((real - label) ** 2 + (fake - fake_label) ** 2)


LEAST_SQUARES = Loss(
    "LSGAN, labels 0, 1, 1: Mao et al. 2017 (arXiv 1611.04076), equation 9",
    d=_least_squares,
    g=lambda loss, real, fake: 0.5 * (fake - 1) ** 2,
    rest=label_at_rest,
    read=lambda loss, output: output,
)
# By which G minimises Pearson's chi-squared divergence.
LEAST_SQUARES_PEARSON = Loss(
    "LSGAN, labels -1, 1, 0: its equation 8",
    d=lambda loss, real, fake: 0.5 * ((real - 1) ** 2 + (fake + 1) ** 2),
    g=lambda loss, real, fake: 0.5 * fake**2,
    rest=lambda loss: 0.0,
    read=lambda loss, output: (output + 1) / 2,
)
WASSERSTEIN = Loss(
    "WGAN, of a D whose slopes are kept in bounds: Arjovsky et al. 2017 (arXiv 1701.07875)",
    d=lambda loss, real, fake: fake - real,
    g=lambda loss, real, fake: -fake,
)
HINGE = Loss(
    "max(0, 1 - D) + max(0, 1 + D), geometric GAN: Lim & Ye 2017 (arXiv 1705.02894)",
    d=lambda loss, real, fake: _hinge(1 - real) + _hinge(1 + fake),
    g=lambda loss, real, fake: -fake,
    rest=lambda loss: 0.0,
)

# Jolicoeur-Martineau 2018 (arXiv 1807.00734): is a real row more real than a generated one? Either
# than the one that it is paired with (RSGAN, and the same of least squares and hinges), or than the
# mean of the batch (RaSGAN, RaLSGAN, RaHingeGAN), whose gradient counts. The sums are the paper's;
# its code halves those of means.
RELATIVISTIC = Loss(
    "RSGAN, row by row: Jolicoeur-Martineau 2018 (arXiv 1807.00734)",
    d=lambda loss, real, fake: jax.nn.softplus(fake - real),
    g=lambda loss, real, fake: jax.nn.softplus(real - fake),
    rest=lambda loss: 0.0,
    paired=True,
)
RELATIVISTIC_LEAST_SQUARES = Loss(
    "row by row, with least squares: the same paper",
    d=lambda loss, real, fake: (real - fake - 1) ** 2,
    g=lambda loss, real, fake: (fake - real - 1) ** 2,
    rest=lambda loss: 0.0,
    paired=True,
)
RELATIVISTIC_HINGE = Loss(
    "row by row, with hinges: the same paper",
    d=lambda loss, real, fake: _hinge(1 - (real - fake)),
    g=lambda loss, real, fake: _hinge(1 - (fake - real)),
    rest=lambda loss: 0.0,
    paired=True,
)
RELATIVISTIC_AVERAGE = Loss(
    "RaSGAN, against means of the batch: the same paper",
    d=lambda loss, real, fake: (
        jax.nn.softplus(fake.mean() - real) + jax.nn.softplus(fake - real.mean())
    ),
    g=lambda loss, real, fake: (
        jax.nn.softplus(real - fake.mean()) + jax.nn.softplus(real.mean() - fake)
    ),
    rest=lambda loss: 0.0,
)
RELATIVISTIC_AVERAGE_LEAST_SQUARES = Loss(
    "RaLSGAN, means of least squares: the same paper",
    d=lambda loss, real, fake: (real - fake.mean() - 1) ** 2 + (fake - real.mean() + 1) ** 2,
    g=lambda loss, real, fake: (real - fake.mean() + 1) ** 2 + (fake - real.mean() - 1) ** 2,
    rest=lambda loss: 0.0,
)
RELATIVISTIC_AVERAGE_HINGE = Loss(
    "RaHingeGAN, means of hinges: the same paper",
    d=lambda loss, real, fake: _hinge(1 - (real - fake.mean())) + _hinge(1 + (fake - real.mean())),
    g=lambda loss, real, fake: _hinge(1 + (real - fake.mean())) + _hinge(1 - (fake - real.mean())),
    rest=lambda loss: 0.0,
)
