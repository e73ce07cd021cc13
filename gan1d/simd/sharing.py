"""Kernels that are alike share one function: the same code, called with other arrays.

An unrolled step, or the same network on other rows, is the same kernels again and again. Written
once they take a fraction of the time to write and to compile, and more of them fit in the cache.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from typing import NamedTuple

from llvmlite import ir

from gan1d.simd.fusion import Kernel
from gan1d.simd.nodes import Affine, Constant, CumulativeSum, Input, Loop, Node, Piece, View
from gan1d.simd.vector import POINTER
from gan1d.simd.writer import WORD, Index, Writer, as_index


class Form(NamedTuple):
    """What a kernel's code is made of, and the arrays in memory that it is written for."""

    key: Hashable  # equal where the code is, but for the arrays
    arrays: tuple[Node, ...]  # in an order that depends on the key alone


def repeated(w: Writer, kernels: Iterable[Kernel]) -> dict[Kernel, Form]:
    """The forms of those kernels whose code is needed more than once."""
    forms = {k: form(w, k) for k in kernels if not isinstance(k.unfused, Loop)}
    counts = Counter(each.key for each in forms.values())
    return {kernel: each for kernel, each in forms.items() if counts[each.key] > 1}


def form(w: Writer, kernel: Kernel) -> Form:
    """A kernel's form, where the writer knows which nodes are in memory."""
    own = {node: number for number, node in enumerate(kernel.nodes())}
    arrays: dict[Node, int] = {}

    def array(node: Node) -> int:
        return arrays.setdefault(node, len(arrays))

    def operand(reader: Node, view: View) -> Hashable:
        node = view.node
        if not kernel.reads_memory(reader, view):
            return own[node]
        index = _hashable(as_index(view.index))
        if isinstance(node, Constant):
            return node.dtype, node.elements.tobytes(), index, view.shape
        if isinstance(node, Input) and node.is_step:
            return "step"
        common = isinstance(node, Input) and node.is_shared
        return node.dtype, common, array(node), index, view.shape

    def described(node: Node) -> Hashable:
        operands = tuple(operand(node, view) for view in node.operands)
        stored: Hashable = None
        if node not in kernel.recomputed:
            if isinstance(node, Piece):
                stored = array(node.whole), _hashable(as_index(node.index))
            elif w.has_memory(node):
                stored = array(node)
        reverse = isinstance(node, CumulativeSum) and node.reverse
        return node.op, node.shape, node.dtype, operands, stored, reverse

    lengths = len(kernel.body), len(kernel.reductions)
    key = kernel.shape, kernel.axes, lengths, tuple(map(described, own))
    return Form(key, tuple(arrays))


class Shared:
    """Functions of kernels that are alike, written when they are first called."""

    def __init__(self, w: Writer, kernels: Iterable[Kernel]) -> None:
        """Find those that are, of all that are going to be written."""
        self._forms = repeated(w, kernels)
        self._functions: dict[Hashable, ir.Function] = {}

    def emit(self, w: Writer, kernel: Kernel, write: Callable[[Writer, Kernel], None]) -> None:
        """Write a kernel here, or a call where its code is needed more than once."""
        if kernel not in self._forms:
            write(w, kernel)
            return
        key, arrays = self._forms[kernel]
        if key not in self._functions:
            kind = ir.FunctionType(ir.VoidType(), [POINTER] * len(arrays) + [WORD])
            function = ir.Function(w.v.module, kind, f"shared.{len(self._functions)}")
            function.linkage = "internal"
            for attribute in ("nounwind", "noinline"):
                function.attributes.add(attribute)
            *pointers, step = function.args
            with w.within(function, dict(zip(arrays, pointers, strict=True)), step):
                write(w, kernel)
            self._functions[key] = function
        w.b.call(self._functions[key], [*(w.memory[node] for node in arrays), w.step])


def _hashable(index: Index) -> Hashable:
    return index if isinstance(index, Affine) else index.tobytes()
