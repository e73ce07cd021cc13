"""How many floating-point operations a second this processor can do."""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan1d.simd import Program

CHAINS = 12  # independent, so that each unit always has one to go on with; they fit the registers
LINKS = 32  # of a chain in a step
PEAK_STEPS = 4_000_000  # of a measurement, which takes a few tenths of a second


def measurer(threads: int) -> Callable[[], float]:
    """What measures the most operations a second that the lanes engine's kind of code can reach.

    The code is chains of x = a x + b, each a register over runs, so it never waits for memory.
    """

    def step(
        line: tuple[jax.Array, jax.Array], carried: list[jax.Array], number: jax.Array
    ) -> tuple[list[jax.Array], tuple[()]]:
        factor, offset = line
        for _ in range(LINKS):
            carried = [factor * x + offset for x in carried]
        return carried, ()

    scalar = jnp.ones((), jnp.float32)
    program = Program(step, (scalar, scalar), [scalar] * CHAINS)
    runs = program.width * threads
    ones = jnp.ones(runs, jnp.float32)
    operations = 2 * runs * CHAINS * LINKS * PEAK_STEPS

    def measure() -> float:
        began = time.perf_counter()
        program((ones / 2, ones), [ones] * CHAINS, 0, PEAK_STEPS, threads)
        return operations / (time.perf_counter() - began)

    return measure
