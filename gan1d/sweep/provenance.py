"""How numbers came to be, as it is kept: of a sweep in training, of a block, and of results.

An `Identity` goes into plan.json, a `Training` into each block, a `Record` into config.json. They
are plain data there; here is the one place that makes them of it, and it of them.
"""

import dataclasses
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self, TypedDict

from gan1d.config import fields
from gan1d.config.experiment import Experiment
from gan1d.gan import register
from gan1d.gan.targets import data
from gan1d.results import ResultsError, files
from gan1d.system import hardware, switches
from gan1d.system.hardware import Machine

ANY = "any"  # stands for a machine's kind where shards may be trained on machines of any


@dataclasses.dataclass(frozen=True)
class Identity:
    """All that the numbers of a sweep depend on."""

    config: dict[str, object]  # as `Experiment.config` has it
    engine: str
    block_size: int
    at_a_time: dict[str, int]  # as `Layout.at_a_time`, where that is not the block size
    devices: int
    device_kind: str
    processor: str
    versions: dict[str, str]
    source: str  # a digest of gan1d's own code
    registered: dict[str, str]  # file -> digest of its code, of what users have registered
    switches: dict[str, str]  # of JAX and XLA, as `switches.told` has them

    def plain(self) -> dict[str, object]:
        """As plain data for JSON."""
        return dataclasses.asdict(self)

    @classmethod
    def of_plain(cls, plain: Mapping[str, object]) -> Self:
        """From what `plain` gave, to this version or another one.

        Raises:
          ResultsError: it is no identity.
        """
        known = {field.name for field in dataclasses.fields(cls)}
        given = {name: value for name, value in plain.items() if name in known}
        try:
            return cls(**{"registered": {}, "switches": {}, "at_a_time": {}} | given)  # type: ignore[arg-type] # as JSON has it
        except TypeError:
            raise ResultsError("it doesn't say what its numbers depend on") from None

    @property
    def digest(self) -> str:
        """By which a block tells of which identity it is."""
        return files.digest(self.plain())

    @property
    def mixed(self) -> bool:
        """Whether machines of different kinds may take part."""
        return self.processor == ANY

    def is_of(self, experiment: Experiment) -> bool:
        """Whether it is that of a sweep, trained in whatever way."""
        return self.config == experiment.config()

    def differences(self, now: "Identity") -> str:
        """What differs in another one, besides the config, and how."""
        return fields.differences(self.plain(), now.plain())

    def differs_by_machine_only(self, now: "Identity") -> bool:
        """Whether another one is the same but for the kind of the machine."""
        device_kind, processor = now.device_kind, now.processor
        return dataclasses.replace(self, device_kind=device_kind, processor=processor) == now

    def seen_from_here(self, experiment: Experiment) -> "Identity":
        """What it would be if a machine of its kind ran this code, for a sweep."""
        return dataclasses.replace(self, config=experiment.config(), **code())


@dataclasses.dataclass(frozen=True)
class Plan:
    """What the blocks in a folder are of, as plan.json says it."""

    identity: Identity
    started: str

    def plain(self, block_count: int) -> dict[str, object]:
        """As plain data for JSON, with how many blocks the whole sweep has."""
        return {"identity": self.identity.plain(), "started": self.started, "blocks": block_count}

    @classmethod
    def of_plain(cls, plain: Mapping[str, object]) -> Self:
        """From what `plain` gave.

        Raises:
          ResultsError: it is something else.
        """
        match plain:
            case {"identity": dict(identity), "started": str(started)}:
                return cls(Identity.of_plain(identity), started)
        raise ResultsError("it doesn't say what its blocks are of")


class Code(TypedDict):
    """The code that trains, as part of an identity."""

    versions: dict[str, str]
    source: str
    registered: dict[str, str]
    switches: dict[str, str]


def code() -> Code:
    """The code that is here."""
    return {
        "versions": hardware.versions(),
        "source": hardware.source(),
        "registered": register.sources(),
        "switches": switches.told(),
    }


@dataclasses.dataclass(frozen=True)
class Training:
    """How a block was trained."""

    engine: str
    runs_at_a_time: int
    seconds: dict[str, float]  # by what they were spent on
    machine: Machine

    def program(self) -> dict[str, object]:
        """What its cohort's program was, as plain data for JSON."""
        return {"engine": self.engine, "runs_at_a_time": self.runs_at_a_time}

    def plain(self) -> dict[str, object]:
        """As plain data for JSON."""
        return {
            "trained": self.program(),
            "seconds": self.seconds,
            "machine": self.machine._asdict(),
        }

    @classmethod
    def of_plain(cls, plain: Mapping[str, object]) -> Self:
        """From what `plain` gave.

        Raises:
          ResultsError: it is something else.
        """
        match plain:
            case {
                "trained": {"engine": str(engine), "runs_at_a_time": int(runs)},
                "seconds": dict(seconds),
                "machine": {
                    "processor": str(processor),
                    "device_kind": str(device_kind),
                    "host": str(host),
                },
            }:
                return cls(engine, runs, seconds, Machine(processor, device_kind, host))
        raise ResultsError("it doesn't say how it was trained")


@dataclasses.dataclass(frozen=True)
class Trained:
    """How a sweep's runs were trained, by whatever processes."""

    cohorts: list[Training | None]  # None where none of a cohort's blocks is finished
    machines: dict[Machine, int]  # how many blocks each has trained
    seconds: dict[str, float]  # by what they were spent on
    complete: bool  # whether all runs are finished


def record(
    experiment: Experiment, plan: Plan, trained: Trained, overrides: Sequence[str]
) -> dict[str, object]:
    """What config.json says of a sweep, besides what `results.write` adds."""
    identity = plan.identity
    return {
        "name": experiment.name,
        "config": experiment.config(),
        "overrides": list(overrides),
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "started": plan.started,
        "finished": hardware.now(),
        "complete": trained.complete,
        "engine": identity.engine,
        "block_size": identity.block_size,
        "devices": identity.devices,
        "registered": identity.registered,
        "switches": identity.switches,
        "machines": [
            machine._asdict() | {"blocks": count} for machine, count in trained.machines.items()
        ],
        "cohorts": [cohort.program() if cohort else {} for cohort in trained.cohorts],
        "seconds": trained.seconds,
        **hardware.provenance(),
        **_data(experiment),
    }


def _data(experiment: Experiment) -> dict[str, object]:
    """What the sweep's settings have of the user's own data, if any does."""
    used = dict.fromkeys(each.target for each in experiment.settings)
    said = [data.described(target) for target in used if target.kind == data.KIND]
    return {"data": said} if said else {}
