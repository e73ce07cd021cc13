"""Runs of a sweep that is finished, trained once more for what its results do not keep: states.

Training is deterministic. With the engine that has trained a cohort, as many runs at a time and on
a machine of that kind, runs have the same bits again; elsewhere they may round otherwise, which
their W1 at the end tells.
"""

import itertools
import json
from typing import NamedTuple

import jax
import numpy as np
import xarray as xr

from gan1d import engines
from gan1d.config import experiment
from gan1d.engines import one_run
from gan1d.engines.programs import Programs, Span
from gan1d.gan import metrics
from gan1d.gan.setting import Setting
from gan1d.gan.train import Both, State
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Block, Choices, CohortBlocks, choose
from gan1d.system import backend, switches


class Retrained(NamedTuple):
    """One run: its players before the first update, and all of it after the last."""

    setting_index: int  # in the sweep
    seed_index: int  # among the seeds that were asked for
    setting: Setting  # without what has no part in it, with the rows of its data
    first: Both
    last: State
    w1: float  # after the last update


def sweep_of(runs: xr.Dataset, seeds: tuple[int, ...]) -> Sweep:
    """The sweep of these results, of some seeds.

    Raises:
      ConfigError: its config can't be resolved, as where its data are not there any more.
    """
    return Sweep(experiment.resolve(json.loads(runs.attrs["config"])).of_seeds(seeds))


@switches.pinned()
def retrained(runs: xr.Dataset, sweep: Sweep) -> list[Retrained]:
    """Every run of a sweep, as the results that it is of were trained; cohort by cohort.

    Raises:
      ConfigError: there are fewer devices here than those were trained on.
    """
    record = json.loads(runs.attrs["provenance"])
    devices = choose(sweep, Choices(devices=record["devices"])).devices
    schedule, seeds = sweep.experiment.schedule, np.asarray(sweep.experiment.seeds)
    backend.enable_compilation_cache()
    found = []
    for cohort, program in zip(sweep.cohorts, record["cohorts"], strict=True):
        if not program:
            continue  # none of its runs is finished
        engine, size = program["engine"], program["runs_at_a_time"]
        _, programs = engines.compile_programs(engine, cohort.example(), schedule, size, devices)
        rows = metrics.rows(cohort.example().target, schedule.judging)
        blocks = CohortBlocks(cohort, seeds, size, 0)
        for number in blocks.numbers:
            trained = _trained(programs, blocks.block(number), sweep.experiment.log_steps())
            found += [run._replace(setting=one_run.bound(run.setting, rows)) for run in trained]
    return found


def _trained(programs: Programs, block: Block, log_steps: list[int]) -> list[Retrained]:
    """The runs of a block, trained from start to end; they are judged at the end only."""
    count = block.run_count
    training = programs.start(block.settings, block.seeds, 0).block
    first = programs.states(training, count).params
    spans = [Span(start, end - start) for start, end in itertools.pairwise(log_steps)]
    for span in spans[:-1]:
        training = programs.advance(training, [span], judging=False).block
    end = programs.advance(training, spans[-1:], judging=True)
    assert end.log_points is not None
    w1 = end.log_points.metrics["w1"][-1]
    last = programs.states(end.block, count)

    def run(i: int) -> Retrained:
        whole = block.settings, first, last
        setting, begun, ended = jax.tree.map(lambda array: array[i], whole)
        at = int(block.setting_index[i]), int(block.seed_index[i])
        return Retrained(*at, setting, begun, ended, float(w1[i]))

    return list(map(run, range(count)))
