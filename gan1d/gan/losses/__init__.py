"""Adversarial losses as per-row formulas on the discriminator's raw output.

Each takes the `loss` section and D's outputs `[B]` on real and on generated rows, and gives `[B]`;
the caller takes the mean. All are minimised. What a figure or a check has to know of a loss is an
attribute of its entry.
"""

from gan1d.gan.losses import critics, cross_entropy, distances, divergences
from gan1d.gan.losses.cross_entropy import OUTPUTS
from gan1d.gan.losses.divergences import BOUND, F_GENERATORS
from gan1d.gan.losses.loss import Loss
from gan1d.gan.spec import choice, field, number, pytree
from gan1d.system.lazy import Array, jnp

__all__ = [
    "AVERAGED",
    "F_GAN",
    "LABELLED",
    "LOSSES",
    "OUTPUTS",
    "Loss",
    "LossFields",
    "estimate",
    "of_d",
    "probability",
]

# To add one: its entry in a module of this folder, and here.
LOSSES: dict[str, Loss] = {
    "non_saturating": cross_entropy.NON_SATURATING,
    "saturating": cross_entropy.SATURATING,
    "alpha_non_saturating": cross_entropy.ALPHA_NON_SATURATING,
    "alpha_saturating": cross_entropy.ALPHA_SATURATING,
    "least_squares": critics.LEAST_SQUARES,
    "least_squares_pearson": critics.LEAST_SQUARES_PEARSON,
    "wasserstein": critics.WASSERSTEIN,
    "hinge": critics.HINGE,
    "relativistic": critics.RELATIVISTIC,
    "relativistic_least_squares": critics.RELATIVISTIC_LEAST_SQUARES,
    "relativistic_hinge": critics.RELATIVISTIC_HINGE,
    "relativistic_average": critics.RELATIVISTIC_AVERAGE,
    "relativistic_average_least_squares": critics.RELATIVISTIC_AVERAGE_LEAST_SQUARES,
    "relativistic_average_hinge": critics.RELATIVISTIC_AVERAGE_HINGE,
    "f_kl": divergences.KL,
    "f_reverse_kl": divergences.REVERSE_KL,
    "f_pearson": divergences.PEARSON,
    "f_squared_hellinger": divergences.SQUARED_HELLINGER,
    "f_jensen_shannon": divergences.JENSEN_SHANNON,
    "mmd": distances.MMD,
    "energy": distances.ENERGY,
    "ranks": distances.RANKS,
}


def of_d(loss: "LossFields", real: Array, fake: Array, flipped: Array | None) -> Array:
    """D's loss of each row, `[B]`, of its outputs on real and on generated ones.

    Rows that are flipped `[B]` change places. The drift of Karras et al. 2018 (arXiv 1710.10196),
    appendix A.1, keeps outputs of which only the differences matter from floating away.
    """
    formula = LOSSES[loss.kind].d
    rows = formula(loss, real, fake)
    if flipped is not None:
        rows = jnp.where(flipped, formula(loss, fake, real), rows)
    return rows if loss.drift is None else rows + loss.drift * real**2


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
ALPHA = ("kind", "alpha_non_saturating", "alpha_saturating")
F_GAN = ("kind", *(kind for kind in LOSSES if kind.startswith("f_")))
# Those that hold outputs against means of others.
AVERAGED = tuple(kind for kind in LOSSES if kind.startswith("relativistic_average"))


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
        only=(*CROSS_ENTROPY, *ALPHA[1:]),
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
        "one-sided: D's target for real rows is 1 - this (Salimans et al. 2016, arXiv 1606.03498)",
        low=0,
        high=0.9,
        unit="probability",
        label="label smoothing",
        neutral=0.0,
        only=LABELLED,
        vanishes=True,
    )
    fake_label: float = number(
        0.0,
        "the other side: D's target for generated rows",
        low=0,
        high=0.9,
        unit="probability",
        label="label of generated rows",
        neutral=0.0,
        only=LABELLED,
        vanishes=True,
    )
    flips: float = number(
        0.0,
        "share of pairs of rows whose labels change places, real ones and generated ones",
        low=0,
        high=1,
        unit="probability",
        label="label flips",
        neutral=0.0,
        only=LABELLED,
        vanishes=True,
    )
    alpha_d: float = number(
        1.0,
        "alpha of D's loss: 1/2 is Hellinger's, 1 the logarithm, large the total variation",
        low=0,
        open_low=True,
        unit="ratio",
        label="alpha of D",
        only=ALPHA,
    )
    alpha_g: float = number(
        1.0,
        "alpha of G's loss",
        low=0,
        open_low=True,
        unit="ratio",
        label="alpha of G",
        only=ALPHA,
    )
    f_generator: str = choice(
        BOUND,
        "what G minimises: the bound on the divergence that D finds, or -g_f of its rows' outputs",
        F_GENERATORS,
        label="f-GAN's G",
        only=F_GAN,
    )
    bandwidths: tuple[float, ...] = number(
        (1.0, 2.0, 4.0, 8.0, 16.0),
        "widths of the kernels",
        low=0,
        open_low=True,
        unit="data units",
        label="bandwidths",
        only=("kind", "mmd"),
    )
    ranks: int = field(
        5,
        "generated rows that a real one is ranked among",
        low=1,
        high=1024,
        unit="rows",
        label="ranks",
        only=("kind", "ranks"),
    )
    drift: float = number(
        0.0,
        "times the square of D's output on real rows, added to its loss (Karras et al. 2018, arXiv "
        "1710.10196; 0: none)",
        low=0,
        unit="ratio",
        label="drift",
        neutral=0.0,
        vanishes=True,
    )
