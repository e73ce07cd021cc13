"""Tables of a sweep: one row a setting, settings compared, effects of what was swept."""

import json
import math
import re

import numpy as np
import pytest
import synthetic
import xarray as xr

from gan1d.report import comparisons, effects, exports, runs, statistics, tables
from gan1d.results import coordinate, judge, verdicts
from gan1d.results.verdicts import BLURRED, DIVERGED, FAR, NEAR, SUCCESS


def with_verdicts(counts):
    """One setting with so many runs of each verdict."""
    each = np.repeat(range(len(counts)), counts)
    return synthetic.dataset(["a"], seeds=sum(counts), verdict=each, unfinished=0)


def by_hand(rows, **fields):
    """Settings a, b, ... whose runs `[seed]` have these verdicts."""
    rows = np.array(rows)
    labels = list("abcdefgh"[: len(rows)])
    ds = synthetic.dataset(labels, seeds=rows.shape[1], unfinished=0, log_points=2, **fields)
    w1 = synthetic.STD * np.array([0.1, 0.1, 0.6, 1.6, 0.6, 0.6, np.inf, np.nan])[rows]
    ds["verdict"] = ds.verdict.copy(data=rows)
    ds["settled_w1"] = ds.settled_w1.copy(data=w1)
    return ds


@pytest.fixture(scope="module")
def tricks():
    return synthetic.dataset(**synthetic.tricks_sweep(), seeds=16, unfinished=20)


# The summary.


def test_medians_of_other_tools_are_those_of_the_summary():
    """They skip what is NaN, and a run that diverged must not be skipped."""
    ds = synthetic.dataset(["a"], seeds=6, verdict=[0, 0, DIVERGED, 0, DIVERGED, 0], unfinished=1)
    median = tables.summary(ds).w1_median[0] * synthetic.STD
    assert np.isfinite(median)
    np.testing.assert_allclose(ds.settled_w1.median("seed"), median, rtol=1e-6)
    frame = exports.runs_table(ds)
    np.testing.assert_allclose(frame.settled_w1.median(), median, rtol=1e-6)
    lost = frame.verdict == "diverged"
    assert lost.sum() == 2 and np.isposinf(frame.final_w1[lost]).all()
    assert frame.diverged_at.notna().tolist() == lost.tolist()


def test_one_seed_has_a_median_and_no_other_quantile():
    ds = synthetic.dataset(["a"], seeds=1, verdict=0, unfinished=0)
    frame = tables.summary(ds)
    (row,) = tables.rows(frame, ds)
    assert row["W1 at (10, 50, 90)%"] == tables.number(frame.w1_median[0])
    assert frame[["w1_q10", "w1_q25", "w1_q75", "w1_q90"]].isna().all(axis=None)


def test_null_floor_is_per_setting():
    ds = synthetic.dataset(["a", "b"])
    ds["w1_null"] = ds.w1_null * np.array([[1], [2]])
    median, high = runs.null_floor(ds)
    assert median[1] == 2 * median[0]
    assert (ds.w1_null[0].values < high[0]).mean() == pytest.approx(0.95, abs=0.01)
    frame = tables.summary(ds).set_index("setting")
    assert frame.w1_null_median["b"] == pytest.approx(median[1] / synthetic.STD)
    nothing = runs.null_floor(ds.drop_vars("w1_null"))
    assert np.isnan(nothing).all()


def test_w1_is_infinite_from_divergence_on_and_nan_where_unfinished():
    ds = synthetic.dataset(["a"], seeds=3, verdict=DIVERGED, unfinished=1)
    w1 = ds.w1.values[0]
    after = ds.step.values >= ds.diverged_at.values[0, :2, None]
    assert np.isposinf(w1[:2][after]).all() and np.isfinite(w1[:2][~after]).all()
    assert np.isnan(w1[2]).all()
    settled = runs.settled_w1(ds)[0]
    assert np.isposinf(settled[:2]).all() and np.isnan(settled[2])


def test_settled_measures_are_medians_over_the_settled_looks(tricks):
    looks = tricks.step.values >= tricks.attrs["settled_from"]
    assert looks.sum() == 5
    expected = np.sort(tricks.ks.values[0, 0, looks])[2]
    assert runs.settled(tricks, "ks")[0, 0] == expected
    w1 = np.sort(tricks.w1.values[0, 0, looks])[2] / synthetic.STD
    assert runs.settled_w1(tricks)[0, 0] == pytest.approx(w1)


def test_diverged_runs_are_never_dropped():
    row = tables.summary(with_verdicts([4, 0, 0, 0, 0, 0, 6])).iloc[0]
    assert (row.finished, row.success, row.diverged, row.success_rate) == (10, 4, 6, 0.4)
    assert math.isinf(row.w1_median) and math.isfinite(row.w1_q25) and math.isinf(row.w1_high)
    assert (row.beyond_one, row.within_half) == (6, 4)
    assert row.std_ratio_n == 4 and 0.8 < row.std_ratio_median < 1.2


def test_counts_add_up_and_unfinished_runs_do_not_count(tricks):
    frame = tables.summary(tricks)
    counts = frame[[verdicts.word(name) for name in verdicts.VERDICTS]].sum(axis=1)
    assert (counts == frame.finished).all() and frame.finished.sum() == 12 * 16 - 20
    assert list(frame.columns[:2]) == ["setting", "number"]
    swept = [coordinate(field) for field in synthetic.tricks_sweep()["swept"]]
    assert list(frame.columns[2:6]) == swept
    labels = tricks.setting.values.tolist()
    assert [labels[number - 1] for number in frame.number] == frame.setting.tolist()
    last = frame.iloc[-1]  # nothing finished there: after all others
    assert last.finished == 0 and np.isnan(last.success_rate)
    assert (last.success_low, last.success_high) == (0, 1)


def test_rates_have_wilsons_intervals():
    row = tables.summary(with_verdicts([5, 3, 2])).iloc[0]
    for name, count in (("success", 5), ("blurred", 3), ("within_half", 8), ("sustained", 5)):
        found = [row[f"{name}{part}"] for part in ("", "_rate", "_low", "_high")]
        low, high = statistics.wilson_interval(np.array(count), np.array(10))
        np.testing.assert_allclose(found, [count, count / 10, low, high])


def test_best_setting_first_and_ties_by_w1():
    ds = synthetic.dataset(["worse", "better", "none"], verdict=SUCCESS, unfinished=0)
    settled = np.broadcast_to([[0.3], [0.2], [0.1]], ds.settled_w1.shape)
    ds["settled_w1"] = ds.settled_w1.copy(data=settled)
    ds["verdict"][2, 0] = NEAR
    assert list(tables.summary(ds).setting) == ["better", "worse", "none"]


def test_equal_settings_keep_the_sweeps_order():
    labels = [str(i) for i in range(40)]
    ds = synthetic.dataset(labels, seeds=2, verdict=DIVERGED, unfinished=0, log_points=2)
    assert list(tables.summary(ds).setting) == labels


def test_ranks_are_of_success_over_the_seeds_that_all_finished():
    good, bad = [SUCCESS] * 15 + [FAR], [FAR] * 15 + [SUCCESS]
    ds = by_hand([bad, good, good])
    frame = tables.summary(ds).set_index("setting")
    assert (frame.rank_low["a"], frame.rank_high["a"]) == (3, 3)
    assert (frame.rank_low["b"], frame.rank_high["c"]) == (1, 2)
    ds["verdict"][0, 1:] = verdicts.UNFINISHED
    assert tables.summary(ds).rank_low.isna().all()
    assert tables.summary(by_hand([good])).rank_low.isna().all()


def test_the_mean_error_is_in_the_targets_stds_and_has_no_sign():
    ds = synthetic.dataset(["a"], seeds=9, verdict=FAR, unfinished=0)
    error = (runs.settled(ds, "generated_mean")[0] - synthetic.MEAN) / synthetic.STD
    assert error.min() < 0 < error.max()  # else this test would be blind to signs
    row = tables.summary(ds).iloc[0]
    assert row.mean_error_median == pytest.approx(np.sort(np.abs(error))[4], rel=1e-5)


def test_a_sustained_success_counts_whatever_became_of_the_run():
    ds = with_verdicts([2, 0, 0, 3, 0, 0, 5])
    steps = np.full((1, 10), np.nan)
    steps[0, [0, 1, 4]] = 1000, 750, 5000
    ds["sustained_at"] = ds.sustained_at.copy(data=steps)
    row = tables.summary(ds).iloc[0]
    assert (row.success, row.sustained, row.sustained_rate) == (2, 3, 0.3)


def test_structure_is_a_part_of_a_perfect_samplers():
    row = tables.summary(with_verdicts([3])).iloc[0]
    assert row.structure_median == pytest.approx(0.97 / 0.99, abs=0.005)
    row = tables.summary(with_verdicts([0, 3])).iloc[0]
    assert row.structure_median == pytest.approx(0.3 / 0.99, abs=0.005)


def test_dead_runs_are_counted_where_that_is_known():
    ds = with_verdicts([2, 0, 0, 0, 0, 3, 1])
    row = tables.summary(ds).iloc[0]
    assert (row.collapsed, row.dead, row.dead_rate) == (3, 3, 0.5)
    assert "dead" not in tables.summary(ds.drop_vars("dead"))


# The table.


def table_rows(ds):
    """A table's rows as cells by their column, and what is written below."""
    text = tables.table(tables.summary(ds), ds)
    table, _, legend = text.partition("\n\n")
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()
    )
    return [dict(zip(header, row, strict=True)) for row in rows], legend


SUCCESSES = "success (W1<=0.25) % [95%]"
FAILURES = "lost/blurred/collapsed/diverged %"
QUANTILES = "W1 at (10, 50, 90)%"


def test_table_shows_rates_intervals_and_quantiles():
    ds = with_verdicts([5, 1, 0, 1, 0, 2, 1])
    (cells,), legend = table_rows(ds)
    assert (cells["#"], cells["n"], cells["setting"]) == ("1", "10", "a")
    assert cells[SUCCESSES] == "50 [24, 76]" and cells[FAILURES] == "0/10/20/10"
    assert (cells["W1<=.5 %"], cells["W1>1 %"], cells["sustained %"]) == ("60", "20", "50")
    w1 = np.sort(runs.settled_w1(ds)[0])
    assert cells[QUANTILES] == f"({w1[0]:.3g}, {np.median(w1):.3g}, {w1[8]:.3g})"
    structure = np.median(ds.settled_structure.values[0, :9])
    assert cells["structure"] == f"{structure:.3g}"
    assert "runs: 10;" in legend and "A perfect sampler's W1: median" in legend


def test_below_the_table_stands_what_it_rests_on():
    ds = with_verdicts([5, 0, 0, 0, 0, 2])
    _, legend = table_rows(ds)
    for words in (
        "dead, their losses frozen: 2",
        "target gaussian, target loc 4",
        "5000 updates",
        "seeds: 7",
        "W1 <= 0.25 target stds and structure >= 0.8 of a perfect sampler's",
        "medians of 5 looks from update 4000 on",
    ):
        assert words in legend
    judged = judge.rejudged(ds, success_w1=0.5, structure=0.7)
    assert "W1 <= 0.5 target stds and structure >= 0.7 of" in table_rows(judged)[1]
    unknown = judge.judged(ds.drop_vars("high_quality_null"))
    assert "W1 <= 0.25 target stds (structure was not judged)" in table_rows(unknown)[1]


def test_the_threshold_is_part_of_the_columns_name():
    ds = judge.rejudged(with_verdicts([1, 0, 1]), success_w1=0.5)
    (cells,), _ = table_rows(ds)
    assert cells["success (W1<=0.5) % [95%]"].startswith("50 [")


def test_table_columns_line_up(tricks):
    lines = tables.table(tables.summary(tricks), tricks).partition("\n\n")[0].splitlines()
    bars = [[i for i, letter in enumerate(line) if letter == "|"][:-1] for line in lines]
    assert all(row == bars[0] for row in bars) and len(lines) == 14
    assert bars[0][-1] < 170


@pytest.mark.parametrize("seeds", [2, 12])
def test_the_line_below_the_header_is_markdowns(seeds):
    """One dash at least, or no table is shown."""
    ds = synthetic.dataset(["a"], seeds=seeds, log_points=2)
    rule = tables.table(tables.summary(ds), ds).splitlines()[1]
    assert all(re.fullmatch(":?-+:?", cell) for cell in rule.strip("| ").split(" | "))


def test_table_tells_unfinished_from_failed():
    (cells,), legend = table_rows(synthetic.dataset(["a"], seeds=1, unfinished=1))
    assert (cells.pop("#"), cells.pop("n"), cells.pop("setting")) == ("1", "0", "a")
    assert cells.pop(FAILURES) == "-/-/-/-"
    assert set(cells.values()) == {"-"}
    assert "(1 unfinished, not counted)" in legend


def test_a_single_run_has_no_interval_of_its_median():
    row = tables.summary(synthetic.dataset(["a"], seeds=1, unfinished=0, verdict=0)).iloc[0]
    assert np.isnan([row.w1_low, row.w1_high]).all() and row.w1_median > 0


def test_table_of_diverged_runs():
    ds = synthetic.dataset(["a"], seeds=4, unfinished=0, verdict=DIVERGED)
    (cells,), legend = table_rows(ds)
    assert cells[FAILURES] == "0/0/0/100" and cells[QUANTILES] == "(inf, inf, inf)"
    assert cells["structure"] == "-" and "structure >= 0.8" in legend


def test_rare_verdicts_are_not_rounded_away():
    (cells,), _ = table_rows(by_hand([[SUCCESS] * 999 + [DIVERGED]]))
    assert cells[SUCCESSES].startswith(">99 [") and cells[FAILURES] == "0/0/0/<1"


def test_a_long_table_shows_the_best_and_says_so():
    ds = synthetic.dataset([f"s{i}" for i in range(60)], seeds=3, log_points=2)
    frame = tables.summary(ds)
    text = tables.table(frame, ds)
    rows = [line for line in text.splitlines() if line.startswith("| ")][2:]
    assert [row.split("|")[-2].strip() for row in rows] == frame.setting[:40].tolist()
    assert "40 best of 60 settings" in text and "runs: 180" in text


# Which setting is meant.

LABELS = ["rate 1", "rate 2", "rate 2 + noise", "3"]


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("rate 2", "rate 2"),  # the whole of a label, though another one holds it
        ("3", "3"),  # a label before a number
        ("1", "rate 1"),
        ("4", "3"),
        ("noise", "rate 2 + noise"),
        ("ate 1", "rate 1"),
    ],
)
def test_a_setting_is_meant_by_its_label_its_number_or_a_part(name, label):
    ds = synthetic.dataset(LABELS, seeds=1, log_points=2)
    assert runs.find_setting(ds, name) == label


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rate", "setting=rate: several are meant: 1 'rate 1', 2 'rate 2', 3 'rate 2 + noise'"),
        ("5", "setting=5: there are: 1 'rate 1', 2 'rate 2', 3 'rate 2 + noise', 4 '3'"),
        ("0", "setting=0: there are: 1 'rate 1'"),
        ("loss", "setting=loss: there are: 1 'rate 1'"),
    ],
)
def test_of_no_or_several_settings_those_that_there_are_are_listed(name, words):
    ds = synthetic.dataset(LABELS, seeds=1, log_points=2)
    with pytest.raises(runs.SelectionError) as problem:
        runs.find_setting(ds, name)
    assert str(problem.value).startswith(words)
    with pytest.raises(runs.SelectionError, match=r"^against="):
        runs.find_setting(ds, name, "against")


# Settings compared.


@pytest.fixture
def pair():
    a = [SUCCESS] * 5 + [BLURRED, NEAR, DIVERGED, SUCCESS, FAR]
    b = [SUCCESS, BLURRED, NEAR, FAR, NEAR, SUCCESS, FAR, DIVERGED, verdicts.UNFINISHED, FAR]
    return by_hand([a, b])


def test_a_comparison_counts_the_seeds_on_which_settings_differ(pair):
    found = comparisons.compare(pair, "a", "b")
    assert list(found.differences) == ["success (<=0.25)", "W1<=0.5", "W1<=1"]
    success, half, one = found.differences.values()
    # Of five differing seeds four favour a: 2 (C(5, 0) + C(5, 1)) / 2^5.
    assert (success.pairs, success.only_first, success.only_second) == (9, 4, 1)
    assert success.p_exact == pytest.approx(12 / 32) and success.difference == 3 / 9
    assert (half.only_first, half.only_second) == (3, 0)
    assert (one.only_first, one.only_second) == (2, 0)
    backwards = comparisons.compare(pair, "b", "a").differences["success (<=0.25)"]
    assert (backwards.only_first, backwards.only_second) == (1, 4)
    itself = comparisons.compare(pair, "a", "a")
    assert {(each.only_first, each.p_exact) for each in itself.differences.values()} == {(0, 1.0)}
    with pytest.raises(KeyError):
        comparisons.compare(pair, "a", "c")


def test_a_comparison_of_w1_is_of_the_same_seeds_in_target_stds(pair):
    w1 = runs.settled_w1(pair)[:, [*range(8), 9]]
    assert comparisons.compare(pair, "a", "b").w1 == statistics.compare_w1(*w1)


def test_settings_without_a_common_seed_have_no_comparison():
    ds = by_hand([[SUCCESS, verdicts.UNFINISHED], [verdicts.UNFINISHED, SUCCESS]])
    with pytest.raises(ValueError, match="no seed that both 'a' and 'b' have finished"):
        comparisons.compare(ds, "a", "b")


def test_a_setting_without_a_common_seed_is_left_out_and_counted():
    """As in what there is so far of a sweep under way."""
    ds = by_hand([[SUCCESS] * 8, [FAR] * 8, [verdicts.UNFINISHED] * 8])
    text = comparisons.table(ds, "a")
    assert {row["setting"] for row in comparison_rows(text)} == {"b"}
    assert "Left out, as no seed has finished in both: 1." in text
    assert "Left out" not in comparisons.table(ds.isel(setting=[0, 1]), "a")
    with pytest.raises(ValueError, match="no seed that 'c' and another setting have finished"):
        comparisons.table(ds, "c")


def comparison_rows(text):
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in text.partition("\n\n")[0].splitlines()
    )
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_a_table_of_comparisons_counts_both_directions(pair):
    text = comparisons.table(pair, "a")
    success, half, one = comparison_rows(text)
    assert success["only it:only other"] == "1:4" and half["only it:only other"] == "0:3"
    assert {row["setting"] for row in (success, half, one)} == {"b"}
    low, high = statistics.tango_interval(1, 4, 9)
    assert success["difference [95%]"] == f"-33.3 [{100 * low:+.1f}, {100 * high:+.1f}]"
    assert success["equivalent within"] == f"{100 * statistics.equivalent_within(1, 4, 9):.1f}"
    assert success["seeds needed"] == f"{statistics.seeds_needed(1, 4, 9):.0f}"
    assert "W1 <= 0.25 target stds" in text and "Every setting against 'a'" in text


def test_p_values_are_corrected_for_all_that_are_printed():
    good, bad = [SUCCESS] * 20, [FAR] * 20
    ds = by_hand([bad, good, [SUCCESS] * 6 + [FAR] * 14, bad])
    rows = comparison_rows(comparisons.table(ds, "a"))
    p_values = [
        each.p_exact
        for setting in "bcd"
        for each in comparisons.compare(ds, setting, "a").differences.values()
    ]
    corrected = statistics.holm(np.array(p_values))
    assert [row["p"] for row in rows] == [f"{p:.2g}" for p in corrected]
    assert rows[3]["p"] == f"{6 * 2 / 2**6:.2g}"  # of nine the three smallest are b's


def test_profiles_that_cross_are_said_to():
    ds = by_hand([[FAR] * 40, [SUCCESS] * 40])
    sharp, reliable = np.repeat([0.05, 1.8], 20), np.full(40, 0.4)
    ds["settled_w1"] = ds.settled_w1.copy(data=synthetic.STD * np.stack([reliable, sharp]))
    text = comparisons.table(ds, "a")
    (line,) = [line for line in text.splitlines() if "crosses" in line]
    assert line.startswith("b: its profile crosses between W1 of 0.4 and 0.41 target stds")
    ds["settled_w1"] = ds.settled_w1.copy(data=synthetic.STD * np.stack([reliable, reliable / 2]))
    assert "crosses" not in comparisons.table(ds, "a")


# Effects of what was swept.


def product_sweep(fields, **more):
    """A sweep of the product of fields' values, by the verdicts of its settings `[seed]`."""
    names, values = list(fields), list(fields.values())
    grid = np.stack(np.meshgrid(*map(np.arange, map(len, values)), indexing="ij"), axis=-1)
    rows = grid.reshape(-1, len(names))
    swept = {name: [values[i][row[i]] for row in rows.tolist()] for i, name in enumerate(names)}
    return swept | more


def swept_by_hand(rows, swept):
    return by_hand(rows, swept=swept)


LONE = [SUCCESS] * 2 + [FAR] * 6  # of eight seeds two succeed
MOST = [SUCCESS] * 6 + [FAR] * 2
TWO_BY_TWO = {"tricks.minibatch": ["off", "replace"], "tricks.input_noise": [0.0, 0.1]}


def test_effects_are_those_of_the_statistics_on_each_criterion():
    ds = swept_by_hand([LONE, LONE, LONE, MOST], product_sweep(TWO_BY_TWO))
    found = effects.find(ds)
    assert [each.criterion for each in found] == ["success (<=0.25)", "W1<=0.5", "W1<=1"]
    assert {each.seeds for each in found} == {8}
    assert [(name, e.estimate) for name, e in found[0].effects] == [
        ("minibatch=replace", 0.25),
        ("input noise=0.1", 0.25),
        ("minibatch=replace x input noise=0.1", 0.5),
    ]
    levels = {"minibatch": np.array([0, 0, 1, 1]), "input noise": np.array([0, 1, 0, 1])}
    expected = statistics.effects(runs.succeeded(ds).astype(float), levels)
    assert [e for _, e in found[0].effects] == expected


def test_effects_are_of_the_seeds_that_all_settings_finished():
    ds = swept_by_hand([LONE, LONE, LONE, MOST], product_sweep(TWO_BY_TWO))
    ds["verdict"][3, 0] = verdicts.UNFINISHED
    found = effects.find(ds)[0]
    assert found.seeds == 7
    assert dict(found.effects)["minibatch=replace x input noise=0.1"].estimate == pytest.approx(
        4 / 7
    )
    ds["verdict"][0, 1:] = verdicts.UNFINISHED
    with pytest.raises(ValueError, match="no seed that all settings have finished"):
        effects.find(ds)


def test_fields_that_vary_in_step_are_one_factor(tricks):
    """As the noises of one axis: input, or instance, or none."""
    known = effects.factors(tricks)
    assert [factor.name for factor in known] == [
        "minibatch",
        "input noise and instance noise",
        "feature matching",
    ]
    assert known[1].levels == (
        "input noise=0 instance noise=0",
        "input noise=0.001",
        "instance noise=0.1",
    )
    assert known[1].of_setting.tolist() == [0, 0, 1, 1, 2, 2] * 2
    whole = synthetic.dataset(**synthetic.tricks_sweep(), seeds=4, unfinished=0, log_points=2)
    names = [name for name, _ in effects.find(whole)[0].effects]
    assert len(names) == 4 + 2 + 1 + 2 and len(set(names)) == 9
    assert "input noise=0.001 x feature matching=paired" in names
    assert not any("input noise=0.001 x instance" in name for name in names)


def test_levels_of_all_that_is_swept_are_called_as_settings_are():
    steps = {"training.d_steps": [1, 5], "training.g_steps": [1, 2]}
    ds = swept_by_hand([LONE, MOST], steps).assign_coords(setting=["one", "many"])
    assert [name for name, _ in effects.find(ds)[0].effects] == ["many"]


def test_factors_of_one_name_are_told_apart():
    fields = {"generator.optimizer.rate": [0.1, 0.2], "discriminator.optimizer.rate": [0.1, 0.2]}
    ds = swept_by_hand([LONE, MOST, LONE, LONE], product_sweep(fields))
    assert [name for name, _ in effects.find(ds)[0].effects] == [
        "G rate=0.2",
        "D rate=0.2",
        "G rate=0.2 x D rate=0.2",
    ]


@pytest.mark.parametrize(
    "swept",
    [
        {},
        {"a.x": [1.0, 1.0, 1.0]},
        {"a.x": [1.0, 1.0, 2.0]},  # what tells the first two apart is no field
    ],
)
def test_settings_that_are_no_product_have_no_effects(swept):
    with pytest.raises(ValueError, match="no product of swept fields"):
        effects.factors(by_hand([LONE, MOST, LONE], swept=swept))


def test_a_corner_that_is_missing_makes_one_factor_of_two():
    swept = {"a.x": [1.0, 1.0, 2.0], "a.y": [1.0, 2.0, 1.0]}
    (factor,) = effects.factors(by_hand([LONE, MOST, LONE], swept=swept))
    assert factor.levels == ("a", "b", "c")


def test_a_sweep_of_one_setting_has_no_effects():
    with pytest.raises(ValueError, match="no product"):
        effects.table(by_hand([LONE], swept={"a.x": [1.0]}))


def test_a_table_of_effects_says_what_it_rests_on():
    ds = swept_by_hand([LONE, LONE, LONE, MOST], product_sweep(TWO_BY_TWO))
    text = effects.table(ds)
    rows = comparison_rows(text)
    assert len(rows) == 3 * 3
    found = [effect for each in effects.find(ds) for _, effect in each.effects]
    points = [f"{100 * e.estimate:+.1f} [{100 * e.low:+.1f}, {100 * e.high:+.1f}]" for e in found]
    assert [row["effect, points [95%]"] for row in rows] == points
    corrected = statistics.holm(np.array([effect.p for effect in found]))
    assert [row["p"] for row in rows] == [f"{p:.2g}" for p in corrected]
    for words in (
        "minibatch: minibatch=off; input noise: input noise=0.",
        "Of 8 seeds",
        "W1 <= 0.25 target stds",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("field", "others", "name"),
    [
        ("training.d_steps", ["loss.kind"], "d steps"),
        ("discriminator.optimizer.rate", ["generator.optimizer.rate"], "D rate"),
        ("generator.hidden", ["discriminator.hidden", "loss.kind"], "G hidden"),
        ("penalty.weight", ["diversity.weight"], "penalty.weight"),
        ("loss.kind", ["penalty.kind"], "loss"),
        ("generator.kind", [], "generator"),
        ("discriminator.optimizer.kind", ["generator.optimizer.kind"], "D optimizer"),
    ],
)
def test_swept_fields_are_named_as_shortly_as_tells_them_apart(field, others, name):
    ds = xr.Dataset(attrs={"swept": json.dumps([*others, field])})
    assert runs.short_name(ds, field) == name
