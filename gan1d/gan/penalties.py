"""Penalties: what is added to D's loss for D as a function, not for its outputs alone.

All that are here are of its slopes |grad D(x)|: in real rows, in generated ones, or in rows between
or around them that are probed for that. Generated rows are constants, so nothing reaches G. Where D
compares rows with each other a row's slope is that of the sum of all outputs, by convention.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from gan1d.gan import targets
from gan1d.gan.numerics import safe_sqrt
from gan1d.gan.players import Output, Probes, Seen
from gan1d.gan.spec import OFF, Switch, choice, number, pytree
from gan1d.system.lazy import Array, jax, jnp

if TYPE_CHECKING:
    from gan1d.gan.setting import Setting

D = Callable[[Array], Output]  # rows [B, X] to what D makes of them
Penalty = Callable[["PenaltyFields", D, Seen], Array]  # to a scalar
RAW, SIGMOID = THROUGH = ("raw", "sigmoid")


def slopes(d: D, rows: Array, through: str = RAW) -> Array:
    """The gradient of D's output, or of its sigmoid, in each row: `[B, X]`."""

    def outputs(x: Array) -> Array:
        value = d(x).value
        return jax.nn.sigmoid(value) if through == SIGMOID else value

    return jax.grad(lambda x: outputs(x).sum())(rows)


def _squares(penalty: "PenaltyFields", d: D, rows: Array) -> Array:
    return (slopes(d, rows, penalty.through) ** 2).sum(1)


def _lengths(penalty: "PenaltyFields", d: D, rows: Array) -> Array:
    return safe_sqrt(_squares(penalty, d, rows))


def r1(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """R1: gamma/2 E |grad D|^2 over real rows.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9. (Their trainer's code has no half.)
    """
    return 0.5 * penalty.weight * _squares(penalty, d, seen.real).mean()


def r2(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """R2: the same over generated rows, their equation 10."""
    return 0.5 * penalty.weight * _squares(penalty, d, seen.fake).mean()


def r1_r2(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """Both, as R3GAN has them: Huang et al. 2024 (arXiv 2501.05441)."""
    return r1(penalty, d, seen) + r2(penalty, d, seen)


def gradient(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """WGAN-GP: lambda E (|grad D| - target)^2, Gulrajani et al. 2017 (arXiv 1704.00028)."""
    return penalty.weight * ((_lengths(penalty, d, seen.probed) - penalty.target) ** 2).mean()


def one_sided(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """WGAN-LP: lambda E max(0, |grad D| - target)^2, Petzka et al. 2018 (arXiv 1709.08894)."""
    excess = jnp.maximum(_lengths(penalty, d, seen.probed) - penalty.target, 0.0)
    return penalty.weight * (excess**2).mean()


def zero_centred(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """0-GP: lambda E |grad D|^2, Thanh-Tung et al. 2019 (arXiv 1902.03984), there of a sigmoid."""
    return penalty.weight * _squares(penalty, d, seen.probed).mean()


def steepest(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """MaxGP: lambda times the largest |grad D|^2, Zhou et al. 2019 (arXiv 1902.05687)."""
    return penalty.weight * _squares(penalty, d, seen.probed).max()


def jensen_shannon(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """JS-regularisation: gamma/2 (E (1 - D)^2 slope^2 over real rows + E D^2 slope^2 over others).

    Roth et al. 2017 (arXiv 1705.09367), equation 22: D is the sigmoid of the raw output, and the
    slopes are those of that output.
    """
    real, fake = (
        jax.nn.sigmoid(sign * d(rows).value) ** 2 * (slopes(d, rows) ** 2).sum(1)
        for sign, rows in ((-1, seen.real), (1, seen.fake))
    )
    return 0.5 * penalty.weight * (real.mean() + fake.mean())


PENALTIES: dict[str, Penalty] = {
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_r2,
    "gradient": gradient,
    "one_sided": one_sided,
    "zero_centred": zero_centred,
    "steepest": steepest,
    # Kodali et al. 2017 (arXiv 1705.07215): that of WGAN-GP, around real rows.
    "dragan": gradient,
    "jensen_shannon": jensen_shannon,
}
# Those that look between real and generated rows, or around real ones.
BETWEEN, AROUND = ("gradient", "one_sided", "zero_centred", "steepest"), ("dragan",)
OF_SLOPES = tuple(kind for kind in PENALTIES if kind != "jensen_shannon")


def draw(
    setting: "Setting", uniforms: Callable[[str, tuple[int, ...]], Array], rows: tuple[int, int]
) -> Probes | None:
    """What places the probed rows of each step `[steps, B]`; None where none are probed.

    Sorted rows are no independent pairs: a real row's partner is then any of the generated ones.
    """
    kind, size = setting.penalty.kind, setting.training.batch_size
    if kind not in BETWEEN + AROUND:
        return None
    dim = targets.dim(setting.target)
    partner = away = None
    if kind in AROUND:
        away = uniforms("penalty_away", (*rows, dim))
    elif setting.training.sort and dim == 1:
        partner = jnp.floor(uniforms("penalty_partner", rows) * size).astype(jnp.int32)
    return Probes(uniforms("penalty_share", (*rows, 1)), partner, away)


def probed(penalty: "PenaltyFields", seen: Seen, probes: Probes) -> Array:
    """The rows to be probed, `[B, X]`."""
    if probes.away is not None:
        # Of all entries of the batch: one std for both coordinates, as in the authors' code.
        reach = penalty.radius * seen.real.std()
        return seen.real + probes.share * reach * probes.away
    fake = seen.fake if probes.partner is None else seen.fake[probes.partner]
    return probes.share * seen.real + (1 - probes.share) * fake


@pytree
class PenaltyFields:
    """What is added to D's loss for how steep it is."""

    kind: str = choice(OFF, "formula", Switch(PENALTIES), label="penalty", neutral=OFF)
    weight: float = number(
        10.0,
        "gamma, which is halved, of r1, r2, r1_r2 and jensen_shannon; lambda of the others",
        low=0,
        unit="ratio",
        label="penalty weight",
        only=("kind", PENALTIES),
    )
    target: float = number(
        1.0,
        "slope that is not penalised",
        low=0,
        unit="ratio",
        label="target slope",
        only=("kind", "gradient", "one_sided", "dragan"),
    )
    through: str = choice(
        RAW,
        "whose slopes: those of D's raw output, or of its sigmoid",
        THROUGH,
        label="slopes of",
        only=("kind", OF_SLOPES),
    )
    radius: float = number(
        0.5,
        "how far around real rows it looks, at most",
        low=0,
        unit="stds of the batch",
        label="radius",
        only=("kind", *AROUND),
    )
