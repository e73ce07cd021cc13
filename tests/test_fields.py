"""Fields of a config: names, types and ranges."""

import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.commands import options
from gan1d.config import fields


def test_names_are_those_of_settings_and_of_the_schedule():
    known = fields.specs()
    for name in ("target.loc", "generator.optimizer.kind", "judging.log_every", "steps", "sweep"):
        assert name in known
    assert "judging" not in known and "generator.optimizer" not in known


@pytest.mark.parametrize("make", [dict, ml_collections.ConfigDict])
def test_a_nested_config_is_flattened_to_dotted_names(make):
    config = make({"target": make({"loc": 1.0}), "a": make({"b": make({"c": (1, 2)})}), "steps": 3})
    assert dict(fields.flatten(config)) == {"target.loc": 1.0, "a.b.c": (1, 2), "steps": 3}


@pytest.mark.parametrize(
    ("field", "suggested"),
    [
        ("training.batchsize", "training.batch_size"),
        ("batch_size", "training.batch_size"),
        ("generator.rate", "generator.optimizer.rate"),
        ("tricks.label_smoothing", "loss.label_smoothing"),
        ("lr", "generator.optimizer.rate or discriminator.optimizer.rate"),
        ("learning-rate", "generator.optimizer.rate or discriminator.optimizer.rate"),
        ("discriminator.lr", "did you mean discriminator.optimizer.rate?"),
        ("width", "generator.hidden or discriminator.hidden"),
        ("epochs", "did you mean steps or "),
        ("xyzzy", "--help"),
    ],
)
def test_an_unknown_field_comes_with_a_suggestion(field, suggested):
    message = fields.unknown_field(field, fields.specs())
    assert message.startswith(f"{field}: ")
    assert suggested in message


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("target.loc", 3, 3.0),
        ("target.loc", np.float32(1.5), 1.5),
        ("steps", np.int64(7), 7),
        ("generator.hidden", [4, 5], (4, 5)),
        ("generator.hidden", (), ()),
        ("target.weights", (1, 2.5), (1.0, 2.5)),
        ("training.sort", False, False),
        ("judging.view", (-8, 8), (-8.0, 8.0)),
        ("loss.kind", "saturating", "saturating"),
    ],
)
def test_a_value_is_brought_to_its_fields_type(field, value, kept):
    checked = fields.checked(field, value)
    assert checked == kept
    assert type(checked) is type(kept)
    if isinstance(kept, tuple):
        assert [type(entry) for entry in checked] == [type(entry) for entry in kept]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("generator.optimizer.rate", -1.0, ["generator.optimizer.rate=-1", "at least 0"]),
        ("target.scale", 0.0, ["target.scale=0", "above 0"]),
        ("target.loc", float("nan"), ["target.loc=nan"]),
        ("target.loc", 10**400, ["target.loc", "at most"]),
        ("target.scale", 1e-40, ["target.scale", "1e-30"]),
        ("steps", 0, ["steps=0", "at least 1"]),
        ("steps", 10.0, ["steps=10.0", "whole number"]),
        ("steps", True, ["steps=True", "whole number"]),
        ("training.sort", 1, ["training.sort=1", "True or False"]),
        ("generator.hidden", 4, ["generator.hidden=4", "tuple"]),
        ("generator.hidden", (4, 0), ["generator.hidden=(4,0)", "at least 1"]),
        ("generator.hidden", (4, "a"), ["generator.hidden"]),
        ("loss.kind", "wgan", ["loss.kind=wgan", "non_saturating"]),
        ("loss.kind", None, ["loss.kind=None", "text"]),
        ("loss.clip", 0.5, ["loss.clip=0.5", "at most 0.49"]),
        ("loss.label_smoothing", 1.0, ["loss.label_smoothing=1", "at most 0.9"]),
        ("tricks.minibatch_rows", -1, ["tricks.minibatch_rows=-1", "at least 0"]),
        ("tricks.virtual_batch_norm", True, ["tricks.virtual_batch_norm=True", "text"]),
        ("target.modes", 0, ["target.modes=0", "at least 1"]),
    ],
)
def test_a_bad_value_is_refused_with_field_value_and_remedy(field, value, words):
    with pytest.raises(ValueError) as caught:
        fields.checked(field, value)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("target.loc", "-1e-3", -0.001),
        ("generator.hidden", "(8,)", (8,)),
        ("training.sort", "False", False),
        ("tricks.minibatch", "replace", "replace"),
        ("training.batch_size", "16", 16),
    ],
)
def test_what_is_typed_is_read_in_its_fields_type(field, text, value):
    assert fields.parsed(field, text) == value


# A sweep's axes are free text.
@pytest.mark.parametrize("field", sorted(fields.specs().keys() - {"sweep"}))
def test_every_default_is_its_own_text(field):
    _, default = fields.specs()[field]
    assert fields.parsed(field, fields.value_text(default)) == default


@given(st.floats(-1e30, 1e30).filter(lambda value: value == 0 or abs(value) > 1e-30))
def test_no_number_loses_digits_as_text(value):
    assert fields.parsed("target.loc", fields.value_text(value)) == value


def test_every_number_has_a_unit():
    """And each field a range or options; texts are checked where they are parsed."""
    for name, (known, default) in fields.specs().items():
        entry = default
        while isinstance(entry, tuple) and entry:
            entry = entry[0]
        number = isinstance(entry, int | float) and not isinstance(entry, bool)
        assert bool(known.unit) == number, name
        text = ("seeds", "target.file", "target.weight", "target.digest")
        assert known.options or not isinstance(default, str) or name in text, name


# Fields of entries, and those that there are before any test registers one.
ENTRIES = {
    name: set(fields.specs()[name][0].options) - {"off"}
    for name in (
        "loss.kind",
        "penalty.kind",
        "diversity.kind",
        "training.dynamics",
        "tricks.feature_matching",
        "generator.optimizer.kind",
        "generator.optimizer.schedule",
        "generator.kernel_init",
    )
}


@pytest.mark.parametrize("name", ENTRIES)
def test_help_says_what_each_entry_is_and_whose(name):
    every = fields.specs()[name][0].said()
    said = {entry: every[entry] for entry in ENTRIES[name]}
    assert len(set(said.values())) == len(said)
    assert all(20 <= len(text) < 160 for name, text in said.items() if name != "sgd"), said
    assert sum("arXiv" in text for text in said.values()) >= len(said) // 3


def test_help_says_with_what_a_field_has_an_effect():
    lines = {line.partition("=")[0].strip(): line for line in options.fields_help().splitlines()}
    known = {name: spec for name, (spec, _) in fields.specs().items()}
    assert "only with kind any but off" in lines["penalty.weight"]
    assert "only with kind r1 or" in lines["penalty.through"]
    for name, spec in known.items():
        assert ("only with" in lines[name]) == (spec.condition() is not None), name
