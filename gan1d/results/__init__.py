"""The folder that keeps a sweep's results: what is in it, and how it is written and read.

A folder holds `config.json` (what was run, with what, when), `runs.nc` (NetCDF4, readable with
xarray alone), `summary.csv`, `summary.md`, `figures/` and `report.html`. Every variable of runs.nc
is checksummed (fletcher32), and `config.json` holds the SHA-256 of what is made before it, and its
own digest.

`python -m gan1d results` verifies, describes and exports such a folder. None of it needs JAX.
"""

from gan1d.results.files import Record, ResultsError, WriteError, replace
from gan1d.results.judge import judged, rejudged
from gan1d.results.netcdf import (
    damaged,
    load,
    load_record,
    load_snapshots,
    parts,
    read,
    tree,
    write,
)
from gan1d.results.schema import (
    CURVE,
    LOSS_VARIABLES,
    MOMENTS,
    NULL_REPLICATES,
    SCHEMA,
    SNAPSHOT_VARIABLES,
    SOURCES,
    Axes,
    Scalar,
    Sweep,
    Values,
    Variable,
    allocate,
    dataset,
    nbytes,
    null_variable,
    run_variables,
    snapshot_dataset,
    target_variables,
)

__all__ = [
    "CURVE",
    "LOSS_VARIABLES",
    "MOMENTS",
    "NULL_REPLICATES",
    "SCHEMA",
    "SNAPSHOT_VARIABLES",
    "SOURCES",
    "Axes",
    "Record",
    "ResultsError",
    "Scalar",
    "Sweep",
    "Values",
    "Variable",
    "WriteError",
    "allocate",
    "damaged",
    "dataset",
    "judged",
    "load",
    "load_record",
    "load_snapshots",
    "nbytes",
    "null_variable",
    "parts",
    "read",
    "rejudged",
    "replace",
    "run_variables",
    "snapshot_dataset",
    "target_variables",
    "tree",
    "write",
]
