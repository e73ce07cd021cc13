"""How close a generator is to its target, and how flat its discriminator: pure and jittable.

W1 and KS are exact for the empirical distribution of the generated samples against the target's own
CDF: no second sample, no bins.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from gan1d import latents, losses, networks, targets
from gan1d.settings import Setting
from gan1d.train import Pair, uniforms

LEVELS = np.linspace(0, 1, 101)  # of the quantiles that are kept of every final generator
D_ROWS = 256  # of the target, on which D's flatness is measured
GRID_POINTS = 201  # where a target's density and D are drawn
GRID_STDS = 5.0  # how far that grid reaches from the target's mean
SNAPSHOT_POINTS = 256  # generated samples in a snapshot, in the order of their latents


class Edges(NamedTuple):
    """A target cut into N slices of equal probability, in standard coordinates."""

    t: Array  # [N + 1] quantiles at i / N
    partial_mean: Array  # [N + 1] E[T; T <= t]


class Reference(NamedTuple):
    """What judging needs of a target, computed once a run."""

    edges: Edges
    real: Array  # [batches, B, X] the target's quantiles, each batch spread over the whole of it


class Metrics(NamedTuple):
    """One generator's scores at a log point: scalars, but for the quantiles `[101]`."""

    w1: Array
    ks: Array
    mean: Array
    std: Array
    d_flatness: Array
    quantiles: Array


class Snapshot(NamedTuple):
    """What pictures and animations are made of."""

    latent: Array  # [256, L]
    samples: Array  # [256, X]
    d: Array  # [201]


class Description(NamedTuple):
    """A target as results keep it, under the same names."""

    target_quantiles: Array  # [101]
    target_mean: Array
    target_std: Array
    x: Array  # [201]
    target_density: Array  # [201]
    w1_null: Array  # [replicates]


def cut(target: Any, points: int) -> Edges:
    """The target's quantiles at 0, 1 / points, ..., 1 and the partial means there."""
    family = targets.FAMILIES[target.kind]
    t = family.quantile(target, jnp.linspace(0.0, 1.0, points + 1))
    return Edges(t, family.partial_mean(target, t))


def reference(setting: Setting, points: int) -> Reference:
    """The target's part of judging `points` generated samples."""
    size = setting.training.batch_size
    batches = -(-D_ROWS // size)
    levels = (jnp.arange(batches * size) + 0.5) / (batches * size)
    real = targets.quantile(setting.target, levels).reshape(size, batches).T
    return Reference(cut(setting.target, points), real[:, :, None])


def w1(target: Any, samples: Array, edges: Edges) -> Array:
    """The Wasserstein-1 distance of sorted samples `[N]` from the target, exactly.

    It is the integral of |Q_N(u) - Q(u)| over u, with Q_N the empirical quantile function. In the
    slice (i / N, (i + 1) / N) Q_N is one sample y, the integrand changes sign at F(y) if that lies
    in the slice, and E[T; T <= Q(u)] is the antiderivative of Q. Standard coordinates keep the
    digits.
    """
    family = targets.FAMILIES[target.kind]
    t = targets.standardise(target, samples)
    crossing = jnp.clip(t, edges.t[:-1], edges.t[1:])
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    # F of an edge is a level: taken from the levels, since over N slices the rounding adds up.
    below = jnp.clip(family.cdf(target, t), levels[:-1], levels[1:])
    slices = (
        t * (2 * below - levels[:-1] - levels[1:])
        + edges.partial_mean[:-1]
        + edges.partial_mean[1:]
        - 2 * family.partial_mean(target, crossing)
    )
    return target.scale * slices.sum()


def ks(target: Any, samples: Array) -> Array:
    """The Kolmogorov-Smirnov distance sup |F_N - F| of sorted samples `[N]` from the target."""
    levels = jnp.linspace(0.0, 1.0, samples.shape[0] + 1)
    probabilities = targets.cdf(target, samples)
    return jnp.maximum(levels[1:] - probabilities, probabilities - levels[:-1]).max()


def evaluate(setting: Setting, params: Pair, ref: Reference) -> Metrics:
    """Judge a generator on a fixed grid of latents, and D on the target's quantiles.

    `d_flatness` is the density-weighted mean of |D - 1/2|, with D applied to batches of the size
    that it is trained on, each a stratified sample of the target.
    """
    points = ref.edges.t.shape[0] - 1
    samples = jnp.sort(
        networks.generate(setting, params.g, latents.grid(setting.latent, points))[:, 0]
    )
    outputs = jax.vmap(lambda x: networks.discriminate(setting, params.d, x)[0])(ref.real)
    probabilities = losses.LOSSES[setting.loss.kind].probability(outputs)
    return Metrics(
        w1=w1(setting.target, samples, ref.edges),
        ks=ks(setting.target, samples),
        mean=samples.mean(),
        std=samples.std(),
        d_flatness=jnp.abs(probabilities - 0.5).mean(),
        quantiles=samples[np.round(LEVELS * (points - 1)).astype(int)],
    )


def snapshot(setting: Setting, params: Pair, ref: Reference) -> Snapshot:
    """The generator as a function of its latent, and the discriminator as one of `grid`'s x.

    Where D looks at whole batches, each x is shown to it in the company of a stratified real
    sample.
    """
    latent = latents.grid(setting.latent, SNAPSHOT_POINTS)
    x = grid(setting.target)[:, None]
    company = ref.real[0, 1:]

    def output(point: Array) -> Array:
        rows = jnp.concatenate([point[None], company])
        return networks.discriminate(setting, params.d, rows)[0][0]

    if setting.tricks.minibatch == "off":
        outputs, _ = networks.discriminate(setting, params.d, x)
    else:
        outputs = jax.lax.map(output, x)  # one by one: a batch each would take much memory
    d = losses.LOSSES[setting.loss.kind].probability(outputs)
    return Snapshot(latent, networks.generate(setting, params.g, latent), d)


def grid(target: Any) -> Array:
    """Points x `[201]` around the target's mean, where densities and D are drawn."""
    reach = GRID_STDS * targets.std(target)
    return targets.mean(target) + reach * jnp.linspace(-1.0, 1.0, GRID_POINTS)


def describe(target: Any, key: Array, points: int, replicates: int) -> Description:
    """The target itself, and W1 of `replicates` real samples of `points` each: the null floor.

    No generator that is judged on as many samples should be expected to score below the floor.
    """
    edges = cut(target, points)

    def null(key: Array) -> Array:
        samples = jnp.sort(targets.sample(target, uniforms(key, (points,))))
        return w1(target, samples, edges)

    x = grid(target)
    return Description(
        target_quantiles=targets.quantile(target, jnp.asarray(LEVELS, jnp.float32)),
        target_mean=targets.mean(target),
        target_std=targets.std(target),
        x=x,
        target_density=jnp.exp(targets.log_prob(target, x)),
        w1_null=jax.lax.map(null, jax.random.split(key, replicates)),
    )
