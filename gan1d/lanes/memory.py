"""Arrays as callers have them, `[R, ...]`, and as native code does, `[blocks, elements, lanes]`.

A block is as many runs as there are lanes; each element of an array is a vector that holds it for
all runs of the block.
"""

import dataclasses
import math
from typing import Any

import jax
import numpy as np

from gan1d.lanes.graph import BOOL


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

    def made(form: Form) -> np.ndarray:
        shape = (blocks, form.size, lanes)
        if shared:
            return np.broadcast_to(aligned(shape), (points, *shape))
        return aligned((points, *shape))

    return jax.tree.map(made, tree)


def enter(tree: Any, arrays: Any, lanes: int) -> Any:
    """Arrays `[R, ...]` of these forms in blocks, the last one padded with copies of a run."""
    return jax.tree.map(lambda form, array: _blocked(form, np.asarray(array), lanes), tree, arrays)


def leave(tree: Any, blocked: Any, runs: int) -> Any:
    """The first runs of arrays in blocks, `[..., R, ...]`, each a copy."""
    return jax.tree.map(lambda form, array: _plain(form, array, runs), tree, blocked)


def aligned(shape: tuple[int, ...], alignment: int = 64) -> np.ndarray:
    """Zeroed float32 memory that starts at a multiple of `alignment` bytes."""
    size = math.prod(shape) * 4
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(np.float32).reshape(shape)


def _blocked(form: Form, array: np.ndarray, lanes: int) -> np.ndarray:
    runs = array.shape[0]
    flat = array.reshape(runs, form.size)
    if form.dtype == BOOL:
        flat = flat.astype(np.int32)
    flat = flat.view(np.float32)
    blocks = block_count(runs, lanes)
    if blocks * lanes > runs:
        flat = np.concatenate([flat, np.repeat(flat[-1:], blocks * lanes - runs, axis=0)])
    result = aligned((blocks, form.size, lanes))
    result[:] = flat.reshape(blocks, lanes, form.size).transpose(0, 2, 1)
    return result


def _plain(form: Form, blocked: np.ndarray, runs: int) -> np.ndarray:
    *points, blocks, size, lanes = blocked.shape
    flat = blocked.swapaxes(-1, -2).reshape(*points, blocks * lanes, size)[..., :runs, :]
    flat = np.ascontiguousarray(flat)
    flat = flat.view(np.int32).astype(bool) if form.dtype == BOOL else flat.view(form.dtype)
    return flat.reshape(*points, runs, *form.shape)
