"""A sweep's results on the host: what a finished block leaves in them."""

import numpy as np
import pytest
from helpers import TINY

import gan1d
from gan1d import results
from gan1d.config import experiment
from gan1d.engines.programs import LogPoints, Start
from gan1d.gan import metrics
from gan1d.gan.players import Players
from gan1d.report import exports, figures, tables
from gan1d.sweep import collect
from gan1d.sweep.cohorts import Sweep

LOG_STEPS = [0, 250, 500]


def looks(w1, losses=(0.0, 0.0), finite=True):
    """Two runs at some log points."""
    w1 = np.float32(w1)
    sums = (np.broadcast_to(np.float32(loss).reshape(-1, 1), w1.shape) for loss in losses[::-1])
    measured = dict.fromkeys(("w1", "ks", "generated_mean", "generated_std", "d_flatness"), w1)
    finite = np.broadcast_to(finite, w1.shape)
    return LogPoints(measured, np.zeros((2, 101), np.float32), Players(*sums), {}, finite)


def entered(*seen, diverged_at=(-1, -1)):
    made = experiment.resolve({"steps": 2, "seeds": "0:2"})  # that has as many log points
    assert len(made.log_steps()) == len(LOG_STEPS)
    room = Sweep(made).shape.of_block(runs=2, pictured=0, kept=0)
    nothing = Start(None, None, {})
    return collect.judged(LOG_STEPS, room, nothing, np.int32(diverged_at), list(seen), None)


def test_losses_are_means_over_the_span_before_a_log_point():
    """In however many calls the log points were reached."""
    runs = entered(
        looks([[1, 1]]), looks([[1, 1], [1, 1]], losses=([250.0, 750.0], [500.0, 1000.0]))
    )
    np.testing.assert_array_equal(runs["loss_d"][0], [np.nan, 1, 3])
    np.testing.assert_array_equal(runs["loss_g"][1], [np.nan, 2, 4])


def test_values_end_where_a_run_diverges():
    runs = entered(looks([[1, 1], [2, 2], [3, 3]]), diverged_at=(-1, 251))
    np.testing.assert_array_equal(runs["w1"], [[1, 2, 3], [1, 2, np.nan]])
    np.testing.assert_array_equal(runs["diverged_at"], [np.nan, 251])
    assert np.isnan(runs["quantiles"][1]).all()
    assert not np.isnan(runs["quantiles"][0]).any()


def test_samples_that_overflow_are_a_divergence_even_before_the_weights_do():
    finite = [[True, True], [True, False], [True, True]]
    runs = entered(looks([[1, 1], [2, 2], [3, 3]], finite=finite), diverged_at=(-1, 400))
    np.testing.assert_array_equal(runs["diverged_at"], [np.nan, 250])
    np.testing.assert_array_equal(runs["w1"][1], [1, np.nan, np.nan])


def test_samples_that_are_large_and_finite_are_no_divergence():
    runs = entered(looks([[1, 1], [2, 3e38], [3, 3]]))
    assert np.isnan(runs["diverged_at"]).all()
    np.testing.assert_array_equal(runs["w1"][1], np.float32([1, 3e38, 3]))


def kept(**fields):
    return Sweep(experiment.resolve(fields)).shape.variables


PLANE = {"latent.kind": "uniform", "latent.dim": 2}


def test_results_keep_what_makes_sense_for_their_settings():
    plain = kept()
    assert "ks" in plain.runs and "target_density" in plain.targets
    assert not plain.runs.keys() & {"energy", "residual", "pretraining_loss", "centroid_distance"}
    assert "high_quality" in plain.runs and not plain.runs.keys() & {"precision", "js"}
    assert "w1_trained" in plain.runs and "w1_trained_null" not in plain.targets
    assert {"w1_null", "w1_random", "modes_null", "mode_rows"} <= plain.targets.keys()
    assert not plain.targets.keys() & {"mode_mass_null", "generated_std_null", "energy_null"}
    laplace = kept(**{"target.kind": "laplace", "latent.kind": "normal"})
    assert {"precision", "coverage"} <= laplace.runs.keys()
    assert not laplace.runs.keys() & {"recall", "modes", "w1_trained"}
    assert not laplace.targets.keys() & {"mode_rows", "target_mode_share"}
    assert not plain.snapshots.keys() & {"d_initial", "d_pretrained", "features"}
    pretrained = kept(sweep=["pretraining.steps=0,10"])
    assert "pretraining_loss" in pretrained.runs and "d_initial" in pretrained.snapshots
    curve, modes = (kept(**PLANE, **{"target.kind": kind}).runs for kind in ("sine", "ring"))
    assert "residual" in curve and "modes" not in curve and "ks" not in curve
    assert "modes" in modes and "high_quality" in modes and "residual" not in modes
    assert "recall" in curve and "density" in curve and "recall" not in modes
    assert "mode_mass" in modes and modes["mode_mass"].dims[-1] == "target_mode"


def test_modes_are_kept_for_settings_with_different_numbers_of_them():
    made = experiment.resolve(
        {
            "steps": 1,
            "seeds": "0:2",
            **PLANE,
            "target.kind": "grid",
            "sweep": ["target.modes=3,8,11"],
        }
    )
    shape = Sweep(made).shape
    assert shape.sizes["target_mode"] == 64  # of 121 each one's mass is not kept
    w1 = np.ones((2, 2), np.float32)
    seen = looks(w1)
    masses = np.broadcast_to(np.float32(1 / 9), (2, 2, 9))
    seen = seen._replace(
        metrics=seen.metrics | {"mode_mass": masses}, quantiles=np.zeros((2, 101, 2))
    )
    room = shape.of_block(runs=2, pictured=0, kept=0)
    runs = collect.judged([0, 1], room, Start(None, None, {}), np.int32([-1, -1]), [seen], None)
    assert (runs["mode_mass"][..., :9] == np.float32(1 / 9)).all()
    assert np.isnan(runs["mode_mass"][..., 9:]).all()
    described = collect.describe_targets(made, made.settings, on_lanes=True)
    assert np.isfinite(described["target_mode_share"]).sum(1).tolist() == [9, 64, 0]
    assert described["mode_rows"].tolist() == [2500] * 3
    assert described["modes_null"].shape == (3, 128) and described["modes_null"][2].max() <= 121


def test_features_are_kept_as_pictures_only_of_two_units():
    two = {"judging.features": True, "discriminator.hidden": (4, 2)}
    assert "features" in kept(**two).snapshots and "centroid_distance" in kept(**two).runs
    many = kept(**{"judging.features": True})
    assert "features" not in many.snapshots and "centroid_distance" in many.runs
    # Minibatch features are features too: 2 units and 5 sums.
    assert "features" not in kept(**two, **{"tricks.minibatch": "append"}).snapshots


def at_rest(*losses, **fields):
    made = experiment.resolve({"sweep": [f"loss.kind={','.join(losses)}"], **fields})
    return collect.rest(made.settings)


def test_results_know_the_losses_where_d_cannot_tell():
    kinds = ("non_saturating", "saturating", "least_squares", "hinge", "wasserstein")
    rest = at_rest(*kinds)
    log2 = np.log(2)
    np.testing.assert_allclose(
        rest["loss_d_rest"], [2 * log2, 2 * log2, 0.25, 2, np.nan], rtol=1e-6
    )
    np.testing.assert_allclose(rest["loss_g_rest"], [log2, -log2, 0.125, 0, np.nan], rtol=1e-6)
    assert rest["d_is_probability"].tolist() == [1, 1, 1, 0, 0]
    assert not rest["g_matches_features"].any()


@pytest.mark.parametrize("output", ["logit", "sigmoid"])
def test_label_smoothing_moves_the_losses_at_rest(output):
    """To p = (1 - s) / 2, where -(1 - s) log p - s log(1 - p) - log(1 - p) is lowest."""
    rest = at_rest("non_saturating", **{"loss.label_smoothing": 0.2, "loss.output": output})
    p = 0.4
    d = -0.8 * np.log(p) - 1.2 * np.log(1 - p)
    np.testing.assert_allclose(rest["loss_d_rest"], d, rtol=1e-6)
    np.testing.assert_allclose(rest["loss_g_rest"], -np.log(p), rtol=1e-6)


def test_a_loss_of_features_says_nothing_at_rest():
    made = experiment.resolve({"sweep": ["tricks.feature_matching=off,mean"]})
    rest = collect.rest(made.settings)
    assert rest["g_matches_features"].tolist() == [0, 1]
    assert np.isnan(rest["loss_g_rest"]).tolist() == [False, True]
    assert np.isfinite(rest["loss_d_rest"]).all()


def test_a_metric_that_does_not_apply_is_not_kept():
    assert "d_flatness" in kept(sweep=["loss.kind=hinge,non_saturating"]).runs
    assert "d_flatness" not in kept(**{"loss.kind": "hinge"}).runs


SPREAD = metrics.Metric(
    lambda judged: judged.samples.max() - judged.samples.min(),
    "distance of the farthest samples",
    unit="data units",
    better="higher",
    applies=lambda setting: setting.tricks.minibatch == "off",
)


def test_a_metric_of_ones_own_is_in_results_tables_and_figures(monkeypatch, tmp_path):
    """By one entry, before its sweep starts."""
    monkeypatch.setitem(metrics.METRICS, "spread", SPREAD)
    fields = {**TINY, "sweep": ["tricks.minibatch=off,append"], "judging.points": 253}
    gan1d.run(fields, workdir=tmp_path)
    runs = results.load(tmp_path)
    assert runs.spread.attrs == {
        "long_name": "distance of the farthest samples",
        "units": "1",
        "unit_in_words": "data units",
        "better": "higher",
    }
    assert (runs.spread[0] > 0).all() and np.isnan(runs.spread[1]).all()
    quantiles = runs.quantiles[0]
    np.testing.assert_allclose(runs.spread[0, :, -1], quantiles[:, -1] - quantiles[:, 0], rtol=1e-5)
    summary = tables.summary(runs)
    assert summary.set_index("setting").spread_median["plain"] > 0
    assert "spread_median" in (tmp_path / "summary.csv").read_text()
    assert "final_spread" in exports.runs_table(runs) and "spread" in exports.curves_table(runs)
    figure = figures.KINDS["measures"](figures.Selection(runs, summary, None, None))
    drawn = {ax.get_title().replace("\n", " "): ax.get_ylabel() for ax in figure.axes}
    assert drawn["distance of the farthest samples (higher is better)"] == "data units"


def test_work_that_metrics_share_is_done_once():
    calls = []

    @metrics.shared
    def costly(judged):
        calls.append(judged)
        return judged

    one, other = (metrics.Judged(None, None, None, None) for _ in range(2))
    assert costly(one) is costly(one) is one and costly(other) is other
    assert calls == [one, other]
