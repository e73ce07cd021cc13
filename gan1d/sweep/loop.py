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
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

import xarray as xr
from absl import logging

from gan1d import engines
from gan1d.config.fields import ConfigError
from gan1d.engines.programs import LogPoints, Programs
from gan1d.gan import generators
from gan1d.gan import train as one_gan
from gan1d.results.blocks import Finished
from gan1d.sweep import collect
from gan1d.sweep.call_length import CallLength
from gan1d.sweep.cohorts import Cohort
from gan1d.sweep.collect import Arrays
from gan1d.sweep.known import NOTHING, Known
from gan1d.sweep.layout import Block, CohortBlocks, Layout
from gan1d.sweep.provenance import Trained, Training
from gan1d.sweep.store import InMemory, Store
from gan1d.system import hardware, switches
from gan1d.system.progress import Silent, Status

if TYPE_CHECKING:
    from gan1d.engines import Compile


class Result(NamedTuple):
    """What a sweep gives."""

    runs: xr.Dataset
    snapshots: xr.Dataset | None
    trained: Trained
    unfinished: int  # runs


def run(
    layout: Layout,
    report: Silent | None = None,
    store: Store | None = None,
    compile: "Compile | None" = None,
    known: Known = NOTHING,
) -> Result:
    """Train and judge every run of a sweep.

    What ends it early, an interrupt or an error, leaves the finished blocks in `store`, and the
    same call goes on from there.

    Args:
      layout: the sweep, and how it is laid out.
      report: is told how far it is, and may end it by an exception.
      store: where finished blocks are kept; None is memory.
      compile: gives a cohort's programs; None is `engines.compile_programs`.
      known: runs that are there already, and need not be trained.

    Raises:
      ConfigError: a target can't be judged by, an engine can't train a cohort, or no block is small
        enough for the memory.
      WriteError: a block can't be kept.
    """
    began, store = time.monotonic(), store or InMemory()
    waited = train(layout, range(layout.blocks.count), report, store, compile, known)
    result = gather(layout, store, {"waiting for compilation": waited})
    result.trained.seconds["total"] = time.monotonic() - began
    return result


def train(
    layout: Layout,
    numbers: range,
    report: Silent | None,
    store: Store,
    compile: "Compile | None" = None,
    known: Known = NOTHING,
) -> float:
    """Train the blocks of these numbers that are not kept yet; returns seconds spent waiting.

    For programs to be compiled, that is: all other seconds are those of blocks.

    Raises:
      ConfigError, WriteError: as `run`.
    """
    _ = layout.targets  # refuses those that runs can't be judged by
    progress = _Progress(layout, layout.blocks.runs_of(numbers), report or Silent())
    try:
        compile = compile or engines.compile_programs
        _train_missing(layout, numbers, progress, store, compile, known)
    except BaseException:
        logging.warning("Stopped; %d of %d runs are kept.", progress.runs_done, progress.runs)
        raise
    finally:
        progress.report.close()
    return progress.waited


def gather(layout: Layout, store: Store, seconds: Mapping[str, float] | None = None) -> Result:
    """The results of what is finished of a sweep; its other runs are marked as not finished.

    Args:
      layout: the sweep, and how it is laid out.
      store: its finished blocks, which are verified as they are read.
      seconds: that went into anything but blocks.
    """
    gathering = _Gathering(layout, store, collections.defaultdict(float, seconds or {}))
    runs, snapshots = collect.datasets(
        layout.sweep.experiment, layout.sweep.shape, layout.targets, gathering.blocks()
    )
    return Result(runs, snapshots, gathering.trained(), gathering.unfinished)


@dataclasses.dataclass
class _Gathering:
    """Finished blocks, as they are read, and what adds up over them."""

    layout: Layout
    store: Store
    seconds: collections.defaultdict[str, float]
    cohorts: list[Training | None] = dataclasses.field(default_factory=list)
    machines: collections.Counter[hardware.Machine] = dataclasses.field(
        default_factory=collections.Counter
    )
    unfinished: int = 0

    def blocks(self) -> Iterator[collect.Entry]:
        """Those that are finished."""
        for cohort in self.layout.blocks.by_cohort:
            self.cohorts.append(None)
            for number in cohort.numbers:
                block = cohort.block(number)
                finished = self.store.get(number, self.layout.blocks.room(block))
                if finished is None:
                    self.unfinished += block.run_count
                    continue
                training = Training.of_plain(finished.facts)
                self.cohorts[-1] = training
                self.machines[training.machine] += 1
                for name, value in training.seconds.items():
                    self.seconds[name] += value
                yield block.setting_index, block.seed_index, finished.arrays

    def trained(self) -> Trained:
        """How what has been read was trained."""
        complete = not self.unfinished
        return Trained(self.cohorts, dict(self.machines), dict(self.seconds), complete)


@dataclasses.dataclass
class _Progress:
    """How far a sweep, or a part of one, is."""

    layout: Layout
    runs: int
    report: Silent
    runs_done: int = 0
    updates_done: int = 0
    diverged: int = 0
    waited: float = 0.0  # seconds, for compiled programs

    @property
    def steps(self) -> int:
        """Updates of a run."""
        return self.layout.sweep.experiment.schedule.steps

    def say(self, doing: str) -> None:
        """Report it."""
        done = self.runs_done, self.runs, self.updates_done, self.runs * self.steps
        self.report(Status(*done, self.diverged, doing))


@dataclasses.dataclass
class _CohortTraining:
    """A cohort in training."""

    layout: Layout
    cohort: Cohort
    compile: Callable[[Cohort, int], tuple[str, Programs]]
    progress: _Progress
    doing: str
    engine: str
    programs: Programs
    runs_at_a_time: int
    call_length: CallLength

    def halve(self, error: Exception) -> None:
        """Train fewer runs at a time from here on.

        Raises:
          ConfigError: they are as few as can be.
        """
        devices, size = len(self.layout.devices), self.runs_at_a_time
        half = size // 2 // devices * devices
        if half < devices:
            raise ConfigError(
                [
                    f"training.batch_size: the memory does not even suffice for {size} at a time "
                    f"({error}); train smaller batches or networks"
                ]
            ) from error
        logging.warning("Out of memory with %d runs at a time (%s): trying %d.", size, error, half)
        self.engine, self.programs = self.compile(self.cohort, half)
        self.runs_at_a_time = half


def _train_missing(
    layout: Layout,
    numbers: range,
    progress: _Progress,
    store: Store,
    compile: "Compile",
    known: Known,
) -> None:
    """Train all blocks that are not kept yet."""
    cohorts = layout.blocks.by_cohort
    missing = [_missing(layout, cohort, numbers, progress, store, known) for cohort in cohorts]
    todo = [i for i, block_numbers in enumerate(missing) if block_numbers]
    if progress.runs_done:
        logging.info("%d of %d runs are there already.", progress.runs_done, progress.runs)
    # The others are compiled while one trains. For lanes that is done by Python and LLVM, each of
    # which does one thing at a time: several at once would only make the first one late.
    on_lanes = engines.on_lanes(layout.engine, list(layout.devices))
    threads = 1 if on_lanes else hardware.cores()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="compile")
    try:
        of_cohort = functools.partial(_compile, layout, compile)
        sizes = [layout.runs_at_a_time(i) for i in todo]
        upcoming = [(cohorts[i].cohort, size) for i, size in zip(todo, sizes, strict=True)]
        compiled = _compile_ahead(pool, of_cohort, progress, upcoming)
        for i, size, (engine, programs) in zip(todo, sizes, compiled, strict=True):
            training = _CohortTraining(
                layout,
                cohorts[i].cohort,
                of_cohort,
                progress,
                f"cohort {i + 1}/{len(cohorts)}",
                engine,
                programs,
                size,
                CallLength(),
            )
            for number in missing[i]:
                block = cohorts[i].block(number)
                room = layout.blocks.room(block)
                store.add(number, _train_rest(training, block, room, known))
                progress.runs_done += block.run_count
        progress.say("done")
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _missing(
    layout: Layout,
    cohort: CohortBlocks,
    numbers: range,
    progress: _Progress,
    store: Store,
    known: Known,
) -> list[int]:
    """The numbers of a cohort's blocks to be trained; those that are there are kept and counted."""
    missing = []
    first, last = max(cohort.numbers.start, numbers.start), min(cohort.numbers.stop, numbers.stop)
    for number in range(first, last):
        if number not in store and not known.parts:
            missing.append(number)
            continue
        block = cohort.block(number)
        room = layout.blocks.room(block)
        finished = store.get(number, room) if number in store else None
        if finished is None and not len(known.missing(block)):
            finished = Finished(room, known.fill(block, room).plain())
            store.add(number, finished)
        if finished is None:
            missing.append(number)
            continue
        progress.runs_done += block.run_count
        progress.updates_done += block.run_count * progress.steps
        progress.diverged += int((finished.arrays["diverged_at"] >= 0).sum())
    return missing


def _compile_ahead(
    pool: ThreadPoolExecutor,
    compile: Callable[[Cohort, int], tuple[str, Programs]],
    progress: _Progress,
    cohorts: list[tuple[Cohort, int]],
) -> Iterator[tuple[str, Programs]]:
    """Engine and programs of each, for so many runs; the next ones compile while one trains."""
    ahead = hardware.cores() + 1  # bounds what compiled programs take in memory
    waiting: collections.deque[Future[tuple[str, Programs]]] = collections.deque()
    upcoming = iter(cohorts)
    for _ in cohorts:
        while len(waiting) < ahead and (following := next(upcoming, None)) is not None:
            waiting.append(pool.submit(compile, *following))
        began = time.monotonic()
        first = waiting.popleft()
        while not wait([first], timeout=0.2).done:
            progress.say("compiling")
        compiled = first.result()
        progress.waited += time.monotonic() - began
        yield compiled


@switches.pinned()  # which is of one thread
def _compile(
    layout: Layout, compile: "Compile", cohort: Cohort, runs_at_a_time: int
) -> tuple[str, Programs]:
    schedule, devices = layout.sweep.experiment.schedule, layout.devices
    return compile(layout.engine, cohort.example(), schedule, runs_at_a_time, devices)


def _train_rest(training: _CohortTraining, block: Block, room: Arrays, known: Known) -> Finished:
    """Train those runs of a block that are not known, and put them beside the others."""
    rest = known.missing(block)
    if len(rest) == block.run_count:
        return _train_block(training, block, room)
    known.fill(block, room)
    training.progress.updates_done += (block.run_count - len(rest)) * training.progress.steps
    part = block.part(rest)
    trained = _train_block(training, part, training.layout.blocks.room(part))
    for name, values in trained.arrays.items():
        room[name][rest[: len(values)]] = values
    return Finished(room, trained.facts)


def _train_block(training: _CohortTraining, block: Block, room: Arrays) -> Finished:
    """Train a block: in one go, or in parts where the memory does not suffice for that."""
    progress = training.progress
    before = progress.updates_done, progress.diverged
    while True:
        seconds: dict[str, float] = collections.defaultdict(float)
        try:
            for first in range(0, block.run_count, training.runs_at_a_time):
                some = slice(first, first + training.runs_at_a_time)
                views = {name: array[some] for name, array in room.items()}
                _train_part(training, block.part(some), views, seconds)
        except Exception as error:
            if not engines.is_out_of_memory(error):
                raise
            progress.updates_done, progress.diverged = before
            training.halve(error)
            continue
        machine = hardware.machine(training.layout.devices[0].device_kind)
        trained = Training(training.engine, training.runs_at_a_time, dict(seconds), machine)
        return Finished(room, trained.plain())


def _train_part(
    training: _CohortTraining, runs: Block, room: Arrays, seconds: dict[str, float]
) -> None:
    """Train runs from start to end and fill in what is kept of them; counts and adds up seconds."""
    programs, progress = training.programs, training.progress
    sweep = training.layout.sweep
    log_steps = sweep.experiment.log_steps()
    updates_before, diverged_before = progress.updates_done, progress.diverged
    began = time.monotonic()
    pictured = runs.of_first(sweep.shape.snapshot_seeds)
    start = programs.start(runs.settings, runs.seeds, pictured)
    block = start.block
    seconds["starting"] += time.monotonic() - began
    done, log_points, ahead = 0, list[LogPoints](), log_steps
    while ahead:
        spans, judging = training.call_length.spans(done, ahead)
        began = time.monotonic()
        block, diverged_at, judged, judging_share = programs.advance(block, spans, judging)
        took = time.monotonic() - began
        training_seconds, judging_seconds = took * (1 - judging_share), took * judging_share
        training.call_length.took(spans, training_seconds, judging_seconds)
        seconds["training"] += training_seconds
        seconds["judging"] += judging_seconds
        if judged is not None:
            log_points.append(judged)
            ahead = ahead[len(spans) :]
        done = spans[-1].end
        progress.updates_done = updates_before + done * runs.run_count
        progress.diverged = diverged_before + int((diverged_at >= 0).sum())
        progress.say(training.doing)
    kept = runs.of_first(sweep.shape.generator_seeds)
    weights = None
    if kept:
        weights = generators.flat(one_gan.judged(programs.states(block, kept)).g)
    collect.judged(log_steps, room, start, diverged_at, log_points, weights)
