"""What a pair of adversarial losses is."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from gan1d.system.lazy import Array

if TYPE_CHECKING:
    from gan1d.gan.losses import LossFields


class Loss(NamedTuple):
    """A pair of losses, and what is to be known of them.

    Functions take (loss section, D's outputs on real rows, on generated rows), `[B]` each, and give
    `[B]`. Where neither is `paired` nor looks at a batch's mean, G's is of the generated rows only.
    """

    said: str  # what it is and who proposed it, for --help
    d: Callable[["LossFields", Array, Array], Array]
    g: Callable[["LossFields", Array, Array], Array]
    # D's output where it can't tell real from generated; None: it says nothing there.
    rest: Callable[["LossFields"], Array | float] | None = None
    # D's output as the number that is 1/2 where it can't tell; None: it is no probability.
    read: Callable[["LossFields", Array], Array] | None = None
    # The same before any clipping, which pretraining fits to the target's density; None: as it is.
    estimate: Callable[["LossFields", Array], Array] | None = None
    paired: bool = False  # row i of the real ones is held against row i of the generated ones
    # G's loss by the rows `[B, X]` themselves, real and generated, `[]`; D has then no part in it.
    of_rows: Callable[["LossFields", Array, Array], Array] | None = None
