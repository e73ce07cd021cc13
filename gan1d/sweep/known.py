"""Runs that a sweep has already, where parts of it were trained before: it has grown.

More seeds, values and settings leave what was trained as it is, and thresholds only judge. Such
runs are found in the results of the parts, in the sweep's folder and in others, and blocks take
them from there. They have the bits of one sweep where the same code has trained them on the same
kind of machine; where it has not, that is said, and nothing is mixed.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from gan1d import results
from gan1d.config import experiment, fields
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.results import Record
from gan1d.sweep import cohorts
from gan1d.sweep.cohorts import Cohort
from gan1d.sweep.collect import PICTURE, Arrays, Shape
from gan1d.sweep.contents import REMEDY
from gan1d.sweep.layout import Block
from gan1d.sweep.parts import Part, part_of, places
from gan1d.sweep.provenance import Identity, Training, code
from gan1d.system.hardware import Machine


@dataclasses.dataclass(frozen=True, eq=False)
class KnownPart:
    """The runs of a sweep that are in one folder's results of a part of it."""

    place: str  # the folder, as the option that names it
    record: Record
    shape: Shape  # of the whole sweep's results
    part: Part
    runs: xr.Dataset
    snapshots: xr.Dataset | None
    trained: Mapping[int, Training]  # how, by the places of the part's settings
    # Where the whole's seeds are along those dimensions of the part's results that are of seeds.
    seed_places: Mapping[str, np.ndarray]

    def runs_at_a_time(self, cohort: Cohort) -> int | None:
        """How many XLA has trained at a time, on which its rounding depends; None where it has not.

        Args:
          cohort: one of the whole sweep's.
        """
        places = self.part.setting[cohort.setting_indices]
        trained = [self.trained[place] for place in places if place in self.trained]
        return max((each.runs_at_a_time for each in trained if each.engine == "xla"), default=None)

    @property
    def by_xla(self) -> bool:
        """Whether XLA has trained any."""
        return any(each.engine == "xla" for each in self.trained.values())

    def missing(self, block: Block) -> np.ndarray:
        """Which of a block's runs are not known, by their places in it."""
        setting, seed = self._places(block, "seed")
        there = (setting >= 0) & (seed >= 0) & (self.runs.finished.values[setting, seed] == 1)
        for kept, count in (
            ("snapshot_seed", self.shape.snapshot_seeds),
            ("generator_seed", self.shape.generator_seeds),
        ):
            there &= (block.seed_index >= count) | (self._places(block, kept)[1] >= 0)
        return np.flatnonzero(~there)

    def fill(self, block: Block, room: Arrays) -> Training | None:
        """Fill in the runs of a block that are known; returns how one was trained, if any is."""
        known = np.setdiff1d(np.arange(block.run_count), self.missing(block))
        if not len(known):
            return None
        for name, array in room.items():
            data, kept = self._source(name)
            rows, short = known[known < len(array)], name.removeprefix(PICTURE)
            if data is None or short not in data or not len(rows):
                continue  # nothing that these settings have
            setting, seed = (each[rows] for each in self._places(block, kept))
            of_setting = name == f"{PICTURE}latent"  # all seeds share them
            values = data[short].values[(setting,) if of_setting else (setting, seed)]
            inner = tuple(map(slice, values.shape[1:]))  # the whole may have more, as padding
            for row, value in zip(rows, values, strict=True):
                array[(row, *inner)] = value
        return self.trained[self._places(block, "seed")[0][known[0]]]

    def _source(self, name: str) -> tuple[xr.Dataset | None, str]:
        """The part's results that have what a block keeps, and along which seeds."""
        if name.startswith(PICTURE):
            return self.snapshots, "snapshot_seed"
        return self.runs, "generator_seed" if name == results.GENERATORS else "seed"

    def _places(self, block: Block, kept: str) -> tuple[np.ndarray, np.ndarray]:
        """Where each of a block's runs is along the part's settings, and its seeds; -1: nowhere."""
        return self.part.setting[block.setting_index], self.seed_places[kept][block.seed_index]


@dataclasses.dataclass(frozen=True)
class Known:
    """All runs of a sweep that are known."""

    parts: tuple[KnownPart, ...] = ()

    @property
    def devices(self) -> int | None:
        """On how many XLA has trained, as its rounding depends on that; None where it has not."""
        return next((part.record["devices"] for part in self.parts if part.by_xla), None)

    def missing(self, block: Block) -> np.ndarray:
        """Which of a block's runs are not known, by their places in it."""
        of_parts = (part.missing(block) for part in self.parts)
        return functools.reduce(np.intersect1d, of_parts, np.arange(block.run_count))

    def fill(self, block: Block, room: Arrays) -> Training:
        """Fill in the runs of a block that are known, one at least; returns how it was trained."""
        filled = [part.fill(block, room) for part in self.parts]
        return next(filter(None, filled))

    def at_a_time(self, cohorts: Sequence[Cohort]) -> dict[int, int]:
        """How many runs XLA has trained at a time, on which its rounding depends.

        Args:
          cohorts: the whole sweep's.

        Returns:
          By the numbers of those cohorts that it has trained some of.

        Raises:
          ConfigError: so many in one folder, and so many in another.
        """
        found = dict[int, int]()
        for number, cohort in enumerate(cohorts):
            sizes = {part.place: part.runs_at_a_time(cohort) for part in self.parts}
            known = {place: size for place, size in sizes.items() if size is not None}
            if len(set(known.values())) > 1:
                each = ", ".join(f"{size} in {place}" for place, size in known.items())
                problem = f"XLA has trained other numbers of runs at a time, {each}"
                raise ConfigError([f"reuse: {problem}; leave one out"])
            if known:
                found[number] = max(known.values())
        return found


NOTHING = Known()


def find_known(
    folder: Path | None, whole: Experiment, shape: Shape, reused: Sequence[Path] = ()
) -> Known:
    """The results of parts of a sweep in its folder, if it holds such, and in others.

    Args:
      folder: the sweep's own; None where what it holds does not count.
      whole: the sweep.
      shape: of its results.
      reused: other folders, which do hold such.

    Raises:
      ConfigError: other code has made them, so that they can't be gone on with, or another folder
        has something else.
      ResultsError: they are damaged.
    """
    parts = []
    own = None if folder is None else results.load_record(folder)
    # What is there of the sweep itself is being made anew.
    if folder is not None and own and fields.differences(own["config"], whole.config()):
        parts.append(_known_part(folder, "workdir", own, whole, shape))
    for other in reused:
        record = results.load_record(other)
        if record is None:
            raise ConfigError([f"reuse={other}: no results are there"])
        part = _known_part(other, "reuse", record, whole, shape)
        if part is None:
            differing = fields.differences(record["config"], whole.config())
            raise ConfigError([f"reuse={other}: it holds no part of this sweep ({differing})"])
        parts.append(part)
    return Known(tuple(filter(None, parts)))


def _known_part(
    folder: Path, option: str, record: Record, whole: Experiment, shape: Shape
) -> KnownPart | None:
    """The results of a part of a sweep in a folder; None if they are of something else."""
    part, place = part_of(record["config"], whole), f"{option}={folder}"
    if part is None:
        return None
    _check(place, record, {**code()})
    runs, snapshots = results.read(folder)
    machine = _machine(record)
    trained = dict[int, Training]()
    settings = experiment.recorded(record["config"]).built
    for cohort, program in zip(cohorts.group(settings), record["cohorts"], strict=True):
        if program:  # none, where no run of it is finished
            how = Training(program["engine"], program["runs_at_a_time"], {}, machine)
            trained |= dict.fromkeys(cohort.setting_indices.tolist(), how)
    kept = {"seed": runs, "snapshot_seed": snapshots, "generator_seed": runs}
    places_of_seeds = {
        dim: places([] if data is None or dim not in data else data[dim].values, whole.seeds)
        for dim, data in kept.items()
    }
    return KnownPart(place, record, shape, part, runs, snapshots, trained, places_of_seeds)


def check_made_alike(known: Known, now: Identity) -> None:
    """Raise ConfigError if runs that are known would be others as they are trained now."""
    plain = now.plain()
    for part in known.parts:
        names = ["engine", "device_kind", "processor", *(["devices"] if part.by_xla else [])]
        before = part.record | _machine(part.record)._asdict()
        _check(part.place, before, {name: plain[name] for name in names})


def _check(place: str, record: Record, now: Record) -> None:
    """Raise ConfigError if what a record says of how it was made differs from how it would be."""
    versions = record.get("versions", {})
    before = {name: record.get(name) for name in now}
    if "versions" in now:  # a record has those of more packages
        before["versions"] = {name: versions.get(name) for name in now["versions"]}
    differing = fields.differences(before, now)
    if differing:
        remedy = REMEDY if place.startswith("workdir=") else "leave it out"
        raise ConfigError(
            [
                f"{place}: a part of this sweep is there, but was trained in another way, "
                f"which may round numbers differently ({differing}); {remedy}"
            ]
        )


def _machine(record: Record) -> Machine:
    """The machine that has trained; where there were several, one that stands for none."""
    machines = [Machine(*(each[name] for name in Machine._fields)) for each in record["machines"]]
    kinds = {(each.processor, each.device_kind) for each in machines}
    return machines[0] if len(kinds) == 1 else Machine("several", "several", "several")
