"""No table of a user's, and no weights of a results folder, end in a traceback or are misread.

    pytest tests/test_fuzz_data.py --hypothesis-profile=thorough

tries 10,000 texts, 1,000 files of each other kind and 1,000 changes of what is kept of generators.
"""

import csv
import io
import json
import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import TINY, run_command
from hypothesis import given, settings
from hypothesis import strategies as st

import gan1d
from gan1d import results
from gan1d.commands import samples
from gan1d.gan.targets import files

FEWER = max(5, settings().max_examples // 10)
ROWS = 60

# Text.

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-1000, 1000).map(str),
    st.sampled_from(["1e5", "1E-3", "-0", ".5", "5.", "+3", " 7 ", "1_0", "00012", "1e400"]),
)
words = st.one_of(
    st.sampled_from(["nan", "inf", "NA", "", "True", "abc", "0x10", "1,5", '"', "'3'", "#", "1 2"]),
    st.text(max_size=4),
)


@st.composite
def texts(draw):
    """Almost always tables of numbers."""
    width, separator = draw(st.integers(1, 3)), draw(st.sampled_from([",", "\t", ",", ";", " "]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\n\n", "\r"]))
    body = [draw(st.tuples(*[numbers] * width)) for _ in range(4)]
    rows = [list(body[i % len(body)]) for i in range(ROWS)]
    for _ in range(draw(st.integers(0, 2))):
        rows[draw(st.integers(0, ROWS - 1))][-1] = draw(words | numbers)
    if draw(st.booleans()):
        rows.insert(0, [draw(words) for _ in range(width)])
    if not draw(st.integers(0, 4)):
        rows[draw(st.integers(0, ROWS - 1))] = draw(st.lists(numbers, max_size=4))
    content = end.join(separator.join(row) for row in rows)
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    return (mark + content + draw(st.sampled_from(["", end]))).encode("utf-8", "surrogatepass")


def as_number(text):
    """What a cell says, whoever reads it; None where it is no number."""
    try:
        return float(text)
    except ValueError:
        return None


def as_value(text):
    """As `as_number`, below a header: columns of truths are of ones and zeros."""
    truth = {"true": 1.0, "false": 0.0}
    return truth.get(text.strip().lower(), as_number(text))


def told(content, separator):
    """The numbers of a text, by Python's own reader: all but a header, and lines of nothing."""
    text = content.decode("utf-8-sig")
    lines = [line for line in csv.reader(io.StringIO(text, newline=""), delimiter=separator)]
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    first = lines[0]
    header = None in map(as_number, first) or first == [str(i) for i in range(len(first))]
    return [[as_value(cell) for cell in line] for line in lines[header:]]


def read(path):
    """A file's numbers, or None where it is refused as it should be."""
    try:
        values, names = files.numbers(str(path), ())
    except files.DataError as refused:
        message = str(refused)
        assert len(message.splitlines()) == 1 and message.startswith("target.file=")
        return None
    assert values.dtype == np.float64 and values.ndim == 2 and np.isfinite(values).all()
    assert values.shape[1] == len(names) > 0
    return values


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(texts() | st.binary(max_size=300), st.sampled_from([".csv", ".tsv"]))
def test_a_text_is_refused_or_read_as_it_stands(folder, content, suffix):
    path = folder / f"rows{suffix}"
    path.write_bytes(content)
    values = read(path)
    if values is not None and len(values):  # a header alone is refused later, as too few rows
        expected = told(content, "," if suffix == ".csv" else "\t")
        assert [len(row) for row in expected] == [values.shape[1]] * len(values)
        np.testing.assert_allclose(values, np.reshape(expected, values.shape), rtol=1e-14)


# Other files.

TABLE = np.random.default_rng(0).normal(size=(ROWS, 2))


def content_of(suffix, folder):
    path, frame = folder / f"whole{suffix}", pd.DataFrame(TABLE, columns=["a", "b"])
    if suffix == ".npy":
        np.save(path, TABLE)
    elif suffix == ".parquet":
        frame.to_parquet(path)
    else:
        xr.Dataset({name: ("row", frame[name]) for name in frame}).to_netcdf(
            path, engine="h5netcdf"
        )
    return path.read_bytes()


OTHERS = sorted(files.READERS.keys() - {".csv", ".tsv"})
changes = st.lists(
    st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5
)


@pytest.mark.parametrize("suffix", OTHERS)
def test_another_file_is_refused_or_read_whatever_its_bytes(suffix, folder):
    whole = content_of(suffix, folder)
    np.testing.assert_array_equal(read(folder / f"whole{suffix}"), TABLE)

    @settings(max_examples=FEWER)
    @given(changes, st.integers(0, len(whole)))
    def changed(changes, length):
        content = bytearray(whole)
        for place, value in changes:
            content[int(place * len(content))] = value
        path = folder / f"rows{suffix}"
        path.write_bytes(content[: length or None])
        read(path)

    changed()


# Generators that are kept.


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    folder = tmp_path_factory.mktemp("learned") / "results"
    gan1d.run({**TINY, "judging.generator_seeds": 2}, workdir=folder)
    return folder, results.load(folder), results.load_snapshots(folder), results.load_record(folder)


VALUES = st.sampled_from([math.nan, math.inf, -math.inf, 3e38, -1.0, 0.0])
SHAPES = st.sampled_from(
    "as it is,shorter,longer,other seeds,other labels,another config,float64,none".split(",")
)


@settings(max_examples=FEWER)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), VALUES), max_size=3), SHAPES)
def test_weights_are_refused_or_used_whatever_they_are(learned, changes, shape):
    folder, runs, snapshots, record = learned
    weights = runs[results.GENERATORS].values.copy()
    for place, value in changes:
        weights.reshape(-1)[int(place * weights.size)] = value
    dims = runs[results.GENERATORS].dims
    changed = runs.assign({results.GENERATORS: (dims, weights, runs[results.GENERATORS].attrs)})
    if shape == "shorter":
        changed = changed.isel(weight=slice(0, -1))
    elif shape == "longer":
        changed = changed.isel(weight=[*range(weights.shape[-1]), 0])
    elif shape == "other seeds":
        changed = changed.assign_coords(generator_seed=[90, 91])
    elif shape == "other labels":
        changed, snapshots = (
            each.assign_coords(setting=["another"]) for each in (changed, snapshots)
        )
    elif shape == "another config":
        config = json.loads(runs.attrs["config"])
        config["generator"]["hidden"] = [50]
        changed.attrs["config"] = json.dumps(config)
    elif shape == "float64":
        changed[results.GENERATORS] = changed[results.GENERATORS].astype(np.float64)
    elif shape == "none":
        changed = changed.drop_vars(results.GENERATORS)
    results.write(folder, changed, snapshots, record, {})
    code = run_command(samples.main, str(folder), f"--to={folder / 'new.csv'}", "--rows=20")
    usable = shape in ("as it is", "longer", "float64")
    assert code == 2 or usable
    if code == 0:
        assert pd.read_csv(folder / "new.csv").shape == (20, 1)
    elif usable:  # none but those of the run that was asked for are looked at
        assert not np.isfinite(weights).all()
