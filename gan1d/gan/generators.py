"""The weights of generators as rows of numbers, as results keep them, and as flax has them."""

import math

import jax
import numpy as np

from gan1d.gan import perceptrons, randomness
from gan1d.gan.players import Variables
from gan1d.gan.setting import Setting


def size(setting: Setting) -> int:
    """W: how many numbers a generator consists of."""
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(_shapes(setting)))


def flat(variables: Variables) -> np.ndarray:
    """The variables of some generators, arrays `[R, ...]`, as `[R, W]`.

    In the order of `jax.flatten_util.ravel_pytree`: collections, layers and their arrays by name.
    """
    leaves = [np.asarray(leaf, np.float32) for leaf in jax.tree.leaves(variables)]
    return np.concatenate([leaf.reshape(len(leaf), -1) for leaf in leaves], axis=1)


def variables(setting: Setting, weights: np.ndarray) -> Variables:
    """The variables of one generator from its `[W]`, which may have more after them."""
    leaves, structure = jax.tree.flatten(_shapes(setting))
    ends = np.cumsum([math.prod(leaf.shape) for leaf in leaves])
    parts = np.split(weights[: ends[-1]], ends[:-1])
    arrays = [part.reshape(leaf.shape) for part, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(structure, arrays)


def _shapes(setting: Setting) -> Variables:
    """What a generator's variables are, without values."""
    params, kept = jax.eval_shape(
        lambda: perceptrons.init_generator(setting, randomness.run_key(0))
    )
    return {"params": params} | kept
