"""What normalises networks, leaves units out, or draws their first weights in other ways."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import draw, setting

from gan1d.gan import networks, perceptrons, train

KEY = jax.random.key(6)
RNG = np.random.default_rng(7)
SMALL = {
    "latent.kind": "normal",
    "latent.dim": 2,
    "generator.hidden": (3,),
    "discriminator.hidden": (4, 3),
    "discriminator.activation": "tanh",
    "training.batch_size": 6,
}
update, d_turn = jax.jit(train.update), jax.jit(train.d_turn)


# Spectral normalisation.


def test_power_iterations_find_the_largest_singular_value():
    """Of diag(3, 1) from (1, 1) / sqrt 2."""
    one = setting(
        **SMALL
        | {
            "target.kind": "ring",
            "discriminator.hidden": (2,),
            "discriminator.bias": False,
            "discriminator.spectral_norm": "on",
        }
    )
    params, carried = perceptrons.init_discriminator(one, KEY)
    params = params | {"hidden_0": {"kernel": jnp.diag(jnp.asarray([3.0, 1.0]))}}
    kept = carried["spectral"]["hidden_0_spectral"]
    (u_name,) = [name for name in kept if name.endswith("/u")]
    (sigma_name,) = [name for name in kept if name.endswith("/sigma")]
    kept = kept | {u_name: jnp.full((1, 2), 0.5**0.5)}
    carried = {"spectral": carried["spectral"] | {"hidden_0_spectral": kept}}
    found = []
    for _ in range(3):
        variables = {"params": params} | carried
        carried = perceptrons.renewed_discriminator(one, variables, [jnp.ones((1, 2))])
        found.append(carried["spectral"]["hidden_0_spectral"][sigma_name])
    np.testing.assert_allclose(found, [2.863564, 2.998173, 2.999977], rtol=1e-6)


def test_one_row_of_weights_is_normalised_at_once_and_its_length_has_no_gradient():
    fields = {"target.kind": "ring", "discriminator.hidden": (), "discriminator.bias": False}
    one = setting(**SMALL | fields | {"discriminator.spectral_norm": "on"})
    params, carried = perceptrons.init_discriminator(one, KEY)
    rows = jnp.asarray(RNG.normal(size=(6, 2)), jnp.float32)

    def value(params):
        return (perceptrons.discriminate(one, {"params": params} | carried, rows).value ** 2).mean()

    w = params["output"]["kernel"][:, 0]
    output = perceptrons.discriminate(one, {"params": params} | carried, rows).value
    np.testing.assert_allclose(output, rows @ w / jnp.linalg.norm(w), rtol=1e-5)
    slope = jax.grad(value)(params)["output"]["kernel"][:, 0]
    assert abs(float(slope @ w)) < 1e-5 * float(jnp.linalg.norm(slope) * jnp.linalg.norm(w))


def test_the_length_of_a_layers_weights_has_no_gradient_and_its_bias_is_left_alone():
    """After one power iteration from the kept direction, which itself is taken for a constant."""
    one = setting(
        **SMALL | {"target.kind": "ring", "discriminator.hidden": (4,)},
        **{"discriminator.spectral_norm": "on"},
    )
    params, carried = perceptrons.init_discriminator(one, KEY)
    params = jax.tree.map(lambda x: x + 0.3, params)
    rows = jnp.asarray(RNG.normal(size=(6, 2)), jnp.float32)

    def value(params):
        variables = {"params": params} | carried
        output = perceptrons.discriminate(one, variables, rows, training=True)
        return (output.value**2).mean(), output

    slopes, output = jax.jit(jax.grad(value, has_aux=True))(params)
    w, b = (np.asarray(params["hidden_0"][name], float) for name in ("kernel", "bias"))
    kept = carried["spectral"]["hidden_0_spectral"]
    (u,) = [np.asarray(kept[name], float) for name in kept if name.endswith("/u")]
    v = u @ w.T
    u = v @ w
    sigma = (v / np.linalg.norm(v)) @ w @ (u / np.linalg.norm(u)).T
    assert np.linalg.norm(w, 2) - sigma.item() > 1e-3  # it has not converged yet
    np.testing.assert_allclose(output.features, np.tanh(rows @ w / sigma + b[None]), rtol=1e-4)
    slope = np.asarray(slopes["hidden_0"]["kernel"], float)
    assert abs((slope * w).sum()) < 1e-5 * np.linalg.norm(slope) * np.linalg.norm(w)


def test_ds_steps_alone_keep_its_power_iterations():
    one = setting(**SMALL, **{"discriminator.spectral_norm": "on"})
    state, _ = train.init(one, KEY)
    batch = draw(one, KEY, 0)
    after_d, _ = d_turn(one, state, batch)
    after, _ = update(one, state, batch)
    before = np.concatenate([np.ravel(x) for x in jax.tree.leaves(state.carried.d)])
    kept = np.concatenate([np.ravel(x) for x in jax.tree.leaves(after_d.carried.d)])
    assert np.abs(kept - before).max() > 1e-3
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), after.carried.d, after_d.carried.d
    )


def test_a_spectrally_normalised_d_is_steep_nowhere():
    """Its layers' largest singular values are 1, and tanh is no steeper than that."""
    one = setting(
        **SMALL, **{"discriminator.spectral_norm": "on", "discriminator.output_scale": 3.0}
    )
    params, carried = perceptrons.init_discriminator(one, KEY)
    params = jax.tree.map(lambda x: 20 * x, params)
    for _ in range(100):
        carried = perceptrons.renewed_discriminator(
            one, {"params": params} | carried, [jnp.ones((1, 1))]
        )
    x = jnp.linspace(-3, 3, 301)[:, None]
    output = perceptrons.discriminate(one, {"params": params} | carried, x).value
    assert 0 < np.abs(np.diff(output) / np.diff(x[:, 0])).max() <= 3.001


# Norms over batches and rows.


def test_identical_rows_are_normalised_to_the_shift():
    """Whatever is before the activation of the hidden layer: it is the norm's bias."""
    one = setting(**SMALL, **{"generator.norm": "batch", "generator.activation": "linear"})
    params, carried = perceptrons.init_generator(one, KEY)
    shift = jnp.asarray([1.0, -2.0, 0.5])
    params = params | {"norm_0": params["norm_0"] | {"bias": shift}}
    assert "bias" not in params["hidden_0"]
    made = perceptrons.generate(one, {"params": params} | carried, jnp.ones((6, 2)), training=True)
    output = shift @ params["output"]["kernel"] + params["output"]["bias"]
    np.testing.assert_allclose(made, np.tile(output, (6, 1)), rtol=1e-4)


def test_running_means_of_training_normalise_what_is_judged():
    one = setting(**SMALL, **{"generator.norm": "batch", "discriminator.norm": "batch"})
    state, _ = train.init(one, KEY)
    batch = draw(one, KEY, 0)
    after, _ = update(one, state, batch)
    hidden = batch.latent_g[0] @ state.params.g["hidden_0"]["kernel"]
    stats = after.carried.g["batch_stats"]["norm_0"]
    np.testing.assert_allclose(stats["mean"], 0.05 * hidden.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(stats["var"], 0.95 + 0.05 * hidden.var(0), rtol=1e-4)
    # Of D, over real rows and then over generated ones.
    fake = perceptrons.generate(
        one, train.variables(state.params, state.carried).g, batch.latent_d[0], training=True
    )
    mean = np.zeros(4)
    for rows in (batch.real[0], fake):
        mean = 0.95 * mean + 0.05 * (rows @ state.params.d["hidden_0"]["kernel"]).mean(0)
    found = after.carried.d["batch_stats"]["norm_0"]["mean"]
    np.testing.assert_allclose(found, mean, rtol=1e-4, atol=1e-6)
    # Judged, a row does not depend on the others.
    variables = train.judged(after).g
    z = batch.latent_g[0]
    together = perceptrons.generate(one, variables, z)
    alone = jnp.concatenate([perceptrons.generate(one, variables, row[None]) for row in z])
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_rows_are_normalised_on_their_own(network):
    one = setting(**SMALL, **{f"{network}.norm": "layer"})
    state, _ = train.init(one, KEY)
    kernel = getattr(state.params, network[0])["hidden_0"]["kernel"]
    x = jnp.asarray(RNG.normal(size=(6, kernel.shape[0])), jnp.float32)
    normed = x @ kernel
    normed = (normed - normed.mean(1, keepdims=True)) / jnp.sqrt(normed.var(1) + 1e-5)[:, None]
    if network == "generator":
        found = perceptrons.generate(one, {"params": state.params.g}, x)
        output = state.params.g["output"]
        expected = jax.nn.softplus(normed) @ output["kernel"] + output["bias"][None]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    else:
        one_layer = setting(
            **SMALL | {"discriminator.hidden": (4,)}, **{"discriminator.norm": "layer"}
        )
        params = {name: state.params.d[name] for name in ("hidden_0", "norm_0")}
        params["output"] = {"kernel": jnp.ones((4, 1)), "bias": jnp.zeros(1)}
        found = perceptrons.discriminate(one_layer, {"params": params}, x)
        np.testing.assert_allclose(found.features, jnp.tanh(normed), rtol=1e-4, atol=1e-5)


# Dropout.


def test_units_are_left_out_at_their_rate_and_others_make_up_for_them():
    one = setting(**SMALL | {"training.batch_size": 2000}, **{"discriminator.dropout": 0.3})
    batch = draw(one, KEY, 0)
    assert [mask.shape for mask in batch.masks_d] == [(1, 2000, 4), (1, 2000, 3)]
    for mask in (*batch.masks_d, *batch.masks_g):
        np.testing.assert_allclose(np.unique(mask), [0, 1 / 0.7], rtol=1e-6)
        np.testing.assert_allclose(mask.mean(), 1, atol=0.03)
    assert (batch.masks_d[0] != batch.masks_g[0]).any()


def test_d_without_its_units_is_trained_and_d_with_all_is_judged():
    one = setting(**SMALL, **{"discriminator.dropout": 0.5})
    state, _ = train.init(one, KEY)
    rows = jax.tree.map(lambda x: x[0], draw(one, KEY, 0).d_rows())
    d, shown = train.seen(one, state.carried, None, state.params, rows)
    hidden = jnp.tanh(shown.real @ state.params.d["hidden_0"]["kernel"]) * rows.masks[0]
    hidden = jnp.tanh(hidden @ state.params.d["hidden_1"]["kernel"]) * rows.masks[1]
    np.testing.assert_allclose(d(shown.real).features, hidden, rtol=1e-5, atol=1e-6)
    whole = perceptrons.discriminate(one, train.judged(state).d, shown.real).features
    assert np.abs(whole - hidden).max() > 0.1


# First weights.


@pytest.mark.parametrize("shape", [(5, 5), (3, 6), (6, 3), (1, 4), (4, 1)])
def test_orthogonal_weights_are(shape):
    w = np.asarray(networks.INITIALIZERS["orthogonal"](KEY, shape), float)
    gram = w @ w.T if shape[0] <= shape[1] else w.T @ w
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-5)


def test_orthogonal_weights_lean_in_no_direction():
    keys = jax.random.split(KEY, 4000)
    drawn = jax.vmap(lambda key: networks.INITIALIZERS["orthogonal"](key, (2, 3)))(keys)
    np.testing.assert_allclose(drawn.mean(0), 0, atol=0.04)
    np.testing.assert_allclose((drawn**2).mean(0), 1 / 3, atol=0.02)


def test_torchs_weights_are_uniform_within_their_bound():
    w = np.asarray(networks.INITIALIZERS["torch_linear"](KEY, (100, 50)))
    assert 0.098 < np.abs(w).max() <= 0.1
    np.testing.assert_allclose(w.std(), 0.1 / 3**0.5, rtol=0.05)


def test_biases_are_drawn_with_torchs_weights_only():
    for kind, drawn in (("torch_linear", True), ("normal", False)):
        one = setting(**SMALL, **{"discriminator.kernel_init": kind})
        params, _ = perceptrons.init_discriminator(one, KEY)
        biases = np.concatenate([np.asarray(layer["bias"]) for layer in params.values()])
        assert (np.abs(biases) > 0).all() == drawn
        assert np.abs(params["hidden_1"]["bias"]).max() <= 4**-0.5


# Noise that falls.


@pytest.mark.parametrize(
    "shape, left, expected",
    [("line", 0.0, [1, 0.5, 0, 0]), ("exponential", 0.01, [1, 0.1, 0.01, 0.01])],
)
def test_instance_noise_falls(shape, left, expected):
    fields = {"tricks.noise_fade_steps": 10.0, "tricks.noise_fade_shape": shape}
    one = setting(**SMALL, **{"tricks.instance_noise": 0.4, "tricks.noise_fade": left}, **fields)
    whole = setting(**SMALL, **{"tricks.instance_noise": 0.4})
    for number, factor in zip((0, 5, 10, 25), expected, strict=True):
        noise, full = (draw(each, KEY, number).instance_noise for each in (one, whole))
        for a, b in zip(noise, full, strict=True):
            np.testing.assert_allclose(a, factor * b, rtol=1e-5, atol=1e-7)
