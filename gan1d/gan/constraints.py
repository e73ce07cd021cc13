"""Bounds that weights are brought back into after a step."""

from gan1d.gan.players import Params
from gan1d.system.lazy import Array, jax, jnp


def clipped(bound: Array | float, params: Params) -> Params:
    """All parameters, biases too, within [-bound, bound]; a bound of 0 leaves them alone.

    Arjovsky et al. 2017 (arXiv 1701.07875), algorithm 1.
    """
    return jax.tree.map(lambda p: jnp.where(bound > 0, jnp.clip(p, -bound, bound), p), params)
