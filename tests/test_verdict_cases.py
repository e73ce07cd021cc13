"""Generators whose fault is known get their verdict, and perfect samplers succeed."""

import functools
import itertools
import json
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import verdict_cases
import xarray as xr
from helpers import setting

from gan1d import results
from gan1d.config.schedule import Schedule
from gan1d.engines import describe
from gan1d.engines.lanes import LanesPrograms
from gan1d.engines.programs import Span
from gan1d.engines.xla import XlaPrograms
from gan1d.gan import metrics, perceptrons, randomness, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics.metric import MODE_ROWS
from gan1d.results.verdicts import VERDICTS

# Perfect samples of each family and size: GAN1D_DRAWS=1000 shows that 999 of them succeed.
FEW = 20
DRAWS = int(os.environ.get("GAN1D_DRAWS", FEW))
REPLICATES = 32  # of perfect scores
PERFECT = {
    "gaussian": {},
    "uniform": {"target.kind": "uniform"},
    "laplace": {"target.kind": "laplace"},
    "student_t": {"target.kind": "student_t"},
    "student_t of 3": {"target.kind": "student_t", "target.freedom": 3.0},
    "cauchy": {"target.kind": "cauchy"},
    "exponential": {"target.kind": "exponential"},
    "rayleigh": {"target.kind": "rayleigh"},
    "weibull": {"target.kind": "weibull"},
    "gamma": {"target.kind": "gamma"},
    # With a shape of 3, of 251 independent samples 4 in 1,000 are beyond the threshold.
    "pareto": {"target.kind": "pareto", "target.shape": 5.0},
    "lognormal": {"target.kind": "lognormal"},
    "beta": {"target.kind": "beta"},
    "poisson": verdict_cases.POISSON,
    "poisson of few": verdict_cases.POISSON | {"rate": 0.1},
    "poisson of many": verdict_cases.POISSON | {"rate": 1000.0},
    "binomial": verdict_cases.BINOMIAL,
    "a coin": verdict_cases.BINOMIAL | {"trials": 1, "probability": 0.1},
    "negative binomial": {"target.kind": "negative_binomial"},
    "skewed negative binomial": {
        "target.kind": "negative_binomial",
        "target.successes": 0.5,
        "target.probability": 0.02,
    },
    "two modes": verdict_cases.TWO,
    "far modes": verdict_cases.FAR_TWO,
    "a rare mode": verdict_cases.RARE,
    "five narrow modes": verdict_cases.FIVE,
    "flat clusters": verdict_cases.FLAT,
    "flat clusters with a rare one": verdict_cases.FLAT_RARE,
    "flat clusters that meet": verdict_cases.FLAT_CLOSE,
    "flat spikes": verdict_cases.FLAT | {"half_widths": (1e-6, 1e-6)},
    "quadratic": {"target.kind": "quadratic", "target.noise": 0.0},
    "two_curves": {"target.kind": "two_curves", "target.noise": 0.0},
    "sine": {"target.kind": "sine"},
    "spiral": {"target.kind": "spiral"},
    "moons": {"target.kind": "moons"},
    "ring": verdict_cases.RING,
    "grid": verdict_cases.GRID5,
    "grid of 64": verdict_cases.GRID8,
    "plane mixture": verdict_cases.PLANE_MIXTURE,
    "wide plane mixture": verdict_cases.WIDE,
    "slanted Gaussians": verdict_cases.SLANTED,
    "plane mixture with a rare mode": verdict_cases.WIDE | {"weights": (0.98, 0.02)},
}
# Those that there are cases of.
TARGETS = {str(target): target for target, _, _ in verdict_cases.CASES.values()}


def of_target(fields):
    """The setting with this target, whose fields have no section before them."""
    named = {name if "." in name else f"target.{name}": value for name, value in fields.items()}
    return setting(**named)


@jax.jit
def scores(one, reference, samples):
    """What is known of one generator by its samples."""
    judged = metrics.Judged(one, None, reference, *samples)
    known = {
        name: each.function(judged)
        for name, each in metrics.of(one).items()
        if each.of_samples_alone or name == "generated_std"
    }
    return known


def verdicts_of(one, judging, rows, more):
    """The verdicts of generators with these samples `[R, N, X]`, and so many for their modes."""
    reference = metrics.reference(one, judging)
    found = [scores(one, reference, samples) for samples in zip(rows, more, strict=True)]
    values = jax.tree.map(lambda *each: np.stack(each), *found)
    run = {name: value[None, :, None] for name, value in values.items()}
    return judged_runs(one, judging, run)


@functools.cache
def described(one, judging):
    return describe.describe([one], judging, REPLICATES, on_lanes=True)


def judged_runs(one, judging, run):
    """The verdicts by what is known of runs `[1, R, 1, ...]` with one look each."""
    target = described(one, judging)
    known = metrics.of(one)
    dims = {name: (*results.CURVE, *known[name].dims) for name in run}
    variables = {name: (dims[name], value) for name, value in run.items()}
    variables |= {
        name: (
            ("setting", "replicate" if name.endswith("_null") else "target_mode")[: value.ndim],
            value,
        )
        for name, value in target.items()
        if name.endswith("_null") or name.startswith("target_mode") or name == "target_std"
    }
    variables["mode_rows"] = ("setting", [MODE_ROWS])
    shape = run["w1"].shape[:2]
    variables["diverged_at"] = (results.CURVE[:2], np.full(shape, np.nan))
    variables["finished"] = (results.CURVE[:2], np.ones(shape, np.int8))
    limits = {"success_w1": judging.success_w1, "collapsed_std": judging.collapsed_std}
    attributes = {"config": json.dumps({"judging": limits}), "settled_from": 1}
    runs = xr.Dataset(variables, {"step": [1]}, attributes)
    return [VERDICTS[code] for code in results.judged(runs).verdict.values[0]]


def samples_of(case, count, points):
    """So many draws `[count, points, X]` of a case."""
    _, draw, _ = verdict_cases.CASES[case]
    rng = np.random.default_rng(0)
    rows = np.stack([draw(rng, points) for _ in range(count)])
    return np.float32(rows.reshape(count, points, -1))


@pytest.mark.parametrize("target", TARGETS)
def test_known_faults_get_their_verdicts(target):
    one, judging = of_target(TARGETS[target]), Judging(points=501)
    for case, (of_case, _, right) in verdict_cases.CASES.items():
        if of_case == TARGETS[target]:
            rows, more = samples_of(case, 3, 501), samples_of(case, 3, MODE_ROWS)
            assert set(verdicts_of(one, judging, rows, more)) <= right, case


@pytest.mark.parametrize("points", [251, 501, 2501] if DRAWS > FEW else [501])
@pytest.mark.parametrize(
    "family", PERFECT if DRAWS > FEW else ("laplace", "gamma", "ring", "moons")
)
def test_perfect_samplers_succeed(family, points):
    """As many of 1,000 as are to, in the thorough way; a few draws of a few families here."""
    one = of_target(PERFECT[family])

    def sample(count):
        shape = (DRAWS, count, targets.uniforms(one.target))
        # In the open interval, as all that is trained on.
        drawn = targets.sample(one.target, randomness.uniforms(jax.random.key(count), shape))
        return drawn.reshape(DRAWS, count, -1)

    found = verdicts_of(one, Judging(points=points), sample(points), sample(MODE_ROWS))
    assert sum(verdict != "success" for verdict in found) <= DRAWS // 1000


PROGRAMS = {
    "lanes": lambda one, schedule: LanesPrograms(one, schedule.judging, 1),
    "xla": lambda one, schedule: XlaPrograms(one, schedule, 8, jax.devices()[:1]),
}
STUBS = [*itertools.product(PROGRAMS, verdict_cases.CASES)]
if DRAWS == FEW:
    STUBS = [
        ("lanes", "ring, a circle"),
        ("lanes", "sine, half of the curve"),
        ("lanes", "mixture of two, one mode"),
        ("xla", "ring, a circle"),
    ]


@pytest.mark.parametrize("engine, case", STUBS)
def test_engines_judge_a_stub_as_its_samples_are(engine, case, monkeypatch):
    """A generator that gives a case's samples, whatever it is fed, through a whole block."""
    target, _, right = verdict_cases.CASES[case]
    one, judging = of_target(target), Judging(points=501, snapshot_seeds=0)

    def stub(made, variables, latent, *, training=False):
        del made, variables, training
        return jnp.asarray(samples_of(case, 1, latent.shape[0])[0])

    monkeypatch.setattr(perceptrons, "generate", stub)
    schedule = Schedule(steps=1, judging=judging)
    made = PROGRAMS[engine](one, schedule)
    settings = jax.tree.map(lambda number: np.full(8, number, np.float32), one)
    begun = made.start(settings, np.arange(8, dtype=np.uint32), 0)
    looked = made.advance(begun.block, [Span(0, 1)], True).log_points
    known = metrics.of(one)
    run = {
        name: np.asarray(value)[0][None, :, None]
        for name, value in looked.metrics.items()
        if name in known and (known[name].of_samples_alone or name == "generated_std")
    }
    assert set(judged_runs(one, judging, run)) <= right
