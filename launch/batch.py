"""A sweep as a batch of shards: what each runs, kept in the sweep's results folder."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

from absl import flags

from gan1d import api, command, fields, layout, shards, store
from gan1d.experiment import ConfigError, Experiment
from gan1d.results import ResultsError, files
from gan1d.shards import Shard

SHARDS = flags.DEFINE_integer("shards", None, "How many parts the sweep is cut into.")
_ALLOW_PARTIAL = flags.DEFINE_bool(
    "allow_partial", False, "merge: even if runs are missing; the results say which."
)
flags.adopt_module_key_flags(command)

FOLDER, RECORD, LOGS = "launch", "launch.json", "logs"


@dataclasses.dataclass
class Submission:
    """Shards that were handed to something that runs them."""

    job: str | None  # its number with the scheduler; None without one
    shards: list[int]

    def log(self, folder: Path, shard: int) -> Path:
        """The file that a shard of this submission prints to."""
        if self.job is None:
            return folder / FOLDER / LOGS / f"shard-{shard}.log"
        # As submitit names them: only several jobs are an array.
        task = f"_{self.shards.index(shard)}" if len(self.shards) > 1 else ""
        return folder / FOLDER / LOGS / f"{self.job}{task}_0_log.out"


@dataclasses.dataclass
class Batch:
    """The shards of a sweep, and what has been done with them so far."""

    declared: Experiment
    folder: Path
    count: int
    block_size: int
    devices: int  # of each shard
    mixed: bool
    arguments: list[str]  # that declare the sweep to gan1d.main
    resources: dict[str, Any]  # that a job was asked for last
    submissions: list[Submission]

    @property
    def parts(self) -> list[range]:
        """The numbers of each shard's blocks."""
        return shards.cut(self.declared, self.block_size, self.count)

    def runs(self, shard: int) -> int:
        """How many runs a shard has."""
        return layout.runs_of(self.declared, self.block_size, self.parts[shard])

    def command(self, shard: int) -> list[str]:
        """What trains a shard."""
        return [
            *(sys.executable, "-m", "gan1d.main", *self.arguments),
            f"--workdir={self.folder}",
            f"--shard={Shard(shard, self.count)}",
            f"--block_size={self.block_size}",
            f"--devices={self.devices}",
            *["--mixed"] * self.mixed,
        ]

    def save(self) -> None:
        """Keep it in the results folder."""
        files.make_folder(self.folder / FOLDER / LOGS)
        plain = {
            "config": self.declared.config(),
            "shards": self.count,
            "block_size": self.block_size,
            "devices": self.devices,
            "mixed": self.mixed,
            "arguments": self.arguments,
            "resources": self.resources,
            "submissions": [dataclasses.asdict(each) for each in self.submissions],
        }
        files.write_json(self.folder / FOLDER / RECORD, plain)


def begun(declared: Experiment, folder: Path) -> Batch | None:
    """The batch that a results folder keeps, or None.

    Raises:
      ConfigError: it is of another sweep.
      ResultsError: it can't be read.
    """
    path = folder / FOLDER / RECORD
    plain = files.read_json(path)
    if plain is None:
        return None
    try:
        kept, count = plain["config"], plain["shards"]
        differing = fields.differences(kept, declared.config())
        made = Batch(
            *(declared, folder, count, plain["block_size"], plain["devices"], plain["mixed"]),
            *(plain["arguments"], plain["resources"]),
            [Submission(**each) for each in plain["submissions"]],
        )
    except (KeyError, TypeError) as error:
        raise ResultsError(f"{path}: not a record of shards ({error!r})") from None
    if differing:
        raise ConfigError(
            [f"workdir={folder}: its shards are of another sweep ({differing}); {store.REMEDY}"]
        )
    if SHARDS.value not in (None, count):
        told = f"this sweep is cut into {count} already; leave it out, or {store.REMEDY}"
        raise ConfigError([f"shards={SHARDS.value}: {told}"])
    return made


def new(declared: Experiment, folder: Path, count: int, devices: int, platform: str) -> Batch:
    """Cut a sweep into shards.

    Args:
      declared: the sweep.
      folder: its results folder.
      count: how many shards; the flag goes before.
      devices: of each shard.
      platform: what these are, "cpu" or "gpu".

    Raises:
      ConfigError: it can't be cut like that, or the folder holds another sweep.
    """
    count = count if SHARDS.value is None else SHARDS.value
    if count < 1:
        raise ConfigError([f"shards={count}: give at least 1"])
    size = command.BLOCK_SIZE.value
    if size is None:
        size = layout.default_block_size(declared, devices, platform, count)
    layout.check_block_size(size, devices)
    made = Batch(
        *(declared, folder, count, size, devices, command.MIXED.value, command.arguments(), {}, [])
    )
    made.parts  # noqa: B018 - refuses what can't be cut
    return made


def is_merged(declared: Experiment, folder: Path) -> bool:
    """Whether a folder has the results of the whole sweep.

    Raises:
      ConfigError, ResultsError: as `api.check_folder`.
    """
    return api.check_folder(declared, folder, overwrite=False) is not None


def merge(declared: Experiment, folder: Path) -> int:
    """Make results of what shards have left; returns the exit code."""
    if is_merged(declared, folder):
        print(f"{folder} holds the results of this sweep already.")
        return 0
    runs = api.merge(
        declared,
        folder,
        partial=_ALLOW_PARTIAL.value,
        kinds=command.kinds(),
        overrides=command.overrides(),
    )
    return command.say_what_is_there(runs, folder)
