"""Configs: what they expand to, and that nonsense is refused with a remedy."""

import json

import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d import experiment
from gan1d.experiment import ConfigError, resolve


def problems(config):
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    return str(caught.value)


def test_the_default_config_is_one_plain_setting():
    made = resolve(experiment.default_config())
    assert made.labels == ("plain",)
    assert made.seeds == tuple(range(128))
    assert made.log_steps() == list(range(0, 5001, 250))


def test_axes_multiply_and_zipped_fields_go_in_step():
    made = resolve(
        {
            "sweep": (
                "generator.hidden=(4,),(8,8)",
                "tricks.input_noise=0,0.001,0 tricks.instance_noise=0,0,0.1",
            )
        }
    )
    assert made.swept == ("generator.hidden", "tricks.input_noise", "tricks.instance_noise")
    assert made.points == (
        ((4,), 0.0, 0.0),
        ((4,), 0.001, 0.0),
        ((4,), 0.0, 0.1),
        ((8, 8), 0.0, 0.0),
        ((8, 8), 0.001, 0.0),
        ((8, 8), 0.0, 0.1),
    )
    third = list(made.settings())[2]
    assert third.generator.hidden == (4,)
    assert third.tricks.instance_noise == 0.1
    assert third.tricks.input_noise == 0.0


def test_labels_name_what_is_on_and_give_values_where_there_are_several():
    made = resolve(
        {
            "sweep": (
                "tricks.minibatch=off,replace",
                "tricks.instance_noise=0,0.1,0.2",
                "discriminator.optimizer.rate=1e-3",
            )
        }
    )
    assert made.labels[0] == "D rate 0.001"
    assert made.labels[-1] == "minibatch + instance noise 0.2 + D rate 0.001"
    assert len(set(made.labels)) == len(made.labels)


def test_the_command_lines_axis_replaces_the_configs_own():
    axes = ("target.loc=1,2", "loss.log_floor=0,1e-5 target.scale=1,2")
    assert experiment.add_axes(axes, ["target.loc=3", "training.batch_size=8,16"]) == (
        "loss.log_floor=0,1e-5 target.scale=1,2",
        "target.loc=3",
        "training.batch_size=8,16",
    )
    with pytest.raises(ConfigError, match=r"also varies loss\.log_floor"):
        experiment.add_axes(axes, ["target.scale=3"])


def test_a_setting_is_plain_only_if_every_trick_is_off():
    sweep = ("tricks.feature_matching=off,paired",)
    assert resolve({"sweep": sweep}).labels == ("plain", "feature matching")
    made = resolve({"sweep": sweep, "tricks.minibatch": "replace"})
    assert made.labels == ("base", "feature matching")


def test_few_steps_need_no_other_field():
    assert resolve({"steps": 100}).log_steps() == [0, 100]


def test_numbers_may_be_numpys():
    made = resolve({"steps": np.int64(7), "target.loc": np.float32(1.5)})
    assert made.schedule.steps == 7
    assert next(made.settings()).target.loc == 1.5


def test_a_resolved_config_survives_json_and_tells_sweeps_apart():
    config = resolve({"sweep": ("generator.hidden=(4,),(8,8)",)}).config()
    assert json.loads(json.dumps(config)) == config
    assert config["generator"]["optimizer"]["rate"] == 1e-3
    assert config != resolve({"sweep": ("generator.hidden=(4,),(8,9)",)}).config()


@pytest.mark.parametrize(
    ("text", "seeds"),
    [("0:3", (0, 1, 2)), ("7", (7,)), ("5:7,1:2", (5, 6, 1)), (" 2:4 , 9", (2, 3, 9))],
)
def test_seed_ranges(text, seeds):
    assert experiment.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "0:0", "5:2", "0:4,3:6", "1,1", "-1:3", "a", "0:", ":3", "0:3:1", "4294967296"]
)
def test_bad_seeds_are_refused_by_name(text):
    assert f"seeds={text}" in problems({"seeds": text})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"training.batchsize": 8}, ["training.batchsize", "training.batch_size"]),
        ({"batch_size": 8}, ["training.batch_size"]),
        ({"generator": {"hiden": (4,)}}, ["generator.hiden", "generator.hidden"]),
        ({"generator.optimizer.rate": -1.0}, ["generator.optimizer.rate=-1", "at least 0"]),
        ({"target.scale": 0.0}, ["target.scale=0", "above 0"]),
        ({"target.loc": float("nan")}, ["target.loc=nan"]),
        ({"target.loc": float("inf")}, ["target.loc=inf"]),
        ({"target.scale": 1e-40}, ["target.scale", "1e-30"]),
        ({"steps": 0}, ["steps=0", "at least 1"]),
        ({"steps": 10.0}, ["steps=10.0", "whole number"]),
        ({"steps": "many"}, ["steps='many'"]),
        ({"steps": True}, ["steps=True"]),
        ({"training.sort": 1}, ["training.sort=1", "True or False"]),
        ({"generator.hidden": 4}, ["generator.hidden=4", "tuple"]),
        ({"generator.hidden": (4, 0)}, ["generator.hidden=(4,0)", "at least 1"]),
        ({"generator.hidden": (4, "a")}, ["generator.hidden"]),
        ({"loss.kind": "wgan"}, ["loss.kind=wgan", "non_saturating"]),
        ({"loss.kind": None}, ["loss.kind=None"]),
        ({"target.loc": 1e8, "target.scale": 1e-3}, ["target.loc=1e+08"]),
        ({"training.batch_size": 1}, ["training.batch_size=1"]),
        (
            {"latent.kind": "normal", "latent.dim": 2, "tricks.input_noise": 0.1},
            ["tricks.input_noise=0.1"],
        ),
        ({"sweep": "target.loc=1,2"}, ["sweep=", "FIELD=V1,V2"]),
        (
            {"tricks.input_noise": 0.5, "sweep": ("tricks.input_noise=0,0.1",)},
            ["tricks.input_noise=0.5", "--sweep=tricks.input_noise"],
        ),
        ({"latent.low": 9.0}, ["latent.low=9", "latent.high=8"]),
        ({"latent.dim": 2}, ["latent.dim=2", "latent.kind"]),
        ({"target.kind": "mixture", "target.means": (1.0,)}, ["target.weights", "same length"]),
        ({"tricks.minibatch": "replace", "discriminator.hidden": (8,)}, ["tricks.minibatch"]),
        (
            {
                "tricks.minibatch": "append",
                "training.batch_size": 1,
                "latent.kind": "normal",
            },
            ["training.batch_size=1", "compares rows"],
        ),
        ({"tricks.feature_matching": "mean", "discriminator.hidden": ()}, ["discriminator.hidden"]),
        ({"pretraining.steps": 5, "pretraining.low": 6.0}, ["pretraining.low=6"]),
    ],
)
def test_nonsense_is_refused_with_field_value_and_remedy(fields, words):
    message = problems(fields)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("tricks.minibach=off", ["tricks.minibach", "tricks.minibatch"]),
        ("tricks.minibatch", ["FIELD=V1,V2"]),
        ("tricks.minibatch=", ["no values"]),
        ("tricks.minibatch=on", ["tricks.minibatch=on", "replace"]),
        ("target.loc=1,x", ["target.loc='x'"]),
        ("target.loc=1,1", ["twice"]),
        ("steps=10,20", ["steps is the same for a whole sweep"]),
        ("target.loc=1,2 target.scale=1", ["target.loc: 2", "target.scale: 1"]),
        ("", ["empty"]),
        ("generator.hidden=(4,8", ["generator.hidden"]),
        ("training.batch_size=4,1 tricks.minibatch=off,append", ["in the setting batch 1"]),
    ],
)
def test_a_bad_axis_is_refused_with_a_remedy(axis, words):
    message = problems({"sweep": (axis,)})
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("axes", "word"),
    [
        (("generator.optimizer.momentum=0.5,0.9",), "generator.optimizer.kind is momentum"),
        (("tricks.minibatch_kernels=3,5",), "tricks.minibatch is append or replace"),
        (("target.means=(0,1),(0,2)", "target.kind=gaussian,laplace"), "target.kind is mixture"),
    ],
)
def test_an_axis_without_effect_is_refused(axes, word):
    assert word in problems({"sweep": axes})


def test_an_axis_with_an_effect_somewhere_is_allowed():
    made = resolve({"sweep": ("tricks.minibatch_kernels=3,5", "tricks.minibatch=off,append")})
    assert len(made.labels) == 4
    kinds = resolve({"generator.optimizer.kind": "momentum"}).base
    assert resolve(kinds | {"sweep": ("generator.optimizer.momentum=0.5,0.9",)})


def test_a_field_swept_by_two_axes_is_refused():
    assert "target.loc is swept twice" in problems({"sweep": ("target.loc=1", "target.loc=2")})


def test_all_problems_are_reported_together():
    message = problems({"steps": -1, "target.scale": -1.0, "nonsense": 1})
    assert len(message.splitlines()) == 3


def test_a_config_file_cannot_set_what_does_not_exist():
    config = experiment.default_config()
    with pytest.raises(AttributeError, match="batch_size"):
        config.training.batchsize = 3


names = st.sampled_from(sorted(experiment.specs())) | st.text(max_size=8)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.lists(st.one_of(st.integers(-3, 9), st.floats(), st.text(max_size=3)), max_size=3),
    st.tuples(st.integers(0, 9)),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def resolves_or_is_refused(config):
    try:
        made = resolve(config)
    except ConfigError as error:
        assert str(error).strip()
        return
    assert len(made.labels) == len(made.points) >= 1


@given(st.dictionaries(names, values, max_size=4))
def test_any_config_resolves_or_is_refused(config):
    resolves_or_is_refused(config)
    resolves_or_is_refused(
        ml_collections.ConfigDict({k: v for k, v in config.items() if "." not in k})
    )


@given(st.text(alphabet="tricks.mnbahop=,() 0123456789e-x\t", max_size=40), st.text(max_size=20))
def test_any_axis_and_seeds_resolve_or_are_refused(axis, seeds):
    resolves_or_is_refused({"sweep": (axis,)})
    resolves_or_is_refused({"seeds": seeds})


@given(names, st.text(max_size=30))
def test_any_value_of_an_axis_resolves_or_is_refused(name, text):
    resolves_or_is_refused({"sweep": (f"{name}={text}",)})
