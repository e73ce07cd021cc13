"""Following shards, and merging what they leave: the same for whatever runs them."""

from collections.abc import Callable
from pathlib import Path

from absl import flags

from gan1d.commands import options
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.sweep import api
from launch import batch, states
from launch.batch import Batch
from launch.states import Told

_ALLOW_PARTIAL = flags.DEFINE_bool(
    "allow_partial", False, "merge: even if runs are missing; the results say which."
)
flags.adopt_module_key_flags(batch)

Ask = Callable[[Batch], dict[int, Told]]  # what a scheduler says of each shard that it knows


def is_merged(declared: Experiment, folder: Path) -> bool:
    """Whether a folder has the results of the whole sweep, which is then said.

    Raises:
      ConfigError, ResultsError: as `api.check_folder`.
    """
    merged = api.check_folder(declared, folder, overwrite=False) is not None
    if merged:
        print(f"{folder} holds the results of this sweep, of all its shards.")
    return merged


def begun(declared: Experiment, folder: Path) -> Batch:
    """The batch that a results folder keeps.

    Raises:
      ConfigError: none was started, or one of another sweep.
    """
    made = batch.begun(declared, folder)
    if made is None or not made.submissions:
        raise ConfigError([f"workdir={folder}: no shards were started here; start them first"])
    return made


def check_dry_run(verb: str, *, honoured: bool) -> None:
    """Raise ConfigError if a verb that would not care is given --dry_run."""
    if options.DRY_RUN.value and not honoured:
        raise ConfigError([f"dry_run: {verb} has none; leave it out"])


def nobody(_: Batch) -> dict[int, Told]:
    """What is said of shards where no scheduler can be asked."""
    return {}


def status(declared: Experiment, folder: Path, ask: Ask = nobody) -> int:
    """Say how far shards are; returns the exit code."""
    if not is_merged(declared, folder):
        made = begun(declared, folder)
        print(states.table(made, states.states(made, ask(made))))
    return 0


def merge(declared: Experiment, folder: Path, ask: Ask = nobody) -> int:
    """Make results of what shards have left; returns the exit code.

    A scheduler is asked only where blocks are missing.
    """
    if is_merged(declared, folder):
        return 0
    made, partial = batch.begun(declared, folder), _ALLOW_PARTIAL.value
    if made is not None and not partial:
        found = states.states(made, {})
        if any(state.word != states.DONE for state in found):
            print(states.table(made, states.states(made, ask(made))))
    runs = api.merge(
        declared,
        folder,
        partial=partial,
        kinds=options.kinds(),
        overrides=options.overrides(),
    )
    return options.say_what_is_there(runs, folder)
