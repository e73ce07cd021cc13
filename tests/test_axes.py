"""A sweep's axes and seeds, as text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.config import axes, canonical, experiment, fields
from gan1d.config.experiment import resolve
from gan1d.config.fields import ConfigError

HIDDEN = "generator.hidden=(4,),(8,8)"
DEFAULTS = {name: default for name, (_, default) in fields.specs().items()}


def refused(function, *arguments):
    with pytest.raises(ValueError) as caught:
        function(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "seeds"),
    [
        ("0:3", (0, 1, 2)),
        ("5:7,1:2", (5, 6, 1)),
        (" 2:4 , 9", (2, 3, 9)),
        ("7:8", (7,)),
        (" 3 ", (0, 1, 2)),
        ("1", (0,)),
    ],
)
def test_seed_ranges(text, seeds):
    assert axes.parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (3, "0:3"),
        ("3", "0:3"),
        (np.int64(3), "0:3"),
        (range(5, 8), "5:8"),
        (range(0, 6, 2), "0:1,2:3,4:5"),
        ([0, 1, 2, 7], "0:3,7:8"),
        ([7], "7:8"),
        (np.array([2, 0, 1]), "2:3,0:2"),
        ("0:4,9", "0:4,9"),
    ],
)
def test_seeds_as_python_has_them_are_text_in_which_no_number_stands_alone(seeds, text):
    assert axes.seeds_text(seeds) == text
    assert resolve({"seeds": seeds}).config()["seeds"] == text


@pytest.mark.parametrize("seeds", [1.5, True, [], [0.5], [[0, 1]], ["0"], None, {0: 1}, [True]])
def test_what_can_be_no_seeds_is_refused_with_a_remedy(seeds):
    message = refused(resolve, {"seeds": seeds})
    assert message.startswith("seeds=") and "a list of whole numbers" in message


@pytest.mark.parametrize(
    "sweep",
    [
        {"tricks.minibatch": ["off", "replace"], "generator.hidden": [[4], (8, 8)]},
        {"tricks": {"minibatch": ("off", "replace")}, "generator": {"hidden": [(4,), (8, 8)]}},
        ["tricks.minibatch=off,replace", "generator.hidden=(4,),(8,8)"],
    ],
)
def test_a_dict_of_lists_is_the_same_sweep_as_text(sweep):
    made = resolve({"sweep": sweep})
    assert made.points == resolve({"sweep": ("tricks.minibatch=off,replace", HIDDEN)}).points
    assert made.config()["sweep"] == ["tricks.minibatch=off,replace", HIDDEN]


def test_numbers_of_numpy_keep_their_digits():
    rates = np.geomspace(1e-4, 1e-2, 4)
    made = resolve({"sweep": {"generator.optimizer.rate": rates}})
    assert [point[0] for point in made.points] == rates.tolist()
    assert resolve({"sweep": "target.loc=0,4"}).points == ((0.0,), (4.0,))


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ({"tricks.minibatch": "off"}, ["tricks.minibatch=off", "[V1, V2]"]),
        ({"target.loc": 3}, ["target.loc=3", "[V1, V2]"]),
        ({"lr": [1e-3]}, ["lr: there is no such field", "generator.optimizer.rate"]),
        ({"seeds": [1, 2]}, ["seeds is the same for a whole sweep"]),
        (5, ["sweep=5", "a tuple"]),
    ],
)
def test_a_bad_dict_of_axes_is_refused_with_a_remedy(sweep, words):
    message = refused(resolve, {"sweep": sweep})
    assert all(word in message for word in words), message


def test_other_seeds_and_more_axes_go_on_top_of_a_config():
    config = {"seeds": "5:9", "sweep": {"target.loc": [0, 1], "target.scale": [1, 2]}}
    more = experiment.extended(config, 2, {"target.loc": [4.0]})
    assert resolve(more).config()["sweep"] == ["target.scale=1,2", "target.loc=4"]
    assert resolve(more).seeds == (0, 1)
    assert experiment.extended(config, None, None) == config
    assert "target.loc=4" in refused(experiment.extended, config, None, {"target.loc": 4})


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=4, unique=True)
)
def test_seed_ranges_hold_what_pythons_do_or_overlap(ranges):
    expected = [seed for first, count in ranges for seed in range(first, first + count)]
    text = ",".join(f"{first}:{first + count}" for first, count in ranges)
    if len(set(expected)) == len(expected):
        assert axes.parse_seeds(text) == tuple(expected)
    else:
        assert "overlap" in refused(axes.parse_seeds, text)


@pytest.mark.parametrize(
    "text",
    ["", "0:0", "0", "5:2", "0:4,3:6", "1,1", "-1:3", "a", "0:", ":3", "0:3:1", "4294967296"],
)
def test_bad_seeds_are_refused_by_name(text):
    assert f"seeds={text}" in refused(axes.parse_seeds, text)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("target.loc=1,2.5", [("target.loc", [1.0, 2.5])]),
        ("generator.hidden=(4,),(8,8),()", [("generator.hidden", [(4,), (8, 8), ()])]),
        ("generator.hidden=[4, 4],(8,)", [("generator.hidden", [(4, 4), (8,)])]),
        (
            "  target.loc=1,2   target.scale=0.5,1e-1 ",
            [("target.loc", [1.0, 2.0]), ("target.scale", [0.5, 0.1])],
        ),
        ("training.sort=True,False", [("training.sort", [True, False])]),
        # As people write them, and as --config takes them.
        ("training.sort=true, false", [("training.sort", [True, False])]),
        ("generator.hidden=(4, 4), (8,8)", [("generator.hidden", [(4, 4), (8, 8)])]),
        ("generator.hidden=8,16", [("generator.hidden", [(8,), (16,)])]),
        (
            "target.loc = 1, 2 target.scale= 3 ,4",
            [("target.loc", [1, 2]), ("target.scale", [3, 4])],
        ),
        ("loss.kind='saturating', \"hinge\"", [("loss.kind", ["saturating", "hinge"])]),
        ("tricks.minibatch=off,append,", [("tricks.minibatch", ["off", "append"])]),
        ("target.weights=(1,2),(3,4)", [("target.weights", [(1.0, 2.0), (3.0, 4.0)])]),
    ],
)
def test_an_axis_is_fields_and_their_values_in_their_own_types(text, columns):
    parsed = axes.parse_axis(text)
    assert parsed == (columns, [])
    for field, values in parsed.columns:
        assert all(type(value) is type(DEFAULTS[field]) for value in values)


@pytest.mark.parametrize(
    ("axis", "words"),
    [
        ("tricks.minibach=off", ["tricks.minibach", "tricks.minibatch"]),
        ("tricks.minibatch", ["FIELD=V1,V2"]),
        ("tricks.minibatch=", ["no values"]),
        ("tricks.minibatch=on", ["tricks.minibatch=on", "replace"]),
        ("target.loc=1,x", ["target.loc='x'"]),
        ("steps=10,20", ["steps is the same for a whole sweep"]),
        ("judging.points=251,501", ["judging.points is the same for a whole sweep"]),
        ("target.loc=1,2 target.scale=1", ["target.loc: 2", "target.scale: 1"]),
        ("", ["empty"]),
        ("generator.hidden=(4,8", ["generator.hidden"]),
        ("target.kind=ring,star", ["target.kind=star", "moons"]),
        ("name=a,b", ["empty"]),
        ("target.loc=1,2 name=", ["name has no values"]),
        ("name=a,b,c target.loc=1,2", ["target.loc: 2", "name: 3"]),
        ("name=a,a target.loc=1,2", ["name='a'", "a name of its own"]),
        ("name='',b target.loc=1,2", ["name=''", "a name of its own"]),
    ],
)
def test_a_bad_axis_is_refused_with_a_remedy(axis, words):
    message = refused(axes.parse_axis, axis)
    for word in words:
        assert word in message


def test_axes_multiply_with_the_last_one_fastest():
    swept, points, _ = axes.product(("target.loc=1,2", "target.scale=3,4 latent.low=5,6"))
    assert swept == ("target.loc", "target.scale", "latent.low")
    assert points == ((1, 3, 5), (1, 4, 6), (2, 3, 5), (2, 4, 6))


def test_without_axes_there_is_one_point():
    assert axes.product(()) == ((), ((),), ((),))


@pytest.mark.parametrize(
    "twice", [("target.loc=1", "target.loc=2"), ("target.loc=1 target.loc=2",)]
)
def test_a_field_swept_by_two_axes_is_refused(twice):
    assert "target.loc is swept twice" in refused(axes.product, twice)


def test_the_command_lines_axis_replaces_the_configs_own():
    own = ("target.loc=1,2", "loss.log_floor=0,1e-5 target.scale=1,2")
    assert axes.add_axes(own, ["target.loc=3", "training.batch_size=8,16"]) == (
        "loss.log_floor=0,1e-5 target.scale=1,2",
        "target.loc=3",
        "training.batch_size=8,16",
    )
    assert axes.add_axes(own, []) == own
    with pytest.raises(ConfigError, match=r"also varies loss\.log_floor"):
        axes.add_axes(own, ["target.scale=3"])


def labels(*sweep, **fixed):
    swept, points, names = axes.product(sweep)
    return axes.labels(DEFAULTS | fixed, swept, points, names)


def test_labels_name_what_is_on_and_give_values_where_there_are_several():
    made = labels(
        "tricks.minibatch=off,replace",
        "tricks.instance_noise=0,0.1,0.2",
        "discriminator.optimizer.rate=1e-3",
    )
    assert made[0] == "D rate 0.001"
    assert made[-1] == "minibatch + instance noise 0.2 + D rate 0.001"
    assert len(set(made)) == len(made) == 6


@pytest.mark.parametrize(
    ("axis", "expected"),
    [
        ("loss.label_smoothing=0,0.1", ("plain", "label smoothing")),
        ("tricks.virtual_batch_norm=off,on", ("plain", "virtual batch norm")),
        ("tricks.historical_averaging=off,on", ("plain", "historical averaging")),
        ("training.d_steps=1,5", ("D steps 1", "D steps 5")),
        ("training.fresh_batches=True,False", ("fresh True", "fresh False")),
        (
            "tricks.feature_matching=off,paired,paired "
            "tricks.feature_matching_trains=g,g,g_and_features",
            ("plain", "feature matching", "feature matching + D's features trained"),
        ),
        ("pretraining.steps=0,1000", ("plain", "pretraining")),
    ],
)
def test_labels_of_one_axis(axis, expected):
    assert labels(axis) == expected


@pytest.mark.parametrize(
    ("sweep", "expected"),
    [
        (["name=clipped,free target.loc=1,2"], ["clipped", "free"]),
        (["target.loc=1,2 name='at once, fast',\"in turn\""], ["at once, fast", "in turn"]),
        # A name stands where its axis does, for all that varies in step there.
        (
            ["target.loc=1,2", "name=a,b target.scale=3,4 training.d_steps=1,5", "latent.low=5"],
            [f"loc {loc} + {name} + low 5" for loc in (1, 2) for name in "ab"],
        ),
    ],
)
def test_points_are_called_by_their_names(sweep, expected):
    made = labels(*sweep)
    assert [label.replace("target ", "").replace("latent ", "") for label in made] == expected


def test_names_stay_with_their_points_where_others_are_dropped():
    """The second weight has no effect where there is no penalty, so three points are two."""
    axis = "name=none,nothing,R1 penalty.kind=off,off,r1 penalty.weight=1,2,2"
    assert resolve({"sweep": [axis]}).labels == ("none", "R1")


def test_names_that_do_not_tell_settings_apart_are_refused():
    sweep = ["name=x,'x + y' target.loc=1,2", "name='y + z',z target.scale=3,4"]
    with pytest.raises(ConfigError, match=r"two settings would be called 'x \+ y \+ z'"):
        resolve({"sweep": sweep})


@given(st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=3, unique=True))
def test_names_are_written_as_they_are_read(names):
    text = f"{axes.names_text(names)} {axes.axis_text('target.loc', range(len(names)))}"
    if all(name.isprintable() and name == name.strip() for name in names):
        assert axes.parse_axis(text).names == names
    else:
        assert "a name of its own" in refused(axes.parse_axis, text)


def test_an_axis_that_replaces_another_may_have_names_too():
    own = ("name=a,b target.loc=1,2", "name=c,d training.d_steps=1,5")
    assert axes.add_axes(own, ["name=e,f target.loc=3,4"]) == (own[1], "name=e,f target.loc=3,4")


def test_of_tricks_tried_one_at_a_time_labels_leave_out_what_most_have():
    """Also of fields that have no value which means off."""
    axis = "loss.kind=non_saturating,hinge,non_saturating,non_saturating training.d_steps=1,1,5,1"
    assert labels(f"{axis} tricks.top_k=0,0,0,0.5") == ("plain", "loss hinge", "D steps 5", "top k")


@pytest.mark.parametrize(
    ("fixed", "nothing_on"),
    [
        ({}, "plain"),
        ({"tricks.minibatch": "replace"}, "base"),
        ({"pretraining.steps": 1000}, "base"),
        ({"loss.label_smoothing": 0.1}, "base"),
        ({"generator.hidden": (16, 16)}, "plain"),  # no trick
    ],
)
def test_a_setting_is_plain_only_if_every_trick_is_off(fixed, nothing_on):
    made = labels("tricks.feature_matching=off,paired", **fixed)
    assert made == (nothing_on, "feature matching")


@pytest.mark.parametrize(
    ("sweep", "fixed", "words"),
    [
        (("generator.optimizer.momentum=0.5,0.9",), {}, "generator.optimizer.kind is momentum"),
        (("tricks.minibatch_kernels=3,5",), {}, "tricks.minibatch is append or replace"),
        (("tricks.minibatch_rows=0,4",), {}, "tricks.minibatch is append or replace"),
        (
            ("target.means=(0,1),(0,2)", "target.kind=gaussian,laplace"),
            {},
            "target.kind is mixture",
        ),
        (("target.modes=4,8",), {"target.kind": "moons"}, "target.kind is ring or grid"),
        (("loss.clip=0.01,0.1",), {}, "loss.output is probability"),
        (
            ("loss.log_floor=0,1e-5",),
            {"loss.kind": "least_squares"},
            "non_saturating or saturating",
        ),
        (
            ("discriminator.optimizer.epsilon=1e-8,1e-4",),
            {"discriminator.optimizer.kind": "sgd"},
            "adam or adam_tf1 or nadam or amsgrad or optimistic_adam or rmsprop",
        ),
        (("tricks.feature_matching_trains=g,g_and_features",), {}, "tricks.feature_matching is"),
        (("tricks.historical_weight=0,1",), {}, "tricks.historical_averaging is on"),
    ],
)
def test_an_axis_without_effect_is_found(sweep, fixed, words):
    swept, points, _ = axes.product(sweep)
    (problem,) = canonical.without_effect(DEFAULTS | fixed, swept, points)
    assert sweep[0].partition("=")[0] in problem
    assert words in problem


@pytest.mark.parametrize(
    ("sweep", "fixed"),
    [
        (("tricks.minibatch_kernels=3,5", "tricks.minibatch=off,append"), {}),
        (("generator.optimizer.momentum=0.5,0.9",), {"generator.optimizer.kind": "momentum"}),
        (("generator.optimizer.epsilon=1e-8,1",), {"generator.optimizer.kind": "adam_tf1"}),
        (("target.noise=0.1,0.2",), {"target.kind": "spiral"}),
        (("loss.label_smoothing=0,0.1",), {"loss.kind": "least_squares"}),
    ],
)
def test_an_axis_with_an_effect_somewhere_is_allowed(sweep, fixed):
    swept, points, _ = axes.product(sweep)
    assert not list(canonical.without_effect(DEFAULTS | fixed, swept, points))


def test_a_value_beside_an_axis_is_refused_with_the_way_to_change_it():
    assert "--sweep=tricks.input_noise=V1,V2" in axes.overridden("tricks.input_noise", 0.5)


@given(st.text(alphabet="tricks.mnbahop=,() 0123456789e-x\t", max_size=40), st.text(max_size=20))
def test_any_axis_and_seeds_parse_or_are_refused(axis, seeds):
    for function, text in ((axes.parse_axis, axis), (axes.parse_seeds, seeds)):
        try:
            assert function(text)
        except ValueError as error:
            assert str(error).strip()


def test_a_sweep_of_a_resolved_config_is_its_axes_product():
    sweep = ("target.loc=1,2", "training.batch_size=4,8")
    made = resolve({"sweep": sweep})
    assert (made.swept, made.points) == axes.product(sweep)[:2]
