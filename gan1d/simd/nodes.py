"""The nodes of a graph, and how one is read: as a view of its elements."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

if TYPE_CHECKING:
    from gan1d.simd.graph import Graph

F32, I32, U32, BOOL = (np.dtype(kind) for kind in (np.float32, np.int32, np.uint32, np.bool_))
REDUCTIONS = frozenset(
    {"reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or"}
)

SMALL = 1024  # entries of an index array of which it is kept by what strides it goes


class Unsupported(Exception):
    """What can't be compiled, by name."""


# Without a repr, which would go down every path through a graph, and there are too many.
@dataclass(eq=False, repr=False, slots=True)
class Node:
    """Something computed, or given, for every element of an array."""

    op: str
    shape: tuple[int, ...]  # without axes of length 1
    dtype: np.dtype
    operands: tuple["View", ...] = ()
    varies: bool = True  # from one step of the outermost loop to the next

    @property
    def size(self) -> int:
        """How many elements it has."""
        return math.prod(self.shape)


AnyNode = TypeVar("AnyNode", bound=Node)


@dataclass(eq=False, repr=False, slots=True)
class Input(Node):
    """An array that is given."""

    is_step: bool = field(default=False, kw_only=True)  # the number of the step: not in memory
    is_shared: bool = field(default=False, kw_only=True)  # the same in all runs: numbers in memory


@dataclass(eq=False, repr=False, slots=True)
class Constant(Node):
    """An array that is known when compiling, the same in every run."""

    elements: np.ndarray = field(kw_only=True)  # flat


@dataclass(eq=False, repr=False, slots=True)
class Reduction(Node):
    """A sum, or the like, over some axes of its operand."""

    axes: tuple[int, ...] = field(kw_only=True)


@dataclass(eq=False, repr=False, slots=True)
class CumulativeSum(Node):
    """Sums along rows."""

    reverse: bool = field(kw_only=True)


@dataclass(eq=False, repr=False, slots=True)
class Piece(Node):
    """A part of an array that is assembled of several."""

    whole: Node = field(kw_only=True)
    index: np.ndarray = field(kw_only=True)  # the elements of the whole that it is


@dataclass(eq=False, repr=False, slots=True)
class Loop(Node):
    """A loop whose body is a graph of its own.

    Its operands, and the body's inputs, are in this order: what stays the same, what is carried
    from one iteration to the next, and what is scanned, a row an iteration.
    """

    body: "Graph" = field(kw_only=True)
    carried: int = field(kw_only=True)  # how many
    scanned: int = field(kw_only=True)  # how many
    length: int = field(kw_only=True)
    results: list[Node] = field(kw_only=True, default_factory=list)  # carried ones, then stacked


@dataclass(eq=False, repr=False, slots=True)
class View:
    """An array made of a node's elements: entry i is the node's element `index[i]`."""

    node: Node
    index: np.ndarray
    _is_whole: bool | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The view's own shape, axes of length 1 included."""
        return self.index.shape

    @property
    def dtype(self) -> np.dtype:
        """The node's."""
        return self.node.dtype

    @property
    def constant(self) -> np.ndarray | None:
        """Its entries, where they are known."""
        return self.node.elements[self.index] if isinstance(self.node, Constant) else None

    def moved(self, move: Callable[[np.ndarray], np.ndarray]) -> "View":
        """The view with its entries moved about as `move` moves those of an array."""
        return View(self.node, move(self.index))

    def at(self, rows: np.ndarray | int) -> "View":
        """Entries, or one, along the first axis."""
        return View(self.node, self.index[rows])

    def is_whole(self) -> bool:
        """Whether it is the node itself, in its own order."""
        if self._is_whole is None:
            self._is_whole = self.shape == self.node.shape and np.array_equal(
                self.index.ravel(), positions(self.node.size)
            )
        return self._is_whole


class Affine(NamedTuple):
    """An index array as offset + sum(strides * indices)."""

    offset: int
    strides: tuple[int, ...]


@functools.cache
def positions(size: int) -> np.ndarray:
    """0, 1, ..., size - 1; shared, so not to be written to."""
    numbers = np.arange(size, dtype=np.int32)
    numbers.flags.writeable = False
    return numbers


def affine(index: np.ndarray) -> Affine | None:
    """The strides that an index array goes by, None where it doesn't."""
    if index.size > SMALL:
        return _affine(index)
    return _small_affine(index.shape, index.dtype, index.tobytes())


@functools.lru_cache(2**12)  # a program reads its arrays in few ways, but very often
def _small_affine(shape: tuple[int, ...], dtype: np.dtype, numbers: bytes) -> Affine | None:
    return _affine(np.frombuffer(numbers, dtype).reshape(shape))


def _affine(index: np.ndarray) -> Affine | None:
    if index.size == 0:
        return Affine(0, (0,) * index.ndim)
    origin = (0,) * index.ndim
    offset = int(index[origin])
    strides = []
    expected = np.asarray(offset, np.int64)
    for axis, length in enumerate(index.shape):
        step = 0
        if length > 1:
            second = tuple(int(a == axis) for a in range(index.ndim))
            step = int(index[second]) - offset
        strides.append(step)
        shape = [1] * index.ndim
        shape[axis] = length
        expected = expected + step * np.arange(length).reshape(shape)
    return Affine(offset, tuple(strides)) if np.array_equal(expected, index) else None


def whole_view(node: Node, shape: Sequence[int]) -> View:
    """All of a node in its own order, in a shape that may have axes of length 1."""
    return View(node, positions(node.size).reshape(tuple(shape)))
