import dataclasses

import jax
import numpy as np
import pytest
from helpers import whole_setting

from gan1d.config import fields
from gan1d.gan import spec
from gan1d.gan.setting import Setting
from gan1d.gan.targets import files

FIELDS = {name: (spec, default) for name, spec, default in spec.specs(Setting)}
TRACED = [name for name, (spec, _) in FIELDS.items() if spec.traced]
STATIC = [name for name in FIELDS if name not in TRACED]


def numeric(value):
    """Whether ranges apply to a field with this default."""
    entries = jax.tree.leaves(value)
    return bool(entries) and all(isinstance(entry, int | float) for entry in entries)


def changed(name):
    """Another allowed value of a field, of the same kind and length."""
    spec, value = FIELDS[name]
    if spec.options:
        return next(option for option in spec.options if option != value)
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return "other"
    if isinstance(value, tuple):
        return more(value) if value else ("other",)
    step = 0.25 if isinstance(value, float) else 1
    nearby = (value + step, value - step)
    return next(other for other in nearby if spec.problem(other) is None)


def more(value):
    """A number, or the first one in a tuple, and one more."""
    return (more(value[0]), *value[1:]) if isinstance(value, tuple) else value + 1


def built(**changes):
    return spec.build(Setting, {name: default for name, (_, default) in FIELDS.items()} | changes)


@pytest.mark.parametrize("name", fields.specs())
def test_every_field_is_explained_and_its_default_is_allowed(name):
    spec, default = fields.specs()[name]
    assert spec.doc.strip()
    assert spec.low <= spec.high
    if spec.options:
        assert default in spec.options
    elif numeric(default):
        assert spec.problem(default) is None
    if spec.neutral is not None:
        assert type(spec.neutral) is type(default)
        assert spec.problem(spec.neutral) is None


@pytest.mark.parametrize("name", TRACED)
def test_a_traced_field_is_a_number_among_the_leaves(name):
    _, default = FIELDS[name]
    assert numeric(default) and not isinstance(default, bool)
    before, after = built(), built(**{name: changed(name)})
    assert jax.tree.structure(before) == jax.tree.structure(after)
    pairs = zip(jax.tree.leaves(before), jax.tree.leaves(after), strict=True)
    assert sum(old != new for old, new in pairs) == 1


@pytest.mark.parametrize("name", STATIC)
def test_a_static_field_is_part_of_the_structure(name):
    before, after = built(), built(**{name: changed(name)})
    assert jax.tree.structure(before) != jax.tree.structure(after)
    assert jax.tree.leaves(before) == jax.tree.leaves(after)


# What options need beside them.
ARRAY = files.keep(np.arange(50.0))
BESIDE = {
    ("target.kind", "data"): {
        "target.file": ARRAY,
        "target.columns": ("0",),
        "target.digest": files.table(ARRAY).digest,
    },
    ("diversity.kind", "mode_seeking"): {"latent.kind": "normal"},
    ("diversity.kind", "distances"): {"latent.kind": "normal"},
    ("tricks.noise_fade_shape", "exponential"): {"tricks.noise_fade": 0.1},
    ("training.dynamics", "past_extragradient"): {"training.order": "simultaneous"},
    ("training.dynamics", "competitive"): {
        "training.order": "simultaneous",
        "training.fresh_batches": False,
        "loss.kind": "saturating",
        "generator.optimizer.kind": "sgd",
        "discriminator.optimizer.kind": "sgd",
    },
}


def beside(name, holds):
    """The field that decides whether another has an effect, and a value by which it has or not."""
    condition = FIELDS[name][0].condition()
    other = f"{name.rpartition('.')[0]}.{condition.field}"
    spec, default = FIELDS[other]
    values = (v for v in (*spec.options, 0, 1, 0.0, 0.5, 1.0) if isinstance(v, type(default)))
    allowed = (value for value in values if spec.problem(value) is None)
    return other, next(value for value in allowed if condition.holds(value) is holds)


def effective(name):
    """Fields with which this one has an effect."""
    if FIELDS[name][0].condition() is None:
        return {}
    other, value = beside(name, holds=True)
    return BESIDE.get((other, value), {}) | {other: value} | effective(other)


@pytest.mark.parametrize(
    "name, option", [(name, option) for name in STATIC for option in FIELDS[name][0].options]
)
def test_every_option_can_be_chosen_in_a_config(name, option):
    # Sorted rows are no pairs for a loss that holds rows against each other.
    fields = {"training.sort": False} | BESIDE.get((name, option), {}) | effective(name)
    fields[name] = option
    assert dataclasses.asdict(whole_setting(**fields)) == dataclasses.asdict(built(**fields))


def test_every_leaf_is_a_traced_number():
    numbers = sum(len(jax.tree.leaves(FIELDS[name][1])) for name in TRACED)
    leaves = jax.tree.leaves(Setting())
    assert len(leaves) == numbers
    assert all(type(leaf) is float for leaf in leaves)


def test_more_components_of_a_mixture_are_another_structure():
    three = {"target.weights": (1.0,) * 3, "target.means": (0.0,) * 3, "target.stds": (1.0,) * 3}
    assert jax.tree.structure(built(**three)) != jax.tree.structure(built())


def test_building_puts_every_value_into_its_own_field():
    values = {name: changed(name) for name in FIELDS}
    nested = dataclasses.asdict(spec.build(Setting, values))
    for name, value in values.items():
        entry = nested
        for part in name.split("."):
            entry = entry[part]
        assert entry == value


def test_the_default_is_aylien_of_june_2017():
    default = Setting()
    target, latent, training = default.target, default.latent, default.training
    assert (target.kind, target.loc, target.scale) == ("gaussian", 4.0, 0.5)
    assert (latent.kind, latent.low, latent.high) == ("stratified", -8.0, 8.0)
    assert (latent.dim, latent.jitter) == (1, 0.01)
    assert (default.generator.hidden, default.generator.activation) == ((4,), "softplus")
    assert (default.discriminator.hidden, default.discriminator.activation) == ((8, 8, 8), "relu")
    for network in (default.generator, default.discriminator):
        assert (network.kernel_init, network.kernel_scale) == ("normal", 1.0)
        optimizer = network.optimizer
        assert (optimizer.kind, optimizer.rate, optimizer.decay) == ("adam", 1e-3, 1.0)
    assert (default.loss.kind, default.loss.log_floor) == ("non_saturating", 1e-5)
    assert default.loss.output == "logit"
    assert (training.batch_size, training.d_steps, training.g_steps) == (8, 1, 1)
    assert training.sort and training.fresh_batches
    assert default.pretraining.steps == 0
    tricks = default.tricks
    assert tricks.minibatch == tricks.feature_matching == "off"
    assert tricks.virtual_batch_norm == tricks.historical_averaging == "off"
    assert tricks.input_noise == tricks.instance_noise == default.loss.label_smoothing == 0


def test_settings_of_one_structure_share_a_trace_and_can_be_mapped_over():
    traces = []

    @jax.jit
    def rate_times_loc(setting):
        traces.append(setting)
        return setting.generator.optimizer.rate * setting.target.loc

    values = [(1e-3, 4.0), (1e-4, -2.0), (0.5, 3.0)]
    sweep = [built(**{"generator.optimizer.rate": r, "target.loc": x}) for r, x in values]
    products = [r * x for r, x in values]
    np.testing.assert_allclose([rate_times_loc(s) for s in sweep], products, rtol=1e-6)
    assert len(traces) == 1
    stacked = jax.tree.map(lambda *leaves: np.asarray(leaves, np.float32), *sweep)
    np.testing.assert_allclose(jax.vmap(rate_times_loc)(stacked), products, rtol=1e-6)


CONDITIONAL = [name for name, (spec, _) in FIELDS.items() if spec.condition() is not None]


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_value_without_effect_is_not_handed_on(name):
    other, off = beside(name, holds=False)
    needed = BESIDE.get((other, off), {}) | effective(other) | {other: off}
    assert whole_setting(**needed, **{name: changed(name)}) == whole_setting(**needed)
