"""Cauchy's law, which has no moments: what is judged are winsorised values."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from helpers import setting

from gan1d.config import fields
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import line
from gan1d.gan.players import Players

LOC, SCALE = 1.5, 0.5
MADE = setting(**{"target.kind": "cauchy", "target.loc": LOC, "target.scale": SCALE})
TARGET, LAW = MADE.target, scipy.stats.cauchy(LOC, SCALE)
LOW, HIGH = LAW.ppf([0.025, 0.975])
POINTS = [251, 501]


def samples_of(name, count):
    rng = np.random.default_rng(count)
    return np.float32(
        {
            "even": LAW.ppf((np.arange(count) + 0.5) / count),
            "random": LAW.rvs(count, random_state=rng),
            "normal": LOC + SCALE * rng.normal(size=count),
            "all at one place": np.full(count, LOC + 0.3),
            "beyond one end": np.full(count, 1e6),
            "beyond both": np.where(np.arange(count) % 2, 1e6, -1e6),
        }[name]
    )


each_sample = pytest.mark.parametrize(
    "name", ["even", "random", "normal", "all at one place", "beyond one end", "beyond both"]
)
each_count = pytest.mark.parametrize("count", POINTS)


def test_quantiles_cdf_and_density_are_scipys():
    powers = 2.0 ** -np.arange(1, 25)
    u = np.float32(np.sort([*powers, *(1 - powers[1:]), *np.linspace(0.01, 0.99, 99)]))
    standard = dataclasses.replace(TARGET, loc=0.0, scale=1.0)
    exact = u.astype(float)
    expected = np.where(
        exact < 0.5, scipy.stats.cauchy.ppf(exact), scipy.stats.cauchy.isf(1 - exact)
    )
    np.testing.assert_allclose(targets.quantile(standard, u), expected, rtol=1e-5, atol=1e-6)
    x = np.float32(LAW.ppf(np.linspace(1e-4, 0.9999, 99)))
    np.testing.assert_allclose(targets.cdf(TARGET, x), LAW.cdf(x.astype(float)), atol=1e-6)
    np.testing.assert_allclose(
        targets.log_prob(TARGET, x), LAW.logpdf(x.astype(float)), rtol=1e-5, atol=1e-5
    )


def test_mean_and_std_are_of_winsorised_values():
    def moment(power):
        inside, _ = scipy.integrate.quad(lambda x: (x - LOC) ** power * LAW.pdf(x), LOW, HIGH)
        return inside + 0.025 * ((LOW - LOC) ** power + (HIGH - LOC) ** power)

    np.testing.assert_allclose(targets.mean(TARGET), LOC, rtol=1e-6)
    np.testing.assert_allclose(targets.std(TARGET), moment(2) ** 0.5, rtol=1e-5)
    assert 3.8 < targets.std(TARGET) / SCALE < 4


@each_count
@each_sample
def test_w1_is_the_exact_distance_of_winsorised_values(name, count):
    samples = samples_of(name, count)
    found = jax.jit(lambda x: line.w1(TARGET, x[:, None], line.law(TARGET, count)))(samples)
    # The area between both CDFs from one end to the other, of a dense grid and all steps.
    ordered = np.sort(np.clip(samples.astype(float), LOW, HIGH))
    x = np.unique([*LAW.ppf(np.linspace(0.025, 0.975, 400_001)), *ordered])
    middles = (x[1:] + x[:-1]) / 2
    ours = np.searchsorted(ordered, middles, "right") / count
    expected = (np.abs(ours - LAW.cdf(middles)) * np.diff(x)).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@jax.jit
def scores(reference, samples):
    judged = metrics.Judged(MADE, Players(None, None), reference, samples[:, None], None)
    return {
        name: metric.function(judged)
        for name, metric in metrics.of(MADE).items()
        if metric.of_samples_alone or name.startswith("generated")
    }


def test_how_far_out_the_farthest_samples_are_counts_only_by_its_share():
    reference = metrics.reference(MADE, Judging())
    even = samples_of("even", 501)
    farther = even.copy()
    farther[:5], farther[-5:] = -1e30, 1e30
    one, other = (jax.device_get(scores(reference, jnp.asarray(each))) for each in (even, farther))
    assert one["w1"] < 0.01 * targets.std(TARGET)
    assert other.pop("precision") < one.pop("precision")
    assert one.pop("ks") < other.pop("ks") < 0.011
    for name, value in one.items():
        np.testing.assert_allclose(other[name], value, rtol=1e-5, err_msg=name)
    clipped = np.clip(even.astype(float), LOW, HIGH)
    np.testing.assert_allclose(one["generated_std"], clipped.std(), rtol=1e-4)
    np.testing.assert_allclose(one["generated_mean"], clipped.mean(), rtol=1e-4)


def test_of_other_laws_nothing_is_winsorised():
    x = jnp.array([-1e9, 1e9])
    for kind in ("gaussian", "student_t", "poisson", "data"):
        target = dataclasses.replace(TARGET, kind=kind)
        assert targets.winsorised_share(target) == 0
        assert targets.winsorised(target, x) is x


def test_students_law_of_too_few_degrees_of_freedom_is_refused():
    with pytest.raises(fields.ConfigError, match=r"target.freedom=1: it must be at least 2.1"):
        setting(**{"target.kind": "student_t", "target.freedom": 1.0})
