"""The levels of the quantiles that are kept, and quantiles of samples there."""

import numpy as np
from jax import Array

LEVELS = np.linspace(0, 1, 101)


def at_levels(ordered: Array) -> Array:
    """Of sorted samples `[N, ...]` those whose ranks are nearest to LEVELS, `[101, ...]`."""
    return ordered[np.round(LEVELS * (ordered.shape[0] - 1)).astype(int)]
