"""What a results folder holds of a sweep: found out once, under the folder's lock, and handed on.

A folder is empty, or has been begun for this sweep or for another one (`blocks/plan.json`), or has
results of this sweep or of another one (`config.json`), or both: results stay while they are being
replaced.
"""

import contextlib
import dataclasses
from pathlib import Path

import xarray as xr

from gan1d import results
from gan1d.config import fields
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.gan import register
from gan1d.results import ResultsError, blocks
from gan1d.sweep import parts
from gan1d.sweep.provenance import Identity, Plan

# What publishing replaces, and overwriting removes.
WRITTEN = ("runs.nc", "config.json", "summary.csv", "summary.md", "report.html", "figures")
REMEDY = "choose another folder (workdir), or replace what it holds (overwrite)"


@dataclasses.dataclass(frozen=True)
class Contents:
    """What a results folder holds, with a view to a sweep."""

    folder: Path
    experiment: Experiment
    plan: Plan | None  # None where there is none, or none that can be read
    plan_problem: str = ""  # why plan.json can't be read

    @property
    def own_identity(self) -> Identity | None:
        """The identity of this sweep, if it has been begun here."""
        plan = self.plan
        return plan.identity if plan and plan.identity.is_of(self.experiment) else None

    def complete(self) -> xr.Dataset | None:
        """The sweep's results, unless they aren't there, or are being made anew.

        Raises:
          ConfigError: it holds another sweep's.
          ResultsError: they are damaged.
        """
        return None if self.own_identity else results_of(self.experiment, self.folder)


def look(experiment: Experiment, folder: Path) -> Contents:
    """Look into a folder, which should have been locked for what is then decided to hold."""
    try:
        plan = blocks.load_plan(folder)
        return Contents(folder, experiment, None if plan is None else Plan.of_plain(plan))
    except ResultsError as problem:
        return Contents(folder, experiment, None, str(problem))


def refuse_others(folder: Path) -> None:
    """Raise ConfigError if what would be replaced in a folder is not gan1d's.

    What has the name of a file of results is gan1d's beside a record or blocks of it, if it lies in
    the folder: a link would lead elsewhere.
    """
    named = [folder / name for name in (*WRITTEN, blocks.FOLDER)]
    there = [path for path in named if path.is_symlink()]
    if not there and results.load_record(folder) is None and not blocks.listed(folder):
        plan = folder / blocks.FOLDER / blocks.PLAN
        there = [] if plan.exists() else [path for path in named[:-1] if _holds_anything(path)]
    if there:
        what = "a link" if there[0].is_symlink() else "not gan1d's"
        raise ConfigError(
            [f"workdir={folder}: {there[0].name} is {what}, and would be lost; move it elsewhere"]
        )


def _holds_anything(path: Path) -> bool:
    return any(path.iterdir()) if path.is_dir() else path.exists()


def results_of(experiment: Experiment, folder: Path) -> xr.Dataset | None:
    """A sweep's own results in a folder, if all of its runs are in them; None of a part of it.

    Raises:
      ConfigError: it holds another sweep's.
      ResultsError: they are damaged.
    """
    record = results.load_record(folder)
    if record is None and (folder / "runs.nc").exists():
        raise ConfigError(
            [f"workdir={folder}: its runs.nc has no config.json; choose another folder"]
        )
    if record is None:
        return None
    # What a registered function has become is another sweep, though it has the same name.
    differing = fields.differences(
        record["config"] | {"registered": record.get("registered", {})},
        experiment.config() | {"registered": register.sources()},
    )
    # It has grown where its config alone differs.
    alone = differing == fields.differences(record["config"], experiment.config())
    if differing and alone and parts.part_of(record["config"], experiment) is not None:
        return None
    if differing:
        raise ConfigError([f"workdir={folder}: it holds another sweep ({differing}); {REMEDY}"])
    return results.load(folder) if record["complete"] else None


def results_without_a_lock(experiment: Experiment, folder: Path) -> xr.Dataset | None:
    """As `results_of`, for a start that may find that there is nothing to do.

    Nothing is said where there are blocks, of whatever sweep: somebody may be at work on them.

    Raises:
      ConfigError, ResultsError: as `results_of`.
    """
    with contextlib.suppress(OSError):  # reading says what is wrong
        if (folder / blocks.FOLDER).exists() or any(folder.glob(f".{blocks.FOLDER}.*")):
            return None
    return results_of(experiment, folder)
