"""Nothing that users, or others' files, hand in ends in a traceback or is read as something else.

    pytest tests/test_fuzz.py --hypothesis-profile=thorough

tries 10,000 examples of each kind; of files of results 1,000, and of what is trained 100.
"""

import contextlib
import io
import json
import math
import re
import string

import ml_collections
import numpy as np
import pytest
import synthetic
import xarray as xr
from helpers import run_main
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import gan1d
from gan1d import results
from gan1d.commands import results as command
from gan1d.config import axes, experiment, fields
from gan1d.config.experiment import ConfigError
from gan1d.gan import spec
from gan1d.gan.setting import Setting
from gan1d.report import comparisons, effects, exports, tables
from gan1d.results import ResultsError, files

SPECS = fields.specs()
SETTING_FIELDS = [name for name, _, _ in spec.specs(Setting)]
FEWER = max(5, settings().max_examples // 10)

# Values.

numbers_shown = st.one_of(
    st.integers(-(10**6), 10**6),
    st.sampled_from([0, -1, 2**31, 2**63, 10**400, -0.0, 1e-320, 1e30, 1.5e30, 1e308]),
    st.floats(),
    st.booleans(),
)
numbers = st.one_of(
    numbers_shown,
    st.sampled_from([5000]).map(lambda digits: 10**digits),  # more than Python writes
    st.sampled_from([np.float32(0.1), np.int64(3), np.bool_(True), np.float64("nan")]),
)
words = st.one_of(
    st.text(max_size=8),
    st.sampled_from([option for known, _ in SPECS.values() for option in known.options]),
    st.sampled_from(["True", "None", "nan", "inf", "1e5", "0x10", "1_0", "()", "[1]", "\n", "\0"]),
)
leaves = numbers | words | st.none() | st.binary(max_size=3)


def nested(inner):
    """Values of a kind, and lists, tuples and dicts of them."""
    names = st.sampled_from(["steps", "kind", "a", ""])
    several = st.lists(inner, max_size=4)
    return inner | several | several.map(tuple) | st.dictionaries(names, inner, max_size=2)


anything = nested(nested(leaves))


@st.composite
def valid(draw, field):
    """A value that the field allows."""
    known, default = SPECS[field]
    if known.options:
        return draw(st.sampled_from(list(known.options)))
    if isinstance(default, bool):
        return draw(st.booleans())
    entry = (*default, "")[0] if isinstance(default, tuple) else default
    low, high = max(known.low, -1e6), min(known.high, 1e6)
    number = entry[0] if isinstance(entry, tuple) else entry
    if isinstance(number, str):
        one = st.text(max_size=3)
    elif isinstance(number, int):
        one = st.integers(math.ceil(low), math.floor(high))
    else:
        one = st.floats(low, high, exclude_min=known.open_low)
        one = one.filter(lambda value: value == 0 or abs(value) > 1e-20)
    if isinstance(entry, tuple):
        one = st.tuples(*[one] * len(entry))
    if isinstance(default, tuple):
        return tuple(draw(st.lists(one, max_size=3)))
    return draw(st.tuples(one, one) if known.pairs and draw(st.booleans()) else one)


@st.composite
def seed_texts(draw):
    """Almost always of the right form."""
    number = st.one_of(
        st.integers(0, 300).map(str), st.sampled_from(["", "-1", "1e3", "2147483647", "9" * 5000])
    )
    part = st.one_of(st.tuples(number, number).map(":".join), number, st.text(max_size=4))
    return draw(st.sampled_from([",", ", ", " ,", ";"])).join(draw(st.lists(part, max_size=4)))


@st.composite
def axis_texts(draw):
    """Almost always of the right form."""
    terms = []
    for _ in range(draw(st.integers(0, 3))):
        field = draw(st.sampled_from([*SETTING_FIELDS, "steps", "seeds", "generator", "x", ""]))
        values = []
        for _ in range(draw(st.integers(0, 4))):
            if field in SETTING_FIELDS and draw(st.integers(0, 3)):
                values.append(fields.value_text(draw(valid(field))))
            else:
                values.append(draw(words) if draw(st.booleans()) else repr(draw(numbers_shown)))
        terms.append(
            field + draw(st.sampled_from(["=", "=", "=", "==", "", " "])) + ",".join(values)
        )
    if not draw(st.integers(0, 3)):
        name = st.one_of(words, words.map(repr), st.sampled_from(["'a, b'", '"="', "''", "'"]))
        terms.append(f"name={','.join(draw(st.lists(name, max_size=3)))}")
    return draw(st.sampled_from([" ", "  ", "\t", ","])).join(terms)


# Configs.


@st.composite
def configs(draw):
    """Fields, right and wrong, by nested and by dotted names."""
    flat = {}
    for _ in range(draw(st.integers(0, 6))):
        field = draw(st.sampled_from([*SPECS, "judging", "generator", "steps.x", "", ".", "x"]))
        if field in SPECS and field not in ("seeds", "sweep") and draw(st.integers(0, 4)):
            flat[field] = draw(valid(field))
        else:
            flat[field] = draw(anything)
    if draw(st.booleans()):
        flat["seeds"] = draw(seed_texts())
    if draw(st.booleans()):
        flat["sweep"] = draw(st.lists(axis_texts(), max_size=2))
    nested = {}
    for name, value in flat.items():
        *sections, last = name.split(".") if draw(st.booleans()) else [name]
        entry = nested
        for part in sections:
            entry = entry.setdefault(part, {})
            assume(isinstance(entry, dict))
        entry[last] = value
    return nested


@given(configs())
def test_a_config_is_refused_by_name_or_read_as_it_stands(config):
    try:
        made = experiment.resolve(config)
    except ConfigError as error:
        assert all(": " in line for line in str(error).splitlines()) and str(error)
        return
    told = dict(fields.flatten(made.config()))
    for field, value in fields.flatten(config):
        if isinstance(value, dict):
            continue
        assert field in told
        if isinstance(value, list | tuple):
            assert fields.plain(tuple(value)) == told[field]
        else:
            assert value == told[field] and isinstance(value, bool | np.bool_) == isinstance(
                told[field], bool
            )
    assert len(set(made.labels)) == len(made.points) == len(made.labels)
    assert len(set(made.seeds)) == len(made.seeds) > 0
    assert json.loads(json.dumps(made.config())) == made.config()


@given(anything)
def test_what_is_no_config_is_refused(config):
    with contextlib.suppress(ConfigError):
        experiment.resolve(config)
        assert config == {} or isinstance(config, dict)


def resolved(config):
    """The config as it is understood; None where it is refused."""
    try:
        return experiment.resolve(config).config()
    except ConfigError:
        return None


@given(configs())
def test_a_config_dict_is_no_different(config):
    try:
        same = ml_collections.ConfigDict(config)
    except Exception:  # what ConfigDict refuses, in its own ways, does not get as far as gan1d
        assume(False)
    assert resolved(same) == resolved(config)


SMALL = 5  # whole numbers and tuples are no larger: what is compiled may be strange, not large


@st.composite
def trainable(draw):
    """A config of valid fields, few of them other than by default."""
    config = {"steps": 3, "seeds": "0:3", "judging.log_every": 2, "judging.points": 251}
    names = [name for name in SPECS if name not in (*config, "sweep", "judging.view")]
    for field in draw(st.lists(st.sampled_from(names), max_size=6, unique=True)):
        known, default = SPECS[field]
        entry = (*default, "")[0] if isinstance(default, tuple) else default
        whole = isinstance(entry, int)
        if whole and not isinstance(default, bool):
            one = st.integers(int(known.low), max(SMALL, int(known.low)))
            several = st.lists(one, max_size=3).map(tuple)
            config[field] = draw(several if isinstance(default, tuple) else one)
        else:
            config[field] = draw(valid(field))
    return config


@settings(max_examples=max(2, settings().max_examples // 100))
@given(trainable())
def test_a_config_that_is_not_refused_trains_and_is_drawn(tmp_path_factory, config):
    """However strange its numbers are."""
    folder = tmp_path_factory.mktemp("trained")
    try:
        runs = gan1d.run(config, workdir=folder, devices=1)
    except ConfigError:
        return
    assert (runs.finished == 1).all() and (runs.verdict >= 0).all()
    assert results.load(folder).equals(runs.to_dataset())


# Text.


@given(seed_texts() | st.text(max_size=20))
def test_seeds_are_refused_or_those_that_are_written(text):
    try:
        seeds = axes.parse_seeds(text)
    except ValueError as error:
        assert str(error).startswith(f"seeds={fields.value_text(text)}: ")
        assert len(str(error).splitlines()) == 1
        return
    expected = []
    for part in text.split(","):
        first, colon, last = part.partition(":")
        expected += range(int(first), int(last)) if colon else [int(first)]
    if "," not in text and ":" not in text:
        expected = list(range(int(text)))
    assert list(seeds) == expected and len(set(seeds)) == len(seeds)


@given(axis_texts() | st.text(max_size=30))
def test_an_axis_is_refused_or_means_what_is_written(text):
    try:
        columns, names = axes.parse_axis(text)
    except ValueError as error:
        assert "sweep" in str(error)
        return
    again = [axes.names_text(names)] if names else []
    again += [
        f"{field}={','.join(fields.value_text(value) for value in values)}"
        for field, values in columns
    ]
    assert axes.parse_axis(" ".join(again)) == (columns, names)
    for field, values in columns:
        assert f"{field}=" in text
        for value in values:
            assert fields.checked(field, value) == value


# The command line.

CONFIG = """
from gan1d.config.experiment import default_config

def get_config():
    config = default_config()
    config.steps = 20
    config.seeds = "0:3"
    return config
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "tiny.py").write_text(CONFIG)
    return folder


# What a shell can hand over.
argument_text = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12
)


@st.composite
def arguments(draw):
    """Flags, right and wrong."""
    made = []
    for _ in range(draw(st.integers(0, 4))):
        kind = draw(st.integers(0, 6))
        field = draw(st.sampled_from([*SPECS, "steps.x", "judging", "x"]))
        if kind == 0 and field in SPECS and field not in ("seeds", "sweep"):
            value = draw(valid(field))
            made.append(f"--config.{field}={fields.value_text(value)}")
        elif kind == 1:
            made.append(f"--config.{field}{draw(st.sampled_from(['=', '', ' ']))}")
            made[-1] += draw(argument_text)
        elif kind == 2:
            made.append(f"--sweep={draw(axis_texts())}")
        elif kind == 3:
            made.append(f"--seeds={draw(seed_texts())}")
        elif kind == 4:
            flag = draw(st.sampled_from(["block_size", "devices", "engine", "seeds", "sweep"]))
            made.append(f"--{flag}={draw(numbers_shown.map(str) | argument_text)}")
        elif kind == 5:
            made.append(draw(argument_text))
        else:
            made.append(f"--noconfig.{field}")
    return [text.replace("\0", "") for text in made if not text.startswith("--help")]


@given(arguments())
def test_the_command_line_expands_or_says_what_is_wrong(place, given):
    out, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        code = run_main(f"--config={place}/tiny.py", "--dry_run", *given)
    if code == 0:
        assert "settings:" in out.getvalue() or "--config" in out.getvalue()
    else:
        assert code == 2
        lines = errors.getvalue().splitlines()
        assert any(line.startswith("gan1d: ") for line in lines), lines
    assert "Traceback" not in errors.getvalue()


# Files of results.


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Results on the line and in the plane, each as it is written."""
    made = []
    for target in ("normal", "ring"):
        swept = {"target.loc": [1.0, 2.0]}
        runs = synthetic.dataset(("a", "b"), 3, swept=swept, log_points=4, target=target)
        made.append((runs, synthetic.snapshots(runs, points=16 if target == "normal" else 256)))
    return tmp_path_factory.mktemp("results"), made


def drop(data, draw, name):
    return data.drop_vars(name)


def retype(data, draw, name):
    kind = draw(st.sampled_from(["float64", "int32", "int8", "S1", "U", "bool"]))
    with np.errstate(all="ignore"):
        return data.assign({name: data[name].copy(data=data[name].values.astype(kind))})


def spoil(data, draw, name):
    values = data[name].values.copy()
    if values.dtype.kind in "if" and values.size:
        extreme = [np.nan, np.inf, -np.inf, 0, -5, 1e30] if values.dtype.kind == "f" else [-5, 99]
        at = draw(st.integers(0, values.size - 1)) if draw(st.booleans()) else slice(None)
        values.flat[at] = draw(st.sampled_from(extreme))
    return data.assign({name: data[name].copy(data=values)})


def transpose(data, draw, name):
    return data.assign({name: data[name].transpose(*data[name].dims[::-1])})


def shorten(data, draw, name):
    dims = [dim for dim in data[name].dims if dim in data.sizes]
    return data.isel({dims[0]: slice(0, draw(st.integers(0, 1)))}) if dims else data


def rename(data, draw, name):
    return data.rename({name: draw(st.sampled_from(["other", "w1x", "step2"]))})


def retell(data, draw, name):
    names = ["config", "swept", "schema", "title", "provenance", "settled_from", "fixed"]
    attribute = draw(st.sampled_from(names))
    value = draw(
        st.sampled_from(["", "[]", "{}", "null", "[" * 2000, '["w1"]', '["none"]', 0, 2.5, [1, 2]])
        | st.text(string.printable, max_size=5)
    )
    return data.assign_attrs({attribute: value})


CHANGES = [drop, retype, spoil, transpose, shorten, rename, retell]


@settings(max_examples=FEWER)
@given(st.data())
def test_a_file_of_results_is_refused_or_can_be_used(written, data):
    """Changed by someone who makes the hashes fit."""
    folder, made = written
    runs, snapshots = data.draw(st.sampled_from(made))
    changed = {"runs": runs, "snapshots": snapshots}
    for _ in range(data.draw(st.integers(0, 2))):
        which = data.draw(st.sampled_from(["runs", "runs", "snapshots"]))
        change = data.draw(st.sampled_from(CHANGES))
        name = data.draw(st.sampled_from(sorted(map(str, changed[which].variables))))
        try:
            changed[which] = change(changed[which], data.draw, name)
        except (ValueError, KeyError, TypeError, UserWarning):
            assume(False)  # xarray itself holds no such thing
    record = {"config": {}, "complete": True}
    try:
        results.write(folder, changed["runs"], changed["snapshots"], record, {})
    except (ValueError, KeyError):
        # Nor can it write chunks of nothing, types of its own names for others, or text of a length
        # that groups disagree on; sweeps have none of these.
        assume(False)
    use(folder)


@settings(max_examples=FEWER)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1))
def test_a_file_with_other_bytes_is_refused_or_can_be_used(written, changes):
    """The hashes fit again."""
    folder, ((runs, snapshots), _) = written
    results.write(folder, runs, snapshots, {"config": {}, "complete": True}, {})
    path = folder / "runs.nc"
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    record = files.read_json(folder / "config.json")
    record["sha256"]["runs.nc"] = files.sha256(path)
    files.write_json(folder / "config.json", record)
    use(folder)


def use(folder):
    """Do with results what there is to do, unless they are refused."""
    try:
        runs, snapshots = results.load(folder), results.load_snapshots(folder)
    except ResultsError as error:
        assert str(folder) in str(error)
        return
    assert isinstance(runs, xr.Dataset) and isinstance(snapshots, xr.Dataset | None)
    with np.errstate(all="ignore"):
        tables.table(tables.summary(runs), runs)
        for table in exports.TABLES.values():
            assert len(table(runs))
        labels = runs.setting.values.tolist()
        if len(labels) > 1:
            try:
                comparisons.table(runs, labels[0])
                effects.table(runs)
            except ValueError as problem:  # with nothing finished, or no product
                assert re.search("there is no seed|are no product", str(problem))
    with contextlib.redirect_stdout(io.StringIO()):
        assert command.info(folder) == command.verify(folder) == 0


json_leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
json_values = (
    json_leaves
    | st.lists(json_leaves, max_size=3)
    | st.dictionaries(st.text(max_size=4), json_leaves, max_size=3)
)
record_names = st.sampled_from(["config", "sha256", "schema", "complete", "digest", "name"])
records = st.dictionaries(record_names, json_values | st.just(results.SCHEMA)).map(json.dumps)


@settings(max_examples=FEWER)
@given(st.binary(max_size=200) | records.map(str.encode) | st.just(b"{" * 10**5))
def test_a_record_is_refused_or_can_be_used(written, content):
    folder, _ = written
    (folder / "config.json").write_bytes(content)
    with pytest.raises(ResultsError):
        results.load_record(folder)
