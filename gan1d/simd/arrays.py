"""Arrays as callers have them, `[R, ...]`, and as native code does, `[vectors, elements, width]`.

Each element of an array is a vector that holds it for as many runs as that is wide. All that a
vector of runs has of a tree of arrays lies together, and apart from what others have: two cores
that write to neighbouring memory would slow each other down.
"""

import math
from dataclasses import dataclass
from typing import TypeVar

import jax
import numpy as np

from gan1d.simd.nodes import BOOL

APART = 128  # bytes: two cache lines, since processors fetch the next one too

# A tree of arrays; of their shapes and dtypes, of their runs and of their vectors it is the same.
Tree = TypeVar("Tree")


@dataclass(frozen=True)
class Shared:
    """The shape of a float32 array that all runs have in common: in memory as it is."""

    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """Float32."""
        return np.dtype(np.float32)

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


def shared(tree: Tree) -> Tree:
    """The shapes of a tree of arrays, or of what has these, as arrays that all runs share."""
    return jax.tree.map(lambda x: Shared(tuple(x.shape)), tree)


def specs(tree: Tree) -> Tree:
    """The shapes and dtypes of a tree of arrays, or of what has these."""
    return jax.tree.map(lambda x: x if isinstance(x, Shared) else _plain(x), tree)


def unshared(tree: Tree) -> Tree:
    """Specs as one run has them."""
    return jax.tree.map(_plain, tree)


def _plain(x: jax.Array | Shared) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(tuple(x.shape), np.dtype(x.dtype))


def vector_count(runs: int, width: int) -> int:
    """How many vectors hold so many runs."""
    return -(-runs // width)


def allocate(
    tree: Tree, vectors: int, width: int, points: int = 1, *, shared: bool = False
) -> Tree:
    """Zeros for arrays of these specs at some points in time, `[points, vectors, elements, width]`.

    Shared, it is the same memory at all points, which holds what is written last.
    """
    leaves, structure = jax.tree.flatten(tree)
    sizes = [0 if isinstance(spec, Shared) else spec.size for spec in leaves]
    vectors_apart = APART // (4 * width) or 1
    total = (-(-sum(sizes) // vectors_apart) + 1) * vectors_apart
    memory = aligned((1 if shared else points, vectors, total, width))
    if shared:
        memory = np.broadcast_to(memory, (points, *memory.shape[1:]))
    parts = np.split(memory, np.cumsum(sizes, dtype=int), axis=2)[: len(sizes)]
    return jax.tree.unflatten(structure, parts)


def pack(tree: Tree, arrays: object, width: int) -> Tree:
    """A tree of arrays `[R, ...]` in vectors, the last one padded with copies of a run.

    Those that all runs share are flat.
    """
    room = first(allocate(tree, vector_count(runs_of(tree, arrays), width), width))
    return jax.tree.map(
        lambda spec, array, to: _pack(spec, np.asarray(array), to), tree, arrays, room
    )


def runs_of(tree: object, arrays: object) -> int:
    """R, of how many runs arrays `[R, ...]` are; 0 without any."""
    counts = jax.tree.map(
        lambda spec, array: None if isinstance(spec, Shared) else np.shape(array)[0], tree, arrays
    )
    return next(iter(jax.tree.leaves(counts)), 0)


def unpack(tree: Tree, packed: Tree, runs: int) -> Tree:
    """The first runs of arrays in vectors, `[..., R, ...]`, each a copy."""
    return jax.tree.map(lambda spec, array: _unpack(spec, array, runs), tree, packed)


def first(tree: Tree) -> Tree:
    """Arrays at the first of some points."""
    return jax.tree.map(lambda array: array[0], tree)


def aligned(shape: tuple[int, ...], alignment: int = 64) -> np.ndarray:
    """Zeroed float32 memory that starts at a multiple of `alignment` bytes."""
    size = math.prod(shape) * 4
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(np.float32).reshape(shape)


def _pack(spec: jax.ShapeDtypeStruct | Shared, array: np.ndarray, packed: np.ndarray) -> np.ndarray:
    if isinstance(spec, Shared):
        return np.ascontiguousarray(array, np.float32).ravel()
    vectors, size, width = packed.shape
    flat = array.reshape(len(array), size)
    flat = (flat.astype(np.int32) if spec.dtype == BOOL else flat).view(np.float32)
    padded = flat[np.minimum(np.arange(vectors * width), len(flat) - 1)]
    packed[:] = padded.reshape(vectors, width, size).swapaxes(1, 2)
    return packed


def _unpack(spec: jax.ShapeDtypeStruct, packed: np.ndarray, runs: int) -> np.ndarray:
    *points, vectors, size, width = packed.shape
    by_run = np.array(packed.swapaxes(-1, -2), order="C")
    flat = by_run.reshape(*points, vectors * width, size)[..., :runs, :]
    flat = flat.view(np.int32).astype(bool) if spec.dtype == BOOL else flat.view(spec.dtype)
    return flat.reshape(*points, runs, *spec.shape)
