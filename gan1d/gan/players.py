"""The two players of a game, and what passes between them."""

from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from gan1d.system.lazy import Array

T = TypeVar("T")

Tree: TypeAlias = Any  # of arrays: JAX has no type for a pytree
Params: TypeAlias = Tree  # a network's parameters, or gradients in them
Variables: TypeAlias = dict[str, Tree]  # flax collections: `params`, and what is not trained


class Players(NamedTuple, Generic[T]):
    """What both networks have: parameters, gradients, losses, optimizers' memories."""

    g: T
    d: T


class Output(NamedTuple):
    """What D makes of a batch of rows."""

    value: Array  # [B] raw
    features: Array  # [B, F] of its last hidden layer


class Rows(NamedTuple):
    """What one step of a player is made from."""

    real: Array  # [B, X]
    latent: Array  # [B, L]
    real_noise: Array | None  # [B, X] on D's inputs, already scaled; None where there is none
    fake_noise: Array | None
    flipped: Array | None = None  # [B] whether D takes rows i for each other; None: none


class Seen(NamedTuple):
    """Real and generated rows `[B, X]` as D sees them."""

    real: Array
    fake: Array
