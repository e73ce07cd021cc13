"""What each factor of a product sweep does, and what two of them do together, seed by seed."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import scipy.stats

from gan1d.report.statistics.intervals import TAILS
from gan1d.report.statistics.paired import holm


class Effect(NamedTuple):
    """A main effect (one factor), or an interaction (two)."""

    levels: tuple[tuple[str, int], ...]  # factor and level, each against the factor's first level
    estimate: float  # the mean over seeds
    low: float  # its 95% interval
    high: float
    p: float  # two-sided
    p_holm: float  # corrected for all effects that are returned with it


def effects(values: np.ndarray, levels: Mapping[str, np.ndarray]) -> list[Effect]:
    """Main effects and two-way interactions of a product of factors, as contrasts by seed.

    `values [setting, seed]` are finite: success as 0 and 1, or ranks where W1 may be inf. `levels`
    holds every factor's level `[setting]`, whole numbers of which the lowest is the reference.

    A main effect is the mean, over all combinations of the other factors, of a level less the
    reference on the same seed; an interaction is the same of the difference of differences (Box,
    Hunter and Hunter 2005, chapter 5). Each is one number a seed, of which the t interval is taken:
    paired by seed, and no assumption on how the settings depend on each other.

    Of successes the interval and p-value count two more seeds on which every setting tosses a coin
    (what Agresti and Min 2005, Statistics in Medicine 24, propose for one pair): they stand in for
    what a rare success does not show, so that equal seeds give no interval without width.

    Raises:
      ValueError: a combination of levels is missing or there twice (it says which), or values are
        not finite.
    """
    values = np.asarray(values, float)
    if not np.isfinite(values).all():
        raise ValueError("values that are not finite have no differences: use success or ranks")
    grid, axes = _product(values, levels)
    found = []
    for names, vectors in _contrasts(axes):
        weights = functools.reduce(np.multiply.outer, vectors)
        contrast = np.tensordot(weights, grid, axes=len(vectors))
        pseudo = 2 * 0.25 * float(np.sum(weights**2)) if _is_success(values) else None
        found.append((names, float(contrast.mean()), *_interval(contrast, pseudo)))
    corrected = holm(np.array([p for *_, p in found]))
    return [Effect(*row, float(p)) for row, p in zip(found, corrected, strict=True)]


def _is_success(values: np.ndarray) -> bool:
    return bool(np.isin(values, (0, 1)).all())


def _product(
    values: np.ndarray, levels: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The values as `[level of the first factor, ..., seed]`, and every factor's levels."""
    axes, codes = {}, []
    for name, column in levels.items():
        axes[name], code = np.unique(np.asarray(column), return_inverse=True)
        codes.append(code)
    sizes = [len(axis) for axis in axes.values()]
    cell = np.ravel_multi_index(codes, sizes)
    count = np.bincount(cell, minlength=int(np.prod(sizes)))
    if len(wrong := np.flatnonzero(count != 1)):
        told = [
            ", ".join(f"{n}={a[i]}" for (n, a), i in zip(axes.items(), index, strict=True))
            + (" is missing" if count[number] == 0 else f" is there {count[number]} times")
            for number in wrong
            for index in [np.unravel_index(number, sizes)]
        ]
        raise ValueError(f"not every combination of levels has one setting: {'; '.join(told)}")
    return values[np.argsort(cell)].reshape(*sizes, values.shape[1]), axes


def _contrasts(
    axes: dict[str, np.ndarray],
) -> Iterator[tuple[tuple[tuple[str, int], ...], list[np.ndarray]]]:
    """For every effect its levels, and the weights of every factor's levels."""
    for size in (1, 2):
        for factors in itertools.combinations(axes, size):
            for chosen in itertools.product(*(range(1, len(axes[name])) for name in factors)):
                level = dict(zip(factors, chosen, strict=True))
                vectors = [_weights(len(axis), level.get(name)) for name, axis in axes.items()]
                yield tuple((name, int(axes[name][i])) for name, i in level.items()), vectors


def _weights(size: int, level: int | None) -> np.ndarray:
    """A level less the first, or the mean of all of them."""
    if level is None:
        return np.full(size, 1 / size)
    return np.eye(size)[level] - np.eye(size)[0]


def _interval(contrast: np.ndarray, pseudo: float | None) -> tuple[float, float, float]:
    """Interval and p-value of the mean of `[seed]`.

    `pseudo` is the sum of squares that two more seeds add, of mean 0. NaN for fewer than two
    seeds, and where all are the same and none is added: that is no certainty.
    """
    seeds = len(contrast)
    if seeds < 2 or (pseudo is None and np.ptp(contrast) == 0):
        return np.nan, np.nan, np.nan
    total = seeds if pseudo is None else seeds + 2
    mean = np.sum(contrast) / total
    squares = np.sum(contrast**2) + (pseudo or 0) - total * mean**2
    error = np.sqrt(squares / (total - 1) / total)
    half = scipy.stats.t.ppf(TAILS[1], total - 1) * error
    p = 2 * scipy.stats.t.sf(abs(mean) / error, total - 1)
    return float(mean - half), float(mean + half), float(p)
