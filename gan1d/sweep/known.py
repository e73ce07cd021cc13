"""Runs that a sweep has already, where a part of it was trained before: it has grown.

More seeds, values and settings leave what was trained as it is, and thresholds only judge. Such
runs are found in the results of the part, and blocks take them from there. They have the bits of
one sweep where the same code has trained them on the same kind of machine; where it has not, that
is said, and nothing is mixed.
"""

import dataclasses
from collections.abc import Mapping
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
class Known:
    """The runs of a sweep that are in results of a part of it."""

    shape: Shape  # of the whole sweep's results
    part: Part
    runs: xr.Dataset
    snapshots: xr.Dataset | None
    trained: Mapping[int, Training]  # how, by the places of the part's settings
    # Where the whole's seeds are along those dimensions of the part's results that are of seeds.
    seed_places: Mapping[str, np.ndarray]
    devices: int  # that have trained them

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

    def fill(self, block: Block, room: Arrays) -> Training:
        """Fill in the runs of a block that are known; returns how one of them was trained."""
        known = np.setdiff1d(np.arange(block.run_count), self.missing(block))
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


def find_known(folder: Path, whole: Experiment, shape: Shape) -> Known | None:
    """The results of a part of a sweep in a folder, if it holds such.

    Raises:
      ConfigError: other code has made them, so that they can't be gone on with.
      ResultsError: they are damaged.
    """
    record = results.load_record(folder)
    if record is None or not fields.differences(record["config"], whole.config()):
        return None  # what is there of the sweep itself is being made anew
    part = part_of(record["config"], whole)
    if part is None:
        return None
    _check(folder, record, {**code()})
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
    return Known(shape, part, runs, snapshots, trained, places_of_seeds, record["devices"])


def check_made_alike(folder: Path, known: Known, now: Identity) -> None:
    """Raise ConfigError if the runs that a folder holds would be others as they are trained now."""
    record = results.load_record(folder) or {}
    plain = now.plain()
    names = ["engine", "device_kind", "processor"]
    if known.by_xla:
        names.append("devices")
    _check(folder, record | _machine(record)._asdict(), {name: plain[name] for name in names})


def _check(folder: Path, record: Record, now: Record) -> None:
    """Raise ConfigError if what a record says of how it was made differs from how it would be."""
    versions = record.get("versions", {})
    before = {name: record.get(name) for name in now}
    if "versions" in now:  # a record has those of more packages
        before["versions"] = {name: versions.get(name) for name in now["versions"]}
    differing = fields.differences(before, now)
    if differing:
        raise ConfigError(
            [
                f"workdir={folder}: a part of this sweep is there, but was trained in another way, "
                f"which may round numbers differently ({differing}); {REMEDY}"
            ]
        )


def _machine(record: Record) -> Machine:
    """The machine that has trained; where there were several, one that stands for none."""
    machines = [Machine(*(each[name] for name in Machine._fields)) for each in record["machines"]]
    kinds = {(each.processor, each.device_kind) for each in machines}
    return machines[0] if len(kinds) == 1 else Machine("several", "several", "several")
