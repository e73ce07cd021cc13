"""Compile a function of one run's arrays, and call it on any number of runs."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from gan1d.simd import arrays, codegen, llvm, plan
from gan1d.simd.graph import I32, Graph, own_nodes, prune
from gan1d.simd.jaxpr import read
from gan1d.simd.runtime import Task, drive


class Program:
    """A step of one run, compiled: `(given, carried, number) -> (carried, results)`.

    What is `given` stays the same from step to step and is only read; the results are those of the
    last step. `given`, `carried` and `results` are trees of the forms that these have.
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
        self.lanes = lanes or llvm.lanes()
        number = jax.ShapeDtypeStruct((), np.int32)
        jaxpr, shape = jax.make_jaxpr(step, return_shape=True)(given, carried, number)
        self.given, self.carried = arrays.forms(given), arrays.forms(carried)
        self.results = arrays.forms(shape[1])
        graph = Graph()

        def inputs(tree: Any, varies: bool) -> list[Any]:
            leaves = jax.tree.leaves(tree)
            return [graph.input(form.shape, form.dtype, varies) for form in leaves]

        fixed, state = inputs(self.given, False), inputs(self.carried, True)
        step_number = graph.input((), I32, varies=True, step=True)
        outputs = read(graph, jaxpr.jaxpr, jaxpr.consts, [*fixed, *state, step_number])
        graph.outputs = own_nodes(graph, outputs)
        prune(graph)
        aliases = {i: view.node for i, view in enumerate(state)}
        self.plan = plan.make(graph, aliases)
        outs = range(len(state), len(graph.outputs))
        pointers = [codegen.Array(view.node, None) for view in fixed]
        pointers += [codegen.Array(view.node, i) for i, view in enumerate(state)]
        pointers += [codegen.Array(None, number) for number in outs]
        self.code = str(codegen.module(self.plan, pointers, self.lanes))
        self.function = llvm.compile(self.code, codegen.NAME)

    def task(self, blocks: int, given: Any, carried: Any, results: Any) -> Task:
        """What `drive` is to call: this program, on the first blocks.

        Args:
          blocks: how many.
          given: arrays `[blocks, elements, lanes]`.
          carried: the same; each call replaces what they hold.
          results: room for the results of each stop, `[stops, blocks, elements, lanes]`.

        Raises:
          ValueError: they are not what the program was compiled for.
        """
        jax.tree.map(
            self._check, (self.given, self.carried, self.results), (given, carried, results)
        )
        fixed = jax.tree.leaves((given, carried))
        return Task(self.function, self.plan.size, blocks, fixed, jax.tree.leaves(results))

    def _check(self, form: arrays.Form, array: np.ndarray) -> None:
        if array.shape[-2:] != (form.size, self.lanes):
            raise ValueError(f"an array {array.shape}, not of {form} for {self.lanes} lanes")

    def __call__(
        self, given: Any, carried: Any, first: int, count: int, threads: int = 1
    ) -> tuple[Any, Any]:
        """Make `count` steps, the first of which has number `first`.

        Args:
          given: arrays `[R, ...]`.
          carried: arrays `[R, ...]`; they are left as they are.
          first: the first step's number.
          count: how many steps; 0 leaves the results undefined.
          threads: to spread the runs over.

        Returns:
          What is carried after the last step, and its results: numpy arrays `[R, ...]`.
        """
        runs = np.shape(jax.tree.leaves((given, carried))[0])[0]
        blocks = arrays.block_count(runs, self.lanes)
        fixed = arrays.enter(self.given, given, self.lanes)
        state = arrays.enter(self.carried, carried, self.lanes)
        results = arrays.room(self.results, blocks, self.lanes)
        drive([(first, count)], [self.task(blocks, fixed, state, results)], self.lanes, threads)
        results = jax.tree.map(lambda array: array[0], results)  # of the only stop
        return arrays.leave(self.carried, state, runs), arrays.leave(self.results, results, runs)
