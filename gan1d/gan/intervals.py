"""A game of two Gaussians against two intervals, all of it in closed form.

G is N(m1, 1)/2 + N(m2, 1)/2, data are the same with means of their own, and D is 1 on a union of
two intervals and 0 elsewhere (Li, Madry, Peebles and Schmidt 2018, arXiv 1706.09884). D ascends
V = E[D(data)] - E[D(G)], G descends it. Positions are in stds of the normals. Functions are of one
game, in float32, and go under `jax.vmap`.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.special import ndtr

from gan1d.gan import randomness

SPAN = 3.0  # starts are within [-SPAN, SPAN]
REACH = 8.0  # stds beyond all means, where D ends: 1e-15 of the mass is farther
BISECTIONS = 30  # of a bracket of 20 stds: to 2e-8
AT_ONCE = 0  # steps of D before one of G: both move at once
BEST = None  # D is the best there is


class D(NamedTuple):
    """Two intervals [left, right]; one with left >= right is empty."""

    left: Array  # [2]
    right: Array  # [2]


class Game(NamedTuple):
    """Both players."""

    means: Array  # [2] of G
    d: D


def union(means: Array, d: D) -> Array:
    """E[D] `[]` of a mixture, D 1 on the union: the intervals' mass, less that of both at once.

    So an interval has no gradient where it is empty, nor has an end of it inside of the other one.
    """

    def mass(left: Array, right: Array) -> Array:
        return _below(means, jnp.maximum(left, right)) - _below(means, left)

    return mass(d.left, d.right).sum() - mass(d.left.max(), d.right.min())


def signed(means: Array, d: D) -> Array:
    """E[D] `[]` as the sum of F(right) - F(left), whatever the order of the ends.

    D is then 2 where the intervals overlap, and -1 on an interval whose ends have passed each
    other: no classifier, but it never loses its gradient.
    """
    return (_below(means, d.right) - _below(means, d.left)).sum()


def _below(means: Array, x: Array) -> Array:
    """The mixture's CDF at x, of any shape."""
    return ndtr(jnp.subtract.outer(x, means)).mean(-1)


MASSES: dict[str, Callable[[Array, D], Array]] = {"union": union, "signed": signed}


def value(data: Array, means: Array, d: D, mass: str = "union") -> Array:
    """V `[]`: E[D] of the data, of these means `[2]`, less that of G; of a union within [-1, 1]."""
    return MASSES[mass](data, d) - MASSES[mass](means, d)


def best_d(data: Array, means: Array) -> D:
    """The D of the highest V: where the data's density p is above G's, q.

    p - q is a sum of w_i phi(x - b_i), i = 1..4, over all means in order. Divided by phi(x - b_4)
    its derivative is one of three such terms, with weights w_i (b_i - b_4), times what has no zero;
    and so on. So it has at most three zeros, with one of the derivative between any two (Rolle):
    those of each sum are found by bisection between those of the next shorter one.
    """
    positions = jnp.concatenate([data, means])
    order = jnp.argsort(positions)
    b, sign = positions[order], jnp.array([1.0, 1.0, -1.0, -1.0])[order]
    low, high = b[:1] - REACH, b[-1:] + REACH
    of_three = sign * (b - b[3])
    edges = jnp.concatenate([low, high])
    for weights in (of_three * (b - b[2]), of_three, sign):
        edges = jnp.concatenate([low, _zeros(weights, b, edges), high])
    positive = _sign(sign, b, (edges[:-1] + edges[1:]) / 2) > 0  # each of the four parts
    begins = positive & ~jnp.append(False, positive[:-1])
    ends = positive & ~jnp.append(positive[1:], False)
    (first,), (last,) = (jnp.nonzero(each, size=2, fill_value=4) for each in (begins, ends))
    return D(edges[first], edges[jnp.minimum(last + 1, 4)])


def _sign(weights: Array, b: Array, x: Array) -> Array:
    """The sign of sum_i w_i phi(x - b_i) at x `[n]`; far from all b_i, too."""
    exponents = -(jnp.subtract.outer(x, b) ** 2) / 2
    terms = jnp.exp(exponents - exponents.max(1, keepdims=True))
    return jnp.sign((weights[None] * terms).sum(1))


def _zeros(weights: Array, b: Array, edges: Array) -> Array:
    """Where the sum changes its sign between neighbours of edges; the upper one if it does not."""
    low, high = edges[:-1], edges[1:]
    at_low = _sign(weights, b, low)

    def halved(_: int, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = (low + high) / 2
        same = _sign(weights, b, middle) == at_low
        return jnp.where(same, middle, low), jnp.where(same, high, middle)

    return jax.lax.fori_loop(0, BISECTIONS, halved, (low, high))[1]


def total_variation(data: Array, means: Array) -> Array:
    """The total variation `[]` of data and G, which is V at the best D."""
    return value(data, means, best_d(data, means))


def parts(d: D) -> Array:
    """How many intervals D is of: 2; 1 where they overlap, or one is empty; 0."""
    nonempty = (d.left < d.right).sum()
    overlap = d.left.max() <= d.right.min()
    return nonempty - ((nonempty == 2) & overlap)


def start(seed: Array | int) -> Game:
    """G's means, and the ends of D's intervals side by side, uniform within [-SPAN, SPAN]."""
    key = randomness.stream(randomness.run_key(seed), "intervals")
    places = SPAN * (2 * randomness.uniforms(key, (6,)) - 1)
    ends = jnp.sort(places[2:])
    return Game(places[:2], D(ends[::2], ends[1::2]))


def update(
    data: Array, game: Game, rate: Array | float, d_steps: int | None, mass: str = "union"
) -> Game:
    """A step of G down V, after `d_steps` of D up; AT_ONCE: beside one of D; BEST: at `best_d`.

    At the best D it is a step down total variation: V has no slope along that D's ends.
    """

    def ascended(d: D) -> D:
        slope = jax.grad(value, argnums=2)(data, game.means, d, mass)
        return jax.tree.map(lambda end, each: end + rate * each, d, slope)

    def descended(d: D) -> Array:
        return game.means - rate * jax.grad(value, argnums=1)(data, game.means, d, mass)

    if d_steps == AT_ONCE:
        return Game(descended(game.d), ascended(game.d))
    if d_steps is BEST:
        d = best_d(data, game.means)
    else:
        d = jax.lax.fori_loop(0, d_steps, lambda _, d: ascended(d), game.d)
    return Game(descended(d), d)


@functools.partial(jax.jit, static_argnames=("d_steps", "mass", "looks", "every"))
def trajectories(
    data: Array,
    seeds: Array,
    rate: Array | float,
    d_steps: int | None,
    mass: str = "union",
    *,
    looks: int,
    every: int,
) -> Game:
    """Games from the starts of seeds `[seed]`, looked at before and after every so many updates.

    Returns:
      all of them, `[seed, looks + 1, 2]`.
    """

    def advanced(game: Game, _: None) -> tuple[Game, Game]:
        def one(_: int, game: Game) -> Game:
            return update(data, game, rate, d_steps, mass)

        game = jax.lax.fori_loop(0, every, one, game)
        return game, game

    def played(seed: Array) -> Game:
        first = start(seed)
        _, rest = jax.lax.scan(advanced, first, None, length=looks)
        return jax.tree.map(lambda one, more: jnp.append(one[None], more, 0), first, rest)

    return jax.vmap(played)(seeds)


@jax.jit
def total_variations(data: Array, means: Array) -> Array:
    """Those `[seed, look]` of trajectories `[seed, look, 2]`."""
    of_seed = jax.vmap(total_variation, (None, 0))
    return jax.vmap(of_seed, (None, 0))(data, means)
