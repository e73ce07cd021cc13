"""How the players' gradients become directions: fields made of fields.

A field gives, at any pair of players, the losses and the gradients of those that move in a step. A
dynamics takes one to the directions that optimizers then follow. `extrapolate(players, gradients)`
is what that step would make of the players, by their own optimizers and within their constraints.
"""

from collections.abc import Callable
from typing import NamedTuple

from gan1d.gan.players import Params, Players
from gan1d.system.lazy import Array


class Pull(NamedTuple):
    """What a field gives at a pair of players; None for one that doesn't move."""

    losses: Players[Array | None]
    gradients: Players[Params]


Field = Callable[[Players[Params]], Pull]
Extrapolate = Callable[[Players[Params], Players[Params]], Players[Params]]
Dynamics = Callable[[Field, Extrapolate, Players[Params]], Pull]


def gradient(field: Field, extrapolate: Extrapolate, players: Players[Params]) -> Pull:
    """Each player's own gradient, where the players are."""
    return field(players)


def extragradient(field: Field, extrapolate: Extrapolate, players: Players[Params]) -> Pull:
    """The gradients where a step would lead, w - eta v(w - eta v(w)).

    Korpelevich 1976; for GANs Gidel et al. 2019 (arXiv 1802.10551), algorithm 1. Losses are those
    where the players are.
    """
    here = field(players)
    return here._replace(gradients=field(extrapolate(players, here.gradients)).gradients)


DYNAMICS: dict[str, Dynamics] = {"gradient": gradient, "extragradient": extragradient}
