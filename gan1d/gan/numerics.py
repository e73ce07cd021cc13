"""What several formulas need: a root with a finite gradient, and numbers that fade."""

from collections.abc import Callable

from gan1d.system.lazy import Array, jnp


def safe_sqrt(value: Array) -> Array:
    """The square root, with gradient 0 instead of infinity at 0."""
    zero = value == 0
    return jnp.where(zero, 0.0, jnp.sqrt(jnp.where(zero, 1.0, value)))


# Factors on a number, from 1 to `end` as `part` goes from 0 to 1.
FADES: dict[str, Callable[[Array | float, Array], Array]] = {
    "line": lambda end, part: 1 + (end - 1) * part,
    "exponential": lambda end, part: end**part,
}


def faded(shape: str, end: Array | float, steps: Array | float, number: Array) -> Array:
    """The factor on a number after so many of the steps in which it falls; 0 steps: it doesn't."""
    part = jnp.minimum(number / jnp.maximum(steps, 1.0), 1.0)
    return jnp.where(steps > 0, FADES[shape](end, part), 1.0)
