"""Adversarial losses as per-row formulas on the discriminator's raw output.

Each takes the `loss` section and D's outputs `[B]` on real and on generated rows, and gives `[B]`;
the caller takes the mean. All are minimised. What a figure or a check has to know of a loss is an
attribute of its entry.
"""

from collections.abc import Callable
from typing import NamedTuple

from gan1d.gan.spec import choice, number, pytree
from gan1d.system.lazy import Array, jax, jnp


class Reading(NamedTuple):
    """What a cross-entropy makes of D's raw outputs, by functions of (loss section, outputs)."""

    log_probability: Callable[["LossFields", Array], Array]  # log D
    log_complement: Callable[["LossFields", Array], Array]  # log(1 - D)
    probability: Callable[["LossFields", Array], Array]  # D as the losses see it
    estimate: Callable[[Array], Array]  # D before any clipping
    output: Callable[
        [Array | float], Array | float
    ]  # the raw output that is read as this probability


def _floored(loss: "LossFields", probability: Array) -> Array:
    return jnp.log(jnp.maximum(probability, loss.log_floor))


def _clipped(loss: "LossFields", output: Array) -> Array:
    return jnp.clip(output, loss.clip, 1 - loss.clip)


def _logit(probability: Array | float) -> Array:
    return jnp.log(probability) - jnp.log1p(-probability)


OUTPUTS = {
    # max(log sigmoid(o), log floor) is log max(p, floor), gradient included, without its overflow.
    "logit": Reading(
        lambda loss, o: jnp.maximum(jax.nn.log_sigmoid(o), jnp.log(loss.log_floor)),
        lambda loss, o: jnp.maximum(jax.nn.log_sigmoid(-o), jnp.log(loss.log_floor)),
        lambda loss, o: jax.nn.sigmoid(o),
        lambda o: jax.nn.sigmoid(o),
        _logit,
    ),
    # As AYLIEN's code (2016) has it. In float32 a sigmoid is 1 from 17 on: without a floor the log
    # of its complement is -inf and the run diverges.
    "sigmoid": Reading(
        lambda loss, o: _floored(loss, jax.nn.sigmoid(o)),
        lambda loss, o: _floored(loss, 1 - jax.nn.sigmoid(o)),
        lambda loss, o: jax.nn.sigmoid(o),
        lambda o: jax.nn.sigmoid(o),
        _logit,
    ),
    # Jang (2016): D's last layer is a tanh that is taken for a probability, clipped to [.01, .99].
    "probability": Reading(
        lambda loss, o: _floored(loss, _clipped(loss, o)),
        lambda loss, o: _floored(loss, 1 - _clipped(loss, o)),
        _clipped,
        lambda o: o,
        lambda probability: probability,
    ),
}


class Loss(NamedTuple):
    """A pair of losses, and what is to be known of them.

    Functions take (loss section, D's outputs on real rows, on generated rows), `[B]` each; of a
    loss that is not `relational`, neither mixes the two, and G's is of the generated rows only.
    """

    d: Callable[["LossFields", Array, Array], Array]
    g: Callable[["LossFields", Array, Array], Array]
    # D's output where it can't tell real from generated; None: it says nothing there.
    rest: Callable[["LossFields"], Array | float] | None = None
    # D's output as the number that is 1/2 where it can't tell; None: it is no probability.
    read: Callable[["LossFields", Array], Array] | None = None
    # The same before any clipping, which pretraining fits to the target's density; None: as it is.
    estimate: Callable[["LossFields", Array], Array] | None = None
    relational: bool = False  # row i of the real ones is held against row i of the generated ones


def _at_rest(loss: "LossFields") -> Array | float:
    """Where D can't tell: the probability 1/2 less half of what smoothing takes off."""
    return OUTPUTS[loss.output].output((1 - loss.label_smoothing) / 2)


def _cross_entropy(loss: "LossFields", real: Array, fake: Array) -> Array:
    """-log D(x) - log(1 - D(G(z))), the first against a label of 1 - label_smoothing."""
    output = OUTPUTS[loss.output]
    of_real = output.log_probability(loss, real)
    # Without smoothing log(1 - D(x)) must not be looked at: where D is sure it is -inf, and neither
    # that nor its gradient becomes 0 by a factor of 0.
    looked_at = jnp.where(loss.label_smoothing > 0, real, 0.0)
    of_complement = output.log_complement(loss, looked_at)
    smoothed = of_real + loss.label_smoothing * (of_complement - of_real)
    return -smoothed - output.log_complement(loss, fake)


def _as_probability(loss: "LossFields", output: Array) -> Array:
    return OUTPUTS[loss.output].probability(loss, output)


def _as_estimate(loss: "LossFields", output: Array) -> Array:
    return OUTPUTS[loss.output].estimate(output)


LOSSES: dict[str, Loss] = {
    # Goodfellow et al. 2014 (arXiv 1406.2661), section 3: G maximises log D(G(z)).
    "non_saturating": Loss(
        d=_cross_entropy,
        g=lambda loss, real, fake: -OUTPUTS[loss.output].log_probability(loss, fake),
        rest=_at_rest,
        read=_as_probability,
        estimate=_as_estimate,
    ),
    # The same paper's minimax game, equation 1: G minimises log(1 - D(G(z))).
    "saturating": Loss(
        d=_cross_entropy,
        g=lambda loss, real, fake: OUTPUTS[loss.output].log_complement(loss, fake),
        rest=_at_rest,
        read=_as_probability,
        estimate=_as_estimate,
    ),
    # Mao et al. 2017 (arXiv 1611.04076), equation 9: a = 0, b = c = 1 (less label_smoothing).
    "least_squares": Loss(
        d=lambda loss, real, fake: 0.5 * ((real - (1 - loss.label_smoothing)) ** 2 + fake**2),
        g=lambda loss, real, fake: 0.5 * (fake - 1) ** 2,
        rest=lambda loss: (1 - loss.label_smoothing) / 2,
        read=lambda loss, output: output,
    ),
    # Arjovsky et al. 2017 (arXiv 1701.07875), equation 2; D's weights have to be kept in bounds.
    "wasserstein": Loss(d=lambda loss, real, fake: fake - real, g=lambda loss, real, fake: -fake),
    # Lim & Ye 2017 (arXiv 1705.02894): max(0, 1 - D(x)) + max(0, 1 + D(G(z))); at its kinks, as a
    # relu's, the slope is 0.
    "hinge": Loss(
        d=lambda loss, real, fake: jax.nn.relu(1 - real) + jax.nn.relu(1 + fake),
        g=lambda loss, real, fake: -fake,
        rest=lambda loss: 0.0,
    ),
    # Jolicoeur-Martineau 2018 (arXiv 1807.00734), RSGAN: is a real row more real than a fake one?
    "relativistic": Loss(
        d=lambda loss, real, fake: jax.nn.softplus(fake - real),
        g=lambda loss, real, fake: jax.nn.softplus(real - fake),
        rest=lambda loss: 0.0,
        relational=True,
    ),
}


def probability(loss: "LossFields", output: Array) -> Array:
    """The number that is 1/2 at the optimum, as the loss sees it, of D's raw outputs.

    With label smoothing the optimum is (1 - label_smoothing) / 2. Where D's output is no
    probability it is the output itself.
    """
    read = LOSSES[loss.kind].read
    return output if read is None else read(loss, output)


def estimate(loss: "LossFields", output: Array) -> Array:
    """The same before any clipping: what pretraining fits to the target's density."""
    before = LOSSES[loss.kind].estimate
    return output if before is None else before(loss, output)


# What `only` says of several fields.
CROSS_ENTROPY = ("kind", "non_saturating", "saturating")
LABELLED = (*CROSS_ENTROPY, "least_squares")


@pytree
class LossFields:
    """The adversarial loss."""

    kind: str = choice("non_saturating", "formula", LOSSES, label="loss")
    log_floor: float = number(
        1e-5,
        "smallest probability a log sees (0: none)",
        low=0,
        high=0.5,
        unit="probability",
        label="log floor",
        only=CROSS_ENTROPY,
    )
    output: str = choice(
        "logit",
        "what D's output is: a logit; one whose sigmoid's log is taken as it stands, as the posts' "
        "code does, so that log 0 diverges; or the probability itself, clipped",
        OUTPUTS,
        label="D's output is",
        only=CROSS_ENTROPY,
    )
    clip: float = number(
        0.01,
        "output=probability: distance that it keeps from 0 and 1",
        low=0,
        high=0.49,
        unit="probability",
        label="clip",
        only=("output", "probability"),
    )
    label_smoothing: float = number(
        0.0,
        "one-sided: D's target for real rows is 1 - this",
        low=0,
        high=0.9,
        unit="probability",
        label="label smoothing",
        neutral=0.0,
        only=LABELLED,
    )
