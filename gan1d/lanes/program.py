"""Compile a function of one run's arrays, and call it on any number of runs."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from gan1d.lanes import emit, graph, native, plan
from gan1d.lanes.graph import BOOL, Graph


class Program:
    """A step of one run, compiled: `(given, carried, number) -> carried`."""

    def __init__(
        self,
        step: Callable[[Any, Any, Any], Any],
        given: Any,
        carried: Any,
        lanes: int | None = None,
    ) -> None:
        """Compile a step for arrays of these shapes (those of one run) and any numbers.

        Raises:
          Unsupported: it does something that there is no code for.
        """
        self.lanes = lanes or native.lanes()
        jaxpr, shape = jax.make_jaxpr(step, return_shape=True)(
            given, carried, jax.ShapeDtypeStruct((), np.int32)
        )
        self._structure = jax.tree.structure(shape)
        built = Graph()
        given_leaves, carried_leaves = jax.tree.leaves(given), jax.tree.leaves(carried)
        inputs = [built.input(x.shape, x.dtype, False, number=i) for i, x in enumerate(given_leaves)]
        state = [built.input(x.shape, x.dtype, True, number=i) for i, x in enumerate(carried_leaves)]
        number = built.input((), graph.I32, True, step=True)
        results = graph.read(built, jaxpr.jaxpr, jaxpr.consts, [*inputs, *state, number])
        built.outputs = graph.own_nodes(built, results)
        graph.prune(built)
        aliases = {i: view.node for i, view in enumerate(state)}
        planned = plan.make(built, aliases)
        arrays = [(view.node, None) for view in inputs]
        arrays += [(view.node, i) for i, view in enumerate(state)]
        self.text = str(emit.module(planned, arrays, self.lanes))
        self.scratch_vectors = planned.size
        self.plan = planned
        self._call = native.compile(self.text, emit.NAME)
        self._given = [_Form(x) for x in given_leaves]
        self._carried = [_Form(x) for x in carried_leaves]

    def __call__(
        self, given: Any, carried: Any, first: int, count: int, pool: ThreadPoolExecutor | None
    ) -> Any:
        """Make `count` steps, the first of which has number `first`.

        Args:
          given: arrays `[R, ...]`.
          carried: arrays `[R, ...]`; they are left as they are.
          first: the first step's number.
          count: how many steps.
          pool: threads to spread the runs over, None for this one alone.

        Returns:
          What is carried after the last step, numpy arrays `[R, ...]`.
        """
        pairs = list(zip(self._given, jax.tree.leaves(given), strict=True))
        arrays = [form.blocked(x, self.lanes) for form, x in pairs]
        state = [
            form.blocked(x, self.lanes)
            for form, x in zip(self._carried, jax.tree.leaves(carried), strict=True)
        ]
        blocks = state[0].shape[0]
        pointers = np.asarray([a.ctypes.data for a in (*arrays, *state)], np.uintp)

        def advance(begin: int, end: int) -> None:
            scratch = native.aligned((self.scratch_vectors, self.lanes))
            self._call(
                pointers.ctypes.data, int(first), int(count), begin, end, scratch.ctypes.data
            )

        workers = min(pool._max_workers if pool else 1, blocks)
        if workers <= 1:
            advance(0, blocks)
        else:
            edges = [blocks * i // workers for i in range(workers + 1)]
            list(pool.map(advance, edges[:-1], edges[1:]))
        runs = np.shape(jax.tree.leaves(carried)[0])[0]
        leaves = [form.plain(a, runs) for form, a in zip(self._carried, state, strict=True)]
        return jax.tree.unflatten(self._structure, leaves)


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

