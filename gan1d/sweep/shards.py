"""A sweep cut into shards, which processes on any number of machines train by themselves.

A shard is some of a sweep's blocks, one after the other, so that it has few cohorts to compile. All
shards leave their blocks in one results folder; nothing else is shared, and none knows of another.
"""

import dataclasses
import re

from gan1d.config.fields import ConfigError

EXAMPLE = "give for example 0/8, ..., 7/8 for the eight shards of a sweep"


@dataclasses.dataclass(frozen=True)
class Shard:
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
