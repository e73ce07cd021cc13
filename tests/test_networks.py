import jax
import numpy as np
import pytest
import scipy.special
import scipy.stats
from helpers import config_of, setting

from gan1d.config import experiment
from gan1d.gan import networks, perceptrons, train
from gan1d.gan.players import Players, Rows

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


def truncated(variance):
    """A normal cut at two standard deviations, with this variance after that."""
    unit = scipy.stats.truncnorm(-2, 2)
    return scipy.stats.truncnorm(-2, 2, scale=variance**0.5 / unit.std())


# Of a 16 x 8 kernel's entries. A new initializer needs an entry.
GLOROT = (6 / (16 + 8)) ** 0.5  # Glorot & Bengio 2010, equation 16
DISTRIBUTIONS = {
    "normal": scipy.stats.norm(),
    "glorot_uniform": scipy.stats.uniform(-GLOROT, 2 * GLOROT),
    "glorot_normal": truncated(2 / (16 + 8)),
    "he_normal": truncated(2 / 16),
    "he_uniform": scipy.stats.uniform(-((6 / 16) ** 0.5), 2 * (6 / 16) ** 0.5),
    "lecun_normal": truncated(1 / 16),
}

generate, discriminate = jax.jit(perceptrons.generate), jax.jit(perceptrons.discriminate)
init = jax.jit(train.init)
each_activation = pytest.mark.parametrize("activation", networks.ACTIVATIONS)


def parameters(setting, seed=0):
    """The initial variables of G and of D."""
    key = jax.random.key(seed)
    made = perceptrons.init_generator(setting, key), perceptrons.init_discriminator(setting, key)
    return tuple({"params": params} | carried for params, carried in made)


initial = jax.jit(parameters)


def counts(setting):
    """How many numbers G and D train."""
    g_params, d_params = jax.eval_shape(lambda: parameters(setting))
    return tuple(
        sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
        for variables in (g_params, d_params)
    )


@pytest.mark.parametrize(
    "fields, g, d",
    [
        ({}, 13, 169),
        ({"tricks.minibatch": "replace"}, 13, 237),
        ({"tricks.minibatch": "append"}, 13, 169 + 8 * 15 + 15 + 5),
        ({"tricks.feature_matching": "paired"}, 13, 169),
        ({"generator.hidden": (), "discriminator.hidden": ()}, 2, 2),
        ({"latent.kind": "normal", "latent.dim": 3}, 13 + 2 * 4, 169),
        # A scale and a shift a unit; the reference batch is not trained.
        ({"tricks.virtual_batch_norm": "on"}, 13 + 2 * 4, 169),
        ({"tricks.virtual_batch_norm": "on", "generator.hidden": (4, 3)}, 8 + 15 + 4 + 14, 169),
        ({"target.kind": "moons", "latent.kind": "normal", "latent.dim": 2}, 12 + 10, 177),
    ],
)
def test_parameter_counts(fields, g, d):
    assert counts(setting(**fields)) == (g, d)


@pytest.mark.parametrize(
    "name, variant, expected",
    [
        ("jang", "post", {(53, 53)}),
        ("neural_perspective", "gan", {(141, 141)}),
        ("neural_perspective", "feature_matching", {(141, 141)}),
        # D is tanh 20, tanh 20, 5 kernels of dimension 3, one unit.
        ("neural_perspective", "minibatch", {(31, 40 + 420 + 315 + 26)}),
        ("aylien", "2016", {(13, 169), (13, 237)}),
        ("aylien", "2016-12", {(13, 169), (13, 237)}),
        ("aylien", "2017", {(13, 169), (13, 237)}),
        ("high_dimensional", "panels", {(13, 169), (13, 237)}),
        ("quadratic", "post", {(354, 357)}),
        ("quadratic", "code", {(354, 357)}),
        ("atlas/alpha_gan", "paper", {(483_202, 121_401)}),
        ("atlas/berard", "paper", {(10_201, 301)}),
        ("atlas/gdpp", "ring-paper", {(49_666, 17_025)}),
        ("atlas/numerics", "paper", {(1_122, 881)}),
        # A pack's rows are two inputs each of 1000 pieces.
        ("atlas/pacgan", "grid-paper", {(484_802, 403_201 + 2_000 * m) for m in (1, 2, 3, 4)}),
        ("atlas/unrolled", "paper", {(49_666, 513)}),
        ("atlas/zero_gp", "paper", {(8_642, 8_577)}),
        ("atlas/wgan_gp", "grid-paper", {(527_874, 527_361)}),
        ("atlas/adagan", "plain", {(402, 337)}),
        ("atlas/rs_gan", "paper", {(46, 141)}),
    ],
)
def test_parameter_counts_of_the_configs_are_the_sources(name, variant, expected):
    made = experiment.resolve(config_of(name, variant))
    assert {counts(setting) for setting in made.settings} == expected


def drawn(setting, seed=0):
    """Parameters of G and of D like those that training starts from, without compiling that."""
    random = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: random.normal(size=leaf.shape).astype(np.float32),
        jax.eval_shape(lambda: parameters(setting)),
    )


def dense(x, layer):
    return x @ np.asarray(layer["kernel"], float) + np.asarray(layer["bias"], float)


@each_activation
def test_generator_is_its_formula(activation):
    fields = {"activation": activation, "output_activation": activation, "output_scale": 5.0}
    s = setting(**{f"generator.{name}": value for name, value in fields.items()})
    params, _ = drawn(s)
    latent = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
    layers = params["params"]
    hidden = ACTIVATIONS[activation](dense(latent, layers["hidden_0"]))
    expected = 5 * ACTIVATIONS[activation](dense(hidden, layers["output"]))
    actual = generate(s, params, latent)
    assert actual.shape == (7, 1)
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("last", ["same", "sigmoid"])
def test_hidden_and_output_activations_of_g_are_not_confused(last):
    s = setting(
        **{
            "generator.hidden": (6, 5),
            "generator.activation": "softplus",
            "generator.last_activation": last,
            "generator.output_activation": "tanh",
        }
    )
    params, _ = drawn(s)
    latent = np.linspace(-3, 3, 7, dtype=np.float32)[:, None]
    layers = params["params"]
    hidden = np.logaddexp(0, dense(latent, layers["hidden_0"]))
    last = {"same": "softplus"}.get(last, last)
    hidden = ACTIVATIONS[last](dense(hidden, layers["hidden_1"]))
    expected = np.tanh(dense(hidden, layers["output"]))
    np.testing.assert_allclose(generate(s, params, latent), expected, atol=1e-5)


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
    _, params = drawn(s)
    x = np.linspace(-1, 2, 6, dtype=np.float32)[:, None]
    layers = params["params"]
    expected = x.astype(float)
    for i in range(2 if minibatch == "replace" else 3):
        expected = ACTIVATIONS[activation](dense(expected, layers[f"hidden_{i}"]))
    if minibatch != "off":
        near = similarities(expected, layers["minibatch"], self_distance=1)
        expected = np.concatenate([expected, near], axis=1)
    outputs, features = discriminate(s, params, x)
    assert outputs.shape == (6,) and features.shape == (6, width)
    scale = 1 + np.abs(expected).max()
    np.testing.assert_allclose(features, expected, atol=1e-5 * scale)
    # A raw output, whatever the hidden activation.
    output = dense(expected, layers["output"])[:, 0]
    np.testing.assert_allclose(outputs, output, atol=1e-5 * scale * width)


def test_a_maxout_unit_is_the_largest_of_its_pieces():
    """Goodfellow et al. (2013): of k affine functions of the row, before the activation."""
    s = setting(**{"discriminator.hidden": (4, 3), "discriminator.maxout": 5})
    _, params = drawn(s)
    x = np.linspace(-1, 2, 6, dtype=np.float32)[:, None]
    expected = x
    for i, units in enumerate((4, 3)):
        linear = dense(expected, params["params"][f"hidden_{i}"])
        assert linear.shape == (6, 5 * units)
        pieces = [linear[:, j * units : (j + 1) * units] for j in range(5)]
        expected = np.maximum(np.max(pieces, axis=0), 0)
    _, features = discriminate(s, params, x)
    np.testing.assert_allclose(features, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("output_activation", ["tanh", "sigmoid", "relu"])
@pytest.mark.parametrize("last", ["same", "linear", "softplus"])
def test_ds_last_hidden_layer_and_output_may_have_activations_of_their_own(last, output_activation):
    s = setting(
        **{
            "discriminator.hidden": (6, 5),
            "discriminator.activation": "tanh",
            "discriminator.last_activation": last,
            "discriminator.output_activation": output_activation,
        }
    )
    _, params = drawn(s)
    x = np.linspace(-1, 2, 6, dtype=np.float32)[:, None]
    layers = params["params"]
    hidden = np.tanh(dense(x, layers["hidden_0"]))
    last = {"same": "tanh"}.get(last, last)
    expected = ACTIVATIONS[last](dense(hidden, layers["hidden_1"]))
    outputs, features = discriminate(s, params, x)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    output = ACTIVATIONS[output_activation](dense(expected, layers["output"])[:, 0])
    np.testing.assert_allclose(outputs, output, atol=1e-5)


def test_as_many_rows_are_compared_as_the_setting_says():
    fields = {"tricks.minibatch": "append", "tricks.minibatch_init_scale": 0.0}
    for rows, near in ((0, 6), (4, 4), (1, 1)):
        s = setting(**fields, **{"tricks.minibatch_rows": rows})
        _, params = drawn(s)
        _, features = discriminate(s, params, np.zeros((6, 1), np.float32))
        np.testing.assert_allclose(features[:, 8:], near, rtol=1e-6)


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({}, 8),
        ({"tricks.minibatch": "replace"}, 13),
        ({"tricks.minibatch": "append", "tricks.minibatch_kernels": 2}, 10),
        ({"discriminator.hidden": (16, 16, 2)}, 2),
        ({"discriminator.hidden": ()}, 1),
        ({"discriminator.hidden": (5, 3), "tricks.minibatch": "append"}, 8),
        ({"discriminator.hidden": (5, 3), "tricks.minibatch": "replace"}, 10),
        ({"discriminator.hidden": (7, 6, 2), "tricks.minibatch": "append"}, 7),
        ({"discriminator.hidden": (7, 6, 2), "tricks.minibatch": "replace"}, 11),
    ],
)
def test_feature_count_is_the_width_of_what_d_returns(fields, expected):
    s = setting(**fields)
    rows = np.zeros((8, 1), np.float32)
    features = jax.eval_shape(lambda: perceptrons.discriminate(s, parameters(s)[1], rows).features)
    assert perceptrons.feature_count(s) == features.shape[1] == expected


VIRTUAL = {
    "tricks.virtual_batch_norm": "on",
    "generator.hidden": (6, 5),
    "generator.activation": "tanh",
}


def normalised(rows, reference):
    """Salimans et al. 2016, section 3.5: by the reference batch with the row, one at a time."""
    result = np.empty_like(rows)
    for i, row in enumerate(rows):
        batch = np.concatenate([reference, row[None]])
        result[i] = (row - batch.mean(0)) / np.sqrt(batch.var(0) + 1e-5)
    return result


def test_virtual_batch_norm_normalises_each_hidden_layer_before_its_activation():
    s = setting(**VIRTUAL)
    params, _ = drawn(s, seed=4)
    reference = np.asarray(params["reference"]["latent"], float)
    assert reference.shape == (8, 1)
    layers = params["params"]
    latent = np.linspace(-8, 8, 7, dtype=np.float32)[:, None]
    hidden = latent.astype(float)
    for i in range(2):
        hidden, reference = (dense(rows, layers[f"hidden_{i}"]) for rows in (hidden, reference))
        scale, shift = (np.asarray(layers[f"{name}_{i}"], float) for name in ("scale", "shift"))
        spread = np.sqrt(reference.var(0) + 1e-5)
        hidden = np.tanh(scale * normalised(hidden, reference) + shift)
        reference = np.tanh(scale * (reference - reference.mean(0)) / spread + shift)
    actual = generate(s, params, latent)
    np.testing.assert_allclose(actual, dense(hidden, layers["output"]), atol=1e-4)


def test_under_virtual_batch_norm_a_generated_row_does_not_depend_on_its_company():
    s = setting(**VIRTUAL)
    params, _ = drawn(s, seed=4)
    latent = np.linspace(-8, 8, 7, dtype=np.float32)[:, None]
    together = generate(s, params, latent)
    shuffled = generate(s, params, latent[::-1])[::-1]
    alone = np.concatenate([generate(s, params, latent[i : i + 1]) for i in range(7)])
    np.testing.assert_allclose(shuffled, together, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-5)


def test_virtual_batch_norm_starts_without_scale_and_shift():
    params, _ = initial(setting(**VIRTUAL))
    for i, units in enumerate((6, 5)):
        np.testing.assert_array_equal(params["params"][f"scale_{i}"], np.ones(units))
        np.testing.assert_array_equal(params["params"][f"shift_{i}"], np.zeros(units))


def test_the_reference_batch_follows_the_latents_and_differs_between_seeds():
    s = setting(**VIRTUAL, **{"latent.kind": "uniform", "latent.low": 2.0, "latent.high": 3.0})
    one, other = (np.asarray(initial(s, seed)[0]["reference"]["latent"]) for seed in (0, 1))
    for reference in (one, other):
        assert ((reference > 2) & (reference < 3)).all()
    assert np.abs(one - other).max() > 0.05


@pytest.mark.parametrize("minibatch", ["append", "replace"])
def test_with_minibatch_discrimination_a_rows_output_depends_on_its_company(minibatch):
    s = setting(**{"tricks.minibatch": minibatch, "tricks.minibatch_init_scale": 1.0})
    _, params = drawn(s)
    near, far = np.float32([[1.0], [1.1]]), np.float32([[1.0], [5.0]])
    (one, _), (other, _) = (discriminate(s, params, rows) for rows in (near, far))
    assert abs(one[0] - other[0]) > 1e-2


@jax.jit
def pooled(s):
    """D's initial parameters of many seeds, leaves `[500, ...]`."""
    return jax.vmap(lambda seed: parameters(s, seed)[1])(np.arange(500))["params"]


def test_every_initializer_is_drawn_below_but_the_constant_one_and_two_of_test_norms():
    elsewhere = {"ones", "orthogonal", "torch_linear"}
    assert DISTRIBUTIONS.keys() | elsewhere == networks.INITIALIZERS.keys()
    s = setting(**{"generator.kernel_init": "ones", "generator.kernel_scale": -0.5})
    g, _ = initial(s)
    for layer in g["params"].values():
        np.testing.assert_array_equal(layer["kernel"], -0.5)


@pytest.mark.parametrize(
    "init, kernel_scale", [*((init, 1.0) for init in DISTRIBUTIONS), ("normal", 0.25)]
)
def test_initial_kernels_have_their_distribution_and_biases_are_zero(init, kernel_scale):
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
    # 64000 draws, which tell apart distributions whose CDFs are 0.008 apart: a normal that is cut
    # at two standard deviations and one that is not, or a variance that is 3% off.
    test = scipy.stats.kstest(kernels.ravel() / kernel_scale, DISTRIBUTIONS[init].cdf)
    assert test.pvalue > 1e-3
    # No two entries of a kernel, nor two seeds, share their draws.
    assert len(np.unique(kernels)) > 0.99 * kernels.size
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
        g, d = init(s, jax.random.key(seed))[0].params
        layers = g["hidden_1"], d["hidden_1"], d["hidden_2"]
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
        {"tricks.virtual_batch_norm": "on"},
        {"tricks.historical_averaging": "on", "loss.label_smoothing": 0.1},
    ],
)
def test_tricks_leave_the_initial_weights_of_equally_shaped_layers_alone(fields):
    plain, tricked = (
        init(setting(**changed), jax.random.key(3))[0].params for changed in ({}, fields)
    )
    shared = 0
    for before, after in zip(plain, tricked, strict=True):
        for name in before.keys() & after.keys():  # layers, and no scales or shifts
            if before[name]["kernel"].shape == after[name]["kernel"].shape:
                np.testing.assert_array_equal(before[name]["kernel"], after[name]["kernel"])
                shared += 1
    assert shared >= 4  # G's two layers, and at least D's first two


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "tanh", "softplus"])
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

    def several(leaf):
        return random.normal(size=(40, *leaf.shape)).astype(np.float32)

    params = jax.tree.map(
        several, jax.eval_shape(lambda: [each["params"] for each in parameters(s)])
    )
    real, latent, noise = random.normal(size=(3, 40, 8, 1)).astype(np.float32)

    def gradients(params, real, latent, noise):
        params, rows = Players(*params), Rows(real, latent, None, noise)
        game = train.game(s, Players({}, {}), Players(rows, rows._replace(fake_noise=None)))
        return {"d": jax.grad(game.d)(params).d, "g": jax.grad(game.g)(params).g}

    sizes = jax.tree.map(
        lambda leaf: np.abs(leaf).mean(0), jax.jit(jax.vmap(gradients))(params, real, latent, noise)
    )
    # The projection's bias is the same for all rows and cancels in their distances.
    constant = sizes["d"]["minibatch"].pop("bias")
    assert constant.max() < 1e-5 * sizes["d"]["minibatch"]["kernel"].max()
    for path, leaf in jax.tree.leaves_with_path(sizes):
        assert leaf.min() > 1e-4, jax.tree_util.keystr(path)
