"""Mixtures of Gaussians in the plane whose weights, centres and widths are the user's.

Round ones, by their stds, and any others, by their covariances.
"""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.stats
from helpers import PLANE, setting, whole_setting

from gan1d.config import experiment, fields
from gan1d.gan import metrics, targets
from gan1d.gan.metrics import modes
from gan1d.gan.players import Players

WEIGHTS, STDS = (3.0, 1.0, 0.5), (0.75, 0.25, 0.5)
CENTRES = ((-1.0, 0.5), (0.0, 1.0), (2.0, -1.5))
FIELDS = {
    "target.kind": "plane_mixture",
    "target.loc": -3.0,
    "target.scale": 0.5,
    "target.weights": WEIGHTS,
    "target.centres": CENTRES,
    "target.stds": STDS,
}
COVARIANCES = ((0.5, 0.6, 0.75), (0.25, 0.0, 0.04), (0.3, -0.2, 0.3))
GAUSSIANS = FIELDS | {"target.kind": "plane_gaussians", "target.covariances": COVARIANCES}
TARGET = setting(**FIELDS).target
MATRICES = {
    "plane_mixture": [std**2 * np.eye(2) for std in STDS],
    "plane_gaussians": [np.array([[x, between], [between, y]]) for x, between, y in COVARIANCES],
}
LAWS = {"plane_mixture": TARGET, "plane_gaussians": setting(**GAUSSIANS).target}
of_both = pytest.mark.parametrize("kind", LAWS)
COUNT = 200_000
UNIFORMS = (np.random.default_rng(0).integers(0, 2**23, (COUNT, 3)) + 0.5) / 2**23
PERFECT = {"target.kind": "ring", "target.modes": 5, "target.noise": 0.125}


def rows(kind="plane_mixture", u=UNIFORMS):
    """In float64, as one would write it."""
    shares = np.array(WEIGHTS) / sum(WEIGHTS)
    which = np.searchsorted(np.cumsum(shares)[:-1], u[:, 0], side="right")
    factors = np.array([scipy.linalg.sqrtm(matrix) for matrix in MATRICES[kind]])
    noise = np.einsum("nij,nj->ni", factors[which], scipy.stats.norm.ppf(u[:, 1:]))
    return which, -3 + 0.5 * (np.array(CENTRES)[which] + noise)


@of_both
def test_each_row_is_of_the_component_that_its_uniform_picks(kind):
    _, expected = rows(kind)
    found = jax.jit(targets.sample)(LAWS[kind], jnp.asarray(UNIFORMS, jnp.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@of_both
def test_moments_are_those_of_many_rows(kind):
    _, expected = rows(kind)
    close = 4.5 / COUNT**0.5
    std = expected.std(0)
    np.testing.assert_allclose((targets.mean(LAWS[kind]) - expected.mean(0)) / std, 0, atol=close)
    np.testing.assert_allclose(targets.std(LAWS[kind]) / std, 1, atol=close)


def test_the_noise_of_curves_is_none_of_its():
    """Its components have their own, and a noise of 9 beside them would hide that."""
    noisy = dataclasses.replace(TARGET, noise=9.0)
    u = jnp.asarray(UNIFORMS[:9], jnp.float32)
    for function in (targets.std, targets.modes, lambda target: targets.sample(target, u)):
        np.testing.assert_array_equal(function(noisy), function(TARGET))
    with pytest.raises(fields.ConfigError, match=r"target.noise: no effect unless target.kind is"):
        experiment.resolve(FIELDS | {"sweep": ("target.noise=0.1,0.2",)})


def mahalanobis(rows, law):
    apart = rows - law.mean
    return np.sqrt(np.einsum("ni,ij,nj->n", apart, np.linalg.inv(law.cov), apart))


@of_both
def test_where_components_overlap_shares_are_of_those_that_most_likely_made_a_row(kind):
    shares = np.array(WEIGHTS) / sum(WEIGHTS)
    _, drawn = rows(kind)
    t = (drawn + 3) / 0.5
    laws = [
        scipy.stats.multivariate_normal(centre, matrix)
        for centre, matrix in zip(CENTRES, MATRICES[kind], strict=True)
    ]
    density = np.stack([w * law.pdf(t) for w, law in zip(shares, laws, strict=True)], axis=1)
    distance = np.stack([mahalanobis(t, law) for law in laws], axis=1)
    likely = np.where(distance <= 3, density, 0)
    at = likely.argmax(1)[likely.max(1) > 0]
    expected = np.bincount(at, minlength=3) / len(at)
    found = np.asarray(modes.shares(LAWS[kind]))
    np.testing.assert_allclose(found, expected, atol=0.01)
    assert np.abs(found - shares).max() > 0.02  # as they overlap


ROUND = {"target.stds": (0.125,) * 5}
AS_GAUSSIANS = {
    "target.kind": "plane_gaussians",
    "target.covariances": ((0.125**2, 0.0, 0.125**2),) * 5,
}


@pytest.mark.parametrize("widths", [ROUND, AS_GAUSSIANS])
def test_a_mixture_that_is_a_ring_is_judged_as_the_ring(widths):
    ring = setting(**PERFECT)
    centres = tuple(map(tuple, np.asarray(targets.normals(ring.target).centres, float).tolist()))
    mixture = setting(
        **{
            "target.kind": "plane_mixture",
            "target.weights": (2.0,) * 5,
            "target.centres": centres,
            **widths,
        }
    )
    np.testing.assert_allclose(modes.least_std(mixture.target), modes.least_std(ring.target))
    u = jnp.asarray(UNIFORMS[:2500], jnp.float32)
    samples = targets.sample(ring.target, u) + 0.05  # neither perfect nor far
    np.testing.assert_allclose(targets.sample(mixture.target, u) + 0.05, samples, atol=1e-5)

    @jax.jit
    def scores(made):
        law = metrics.plane.law(made.target, 501)
        ref = metrics.Reference(law, samples, samples, modes.shares(made.target))
        judged = metrics.Judged(made, Players(None, None), ref, samples[:501], samples)
        return {
            name: metric.function(judged)
            for name, metric in metrics.of(made).items()
            if metric.of_samples_alone
        }

    of_ring, of_mixture = scores(ring), scores(mixture)
    assert set(of_mixture) == {*of_ring, "core"}
    for name, value in of_ring.items():
        np.testing.assert_allclose(of_mixture[name], value, rtol=1e-3, atol=2e-3, err_msg=name)
    assert of_mixture["core"] < of_mixture["high_quality"] < 0.99


@pytest.mark.parametrize(
    "given, message",
    [
        ({"target.centres": ((0.0, 0.0),)}, r"target.weights=.*weights, centres and stds the same"),
        ({"target.centres": (0.0, 1.0, 2.0)}, r"target.centres=.*tuple such as \(\(-1,0\),\(1,0\)"),
        ({"target.centres": ((0.0, 1.0), (1.0,), (0.0, 0.0))}, r"target.centres=.*tuple such as"),
        ({"target.centres": ((0.0, 1e31), (1.0, 0.0), (0.0, 0.0))}, r"target.centres=.*at most"),
        ({"target.weights": (1.0, 1.0, 1e-7)}, r"target.weights=.*below 1e-06"),
        ({"target.stds": (1.0, 0.0, 1.0)}, r"target.stds=.*above 0"),
        (
            {"target.centres": ((0.0, 9.0), (1.0, 9.0), (2.0, 9.0)), "target.stds": (1e-4,) * 3},
            r"target.centres=.*beyond 10000 of its stds.*nearer to 0",
        ),
        (
            GAUSSIANS | {"target.covariances": COVARIANCES[:2]},
            r"target.weights=.*weights, centres and covariances the same",
        ),
        (
            GAUSSIANS | {"target.covariances": (*COVARIANCES[:2], (1.0, -0.9999, 1.0))},
            r"target.covariances=.*correlations within 0.999",
        ),
        (
            GAUSSIANS | {"target.covariances": (*COVARIANCES[:2], (-1.0, 0.0, 1.0))},
            r"target.covariances=.*above 0",
        ),
    ],
)
def test_what_is_no_mixture_is_refused(given, message):
    with pytest.raises(fields.ConfigError, match=message):
        whole_setting(**FIELDS | given)


def test_pairs_go_through_text_axes_and_records():
    text = "target.centres=((0,0),(1,2)),((-1,0.5),(3,3))"
    made = experiment.resolve({"target.kind": "plane_mixture", "sweep": (text,)})
    assert [one.target.centres for one in made.settings] == [
        ((0.0, 0.0), (1.0, 2.0)),
        ((-1.0, 0.5), (3.0, 3.0)),
    ]
    assert made.labels == ("centres ((0,0),(1,2))", "centres ((-1,0.5),(3,3))")
    alone = experiment.resolve(FIELDS)
    record = json.loads(json.dumps(alone.config()))
    assert record == alone.config()
    assert experiment.recorded(record).settings == alone.settings
    assert not fields.differences(record, alone.config())
    del record["target"]["centres"]  # by a version that had no such field
    assert "target.centres" in fields.differences(record, alone.config())
    default = experiment.resolve({}).config()
    older = json.loads(json.dumps(default))
    del older["target"]["centres"]
    assert not fields.differences(older, default)


def test_its_modes_are_in_data_units_and_counted():
    assert targets.mode_count(TARGET) == 3 and targets.mode_count(PLANE["ring"]) == 8
    np.testing.assert_allclose(targets.modes(TARGET), -3 + 0.5 * np.array(CENTRES))
