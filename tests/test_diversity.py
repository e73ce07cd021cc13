"""Rows that are taken together, and what keeps them apart: packs, groups, pairs, the best ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import draw, gradients_and_differences, setting, whole_setting

from gan1d.engines import lanes
from gan1d.gan import diversity, metrics, perceptrons, train, tricks
from gan1d.gan.judging import Judging
from gan1d.gan.players import Players

KEY = jax.random.key(4)
RNG = np.random.default_rng(5)
SMALL = {
    "latent.kind": "normal",
    "generator.hidden": (3,),
    "discriminator.hidden": (4, 3),
    "training.batch_size": 8,
    "training.sort": False,
}
update = jax.jit(train.update)


def section(**fields):
    return setting(
        **SMALL, **{f"diversity.{name}": value for name, value in fields.items()}
    ).diversity


# Of G(z) = slope z: what it is worth. A new formula needs a row here, and an entry in DIVERSITY.
FORMS = {
    "mode_seeking": lambda slope: 1 / (slope + 1e-5),
    "distances": lambda slope: np.log(slope / 2) ** 2,  # with a stretch of 2
}


def test_every_formula_has_its_closed_form():
    assert FORMS.keys() == diversity.DIVERSITY.keys()


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("slope", [0.1, 1.0, 3.0])
def test_diversity_of_a_linear_generator(kind, slope):
    fields = {"stretch": 2.0} if kind == "distances" else {}
    latents = jnp.asarray(RNG.normal(size=(2, 50, 1)), jnp.float32)
    value = diversity.DIVERSITY[kind](section(kind=kind, **fields), slope * latents, latents)
    np.testing.assert_allclose(value, FORMS[kind](slope), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize("kind", FORMS)
def test_a_collapsed_generator_has_a_finite_term_and_gradient(kind):
    latents = jnp.asarray(RNG.normal(size=(2, 5, 1)), jnp.float32)

    def value(rows):
        return diversity.DIVERSITY[kind](section(kind=kind), rows, latents)

    found, slope = jax.value_and_grad(value)(jnp.zeros((2, 5, 1)))
    assert np.isfinite(found) and found > 10 and np.isfinite(slope).all()


@pytest.mark.parametrize("kind", FORMS)
def test_the_term_is_added_to_gs_loss_on_pairs_of_independent_latents(kind):
    one = setting(**SMALL, **{"diversity.kind": kind, "diversity.weight": 0.3})
    state, _ = train.init(one, KEY)
    batch = draw(one, KEY, 3)
    rows = jax.tree.map(lambda x: x[0], batch.g_rows())
    latents = jnp.stack([rows.latent, rows.others])
    assert abs(np.corrcoef(latents[0, :, 0], latents[1, :, 0])[0, 1]) < 0.9
    made = perceptrons.generate(one, {"params": state.params.g}, latents.reshape(-1, 1))
    term = diversity.DIVERSITY[kind](one.diversity, made.reshape(2, 8, 1), latents)
    alone = rows._replace(others=None)
    found, without = (
        train.game(one, state.carried, Players(fed, fed)).g(state.params) for fed in (rows, alone)
    )
    np.testing.assert_allclose(found - without, 0.3 * term, rtol=1e-4)


# In the plane, where one norm is not the other, by differences of pairs.
APART = {
    "mode_seeking": lambda rows, latents: 1 / (np.abs(rows).mean() / np.abs(latents).mean() + 1e-5),
    "distances": lambda rows, latents: np.mean(
        np.log(np.linalg.norm(rows, axis=1) / np.linalg.norm(2 * latents, axis=1)) ** 2
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_diversity_in_the_plane_is_by_the_norm_of_its_source(kind):
    """Its gradient in rows is that of differences."""
    rows, latents = RNG.normal(size=(2, 2, 5, 2)) * [1, 10]
    own = section(kind=kind, **{"stretch": 2.0} if kind == "distances" else {})
    value = diversity.DIVERSITY[kind](own, np.float32(rows), np.float32(latents))
    expected = APART[kind](rows[0] - rows[1], latents[0] - latents[1])
    np.testing.assert_allclose(value, expected, rtol=1e-3)
    gradients, differences = gradients_and_differences(
        lambda rows: diversity.DIVERSITY[kind](own, rows, latents)[None], rows
    )
    assert np.abs(gradients).max() > 1e-4
    np.testing.assert_allclose(gradients, differences, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", FORMS)
def test_diversity_of_rows_that_are_no_numbers_is_none(kind):
    latents = RNG.normal(size=(2, 5, 1)).astype(np.float32)
    rows = np.where(np.arange(5)[None, :, None] == 2, np.nan, latents)
    assert np.isnan(diversity.DIVERSITY[kind](section(kind=kind), rows, latents))


def test_pairs_are_of_independent_latents_where_batches_are_sorted():
    fields = {"training.sort": True, "training.batch_size": 4096, "latent.kind": "uniform"}
    batch = draw(setting(**fields, **{"diversity.kind": "mode_seeking"}), KEY, 0)
    one, other = batch.latent_g[0, :, 0], batch.others[0, :, 0]
    assert (np.diff(one) >= 0).all() and np.abs(np.sort(other) - one).max() > 1e-3
    assert abs(np.corrcoef(one, other)[0, 1]) < 5 / 4096**0.5


# The rows that D scores best.


def top(share, decay=0.0):
    """Of a cohort in which other settings leave rows out: a share of 0 is there."""
    return whole_setting(**SMALL, **{"tricks.top_k": share, "tricks.top_k_decay": decay}).tricks


@pytest.mark.parametrize("share, kept", [(1.0, 8), (0.5, 4), (0.3, 2), (0.01, 1), (0.0, 8)])
def test_g_learns_from_the_rows_that_d_scores_best(share, kept):
    outputs = jnp.asarray(RNG.permutation(8), jnp.float32)
    weights = diversity.best(top(share), outputs, jnp.float32(1.0))
    best = np.argsort(-np.asarray(outputs))[:kept]
    expected = np.zeros(8)
    expected[best] = 8 / kept
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


def test_the_share_falls_by_its_factor_an_update_to_the_least_one():
    outputs = jnp.arange(8.0)
    rows = [
        int((diversity.best(top(0.25, 0.5), outputs, jnp.float32(n)) > 0).sum()) for n in range(4)
    ]
    assert rows == [8, 4, 2, 2]


def test_gs_gradient_is_that_of_the_best_row_alone():
    fields = {"tricks.top_k": 0.125, "tricks.top_k_decay": 0.0}
    one, plain = setting(**SMALL, **fields), setting(**SMALL)
    state, _ = train.init(one, KEY)
    rows = jax.tree.map(lambda x: x[0], draw(one, KEY, 2).g_rows())
    made = perceptrons.generate(one, {"params": state.params.g}, rows.latent)
    scores = perceptrons.discriminate(one, {"params": state.params.d}, made).value
    i = int(jnp.argmax(scores))
    alone = jax.tree.map(lambda x: x[i : i + 1] if x.ndim else x, rows)
    found, expected = (
        jax.grad(train.game(each, state.carried, Players(fed, fed)).g)(state.params).g
        for each, fed in ((one, rows), (plain, alone))
    )
    for a, b in zip(*map(jax.tree.leaves, (found, expected)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


# Groups, and packs.


def test_the_std_of_a_group_is_one_feature_more():
    same = tricks.minibatch_std(jnp.ones((4, 3)), 4)
    np.testing.assert_allclose(same, np.full((4, 1), 1e-4), rtol=1e-5)
    apart = tricks.minibatch_std(jnp.asarray([[-1.0], [1.0]]), 2)
    np.testing.assert_allclose(apart, np.full((2, 1), (1 + 1e-8) ** 0.5), rtol=1e-6)


def test_stds_of_a_groups_features_are_averaged_themselves():
    """1 and nothing: the root of their mean variance would be .707."""
    found = tricks.minibatch_std(jnp.asarray([[-1.0, 0.0], [1.0, 0.0]]), 2)
    np.testing.assert_allclose(found, np.full((2, 1), 0.50005), rtol=1e-6)


def test_groups_are_spread_evenly_over_a_batch():
    """Rows 0 and 3 are one, 1 and 4, 2 and 5: halves of which differ by 2, 4 and 6."""
    features = jnp.asarray([[0.0], [0.0], [0.0], [2.0], [4.0], [6.0]])
    found = tricks.minibatch_std(features, 2)[:, 0]
    np.testing.assert_allclose(found, [1, 2, 3, 1, 2, 3], rtol=1e-5)


@pytest.mark.parametrize("minibatch", ["off", "append", "replace"])
def test_it_is_the_last_of_ds_features(minibatch):
    one = setting(**SMALL, **{"tricks.minibatch_std": 4, "tricks.minibatch": minibatch})
    state, _ = train.init(one, KEY)
    rows = jnp.asarray(RNG.normal(size=(8, 1)), jnp.float32)
    features = perceptrons.discriminate(one, {"params": state.params.d}, rows).features
    assert features.shape[1] == perceptrons.feature_count(one)
    expected = tricks.minibatch_std(features[:, :-1], 4)
    np.testing.assert_allclose(features[:, -1:], expected, rtol=1e-6)


def test_a_d_that_looks_at_the_first_row_of_a_pack_is_the_plain_one():
    packed, plain = setting(**SMALL, **{"tricks.packing": 2}), setting(**SMALL)
    state, _ = train.init(packed, KEY)
    kernel = state.params.d["hidden_0"]["kernel"]
    assert kernel.shape == (2, 4)
    blind = {"kernel": kernel.at[1].set(0.0), "bias": state.params.d["hidden_0"]["bias"]}
    of_first = {"kernel": kernel[:1], "bias": blind["bias"]}
    rows = jnp.asarray(RNG.normal(size=(8, 1)), jnp.float32)
    pairs = perceptrons.packed(packed, rows)
    assert pairs.shape == (4, 2)
    of_packs = perceptrons.discriminate(
        packed, {"params": state.params.d | {"hidden_0": blind}}, pairs
    )
    of_rows = perceptrons.discriminate(
        plain, {"params": state.params.d | {"hidden_0": of_first}}, rows[::2]
    )
    np.testing.assert_array_equal(of_packs.value, of_rows.value)


@pytest.mark.parametrize("kind", ["r1", "gradient", "dragan"])
def test_penalties_of_packs_are_of_the_slope_in_the_whole_pack(kind):
    fields = {"tricks.packing": 4, "penalty.kind": kind, "penalty.weight": 0.7}
    one = setting(**SMALL | {"discriminator.hidden": ()}, **fields)
    state, _ = train.init(one, KEY)
    w = state.params.d["output"]["kernel"][:, 0]
    assert w.shape == (4,)
    batch = draw(one, KEY, 0)
    rows = jax.tree.map(lambda x: x[0], batch.d_rows())
    found = train.game(one, state.carried, Players(rows, rows)).d(state.params)
    off = setting(**SMALL | {"discriminator.hidden": ()}, **{"tricks.packing": 4})
    without = train.game(off, state.carried, Players(rows, rows)).d(state.params)
    squared = float((w**2).sum())
    expected = 0.35 * squared if kind == "r1" else 0.7 * (squared**0.5 - 1) ** 2
    np.testing.assert_allclose(found - without, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "fields",
    [
        {"tricks.packing": 2},
        {"tricks.minibatch_std": 4},
        {"discriminator.spectral_norm": "on", "generator.norm": "batch"},
        {"discriminator.norm": "batch", "discriminator.kernel_init": "orthogonal"},
    ],
)
def test_lanes_start_and_judge_what_they_train(fields):
    one, judging = setting(**SMALL, **fields), Judging(points=251)
    lanes.compile_start(one, judging)
    lanes.compile_scores(one, judging)
    lanes.compile_pictures(one, judging)


@pytest.mark.parametrize("fields", [{"tricks.packing": 4}, {"tricks.minibatch_std": 4}])
def test_d_is_drawn_in_the_company_of_real_rows(fields):
    """As it is in training: the same x in a batch of others has another output."""
    one = setting(**SMALL, **fields)
    state, _ = train.init(one, KEY)
    variables = train.judged(state)
    reference = metrics.reference(one, Judging(points=251))
    drawn = metrics.discriminator(one, variables.d, reference)
    assert drawn.shape == (metrics.grid_size(1),) and np.isfinite(drawn).all()
    assert np.ptp(np.asarray(drawn)) > 0
