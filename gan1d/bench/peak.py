"""How many floating-point operations a second this processor can do."""

import time
from collections.abc import Callable

import jax
import numpy as np

from gan1d.simd import Program

CHAINS = 12  # independent, so that each unit always has one to go on with; they fit the registers
LINKS = 32  # of a chain in a step
PEAK_STEPS = 4_000_000  # of a measurement, which takes a few tenths of a second


def measurer(threads: int) -> Callable[[], float]:
    """What measures the most operations a second that the lanes engine's kind of code can reach.

    The code is chains of x = a x + b, each a register over runs, so it never waits for memory.
    """

    def step(given, carried, number):
        factor, offset = given
        for _ in range(LINKS):
            carried = [factor * x + offset for x in carried]
        return carried, ()

    scalar = jax.ShapeDtypeStruct((), np.float32)
    program = Program(step, (scalar, scalar), [scalar] * CHAINS)
    runs = program.width * threads
    given = np.full(runs, 0.5, np.float32), np.ones(runs, np.float32)
    start = [np.ones(runs, np.float32)] * CHAINS
    operations = 2 * runs * CHAINS * LINKS * PEAK_STEPS

    def measure() -> float:
        began = time.perf_counter()
        program(given, start, 0, PEAK_STEPS, threads)
        return operations / (time.perf_counter() - began)

    return measure
