"""A sweep in one call for notebooks: from a config to its results, in memory or in a folder too."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import ml_collections
import xarray as xr
from absl import logging

from gan1d import results
from gan1d.config.axes import Axes, Seeds
from gan1d.config.experiment import ConfigError, extended, resolve
from gan1d.report import notebook
from gan1d.sweep import api, loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.contents import results_without_a_lock
from gan1d.sweep.layout import Choices, Layout, choose
from gan1d.sweep.provenance import Plan, record
from gan1d.sweep.store import InMemory
from gan1d.system import hardware, progress, signals, switches

# Finished blocks of the sweep in memory that was stopped last, by its identity.
_STOPPED: dict[str, InMemory] = {}


@switches.pinned()
def run(
    config: ml_collections.ConfigDict | Mapping[str, object] | None = None,
    *,
    seeds: Seeds | None = None,
    sweep: Axes | None = None,
    name: str = "sweep",
    workdir: str | Path | None = None,
    devices: int | None = None,
    block_size: int | None = None,
    engine: Literal["auto", "lanes", "xla"] = "auto",
    partial: bool = False,
    overwrite: bool = False,
) -> xr.DataTree:
    """Train and judge every GAN of a config; for notebooks.

    >>> runs = gan1d.run({"steps": 1000}, seeds=64, sweep={"tricks.minibatch": ["off", "replace"]})

    Args:
      config: a ConfigDict such as `gan1d.default_config()`, or a dict of fields, by nested or by
        dotted names; fields that are left out have their defaults.
      seeds: instead of the config's: how many, from 0 on, or a range or list of them, or text as
        --seeds takes it.
      sweep: axes to multiply the config's sweep by, of fields by dotted names with the values of
        each, {FIELD: [V1, V2]}, or a list of texts as --sweep takes them; an axis of a field that
        the config's sweep has already replaces that.
      name: the sweep's name in figures.
      workdir: where to leave results, figures and the report; None keeps them in memory only.
      devices: how many devices to use; None means all.
      block_size: runs trained at a time; None chooses.
      engine: "lanes", native code for CPUs; "xla", which runs anywhere; or "auto", lanes where it
        can and pays.
      partial: train nothing more: the results of the runs that are finished, of a sweep that was
        interrupted (the variable `finished` tells them from others).
      overwrite: replace what `workdir` holds.

    Returns:
      The runs, their snapshots and their provenance, as `gan1d.load` gives them.

    Raises:
      ConfigError: the config can't be run, or `workdir` holds another sweep.
      ResultsError: what `workdir` holds is damaged, or there is nothing to be had with `partial`.
      WriteError: something can't be written to `workdir`.
      KeyboardInterrupt: interrupted. The same call goes on from the blocks of runs that had
        finished: those in `workdir`, or, without one, of the last sweep that was interrupted.
    """
    whole = Sweep(resolve(extended({} if config is None else config, seeds, sweep), name))
    for note in whole.experiment.notes:
        logging.warning("%s", note)
    if partial and overwrite:
        raise ConfigError("partial: there is nothing left of what is overwritten; give one of them")
    choices = Choices(devices, block_size, engine)
    try:
        if workdir is None:
            return _in_memory(choose(whole, choices), partial=partial)
        folder = Path(workdir)
        if overwrite or results_without_a_lock(whole.experiment, folder) is None:
            if partial:
                api.merge(whole, folder, partial=True)
            else:
                report = progress.reporter
                api.train_and_publish(whole, folder, choices, report=report, overwrite=overwrite)
        return notebook.load(folder)
    except KeyboardInterrupt:
        logging.warning("The same call goes on from there; partial=True gives what is finished.")
        raise


def _in_memory(layout: Layout, *, partial: bool) -> xr.DataTree:
    """Train what is missing of a sweep that leaves nothing on disk.

    Raises:
      ResultsError: with `partial`, nothing is finished.
    """
    plan = Plan(layout.identity, hardware.now())
    finished = _STOPPED.get(plan.identity.digest, InMemory())
    if partial:
        if not finished.blocks:
            raise results.ResultsError("partial: no run of this sweep is finished; leave it out")
        result = loop.gather(layout, finished)
    else:
        try:
            with signals.noted() as noted:
                result = api.train(layout, progress.reporter, noted, finished)
        except BaseException:
            _STOPPED.clear()
            _STOPPED[plan.identity.digest] = finished
            raise
        _STOPPED.pop(plan.identity.digest, None)
    plain = record(layout.sweep.experiment, plan, result.trained, [])
    return results.tree(result.runs.assign_attrs(provenance=json.dumps(plain)), result.snapshots)
