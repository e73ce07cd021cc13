"""One GAN: its randomness, its update, divergence and pretraining."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from helpers import setting

from gan1d import networks, train

KEY = jax.random.key(11)
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


def test_streams_have_keys_of_their_own():
    keys = {tuple(jax.random.key_data(train.stream(KEY, name)).tolist()) for name in train.STREAMS}
    assert len(keys) == len(train.STREAMS)


def test_no_two_arrays_of_a_batch_share_their_randomness():
    with_noise = setting(**RAW, **{"tricks.instance_noise": 1.0})
    batch = train.draw(with_noise, KEY, 0)
    noise = jax.scipy.stats.norm.cdf(jnp.stack(batch.instance_noise))
    uniforms = [batch.real, batch.latent_d, batch.latent_g, *noise]
    for a, b in itertools.combinations(uniforms, 2):
        assert np.abs(np.asarray(a) - np.asarray(b)).max() > 0.05


def test_input_noise_differs_between_data_and_latents():
    quiet = train.draw(setting(**RAW), KEY, 0)
    noisy = train.draw(setting(**RAW, **{"tricks.input_noise": 1.0}), KEY, 0)
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
    plain, changed = train.draw(setting(), KEY, 5), train.draw(setting(**other), KEY, 5)
    assert_equal(plain[:3], changed[:3])


def test_more_d_steps_keep_the_first_steps_data():
    one = train.draw(setting(), KEY, 2)
    three = train.draw(setting(**{"training.d_steps": 3}), KEY, 2)
    assert_equal(one.real, three.real[:1])


def test_draws_change_with_step_and_seed():
    first = train.draw(setting(), KEY, 0)
    for other in (train.draw(setting(), KEY, 1), train.draw(setting(), jax.random.key(12), 0)):
        for a, b in zip(first[:3], other[:3], strict=True):
            assert not np.array_equal(a, b)


def test_data_follow_the_target_over_steps():
    draws = jax.vmap(lambda step: train.draw(setting(), KEY, step).real)(jnp.arange(500))
    test = scipy.stats.kstest(np.asarray(draws).ravel(), scipy.stats.norm(4, 0.5).cdf)
    assert test.pvalue > 1e-3


def test_sorted_batches_hold_the_same_numbers_as_unsorted_ones():
    in_order = train.draw(setting(), KEY, 0)
    as_drawn = train.draw(setting(**{"training.sort": False}), KEY, 0)
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
    return train.Batch(
        real=batch.real[:, real],
        latent_d=batch.latent_d[:, latent_d],
        latent_g=batch.latent_g[:, latent_g],
        instance_noise=train.InstanceNoise(
            noise.real[:, real], noise.fake_d[:, latent_d], noise.fake_g[:, latent_g]
        ),
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
    state, batch = train.init(made, KEY), train.draw(made, KEY, 0)
    update = jax.jit(train.update)
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
    state, batch = train.init(made, KEY), train.draw(made, KEY, 0)
    new, _ = train.update(made, state, batch)
    assert_equal(new.params.g, state.params.g)
    assert not np.array_equal(
        new.params.d["params"]["output"]["kernel"], state.params.d["params"]["output"]["kernel"]
    )


def test_g_is_trained_against_the_d_of_the_same_update():
    made = setting()
    state, batch = train.init(made, KEY), train.draw(made, KEY, 0)
    new, losses = train.update(made, state, batch)
    arguments = (batch.real[0], batch.latent_g[0], jnp.zeros_like(batch.real[0]))
    updated = train.g_loss(state.params.g, made, new.params.d, *arguments)
    stale = train.g_loss(state.params.g, made, state.params.d, *arguments)
    np.testing.assert_allclose(losses.g, updated, rtol=1e-5)
    assert abs(float(updated - stale)) > 1e-4


@pytest.mark.parametrize("network", ["d", "g"])
def test_several_steps_in_an_update_are_that_many_single_ones(network):
    many = setting(**{f"training.{network}_steps": 3, "tricks.instance_noise": 0.1})
    frozen = {"g": "discriminator", "d": "generator"}[network]
    many_still = setting(
        **{
            f"training.{network}_steps": 3,
            "tricks.instance_noise": 0.1,
            f"{frozen}.optimizer.rate": 0.0,
        }
    )
    single = setting(**{"tricks.instance_noise": 0.1, f"{frozen}.optimizer.rate": 0.0})
    state, batch = train.init(many_still, KEY), train.draw(many, KEY, 0)
    together, losses = train.update(many_still, state, batch)
    seen = []
    for i in range(3):
        take = slice(i, i + 1)
        d, g = (take, slice(0, 1)) if network == "d" else (slice(0, 1), take)
        noise = batch.instance_noise
        part = train.Batch(
            batch.real[d],
            batch.latent_d[d],
            batch.latent_g[g],
            train.InstanceNoise(noise.real[d], noise.fake_d[d], noise.fake_g[g]),
        )
        state, part_losses = train.update(single, state, part)
        seen.append(getattr(part_losses, network))
    assert_close(getattr(together.params, network), getattr(state.params, network))
    np.testing.assert_allclose(getattr(losses, network), np.mean(seen), rtol=1e-5)


def test_feature_matching_compares_with_the_rows_d_saw_last():
    made = setting(**{"tricks.feature_matching": "mean", "training.d_steps": 2})
    state, batch = train.init(made, KEY), train.draw(made, KEY, 0)
    _, losses = train.update(made, state, batch)
    new, _ = train.update(made, state, batch)
    zero = jnp.zeros_like(batch.real[0])
    expected = train.g_loss(
        state.params.g, made, new.params.d, batch.real[1], batch.latent_g[0], zero
    )
    np.testing.assert_allclose(losses.g, expected, rtol=1e-5)


def test_instance_noise_reaches_real_and_generated_rows_alike():
    made = setting(**{"tricks.instance_noise": 0.5})
    state, batch = train.init(made, KEY), train.draw(made, KEY, 0)
    _, losses = train.update(made, state, batch)
    for field in train.InstanceNoise._fields:
        silenced = batch.instance_noise._replace(**{field: jnp.zeros_like(batch.real)})
        _, quiet = train.update(made, state, batch._replace(instance_noise=silenced))
        changed = "g" if field == "fake_g" else "d"
        assert getattr(quiet, changed) != getattr(losses, changed)


def test_a_run_freezes_at_its_first_non_finite_update():
    made = setting(**{"generator.optimizer.kind": "sgd", "generator.optimizer.rate": 1e25})
    run, history = train.start(made, KEY), []
    advance = jax.jit(train.advance)
    for step in range(6):
        run = advance(made, run, train.draw(made, KEY, step), step)
        history.append(run)
    at = int(run.diverged_at)
    assert 1 <= at <= 5
    assert all(np.isfinite(leaf).all() for leaf in leaves(run))
    assert_equal(history[at - 1].state, run.state)
    assert [int(seen.diverged_at) for seen in history] == [-1] * (at - 1) + [at] * (7 - at)


def test_an_optimizer_that_overflows_is_a_divergence():
    """Adam's second moment becomes infinite before any weight does, and stops all training."""
    made = setting(**{"loss.kind": "least_squares"})
    run = train.start(made, KEY)
    batch = train.draw(made, KEY, 0)
    run = train.advance(made, run, batch._replace(real=1e15 * batch.real), 0)
    assert int(run.diverged_at) == 1


def test_a_healthy_run_is_not_called_diverged_and_sums_its_losses():
    made, run, total = setting(), train.start(setting(), KEY), 0.0
    for step in range(3):
        batch = train.draw(made, KEY, step)
        total += float(train.update(made, run.state, batch)[1].d)
        run = train.advance(made, run, batch, step)
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
        state = train.init(setting, key)
        outputs = jax.vmap(lambda rows: networks.discriminate(made, state.params.d, rows)[0])(x)
        probability = jax.nn.sigmoid(outputs)
        return ((probability - density) ** 2).mean(), probability.mean(), state

    keys = jax.vmap(jax.random.key)(jnp.arange(8))
    run = jax.vmap(scores, in_axes=(None, 0))
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
    keys = jax.vmap(jax.random.key)(jnp.arange(5))
    states = jax.vmap(train.init, in_axes=(None, 0))(made, keys)
    batches = jax.vmap(train.draw, in_axes=(None, 0, None))(made, keys, 0)
    together, losses = jax.jit(jax.vmap(train.update, in_axes=(None, 0, 0)))(made, states, batches)
    update = jax.jit(train.update)
    for i in range(5):
        state, batch = jax.tree.map(lambda leaf, i=i: leaf[i], (states, batches))
        alone, alone_losses = update(made, state, batch)
        ours = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        assert_close(ours.opt_state.g[0].mu, alone.opt_state.g[0].mu, 1e-4)
        assert_close([loss[i] for loss in losses], alone_losses)


@pytest.mark.parametrize(
    ("minibatch", "feature_matching"),
    [("off", "off"), ("append", "mean"), ("replace", "paired"), ("off", "paired_squared")],
)
def test_every_trainable_leaf_gets_a_gradient(minibatch, feature_matching):
    made = setting(**{"tricks.feature_matching": feature_matching, "tricks.minibatch": minibatch})

    def moments(key):
        state, _ = train.update(made, train.init(made, key), train.draw(made, key, 0))
        return state.opt_state.g[0].mu, state.opt_state.d[0].mu

    keys = jax.vmap(jax.random.key)(jnp.arange(16))
    for path, leaf in jax.tree.leaves_with_path(jax.vmap(moments)(keys)):
        name = jax.tree_util.keystr(path)
        if "minibatch" in name and "bias" in name:
            continue  # it cancels in the distances between rows
        assert np.abs(leaf).max() > 1e-6, name
