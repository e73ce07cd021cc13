"""The XLA engine: one run's functions, vmapped over a block of runs, sharded over devices."""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jax.stages import Compiled, Lowered

from gan1d.config.schedule import Schedule
from gan1d.engines import one_run
from gan1d.engines.one_run import Motion, Own, Scores, Started
from gan1d.engines.programs import Advance, Span, Start
from gan1d.gan import feature_motion, metrics, train
from gan1d.gan.inputs import Batch
from gan1d.gan.setting import Setting

RUNS, ALIKE, DRAWN = PartitionSpec("runs"), PartitionSpec(), PartitionSpec(None, "runs")
NUMBER = jax.ShapeDtypeStruct((), np.int32)
NOISE_BYTES = 2**25  # drawn ahead for a block in one go
DRAWN_AHEAD = 250  # updates at most
# Without them GPUs add in an order of chance, by kernels that win races in the compiler.
COMPILER_OPTIONS: dict[str, dict[str, str | bool]] = {"gpu": {"xla_gpu_deterministic_ops": True}}

Tree = TypeVar("Tree")


class Drawn(NamedTuple):
    """The randomness of some updates of a block, drawn ahead."""

    first: int  # number of the first update
    batches: Batch  # `[U, R, ...]`


class Block(NamedTuple):
    """Runs in training, on the devices; those from `run_count` on are padding."""

    run_count: int
    pictured: int  # of how many, the first ones, snapshots are kept
    settings: Setting
    seeds: Array
    runs: train.Run
    references: metrics.Reference
    drawn: Drawn | None = None  # None before the first update


class Point(NamedTuple):
    """A block at one log point."""

    scores: Scores
    pictures: dict[str, Array]
    motion: Motion | None


def drawn_ahead(setting: Setting, block_size: int, steps: int) -> int:
    """U: of how many updates the randomness is drawn in one go: as many as fit NOISE_BYTES.

    Training is cut into equal parts, since what is drawn for updates after its end is wasted.
    """
    batch = jax.eval_shape(one_run.batch, *one_run.shapes(setting), NUMBER)
    step_bytes = block_size * sum(leaf.size * 4 for leaf in jax.tree.leaves(batch))
    limit = min(DRAWN_AHEAD, max(1, NOISE_BYTES // step_bytes))
    return math.ceil(steps / math.ceil(steps / limit))


class XlaPrograms:
    """A cohort's programs; in `gan1d.engines.programs.Programs` is what they are."""

    def __init__(
        self, setting: Setting, schedule: Schedule, block_size: int, devices: Sequence[jax.Device]
    ) -> None:
        """Compile them for blocks of this size."""
        rows = metrics.rows(setting.target, schedule.judging)
        setting = one_run.bound(setting, _shapes(rows))
        self._drawn_ahead = drawn_ahead(setting, block_size, schedule.steps)
        self._judging = schedule.judging
        self._block_size = block_size
        self._shows_features = feature_motion.is_picture(setting)
        self._mesh = Mesh(np.asarray(devices), ("runs",), axis_types=(AxisType.Auto,))
        self._rows = jax.device_put(rows, NamedSharding(self._mesh, ALIKE))
        settings, seeds = one_run.shapes(setting, block_size)
        started, _ = jax.eval_shape(self._start, settings, seeds)
        shown = (settings, started.run, started.reference)
        drawing = (settings, seeds, NUMBER)
        batches = jax.eval_shape(self._draw, *drawing)
        training = (settings, started.run, batches, NUMBER, NUMBER, NUMBER)
        moved = (settings, seeds, started.run, NUMBER)
        options = COMPILER_OPTIONS.get(devices[0].platform)
        with ThreadPoolExecutor() as pool:  # XLA compiles without the interpreter's lock

            def compiled(lowered: Lowered) -> Future[Compiled]:
                return pool.submit(lowered.compile, options)

            # Those that take longest come first.
            train_runs = compiled(self._lowered(self._train, training, donated=1))
            start = compiled(self._lowered(self._start, (settings, seeds)))
            score = compiled(self._lowered(self._score, shown, donated=1))
            draw = compiled(self._lowered(self._draw, drawing, out=DRAWN))
            picture = compiled(self._lowered(self._picture, shown))
            if self._judging.features:
                follow = compiled(self._lowered(self._follow_features, moved))
                self._following = follow.result()
        self._training, self._starting, self._scoring = map(
            Future.result, (train_runs, start, score)
        )
        self._drawing, self._picturing = draw.result(), picture.result()

    def start(self, settings: Setting, seeds: np.ndarray, pictured: int) -> Start[Block]:
        """Begin runs."""
        count = len(seeds)
        last = np.minimum(np.arange(self._block_size), count - 1)  # padding repeats the last run
        padded = jax.tree.map(lambda array: array[last], (settings, seeds))
        of_runs: Own = jax.device_put(padded, NamedSharding(self._mesh, RUNS))
        own = one_run.bound(of_runs[0], self._rows), of_runs[1]
        started, stages = jax.block_until_ready(self._starting(*own))
        losses = None
        if started.pretraining is not None:
            losses = _first(jax.device_get(started.pretraining.losses), count)
        block = Block(count, pictured, *own, started.run, started.reference)
        return Start(block, losses, _first(jax.device_get(stages), pictured))

    def advance(self, block: Block, spans: Sequence[Span], judging: bool) -> Advance[Block]:
        """Train a block through some spans, and judge it after each if it is to be judged."""
        points: list[Point] = []
        judging_seconds, started = 0.0, time.monotonic()
        for span in spans:
            block = self._trained(block, span)
            jax.block_until_ready(block.runs)
            if judging:
                began = time.monotonic()
                block, point = self._judged(block, span.end)
                points.append(point)
                judging_seconds += time.monotonic() - began
        diverged_at = np.asarray(block.runs.diverged_at)[: block.run_count]
        log_points = None
        if judging:
            log_points = one_run.log_points(*jax.tree.map(lambda *each: np.stack(each), *points))
        share = judging_seconds / (time.monotonic() - started)
        return Advance(block, diverged_at, log_points, share)

    def states(self, block: Block, count: int) -> train.State:
        """The states of the first runs as they are now, arrays `[count, ...]` of numpy."""
        # Sliced here: on the devices each length would be a program of its own. And copied: on CPUs
        # what is got shares the memory that training goes on in.
        return jax.tree.map(np.array, _first(jax.device_get(block.runs.state), count))

    def _trained(self, block: Block, span: Span) -> Block:
        number = span.first
        while number < span.end:
            drawn = block.drawn
            if drawn is None or number >= drawn.first + self._drawn_ahead:
                batches = self._drawing(block.settings, block.seeds, np.int32(number))
                drawn = Drawn(number, batches)
            stop = min(span.end, drawn.first + self._drawn_ahead)
            numbers = map(np.int32, (drawn.first, number, stop))
            runs = self._training(block.settings, block.runs, drawn.batches, *numbers)
            block = block._replace(runs=runs, drawn=drawn)
            number = stop
        return block

    def _judged(self, block: Block, number: int) -> tuple[Block, Point]:
        """A block at one log point, before update `number`."""
        runs, scores = self._scoring(block.settings, block.runs, block.references)
        block = block._replace(runs=runs)
        pictures, motion = {}, None
        if block.pictured:
            pictures = self._picturing(block.settings, runs, block.references)
        if self._judging.features:
            motion = self._following(block.settings, block.seeds, runs, np.int32(number))
            if not (block.pictured and self._shows_features):
                motion = motion._replace(features=None)
        scores, pictures, motion = jax.device_get((scores, pictures, motion))
        if motion is not None:
            features = _first(motion.features, block.pictured)
            motion = Motion(_first(motion.distances, block.run_count), features)
        return block, Point(
            _first(scores, block.run_count), _first(pictures, block.pictured), motion
        )

    def _lowered(
        self,
        function: Callable[..., object],
        shapes: Sequence[object],
        donated: int | None = None,
        out: PartitionSpec = RUNS,
    ) -> Lowered:
        """A function of blocks, whose arguments without a run axis are the same on all devices.

        The memory of argument number `donated` becomes that of a result.
        """
        # Runs never communicate, so there is no replication to be checked; the check would refuse
        # loops that start from constants, as D's pretraining does.
        sharded = jax.shard_map(
            function,
            mesh=self._mesh,
            in_specs=tuple(map(_spec, shapes)),
            out_specs=out,
            check_vma=False,
        )
        donated_numbers = () if donated is None else (donated,)
        return jax.jit(sharded, donate_argnums=donated_numbers).lower(*shapes)

    # What each device does with its runs.

    def _start(self, settings: Setting, seeds: Array) -> tuple[Started, dict[str, Array]]:
        def one(setting: Setting, seed: Array) -> tuple[Started, dict[str, Array]]:
            started = one_run.start(setting, seed, self._judging)
            if started.pretraining is None:
                return started, {}
            before, after = started.pretraining.initial, started.run.state.params.d
            return started, metrics.stages(setting, started.reference, before, after)

        return jax.vmap(one, in_axes=(_axes(settings), 0))(settings, seeds)

    def _draw(self, settings: Setting, seeds: Array, first: Array) -> Batch:
        over_runs = jax.vmap(one_run.batch, in_axes=(_axes(settings), 0, None))
        over_updates = jax.vmap(over_runs, in_axes=(None, None, 0))
        return over_updates(settings, seeds, first + jnp.arange(self._drawn_ahead))

    def _train(
        self,
        settings: Setting,
        runs: train.Run,
        batches: Batch,
        first: Array,
        start: Array,
        stop: Array,
    ) -> train.Run:
        """Make the updates from number `start` to `stop`; the batches are those from `first` on."""

        def step(number: Array, runs: train.Run) -> train.Run:
            batch = jax.tree.map(lambda array: array[number - first], batches)
            advance = jax.vmap(train.advance, in_axes=(_axes(settings), 0, 0, None))
            return advance(settings, runs, batch, number)

        return jax.lax.fori_loop(start, stop, step, runs)

    def _score(
        self, settings: Setting, runs: train.Run, references: metrics.Reference
    ) -> tuple[train.Run, Scores]:
        variables = train.judged(runs.state)
        score = jax.vmap(one_run.score, in_axes=(_axes(settings), 0, 0, 0))
        sums, scores = score(settings, references, variables, runs.loss_sums)
        return runs._replace(loss_sums=sums), scores

    def _picture(
        self, settings: Setting, runs: train.Run, references: metrics.Reference
    ) -> dict[str, Array]:
        picture = jax.vmap(one_run.picture, in_axes=(_axes(settings), 0, 0))
        return picture(settings, references, train.judged(runs.state))

    def _follow_features(
        self, settings: Setting, seeds: Array, runs: train.Run, number: Array
    ) -> Motion:
        follow = jax.vmap(one_run.follow_features, in_axes=(_axes(settings), 0, 0, None))
        return follow(settings, seeds, runs.state, number)


def _spec(shape: object) -> object:
    """Where an argument of this shape has its runs."""
    if isinstance(shape, Setting):
        return _by_runs(shape, RUNS, ALIKE)
    if isinstance(shape, Batch):
        return DRAWN
    return ALIKE if shape is NUMBER else RUNS


def _axes(settings: Setting) -> Setting:
    """Along which axis of each array settings have their runs: the data's rows have none."""
    return _by_runs(settings, 0, None)


def _by_runs(settings: Setting, own: object, alike: object) -> Setting:
    """One thing in the place of what each run has of its own, another of what all have."""
    rows = jax.tree.map(lambda _: alike, settings.target.rows)
    each = jax.tree.map(lambda _: own, one_run.bound(settings, None))
    return one_run.bound(each, rows)


def _shapes(tree: Tree) -> Tree:
    return jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), tree)


def _first(tree: Tree, count: int) -> Tree:
    """The first runs of each array."""
    return jax.tree.map(lambda array: array[:count], tree)
