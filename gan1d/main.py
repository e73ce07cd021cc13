r"""Train every GAN of a sweep, judge them, and leave a results folder with tables and figures.

    python -m gan1d.main --config=configs/sweep.py
    python -m gan1d.main --config=configs/sweep.py --dry_run
    python -m gan1d.main --config=configs/aylien.py:2016 --seeds=0:1 --animation
    python -m gan1d.main --config=configs/sweep.py --seeds=128:256 --workdir=results/again
    python -m gan1d.main --config=configs/sweep.py --config.steps=1000 --workdir=results/short
    python -m gan1d.main --config=configs/sweep.py \
        --sweep=discriminator.optimizer.rate=1e-3,3e-3 --sweep="training.batch_size=8,16"
    python -m gan1d.main --config=configs/sweep.py --seeds=0:2048 --until=5
    python -m gan1d.main --config=configs/sweep.py --shard=3/8

A sweep that was stopped, in whatever way, goes on when the same command is given again, and one
that has grown, by more seeds or values, trains only what is new; --reuse takes over what other
folders have of it. With --until only as many of its seeds are trained as tell the effects on
success to so many points, by 95% intervals. With --shard a process trains a part only, on any
machine that shares the results folder: launch.local and launch.slurm start the shards of a sweep
and merge what they leave. Figures can be drawn again with `python -m gan1d draw results/NAME`, and
the report be written with `python -m gan1d report`; `python -m gan1d results` verifies, describes
and exports what is there.
"""

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from gan1d.commands import options, shell
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.sweep.shards import Shard, parse

# What needs JAX, xarray or matplotlib is imported where it is used: help and refusals need none.
if TYPE_CHECKING:
    from gan1d.sweep.layout import Choices, Layout

_OVERWRITE = flags.DEFINE_bool(
    "overwrite", False, "Begin anew, and replace what the results folder holds."
)
_PARTIAL = flags.DEFINE_bool(
    "partial", False, "Train nothing more: make results of the runs that are finished."
)
_DEVICES = flags.DEFINE_integer(
    "devices", None, "Devices to use; default all GPUs, else all cores."
)
_SHARD = flags.DEFINE_string(
    "shard", None, "Train one of N parts of the sweep only: I/N, from 0/N to N-1/N."
)
_REUSE = flags.DEFINE_multi_string(
    "reuse",
    [],
    "A results folder whose runs of this sweep are taken over instead of trained, repeatable; what "
    "--workdir has of it is taken over in any case.",
)
_UNTIL = flags.DEFINE_float(
    "until",
    None,
    "Train batches of the seeds until every main effect on success (where settings are no product: "
    "every difference from the first; of one setting: its rate) is known to +- so many points.",
    lower_bound=0.1,
    upper_bound=50.0,
)
flags.adopt_module_key_flags(options)


def main(argv: list[str]) -> int:
    """Resolve, check, train, publish; returns the exit code."""
    experiment, folder = options.experiment_and_folder(argv)
    shard = None if _SHARD.value is None else parse(_SHARD.value)
    _check_flags(shard)
    if options.DRY_RUN.value:
        print(_dry_run(experiment, folder, shard))
        return 0
    if not _OVERWRITE.value and _say_that_all_is_there(experiment, folder):
        return 0
    try:
        return _train(experiment, folder, shard)
    except ConfigError:  # refused: what is there is not this sweep's, or not ours alone
        raise
    except BaseException:
        if not _PARTIAL.value:
            _say_how_to_go_on(folder)
        raise


def _check_flags(shard: Shard | None) -> None:
    """Refuse what makes no sense together."""
    problems = []
    if _OVERWRITE.value and _PARTIAL.value:
        problems.append("partial: there is nothing left of what is overwritten; give one of them")
    if shard is not None and (_OVERWRITE.value or _PARTIAL.value):
        flag = "overwrite" if _OVERWRITE.value else "partial"
        problems.append(f"{flag}: not for a shard, which has the folder not for itself; leave out")
    if shard is None and options.MIXED.value:
        problems.append("mixed: for shards only; give --shard=I/N as well, or leave it out")
    fixed = {"shard": shard is not None, "partial": _PARTIAL.value, "reuse": bool(_REUSE.value)}
    for flag, given in fixed.items():
        if _UNTIL.value is not None and given:
            problems.append(f"until: not with --{flag}, for which seeds are fixed; give one")
    if _REUSE.value and _PARTIAL.value:
        problems.append("reuse: nothing is taken over with --partial; give one of them")
    if problems:
        raise ConfigError(problems)


def _choices(shard: Shard | None) -> "Choices":
    """What flags choose of the layout."""
    from gan1d.sweep.layout import Choices

    return Choices(
        devices=_DEVICES.value,
        block_size=options.BLOCK_SIZE.value,
        engine=options.ENGINE.value,
        mixed=options.MIXED.value,
        shards=None if shard is None else shard.count,
    )


def _say_that_all_is_there(experiment: Experiment, folder: Path) -> bool:
    """Whether a folder has the whole sweep's results already, which are then shown."""
    from gan1d.report import figures, tables
    from gan1d.sweep.contents import results_without_a_lock

    runs = results_without_a_lock(experiment, folder)
    if runs is None:
        return False
    print(tables.table(tables.summary(runs), runs))
    print(f"\n{folder} holds this sweep already; --overwrite trains it again.")
    print(f"Report: python -m gan1d report {folder}")
    print(f"Figures: python -m gan1d draw {folder} --kind={'|'.join(figures.KINDS)}")
    return True


def _train(experiment: Experiment, folder: Path, shard: Shard | None) -> int:
    """Train what is asked for, or put together what has been trained; returns the exit code."""
    from gan1d.sweep import api
    from gan1d.sweep.cohorts import Sweep
    from gan1d.system import progress

    sweep, choices, report = Sweep(experiment), _choices(shard), progress.reporter
    reused = list(map(Path, _REUSE.value))
    if shard is not None:
        count = api.train_shard(sweep, folder, shard, choices, report=report, reused=reused)
        print(f"Shard {shard}: all of its {count} runs are finished, in {folder}")
        return 0
    kinds, overrides = options.kinds(), options.overrides()
    if _PARTIAL.value:
        published = api.merge(sweep, folder, partial=True, kinds=kinds, overrides=overrides)
    elif _UNTIL.value is not None:
        from gan1d.sweep.until import train_until

        published, told = train_until(
            _UNTIL.value,
            sweep,
            folder,
            choices,
            report=report,
            overwrite=_OVERWRITE.value,
            kinds=kinds,
            overrides=overrides,
        )
        print(f"{told}\n")
    else:
        published = api.train_and_publish(
            sweep,
            folder,
            choices,
            report=report,
            overwrite=_OVERWRITE.value,
            kinds=kinds,
            overrides=overrides,
            reused=reused,
        )
    return options.say_what_is_there(published, folder)


def _say_how_to_go_on(folder: Path) -> None:
    """After an interrupt or an error: how to get at what is kept."""
    from gan1d.results import blocks

    if not blocks.listed(folder):
        return
    ours = re.compile("--?(no)?(overwrite|partial)(=.*)?")
    arguments = [argument for argument in sys.orig_argv[1:] if not ours.fullmatch(argument)]
    again = shlex.join(["python", *arguments])
    print(f"Finished blocks are kept in {folder}. To go on from there: {again}", file=sys.stderr)
    if _SHARD.value is None:
        print(f"For results of what is finished, as it is: {again} --partial", file=sys.stderr)


def _dry_run(experiment: Experiment, folder: Path, shard: Shard | None) -> str:
    """What would be run, in words."""
    from gan1d.sweep import api
    from gan1d.sweep.cohorts import Sweep
    from gan1d.sweep.contents import Contents, look
    from gan1d.system import switches

    nothing = Contents(folder, experiment, None)
    there = nothing if _OVERWRITE.value else look(experiment, folder)
    with switches.pinned():
        layout = api.layout_in(there, Sweep(experiment), _choices(shard))
        return _described(layout, folder, shard)


def _described(layout: "Layout", folder: Path, shard: Shard | None) -> str:
    """A layout in words, without compiling or training anything."""
    from gan1d.sweep.layout import block_bytes, result_bytes

    sweep, blocks = layout.sweep, layout.blocks
    labels, schedule = sweep.experiment.labels, sweep.experiment.schedule
    seeds, steps, runs = len(sweep.experiment.seeds), schedule.steps, sweep.run_count
    more = [f"  ... and {len(labels) - 50} more"] if len(labels) > 50 else []
    part = []
    if shard is not None:
        numbers = blocks.cut(shard.count)[shard.index]
        part = [f"shard {shard}: {len(numbers)} of these blocks, {blocks.runs_of(numbers)} runs"]
    return "\n".join(
        [
            f"{len(labels)} settings:",
            *(f"  {label}" for label in labels[:50]),
            *more,
            f"runs: {len(labels)} settings x {seeds} seeds = {runs}",
            f"work: {runs} runs x {steps} updates = {runs * steps:.3g} GAN updates",
            f"cohorts: {len(sweep.cohorts)}, each one compiled program",
            f"blocks: {blocks.count} of up to {blocks.size} runs",
            *part,
            f"devices: {len(layout.devices)} x {layout.devices[0].device_kind}",
            f"memory, estimated: {block_bytes(layout) / 2**20:.0f} MiB to train a block, "
            f"{result_bytes(sweep) / 2**20:.1f} MiB for all results",
            f"results: {folder}",
        ]
    )


COMMAND = shell.Command(__name__, main, options.fields_help, options.parse)

if __name__ == "__main__":
    COMMAND.start()
