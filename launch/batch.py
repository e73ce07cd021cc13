"""A sweep as a batch of shards: what each runs, kept in the sweep's results folder."""

import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Any

from absl import flags

from gan1d.commands import options
from gan1d.config import fields
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.results import ResultsError, blocks, files
from gan1d.sweep import api, layout, shards, store
from gan1d.sweep.shards import Shard

SHARDS = flags.DEFINE_integer("shards", None, "How many parts the sweep is cut into.")
flags.adopt_module_key_flags(options)

FOLDER, RECORD, LOGS = "launch", "launch.json", "logs"
LAUNCHER = "launcher"  # what is locked in that folder while shards are started from it
REMEDY = "choose another folder (workdir), or remove this one"


@dataclasses.dataclass
class Submission:
    """Shards that were handed to something that runs them."""

    job: str | None  # its number with the scheduler; None without one
    shards: list[int]

    def log(self, logs: Path, shard: int) -> Path:
        """The file in the folder of logs that a shard of this submission prints to."""
        if self.job is None:
            return logs / f"shard-{shard}.log"
        # As submitit names them: only several jobs are an array.
        task = f"_{self.shards.index(shard)}" if len(self.shards) > 1 else ""
        return logs / f"{self.job}{task}_0_log.out"


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

    @property
    def state(self) -> Path:
        """The folder of what is kept of it."""
        return self.folder / FOLDER

    @property
    def logs(self) -> Path:
        """The folder of what its shards print."""
        return self.state / LOGS

    def described(self, shards: list[int]) -> str:
        """Shards, and the command of the first one, in words."""
        lines = [
            f"{len(shards)} of {self.count} shards, in blocks of {self.block_size} runs, for "
            f"{self.folder}:"
        ]
        for shard in shards:
            sizes = f"{len(self.parts[shard])} blocks, {self.runs(shard)} runs"
            lines.append(f"  {Shard(shard, self.count)}: {sizes}")
        return "\n".join([*lines, "", "Each runs:", f"  {shlex.join(self.command(shards[0]))}"])

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
        files.make_folder(self.logs)
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
        files.write_json(self.state / RECORD, plain)


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
    problems = [f"workdir={folder}: its shards are of another sweep ({differing}); {REMEDY}"]
    if not differing:
        problems = _other_flags(made)
    if problems:
        raise ConfigError(problems)
    plan = api.begun_as(declared, folder)
    begun_otherwise = plan is not None and plan["block_size"] != made.block_size
    if begun_otherwise and blocks.listed(folder):
        told = f"has {plan['block_size']} runs, its shards are cut by {made.block_size}"
        raise ConfigError([f"workdir={folder}: a block of it {told}; {REMEDY}"])
    return made


def _other_flags(made: Batch) -> list[str]:
    """What is asked for otherwise than the shards were cut."""
    kept = {"shards": made.count, "block_size": made.block_size, "mixed": made.mixed}
    kept["engine"] = made.arguments[-1].removeprefix("--engine=")  # see options.arguments
    return [
        f"{name}={flags.FLAGS[name].value}: these shards were started with {value}; leave it out, "
        f"or {REMEDY}"
        for name, value in kept.items()
        if flags.FLAGS[name].present and flags.FLAGS[name].value != value
    ]


def new(declared: Experiment, folder: Path, count: int, devices: int, platform: str) -> Batch:
    """Cut a sweep into shards.

    Args:
      declared: the sweep.
      folder: its results folder.
      count: how many shards.
      devices: of each shard.
      platform: what these are, "cpu" or "gpu".

    Raises:
      ConfigError: it can't be cut like that, or the folder holds another sweep.
    """
    if count < 1:
        raise ConfigError([f"shards={count}: give at least 1"])
    size, mixed = options.BLOCK_SIZE.value, options.MIXED.value
    plan = api.begun_as(declared, folder)
    if plan is not None:  # by a process of its own; shards go on from its blocks
        size, devices = size or plan["block_size"], plan["devices"]
        mixed = mixed or plan["processor"] == store.ANY
    elif blocks.listed(folder):
        raise ConfigError([f"workdir={folder}: it holds blocks of another sweep; {REMEDY}"])
    if size is None:
        size = layout.default_block_size(declared, devices, platform, count)
    layout.check_block_size(size, devices)
    shards.cut(declared, size, count)  # refuses what can't be
    return Batch(*(declared, folder, count, size, devices, mixed, options.arguments(), {}, []))
