"""Results of other versions, older and newer: they load, compare, export and draw."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from helpers import run_command

from gan1d import results
from gan1d.commands import compare, draw
from gan1d.commands import results as command
from gan1d.config import experiment
from gan1d.report import comparisons, exports, figures, tables
from gan1d.results import judge, schema, verdicts
from gan1d.sweep import contents

SCHEMA_3 = Path(__file__).parent / "data" / "schema_3.zip"  # written by revision a14ef2c
RECORD = {"config": {}, "complete": True}


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """Two settings x three seeds on the line: the second one's G matches features."""
    folder = tmp_path_factory.mktemp("older")
    with zipfile.ZipFile(SCHEMA_3) as file:
        file.extractall(folder)
    return folder / "schema_3"


def test_an_older_folder_has_todays_names_and_its_own_numbers(older):
    runs, snapshots = results.load(older), results.load_snapshots(older)
    assert not {"mean", "std"} & runs.keys()
    assert runs.tricks_feature_matching.attrs["field"] == "tricks.feature_matching"
    assert runs.sizes["quantile_level"] == 101
    assert np.isnan(runs.diverged_at).all()
    assert runs.w1.shape == runs.generated_std.shape == runs.generated_mean.shape == (2, 3, 3)
    assert snapshots.samples.shape == (2, 1, 3, 256, 1)
    assert snapshots.latent.dims == ("setting", "point", "latent_axis")
    frame = tables.summary(runs).sort_values("number", ignore_index=True)
    written = pd.read_csv(older / "summary.csv").set_index("setting").loc[frame.setting]
    for name in ("runs", "finished", "diverged"):
        assert frame[name].tolist() == written[name].tolist()
    assert frame.setting.tolist() == runs.setting.values.tolist()
    # One look of three is in the last tenth: that by which these runs were judged then.
    target_std = runs.target_std.values
    for name, unit in (("w1", target_std), ("std_ratio", 1), ("mean_error", 1), ("loss_d", 1)):
        for part in ("median", "q25", "q75"):
            ours = frame[f"{name}_{part}"] * unit
            np.testing.assert_allclose(ours, written[f"{name}_{part}"], rtol=1e-6)
    np.testing.assert_allclose(frame.w1_null_95 * target_std, written.w1_null_95, rtol=1e-6)
    assert runs.g_matches_features.values.tolist() == [0, 1]
    np.testing.assert_allclose(runs.loss_d_rest, 2 * np.log(2), rtol=1e-6)
    np.testing.assert_allclose(runs.loss_g_rest, [np.log(2), np.nan], rtol=1e-6)


def test_commands_take_an_older_folder(older, tmp_path, capsys):
    assert run_command(command.main, "verify", str(older)) == 0
    assert run_command(command.main, "info", str(older)) == 0
    assert run_command(compare.main, str(older)) == 0
    assert "feature matching" in capsys.readouterr().out
    for table, rows in (("runs", 6), ("curves", 18), ("summary", 2)):
        path = tmp_path / f"{table}.csv"
        asked = ["export", str(older), f"--to={path}", f"--table={table}"]
        assert run_command(command.main, *asked) == 0
        assert len(pd.read_csv(path)) == rows
    assert run_command(draw.main, str(older), *["--kind=losses", "--kind=boundary"]) == 0
    assert len(list((older / "figures").glob("*.png"))) == 2


def test_a_seed_that_stood_alone_is_that_one_seed(tmp_path):
    """Today a number alone is how many."""
    one = experiment.resolve({"seeds": [7]})
    recorded = one.config() | {"seeds": "7"}
    runs = synthetic.dataset(seeds=1).assign_attrs(config=json.dumps(recorded))
    results.write(tmp_path, runs, None, {"config": recorded, "complete": True}, {})
    assert json.loads(results.load(tmp_path).attrs["config"])["seeds"] == "7:8"
    assert contents.results_of(one, tmp_path).w1.equals(runs.w1)
    with pytest.raises(experiment.ConfigError, match="seeds='7:8' there, '0:7' now"):
        contents.results_of(experiment.resolve({"seeds": 7}), tmp_path)


def test_a_field_that_came_later_is_what_it_is_by_default(tmp_path):
    """Else every field that is added would make all results those of another sweep."""
    made = experiment.resolve({"seeds": 1})
    recorded = made.config()
    del recorded["judging"]["generator_seeds"], recorded["penalty"]
    runs = synthetic.dataset(seeds=1).assign_attrs(config=json.dumps(recorded))
    results.write(tmp_path, runs, None, {"config": recorded, "complete": True}, {})
    assert contents.results_of(made, tmp_path) is not None
    other = experiment.resolve({"seeds": 1, "penalty.kind": "r1"})
    with pytest.raises(experiment.ConfigError, match=r"penalty\.kind='off' there, 'r1' now"):
        contents.results_of(other, tmp_path)


# All that can be left out: what is not needed by verdicts.
MINIMAL = {*schema.RUN, "step", "w1", "generated_std", "target_std"}
MINIMAL |= {"diverged_at", "finished"}


def without_structure(runs):
    """Runs of which distance and spread alone are known."""
    known = [name for name in (*judge.STRUCTURE, "modes", "mode_mass") if name in runs]
    return judge.judged(runs.drop_vars(known))


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_results_of_what_verdicts_need_alone_can_be_used(target, tmp_path):
    whole = without_structure(synthetic.dataset(target=target, log_points=4))
    bare = whole.drop_vars(whole.variables.keys() - MINIMAL).drop_dims("dim", errors="ignore")
    results.write(tmp_path, bare, None, RECORD, {})
    loaded = results.load(tmp_path)
    summary, expected = tables.summary(loaded), tables.summary(whole)
    for name in ("success", "sustained", "w1_median", "std_ratio_q25"):
        np.testing.assert_array_equal(summary[name], expected[name])
    assert "structure was not judged" in tables.table(summary, loaded)
    assert comparisons.table(loaded, "plain") == comparisons.table(whole, "plain")
    assert all(len(table(loaded)) for table in exports.TABLES.values())
    drawn = {path.stem for path in figures.draw_all(tmp_path, loaded, None, summary)}
    expected = {"verdicts", "strip", "raster", "stability", "profiles", "survival", "differences"}
    assert drawn == expected | {"profile_differences", "w1", "successes", "measures"}


def with_unknown(dims, dtype=np.float32):
    """Results with a variable that no version knows."""
    runs = synthetic.dataset(seeds=3, log_points=3)
    sizes = {**runs.sizes, "part": 4, "strange": 2}
    shape = [sizes[dim] for dim in dims]
    values = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    described = {"long_name": "what is to come", "units": "of it", "better": "higher"}
    return runs.assign(novelty=(dims, values, described))


@pytest.mark.parametrize("dtype", [np.float32, np.int16])
@pytest.mark.parametrize(
    ("dims", "tables_with_it"),
    [
        (("setting", "seed", "step"), {"runs", "curves", "summary"}),
        (("setting", "seed"), {"runs"}),
        (("setting",), set()),
        (("seed", "part"), set()),
    ],
)
def test_an_unknown_variable_is_kept_and_exported(dims, tables_with_it, dtype, tmp_path):
    runs = with_unknown(dims, dtype)
    results.write(tmp_path, runs, synthetic.snapshots(runs), RECORD, {})
    loaded = results.load(tmp_path)
    np.testing.assert_array_equal(loaded.novelty, runs.novelty)
    assert loaded.novelty.attrs["long_name"] == "what is to come"
    assert loaded.novelty.attrs["units"] == "1" and loaded.novelty.attrs["unit_in_words"] == "of it"
    for name, table in exports.TABLES.items():
        columns = [column for column in table(loaded) if "novelty" in column]
        assert bool(columns) == (name in tables_with_it)
    figure = figures.KINDS["measures"](
        figures.Selection(loaded, tables.summary(loaded), None, None)
    )
    titles = [ax.get_title().replace("\n", " ") for ax in figure.axes]
    assert ("what is to come (higher is better)" in titles) == (len(dims) == 3)


@pytest.mark.parametrize(
    ("dims", "dtype", "problem"),
    [
        (("setting", "strange"), np.float32, "unknown dimension .'strange'"),
        (("setting", "seed"), "S3", "'novelty' is"),
    ],
)
def test_an_unknown_variable_of_another_form_is_refused(dims, dtype, problem, tmp_path):
    results.write(tmp_path, with_unknown(dims, dtype), None, RECORD, {})
    with pytest.raises(results.ResultsError, match=problem):
        results.load(tmp_path)


def test_a_dimension_whose_places_have_names_needs_them(tmp_path):
    results.write(tmp_path, synthetic.dataset().drop_vars("moment"), None, RECORD, {})
    with pytest.raises(results.ResultsError, match="'moment' is missing"):
        results.load(tmp_path)


def test_an_unknown_picture_is_kept(tmp_path):
    runs = synthetic.dataset(seeds=3, log_points=3)
    shown = synthetic.snapshots(runs)
    shown["novelty"] = shown.d + 1
    results.write(tmp_path, runs, shown, RECORD, {})
    np.testing.assert_array_equal(results.load_snapshots(tmp_path).novelty, shown.novelty)


@pytest.mark.parametrize("number", [1, schema.SCHEMA, schema.SCHEMA + 1, 99])
def test_any_schema_of_this_form_is_read(number, tmp_path, monkeypatch):
    monkeypatch.setattr("gan1d.results.netcdf.SCHEMA", number)
    runs = synthetic.dataset(seeds=3, log_points=3).assign_attrs(schema=number)
    results.write(tmp_path, runs, None, RECORD, {})
    loaded = results.load(tmp_path)
    assert loaded.attrs["schema"] == number
    np.testing.assert_array_equal(loaded.w1, runs.w1)


def test_a_name_that_is_taken_stays_as_it_is(tmp_path):
    """Somebody's variable `std` beside ours."""
    runs = synthetic.dataset(seeds=3, log_points=3)
    results.write(tmp_path, runs.assign(std=2 * runs.generated_std), None, RECORD, {})
    loaded = results.load(tmp_path)
    np.testing.assert_array_equal(loaded.generated_std, runs.generated_std)
    np.testing.assert_array_equal(loaded["std"], 2 * runs.generated_std)


def test_what_follows_from_the_curves_is_filled_in(tmp_path):
    runs = synthetic.dataset(seeds=6)
    results.write(tmp_path, runs.drop_vars(schema.DERIVED), None, RECORD, {})
    loaded = results.load(tmp_path)
    for name in schema.DERIVED:
        np.testing.assert_array_equal(loaded[name], runs[name])
    assert verdicts.SUCCESS in loaded.verdict and np.isfinite(loaded.sustained_at).any()


def test_what_a_file_says_of_verdicts_is_found_out_anew(tmp_path):
    """By the thresholds in its config: a verdict is no datum."""
    runs = synthetic.dataset(seeds=6)
    results.write(tmp_path, runs.assign(verdict=0 * runs.verdict), None, RECORD, {})
    np.testing.assert_array_equal(results.load(tmp_path).verdict, runs.verdict)


def test_before_schema_5_generators_are_settled_in_the_last_tenth_too(tmp_path):
    """However rarely they were looked at there."""
    runs = synthetic.dataset(seeds=3)
    del runs.attrs["settled_from"], runs.attrs["fixed"]
    results.write(tmp_path, runs, None, RECORD, {})
    loaded = results.load(tmp_path)
    assert loaded.attrs["settled_from"] == 4500
    np.testing.assert_allclose(
        loaded.settled_w1, np.median(runs.w1.values[:, :, -3:], axis=-1), rtol=1e-6
    )
    assert "medians of 3 looks" in tables.table(tables.summary(loaded), loaded)
