"""The XLA engine: one GAN's functions, vmapped over a block of runs, sharded over devices."""

import math
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan1d.config.schedule import Schedule
from gan1d.engines.programs import Advance, Looks, Programs, Start
from gan1d.gan import feature_motion, metrics, randomness, train
from gan1d.gan.setting import Setting

RUNS = PartitionSpec("runs")
NOISE_BYTES = 2**25  # drawn ahead for a block in one go
CHUNK_STEPS = 250  # at most, whose noise is drawn ahead


class Block(NamedTuple):
    """Runs in training, on the devices; those from `count` on are padding."""

    count: int
    kept: int  # of how many, the first ones, snapshots are kept
    settings: Setting
    seeds: jax.Array
    runs: train.Run
    references: metrics.Reference


def chunk_steps(setting: Setting, block_size: int, schedule: Schedule) -> int:
    """How many updates' randomness is drawn in one go: as many as fit NOISE_BYTES.

    The span between log points is cut into equal chunks, since a short one would draw as much.
    """
    batch = jax.eval_shape(train.draw, setting, jax.eval_shape(randomness.run_key, 0), 0)
    step_bytes = block_size * sum(leaf.size * 4 for leaf in jax.tree.leaves(batch))
    limit = min(CHUNK_STEPS, max(1, NOISE_BYTES // step_bytes))
    span = min(schedule.judging.log_every, schedule.steps)
    return math.ceil(span / math.ceil(span / limit))


def compile_programs(
    setting: Setting, schedule: Schedule, block_size: int, devices: list[Any]
) -> Programs:
    """Compile the programs of all settings with this one's structure; its numbers don't matter."""
    mesh = Mesh(np.asarray(devices), ("runs",), axis_types=(AxisType.Auto,))
    judging = schedule.judging
    steps = chunk_steps(setting, block_size, schedule)
    pictured = feature_motion.is_picture(setting)

    def begin(settings, seeds):
        def one(setting, seed):
            run, pretraining = train.start(setting, randomness.run_key(seed))
            reference = metrics.reference(setting, judging)
            if pretraining is None:
                return run, reference, None, {}
            drawn = metrics.stages(setting, reference, pretraining.initial, run.state.params.d)
            return run, reference, pretraining.losses, drawn

        return jax.vmap(one)(settings, seeds)

    def chunk(settings, seeds, runs, first, count):
        run_keys = jax.vmap(randomness.run_key)(seeds)
        draw = jax.vmap(train.draw, in_axes=(0, 0, None))  # over runs
        draw = jax.vmap(draw, in_axes=(None, None, 0))  # over updates
        batches = draw(settings, run_keys, first + jnp.arange(steps))

        def step(i, runs):
            batch = jax.tree.map(lambda array: array[i], batches)
            return jax.vmap(train.advance, in_axes=(0, 0, 0, None))(
                settings, runs, batch, first + i
            )

        return jax.lax.fori_loop(0, count, step, runs)

    def evaluate(settings, runs, references):
        scores = jax.vmap(metrics.evaluate)(settings, train.judged(runs.state), references)
        zero = jax.tree.map(jnp.zeros_like, runs.loss_sums)
        return runs._replace(loss_sums=zero), (scores, runs.loss_sums)

    def snapshot(settings, runs, references):
        return jax.vmap(metrics.snapshot)(settings, train.judged(runs.state), references)

    def look(settings, seeds, runs, number):
        def one(setting, seed, run):
            batch = train.draw(setting, randomness.run_key(seed), number)
            return feature_motion.look(setting, run.state, batch)

        return jax.vmap(one)(settings, seeds, runs)

    def compiled(function, shapes, specs, donate=()):
        # Runs never communicate, so there is no replication to be checked; the check would refuse
        # loops that start from constants, as D's pretraining does.
        sharded = jax.shard_map(
            function, mesh=mesh, in_specs=specs, out_specs=RUNS, check_vma=False
        )
        return jax.jit(sharded, donate_argnums=donate).lower(*shapes).compile()

    settings = jax.tree.map(lambda _: jax.ShapeDtypeStruct((block_size,), np.float32), setting)
    seeds = jax.ShapeDtypeStruct((block_size,), np.uint32)
    number, alike = jax.ShapeDtypeStruct((), np.int32), PartitionSpec()
    runs, references, *_ = jax.eval_shape(begin, settings, seeds)
    judged = (settings, runs, references)
    begin = compiled(begin, (settings, seeds), (RUNS,) * 2)
    chunk = compiled(
        chunk,
        (settings, seeds, runs, number, number),
        (RUNS, RUNS, RUNS, alike, alike),
        donate=(2,),
    )
    evaluate = compiled(evaluate, judged, (RUNS,) * 3, donate=(1,))
    snapshot = compiled(snapshot, judged, (RUNS,) * 3)
    if judging.features:
        look = compiled(look, (settings, seeds, runs, number), (RUNS, RUNS, RUNS, alike))

    def start(settings, seeds, kept):
        count = len(seeds)
        last = np.minimum(np.arange(block_size), count - 1)  # padding repeats the last run
        padded = jax.tree.map(lambda array: array[last], (settings, seeds))
        settings, seeds = jax.device_put(padded, NamedSharding(mesh, RUNS))
        runs, references, losses, stages = jax.block_until_ready(begin(settings, seeds))
        losses, stages = jax.device_get((losses, stages))
        block = Block(count, kept, settings, seeds, runs, references)
        return Start(block, _first(losses, count), _first(stages, kept))

    def looked(block, number):
        """A block at one log point."""
        runs, (scores, sums) = evaluate(block.settings, block.runs, block.references)
        block = block._replace(runs=runs)
        shown = snapshot(block.settings, runs, block.references) if block.kept else {}
        if judging.features:
            distances, features = look(block.settings, block.seeds, runs, np.int32(number))
            scores["centroid_distance"] = distances
            if block.kept and pictured:
                shown["features"] = features
        scores, sums, shown = jax.device_get((scores, sums, shown))
        return block, (*_first((scores, sums), block.count), _first(shown, block.kept))

    def advance(block, legs, looking):
        points, judging_seconds, started = [], 0.0, time.monotonic()
        for first, count in legs:
            runs = block.runs
            for done in range(0, count, steps):
                length = np.int32(min(steps, count - done))
                runs = chunk(block.settings, block.seeds, runs, np.int32(first + done), length)
            block = block._replace(runs=jax.block_until_ready(runs))
            if looking:
                began = time.monotonic()
                block, point = looked(block, first + count)
                points.append(point)
                judging_seconds += time.monotonic() - began
        diverged_at = np.asarray(block.runs.diverged_at)[: block.count]
        looks = None
        if looking:
            scores, sums, shown = jax.tree.map(lambda *each: np.stack(each), *points)
            looks = Looks(scores, scores.pop("quantiles")[-1], sums, shown)
        return Advance(block, diverged_at, looks, judging_seconds / (time.monotonic() - started))

    return Programs(start, advance, steps)


def _first(tree: Any, count: int) -> Any:
    """The first runs of each array."""
    return jax.tree.map(lambda array: array[:count], tree)
