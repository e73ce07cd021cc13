"""What earlier versions wrote otherwise, or left out, as this one has it."""

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from gan1d.results import judge, schema

# xarray and pandas have attributes of these names, so that `runs.std` was never the variable.
RENAMED = {"mean": "generated_mean", "std": "generated_std"}
# `latent_dim` is the coordinate of a swept field.
DIMENSIONS = {"level": "quantile_level", "mode": "target_mode", "latent_dim": "latent_axis"}
# Before results said so themselves (schema 3): D's and G's loss at D(x) = 1/2, where generator and
# target agree (Goodfellow et al. 2014).
LOG2 = np.log(2)
NEVER = -1  # of updates, before schema 6
REST = {"non_saturating": (2 * LOG2, LOG2), "saturating": (2 * LOG2, -LOG2)}


def renamed(data: xr.Dataset) -> xr.Dataset:
    """Runs, or snapshots, with the names, units and missing values that variables have today."""
    fields = [str(name) for name in data.variables if "." in str(name)]
    names = RENAMED | {field: schema.coordinate(field) for field in fields}
    names = {
        old: new
        for old, new in names.items()
        if old in data.variables and new not in data.variables
    }
    names |= {old: new for old, new in DIMENSIONS.items() if old in data.sizes}
    data = data.rename(names)
    for field in fields:
        data[names.get(field, field)].attrs |= {"field": field}
    for variable in data.variables.values():
        unit = variable.attrs.get("units", "1")
        if unit != "1":
            variable.attrs |= {"units": "1", schema.UNIT: unit}
    known = {name: data[name] for name in ("diverged_at", "best_step") if name in data}
    return data.assign({name: each.where(each != NEVER) for name, each in known.items()})


def completed(runs: xr.Dataset) -> xr.Dataset:
    """Runs with what follows from what there is; they have been checked."""
    config, swept = json.loads(runs.attrs["config"]), json.loads(runs.attrs["swept"])
    last = int(runs.step[-1])
    # Before schema 5 generators were judged at the last step alone, and looked at less often.
    runs = runs.assign_attrs({"settled_from": last - last // 10} | runs.attrs)
    return judge.judged(_with_rest(runs, config, swept))


def _with_rest(runs: xr.Dataset, config: Mapping[str, object], swept: list[str]) -> xr.Dataset:
    """Runs with what is known of their losses."""
    if "loss_d_rest" in runs:
        return runs
    matches = _column(runs, config, swept, "tricks", "feature_matching") != "off"
    kinds = _column(runs, config, swept, "loss", "kind")
    smoothed = _column(runs, config, swept, "loss", "label_smoothing") != 0
    rest = np.array([REST.get(str(kind), (np.nan, np.nan)) for kind in kinds], np.float32)
    rest[smoothed] = np.nan
    arrays = {"loss_d_rest": rest[:, 0], "loss_g_rest": np.where(matches, np.nan, rest[:, 1])}
    arrays["g_matches_features"] = matches.astype(np.int8)
    return runs.assign(schema.Values(schema.LOSS_VARIABLES, arrays).described())


def _column(
    runs: xr.Dataset, config: Mapping[str, object], swept: list[str], section: str, field: str
) -> np.ndarray:
    """A field's value in each setting; of a field that there is not, its value without effect."""
    if f"{section}.{field}" in swept:
        return runs[schema.coordinate(f"{section}.{field}")].values
    fields = config.get(section)
    value = fields.get(field) if isinstance(fields, Mapping) else None
    without_effect = {"feature_matching": "off", "kind": "", "label_smoothing": 0.0}
    if not isinstance(value, str | float):
        value = without_effect[field]
    return np.full(runs.sizes["setting"], value)
