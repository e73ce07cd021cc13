"""JAX's random primitives, as a graph: threefry keys and bits."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from gan1d.simd.graph import Graph
from gan1d.simd.nodes import U32, Unsupported, View, positions
from gan1d.simd.primitives import Params


class Key(NamedTuple):
    """A threefry key, or an array of them: its two words."""

    first: View
    second: View


def _threefry(graph: Graph, key: Key, counter: View, shape: Sequence[int]) -> Key:
    """Both words of threefry-2x32 of the counter (0, counter)."""
    words = (
        graph.elementwise(f"threefry_{word}", U32, shape, key.first, key.second, counter)
        for word in (0, 1)
    )
    return Key(*words)


def _spread(key: Key, shape: Sequence[int]) -> Key:
    """Each key of an array of them, over further axes."""
    own = key.first.shape
    return Key(
        *(
            part.moved(
                lambda i: np.broadcast_to(i.reshape(own + (1,) * len(shape)), (*own, *shape))
            )
            for part in key
        )
    )


def _random_seed(graph: Graph, params: Params, seed: View) -> Key:
    if "fry" not in str(params["impl"]):
        raise Unsupported(f"keys of {params['impl']}")
    words = graph.elementwise("convert", U32, seed.shape, seed)
    return Key(graph.constant(np.zeros(seed.shape, U32)), words)


def _random_fold_in(graph: Graph, params: Params, key: Key, data: View) -> Key:
    return _threefry(graph, key, data, np.broadcast_shapes(key.first.shape, data.shape))


def _random_bits(graph: Graph, params: Params, key: Key) -> View:
    if params["bit_width"] != 32:
        raise Unsupported(f"random bits of width {params['bit_width']}")
    words = _random_split(graph, params, key)
    return graph.elementwise("xor", U32, words.first.shape, *words)


def _random_split(graph: Graph, params: Params, key: Key) -> Key:
    if not jax.config.jax_threefry_partitionable:  # type: ignore[attr-defined]
        raise Unsupported("random bits that are not partitionable")
    shape = tuple(params["shape"])
    counter = graph.constant(positions(math.prod(shape)).reshape(shape).astype(U32))
    return _threefry(graph, _spread(key, shape), counter, (*key.first.shape, *shape))


def _random_wrap(graph: Graph, params: Params, words: View) -> Key:
    return Key(words.moved(lambda index: index[..., 0]), words.moved(lambda index: index[..., 1]))


RULES: dict[str, Callable[..., View | Key]] = {
    "random_seed": _random_seed,
    "random_fold_in": _random_fold_in,
    "random_bits": _random_bits,
    "random_split": _random_split,
    "random_wrap": _random_wrap,
}
