"""Averages of weights over training: what is judged, and what pulls weights back."""

from typing import NamedTuple

from gan1d.gan.dynamics import Field, Pull
from gan1d.gan.players import Params, Players, Tree, Variables
from gan1d.gan.spec import OFF, above_0, choice, number, pytree
from gan1d.system.lazy import Array, jax, jnp


class Mean(NamedTuple):
    """A running mean of weights."""

    of: Tree
    size: Array  # how many weights it is of


class Slow(NamedTuple):
    """What lookahead comes back to."""

    players: Players[Params]
    updates: Array  # since it was last moved


class Averages(NamedTuple):
    """The averages that a setting keeps; None for those that it doesn't.

    G's are of its weights and, where batch normalization has any, of its running statistics: of
    other weights they would be wrong.
    """

    ema: Variables | None  # of G, exponential
    history: Mean | None  # of both networks' weights, for historical averaging
    uniform: Mean | None = None  # of G
    slow: Slow | None = None
    of_d: Tree = None  # what a penalty follows of D

    @property
    def judged(self) -> Variables | None:
        """The average that is judged in the place of G; None: it is itself."""
        return self.ema if self.uniform is None else self.uniform.of


@pytree
class AverageFields:
    """Averages of weights: of G's, judged in their place, and what both networks come back to."""

    ema: float = number(
        0.0,
        "decay of the exponential moving average of G's weights, which is judged (Yazici et al. "
        "2019, arXiv 1806.04498; 0: none)",
        low=0,
        high=0.999999,
        unit="ratio per update",
        label="EMA of G",
        neutral=0.0,
        vanishes=True,
    )
    uniform: str = choice(
        OFF,
        "the mean of G's weights so far, initial ones included, is judged",
        (OFF, "on"),
        label="uniform average of G",
        neutral=OFF,
    )
    lookahead: float = number(
        0.0,
        "every so many updates both networks come back towards where they were then (Chavdarova et "
        "al. 2021, arXiv 2006.14567; 0: never)",
        low=0,
        high=1e6,
        unit="updates",
        label="lookahead",
        neutral=0.0,
        vanishes=True,
    )
    lookahead_step: float = number(
        0.5,
        "how much of the way they keep",
        low=0,
        unit="ratio",
        label="lookahead step",
        only=("lookahead", above_0),
    )


def _averaged(params: Params, carried: Variables) -> Variables:
    """What of G is averaged: all that changes in training."""
    changing = {name: values for name, values in carried.items() if name == "batch_stats"}
    return {"params": params} | changing


def begun(
    fields: AverageFields,
    players: Players[Params],
    carried: Players[Variables],
    of_d: Tree,
    *,
    historical: bool,
) -> Averages:
    """The averages before the first update; of D what a penalty then has of it."""
    g = _averaged(players.g, carried.g)
    return Averages(
        ema=None if fields.ema is None else g,
        history=Mean(players, jnp.ones(())) if historical else None,
        uniform=None if fields.uniform == OFF else Mean(g, jnp.ones(())),
        slow=None if fields.lookahead is None else Slow(players, jnp.zeros(())),
        of_d=of_d,
    )


def followed(
    fields: AverageFields,
    averages: Averages,
    players: Players[Params],
    carried: Players[Variables],
) -> tuple[Players[Params], Averages]:
    """The players after an update, and the averages with the weights that it has led to.

    Every `lookahead` updates the players go to slow + step (players - slow), and so does slow, from
    the initial weights on: Chavdarova et al. 2021 (arXiv 2006.14567). Of G decay * average + (1 -
    decay) * G, as in Yazici et al. 2019 (arXiv 1806.04498), or the mean, which weighs all updates,
    and the initial weights, alike; so does the history's.
    """
    ema, history, uniform, slow, of_d = averages
    if slow is not None:
        players, slow = _looked_ahead(fields, slow, players)
    g = _averaged(players.g, carried.g)
    if ema is not None:
        ema = jax.tree.map(lambda a, p: fields.ema * a + (1 - fields.ema) * p, ema, g)
    if history is not None:
        history = _one_more(history, players)
    if uniform is not None:
        uniform = _one_more(uniform, g)
    return players, Averages(ema, history, uniform, slow, of_d)


def _one_more(mean: Mean, weights: Tree) -> Mean:
    size = mean.size + 1
    return Mean(jax.tree.map(lambda m, p: m + (p - m) / size, mean.of, weights), size)


def _looked_ahead(
    fields: AverageFields, slow: Slow, players: Players[Params]
) -> tuple[Players[Params], Slow]:
    updates = slow.updates + 1
    # Where settings without lookahead share the program, they never get there.
    due = (fields.lookahead > 0) & (updates >= fields.lookahead)
    between = jax.tree.map(lambda s, p: s + fields.lookahead_step * (p - s), slow.players, players)

    def chosen(new: Params, old: Params) -> Params:
        return jax.tree.map(lambda n, o: jnp.where(due, n, o), new, old)

    return chosen(between, players), Slow(
        chosen(between, slow.players), jnp.where(due, 0.0, updates)
    )


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
