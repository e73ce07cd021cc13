"""Results may come from anywhere: what a file holds is checked before it is read, and then used.

HDF5 can point to other files, name code to be loaded as a filter, and declare arrays of any size in
a few bytes. Nothing of that is in results, so nothing of that is accepted.
"""

import json
import math
from collections.abc import Hashable, Mapping
from pathlib import Path

import h5py
import numpy as np
import xarray as xr
from absl import logging

from gan1d.results import schema, verdicts
from gan1d.results.files import ResultsError
from gan1d.system import hardware

FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}
INFLATION = 1100  # times that the filters can make data larger at most: deflate's limit is 1032
TEXT = "UOT"  # kinds of arrays of text in memory
Form = tuple[tuple[Hashable, ...], str]  # a variable's dimensions, and kinds of its values
LENGTH_ONLY = b"This is a netCDF dimension but not a netCDF variable"  # by the NetCDF4 convention

# What verdicts need, by the dimensions and the kinds of the values that it must have.
REQUIRED = {
    "w1": (schema.CURVE, "f"),
    "generated_std": (schema.CURVE, "f"),
    "target_std": (("setting",), "f"),
    "diverged_at": (schema.RUN, "f"),
    "finished": (schema.RUN, "iu"),
}
# Coordinates and the kinds of their values; each is there if its dimension is.
COORDINATES = {
    name: {"U": TEXT, "i": "iu", "f": "f"}[np.dtype(variable.dtype).kind]
    for name, variable in schema.COORDINATES.items()
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
    """Whether a Dataset of runs can be used.

    What verdicts need must be there. Whatever else there is must be numbers along known dimensions;
    of variables that this version knows, along the right ones.

    Raises:
      ResultsError: it can't.
    """
    swept = _check_attributes(runs.attrs)
    dim = runs.sizes.get("dim", 1)
    if dim > schema.MOST_DIMENSIONS:
        raise ResultsError(f"its data have {dim} dimensions")
    known = schema.run_variables(dim) | schema.target_variables(dim)
    known |= schema.LOSS_VARIABLES | schema.DERIVED
    forms = _forms(known) | REQUIRED
    swept = [schema.coordinate(field) for field in swept]
    forms |= {name: (("setting",), "biuf" + TEXT) for name in swept}
    missing = {"setting", "seed", "step", *REQUIRED, *swept} - runs.variables.keys()
    if missing:
        raise ResultsError(f"{min(missing)!r} is missing")
    _check_variables(runs, forms, schema.DIMENSIONS)
    if "generator_seed" in runs.variables and not runs.generator_seed.isin(runs.seed).all():
        raise ResultsError("'generator_seed' has seeds that 'seed' has not")
    settled = runs.attrs.get("settled_from", 0)
    if not isinstance(settled, int | np.integer) or settled > runs.step.values[-1]:
        raise ResultsError(f"the attribute 'settled_from' ({settled}) is no update of its runs")


def check_snapshots(snapshots: xr.Dataset) -> None:
    """The same for a Dataset of snapshots."""
    missing = {"setting", "snapshot_seed", "step"} - snapshots.variables.keys()
    if missing:
        raise ResultsError(f"{min(missing)!r} is missing in the snapshots")
    _check_variables(snapshots, _forms(schema.SNAPSHOT_VARIABLES), schema.SNAPSHOT_DIMENSIONS)


def check_schema(number: object) -> None:
    """Whether results of a schema may be read; of a newer one than this version's, with a warning.

    Raises:
      ResultsError: it is no number of a schema.
    """
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
        raise ResultsError(f"of schema {number!r}, which is none")
    if number > schema.SCHEMA:
        logging.log_first_n(
            logging.WARNING,
            "Results of schema %d, which is newer than this version's (%d): some may be ignored.",
            1,
            number,
            schema.SCHEMA,
        )


def _check_attributes(attributes: Mapping[str, object]) -> list[str]:
    """Check what is said of a whole sweep; returns the swept fields."""
    if not isinstance(attributes.get("title"), str):
        raise ResultsError("the attribute 'title' is no text")
    check_schema(attributes.get("schema"))
    config, swept = (_json(attributes, name) for name in ("config", "swept"))
    try:
        verdicts.thresholds(config if isinstance(config, dict) else {})
    except ValueError as problem:
        raise ResultsError(str(problem)) from None
    if (
        not isinstance(swept, list)
        or not all(isinstance(name, str) for name in swept)
        or len(set(swept)) < len(swept)
    ):
        raise ResultsError("the attribute 'swept' is no list of fields")
    return swept


def _json(attributes: Mapping[str, object], name: str) -> object:
    text = attributes.get(name)
    try:
        return json.loads(text if isinstance(text, str) else "")
    except (ValueError, RecursionError):
        raise ResultsError(f"the attribute {name!r} is no JSON") from None


def _forms(variables: Mapping[str, schema.Variable]) -> dict[str, Form]:
    return {name: (each.dims, np.dtype(each.dtype).kind) for name, each in variables.items()}


def _check_variables(data: xr.Dataset, forms: Mapping[str, Form], known: frozenset[str]) -> None:
    """Check the dimensions and kinds of all variables; coordinates name a dimension's places."""
    forms = {name: ((name,), kinds) for name, kinds in COORDINATES.items()} | {**forms}
    for name, variable in data.variables.items():
        dims, kinds = forms.get(str(name), (variable.dims, "biuf"))
        if variable.dims != dims or variable.dtype.kind not in kinds:
            form = f"{variable.dtype} over {variable.dims}"
            raise ResultsError(f"{name!r} is {form}, not {'/'.join(kinds)} over {dims}")
        unknown = set(variable.dims) - known
        if unknown:
            raise ResultsError(f"{name!r} has an unknown dimension ({min(map(str, unknown))!r})")
        if not variable.size:
            raise ResultsError(f"{name!r} is empty")
    for dim in COORDINATES.keys() & data.sizes.keys():
        if dim not in data.variables:
            raise ResultsError(f"{dim!r} is missing")
        values = data[dim].values
        if len(np.unique(values)) < len(values):
            raise ResultsError(f"{dim!r} names something twice")
        if dim in ("step", "quantile_level") and (np.diff(values) <= 0).any():
            raise ResultsError(f"{dim!r} does not ascend")
        options = {"moment": schema.MOMENTS, "source": schema.SOURCES}.get(dim)
        if options is not None and tuple(values) != options:
            raise ResultsError(f"{dim!r} is not {', '.join(options)}")


def check_values(runs: xr.Dataset) -> None:
    """Whether the values of a Dataset of runs can be true.

    Raises:
      ResultsError: they can't.
    """
    ranges: dict[str, tuple[int, int | None]]
    ranges = {"verdict": (verdicts.UNFINISHED, len(verdicts.VERDICTS) - 1)}
    ranges |= {"finished": (0, 1), "dead": (0, 1), "diverged_at": (0, None)}
    ranges |= {"best_step": (0, None)}
    for name, (low, high) in ranges.items():
        if name not in runs:
            continue
        values = runs[name].values
        if (values < low).any() or (high is not None and (values > high).any()):
            raise ResultsError(f"{name!r} has values out of its range")
    for name in schema.target_variables(1).keys() | schema.target_variables(2).keys():
        values = runs[name].values if name in runs else np.zeros(())
        if name.startswith("target_mode_"):
            continue  # settings have different numbers of modes, or none
        # Many a target reaches to infinity.
        valid = ~np.isnan(values) if name == "target_quantiles" else np.isfinite(values)
        if not valid.all():
            raise ResultsError(f"{name!r} has values that are not finite")
    if (runs.target_std.values <= 0).any():
        raise ResultsError("'target_std' has values that are not positive")
