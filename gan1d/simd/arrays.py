"""Arrays as callers have them, `[R, ...]`, and as native code does, `[vectors, elements, width]`.

Each element of an array is a vector that holds it for as many runs as that is wide. All that a
vector of runs has of a tree of arrays lies together, and apart from what others have: two cores
that write to neighbouring memory would slow each other down.
"""

import math
from typing import TypeVar

import jax
import numpy as np

from gan1d.simd.nodes import BOOL

APART = 128  # bytes: two cache lines, since processors fetch the next one too

# A tree of arrays; of their shapes and dtypes, of their runs and of their vectors it is the same.
Tree = TypeVar("Tree")


def specs(tree: Tree) -> Tree:
    """The shapes and dtypes of a tree of arrays, or of what has these."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(tuple(x.shape), np.dtype(x.dtype)), tree)


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
    sizes = [spec.size for spec in leaves]
    vectors_apart = APART // (4 * width) or 1
    total = (-(-sum(sizes) // vectors_apart) + 1) * vectors_apart
    memory = aligned((1 if shared else points, vectors, total, width))
    if shared:
        memory = np.broadcast_to(memory, (points, *memory.shape[1:]))
    parts = np.split(memory, np.cumsum(sizes, dtype=int), axis=2)[: len(sizes)]
    return jax.tree.unflatten(structure, parts)


def pack(tree: Tree, arrays: object, width: int) -> Tree:
    """A tree of arrays `[R, ...]` in vectors, the last one padded with copies of a run."""
    leaves = jax.tree.leaves(arrays)
    runs = np.shape(leaves[0])[0] if leaves else 0
    packed = first(allocate(tree, vector_count(runs, width), width))
    jax.tree.map(lambda spec, array, to: _pack(spec, np.asarray(array), to), tree, arrays, packed)
    return packed


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


def _pack(spec: jax.ShapeDtypeStruct, array: np.ndarray, packed: np.ndarray) -> None:
    vectors, size, width = packed.shape
    flat = array.reshape(len(array), size)
    flat = (flat.astype(np.int32) if spec.dtype == BOOL else flat).view(np.float32)
    padded = flat[np.minimum(np.arange(vectors * width), len(flat) - 1)]
    packed[:] = padded.reshape(vectors, width, size).swapaxes(1, 2)


def _unpack(spec: jax.ShapeDtypeStruct, packed: np.ndarray, runs: int) -> np.ndarray:
    *points, vectors, size, width = packed.shape
    by_run = np.array(packed.swapaxes(-1, -2), order="C")
    flat = by_run.reshape(*points, vectors * width, size)[..., :runs, :]
    flat = flat.view(np.int32).astype(bool) if spec.dtype == BOOL else flat.view(spec.dtype)
    return flat.reshape(*points, runs, *spec.shape)
