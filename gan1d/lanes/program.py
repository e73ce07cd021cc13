"""Compile a function of one run's arrays, and call it on any number of runs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np

from gan1d.lanes import emit, native, plan
from gan1d.lanes.graph import BOOL, I32, Graph, own_nodes, prune
from gan1d.lanes.read import read


class Program:
    """A step of one run, compiled: `(given, carried, number) -> (carried, results)`.

    What is `given` stays the same from step to step and is only read; the results are those of the
    last step.
    """

    def __init__(
        self,
        step: Callable[[Any, Any, Any], tuple[Any, Any]],
        given: Any,
        carried: Any,
        lanes: int | None = None,
    ) -> None:
        """Compile a step for arrays of these shapes (those of one run) and any numbers.

        Args:
          step: a function of arrays of one run, without Python side effects; `number` is an int32.
          given: a tree of arrays, or of their shapes.
          carried: the same.
          lanes: runs in a vector; None for what this processor's registers hold.

        Raises:
          Unsupported: it does something that there is no code for.
        """
        self.lanes = lanes or native.lanes()
        number = jax.ShapeDtypeStruct((), np.int32)
        jaxpr, shape = jax.make_jaxpr(step, return_shape=True)(given, carried, number)
        self._structure = jax.tree.structure(shape)
        self._given = [_Form(x) for x in jax.tree.leaves(given)]
        self._carried = [_Form(x) for x in jax.tree.leaves(carried)]
        self._results = [_Form(x) for x in jax.tree.leaves(shape[1])]
        graph = Graph()
        inputs = [graph.input(form.shape, form.dtype, varies=False) for form in self._given]
        state = [graph.input(form.shape, form.dtype, varies=True) for form in self._carried]
        step_number = graph.input((), I32, varies=True, step=True)
        arguments = [*inputs, *state, step_number]
        outputs = read(graph, jaxpr.jaxpr, jaxpr.consts, arguments)
        graph.outputs = own_nodes(graph, outputs)
        prune(graph)
        aliases = {i: view.node for i, view in enumerate(state)}
        self.plan = plan.make(graph, aliases)
        arrays = [emit.Array(view.node, None, view.node.size) for view in inputs]
        arrays += [emit.Array(view.node, i, view.node.size) for i, view in enumerate(state)]
        arrays += [
            emit.Array(None, len(state) + i, form.size) for i, form in enumerate(self._results)
        ]
        self.code = str(emit.module(self.plan, arrays, self.lanes))
        self._call = native.compile(self.code, emit.NAME)

    def prepare(self, given: Any) -> "Prepared":
        """What is given, arrays `[R, ...]`, brought into the form that calls need."""
        leaves = jax.tree.leaves(given)
        blocked = [f.blocked(x, self.lanes) for f, x in zip(self._given, leaves, strict=True)]
        return Prepared(blocked, np.shape(leaves[0])[0] if leaves else None)

    def __call__(
        self,
        given: Any,
        carried: Any,
        first: int,
        count: int,
        pool: ThreadPoolExecutor | None = None,
    ) -> tuple[Any, Any]:
        """Make `count` steps, the first of which has number `first`.

        Args:
          given: arrays `[R, ...]`, or what `prepare` made of them.
          carried: arrays `[R, ...]`; they are left as they are.
          first: the first step's number.
          count: how many steps; 0 leaves the results undefined.
          pool: threads to spread the runs over; None for this one alone.

        Returns:
          What is carried after the last step, and its results: numpy arrays `[R, ...]`.
        """
        prepared = given if isinstance(given, Prepared) else self.prepare(given)
        state = [
            form.blocked(x, self.lanes)
            for form, x in zip(self._carried, jax.tree.leaves(carried), strict=True)
        ]
        runs = prepared.runs or np.shape(jax.tree.leaves(carried)[0])[0]
        blocks = -(-runs // self.lanes)
        results = [native.aligned((blocks, form.size, self.lanes)) for form in self._results]
        arrays = [*prepared.arrays, *state, *results]
        pointers = np.asarray([array.ctypes.data for array in arrays], np.uintp)

        def advance(begin: int, end: int) -> None:
            scratch = native.aligned((self.plan.size, self.lanes))
            self._call(
                pointers.ctypes.data, int(first), int(count), begin, end, scratch.ctypes.data
            )

        workers = min(pool._max_workers if pool else 1, blocks)
        if workers == 1:
            advance(0, blocks)
        else:
            edges = [blocks * i // workers for i in range(workers + 1)]
            list(pool.map(advance, edges[:-1], edges[1:]))
        forms = [*self._carried, *self._results]
        leaves = [
            form.plain(array, runs) for form, array in zip(forms, [*state, *results], strict=True)
        ]
        return jax.tree.unflatten(self._structure, leaves)


class Prepared(NamedTuple):
    """Arrays in blocks of lanes."""

    arrays: list[np.ndarray]  # [blocks, elements, lanes] each
    runs: int | None  # None where nothing is given


class _Form:
    """How an array looks to a caller, and in blocks of lanes."""

    def __init__(self, like: Any) -> None:
        self.shape, self.dtype = tuple(like.shape), np.dtype(like.dtype)
        self.size = int(np.prod(self.shape))

    def blocked(self, array: Any, lanes: int) -> np.ndarray:
        """`[R, ...]` as `[blocks, elements, lanes]`, padded with copies of the last run."""
        array = np.asarray(array)
        runs = array.shape[0]
        blocks = -(-runs // lanes)
        flat = array.reshape(runs, self.size)
        if self.dtype == BOOL:
            flat = flat.astype(np.int32)
        flat = flat.view(np.float32)
        if blocks * lanes > runs:
            flat = np.concatenate([flat, np.repeat(flat[-1:], blocks * lanes - runs, axis=0)])
        result = native.aligned((blocks, self.size, lanes))
        result[:] = flat.reshape(blocks, lanes, self.size).transpose(0, 2, 1)
        return result

    def plain(self, blocked: np.ndarray, runs: int) -> np.ndarray:
        """Back again."""
        flat = np.ascontiguousarray(blocked.transpose(0, 2, 1)).reshape(-1, self.size)[:runs]
        if self.dtype == BOOL:
            return flat.view(np.int32).astype(bool).reshape(runs, *self.shape)
        return flat.view(self.dtype).reshape(runs, *self.shape)
