"""The XLA engine: one GAN's functions, vmapped over a block of runs, sharded over devices."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from gan1d import keys, losses, metrics, probe, train
from gan1d.schedule import Schedule
from gan1d.settings import Setting

RUNS = PartitionSpec("runs")
NOISE_BYTES = 2**25  # drawn ahead for a block in one go
CHUNK_STEPS = 250  # at most, so that the host gets a word in every second or so


class Programs(NamedTuple):
    """A cohort's compiled programs, each over one block of runs `[R]`.

    Where they give results they name them as results do.
    """

    place: Callable[[Any], Any]  # brings a block's host arrays to the devices
    start: Callable[..., Any]  # (settings, seeds) -> runs, references, results
    chunk: Callable[..., Any]  # (settings, seeds, runs, first, count) -> runs
    evaluate: Callable[..., Any] | None  # (settings, runs, references) -> runs, fields of a Score
    snapshot: Callable[..., Any]  # (settings, runs, references) -> results
    probe: Callable[..., Any] | None  # (settings, seeds, runs, step) -> results
    steps: int  # the most updates that a chunk makes


class Given(NamedTuple):
    """What another engine brings."""

    begin: Callable[..., Any]  # (settings, seeds) -> runs, pretraining
    chunk: Callable[..., Any]
    steps: int  # the most updates that a chunk makes
    evaluates: bool  # whether it also brings `evaluate`


def chunk_steps(setting: Setting, block_size: int, schedule: Schedule) -> int:
    """How many updates' randomness is drawn in one go: as many as fit NOISE_BYTES.

    The span between log points is cut into equal chunks, since a short one would draw as much.
    """
    batch = jax.eval_shape(train.draw, setting, jax.eval_shape(keys.run_key, 0), 0)
    step_bytes = block_size * sum(leaf.size * 4 for leaf in jax.tree.leaves(batch))
    limit = min(CHUNK_STEPS, max(1, NOISE_BYTES // step_bytes))
    span = min(schedule.judging.log_every, schedule.steps)
    return math.ceil(span / math.ceil(span / limit))


def compile_programs(
    setting: Setting,
    schedule: Schedule,
    block_size: int,
    devices: list[Any],
    given: Given | None = None,
) -> Programs:
    """Compile the programs of all settings with this one's structure; its numbers don't matter.

    What another engine does is given, and not compiled.
    """
    mesh = Mesh(np.asarray(devices), ("runs",), axis_types=(AxisType.Auto,))
    judging = schedule.judging
    steps = given.steps if given else chunk_steps(setting, block_size, schedule)

    def begin(settings, seeds):
        return jax.vmap(lambda own, seed: train.start(own, keys.run_key(seed)))(settings, seeds)

    def refer(settings, runs, pretraining):
        def one(setting, run, pretraining):
            reference = metrics.reference(setting, judging)
            if pretraining is None:
                return reference, {}
            stage = {"d_initial": pretraining.initial, "d_pretrained": run.state.params.d}
            # Unclipped, as D is fitted to the density.
            drawn = {
                name: metrics.discriminator(setting, d_params, reference, losses.estimate)
                for name, d_params in stage.items()
            }
            return reference, drawn | {"pretraining_loss": pretraining.losses}

        return jax.vmap(one)(settings, runs, pretraining)

    def chunk(settings, seeds, runs, first, count):
        run_keys = jax.vmap(keys.run_key)(seeds)
        draw = jax.vmap(train.draw, in_axes=(0, 0, None))  # over runs
        draw = jax.vmap(draw, in_axes=(None, None, 0))  # over updates
        batches = draw(settings, run_keys, first + jnp.arange(steps))

        def advance(i, runs):
            batch = jax.tree.map(lambda array: array[i], batches)
            return jax.vmap(train.advance, in_axes=(0, 0, 0, None))(
                settings, runs, batch, first + i
            )

        return jax.lax.fori_loop(0, count, advance, runs)

    def evaluate(settings, runs, references):
        scores = jax.vmap(metrics.evaluate)(settings, runs.state.params, references)
        zero = jax.tree.map(jnp.zeros_like, runs.loss_sums)
        return runs._replace(loss_sums=zero), (scores, runs.loss_sums, runs.diverged_at)

    def snapshot(settings, runs, references):
        return jax.vmap(metrics.snapshot)(settings, runs.state.params, references)

    def look(settings, seeds, runs, step):
        def one(setting, seed, run):
            batch = train.draw(setting, keys.run_key(seed), step)
            looks = probe.features(setting, run.state, batch)
            return {"features": looks, "centroid_distance": probe.centroid_distances(looks)}

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
    number = jax.ShapeDtypeStruct((), np.int32)
    runs, pretraining = jax.eval_shape(begin, settings, seeds)
    references, _ = jax.eval_shape(refer, settings, runs, pretraining)
    begun = given.begin if given else compiled(begin, (settings, seeds), (RUNS, RUNS))
    referred = compiled(refer, (settings, runs, pretraining), (RUNS,) * 3)

    def place(tree):
        return jax.device_put(tree, NamedSharding(mesh, RUNS))

    def start(settings, seeds):
        runs, pretraining = place(begun(settings, seeds))
        return runs, *referred(settings, runs, pretraining)

    return Programs(
        place=place,
        start=start,
        chunk=given.chunk
        if given
        else compiled(
            chunk,
            (settings, seeds, runs, number, number),
            (RUNS, RUNS, RUNS, PartitionSpec(), PartitionSpec()),
            donate=(2,),
        ),
        evaluate=None
        if given and given.evaluates
        else compiled(evaluate, (settings, runs, references), (RUNS,) * 3, donate=(1,)),
        probe=compiled(look, (settings, seeds, runs, number), (RUNS, RUNS, RUNS, PartitionSpec()))
        if judging.features
        else None,
        snapshot=compiled(snapshot, (settings, runs, references), (RUNS,) * 3),
        steps=steps,
    )
