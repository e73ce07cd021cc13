"""Feature matching: losses of G on D's features of real and generated rows, each `[B, F]`.

They take the place of the adversarial loss of G.
"""

from collections.abc import Callable

from gan1d.gan.numerics import safe_sqrt
from gan1d.system.lazy import Array

MATCHING: dict[str, Callable[[Array, Array], Array]] = {
    # As highdimensional.space (2018) and Neural Perspective (2016): row i against row i.
    "paired": lambda real, fake: safe_sqrt(((real - fake) ** 2).sum()),
    # The same without the root.
    "paired_squared": lambda real, fake: ((real - fake) ** 2).sum(),
    # As the paper has it: Salimans et al. 2016 (arXiv 1606.03498), section 3.1.
    "mean": lambda real, fake: ((real.mean(0) - fake.mean(0)) ** 2).sum(),
}
