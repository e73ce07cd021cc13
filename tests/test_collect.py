"""A sweep's results on the host: what a finished block leaves in them."""

import numpy as np

from gan1d.config import experiment
from gan1d.engines.programs import LogPoints, Start
from gan1d.gan.players import Players
from gan1d.sweep import collect
from gan1d.sweep.cohorts import Sweep

STEPS = 500


def looks(w1, losses=(0.0, 0.0)):
    """Two runs at some log points."""
    w1 = np.float32(w1)
    sums = (np.broadcast_to(np.float32(loss).reshape(-1, 1), w1.shape) for loss in losses[::-1])
    measured = dict.fromkeys(("w1", "ks", "generated_mean", "generated_std", "d_flatness"), w1)
    return LogPoints(measured, np.zeros((2, 101), np.float32), Players(*sums), {})


def entered(*seen, diverged_at=(-1, -1)):
    made = experiment.resolve({"steps": STEPS, "seeds": "0:2"})
    room = Sweep(made).tables.of_block(runs=2, pictured=0)
    nothing = Start(None, None, {})
    return collect.judged(made.log_steps(), room, nothing, np.int32(diverged_at), list(seen))


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
    assert runs["diverged_at"].tolist() == [-1, 251]
    assert np.isnan(runs["quantiles"][1]).all()
    assert not np.isnan(runs["quantiles"][0]).any()


def test_samples_that_overflow_are_a_divergence_even_before_the_weights_do():
    runs = entered(looks([[1, 1], [2, np.inf], [3, 3]]), diverged_at=(-1, 400))
    assert runs["diverged_at"].tolist() == [-1, 250]
    np.testing.assert_array_equal(runs["w1"][1], [1, np.nan, np.nan])


def kept(**fields):
    return Sweep(experiment.resolve(fields)).tables.kept


PLANE = {"latent.kind": "uniform", "latent.dim": 2}


def test_results_keep_what_makes_sense_for_their_settings():
    plain = kept()
    assert "ks" in plain.runs and "target_density" in plain.targets
    assert not plain.runs.keys() & {"energy", "residual", "pretraining_loss", "centroid_distance"}
    assert not plain.snapshots.keys() & {"d_initial", "d_pretrained", "features"}
    pretrained = kept(sweep=["pretraining.steps=0,10"])
    assert "pretraining_loss" in pretrained.runs and "d_initial" in pretrained.snapshots
    curve, modes = (kept(**PLANE, **{"target.kind": kind}).runs for kind in ("sine", "ring"))
    assert "residual" in curve and "modes" not in curve and "ks" not in curve
    assert "modes" in modes and "high_quality" in modes and "residual" not in modes


def test_features_are_kept_as_pictures_only_of_two_units():
    two = {"judging.features": True, "discriminator.hidden": (4, 2)}
    assert "features" in kept(**two).snapshots and "centroid_distance" in kept(**two).runs
    many = kept(**{"judging.features": True})
    assert "features" not in many.snapshots and "centroid_distance" in many.runs
    # Minibatch features are features too: 2 units and 5 sums.
    assert "features" not in kept(**two, **{"tricks.minibatch": "append"}).snapshots
