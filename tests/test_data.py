"""target.kind=data: the user's own rows, from a file or an array to verdicts."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.spatial.distance
import scipy.stats
import xarray as xr
from helpers import TINY, run_command, run_main

import gan1d
from gan1d import results
from gan1d.commands import results as results_command
from gan1d.config.experiment import ConfigError, resolve
from gan1d.engines import one_run
from gan1d.gan import metrics, targets
from gan1d.gan.judging import Judging
from gan1d.gan.metrics import empirical, held_out
from gan1d.gan.metrics.metric import Judged
from gan1d.gan.players import Players
from gan1d.gan.targets import data, files

RANDOM = np.random.default_rng(0)
COUNT = 60
POINTS = 251
ROWS = pd.DataFrame(
    {
        "a": RANDOM.normal(3, 0.5, COUNT),
        "b": RANDOM.exponential(size=COUNT),
        "c": RANDOM.integers(0, 3, COUNT),
        "name": "x",
    }
)
GOOD = "a,b\n" + "".join(f"{i},{i * i % 17}\n" for i in range(COUNT))


def of_data(**fields):
    """The one setting of a sweep of own data."""
    named = {f"target.{name}": value for name, value in fields.items()}
    (only,) = resolve({"target.kind": "data", "latent.kind": "uniform"} | named).settings
    return only


def bound(setting, points=POINTS):
    rows = metrics.rows(setting.target, Judging(points=points))
    return one_run.bound(setting, jax.tree.map(jnp.asarray, rows))


# What can't be learned from.

BAD_TEXT = {
    "empty": ("", "it has 0 bytes"),
    "blank lines": ("\n\n\n", "it can't be read"),
    "a header only": ("a,b\n", "0 rows to train on, 0 held out"),
    "few rows": ("a,b\n" + "1,2\n3,4\n" * 5, "8 rows to train on, 2 held out"),
    "nothing": (GOOD.replace("7,15\n", "7,\n"), "column 'b', row 8: there is no number (NaN)"),
    "NaN": (GOOD.replace("7,15\n", "7,NaN\n"), "column 'b', row 8: there is no number (NaN)"),
    "infinity": (GOOD.replace("7,15\n", "7,-inf\n"), "column 'b', row 8: -inf"),
    "too large": (GOOD.replace("7,15\n", "7,1e300\n"), "column 'b', row 8: 1e+300"),
    "too many digits": (GOOD.replace("7,15\n", f"7,{'9' * 400}\n"), "column 'b', row 8: inf"),
    "text": (GOOD.replace("7,15\n", "7,abc\n"), "column 'b', row 8: 'abc' is no number"),
    "an unclosed quote": (GOOD.replace("7,15", '7,"15'), "column 'b', row 8:"),
    "NUL": (GOOD.replace("7,15", "7,\0"), "column 'b', row 8:"),
    "a longer row": (GOOD.replace("7,15\n", "7,15,9\n"), "line 9 has 3 fields"),
    "a longer first row": (GOOD.replace("\n0,0\n", "\n0,0,1\n"), "its second line has 3 fields"),
    "longer rows": (GOOD.replace("\n", ",\n").replace("b,", "b"), "its second line has 3 fields"),
    "a shorter row": (GOOD.replace("7,15\n", "7\n"), "column 'b', row 8: there is no number"),
    "another separator": (GOOD.replace(",", ";"), "column 'a;b', row 1: '0;0' is no number"),
    "a name twice": (GOOD.replace("a,b", "a,a"), "column 'a' is there twice"),
    "one value": ("a\n" + "3\n" * COUNT, "column 'a': it is constant"),
    "far from 0": ("a\n" + "".join(f"{1e6 + i / 1000}\n" for i in range(COUNT)), "float32 has"),
    "another encoding": (GOOD.replace("a,b", "ä,b").encode("latin1"), "can't decode byte 0xe4"),
    "an index": (ROWS[["a", "b"]].to_csv(), "a column has no name, as an index has"),
    "UTF-16": (GOOD.encode("utf-16"), "can't decode byte 0xff"),
}


def one_line(fields):
    with pytest.raises(ConfigError) as refused:
        resolve({"target.kind": "data"} | fields)
    message = str(refused.value)
    assert len(message.splitlines()) == 1 and len(message) < 500
    return message


@pytest.mark.parametrize("case", BAD_TEXT)
def test_a_bad_table_is_refused_with_what_is_wrong_where(case, tmp_path):
    text, said = BAD_TEXT[case]
    path = tmp_path / "rows.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert said in (message := one_line({"target.file": str(path)}))
    assert message.startswith(f"target.file={path}")


BAD_ARRAYS = {
    "complex": (np.ones(COUNT) + 1j, "it holds complex128, not real numbers"),
    "dates": (np.arange(COUNT).astype("M8[D]"), "not real numbers"),
    "three dimensions": (np.ones((COUNT, 2, 2)), "its shape is (60, 2, 2)"),
    "a number": (np.float64(3), "its shape is ()"),
    "named fields": (np.zeros(COUNT, [("a", "f4")]), "it has named fields"),
    "strings": (np.array(["1", "a"] * COUNT), "row 2: 'a' is no number"),
    "no columns": (np.zeros((COUNT, 0)), "it has no columns"),
    "65 columns": (RANDOM.normal(size=(COUNT, 65)), "65 columns, at most 64"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
@pytest.mark.parametrize("how", ["array", "file"])
def test_a_bad_array_is_refused_however_it_comes(case, how, tmp_path):
    array, said = BAD_ARRAYS[case]
    np.save(tmp_path / "rows.npy", array)
    given = array if how == "array" else str(tmp_path / "rows.npy")
    assert said in one_line({f"target.{how}": given})


def test_ragged_rows_and_objects_are_refused(tmp_path):
    assert "its rows differ in their lengths" in one_line({"target.array": [[1, 2], [3]]})
    np.save(tmp_path / "rows.npy", np.array([[1, "a"]] * COUNT, object))
    assert "it can't be read" in one_line({"target.file": str(tmp_path / "rows.npy")})


@pytest.mark.parametrize("suffix", sorted(files.READERS.keys() - {".csv", ".tsv"}))
def test_a_file_of_another_kind_than_its_name_says_is_refused(suffix, tmp_path):
    (tmp_path / f"rows{suffix}").write_text(GOOD)
    assert "it can't be read" in one_line({"target.file": str(tmp_path / f"rows{suffix}")})


def test_what_is_no_readable_table_is_refused(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(GOOD.replace("7,15", "7,-15"))
    link = tmp_path / "zero.csv"
    link.symlink_to("/dev/zero")
    two = tmp_path / "two.nc"
    xr.Dataset({"a": (("x", "y"), np.ones((COUNT, 2)))}).to_netcdf(two, engine="h5netcdf")
    cases = [
        ({}, "target.kind=data needs one"),
        ({"file": str(tmp_path / "none.csv")}, "there is no such file"),
        ({"file": str(tmp_path)}, "its name must end in .csv"),
        ({"file": str(link)}, "it is no regular file"),
        ({"file": str(two)}, "one dimension, of rows; they have: x, y"),
        ({"file": "a" * 5000 + ".csv"}, "File name too long"),
        ({"file": "array:0123"}, "it was an array of another process"),
        ({"file": str(path), "columns": ("d",)}, "it has no column 'd'; it has 'a', 'b'"),
        ({"file": str(path), "columns": ("a", "a")}, "column 'a' is there twice"),
        ({"file": str(path), "weight": "b"}, "column 'b', row 8: -15 is no weight"),
        ({"file": str(path), "weight": "b", "columns": ("a", "b")}, "leave it out there"),
        ({"file": str(path), "digest": "ab12"}, "leave it out to take the file as it is"),
        ({"file": str(path), "array": [1.0]}, "it is given twice"),
    ]
    for fields, said in cases:
        assert said in one_line({f"target.{name}": value for name, value in fields.items()})
    assert "data have no density" in one_line({"target.file": str(path), "pretraining.steps": 5})


# What is read, and how it is split.


@pytest.mark.parametrize("suffix", files.READERS)
def test_each_kind_of_file_gives_the_same_rows(suffix, tmp_path):
    path, frame = tmp_path / f"rows{suffix}", ROWS[["a", "b", "c"]]
    write = {
        ".csv": lambda: frame.to_csv(path, index=False),
        ".tsv": lambda: frame.to_csv(path, index=False, sep="\t"),
        ".parquet": lambda: frame.to_parquet(path),
        ".npy": lambda: np.save(path, frame.to_numpy(np.float64)),
        ".nc": lambda: xr.Dataset.from_dataframe(frame).to_netcdf(path, engine="h5netcdf"),
    }
    write[suffix]()
    values, columns = files.numbers(str(path), ())
    np.testing.assert_allclose(values, frame.to_numpy(), rtol=1e-12)
    assert columns == (("0", "1", "2") if suffix == ".npy" else ("a", "b", "c"))


def test_text_without_a_header_has_numbered_columns(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text(GOOD.partition("\n")[2])
    values, columns = files.numbers(str(path), ("1",))
    assert columns == ("1",) and len(values) == COUNT and values[7, 0] == 15


def test_numbers_from_0_on_are_a_header(tmp_path):
    path = tmp_path / "rows.csv"
    pd.DataFrame(np.ones((COUNT, 2))).to_csv(path, index=False)
    values, columns = files.numbers(str(path), ())
    assert columns == ("0", "1") and values.shape == (COUNT, 2)


def test_a_file_that_changes_while_a_sweep_trains_ends_it(tmp_path, capsys):
    path = tmp_path / "rows.csv"
    path.write_text(GOOD)
    target = of_data(file=str(path)).target
    path.write_text(GOOD.replace("7,15\n", ""))

    def train(_):
        data.rows(target)

    assert run_command(train) == 2
    assert "it has changed since the sweep was begun" in capsys.readouterr().err


def test_rows_that_judge_are_others_than_those_that_train_and_always_the_same():
    found = data.parts(of_data(array=ROWS, columns=("a", "b")).target)
    both = np.concatenate([found.rows.train, found.rows.held_out])
    assert found.rows.train.shape == (48, 2) and found.held_out_count == 12
    expected = np.float32(ROWS[["a", "b"]].to_numpy())
    np.testing.assert_array_equal(np.sort(both[:, 0]), np.sort(expected[:, 0]))
    more = data.parts(of_data(array=ROWS, columns=("b", "a"), held_out=0.5).target)
    held_out = {tuple(row) for row in more.rows.held_out[:, ::-1]}
    assert {tuple(row) for row in found.rows.held_out} < held_out
    np.testing.assert_allclose(found.rows.std, found.rows.train.std(0), rtol=1e-6)


def test_standardised_columns_have_mean_0_and_std_1_of_what_trains():
    target = of_data(array=ROWS, columns=("a", "b"), standardise="on").target
    found = data.parts(target)
    np.testing.assert_allclose(found.rows.train.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(found.rows.train.std(0), 1, rtol=1e-6)
    back = found.centre + found.unit * found.rows.held_out
    plain = data.parts(of_data(array=ROWS, columns=("a", "b")).target)
    np.testing.assert_allclose(back, plain.rows.held_out, rtol=1e-5)
    assert data.described(target)["less"] == found.centre.tolist()


def test_far_columns_can_be_standardised():
    far = 1e6 + ROWS.a.to_numpy() / 1000
    rows = data.parts(of_data(array=far, standardise="on").target).rows
    assert len(np.unique(rows.train)) == len(rows.train)


def test_rows_are_drawn_by_their_weights():
    values = np.arange(400)
    weights = np.where(values < 200, 0.0, np.where(values < 300, 1.0, 3.0))
    frame = pd.DataFrame({"value": values, "weight": weights})
    found = data.parts(of_data(array=frame, weight="weight").target)
    assert found.columns == ("value",) and found.row_count == 400
    drawn, copies = np.unique(found.rows.train, return_counts=True)
    np.testing.assert_array_equal(drawn, found.originals[:, 0])
    assert len(drawn) == 160 and drawn.min() >= 200
    of_rows = weights[drawn.astype(int)]
    expected = len(found.rows.train) * of_rows / of_rows.sum()
    assert (np.abs(copies - expected) <= 1).all()


def test_rows_that_train_are_drawn_with_replacement_and_evenly():
    setting = bound(of_data(array=ROWS, columns=("a", "b")))
    u = (np.arange(2**12, dtype=np.float32) + 0.5) * np.float32(2**-12)
    drawn = np.asarray(targets.sample(setting.target, u[:, None]))
    rows, counts = np.unique(drawn, axis=0, return_counts=True)
    np.testing.assert_array_equal(rows, np.unique(setting.target.rows.train, axis=0))
    assert set(counts) <= {85, 86}
    last = np.float32([[1 - 2**-24]])
    np.testing.assert_array_equal(
        targets.sample(setting.target, last)[0], setting.target.rows.train[-1]
    )


# What is judged.


@pytest.mark.parametrize("kind", ["continuous", "ties"])
@pytest.mark.parametrize("counts", [(251, 40), (251, 251), (64, 1000), (7, 7 * 3)])
def test_w1_and_ks_are_those_of_the_two_samples(kind, counts):
    random = np.random.default_rng(1)
    samples, rows = random.normal(size=counts[0]), random.exponential(size=counts[1])
    if kind == "ties":
        samples, rows = samples.round(), rows.round()
    samples, rows = (np.sort(np.float32(each)) for each in (samples, rows))
    w1 = empirical.w1_of_sorted(jnp.asarray(samples), jnp.asarray(rows))
    np.testing.assert_allclose(w1, scipy.stats.wasserstein_distance(samples, rows), rtol=1e-5)
    ks = empirical.ks_of_sorted(jnp.asarray(samples), jnp.asarray(rows)[:, None])
    np.testing.assert_allclose(ks, scipy.stats.ks_2samp(samples, rows).statistic, atol=1e-6)


def test_w1_of_the_largest_floats_is_finite():
    largest = jnp.full(5, np.finfo(np.float32).max)
    assert np.isfinite(empirical.w1_of_sorted(largest, -largest[:3]))


def test_cdf_and_quantiles_are_those_of_the_held_out_rows():
    target = bound(of_data(array=ROWS, columns=("c",))).target
    rows = target.rows.held_out[:, 0]
    x = np.float32([-1, 0, 0.5, 1, 2, 3, np.inf])
    np.testing.assert_allclose(
        targets.cdf(target, x), [(rows <= each).mean() for each in x], rtol=1e-6
    )
    levels = np.float32([0, 0.1, 0.5, 0.9, 1])
    expected = np.quantile(rows, levels, method="inverted_cdf")
    np.testing.assert_array_equal(targets.quantile(target, levels), expected)


def score(setting, samples, points=POINTS):
    setting = bound(setting, points)
    nothing = jnp.zeros(0)
    law = empirical.HeldOut(points)
    judged = Judged(
        setting,
        Players({}, {}),
        metrics.Reference(law, nothing, nothing),
        jnp.asarray(samples, jnp.float32),
    )
    found = metrics.of(setting)
    return {n: float(m.function(judged)) for n, m in found.items() if m.of_samples_alone}


CLOUD = np.random.default_rng(2).normal(size=(1500, 3)) * [1, 20, 0.1] + [0, 5, 3]


def test_rows_of_several_columns_are_judged_as_papers_have_it():
    setting = of_data(array=CLOUD)
    rows = bound(setting).target.rows
    samples = np.random.default_rng(3).normal(size=(POINTS, 3)) * [1, 15, 0.1] + [0.5, 5, 3]
    got = score(setting, samples)
    mean, std = (np.asarray(each, float) for each in (rows.mean, rows.std))
    fake, real, train = (
        (np.asarray(each, float) - mean) / std for each in (samples, rows.held_out, rows.train)
    )
    assert real.shape == fake.shape
    distance = scipy.spatial.distance.cdist
    own = {len(each): np.sort(distance(each, each), axis=1)[:, 5] for each in (real,)}
    real_balls = distance(fake, real) < own[len(real)]
    fake_radii = np.sort(distance(fake, fake), axis=1)[:, 5]
    expected = {
        "precision": real_balls.any(1).mean(),
        "density": real_balls.mean(0).sum() / 5,
        "coverage": real_balls.any(0).mean(),
        "recall": (distance(fake, real) < fake_radii[:, None]).any(0).mean(),
        "energy": 2 * distance(fake, real).mean()
        - distance(fake, fake).mean()
        - distance(real, real).mean(),
        "w1": np.mean(
            [
                scipy.stats.wasserstein_distance(fake @ along, real @ along)
                for along in held_out.directions(3)
            ]
        ),
    }
    near = distance(train, train)
    np.fill_diagonal(near, np.inf)
    to_train = distance(fake, train)
    closest = to_train.argmin(1)
    expected["memorised"] = (to_train.min(1) < near.min(1)[closest]).mean()
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=2e-3, atol=1e-4, err_msg=name)


def test_copies_of_rows_that_train_are_told_from_new_ones():
    setting = of_data(array=CLOUD)
    rows = bound(setting).target.rows
    random = np.random.default_rng(4)
    copies = np.asarray(rows.train)[random.integers(0, len(rows.train), POINTS)]
    copies = copies + 1e-3 * np.asarray(rows.std)
    assert score(setting, copies)["memorised"] > 0.99
    fresh = score(setting, rows.held_out)
    assert 0.4 < fresh["memorised"] < 0.6
    assert fresh["w1"] < 1e-6 and fresh["coverage"] == fresh["precision"] == 1


def test_of_many_rows_nobody_asks_whether_they_are_memorised():
    many = np.random.default_rng(5).normal(size=(7000, 2))
    assert "memorised" not in metrics.of(of_data(array=many))
    assert "memorised" in metrics.of(of_data(array=many[:6000]))


def test_copies_among_rows_have_balls_that_reach_half_way_to_the_next():
    grid = np.repeat(np.stack(np.meshgrid(range(4), range(3)), -1).reshape(-1, 2), 99, axis=0)
    setting = of_data(array=grid)
    near = bound(setting).target.rows.held_out + 0.01
    found = score(setting, near)
    assert found["precision"] == found["coverage"] == 1
    middle = near + 0.5
    assert score(setting, middle)["precision"] == 0


def test_directions_are_unit_vectors_spread_evenly():
    for dim in (2, 3, 64):
        along = held_out.directions(dim)
        np.testing.assert_allclose(np.linalg.norm(along, axis=1), 1)
        np.testing.assert_allclose((along.T @ along).trace(), len(along))
    assert held_out.directions(2)[0].tolist() == [1, 0]


# In both engines, from the command line to the folder.

SHORT = TINY | {"steps": 20, "latent.kind": "uniform", "target.kind": "data", "seeds": "0:8"}


@pytest.mark.parametrize("columns", [("a",), ("a", "b", "c")], ids=["line", "three columns"])
def test_engines_agree_on_data(columns, compiled_once):
    config = SHORT | {"target.array": ROWS, "target.columns": columns, "latent.dim": len(columns)}
    lanes, xla = (gan1d.run(config, engine=each).to_dataset() for each in ("lanes", "xla"))
    assert set(lanes) == set(xla)
    for name in lanes:
        if lanes[name].dtype.kind == "f":
            close = dict(rtol=2e-4, atol=2e-4, err_msg=str(name))
            np.testing.assert_allclose(lanes[name], xla[name], **close)
    assert (lanes.w1.values > 0).all() and (lanes.w1_null.values > 0).all()


def test_an_array_of_the_same_numbers_is_the_same_sweep_another_one_is_not():
    first, same, other = (
        resolve(SHORT | {"target.array": array, "target.columns": ("a",)}).config()
        for array in (ROWS, ROWS.copy(), ROWS.assign(a=ROWS.a + 1))
    )
    assert first == same == resolve(json.loads(json.dumps(first))).config()
    assert first["target"]["digest"] != other["target"]["digest"]


def test_files_can_be_swept(tmp_path):
    for name in "ab":
        ROWS[[name]].to_csv(tmp_path / f"{name}.csv", index=False)
    axis = f"target.file={tmp_path}/a.csv,{tmp_path}/b.csv"
    experiment = resolve(SHORT | {"sweep": (axis, "target.standardise=off,on")})
    assert [each.target.columns for each in experiment.settings] == [("a",)] * 2 + [("b",)] * 2
    assert experiment.config()["target"]["digest"].count(",") == 1
    assert len({each.target.digest for each in experiment.settings}) == 2


def test_a_file_goes_from_a_command_to_figures_and_its_change_is_refused(
    tmp_path, monkeypatch, capsys, compiled_once
):
    monkeypatch.chdir(tmp_path)
    ROWS.to_csv("rows.csv", index=False)
    (tmp_path / "sweep.py").write_text(
        "import gan1d\n\n\ndef get_config():\n    config = gan1d.default_config()\n"
        f"    config.update_from_flattened_dict({SHORT})\n    return config\n"
    )
    command = [
        "--config=sweep.py",
        "--config.target.file=rows.csv",
        "--config.target.columns=('a','b','c')",
        "--config.target.standardise=on",
        "--workdir=out",
    ]
    for shard in ("0/2", "1/2"):
        assert run_main(*command, f"--shard={shard}", "--block_size=4") == 0
    assert run_main(*command, "--partial") == 0
    found = {path.name for path in (tmp_path / "out" / "figures").glob("*.png")}
    assert {"samples.png", "columns.png"} <= found
    runs = results.load("out")
    assert runs.sizes["dim"] == 3 and (runs.finished == 1).all()
    capsys.readouterr()
    assert run_command(results_command.main, "info", "out") == 0
    (told,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("data:")]
    (digest,) = {entry["sha256"] for entry in results.load_record("out")["data"]}
    assert f"file rows.csv, sha256 {digest}, rows 60, columns a; b; c, trains 48" in told
    ROWS.assign(a=ROWS.a + 1).to_csv("rows.csv", index=False)
    assert run_main(*command) == 2
    assert f"target.digest='{digest}' there" in capsys.readouterr().err
