"""The paired bootstrap: seeds are drawn with replacement, all settings' runs of a seed together.

Efron (1979), "Bootstrap methods: another look at the jackknife".
"""

import functools

import numpy as np

RESAMPLES = 2000

# What numpy.random.default_rng takes: an int makes a result repeatable.
Rng = int | np.random.Generator


def counts(runs: int, resamples: int, rng: Rng) -> np.ndarray:
    """How often each run is drawn, `[resample, run]`, as floats: shares are matrix products.

    Of a seed they are shared, and not to be written to.
    """
    return (
        _same_counts(runs, resamples, rng)
        if isinstance(rng, int)
        else _counts(runs, resamples, rng)
    )


def _counts(runs: int, resamples: int, rng: Rng) -> np.ndarray:
    drawn = np.random.default_rng(rng).multinomial(runs, np.full(runs, 1 / runs), resamples)
    return drawn.astype(float)


@functools.lru_cache(2)  # many pairs of settings have the same seeds
def _same_counts(runs: int, resamples: int, rng: int) -> np.ndarray:
    found = _counts(runs, resamples, rng)
    found.flags.writeable = False
    return found


def indices(runs: int, resamples: int, rng: Rng) -> np.ndarray:
    """Which runs are drawn, `[resample, run]`."""
    return np.random.default_rng(rng).integers(runs, size=(resamples, runs))


def runs_of(*samples: np.ndarray) -> list[np.ndarray]:
    """The samples as equally long floats `[run]`.

    Raises:
      ValueError: none, of different lengths, or NaN among them.
    """
    arrays = [np.asarray(sample, float) for sample in samples]
    if len({array.shape for array in arrays}) > 1 or arrays[0].ndim != 1 or len(arrays[0]) == 0:
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(f"shapes {shapes}: one value of each for every seed is needed")
    if any(np.isnan(array).any() for array in arrays):
        raise ValueError("NaN: leave out unfinished runs; a diverged run's W1 is inf")
    return arrays
