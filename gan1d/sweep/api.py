"""A sweep in one call: trained, or a shard of it, or merged, and its results in a folder."""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import xarray as xr
from absl import logging

from gan1d import results
from gan1d.config.experiment import ConfigError
from gan1d.report import drawing, figures, page, tables
from gan1d.results import blocks
from gan1d.sweep import locks, loop, store
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.contents import Contents, look, refuse_others, results_of
from gan1d.sweep.known import NOTHING, Known, check_made_alike, find_known
from gan1d.sweep.layout import Blocks, Choices, Layout, check_memory, choose
from gan1d.sweep.locks import Locked, locked
from gan1d.sweep.provenance import ANY, Identity, record
from gan1d.sweep.shards import Shard
from gan1d.sweep.store import OnDisk, Store
from gan1d.system import backend, progress, signals, switches

Draw = Callable[[Path, xr.Dataset, xr.Dataset | None, pd.DataFrame], None]  # a sweep's results
Report = Callable[[int], progress.Silent]  # makes what reports, from a number of updates


class Published(NamedTuple):
    """Results that are in a folder."""

    runs: xr.Dataset
    summary: pd.DataFrame  # what `tables.summary` says of them, for all who show it


def _as_published(runs: xr.Dataset) -> Published:
    """Results that are there already."""
    return Published(runs, tables.summary(runs))


def layout_in(contents: Contents, sweep: Sweep, choices: Choices, known: Known = NOTHING) -> Layout:
    """How a sweep is laid out: as in its folder where it has been begun there, else as it suits.

    Runs that XLA has trained decide on how many devices, as its rounding depends on that.

    Raises:
      ConfigError: it can't be laid out in the way that is asked for.
    """
    identity = contents.own_identity
    if identity is not None:
        choices = dataclasses.replace(
            choices,
            devices=choices.devices or identity.devices,
            block_size=choices.block_size or identity.block_size,
            mixed=choices.mixed or identity.mixed,
        )
    else:
        choices = dataclasses.replace(choices, devices=choices.devices or known.devices)
    return choose(sweep, choices)


@switches.pinned()
def train_and_publish(
    sweep: Sweep,
    folder: Path,
    choices: Choices,
    *,
    report: Report,
    overwrite: bool = False,
    kinds: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
    reused: Sequence[Path] = (),
) -> Published:
    """Train what is missing of a sweep, and write everything about it to a folder.

    Args:
      sweep: the sweep.
      folder: its results folder.
      choices: how it is to be laid out.
      report: makes what reports how far it is, from the number of updates.
      overwrite: replace what the folder holds.
      kinds: of figures; None means those that a sweep shows by itself; of none there is no report
        either.
      overrides: what was given besides the config file, for the record.
      reused: other folders, whose runs of the sweep are taken over.

    Returns:
      The sweep's results; those that the folder has, if they are all there.

    Raises:
      ConfigError: it can't be laid out like that, another process is at work in the folder, or the
        folder holds another sweep.
      ResultsError: results are damaged, or finished blocks were damaged meanwhile.
      WriteError: something can't be written.
      Stopped: by a signal; finished blocks are kept in the folder.
    """
    with locked(folder):
        contents = _looked_into(folder, sweep, overwrite=overwrite)
        runs = None if overwrite else contents.complete()
        if runs is not None:
            return _as_published(runs)
        layout, known = _laid_out(contents, sweep, choices, reused, overwrite=overwrite)
        if overwrite:
            store.discard(folder)
        finished = store.opened(contents, layout.identity, layout.blocks.count)
        with _drawing(kinds) as draw:
            with signals.noted() as noted:
                result = train(layout, report, noted, finished, known)
                if result.unfinished:
                    raise results.ResultsError(
                        f"{folder}: blocks of {result.unfinished} runs were damaged after they had "
                        "been written; give the same command again to train these runs anew"
                    )
                summary = _publish(sweep, folder, result, finished, overrides)
            draw(folder, result.runs, result.snapshots, summary)
    return Published(result.runs, summary)


def _laid_out(
    contents: Contents,
    sweep: Sweep,
    choices: Choices,
    reused: Sequence[Path],
    *,
    overwrite: bool = False,
) -> tuple[Layout, Known]:
    """How a sweep is laid out, and which of its runs its folder has, if it has grown."""
    folder = contents.folder
    own = folder if not overwrite else None
    known = find_known(own, sweep.experiment, sweep.shape, reused)
    layout = layout_in(contents, sweep, choices, known)
    layout = dataclasses.replace(layout, at_a_time=known.at_a_time(sweep.cohorts))
    check_made_alike(known, layout.identity)
    return layout, known


def _looked_into(folder: Path, sweep: Sweep, *, overwrite: bool = False) -> Contents:
    """What a locked folder holds; nothing that counts where that is to be overwritten."""
    store.clear_discarded(folder)
    refuse_others(folder)
    if overwrite:
        return Contents(folder, sweep.experiment, None)
    return look(sweep.experiment, folder)


@switches.pinned()
def train_shard(
    sweep: Sweep,
    folder: Path,
    shard: Shard,
    choices: Choices,
    *,
    report: Report,
    reused: Sequence[Path] = (),
) -> int:
    """Train what is missing of one shard of a sweep; returns how many runs the shard has.

    Its finished blocks are left in the folder, where those of all others are, for `merge`.

    Args:
      sweep: the sweep.
      folder: its results folder.
      shard: which one.
      choices: how the sweep is to be laid out.
      report: makes what reports how far the shard is, from its number of updates.
      reused: other folders, whose runs of the sweep are taken over.

    Raises:
      ConfigError: it can't be laid out like that, there are not so many shards, another process is
        at work on this one or on the whole sweep, or the folder holds another sweep.
      ResultsError: results are damaged.
      WriteError: something can't be written.
      Stopped: by a signal; finished blocks are kept in the folder.
    """
    choices = dataclasses.replace(choices, shards=shard.count)
    with locked(folder, shard.name, locks.SHARD_LOCK_SECONDS):
        refuse_others(folder)
        contents = look(sweep.experiment, folder)
        layout, known = _laid_out(contents, sweep, choices, reused)
        numbers = layout.blocks.cut(shard.count)[shard.index]
        runs = layout.blocks.runs_of(numbers)
        if contents.complete() is not None:
            return runs  # merged meanwhile
        finished = store.opened_in_part(contents, layout.identity, layout.blocks.count, numbers)
        with signals.noted() as noted:
            updates = _begin(sweep, runs)
            attentive = signals.Attentive(report(updates), noted)
            loop.train(layout, numbers, attentive, finished, known=known)
    return runs


@switches.pinned()
def merge(
    sweep: Sweep,
    folder: Path,
    *,
    partial: bool = False,
    kinds: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> Published:
    """Make results of a sweep's finished blocks, whoever has trained them; trains nothing.

    Args:
      sweep: the sweep.
      folder: its results folder.
      partial: even if some are missing, which the results then tell.
      kinds: of figures; None means those that a sweep shows by itself.
      overrides: what was given besides the config file, for the record.

    Returns:
      The sweep's results; those that the folder has, if they are more than its blocks give.

    Raises:
      ConfigError: a process is at work in the folder, its blocks are of another sweep, or this
        machine has not the memory for the results.
      ResultsError: there are none, or some are missing or damaged and `partial` isn't given.
      WriteError: something can't be written.
    """
    check_memory(sweep)
    try:
        with locked(folder):
            return _merge(sweep, folder, partial=partial, kinds=kinds, overrides=overrides)
    except Locked:
        if not partial:  # shards are at work: what is missing says more
            _blocks_of_others(look(sweep.experiment, folder), sweep, partial=False)
        raise


def _merge(
    sweep: Sweep,
    folder: Path,
    *,
    partial: bool,
    kinds: Sequence[str] | None,
    overrides: Sequence[str],
) -> Published:
    """As `merge`, in a folder that is locked."""
    contents = _looked_into(folder, sweep)
    if contents.plan is None and not contents.plan_problem:
        runs = contents.complete()  # another process has merged them meanwhile
        if runs is not None:
            return _as_published(runs)
    of_sweep, identity = _blocks_of_others(contents, sweep, partial=partial)
    # Targets are described as they were for training: by XLA, if that was on GPUs.
    on_cpus = identity.device_kind in ("cpu", ANY)
    layout = Layout(of_sweep, backend.devices(), identity.engine if on_cpus else "xla")
    # Of this machine nothing but its kind may differ from those that have trained.
    finished = store.opened(contents, identity.seen_from_here(sweep.experiment), of_sweep.count)
    result = loop.gather(layout, finished)
    if result.unfinished:
        runs = _complete_despite(contents)
        if runs is not None:
            logging.warning("%s: its results have more runs than its blocks; they stay.", folder)
            return _as_published(runs)
        if not partial:
            raise results.ResultsError(f"{folder}: {result.unfinished} runs are not finished")
        if result.unfinished == sweep.run_count:
            raise results.ResultsError(f"{folder}: no block is finished; there is nothing to show")
    with _drawing(kinds) as draw:
        with signals.noted():
            summary = _publish(sweep, folder, result, finished, overrides)
        draw(folder, result.runs, result.snapshots, summary)
    return Published(result.runs, summary)


def _blocks_of_others(
    contents: Contents, sweep: Sweep, *, partial: bool
) -> tuple[Blocks, Identity]:
    """The blocks that a folder's plan is of, and its identity.

    Raises:
      ResultsError: there are none, or some are missing and `partial` isn't given.
    """
    if contents.plan_problem:
        remedy = "give the command of any shard again, which writes it anew"
        raise results.ResultsError(f"{contents.plan_problem}; {remedy}")
    if contents.plan is None:
        raise results.ResultsError(f"{contents.folder}: no finished blocks here")
    identity = contents.plan.identity
    of_sweep = Blocks(sweep, identity.block_size)
    missing = of_sweep.count - len(blocks.listed(contents.folder))
    if missing > 0 and not partial and contents.own_identity is not None:
        raise results.ResultsError(
            f"{contents.folder}: {missing} of {of_sweep.count} blocks are not finished"
        )
    return of_sweep, identity


def _complete_despite(contents: Contents) -> xr.Dataset | None:
    """The sweep's complete results, if a folder has them besides blocks, and they are whole."""
    try:
        return results_of(contents.experiment, contents.folder)
    except (ConfigError, results.ResultsError):
        return None


def _publish(
    sweep: Sweep, folder: Path, result: loop.Result, finished: OnDisk, overrides: Sequence[str]
) -> pd.DataFrame:
    """Write a sweep's results and tables, and return their summary.

    Of a whole sweep blocks are not needed any more.
    """
    figures.clear(folder)  # of an earlier sweep; not all may be drawn again
    page.clear(folder)
    summary = tables.summary(result.runs)
    texts = {
        "summary.csv": summary.to_csv(index=False),
        "summary.md": f"# {sweep.experiment.name}\n\n{tables.table(summary, result.runs)}\n",
    }
    plain = record(sweep.experiment, finished.plan, result.trained, overrides)
    results.write(folder, result.runs, result.snapshots, plain, texts)
    if not result.unfinished:
        store.discard(folder)
    return summary


def draw(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    kinds: Sequence[str] | None,
) -> None:
    """Draw the figures of results that are asked for and, with any, the report.

    Args:
      folder: where the results are.
      runs: the results.
      snapshots: of their first seeds.
      summary: of the runs.
      kinds: of figures; None means those that a sweep shows by itself.
    """
    with _drawing(kinds) as own:
        own(folder, runs, snapshots, summary)


@contextlib.contextmanager
def _drawing(kinds: Sequence[str] | None) -> Iterator[Draw]:
    """What draws as `draw` does; helpers of it get ready at once."""
    chosen = figures.SHOWN if kinds is None else kinds
    if not chosen:
        yield lambda *results: None
        return
    with drawing.ready(len(chosen) + 1, page.IMPORTED) as helpers:
        yield functools.partial(drawing.publish, kinds=chosen, helpers=helpers)


def written(folder: Path) -> list[str]:
    """What is in a results folder, in the order of interest."""
    names = [page.NAME, "summary.md", "summary.csv", "runs.nc", "config.json"]
    return [name for name in names if (folder / name).exists()] + [
        str(path.relative_to(folder)) for path in sorted(folder.glob("figures/*"))
    ]


def train(
    layout: Layout,
    report: Report,
    noted: list[int],
    finished: Store,
    known: Known = NOTHING,
) -> loop.Result:
    """Train what is missing of a sweep, until a signal is noted; as `loop.run`."""
    updates = _begin(layout.sweep, layout.sweep.run_count)
    return loop.run(layout, signals.Attentive(report(updates), noted), finished, known=known)


def _begin(sweep: Sweep, runs: int) -> int:
    """Get ready to train so many runs; returns how many updates these are."""
    steps = sweep.experiment.schedule.steps
    backend.enable_compilation_cache()
    logging.info("%d GANs, %d updates each", runs, steps)
    return runs * steps
