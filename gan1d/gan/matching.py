"""Feature matching: losses of G on D's features of real and generated rows, each `[B, F]`.

They take the place of the adversarial loss of G.
"""

from collections.abc import Callable

from gan1d.gan.numerics import safe_sqrt
from gan1d.system.lazy import Array


def paired(real: Array, fake: Array) -> Array:
    """Row i against row i: highdimensional.space (2018), Neural Perspective (2016)."""
    return safe_sqrt(paired_squared(real, fake))


def paired_squared(real: Array, fake: Array) -> Array:
    """The same without the root."""
    return ((real - fake) ** 2).sum()


def mean(real: Array, fake: Array) -> Array:
    """Of means, as the paper has it: Salimans et al. 2016 (arXiv 1606.03498), section 3.1."""
    return ((real.mean(0) - fake.mean(0)) ** 2).sum()


MATCHING: dict[str, Callable[[Array, Array], Array]] = {
    "paired": paired,
    "paired_squared": paired_squared,
    "mean": mean,
}
