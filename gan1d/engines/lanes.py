"""The lanes engine: one run's functions compiled to native code, a run in each lane; for CPUs.

A block's runs stay in native code's own form from their start to their end, and one call takes them
through as many log points as the host loop likes.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import numpy as np
import optax
from jax import Array

from gan1d.engines import one_run
from gan1d.engines.one_run import Motion, Own, Scores, Started
from gan1d.engines.programs import Advance, LogPoints, Span, Start
from gan1d.gan import feature_motion, metrics, randomness, train
from gan1d.gan.judging import Judging
from gan1d.gan.players import Players
from gan1d.gan.setting import Setting
from gan1d.simd import Program, Task, arrays, execute

Pictures = dict[str, Array]
Shown = tuple[Setting, metrics.Reference, Players]  # a run as it is judged
# D before pretraining and after.
Stages = tuple[Setting, metrics.Reference, optax.Params, optax.Params]
Sums = Players[Array]  # of losses
Empty = tuple[()]


class Block(NamedTuple):
    """Runs in training, in trees of arrays `[vectors, elements, width]`."""

    run_count: int
    pictured: int  # of how many, the first ones, snapshots are kept
    settings: Setting
    seeds: Array
    run: train.Run
    reference: metrics.Reference


class Memory(NamedTuple):
    """What is found at some log points, in trees of arrays `[P, vectors, elements, width]`."""

    scores: Scores
    pictures: Pictures
    motion: Motion | None


class LanesPrograms:
    """A cohort's programs; in `gan1d.engines.programs.Programs` is what they are."""

    def __init__(self, setting: Setting, judging: Judging, threads: int) -> None:
        """Compile them.

        Raises:
          Unsupported: there is something in them that can't be compiled.
        """
        self._threads = threads
        self._rows = metrics.rows(setting.target, judging)
        setting = one_run.bound(setting, arrays.shared(self._rows))
        self._starting = compile_start(setting, judging)
        self._training = compile_training(setting)
        self._scoring = compile_scores(setting, judging)
        self._picturing = compile_pictures(setting, judging)
        self._staging = compile_stages(setting, judging) if setting.pretraining.steps else None
        self._following = compile_motion(setting) if judging.features else None
        self._shows_features = feature_motion.is_picture(setting)

    def start(self, settings: Setting, seeds: np.ndarray, pictured: int) -> Start[Block]:
        """Begin runs."""
        count, starting, staging = len(seeds), self._starting, self._staging
        settings = one_run.bound(settings, self._rows)
        own = arrays.pack(starting.given, (settings, seeds), self._width)
        memory = arrays.allocate(starting.results, self._vectors(count), self._width)
        run, reference, pretraining = arrays.first(memory)
        block = Block(count, pictured, *own, run, reference)
        tasks = [starting.task(self._vectors(count), own, (), memory)]
        spec = starting.results.pretraining
        if staging is None or spec is None or pretraining is None:
            self._execute([Span(0, 1)], tasks)
            return Start(block, None, {})
        stages = arrays.allocate(staging.results, self._vectors(pictured), self._width)
        shown = (block.settings, reference, pretraining.initial, run.state.params.d)
        tasks.append(staging.task(self._vectors(pictured), shown, (), stages))
        self._execute([Span(0, 1)], tasks)
        losses = arrays.unpack(spec.losses, pretraining.losses, count)
        stages = arrays.first(arrays.unpack(staging.results, stages, pictured))
        return Start(block, np.asarray(losses), jax.tree.map(np.asarray, stages))

    def advance(self, block: Block, spans: Sequence[Span], judging: bool) -> Advance[Block]:
        """Train a block through some spans, and judge it after each if it is to be judged."""
        own = (block.settings, block.seeds)
        tasks = [self._training.task(self._vectors(block.run_count), own, block.run, ())]
        log_points, share = None, 0.0
        if judging:
            memory = self._allocate(block, len(spans))
            seconds = self._execute(spans, [*tasks, *self._judging_tasks(block, memory)])
            log_points, share = self._log_points(block, memory), sum(seconds[1:]) / sum(seconds)
        else:
            self._execute(spans, tasks)
        spec = self._training.carried.diverged_at
        diverged_at = arrays.unpack(spec, block.run.diverged_at, block.run_count)
        return Advance(block, np.asarray(diverged_at), log_points, share)

    def states(self, block: Block, count: int) -> train.State:
        """The states of the first runs as they are now, arrays `[count, ...]` of numpy."""
        return arrays.unpack(self._training.carried.state, block.run.state, count)

    @property
    def _width(self) -> int:
        return self._training.width

    def _vectors(self, runs: int) -> int:
        return arrays.vector_count(runs, self._width)

    def _execute(self, spans: Sequence[Span], tasks: Sequence[Task]) -> list[float]:
        pairs = [(span.first, span.count) for span in spans]
        return execute(pairs, tasks, self._width, self._threads)

    def _allocate(self, block: Block, points: int) -> Memory:
        """Memory for what is found at so many log points."""
        runs, pictured = self._vectors(block.run_count), self._vectors(block.pictured)
        specs, width = self._scoring.results, self._width
        scores = Scores(
            arrays.allocate(specs.metrics, runs, width, points),
            # Only the last are wanted: all points leave theirs in the same memory.
            arrays.allocate(specs.quantiles, runs, width, points, shared=True),
            arrays.allocate(specs.loss_sums, runs, width, points),
            arrays.allocate(specs.finite, runs, width, points),
        )
        pictures = arrays.allocate(self._picturing.results, pictured, width, points)
        if self._following is None:
            return Memory(scores, pictures, None)
        found = self._following.results
        motion = Motion(
            arrays.allocate(found.distances, runs, width, points),
            # Where they are in no picture nobody wants them.
            arrays.allocate(
                found.features, runs, width, points, shared=not self._pictures_features(block)
            ),
        )
        return Memory(scores, pictures, motion)

    def _pictures_features(self, block: Block) -> bool:
        return self._shows_features and block.pictured > 0

    def _judging_tasks(self, block: Block, memory: Memory) -> list[Task]:
        runs, run = self._vectors(block.run_count), block.run
        shown = (block.settings, block.reference, train.judged(run.state))
        tasks = [
            self._scoring.task(runs, shown, run.loss_sums, memory.scores),
            self._picturing.task(self._vectors(block.pictured), shown, (), memory.pictures),
        ]
        if self._following is not None and memory.motion is not None:
            own = (block.settings, block.seeds)
            tasks.append(self._following.task(runs, own, run.state, memory.motion))
        return tasks

    def _log_points(self, block: Block, memory: Memory) -> LogPoints:
        last = memory.scores._replace(quantiles=memory.scores.quantiles[-1:])
        scores = arrays.unpack(self._scoring.results, last, block.run_count)
        pictures = arrays.unpack(self._picturing.results, memory.pictures, block.pictured)
        if self._following is None or memory.motion is None:
            return one_run.log_points(scores, pictures, None)
        specs, features = self._following.results, None
        if self._pictures_features(block):
            features = arrays.unpack(specs.features, memory.motion.features, block.pictured)
        distances = arrays.unpack(specs.distances, memory.motion.distances, block.run_count)
        return one_run.log_points(scores, pictures, Motion(distances, features))


def compile_start(setting: Setting, judging: Judging) -> Program[Own, Empty, Started]:
    """Of (setting, seed)."""

    def step(own: Own, carried: Empty, number: Array) -> tuple[Empty, Started]:
        return carried, one_run.start(*own, judging)

    return Program(step, one_run.shapes(setting), ())


def compile_training(setting: Setting) -> Program[Own, train.Run, Empty]:
    """Updates of a run: of (setting, seed), a Run, and the number of the update."""

    def step(own: Own, run: train.Run, number: Array) -> tuple[train.Run, Empty]:
        return one_run.update(*own, run, number), ()

    return Program(step, one_run.shapes(setting), _run(setting))


def compile_scores(setting: Setting, judging: Judging) -> Program[Shown, Sums, Scores]:
    """A run's scores: of (setting, reference, variables) and sums of losses, which end here."""

    def step(shown: Shown, sums: Sums, number: Array) -> tuple[Sums, Scores]:
        return one_run.score(*shown, sums)

    return Program(step, _shown(setting, judging), _run(setting).loss_sums)


def compile_pictures(setting: Setting, judging: Judging) -> Program[Shown, Empty, Pictures]:
    """A run's pictures: of (setting, reference, variables)."""

    def step(shown: Shown, carried: Empty, number: Array) -> tuple[Empty, Pictures]:
        return carried, one_run.picture(*shown)

    return Program(step, _shown(setting, judging), ())


def compile_stages(setting: Setting, judging: Judging) -> Program[Stages, Empty, Pictures]:
    """D before and after pretraining: of (setting, reference, D's parameters then, and now)."""

    def step(stages: Stages, carried: Empty, number: Array) -> tuple[Empty, Pictures]:
        return carried, metrics.stages(*stages)

    d_params = _run(setting).state.params.d
    numbers, reference, _ = _shown(setting, judging)
    return Program(step, (numbers, reference, d_params, d_params), ())


def compile_motion(setting: Setting) -> Program[Own, train.State, Motion]:
    """What an update does to D's features: of (setting, seed), a State, and its number."""

    def step(own: Own, state: train.State, number: Array) -> tuple[train.State, Motion]:
        return state, one_run.follow_features(*own, state, number)

    return Program(step, one_run.shapes(setting), _run(setting).state)


def _run(setting: Setting) -> train.Run:
    """A run, in shapes."""
    numbers, _ = arrays.unshared(one_run.shapes(setting))
    return jax.eval_shape(lambda own: train.start(own, randomness.run_key(0))[0], numbers)


def _shown(setting: Setting, judging: Judging) -> Shown:
    """A run as it is judged, in shapes."""
    numbers, _ = one_run.shapes(setting)
    one = arrays.unshared(numbers)
    reference = jax.eval_shape(lambda own: metrics.reference(own, judging), one)
    return numbers, reference, train.judged(_run(setting).state)
