"""A sweep as a batch of shards: what each runs, kept in the sweep's results folder."""

import dataclasses
import functools
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from gan1d.commands import options
from gan1d.config import fields
from gan1d.config.experiment import ConfigError
from gan1d.results import ResultsError, blocks, files
from gan1d.sweep.contents import Contents
from gan1d.sweep.shards import Shard

# What needs JAX is imported where it is used: help and refusals need none.
if TYPE_CHECKING:
    from gan1d.sweep.cohorts import Sweep
    from gan1d.sweep.layout import Blocks

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
class Resources:
    """What a job asks a scheduler for."""

    partition: str | None = None  # None: the cluster's default
    time: int = 60  # minutes
    mem: float = 2.0  # GiB
    cpus: int = 2
    gpus: int = 0
    parallel: int = 64  # jobs at a time
    setup: list[str] = dataclasses.field(default_factory=list)  # shell lines to run first
    sbatch: list[str] = dataclasses.field(default_factory=list)  # other options, NAME=VALUE


@dataclasses.dataclass
class Batch:
    """The shards of a sweep, and what has been done with them so far."""

    sweep: "Sweep"
    folder: Path
    count: int
    block_size: int
    devices: int  # of each shard
    mixed: bool
    arguments: list[str]  # that declare the sweep to gan1d.main
    resources: Resources = dataclasses.field(default_factory=Resources)  # asked for last
    submissions: list[Submission] = dataclasses.field(default_factory=list)

    @functools.cached_property
    def blocks(self) -> "Blocks":
        """The blocks of the whole sweep."""
        from gan1d.sweep.layout import Blocks

        return Blocks(self.sweep, self.block_size)

    @functools.cached_property
    def parts(self) -> list[range]:
        """The numbers of each shard's blocks."""
        return self.blocks.cut(self.count)

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
        return self.blocks.runs_of(self.parts[shard])

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
            "config": self.sweep.experiment.config(),
            "shards": self.count,
            "block_size": self.block_size,
            "devices": self.devices,
            "mixed": self.mixed,
            "arguments": self.arguments,
            "resources": dataclasses.asdict(self.resources),
            "submissions": [dataclasses.asdict(each) for each in self.submissions],
        }
        files.write_json(self.state / RECORD, plain)


def of_folder(contents: Contents, sweep: "Sweep") -> Batch | None:
    """The batch that a results folder keeps, or None.

    Args:
      contents: what the folder holds.
      sweep: whose the batch has to be.

    Raises:
      ConfigError: it is of another sweep.
      ResultsError: it can't be read.
    """
    folder = contents.folder
    path = folder / FOLDER / RECORD
    plain = files.read_json(path)
    if plain is None:
        return None
    try:
        differing = fields.differences(plain["config"], sweep.experiment.config())
        batch = Batch(
            sweep,
            folder,
            count=plain["shards"],
            block_size=plain["block_size"],
            devices=plain["devices"],
            mixed=plain["mixed"],
            arguments=plain["arguments"],
            resources=Resources(**plain["resources"]),
            submissions=[Submission(**each) for each in plain["submissions"]],
        )
    except (KeyError, TypeError) as error:
        raise ResultsError(f"{path}: not a record of shards ({error!r})") from None
    problems = [f"workdir={folder}: its shards are of another sweep ({differing}); {REMEDY}"]
    if not differing:
        problems = _other_flags(batch)
    if problems:
        raise ConfigError(problems)
    identity = contents.own_identity
    if identity is not None and identity.block_size != batch.block_size and blocks.listed(folder):
        sizes = f"has {identity.block_size} runs, its shards are cut by {batch.block_size}"
        raise ConfigError([f"workdir={folder}: a block of it {sizes}; {REMEDY}"])
    return batch


def _other_flags(batch: Batch) -> list[str]:
    """What is asked for otherwise than the shards were cut."""
    engine = batch.arguments[-1].removeprefix("--engine=")  # see options.arguments
    cut = [("shards", batch.count), ("block_size", batch.block_size)]
    return [
        f"{name}={flags.FLAGS[name].value}: these shards were started with {value}; leave it out, "
        f"or {REMEDY}"
        for name, value in (*cut, ("mixed", batch.mixed), ("engine", engine))
        if flags.FLAGS[name].present and flags.FLAGS[name].value != value
    ]


def new(contents: Contents, sweep: "Sweep", count: int, devices: int, platform: str) -> Batch:
    """Cut a sweep into shards.

    Args:
      contents: what its results folder holds.
      sweep: the sweep.
      count: how many shards.
      devices: of each shard.
      platform: what these are, "cpu" or "gpu".

    Raises:
      ConfigError: it can't be cut like that, or the folder holds another sweep.
    """
    from gan1d.sweep import layout

    if count < 1:
        raise ConfigError([f"shards={count}: give at least 1"])
    size, mixed, folder = options.BLOCK_SIZE.value, options.MIXED.value, contents.folder
    identity = contents.own_identity
    if identity is not None:  # by a process of its own; shards go on from its blocks
        size, devices = size or identity.block_size, identity.devices
        mixed = mixed or identity.mixed
    elif blocks.listed(folder):
        raise ConfigError([f"workdir={folder}: it holds blocks of another sweep; {REMEDY}"])
    if size is None:
        size = layout.default_block_size(sweep, devices, platform, count)
    layout.check_block_size(size, devices)
    batch = Batch(sweep, folder, count, size, devices, mixed, options.arguments())
    batch.blocks.cut(count)  # refuses what can't be
    return batch
