"""Fields without effect: points that differ in them only are one setting, and it is said."""

import pytest

from gan1d.config import canonical, experiment, fields
from gan1d.config.fields import ConfigError

OPTIMIZERS = {
    "sweep": (
        "generator.optimizer.kind=sgd,adam",
        "generator.optimizer.b1=0.1,0.5,0.9",
    )
}


def test_points_that_differ_in_what_has_no_effect_are_one_setting():
    made = experiment.resolve(OPTIMIZERS)
    assert made.labels == (
        "G optimizer sgd",
        *(f"G optimizer adam + G b1 {b}" for b in (0.1, 0.5, 0.9)),
    )
    assert len(set(made.settings)) == len(made.points) == 4
    (note,) = made.notes
    assert "6 points are 4 settings" in note
    assert "generator.optimizer.b1: no effect unless generator.optimizer.kind is adam" in note


def test_a_static_field_without_effect_makes_no_cohort_of_its_own():
    axes = ("tricks.minibatch=off,replace", "tricks.minibatch_kernels=3,5")
    made = experiment.resolve({"sweep": axes})
    assert made.labels == ("plain", "minibatch + kernels 3", "minibatch + kernels 5")


def test_effects_are_followed_from_field_to_field():
    """The clip is that of an output which is a probability, and that is a cross-entropy's."""
    axes = ("loss.kind=non_saturating,hinge", "loss.output=logit,probability", "loss.clip=0.1,0.2")
    made = experiment.resolve({"sweep": axes})
    assert len(made.points) == 4  # logits, two clips, hinge


@pytest.mark.parametrize(
    "overrides, words",
    [
        ({"generator.optimizer.momentum": 0.5}, ["momentum=0.5", "optimizer.kind is momentum"]),
        ({"loss.clip": 0.1}, ["loss.clip=0.1", "loss.output is probability"]),
        ({"pretraining.low": -3.0}, ["pretraining.low=-3", "pretraining.steps is above 0"]),
    ],
)
def test_an_override_without_effect_is_said(overrides, words):
    (note,) = experiment.resolve(overrides).notes
    for word in words:
        assert word in note
    assert experiment.resolve(overrides | {"steps": 7}).notes == (note,)


def test_nothing_is_said_of_what_has_an_effect():
    assert experiment.resolve({"loss.clip": 0.1, "loss.output": "probability"}).notes == ()


@pytest.mark.parametrize("text", ["0.1,0.1", "0.1,0.1000000001"])
def test_values_that_are_one_number_in_the_program_are_refused(text):
    with pytest.raises(ConfigError, match="a setting occurs twice"):
        experiment.resolve({"sweep": (f"target.loc={text}",)})


def test_every_condition_names_a_field_beside_and_values_that_it_may_have():
    """A condition that nothing fulfils would take its field out of every sweep."""
    known = fields.specs()
    for name, (spec, _) in known.items():
        condition = spec.condition()
        if condition is None:
            continue
        beside = known[f"{name.rpartition('.')[0]}.{condition.field}"][0]
        options = list(beside.options) or [0, 1]
        met = [option for option in options if condition.holds(option)]
        assert 0 < len(met) < len(options), name
        assert condition.words()


def test_whether_a_field_has_an_effect_is_found_by_the_one_beside_it():
    base = {name: default for name, (_, default) in fields.specs().items()}
    assert not canonical.has_effect("generator.optimizer.momentum", base, (), ())
    assert canonical.has_effect("generator.optimizer.b1", base, (), ())


def test_a_value_has_its_effect_in_those_settings_of_a_sweep_that_have_one():
    made = experiment.resolve(
        {
            "sweep": ("loss.kind=hinge,non_saturating", "loss.drift=0,0.5"),
            "loss.flips": 0.25,
            "penalty.memory": 0.5,
        }
    )
    assert [one.loss.flips for one in made.settings] == [0.0, 0.0, 0.25, 0.25]
    assert {one.penalty.memory for one in made.settings} == {0.99}
    assert made.base["loss.flips"] == 0.25  # as it was given
