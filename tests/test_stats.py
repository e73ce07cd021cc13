import math

import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from gan1d.report import comparisons, tables
from gan1d.results import outcomes


def judge(w1, std, target_std, diverged_at, finished):
    """`stats.classify` of a sweep of one run."""
    outcome = outcomes.classify(
        final_w1=np.array([[w1]]),
        final_std=np.array([[std]]),
        target_std=np.array([[target_std]]),
        diverged_at=np.array([[diverged_at]]),
        finished=np.array([[finished]]),
        collapsed_std=0.25,
        success_w1=0.5,
    )
    assert outcome.shape == (1, 1) and outcome.dtype == np.int8
    return outcome[0, 0]


def label(w1, std, target_std, diverged_at, finished):
    """The definition of the outcomes, one run at a time."""
    if not finished:
        return "unfinished"
    if diverged_at >= 0:
        return "diverged"
    if std < 0.25 * target_std:
        return "collapsed"
    return "success" if w1 <= 0.5 * target_std else "off target"


@settings(deadline=None, database=None, derandomize=True)
@given(
    w1=st.floats(0, 10),
    std=st.floats(0, 10),
    target_std=st.floats(0.1, 10),
    diverged_at=st.sampled_from([-1, 0, 1, 5000]),
    finished=st.integers(0, 1),
)
def test_every_run_gets_the_one_outcome_of_the_definition(**run):
    names = (*outcomes.OUTCOMES, "unfinished")  # UNFINISHED, -1, is the last
    assert names[judge(**run)] == label(**run)


@pytest.mark.parametrize("w1, std", [(0.5, 1.0), (0.5, 0.25)])
def test_thresholds_themselves_are_successes(w1, std):
    assert judge(w1, std, 1.0, -1, 1) == outcomes.SUCCESS


def test_diverged_and_unfinished_runs_may_be_nan():
    assert judge(math.nan, math.nan, 1.0, 17, 1) == outcomes.DIVERGED
    assert judge(math.nan, math.nan, 1.0, -1, 0) == outcomes.UNFINISHED


@pytest.mark.parametrize("w1, std", [(math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)])
def test_unexplained_nonfinite_run_raises(w1, std):
    with pytest.raises(ValueError, match="1 runs finished without diverging"):
        judge(w1, std, 1.0, -1, 1)


@pytest.mark.parametrize("target_std", [0.0, math.inf, math.nan])
def test_target_without_a_scale_raises(target_std):
    with pytest.raises(ValueError, match="standard deviation"):
        judge(1.0, 1.0, target_std, -1, 1)


def test_thresholds_follow_each_settings_own_target():
    outcome = outcomes.classify(
        final_w1=np.full((2, 3), 0.3),
        final_std=np.full((2, 3), 0.3),
        target_std=np.array([[1.0], [10.0]]),
        diverged_at=np.full((2, 3), -1),
        finished=np.ones((2, 3)),
        collapsed_std=0.25,
        success_w1=0.5,
    )
    assert (outcome == [[outcomes.SUCCESS] * 3, [outcomes.COLLAPSED] * 3]).all()


def test_null_floor_is_per_setting():
    ds = synthetic.dataset(["a", "b"])
    ds["w1_null"] = ds.w1_null * np.array([[1], [2]])
    median, high = tables.null_floor(ds)
    assert median[1] == 2 * median[0]
    assert (ds.w1_null[0].values < high[0]).mean() == pytest.approx(0.95, abs=0.01)


def test_w1_is_infinite_from_divergence_on_and_nan_where_unfinished():
    ds = synthetic.dataset(["a"], seeds=3, outcome=outcomes.DIVERGED, unfinished=1)
    w1 = tables.w1_with_divergence(ds)[0]
    after = ds.step.values >= ds.diverged_at.values[0, :2, None]
    assert np.isposinf(w1[:2][after]).all() and np.isfinite(w1[:2][~after]).all()
    assert np.isnan(w1[2]).all()


def with_outcomes(counts):
    """One setting with so many runs of each outcome."""
    outcome = np.repeat(range(4), counts)
    return synthetic.dataset(["a"], seeds=sum(counts), outcome=outcome, unfinished=0)


def test_diverged_runs_are_never_dropped():
    row = tables.summary(with_outcomes([4, 0, 0, 6])).iloc[0]
    assert (row.finished, row.success, row.diverged, row.success_rate) == (10, 4, 6, 0.4)
    assert math.isinf(row.w1_median) and math.isfinite(row.w1_q25) and math.isinf(row.w1_high)
    assert row.std_ratio_n == 4 and 0.8 < row.std_ratio_median < 1.2


def test_counts_add_up_and_unfinished_runs_do_not_count():
    ds = synthetic.dataset(**synthetic.tricks_sweep(), seeds=16, unfinished=20)
    frame = tables.summary(ds)
    counts = frame[["success", "off_target", "collapsed", "diverged"]].sum(axis=1)
    assert (counts == frame.finished).all() and frame.finished.sum() == 12 * 16 - 20
    assert list(frame.columns[1:5]) == list(synthetic.tricks_sweep()["swept"])
    last = frame.iloc[-1]  # nothing finished there: after all others
    assert last.finished == 0 and np.isnan(last.success_rate)
    assert (last.success_low, last.success_high) == (0, 1)


def test_best_setting_first_and_ties_by_w1():
    ds = synthetic.dataset(["worse", "better", "none"], outcome=outcomes.SUCCESS, unfinished=0)
    ds["w1"] = ds.w1.copy(data=np.broadcast_to([[[0.3]], [[0.2]], [[0.1]]], ds.w1.shape))
    ds["outcome"][2, 0] = outcomes.OFF_TARGET
    assert list(tables.summary(ds).setting) == ["better", "worse", "none"]


def test_equal_settings_keep_the_sweeps_order():
    labels = [str(i) for i in range(40)]
    ds = synthetic.dataset(labels, seeds=2, outcome=outcomes.DIVERGED, unfinished=0)
    assert list(tables.summary(ds).setting) == labels


def table_rows(ds):
    text = tables.table(tables.summary(ds))
    table, _, legend = text.partition("\n\n")
    return [line.strip("| ").split("|") for line in table.splitlines()], legend


def test_table_shows_rates_intervals_and_medians():
    ds = with_outcomes([5, 2, 2, 1])
    (header, _, row), legend = table_rows(ds)
    cells = dict(zip(map(str.strip, header), map(str.strip, row), strict=True))
    assert cells["setting"] == "a"
    assert cells["success % [95%]"] == "50 [24, 76]"
    assert (cells["off target %"], cells["collapsed %"], cells["diverged %"]) == ("20", "20", "10")
    final = np.sort(np.nan_to_num(ds.w1.values[0, :, -1], nan=np.inf))
    assert cells["W1 [95%]"].startswith(f"{final[4]:.3g} [")
    ratio = np.sort(ds.generated_std.values[0, :9, -1]) / synthetic.STD  # the last run diverged
    assert cells["std ratio [quartiles]"] == f"{ratio[4]:.3g} [{ratio[2]:.3g}, {ratio[6]:.3g}]"
    assert "runs: 10." in legend and "Null floor" in legend


def test_table_columns_line_up():
    text = tables.table(tables.summary(synthetic.dataset(**synthetic.tricks_sweep(), seeds=5)))
    lines = text.partition("\n\n")[0].splitlines()
    bars = [[i for i, letter in enumerate(line) if letter == "|"][:-1] for line in lines]
    assert all(row == bars[0] for row in bars) and len(lines) == 14
    assert bars[0][-1] < 120


def test_table_tells_unfinished_from_failed():
    (_, _, row), legend = table_rows(synthetic.dataset(["a"], seeds=1, unfinished=1))
    assert [cell.strip() for cell in row] == ["-"] * 7 + ["a"]
    assert "(1 unfinished, not counted)" in legend


def test_table_of_a_single_run_claims_no_interval_of_w1():
    (_, _, row), _ = table_rows(synthetic.dataset(["a"], seeds=1, unfinished=0, outcome=0))
    assert row[0].strip() == "100 [21, 100]" and "[" not in row[5]


def test_table_of_diverged_runs():
    (_, _, row), _ = table_rows(synthetic.dataset(["a"], seeds=6, unfinished=0, outcome=3))
    assert row[4].strip() == "100" and row[5].strip() == "inf [inf, inf]"
    assert row[6].strip() == "-"


def test_rare_outcomes_are_not_rounded_away():
    (_, _, row), _ = table_rows(with_outcomes([999, 0, 0, 1]))
    assert row[0].strip().startswith(">99 [") and row[4].strip() == "<1"


def test_a_long_table_shows_the_best_and_says_so():
    frame = tables.summary(synthetic.dataset([f"s{i}" for i in range(60)], seeds=3, log_points=2))
    text = tables.table(frame)
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row.split("|")[-2].strip() for row in rows] == frame.setting[:40].tolist()
    assert "40 best of 60 settings" in text
    assert "runs: 180" in text


def test_a_comparison_counts_the_seeds_on_which_settings_differ():
    ds = synthetic.dataset(["a", "b"], seeds=10, unfinished=0, log_points=2)
    ds["outcome"][0] = [0, 0, 0, 0, 0, 1, 2, 3, 0, 1]
    ds["outcome"][1] = [0, 1, 2, 3, 1, 0, 1, 1, -1, 1]
    first = comparisons.compare(ds, "a", "b")
    # Of five differing seeds four favour a: 2 (C(5, 0) + C(5, 1)) / 2^5.
    assert first == (4, 1, pytest.approx(12 / 32), 9)
    assert comparisons.compare(ds, "b", "a") == (1, 4, pytest.approx(12 / 32), 9)
    assert comparisons.compare(ds, "a", "a") == (0, 0, 1.0, 10)
    with pytest.raises(KeyError):
        comparisons.compare(ds, "a", "c")


def test_the_mean_error_is_in_the_targets_stds_and_has_no_sign():
    ds = synthetic.dataset(["a"], seeds=9, outcome=outcomes.OFF_TARGET, unfinished=0)
    error = (ds.generated_mean.values[0, :, -1] - synthetic.MEAN) / synthetic.STD
    assert error.min() < 0 < error.max()  # else this test would be blind to signs
    row = tables.summary(ds).iloc[0]
    assert row.mean_error_median == pytest.approx(np.sort(np.abs(error))[4], rel=1e-5)


def test_rates_of_early_stopping_count_every_run_that_ever_met_the_criterion():
    ds = with_outcomes([2, 3, 0, 5])
    ds["first_met"] = ds.first_met.copy(data=[[0, 250, -1, -1, 500, -1, -1, -1, -1, -1]])
    row = tables.summary(ds).iloc[0]
    assert (row.success, row.ever, row.ever_rate) == (2, 3, 0.3)


def test_stopping_steps():
    w1 = np.array([[[3, 1, 2, 0.5, 4], [9, 8, 7, 6, 5], [2, 1, np.nan, np.nan, np.nan]]])
    std = np.array([[[1, 1, 1, 0.1, 1], [1] * 5, [1] * 5]])
    met = outcomes.meets_criterion(
        w1=w1, std=std, target_std=1.0, collapsed_std=0.25, success_w1=2.0
    )
    first, last, best = outcomes.stopping_steps(met, w1, np.array([0, 10, 20, 30, 40]))
    assert first.tolist() == [[10, -1, 0]]
    assert last.tolist() == [[20, -1, 10]]  # at 30 it has collapsed
    assert best.tolist() == [[30, 40, 10]]
    nothing = np.full((1, 1, 5), np.nan)
    never = outcomes.stopping_steps(np.zeros((1, 1, 5), bool), nothing, np.arange(5))
    assert [step.item() for step in never] == [-1, -1, -1]


def test_a_comparison_counts_both_directions():
    ds = synthetic.dataset(["a", "b"], seeds=4, outcome=outcomes.OFF_TARGET, unfinished=0)
    ds["outcome"] = ds.outcome.copy(data=[[0, 1, 1, 1], [1, 0, 0, 1]])
    text = comparisons.table(ds, "a")
    assert text.splitlines()[2].startswith("| 4 | 2 | 1 | 1 |")
    assert text.splitlines()[2].endswith("| b |")
