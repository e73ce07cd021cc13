"""Training against `reference.py`, and the reference's derivatives against finite differences.

The package rounds to float32 and the reference to float64; otherwise they do the same arithmetic.
"""

import jax
import numpy as np
import pytest
import reference

from gan1d import experiment, train

UPDATES = 20
# Weights are of size 1, where float32 rounds by 6e-8, and 20 updates move most of them by 0.02; the
# two were seen to differ by up to 8e-7. Losses inherit the rounding of logits and distances of size
# 1 to 100: they were seen to differ by up to 2e-6, relatively.
WEIGHT_ATOL = 2e-6
LOSS_RTOL, LOSS_ATOL = 1e-5, 1e-6

# D is not smooth: where rounding decides on which side of a kink (of a ReLU, a distance, the log's
# floor) a row falls, the two may part ways for good with neither at fault. With these seeds no row
# comes so near: normal noise of 1e-6 on the first weights isn't amplified in any of the cases.
# Depending on seed and case, the floor holds rows of D(x), 1 - D(G(z)) or G's D(G(z)), or none.
SEEDS = (1, 26, 37, 56)

CASES = {
    "plain": {},
    "paired": {"feature_matching": "paired"},
    "noise": {"instance_noise": 0.1},
    "minibatch": {"minibatch": "replace"},
    "minibatch, self 1": {"minibatch": "replace", "minibatch_self_distance": 1.0},
    "minibatch, paired": {"minibatch": "replace", "feature_matching": "paired"},
    "minibatch, self 1, paired": {
        "minibatch": "replace",
        "minibatch_self_distance": 1.0,
        "feature_matching": "paired",
    },
    "minibatch, paired, noise": {
        "minibatch": "replace",
        "feature_matching": "paired",
        "instance_noise": 0.1,
    },
}

init, draw, update = jax.jit(train.init), jax.jit(train.draw), jax.jit(train.update)


def setting_of(tricks):
    config = experiment.default_config()
    for name, value in tricks.items():
        config.tricks[name] = value
    return next(experiment.resolve(config).settings())


def options_of(tricks):
    return reference.Options(
        minibatch=tricks.get("minibatch") == "replace",
        self_distance=tricks.get("minibatch_self_distance", 0.0),
        paired=tricks.get("feature_matching") == "paired",
    )


def g_weights(params):
    return weights_of(params, {"0": "hidden_0", "1": "output"})


def d_weights(params, options):
    third = {"m": "minibatch"} if options.minibatch else {"2": "hidden_2"}
    return weights_of(params, {"0": "hidden_0", "1": "hidden_1", **third, "3": "output"})


def weights_of(params, layers):
    """The reference's weights from a network's parameters."""
    assert set(params["params"]) == set(layers.values())
    weights = {}
    for suffix, layer in layers.items():
        weights["w" + suffix] = np.asarray(params["params"][layer]["kernel"], np.float64)
        weights["b" + suffix] = np.asarray(params["params"][layer]["bias"], np.float64)
    return weights


def batch_of(batch):
    """The reference's batch: one step of each network."""
    noise = batch.instance_noise
    arrays = batch.real, batch.latent_d, batch.latent_g, noise.real, noise.fake_d, noise.fake_g
    assert all(array.shape == (1, 8, 1) for array in arrays)
    return reference.Batch(*(np.asarray(array[0], np.float64) for array in arrays))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES)
def test_updates_equal_the_reference(case, seed):
    setting, options = setting_of(CASES[case]), options_of(CASES[case])
    key = jax.random.key(seed)
    state = init(setting, key)
    first = reference.start(g_weights(state.params.g), d_weights(state.params.d, options))
    expected = first
    for step in range(UPDATES):
        batch = draw(setting, key, step)
        state, losses = update(setting, state, batch)
        expected, d_loss, g_loss = reference.update(expected, batch_of(batch), options)
        np.testing.assert_allclose(
            [losses.d, losses.g], [d_loss, g_loss], rtol=LOSS_RTOL, atol=LOSS_ATOL
        )

    for before, actual, after in (
        (first.g, g_weights(state.params.g), expected.g),
        (first.d, d_weights(state.params.d, options), expected.d),
    ):
        assert actual.keys() == after.keys()
        # The projection's bias cancels in the distances. Its true gradient is 0, so Adam's steps on
        # it are rounding noise brought to size, which differs between the two and does nothing.
        for name in after.keys() - {"bm"}:
            assert np.abs(after[name] - before[name]).max() > 1e-3, f"{name} was not trained"
            np.testing.assert_allclose(
                actual[name], after[name], rtol=0, atol=WEIGHT_ATOL, err_msg=name
            )


def random_weights(rng, shapes):
    """Normal weights and biases of layers named by their suffix."""
    weights = {}
    for suffix, shape in shapes.items():
        # A projection much larger than this makes every row dissimilar: no gradient to compare.
        scale = 0.1 if suffix == "m" else 0.7
        weights["w" + suffix] = scale * rng.standard_normal(shape)
        weights["b" + suffix] = scale * rng.standard_normal(shape[1])
    return weights


def random_networks(seed, options, rows=6):
    rng = np.random.default_rng(seed)
    g = random_weights(rng, {"0": (1, 4), "1": (4, 1)})
    third, width = ({"m": (8, 15)}, 13) if options.minibatch else ({"2": (8, 8)}, 8)
    d = random_weights(rng, {"0": (1, 8), "1": (8, 8), **third, "3": (width, 1)})
    real = 4 + 0.5 * rng.standard_normal((rows, 1))
    latent = rng.uniform(-8, 8, (rows, 1))
    noise = 0.1 * rng.standard_normal((rows, 1))
    return g, d, real, latent, noise


def central_differences(loss, weights, h=1e-6):
    """(loss(w + h) - loss(w - h)) / 2h for every weight w."""
    slopes = {name: np.zeros_like(value) for name, value in weights.items()}
    for name, value in weights.items():
        for index in np.ndindex(value.shape):
            moved = {sign: weights | {name: value.copy()} for sign in (1, -1)}
            for sign in moved:
                moved[sign][name][index] += sign * h
            slopes[name][index] = (loss(moved[1]) - loss(moved[-1])) / (2 * h)
    return slopes


OPTIONS = (
    reference.Options(),
    reference.Options(paired=True),
    reference.Options(minibatch=True),
    reference.Options(minibatch=True, self_distance=1.0),
    reference.Options(minibatch=True, self_distance=1.0, paired=True),
)


# With seed 3 the floor holds a row of the plain D's loss, with seed 10 two rows of G's loss under
# minibatch discrimination; no kink is within h.
@pytest.mark.parametrize("seed", (1, 3, 10))
@pytest.mark.parametrize("options", OPTIONS)
def test_gradients_of_the_reference_equal_finite_differences(options, seed):
    g, d, real, latent, noise = random_networks(seed, options)
    fake = reference.generator(g, latent) + noise
    _, d_grads = reference.d_loss(d, real, fake, options)
    _, g_grads = reference.g_loss(g, d, real, latent, noise, options)
    d_slopes = central_differences(lambda d: reference.d_loss(d, real, fake, options)[0], d)
    g_slopes = central_differences(
        lambda g: reference.g_loss(g, d, real, latent, noise, options)[0], g
    )
    for grads, slopes in ((d_grads, d_slopes), (g_grads, g_slopes)):
        assert grads.keys() == slopes.keys()
        for name in grads:
            assert grads[name].any() or name == "bm", f"{name} has no gradient to compare"
            np.testing.assert_allclose(
                grads[name], slopes[name], rtol=1e-6, atol=1e-8, err_msg=name
            )


def test_the_floor_of_the_reference_stops_the_gradient():
    p = np.array([1e-9, 0.9e-5, 1.1e-5, 0.5, 1.0])
    floored = np.log([1e-5, 1e-5, 1.1e-5, 0.5, 1.0])
    np.testing.assert_allclose(reference.minus_log(p), -floored)
    np.testing.assert_allclose(reference.minus_log_slope(p), [0, 0, 1.1e-5 - 1, -0.5, 0])
