"""Functions whose gradients are finite where their formulas' are not."""

from gan1d.system.lazy import Array, jnp


def safe_sqrt(value: Array) -> Array:
    """The square root, with gradient 0 instead of infinity at 0."""
    positive = value > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, value, 1.0)), 0.0)
