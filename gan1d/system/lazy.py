"""Modules that are imported when they are first used: what PEP 810 makes of `lazy import jax`.

Fields are declared beside the functions that they configure, and those use JAX. A `--help` or a
refusal needs the fields only, and JAX takes most of a second to import. To a type checker these are
the modules themselves.
"""

import importlib
from typing import TYPE_CHECKING


class _Module:
    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> object:
        return getattr(importlib.import_module(self._name), attribute)


def module(name: str) -> object:
    """A module that is imported when it is first used."""
    return _Module(name)


if TYPE_CHECKING:
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    import jax.scipy.special as jsp
    import jax.scipy.stats as jst
    import optax
    from jax import Array
else:
    jax, jnp, optax = module("jax"), module("jax.numpy"), module("optax")
    jsp, jst, nn = module("jax.scipy.special"), module("jax.scipy.stats"), module("flax.linen")

    class Array:
        """Stands for jax.Array in annotations, which nothing evaluates."""


__all__ = ["Array", "jax", "jnp", "jsp", "jst", "module", "nn", "optax"]
