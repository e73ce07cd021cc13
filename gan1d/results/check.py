"""Results may come from anywhere: what a file holds is checked before it is read, and then used.

HDF5 can point to other files, name code to be loaded as a filter, and declare arrays of any size in
a few bytes. Nothing of that is in results, so nothing of that is accepted.
"""

import json
import math
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from gan1d.results import outcomes, schema
from gan1d.results.files import ResultsError
from gan1d.system import hardware

FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
INFLATION = 1100  # times that the filters can make data larger at most: deflate's limit is 1032
TEXT = "UOT"  # kinds of arrays of text in memory
LENGTH_ONLY = b"This is a netCDF dimension but not a netCDF variable"  # by the NetCDF4 convention

# What is used of the config besides the swept fields, and its type.
CONFIG = {
    ("judging", "collapsed_std"): float,
    ("judging", "success_w1"): float,
    ("loss", "kind"): str,
    ("loss", "label_smoothing"): float,
    ("tricks", "feature_matching"): str,
}


def check_file(path: Path) -> None:
    """Whether a file may be read: plain arrays in the file itself, of sizes that can be true.

    Raises:
      ResultsError: it holds something else.
    """
    with h5py.File(path, "r") as file:
        total = _check_group(file, path.stat().st_size)
    if total > hardware.memory():
        gibibytes = total / 2**30
        raise ResultsError(f"it holds {gibibytes:.3g} GiB, more than this machine's memory")


def _check_group(group: h5py.Group, file_size: int) -> int:
    """Check what is in a group; returns how many bytes its arrays take in memory."""
    total = 0
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ResultsError(f"{name!r} is a link to something else")
        item = group[name]
        if isinstance(item, h5py.Group):
            if item.name != "/snapshots":
                raise ResultsError(f"{item.name!r} is an unknown group")
            total += _check_group(item, file_size)
        elif not isinstance(item, h5py.Dataset):
            raise ResultsError(f"{item.name!r} is no array")
        elif not bytes(item.attrs.get("NAME", b"")).startswith(LENGTH_ONLY):
            total += _check_array(item, file_size)
    return total


def _check_array(item: h5py.Dataset, file_size: int) -> int:
    """Check how an array is stored; returns how many bytes it takes in memory."""
    if item.dtype.kind not in "iufS" or item.shape is None:
        raise ResultsError(f"{item.name!r} holds neither numbers nor text ({item.dtype})")
    if item.external or item.is_virtual:
        raise ResultsError(f"{item.name!r} has its values in other files")
    stored = item.id.get_create_plist()
    filters = {stored.get_filter(i)[0] for i in range(stored.get_nfilters())}
    if filters - FILTERS:
        raise ResultsError(f"{item.name!r} is stored with an unknown filter ({filters - FILTERS})")
    nbytes = math.prod(item.shape) * item.dtype.itemsize
    claimed = min(item.id.get_storage_size(), file_size)
    if nbytes > INFLATION * claimed or any(
        chunk > max(size, 1) for chunk, size in zip(item.chunks or (), item.shape, strict=False)
    ):
        raise ResultsError(f"{item.name!r} claims {nbytes} bytes, but has {claimed} in the file")
    return nbytes


def check_runs(runs: xr.Dataset) -> None:
    """Whether a Dataset of runs has the form that `schema` says.

    Raises:
      ResultsError: it has not.
    """
    swept = _check_attributes(runs.attrs)
    if "x" not in runs.variables:
        raise ResultsError("'x' is missing")
    dim = 2 if "dim" in runs.x.dims else 1
    known = schema.run_variables(dim) | schema.target_variables(dim) | schema.DERIVED
    coordinates = {"seed": "iu", "step": "iu", "level": "f", "setting": TEXT}
    if "centroid_distance" in runs:
        coordinates["moment"] = TEXT
    _check_variables(runs, known, coordinates, schema.OPTIONAL, swept)


def check_snapshots(snapshots: xr.Dataset) -> None:
    """The same for a Dataset of snapshots."""
    coordinates = {"snapshot_seed": "iu", "step": "iu", "setting": TEXT}
    if "features" in snapshots:
        coordinates |= {"moment": TEXT, "source": TEXT}
    _check_variables(snapshots, schema.SNAPSHOT_VARIABLES, coordinates, schema.OPTIONAL, [])


def _check_attributes(attributes: dict[str, Any]) -> list[str]:
    """Check what is said of a whole sweep; returns the swept fields."""
    if not isinstance(attributes.get("title"), str):
        raise ResultsError("the attribute 'title' is no text")
    if attributes.get("schema") != schema.SCHEMA:
        raise ResultsError(f"of schema {attributes.get('schema')}, not {schema.SCHEMA}")
    config, swept = (_json(attributes, name) for name in ("config", "swept"))
    for (section, field), kind in CONFIG.items():
        value = config.get(section) if isinstance(config, dict) else None
        value = value.get(field) if isinstance(value, dict) else None
        if not isinstance(value, kind) or value != value:
            raise ResultsError(f"its config has no valid {section}.{field} ({value!r})")
    if not isinstance(swept, list) or not all(isinstance(name, str) for name in swept):
        raise ResultsError("the attribute 'swept' is no list of fields")
    return swept


def _json(attributes: dict[str, Any], name: str) -> Any:
    try:
        return json.loads(attributes.get(name))
    except (TypeError, ValueError, RecursionError):
        raise ResultsError(f"the attribute {name!r} is no JSON") from None


def _check_variables(
    data: xr.Dataset,
    known: dict[str, schema.Variable],
    coordinates: dict[str, str],
    optional: frozenset[str],
    swept: list[str],
) -> None:
    """Check names, dimensions and kinds of all variables; coordinates are one a dimension."""
    expected = {
        name: (variable.dims, np.dtype(variable.dtype).kind) for name, variable in known.items()
    }
    expected |= {name: ((name,), kinds) for name, kinds in coordinates.items()}
    expected |= {name: (("setting",), "biuf" + TEXT) for name in swept}
    missing = expected.keys() - data.variables.keys() - optional
    if missing:
        raise ResultsError(f"{min(missing)!r} is missing")
    for name, variable in data.variables.items():
        if name not in expected:
            raise ResultsError(f"{name!r} is an unknown variable")
        dims, kinds = expected[name]
        if variable.dims != dims or variable.dtype.kind not in kinds:
            found = f"{variable.dtype} over {variable.dims}"
            raise ResultsError(f"{name!r} is {found}, not {'/'.join(kinds)} over {dims}")
        if not variable.size:
            raise ResultsError(f"{name!r} is empty")
    for name in coordinates:
        values = data[name].values
        if len(np.unique(values)) < len(values):
            raise ResultsError(f"{name!r} names something twice")
        if name in ("step", "level") and (np.diff(values) <= 0).any():
            raise ResultsError(f"{name!r} does not ascend")
    for name, options in (("moment", schema.MOMENTS), ("source", schema.SOURCES)):
        if name in coordinates and tuple(data[name].values) != options:
            raise ResultsError(f"{name!r} is not {', '.join(options)}")


def check_values(runs: xr.Dataset) -> None:
    """Whether the values of a Dataset of runs can be true.

    Raises:
      ResultsError: they can't.
    """
    ranges = {"outcome": (outcomes.UNFINISHED, len(outcomes.OUTCOMES) - 1), "finished": (0, 1)}
    ranges |= dict.fromkeys(("diverged_at", "first_met", "last_met", "best_step"), (-1, None))
    for name, (low, high) in ranges.items():
        values = runs[name].values
        if values.min() < low or (high is not None and values.max() > high):
            raise ResultsError(f"{name!r} has values out of its range")
    for name in schema.target_variables(1).keys() | schema.target_variables(2).keys():
        values = runs[name].values if name in runs else 0.0
        # Many a target reaches to infinity.
        valid = ~np.isnan(values) if name == "target_quantiles" else np.isfinite(values)
        if not valid.all():
            raise ResultsError(f"{name!r} has values that are not finite")
    if (runs.target_std.values <= 0).any():
        raise ResultsError("'target_std' has values that are not positive")
