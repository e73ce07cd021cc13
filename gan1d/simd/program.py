"""Compile a function of one run's arrays, and call it on any number of runs."""

from collections.abc import Callable
from typing import Generic, TypeVar

import jax
import numpy as np

from gan1d.simd import arrays, codegen, llvm, plan
from gan1d.simd.graph import Graph, distinct, eliminate_dead_code
from gan1d.simd.jaxpr import lower
from gan1d.simd.nodes import I32, View
from gan1d.simd.runtime import Task, execute

# Trees of arrays. They type a run's arrays, and those of many runs, in either layout.
Given = TypeVar("Given")
Carried = TypeVar("Carried")
Results = TypeVar("Results")
Step = Callable[[Given, Carried, jax.Array], tuple[Carried, Results]]


class Program(Generic[Given, Carried, Results]):
    """A step of one run, compiled: `(given, carried, number) -> (carried, results)`.

    What is `given` stays the same from step to step and is only read; the results are those of the
    last step. `given`, `carried` and `results` are trees of these arrays' shapes and dtypes.
    """

    def __init__(
        self,
        step: Step[Given, Carried, Results],
        given: Given,
        carried: Carried,
        width: int | None = None,
    ) -> None:
        """Compile a step for arrays of these shapes (those of one run) and any numbers.

        Args:
          step: a function of arrays of one run, without Python side effects; `number` is an int32.
          given: a tree of arrays, or of their shapes, which may be `arrays.Shared`.
          carried: the same, but none of them shared.
          width: runs in a vector; None for what this processor's registers hold.

        Raises:
          Unsupported: it does something that there is no code for.
        """
        self.width = width or llvm.register_width()
        number = jax.ShapeDtypeStruct((), np.int32)
        self.given, self.carried = arrays.specs(given), arrays.specs(carried)
        one_run = arrays.unshared((self.given, self.carried))
        jaxpr, shape = jax.make_jaxpr(step, return_shape=True)(*one_run, number)
        self.results: Results = arrays.specs(shape[1])
        graph = Graph()
        fixed, state = _inputs(graph, self.given, False), _inputs(graph, self.carried, True)
        step_number = graph.input((), I32, varies=True, is_step=True)
        outputs = lower(graph, jaxpr.jaxpr, jaxpr.consts, [*fixed, *state, step_number])
        graph.outputs = distinct(graph, [value for value in outputs if isinstance(value, View)])
        eliminate_dead_code(graph)
        self.plan = plan.build(graph, {i: view.node for i, view in enumerate(state)})
        pointers = [codegen.Array(view.node, None) for view in fixed]
        pointers += [codegen.Array(view.node, i) for i, view in enumerate(state)]
        outs = range(len(state), len(graph.outputs))
        pointers += [codegen.Array(None, number) for number in outs]
        self.code = str(codegen.module(self.plan, pointers, self.width))
        self.function = llvm.compile(self.code, codegen.NAME)

    def task(self, vectors: int, given: Given, carried: Carried, results: Results) -> Task:
        """What `execute` is to call: this program, on the first vectors of runs.

        Args:
          vectors: how many.
          given: arrays `[vectors, elements, width]`, or `[elements]` that all runs share.
          carried: the same; each call replaces what they hold.
          results: memory for the results of each span, `[spans, vectors, elements, width]`.

        Raises:
          ValueError: they are not what the program was compiled for.
        """
        jax.tree.map(
            self._check, (self.given, self.carried, self.results), (given, carried, results)
        )
        fixed = jax.tree.leaves((given, carried))
        return Task(self.function, self.plan.size, vectors, fixed, jax.tree.leaves(results))

    def _check(self, spec: jax.ShapeDtypeStruct | arrays.Shared, array: np.ndarray) -> None:
        shared = isinstance(spec, arrays.Shared)
        if (array.shape != (spec.size,)) if shared else array.shape[-2:] != (spec.size, self.width):
            raise ValueError(f"an array {array.shape}, not of {spec} in vectors of {self.width}")

    def __call__(
        self, given: Given, carried: Carried, first: int, count: int, threads: int = 1
    ) -> tuple[Carried, Results]:
        """Make `count` steps, the first of which has number `first`.

        Args:
          given: arrays `[R, ...]`; those that all runs share as they are.
          carried: arrays `[R, ...]`; they are left as they are.
          first: the first step's number.
          count: how many steps; 0 leaves the results undefined.
          threads: to spread the runs over.

        Returns:
          What is carried after the last step, and its results: numpy arrays `[R, ...]`.
        """
        runs = arrays.runs_of((self.given, self.carried), (given, carried))
        vectors = arrays.vector_count(runs, self.width)
        fixed = arrays.pack(self.given, given, self.width)
        state = arrays.pack(self.carried, carried, self.width)
        results = arrays.allocate(self.results, vectors, self.width)
        task = self.task(vectors, fixed, state, results)
        execute([(first, count)], [task], self.width, threads)
        last = arrays.unpack(self.results, arrays.first(results), runs)
        return arrays.unpack(self.carried, state, runs), last


def _inputs(graph: Graph, tree: object, varies: bool) -> list[View]:
    """An input for each array of a tree."""
    return [
        graph.input(spec.shape, spec.dtype, varies, is_shared=isinstance(spec, arrays.Shared))
        for spec in jax.tree.leaves(tree)
    ]
