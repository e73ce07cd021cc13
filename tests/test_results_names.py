"""Names and attributes of what results hold: xarray, pandas and NetCDF's tools can use them."""

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gan1d import results
from gan1d.config import experiment, fields
from gan1d.gan import metrics
from gan1d.report import exports
from gan1d.report import runs as of_runs
from gan1d.sweep import collect
from gan1d.sweep.cohorts import Sweep

FIELDS = [results.coordinate(field) for field in fields.specs()]
SWEEPS = {
    "line": {
        "target.kind": "mixture",
        "sweep": ["generator.optimizer.rate=1e-3,1e-2", "tricks.minibatch=off,append"],
        "pretraining.steps": 10,
        "judging.features": True,
    },
    "trained latents": {"latent.kind": "stratified"},
    "game": {"generator.kind": "point", "discriminator.hidden": (), "discriminator.bias": False},
    "ring": {"target.kind": "ring", "latent.kind": "uniform", "sweep": ["latent.dim=1,2"]},
    "curve": {"target.kind": "spiral", "latent.kind": "uniform"},
}


def untrained(**given):
    """The results of a sweep of which no run has been trained."""
    sweep = Sweep(experiment.resolve({"seeds": "0:2", "steps": 10, **given}))
    targets = results.allocate(sweep.shape.variables.targets, sweep.shape.sizes)
    return collect.datasets(sweep.experiment, sweep.shape, targets, [])


def means_something_else(name):
    return any(hasattr(kind, name) for kind in (xr.Dataset, xr.DataTree, pd.DataFrame))


@pytest.mark.parametrize("given", SWEEPS.values(), ids=SWEEPS)
def test_every_name_can_be_used_and_says_what_it_is_of(given, tmp_path):
    """In a file, as xarray alone reads it, and in tables."""
    runs, snapshots = untrained(**given)
    results.write(tmp_path, runs, snapshots, {"config": {}, "complete": False}, {})
    with xr.open_datatree(tmp_path / "runs.nc", engine="h5netcdf") as tree:
        assert tree.attrs["Conventions"].startswith("CF-") and tree.attrs["title"]
        groups = [tree.to_dataset(), tree["snapshots"].to_dataset()]
    for data in groups:
        for name in {*data.variables, *data.sizes}:
            assert re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) and not means_something_else(name)
        for name, variable in data.variables.items():
            assert variable.attrs["units"] == "1" and variable.attrs["long_name"], name
    swept = {results.coordinate(field): field for field in of_runs.swept_fields(runs)}
    assert {name: runs[name].attrs["field"] for name in swept} == swept
    names = {name for data in groups for name in {*data.variables, *data.sizes}}
    assert not (names - swept.keys()) & set(FIELDS)
    for table in exports.TABLES.values():
        columns = table(runs).columns
        assert not [name for name in columns if "." in name or means_something_else(name)]


def test_no_two_fields_have_one_coordinate():
    assert len(set(FIELDS)) == len(FIELDS)


@pytest.mark.parametrize(("name", "whose"), [("median", "own"), ("loss_kind", "the field")])
def test_a_metric_whose_name_means_something_else_is_refused(name, whose, monkeypatch):
    measured = metrics.Metric(lambda judged: judged.samples.max(), "largest sample")
    monkeypatch.setitem(metrics.METRICS, name, measured)
    made = experiment.resolve({"sweep": ["loss.kind=hinge,non_saturating"]})
    with pytest.raises(experiment.ConfigError, match=f"metric '{name}'.*{whose}"):
        Sweep(made).shape  # noqa: B018


def test_what_is_missing_is_no_number():
    runs, _ = untrained()
    for name in ("diverged_at", "best_step", "sustained_at", "settled_w1", "w1"):
        assert np.isnan(runs[name]).all(), name
