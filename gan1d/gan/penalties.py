"""Penalties: what is added to D's loss for D as a function, not for its outputs alone.

Nearly all that are here are of its slopes |grad D(x)|: in real rows, in generated ones, or in rows
between or around them that are probed for that. Generated rows are constants of D's loss, so that
nothing reaches G, but by a dynamics that bends G's steps by D's gradient. Where D compares rows
with each other a row's slope is that of the sum of all outputs, by convention.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.gan import targets
from gan1d.gan.numerics import faded, safe_sqrt
from gan1d.gan.players import Output, Probes, Seen, Tree
from gan1d.gan.spec import OFF, Switch, above_0, choice, chosen, field, number, pytree
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


def dragan(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """DRAGAN: the same around real rows, Kodali et al. 2017 (arXiv 1705.07215)."""
    return gradient(penalty, d, seen)


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


def lecam(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """LeCam: D's outputs on real rows shall not exceed their usual level on others, and reversed.

    lambda (E max(0, D(real) - level of fake)^2 + E max(0, level of real - D(fake))^2):
    Tseng et al. 2021 (arXiv 2104.03310), as their code has it; levels are running means from 0 on.
    """
    real, fake = d(seen.real).value, d(seen.fake).value
    levels: Levels = seen.followed
    above = jnp.maximum(real - levels.fake, 0.0) ** 2
    below = jnp.maximum(levels.real - fake, 0.0) ** 2
    return penalty.weight * (above.mean() + below.mean())


class Levels(NamedTuple):
    """Running means of D's outputs on real and on generated rows, `[]` both."""

    real: Array
    fake: Array


def levels_followed(penalty: "PenaltyFields", d: D, seen: Seen) -> Levels:
    """LeCam's levels after one more step of D."""
    now = Levels(d(seen.real).value.mean(), d(seen.fake).value.mean())
    return jax.tree.map(
        lambda a, b: penalty.memory * a + (1 - penalty.memory) * b, seen.followed, now
    )


def fisher(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """Fisher GAN, on Wasserstein's loss: D's mean square over both kinds of rows shall be 1.

    -multiplier c + rho/2 c^2 with c = 1 - (E D(real)^2 + E D(fake)^2) / 2, an augmented Lagrangian:
    Mroueh & Sercu 2017 (arXiv 1705.09675), algorithm 1. Its multiplier is 0 at first.
    """
    left = _left(d, seen)
    return 0.5 * penalty.weight * left**2 - seen.followed * left


def multiplier_followed(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """Fisher's multiplier `[]` after one more step of D: multiplier - rho c."""
    return seen.followed - penalty.weight * _left(d, seen)


def _left(d: D, seen: Seen) -> Array:
    """What of 1 D's mean square leaves, `[]`."""
    squares = (d(seen.real).value ** 2).mean() + (d(seen.fake).value ** 2).mean()
    return 1 - 0.5 * squares


def factor(penalty: "PenaltyFields", number: Array | None) -> Array | float:
    """What the penalty is multiplied by in an update.

    Lazy ones (Karras et al. 2020, arXiv 1912.04958) come every few updates, with so many times
    their weight; others fall with time, as those of Roth et al. and of R3GAN do.
    """
    if number is None:
        return 1.0
    found: Array | float = 1.0
    if penalty.every > 1:
        before = jnp.floor((number + 0.5) / penalty.every) * penalty.every
        found = jnp.where(number == before, float(penalty.every), 0.0)
    if penalty.fade_steps is not None:
        found = found * faded("exponential", penalty.fade, penalty.fade_steps, number)
    return found


def has_factor(penalty: "PenaltyFields") -> bool:
    """Whether it changes with the number of the update."""
    return penalty.kind != OFF and (penalty.every > 1 or penalty.fade_steps is not None)


PENALTIES: dict[str, Penalty] = {
    "r1": r1,
    "r2": r2,
    "r1_r2": r1_r2,
    "gradient": gradient,
    "one_sided": one_sided,
    "zero_centred": zero_centred,
    "steepest": steepest,
    "dragan": dragan,
    "jensen_shannon": jensen_shannon,
    "lecam": lecam,
    "fisher": fisher,
}


class Follows(NamedTuple):
    """What a penalty has of D from step to step."""

    first: Callable[[], Tree]
    after: Callable[["PenaltyFields", D, Seen], Tree]  # one more step of D


FOLLOWED: dict[str, Follows] = {
    "lecam": Follows(lambda: Levels(jnp.zeros(()), jnp.zeros(())), levels_followed),
    "fisher": Follows(lambda: jnp.zeros(()), multiplier_followed),
}
# Those that look between real and generated rows, or around real ones.
BETWEEN, AROUND = ("gradient", "one_sided", "zero_centred", "steepest"), ("dragan",)
OF_SLOPES = tuple(kind for kind in PENALTIES if kind not in ("jensen_shannon", *FOLLOWED))


def followed(penalty: "PenaltyFields") -> Tree:
    """What a penalty has of D before its first step; None where it follows nothing."""
    return FOLLOWED[penalty.kind].first() if penalty.kind in FOLLOWED else None


def draw(
    setting: "Setting", uniforms: Callable[[str, tuple[int, ...]], Array], rows: tuple[int, int]
) -> Probes | None:
    """What places the probed rows, or packs, of each step `[steps, B]`; None where there are none.

    Sorted rows are no independent pairs: a real row's partner is then any of the generated ones.
    """
    kind, size = setting.penalty.kind, setting.training.batch_size
    if kind not in BETWEEN + AROUND:
        return None
    dim = targets.dim(setting.target) * setting.tricks.packing
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
    """What is added to D's loss for what it is as a function."""

    kind: str = choice(OFF, "formula", Switch(PENALTIES), label="penalty", neutral=OFF)
    weight: float = number(
        10.0,
        "gamma, which is halved, of r1, r2, r1_r2 and jensen_shannon; rho, which is too, of "
        "fisher; lambda of the others",
        low=0,
        unit="ratio",
        label="penalty weight",
        only=("kind", chosen),
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
    memory: float = number(
        0.99,
        "decay of the running means of D's outputs",
        low=0,
        high=0.999999,
        unit="ratio per step",
        label="memory",
        only=("kind", "lecam"),
    )
    every: int = field(
        1,
        "it is there in every so manieth update, so many times as strong (lazily: Karras et al. "
        "2020, arXiv 1912.04958)",
        low=1,
        high=1000,
        unit="updates",
        label="penalty every",
        neutral=1,
        only=("kind", chosen),
    )
    fade_steps: float = number(
        0.0,
        "updates in which the weight falls, exponentially (0: it doesn't)",
        low=0,
        unit="updates",
        label="penalty fades in",
        neutral=0.0,
        only=("kind", chosen),
        vanishes=True,
    )
    fade: float = number(
        0.01,
        "to which part of itself it falls",
        low=0,
        open_low=True,
        high=1,
        unit="ratio",
        label="penalty left",
        only=("fade_steps", above_0),
    )
