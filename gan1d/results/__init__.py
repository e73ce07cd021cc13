"""The folder that keeps a sweep's results: what is in it, and how it is written and read.

A folder holds `config.json` (what was run, with what, when), `runs.nc` (NetCDF4, readable with
xarray alone), `summary.csv`, `summary.md`, `figures/` and `report.html`. Every variable of runs.nc
is checksummed (fletcher32), and `config.json` holds the SHA-256 of what is made before it, and its
own digest.

Names in runs.nc are words without dots that xarray and pandas have no attribute of; a swept field
`a.b` is the coordinate `a_b`, whose attribute `field` is its own name. Every variable and
coordinate has `long_name` and `units` by the CF conventions: "1", as all are pure numbers, and
where they count or measure something `unit_in_words` says what. What is missing is NaN, such as
`diverged_at` of a run that did not; only W1 is infinite where a run has diverged, so that no median
over runs skips it.

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
    GENERATORS,
    LOSS_VARIABLES,
    MOMENTS,
    NULL_REPLICATES,
    SCHEMA,
    SNAPSHOT_VARIABLES,
    SOURCES,
    Axes,
    Scalar,
    Sweep,
    Swept,
    Values,
    Variable,
    allocate,
    coordinate,
    dataset,
    hidden,
    nbytes,
    null_variable,
    run_variables,
    snapshot_dataset,
    target_variables,
)

__all__ = [
    "CURVE",
    "GENERATORS",
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
    "Swept",
    "Values",
    "Variable",
    "WriteError",
    "allocate",
    "coordinate",
    "damaged",
    "dataset",
    "hidden",
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
