"""One GAN: its randomness, its update, divergence and pretraining."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
import scipy.stats
from helpers import config_of, draw, setting, whole_setting

from gan1d.config import experiment
from gan1d.gan import optimizers, perceptrons, train
from gan1d.gan.inputs import Batch, InstanceNoise
from gan1d.gan.players import Players, Rows

KEY = jax.random.key(32)  # of a D that is sure of neither kind of rows
STEEP = jax.random.key(22)  # of gradients that move all of G by much
init, update, advance = train.init, jax.jit(train.update), jax.jit(train.advance)
# Every number drawn is a raw uniform, or a normal of one.
RAW = {
    "target.kind": "uniform",
    "target.loc": 0.5,
    "target.scale": 0.5,
    "latent.kind": "uniform",
    "latent.low": 0.0,
    "latent.high": 1.0,
    "training.sort": False,
}


def leaves(tree):
    return [np.asarray(leaf) for leaf in jax.tree.leaves(tree)]


def assert_equal(one, other):
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(one, other, tolerance=2e-5):
    for a, b in zip(leaves(one), leaves(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def g_loss(made, params, rows):
    """G's mean loss on rows, against these players."""
    return train.game(made, Players({}, {}), Players(rows, rows)).g(params)


def started(made, key=KEY):
    """An initial state and the first batch."""
    return init(made, key)[0], draw(made, key, 0)


def test_no_two_arrays_of_a_batch_share_their_randomness():
    with_noise = setting(**RAW, **{"tricks.instance_noise": 1.0})
    batch = draw(with_noise, KEY, 0)
    noise = scipy.stats.norm.cdf(batch.instance_noise)
    uniforms = [batch.real, batch.latent_d, batch.latent_g, *noise]
    for a, b in itertools.combinations(uniforms, 2):
        assert np.abs(np.asarray(a) - np.asarray(b)).max() > 0.05


def test_input_noise_differs_between_data_and_latents():
    quiet = draw(setting(**RAW), KEY, 0)
    noisy = draw(setting(**RAW, **{"tricks.input_noise": 1.0}), KEY, 0)
    added = [np.asarray(a - b) for a, b in zip(noisy[:3], quiet[:3], strict=True)]
    for noise in added:
        assert (np.diff(noise[0, :, 0]) > 0).all()
    for a, b in itertools.combinations(added, 2):
        assert np.abs(a - b).max() > 0.05


@pytest.mark.parametrize(
    "other",
    [
        {"tricks.minibatch": "replace"},
        {"tricks.feature_matching": "paired"},
        {"tricks.instance_noise": 0.3},
        {"loss.kind": "least_squares"},
        {"generator.hidden": (7, 7), "discriminator.hidden": (3,)},
        {"discriminator.optimizer.kind": "sgd"},
        {"pretraining.steps": 3},
    ],
)
def test_a_seed_sees_the_same_data_and_latents_in_every_setting(other):
    plain, changed = (train.draw(made, KEY, 5) for made in (setting(), setting(**other)))
    assert_equal(plain[:3], changed[:3])


def test_more_d_steps_keep_the_first_steps_data():
    one = draw(setting(), KEY, 2)
    three = draw(setting(**{"training.d_steps": 3}), KEY, 2)
    assert_equal(one.real, three.real[:1])


def test_draws_change_with_step_and_seed():
    first = draw(setting(), KEY, 0)
    for other in (draw(setting(), KEY, 1), draw(setting(), jax.random.key(12), 0)):
        for a, b in zip(first[:3], other[:3], strict=True):
            assert not np.array_equal(a, b)


def test_data_follow_the_target_over_steps():
    draws = np.stack([draw(setting(), KEY, step).real for step in range(100)])
    test = scipy.stats.kstest(draws.ravel(), scipy.stats.norm(4, 0.5).cdf)
    assert test.pvalue > 1e-3


def test_sorted_batches_hold_the_same_numbers_as_unsorted_ones():
    in_order = draw(setting(), KEY, 0)
    as_drawn = draw(setting(**{"training.sort": False}), KEY, 0)
    assert (np.diff(in_order.real[0, :, 0]) >= 0).all()
    assert not (np.diff(as_drawn.real[0, :, 0]) >= 0).all()
    np.testing.assert_array_equal(np.sort(as_drawn.real, axis=1), in_order.real)


def permuted(batch, seed=0):
    """The batch with the rows of each of its arrays in another order."""
    rng = np.random.default_rng(seed)
    rows = batch.real.shape[1]

    def shuffle(array):
        return array[:, rng.permutation(rows)]

    real, latent_d, latent_g = (rng.permutation(rows) for _ in range(3))
    noise = batch.instance_noise
    if noise is not None:
        noise = InstanceNoise(
            noise.real[:, real], noise.fake_d[:, latent_d], noise.fake_g[:, latent_g]
        )
    return Batch(
        real=batch.real[:, real],
        latent_d=batch.latent_d[:, latent_d],
        latent_g=batch.latent_g[:, latent_g],
        instance_noise=noise,
    )


ORDER_FREE = [
    {},
    {"tricks.minibatch": "replace"},
    {"tricks.minibatch": "append", "tricks.minibatch_self_distance": 1.0},
    {"tricks.feature_matching": "mean", "tricks.instance_noise": 0.1},
    {"loss.kind": "least_squares"},
    {"loss.kind": "saturating"},
]


def states_after_permuting(overrides):
    made = setting(**overrides)
    state, batch = started(made)
    return update(made, state, batch), update(made, state, permuted(batch))


@pytest.mark.parametrize("overrides", ORDER_FREE)
def test_the_order_of_rows_changes_no_update(overrides):
    """Neural Perspective's "manifold alignment" does nothing where losses don't pair rows."""
    (one, losses), (other, other_losses) = states_after_permuting(overrides)
    assert_close(losses, other_losses)
    # Gradients, by way of Adam's first moment: its step would hide their size.
    assert_close(one.opt_state.g[0].mu, other.opt_state.g[0].mu)
    assert_close(one.opt_state.d[0].mu, other.opt_state.d[0].mu)


@pytest.mark.parametrize("kind", ["paired", "paired_squared"])
def test_the_order_of_rows_matters_to_paired_feature_matching(kind):
    (_, losses), (_, other_losses) = states_after_permuting({"tricks.feature_matching": kind})
    assert abs(float(losses.g - other_losses.g)) > 1e-3
    np.testing.assert_allclose(losses.d, other_losses.d, rtol=1e-5)


def test_each_network_moves_by_its_own_optimizer_only():
    made = setting(**{"generator.optimizer.rate": 0.0})
    state, batch = started(made)
    new, _ = update(made, state, batch)
    assert_equal(new.params.g, state.params.g)
    assert not np.array_equal(new.params.d["output"]["kernel"], state.params.d["output"]["kernel"])


def test_g_is_trained_against_the_d_of_the_same_update():
    made = setting()
    state, batch = started(made)
    new, losses = update(made, state, batch)
    rows = Rows(batch.real[0], batch.latent_g[0], None, None)
    updated, stale = (
        g_loss(made, state.params._replace(d=at.params.d), rows) for at in (new, state)
    )
    np.testing.assert_allclose(losses.g, updated, rtol=1e-5)
    assert abs(float(updated - stale)) > 1e-4


@pytest.mark.parametrize("network", ["d", "g"])
def test_several_steps_in_an_update_are_that_many_single_ones(network):
    frozen = {"g": "discriminator", "d": "generator"}[network]
    many_still = setting(
        **{
            f"training.{network}_steps": 3,
            "tricks.instance_noise": 0.1,
            f"{frozen}.optimizer.rate": 0.0,
        }
    )
    single = setting(**{"tricks.instance_noise": 0.1, f"{frozen}.optimizer.rate": 0.0})
    (state, _), batch = init(many_still, KEY), draw(many_still, KEY, 0)
    together, losses = update(many_still, state, batch)
    seen = []
    for i in range(3):
        take = slice(i, i + 1)
        d, g = (take, slice(0, 1)) if network == "d" else (slice(0, 1), take)
        noise = batch.instance_noise
        part = Batch(
            batch.real[d],
            batch.latent_d[d],
            batch.latent_g[g],
            InstanceNoise(noise.real[d], noise.fake_d[d], noise.fake_g[g]),
        )
        state, part_losses = update(single, state, part)
        seen.append(getattr(part_losses, network))
    assert_close(getattr(together.params, network), getattr(state.params, network))
    np.testing.assert_allclose(getattr(losses, network), np.mean(seen), rtol=1e-5)


def test_feature_matching_compares_with_the_rows_d_saw_last():
    made = setting(**{"tricks.feature_matching": "mean", "training.d_steps": 3})
    state, batch = started(made, STEEP)
    new, losses = update(made, state, batch)
    rows = Rows(batch.real[2], batch.latent_g[0], None, None)
    expected = g_loss(made, state.params._replace(d=new.params.d), rows)
    np.testing.assert_allclose(losses.g, expected, rtol=1e-5)


def test_instance_noise_reaches_real_and_generated_rows_alike():
    made = setting(**{"tricks.instance_noise": 0.5})
    state, batch = started(made)
    _, losses = update(made, state, batch)
    for field in InstanceNoise._fields:
        silenced = batch.instance_noise._replace(**{field: np.zeros_like(batch.real)})
        _, quiet = update(made, state, batch._replace(instance_noise=silenced))
        changed = "g" if field == "fake_g" else "d"
        assert getattr(quiet, changed) != getattr(losses, changed)


def test_a_run_freezes_at_its_first_non_finite_update():
    made = setting(**{"generator.optimizer.kind": "sgd", "generator.optimizer.rate": 1e25})
    (run, _), history = train.start(made, KEY), []
    for step in range(6):
        run = advance(made, run, draw(made, KEY, step), step)
        history.append(run)
    at = int(run.diverged_at)
    assert 1 <= at <= 5
    assert all(np.isfinite(leaf).all() for leaf in leaves(run))
    assert_equal(history[at - 1].state, run.state)
    assert [int(seen.diverged_at) for seen in history] == [-1] * (at - 1) + [at] * (7 - at)


def test_an_optimizer_that_overflows_is_a_divergence():
    """Adam's second moment becomes infinite before any weight does, and stops all training."""
    made = setting(**{"loss.kind": "least_squares"})
    run, _ = train.start(made, KEY)
    batch = draw(made, KEY, 0)
    run = advance(made, run, batch._replace(real=1e15 * batch.real), 0)
    assert int(run.diverged_at) == 1


def test_a_batch_that_holds_no_number_dates_a_divergence_once():
    made = setting()
    start, _ = train.start(made, KEY)
    batch = draw(made, KEY, 0)
    rows = batch.real.copy()
    rows[0, 3] = np.nan
    broken = batch._replace(real=rows)
    sound = advance(made, start, batch, 0)
    run = advance(made, sound, broken, 1)
    for step, rows in ((2, batch), (3, broken)):
        run = advance(made, run, rows, step)
    assert int(run.diverged_at) == 2
    assert_equal((run.state, run.loss_sums), (sound.state, sound.loss_sums))


def test_a_healthy_run_is_not_called_diverged_and_sums_its_losses():
    made, total = setting(), 0.0
    run, _ = train.start(made, KEY)
    for step in range(3):
        batch = draw(made, KEY, step)
        total += float(update(made, run.state, batch)[1].d)
        run = advance(made, run, batch, step)
    assert int(run.diverged_at) == -1
    np.testing.assert_allclose(run.loss_sums.d, total, rtol=1e-5)


@pytest.mark.parametrize("minibatch", ["off", "replace"])
def test_pretraining_fits_d_to_the_density(minibatch):
    common = {
        "tricks.minibatch": minibatch,
        "discriminator.activation": "tanh",
        "training.batch_size": 12,
        "target.loc": 0.0,
        "target.scale": 1.0,
    }
    made = setting(**common, **{"pretraining.steps": 1500})
    x = np.linspace(-4, 4, 36, dtype=np.float32).reshape(12, 3).T[:, :, None]
    density = scipy.stats.norm.pdf(x[:, :, 0])

    def scores(setting, key):
        state, _ = train.init(setting, key)
        _, d = train.judged(state)
        outputs = jax.vmap(lambda rows: perceptrons.discriminate(made, d, rows).value)(x)
        probability = jax.nn.sigmoid(outputs)
        return ((probability - density) ** 2).mean(), probability.mean(), state

    keys = jax.vmap(jax.random.key)(np.arange(24))
    run = jax.jit(jax.vmap(scores, in_axes=(None, 0)))
    before, probability, fresh = run(setting(**common), keys)
    after, _, trained = run(made, keys)
    # A D that starts saturated has no gradient, which is common with summed similarities.
    alive = (probability > 0.05) & (probability < 0.95)
    assert alive.sum() >= 2
    assert (after[alive] < 0.5 * before[alive]).all()
    assert_equal(fresh.params.g, trained.params.g)
    # The GAN's own optimizer starts afresh.
    assert not np.any(trained.opt_state.d[0].count)


def test_runs_under_vmap_are_the_runs_one_by_one():
    made = setting(**{"tricks.minibatch": "replace", "tricks.feature_matching": "paired"})
    singles = [started(made, jax.random.key(seed)) for seed in range(5)]
    states, batches = jax.tree.map(lambda *leaves: np.stack(leaves), *singles)
    together, losses = jax.jit(jax.vmap(train.update, in_axes=(None, 0, 0)))(made, states, batches)
    for i in range(5):
        state, batch = jax.tree.map(lambda leaf, i=i: leaf[i], (states, batches))
        alone, alone_losses = update(made, state, batch)
        ours = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        assert_close(ours.opt_state.g[0].mu, alone.opt_state.g[0].mu, 1e-4)
        assert_close([loss[i] for loss in losses], alone_losses)


@pytest.mark.parametrize(
    ("fields", "constant"),
    [
        ({}, 0),
        ({"tricks.minibatch": "append", "tricks.feature_matching": "mean"}, 0),
        ({"tricks.minibatch": "replace", "tricks.feature_matching": "paired"}, 0),
        ({"tricks.feature_matching": "paired_squared"}, 0),
        ({"tricks.virtual_batch_norm": "on"}, 2),
        ({"loss.label_smoothing": 0.1, "loss.kind": "least_squares"}, 0),
        (
            {
                "target.kind": "moons",
                "latent.kind": "normal",
                "latent.dim": 2,
                "discriminator.last_activation": "linear",
            },
            0,
        ),
    ],
)
def test_every_trainable_leaf_gets_a_gradient(fields, constant):
    made = setting(**fields)

    moments = []
    for key in jax.random.split(KEY, 8):
        state, _ = update(made, *started(made, key))
        moments.append((state.opt_state.g[0].mu, state.opt_state.d[0].mu))
    largest = jax.tree.map(lambda *leaves: np.max(np.abs(leaves), axis=0), *moments)
    for path, leaf in jax.tree.leaves_with_path(largest):
        name = jax.tree_util.keystr(path)
        if "minibatch" in name and "bias" in name:
            continue  # it cancels in the distances between rows
        if "reference" in name:
            np.testing.assert_array_equal(leaf, 0)  # drawn, not trained
        elif constant and "hidden" in name and "bias" in name and "[0]" in name:
            assert np.abs(leaf).max() < 1e-4  # normalised away
        else:
            assert np.abs(leaf).max() > 1e-6, name


def posts_settings(name, variant):
    """A shipped config's settings without their pretraining, by label."""
    config = config_of(name, variant)
    config.pretraining.steps = 0
    made = experiment.resolve(config)
    return dict(zip(made.labels, made.settings, strict=True))


def gradients_sorted_and_not(made):
    """Momentum's memory after its first step: both networks' gradients."""
    as_drawn = dataclasses.replace(made, training=dataclasses.replace(made.training, sort=False))
    for drawing in (made, as_drawn):
        state, batch = started(drawing)
        state, _ = update(made, state, batch)
        yield state.opt_state.d[0], state.opt_state.g[0]


@pytest.mark.parametrize("variant", ["gan", "minibatch"])
def test_sorting_changes_no_gradient_of_neural_perspectives_gans(variant):
    """The first post's "manifold alignment"."""
    (made, *_) = posts_settings("neural_perspective", variant).values()
    if variant == "minibatch":
        # With a small projection D is saturated and has no gradient at all.
        tricks = dataclasses.replace(made.tricks, minibatch_init_scale=10.0)
        made = dataclasses.replace(made, tricks=tricks)
    one, other = gradients_sorted_and_not(made)
    assert max(np.abs(leaf).max() for leaf in leaves(one[0])) > 0.01
    # Distances between projections of size 10 carry their rounding.
    assert_close(one, other, 2e-3 if variant == "minibatch" else 1e-4)


def test_sorting_changes_the_gradient_of_paired_matching_only():
    settings = posts_settings("neural_perspective", "feature_matching")
    differences = {}
    for made in settings.values():
        kind, moved = made.tricks.feature_matching, made.tricks.feature_matching_trains
        if moved == "g":
            (d_one, g_one), (d_other, g_other) = gradients_sorted_and_not(made)
            assert_close(d_one, d_other, 1e-4)
            # TensorFlow's Adam: a tenth of the gradient.
            pairs = zip(leaves(g_one.mean), leaves(g_other.mean), strict=True)
            differences[kind] = max(np.abs(a - b).max() for a, b in pairs)
    assert differences.keys() == {"off", "paired", "paired_squared", "mean"}
    for kind, difference in differences.items():
        assert (difference > 1e-3) if "paired" in kind else (difference < 1e-6)


def test_comparing_some_rows_makes_their_order_matter():
    """Which rows are compared goes by their place in the batch."""
    fields = {
        "tricks.minibatch": "append",
        "tricks.minibatch_init_scale": 0.3,
        "discriminator.kernel_scale": 0.3,
    }
    for rows, matters in ((0, False), (3, True)):
        (_, losses), (_, others) = states_after_permuting(fields | {"tricks.minibatch_rows": rows})
        assert (abs(float(losses.d - others.d)) > 1e-3) == matters


@pytest.mark.parametrize("d_steps, g_steps", [(1, 1), (3, 2), (2, 3)])
def test_without_fresh_batches_all_steps_share_data_and_latents(d_steps, g_steps):
    steps = {"training.d_steps": d_steps, "training.g_steps": g_steps}
    batch = draw(setting(**steps, **{"training.fresh_batches": False}), KEY, 4)
    assert batch.real.shape[0] == batch.latent_d.shape[0] == d_steps
    assert batch.latent_g.shape[0] == g_steps
    for real in batch.real:
        np.testing.assert_array_equal(real, batch.real[0])
    for latent in (*batch.latent_d, *batch.latent_g):
        np.testing.assert_array_equal(latent, batch.latent_d[0])
    # The first step's of a run with fresh ones: what differs is sharing, not the numbers.
    fresh = draw(setting(**steps), KEY, 4)
    assert_equal((batch.real[0], batch.latent_d[0]), (fresh.real[0], fresh.latent_d[0]))
    assert np.abs(fresh.latent_g[0] - batch.latent_g[0]).max() > 0
    assert not np.array_equal(draw(setting(**steps), KEY, 5).real[0], batch.real[0])


def test_noise_is_fresh_in_each_step_of_shared_batches():
    fields = {"training.d_steps": 3, "training.g_steps": 2, "training.fresh_batches": False}
    noise = {"tricks.instance_noise": 0.1, "tricks.input_noise": 0.1}
    batch = draw(setting(**fields, **noise), KEY, 0)
    for values in (batch.real, batch.latent_d, batch.latent_g, *batch.instance_noise):
        assert np.abs(values[0] - values[1]).max() > 1e-3


def test_data_of_two_dimensions_keep_their_order():
    """Sorting each coordinate by itself would make other points of them."""
    plane = {"target.kind": "ring", "latent.kind": "uniform", "latent.dim": 2}
    one, other = (
        draw(setting(**plane, **{"training.sort": sort}), KEY, 0) for sort in (True, False)
    )
    assert_equal(one, other)
    assert one.real.shape == (1, 8, 2) and one.latent_g.shape == (1, 8, 2)


# For what is compiled for each optimizer.
FEW_LAYERS = {"discriminator.hidden": (4, 3)}


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS)
def test_no_optimizer_moves_the_reference_batch_of_virtual_batch_norm(kind):
    made = setting(
        **FEW_LAYERS
        | {
            "tricks.virtual_batch_norm": "on",
            "tricks.historical_averaging": "on",
            "generator.optimizer.kind": kind,
            "generator.optimizer.rate": 0.1,
        }
    )
    first, _ = init(made, STEEP)
    state = first
    for step in range(3):
        state, _ = update(made, state, draw(made, STEEP, step))
    assert_equal(state.carried.g["reference"], first.carried.g["reference"])
    kernels = [s.params.g["hidden_0"]["kernel"] for s in (state, first)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-6


def after(made, updates=4):
    state, _ = init(made, STEEP)
    for step in range(updates):
        state, _ = update(made, state, draw(made, STEEP, step))
    return state


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_historical_averaging_of_no_weight_is_none(kind):
    fields = {"generator.optimizer.kind": kind, "discriminator.optimizer.kind": kind}
    averaged = fields | {"tricks.historical_averaging": "on"}
    off = after(setting(**fields))
    none, some = (
        after(setting(**averaged, **{"tricks.historical_weight": weight})) for weight in (0.0, 5.0)
    )
    assert off.averages.history is None
    assert_close(none.params, off.params, 1e-5)
    pairs = zip(leaves(some.params), leaves(off.params), strict=True)
    assert max(np.abs(a - b).max() for a, b in pairs) > 1e-4


def test_history_is_the_mean_of_the_weights_so_far():
    made = setting(**{"tricks.historical_averaging": "on", "generator.optimizer.rate": 0.1})
    state, _ = init(made, KEY)
    past = [leaves(state.params)]
    for step in range(5):
        assert int(state.averages.history.size) == len(past)
        for mean, *values in zip(leaves(state.averages.history.of), *past, strict=True):
            np.testing.assert_allclose(mean, np.mean(values, axis=0), rtol=1e-5, atol=1e-6)
        state, _ = update(made, state, draw(made, KEY, step))
        past.append(leaves(state.params))


TRAINED_FEATURES = {
    "tricks.feature_matching": "paired",
    "tricks.feature_matching_trains": "g_and_features",
}


@jax.jit
def turns(made, state, batch):
    after_d, _ = train.d_turn(made, state, batch)
    return after_d, train.g_turn(made, after_d, batch)[0]


@pytest.mark.parametrize("kind", optimizers.OPTIMIZERS)
def test_gs_optimizer_moves_ds_hidden_layers_but_not_its_output_or_optimizer(kind):
    made = setting(**FEW_LAYERS | TRAINED_FEATURES | {"generator.optimizer.kind": kind})
    state, batch = started(made)
    after_d, after_g = turns(made, state, batch)
    assert_equal(after_g.opt_state.d, after_d.opt_state.d)
    before, moved = after_d.params.d, after_g.params.d
    assert_equal(moved["output"], before["output"])
    for layer in ("hidden_0", "hidden_1"):
        assert np.abs(moved[layer]["kernel"] - before[layer]["kernel"]).max() > 1e-6
    assert_equal(after_d.params.g, state.params.g)


def test_matching_that_trains_features_does_nothing_without_matching():
    trains = {"tricks.feature_matching_trains": "g_and_features"}
    assert_equal(after(setting(**trains), 2), after(setting(), 2))


def test_without_pretraining_nothing_is_kept_of_it():
    assert init(setting(), KEY)[1] is None
    assert train.start(setting(), KEY)[1] is None


@pytest.mark.parametrize("steps", [1, 60, 100, 250])
def test_pretraining_keeps_where_it_started_and_its_losses_by_hundredths(steps):
    made = setting(**{"pretraining.steps": steps})
    plain, _ = init(setting(), KEY)
    state, pretraining = init(made, KEY)
    assert_equal(pretraining.initial, plain.params.d)
    assert_equal(state.params.g, plain.params.g)
    assert pretraining.losses.shape == (100,)
    parts = np.unique(np.arange(steps) * 100 // steps)
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(pretraining.losses)), parts)


def test_a_run_whose_pretraining_diverges_never_starts():
    made = setting(
        **{
            "pretraining.steps": 5,
            "loss.kind": "least_squares",
            "discriminator.optimizer.kind": "sgd",
            "discriminator.optimizer.rate": 1e20,
        }
    )
    run, _ = train.start(made, KEY)
    assert int(run.diverged_at) == 0
    again = advance(made, run, draw(made, KEY, 0), 0)
    assert int(again.diverged_at) == 0
    assert_equal(again.loss_sums, Players(0.0, 0.0))


@pytest.mark.parametrize("fields", [{}, {"training.d_steps": 3, "tricks.feature_matching": "mean"}])
def test_what_is_0_changes_nothing_against_what_is_not_there(fields):
    none, zero = setting(**fields), whole_setting(**fields)
    assert len(jax.tree.leaves(none)) < len(jax.tree.leaves(zero))
    state, batch = started(none)
    whole, more = started(zero)
    assert batch.instance_noise is None
    assert_equal((state.params, batch[:3]), (whole.params, more[:3]))
    ours, theirs = update(none, state, batch), update(zero, whole, more)
    assert_close((ours[0].params, ours[1]), (theirs[0].params, theirs[1]), 1e-6)
