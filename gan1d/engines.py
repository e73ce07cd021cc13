"""Which engine trains a cohort: lanes where it can and pays, else XLA."""

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from absl import logging

from gan1d import keys, train, xla
from gan1d.lanes import Program, Unsupported
from gan1d.schedule import Schedule
from gan1d.settings import Setting

ENGINES = ("auto", "lanes", "xla")
CHUNK_UPDATES = 2e5  # of all runs together, so that the host gets a word in every second or so


def compile_programs(
    engine: str, setting: Setting, schedule: Schedule, block_size: int, devices: list[Any]
) -> tuple[str, xla.Programs]:
    """Compile a cohort's programs; also returns the name of the engine that trains it.

    Raises:
      Unsupported: `engine` is "lanes" and there is something that it can't compile.
    """
    chunk = None
    if engine == "lanes" or (engine == "auto" and devices[0].platform == "cpu"):
        try:
            chunk = _lanes_chunk(setting, schedule, block_size, len(devices))
        except Unsupported as problem:
            if engine == "lanes":
                raise
            logging.info("The xla engine trains this cohort; lanes has no %s.", problem)
    programs = xla.compile_programs(setting, schedule, block_size, devices, chunk)
    return ("lanes" if chunk else "xla"), programs


def _lanes_chunk(setting: Setting, schedule: Schedule, block_size: int, threads: int) -> Any:
    def step(given, run, number):
        own, seed = given
        return train.advance(own, run, train.draw(own, keys.run_key(seed), number), number)

    scalars = jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float32), setting)
    seed = jax.ShapeDtypeStruct((), np.uint32)
    run = jax.eval_shape(lambda s, n: train.start(s, keys.run_key(n))[0], scalars, seed)
    program = Program(step, (scalars, seed), run)

    def chunk(settings, seeds, runs, first, count):
        return program((settings, seeds), runs, int(first), int(count), _threads(threads))

    steps = max(1, min(int(CHUNK_UPDATES / block_size), schedule.judging.log_every))
    return chunk, steps


@functools.cache
def _threads(count: int) -> ThreadPoolExecutor | None:
    return ThreadPoolExecutor(count, thread_name_prefix="lanes") if count > 1 else None
