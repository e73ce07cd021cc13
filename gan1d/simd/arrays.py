"""Arrays as callers have them, `[R, ...]`, and as native code does, `[blocks, elements, lanes]`.

A block is as many runs as there are lanes; each element of an array is a vector that holds it for
all runs of the block. All that a block has of a tree of arrays lies together, and apart from what
other blocks have: two cores that write to neighbouring places would slow each other down.
"""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from gan1d.simd.graph import BOOL

APART = 128  # bytes: two cache lines, since processors fetch the next one too


@dataclasses.dataclass(frozen=True)
class Form:
    """What one run's array looks like."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


def forms(tree: Any) -> Any:
    """The forms of a tree of arrays, or of their shapes."""
    return jax.tree.map(lambda x: Form(tuple(x.shape), np.dtype(x.dtype)), tree)


def block_count(runs: int, lanes: int) -> int:
    """How many blocks hold so many runs."""
    return -(-runs // lanes)


def room(tree: Any, blocks: int, lanes: int, points: int = 1, *, shared: bool = False) -> Any:
    """Zeros for arrays of these forms at some points in time, `[points, blocks, elements, lanes]`.

    Shared, it is the same memory at all points, which holds what is written last.
    """
    leaves, structure = jax.tree.flatten(tree)
    sizes = [form.size for form in leaves]
    vectors_apart = APART // (4 * lanes) or 1
    total = (-(-sum(sizes) // vectors_apart) + 1) * vectors_apart
    memory = aligned((1 if shared else points, blocks, total, lanes))
    if shared:
        memory = np.broadcast_to(memory, (points, *memory.shape[1:]))
    parts = np.split(memory, np.cumsum(sizes, dtype=int), axis=2)[: len(sizes)]
    return jax.tree.unflatten(structure, parts)


def enter(tree: Any, arrays: Any, lanes: int) -> Any:
    """Arrays `[R, ...]` of these forms in blocks, the last one padded with copies of a run."""
    leaves = jax.tree.leaves(arrays)
    runs = np.shape(leaves[0])[0] if leaves else 0
    blocked = jax.tree.map(lambda array: array[0], room(tree, block_count(runs, lanes), lanes))
    jax.tree.map(lambda form, array, to: _fill(form, np.asarray(array), to), tree, arrays, blocked)
    return blocked


def leave(tree: Any, blocked: Any, runs: int) -> Any:
    """The first runs of arrays in blocks, `[..., R, ...]`, each a copy."""
    return jax.tree.map(lambda form, array: _plain(form, array, runs), tree, blocked)


def aligned(shape: tuple[int, ...], alignment: int = 64) -> np.ndarray:
    """Zeroed float32 memory that starts at a multiple of `alignment` bytes."""
    size = math.prod(shape) * 4
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(np.float32).reshape(shape)


def _fill(form: Form, array: np.ndarray, blocked: np.ndarray) -> None:
    blocks, size, lanes = blocked.shape
    flat = array.reshape(len(array), size)
    flat = (flat.astype(np.int32) if form.dtype == BOOL else flat).view(np.float32)
    padded = flat[np.minimum(np.arange(blocks * lanes), len(flat) - 1)]
    blocked[:] = padded.reshape(blocks, lanes, size).swapaxes(1, 2)


def _plain(form: Form, blocked: np.ndarray, runs: int) -> np.ndarray:
    *points, blocks, size, lanes = blocked.shape
    by_run = np.array(blocked.swapaxes(-1, -2), order="C")
    flat = by_run.reshape(*points, blocks * lanes, size)[..., :runs, :]
    flat = flat.view(np.int32).astype(bool) if form.dtype == BOOL else flat.view(form.dtype)
    return flat.reshape(*points, runs, *form.shape)
