"""What results keep of targets: computed before the first run, since runs are judged by it."""

import dataclasses
import functools
from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from absl import logging
from jax import Array

from gan1d.gan import metrics, randomness
from gan1d.gan.judging import Judging
from gan1d.gan.setting import Setting
from gan1d.gan.targets import TargetFields
from gan1d.gan.targets.data import Rows
from gan1d.simd import Program, Unsupported, arrays

CACHED = 64  # structures of targets whose programs are kept

Given = TypeVar("Given")
Results = TypeVar("Results")
Numbers = list[np.ndarray]  # of a target, its traced ones


def describe(
    settings: Sequence[Setting], judging: Judging, replicates: int, *, on_lanes: bool
) -> dict[str, np.ndarray]:
    """What `metrics.describe` says of each setting's target, `[S, ...]`, and perfect scores.

    Args:
      settings: equal targets that are judged by equal laws of points are computed once.
      judging: how runs are judged.
      replicates: how many perfect samples of each are scored.
      on_lanes: by native code, where that can be compiled; otherwise by XLA.

    Returns:
      By the names of results' variables, those of `metrics.perfect_scores` `[S, replicates]`. NaN
      where only other settings have such a number.
    """
    cases = [(each.target, metrics.lattice_dims(each.target, each.latent)) for each in settings]
    # By structure, and the judging points' law.
    alike: dict[tuple[Hashable, int], list[TargetFields]] = {}
    for target, dims in dict.fromkeys(cases):
        alike.setdefault((jax.tree.structure(target), dims), []).append(target)
    described: dict[tuple[TargetFields, int], dict[str, np.ndarray]] = {}
    for (structure, dims), group in alike.items():
        columns = zip(*map(jax.tree.leaves, group), strict=True)
        numbers = [np.asarray(column, np.float32) for column in columns]
        describer = _describer(structure, len(numbers), judging, dims, on_lanes)
        values = describer(numbers, replicates)
        for i, target in enumerate(group):
            described[target, dims] = {name: value[i] for name, value in values.items()}
    names = dict.fromkeys(name for values in described.values() for name in values)
    return {name: _stacked([described[case].get(name) for case in cases]) for name in names}


def _stacked(values: Sequence[np.ndarray | None]) -> np.ndarray:
    """Values of several settings together, with NaN where one has none or fewer of them."""
    known = [value for value in values if value is not None]
    shape = [max(lengths) for lengths in zip(*(value.shape for value in known), strict=True)]
    stacked = np.full((len(values), *shape), np.nan, np.float32)
    for i, value in enumerate(values):
        if value is not None:
            own: tuple[int | slice, ...] = (i, *map(slice, value.shape))
            stacked[own] = value
    return stacked


class _Describer:
    """What describes targets of one structure, with numbers of this size."""

    def __init__(
        self, structure: Hashable, size: int, judging: Judging, dims: int, on_lanes: bool
    ) -> None:
        self._structure = structure
        self._judging, self._dims = judging, dims
        self._one, self._scores = _by_xla(self._describe), _by_xla(self._perfect_scores)
        if on_lanes:
            shapes = [_scalar(np.float32)] * size
            rows = arrays.shared(metrics.rows(self._target(shapes), judging))
            try:
                self._one = _by_lanes(self._describe, (shapes, rows))
                of_replicates = (shapes, _scalar(np.uint32))
                self._scores = _by_lanes(self._perfect_scores, (of_replicates, rows))
            except Unsupported as problem:
                logging.info("The xla engine describes this target: lanes has no %s.", problem)

    def __call__(self, numbers: Numbers, replicates: int) -> dict[str, np.ndarray]:
        """Describe T targets by their numbers `[T]`, with so many samples of each."""
        count = len(numbers[0])
        repeated = [np.repeat(column, replicates) for column in numbers]
        replicate = np.tile(np.arange(replicates, dtype=np.uint32), count)
        rows = metrics.rows(self._target(numbers), self._judging)
        scores = self._scores((repeated, replicate), rows)
        scores = {name: value.reshape(count, replicates) for name, value in scores.items()}
        return jax.tree.map(np.asarray, self._one(numbers, rows) | scores)

    def _target(self, numbers: Numbers, rows: Rows | None = None) -> TargetFields:
        target = jax.tree.unflatten(self._structure, numbers)
        return dataclasses.replace(target, rows=rows)

    def _describe(self, numbers: Numbers, rows: Rows | None) -> dict[str, Array]:
        return metrics.describe(self._target(numbers, rows), self._judging)

    def _perfect_scores(
        self, sample: tuple[Numbers, np.ndarray], rows: Rows | None
    ) -> dict[str, Array]:
        numbers, replicate = sample
        key = jax.random.fold_in(randomness.run_key(0), replicate)
        return metrics.perfect_scores(self._target(numbers, rows), self._judging, self._dims, key)


_describer = functools.lru_cache(CACHED)(_Describer)


def _scalar(dtype: type[np.generic]) -> np.ndarray:
    """The shape of a number."""
    return jax.eval_shape(lambda: jnp.zeros((), dtype))


def _by_xla(
    function: Callable[[Given, Rows | None], Results],
) -> Callable[[Given, Rows | None], Results]:
    """A function of one and of rows, for arrays of many, one after the other."""
    mapped = jax.jit(lambda many, rows: jax.lax.map(lambda one: function(one, rows), many))
    return lambda many, rows: jax.device_get(mapped(many, rows))


def _by_lanes(
    function: Callable[[Given, Rows | None], Results], shapes: tuple[Given, Rows | None]
) -> Callable[[Given, Rows | None], Results]:
    """The same by native code, many at a time."""
    program = Program(lambda given, carried, number: (carried, function(*given)), shapes, ())
    return lambda many, rows: program((many, rows), (), 0, 1)[1]
