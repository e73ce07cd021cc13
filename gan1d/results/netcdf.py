"""runs.nc and config.json of a results folder: written, and read once they have been verified."""

import functools
import io
import json
from collections.abc import Hashable
from pathlib import Path

import numpy as np
import xarray as xr

from gan1d.results import check, files, older
from gan1d.results.files import Record, ResultsError
from gan1d.results.schema import SCHEMA

RUNS, RECORD = "runs.nc", "config.json"


def write(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    record: Record,
    texts: dict[str, str],
) -> None:
    """Write results; each file appears whole or not at all, and the record last.

    Args:
      folder: where to.
      runs: what `schema.dataset` gives; the record goes into its attributes as well.
      snapshots: what `schema.snapshot_dataset` gives.
      record: what was run, with what, when; plain data.
      texts: other files by their names.

    Raises:
      WriteError: a file can't be written.
    """
    files.make_folder(folder)
    runs = runs.assign_attrs(_made(record) | {"provenance": json.dumps(record)})
    # In memory first: a disk that fills up under HDF5 brings down the whole process.
    content = io.BytesIO()
    runs.to_netcdf(content, engine="h5netcdf", encoding=_encoding(runs))
    if snapshots is not None:
        encoding = _encoding(snapshots)
        snapshots.to_netcdf(
            content, mode="a", group="snapshots", engine="h5netcdf", encoding=encoding
        )
    for name in (RUNS, *texts, RECORD):
        files.clear_temporaries(folder, name)
    files.replace(folder / RUNS, lambda path: path.write_bytes(content.getbuffer()))
    for name, text in texts.items():
        files.replace(folder / name, functools.partial(_write_text, text=text))
    hashes = {name: files.sha256(folder / name) for name in (RUNS, *texts)}
    files.write_json(folder / RECORD, record | {"schema": SCHEMA, "sha256": hashes})


def _made(record: Record) -> dict[str, str]:
    """What the conventions want to be told of what made results, as far as the record says it."""
    versions, git = record.get("versions"), record.get("git")
    version = versions.get("gan1d", "") if isinstance(versions, dict) else ""
    told = {
        "source": f"gan1d {version}" + (f", git {git}" if git else ""),
        "history": f"{record.get('finished', '')} {record.get('command', '')}",
    }
    # A command may be of bytes that are no text.
    return {
        name: text.strip().encode(errors="backslashreplace").decode() for name, text in told.items()
    }


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)


def load_record(folder: Path | str) -> Record | None:
    """What config.json of a folder says, or None where there is none.

    Raises:
      ResultsError: it isn't a results record, or damaged.
    """
    path = Path(folder) / RECORD
    record = files.read_json(path)
    if record is None:
        return None
    try:
        check.check_schema(record.get("schema"))
    except ResultsError as problem:
        raise ResultsError(f"{path}: {problem}") from None
    kinds = {"config": dict, "sha256": dict, "complete": bool}
    if not all(isinstance(record.get(name), kind) for name, kind in kinds.items()):
        raise ResultsError(f"{path}: not a results record of gan1d")
    return record


def damaged(folder: Path | str) -> list[str]:
    """The files of a results folder that are missing or not those that were written.

    Raises:
      ResultsError: there is no record to tell by.
    """
    record = load_record(folder)
    if record is None:
        raise ResultsError(f"{folder}: no results here ({RECORD} and {RUNS} are expected)")
    paths = {name: Path(folder) / Path(name).name for name in record["sha256"]}
    return [
        name
        for name, path in paths.items()
        if not path.is_file() or files.sha256(path) != record["sha256"][name]
    ]


def load(folder: Path | str) -> xr.Dataset:
    """The runs of a results folder, verified against their hash and in memory.

    No code from the file is run, and nothing is read from it that `check` doesn't allow.

    Raises:
      ResultsError: nothing there, not the form of results, or damage.
    """
    return _read(folder)[0]


def load_snapshots(folder: Path | str) -> xr.Dataset | None:
    """The snapshots of a results folder, or None where none were kept.

    Raises:
      ResultsError: as `load`.
    """
    return _read(folder)[1]


def _read(folder: Path | str) -> tuple[xr.Dataset, xr.Dataset | None]:
    """Runs and snapshots, in memory, once their hash has been verified."""
    folder = Path(folder)
    path = folder / RUNS
    record = load_record(folder)
    if record is None or not path.exists():
        raise ResultsError(f"{folder}: no results here ({RECORD} and {RUNS} are expected)")
    if record["sha256"].get(RUNS) != files.sha256(path):
        raise ResultsError(f"{path}: damaged, its SHA-256 is not the one in {RECORD}")
    try:
        check.check_file(path)
        # No times: nothing here has units of time, and decoding them would be guessing.
        opened = xr.open_datatree(
            path, engine="h5netcdf", decode_times=False, decode_timedelta=False
        )
        with opened as tree:
            runs = older.renamed(tree.to_dataset(inherit=False))
            check.check_runs(runs)
            snapshots = None
            if "snapshots" in tree:
                snapshots = tree["snapshots"].to_dataset()
                snapshots = snapshots[list(snapshots.data_vars)]  # without the root's coordinates
                snapshots = older.renamed(snapshots)
                check.check_snapshots(snapshots)
                snapshots = snapshots.load()
            runs = runs.load()
            check.check_values(runs)
            runs = older.completed(runs)
    except ResultsError as problem:
        raise ResultsError(f"{path}: not results of gan1d: {problem}") from None
    except Exception as error:  # the libraries raise anything over a file that they don't expect
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise ResultsError(f"{path}: can't be read ({reason})") from None
    return runs, snapshots


def _encoding(data: xr.Dataset) -> dict[Hashable, dict[str, object]]:
    """Compression and a checksum for every variable with an extent."""
    encoding: dict[Hashable, dict[str, object]] = {}
    for name, variable in data.variables.items():
        if not variable.shape:
            continue
        entry: dict[str, object] = {
            "zlib": True,
            "complevel": 4,
            "shuffle": True,
            "fletcher32": True,
        }
        if variable.dtype.kind in "OU":
            # Fixed-width characters: variable-length strings lie outside the checksummed chunks.
            entry |= {"dtype": "S1"}
        elif variable.dtype.kind == "f":
            # A coordinate is never missing.
            entry |= {"_FillValue": None if name in data.coords else np.nan}
        encoding[name] = entry
    return encoding
