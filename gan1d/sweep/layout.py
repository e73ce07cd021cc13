"""How a sweep is laid out: cohorts that share a program, and blocks of runs that share a call.

A cohort's settings share one traced program. Its runs are laid out in blocks, which are numbered
over the whole sweep; a block is what is trained, and kept on disk, in one go.
"""

import functools
from typing import Any, NamedTuple

import jax
import numpy as np

from gan1d import results
from gan1d.config.experiment import Experiment
from gan1d.config.fields import ConfigError
from gan1d.engines import xla
from gan1d.gan import metrics, randomness, train
from gan1d.gan.setting import Setting
from gan1d.gan.spec import specs
from gan1d.sweep import collect
from gan1d.sweep.collect import Arrays, Tables
from gan1d.system import backend, hardware

# On 2 cores XLA trains 32 to 512 runs a device about equally fast, and lanes lose 1 to 2% against
# 256: little, as a block is what a sweep that is stopped loses. The figure for GPUs is a guess.
RUNS_PER_DEVICE = {"cpu": 64}
RUNS_PER_ACCELERATOR = 4096
SMALLEST_BLOCK, LARGEST_BLOCK = 128, 2**20
# Runs of a block on a device: a single one is compiled to other code than several are, with other
# rounding.
SMALLEST_SHARE = 2
# Blocks that a shard has at least, where there are so many runs: enough to be shared out evenly,
# and for little to be lost where it ends early.
BLOCKS_OF_SHARD = 4
FULL_VECTORS = 16  # runs that fill a vector of lanes on any processor
MEMORY_SHARE = 0.9  # of the machine's, that results may take: twice, while they are written


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

    def part(self, runs: slice) -> "Block":
        """Some of its runs."""
        return jax.tree.map(lambda array: array[runs], self)


class Layout(NamedTuple):
    """How a sweep is laid out on this machine."""

    devices: list[Any]
    block_size: int
    engine: str = "auto"
    mixed: bool = False  # machines of other kinds may take part


@functools.lru_cache(collect.CACHED)
def group(experiment: Experiment) -> list[Cohort]:
    """The sweep's settings by structure, in order of first appearance."""
    groups: dict[Any, tuple[list[int], list[np.ndarray]]] = {}
    for index, setting in enumerate(experiment.settings):
        leaves, structure = jax.tree.flatten(setting)
        indices, numbers = groups.setdefault(structure, ([], []))
        indices.append(index)
        numbers.append(np.asarray(leaves, np.float32))
    return [
        _without_vanishing(Cohort(structure, np.asarray(indices), np.stack(numbers)))
        for structure, (indices, numbers) in groups.items()
    ]


def _without_vanishing(cohort: Cohort) -> Cohort:
    """The cohort with None for fields that are 0 in all its settings, where that takes out work."""
    vanishing = {name for name, spec, _ in specs(Setting) if spec.vanishes}
    leaves, structure = jax.tree_util.tree_flatten_with_path(cohort.example())
    unused = [
        i
        for i, (path, _) in enumerate(leaves)
        if _field(path) in vanishing and not cohort.numbers[:, i].any()
    ]
    kept = [None if i in unused else value for i, (_, value) in enumerate(leaves)]
    structure = jax.tree.structure(jax.tree.unflatten(structure, kept))
    return Cohort(structure, cohort.indices, np.delete(cohort.numbers, unused, axis=1))


def _field(path: Any) -> str:
    """The dotted name of the field that a leaf of a setting is of."""
    return ".".join(key.name for key in path if getattr(key, "name", "added") != "added")


def block_count(cohort: Cohort, seeds: int, size: int) -> int:
    """How many blocks of `size` runs the cohort has, the last one of what is left."""
    return -(-len(cohort.indices) * seeds // size)


def block(cohort: Cohort, seeds: np.ndarray, size: int, number: int) -> Block:
    """One of the cohort's blocks.

    Seeds vary slowest, so that the first seeds, of which snapshots are kept, share the first
    blocks.
    """
    total = len(cohort.indices) * len(seeds)
    run = np.arange(number * size, min((number + 1) * size, total))
    seed, row = np.divmod(run, len(cohort.indices))
    leaves = list(np.ascontiguousarray(cohort.numbers[row].T))
    settings = jax.tree.unflatten(cohort.structure, leaves)
    return Block(cohort.indices[row], seed, settings, seeds[seed].astype(np.uint32))


def count_blocks(experiment: Experiment, block_size: int) -> int:
    """How many blocks a whole sweep has."""
    seeds = len(experiment.seeds)
    return sum(block_count(cohort, seeds, block_size) for cohort in group(experiment))


def runs_of(experiment: Experiment, block_size: int, numbers: range) -> int:
    """How many runs the blocks of these numbers have."""
    seeds, first, found = len(experiment.seeds), 0, 0
    for cohort in group(experiment):
        runs = len(cohort.indices) * seeds
        count = block_count(cohort, seeds, block_size)
        inside = range(max(numbers.start, first), min(numbers.stop, first + count))
        if inside:
            found += min(runs, (inside.stop - first) * block_size)
            found -= (inside.start - first) * block_size
        first += count
    return found


class CohortBlocks(NamedTuple):
    """A cohort's blocks, with numbers that no other cohort's have."""

    cohort: Cohort
    seeds: np.ndarray
    size: int  # of a block
    first: int  # number of the first block
    tables: Tables

    @property
    def numbers(self) -> range:
        """The numbers of its blocks."""
        return range(self.first, self.first + block_count(self.cohort, len(self.seeds), self.size))

    def block(self, number: int) -> tuple[Block, Arrays]:
        """A block by its number, and room for what is kept of it."""
        runs = block(self.cohort, self.seeds, self.size, number - self.first)
        return runs, self.tables.of_block(len(runs.seed), pictured(runs, self.tables))


def pictured(runs: Block, tables: Tables) -> int:
    """Of how many of a block's runs, the first ones, snapshots are kept."""
    return int((runs.seed < tables.snapshot_seeds).sum())


def by_cohort(experiment: Experiment, block_size: int, tables: Tables) -> list[CohortBlocks]:
    """Every cohort with its blocks."""
    seeds, first, found = np.asarray(experiment.seeds), 0, []
    for cohort in group(experiment):
        found.append(CohortBlocks(cohort, seeds, block_size, first, tables))
        first = found[-1].numbers.stop
    return found


def choose(
    experiment: Experiment,
    devices: int | None = None,
    block_size: int | None = None,
    engine: str = "auto",
    shards: int | None = None,
) -> Layout:
    """Choose devices and block size; None means all devices and a size that suits them.

    Args:
      experiment: the sweep.
      devices: how many to use.
      block_size: runs trained at a time.
      engine: what trains.
      shards: how many processes the sweep is cut among; None means that this one has all of it.

    Raises:
      ConfigError: the machine has fewer devices, or not the memory for the results, or the block
        can't be spread evenly over the devices.
    """
    if shards is None:
        check_memory(experiment)
    try:
        chosen = backend.devices(devices)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    count = len(chosen)
    size = block_size
    if size is None:
        size = default_block_size(experiment, count, chosen[0].platform, shards)
    check_block_size(size, count)
    return Layout(chosen, size, engine)


def check_block_size(size: int, devices: int) -> None:
    """Raise ConfigError if blocks of this size can't be spread evenly over devices."""
    smallest = SMALLEST_SHARE * devices
    if not smallest <= size <= LARGEST_BLOCK or size % devices:
        remedy = f"give a multiple of {devices} (devices) from {smallest} to {LARGEST_BLOCK}"
        raise ConfigError([f"block_size={size}: {remedy}"])


def default_block_size(
    experiment: Experiment, devices: int, platform: str, shards: int | None
) -> int:
    """Runs trained at a time: as many as suit the devices.

    Not more than the largest cohort needs, but never below 128 runs if the machine has such blocks
    at all: so that on few cores XLA compiles every sweep for the same block size, and its runs have
    the same rounding. Of a shard a few blocks at least, where its runs fill vectors of lanes.
    """
    runs, suiting = len(experiment.seeds), RUNS_PER_DEVICE.get(platform, RUNS_PER_ACCELERATOR)
    if shards is not None:
        all_runs = runs * len(experiment.points)
        fair = all_runs // (BLOCKS_OF_SHARD * shards * devices) // FULL_VECTORS * FULL_VECTORS
        return min(suiting, max(fair, FULL_VECTORS)) * devices
    largest = max(len(cohort.indices) for cohort in group(experiment)) * runs
    needed = -(-max(largest, SMALLEST_BLOCK) // devices)
    return min(suiting, max(needed, SMALLEST_SHARE)) * devices


def check_memory(experiment: Experiment) -> None:
    """Raise ConfigError if this machine has not the memory for a sweep's results."""
    sizes, available = collect.sizes(experiment), hardware.memory()
    needed = 2 * sum(results.nbytes(each, sizes) for each in collect.kept_variables(experiment))
    if needed > MEMORY_SHARE * available:
        runs = len(experiment.points) * len(experiment.seeds)
        raise ConfigError(
            [
                f"seeds={experiment.schedule.seeds}: results of {runs} runs need "
                f"{needed / 2**30:.3g} GiB of memory, this machine has {available / 2**30:.3g}; "
                "run fewer seeds or settings at a time, or raise judging.log_every"
            ]
        )


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
    runs = len(experiment.points) * len(experiment.seeds)
    block_bytes = []
    key = jax.eval_shape(randomness.run_key, 0)
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
    sizes = collect.sizes(experiment)
    kept = collect.kept_variables(experiment)
    return Estimate(
        cohorts=len(cohorts),
        blocks=count_blocks(experiment, where.block_size),
        runs=runs,
        block_bytes=max(block_bytes),
        result_bytes=sum(results.nbytes(variables, sizes) for variables in kept),
    )


def _bytes(tree: Any) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
