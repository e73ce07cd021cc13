import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from helpers import setting

from gan1d import networks, train

# In float64. A new activation needs an entry.
ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x > 0, x, 0.2 * x),  # TensorFlow 1's slope
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "softplus": lambda x: np.logaddexp(0, x),
    "elu": lambda x: np.where(x > 0, x, np.expm1(x)),
    "gelu": lambda x: x / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (x + 0.044715 * x**3))),
    "silu": lambda x: x * scipy.special.expit(x),
    "linear": lambda x: x,
}
# Variance of a 16 x 8 kernel's entries. A new initializer needs an entry.
VARIANCES = {
    "normal": 1.0,
    "glorot_uniform": 2 / (16 + 8),
    "glorot_normal": 2 / (16 + 8),
    "he_normal": 2 / 16,
    "lecun_normal": 1 / 16,
}

generate, discriminate = jax.jit(networks.generate), jax.jit(networks.discriminate)
each_activation = pytest.mark.parametrize("activation", networks.ACTIVATIONS)

# E1, Jang: both networks 1-6-5-1, tanh throughout, G's output times 5.
JANG = {
    "generator.hidden": (6, 5),
    "generator.activation": "tanh",
    "generator.output_activation": "tanh",
    "generator.output_scale": 5.0,
    "discriminator.hidden": (6, 5),
    "discriminator.activation": "tanh",
}
# E3's minibatch discrimination: D is tanh 20, tanh 20, 5 kernels of dimension 3, one unit.
NEURAL_PERSPECTIVE = {"discriminator.hidden": (20, 20), "tricks.minibatch": "append"}


def parameters(setting, seed=0):
    """The parameters of G and of D."""
    key = jax.random.key(seed)
    return networks.init_generator(setting, key), networks.init_discriminator(setting, key)


@pytest.mark.parametrize(
    "fields, g, d",
    [
        ({}, 13, 169),
        ({"tricks.minibatch": "replace"}, 13, 237),
        ({"tricks.minibatch": "append"}, 13, 169 + 8 * 15 + 15 + 5),
        ({"tricks.feature_matching": "paired"}, 13, 169),
        (JANG, 53, 53),
        (NEURAL_PERSPECTIVE, 13, 40 + 420 + 315 + 26),
        ({"generator.hidden": (), "discriminator.hidden": ()}, 2, 2),
        ({"latent.kind": "normal", "latent.dim": 3}, 13 + 2 * 4, 169),
    ],
    ids=["AYLIEN", "replace", "append", "matching", "Jang", "E3", "no hidden layer", "3-D latent"],
)
def test_parameter_counts_are_the_papers(fields, g, d):
    g_params, d_params = jax.eval_shape(lambda: parameters(setting(**fields)))
    assert sum(leaf.size for leaf in jax.tree.leaves(g_params)) == g
    assert sum(leaf.size for leaf in jax.tree.leaves(d_params)) == d


def dense(x, layer):
    return x @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)


@each_activation
def test_generator_is_its_formula(activation):
    fields = {"activation": activation, "output_activation": activation, "output_scale": 5.0}
    s = setting(**{f"generator.{name}": value for name, value in fields.items()})
    params, _ = parameters(s)
    latent = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
    layers = params["params"]
    hidden = ACTIVATIONS[activation](dense(latent, layers["hidden_0"]))
    expected = 5 * ACTIVATIONS[activation](dense(hidden, layers["output"]))
    actual = generate(s, params, jnp.asarray(latent))
    assert actual.shape == (7, 1)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_hidden_and_output_activations_of_g_are_not_confused():
    s = setting(
        **{
            "generator.hidden": (6, 5),
            "generator.activation": "softplus",
            "generator.output_activation": "tanh",
        }
    )
    params, _ = parameters(s)
    latent = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
    layers = params["params"]
    hidden = np.logaddexp(0, dense(latent, layers["hidden_0"]))
    hidden = np.logaddexp(0, dense(hidden, layers["hidden_1"]))
    expected = np.tanh(dense(hidden, layers["output"]))
    np.testing.assert_allclose(generate(s, params, jnp.asarray(latent)), expected, atol=1e-5)


def similarities(x, layer, self_distance):
    projected = dense(x, layer).reshape(len(x), 5, 3)
    distances = np.abs(projected[:, None] - projected[None]).sum(-1)
    distances += self_distance * np.eye(len(x))[:, :, None]
    return np.exp(-distances).sum(1)


@pytest.mark.parametrize(
    "activation, minibatch, width",
    [
        *((activation, "off", 8) for activation in networks.ACTIVATIONS),
        ("relu", "append", 13),
        ("tanh", "append", 13),
        ("relu", "replace", 13),
    ],
)
def test_discriminator_is_its_formula(activation, minibatch, width):
    s = setting(
        **{
            "discriminator.activation": activation,
            "tricks.minibatch": minibatch,
            "tricks.minibatch_init_scale": 0.3,  # so that distances are neither 0 nor infinite
            "tricks.minibatch_self_distance": 1.0,
        }
    )
    _, params = parameters(s)
    x = np.linspace(-1, 2, 6, dtype=np.float32)[:, None]
    layers = params["params"]
    expected = x.astype(float)
    for i in range(2 if minibatch == "replace" else 3):
        expected = ACTIVATIONS[activation](dense(expected, layers[f"hidden_{i}"]))
    if minibatch != "off":
        near = similarities(expected, layers["minibatch"], self_distance=1)
        expected = np.concatenate([expected, near], axis=1)
    outputs, features = discriminate(s, params, jnp.asarray(x))
    assert outputs.shape == (6,) and features.shape == (6, width)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(features, expected, atol=1e-5 * scale)
    # A raw output, whatever the hidden activation.
    output = dense(expected, layers["output"])[:, 0]
    np.testing.assert_allclose(outputs, output, atol=1e-5 * scale * width)


@pytest.mark.parametrize("minibatch", ["append", "replace"])
def test_with_minibatch_discrimination_a_rows_output_depends_on_its_company(minibatch):
    s = setting(**{"tricks.minibatch": minibatch, "tricks.minibatch_init_scale": 1.0})
    _, params = parameters(s)
    near, far = jnp.array([[1.0], [1.1]]), jnp.array([[1.0], [5.0]])
    (one, _), (other, _) = (discriminate(s, params, rows) for rows in (near, far))
    assert abs(one[0] - other[0]) > 1e-2


@jax.jit
def pooled(s):
    """D's initial parameters of many seeds, leaves `[500, ...]`."""
    return jax.vmap(lambda seed: parameters(s, seed)[1])(jnp.arange(500))["params"]


@pytest.mark.parametrize("kernel_scale", [1.0, 0.25])
@pytest.mark.parametrize("init", networks.INITIALIZERS)
def test_initial_kernels_have_their_variance_and_biases_are_zero(init, kernel_scale):
    s = setting(
        **{
            "discriminator.kernel_init": init,
            "discriminator.kernel_scale": kernel_scale,
            "discriminator.hidden": (16, 8),
        }
    )
    layers = pooled(s)
    kernels = np.asarray(layers["hidden_1"]["kernel"], float)
    assert kernels.shape == (500, 16, 8)
    # 64000 draws: standard errors of 0.3% of the std, and of the std / 250 on the mean.
    std = kernel_scale * VARIANCES[init] ** 0.5
    np.testing.assert_allclose(kernels.std(), std, rtol=0.02)
    np.testing.assert_allclose(kernels.mean(), 0, atol=0.02 * std)
    if init == "glorot_uniform":
        np.testing.assert_allclose(np.abs(kernels).max(), 3**0.5 * std, rtol=1e-3)
    for layer in layers.values():
        np.testing.assert_array_equal(layer["bias"], 0)


def test_the_minibatch_projection_has_an_initial_scale_of_its_own():
    fields = {
        "discriminator.hidden": (8,),
        "discriminator.kernel_scale": 7.0,
        "tricks.minibatch": "append",
    }
    for scale in (0.02, 1.5):
        layer = pooled(setting(**fields, **{"tricks.minibatch_init_scale": scale}))["minibatch"]
        assert layer["kernel"].shape == (500, 8, 15)
        np.testing.assert_allclose(np.std(layer["kernel"]), scale, rtol=0.02)
        np.testing.assert_array_equal(layer["bias"], 0)


def test_seeds_layers_and_networks_start_differently():
    s = setting(**{"generator.hidden": (8, 8)})
    kernels = []
    for seed in (0, 1):
        g, d = train.init(s, jax.random.key(seed)).params
        layers = g["params"]["hidden_1"], d["params"]["hidden_1"], d["params"]["hidden_2"]
        kernels += [np.ravel(layer["kernel"]) for layer in layers]
    # Independent entries correlate by about 1/8 over 64 of them.
    assert np.abs(np.corrcoef(kernels) - np.eye(6)).max() < 0.5


@pytest.mark.parametrize(
    "fields",
    [
        {"tricks.minibatch": "append"},
        {"tricks.minibatch": "replace"},
        {"tricks.minibatch": "replace", "tricks.minibatch_kernels": 7},
        {"tricks.feature_matching": "mean"},
        {"tricks.input_noise": 0.1, "tricks.instance_noise": 0.1},
        {"pretraining.steps": 0, "loss.kind": "least_squares"},
    ],
)
def test_tricks_leave_the_initial_weights_of_equally_shaped_layers_alone(fields):
    plain, tricked = (
        train.init(setting(**changed), jax.random.key(3)).params for changed in ({}, fields)
    )
    shared = 0
    for before, after in zip(plain, tricked, strict=True):
        before, after = before["params"], after["params"]
        for name in before.keys() & after.keys():
            if before[name]["kernel"].shape == after[name]["kernel"].shape:
                np.testing.assert_array_equal(before[name]["kernel"], after[name]["kernel"])
                shared += 1
    assert shared >= 4  # G's two layers, and at least D's first two


@each_activation
def test_every_trainable_number_learns(activation):
    s = setting(
        **{
            "generator.activation": activation,
            "discriminator.activation": activation,
            "discriminator.hidden": (4,),
            "tricks.minibatch": "append",
        }
    )
    random = np.random.default_rng(0)

    def drawn(leaf):
        return random.normal(size=(40, *leaf.shape)).astype(np.float32)

    params = jax.tree.map(drawn, jax.eval_shape(lambda: parameters(s)))
    real, latent, noise = random.normal(size=(3, 40, 8, 1)).astype(np.float32)

    def gradients(params, real, latent, noise):
        g, d = params
        fake = networks.generate(s, g, latent)
        return {
            "d": jax.grad(train.d_loss)(d, s, real, fake)["params"],
            "g": jax.grad(train.g_loss)(g, s, d, real, latent, noise)["params"],
        }

    sizes = jax.tree.map(
        lambda leaf: np.abs(leaf).mean(0), jax.jit(jax.vmap(gradients))(params, real, latent, noise)
    )
    # The projection's bias is the same for all rows and cancels in their distances.
    constant = sizes["d"]["minibatch"].pop("bias")
    assert constant.max() < 1e-5 * sizes["d"]["minibatch"]["kernel"].max()
    for path, leaf in jax.tree.leaves_with_path(sizes):
        assert leaf.min() > 1e-4, jax.tree_util.keystr(path)
