"""A target's loc and scale of each coordinate: numbers that may be pairs, from text to verdicts."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import each_plane, run_main, setting, whole_setting

from gan1d import default_config, results
from gan1d.config import experiment, fields
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.players import Players
from gan1d.sweep.cohorts import Sweep

LOC, SCALE = (-3.0, 100.0), (0.5, 20.0)
UNIFORMS = np.float32((np.random.default_rng(0).integers(0, 2**23, (501, 3)) + 0.5) / 2**23)
JUDGING = Judging(points=251)
LATENTS = {"latent.kind": "uniform", "latent.dim": 2}


def paired(target):
    return dataclasses.replace(target, loc=LOC, scale=SCALE)


def standard(target):
    return dataclasses.replace(target, loc=0.0, scale=1.0)


@each_plane()
def test_each_coordinate_is_moved_and_scaled_by_its_own(target):
    own, plain = paired(target), standard(target)
    u = jnp.asarray(UNIFORMS)
    functions = [lambda target: targets.sample(target, u), targets.mean]
    functions += [targets.modes] if targets.mode_count(target) else []
    functions += [lambda target: targets.curve(target, u[:, 0])] if targets.pieces(target) else []
    for function in functions:
        expected = np.float32(LOC) + np.float32(SCALE) * np.asarray(function(plain))
        np.testing.assert_allclose(function(own), expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(targets.std(own), np.float32(SCALE) * targets.std(plain), rtol=1e-6)
    back = targets.standardise(own, targets.sample(own, u))
    np.testing.assert_allclose(back, targets.sample(plain, u), rtol=1e-4, atol=1e-4)


@each_plane()
def test_a_pair_of_the_same_number_is_that_number(target):
    pair = dataclasses.replace(target, loc=(-3.0, -3.0), scale=(0.5, 0.5))
    u = jnp.asarray(UNIFORMS)
    np.testing.assert_array_equal(targets.sample(pair, u), targets.sample(target, u))


@jax.jit
def scores(made, samples):
    reference = metrics.reference(made, JUDGING)
    judged = metrics.Judged(made, Players(None, None), reference, samples[:251], samples)
    found = {
        name: metric.function(judged)
        for name, metric in metrics.of(made).items()
        if metric.of_samples_alone
    }
    described = metrics.describe(made.target, JUDGING)
    return found | {
        name: described[name] for name in ("target_std", "target_mode_std") if name in described
    }


@each_plane(("moons", "ring", "plane_mixture"))
def test_scores_are_those_of_standard_coordinates(target):
    base = setting(**LATENTS, **{"target.kind": target.kind})
    one, other = (dataclasses.replace(base, target=made(target)) for made in (paired, standard))
    u = jnp.asarray(UNIFORMS)
    t = targets.sample(other.target, u) + 0.05
    x = jnp.asarray(np.float32(LOC) + np.float32(SCALE) * np.asarray(t))
    ours, theirs = scores(one, x), scores(other, t)
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=2e-3, atol=2e-3, err_msg=name)


def test_the_parabola_and_the_sine_of_papers_can_be_said():
    """y = x^2 for x from -1/2 to 1/2; and a sine over x from 0 to 10."""
    u = jnp.asarray(UNIFORMS)
    parabola = setting(
        **{
            "target.kind": "quadratic",
            "target.noise": 0.0,
            "target.loc": (0.0, -0.001),
            "target.scale": (0.01, 1e-4),
        }
    ).target
    x, y = np.asarray(targets.sample(parabola, u), float).T
    np.testing.assert_allclose(y, x**2, atol=1e-6)
    assert -0.5 < x.min() < -0.49 and 0.49 < x.max() < 0.5
    sine = {"target.kind": "sine", "target.noise": 0.0}
    sine |= {"target.loc": (5.0, 0.0), "target.scale": (2.5, 1.0)}
    x, y = np.asarray(targets.sample(setting(**sine).target, u), float).T
    np.testing.assert_allclose(y, np.sin(0.4 * np.pi * (x - 5)), atol=1e-5)
    assert 0 < x.min() < 0.1 and 9.9 < x.max() < 10


def test_pairs_are_values_of_axes_dicts_config_files_and_records():
    text = "target.loc=0,(1,2)"
    made = experiment.resolve({"target.kind": "ring", "target.scale": [1, 2], "sweep": (text,)})
    assert [one.target.loc for one in made.settings] == [0.0, (1.0, 2.0)]
    assert made.settings[0].target.scale == (1.0, 2.0)
    assert made.labels == ("target loc 0", "target loc (1,2)")
    assert len(Sweep(made).cohorts) == 2
    config = default_config()
    config.target.kind = "ring"
    config.target.loc = (1, 2.5)
    config.target.loc = 3
    config.update_from_flattened_dict({"target.scale": (0.5, 2.0)})
    alone = experiment.resolve(config)
    assert (alone.settings[0].target.loc, alone.settings[0].target.scale) == (3.0, (0.5, 2.0))
    record = json.loads(json.dumps(alone.config()))
    assert record == alone.config()
    assert experiment.recorded(record).settings == alone.settings


@pytest.mark.parametrize(
    "given, message",
    [
        (
            {"target.kind": "gaussian", "target.loc": (1.0, 2.0)},
            r"target.loc=\(1,2\): a pair is of",
        ),
        ({"target.kind": "poisson", "target.scale": (1.0, 2.0)}, r"target.scale=.*give one number"),
        ({"target.kind": "ring", "target.loc": (1.0, 2.0, 3.0)}, r"a number, or a pair such as"),
        ({"target.kind": "ring", "target.loc": (1.0,)}, r"a number, or a pair such as"),
        ({"target.kind": "ring", "target.scale": (1.0, 0.0)}, r"target.scale=\(1,0\).*above 0"),
        ({"target.kind": "ring", "target.loc": (0.0, 1e5)}, r"target.loc=.*no digits"),
        (
            {"target.kind": "ring", "target.noise": (1.0, 1.0)},
            r"target.noise=.*it must be a number",
        ),
    ],
)
def test_what_is_no_number_and_no_pair_is_refused(given, message):
    with pytest.raises(fields.ConfigError, match=message):
        whole_setting(**given)


@pytest.mark.parametrize("engine", ["lanes", "xla"])
def test_a_pair_on_the_command_line_is_trained_with_in_both_engines(engine, tmp_path):
    arguments = {
        "target.kind": "quadratic",
        "target.loc": "(0,-.001)",
        "target.scale": "(.01,1e-4)",
        "latent.kind": "uniform",
        "generator.hidden": "(2,)",
        "discriminator.hidden": "(2,)",
        "judging.points": "251",
        "steps": "3",
    }
    given = ["--config=plain"]
    given += [f"--config.{name}={value}" for name, value in arguments.items()]
    if engine == "lanes":  # as absl takes values, too
        given = [part for word in given for part in word.split("=", 1)]
    folder = tmp_path / engine
    code = run_main(
        *given, "--seeds=0:2", f"--engine={engine}", f"--workdir={folder}", "--nofigures"
    )
    assert code == 0
    runs = results.load(folder)
    np.testing.assert_allclose(runs.target_mean.values[0], [0, 1 / 12], atol=1e-4)
    assert json.loads(runs.attrs["config"])["target"]["scale"] == [0.01, 1e-4]
