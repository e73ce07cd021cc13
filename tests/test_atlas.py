"""Updates of the atlas' configs against the papers' own, written out here in float64.

Nothing of training is taken from the package but first weights and what an update draws.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import alone, config_of, draw, in_float64

from gan1d.config import experiment
from gan1d.gan import randomness, train

sp, sigmoid, relu = jax.nn.softplus, jax.nn.sigmoid, jax.nn.relu
UPDATES = 2


class Paper(NamedTuple):
    """One update, as a paper's code has it."""

    g: object  # (parameters, latents) -> rows
    d: object  # (parameters, rows) -> outputs [B]
    d_loss: object  # (outputs of real rows, of generated ones) -> []
    g_loss: object
    g_step: object  # (gradient, its memory) -> step, memory
    d_step: object
    order: str = "in turn"  # D and then G; or "at once"
    d_steps: int = 1
    g_steps: int = 1
    penalty: object = None  # (D as a function of rows, real rows, generated ones, eps) -> []
    clip: float | None = None
    unrolled: int = 0


def dense(layer, x):
    return x @ layer["kernel"] + layer["bias"]


def perceptron(activation, factor=1.0):
    def apply(params, x):
        for i in range(len(params) - 1):
            x = activation(dense(params[f"hidden_{i}"], x))
        return factor * dense(params["output"], x)

    return apply


def outputs(activation):
    return lambda params, x: perceptron(activation)(params, x)[:, 0]


def normalised(params, z):
    """PacGAN's G: batch normalization, then relu; layers before it have no bias."""
    x = z
    for i in range(sum(name.startswith("hidden") for name in params)):
        x = x @ params[f"hidden_{i}"]["kernel"]
        x = (x - x.mean(0)) / jnp.sqrt(x.var(0) + 1e-5)
        x = relu(x * params[f"norm_{i}"]["scale"] + params[f"norm_{i}"]["bias"])
    return dense(params["output"], x)


def maxout_of_packs(pieces, packing):
    """PacGAN's D: packs of rows side by side, the largest of some linear pieces."""

    def apply(params, x):
        x = x.reshape(len(x) // packing, -1)
        for i in range(len(params) - 1):
            x = dense(params[f"hidden_{i}"], x)
            x = x.reshape(len(x), pieces, -1).max(1)
        return dense(params["output"], x)[:, 0]

    return apply


# Of trees: what is taken off parameters, and what is remembered.


def sgd(rate, momentum=0.0):
    def step(gradient, memory):
        velocity = gradient if memory is None else add(scaled(momentum, memory), gradient)
        return scaled(rate, velocity), velocity

    return step


def adam(rate, b1, b2):
    def step(gradient, memory):
        nothing = scaled(0.0, gradient)
        count, mean, square = memory or (0, nothing, nothing)
        count += 1
        mean = add(scaled(b1, mean), scaled(1 - b1, gradient))
        square = add(scaled(b2, square), jax.tree.map(lambda g: (1 - b2) * g**2, gradient))
        steps = jax.tree.map(
            lambda m, v: rate * m / (1 - b1**count) / (jnp.sqrt(v / (1 - b2**count)) + 1e-8),
            mean,
            square,
        )
        return steps, (count, mean, square)

    return step


def tf1_rmsprop(rate):
    def step(gradient, square):
        square = square or jax.tree.map(jnp.ones_like, gradient)
        square = jax.tree.map(lambda v, g: 0.9 * v + 0.1 * g**2, square, gradient)
        steps = jax.tree.map(lambda g, v: rate * g / jnp.sqrt(v + 1e-10), gradient, square)
        return steps, square

    return step


def add(a, b):
    return jax.tree.map(jnp.add, a, b)


def scaled(factor, tree):
    return jax.tree.map(lambda x: factor * x, tree)


def less(params, steps):
    return jax.tree.map(jnp.subtract, params, steps)


# Losses.


def standard_d(r, f):
    return sp(-r).mean() + sp(f).mean()


def non_saturating(r, f):
    return sp(-f).mean()


def saturating(r, f):
    return -sp(f).mean()


def half(loss):
    return lambda r, f: loss(r, f) / 2


def alpha_d(alpha):
    power = (alpha - 1) / alpha

    def of(probability):
        p = jnp.clip(probability, 1e-7, 1 - 1e-7)
        return -jnp.log(p) if alpha == 1 else (1 - p**power) / power

    return lambda r, f: of(sigmoid(r)).mean() + of(sigmoid(-f)).mean()


def slopes(d, rows):
    return jnp.linalg.norm(jax.vmap(jax.grad(lambda x: d(x[None])[0]))(rows), axis=1)


def on_the_way(weight, centre, squash=lambda x: x):
    """A penalty of D's slope between real rows and generated ones."""

    def penalty(d, real, fake, eps):
        rows = eps * real + (1 - eps) * fake
        return weight * ((slopes(lambda x: squash(d(x)), rows) - centre) ** 2).mean()

    return penalty


LEAKY = functools.partial(jax.nn.leaky_relu, negative_slope=0.2)
RELU, TANH = (perceptron(relu), outputs(relu)), (perceptron(jnp.tanh), outputs(jnp.tanh))
NS, SATURATING = (standard_d, non_saturating), (standard_d, saturating)
RMSPROP = (tf1_rmsprop(1e-4),) * 2
PAC_ADAM = (adam(1e-4, 0.8, 0.999),) * 2
GDPP_ADAM = adam(1e-3, 0.5, 0.999), adam(1e-4, 0.5, 0.999)
UNROLLED = (perceptron(relu, 0.25), outputs(relu)), SATURATING, (adam(1e-4, 0.5, 0.999),) * 2
SGD = (sgd(3e-3),) * 2
ALPHA = (perceptron(relu), outputs(LEAKY)), (adam(1e-4, 0.9, 0.999),) * 2
CRITIC = (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean())

RS_GAN = (
    (perceptron(jnp.tanh), outputs(sigmoid)),
    # Steps of both, ten and ten.
    (sgd(1e-2, 0.9), sgd(1e-2, 0.9), "in turn", 10, 10),
)
PAIRED = (lambda r, f: sp(f - r).mean(), lambda r, f: sp(r - f).mean())

# The config, which of its settings, and the paper's own.
CASES = [
    ("numerics", "small", 0, Paper(*RELU, *NS, *RMSPROP, order="at once")),
    ("numerics", "small", 1, Paper(*RELU, *NS, *RMSPROP)),
    ("unrolled", "small", 0, Paper(*UNROLLED[0], *UNROLLED[1], *UNROLLED[2])),
    ("unrolled", "small", 1, Paper(*UNROLLED[0], *UNROLLED[1], *UNROLLED[2], unrolled=1)),
    ("alpha_gan", "small", 0, Paper(*ALPHA[0], *SATURATING, *ALPHA[1])),
    ("alpha_gan", "small", 5, Paper(*ALPHA[0], alpha_d(0.5), saturating, *ALPHA[1])),
    *(
        (
            "pacgan",
            "grid",
            m - 1,
            Paper(normalised, maxout_of_packs(5, m), *NS, *PAC_ADAM, order="at once"),
        )
        for m in (1, 2)
    ),
    ("gdpp", "seven", 0, Paper(*TANH, *NS, *GDPP_ADAM, order="at once")),
    (
        "plain_gans",
        None,
        0,
        Paper(normalised, maxout_of_packs(2, 1), *NS, *PAC_ADAM, order="at once"),
    ),
    ("plain_gans", None, 31, Paper(*TANH, *NS, *GDPP_ADAM, order="at once")),
    ("zero_gp", "small", 0, Paper(*RELU, *NS, *SGD)),
    ("zero_gp", "small", 1, Paper(*RELU, *NS, *SGD, penalty=on_the_way(10, 0, sigmoid))),
    ("zero_gp", "small", 2, Paper(*RELU, *NS, *SGD, penalty=on_the_way(10, 1, sigmoid))),
    (
        "wgan_gp",
        "roll",
        0,
        Paper(*RELU, *CRITIC, *(tf1_rmsprop(5e-5),) * 2, d_steps=5, clip=0.01),
    ),
    (
        "wgan_gp",
        "roll",
        1,
        Paper(*RELU, *CRITIC, *(adam(1e-4, 0.5, 0.9),) * 2, d_steps=5, penalty=on_the_way(0.1, 1)),
    ),
    ("adagan", "plain", 3, Paper(*RELU, *NS, sgd(1e-2), sgd(4e-3))),
    ("berard", "small", 0, Paper(*RELU, *NS, sgd(1e-2), sgd(1e-1), order="at once")),
    ("berard", "small", 1, Paper(*RELU, *NS, sgd(1e-2), sgd(1e-1))),
    ("rs_gan", "paper", 0, Paper(*RS_GAN[0], half(standard_d), non_saturating, *RS_GAN[1])),
    ("rs_gan", "paper", 1, Paper(*RS_GAN[0], *PAIRED, *RS_GAN[1])),
]


def one_update(paper, params, memory, batch):
    """Both players and what their optimizers remember, after an update."""

    def d_loss(d, g, j):
        real, fake = batch.real[j], paper.g(g, batch.latent_d[j])
        loss = paper.d_loss(paper.d(d, real), paper.d(d, fake))
        if paper.penalty:
            eps = batch.probes.share[j]
            loss += paper.penalty(lambda x: paper.d(d, x), real, fake, eps)
        return loss

    def g_loss(g, d, j):
        """Against D after some steps more on the rows of G's own step, if it is unrolled."""
        fake, ahead = paper.g(g, batch.latent_g[j]), memory["d"]
        real = batch.real[-1]
        for _ in range(paper.unrolled):
            gradient = jax.grad(lambda d: paper.d_loss(paper.d(d, real), paper.d(d, fake)))(d)
            steps, ahead = paper.d_step(gradient, ahead)
            d = less(d, steps)
        return paper.g_loss(paper.d(d, real), paper.d(d, fake))

    params, memory = dict(params), dict(memory)
    before = dict(params)
    for j in range(paper.d_steps):
        gradient = jax.grad(d_loss)(params["d"], params["g"], j)
        steps, memory["d"] = paper.d_step(gradient, memory["d"])
        params["d"] = less(params["d"], steps)
        if paper.clip:
            params["d"] = jax.tree.map(lambda w: jnp.clip(w, -paper.clip, paper.clip), params["d"])
    for j in range(paper.g_steps):
        against = before["d"] if paper.order == "at once" else params["d"]
        gradient = jax.grad(g_loss)(params["g"], against, j)
        steps, memory["g"] = paper.g_step(gradient, memory["g"])
        params["g"] = less(params["g"], steps)
    return params, memory


def setting_of(name, *variant, index):
    made = experiment.resolve(config_of(f"atlas/{name}", *variant))
    return alone(made.settings[index])


@pytest.mark.parametrize(
    "name, variant, index, paper", CASES, ids=[f"{name}-{i}" for name, _, i, _ in CASES]
)
def test_updates_are_the_papers(name, variant, index, paper):
    setting = setting_of(name, *([variant] if variant else []), index=index)
    key = randomness.run_key(5)
    state, _ = jax.jit(train.init)(setting, key)
    batches = [draw(setting, key, step) for step in range(UPDATES)]
    with jax.enable_x64(True), jax.numpy_rank_promotion("allow"):
        setting, state, batches = in_float64(setting, state, batches)
        params, memory = state.params._asdict(), {"g": None, "d": None}
        update = jax.jit(train.update)
        for batch in batches:
            state, _ = update(setting, state, batch)
            params, memory = one_update(paper, params, memory, batch)
        for ours, theirs in zip(
            *map(jax.tree.leaves, (state.params._asdict(), params)), strict=True
        ):
            assert ours.dtype == np.float64
            np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
