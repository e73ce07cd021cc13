"""Games whose every update is known: Dirac's and the bilinear one, as ordinary settings.

The generator is a point theta, the discriminator psi x without a bias, and the data are all at 0
(normal, with a std that float32 has no digits for beside 1).
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting

from gan1d.engines import lanes
from gan1d.gan import inputs, randomness, train

SEED = np.zeros(1, np.uint32)


def game(theta, psi, rate, **fields):
    """A game that starts at these numbers."""
    common = {
        "target.loc": 0.0,
        "target.scale": 1e-30,  # the smallest that there is
        "generator.kind": "point",
        "generator.kernel_init": "ones",
        "generator.kernel_scale": theta,
        "discriminator.hidden": (),
        "discriminator.bias": False,
        "discriminator.kernel_init": "ones",
        "discriminator.kernel_scale": psi,
        "loss.log_floor": 0.0,
        "training.batch_size": 2,
    }
    for network in ("generator", "discriminator"):
        common |= {f"{network}.optimizer.kind": "sgd", f"{network}.optimizer.rate": rate}
    return setting(**common | fields)


@functools.cache
def trained_by_lanes(structure):
    return lanes.compile_training(jax.tree.unflatten(structure, [1.0] * structure.num_leaves))


def by_lanes(one, updates):
    many = jax.tree.map(lambda x: np.full(1, x, np.float32), one)
    start = jax.vmap(lambda own, seed: train.start(own, randomness.run_key(seed))[0])(many, SEED)
    return trained_by_lanes(jax.tree.structure(one))((many, SEED), start, 0, updates)[0]


@jax.jit
def trained_by_xla(one, run, batch, updates):
    def advanced(number, run):
        return train.advance(one, run, batch, number)

    return jax.lax.fori_loop(0, updates, advanced, run)


def by_xla(one, updates):
    """All on the first update's batch: the data are at 0 whichever are drawn."""
    key = randomness.run_key(0)
    run, _ = train.start(one, key)
    return trained_by_xla(one, run, inputs.draw(one, key, 0), updates)


ENGINES = {"lanes": by_lanes, "xla": by_xla}
each_engine = pytest.mark.parametrize("engine", ENGINES)


def played(engine, one, updates):
    """theta and psi after so many updates."""
    run = ENGINES[engine](one, updates)
    assert np.ravel(run.diverged_at).tolist() == [-1]
    params = run.state.params
    return float(np.ravel(params.g["point"])[0]), float(np.ravel(params.d["output"]["kernel"])[0])


SATURATING = {"loss.kind": "saturating"}
R1 = {"penalty.kind": "r1"}
# Final distances from the equilibrium after 500 updates by steps of 0.2 from (1, 1) in the sign of
# Mescheder et al. 2018 (arXiv 1801.04406), whose psi is minus ours: both players at once; theta
# first, then psi once; then psi five times. Worked out in float64 from the equations.
DIRAC = {
    "saturating": (SATURATING, (3.09695, 1.42102, 1.84527)),
    "non-saturating": ({}, (0.640207, 0.283923, 0.138877)),
    "Wasserstein, clipped": (
        {"loss.kind": "wasserstein", "discriminator.weight_clip": 1.0},
        (1.00215, 1.02412, 0.916885),
    ),
    "saturating, R1 of .3": (
        SATURATING | R1 | {"penalty.weight": 0.3},
        (2.64266e-6, 2.30091e-7, 9.25e-34),
    ),
    "saturating, R1 of 1": (
        SATURATING | R1 | {"penalty.weight": 1.0},
        (9.52872e-22, 7.48124e-17, 5.14350e-12),
    ),
    "non-saturating, R1 of .3": (R1 | {"penalty.weight": 0.3}, (2.21196e-6, 1.49942e-7, 3.98e-34)),
    "hinge": ({"loss.kind": "hinge"}, (None, 1.39786, 1.11855)),
    # psi moves by -.7 (|psi| - 1) sign psi as well.
    "Wasserstein, gradient penalty": (
        {"loss.kind": "wasserstein", "penalty.kind": "gradient", "penalty.weight": 0.35},
        (1.80179, 1.22107, 0.716301),
    ),
    # Their notebook halves the second term of its gradient: with that the last one is 4.6e-33.
    "saturating, consensus": (
        SATURATING | {"training.dynamics": "consensus"},
        (2.57855e-10, 1.7241e-11, 10.9687),
    ),
}
ORDERS = {
    "simultaneous": {"training.order": "simultaneous"},
    "alternating": {"training.order": "generator_first"},
    "five steps of D": {"training.order": "generator_first", "training.d_steps": 5},
}


@each_engine
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("case", DIRAC)
def test_dirac_gans_end_where_their_equations_do(engine, case, order):
    fields, ends = DIRAC[case]
    expected, updates = ends[list(ORDERS).index(order)], 500
    if expected is None:
        # At once, they pass the kinks of hinge within rounding, again and again: in float64 starts
        # that are 1e-7 apart end between 1.50 and 1.79 (the very start at 1.70492).
        expected, updates = 1.32544, 20
    end = np.hypot(*played(engine, game(1.0, -1.0, 0.2, **fields, **ORDERS[order]), updates))
    # The data are not quite at 0: nothing gets much nearer to it.
    np.testing.assert_allclose(end, expected, rtol=2e-3 if expected < 1e-3 else 2e-5, atol=1e-29)


@each_engine
@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_a_relativistic_dirac_gan_is_the_non_saturating_one(engine, rate):
    fields = {"training.order": "simultaneous", "training.sort": False}
    ends = [
        played(engine, game(1.0, -1.0, rate, **fields, **{"loss.kind": kind}), 100)
        for kind in ("relativistic", "non_saturating")
    ]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-4)


@each_engine
@pytest.mark.parametrize("theta, psi, factor", [(1.0, 1.0, 1.021377866), (2.0, -0.5, 1.002893180)])
def test_steps_at_once_lead_a_saturating_dirac_gan_out_by_a_known_factor(
    engine, theta, psi, factor
):
    """Of the squared distance, 1 + rate^2 sigmoid(psi theta)^2."""
    one = game(theta, psi, 0.2, **SATURATING, **ORDERS["simultaneous"])
    found = np.hypot(*played(engine, one, 1)) ** 2 / (theta**2 + psi**2)
    np.testing.assert_allclose(found, factor, rtol=5e-7)


@each_engine
def test_a_non_saturating_dirac_gan_comes_near_as_slowly_as_it_does(engine):
    """In continuous time r^2 is about 8 / (t + 8 / r_0^2), .0197953 at 400 from (1, 1)."""
    rate = 0.02
    theta, psi = played(engine, game(1.0, 1.0, rate, **ORDERS["alternating"]), round(400 / rate))
    # What small alternating steps keep to, at the equilibrium's slope of 1/2.
    found = theta**2 + psi**2 + rate / 2 * theta * psi
    np.testing.assert_allclose(found, 0.0197953, rtol=5e-4)


@jax.jit
def mean_square(one, run, batch):
    """Of the distance from the equilibrium over updates 1000 to 6000."""

    def advanced(number, carried):
        run, total = carried
        run = train.advance(one, run, batch, number)
        square = sum((x**2).sum() for x in jax.tree.leaves(run.state.params))
        return run, total + jnp.where(number < 1000, 0.0, square) / 5000

    return jax.lax.fori_loop(0, 6000, advanced, (run, 0.0))[1]


@pytest.mark.parametrize("rate, square", [(0.2, 0.39913), (0.1, 0.19989), (0.05, 0.09999)])
def test_steps_at_once_end_on_a_cycle_about_the_non_saturating_equilibrium(rate, square):
    """Where what they lead out is what the game leads in, at r^2 of about twice the rate."""
    key = randomness.run_key(0)
    one = game((2 * rate) ** 0.5, 1e-3, rate, **ORDERS["simultaneous"])
    run, _ = train.start(one, key)
    found = mean_square(one, run, inputs.draw(one, key, 0))
    np.testing.assert_allclose(found, square, rtol=1e-4)


@each_engine
def test_dragan_cycles_as_the_gradient_penalty_does(engine):
    """All rows are at 0, and so is what lies around them."""
    fields, (expected, *_) = DIRAC["Wasserstein, gradient penalty"]
    dragan = fields | {"penalty.kind": "dragan"} | ORDERS["simultaneous"]
    end = np.hypot(*played(engine, game(1.0, -1.0, 0.2, **dragan), 500))
    np.testing.assert_allclose(end, expected, rtol=2e-5)


BILINEAR = {"loss.kind": "wasserstein"}
AT_ONCE = BILINEAR | {"training.order": "simultaneous"}
ROTATION, ONE, NONE = np.array([[0.0, -1.0], [1.0, 0.0]]), np.eye(2), np.zeros((2, 2))


def with_dynamics(kind, **fields):
    named = {f"training.{name}": value for name, value in fields.items()}
    return AT_ONCE | {"training.dynamics": kind} | named


def optimized(kind, **fields):
    """The same optimizer for both players."""
    both = {f"{network}.optimizer.kind": kind for network in ("generator", "discriminator")}
    for network in ("generator", "discriminator"):
        both |= {f"{network}.optimizer.{name}": value for name, value in fields.items()}
    return both


def descended(a):
    return ONE - a * ROTATION


def optimistic(a):
    return np.block([[ONE - 2 * a * ROTATION, a * ROTATION], [ONE, NONE]])


def past(a):
    """Of the players, and the direction of the step before."""
    direction = np.block([[ROTATION, -a * ROTATION]])
    return np.vstack([np.block([[ONE, NONE]]) - a * direction, direction])


def heavy_ball(a, b=-0.5):
    return np.block([[ONE - a * ROTATION, -a * b * ONE], [ROTATION, b * ONE]])


def alternating_heavy_ball(a, b=-0.5):
    """Of theta, psi and their velocities; theta moves first."""
    g, d = np.eye(4), np.eye(4)
    g[2] = [0, -1, b, 0]
    g[0] = g[0] - a * g[2]
    d[3] = [1, 0, 0, b]
    d[1] = d[1] - a * d[3]
    return d @ g


def unrolled(steps, factor):
    """G's gradient is -psi + factor steps a theta: both terms, or one that D's steps leave."""
    return lambda a: np.array([[1 - factor * steps * a**2, a], [-a, 1]])


def ahead(step):
    """Every six updates."""
    return AT_ONCE | {"averages.lookahead": 6.0, "averages.lookahead_step": step}


def looked_ahead(step):
    return lambda a: ONE + step * (np.linalg.matrix_power(descended(a), 6) - ONE)


COMPETITIVE = {"fresh_batches": False}
LOOKAHEAD = {"averages.lookahead": 5.0, "averages.lookahead_step": 0.5}
MOMENTUM = optimized("momentum", momentum=-0.5)
# Fields; the matrix that so many updates multiply (theta, psi), and what else there is, by; and its
# spectral radius by a, the rate, to the power of one update, as worked out apart.
GAMES = {
    "simultaneous": (AT_ONCE, descended, 1, {0.1: 1.004988, 0.5: 1.118034}),
    "extragradient": (
        with_dynamics("extragradient"),
        lambda a: ONE - a * ROTATION @ descended(a),
        1,
        {0.1: 0.995038, 0.5: 0.901388, 1.0: 1.0},
    ),
    "past extragradient": (
        with_dynamics("past_extragradient"),
        past,
        1,
        {0.1: 0.994936, 0.5: 0.707107},
    ),
    "optimistic": (
        AT_ONCE | optimized("optimistic"),
        optimistic,
        1,
        {0.1: 0.994936, 0.5: 0.707107},
    ),
    "consensus": (
        with_dynamics("consensus"),
        lambda a: descended(a) - a * ONE,
        1,
        {0.1: 0.905539, 0.5: 0.707107},
    ),
    "JARE": (
        with_dynamics("jacobian"),
        lambda a: descended(a) - a * ONE,
        1,
        {0.1: 0.905539, 0.5: 0.707107},
    ),
    "symplectic": (
        with_dynamics("symplectic"),
        lambda a: descended(a) - a * ONE,
        1,
        {0.1: 0.905539, 0.5: 0.707107},
    ),
    "G minimises D's gradient": (
        with_dynamics("d_gradient"),
        lambda a: descended(a) - a * np.diag([1.0, 0.0]),
        1,
        {},
    ),
    "competitive": (
        with_dynamics("competitive", **COMPETITIVE),
        lambda a: ONE - a * np.linalg.solve(ONE + a * ROTATION, ROTATION),
        1,
        {0.1: 0.995037, 0.5: 0.894427, 1.0: 0.707107},
    ),
    "linearised competitive": (
        with_dynamics("competitive", dynamics_iterations=0, **COMPETITIVE),
        lambda a: ONE - a * descended(a) @ ROTATION,
        1,
        {0.1: 0.995038, 0.5: 0.901388},
    ),
    "heavy ball": (
        AT_ONCE | MOMENTUM,
        heavy_ball,
        1,
        {0.1: 1.000743, 0.5: 1.020054, 1.0: 1.104793},
    ),
    "heavy ball, alternating": (
        BILINEAR | MOMENTUM | {"training.order": "generator_first"},
        alternating_heavy_ball,
        1,
        {0.1: 0.998518, 0.5: 0.962544, 1.0: 1.0},
    ),
    "lookahead": (
        AT_ONCE | LOOKAHEAD,
        lambda a: (ONE + np.linalg.matrix_power(descended(a), 5)) / 2,
        5,
        {0.1: 0.981327 ** (1 / 5)},
    ),
    "lookahead by little": (ahead(0.4), looked_ahead(0.4), 6, {0.3: 0.719935 ** (1 / 6)}),
    "lookahead by half": (ahead(0.5), looked_ahead(0.5), 6, {0.3: 0.744755 ** (1 / 6)}),
    "lookahead by too much": (ahead(0.8), looked_ahead(0.8), 6, {0.3: 1.019799 ** (1 / 6)}),
    "unrolled once": (
        AT_ONCE | {"training.unrolled": 1},
        unrolled(1, 2),
        1,
        {0.3: 0.953939},
    ),
    "unrolled once, not through": (
        AT_ONCE | {"training.unrolled": 1, "training.unrolled_through": "off"},
        unrolled(1, 1),
        1,
        {0.3: 1.0},
    ),
    "unrolled six times": (
        AT_ONCE | {"training.unrolled": 6},
        unrolled(6, 2),
        1,
        {0.3: 0.908999},
    ),
    "unrolled six times, not through": (
        AT_ONCE | {"training.unrolled": 6, "training.unrolled_through": "off"},
        unrolled(6, 1),
        1,
        {0.3: 0.741620},
    ),
}


@pytest.mark.parametrize("case", GAMES)
def test_the_bilinear_games_matrices_have_the_radii_that_are_known(case):
    _, matrix, updates, radii = GAMES[case]
    for a, radius in radii.items():
        found = np.abs(np.linalg.eigvals(matrix(a))).max() ** (1 / updates)
        np.testing.assert_allclose(found, radius, atol=1e-6)


@each_engine
@pytest.mark.parametrize("case", GAMES)
def test_bilinear_games_are_their_matrices(engine, case):
    fields, matrix, updates, radii = GAMES[case]
    for a in radii or {0.1: None}:
        power = matrix(a)
        # Neither out of float32's sight nor down to where the data are.
        steps = 500 if 0.9 < np.abs(np.linalg.eigvals(power)).max() < 1.01 else 100
        steps -= steps % updates
        start = np.zeros(len(power))
        start[:2] = 1.0, 0.5
        expected = np.linalg.matrix_power(power, steps // updates) @ start
        end = played(engine, game(1.0, 0.5, a, **fields), steps)
        scale = np.hypot(*expected[:2])
        np.testing.assert_allclose(end, expected[:2], rtol=0, atol=2e-3 * scale)


@each_engine
@pytest.mark.parametrize("a", [0.1, 0.5, 1.0])
def test_alternating_steps_keep_to_an_ellipse(engine, a):
    """G first: theta^2 + psi^2 - a theta psi stays what it was, in the sign that has G rise."""
    fields = BILINEAR | {"training.order": "generator_first"}
    theta, psi = played(engine, game(1.0, 0.5, a, **fields), 500)
    before = 1 + 0.25 + a * 0.5
    np.testing.assert_allclose(theta**2 + psi**2 + a * theta * psi, before, rtol=1e-4)


@each_engine
def test_competitive_descents_demonstration_ends_where_it_does(engine):
    """Schaefer & Anandkumar 2019 (arXiv 1905.12103): from (.5, .5), 50 steps of .2."""
    fields = with_dynamics("competitive", **COMPETITIVE)
    end = np.hypot(*played(engine, game(0.5, 0.5, 0.2, **fields), 50))
    np.testing.assert_allclose(end, 0.2652476, rtol=2e-6)


@each_engine
def test_of_two_rates_only_the_product_counts(engine):
    """Simultaneous steps, Dirac's game at its equilibrium: 1 + rates' product / 4, squared."""
    ends = []
    for g, d in ((0.2, 0.2), (0.4, 0.1), (0.05, 0.8)):
        fields = {
            "training.order": "simultaneous",
            "generator.optimizer.rate": g,
            "discriminator.optimizer.rate": d,
        }
        # In the units in which both have one rate, the same circle.
        start = 1e-3 * (g / 0.2) ** 0.5, -1e-3 * (d / 0.2) ** 0.5
        theta, psi = played(engine, game(*start, 0.2, **fields), 200)
        ends.append(np.hypot(theta / (g / 0.2) ** 0.5, psi / (d / 0.2) ** 0.5))
    expected = 2**0.5 * 1e-3 * (1 + 0.04 / 4) ** 100
    np.testing.assert_allclose(ends, expected, rtol=1e-3)


# Gidel et al. 2019 (arXiv 1802.10551), their demonstration: theta 2, psi .5, within [-1, 1], 100
# updates, psi first where they alternate; distances worked out in float64. Theirs projects after
# the second half of an extragradient step only, and ends at 2.67392e-6; ours after both.
VARIATIONAL = {
    "simultaneous": (0.1, {"training.order": "simultaneous"}, 1.077588),
    "alternating": (0.1, {}, 0.995872),
    "extragradient": (
        0.6,
        {"training.order": "simultaneous", "training.dynamics": "extragradient"},
        2.98286e-6,
    ),
}


@each_engine
@pytest.mark.parametrize("case", VARIATIONAL)
def test_clipped_bilinear_games_end_where_their_equations_do(engine, case):
    rate, fields, expected = VARIATIONAL[case]
    clipped = BILINEAR | {"discriminator.weight_clip": 1.0}
    end = np.hypot(*played(engine, game(2.0, -0.5, rate, **clipped, **fields), 100))
    np.testing.assert_allclose(end, expected, rtol=1e-3)


@each_engine
def test_every_step_of_an_unrolled_d_is_within_its_bound(engine):
    """From psi of .4 by -(1 + 1.5 psi): to -1.2 and then, from the bound of -.5, to -.75.

    Had the first step gone all the way, the second one would have led back to -.4.
    """
    bound = {"discriminator.weight_clip": 0.5, "training.unrolled": 2}
    penalized = R1 | {"penalty.weight": 1.5}
    end = played(engine, game(1.0, 0.4, 1.0, **AT_ONCE, **bound, **penalized), 1)
    np.testing.assert_allclose(end, (1 - 0.5, -0.5), rtol=1e-6)


@each_engine
def test_consensus_keeps_d_within_its_bound(engine):
    """From (1, .2) by half of (theta - psi, theta + psi)."""
    fields = with_dynamics("consensus") | {"discriminator.weight_clip": 0.25}
    end = played(engine, game(1.0, 0.2, 0.5, **fields), 1)
    np.testing.assert_allclose(end, (1 - 0.4, -0.25), rtol=1e-6)
