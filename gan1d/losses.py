"""Adversarial losses as per-sample formulas on the discriminator's raw output.

Each takes outputs `[B]` and the `loss` section, and returns `[B]`; the caller takes the mean. All
are minimised. For a probability p the sources take log max(p, floor) (AYLIEN 2017: floor 1e-5);
max(log sigmoid(output), log floor) is that formula, gradient included, without its overflow.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Loss(NamedTuple):
    """A pair of losses, and what makes of D's output the number that is 1/2 at the optimum."""

    discriminator: Callable[[Any, Array, Array], Array]  # (loss, real, fake) -> [B]
    generator: Callable[[Any, Array], Array]  # (loss, fake) -> [B]
    probability: Callable[[Array], Array]


def _log_probability(loss: Any, logits: Array) -> Array:
    return jnp.maximum(jax.nn.log_sigmoid(logits), jnp.log(loss.log_floor))


def _cross_entropy(loss: Any, real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z)))."""
    return -_log_probability(loss, real) - _log_probability(loss, -fake)


LOSSES = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), section 3: G maximises log D(G(z)).
    "non_saturating": Loss(
        discriminator=_cross_entropy,
        generator=lambda loss, fake: -_log_probability(loss, fake),
        probability=jax.nn.sigmoid,
    ),
    # The same paper's minimax game, equation 1: G minimises log(1 - D(G(z))).
    "saturating": Loss(
        discriminator=_cross_entropy,
        generator=lambda loss, fake: _log_probability(loss, -fake),
        probability=jax.nn.sigmoid,
    ),
    # Mao et al. 2017 (arXiv 1611.04076), equation 9: a = 0, b = c = 1.
    "least_squares": Loss(
        discriminator=lambda loss, real, fake: 0.5 * ((real - 1) ** 2 + fake**2),
        generator=lambda loss, fake: 0.5 * (fake - 1) ** 2,
        probability=lambda output: output,
    ),
}
