"""A sweep cut into shards, which processes on any number of machines train by themselves.

A shard is some of a sweep's blocks, one after the other, so that it has few cohorts to compile. All
shards leave their blocks in one results folder; nothing else is shared, and none knows of another.
"""

import functools
import re
from typing import NamedTuple

import numpy as np

from gan1d.config.experiment import Experiment
from gan1d.config.fields import ConfigError
from gan1d.engines import cost
from gan1d.sweep import collect, layout

EXAMPLE = "give for example 0/8, ..., 7/8 for the eight shards of a sweep"


class Shard(NamedTuple):
    """One of the parts that a sweep is cut into."""

    index: int  # from 0 on
    count: int

    def __str__(self) -> str:
        """As the command line has it."""
        return f"{self.index}/{self.count}"

    @property
    def name(self) -> str:
        """As names of files have it."""
        return f"{self.index}-of-{self.count}"


def parse(text: str) -> Shard:
    """A shard from I/N.

    Raises:
      ConfigError: it is none.
    """
    match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
    if match is None or int(match[1]) >= int(match[2]):
        raise ConfigError([f"shard={text}: {EXAMPLE}"])
    return Shard(int(match[1]), int(match[2]))


@functools.lru_cache(collect.CACHED)
def cut(experiment: Experiment, block_size: int, count: int) -> list[range]:
    """The numbers of each shard's blocks: shards of equal cost, as nearly as whole blocks allow.

    What a block costs is estimated as its runs times the operations of one of their updates, which
    depends on nothing but the config: all machines cut alike.

    Raises:
      ConfigError: there are fewer blocks than shards.
    """
    blocks = layout.count_blocks(experiment, block_size)
    if count > blocks:
        raise ConfigError(
            [
                f"shards={count}: there are only {blocks} blocks of up to {block_size} runs; give "
                "fewer shards, or a smaller block_size"
            ]
        )
    return balanced(costs(experiment, block_size), count)


def balanced(costs: np.ndarray, count: int) -> list[range]:
    """Cut a row of blocks into so many ranges, none of them empty, of costs as equal as can be.

    Each cut is made where it is nearest to its share of the whole, so that no range costs more than
    an equal share and one block.

    Args:
      costs: of each block, in order, `[B]`.
      count: of ranges, at most B.
    """
    ends, bounds = np.cumsum(costs), [0]
    for cut_number in range(1, count):
        nearest = int(np.abs(ends - ends[-1] * cut_number / count).argmin()) + 1
        rest = count - cut_number  # ranges that follow, each with a block at least
        bounds.append(min(max(nearest, bounds[-1] + 1), len(costs) - rest))
    return [range(*pair) for pair in zip(bounds, [*bounds[1:], len(costs)], strict=True)]


def costs(experiment: Experiment, block_size: int) -> np.ndarray:
    """What each block costs, estimated, in operations an update of all its runs."""
    seeds, found = len(experiment.seeds), []
    for cohort in layout.group(experiment):
        runs = len(cohort.indices) * seeds
        sizes = np.full(layout.block_count(cohort, seeds, block_size), block_size)
        sizes[-1] = runs - block_size * (len(sizes) - 1)
        found.append(sizes * cost.of_update(cohort.example()))
    return np.concatenate(found)
