"""How a sweep is laid out on a machine: its devices, and blocks of runs that are trained together.

A cohort's runs are laid out in blocks, which are numbered over the whole sweep; a block is what is
trained, and kept on disk, in one go. The numbering depends on the sweep and the size of blocks
alone, so that all machines number alike.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from gan1d import engines, results
from gan1d.config.fields import ConfigError
from gan1d.engines import cost, one_run, xla
from gan1d.gan import metrics, randomness, train
from gan1d.gan.setting import Setting
from gan1d.sweep import collect, provenance
from gan1d.sweep.cohorts import Cohort, Sweep
from gan1d.sweep.collect import Arrays
from gan1d.sweep.provenance import ANY, Identity
from gan1d.system import backend, hardware

# On 2 cores XLA trains 32 to 512 runs a device about equally fast, and lanes lose 1 to 2% against
# 256: little, as a block is what a sweep that is stopped loses. The figure for GPUs is a guess.
RUNS_PER_DEVICE = {"cpu": 64}
RUNS_PER_ACCELERATOR = 4096
LARGEST_BLOCK = 2**20
# Blocks that a shard has at least, where there are so many runs: enough to be shared out evenly,
# and for little to be lost where it ends early.
BLOCKS_OF_SHARD = 4
FULL_VECTORS = 16  # runs that fill a vector of lanes on any processor
MEMORY_SHARE = 0.9  # of the machine's, that results may take: twice, while they are written


class Block(NamedTuple):
    """Runs `[R]` of a cohort that are trained together."""

    setting_index: np.ndarray  # [R] in the sweep
    seed_index: np.ndarray  # [R] in the sweep
    settings: Setting  # leaves [R]
    seeds: np.ndarray  # [R] uint32

    @property
    def run_count(self) -> int:
        """How many runs it has."""
        return len(self.seeds)

    def part(self, runs: slice | np.ndarray) -> "Block":
        """Some of its runs."""
        return jax.tree.map(lambda array: array[runs], self)

    def of_first(self, seeds: int) -> int:
        """How many of its runs, the first ones, are of so many of the first seeds."""
        return int((self.seed_index < seeds).sum())


class CohortBlocks(NamedTuple):
    """A cohort's blocks, with numbers that no other cohort's have."""

    cohort: Cohort
    seeds: np.ndarray
    size: int  # of a block
    first: int  # number of the first block

    @property
    def run_count(self) -> int:
        """How many runs the cohort has."""
        return len(self.cohort.setting_indices) * len(self.seeds)

    @property
    def numbers(self) -> range:
        """The numbers of its blocks, the last one of what is left."""
        return range(self.first, self.first + -(-self.run_count // self.size))

    def block(self, number: int) -> Block:
        """A block by its number.

        Seeds vary slowest, so that the first seeds, of which snapshots are kept, share the first
        blocks.
        """
        before = (number - self.first) * self.size
        run = np.arange(before, min(before + self.size, self.run_count))
        seed_index, row = np.divmod(run, len(self.cohort.setting_indices))
        leaves = list(np.ascontiguousarray(self.cohort.leaves[row].T))
        settings = jax.tree.unflatten(self.cohort.structure, leaves)
        seeds = self.seeds[seed_index].astype(np.uint32)
        return Block(self.cohort.setting_indices[row], seed_index, settings, seeds)

    def runs_of(self, numbers: range) -> int:
        """How many runs those of these blocks have that are its own."""
        inside = range(max(numbers.start, self.numbers.start), min(numbers.stop, self.numbers.stop))
        if not inside:
            return 0
        before = (inside.start - self.first) * self.size
        return min(self.run_count, (inside.stop - self.first) * self.size) - before


@dataclasses.dataclass(frozen=True, eq=False)
class Blocks:
    """A sweep's runs in blocks of one size."""

    sweep: Sweep
    size: int  # runs of a block, but for the last one of a cohort

    @functools.cached_property
    def by_cohort(self) -> tuple[CohortBlocks, ...]:
        """Every cohort with its blocks."""
        seeds, cohorts = np.asarray(self.sweep.experiment.seeds), list[CohortBlocks]()
        for cohort in self.sweep.cohorts:
            first = cohorts[-1].numbers.stop if cohorts else 0
            cohorts.append(CohortBlocks(cohort, seeds, self.size, first))
        return tuple(cohorts)

    @property
    def count(self) -> int:
        """How many there are."""
        return self.by_cohort[-1].numbers.stop

    def runs_of(self, numbers: range) -> int:
        """How many runs the blocks of these numbers have."""
        return sum(cohort.runs_of(numbers) for cohort in self.by_cohort)

    def room(self, block: Block) -> Arrays:
        """Room for what is kept of a block."""
        shape = self.sweep.shape
        pictured, kept = map(block.of_first, (shape.snapshot_seeds, shape.generator_seeds))
        return shape.of_block(block.run_count, pictured, kept)

    @functools.cached_property
    def costs(self) -> np.ndarray:
        """What each costs, estimated, in operations an update of all its runs."""
        costs = []
        for cohort in self.by_cohort:
            runs = np.full(len(cohort.numbers), self.size)
            runs[-1] = cohort.run_count - self.size * (len(runs) - 1)
            costs.append(runs * cost.of_update(cohort.cohort.example()))
        return np.concatenate(costs)

    def cut(self, count: int) -> list[range]:
        """The numbers of each shard's blocks: of equal cost, as nearly as whole blocks allow.

        What a block costs is estimated as its runs times the operations of one of their updates,
        which depends on nothing but the config: all machines cut alike.

        Raises:
          ConfigError: there are fewer blocks than shards.
        """
        if count > self.count:
            there = "is only 1 block" if self.count == 1 else f"are only {self.count} blocks"
            remedy = "give fewer shards, or a smaller block_size"
            raise ConfigError(
                [f"shards={count}: there {there} of up to {self.size} runs; {remedy}"]
            )
        return balanced(self.costs, count)


def balanced(costs: np.ndarray, count: int) -> list[range]:
    """Cut a row of blocks into so many ranges, none of them empty, of costs as equal as can be.

    Each cut is made where it is nearest to its share of the whole, so that no range costs more than
    an equal share and one block.

    Args:
      costs: of each block, in order, `[B]`.
      count: of ranges, at most B.
    """
    ends, bounds = np.cumsum(costs), [0]
    for cut_number in range(1, count):
        nearest = int(np.abs(ends - ends[-1] * cut_number / count).argmin()) + 1
        rest = count - cut_number  # ranges that follow, each with a block at least
        bounds.append(min(max(nearest, bounds[-1] + 1), len(costs) - rest))
    return [range(*pair) for pair in zip(bounds, [*bounds[1:], len(costs)], strict=True)]


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """How a sweep is laid out on this machine."""

    blocks: Blocks
    devices: Sequence[jax.Device]
    engine: str = "auto"
    mixed: bool = False  # machines of other kinds may take part
    # By the number of a cohort: how many of its runs XLA trains at a time, where other runs of it
    # are there that it has trained so.
    at_a_time: Mapping[int, int] = dataclasses.field(default_factory=dict)

    @property
    def sweep(self) -> Sweep:
        """What is laid out."""
        return self.blocks.sweep

    @property
    def block_size(self) -> int:
        """Runs of a block."""
        return self.blocks.size

    def runs_at_a_time(self, cohort: int) -> int:
        """How many runs of a cohort, by its number, are trained at a time."""
        return self.at_a_time.get(cohort, self.block_size)

    @functools.cached_property
    def targets(self) -> Arrays:
        """The variables of every setting's target.

        Raises:
          ConfigError: runs could not be judged by a target.
        """
        on_lanes = engines.on_lanes(self.engine, list(self.devices))
        sweep = self.sweep
        return collect.describe_targets(sweep.experiment, sweep.settings, on_lanes=on_lanes)

    @functools.cached_property
    def identity(self) -> Identity:
        """All that the sweep's numbers depend on when it is trained like this, by this code."""
        return Identity(
            config=self.sweep.experiment.config(),
            engine=self.engine,
            block_size=self.block_size,
            at_a_time={str(cohort): size for cohort, size in self.at_a_time.items()},
            devices=len(self.devices),
            device_kind=ANY if self.mixed else self.devices[0].device_kind,
            processor=ANY if self.mixed else hardware.processor(),
            **provenance.code(),
        )


@dataclasses.dataclass(frozen=True)
class Choices:
    """What may be chosen of a layout; where it is None, the machine chooses what suits it."""

    devices: int | None = None  # how many to use
    block_size: int | None = None  # runs trained at a time
    engine: str = "auto"
    mixed: bool = False  # let machines of different kinds take part, which round differently
    shards: int | None = None  # that the sweep is cut into; None: this process trains all of it


def choose(sweep: Sweep, choices: Choices) -> Layout:
    """Choose devices and block size.

    Raises:
      ConfigError: there is no such engine, the machine has fewer devices, or not the memory for the
        results, or the block can't be spread evenly over the devices.
    """
    if choices.engine not in engines.ENGINES:
        names = ", ".join(engines.ENGINES)
        raise ConfigError([f"engine={choices.engine!r}: choose one of {names}"])
    if choices.shards is None:
        check_memory(sweep)
    try:
        devices = backend.devices(choices.devices)
    except ValueError as error:
        raise ConfigError([str(error)]) from None
    if choices.devices is None and choices.shards is None:
        devices = devices[: _largest_cohort(sweep)]  # each has a run at least
    size = choices.block_size
    if size is None:
        size = default_block_size(sweep, len(devices), devices[0].platform, choices.shards)
    check_block_size(size, len(devices))
    return Layout(Blocks(sweep, size), devices, choices.engine, choices.mixed)


def check_block_size(size: int, devices: int) -> None:
    """Raise ConfigError if blocks of this size can't be spread evenly over devices."""
    if not devices <= size <= LARGEST_BLOCK or size % devices:
        remedy = f"give a multiple of {devices} (devices) up to {LARGEST_BLOCK}"
        raise ConfigError([f"block_size={size}: {remedy}"])


def default_block_size(sweep: Sweep, devices: int, platform: str, shards: int | None) -> int:
    """Runs trained at a time: as many as suit the devices, but not more than there are.

    Of a shard a few blocks at least, where its runs fill vectors of lanes.
    """
    suiting = RUNS_PER_DEVICE.get(platform, RUNS_PER_ACCELERATOR)
    if shards is not None:
        fair = sweep.run_count // (BLOCKS_OF_SHARD * shards * devices)
        fair = fair // FULL_VECTORS * FULL_VECTORS
        return min(suiting, max(fair, FULL_VECTORS)) * devices
    return min(suiting, -(-_largest_cohort(sweep) // devices)) * devices


def _largest_cohort(sweep: Sweep) -> int:
    """How many runs it has."""
    settings = max(len(cohort.setting_indices) for cohort in sweep.cohorts)
    return settings * len(sweep.experiment.seeds)


def result_bytes(sweep: Sweep) -> int:
    """Bytes of memory that a sweep's results take."""
    shape = sweep.shape
    return sum(results.nbytes(variables, shape.sizes) for variables in shape.variables)


def check_memory(sweep: Sweep) -> None:
    """Raise ConfigError if this machine has not the memory for a sweep's results."""
    needed, available = 2 * result_bytes(sweep), hardware.memory()
    if needed > MEMORY_SHARE * available:
        raise ConfigError(
            [
                f"seeds={sweep.experiment.schedule.seeds}: results of {sweep.run_count} runs need "
                f"{needed / 2**30:.3g} GiB of memory, this machine has {available / 2**30:.3g}; "
                "run fewer seeds or settings at a time, or raise judging.log_every"
            ]
        )


def block_bytes(layout: Layout) -> int:
    """Bytes that a block takes on the devices while it is trained, for the largest cohort.

    Estimated from shapes, without compiling or training anything.
    """
    key = jax.eval_shape(randomness.run_key, 0)
    schedule, sizes, shared = layout.sweep.experiment.schedule, [], []
    for cohort in layout.sweep.cohorts:
        setting = cohort.example()
        rows = metrics.rows(setting.target, schedule.judging)
        shared.append(_bytes(rows))
        setting = one_run.bound(setting, rows)
        state = jax.eval_shape(train.start, setting, key)[0]
        noise = jax.eval_shape(train.draw, setting, key, 0)
        steps = xla.drawn_ahead(setting, layout.block_size, schedule.steps)
        judged = jax.eval_shape(lambda s: metrics.reference(s, schedule.judging), setting)
        # Four times: a working copy, gradients, and what an update holds between layers.
        # Twice: noise is drawn while that before it is still there.
        sizes.append(4 * _bytes(state) + 2 * steps * _bytes(noise) + _bytes(judged))
    return layout.block_size * max(sizes) + max(shared)


def _bytes(tree: object) -> int:
    return sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
