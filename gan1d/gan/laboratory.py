"""The laboratory: what theory says of games, measured at one state of a training.

The Jacobians of a game and of its updates, whose eigenvalues decide whether training converges
(Mescheder et al. 2018, arXiv 1801.04406), the path from its beginning to its end (Berard et al.
2020, arXiv 1906.04848), and how much each player could still gain (Grnarova et al. 2019, arXiv
1811.05512). Mescheder et al. 2017 average J over ten batches and read the spectrum of consensus off
J - gamma J'J; here it is that of the update itself. All of it is of one batch, and no part of
training. N below is how many numbers both players have.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.flatten_util import ravel_pytree

from gan1d.gan import constraints, targets, train
from gan1d.gan.inputs import Batch
from gan1d.gan.players import Params, Players, Tree
from gan1d.gan.setting import Setting
from gan1d.gan.spec import OFF
from gan1d.gan.train import Both, State

MOST = 2500  # numbers of which a dense Jacobian is made
COLUMNS = 16  # of a game's Jacobian at a time: of large batches, all would take gigabytes
PATH = (-0.1, 1.1)  # where a path begins and ends, in lengths of the way that training took
POINTS = 100  # of a path


class Path(NamedTuple):
    """The players' gradients v along a straight line through where a training began and ended."""

    t: Array  # [T] 0 where it began and 1 where it ended
    angle: Array  # [T] cosine of v with the way back; 0 where v is 0
    norm: Array  # [T] |v|


def gradients(setting: Setting, state: State, batch: Batch) -> Callable[[Both], Both]:
    """Players to v, the gradients of their own losses, before any dynamics makes steps of them.

    A weight of D that is at its bound has no gradient out of it.

    Raises:
      ValueError: G moves D's layers too, so that v is not as long as the players' weights.
    """
    if train.own(setting, state.params, "g") is not state.params.g:
        raise ValueError("tricks.feature_matching_trains=g_and_features: G moves D's layers too")
    rows = jax.tree.map(lambda steps: steps[0], Players(batch.g_rows(), batch.d_rows()))
    game = train.game(setting, state.carried, rows, state.averages.of_d)
    field = train.own_gradients(setting, game, ("g", "d"), lambda params: params)

    def v(params: Both) -> Both:
        found = field(params).gradients
        bound = setting.discriminator.weight_clip
        if bound is None:
            return found
        return found._replace(d=_within(bound, params.d, found.d))

    return v


def _within(bound: Array | float, params: Params, gradients: Params) -> Params:
    """The gradients whose steps do not lead out of [-bound, bound]; all where it is 0."""

    def kept(weight: Array, gradient: Array) -> Array:
        leaves = jnp.where(gradient < 0, weight >= bound, weight <= -bound)
        return jnp.where((bound > 0) & leaves, 0.0, gradient)

    return jax.tree.map(kept, params, gradients)


def game_jacobian(setting: Setting, state: State, batch: Batch) -> np.ndarray:
    """J = dv/dw `[N, N]`, G's weights before D's; in continuous time w' = -v goes by -J.

    Raises:
      ValueError: the players have too many weights, or G moves D's layers too.
    """
    _refuse_many(state.params)
    return np.asarray(_game_jacobian(setting, state, batch), float)


@jax.jit
def _game_jacobian(setting: Setting, state: State, batch: Batch) -> Array:
    weights, restored = _as_vector(state.params)
    v = gradients(setting, state, batch)
    _, along = jax.linearize(lambda vector: _as_vector(v(restored(vector)))[0], weights)
    return jax.lax.map(along, jnp.eye(weights.size), batch_size=COLUMNS).T


def update_jacobian(setting: Setting, state: State, batch: Batch, updates: int = 1) -> np.ndarray:
    """The Jacobian `[M, M]` of what some updates on one batch make of all that they carry on.

    That is the players' weights and whatever has a part in later ones: memories of optimizers, the
    step before, what networks keep, averages that pull players back. It is a constant in games
    whose gradients are linear.

    Raises:
      ValueError: it is of too many numbers, or the update is not one that can be differentiated.
    """
    _refuse_many(_moving(state))
    training = setting.training
    if training.dynamics == "competitive" and training.dynamics_iterations:
        # Where they have converged, or there is nothing to solve, their derivatives are others.
        raise ValueError("training.dynamics_iterations: only 0 of them have a Jacobian")
    if training.unrolled and training.unrolled_through == OFF:
        raise ValueError("training.unrolled_through=off: gradients stop within the update")
    return np.asarray(_update_jacobian(setting, state, batch, updates), float)


@functools.partial(jax.jit, static_argnames="updates")
def _update_jacobian(setting: Setting, state: State, batch: Batch, updates: int) -> Array:
    numbers, restored = _as_vector(_moving(state))

    def advanced(vector: Array) -> Array:
        after = _moved_to(state, restored(vector))
        for _ in range(updates):
            after, _ = train.update(setting, after, batch)
        return _as_vector(_moving(after))[0]

    return jax.jacfwd(advanced)(numbers)


def eigenvalues(jacobian: np.ndarray) -> np.ndarray:
    """Of a Jacobian `[N, N]`: complex `[N]`, the largest in size first.

    NaN where it has a NaN, as some gradients are not smooth (Adam's first direction, for one).
    """
    if not np.isfinite(jacobian).all():
        return np.full(len(jacobian), np.nan + 0j)
    found = np.linalg.eigvals(jacobian).astype(complex)
    return found[np.argsort(-np.abs(found), kind="stable")]


def spectral_radius(jacobian: np.ndarray, updates: int = 1) -> float:
    """By what distances are multiplied in an update in the long run, if it is the Jacobian of some.

    Near a fixed point players come nearer to it if this is below 1.
    """
    return float(np.abs(eigenvalues(jacobian)[0]) ** (1 / updates))


def at_equilibrium(setting: Setting, key: Array) -> State:
    """The first state of a game of a point against a linear D, but at its equilibrium.

    There the point is at the target's mean, and D's slope is 0.
    """
    state, _ = train.init(setting, key)
    g, d = state.params
    point = jax.tree.map(lambda p: jnp.full_like(p, targets.mean(setting.target)), g)
    return state._replace(params=Players(point, jax.tree.map(jnp.zeros_like, d)))


def path(v: Callable[[Both], Both], start: Both, end: Both) -> Path:
    """The gradients' angle and norm along w(t) = t end + (1 - t) start.

    Berard et al. 2020, section 4: the angle is that with start - end. Where it changes its sign at
    t = 1 the end attracts; a bump there without a change is rotation. (Their code plots |v|^2.)
    """
    first, restored = _as_vector(start)
    last, _ = _as_vector(end)
    t = jnp.linspace(*PATH, POINTS)
    back = first - last

    def at(t: Array) -> tuple[Array, Array]:
        here, _ = _as_vector(v(restored(t * last + (1 - t) * first)))
        norm = jnp.linalg.norm(here)
        size = norm * jnp.linalg.norm(back)
        return jnp.where(size > 0, here @ back / jnp.where(size > 0, size, 1.0), 0.0), norm

    return Path(t, *jax.lax.map(at, t))


def duality_gap(
    setting: Setting, state: State, batch: Batch, rate: Array | float, steps: int
) -> Array:
    """A lower bound `[]` of max_G' L_D(G', D) - min_D' L_D(G, D'), what both could gain together.

    Each player takes steps of gradient ascent or descent from where it is, within D's bounds, and
    keeps its best; at an equilibrium neither gains. L_D is D's loss without penalties: this is the
    game in which G's loss is its negative, whatever G minimises in training. Grnarova et al. 2019
    halve both terms of the loss.
    """
    bare = dataclasses.replace(setting, penalty=dataclasses.replace(setting.penalty, kind=OFF))
    rows = jax.tree.map(lambda steps: steps[0], batch.d_rows())._replace(probes=None)
    loss = train.game(bare, state.carried, Players(rows, rows)).d
    bound = setting.discriminator.weight_clip

    def g_kept(params: Both) -> Both:
        return params._replace(d=state.params.d)

    def d_kept(params: Both) -> Both:
        d = params.d if bound is None else constraints.clipped(bound, params.d)
        return Players(state.params.g, d)

    highest = _highest(loss, state.params, g_kept, rate, steps)
    return highest + _highest(lambda params: -loss(params), state.params, d_kept, rate, steps)


def _highest(
    objective: Callable[[Both], Array],
    params: Both,
    allowed: Callable[[Both], Both],
    rate: Array | float,
    steps: int,
) -> Array:
    """The highest value on some steps of gradient ascent, the first and the last place included."""

    def climbed(here: Both, _: None) -> tuple[Both, Array]:
        value, slope = jax.value_and_grad(objective)(here)
        return allowed(jax.tree.map(lambda w, s: w + rate * s, here, slope)), value

    last, values = jax.lax.scan(climbed, params, None, length=steps)
    return jnp.maximum(values.max(initial=-jnp.inf), objective(last))


class _Moving(NamedTuple):
    """What has a part in later updates; not what is only judged, nor counts of steps."""

    params: Both
    carried: Tree
    opt_state: Tree
    past: Both | None
    of_d: Tree
    history: Both | None
    slow: Both | None


def _moving(state: State) -> _Moving:
    history, slow = state.averages.history, state.averages.slow
    return _Moving(
        state.params,
        state.carried,
        state.opt_state,
        state.past,
        state.averages.of_d,
        None if history is None else history.of,
        None if slow is None else slow.players,
    )


def _moved_to(state: State, moving: _Moving) -> State:
    """A state with other numbers."""
    averages = state.averages._replace(of_d=moving.of_d)
    if averages.history is not None:
        averages = averages._replace(history=averages.history._replace(of=moving.history))
    if averages.slow is not None and moving.slow is not None:
        averages = averages._replace(slow=averages.slow._replace(players=moving.slow))
    return State(moving.params, moving.carried, moving.opt_state, averages, moving.past)


def _as_vector(tree: Tree) -> tuple[Array, Callable[[Array], Tree]]:
    """The floats of a tree in one vector, and what makes such a tree of another one."""
    leaves, structure = jax.tree.flatten(tree)
    is_float = [_is_float(leaf) for leaf in leaves]
    vector, unravelled = ravel_pytree(
        [leaf for leaf, each in zip(leaves, is_float, strict=True) if each]
    )

    def restored(numbers: Array) -> Tree:
        floats = iter(unravelled(numbers))
        return jax.tree.unflatten(
            structure,
            [next(floats) if each else leaf for leaf, each in zip(leaves, is_float, strict=True)],
        )

    return vector, restored


def _is_float(leaf: Array) -> bool:
    return jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def _refuse_many(tree: Tree) -> None:
    """Refuse what a dense Jacobian would be too large for."""
    count = sum(np.size(leaf) for leaf in jax.tree.leaves(tree) if _is_float(leaf))
    if count > MOST:
        raise ValueError(f"a dense Jacobian is of at most {MOST} numbers, and these are {count}")
