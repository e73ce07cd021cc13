"""Dynamics, orders and averages: held to jax.grad in float64, and to their closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import draw, setting
from jax.flatten_util import ravel_pytree

from gan1d.gan import dynamics, inputs, train
from gan1d.gan.dynamics import Pull, Terms
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


WEIGHT = 0.3
ITERATIONS = 2


def plus(one, weight, other):
    return jax.tree.map(lambda a, b: a + weight * b, one, other)


def zeros(params):
    return jax.tree.map(jnp.zeros_like, params)


def squared(v, players):
    """Half the squared length of each player's gradient."""
    return Players(*(sum((x**2).sum() for x in jax.tree.leaves(own)) / 2 for own in v(players)))


def of_others(v, players):
    """The gradients of that in the other player's weights."""
    of = [jax.grad(lambda p, i=i: squared(v, p)[i])(players) for i in range(2)]
    return Players(of[1].g, of[0].d)


def by_matrices(adjusted):
    """Directions from v and J as an array and a matrix, in the order of `Players`."""

    def directions(v, players):
        flat, rebuilt = ravel_pytree(players)
        size = ravel_pytree(players.g)[0].size

        def field(w):
            return ravel_pytree(v(rebuilt(w)))[0]

        arrays = len(jax.tree.leaves(players))
        return rebuilt(adjusted(field(flat), jax.jacobian(field)(flat), size, arrays))

    return directions


def symplectic(v, jacobian, size, arrays):
    adjustment, hamiltonian = (jacobian.T - jacobian) / 2 @ v, jacobian.T @ v
    aligned = (v @ hamiltonian) * (adjustment @ hamiltonian) / arrays + 0.1
    return v + WEIGHT * jnp.sign(aligned) * adjustment


def competitive(v, jacobian, size, arrays):
    """Solved exactly; a few iterations get there, since every product has a factor of the rate."""
    own = np.arange(len(v)) < size
    between = jnp.where(own[:, None] == own[None], 0.0, jacobian)
    return jnp.linalg.solve(jnp.eye(len(v)) + RATE * between, v)


# The field's directions at some players, in terms of v, each player's gradient of its own loss. A
# new dynamics needs a row here, and an entry in DYNAMICS.
DIRECTIONS = {
    "gradient": lambda v, players: v(players),
    "extragradient": lambda v, players: v(moved(players, v(players))),
    "past_extragradient": lambda v, players: v(players),  # the first step has no past
    "consensus": lambda v, players: plus(
        v(players), WEIGHT, jax.grad(lambda p: sum(squared(v, p)))(players)
    ),
    "jacobian": lambda v, players: plus(v(players), WEIGHT, of_others(v, players)),
    "d_gradient": lambda v, players: plus(
        v(players), WEIGHT, of_others(v, players)._replace(d=zeros(players.d))
    ),
    "symplectic": by_matrices(symplectic),
    "competitive": by_matrices(competitive),
}
ONE_GAME = {"training.fresh_batches": False}
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


def with_dynamics(kind, **fields):
    weight = {"training.dynamics_weight": WEIGHT} if dynamics.DYNAMICS[kind].weighted else {}
    return setting(**SMALL | {"training.dynamics": kind} | weight | fields)


def rows_of(one):
    batch = draw(one, KEY, 0)
    return Players(*(jax.tree.map(lambda x: x[0], r) for r in (batch.g_rows(), batch.d_rows())))


@each_dynamics
@pytest.mark.parametrize("fields", [{}, {"loss.kind": "hinge", "penalty.kind": "r1"}])
def test_a_step_follows_its_directions(kind, fields):
    if dynamics.DYNAMICS[kind].zero_sum:
        fields = ONE_GAME | {"loss.kind": "wasserstein" if fields else "saturating"}
    one = with_dynamics(kind, **fields)
    state, _ = train.init(one, KEY)
    rows = rows_of(one)
    params, rows, past = jax.tree.map(
        lambda x: np.asarray(x, np.float64), (state.params, rows, state.past)
    )
    with jax.enable_x64(True):
        found = stepped(one, state._replace(params=params, past=past), rows)
    (after, losses), (expected, values) = jax.tree.map(np.asarray, found)
    for a, b in zip(jax.tree.leaves(after), jax.tree.leaves(expected), strict=True):
        assert a.dtype == b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(losses, values, rtol=1e-12)


def spectral_radius(kind, a, weight=1.0, iterations=2, past=False):
    """Of theta psi, in float64, by the matrix that an update multiplies its numbers by."""

    def field(players):
        return Pull(Players(0.0, 0.0), Players(players.d, -players.g))

    def step(players, gradients, memory):
        return Players(players.g - a * gradients.g, players.d - a * gradients.d), memory

    def updated(theta, psi, *before):
        start = Players(jnp.float64(theta), jnp.float64(psi))
        last = Players(*map(jnp.float64, before)) if past else None
        terms = Terms(start, None, last, field, field, field, step, weight, a, iterations)
        pull, _ = dynamics.DYNAMICS[kind].directions(terms)
        after, _ = step(start, pull.gradients, None)
        return [*after, *pull.gradients] if past else [*after]

    with jax.enable_x64(True):
        matrix = np.column_stack([updated(*unit) for unit in np.eye(4 if past else 2)])
    return np.abs(np.linalg.eigvals(matrix)).max()


# By a, the step times the coupling.
RADII = {
    "gradient": lambda a: (1 + a**2) ** 0.5,
    "extragradient": lambda a: (1 - a**2 + a**4) ** 0.5,
    "past_extragradient": lambda a: (
        ((1 + (1 - 4 * a**2) ** 0.5) / 2) ** 0.5
        if a <= 0.5
        else (1 / 4 + (a + (a**2 - 1 / 4) ** 0.5) ** 2) ** 0.5
    ),
    "consensus": lambda a: abs(1 - a + 1j * a),
    "jacobian": lambda a: abs(1 - a + 1j * a),  # there the other's gradient is all there is
    # (theta, psi) to (theta - a psi - a theta, psi + a theta)
    "d_gradient": lambda a: np.abs(np.linalg.eigvals([[1 - a, -a], [a, 1]])).max(),
    "symplectic": lambda a: abs(1 - a + 1j * a),
    "competitive": lambda a: 1 / (1 + a**2) ** 0.5,
}


@each_dynamics
@pytest.mark.parametrize("a", [0.1, 0.5, 1.0])
def test_directions_of_the_bilinear_game_have_their_spectral_radius(kind, a):
    past = dynamics.DYNAMICS[kind].past
    np.testing.assert_allclose(spectral_radius(kind, a, past=past), RADII[kind](a), rtol=1e-7)


def test_radii_of_the_bilinear_game_are_those_that_are_known():
    """Worked out apart from the formulas above, for a of .1, .5 and 1."""
    known = {
        "extragradient": (0.995038, 0.901388, 1.0),
        "past_extragradient": (0.994936, 0.707107, 1.931852),
        "competitive": (0.995037, 0.894427, 0.707107),
        "consensus": (0.905539, 0.707107, 1.0),
        "symplectic": (0.905539, 0.707107, 1.0),
    }
    for kind, radii in known.items():
        found = [RADII[kind](a) for a in (0.1, 0.5, 1.0)]
        np.testing.assert_allclose(found, radii, atol=6e-7)


@pytest.mark.parametrize("a", [0.1, 0.5, 0.9])
def test_without_iterations_competitive_descent_is_linearised(a):
    radius = spectral_radius("competitive", a, iterations=0)
    np.testing.assert_allclose(radius, (1 - a**2 + a**4) ** 0.5, rtol=1e-7)


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_past_extragradient_follows_the_directions_of_the_step_before(kind):
    changed = {f"{network}.optimizer.kind": kind for network in ("generator", "discriminator")}
    one = with_dynamics("past_extragradient", **changed)
    state, _ = train.init(one, KEY)
    first, _ = update(one, state, draw(one, KEY, 0))
    batch = draw(one, KEY, 1)
    second, _ = update(one, first, batch)
    rows = Players(*(jax.tree.map(lambda x: x[0], r) for r in (batch.g_rows(), batch.d_rows())))
    both = ("g", "d")
    there, memory = train.moved(one, both, first.params, first.past, first.opt_state)
    game = train.game(one, first.carried, rows)
    directions = Players(jax.grad(game.g)(there).g, jax.grad(game.d)(there).d)
    after, _ = train.moved(one, both, first.params, directions, memory)
    for a, b in zip(*map(jax.tree.leaves, (second.params, after)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", inputs.ORDERS)
def test_the_second_half_of_extragradient_may_have_a_batch_of_its_own(order):
    """Drawn of the same law, from other randomness; with the first's it is what it was without."""
    own = {"training.order": order, "training.fresh_batches": False}
    one = with_dynamics("extragradient", **own, **{"training.fresh_halves": True})
    same = with_dynamics("extragradient", **own)
    state, _ = train.init(one, KEY)
    batch, plain = draw(one, KEY, 0), draw(same, KEY, 0)
    assert jax.tree.structure(batch.later) == jax.tree.structure(plain)
    for first, later, alone in zip(batch[:3], batch.later[:3], plain[:3], strict=True):
        np.testing.assert_array_equal(first, alone)
        assert np.abs(later - first).min() > 0
    if order != "simultaneous":
        return
    rows = Players(*(jax.tree.map(lambda x: x[0], r) for r in (batch.g_rows(), batch.d_rows())))
    here, there = (
        train.game(one, state.carried, each) for each in (rows, Players(rows.g.later, rows.d.later))
    )

    def v(game, players):
        return Players(jax.grad(game.g)(players).g, jax.grad(game.d)(players).d)

    halfway = moved(state.params, v(here, state.params))
    expected = moved(state.params, v(there, halfway))
    after, _ = update(one, state, batch)
    for a, b in zip(*map(jax.tree.leaves, (after.params, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["adam", "adam_tf1", "optimistic_adam"])
def test_both_halves_of_extra_adam_advance_its_moments(kind):
    changed = {f"{network}.optimizer.kind": kind for network in ("generator", "discriminator")}
    state, counts = None, []
    for name in ("gradient", "extragradient"):
        one = with_dynamics(name, **changed)
        state, _ = update(one, train.init(one, KEY)[0], draw(one, KEY, 0))
        counts.append(max(int(x) for x in jax.tree.leaves(state.opt_state) if x.dtype == np.int32))
    assert counts == [1, 2]


@pytest.mark.parametrize("through", ["on", "off"])
@pytest.mark.parametrize("steps", [1, 3])
def test_unrolling_is_ds_own_steps_on_gs_rows_and_they_are_undone(steps, through):
    one = setting(
        **SMALL
        | {
            "training.unrolled": steps,
            "training.unrolled_through": through,
            "discriminator.optimizer.kind": "adam",
            "loss.kind": "saturating",
            "penalty.kind": "r1",
        }
    )
    state, _ = train.init(one, KEY)
    rows = rows_of(one)
    of_g, own = (train.game(one, state.carried, r) for r in (Players(rows.g, rows.g), rows))

    def g_loss(g):
        players, memory = Players(g, state.params.d), state.opt_state
        for _ in range(steps):
            directions = Players(None, jax.grad(of_g.d)(players).d)
            players, memory = train.moved(one, ("d",), players, directions, memory)
        if through == "off":
            players = jax.lax.stop_gradient(players)._replace(g=g)
        return own.g(players)

    loss, gradient = jax.jit(jax.value_and_grad(g_loss))(state.params.g)
    expected = jax.tree.map(lambda p, g: p - RATE * g, state.params.g, gradient)
    after, losses = jax.jit(train.step, static_argnums=3)(one, state, rows, ("g", "d"))
    plain = setting(**SMALL | {"discriminator.optimizer.kind": "adam", "penalty.kind": "r1"})
    plain_after, _ = jax.jit(train.step, static_argnums=3)(plain, state, rows, ("g", "d"))
    np.testing.assert_allclose(losses.g, loss, rtol=1e-5)
    for a, b in zip(*map(jax.tree.leaves, (after.params.g, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(*map(jax.tree.leaves, (after.params.d, plain_after.params.d)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


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


def test_the_uniform_average_weighs_the_initial_weights_and_all_others_alike():
    one = setting(**SMALL, **{"averages.uniform": "on"})
    state, _ = train.init(one, KEY)
    past = [state.params.g]
    for number in range(4):
        state, _ = update(one, state, draw(one, KEY, number))
        past.append(state.params.g)
    judged = train.judged(state).g["params"]
    for mean, *values in zip(*map(jax.tree.leaves, (judged, *past)), strict=True):
        np.testing.assert_allclose(mean, np.mean(values, 0), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("step", [0.0, 0.3, 1.0])
def test_lookahead_brings_both_players_back_every_so_many_updates(step):
    looking, free = (
        setting(**SMALL, **fields)
        for fields in ({"averages.lookahead": 3.0, "averages.lookahead_step": step}, {})
    )
    state, _ = train.init(looking, KEY)
    slow = state.params
    for number in range(7):
        batch = draw(free, KEY, number)
        # What the update alone makes of it, with the averages of a setting without.
        alone, _ = update(free, state._replace(averages=train.init(free, KEY)[0].averages), batch)
        state, _ = update(looking, state, batch)
        expected = alone.params
        if number % 3 == 2:
            expected = slow = jax.tree.map(lambda s, p: s + step * (p - s), slow, alone.params)
        for a, b in zip(*map(jax.tree.leaves, (state.params, expected)), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_lookahead_leaves_the_memory_of_optimizers_alone():
    """As Chavdarova et al. 2021 (arXiv 2006.14567) have it."""
    least = {"generator.hidden": (), "discriminator.hidden": ()}
    adam = {f"{network}.optimizer.kind": "adam" for network in ("generator", "discriminator")}
    free, looking = (
        setting(**SMALL | least | adam | fields)
        for fields in ({}, {"averages.lookahead": 1.0, "averages.lookahead_step": 0.0})
    )
    batch = draw(free, KEY, 0)
    (alone, _), (state, _) = (
        update(one, train.init(one, KEY)[0], batch) for one in (free, looking)
    )
    jax.tree.map(np.testing.assert_array_equal, state.params, train.init(free, KEY)[0].params)
    jax.tree.map(np.testing.assert_array_equal, state.opt_state, alone.opt_state)
    assert max(np.abs(x).max() for x in jax.tree.leaves(state.opt_state.d[0].mu)) > 1e-4
