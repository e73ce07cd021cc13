"""Updates of a GAN in plain numpy and float64, all derivatives worked out by hand.

Nothing here comes from the package, so that the two can check each other. Networks are multilayer
perceptrons whose weights are dicts of arrays: w0, b0, w1, b1, ... of the hidden layers, wm, bm of
the minibatch layer's projection, and wo, bo of the output layer. Rows are `[B, X]`, D's outputs
`[B, 1]`.
"""

from typing import NamedTuple

import numpy as np
import scipy.special

# Value, and derivative by (argument, value).
ACTIVATIONS = {
    "linear": (lambda x: x, lambda x, y: np.ones_like(x)),
    "relu": (lambda x: np.maximum(x, 0), lambda x, y: np.where(x > 0, 1.0, 0.0)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.2 * x), lambda x, y: np.where(x > 0, 1.0, 0.2)),
    "tanh": (np.tanh, lambda x, y: 1 - y**2),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x, y: 1 / (1 + np.exp(-x))),
}


class Network(NamedTuple):
    """Activations of the hidden layers and of the output, and a factor on that."""

    hidden: tuple
    output: str = "linear"
    scale: float = 1.0


class Minibatch(NamedTuple):
    """A minibatch layer before D's output layer."""

    self_distance: float = 0.0  # added to a row's distance to itself
    rows: int = 0  # that a row is compared with, itself included; 0: all
    kernels: int = 5
    dim: int = 3


class Optimizer(NamedTuple):
    """rate * decay^floor(steps taken / decay_steps) times a direction."""

    kind: str = "adam"
    rate: float = 1e-3
    decay: float = 1.0
    decay_steps: int = 1
    momentum: float = 0.0
    epsilon: float = 1e-8
    square: float = 0.0  # RMSProp's first mean square


class Options(NamedTuple):
    """What varies; the default is AYLIEN's plain GAN of June 2017."""

    g: Network = Network(("softplus",))
    d: Network = Network(("relu", "relu", "relu"))
    minibatch: Minibatch | None = None
    loss: str = "non_saturating"
    floor: float = 1e-5  # of the probabilities that logs see
    clip: float | None = None  # D's output is a probability that keeps this far from 0 and 1
    smoothing: float = 0.0
    matching: str = "off"
    matching_moves_d: bool = False  # G's optimizer moves D's hidden layers too
    history: float | None = None  # weight of the squared distance to the mean of past weights
    g_optimizer: Optimizer = Optimizer()
    d_optimizer: Optimizer = Optimizer()


class Batch(NamedTuple):
    """One update's randomness, `[steps, B, X]` each; the noise is added to D's inputs."""

    real: np.ndarray
    latent_d: np.ndarray
    latent_g: np.ndarray
    real_noise: np.ndarray
    fake_d_noise: np.ndarray
    fake_g_noise: np.ndarray


class State(NamedTuple):
    """Weights of both networks, what their optimizers remember, and the sums of past weights."""

    g: dict
    d: dict
    g_memory: tuple  # (steps taken, one or two averages by name)
    d_memory: tuple
    sums: tuple  # (g, d, how many)


def forward(network, weights, x, minibatch=None):
    """The output and each layer's values; "features" are those that the output layer sees."""
    layers, h = {}, x
    for i, name in enumerate(network.hidden):
        before = h @ weights[f"w{i}"] + weights[f"b{i}"]
        layers[i] = (h, before, ACTIVATIONS[name][0](before))
        h = layers[i][2]
    if minibatch:
        m = (h @ weights["wm"] + weights["bm"]).reshape(len(x), minibatch.kernels, minibatch.dim)
        s = similarities(m, minibatch)
        layers |= {"h": h, "m": m, "s": s}
        h = np.hstack([h, s.sum(1)])
    before = h @ weights["wo"] + weights["bo"]
    output = ACTIVATIONS[network.output][0](before)
    layers |= {"features": h, "before": before, "output": output}
    return network.scale * output, layers


def backward(network, weights, layers, to_output, to_features=0.0, minibatch=None):
    """Gradients of a loss in the weights and in the input rows.

    `to_features` is what the loss depends on the features by other ways than the output.
    """
    slope = ACTIVATIONS[network.output][1](layers["before"], layers["output"])
    to_before = network.scale * to_output * slope
    grads = {"wo": layers["features"].T @ to_before, "bo": to_before.sum(0)}
    to_h = to_features + to_before @ weights["wo"].T
    if minibatch:
        h = layers["h"]
        width = h.shape[1]
        to_m = similarities_gradient(layers["m"], layers["s"], to_h[:, width:])
        to_m = to_m.reshape(len(h), -1)
        grads |= {"wm": h.T @ to_m, "bm": to_m.sum(0)}
        to_h = to_h[:, :width] + to_m @ weights["wm"].T
    for i in reversed(range(len(network.hidden))):
        x, before, after = layers[i]
        to_before = to_h * ACTIVATIONS[network.hidden[i]][1](before, after)
        grads |= {f"w{i}": x.T @ to_before, f"b{i}": to_before.sum(0)}
        to_h = to_before @ weights[f"w{i}"].T
    return grads, to_h


def similarities(m, minibatch):
    """s_ijb = exp(-||m_ib - m_jb||_1) of m `[B, kernels, dim]`; 0 where i isn't compared with j."""
    size = len(m)
    compared = np.full((size, size), not minibatch.rows)
    for i in range(size):
        compared[i, [(i + k * size // minibatch.rows) % size for k in range(minibatch.rows)]] = True
    distance = np.abs(m[:, None] - m).sum(3) + minibatch.self_distance * np.eye(size)[:, :, None]
    return np.where(compared[:, :, None], np.exp(-distance), 0.0)


def similarities_gradient(m, s, to_o):
    """Gradient of a loss in m, from that in o_ib = sum_j s_ijb; |x|' = sign(x)."""
    slope = -(to_o[:, None] * s)[..., None] * np.sign(m[:, None] - m)  # of o_ib in m_ib - m_jb
    return slope.sum(1) - slope.sum(0)


def log_probability(output, options):
    """log D and its derivative in D's raw output."""
    if options.clip is not None:
        p = np.clip(output, options.clip, 1 - options.clip)
        return np.log(p), np.where(p == output, 1 / p, 0)
    p = scipy.special.expit(output)
    # Without a floor the log of a p that is 0 in float64 too.
    value = np.log(np.maximum(p, options.floor)) if options.floor else -np.logaddexp(0, -output)
    return value, np.where(
        (p > options.floor) | (options.floor == 0), scipy.special.expit(-output), 0
    )


def log_complement(output, options):
    """log(1 - D) and its derivative in D's raw output."""
    if options.clip is not None:
        p = np.clip(output, options.clip, 1 - options.clip)
        return np.log(1 - p), np.where(p == output, -1 / (1 - p), 0)
    value, slope = log_probability(-output, options)
    return value, -slope


def d_loss(d, real, fake, options):
    """D's mean loss, and its gradients in D's weights."""
    real_output, real_layers = forward(options.d, d, real, options.minibatch)
    fake_output, fake_layers = forward(options.d, d, fake, options.minibatch)
    label = 1 - options.smoothing
    if options.loss == "least_squares":
        of_real = 0.5 * (real_output - label) ** 2, real_output - label
        of_fake = 0.5 * fake_output**2, fake_output
    else:
        yes, no = log_probability(real_output, options), log_complement(real_output, options)
        of_real = [-label * y - (1 - label) * n for y, n in zip(yes, no, strict=True)]
        of_fake = [-value for value in log_complement(fake_output, options)]
    loss = np.mean(of_real[0] + of_fake[0])
    real_grads, fake_grads = (
        backward(options.d, d, layers, slope / len(real), 0.0, options.minibatch)[0]
        for layers, slope in ((real_layers, of_real[1]), (fake_layers, of_fake[1]))
    )
    return loss, {name: real_grads[name] + fake_grads[name] for name in d}


def matching_loss(real, fake, kind):
    """The distance of features, and its gradient in the fake ones; minus that in the real ones."""
    difference = fake - real
    squares = (difference**2).sum()
    if kind == "paired" and squares == 0:  # where the root has no gradient
        return squares, 0 * difference
    if kind == "paired":
        return np.sqrt(squares), difference / np.sqrt(squares)
    if kind == "paired_squared":
        return squares, 2 * difference
    mean = difference.mean(0)
    return (mean**2).sum(), np.tile(2 * mean / len(real), (len(real), 1))


def g_loss(g, d, real, latent, noise, options):
    """G's mean loss, and its gradients in G's weights and in D's."""
    fake, g_layers = forward(options.g, g, latent)
    output, layers = forward(options.d, d, fake + noise, options.minibatch)
    from_real = {name: 0.0 for name in d}
    to_output, to_features = np.zeros_like(output), 0.0
    if options.matching != "off":
        _, real_layers = forward(options.d, d, real, options.minibatch)
        loss, to_features = matching_loss(
            real_layers["features"], layers["features"], options.matching
        )
        from_real, _ = backward(
            options.d, d, real_layers, to_output, -to_features, options.minibatch
        )
    elif options.loss == "least_squares":
        loss, to_output = np.mean(0.5 * (output - 1) ** 2), (output - 1) / len(latent)
    elif options.loss == "saturating":
        values, slopes = log_complement(output, options)
        loss, to_output = np.mean(values), slopes / len(latent)
    else:
        values, slopes = log_probability(output, options)
        loss, to_output = -np.mean(values), -slopes / len(latent)
    d_grads, to_fake = backward(options.d, d, layers, to_output, to_features, options.minibatch)
    g_grads, _ = backward(options.g, g, g_layers, to_fake)
    return loss, g_grads, {name: d_grads[name] + from_real[name] for name in d}


def zeros(weights):
    return {name: np.zeros_like(value) for name, value in weights.items()}


def memory(optimizer, weights):
    """What an optimizer remembers before its first step."""
    square = {name: np.full_like(value, optimizer.square) for name, value in weights.items()}
    return 0, zeros(weights), square


def step(optimizer, weights, grads, remembered):
    """Weights after a step, and what the optimizer remembers then."""
    taken, first, second = remembered
    rate = optimizer.rate * optimizer.decay ** (taken // optimizer.decay_steps)
    t, new, m, v = taken + 1, {}, {}, {}
    for name, grad in grads.items():
        if optimizer.kind == "sgd":
            m[name], v[name], direction = first[name], second[name], grad
        elif optimizer.kind == "momentum":
            m[name], v[name] = optimizer.momentum * first[name] + grad, second[name]
            direction = m[name]
        elif optimizer.kind == "rmsprop":
            m[name], v[name] = first[name], 0.9 * second[name] + 0.1 * grad**2
            direction = grad / np.sqrt(v[name] + optimizer.epsilon)
        else:
            m[name] = 0.9 * first[name] + 0.1 * grad
            v[name] = 0.999 * second[name] + 0.001 * grad**2
            m_bias, v_bias = 1 - 0.9**t, 1 - 0.999**t
            if optimizer.kind == "adam_tf1":
                # As TensorFlow 1 has it; Kingma & Ba 2015 (arXiv 1412.6980), end of section 2.
                direction = m[name] * np.sqrt(v_bias) / m_bias
                direction = direction / (np.sqrt(v[name]) + optimizer.epsilon)
            else:  # the same paper's algorithm 1
                direction = m[name] / m_bias / (np.sqrt(v[name] / v_bias) + optimizer.epsilon)
        new[name] = weights[name] - rate * direction
    return new, (t, m, v)


def named(g, d):
    """Weights of both networks in one dict."""
    return {f"g.{name}": w for name, w in g.items()} | {f"d.{name}": w for name, w in d.items()}


def network_of(both, network):
    """One network's weights in a dict of both's."""
    return {name[2:]: w for name, w in both.items() if name.startswith(f"{network}.")}


def start(g, d, options):
    """The state before the first update."""
    moved_by_g = named(g, d) if options.matching_moves_d else g
    return State(
        g, d, memory(options.g_optimizer, moved_by_g), memory(options.d_optimizer, d), (g, d, 1)
    )


def pulled(grads, weights, sums, count, options):
    """Gradients with those of weight * ||weights - mean of the past||^2."""
    if options.history is None:
        return grads
    return {
        name: grad + 2 * options.history * (weights[name] - sums[name] / count)
        for name, grad in grads.items()
    }


def update(state, batch, options):
    """All steps of D, then all steps of G against the new D; the state and both mean losses."""
    g, d, g_memory, d_memory, (g_sums, d_sums, count) = state
    d_losses, g_losses = [], []
    for i in range(len(batch.real)):
        real = batch.real[i] + batch.real_noise[i]
        fake = forward(options.g, g, batch.latent_d[i])[0] + batch.fake_d_noise[i]
        loss, grads = d_loss(d, real, fake, options)
        grads = pulled(grads, d, d_sums, count, options)
        d, d_memory = step(options.d_optimizer, d, grads, d_memory)
        d_losses.append(loss)
    for i in range(len(batch.latent_g)):
        # `real` is what D saw last.
        loss, g_grads, d_grads = g_loss(
            g, d, real, batch.latent_g[i], batch.fake_g_noise[i], options
        )
        g_grads = pulled(g_grads, g, g_sums, count, options)
        if options.matching_moves_d:
            both, g_memory = step(
                options.g_optimizer, named(g, d), named(g_grads, d_grads), g_memory
            )
            g, d = network_of(both, "g"), network_of(both, "d")
        else:
            g, g_memory = step(options.g_optimizer, g, g_grads, g_memory)
        g_losses.append(loss)
    sums = (
        {name: g_sums[name] + g[name] for name in g},
        {name: d_sums[name] + d[name] for name in d},
        count + 1,
    )
    return State(g, d, g_memory, d_memory, sums), np.mean(d_losses), np.mean(g_losses)


def pretrain(d, rows, density, options):
    """D fitted to a density by least squares on rows `[steps, B, 1]`; also the loss of each step.

    It is D's output itself that is fitted where that is a probability, and its sigmoid elsewhere.
    """
    remembered, losses = memory(options.d_optimizer, d), []
    for x in rows:
        output, layers = forward(options.d, d, x, options.minibatch)
        if options.clip is None:
            p = scipy.special.expit(output)
            slope = p * (1 - p)
        else:
            p, slope = output, 1.0
        error = p - density(x)
        losses.append(np.mean(error**2))
        to_output = 2 * error * slope / len(x)
        grads, _ = backward(options.d, d, layers, to_output, 0.0, options.minibatch)
        d, remembered = step(options.d_optimizer, d, grads, remembered)
    return d, np.array(losses)
