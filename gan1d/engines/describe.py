"""What results keep of targets: computed before the first run, since runs are judged by it."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from absl import logging

from gan1d.gan import metrics, randomness
from gan1d.gan.judging import Judging
from gan1d.simd import Program, Unsupported

CACHED = 64  # structures of targets whose programs are kept


def describe(
    targets: Sequence[Any], judging: Judging, replicates: int, *, on_lanes: bool
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
    found: dict[Any, dict[str, np.ndarray]] = {}
    for structure in dict.fromkeys(map(jax.tree.structure, targets)):
        alike = [t for t in dict.fromkeys(targets) if jax.tree.structure(t) == structure]
        columns = zip(*map(jax.tree.leaves, alike), strict=True)
        numbers = [np.asarray(column, np.float32) for column in columns]
        made = _describer(structure, judging, on_lanes)(numbers, replicates)
        for i, target in enumerate(alike):
            found[target] = {name: value[i] for name, value in made.items()}
    names = found[targets[0]]
    return {name: np.stack([found[target][name] for target in targets]) for name in names}


# (the numbers of T targets, replicates) -> what is known of them
Describer = Callable[[list[np.ndarray], int], dict[str, np.ndarray]]


@functools.lru_cache(CACHED)
def _describer(structure: Any, judging: Judging, on_lanes: bool) -> Describer:
    """What describes targets of one structure."""

    def describe_one(numbers):
        return metrics.describe(jax.tree.unflatten(structure, numbers), judging)

    def null_one(given):
        numbers, replicate = given
        key = jax.random.fold_in(randomness.run_key(0), replicate)
        return metrics.null_w1(jax.tree.unflatten(structure, numbers), judging, key)

    one, null = _by_xla(describe_one), _by_xla(null_one)
    if on_lanes:
        scalars = [jax.ShapeDtypeStruct((), np.float32)] * structure.num_leaves
        number = jax.ShapeDtypeStruct((), np.uint32)
        try:
            one, null = _by_lanes(describe_one, scalars), _by_lanes(null_one, (scalars, number))
        except Unsupported as problem:
            logging.info("The xla engine describes this target: lanes has no %s.", problem)

    def describer(numbers: list[np.ndarray], replicates: int) -> dict[str, np.ndarray]:
        count = len(numbers[0])
        repeated = [np.repeat(column, replicates) for column in numbers]
        replicate = np.tile(np.arange(replicates, dtype=np.uint32), count)
        w1_null = null((repeated, replicate)).reshape(count, replicates)
        return one(numbers) | {"w1_null": w1_null}

    return describer


def _by_xla(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one, for arrays of many, one after the other."""
    mapped = jax.jit(lambda arrays: jax.lax.map(function, arrays))
    return lambda arrays: jax.device_get(mapped(arrays))


def _by_lanes(function: Callable[[Any], Any], shapes: Any) -> Callable[[Any], Any]:
    """The same by native code, many at a time."""
    program = Program(lambda given, carried, number: (carried, function(given)), shapes, ())
    return lambda arrays: program(arrays, (), 0, 1)[1]
