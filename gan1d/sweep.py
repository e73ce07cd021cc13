"""Many GANs: cohorts, blocks, devices and the host loop.

A cohort's settings share one traced program. Its runs are laid out in blocks; a block is trained
from start to end, spread over the devices along the run axis, before the next one starts. So memory
does not grow with the number of runs, beyond their results.
"""

import collections
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import jax
import numpy as np
import xarray as xr
from absl import logging

from gan1d import engines, keys, machine, metrics, results, tally, train
from gan1d.engines import xla
from gan1d.engines.programs import Programs
from gan1d.experiment import Experiment
from gan1d.fields import ConfigError
from gan1d.pace import Pace
from gan1d.progress import Silent, Status
from gan1d.settings import Setting
from gan1d.tally import Tally

# On 2 cores XLA trains 32 to 512 runs a device about equally fast, and lanes lose 1 to 2% against
# 256: little, as a block is what a sweep that is stopped loses. The figure for GPUs is a guess.
RUNS_PER_DEVICE = {"cpu": 64}
RUNS_PER_ACCELERATOR = 4096
SMALLEST_BLOCK = 128
NOISES = (".tricks.input_noise", ".tricks.instance_noise")  # that take time even when they are 0


class Cohort(NamedTuple):
    """Settings that share one traced program."""

    structure: Any  # the settings' tree structure
    indices: np.ndarray  # [S] which settings of the sweep
    numbers: np.ndarray  # [S, leaves] float32, their traced numbers

    def example(self) -> Setting:
        """Its first setting."""
        return jax.tree.unflatten(self.structure, list(self.numbers[0]))


class Block(NamedTuple):
    """Runs `[R]` of a cohort that are trained together."""

    setting: np.ndarray  # [R] index in the sweep
    seed: np.ndarray  # [R] index in the sweep
    settings: Setting  # leaves [R]
    seeds: np.ndarray  # [R] uint32


class Layout(NamedTuple):
    """How a sweep is laid out on this machine."""

    devices: list[Any]
    block_size: int
    engine: str = "auto"


class Result(NamedTuple):
    """What a sweep gives."""

    runs: xr.Dataset
    snapshots: xr.Dataset | None
    seconds: dict[str, float]
    engines: list[str]  # that trained each cohort
    stopped_by: BaseException | None  # what ended it early


def group(experiment: Experiment) -> list[Cohort]:
    """The sweep's settings by structure, in order of first appearance."""
    groups: dict[Any, tuple[list[int], list[np.ndarray]]] = {}
    for index, setting in enumerate(experiment.settings()):
        leaves, structure = jax.tree.flatten(setting)
        indices, numbers = groups.setdefault(structure, ([], []))
        indices.append(index)
        numbers.append(np.asarray(leaves, np.float32))
    return [
        _without_unused_noise(Cohort(structure, np.asarray(indices), np.stack(numbers)))
        for structure, (indices, numbers) in groups.items()
    ]


def _without_unused_noise(cohort: Cohort) -> Cohort:
    """The cohort with None for scales of noise that are 0 in all its settings: nothing is drawn."""
    leaves, structure = jax.tree_util.tree_flatten_with_path(cohort.example())
    unused = [
        i
        for i, (path, _) in enumerate(leaves)
        if jax.tree_util.keystr(path) in NOISES and not cohort.numbers[:, i].any()
    ]
    kept = [None if i in unused else value for i, (_, value) in enumerate(leaves)]
    structure = jax.tree.structure(jax.tree.unflatten(structure, kept))
    return Cohort(structure, cohort.indices, np.delete(cohort.numbers, unused, axis=1))


def blocks(cohort: Cohort, seeds: np.ndarray, size: int) -> Iterator[Block]:
    """The cohort's runs in blocks of `size`, the last one of what is left.

    Seeds vary slowest, so that the first seeds, of which snapshots are kept, share the first
    blocks.
    """
    total = len(cohort.indices) * len(seeds)
    for first in range(0, total, size):
        run = np.arange(first, min(first + size, total))
        seed, row = np.divmod(run, len(cohort.indices))
        leaves = list(np.ascontiguousarray(cohort.numbers[row].T))
        settings = jax.tree.unflatten(cohort.structure, leaves)
        yield Block(cohort.indices[row], seed, settings, seeds[seed].astype(np.uint32))


def layout(
    experiment: Experiment,
    devices: int | None = None,
    block_size: int | None = None,
    engine: str = "auto",
) -> Layout:
    """Choose devices and block size; None means all devices and a size that suits them.

    That is no larger than the largest cohort needs, but never below 128 runs if the machine has
    such blocks at all: so that on few cores XLA compiles every sweep for the same block size, and
    its runs have the same rounding.

    Raises:
      ConfigError: the machine has fewer devices, or the block can't be spread evenly over them.
    """
    try:
        chosen = machine.devices(devices)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    per_device = RUNS_PER_DEVICE.get(chosen[0].platform, RUNS_PER_ACCELERATOR)
    size = block_size
    if size is None:
        largest = max(len(cohort.indices) for cohort in group(experiment)) * len(experiment.seeds)
        needed = -(-max(largest, SMALLEST_BLOCK) // len(chosen))
        size = min(per_device, max(needed, 2)) * len(chosen)
    # A single run a device is compiled to other code than several are, with other rounding.
    if size < 2 * len(chosen) or size % len(chosen):
        raise ConfigError(
            [f"block_size={size}: give a multiple of {len(chosen)} (devices), 2 runs or more each"]
        )
    return Layout(chosen, size, engine)


def run(experiment: Experiment, where: Layout, report: Silent | None = None) -> Result:
    """Train and judge every run of a sweep.

    KeyboardInterrupt, or an error, ends it early: where blocks have finished they are returned,
    with the runs of the others marked as not finished.

    Raises:
      ConfigError: a target can't be judged by.
    """
    report = report or Silent()
    began = time.monotonic()
    entries = tally.new(experiment, on_lanes=engines.on_lanes(where.engine, where.devices))
    cohorts = group(experiment)
    seeds = np.asarray(experiment.seeds)
    stopped_by = None
    pool = ThreadPoolExecutor(machine.cores(), thread_name_prefix="compile")
    try:
        compiled = _compile_ahead(pool, experiment, cohorts, where, entries, report)
        for number, (cohort, programs) in enumerate(compiled, 1):
            doing = f"cohort {number}/{len(cohorts)}"
            pace = Pace(programs.unit)
            for block in blocks(cohort, seeds, where.block_size):
                _train_block(block, programs, pace, entries, report, doing)
        report(_status(entries, "done"))
    except (KeyboardInterrupt, Exception) as stop:
        if not entries.runs_done:
            raise
        stopped_by = stop
        logging.warning("Stopped; %d finished runs are kept.", entries.runs_done)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        report.close()
    entries.seconds["total"] = time.monotonic() - began
    runs, snapshots = tally.datasets(entries)
    return Result(runs, snapshots, dict(entries.seconds), entries.engines, stopped_by)


def _compile_ahead(
    pool: ThreadPoolExecutor,
    experiment: Experiment,
    cohorts: list[Cohort],
    where: Layout,
    entries: Tally,
    report: Silent,
) -> Iterator[tuple[Cohort, Programs]]:
    """Each cohort with its programs; the next ones compile while one trains."""
    ahead = machine.cores() + 1  # bounds what compiled programs take in memory
    waiting: collections.deque[Future[tuple[str, Programs]]] = collections.deque()
    upcoming = iter(cohorts)
    for cohort in cohorts:
        while len(waiting) < ahead and (following := next(upcoming, None)) is not None:
            job = (following.example(), experiment.schedule, where.block_size, where.devices)
            waiting.append(pool.submit(engines.compile_programs, where.engine, *job))
        began = time.monotonic()
        first = waiting.popleft()
        while not wait([first], timeout=0.2).done:
            report(_status(entries, "compiling"))
        engine, programs = first.result()
        entries.engines.append(engine)
        entries.seconds["waiting for compilation"] += time.monotonic() - began
        yield cohort, programs


def _train_block(
    block: Block, programs: Programs, pace: Pace, entries: Tally, report: Silent, doing: str
) -> None:
    """Train one block from start to end, then enter its runs, all at once."""
    began = time.monotonic()
    runs, updates_before, diverged_before = len(block.seed), entries.updates_done, entries.diverged
    pictured = int((block.seed < entries.snapshot_seeds).sum())  # the first ones
    start = programs.start(block.settings, block.seeds, pictured)
    training = start.block
    entries.seconds["starting"] += time.monotonic() - began
    done, looks = 0, []
    ahead = list(entries.experiment.log_steps())
    while ahead:
        legs, looking = pace.legs(done, ahead)
        began = time.monotonic()
        training, diverged_at, seen, judging_share = programs.advance(training, legs, looking)
        seconds = time.monotonic() - began
        trained, judged = seconds * (1 - judging_share), seconds * judging_share
        pace.took(legs, trained, judged)
        entries.seconds["training"] += trained
        entries.seconds["judging"] += judged
        if looking:
            looks.append(seen)
            del ahead[: len(legs)]
        done = legs[-1].first + legs[-1].count
        entries.updates_done = updates_before + done * runs
        entries.diverged = diverged_before + int((diverged_at >= 0).sum())
        report(_status(entries, doing))
    tally.enter(entries, block.setting, block.seed, start, diverged_at, looks)
    entries.runs_done += runs


def _status(entries: Tally, doing: str) -> Status:
    experiment = entries.experiment
    runs = len(experiment.points) * len(experiment.seeds)
    updates = runs * experiment.schedule.steps
    return Status(entries.runs_done, runs, entries.updates_done, updates, entries.diverged, doing)


class Estimate(NamedTuple):
    """What a sweep will be, without compiling or training anything."""

    cohorts: int
    blocks: int
    runs: int
    block_bytes: int  # on the devices while training, for the largest cohort
    result_bytes: int  # on the host


def estimate(experiment: Experiment, where: Layout) -> Estimate:
    """Size a sweep up."""
    cohorts = group(experiment)
    seeds = len(experiment.seeds)
    block_count = sum(-(-len(c.indices) * seeds // where.block_size) for c in cohorts)
    runs = len(experiment.points) * seeds
    block_bytes = []
    key = jax.eval_shape(keys.run_key, 0)
    for cohort in cohorts:
        setting = cohort.example()
        state = jax.eval_shape(train.start, setting, key)[0]
        noise = jax.eval_shape(train.draw, setting, key, 0)
        steps = xla.chunk_steps(setting, where.block_size, experiment.schedule)
        judged = jax.eval_shape(
            lambda s: metrics.reference(s, experiment.schedule.judging), setting
        )
        # Four times: a working copy, gradients, and what an update holds between layers.
        block_bytes.append(
            where.block_size * (4 * _bytes(state) + steps * _bytes(noise) + _bytes(judged))
        )
    sizes = tally.sizes(experiment)
    kept = tally.kept_variables(experiment)
    return Estimate(
        cohorts=len(cohorts),
        blocks=block_count,
        runs=runs,
        block_bytes=max(block_bytes),
        result_bytes=sum(results.nbytes(variables, sizes) for variables in kept),
    )


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
