"""What an engine is to the host loop: a cohort's compiled programs, over blocks of runs `[R]`."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan1d.gan.players import Players
from gan1d.gan.setting import Setting


class Leg(NamedTuple):
    """Updates of every run of a block, without a log point in between."""

    first: int  # number of the first
    count: int


class Looks(NamedTuple):
    """A block at some log points `[P]`; snapshots are of its first runs `[K]` only."""

    metrics: dict[str, np.ndarray]  # `[P, R, ...]`, named as in results
    quantiles: np.ndarray  # `[R, 101, ...]` at the last of them
    loss_sums: Players[np.ndarray]  # `[P, R]` since the log point before
    snapshots: dict[str, np.ndarray]  # `[P, K, ...]`, named as in results


class Start(NamedTuple):
    """A block before its first update."""

    block: Any  # the engine's own
    pretraining_loss: np.ndarray | None  # `[R, 100]`; None without pretraining
    snapshots: dict[str, np.ndarray]  # `[K, ...]` of D before and after pretraining


class Advance(NamedTuple):
    """A block after some legs."""

    block: Any
    diverged_at: np.ndarray  # `[R]`
    looks: Looks | None  # None where nobody looked
    judging_share: float  # of the time that it took


class Programs(NamedTuple):
    """What trains and judges a cohort.

    A block that `advance` was given must not be used again: its memory may be that of what it gave.
    """

    start: Callable[[Setting, np.ndarray, int], Start]  # (settings, seeds, K)
    advance: Callable[[Any, Sequence[Leg], bool], Advance]  # (block, legs, look after each?)
    unit: int  # legs waste nothing if they are multiples of this many updates
