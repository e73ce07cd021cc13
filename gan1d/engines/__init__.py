"""Which engine trains a cohort: lanes where it can and pays, else XLA."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import logging

from gan1d.config.fields import ConfigError
from gan1d.config.schedule import Schedule

# What needs JAX is imported where it is used: the names of the engines are asked for without it.
if TYPE_CHECKING:
    import jax

    from gan1d.engines.programs import Programs
    from gan1d.gan.setting import Setting

ENGINES = ("auto", "lanes", "xla")
# Entries of a weight matrix up to which lanes is faster: on one core, with batches of 64, 1.7 times
# at 32 x 32, as fast at 64 x 64, 0.85 times at 128 x 128, where XLA's products of matrices pay.
LARGEST_MATRIX = 64 * 64


def compile_programs(
    engine: str,
    setting: "Setting",
    schedule: Schedule,
    block_size: int,
    devices: "Sequence[jax.Device]",
) -> tuple[str, "Programs"]:
    """Compile a cohort's programs; also returns the name of the engine that they are of.

    "auto" is lanes on CPUs, unless that can't compile the cohort or a weight matrix is large.

    Raises:
      ConfigError: `engine` is "lanes" and there is something that it can't compile.
    """
    from gan1d.engines import lanes, xla
    from gan1d.simd import Unsupported

    if on_lanes(engine, devices) and (engine == "lanes" or not _has_large_matrix(setting)):
        try:
            return "lanes", lanes.compile_programs(setting, schedule.judging, len(devices))
        except Unsupported as problem:
            if engine == "lanes":
                raise ConfigError([f"engine=lanes: it has no {problem}; use auto or xla"]) from None
            logging.info("The xla engine trains this cohort: lanes has no %s.", problem)
    return "xla", xla.compile_programs(setting, schedule, block_size, list(devices))


def on_lanes(engine: str, devices: "Sequence[jax.Device]") -> bool:
    """Whether lanes is tried before XLA."""
    return engine == "lanes" or (engine == "auto" and devices[0].platform == "cpu")


def _has_large_matrix(setting: "Setting") -> bool:
    import jax

    from gan1d.gan import randomness, train

    state, _ = jax.eval_shape(train.init, setting, jax.eval_shape(randomness.run_key, 0))
    return max(leaf.size for leaf in jax.tree.leaves(state.params)) > LARGEST_MATRIX


def is_out_of_memory(error: Exception) -> bool:
    """Whether this is what an engine raises where there is not enough memory for a block."""
    import jax

    exhausted = isinstance(error, jax.errors.JaxRuntimeError)
    return isinstance(error, MemoryError) or (exhausted and "RESOURCE_EXHAUSTED" in str(error))
