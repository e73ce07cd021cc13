"""Penalties: what is added to D's loss for D as a function, not for its outputs alone."""

from collections.abc import Callable

from gan1d.gan.players import Output, Seen
from gan1d.gan.spec import OFF, Switch, choice, number, pytree
from gan1d.system.lazy import Array, jax

D = Callable[[Array], Output]  # rows [B, X] to what D makes of them
Penalty = Callable[["PenaltyFields", D, Seen], Array]  # to a scalar


def slopes(d: D, rows: Array) -> Array:
    """D's gradient in each row `[B, X]`.

    Where D compares rows with each other it is that of the sum of all outputs, by convention.
    """
    return jax.grad(lambda x: d(x).value.sum())(rows)


def r1(penalty: "PenaltyFields", d: D, seen: Seen) -> Array:
    """R1: gamma/2 E |grad D(x)|^2 over real rows, of D's raw output.

    Mescheder et al. 2018 (arXiv 1801.04406), equation 9.
    """
    return 0.5 * penalty.weight * (slopes(d, seen.real) ** 2).sum(1).mean()


PENALTIES: dict[str, Penalty] = {"r1": r1}


@pytree
class PenaltyFields:
    """What is added to D's loss for how steep it is."""

    kind: str = choice(OFF, "formula", Switch(PENALTIES), label="penalty", neutral=OFF)
    weight: float = number(
        10.0, "gamma", low=0, unit="ratio", label="penalty weight", only=("kind", PENALTIES)
    )
