"""python -m gan1d results: verifies, describes, exports and rejudges a folder."""

import json

import numpy as np
import pandas as pd
import pytest
import synthetic
import xarray as xr
from absl import flags
from absl.testing import flagsaver

from gan1d import results
from gan1d.commands import results as command
from gan1d.report import exports, tables
from gan1d.results import blocks, files, verdicts

RECORD = {
    "config": {"steps": 1},
    "complete": True,
    "command": "python -m gan1d.main --config=c.py",
    "cohorts": [{"engine": "lanes", "runs_at_a_time": 128}],
    "seconds": {"training": 12.3},
    "git": None,
}


@pytest.fixture
def runs():
    swept = {"tricks.minibatch": ["off", "replace", "off"], "target.loc": [1.0, 1.0, 2.0]}
    return synthetic.dataset(seeds=5, swept=swept)


@pytest.fixture
def folder(tmp_path, runs):
    path = tmp_path / "results"
    results.write(path, runs, synthetic.snapshots(runs), RECORD, {"summary.md": "a table"})
    return path


def call(*arguments, **given):
    with flagsaver.flagsaver():
        argv = ["results", *map(str, arguments)]
        return command.main(flags.FLAGS([*argv, *(f"--{k}={v}" for k, v in given.items())]))


def test_whole_results_are_verified(folder, capsys):
    assert call("verify", folder) == 0
    told = capsys.readouterr().out
    assert "intact, 3 settings x 5 seeds, of which 1 runs are not finished" in told
    assert ": whole" not in told
    runs = synthetic.dataset(seeds=5, unfinished=0)
    results.write(folder, runs, None, RECORD, {})
    assert call("verify", folder) == 0
    assert "whole, 3 settings x 5 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["runs.nc", "summary.md", "config.json"])
@pytest.mark.parametrize("how", ["flipped", "missing"])
def test_damage_is_found_and_named(name, how, folder, capsys):
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 4
    if how == "flipped":
        (folder / name).write_bytes(content)
    else:
        (folder / name).unlink()
    assert call("verify", folder) == 1
    told = capsys.readouterr()
    assert name in told.out + told.err


def test_results_that_fit_their_hash_but_are_none_are_found(folder, capsys):
    (folder / "runs.nc").write_bytes(b"nonsense")
    record = files.read_json(folder / "config.json")
    record["sha256"]["runs.nc"] = files.sha256(folder / "runs.nc")
    files.write_json(folder / "config.json", record)
    assert call("verify", folder) == 1
    assert "can't be read" in capsys.readouterr().err


def test_a_sweep_under_way_is_described_and_verified(tmp_path, capsys):
    identity = {"config": {}, "devices": 1, "block_size": 2}
    (tmp_path / "blocks").mkdir()
    plan = {"identity": identity, "started": "then", "blocks": 3}
    files.write_json(tmp_path / "blocks" / "plan.json", plan)
    digest = files.digest(identity)
    for number in range(2):
        block = blocks.Finished({"w1": np.zeros((2, 3), np.float32)}, {})
        path = blocks.write(tmp_path, digest, number, block)
    assert call("verify", tmp_path) == 0
    assert "2 of 3 blocks are finished, 0 damaged" in capsys.readouterr().out
    assert call("info", tmp_path) == 0
    assert "2 of 3 blocks since then" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:-1])
    assert call("verify", tmp_path) == 1
    assert "1 of 3 blocks are finished, 1 damaged" in capsys.readouterr().out


def test_info_tells_what_was_run_and_how_it_ended(folder, runs, capsys):
    assert call("info", folder) == 0
    told = capsys.readouterr().out
    success, lost = (int((runs.verdict == code).sum()) for code in (0, verdicts.MODES_LOST))
    for words in (
        f"{success} success",
        f"{lost} modes lost",
        "1 unfinished",
        "engine lanes",
        "training 12.3",
        "c.py",
    ):
        assert words in told


def test_info_of_a_strange_record_is_no_traceback(folder, capsys):
    record = files.read_json(folder / "config.json")
    strange = {"command": 5, "seconds": [None, {}], "cohorts": "x", "versions": {"a": [1]}}
    files.write_json(folder / "config.json", record | strange)
    assert call("info", folder) == 0


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(("table", "rows"), [("runs", 15), ("curves", 15 * 21), ("summary", 3)])
def test_tables_are_exported(suffix, table, rows, folder, runs, tmp_path, capsys):
    path = tmp_path / f"table.{suffix}"
    assert call("export", folder, to=str(path), table=table) == 0
    read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[suffix]
    frame = read(path)
    assert len(frame) == rows and f"{rows} rows" in capsys.readouterr().out
    assert set(frame["tricks_minibatch"]) == {"off", "replace"}


def test_a_table_of_runs_has_the_values_of_the_results(runs):
    frame = exports.runs_table(runs)
    row = frame[(frame.setting == "minibatch replace") & (frame.seed == 3)].iloc[0]
    run = runs.sel(setting="minibatch replace", seed=3)
    assert row["target_loc"] == 1.0 and row["tricks_minibatch"] == "replace"
    assert row.verdict == verdicts.VERDICTS[int(run.verdict)]
    for name in (
        "w1",
        "ks",
        "generated_mean",
        "generated_std",
        "loss_d",
    ):
        np.testing.assert_array_equal(row[f"final_{name}"], run[name].isel(step=-1))
    for name in ("diverged_at", "best_step", "settled_w1", "sustained_at"):
        np.testing.assert_array_equal(row[name], run[name])
    part = run.centroid_distance.isel(step=-1).sel(moment="after G")
    np.testing.assert_array_equal(row["final_centroid_distance_after_G"], part)


def test_a_table_of_curves_has_the_values_of_the_results():
    runs = synthetic.dataset(seeds=4, target="ring")
    frame = exports.curves_table(runs)
    row = frame[(frame.setting == "plain") & (frame.seed == 2) & (frame.step == 500)].iloc[0]
    run = runs.sel(setting="plain", seed=2, step=500)
    means = [row.generated_mean_x, row.generated_mean_y]
    np.testing.assert_array_equal(means, run.generated_mean)
    assert row.energy == run.energy


@pytest.mark.parametrize(
    ("arguments", "given", "words", "code"),
    [
        ([], {}, "usage", 2),
        (["verify"], {}, "usage", 2),
        (["rub", "results"], {}, "usage", 2),
        (["export", "results"], {}, "to: name the file", 2),
        (["export", "results"], {"to": "runs.xls"}, "ends in .csv or .tsv or .parquet", 1),
        (["export", "results"], {"to": "none/runs.csv"}, "can't be written", 1),
        (["info", "nothing"], {}, "no results here", 1),
        (["rejudge", "nothing"], {"success_w1": 0.5}, "no results here", 1),
        (["rejudge", "results"], {}, "give another threshold, one of --collapsed_std, --succ", 2),
        (["rejudge", "results"], {"success_w1": -1}, "judging.success_w1 (-1.0)", 2),
        (["rejudge", "results"], {"hold": "nan"}, "judging.hold", 2),
        (["rejudge", "results"], {"hold": 9, "to": "results"}, "there are results already", 2),
        (["rejudge", "results"], {"hold": 9, "to": "results/runs.nc"}, "can't be made", 1),
        (["verify", "nothing"], {}, "no results here", 1),
    ],
)
def test_what_can_not_be_done_is_one_line(
    arguments, given, words, code, folder, capsys, monkeypatch
):
    monkeypatch.chdir(folder.parent)
    assert call(*arguments, **given) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_runs_are_rejudged_and_nothing_is_written_unasked(folder, runs, capsys):
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert call("rejudge", folder, success_w1="0.7", structure="0.2") == 0
    told = capsys.readouterr().out
    lax = results.rejudged(runs, success_w1=0.7, structure=0.2)
    assert told.strip() == tables.table(tables.summary(lax), lax)
    assert "success (W1<=0.7)" in told and "structure >= 0.2" in told
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_rejudged_results_are_results(folder, runs, tmp_path, capsys):
    lax = tmp_path / "lax"
    assert call("rejudge", folder, success_w1="0.7", to=str(lax)) == 0
    table, _, written = capsys.readouterr().out.rpartition("\n\n")
    assert written.strip() == f"Written: summary.csv, summary.md, runs.nc, config.json in {lax}"
    assert call("verify", lax) == 0
    judged, expected = results.load(lax), results.rejudged(runs, success_w1=0.7)
    xr.testing.assert_equal(judged, expected)
    assert (judged.verdict == 0).sum() > (runs.verdict == 0).sum()
    xr.testing.assert_equal(results.load_snapshots(lax), results.load_snapshots(folder))
    assert pd.read_csv(lax / "summary.csv").success.sum() == (judged.verdict == 0).sum()
    assert table in (lax / "summary.md").read_text()
    record = results.load_record(lax)
    assert record["config"]["judging"]["success_w1"] == 0.7
    assert record["rejudged"] == {"success_w1": 0.7} and record["command"] == RECORD["command"]
    inside = json.loads(judged.attrs["provenance"])
    assert inside == {name: record[name] for name in inside}
    assert call("rejudge", folder, success_w1="0.1", to=str(lax)) == 2  # not a second time


def test_a_sweep_under_way_is_not_written_over(folder, tmp_path, capsys):
    (tmp_path / "under_way" / "blocks").mkdir(parents=True)
    assert call("rejudge", folder, success_w1="0.7", to=str(tmp_path / "under_way")) == 2
    assert "there are results already" in capsys.readouterr().err


def test_records_are_plain_json(folder):
    record = json.loads((folder / "config.json").read_text())
    assert record["complete"] is True and record["schema"] == results.SCHEMA
