"""A sweep in one call: from a config to a Dataset, or to a results folder."""

import contextlib
import datetime
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import xarray as xr
from absl import logging

from gan1d import experiment, fields, figures, machine, progress, results, stats, sweep
from gan1d.experiment import Experiment


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
      `finished` tells), or with a `workdir` leaves that there and raises.

    Raises:
      ConfigError: the config can't be run, or `workdir` holds another sweep.
      KeyboardInterrupt: interrupted before a block had finished, or with a `workdir`.
    """
    declared = experiment.resolve(config, name)
    where = sweep.layout(declared, devices, block_size, engine)
    if workdir is None:
        with _signals_noted() as noted:
            return _train(declared, where, progress.reporter, noted).runs
    folder = Path(workdir)
    previous = check_folder(declared, folder, overwrite=overwrite)
    if previous is not None:
        return previous
    result = train_and_publish(declared, where, folder, report=progress.reporter)
    if result.stopped_by is not None:
        raise result.stopped_by
    return result.runs


def check_folder(declared: Experiment, folder: Path, *, overwrite: bool) -> xr.Dataset | None:
    """Make sure that results may go to a folder; the sweep's own results if they are there.

    Raises:
      ConfigError: the folder holds another sweep or part of this one, or can't be written to.
    """
    record = None if overwrite else results.load_record(folder)
    if record is None and not overwrite and (folder / "runs.nc").exists():
        raise experiment.ConfigError(
            [f"workdir={folder}: its runs.nc has no config.json; choose another folder"]
        )
    if record is not None:
        differing = _differences(record["config"], declared.config())
        remedy = "choose another folder (workdir), or replace what it holds (overwrite)"
        if differing:
            raise experiment.ConfigError(
                [f"workdir={folder}: it holds another sweep ({'; '.join(differing)}); {remedy}"]
            )
        previous = results.load(folder)
        unfinished = int((previous.finished == 0).sum())
        if not unfinished:
            return previous
        raise experiment.ConfigError(
            [f"workdir={folder}: {unfinished} runs of this sweep had not finished; {remedy}"]
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        results.replace(folder / ".writable", lambda path: path.touch())
        (folder / ".writable").unlink()
    except OSError as error:
        raise experiment.ConfigError([f"workdir={folder}: can't write there ({error})"]) from None
    return None


def train_and_publish(
    declared: Experiment,
    where: sweep.Layout,
    folder: Path,
    *,
    report: Callable[[int], progress.Silent],
    kinds: Sequence[str] | None = None,
) -> sweep.Result:
    """Train a sweep and write everything about it to a folder.

    That includes figures of the given kinds; None means all but animations. Of a sweep that an
    interrupt or an error ended early, what had finished is written; the result's `stopped_by` says
    so.
    """
    record = {
        "name": declared.name,
        "config": declared.config(),
        "started": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": [Path(sys.executable).name, *sys.orig_argv[1:]],
        "block_size": where.block_size,
        "devices": [str(device) for device in where.devices],
        **machine.provenance(),
    }
    with _signals_noted() as noted:
        result = _train(declared, where, report, noted)
        record |= {
            "complete": result.stopped_by is None,
            "engines": result.engines,  # of each cohort
            "seconds": result.seconds,
        }
        figures.clear(folder)  # of an earlier sweep; not all may be drawn again
        results.write(folder, result.runs, result.snapshots, record)
        summary = stats.summary(result.runs)
        results.replace(folder / "summary.csv", lambda path: summary.to_csv(path, index=False))
        text = f"# {declared.name}\n\n{stats.table(summary)}\n"
        results.replace(folder / "summary.md", lambda path: path.write_text(text))
    if kinds is None or kinds:
        figures.draw_all(folder, result.runs, result.snapshots, kinds)
    return result


class Stopped(KeyboardInterrupt):
    """A signal asked to stop; `number` is the signal's."""

    def __init__(self, number: int):
        """Keep the signal's number."""
        super().__init__(f"signal {number}")
        self.number = number


class _Attentive(progress.Silent):
    """A reporter that also stops the sweep, between two calls, once a signal has been noted.

    An exception raised by a signal handler comes up wherever Python happens to be, and is lost
    where that is a callback of the garbage collector, such as JAX has.
    """

    def __init__(self, inner: progress.Silent, noted: list[int]):
        self._inner, self._noted = inner, noted

    def __call__(self, status: progress.Status) -> None:
        if self._noted:
            number = self._noted[0]
            self._noted.clear()
            raise Stopped(number)
        self._inner(status)

    def close(self) -> None:
        self._inner.close()


@contextlib.contextmanager
def _signals_noted() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of acting on them; what is left at the end is raised.

    So results are written whole even if a second signal comes meanwhile.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield noted  # signals don't reach other threads
        return
    held = (signal.SIGINT, signal.SIGTERM)
    handlers = [signal.signal(number, lambda number, _: noted.append(number)) for number in held]
    try:
        yield noted
    finally:
        for number, handler in zip(held, handlers, strict=True):
            signal.signal(number, handler)
    if noted:
        raise Stopped(noted[0])


def written(folder: Path) -> list[str]:
    """What is in a results folder, in the order of interest."""
    names = ["summary.md", "summary.csv", "runs.nc", "config.json"]
    return [name for name in names if (folder / name).exists()] + [
        str(path.relative_to(folder)) for path in sorted(folder.glob("figures/*"))
    ]


def _train(
    declared: Experiment,
    where: sweep.Layout,
    report: Callable[[int], progress.Silent],
    noted: list[int],
) -> sweep.Result:
    machine.enable_compilation_cache()
    runs = len(declared.points) * len(declared.seeds)
    updates = runs * declared.schedule.steps
    logging.info("%d GANs, %d updates each", runs, declared.schedule.steps)
    return sweep.run(declared, where, _Attentive(report(updates), noted))


def _differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Fields in which two resolved configs differ, as `field: old, now new`."""
    before, after = (dict(fields.flatten(config)) for config in (old, new))
    return [
        f"{field}={before.get(field)!r} there, {after.get(field)!r} now"
        for field in dict.fromkeys([*before, *after])
        if before.get(field) != after.get(field)
    ]
