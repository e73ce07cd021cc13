"""Averages of weights over training: what is judged, and what pulls weights back."""

from typing import NamedTuple

from gan1d.gan.dynamics import Field, Pull
from gan1d.gan.players import Params, Players
from gan1d.gan.spec import number, pytree
from gan1d.system.lazy import Array, jax, jnp


class History(NamedTuple):
    """The running mean of both networks' weights, for historical averaging."""

    mean: Players[Params]
    size: Array  # how many weights it is of


class Averages(NamedTuple):
    """The averages that a setting keeps; None for those that it doesn't."""

    ema: Params | None  # of G's weights, exponential
    history: History | None


@pytree
class AverageFields:
    """Averages of weights that are judged in their place."""

    ema: float = number(
        0.0,
        "decay of the exponential moving average of G's weights, which is judged (0: none)",
        low=0,
        high=0.999999,
        unit="ratio per update",
        label="EMA of G",
        neutral=0.0,
        vanishes=True,
    )


def begun(fields: AverageFields, players: Players[Params], *, historical: bool) -> Averages:
    """The averages before the first update."""
    ema = None if fields.ema is None else players.g
    return Averages(ema, History(players, jnp.ones(())) if historical else None)


def followed(fields: AverageFields, averages: Averages, players: Players[Params]) -> Averages:
    """The averages with the weights that an update has led to.

    Of G decay * average + (1 - decay) * weights, as in Yazici et al. 2019 (arXiv 1806.04498); the
    history's mean weighs all updates, and the initial weights, alike.
    """
    ema, history = averages
    if ema is not None:
        ema = jax.tree.map(lambda a, p: fields.ema * a + (1 - fields.ema) * p, ema, players.g)
    if history is not None:
        size = history.size + 1
        mean = jax.tree.map(lambda m, p: m + (p - m) / size, history.mean, players)
        history = History(mean, size)
    return Averages(ema, history)


def pulled(field: Field, weight: Array | float, mean: Players[Params]) -> Field:
    """A field with the gradient of weight * ||params - their past mean||^2 on top.

    Salimans et al. 2016 (arXiv 1606.03498), section 3.3. The losses are those without it.
    """

    def towards_mean(gradients: Params, params: Params, past: Params) -> Params:
        if gradients is None:
            return None
        if isinstance(gradients, Players):  # of a G that moves D's layers too, which are not pulled
            return gradients._replace(g=towards_mean(gradients.g, params, past))
        return jax.tree.map(lambda g, p, m: g + 2 * weight * (p - m), gradients, params, past)

    def whole(players: Players[Params]) -> Pull:
        pull = field(players)
        return pull._replace(gradients=Players(*map(towards_mean, pull.gradients, players, mean)))

    return whole
