"""What the laboratory measures of games is what theory says of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import setting
from test_games import AT_ONCE, BILINEAR, GAMES, R1, SATURATING, game, optimized, with_dynamics

from gan1d.gan import inputs, laboratory, metrics, randomness, train
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import game as game_metrics
from gan1d.gan.players import Players

KEY = randomness.run_key(0)


def played(theta=0.0, psi=0.0, rate=0.2, **fields):
    """A game's setting, its state at these numbers, and a batch."""
    one = game(1.0, 1.0, rate, **fields)
    state = laboratory.at_equilibrium(one, KEY)
    g, d = state.params
    moved = Players(jax.tree.map(lambda p: p + theta, g), jax.tree.map(lambda p: p + psi, d))
    return one, state._replace(params=moved), inputs.draw(one, KEY, 0)


def assert_same_numbers(found, expected, atol=1e-6):
    """In whatever order."""
    np.testing.assert_allclose(np.sort_complex(found), np.sort_complex(expected), atol=atol)


def pair(real, square):
    """real +- sqrt(square)."""
    root = np.sqrt(complex(square))
    return [real + root, real - root]


def penalized(kind, weight, **fields):
    return {"penalty.kind": kind, "penalty.weight": weight} | fields


def alpha(value):
    return {"loss.kind": "alpha_saturating", "loss.alpha_d": value, "loss.alpha_g": value}


GAMMA = 0.3
# Eigenvalues of w' = -v at the equilibrium: Mescheder et al. 2018 (arXiv 1801.04406), and worked
# out alike for what they have not.
EIGENVALUES = {
    "non-saturating": ({}, pair(0, -1 / 4)),
    "saturating": (SATURATING, pair(0, -1 / 4)),
    "relativistic": (
        {"loss.kind": "relativistic", "training.sort": False},
        pair(0, -1 / 4),
    ),
    "Jensen-Shannon": ({"loss.kind": "f_jensen_shannon"}, pair(0, -1 / 4)),
    "alpha 1/2": (alpha(0.5), pair(0, -1)),
    "alpha 2": (alpha(2.0), pair(0, -1 / 8)),
    "Wasserstein": (BILINEAR, pair(0, -1)),
    "Wasserstein, clipped": (BILINEAR | {"discriminator.weight_clip": 1.0}, pair(0, -1)),
    "hinge": ({"loss.kind": "hinge"}, pair(0, -1)),
    "reverse KL": ({"loss.kind": "f_reverse_kl"}, pair(0, -1)),
    "Pearson": ({"loss.kind": "f_pearson"}, pair(0, -1)),
    "Hellinger": ({"loss.kind": "f_squared_hellinger"}, pair(0, -1)),
    "KL": ({"loss.kind": "f_kl"}, pair(0, -np.exp(-2))),
    "least squares, without the bias that it needs": ({"loss.kind": "least_squares"}, [0, 0]),
    "R1": (penalized("r1", GAMMA), pair(-GAMMA / 2, GAMMA**2 / 4 - 1 / 4)),
    "R2": (penalized("r2", GAMMA), pair(-GAMMA / 2, GAMMA**2 / 4 - 1 / 4)),
    "R1 and R2": (penalized("r1_r2", GAMMA), pair(-GAMMA, GAMMA**2 - 1 / 4)),
    "R1, beyond the critical weight": (penalized("r1", 2.0), pair(-1, 3 / 4)),
    "Wasserstein, R1": (
        penalized("r1", GAMMA, **BILINEAR),
        pair(-GAMMA / 2, GAMMA**2 / 4 - 1),
    ),
    "JS-regularised": (
        penalized("jensen_shannon", GAMMA),
        pair(-GAMMA / 4, GAMMA**2 / 16 - 1 / 4),
    ),
}


@pytest.mark.parametrize("case", EIGENVALUES)
def test_the_eigenvalues_of_games_are_those_of_theory(case):
    fields, expected = EIGENVALUES[case]
    found = laboratory.eigenvalues(-laboratory.game_jacobian(*played(**fields)))
    assert_same_numbers(found, expected)


@pytest.mark.parametrize("loss, slope", [("saturating", 1 / 2), ("wasserstein", 1)])
def test_noise_on_both_inputs_is_a_penalty_but_for_wasserstein(loss, slope):
    """-S^2/4 +- sqrt(S^4/16 - 1/4), in the mean over noise; +-i, which noise leaves alone."""
    noise = {"tricks.instance_noise": 1.0, "training.batch_size": 65536, "loss.kind": loss}
    damping = -1 / 4 if loss == "saturating" else 0
    found = laboratory.eigenvalues(-laboratory.game_jacobian(*played(**noise)))
    assert_same_numbers(found, pair(damping, damping**2 - slope**2), atol=0.01)


# Of what is no gradient of losses: of w' = (an update - w) / rate, at once.
VELOCITIES = {
    "simultaneous": (SATURATING, pair(0, -1 / 4)),
    "consensus": (
        SATURATING | {"training.dynamics": "consensus", "training.dynamics_weight": GAMMA},
        pair(-GAMMA / 4, -1 / 4),
    ),
    "quadratic": (BILINEAR | optimized("sgd", weight_decay=GAMMA), pair(-GAMMA, -1)),
}


@pytest.mark.parametrize("case", VELOCITIES)
def test_updates_move_players_by_the_eigenvalues_of_theory(case):
    fields, expected = VELOCITIES[case]
    fields = {"training.order": "simultaneous"} | fields
    jacobian = laboratory.update_jacobian(*played(rate=0.25, **fields))
    assert_same_numbers(laboratory.eigenvalues((jacobian - np.eye(2)) / 0.25), expected)


UNDIFFERENTIABLE = {
    "competitive": "dynamics_iterations: only 0",
    "unrolled once, not through": "unrolled_through=off",
    "unrolled six times, not through": "unrolled_through=off",
}


@pytest.mark.parametrize("case", [case for case in GAMES if case not in UNDIFFERENTIABLE])
def test_updates_of_bilinear_games_have_the_radii_that_are_known(case):
    fields, matrix, updates, radii = GAMES[case]
    for a in radii or {0.1: None}:
        expected = np.abs(np.linalg.eigvals(matrix(a))).max() ** (1 / updates)
        jacobian = laboratory.update_jacobian(*played(0.3, 0.2, a, **fields), updates)
        found = laboratory.spectral_radius(jacobian, updates)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_alternating_bilinear_games_neither_grow_nor_shrink():
    for a in (0.1, 0.5, 1.0):
        fields = BILINEAR | {"training.order": "generator_first"}
        found = laboratory.eigenvalues(laboratory.update_jacobian(*played(rate=a, **fields)))
        np.testing.assert_allclose(np.abs(found), 1, rtol=1e-6)


def radius(rate, **fields):
    """Of an update of a game at its equilibrium."""
    return laboratory.spectral_radius(laboratory.update_jacobian(*played(rate=rate, **fields)))


G_FIRST = {"training.order": "generator_first"}


def negative_momentum(b):
    return BILINEAR | G_FIRST | optimized("momentum", momentum=b)


# Fields, and the rate from which on updates do not converge, or not even keep their distance.
BOUNDS = {
    "alternating": (BILINEAR | G_FIRST, 2.0),
    "alternating, Dirac": (G_FIRST, 4.0),
    "extragradient": (GAMES["extragradient"][0], 1.0),
    "past extragradient": (GAMES["past extragradient"][0], 3**-0.5),
    "optimistic": (GAMES["optimistic"][0], 3**-0.5),
    "heavy ball of -.5, alternating": (negative_momentum(-0.5), 1.0),
    "heavy ball of -.3, alternating": (negative_momentum(-0.3), 1.4),
    "quadratic": (AT_ONCE | optimized("sgd", weight_decay=GAMMA), 2 * GAMMA / (GAMMA**2 + 1)),
}


@pytest.mark.parametrize("case", BOUNDS)
def test_updates_converge_up_to_the_rate_that_is_known(case):
    fields, bound = BOUNDS[case]
    below, above = (radius(part * bound, **fields) for part in (0.98, 1.02))
    if case.startswith("alternating"):
        np.testing.assert_allclose(below, 1, rtol=1e-6)
    else:
        assert below < 0.999
    assert above > 1.001


@pytest.mark.parametrize("case", ["alternating", "alternating, Dirac"])
def test_of_two_rates_the_product_bounds_alternating_steps(case):
    fields, bound = BOUNDS[case]
    for ratio in (0.25, 5.0):
        below, above = (
            radius(ratio * rate, **fields, **{"discriminator.optimizer.rate": rate / ratio})
            for rate in (0.98 * bound, 1.02 * bound)
        )
        np.testing.assert_allclose(below, 1, rtol=1e-6)
        assert above > 1.001


def test_extragradient_is_at_its_best_at_the_root_of_one_half():
    fields = GAMES["extragradient"][0]
    less, best, more = (radius(rate, **fields) for rate in (0.68, 0.5**0.5, 0.73))
    np.testing.assert_allclose(best, 0.866025, atol=1e-6)
    assert best < less and best < more


def test_optimistic_steps_of_a_whole_coupling_diverge_by_a_known_factor():
    for case in ("optimistic", "past extragradient"):
        np.testing.assert_allclose(radius(1.0, **GAMES[case][0]), 1.931852, rtol=1e-6)


def test_no_momentum_keeps_simultaneous_steps_from_diverging():
    for momentum in (-0.9, -0.5, -0.3, 0.0, 0.3):
        fields = AT_ONCE | optimized("momentum", momentum=momentum)
        for rate in (0.2, 0.5, 1.0):
            assert radius(rate, **fields) > 1.0002


def test_an_update_of_five_steps_of_d_is_the_product_of_its_steps():
    fields = BILINEAR | {"training.order": "generator_first", "training.d_steps": 5}
    jacobian = laboratory.update_jacobian(*played(rate=0.2, **fields))
    g, d = np.array([[1, 0.2], [0, 1]]), np.array([[1, 0], [-0.2, 1]])
    np.testing.assert_allclose(jacobian, np.linalg.matrix_power(d, 5) @ g, atol=1e-6)


@pytest.mark.parametrize("average", [{"averages.ema": 0.999}, {"averages.uniform": "on"}])
def test_what_is_judged_only_has_no_part_in_the_radius(average):
    fields = with_dynamics("consensus") | average
    jacobian = laboratory.update_jacobian(*played(rate=0.1, **fields))
    assert jacobian.shape == (2, 2)
    np.testing.assert_allclose(laboratory.spectral_radius(jacobian), 0.905539, atol=1e-6)


def perceptrons(**fields):
    one = setting(**fields)
    state, _ = train.init(one, KEY)
    return one, state, inputs.draw(one, KEY, 0)


def test_the_jacobian_of_networks_is_that_of_finite_differences():
    small = {
        "generator.activation": "tanh",
        "generator.hidden": (3,),
        "discriminator.activation": "tanh",
        "discriminator.hidden": (2,),
    }
    one, state, batch = perceptrons(**small)
    found = laboratory.game_jacobian(one, state, batch)
    weights, restored = jax.flatten_util.ravel_pytree(state.params)
    v = laboratory.gradients(one, state, batch)

    @jax.jit
    def flat(vector):
        return jax.flatten_util.ravel_pytree(v(restored(vector)))[0]

    assert found.shape == (17, 17)
    for i, direction in enumerate(1e-2 * np.eye(17, dtype=np.float32)):
        difference = (flat(weights + direction) - flat(weights - direction)) / 2e-2
        np.testing.assert_allclose(found[:, i], difference, atol=2e-3 * np.abs(found).max())


def test_adams_memory_is_part_of_its_update():
    one, state, batch = perceptrons(**{"generator.hidden": (), "discriminator.hidden": (1,)})
    state, _ = train.update(one, state, batch)
    jacobian = laboratory.update_jacobian(one, state, batch)
    assert jacobian.shape == (18, 18)  # 6 weights and two moments of each
    assert np.isfinite(jacobian).all()


def test_a_jacobian_that_is_too_large_is_refused():
    large = perceptrons(**{"discriminator.hidden": (50, 50)})
    with pytest.raises(ValueError, match="at most 2500 numbers, and these are 2714"):
        laboratory.game_jacobian(*large)
    with pytest.raises(ValueError, match="at most 2500 numbers, and these are 8142"):
        laboratory.update_jacobian(*large)


@pytest.mark.parametrize("case", UNDIFFERENTIABLE)
def test_updates_that_are_not_differentiated_whole_have_no_jacobian(case):
    with pytest.raises(ValueError, match=UNDIFFERENTIABLE[case]):
        laboratory.update_jacobian(*played(**GAMES[case][0]))


def test_a_g_that_moves_ds_layers_has_no_jacobian():
    matching = {
        "tricks.feature_matching": "mean",
        "tricks.feature_matching_trains": "g_and_features",
    }
    with pytest.raises(ValueError, match="moves D's layers"):
        laboratory.gradients(*perceptrons(**matching))


def test_eigenvalues_of_what_is_not_finite_are_none():
    assert np.isnan(laboratory.eigenvalues(np.array([[1.0, np.inf], [0.0, 1.0]]))).all()
    assert np.isnan(laboratory.spectral_radius(np.full((2, 2), np.nan)))


START = Players(jnp.array([1.0, -2.0]), jnp.array([0.5, 3.0]))
END = Players(jnp.array([0.0, 0.5]), jnp.array([-1.0, 1.0]))


def linear(matrix):
    """v = matrix (w - w_end)."""

    def v(players):
        g, d = (own - end for own, end in zip(players, END, strict=True))
        here = matrix @ jnp.concatenate([g, d])
        return Players(here[:2], here[2:])

    return v


K, A = 0.7, 1.3
ROTATION = np.kron(np.array([[0.0, -1.0], [1.0, 0.0]]), np.eye(2))
# The cosine before and behind the end: k / sqrt(k^2 + a^2) for eigenvalues k +- ia.
ANGLES = {
    "rotation": (A * ROTATION, 0.0),
    "attraction": (K * np.eye(4), 1.0),
    "repulsion": (-K * np.eye(4), -1.0),
    "both": (K * np.eye(4) + A * ROTATION, K / np.hypot(K, A)),
}


@pytest.mark.parametrize("case", ANGLES)
def test_the_angle_along_a_path_is_that_of_its_eigenvalues(case):
    matrix, cosine = ANGLES[case]
    found = laboratory.path(linear(jnp.asarray(matrix, jnp.float32)), START, END)
    assert found.t.shape == (100,)
    np.testing.assert_allclose((found.t[0], found.t[-1]), (-0.1, 1.1), rtol=1e-6)
    away = 1 - np.asarray(found.t, float)
    np.testing.assert_allclose(found.angle, cosine * np.sign(away), atol=2e-4)
    back = np.concatenate([a - b for a, b in zip(START, END, strict=True)])
    size = np.linalg.norm(matrix @ back)
    np.testing.assert_allclose(found.norm, size * np.abs(away), atol=1e-5)


def test_there_is_no_angle_where_there_is_no_gradient():
    found = laboratory.path(linear(jnp.zeros((4, 4))), START, END)
    assert (found.angle == 0).all() and (found.norm == 0).all()


def test_a_path_of_a_game_turns_at_its_equilibrium_by_its_eigenvalues():
    """Wasserstein with R1: straight down to the end, v = J w."""
    one, state, batch = played(0.6, -0.8, **penalized("r1", GAMMA, **BILINEAR))
    end = jax.tree.map(jnp.zeros_like, state.params)
    found = laboratory.path(laboratory.gradients(one, state, batch), state.params, end)
    w = np.array([0.6, -0.8])
    v = np.array([[0, -1], [1, GAMMA]]) @ w
    cosine = v @ w / np.linalg.norm(v)
    np.testing.assert_allclose(found.angle, cosine * np.sign(1 - found.t), atol=1e-4)


def test_a_gradient_out_of_ds_bounds_counts_for_nothing():
    """L_D = psi theta: psi goes down where theta is above 0."""
    for theta, psi, kept in ((1.0, -0.5, 0), (1.0, 0.5, 1), (-1.0, 0.5, 0), (1.0, 0.4, 1)):
        clipped = BILINEAR | {"discriminator.weight_clip": 0.5}
        one, state, batch = played(theta, psi, **clipped)
        found = laboratory.gradients(one, state, batch)(state.params)
        assert float(found.d["output"]["kernel"][0, 0]) == pytest.approx(kept * theta)
        assert float(found.g["point"][0, 0]) == pytest.approx(-psi)


@functools.partial(jax.jit, static_argnames="steps")
def gap(one, state, batch, rate, steps):
    return laboratory.duality_gap(one, state, batch, rate, steps)


@pytest.mark.parametrize("theta, psi", [(0.5, -0.3), (-0.5, -0.3), (0.2, 0.9), (0.0, 0.4)])
def test_the_duality_gap_of_a_clipped_bilinear_game_is_what_both_can_gain(theta, psi):
    """C |theta| of D, whose steps reach its bound, and |psi| R of G, whose steps reach R."""
    bound, rate, steps = 1.0, 0.1, 100
    clipped = BILINEAR | {"discriminator.weight_clip": bound}
    found = float(gap(*played(theta, psi, **clipped), rate, steps))
    reach = theta + rate * steps * psi
    np.testing.assert_allclose(found, bound * abs(theta) + psi * reach, rtol=1e-5)


@pytest.mark.parametrize("steps", [0, 1, 10])
def test_the_duality_gap_is_never_below_0_and_nothing_at_the_equilibrium(steps):
    for fields in (SATURATING, SATURATING | R1, BILINEAR):
        assert float(gap(*played(**fields), 0.1, steps)) == pytest.approx(0, abs=1e-6)
        # Steps that are far too long make nothing worse: what was best is kept.
        assert float(gap(*played(0.4, 0.3, **fields), 30.0, steps)) >= -1e-6


def test_a_duality_gap_is_that_of_losses_without_penalties():
    plain, penalty = (
        float(gap(*played(0.4, 0.3, **fields), 0.1, 5))
        for fields in (SATURATING, SATURATING | penalized("gradient", 3.0))
    )
    assert plain == pytest.approx(penalty) and plain > 0


@pytest.mark.parametrize(
    "fields",
    [
        {"generator.kind": "perceptron"},
        {"discriminator.hidden": (2,)},
        {"discriminator.bias": True},
        {"discriminator.output_activation": "tanh"},
        {"target.kind": "ring"},
        {"tricks.packing": 2, "training.sort": False, "latent.kind": "normal"},
    ],
)
def test_of_other_settings_games_have_no_metrics(fields):
    assert game_metrics.is_game(game(1.0, 1.0, 0.1, **AT_ONCE))
    more = {"latent.kind": "normal", "latent.dim": 2} if "target.kind" in fields else {}
    assert not game_metrics.is_game(game(1.0, 1.0, 0.1, **fields | more))


def test_games_are_judged_by_their_distance_from_the_equilibrium():
    one, state, _ = played(3e-25, -4e-25, **{"target.scale": 1e-3})
    reference = metrics.reference(one, Judging())
    found = metrics.evaluate(one, train.judged(state), reference)
    # The point is where the target's mean is, and so much further.
    np.testing.assert_allclose(found["d_slope"], -4e-25, rtol=1e-6)
    np.testing.assert_allclose(found["equilibrium_distance"], 5e-25, rtol=1e-6)
    far = train.judged(played(3e25, 0.0)[1])
    np.testing.assert_allclose(
        metrics.evaluate(one, far, reference)["equilibrium_distance"], 3e25, rtol=1e-6
    )
