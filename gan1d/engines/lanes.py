"""The lanes engine: one GAN's functions compiled to native code with a run in each lane; for CPUs.

A block's runs stay in native code's own form from their start to their end, and one call takes them
through as many log points as the host loop likes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan1d.engines.programs import Advance, Leg, Looks, Programs, Start
from gan1d.gan import feature_motion, metrics, randomness, train
from gan1d.gan.judging import Judging
from gan1d.gan.setting import Setting
from gan1d.simd import Program, Span, Task, arrays, runtime

ONCE = Span(0, 1)
SEED = jax.ShapeDtypeStruct((), np.uint32)


class Block(NamedTuple):
    """Runs in training, in trees of arrays `[vectors of runs, elements, width]`."""

    count: int
    kept: int  # of how many, the first ones, snapshots are kept
    settings: Setting
    seeds: np.ndarray
    run: train.Run
    reference: metrics.Reference


class Rooms(NamedTuple):
    """Memory for what is seen of a block at some log points."""

    scores: tuple[Any, Any, Any]  # metrics, quantiles, sums of losses
    pictures: Any
    probes: tuple[Any, Any] | None  # distances, features; None where nobody follows them


def compile_programs(setting: Setting, judging: Judging, threads: int) -> Programs:
    """Compile the programs of all settings with this one's structure; its numbers don't matter.

    Raises:
      Unsupported: there is something in them that can't be compiled.
    """
    starting, training = compile_start(setting, judging), compile_training(setting)
    scoring, picturing = compile_scores(setting, judging), compile_snapshot(setting, judging)
    staging = compile_stages(setting, judging) if setting.pretraining.steps else None
    probing = compile_probe(setting) if judging.features else None
    width = training.width
    pictured = feature_motion.is_picture(setting)

    def vectors(count: int) -> int:
        return arrays.vector_count(count, width)

    def start(settings: Setting, seeds: np.ndarray, kept: int) -> Start:
        count = len(seeds)
        given = arrays.pack(starting.given, (settings, seeds), width)
        made = arrays.allocate(starting.results, vectors(count), width)
        run, reference, pretraining = jax.tree.map(lambda array: array[0], made)
        block = Block(count, kept, *given, run, reference)
        tasks = [starting.task(vectors(count), given, (), made)]
        if staging is None:
            runtime.execute([ONCE], tasks, width, threads)
            return Start(block, None, {})
        stages = arrays.allocate(staging.results, vectors(kept), width)
        shown = (given[0], reference, pretraining.initial, run.state.params.d)
        tasks.append(staging.task(vectors(kept), shown, (), stages))
        runtime.execute([ONCE], tasks, width, threads)
        losses = arrays.unpack(starting.results[2].losses, pretraining.losses, count)
        stages = jax.tree.map(lambda array: array[0], arrays.unpack(staging.results, stages, kept))
        return Start(block, losses, stages)

    def rooms(block: Block, points: int) -> Rooms:
        runs, kept = vectors(block.count), vectors(block.kept)
        measured, quantiles, sums = scoring.results
        scores = (
            arrays.allocate(measured, runs, width, points),
            # Only the last are wanted: all points leave theirs in the same place.
            arrays.allocate(quantiles, runs, width, points, shared=True),
            arrays.allocate(sums, runs, width, points),
        )
        pictures = arrays.allocate(picturing.results, kept, width, points)
        if probing is None:
            return Rooms(scores, pictures, None)
        distances, features = probing.results
        probes = (
            arrays.allocate(distances, runs, width, points),
            # Where they are in no picture nobody wants them.
            arrays.allocate(features, runs, width, points, shared=not (block.kept and pictured)),
        )
        return Rooms(scores, pictures, probes)

    def watchers(block: Block, rooms: Rooms) -> list[Task]:
        runs, kept, run = vectors(block.count), vectors(block.kept), block.run
        shown = (block.settings, block.reference, train.judged(run.state))
        tasks = [
            scoring.task(runs, shown, run.loss_sums, rooms.scores),
            picturing.task(kept, shown, (), rooms.pictures),
        ]
        if probing:
            given = (block.settings, block.seeds)
            tasks.append(probing.task(runs, given, run.state, rooms.probes))
        return tasks

    def looks(block: Block, rooms: Rooms) -> Looks:
        scores, final, losses = rooms.scores
        measured, quantiles, sums = scoring.results
        metrics_ = arrays.unpack(measured, scores, block.count)
        snapshots = arrays.unpack(picturing.results, rooms.pictures, block.kept)
        if probing:
            distances, features = probing.results
            metrics_["centroid_distance"] = arrays.unpack(distances, rooms.probes[0], block.count)
            if block.kept and pictured:
                snapshots["features"] = arrays.unpack(features, rooms.probes[1], block.kept)
        return Looks(
            metrics_,
            arrays.unpack(quantiles, final[-1], block.count),
            arrays.unpack(sums, losses, block.count),
            snapshots,
        )

    def advance(block: Block, legs: Sequence[Leg], looking: bool) -> Advance:
        given = (block.settings, block.seeds)
        tasks = [training.task(vectors(block.count), given, block.run, ())]
        spans = [Span(*leg) for leg in legs]
        seen, share = None, 0.0
        if looking:
            made = rooms(block, len(legs))
            spent = runtime.execute(spans, [*tasks, *watchers(block, made)], width, threads)
            seen, share = looks(block, made), sum(spent[1:]) / sum(spent)
        else:
            runtime.execute(spans, tasks, width, threads)
        form, diverged_at = training.carried.diverged_at, block.run.diverged_at
        return Advance(block, arrays.unpack(form, diverged_at, block.count), seen, share)

    return Programs(start, advance, unit=1)


def compile_start(setting: Setting, judging: Judging) -> Program:
    """(setting, seed) to a Run, what judges it, and how its D was pretrained."""

    def step(given, carried, number):
        own, seed = given
        run, pretraining = train.start(own, randomness.run_key(seed))
        return carried, (run, metrics.reference(own, judging), pretraining)

    return Program(step, (_scalars(setting), SEED), ())


def compile_training(setting: Setting) -> Program:
    """Updates of a run: of (setting, seed), a Run, and the number of the update."""

    def step(given, run, number):
        own, seed = given
        return train.advance(
            own, run, train.draw(own, randomness.run_key(seed), number), number
        ), ()

    scalars = _scalars(setting)
    return Program(step, (scalars, SEED), _run(scalars))


def compile_scores(setting: Setting, judging: Judging) -> Program:
    """A run's scores: of (setting, reference, variables) and sums of losses, which end here."""

    def step(given, sums, number):
        own, reference, variables = given
        scores = metrics.evaluate(own, variables, reference)
        quantiles = scores.pop("quantiles")
        return jax.tree.map(jnp.zeros_like, sums), (scores, quantiles, sums)

    run = _run(_scalars(setting))
    shown = (*_judged(setting, judging), train.judged(run.state))
    return Program(step, shown, run.loss_sums)


def compile_snapshot(setting: Setting, judging: Judging) -> Program:
    """A run's pictures: of (setting, reference, variables)."""

    def step(given, carried, number):
        own, reference, variables = given
        return carried, metrics.snapshot(own, variables, reference)

    variables = train.judged(_run(_scalars(setting)).state)
    return Program(step, (*_judged(setting, judging), variables), ())


def compile_stages(setting: Setting, judging: Judging) -> Program:
    """D before and after pretraining: of (setting, reference, D's parameters then, and now)."""

    def step(given, carried, number):
        own, reference, before, after = given
        return carried, metrics.stages(own, reference, before, after)

    d_params = _run(_scalars(setting)).state.params.d
    return Program(step, (*_judged(setting, judging), d_params, d_params), ())


def compile_probe(setting: Setting) -> Program:
    """What an update does to D's features: of (setting, seed), a State, and its number."""

    def step(given, state, number):
        own, seed = given
        return state, feature_motion.look(
            own, state, train.draw(own, randomness.run_key(seed), number)
        )

    scalars = _scalars(setting)
    return Program(step, (scalars, SEED), _run(scalars).state)


def _scalars(setting: Setting) -> Setting:
    return jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float32), setting)


def _run(setting: Setting) -> train.Run:
    return jax.eval_shape(lambda own: train.start(own, randomness.run_key(0))[0], setting)


def _judged(setting: Setting, judging: Judging) -> tuple[Setting, metrics.Reference]:
    scalars = _scalars(setting)
    return scalars, jax.eval_shape(lambda own: metrics.reference(own, judging), scalars)
