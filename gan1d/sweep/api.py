"""A sweep in one call: from a config to a Dataset, or to a results folder."""

import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from absl import logging

from gan1d import results
from gan1d.config import experiment, fields
from gan1d.config.experiment import ConfigError, Experiment
from gan1d.report import figures, tables
from gan1d.results import blocks
from gan1d.sweep import layout, loop, shards, store
from gan1d.sweep.layout import Layout
from gan1d.sweep.shards import Shard
from gan1d.system import backend, hardware, progress, signals


def run(
    config: Any,
    *,
    name: str = "sweep",
    workdir: str | Path | None = None,
    devices: int | None = None,
    block_size: int | None = None,
    engine: str = "auto",
    overwrite: bool = False,
) -> xr.Dataset:
    """Train and judge every GAN of a config; for notebooks.

    >>> data = gan1d.run({"steps": 1000, "sweep": ["tricks.minibatch=off,replace"]})

    Args:
      config: a ConfigDict such as `experiment.default_config()`, or a dict of fields, by nested or
        by dotted names; fields that are left out have their defaults.
      name: the sweep's name in figures.
      workdir: where to leave results and figures; None keeps them in memory only.
      devices: how many devices to use; None means all.
      block_size: runs trained at a time; None chooses.
      engine: "lanes", native code for CPUs; "xla", which runs anywhere; or "auto", lanes where it
        can and pays.
      overwrite: replace what `workdir` holds.

    Returns:
      The runs, as documented in `results`. Interrupted, it returns what had finished (the variable
      `finished` tells); with a `workdir` it raises, and the same call goes on from there.

    Raises:
      ConfigError: the config can't be run, or `workdir` holds another sweep.
      WriteError: something can't be written to `workdir`.
      KeyboardInterrupt: interrupted before a block had finished, or with a `workdir`.
    """
    declared = experiment.resolve(config, name)
    if workdir is None:
        return _in_memory(declared, layout.choose(declared, devices, block_size, engine))
    folder = Path(workdir)
    where = choose_layout(declared, folder, devices, block_size, engine, overwrite=overwrite)
    previous = check_folder(declared, folder, overwrite=overwrite)
    if previous is not None:
        return previous
    return train_and_publish(declared, where, folder, report=progress.reporter, overwrite=overwrite)


def _in_memory(declared: Experiment, where: Layout) -> xr.Dataset:
    """Train a sweep that leaves nothing on disk."""
    kept = store.InMemory()
    try:
        with signals.noted() as noted:
            return _train(declared, where, progress.reporter, noted, kept).runs
    except KeyboardInterrupt:
        if not kept.blocks:
            raise
    return loop.gather(declared, where, kept).runs


def choose_layout(
    declared: Experiment,
    folder: Path,
    devices: int | None,
    block_size: int | None,
    engine: str,
    *,
    overwrite: bool,
    shards: int | None = None,
    mixed: bool = False,
) -> Layout:
    """How a sweep is laid out: as in its folder where it has been begun there, else as it suits.

    `shards` says how many it is cut into; None means that this process trains all of it. `mixed`
    lets machines of different kinds take part, which round differently.

    Raises:
      ConfigError: it can't be laid out in the way that is asked for.
    """
    begun = None if overwrite else begun_as(declared, folder)
    if begun is not None:
        devices, block_size = devices or begun["devices"], block_size or begun["block_size"]
        mixed = mixed or begun["processor"] == store.ANY
    return layout.choose(declared, devices, block_size, engine, shards)._replace(mixed=mixed)


def begun_as(declared: Experiment, folder: Path) -> dict[str, Any] | None:
    """The identity of this sweep as it has been begun in a folder, or None."""
    try:
        plan = blocks.load_plan(folder)
    except results.ResultsError:
        return None  # said, and dealt with, when the blocks are opened
    same = plan is not None and plan["identity"]["config"] == declared.config()
    return plan["identity"] if same else None


def check_folder(declared: Experiment, folder: Path, *, overwrite: bool) -> xr.Dataset | None:
    """Make sure that a folder holds no other sweep; the sweep's own results if they are all there.

    Raises:
      ConfigError: the folder holds another sweep.
      ResultsError: it holds results that are damaged.
    """
    if overwrite or begun_as(declared, folder) is not None:
        return None
    record = results.load_record(folder)
    if record is None and (folder / "runs.nc").exists():
        raise ConfigError(
            [f"workdir={folder}: its runs.nc has no config.json; choose another folder"]
        )
    if record is None:
        return None
    differing = fields.differences(record["config"], declared.config())
    if differing:
        raise ConfigError(
            [f"workdir={folder}: it holds another sweep ({differing}); {store.REMEDY}"]
        )
    return results.load(folder) if record["complete"] else None


def train_and_publish(
    declared: Experiment,
    where: Layout,
    folder: Path,
    *,
    report: Callable[[int], progress.Silent],
    overwrite: bool = False,
    kinds: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> xr.Dataset:
    """Train what is missing of a sweep, and write everything about it to a folder.

    Args:
      declared: the sweep.
      where: how it is laid out.
      folder: its results folder, as `check_folder` lets pass.
      report: makes what is told how far it is, from the number of updates.
      overwrite: replace what the folder holds.
      kinds: of figures; None means all but animations.
      overrides: what was given besides the config file, for the record.

    Returns:
      The sweep's runs.

    Raises:
      ConfigError: another process is at work in the folder, or it holds blocks of another sweep.
      ResultsError: finished blocks were damaged meanwhile.
      WriteError: something can't be written.
      Stopped: by a signal; finished blocks are kept in the folder.
    """
    with store.locked(folder):
        count = layout.count_blocks(declared, where.block_size)
        made = identity(declared, where)
        kept = store.opened(folder, made, count, anew=overwrite)
        with signals.noted() as noted:
            result = _train(declared, where, report, noted, kept)
            if result.unfinished:
                raise results.ResultsError(
                    f"{folder}: blocks of {result.unfinished} runs were damaged after they had "
                    "been written; give the same command again to train these runs anew"
                )
            _publish(declared, folder, result, _record(declared, made, result, kept, overrides))
        _draw(folder, result, kinds)
    return result.runs


def train_shard(
    declared: Experiment,
    where: Layout,
    folder: Path,
    shard: Shard,
    *,
    report: Callable[[int], progress.Silent],
) -> int:
    """Train what is missing of one shard of a sweep; returns how many runs the shard has.

    Its finished blocks are left in the folder, where those of all others are, for `merge`.

    Args:
      declared: the sweep.
      where: how it is laid out.
      folder: its results folder, as `check_folder` lets pass.
      shard: which one.
      report: makes what is told how far the shard is, from its number of updates.

    Raises:
      ConfigError: there are not so many shards, another process is at work on this one or on the
        whole sweep, or the folder holds blocks of another sweep.
      WriteError: something can't be written.
      Stopped: by a signal; finished blocks are kept in the folder.
    """
    numbers = shards.cut(declared, where.block_size, shard.count)[shard.index]
    runs = layout.runs_of(declared, where.block_size, numbers)
    count = layout.count_blocks(declared, where.block_size)
    with store.locked(folder, shard.name, store.SHARD_LOCK_SECONDS):
        if check_folder(declared, folder, overwrite=False) is not None:
            return runs  # merged meanwhile
        kept = store.opened_in_part(folder, identity(declared, where), count, numbers)
        with signals.noted() as noted:
            _begin(declared, runs)
            attentive = signals.Attentive(report(runs * declared.schedule.steps), noted)
            loop.train(declared, where, numbers, attentive, kept)
    return runs


def merge(
    declared: Experiment,
    folder: Path,
    *,
    partial: bool = False,
    kinds: Sequence[str] | None = None,
    overrides: Sequence[str] = (),
) -> xr.Dataset:
    """Make results of a sweep's finished blocks, whoever has trained them; trains nothing.

    Args:
      declared: the sweep.
      folder: its results folder.
      partial: even if some are missing, which the results then tell.
      kinds: of figures; None means all but animations.
      overrides: what was given besides the config file, for the record.

    Returns:
      The sweep's runs.

    Raises:
      ConfigError: a process is at work in the folder, its blocks are of another sweep, or this
        machine has not the memory for the results.
      ResultsError: there are none, or some are missing or damaged and `partial` isn't given.
      WriteError: something can't be written.
    """
    layout.check_memory(declared)
    begun = _begun_by_others(folder)
    count = layout.count_blocks(declared, begun["block_size"])
    missing = count - len(blocks.listed(folder))
    # Before anything is locked, or read: shards may be at work.
    if missing > 0 and not partial and begun["config"] == declared.config():
        raise results.ResultsError(f"{folder}: {missing} of {count} blocks are not finished")
    with store.locked(folder):
        # Of this machine nothing but its kind may differ from those that have trained.
        ours = begun | {
            "config": declared.config(),
            "versions": hardware.versions(),
            "source": hardware.source(),
        }
        # Targets are described as they were for training: by XLA, if that was on GPUs.
        on_cpus = begun["device_kind"] in ("cpu", store.ANY)
        engine = begun["engine"] if on_cpus else "xla"
        where = Layout(backend.devices(), begun["block_size"], engine)
        kept = store.opened(folder, ours, count, anew=False)
        result = loop.gather(declared, where, kept)
        if result.unfinished and not partial:
            raise results.ResultsError(f"{folder}: {result.unfinished} runs are not finished")
        with signals.noted():
            _publish(declared, folder, result, _record(declared, begun, result, kept, overrides))
        _draw(folder, result, kinds)
    return result.runs


def _begun_by_others(folder: Path) -> dict[str, Any]:
    """The identity of the blocks in a folder."""
    try:
        plan = blocks.load_plan(folder)
    except results.ResultsError as problem:
        remedy = "give the command of any shard again, which writes it anew"
        raise results.ResultsError(f"{problem}; {remedy}") from None
    if plan is None:
        raise results.ResultsError(f"{folder}: no finished blocks here")
    return plan["identity"]


def identity(declared: Experiment, where: Layout) -> dict[str, Any]:
    """All that the numbers of a sweep depend on."""
    any_machine = dict.fromkeys(store.MACHINE, store.ANY) if where.mixed else {}
    return {
        "config": declared.config(),
        "engine": where.engine,
        "block_size": where.block_size,
        "devices": len(where.devices),
        "device_kind": where.devices[0].device_kind,
        "processor": hardware.processor(),
        "versions": hardware.versions(),
        "source": hardware.source(),
    } | any_machine


def _record(
    declared: Experiment,
    begun: dict[str, Any],
    result: loop.Result,
    kept: store.OnDisk,
    overrides: Sequence[str],
) -> dict[str, Any]:
    """What config.json says of a sweep that was begun with an identity."""
    return {
        "name": declared.name,
        "config": declared.config(),
        "overrides": list(overrides),
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "started": kept.started,
        "finished": store.now(),
        "complete": not result.unfinished,
        "block_size": begun["block_size"],
        "devices": begun["devices"],
        "machines": result.machines,
        "cohorts": result.cohorts,
        "seconds": result.seconds,
        **hardware.provenance(),
    }


def _publish(
    declared: Experiment, folder: Path, result: loop.Result, record: dict[str, Any]
) -> None:
    """Write a sweep's results and tables; of a whole one blocks are not needed any more."""
    figures.clear(folder)  # of an earlier sweep; not all may be drawn again
    summary = tables.summary(result.runs)
    texts = {
        "summary.csv": summary.to_csv(index=False),
        "summary.md": f"# {declared.name}\n\n{tables.table(summary)}\n",
    }
    results.write(folder, result.runs, result.snapshots, record, texts)
    if not result.unfinished:
        store.discard(folder)


def _draw(folder: Path, result: loop.Result, kinds: Sequence[str] | None) -> None:
    if kinds is None or kinds:
        figures.draw_all(folder, result.runs, result.snapshots, kinds)


def written(folder: Path) -> list[str]:
    """What is in a results folder, in the order of interest."""
    names = ["summary.md", "summary.csv", "runs.nc", "config.json"]
    return [name for name in names if (folder / name).exists()] + [
        str(path.relative_to(folder)) for path in sorted(folder.glob("figures/*"))
    ]


def _train(
    declared: Experiment,
    where: Layout,
    report: Callable[[int], progress.Silent],
    noted: list[int],
    kept: store.Store,
) -> loop.Result:
    runs = len(declared.points) * len(declared.seeds)
    _begin(declared, runs)
    attentive = signals.Attentive(report(runs * declared.schedule.steps), noted)
    return loop.run(declared, where, attentive, kept)


def _begin(declared: Experiment, runs: int) -> None:
    backend.enable_compilation_cache()
    logging.info("%d GANs, %d updates each", runs, declared.schedule.steps)
