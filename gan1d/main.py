r"""Train every GAN of a sweep, judge them, and leave a results folder with tables and figures.

    python -m gan1d.main --config=configs/sweep.py
    python -m gan1d.main --config=configs/sweep.py --dry_run
    python -m gan1d.main --config=configs/aylien.py:2016 --seeds=0:1 --animation
    python -m gan1d.main --config=configs/sweep.py --seeds=128:256 --workdir=results/again
    python -m gan1d.main --config=configs/sweep.py --config.steps=1000 --workdir=results/short
    python -m gan1d.main --config=configs/sweep.py \
        --sweep=discriminator.optimizer.rate=1e-3,3e-3 --sweep="training.batch_size=8,16"
    python -m gan1d.main --config=configs/sweep.py --shard=3/8

A sweep that was stopped, in whatever way, goes on when the same command is given again. With
--shard a process trains a part only, on any machine that shares the results folder: launch.local
and launch.slurm start the shards of a sweep and merge what they leave. Figures can be drawn again
with `python -m gan1d draw results/NAME`; `python -m gan1d results` verifies, describes and
exports what is there.
"""

import functools
import re
import shlex
import sys
from pathlib import Path

from absl import flags

from gan1d.commands import options, shell
from gan1d.config import experiment
from gan1d.report import figures, tables
from gan1d.results import blocks
from gan1d.sweep import api, layout, shards
from gan1d.sweep.shards import Shard
from gan1d.system import progress

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
flags.adopt_module_key_flags(options)


def main(argv: list[str]) -> int:
    """Resolve, check, train, publish; returns the exit code."""
    declared, folder = options.declared(argv)
    shard = None if _SHARD.value is None else shards.parse(_SHARD.value)
    _check_flags(shard)
    overwrite, count = _OVERWRITE.value, shard and shard.count
    asked = _DEVICES.value, options.BLOCK_SIZE.value, options.ENGINE.value
    how = {"overwrite": overwrite, "shards": count, "mixed": options.MIXED.value}
    where = api.choose_layout(declared, folder, *asked, **how)
    if options.DRY_RUN.value:
        print(_dry_run(declared, where, folder, shard))
        return 0
    previous = api.check_folder(declared, folder, overwrite=overwrite)
    if previous is not None:
        print(tables.table(tables.summary(previous)))
        print(f"\n{folder} holds this sweep already; --overwrite trains it again.")
        print(f"Figures: python -m gan1d draw {folder} --kind={'|'.join(figures.KINDS)}")
        return 0
    told = {"kinds": options.kinds(), "overrides": options.overrides()}
    if _PARTIAL.value:
        return options.say_what_is_there(api.merge(declared, folder, partial=True, **told), folder)
    try:
        if shard is not None:
            count = api.train_shard(declared, where, folder, shard, report=progress.reporter)
            print(f"Shard {shard}: all of its {count} runs are finished, in {folder}")
            return 0
        told |= {"report": progress.reporter, "overwrite": overwrite}
        runs = api.train_and_publish(declared, where, folder, **told)
    except experiment.ConfigError:  # refused: what is there is not this sweep's, or not ours alone
        raise
    except BaseException:
        _say_how_to_go_on(folder)
        raise
    return options.say_what_is_there(runs, folder)


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
    if problems:
        raise experiment.ConfigError(problems)


def _say_how_to_go_on(folder: Path) -> None:
    """After an interrupt or an error: how to get at what is kept."""
    if not (folder / blocks.FOLDER).exists():
        return
    ours = re.compile("--?(no)?(overwrite|partial)(=.*)?")
    kept = [argument for argument in sys.orig_argv[1:] if not ours.fullmatch(argument)]
    again = shlex.join(["python", *kept])
    print(f"Finished blocks are kept in {folder}. To go on from there: {again}", file=sys.stderr)
    if _SHARD.value is None:
        print(f"For results of what is finished, as it is: {again} --partial", file=sys.stderr)


def _dry_run(
    declared: experiment.Experiment, where: layout.Layout, folder: Path, shard: Shard | None
) -> str:
    """What would be run, in words."""
    size = layout.estimate(declared, where)
    steps, labels = declared.schedule.steps, declared.labels
    updates = size.runs * steps
    more = [f"  ... and {len(labels) - 50} more"] if len(labels) > 50 else []
    part = []
    if shard is not None:
        numbers = shards.cut(declared, where.block_size, shard.count)[shard.index]
        runs = layout.runs_of(declared, where.block_size, numbers)
        part = [f"shard {shard}: {len(numbers)} of these blocks, {runs} runs"]
    return "\n".join(
        [
            f"{len(labels)} settings:",
            *(f"  {label}" for label in labels[:50]),
            *more,
            f"runs: {len(labels)} settings x {len(declared.seeds)} seeds = {size.runs}",
            f"work: {size.runs} runs x {steps} updates = {updates:.3g} GAN updates",
            f"cohorts: {size.cohorts}, each one compiled program",
            f"blocks: {size.blocks} of up to {where.block_size} runs",
            *part,
            f"devices: {len(where.devices)} x {where.devices[0].device_kind}",
            f"memory, estimated: {size.block_bytes / 2**20:.0f} MiB to train a block, "
            f"{size.result_bytes / 2**20:.1f} MiB for all results",
            f"results: {folder}",
        ]
    )


def usage() -> str:
    """What the command's help says."""
    return f"{__doc__}\n{options.fields_help()}"


def start(argv: list[str] | None = None) -> None:
    """Run the command to its end."""
    shell.start(__name__, functools.partial(options.run, main), usage, argv, options.parse)


if __name__ == "__main__":
    start()
