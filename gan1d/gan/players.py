"""The two players of a game, and what passes between them."""

from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from gan1d.system.lazy import Array

T = TypeVar("T")

Tree: TypeAlias = Any  # of arrays: JAX has no type for a pytree
Params: TypeAlias = Tree  # a network's parameters, or gradients in them
Variables: TypeAlias = dict[str, Tree]  # flax collections: `params`, and what is not trained


Masks: TypeAlias = tuple[Array, ...]  # of D's hidden layers, [B, F] each, for dropout


class Players(NamedTuple, Generic[T]):
    """What both networks have: parameters, gradients, losses, optimizers' memories."""

    g: T
    d: T


class Output(NamedTuple):
    """What D makes of a batch of rows."""

    value: Array  # [B] raw
    features: Array  # [B, F] of its last hidden layer


class Probes(NamedTuple):
    """What places the rows in which a penalty looks at D."""

    share: Array  # [B, 1] of the way
    partner: Array | None  # [B] which generated row a real one is taken with; None: its own
    away: Array | None  # [B, X] where to from a real row; None: towards its partner


class Rows(NamedTuple):
    """What one step of a player is made from."""

    real: Array  # [B, X]
    latent: Array  # [B, L]
    real_noise: Array | None  # [B, X] on D's inputs, already scaled; None where there is none
    fake_noise: Array | None
    flipped: Array | None = None  # [B] whether D takes rows i for each other; None: none
    probes: Probes | None = None  # None where no penalty needs any
    masks: Masks | None = None  # None without dropout
    others: Array | None = None  # [B, L] latents that G's are told apart from; None: none are
    number: Array | None = None  # [] of the update; None where nothing changes with it
    later: "Rows | None" = None  # what the second half of the step is made from; None: the same


class Seen(NamedTuple):
    """Real and generated rows `[B, X]` as D sees them; of packs, all of a pack's side by side."""

    real: Array
    fake: Array
    more: Array | None = None  # between or around them; None where no penalty asks for any
    followed: Tree = None  # what the penalty follows of D from step to step

    @property
    def probed(self) -> Array:
        """The rows between or around them.

        Raises:
          ValueError: there are none.
        """
        if self.more is None:
            raise ValueError("no rows were drawn to be probed")
        return self.more
