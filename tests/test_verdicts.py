"""What becomes of runs: every rule, their order, and what verdicts rest on."""

import dataclasses
import itertools
import json
import warnings

import numpy as np
import pytest
import synthetic
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from gan1d.gan.judging import Judging
from gan1d.results import judge, verdicts
from gan1d.results.verdicts import VERDICTS, Scores, Thresholds

LIMITS = Thresholds(collapsed_std=0.25, success_w1=0.25)
# Of a run that is as good as can be.
PERFECT = {"w1": 0.0, "std": 1.0, "structure": 1.0, "at_modes": 1.0, "modes_are_lost": False}
PERFECT |= {"mode_std": np.nan}


def scores(**given):
    """Scores `[1, 1]` of one run, perfect but for those that are given."""
    return Scores(*(np.array([[(PERFECT | given)[name]]]) for name in Scores._fields))


def verdict(*, diverged=False, finished=True, limits=LIMITS, **given):
    """The name of one run's verdict."""
    flags = {"diverged": np.array([[diverged]]), "finished": np.array([[finished]])}
    code = verdicts.classify(scores(**given), limits, **flags)
    assert code.shape == (1, 1) and code.dtype == np.int8
    return (*VERDICTS, "unfinished")[code[0, 0]]  # UNFINISHED, -1, is the last


def by_the_rules(w1, std, structure, at_modes, modes_are_lost, mode_std, diverged, finished):
    """The definition, one run at a time."""
    if not finished:
        return "unfinished"
    if diverged:
        return "diverged"
    lost = at_modes >= 0.5 and modes_are_lost
    if std < 0.25 and not (lost and std >= 0.25 * mode_std):
        return "collapsed"
    if lost:
        return "modes lost"
    if w1 <= 0.25:
        return "blurred" if structure < 0.8 else "success"
    return "near" if w1 <= 1 else "far"


@given(
    w1=st.floats(0, 2) | st.sampled_from([0.25, 1.0, np.inf]),
    std=st.floats(0, 2) | st.just(0.25),
    structure=st.floats(0, 2) | st.sampled_from([0.8, np.nan]),
    at_modes=st.floats(0, 1) | st.sampled_from([0.5, np.nan]),
    modes_are_lost=st.booleans(),
    mode_std=st.floats(0, 1) | st.just(np.nan),
    diverged=st.booleans(),
    finished=st.booleans(),
)
def test_every_run_gets_the_one_verdict_of_the_rules(**run):
    assert verdict(**run) == by_the_rules(**run)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "success"),
        ({"w1": 0.25, "std": 0.25, "structure": 0.8}, "success"),  # thresholds belong to it
        ({"structure": 0.79}, "blurred"),
        ({"w1": 0.26}, "near"),
        ({"w1": 1.0, "structure": 0.1}, "near"),
        ({"w1": 1.01}, "far"),
        ({"modes_are_lost": True}, "modes lost"),
        ({"modes_are_lost": True, "w1": 5.0}, "modes lost"),
        ({"modes_are_lost": True, "at_modes": 0.49}, "success"),
        ({"modes_are_lost": True, "at_modes": np.nan}, "success"),  # a target without modes
        ({"std": 0.24}, "collapsed"),
        ({"std": 0.24, "modes_are_lost": True}, "collapsed"),
        ({"diverged": True}, "diverged"),
        ({"diverged": True, "std": 0.0}, "diverged"),
        ({"structure": np.nan}, "success"),  # was not judged
        ({"finished": False, "diverged": True}, "unfinished"),
    ],
)
def test_the_first_rule_that_holds_decides(given, expected):
    assert verdict(**given) == expected


@pytest.mark.parametrize("structure", [1.0, 0.5])
@pytest.mark.parametrize("std", [0.1, 1.0])
@pytest.mark.parametrize("w1", [0.1, 0.9, 2.0])
@pytest.mark.parametrize("lost", [False, True])
def test_what_meets_the_criterion_is_what_is_a_success(w1, std, structure, lost):
    given = {"w1": w1, "std": std, "structure": structure, "modes_are_lost": lost}
    assert verdicts.succeeded(scores(**given), LIMITS).item() == (verdict(**given) == "success")


def test_diverged_and_unfinished_runs_may_be_nan():
    nothing = dict.fromkeys(("w1", "std", "structure", "at_modes"), np.nan)
    assert verdict(**nothing, diverged=True) == "diverged"
    assert verdict(**nothing, finished=False) == "unfinished"
    assert not verdicts.succeeded(scores(**nothing), LIMITS).any()


@pytest.mark.parametrize("given", [{"w1": np.nan}, {"std": np.nan}])
def test_a_run_that_is_nan_without_having_diverged_raises(given):
    with pytest.raises(ValueError, match="1 runs finished without diverging"):
        verdict(**given)


# Thresholds.


def test_older_configs_have_the_thresholds_of_their_time_and_todays_others():
    found = verdicts.thresholds({"judging": {"success_w1": 0.5, "collapsed_std": 0.1}})
    assert found == Thresholds(collapsed_std=0.1, success_w1=0.5)
    named = found._asdict() | {"near_w1": 2.0, "hold": 7}
    assert verdicts.thresholds({"judging": named}) == found._replace(near_w1=2.0, hold=7.0)


def test_thresholds_are_fields_with_the_same_defaults():
    fields = dataclasses.asdict(Judging())
    assert {name: fields[name] for name in Thresholds._field_defaults} == (
        Thresholds._field_defaults
    )
    assert verdicts.thresholds({"judging": fields})._asdict().items() <= fields.items()


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"success_w1": None}, "success_w1"),
        ({"collapsed_std": "0.25"}, "collapsed_std"),
        ({"structure": True}, "structure"),
        ({"hold": -1}, "hold"),
        ({"near_w1": np.nan}, "near_w1"),
    ],
)
def test_a_threshold_that_is_none_is_refused_by_name(changed, name):
    with pytest.raises(ValueError, match=f"judging.{name}"):
        verdicts.thresholds({"judging": synthetic.JUDGING | changed})


@pytest.mark.parametrize("config", [{}, {"judging": {}}, {"judging": 5}])
def test_a_config_without_thresholds_is_refused(config):
    with pytest.raises(ValueError, match="judging"):
        verdicts.thresholds(config)


# Modes.


def lost(mass, share, rows=2500, part=0.25):
    return bool(verdicts.modes_are_lost(np.array(mass), np.array(share), np.array(rows), part))


@pytest.mark.parametrize(
    ("mass", "expected"),
    [([0.5, 0.5], False), ([0.85, 0.13], False), ([0.88, 0.12], True), ([0.97, 0.0], True)],
)
def test_a_mode_with_less_than_its_part_is_lost(mass, expected):
    assert lost(mass, [0.5, 0.5]) is expected


def test_each_mode_is_held_to_its_own_share():
    share = [0.9, 0.1]
    assert not lost([0.95, 0.05], share) and lost([0.95, 0.02], share)
    assert not lost([0.5, 0.05], share)
    assert not lost([0.9, 0.1, np.nan], [*share, np.nan])  # beside a target of three modes


def test_what_chance_explains_is_no_lost_mode():
    """Of 100 samples 2 are expected at a mode: none is no wonder, of 10,000 it is one."""
    assert not lost([0.98, 0.0], [0.98, 0.02], rows=100)
    assert lost([0.98, 0.0], [0.98, 0.02], rows=10_000)


@pytest.mark.parametrize(("modes", "rows"), [(2, 101), (8, 501), (25, 501), (64, 2500)])
def test_a_perfect_sampler_loses_no_mode(modes, rows):
    rng = np.random.default_rng(0)
    share = np.full(modes, 1 / modes)
    mass = rng.multinomial(rows, share, size=2000) / rows
    found = verdicts.modes_are_lost(mass, share, np.array(rows), 0.25)
    assert found.shape == (2000,) and found.mean() < 1e-3


def test_fewer_modes_than_perfect_samplers_hit_are_too_few():
    perfect = np.array([[64, 63, 62, 64], [8, 8, 8, 8]])
    modes = np.array([[[64, 62, 56, 50]], [[8, 7, 4, np.nan]]])
    found = verdicts.too_few_modes(modes, perfect)
    assert found.tolist() == [[[False, False, True, True]], [[False, True, True, False]]]
    # With a spread that is larger than a tenth, what four deviations explain is chance.
    wide = verdicts.too_few_modes(np.array([[[40, 20]]]), np.array([[70, 50, 60, 60]]))
    assert wide.tolist() == [[[False, True]]]


def test_targets_without_modes_lose_none():
    nothing = np.full((1, 4), np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not verdicts.too_few_modes(np.full((1, 1, 3), np.nan), nothing).any()
        found = verdicts.modes_are_lost(nothing, nothing, np.array([np.nan]), 0.25)
    assert not found.any()


# Sustained success.


def sustained(met, apart=100, hold=500):
    """When a success had held for long, of looks that are so far apart."""
    met = np.array(met, bool)
    step = apart * np.arange(met.shape[-1])
    return verdicts.sustained_at(met, step, hold).tolist()


def test_success_is_sustained_at_the_end_of_its_first_window():
    assert sustained([1] * 8) == 500  # a window may begin with training
    assert sustained([0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1]) == 600
    assert sustained([0] * 7 + [1] * 6) == 1200


def test_a_window_with_one_failure_is_none():
    assert np.isnan(sustained([1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0]))
    assert sustained([1, 1, 1, 0, 1, 1, 1, 1, 1, 1]) == 900


def test_a_training_shorter_than_the_window_sustains_nothing():
    assert np.isnan(sustained([1] * 5)) and np.isnan(sustained([1] * 50, apart=10))
    assert sustained([1] * 51, apart=10) == 500


@pytest.mark.parametrize("hold", [0, 500, 1000])
def test_five_looks_are_needed_however_far_apart(hold):
    assert verdicts.LOOKS == 5
    assert sustained([1] * 6, apart=1000, hold=hold) == 4000
    assert np.isnan(sustained([1] * 4, apart=1000, hold=hold))
    assert np.isnan(sustained([1, 1, 1, 1, 0, 1, 1, 1, 1], apart=1000, hold=hold))


def test_looks_need_not_be_evenly_spread():
    """As in the last tenth of training, where there are more."""
    step = np.array([0, 250, 500, 750, 800, 850, 900, 950, 1000, 1050, 1100])
    met = np.array([step >= 750, step >= 500, step >= 250, (step >= 250) & (step != 800)])
    assert verdicts.sustained_at(met, step, 300.0).tolist()[:3] == [1050, 900, 850]
    assert np.isnan(verdicts.sustained_at(met, step, 300.0)[3])


def naive(met, step, hold):
    for end in range(len(step)):
        starts = [i for i in range(end + 1) if step[end] - step[i] >= hold and end - i >= 4]
        if starts and all(met[max(starts) : end + 1]):
            return float(step[end])
    return np.nan


@given(st.data())
def test_sustained_success_is_that_of_its_definition(data):
    gaps = data.draw(st.lists(st.integers(1, 300), min_size=1, max_size=30))
    step = np.array([0, *itertools.accumulate(gaps)])
    met = data.draw(st.lists(st.integers(0, 5), min_size=len(step), max_size=len(step)))
    hold = data.draw(st.sampled_from([0, 100, 500]))
    met = np.array(met) > 0  # few failures
    np.testing.assert_array_equal(
        verdicts.sustained_at(met, step, hold), naive(met, step.tolist(), hold)
    )


# Frozen losses.


def test_losses_that_move_by_rounding_alone_are_frozen():
    moving = np.array([[0.5, 0.5 + 1e-7, 0.5], [0.5, 0.5001, 0.5], [-9, -9, -9], [0, 0, 0]])
    assert verdicts.is_frozen(moving).tolist() == [True, False, True, True]
    assert not verdicts.is_frozen(np.array([1.0, np.nan, 1.0]))


def with_losses(loss_d, loss_g, looks=5):
    """One run whose losses `[look]` end like this; they rest at 2 log 2 and log 2."""
    ds = synthetic.dataset(["a"], seeds=1, verdict=verdicts.FAR, unfinished=0)
    ds = ds.assign_attrs(settled_from=int(ds.step[-looks]))
    for name, end in (("loss_d", loss_d), ("loss_g", loss_g)):
        values = ds[name].values.copy()
        values[0, 0, -len(end) :] = end
        ds[name] = ds[name].copy(data=values)
    return judge.judged(ds)


STILL, MOVING = [0.01] * 5, [0.01, 0.02, 0.01, 0.02, 0.01]
REST = [2 * np.log(2)] * 5


def test_a_run_is_dead_if_neither_loss_moves_any_more():
    assert with_losses(STILL, STILL).dead.values.tolist() == [[1]]
    assert with_losses(MOVING, STILL).dead.values.tolist() == [[0]]
    assert with_losses(STILL, MOVING).dead.values.tolist() == [[0]]
    assert with_losses([0.3, *STILL[1:]], STILL).dead.values.tolist() == [[0]]


def test_where_d_cannot_tell_nothing_is_dead():
    assert with_losses(REST, STILL).dead.values.tolist() == [[0]]


def test_few_looks_do_not_tell_whether_a_run_is_dead():
    assert "dead" not in with_losses(STILL, STILL, looks=4)
    ds = synthetic.dataset(["a"], seeds=2).drop_vars("loss_g")
    assert "dead" not in judge.judged(ds)


# Runs as they are kept.


@pytest.fixture(scope="module")
def one_of_each():
    """A run of each verdict in order, and an unfinished one; on the line and in the plane."""
    return {
        target: synthetic.dataset(["a"], seeds=8, verdict=[*range(7), 0], target=target)
        for target in ("normal", "ring", "curve")
    }


@pytest.mark.parametrize("target", ["normal", "ring"])
def test_runs_that_are_kept_can_have_every_verdict(one_of_each, target):
    assert one_of_each[target].verdict.values.tolist() == [[*range(7), verdicts.UNFINISHED]]


def test_a_curve_is_judged_by_precision_and_coverage(one_of_each):
    ds = one_of_each["curve"]
    blurred = judge.judged(ds.assign(coverage=0.5 * ds.coverage))
    assert blurred.verdict.values[0, 0] == verdicts.BLURRED
    expected = np.median(blurred.coverage.values[0, :6, -5:], axis=-1)
    expected = np.minimum(expected, np.median(ds.precision.values[0, :6, -5:], axis=-1) * 2)
    perfect = np.median(ds.coverage_null.values[0])
    np.testing.assert_allclose(blurred.settled_structure[0, 0], expected[0] / perfect, rtol=1e-6)


def test_verdicts_say_what_their_numbers_mean(one_of_each):
    attributes = one_of_each["normal"].verdict.attrs
    words = dict(zip(attributes["flag_values"], attributes["flag_meanings"].split(), strict=True))
    assert words[-1] == "unfinished" and words[4] == "modes_lost" and len(words) == 8


@pytest.mark.parametrize("lacking", ["mode_rows", "target_mode_share", "high_quality_null"])
def test_what_is_missing_is_not_judged(one_of_each, lacking):
    """As in results of another version."""
    found = judge.judged(one_of_each["normal"].drop_vars(lacking)).verdict.values[0]
    blurred = verdicts.SUCCESS if lacking == "high_quality_null" else verdicts.BLURRED
    modes = verdicts.MODES_LOST if lacking == "high_quality_null" else verdicts.NEAR
    assert found[[0, 1, 4]].tolist() == [verdicts.SUCCESS, blurred, modes]


def test_a_perfect_sampler_without_a_score_judges_nobody(one_of_each):
    ds = one_of_each["curve"]
    judged = judge.judged(ds.assign(coverage_null=0 * ds.coverage_null))
    np.testing.assert_array_equal(judged.verdict, ds.verdict)


def test_many_modes_are_counted(one_of_each):
    """Where each mode's share is too small to be missed."""
    ds = one_of_each["ring"]
    ds = ds.assign(mode_rows=0 * ds.mode_rows + 5)  # of 5 samples no mode can be missed
    assert judge.judged(ds).verdict.values[0, verdicts.MODES_LOST] == verdicts.MODES_LOST
    uncounted = judge.judged(ds.drop_vars("modes"))
    assert uncounted.verdict.values[0, verdicts.MODES_LOST] == verdicts.NEAR


def test_the_settled_generator_is_judged_and_not_the_last(one_of_each):
    ds = one_of_each["normal"]
    w1 = ds.w1.values.copy()
    w1[0, 0, -2:] = 9 * synthetic.STD  # two of five looks
    w1[0, 1, :-5] = 9 * synthetic.STD  # what was before
    judged = judge.judged(ds.assign(w1=ds.w1.copy(data=w1)))
    np.testing.assert_array_equal(judged.verdict, ds.verdict)
    np.testing.assert_allclose(judged.settled_w1[0, 0], np.median(w1[0, 0, -5:]), rtol=1e-6)
    assert judge.settled_looks(ds).sum() == 5
    w1[0, 0, -3:] = 9 * synthetic.STD
    judged = judge.judged(ds.assign(w1=ds.w1.copy(data=w1)))
    assert judged.verdict.values[0, 0] == verdicts.FAR


def test_scores_are_in_units_of_each_settings_own_target():
    ds = synthetic.dataset(["narrow", "wide"], seeds=3, verdict=0, unfinished=0)
    ones = np.array([[[1.0]], [[10.0]]])
    ds = ds.assign(
        w1=ds.w1 * ones, generated_std=ds.generated_std * ones, target_std=ds.target_std * [1, 10]
    )
    assert (judge.judged(ds).verdict == verdicts.SUCCESS).all()
    wide = judge.judged(ds.assign(target_std=ds.target_std * [10, 1]))
    assert wide.verdict.values.tolist() == [[verdicts.COLLAPSED] * 3, [verdicts.SUCCESS] * 3]


def test_the_criterion_is_met_where_a_generator_would_be_a_success(one_of_each):
    ds = one_of_each["normal"]
    met = judge.meets_criterion(ds)[0]
    assert met.shape == (8, 21)
    assert met[:, -1].tolist() == (ds.verdict.values[0] == verdicts.SUCCESS).tolist()
    close = ds.w1.values[0] <= 0.25 * synthetic.STD
    np.testing.assert_array_equal(met[0], close[0])
    assert not met[verdicts.BLURRED].any() and close[verdicts.BLURRED].any()


def test_the_best_log_point_is_that_of_the_lowest_w1(one_of_each):
    ds = one_of_each["normal"]
    for run in range(7):
        known = ds.w1[0, run].dropna("step")
        assert ds.best_step[0, run] == known.step[known.argmin("step")]
    assert np.isnan(ds.best_step[0, 7])


def test_sustained_success_is_that_of_the_curves(one_of_each):
    ds = one_of_each["normal"]
    w1 = np.full(ds.w1.shape, 9.0)
    w1[0, 0, 7:14] = 0  # seven looks, from update 1750 on
    judged = judge.judged(ds.assign(w1=ds.w1.copy(data=w1)))
    assert judged.sustained_at[0, 0] == 2750 and np.isnan(judged.sustained_at[0, 1:]).all()


# Other thresholds.


def test_runs_are_judged_anew_by_other_thresholds(one_of_each):
    ds = one_of_each["normal"]
    lax = judge.rejudged(ds, success_w1=0.7, structure=0.2)
    assert lax.verdict.values[0, :4].tolist() == [0, 0, 0, verdicts.FAR]
    assert json.loads(lax.attrs["config"])["judging"]["success_w1"] == 0.7
    assert judge.thresholds(lax) == judge.thresholds(ds)._replace(success_w1=0.7, structure=0.2)
    everything = judge.rejudged(ds, collapsed_std=5.0)
    assert set(everything.verdict.values[0, :6]) == {verdicts.COLLAPSED}
    assert judge.rejudged(ds, near_w1=9.0).verdict.values[0, 3] == verdicts.NEAR
    assert judge.rejudged(ds, mode_share=0.0).verdict.values[0, 4] == verdicts.NEAR
    assert np.isfinite(ds.sustained_at[0, 0])
    assert np.isnan(judge.rejudged(ds, hold=5000).sustained_at).all()


def test_nothing_but_what_is_derived_changes(one_of_each):
    ds = one_of_each["normal"]
    back = judge.rejudged(judge.rejudged(ds, success_w1=0.7), success_w1=0.25)
    xr.testing.assert_equal(back, ds)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"succes_w1": 1.0}, "succes_w1: no such threshold; there are collapsed_std, success_w1"),
        ({"success_w1": -1.0}, "judging.success_w1"),
        ({"hold": np.nan}, "judging.hold"),
    ],
)
def test_a_threshold_that_there_is_not_is_refused(one_of_each, changed, words):
    with pytest.raises(ValueError, match=words):
        judge.rejudged(one_of_each["normal"], **changed)
