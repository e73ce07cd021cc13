"""Which engine trains a cohort: lanes where it can and pays, else XLA."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import logging

from gan1d import keys, metrics, train, xla
from gan1d.lanes import Prepared, Program, Unsupported
from gan1d.schedule import Judging, Schedule
from gan1d.settings import Setting
from gan1d.xla import Programs

ENGINES = ("auto", "lanes", "xla")
# Entries of a weight matrix up to which lanes is faster: on one core, with batches of 64, 1.7 times
# at 32 x 32, as fast at 64 x 64, 0.85 times at 128 x 128, where XLA's products of matrices pay.
LARGEST_MATRIX = 64 * 64
CHUNK_UPDATES = 2e5  # of all runs together, so that the host gets a word in every second or so


def compile_programs(
    engine: str, setting: Setting, schedule: Schedule, block_size: int, devices: list[Any]
) -> tuple[str, Programs]:
    """Compile a cohort's programs; also returns the name of the engine that trains it.

    "auto" is lanes on CPUs, unless that can't compile the cohort or a weight matrix is large.

    Raises:
      Unsupported: `engine` is "lanes" and there is something that it can't compile.
    """
    wanted = engine == "auto" and devices[0].platform == "cpu" and not _has_large_matrix(setting)
    if engine == "lanes" or wanted:
        try:
            return "lanes", _lanes(setting, schedule, block_size, devices)
        except Unsupported as problem:
            if engine == "lanes":
                raise
            logging.info("The xla engine trains this cohort: lanes has no %s.", problem)
    return "xla", xla.compile_programs(setting, schedule, block_size, devices)


def _has_large_matrix(setting: Setting) -> bool:
    state, _ = jax.eval_shape(train.init, setting, jax.eval_shape(keys.run_key, 0))
    return max(leaf.size for leaf in jax.tree.leaves(state.params)) > LARGEST_MATRIX


def compile_training(setting: Setting) -> Program:
    """Updates of a run: a program of (setting, seed), a Run, and the number of the update.

    Raises:
      Unsupported: there is something in it that lanes can't compile.
    """

    def step(given, run, number):
        own, seed = given
        return train.advance(own, run, train.draw(own, keys.run_key(seed), number), number), ()

    scalars = _scalars(setting)
    return Program(step, (scalars, jax.ShapeDtypeStruct((), np.uint32)), _run(scalars))


def compile_start(setting: Setting) -> Program:
    """A run before its first update, and how D was pretrained: a program of (setting, seed).

    Raises:
      Unsupported: there is something in it that lanes can't compile.
    """

    def step(given, carried, number):
        own, seed = given
        return carried, train.start(own, keys.run_key(seed))

    return Program(step, (_scalars(setting), jax.ShapeDtypeStruct((), np.uint32)), ())


def compile_judging(setting: Setting, judging: Judging) -> Program:
    """A run's scores: a program of (setting, reference) and a run's parameters.

    Raises:
      Unsupported: there is something in it that lanes can't compile.
    """

    def step(given, params, number):
        own, reference = given
        return params, metrics.evaluate(own, params, reference)

    scalars = _scalars(setting)
    reference = jax.eval_shape(lambda own: metrics.reference(own, judging), scalars)
    return Program(step, (scalars, reference), _run(scalars).state.params)


def _scalars(setting: Setting) -> Setting:
    return jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float32), setting)


def _run(setting: Setting) -> train.Run:
    return jax.eval_shape(lambda own: train.start(own, keys.run_key(0))[0], setting)


class _References(NamedTuple):
    """What runs are judged by, for either engine."""

    plain: Any
    prepared: Prepared


def _lanes(setting: Setting, schedule: Schedule, block_size: int, devices: list[Any]) -> Programs:
    """Programs that train, and judge where that can be compiled too, by lanes; else by XLA."""
    starting, training = compile_start(setting), compile_training(setting)
    try:
        judging = compile_judging(setting, schedule.judging)
    except Unsupported as problem:
        logging.info("The xla engine judges this cohort: lanes has no %s.", problem)
        judging = None
    pool = _threads(len(devices))

    def begin(settings, seeds):
        return starting((settings, seeds), (), 0, 1, pool)[1]

    def chunk(settings, seeds, runs, first, count):
        return training((settings, seeds), runs, int(first), int(count), pool)[0]

    steps = max(1, min(int(CHUNK_UPDATES / block_size), schedule.judging.log_every))
    rest = xla.compile_programs(
        setting, schedule, block_size, devices, xla.Given(begin, chunk, steps, judging is not None)
    )
    if judging is None:
        return rest

    def start(settings, seeds):
        runs, references, beginning = rest.start(settings, seeds)
        return runs, _References(references, judging.prepare((settings, references))), beginning

    def evaluate(settings, runs, references):
        _, scores = judging(references.prepared, runs.state.params, 0, 1, pool)
        sums = runs.loss_sums
        runs = runs._replace(loss_sums=jax.tree.map(np.zeros_like, sums))
        return runs, (scores, sums, runs.diverged_at)

    def plainly(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda settings, runs, references: function(settings, runs, references.plain)

    return rest._replace(start=start, evaluate=evaluate, snapshot=plainly(rest.snapshot))


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(count, thread_name_prefix="lanes") if count > 1 else None
