"""What results keep of targets: computed before the first run, since runs are judged by it."""

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
from gan1d.gan.targets import TargetFields
from gan1d.simd import Program, Unsupported

CACHED = 64  # structures of targets whose programs are kept

Given = TypeVar("Given")
Results = TypeVar("Results")
Numbers = list[np.ndarray]  # of a target, its traced ones


def describe(
    targets: Sequence[TargetFields], judging: Judging, replicates: int, *, on_lanes: bool
) -> dict[str, np.ndarray]:
    """What `metrics.describe` says of each target, `[T, ...]`, and the null floor of its w1.

    Args:
      targets: equal ones are computed once.
      judging: how runs are judged.
      replicates: of the null floor: how many samples of the target are scored.
      on_lanes: by native code, where that can be compiled; otherwise by XLA.

    Returns:
      By the names of results' variables, among them w1_null `[T, replicates]`.
    """
    alike: dict[Hashable, list[TargetFields]] = {}  # by structure
    for target in dict.fromkeys(targets):
        alike.setdefault(jax.tree.structure(target), []).append(target)
    described: dict[TargetFields, dict[str, np.ndarray]] = {}
    for structure, group in alike.items():
        columns = zip(*map(jax.tree.leaves, group), strict=True)
        numbers = [np.asarray(column, np.float32) for column in columns]
        values = _describer(structure, len(numbers), judging, on_lanes)(numbers, replicates)
        for i, target in enumerate(group):
            described[target] = {name: value[i] for name, value in values.items()}
    names = described[targets[0]]
    return {name: np.stack([described[target][name] for target in targets]) for name in names}


class _Describer:
    """What describes targets of one structure, with numbers of this size."""

    def __init__(self, structure: Hashable, size: int, judging: Judging, on_lanes: bool) -> None:
        self._structure = structure
        self._judging = judging
        self._one, self._null = _by_xla(self._describe), _by_xla(self._null_w1)
        if on_lanes:
            shapes = [_scalar(np.float32)] * size
            try:
                self._one = _by_lanes(self._describe, shapes)
                self._null = _by_lanes(self._null_w1, (shapes, _scalar(np.uint32)))
            except Unsupported as problem:
                logging.info("The xla engine describes this target: lanes has no %s.", problem)

    def __call__(self, numbers: Numbers, replicates: int) -> dict[str, np.ndarray]:
        """Describe T targets by their numbers `[T]`, with so many samples of each."""
        count = len(numbers[0])
        repeated = [np.repeat(column, replicates) for column in numbers]
        replicate = np.tile(np.arange(replicates, dtype=np.uint32), count)
        w1_null = self._null((repeated, replicate)).reshape(count, replicates)
        return jax.tree.map(np.asarray, self._one(numbers) | {"w1_null": w1_null})

    def _describe(self, numbers: Numbers) -> dict[str, Array]:
        return metrics.describe(jax.tree.unflatten(self._structure, numbers), self._judging)

    def _null_w1(self, sample: tuple[Numbers, np.ndarray]) -> Array:
        numbers, replicate = sample
        key = jax.random.fold_in(randomness.run_key(0), replicate)
        return metrics.null_w1(jax.tree.unflatten(self._structure, numbers), self._judging, key)


_describer = functools.lru_cache(CACHED)(_Describer)


def _scalar(dtype: type[np.generic]) -> np.ndarray:
    """The shape of a number."""
    return jax.eval_shape(lambda: jnp.zeros((), dtype))


def _by_xla(function: Callable[[Given], Results]) -> Callable[[Given], Results]:
    """A function of one, for arrays of many, one after the other."""
    mapped = jax.jit(lambda arrays: jax.lax.map(function, arrays))
    return lambda arrays: jax.device_get(mapped(arrays))


def _by_lanes(function: Callable[[Given], Results], shapes: Given) -> Callable[[Given], Results]:
    """The same by native code, many at a time."""
    program = Program(lambda given, carried, number: (carried, function(given)), shapes, ())
    return lambda arrays: program(arrays, (), 0, 1)[1]
