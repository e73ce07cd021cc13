"""Configs: what they expand to, and that nonsense is refused with a remedy."""

import json

import ml_collections
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.config import experiment, fields
from gan1d.config.experiment import ConfigError, resolve
from gan1d.gan import judging


def problems(config):
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    return str(caught.value)


def test_the_default_config_is_one_plain_setting():
    made = resolve(experiment.default_config())
    assert made.labels == ("plain",)
    assert made.seeds == tuple(range(128))
    assert made.log_steps() == [*range(0, 4500, 250), *range(4500, 5001, 50)]


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
    third = list(made.settings)[2]
    assert third.generator.hidden == (4,)
    assert third.tricks.instance_noise == 0.1
    assert third.tricks.input_noise == 0.0


def test_labels_take_the_whole_config_into_account():
    sweep = ("tricks.feature_matching=off,paired",)
    assert resolve({"sweep": sweep}).labels == ("plain", "feature matching")
    made = resolve({"sweep": sweep, "tricks.minibatch": "replace"})
    assert made.labels == ("base", "feature matching")


def test_few_steps_need_no_other_field():
    assert resolve({"steps": 100}).log_steps() == [0, *range(90, 101)]
    assert resolve({"steps": 10}).log_steps() == [*range(11)]
    assert resolve({"steps": 1}).log_steps() == [0, 1]


def test_numbers_may_be_numpys():
    made = resolve({"steps": np.int64(7), "target.loc": np.float32(1.5)})
    assert made.schedule.steps == 7
    assert made.settings[0].target.loc == 1.5


def test_a_resolved_config_survives_json_and_tells_sweeps_apart():
    config = resolve({"sweep": ("generator.hidden=(4,),(8,8)",)}).config()
    assert json.loads(json.dumps(config)) == config
    assert config["generator"]["optimizer"]["rate"] == 1e-3
    assert config != resolve({"sweep": ("generator.hidden=(4,),(8,9)",)}).config()
    assert config["judging"]["view"] == [0.0, 0.0]
    assert config["sweep"] == ["generator.hidden=(4,),(8,8)"]
    assert set(dict(fields.flatten(config))) == set(fields.specs())


def looks(steps, log_every=250):
    return resolve({"steps": steps, "judging.log_every": log_every}).log_steps()


def test_frequent_log_points_stay_as_they_are():
    assert looks(1000, 10) == [*range(0, 1001, 10)]
    assert looks(1005, 10) == [*range(0, 1001, 10), 1005]


def test_none_is_just_before_the_settled_ones_and_those_are_evenly_spread():
    """Since engines compute equal spans at a time: a short one would slow down all others."""
    assert looks(5003)[-12:] == [4250, *range(4503, 5004, 50)]
    assert set(np.diff(looks(5019)[-11:])) == {50, 51}


@given(st.integers(1, 3000), st.sampled_from([1, 3, 10, 49, 50, 51, 250, 1000]))
def test_the_last_tenth_has_ten_log_points_if_it_has_as_many_updates(steps, log_every):
    found = looks(steps, log_every)
    assert found[0] == 0 and found[-1] == steps and (np.diff(found) > 0).all()
    settled = judging.settled_from(steps)
    assert settled == steps - max(steps // 10, min(9, steps - 1)) and settled >= 0
    assert sum(step >= settled for step in found) >= min(10, steps)
    # Before, nothing changes but for a log point that would be just before.
    before = [step for step in found if step < settled]
    expected = [*range(0, settled, log_every)]
    assert before in (expected, expected[:-1])
    *inner, _ = np.diff(found)
    assert min(inner, default=np.inf) >= min(log_every, (steps - settled) // 10)


def test_a_variant_is_a_default_config_with_fields_changed():
    variants = {"a": {"target.loc": 1.0, "generator.optimizer.kind": "sgd"}, "b": {"steps": 3}}
    made = resolve(experiment.variant(variants, "a"))
    expected = resolve({"target.loc": 1.0, "generator.optimizer.kind": "sgd"})
    assert made.config() == expected.config()
    with pytest.raises(ConfigError, match="'c'; there are a, b"):
        experiment.variant(variants, "c")


def test_a_config_is_varied_by_what_changes_in_it():
    config = experiment.variant({"a": {"generator.hidden": (16,), "loss.kind": "hinge"}}, "a")
    wasserstein = {"loss.kind": "wasserstein", "training.d_steps": 5}
    experiment.vary(config, [{}, wasserstein, {"generator.hidden": (4, 4)}, {"averages.ema": 0.9}])
    made = resolve(config)
    assert made.swept == ("loss.kind", "training.d_steps", "generator.hidden", "averages.ema")
    assert made.points == (
        ("hinge", 1, (16,), 0.0),
        ("wasserstein", 5, (16,), 0.0),
        ("hinge", 1, (4, 4), 0.0),
        ("hinge", 1, (16,), 0.9),
    )
    assert made.labels == (
        "plain",
        "loss wasserstein + D steps 5",
        "G hidden (4,4)",
        "EMA of G",
    )
    experiment.vary(config, {"one's own": {}, "5, not 1": {"training.g_steps": 5}})
    assert resolve(config).labels[:3] == (
        "one's own",
        "5, not 1",
        "loss wasserstein + D steps 5 + one's own",
    )
    with pytest.raises(ConfigError, match=r"loss\.kinds: there is no such field"):
        experiment.vary(config, [{"loss.kinds": "hinge"}])


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
        (
            {"tricks.input_noise": 0.5, "sweep": ("tricks.input_noise=0,0.1",)},
            ["tricks.input_noise=0.5", "--sweep=tricks.input_noise"],
        ),
        ({"latent.low": 9.0}, ["latent.low=9", "latent.high=8"]),
        ({"latent.dim": 2}, ["latent.dim=2", "latent.kind"]),
        ({"target.kind": "mixture", "target.means": (1.0,)}, ["target.weights", "same length"]),
        (
            {"target.kind": "uniform_mixture", "target.half_widths": (1.0,)},
            ["weights, means and half_widths the same length"],
        ),
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
        ({"judging.view": (5.0, -5.0)}, ["judging.view=(5,-5)", "ascending"]),
        ({"judging.view": (1.0, 2.0, 3.0)}, ["judging.view=(1,2,3)"]),
        ({"sweep": ("target.kind=ring,gaussian",)}, ["target.kind", "run two sweeps"]),
        ({"sweep": ("target.loc=1,1",)}, ["twice"]),
        ({"sweep": ("target.loc=1", "target.loc=2")}, ["target.loc is swept twice"]),
        (
            {"sweep": ("training.batch_size=4,1 tricks.minibatch=off,append",)},
            ["in the setting batch 1"],
        ),
        ({"sweep": ("tricks.minibatch_kernels=3,5",)}, ["no effect", "append or replace"]),
        ({"seeds": "5:2"}, ["seeds=5:2"]),
        (
            {"target.kind": "quadratic", "pretraining.steps": 9},
            ["pretraining.steps=9", "1-D densities"],
        ),
        (
            {"tricks.minibatch": "append", "tricks.minibatch_rows": 9},
            ["tricks.minibatch_rows=9", "8 rows"],
        ),
    ],
)
def test_nonsense_is_refused_with_field_value_and_remedy(fields, words):
    message = problems(fields)
    for word in words:
        assert word in message


def test_all_problems_are_reported_together():
    message = problems({"steps": -1, "target.scale": -1.0, "nonsense": 1})
    assert len(message.splitlines()) == 3


def test_a_config_file_cannot_set_what_does_not_exist():
    config = experiment.default_config()
    with pytest.raises(AttributeError, match="batch_size"):
        config.training.batchsize = 3


names = st.sampled_from(sorted(fields.specs())) | st.text(max_size=8)
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


@pytest.mark.parametrize("order", ["simultaneous", "generator_first"])
def test_features_are_followed_in_the_order_that_they_are_shown_in(order):
    fields_ = {"judging.features": True, "training.order": order}
    with pytest.raises(ConfigError, match=r"judging.features=True: features are followed through"):
        resolve(fields_)


@pytest.mark.parametrize("name", [5, None, "bad\udcff", "nul\0", "red\x1b[31m", "two\nlines"])
def test_a_name_that_no_results_could_have_is_refused_before_training(name):
    """Files, figures and terminals show it; such results could not be written, or not be read."""
    with pytest.raises(ConfigError, match=r"name=.*: it must be text that can be printed"):
        resolve({}, name)
