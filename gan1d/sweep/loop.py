"""Many GANs: the host loop over blocks of runs.

A block is trained from start to end, spread over the devices along the run axis, and kept before
the next one starts. So memory does not grow with the number of runs, beyond their results, and a
sweep that ends early goes on from the blocks that are kept. Of a shard only its own blocks are
trained.
"""

import collections
import dataclasses
import functools
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import xarray as xr
from absl import logging

from gan1d import engines
from gan1d.config.experiment import Experiment
from gan1d.config.fields import ConfigError
from gan1d.engines.programs import Programs
from gan1d.results.blocks import Finished
from gan1d.sweep import collect, layout, store
from gan1d.sweep.call_length import Pace
from gan1d.sweep.collect import Arrays, Tables
from gan1d.sweep.layout import Block, Cohort, CohortBlocks, Layout
from gan1d.system import hardware
from gan1d.system.progress import Silent, Status


class Result(NamedTuple):
    """What a sweep gives."""

    runs: xr.Dataset
    snapshots: xr.Dataset | None
    seconds: dict[str, float]  # that went into these runs, whenever that was
    cohorts: list[dict[str, Any]]  # how each was trained: its engine, and runs at a time
    machines: list[dict[str, Any]]  # on which they were trained, and how many blocks on each
    unfinished: int  # runs


def run(
    experiment: Experiment,
    where: Layout,
    report: Silent | None = None,
    kept: store.Store | None = None,
    compile: engines.Compile | None = None,
) -> Result:
    """Train and judge every run of a sweep.

    What ends it early, an interrupt or an error, leaves the finished blocks in `kept`, and the same
    call goes on from there.

    Args:
      experiment: the sweep.
      where: how it is laid out.
      report: is told how far it is, and may end it by an exception.
      kept: where finished blocks are kept; None is memory.
      compile: gives a cohort's programs; None is `engines.compile_programs`.

    Raises:
      ConfigError: a target can't be judged by, an engine can't train a cohort, or no block is small
        enough for the memory.
      WriteError: a block can't be kept.
    """
    began, kept = time.monotonic(), kept or store.InMemory()
    blocks = range(layout.count_blocks(experiment, where.block_size))
    waited = train(experiment, where, blocks, report, kept, compile)
    result = gather(experiment, where, kept, {"waiting for compilation": waited})
    result.seconds["total"] = time.monotonic() - began
    return result


def train(
    experiment: Experiment,
    where: Layout,
    numbers: range,
    report: Silent | None,
    kept: store.Store,
    compile: engines.Compile | None = None,
) -> float:
    """Train the blocks of these numbers that are not kept yet; returns seconds spent waiting.

    For programs to be compiled, that is: all other seconds are those of blocks.

    Raises:
      ConfigError, WriteError: as `run`.
    """
    _describe_targets(experiment, where)  # which refuses targets that runs can't be judged by
    tables, compile = collect.tables(experiment), compile or engines.compile_programs
    job = _Job(experiment, where, numbers, tables, report or Silent(), compile)
    try:
        _train_missing(job, kept)
    except BaseException:
        logging.warning("Stopped; %d of %d runs are kept.", job.runs_done, job.runs)
        raise
    finally:
        job.report.close()
    return job.waited


def gather(
    experiment: Experiment,
    where: Layout,
    kept: store.Store,
    seconds: Mapping[str, float] | None = None,
) -> Result:
    """The results of what is finished of a sweep; its other runs are marked as not finished.

    Args:
      experiment: the sweep.
      where: how it is laid out.
      kept: its finished blocks, which are verified as they are read.
      seconds: that went into anything but blocks.
    """
    tables, target = collect.tables(experiment), _describe_targets(experiment, where)
    spent = collections.defaultdict(float, seconds or {})
    cohorts: list[dict[str, Any]] = []
    machines: collections.Counter[tuple[str, ...]] = collections.Counter()
    unfinished = 0

    def blocks() -> Iterator[tuple[Block, Arrays]]:
        nonlocal unfinished
        for cohort in layout.by_cohort(experiment, where.block_size, tables):
            cohorts.append({})
            for number in cohort.numbers:
                runs, like = cohort.block(number)
                found = kept.find(number, like)
                if found is None:
                    unfinished += len(runs.seed)
                    continue
                cohorts[-1] = found.facts["trained"]
                machines[tuple(found.facts["machine"][name] for name in hardware.KIND)] += 1
                for name, value in found.facts["seconds"].items():
                    spent[name] += value
                yield runs, found.arrays

    finished = ((runs.setting, runs.seed, arrays) for runs, arrays in blocks())
    runs, snapshots = collect.datasets(experiment, tables, target, finished)
    told = [
        dict(zip((*hardware.KIND, "blocks"), (*k, n), strict=True)) for k, n in machines.items()
    ]
    return Result(runs, snapshots, dict(spent), cohorts, told, unfinished)


def _describe_targets(experiment: Experiment, where: Layout) -> Arrays:
    on_lanes = engines.on_lanes(where.engine, where.devices)
    return collect.describe_targets(experiment, on_lanes=on_lanes)


@dataclasses.dataclass
class _Job:
    """A sweep, or a part of one, in training, and how far it is."""

    experiment: Experiment
    where: Layout
    numbers: range  # of its blocks
    tables: Tables
    report: Silent
    compile: engines.Compile
    runs_done: int = 0
    updates_done: int = 0
    diverged: int = 0
    waited: float = 0.0  # seconds, for compiled programs

    @functools.cached_property
    def runs(self) -> int:
        return layout.runs_of(self.experiment, self.where.block_size, self.numbers)

    def say(self, doing: str) -> None:
        """Report how far it is."""
        updates = self.runs * self.experiment.schedule.steps
        done = self.runs_done, self.runs, self.updates_done, updates
        self.report(Status(*done, self.diverged, doing))


@dataclasses.dataclass
class _Training:
    """A cohort in training."""

    cohort: Cohort
    engine: str
    programs: Programs
    runs_at_a_time: int
    pace: Pace
    doing: str


def _train_missing(job: _Job, kept: store.Store) -> None:
    """Train all blocks that are not kept yet."""
    cohorts = layout.by_cohort(job.experiment, job.where.block_size, job.tables)
    missing = [_missing(cohort, kept, job) for cohort in cohorts]
    todo = [i for i, numbers in enumerate(missing) if numbers]
    if job.runs_done:
        logging.info("%d of %d runs are there already.", job.runs_done, job.runs)
    # The others are compiled while one trains.
    pool = ThreadPoolExecutor(hardware.cores(), thread_name_prefix="compile")
    try:
        compiled = _compile_ahead(pool, job, [cohorts[i].cohort for i in todo])
        for i, (engine, programs) in zip(todo, compiled, strict=True):
            doing = f"cohort {i + 1}/{len(cohorts)}"
            size, pace = job.where.block_size, Pace(programs.unit)
            training = _Training(cohorts[i].cohort, engine, programs, size, pace, doing)
            for number in missing[i]:
                runs, room = cohorts[i].block(number)
                kept.keep(number, _train(job, training, runs, room))
                job.runs_done += len(runs.seed)
        job.say("done")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _missing(cohort: CohortBlocks, kept: store.Store, job: _Job) -> list[int]:
    """The numbers of a cohort's blocks to be trained; those that are kept are counted."""
    missing, ours = [], job.numbers
    first, last = max(cohort.numbers.start, ours.start), min(cohort.numbers.stop, ours.stop)
    for number in range(first, last):
        if number not in kept:
            missing.append(number)
            continue
        runs, like = cohort.block(number)
        found = kept.find(number, like)
        if found is None:
            missing.append(number)
            continue
        job.runs_done += len(runs.seed)
        job.updates_done += len(runs.seed) * job.experiment.schedule.steps
        job.diverged += int((found.arrays["diverged_at"] >= 0).sum())
    return missing


def _compile_ahead(
    pool: ThreadPoolExecutor, job: _Job, cohorts: list[Cohort]
) -> Iterator[tuple[str, Programs]]:
    """Each cohort's engine and programs; the next ones compile while one trains."""
    ahead = hardware.cores() + 1  # bounds what compiled programs take in memory
    waiting: collections.deque[Future[tuple[str, Programs]]] = collections.deque()
    upcoming = iter(cohorts)
    for _ in cohorts:
        while len(waiting) < ahead and (following := next(upcoming, None)) is not None:
            waiting.append(pool.submit(_compile, job, following, job.where.block_size))
        began = time.monotonic()
        first = waiting.popleft()
        while not wait([first], timeout=0.2).done:
            job.say("compiling")
        compiled = first.result()
        job.waited += time.monotonic() - began
        yield compiled


def _compile(job: _Job, cohort: Cohort, size: int) -> tuple[str, Programs]:
    where, schedule = job.where, job.experiment.schedule
    return job.compile(where.engine, cohort.example(), schedule, size, where.devices)


def _train(job: _Job, training: _Training, runs: Block, room: Arrays) -> Finished:
    """Train a block: in one go, or in parts where the memory does not suffice for that."""
    before = job.updates_done, job.diverged
    while True:
        seconds: dict[str, float] = collections.defaultdict(float)
        try:
            for first in range(0, len(runs.seed), training.runs_at_a_time):
                some = slice(first, first + training.runs_at_a_time)
                views = {name: array[some] for name, array in room.items()}
                _train_part(job, training, runs.part(some), views, seconds)
        except Exception as error:
            if not engines.is_out_of_memory(error):
                raise
            job.updates_done, job.diverged = before
            _halve(job, training, error)
            continue
        trained = {"engine": training.engine, "runs_at_a_time": training.runs_at_a_time}
        kind = job.where.devices[0].device_kind
        facts = {"trained": trained, "seconds": dict(seconds), "machine": hardware.machine(kind)}
        return Finished(room, facts)


def _halve(job: _Job, training: _Training, error: Exception) -> None:
    """Train fewer runs of a cohort at a time from here on.

    Raises:
      ConfigError: they are as few as can be.
    """
    devices, size = len(job.where.devices), training.runs_at_a_time
    half = size // 2 // devices * devices
    if half < layout.SMALLEST_SHARE * devices:
        raise ConfigError(
            [
                f"training.batch_size: the memory does not even suffice for {size} runs at a time "
                f"({error}); train smaller batches or networks"
            ]
        ) from error
    logging.warning("Out of memory with %d runs at a time (%s): trying %d.", size, error, half)
    training.engine, training.programs = _compile(job, training.cohort, half)
    training.runs_at_a_time = half


def _train_part(
    job: _Job, training: _Training, runs: Block, room: Arrays, seconds: dict[str, float]
) -> None:
    """Train runs from start to end and fill in what is kept of them; counts and adds up seconds."""
    programs, pace = training.programs, training.pace
    log_steps = job.experiment.log_steps()
    updates_before, diverged_before = job.updates_done, job.diverged
    began = time.monotonic()
    start = programs.start(runs.settings, runs.seeds, layout.pictured(runs, job.tables))
    block = start.block
    seconds["starting"] += time.monotonic() - began
    done, looks, ahead = 0, [], log_steps
    while ahead:
        legs, looking = pace.legs(done, ahead)
        began = time.monotonic()
        block, diverged_at, seen, judging_share = programs.advance(block, legs, looking)
        took = time.monotonic() - began
        trained, judged = took * (1 - judging_share), took * judging_share
        pace.took(legs, trained, judged)
        seconds["training"] += trained
        seconds["judging"] += judged
        if looking:
            looks.append(seen)
            ahead = ahead[len(legs) :]
        done = legs[-1].first + legs[-1].count
        job.updates_done = updates_before + done * len(runs.seed)
        job.diverged = diverged_before + int((diverged_at >= 0).sum())
        job.say(training.doing)
    collect.judged(log_steps, room, start, diverged_at, looks)
