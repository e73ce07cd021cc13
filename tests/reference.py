"""AYLIEN's GAN of June 2017 in plain numpy and float64, its derivatives worked out by hand.

G is 1-4-1 with softplus, D is 1-8-8-8-1 with ReLU; minibatch discrimination takes the place of D's
third hidden layer. Nothing here comes from the package, so that the two can check each other.

Weights are dicts of arrays. G has w0, b0, w1, b1. D has w0, b0, w1, b1, then w2, b2 or, with
minibatch discrimination, wm, bm, and at last w3, b3. Rows are `[B, 1]`, D's logits too.
"""

from typing import NamedTuple

import numpy as np

LOG_FLOOR = 1e-5
KERNELS, KERNEL_DIM = 5, 3
RATE, B1, B2, EPSILON = 1e-3, 0.9, 0.999, 1e-8


class Options(NamedTuple):
    """What varies: the default is the plain GAN."""

    minibatch: bool = False
    self_distance: float = 0.0  # added to a row's distance to itself
    paired: bool = False  # feature matching, row i with row i, replaces G's loss


class Batch(NamedTuple):
    """One update's randomness, `[B, 1]` each; the noise is what is added to D's inputs."""

    real: np.ndarray
    latent_d: np.ndarray
    latent_g: np.ndarray
    real_noise: np.ndarray
    fake_d_noise: np.ndarray
    fake_g_noise: np.ndarray


class Adam(NamedTuple):
    """Steps taken, and the averages of the gradient and of its square."""

    count: int
    m: dict
    v: dict


class State(NamedTuple):
    """Weights of both networks and what their optimizers remember."""

    g: dict
    d: dict
    g_adam: Adam
    d_adam: Adam


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def generator(g, z):
    """G(z) = w1 softplus(w0 z + b0) + b1."""
    return np.logaddexp(0, z @ g["w0"] + g["b0"]) @ g["w1"] + g["b1"]


def generator_gradients(g, z, to_x):
    """Gradients of a loss in G's weights, from those in G(z); softplus' = sigmoid."""
    before = z @ g["w0"] + g["b0"]
    to_before = (to_x @ g["w1"].T) * sigmoid(before)
    return {
        "w0": z.T @ to_before,
        "b0": to_before.sum(0),
        "w1": np.logaddexp(0, before).T @ to_x,
        "b1": to_x.sum(0),
    }


def similarities(m, self_distance):
    """s_ijb = exp(-||m_ib - m_jb||_1), for j = i exp(-self_distance), of m `[B, kernels, dim]`."""
    s = np.zeros((len(m), len(m), KERNELS))
    for i in range(len(m)):
        for j in range(len(m)):
            distance = np.abs(m[i] - m[j]).sum(1) + (self_distance if i == j else 0)
            s[i, j] = np.exp(-distance)
    return s


def similarities_gradient(m, s, to_o):
    """Gradient of a loss in m, from that in o_ib = sum_j s_ijb; |x|' = sign(x)."""
    to_m = np.zeros_like(m)
    for i in range(len(m)):
        for j in range(len(m)):
            slope = -(to_o[i] * s[i, j])[:, None] * np.sign(m[i] - m[j])
            to_m[i] += slope
            to_m[j] -= slope
    return to_m


def discriminator(d, x, options):
    """D's logits, and each layer's values; "features" are those that the last layer sees."""
    h0 = np.maximum(x @ d["w0"] + d["b0"], 0)
    h1 = np.maximum(h0 @ d["w1"] + d["b1"], 0)
    layers = {"x": x, "h0": h0, "h1": h1}
    if options.minibatch:
        m = (h1 @ d["wm"] + d["bm"]).reshape(len(x), KERNELS, KERNEL_DIM)
        s = similarities(m, options.self_distance)
        layers |= {"m": m, "s": s, "features": np.hstack([h1, s.sum(1)])}
    else:
        layers["features"] = np.maximum(h1 @ d["w2"] + d["b2"], 0)
    return layers["features"] @ d["w3"] + d["b3"], layers


def discriminator_gradients(d, layers, to_logits, to_features, options):
    """Gradients of a loss in D's weights and in its input rows.

    `to_features` is what the loss depends on D's features by other ways than the logits.
    """
    h0, h1, features = layers["h0"], layers["h1"], layers["features"]
    grads = {"w3": features.T @ to_logits, "b3": to_logits.sum(0)}
    to_features = to_features + to_logits @ d["w3"].T
    if options.minibatch:
        width = h1.shape[1]
        to_m = similarities_gradient(layers["m"], layers["s"], to_features[:, width:])
        to_m = to_m.reshape(len(h1), KERNELS * KERNEL_DIM)
        grads |= {"wm": h1.T @ to_m, "bm": to_m.sum(0)}
        to_h1 = to_features[:, :width] + to_m @ d["wm"].T
    else:
        to_h2 = to_features * (features > 0)
        grads |= {"w2": h1.T @ to_h2, "b2": to_h2.sum(0)}
        to_h1 = to_h2 @ d["w2"].T
    to_h1 = to_h1 * (h1 > 0)
    to_h0 = (to_h1 @ d["w1"].T) * (h0 > 0)
    grads |= {"w1": h0.T @ to_h1, "b1": to_h1.sum(0)}
    grads |= {"w0": layers["x"].T @ to_h0, "b0": to_h0.sum(0)}
    return grads, to_h0 @ d["w0"].T


def minus_log(p):
    """-log max(p, floor)."""
    return -np.log(np.maximum(p, LOG_FLOOR))


def minus_log_slope(p):
    """Derivative of `minus_log` in the logit of p: -(1 - p), and 0 below the floor."""
    return np.where(p > LOG_FLOOR, -(1 - p), 0)


def d_loss(d, real, fake, options):
    """mean(-log D(x) - log(1 - D(G(z)))) and its gradients in D's weights."""
    real_logits, real_layers = discriminator(d, real, options)
    fake_logits, fake_layers = discriminator(d, fake, options)
    p_real, p_fake = sigmoid(real_logits), sigmoid(fake_logits)
    loss = np.mean(minus_log(p_real) + minus_log(1 - p_fake))
    to_real = minus_log_slope(p_real) / len(real)
    to_fake = -minus_log_slope(1 - p_fake) / len(fake)  # the logit of 1 - p is minus that of p
    real_grads, _ = discriminator_gradients(d, real_layers, to_real, 0, options)
    fake_grads, _ = discriminator_gradients(d, fake_layers, to_fake, 0, options)
    return loss, {name: real_grads[name] + fake_grads[name] for name in d}


def g_loss(g, d, real, latent, noise, options):
    """mean(-log D(G(z))), or sqrt(sum (f(x_i) - f(G(z_i)))^2), and its gradients in G's weights."""
    logits, layers = discriminator(d, generator(g, latent) + noise, options)
    if options.paired:
        _, real_layers = discriminator(d, real, options)
        difference = layers["features"] - real_layers["features"]
        loss = np.sqrt((difference**2).sum())
        to_logits, to_features = np.zeros_like(logits), difference / loss
    else:
        p = sigmoid(logits)
        loss = np.mean(minus_log(p))
        to_logits, to_features = minus_log_slope(p) / len(latent), 0
    _, to_x = discriminator_gradients(d, layers, to_logits, to_features, options)
    return loss, generator_gradients(g, latent, to_x)


def start(g, d):
    """The state before the first update."""
    g_zeros = {name: np.zeros_like(value) for name, value in g.items()}
    d_zeros = {name: np.zeros_like(value) for name, value in d.items()}
    return State(g, d, Adam(0, g_zeros, g_zeros), Adam(0, d_zeros, d_zeros))


def adam_step(weights, grads, adam):
    """w - rate m_hat / (sqrt(v_hat) + eps): Kingma & Ba 2015 (arXiv 1412.6980), algorithm 1."""
    t = adam.count + 1
    m = {name: B1 * adam.m[name] + (1 - B1) * grads[name] for name in weights}
    v = {name: B2 * adam.v[name] + (1 - B2) * grads[name] ** 2 for name in weights}
    new = {}
    for name in weights:
        m_hat, v_hat = m[name] / (1 - B1**t), v[name] / (1 - B2**t)
        new[name] = weights[name] - RATE * m_hat / (np.sqrt(v_hat) + EPSILON)
    return new, Adam(t, m, v)


def update(state, batch, options):
    """A step of D, then a step of G against the new D; returns the state, D's loss and G's loss."""
    real = batch.real + batch.real_noise
    fake = generator(state.g, batch.latent_d) + batch.fake_d_noise
    loss_of_d, grads = d_loss(state.d, real, fake, options)
    d, d_adam = adam_step(state.d, grads, state.d_adam)
    loss_of_g, grads = g_loss(state.g, d, real, batch.latent_g, batch.fake_g_noise, options)
    g, g_adam = adam_step(state.g, grads, state.g_adam)
    return State(g, d, g_adam, d_adam), loss_of_d, loss_of_g
