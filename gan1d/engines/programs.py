"""What an engine is to the host loop: a cohort's compiled programs, over blocks of runs `[R]`."""

import dataclasses
from collections.abc import Sequence
from typing import Generic, NamedTuple, Protocol, TypeVar

import numpy as np

from gan1d.gan.players import Players
from gan1d.gan.setting import Setting
from gan1d.gan.train import State

Block = TypeVar("Block")  # runs in training, as the engine has them


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """Updates of every run of a block, without a log point in between."""

    first: int  # number of the first
    count: int

    @property
    def end(self) -> int:
        """The number of the update after the last."""
        return self.first + self.count


class LogPoints(NamedTuple):
    """A block at some log points `[P]`; snapshots are of its first runs `[K]` only."""

    metrics: dict[str, np.ndarray]  # `[P, R, ...]`, named as in results
    quantiles: np.ndarray  # `[R, 101, ...]` at the last of them
    loss_sums: Players[np.ndarray]  # `[P, R]` since the log point before
    snapshots: dict[str, np.ndarray]  # `[P, K, ...]`, named as in results
    finite: np.ndarray  # `[P, R]` whether all samples are


class Start(NamedTuple, Generic[Block]):
    """A block before its first update."""

    block: Block
    pretraining_loss: np.ndarray | None  # `[R, 100]`; None without pretraining
    snapshots: dict[str, np.ndarray]  # `[K, ...]` of D before and after pretraining


class Advance(NamedTuple, Generic[Block]):
    """A block after some spans of updates."""

    block: Block
    diverged_at: np.ndarray  # `[R]`
    log_points: LogPoints | None  # None where it was not judged
    judging_share: float  # of the time that it took


class Programs(Protocol[Block]):
    """What trains and judges a cohort."""

    def start(self, settings: Setting, seeds: np.ndarray, pictured: int) -> Start[Block]:
        """Begin runs.

        Args:
          settings: numbers `[R]`.
          seeds: uint32 `[R]`.
          pictured: K, of how many runs, the first ones, snapshots are kept.
        """

    def advance(self, block: Block, spans: Sequence[Span], judging: bool) -> Advance[Block]:
        """Train a block through some spans, and judge it after each if it is to be judged.

        The block must not be used again: its memory may be that of the one that is returned.
        """

    def states(self, block: Block, count: int) -> State:
        """The states of the first runs as they are now, arrays `[count, ...]` of numpy."""
