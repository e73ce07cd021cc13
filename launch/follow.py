"""Following shards, and merging what they leave: the same for whatever runs them."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from gan1d.commands import options
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.sweep.contents import look, results_without_a_lock
from launch import batch as batches
from launch import states
from launch.batch import Batch, of_folder
from launch.states import JobState

# What needs JAX is imported where it is used: help and refusals need none.
if TYPE_CHECKING:
    from gan1d.sweep.cohorts import Sweep

_ALLOW_PARTIAL = flags.DEFINE_bool(
    "allow_partial", False, "merge: even if runs are missing; the results say which."
)
flags.adopt_module_key_flags(batches)

Ask = Callable[[Batch], dict[int, JobState]]  # what a scheduler says of each shard it knows


def is_merged(experiment: Experiment, folder: Path) -> bool:
    """Whether a folder has the results of the whole sweep, which is then said.

    Raises:
      ConfigError, ResultsError: as `contents.results_of`.
    """
    merged = results_without_a_lock(experiment, folder) is not None
    if merged:
        print(f"{folder} holds the results of this sweep, of all its shards.")
    return merged


def started(experiment: Experiment, folder: Path) -> Batch:
    """The batch that a results folder keeps.

    Raises:
      ConfigError: none was started, or one of another sweep.
    """
    from gan1d.sweep.cohorts import Sweep

    batch = of_folder(look(experiment, folder), Sweep(experiment))
    if batch is None or not batch.submissions:
        raise ConfigError([f"workdir={folder}: no shards were started here; start them first"])
    return batch


def check_dry_run(verb: str, *, honoured: bool) -> None:
    """Raise ConfigError if a verb that would not care is given --dry_run."""
    if options.DRY_RUN.value and not honoured:
        raise ConfigError([f"dry_run: {verb} has none; leave it out"])


def nobody(_: Batch) -> dict[int, JobState]:
    """What is said of shards where no scheduler can be asked."""
    return {}


def status(experiment: Experiment, folder: Path, ask: Ask = nobody) -> int:
    """Say how far shards are; returns the exit code."""
    if not is_merged(experiment, folder):
        batch = started(experiment, folder)
        print(states.table(batch, states.states(batch, ask(batch))))
    return 0


def merge(experiment: Experiment, folder: Path, ask: Ask = nobody) -> int:
    """Make results of what shards have left; returns the exit code."""
    from gan1d.sweep.cohorts import Sweep

    if is_merged(experiment, folder):
        return 0
    sweep = Sweep(experiment)
    return merge_batch(of_folder(look(experiment, folder), sweep), sweep, folder, ask)


def merge_batch(batch: Batch | None, sweep: "Sweep", folder: Path, ask: Ask = nobody) -> int:
    """As `merge`, of a batch that is known; None where a folder keeps none.

    A scheduler is asked only where blocks are missing.
    """
    from gan1d.sweep import api

    partial = _ALLOW_PARTIAL.value
    if batch is not None and not partial:
        now = states.states(batch, {})
        if any(state.word != states.DONE for state in now):
            print(states.table(batch, states.states(batch, ask(batch))))
    kinds, overrides = options.kinds(), options.overrides()
    published = api.merge(sweep, folder, partial=partial, kinds=kinds, overrides=overrides)
    return options.say_what_is_there(published, folder)
