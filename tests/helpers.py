"""Settings, targets and their reference distributions in float64, for several test modules."""

import dataclasses
import functools
import runpy
import signal
import sys
import warnings
from pathlib import Path
from unittest import mock

import jax
import numpy as np
import pytest
import scipy.stats
from absl import flags
from absl.testing import flagsaver
from jax.flatten_util import ravel_pytree

from gan1d import engines, main
from gan1d.commands import options, shell
from gan1d.config import experiment
from gan1d.gan import targets, train
from gan1d.sweep import cohorts

# A sweep of six runs that trains and is written in no time.
TINY = {
    "steps": 10,
    "seeds": "0:6",
    "judging.log_every": 5,
    "judging.points": 251,
    "judging.snapshot_seeds": 3,
    "generator.hidden": (2,),
    "discriminator.hidden": (2,),
    "discriminator.optimizer.kind": "sgd",
}


def whole_setting(**fields):
    """The setting of a config with these fields, `whole_setting(**{"target.loc": 1.0})`."""
    (only,) = experiment.resolve(fields).settings
    return only


def setting(**fields):
    """The same as it is trained alone."""
    return alone(whole_setting(**fields))


def alone(whole):
    """A setting as it is trained alone: None for what is 0 and takes work, which goes with it."""
    (cohort,) = cohorts.group((whole,))
    return jax.tree.map(
        lambda used, value: None if used is None else value,
        cohort.example(),
        whole,
        is_leaf=lambda leaf: leaf is None,
    )


_plain, _draw = setting(), jax.jit(train.draw)


DRAWN = ("target", "latent", "penalty", "training", "diversity")
DRAWN_OF_TRICKS = (
    "input_noise",
    "instance_noise",
    "noise_fade",
    "noise_fade_steps",
    "noise_fade_shape",
    "packing",
    "top_k",
)


def draw(made, key, step):
    """As `train.draw`, in numpy; compiled once for all settings that say the same of batches."""
    parts = {name: getattr(made, name) for name in DRAWN}
    tricks = {name: getattr(made.tricks, name) for name in DRAWN_OF_TRICKS}
    parts["tricks"] = dataclasses.replace(_plain.tricks, **tricks)
    rate = made.discriminator.dropout or None  # without it no widths matter
    hidden = made.discriminator.hidden if rate else ()
    parts["discriminator"] = dataclasses.replace(_plain.discriminator, hidden=hidden, dropout=rate)
    parts["loss"] = dataclasses.replace(_plain.loss, flips=made.loss.flips)
    return jax.device_get(_draw(dataclasses.replace(_plain, **parts), key, step))


def config_of(name, *variant):
    """A config that is shipped, configs/NAME.py or configs/NAME.py:VARIANT."""
    path = Path(__file__).parents[1] / "configs" / f"{name}.py"
    return runpy.run_path(str(path))["get_config"](*variant)


def run_main(*arguments):
    """The exit code of the command line, in this process: most of a start is imports."""
    return run_command(main.main, *arguments)


def run_command(function, *arguments):
    """The exit code of a command by its main function."""
    saved, known = flagsaver.save_flag_values(), set(flags.FLAGS)
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        with mock.patch.object(sys, "argv", ["main.py", *arguments]), warnings.catch_warnings():
            # How ml_collections loads a config file; users see no such warning.
            warnings.filterwarnings("ignore", "the load_module", DeprecationWarning)
            return shell.run(function, options.parse(sys.argv))
    except SystemExit as stop:
        return stop.code
    finally:
        signal.signal(signal.SIGTERM, terminate)
        for name in set(flags.FLAGS) - known:  # each config that is parsed adds its fields
            delattr(flags.FLAGS, name)
        flagsaver.restore_flag_values(saved)


_compile_programs = engines.compile_programs


def compile_once(engine, setting, schedule, size, devices):
    """As `engines.compile_programs`, but what it has compiled before it gives again."""
    hurried = jax.config.values["jax_disable_most_optimizations"]
    structure = jax.tree.structure(setting)
    alike = dataclasses.replace(schedule, seeds="", sweep=())
    return _compiled(engine, structure, alike, size, tuple(devices), hurried)


@functools.cache
def _compiled(engine, structure, schedule, size, devices, hurried):
    setting = jax.tree.unflatten(structure, [np.float32(1)] * structure.num_leaves)
    return _compile_programs(engine, setting, schedule, size, list(devices))


def in_float64(*trees):
    """Numbers as they are, of a type that rounds them less from here on."""

    def longer(x):
        x = np.asarray(x)
        return x.astype(float) if np.issubdtype(x.dtype, np.floating) else x

    return jax.tree.map(longer, trees)


def gradients_and_differences(value, *arrays, step=1e-5):
    """Of a function of arrays to `[values]`, and its differences: `[values, numbers]`, float64."""
    flat, rebuilt = ravel_pytree([np.asarray(x, float) for x in arrays])

    def of(flat):
        return value(*rebuilt(flat))

    def both(flat):
        ways = step * np.eye(flat.size)
        above, below = (jax.vmap(of)(flat[None] + sign * ways) for sign in (1, -1))
        return jax.jacrev(of)(flat), (above - below).T / (2 * step)

    with jax.enable_x64(True):
        gradients, differences = map(np.asarray, jax.jit(both)(np.asarray(flat, float)))
    assert gradients.dtype == differences.dtype == np.float64
    return gradients, differences


class Mixture:
    """A target's mixture with the methods of scipy's distributions."""

    def __init__(self, target, law, widths):
        """Of components law(mean, width)."""
        weights = np.asarray(target.weights, float)
        means = target.loc + target.scale * np.asarray(target.means, float)
        widths = target.scale * np.asarray(widths, float)
        self.weights = weights / weights.sum()
        self.laws = [law(*each) for each in zip(means, widths, strict=True)]
        self.means, self.stds = (
            np.array([getattr(law, moment)() for law in self.laws]) for moment in ("mean", "std")
        )

    def _sum(self, method, x):
        parts = zip(self.weights, self.laws, strict=True)
        return sum(weight * getattr(law, method)(x) for weight, law in parts)

    def pdf(self, x):
        return self._sum("pdf", x)

    def logpdf(self, x):
        return np.log(self._sum("pdf", x))

    def cdf(self, x):
        return self._sum("cdf", x)

    def ppf(self, levels):
        levels = np.asarray(levels, float)
        low = np.full(levels.shape, (self.means - 40 * self.stds).min())
        high = np.full(levels.shape, (self.means + 40 * self.stds).max())
        for _ in range(80):
            middle = (low + high) / 2
            below = self.cdf(middle) < levels
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return np.select([levels == 0, levels == 1], self.support(), (low + high) / 2)

    def support(self):
        low, high = zip(*(law.support() for law in self.laws), strict=True)
        return min(low), max(high)

    def mean(self):
        return (self.weights * self.means).sum()

    def std(self):
        return np.sqrt((self.weights * (self.stds**2 + self.means**2)).sum() - self.mean() ** 2)


def uniform(centre, half_width):
    return scipy.stats.uniform(centre - half_width, 2 * half_width)


LAWS = {
    "gaussian": lambda target: scipy.stats.norm(target.loc, target.scale),
    "uniform": lambda target: uniform(target.loc, target.scale),
    "laplace": lambda target: scipy.stats.laplace(target.loc, target.scale),
    "student_t": lambda target: scipy.stats.t(target.freedom, target.loc, target.scale),
    "exponential": lambda target: scipy.stats.expon(target.loc, target.scale),
    "rayleigh": lambda target: scipy.stats.rayleigh(target.loc, target.scale),
    "weibull": lambda target: scipy.stats.weibull_min(target.shape, target.loc, target.scale),
    "gamma": lambda target: scipy.stats.gamma(target.shape, target.loc, target.scale),
    "pareto": lambda target: scipy.stats.pareto(target.shape, target.loc, target.scale),
    "lognormal": lambda target: scipy.stats.lognorm(target.sigma, target.loc, target.scale),
    "beta": lambda target: scipy.stats.beta(target.alpha, target.beta, target.loc, target.scale),
    "mixture": lambda target: Mixture(target, scipy.stats.norm, target.stds),
    "uniform_mixture": lambda target: Mixture(target, uniform, target.half_widths),
}


def law(target):
    """A target on the line as scipy has it; a new family needs an entry in LAWS."""
    return LAWS[target.kind](target)


def jumps(target):
    """Where a target's density jumps within its support."""
    if target.kind != "uniform_mixture":
        return np.array([])
    return np.ravel([each.support() for each in law(target).laws])


# Every family on the line that has moments, and mixtures whose bookkeeping is less symmetric than
# the default's.
MOMENTS = [kind for kind in targets.LINE if kind != "cauchy"]  # those that have any
TARGETS = {kind: setting(**{"target.kind": kind}).target for kind in MOMENTS}
for _kind, _widths in (("mixture", "stds"), ("uniform_mixture", "half_widths")):
    for _number, _weights, _means, _own in (
        ("three", (3.0, 1.0, 0.5), (-1.0, 3.0, 0.5), (1.0, 0.25, 0.5)),
        ("one", (2.0,), (1.5,), (0.75,)),
    ):
        TARGETS[f"{_kind} of {_number}"] = setting(
            **{
                "target.kind": _kind,
                "target.weights": _weights,
                "target.means": _means,
                f"target.{_widths}": _own,
            }
        ).target

TARGETS["student_t of 3"] = setting(**{"target.kind": "student_t", "target.freedom": 3.0}).target

each_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
each_family = pytest.mark.parametrize("target", [TARGETS[kind] for kind in MOMENTS], ids=MOMENTS)


# The families in the plane at their defaults, but each moved and stretched.
PLANE = {
    kind: setting(
        **{
            "target.kind": kind,
            "target.loc": -3.0,
            "target.scale": 0.5,
            "latent.kind": "uniform",
            "latent.dim": 2,
        }
    ).target
    for kind in targets.PLANE
}
CLUSTERS = ("ring", "grid")
CURVES = tuple(kind for kind in PLANE if targets.pieces(PLANE[kind]))
NOISY = (*CURVES, *CLUSTERS)


def each_plane(kinds=tuple(PLANE)):
    return pytest.mark.parametrize("target", [PLANE[kind] for kind in kinds], ids=kinds)


def assert_same_bits(one, other):
    """Two Datasets hold the same variables with the same bytes."""
    assert one.variables.keys() == other.variables.keys()
    for name in one.variables:
        ours, theirs = one[name].values, other[name].values
        assert (ours.dtype, ours.shape) == (theirs.dtype, theirs.shape), name
        if ours.dtype == object:
            ours, theirs = ours.astype(str), theirs.astype(str)
        assert ours.tobytes() == theirs.tobytes(), name
