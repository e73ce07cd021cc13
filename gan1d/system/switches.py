"""Switches of JAX and XLA that change numbers: set as gan1d has them, or told in the record."""

import contextlib
import os
from collections.abc import Iterator

from gan1d.system.lazy import jax

# What a shell or a notebook may have set otherwise: with 64 bits, or another way to draw, the same
# seeds are other runs; by the others what gan1d does is refused, or traced anew at every step. Left
# to itself JAX multiplies matrices on GPUs by ten bits of each float32's twenty-four (TF32).
PINNED = {
    "enable_x64": False,
    "threefry_partitionable": True,
    "default_prng_impl": "threefry2x32",
    "default_matmul_precision": "float32",
    "softmax_custom_jvp": False,
    "numpy_dtype_promotion": "standard",
    "debug_nans": False,
    "debug_infs": False,
    "disable_jit": False,
}
# What can't be set for a while only.
TOLD = (
    "jax_disable_most_optimizations",
    "jax_exec_time_optimization_effort",
    "jax_memory_fitting_effort",
    "jax_optimization_level",
    "jax_random_seed_offset",
    "jax_threefry_gpu_kernel_lowering",
    "jax_use_direct_linearize",
)
ENVIRONMENT = ("NVIDIA_TF32_OVERRIDE", "XLA_FLAGS")


@contextlib.contextmanager
def pinned() -> Iterator[None]:
    """While this lasts, JAX computes in this thread as gan1d expects it."""
    with contextlib.ExitStack() as stack:
        for name, value in PINNED.items():
            stack.enter_context(getattr(jax, name)(value))
        yield


def told() -> dict[str, str]:
    """Of the other switches, how each one stands; those that this version of JAX has not are ""."""
    values = {name: str(jax.config.values.get(name, "")) for name in TOLD}
    words = {name: os.environ.get(name, "").split() for name in ENVIRONMENT}
    return values | {name: " ".join(sorted(each)) for name, each in words.items()}
