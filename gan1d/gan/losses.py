"""Adversarial losses as per-sample formulas on the discriminator's raw output.

Each takes outputs `[B]` and the `loss` section, and returns `[B]`; the caller takes the mean. All
are minimised.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array


class Output(NamedTuple):
    """What a cross-entropy makes of D's raw outputs, by functions of (loss section, outputs)."""

    log_probability: Callable[[Any, Array], Array]  # log D
    log_complement: Callable[[Any, Array], Array]  # log(1 - D)
    probability: Callable[[Any, Array], Array]  # D as the losses see it
    estimate: Callable[[Array], Array]  # D before any clipping


def _floored(loss: Any, probability: Array) -> Array:
    return jnp.log(jnp.maximum(probability, loss.log_floor))


def _clipped(loss: Any, output: Array) -> Array:
    return jnp.clip(output, loss.clip, 1 - loss.clip)


OUTPUTS = {
    # max(log sigmoid(o), log floor) is log max(p, floor), gradient included, without its overflow.
    "logit": Output(
        lambda loss, o: jnp.maximum(jax.nn.log_sigmoid(o), jnp.log(loss.log_floor)),
        lambda loss, o: jnp.maximum(jax.nn.log_sigmoid(-o), jnp.log(loss.log_floor)),
        lambda loss, o: jax.nn.sigmoid(o),
        jax.nn.sigmoid,
    ),
    # As AYLIEN's code (2016) has it. In float32 a sigmoid is 1 from 17 on: without a floor the log
    # of its complement is -inf and the run diverges.
    "sigmoid": Output(
        lambda loss, o: _floored(loss, jax.nn.sigmoid(o)),
        lambda loss, o: _floored(loss, 1 - jax.nn.sigmoid(o)),
        lambda loss, o: jax.nn.sigmoid(o),
        jax.nn.sigmoid,
    ),
    # Jang (2016): D's last layer is a tanh that is taken for a probability, clipped to [.01, .99].
    "probability": Output(
        lambda loss, o: _floored(loss, _clipped(loss, o)),
        lambda loss, o: _floored(loss, 1 - _clipped(loss, o)),
        _clipped,
        lambda o: o,
    ),
}


class Loss(NamedTuple):
    """A pair of losses; cross-entropies read D's output as `loss.output` says."""

    discriminator: Callable[[Any, Array, Array], Array]  # (loss, real, fake) -> [B]
    generator: Callable[[Any, Array], Array]  # (loss, fake) -> [B]
    cross_entropy: bool


def _cross_entropy(loss: Any, real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))), the first against a label of 1 - label_smoothing."""
    output = OUTPUTS[loss.output]
    of_real = output.log_probability(loss, real)
    # Without smoothing log(1 - D(x)) must not be looked at: where D is sure it is -inf, and neither
    # that nor its gradient becomes 0 by a factor of 0.
    looked_at = jnp.where(loss.label_smoothing > 0, real, 0.0)
    of_complement = output.log_complement(loss, looked_at)
    smoothed = of_real + loss.label_smoothing * (of_complement - of_real)
    return -smoothed - output.log_complement(loss, fake)


LOSSES = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), section 3: G maximises log D(G(z)).
    "non_saturating": Loss(
        discriminator=_cross_entropy,
        generator=lambda loss, fake: -OUTPUTS[loss.output].log_probability(loss, fake),
        cross_entropy=True,
    ),
    # The same paper's minimax game, equation 1: G minimises log(1 - D(G(z))).
    "saturating": Loss(
        discriminator=_cross_entropy,
        generator=lambda loss, fake: OUTPUTS[loss.output].log_complement(loss, fake),
        cross_entropy=True,
    ),
    # Mao et al. 2017 (arXiv 1611.04076), equation 9: a = 0, b = c = 1 (less label_smoothing).
    "least_squares": Loss(
        discriminator=lambda loss, real, fake: (
            0.5 * ((real - (1 - loss.label_smoothing)) ** 2 + fake**2)
        ),
        generator=lambda loss, fake: 0.5 * (fake - 1) ** 2,
        cross_entropy=False,
    ),
}


def probability(loss: Any, output: Array) -> Array:
    """The number that is 1/2 at the optimum, as the loss sees it, of D's raw outputs.

    With label smoothing the optimum is (1 - label_smoothing) / 2.
    """
    if LOSSES[loss.kind].cross_entropy:
        return OUTPUTS[loss.output].probability(loss, output)
    return output


def estimate(loss: Any, output: Array) -> Array:
    """The same before any clipping: what pretraining fits to the target's density."""
    return OUTPUTS[loss.output].estimate(output) if LOSSES[loss.kind].cross_entropy else output
