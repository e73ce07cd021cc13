"""Dynamics, orders and averages: held to jax.grad in float64, and to their closed forms."""

import jax
import numpy as np
import pytest
from helpers import draw, setting

from gan1d.gan import dynamics, inputs, train
from gan1d.gan.dynamics import Pull
from gan1d.gan.players import Players

RATE = 0.05
SMALL = {
    "generator.hidden": (3,),
    "discriminator.hidden": (4, 2),
    "discriminator.activation": "tanh",
    "training.order": "simultaneous",
} | {f"{network}.optimizer.kind": "sgd" for network in ("generator", "discriminator")}
SMALL |= {f"{network}.optimizer.rate": RATE for network in ("generator", "discriminator")}
KEY = jax.random.key(2)
update, d_turn, g_turn = jax.jit(train.update), jax.jit(train.d_turn), jax.jit(train.g_turn)


def moved(players, gradients):
    return jax.tree.map(lambda p, g: p - RATE * g, players, gradients)


# The field's directions at some players, in terms of v, each player's gradient of its own loss. A
# new dynamics needs a row here, and an entry in DYNAMICS.
DIRECTIONS = {
    "gradient": lambda v, players: v(players),
    "extragradient": lambda v, players: v(moved(players, v(players))),
}
each_dynamics = pytest.mark.parametrize("kind", dynamics.DYNAMICS)


def test_every_dynamics_has_its_formula():
    assert DIRECTIONS.keys() == dynamics.DYNAMICS.keys()


@jax.jit
def stepped(one, state, rows):
    """Players after a step of both and its losses; and what both are by gradients of the game."""
    game = train.game(one, state.carried, rows)

    def v(players):
        return Players(jax.grad(game.g)(players).g, jax.grad(game.d)(players).d)

    after, losses = train.step(one, state, rows, ("g", "d"))
    expected = moved(state.params, DIRECTIONS[one.training.dynamics](v, state.params))
    return (after.params, losses), (expected, (game.g(state.params), game.d(state.params)))


@each_dynamics
@pytest.mark.parametrize(
    "fields", [{}, {"loss.kind": "hinge"}, {"penalty.kind": "r1"}, {"loss.kind": "wasserstein"}]
)
def test_a_step_follows_its_directions(kind, fields):
    one = setting(**SMALL, **fields, **{"training.dynamics": kind})
    state, _ = train.init(one, KEY)
    batch = draw(one, KEY, 0)
    rows = Players(*(jax.tree.map(lambda x: x[0], r) for r in (batch.g_rows(), batch.d_rows())))
    params, rows = jax.tree.map(lambda x: np.asarray(x, np.float64), (state.params, rows))
    with jax.enable_x64(True):
        found = stepped(one, state._replace(params=params), rows)
    (after, losses), (expected, values) = jax.tree.map(np.asarray, found)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(losses, values, rtol=1e-12)


@each_dynamics
@pytest.mark.parametrize("a", [0.1, 0.5])
def test_directions_of_the_bilinear_game_have_their_spectral_radius(kind, a):
    """theta psi, in float64, by the matrix that an update multiplies (theta, psi) by."""

    def field(players):
        return Pull(Players(0.0, 0.0), Players(players.d, -players.g))

    def step(players, gradients):
        return Players(players.g - a * gradients.g, players.d - a * gradients.d)

    def updated(theta, psi):
        start = Players(theta, psi)
        return step(start, dynamics.DYNAMICS[kind](field, step, start).gradients)

    matrix = np.column_stack([updated(1.0, 0.0), updated(0.0, 1.0)])
    radius = {"gradient": (1 + a**2) ** 0.5, "extragradient": (1 - a**2 + a**4) ** 0.5}[kind]
    np.testing.assert_allclose(np.abs(np.linalg.eigvals(matrix)), radius, rtol=1e-12)


def test_both_players_move_at_once_from_where_they_were():
    """Of alternating players the second one sees what the first has become."""
    fields = {name: value for name, value in SMALL.items() if name != "training.order"}
    states, batch = {}, draw(setting(**fields), KEY, 0)
    for order in inputs.ORDERS:
        one = setting(**fields, **{"training.order": order})
        state, _ = train.init(one, KEY)
        states[order], _ = update(one, state, batch)
    together, d_first, g_first = (
        states[order] for order in ("simultaneous", "alternating", "generator_first")
    )
    one = setting(**SMALL)
    by_old_d, _ = g_turn(one, train.init(one, KEY)[0], batch)
    by_old_g, _ = d_turn(one, train.init(one, KEY)[0], batch)
    for a, b in (
        (together.params.g, by_old_d.params.g),
        (together.params.d, by_old_g.params.d),
        (g_first.params.g, by_old_d.params.g),
        (d_first.params.d, by_old_g.params.d),
    ):
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6, atol=1e-7), a, b)
    for a, b in ((g_first.params.d, by_old_g.params.d), (d_first.params.g, by_old_d.params.g)):
        apart = jax.tree.map(lambda x, y: np.abs(x - y).max(), a, b)
        assert max(jax.tree.leaves(apart)) > 1e-5


@pytest.mark.parametrize("bound", [0.01, 0.5])
def test_clipping_keeps_all_of_d_within_its_bound_and_leaves_g_alone(bound):
    one = setting(**SMALL, **{"discriminator.weight_clip": bound, "loss.kind": "wasserstein"})
    free = setting(**SMALL, **{"loss.kind": "wasserstein"})
    batch = draw(one, KEY, 0)
    clipped, _ = update(one, train.init(one, KEY)[0], batch)
    loose, _ = update(free, train.init(free, KEY)[0], batch)
    for a, b in zip(*(jax.tree.leaves(s.params.d) for s in (clipped, loose)), strict=True):
        np.testing.assert_array_equal(a, np.clip(b, -bound, bound))
    jax.tree.map(np.testing.assert_array_equal, clipped.params.g, loose.params.g)


def test_what_is_judged_is_the_average_of_gs_weights():
    decay = 0.8
    one = setting(**SMALL, **{"averages.ema": decay})
    state, _ = train.init(one, KEY)
    average = state.params.g
    for number in range(4):
        state, _ = update(one, state, draw(one, KEY, number))
        average = jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, state.params.g)
    judged = train.judged(state)
    for a, b in zip(jax.tree.leaves(judged.g["params"]), jax.tree.leaves(average), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert judged.d["params"] is state.params.d
    apart = jax.tree.map(lambda a, p: np.abs(a - p).max(), average, state.params.g)
    assert max(jax.tree.leaves(apart)) > 1e-4
