"""Results as plain tables, for those who'd rather not have arrays."""

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import xarray as xr

from gan1d.report import runs as of_runs
from gan1d.report import tables
from gan1d.results import files, schema, verdicts
from gan1d.results.files import ResultsError

AXES = ("x", "y")  # of data in the plane; of more dimensions they are numbered


def runs_table(runs: xr.Dataset) -> pd.DataFrame:
    """One row a run: setting, swept fields, seed, verdict, and every curve's last value, `final_*`.

    W1 is infinite where a run diverged, and `diverged_at` says when.
    """
    curves = [name for name in runs.data_vars if "step" in runs[name].dims]
    last = runs.isel(step=-1).rename({name: f"final_{name}" for name in curves})
    frame = _table(last, ("setting", "seed"))
    words = {verdicts.UNFINISHED: "unfinished"} | dict(enumerate(verdicts.VERDICTS))
    frame["verdict"] = pd.Series(runs.verdict.values.ravel()).map(words).to_numpy()
    return frame


def curves_table(runs: xr.Dataset) -> pd.DataFrame:
    """One row a run and log point: setting, swept fields, seed, step, and every curve."""
    return _table(runs, ("setting", "seed", "step"))


TABLES: dict[str, Callable[[xr.Dataset], pd.DataFrame]] = {
    "runs": runs_table,
    "curves": curves_table,
    "summary": tables.summary,
}


def _table(runs: xr.Dataset, dims: tuple[str, ...]) -> pd.DataFrame:
    """A row a combination of `dims`, with all variables that have these and at most one more."""
    columns: dict[str, xr.DataArray] = {}
    for name, values in runs.data_vars.items():
        if values.dims == dims:
            columns[str(name)] = values
        elif values.dims == (*dims, "dim"):
            axes = AXES if values.sizes["dim"] == len(AXES) else range(1, values.sizes["dim"] + 1)
            parts = zip(axes, values.transpose("dim", ...), strict=True)
            columns |= {f"{name}_{axis}": part for axis, part in parts}
        elif values.dims == (*dims, "moment"):
            for moment in schema.MOMENTS:
                part = values.sel(moment=moment, drop=True)
                columns[f"{name}_{moment.replace(' ', '_')}"] = part
    data = xr.Dataset(dict(sorted(columns.items())))
    data = data.drop_vars([name for name in data.coords if name not in dims])
    frame = data.to_dataframe(dim_order=list(dims)).reset_index()
    for name in map(schema.coordinate, reversed(of_runs.swept_fields(runs))):
        by_setting = dict(zip(runs.setting.values, runs[name].values, strict=True))
        frame.insert(1, name, frame["setting"].map(by_setting))
    return frame


ENDINGS = (".csv", ".tsv", ".parquet")  # of files that `export` writes


def export(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as its file's name ends: .csv, .tsv or .parquet.

    Raises:
      ResultsError: the name has another ending, or what writes Parquet is not installed.
      WriteError: the file can't be written.
    """
    writers = {
        ".csv": functools.partial(frame.to_csv, index=False),
        ".tsv": functools.partial(frame.to_csv, index=False, sep="\t"),
        ".parquet": functools.partial(frame.to_parquet, index=False, engine="pyarrow"),
    }
    if path.suffix not in writers:
        raise ResultsError(f"to={path}: give a name that ends in {' or '.join(ENDINGS)}")
    try:
        files.replace(path, writers[path.suffix])
    except ImportError:
        raise ResultsError(
            f'to={path}: Parquet needs pyarrow; pip install "gan1d[parquet]", or export .csv'
        ) from None
