"""Lanes train and judge the same GANs as XLA; whatever they can't, XLA does."""

import dataclasses
import json
import logging
import re

import jax
import numpy as np
import pytest
from helpers import in_float64, setting
from jax.sharding import AxisType, Mesh, PartitionSpec

from gan1d import engines
from gan1d.config import conflicts, experiment
from gan1d.config.fields import ConfigError
from gan1d.config.schedule import Schedule
from gan1d.engines import cost, lanes, xla
from gan1d.engines.describe import describe
from gan1d.gan import (
    diversity,
    dynamics,
    inputs,
    latents,
    losses,
    matching,
    metrics,
    networks,
    optimizers,
    penalties,
    randomness,
    targets,
    train,
)
from gan1d.gan.averages import Mean
from gan1d.gan.judging import Judging
from gan1d.gan.players import Players, Probes
from gan1d.simd import Program, Unsupported
from gan1d.sweep import api, loop
from gan1d.sweep.cohorts import Sweep
from gan1d.sweep.layout import Choices, choose
from gan1d.system import backend
from gan1d.system.progress import Silent

RUNS = 16
UPDATES = 20
SEEDS = np.arange(RUNS, dtype=np.uint32)
JUDGING = Judging(points=101)


def hurried(function, *arguments):
    """A function's value by XLA, without the optimizations that take it long to compile."""
    compiled = jax.jit(function).lower(*arguments)
    return compiled.compile(compiler_options={"xla_backend_optimization_level": 0})(*arguments)


def one_of(arrays):
    """The shapes of one run's arrays."""
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), arrays)


def on_lanes(function, *arrays):
    """A function of one run's arrays, for those of many."""
    program = Program(lambda given, c, number: (c, function(*given)), one_of(arrays), ())
    return program(arrays, (), 0, 1)[1]


def assert_close(ours, theirs, tolerance=1e-5):
    """Within a part of the largest finite number of each array."""
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        b = np.asarray(b)
        scale = np.abs(b[np.isfinite(b)]).max(initial=1)
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * scale)


def of_many_runs(chosen):
    """A setting's numbers for many runs, a little different in each: none may see another's."""
    less = 1 - 0.005 * np.arange(RUNS)
    return jax.tree.map(lambda value: np.float32(value * less), chosen)


def of_unit_size(kind):
    """A target's fields, such that gradients are of no extreme size."""
    fields = {"target.kind": kind, "target.loc": 0.5}
    if kind in targets.PLANE:
        fields |= {"latent.kind": "uniform", "latent.dim": 2}
    target = setting(**fields).target
    return fields | {"target.scale": float(target.scale / np.max(targets.std(target)))}


# What is drawn.


@pytest.mark.parametrize("kind", [*targets.LINE, *targets.PLANE, *targets.COUNTS])
def test_every_target_is_drawn_alike(kind):
    own = of_many_runs(setting(**of_unit_size(kind)).target)
    u = np.random.default_rng(0).uniform(size=(RUNS, 9, targets.uniforms(own)))
    u = u.astype(np.float32)
    assert_close(on_lanes(targets.sample, own, u), hurried(jax.vmap(targets.sample), own, u))


@pytest.mark.parametrize("kind", latents.KINDS)
def test_every_latent_is_drawn_alike(kind):
    own = of_many_runs(setting(**{"latent.kind": kind}).latent)
    u = np.random.default_rng(0).uniform(size=(RUNS, 9, 1)).astype(np.float32)
    assert_close(on_lanes(latents.draw, own, u), hurried(jax.vmap(latents.draw), own, u))


NOISY = {
    "tricks.instance_noise": 0.1,
    "tricks.input_noise": 0.2,
    "latent.kind": "uniform",
    "training.d_steps": 2,
}


def draw(own, seed, number):
    return train.draw(own, randomness.run_key(seed), number)


HIDDEN = {"generator.hidden": (2,), "discriminator.hidden": (3,), "training.batch_size": 6}
SORTED = HIDDEN | {
    "latent.kind": "uniform",
    "penalty.kind": "gradient",
    "diversity.kind": "mode_seeking",
    "tricks.instance_noise": 0.3,
    "tricks.noise_fade_steps": 50.0,
    "training.dynamics": "extragradient",
    "training.fresh_halves": True,
}
PACKED = HIDDEN | {
    "latent.kind": "normal",
    "penalty.kind": "dragan",
    "tricks.packing": 2,
    "tricks.top_k": 0.5,
    "discriminator.dropout": 0.2,
    "loss.flips": 0.3,
    "training.sort": False,
    "training.g_steps": 2,
}
FINITE = {"training.data_rows": 5, "target.kind": "moons", "latent.kind": "uniform"}
DRAWN = [NOISY, {"training.fresh_batches": False, "training.d_steps": 2}, SORTED, PACKED]
DRAWN += [FINITE, FINITE | {"training.data_set": "same", "target.kind": "poisson"}]
DRAWN += [
    FINITE | {"training.strata": 5, "training.finite_latents": True},
    FINITE
    | {"training.full_batch": True, "training.finite_latents": True}
    | {"training.batch_size": 5},
    {"training.strata": 4},
    *(
        {"target.kind": kind, "target.weights": (2.0,), "latent.kind": "uniform"} | of_one
        for kind, of_one in (
            ("mixture", {"target.means": (1.0,), "target.stds": (0.5,)}),
            ("uniform_mixture", {"target.means": (1.0,), "target.half_widths": (0.5,)}),
            ("plane_mixture", {"target.centres": ((1.0, 2.0),), "target.stds": (0.5,)}),
            (
                "plane_gaussians",
                {"target.centres": ((1.0, 2.0),), "target.covariances": ((1.0, 0.5, 1.0),)},
            ),
        )
    ),
]


@pytest.mark.parametrize("fields", DRAWN)
def test_all_randomness_of_an_update_is_drawn_alike(fields):
    own, numbers = of_many_runs(setting(**fields)), 7 * np.arange(RUNS, dtype=np.int32)
    ours = on_lanes(draw, own, SEEDS, numbers)
    assert_close(ours, hurried(jax.vmap(draw), own, SEEDS, numbers))


@pytest.mark.parametrize("options", xla.COMPILER_OPTIONS.values(), ids=xla.COMPILER_OPTIONS)
def test_options_of_the_compiler_are_options_that_it_knows(options):
    """It refuses others: on a machine that has such a device, if not here."""
    lowered = jax.jit(lambda x: x + 1).lower(1.0)
    assert lowered.compile(options)(1.0) == 2
    with pytest.raises(jax.errors.JaxRuntimeError, match="No such compile option"):
        lowered.compile(dict.fromkeys((name + "?" for name in options), True))


def test_every_part_of_a_batch_is_drawn_above():
    batches = [jax.eval_shape(draw, setting(**fields), 0, 0) for fields in DRAWN]
    batches += [batch.later for batch in batches if batch.later]
    parts = [batch._asdict() | batch.noise._asdict() for batch in batches]
    parts += [batch.probes._asdict() for batch in batches if batch.probes]
    drawn = {name for part in parts for name, array in part.items() if array is not None}
    known = (inputs.Batch, inputs.InstanceNoise, Probes)
    assert drawn == {name for part in known for name in part._fields}


# What is trained: settings in which every registered value occurs, many of them in each.

LOSSES = [
    {"loss.kind": kind, "loss.output": output}
    for kind in ("non_saturating", "saturating", "hinge", "relativistic")
    for output in (losses.OUTPUTS if kind.endswith("saturating") else ["logit"])
]
TRAINS = ["g", "g_and_features"]


def columns():
    """Fields that are independent of each other, each with its values in turn."""
    activations = list(networks.ACTIVATIONS)
    kinds = ["sgd", "momentum", "adam", "adam_tf1", "rmsprop"]
    yield "generator.activation", activations
    yield "generator.last_activation", ["same", "sigmoid", "linear"]
    yield "generator.output_activation", ["linear", *activations[-2:]]
    yield "discriminator.activation", activations[::-1]
    yield "discriminator.last_activation", ["same", "tanh", "linear"]
    yield "discriminator.maxout", [1, 1, 3, 1]
    yield "generator.optimizer.kind", kinds
    yield "discriminator.optimizer.kind", [*kinds[2:], *kinds[:2]]
    yield "latent.kind", [*latents.KINDS]
    # It takes the place of G's loss, which every kind must get to see too: so each has its cases.
    yield "tricks.feature_matching", [*["off"] * len(LOSSES), *matching.MATCHING]
    yield "tricks.feature_matching_trains", TRAINS
    yield "tricks.virtual_batch_norm", ["off", "off", "on"]
    yield "tricks.historical_averaging", ["off", "on"]
    yield "tricks.instance_noise", [0.0, 0.0, 0.0, 0.1]
    yield "tricks.input_noise", [0.0, 0.1, 0.0, 0.0, 0.0]
    yield "tricks.minibatch", ["off", "append", "off", "replace"]
    yield "tricks.minibatch_rows", [0, 0, 0, 3, 0]
    yield "tricks.top_k", [0.0, 0.5, 0.0]
    yield "loss.label_smoothing", [0.0, 0.1]
    yield "penalty.kind", ["off", *(kind for kind in penalties.PENALTIES if kind != "fisher")]
    yield "averages.ema", [0.0, 0.0, 0.9]
    yield "discriminator.weight_clip", [0.0, 0.0, 0.0, 0.5]
    yield "training.order", [*inputs.ORDERS, inputs.ALTERNATING]
    yield "training.dynamics", ["gradient", "gradient", "extragradient"]
    yield "training.batch_size", [5, 6, 5]
    yield "training.d_steps", [1, 1, 1, 1, 2, 1, 1]
    yield "training.g_steps", [1, 1, 2, 1, 1, 1, 1]
    yield "training.sort", [True, False, True]
    yield "training.fresh_batches", [True, True, False, True]
    yield "target.kind", ["gaussian", "ring", "uniform", "laplace", "mixture"]


def trained_cases():
    """One of each loss and output, and of each feature matching, at least."""
    for i in range(len(LOSSES) + len(matching.MATCHING)):
        fields = {name: values[i % len(values)] for name, values in columns()}
        fields |= LOSSES[i % len(LOSSES)] | of_unit_size(fields["target.kind"])
        if fields["target.kind"] in targets.PLANE:
            fields["tricks.input_noise"] = 0.0
        if fields["training.order"] == inputs.SIMULTANEOUS:
            fields |= {"training.d_steps": 1, "training.g_steps": 1}
            fields["tricks.feature_matching_trains"] = "g"
        if fields["tricks.feature_matching"] != "off":
            fields["tricks.top_k"] = 0.0
        if losses.LOSSES[fields["loss.kind"]].paired:
            fields["training.sort"] = False
        if fields["loss.output"] == "probability":  # or all of them may be clipped
            fields["discriminator.output_activation"] = "sigmoid"
        if fields["tricks.minibatch"] == "replace":
            fields["discriminator.last_activation"] = "same"
        if fields["penalty.kind"] != "off":
            fields["penalty.weight"] = 0.5  # by which no run diverges
        fields |= {"generator.hidden": (2,), "discriminator.hidden": (3, 2)}
        fields |= {"tricks.minibatch_kernels": 2, "tricks.minibatch_dim": 2}
        for network in ("generator", "discriminator"):
            fields[f"{network}.optimizer.rate"] = 3e-3
            # Where gradients cancel, rounding is left of them: it must not make steps of full size.
            # Of two gradients a step even more so.
            twice = fields["training.dynamics"] == "extragradient"
            fields[f"{network}.optimizer.epsilon"] = 1e-2 if twice else 1e-3
        yield fields


TRAINED = list(trained_cases())


def smooth_columns():
    """The same of what leaves no kinks in both players' losses."""
    kinds = list(optimizers.OPTIMIZERS)
    half = (len(kinds) + 1) // 2
    yield "training.dynamics", list(dynamics.DYNAMICS)
    yield "training.order", ["simultaneous"]
    yield "training.unrolled", [2, 0, 2, 0, 0, 0, 0, 0]
    yield "training.unrolled_through", ["on", "on", "off", "on", "on", "on", "on", "on"]
    yield "generator.optimizer.kind", kinds[:half]
    yield "discriminator.optimizer.kind", kinds[half:]
    yield "generator.optimizer.schedule", ["stairs", "line", "cosine"]
    yield "generator.optimizer.warmup", [0.0, 5.0]
    yield "discriminator.optimizer.weight_decay", [0.0, 0.0, 0.1]
    yield "averages.uniform", ["off", "on"]
    yield "averages.lookahead", [0.0, 0.0, 3.0]
    yield "generator.kernel_init", ["normal", "torch_linear"]
    yield "training.fresh_halves", [True]
    # Derivatives of second order of all of these would take long to compile, and tell no more.
    plain = ["off"] * (len(dynamics.DYNAMICS) - 3)
    yield "generator.norm", ["off", "batch", "layer", *plain]
    yield "discriminator.norm", ["batch", "layer", "off", *plain]
    yield "discriminator.spectral_norm", ["off", "off", "on", *plain]
    yield "discriminator.dropout", [0.2, 0.0, 0.2, *[0.0] * len(plain)]
    yield "penalty.kind", ["off", "jensen_shannon", "fisher", "r1", *plain[1:]]
    yield "penalty.every", [1, 1, 3]
    yield "penalty.fade_steps", [0.0, 10.0, 0.0]
    yield "diversity.kind", ["distances", "off", "mode_seeking", *plain]
    yield "tricks.packing", [1, 1, 2, *[1] * len(plain)]
    yield "tricks.minibatch_std", [2, 0, 0, *[0] * len(plain)]
    yield "tricks.instance_noise", [0.0, 0.3]
    yield "tricks.noise_fade_steps", [0.0, 9.0]


def smooth_cases():
    """One of each dynamics and optimizer, at least."""
    for i in range(len(dynamics.DYNAMICS)):
        fields = {name: values[i % len(values)] for name, values in smooth_columns()}
        # Of two or three units a norm over the row would be all but a step.
        fields |= {"generator.hidden": (4,), "generator.activation": "tanh"}
        fields |= {"discriminator.hidden": (5, 4), "discriminator.activation": "tanh"}
        fields |= of_unit_size("gaussian") | {"loss.kind": "saturating", "training.batch_size": 8}
        known = dynamics.DYNAMICS[fields["training.dynamics"]]
        # By which no run is thrown about.
        if fields["penalty.kind"] != "off":
            fields["penalty.weight"] = 0.2
        if fields["diversity.kind"] != "off":
            fields["diversity.weight"] = 0.001
        if known.weighted:
            fields["training.dynamics_weight"] = 0.3
        if known.zero_sum:
            fields |= {"training.fresh_batches": False} | conflicts.ONE_GAME
            fields |= {"generator.optimizer.warmup": 0.0, "averages.lookahead": 3.0}
            fields["discriminator.optimizer.weight_decay"] = 0.0
        if fields["tricks.noise_fade_steps"]:
            fields["tricks.noise_fade_shape"] = "exponential"
            fields["tricks.noise_fade"] = 0.1
        fields |= {"training.sort": False, "latent.kind": "normal", "averages.ema": 0.0}
        for network in ("generator", "discriminator"):
            if known.zero_sum:
                fields[f"{network}.optimizer.kind"] = "sgd"
            if fields[f"{network}.optimizer.kind"] not in ("sgd", "momentum", "nesterov", "lion"):
                fields[f"{network}.optimizer.epsilon"] = 1e-2
            fields[f"{network}.optimizer.rate"] = 2e-3
            fields[f"{network}.optimizer.decay"] = 1.0 if known.zero_sum else 0.5
            fields[f"{network}.optimizer.decay_steps"] = 9.0
        yield fields


SMOOTH = list(smooth_cases())
OPTIMIZED = ("generator.optimizer.kind", "discriminator.optimizer.kind")
ACTIVATIONS = ("generator.activation", "generator.output_activation", "discriminator.activation")


@pytest.mark.parametrize(
    "fields, values",
    [
        (["loss.output"], losses.OUTPUTS),
        (["tricks.feature_matching"], ["off", *matching.MATCHING]),
        (["tricks.feature_matching_trains"], TRAINS),
        (["tricks.minibatch"], ["off", "append", "replace"]),
        (["tricks.virtual_batch_norm"], ["off", "on"]),
        (["tricks.historical_averaging"], ["off", "on"]),
        (["penalty.kind"], ["off", *penalties.PENALTIES]),
        (["training.order"], inputs.ORDERS),
        (["training.dynamics"], dynamics.DYNAMICS),
        (OPTIMIZED, optimizers.OPTIMIZERS),
        (ACTIVATIONS, networks.ACTIVATIONS),
        (["latent.kind"], latents.KINDS),
        (["diversity.kind"], ["off", *diversity.DIVERSITY]),
        (["generator.norm"], networks.NORMS),
        (["discriminator.norm"], networks.NORMS),
        (["discriminator.spectral_norm"], ["off", "on"]),
        (["generator.kernel_init"], ["normal", "torch_linear"]),
        (["generator.optimizer.schedule"], optimizers.SCHEDULES),
        (["tricks.packing"], [1, 2]),
        (["tricks.minibatch_std"], [0, 2]),
        (["training.unrolled_through"], ["on", "off"]),
    ],
)
def test_every_registered_value_is_trained_with_below(fields, values):
    cases = [*TRAINED, *SMOOTH]
    assert set(values) == {case[field] for field in fields for case in cases if field in case}


def test_every_matching_is_looked_at_below_with_all_that_it_trains():
    on = [case for case in TRAINED if case["tricks.feature_matching"] != "off"]
    assert {case["tricks.feature_matching_trains"] for case in on} == set(TRAINS)


@pytest.mark.parametrize("fields", TRAINED, ids=range(len(TRAINED)))
def test_operations_of_every_registered_value_can_be_counted(fields):
    assert cost.of_update(setting(**fields)) > 0


def drawn_at_random(own):
    """Runs before their first update, as train.start has them, which takes long to compile."""
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(jax.vmap(train.start), own, jax.vmap(randomness.run_key)(SEEDS))[0]
    run = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    normal = jax.tree.map(lambda x: rng.normal(size=x.shape).astype(np.float32), run.state.params)
    carried = jax.tree.map(
        lambda x: rng.uniform(0.5, 1.5, x.shape).astype(np.float32), run.state.carried
    )
    state = run.state._replace(params=normal, carried=carried)
    kept = state.averages
    of_g = {"params": normal.g}
    of_g |= {name: values for name, values in carried.g.items() if name == "batch_stats"}
    if kept.ema is not None:
        kept = kept._replace(ema=of_g)
    if kept.slow is not None:
        kept = kept._replace(slow=kept.slow._replace(players=normal))
    for name, weights in (("history", normal), ("uniform", of_g)):
        if getattr(kept, name) is not None:
            kept = kept._replace(**{name: Mean(weights, np.ones(RUNS, np.float32))})
    state = state._replace(averages=kept)
    return run._replace(state=state, diverged_at=run.diverged_at - 1)


def by_xla(own, start, batches):
    """Updates of runs on batches `[RUNS, updates, ...]`."""

    def trained(own, run, batches):
        def step(run, inputs):
            return train.advance(own, run, *inputs), None

        return jax.lax.scan(step, run, (batches, np.arange(UPDATES, dtype=np.int32)))[0]

    return hurried(jax.vmap(trained), own, start, batches)


def as_vectors(tree):
    """All numbers of each run, `[RUNS, numbers]`."""
    leaves = [np.asarray(leaf, float).reshape(RUNS, -1) for leaf in jax.tree.leaves(tree)]
    return np.concatenate(leaves, axis=1)


def apart(one, other):
    """How far each run's numbers are apart, as a part of their length, `[RUNS]`."""
    one, other = as_vectors(one), as_vectors(other)
    return np.linalg.norm(one - other, axis=1) / np.linalg.norm(other, axis=1)


def by_lanes(fields):
    """Settings, runs at their start, what they are trained on, and what becomes of them."""
    own = of_many_runs(setting(**fields))
    start = drawn_at_random(own)
    ours, _ = lanes.compile_training(own)((own, SEEDS), start, 0, UPDATES)

    def draws(own, seed, numbers):
        return jax.vmap(lambda number: draw(own, seed, number))(numbers)

    numbers = np.tile(np.arange(UPDATES, dtype=np.int32), (RUNS, 1))
    np.testing.assert_array_equal(ours.diverged_at, -1)
    return own, start, on_lanes(draws, own, SEEDS, numbers), ours


def both_trained(fields):
    """Runs at their start, and trained by both engines.

    Lanes draw what they train on; XLA is given what they draw, as `draw` is compared above.
    """
    own, start, batches, ours = by_lanes(fields)
    theirs = by_xla(own, start, batches)
    np.testing.assert_array_equal(theirs.diverged_at, -1)
    return start, ours, theirs


# A point against a line, where all that is not the loss's own is a sum of products.
SIMPLE = {
    "generator.kind": "point",
    "discriminator.hidden": (),
    "generator.optimizer.kind": "sgd",
    "discriminator.optimizer.kind": "sgd",
    "training.sort": False,
    "training.batch_size": 5,
    "loss.ranks": 4,
}
OF_LOSSES = [{"kind": kind} for kind in losses.LOSSES]
OF_LOSSES += [{"kind": kind, "f_generator": "alternative"} for kind in losses.F_GAN[1:]]
OF_LOSSES += [
    {"kind": kind, "label_smoothing": 0.1, "fake_label": 0.2, "flips": 0.3, "drift": 0.1}
    for kind in losses.LABELLED[1:]
]


@pytest.mark.parametrize(
    "fields", OF_LOSSES, ids=lambda fields: ",".join(map(str, fields.values()))
)
def test_every_loss_trains_alike(fields):
    named = {f"loss.{name}": value for name, value in fields.items()}
    start, ours, theirs = both_trained(SIMPLE | of_unit_size("gaussian") | named)
    needs_d = losses.LOSSES[fields["kind"]].of_rows is None
    for network in ("g", "d"):
        first, a, b = (getattr(run.state.params, network) for run in (start, ours, theirs))
        assert apart(a, b).max() < 1e-5
        assert (np.median(apart(first, b)) > 1e-3) == (needs_d or network == "g")
    assert apart(ours.loss_sums.g, theirs.loss_sums.g).max() < 1e-5


@pytest.mark.parametrize("fields", TRAINED, ids=range(len(TRAINED)))
def test_training_by_lanes_is_that_by_xla(fields):
    """To 1e-5 of all their weights, in all runs but two at most.

    For where a unit is switched at almost 0, or two rows are almost equal, rounding may send a run
    another way.
    """
    start, ours, theirs = both_trained(fields)
    for network in ("g", "d"):
        first, a, b = (getattr(run.state.params, network) for run in (start, ours, theirs))
        assert np.median(apart(first, b)) > 5e-4
        assert np.sort(apart(a, b))[-3] < 1e-5
        # And a typical run's to a thousandth of the way that they went.
        assert np.median(apart(a, b)) < 1e-3 * np.median(apart(first, b))
    assert np.sort(apart(ours.loss_sums, theirs.loss_sums))[-3] < 1e-5


@pytest.mark.parametrize("fields", SMOOTH, ids=range(len(SMOOTH)))
def test_training_without_kinks_by_lanes_is_that_by_xla(fields):
    """In all runs but two at most: logarithms of distances are steep where rows are almost one."""
    start, ours, theirs = both_trained(fields)
    both = [(run.state.params, run.state.averages, run.state.past) for run in (ours, theirs)]
    assert np.sort(apart(*both))[-3] < 1e-5
    first, a, b = (run.state.params for run in (start, ours, theirs))
    assert np.median(apart(first, b)) > 5e-4
    assert np.median(apart(a, b)) < 1e-3 * np.median(apart(first, b))
    assert np.sort(apart(ours.loss_sums, theirs.loss_sums))[-3] < 1e-5


@pytest.mark.parametrize("fields", [*TRAINED[::8], *SMOOTH[::4]])
def test_lanes_round_no_worse_than_xla(fields):
    """Where engines part it is by rounding: both are as far from the same updates in float64."""
    own, start, batches, ours = by_lanes(fields)
    theirs = by_xla(own, start, batches)
    with jax.enable_x64(True):
        exact = by_xla(*in_float64(own, start, batches)).state.params
    assert exact.g["output"]["kernel"].dtype == np.float64
    error, usual = (np.median(apart(run.state.params, exact)) for run in (ours, theirs))
    assert 0 < error < 2 * usual


STARTED = [
    # 130 steps: some hundredths of the loss curve hold two of them, some one.
    *({"generator.kernel_init": "lecun_normal", "pretraining.steps": steps} for steps in (0, 130)),
    HIDDEN
    | {
        "generator.kernel_init": "orthogonal",
        "generator.norm": "batch",
        "discriminator.kernel_init": "torch_linear",
        "discriminator.spectral_norm": "on",
        "discriminator.norm": "batch",
    },
    HIDDEN
    | {
        "generator.kernel_init": "he_uniform",
        "generator.norm": "layer",
        "discriminator.kernel_init": "glorot_normal",
        "tricks.minibatch_std": 2,
    },
]


@pytest.mark.parametrize("fields", STARTED)
def test_runs_start_alike(fields):
    own = jax.tree.map(lambda x: np.full(RUNS, x, np.float32), setting(**fields))
    _, started = lanes.compile_start(one_of(own), JUDGING)((own, SEEDS), (), 0, 1)
    ours = started.run, started.pretraining
    theirs = hurried(
        jax.vmap(lambda own, seed: train.start(own, randomness.run_key(seed))), own, SEEDS
    )
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_a_run_that_diverges_keeps_its_last_finite_state_and_spoils_no_other():
    own = of_many_runs(setting())
    start, program = drawn_at_random(own), lanes.compile_training(own)
    wild = np.arange(RUNS) % 2 == 1

    def enlarged(x):
        return np.where(wild.reshape(-1, *(1,) * (x.ndim - 1)), np.float32(1e25) * x, x)

    params = jax.tree.map(enlarged, start.state.params)
    among = start._replace(state=start.state._replace(params=params))
    tame, _ = program((own, SEEDS), start, 0, UPDATES)
    ours, _ = program((own, SEEDS), among, 0, UPDATES)
    np.testing.assert_array_equal(ours.diverged_at, np.where(wild, 1, -1))
    for a, b, first in zip(*map(jax.tree.leaves, (ours, tame, among)), strict=True):
        np.testing.assert_array_equal(a[~wild], b[~wild])
        if a is not ours.diverged_at:
            np.testing.assert_array_equal(a[wild], first[wild])


# How it is judged.


# What counts samples: one by rounding on another side makes a difference of its own.
COUNTED = {"high_quality", "modes", "mode_mass", "precision", "recall", "density", "coverage"}
COUNTED |= {"reverse_kl", "js"}
COUNTED |= {f"{name}_null" for name in COUNTED}
each_kind = pytest.mark.parametrize(
    "kind", [*targets.LINE, "poisson", "quadratic", "ring", "plane_mixture", "plane_gaussians"]
)


@each_kind
def test_judging_by_lanes_is_that_by_xla(kind):
    own = of_many_runs(setting(**of_unit_size(kind)))
    variables = train.judged(drawn_at_random(own).state)
    references = hurried(jax.vmap(lambda own: metrics.reference(own, JUDGING)), own)
    sums = Players(np.zeros(RUNS, np.float32), np.ones(RUNS, np.float32))
    program = lanes.compile_scores(own, JUDGING)
    carried, ours = program((own, references, variables), sums, 0, 1)
    theirs = hurried(jax.vmap(metrics.evaluate), own, variables, references)
    quantiles, finite = theirs.pop("quantiles"), theirs.pop("finite")
    assert finite.all()
    for name in COUNTED & theirs.keys():
        assert_close(ours.metrics.pop(name), theirs.pop(name), tolerance=0.02)
    assert_close(ours, (theirs, quantiles, sums, finite))
    assert_close(carried, Players(sums.g, 0 * sums.d), tolerance=0)


@each_kind
def test_targets_are_described_alike(kind, caplog):
    """Two of them, and the one twice; neither engine stands in for the other."""
    first = setting(**of_unit_size(kind))
    moved = dataclasses.replace(first, target=dataclasses.replace(first.target, loc=-1.0))
    chosen = [first, moved, first]
    with caplog.at_level(logging.INFO, logger="absl"):
        ours, theirs = (
            describe(chosen, JUDGING, 3, on_lanes=on_lanes) for on_lanes in (True, False)
        )
    assert not caplog.records
    assert ours.keys() == theirs.keys() and ours["w1_null"].shape == (3, 3)
    for name, value in ours.items():
        # Where modes meet, or at the edge of a ball, rounding moves a sample across: one of 101.
        assert_close(value, theirs[name], tolerance=0.02 if name in COUNTED else 1e-5)
        np.testing.assert_array_equal(value[0], value[2])


BOTH_WAYS = {
    "line": {"pretraining.steps": 3, "tricks.minibatch": "append", "judging.view": (-1.0, 6.0)},
    "plane": {
        "target.kind": "quadratic",
        "target.scale": 0.01,
        "latent.kind": "uniform",
        "latent.dim": 2,
        "discriminator.hidden": (3, 2),
        "judging.features": True,
    },
}


# What XLA calls what passes numbers between devices.
COLLECTIVES = re.compile(
    r"\b(all-reduce|all-gather|all-to-all|reduce-scatter|collective-\w+|partition-id|send|recv)"
    r"(-start)?\("
)


@pytest.fixture
def compiled(monkeypatch):
    """The texts of the programs that XLA compiles ahead."""
    texts = []
    compile_one = jax.stages.Lowered.compile

    def noted(self, *args, **options):
        made = compile_one(self, *args, **options)
        texts.append(made.as_text())
        return made

    monkeypatch.setattr(jax.stages.Lowered, "compile", noted)
    return texts


def test_a_program_that_passes_something_between_devices_would_be_noticed(compiled):
    mesh = Mesh(np.asarray(backend.devices(2)), ("runs",), axis_types=(AxisType.Auto,))
    runs = PartitionSpec("runs")
    for function in (
        lambda x: x - jax.lax.pmean(x, "runs"),
        lambda x: jax.lax.ppermute(x, "runs", [(0, 1), (1, 0)]),
        lambda x: jax.lax.all_gather(x, "runs").sum(0),
    ):
        mapped = jax.shard_map(function, mesh=mesh, in_specs=runs, out_specs=runs)
        jax.jit(mapped).lower(np.ones(4, np.float32)).compile()
    assert len(compiled) == 3 and all(map(COLLECTIVES.search, compiled))


@pytest.mark.parametrize("name", BOTH_WAYS)
def test_a_sweep_leaves_the_same_by_either_engine(name, compiled):
    """Pictures, pretraining, D's features; of the second block one run only is pictured.

    And on two devices nothing is passed between them, so that a sweep can be cut between them.
    """
    shape = {"generator.hidden": (2,), "discriminator.hidden": (3,), "training.batch_size": 8}
    shape |= {"steps": 3, "seeds": "0:7", "judging.log_every": 2, "judging.points": 251}
    shape |= {"judging.snapshot_seeds": 5}
    declared = experiment.resolve(shape | BOTH_WAYS[name])
    one, other = (
        loop.run(choose(Sweep(declared), Choices(2, 4, engine))) for engine in ("lanes", "xla")
    )
    assert len(compiled) == 5 + declared.schedule.judging.features
    for text in compiled:
        assert "num_partitions=2" in text.splitlines()[0]
        assert not COLLECTIVES.search(text), COLLECTIVES.search(text)
    assert [result.trained.cohorts[0].engine for result in (one, other)] == ["lanes", "xla"]
    for ours, theirs in ((one.runs, other.runs), (one.snapshots, other.snapshots)):
        assert ours.keys() == theirs.keys()
        for variable in ours.keys():
            if ours[variable].dtype == np.float32:
                tolerance = 0.02 if variable in COUNTED else 1e-4
                assert_close(ours[variable].values, theirs[variable].values, tolerance)
    assert np.isfinite(one.snapshots.samples).all()


# Which engine.


def without_lanes(*_):
    raise Unsupported("primitive frobnicate")


@pytest.mark.parametrize(
    "engine, size, chosen, logged",
    [
        ("auto", 8, "xla", 1),
        ("xla", 8, "xla", 0),
        # Not even tried: large networks are XLA's.
        ("auto", 99, "xla", 0),
    ],
)
def test_xla_steps_in_for_lanes_and_says_why(engine, size, chosen, logged, monkeypatch, caplog):
    monkeypatch.setattr(lanes, "compile_training", without_lanes)
    monkeypatch.setattr(xla, "XlaPrograms", lambda *_: "programs")
    own = setting(**{"discriminator.hidden": (size, size)})
    with caplog.at_level(logging.INFO, logger="absl"):
        made = engines.compile_programs(engine, own, Schedule(), 8, jax.devices())
    assert made == (chosen, "programs")
    assert [record.getMessage() for record in caplog.records] == [
        "The xla engine trains this cohort: lanes has no primitive frobnicate."
    ] * logged


def test_lanes_that_are_asked_for_and_can_not_are_refused(monkeypatch):
    monkeypatch.setattr(lanes, "compile_training", without_lanes)
    with pytest.raises(ConfigError, match=r"engine=lanes.*frobnicate"):
        engines.compile_programs("lanes", setting(), Schedule(), 8, jax.devices())


def test_a_sweep_records_the_engine_of_each_cohort(tmp_path):
    """Of two here, one with a matrix so large that XLA has it."""
    declared = experiment.resolve(
        {
            "steps": 2,
            "seeds": "0:2",
            "judging.log_every": 2,
            "judging.points": 251,
            "generator.hidden": (2,),
            "generator.optimizer.kind": "sgd",
            "discriminator.optimizer.kind": "sgd",
            "sweep": ["discriminator.hidden=(2,),(70,70)"],
        }
    )
    sweep, choices = Sweep(declared), Choices(devices=1, block_size=2)
    published = api.train_and_publish(sweep, tmp_path, choices, report=lambda _: Silent(), kinds=())
    runs = published.runs
    assert (runs.finished == 1).all()
    record = json.loads((tmp_path / "config.json").read_text())
    assert [cohort["engine"] for cohort in record["cohorts"]] == ["lanes", "xla"]
