"""Tables of numbers from files and arrays; what is none is refused with its row and column.

Nothing here needs JAX, and pandas is imported where there is a table to be read.
"""

import csv
import functools
import hashlib
import itertools
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan1d.gan.spec import LARGEST

if TYPE_CHECKING:
    import pandas as pd

MOST_ROWS = 2**22  # half as many as there are uniforms to draw them by
MOST_COLUMNS = 64
MOST_BYTES = 2**33  # of a file
SHOWN = 200  # characters of a name in a message
NPY = b"\x93NUMPY"  # what files of that kind begin with
CHUNK = 2**22  # bytes that are read at a time for a digest
IN_MEMORY = "array:"  # what the names of arrays begin with that were given as such


class DataError(ValueError):
    """Data that can't be learned from, in one line that names the field, the file and the place."""


class Table(NamedTuple):
    """A table as it is given, numbers or not."""

    frame: "pd.DataFrame"
    digest: str  # SHA-256 of the file, or of an array's numbers


def keep(array: Any) -> str:
    """Keep an array, or a data frame, for this process; returns the name that it is read by.

    Args:
      array: `[N]` or `[N, X]`; a data frame's columns keep their names.

    Raises:
      DataError: it is neither.
    """
    import pandas as pd

    if isinstance(array, pd.DataFrame):
        frame = array.copy()
    else:
        try:
            values = np.array(array)
        except ValueError:
            raise DataError("target.array: its rows differ in their lengths") from None
        frame = _framed(values, "target.array")
    frame.columns = frame.columns.map(str)
    content = hashlib.sha256(repr((frame.shape, *frame.columns)).encode())
    for i in range(frame.shape[1]):
        content.update(_content(frame.iloc[:, i]))
    name = IN_MEMORY + content.hexdigest()[:12]
    _kept[name] = Table(frame, content.hexdigest())
    return name


_kept: dict[str, Table] = {}


def table(file: str) -> Table:
    """What a file holds, or the array of that name; read again where the file has changed.

    Raises:
      DataError: it can't be read as a table.
    """
    if file.startswith(IN_MEMORY):
        if file not in _kept:
            raise DataError(f"{_at(file)} it was an array of another process; give target.array")
        return _kept[file]
    path = Path(file)
    if not file:
        raise DataError("target.file: target.kind=data needs one, or target.array in a notebook")
    if path.suffix.lower() not in READERS:
        raise DataError(f"{_at(file)} its name must end in {', '.join(READERS)}")
    try:
        if not path.is_file():
            what = "it is no regular file" if path.exists() else "there is no such file"
            raise DataError(f"{_at(file)} {what}")
        known = path.stat()
    except OSError as problem:
        raise DataError(f"{_at(file)} {problem.strerror}") from None
    if not 0 < known.st_size <= MOST_BYTES:
        raise DataError(f"{_at(file)} it has {known.st_size} bytes, not 1 to {MOST_BYTES}")
    return _read(file, (known.st_ino, known.st_size, known.st_mtime_ns))


@functools.lru_cache(4)
def _read(file: str, state: tuple[int, ...]) -> Table:
    """A file's table; `state` tells whether it is still the same."""
    del state
    try:
        return Table(READERS[Path(file).suffix.lower()](file), _digest(file))
    except DataError:
        raise
    except ImportError:
        raise DataError(f"{_at(file)} it needs pyarrow: pip install 'gan1d[parquet]'") from None
    except Exception as problem:  # of the libraries that read files, which raise what they like
        said = str(problem).strip().splitlines() or [type(problem).__name__]
        ragged = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", said[-1])
        if ragged:
            said = [f"line {ragged[2]} has {ragged[3]} fields, and those above it {ragged[1]}"]
        raise DataError(f"{_at(file)} it can't be read: {said[-1]}") from None


def numbers(file: str, columns: Iterable[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Some columns of a table, or all: finite numbers `[N, X]` in float64, and their names.

    Raises:
      DataError: they are none, with the row (from 1, without the header) and the column.
    """
    frame = table(file).frame
    there = list(frame.columns)
    wanted = tuple(columns) or tuple(there)
    for each, count in ((each, wanted.count(each)) for each in wanted):
        if each not in there:
            raise DataError(f"{_at(file)} it has no column {each!r}; it has {_listed(there)}")
        if count > 1 or there.count(each) > 1:
            raise DataError(f"{_at(file)} column {each!r} is there twice; name every column once")
    if not wanted:
        raise DataError(f"{_at(file)} it has no columns")
    if len(wanted) > MOST_COLUMNS:
        remedy = f"at most {MOST_COLUMNS}; name those to be learned by target.columns"
        raise DataError(f"{_at(file)} {len(wanted)} columns, {remedy}")
    if len(frame) > MOST_ROWS:
        raise DataError(f"{_at(file)} {len(frame)} rows, at most {MOST_ROWS}; leave some out")
    values = np.empty((len(frame), len(wanted)))
    for i, name in enumerate(wanted):
        values[:, i] = _column(frame[name], f"{_at(file)} column {name!r}")
    return values, wanted


def _column(column: "pd.Series", where: str) -> np.ndarray:
    """A column's finite numbers `[N]`."""
    kind = getattr(column.dtype, "kind", "O")
    if kind in "cmMV":
        raise DataError(f"{where}: it holds {column.dtype}, not real numbers")
    if kind in "biuf":
        values = column.to_numpy(np.float64, na_value=np.nan)
    else:
        values = np.array(list(map(_as_float, column)))
    wrong = ~(np.abs(values) <= LARGEST)
    if not wrong.any():
        return values
    row = int(wrong.argmax())
    given = column.iloc[row]
    if isinstance(given, str):
        raise DataError(f"{where}, row {row + 1}: {given[:40]!r} is no number; leave it out")
    if np.isnan(values[row]):
        raise DataError(f"{where}, row {row + 1}: there is no number (NaN); leave out such rows")
    remedy = f"it must be a number of at most {LARGEST:g} in size"
    raise DataError(f"{where}, row {row + 1}: {values[row]:g}; {remedy}")


def _as_float(given: object) -> float:
    try:
        return float(given)  # type: ignore[arg-type] # that is the question
    except OverflowError:
        return np.inf
    except (TypeError, ValueError):
        return np.nan


def _content(column: "pd.Series") -> bytes:
    """What tells a column's values from others."""
    if getattr(column.dtype, "kind", "O") in "biuf":
        return column.to_numpy(np.float64, na_value=np.nan).tobytes()
    return repr(column.tolist()).encode()


def _at(file: str) -> str:
    shown = file if len(file) <= SHOWN else f"{file[:SHOWN]}..."
    return f"target.file={shown if shown.isprintable() else repr(shown)}:"


def _listed(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more


def _digest(file: str) -> str:
    content = hashlib.sha256()
    with open(file, "rb") as opened:
        while chunk := opened.read(CHUNK):
            content.update(chunk)
    return content.hexdigest()


def _framed(values: np.ndarray, where: str) -> "pd.DataFrame":
    """An array `[N]` or `[N, X]` as a table whose columns are named 0, 1, ..."""
    import pandas as pd

    if values.dtype.names or values.ndim not in (1, 2):
        what = "it has named fields" if values.dtype.names else f"its shape is {values.shape}"
        raise DataError(f"{where}: {what}; give rows and columns, [N] or [N, X]")
    values = values.reshape(len(values), -1)
    return pd.DataFrame(values, columns=[str(i) for i in range(values.shape[1])])


def _text(separator: str) -> Callable[[str], "pd.DataFrame"]:
    """A reader of text with a header, or without one where its first line is all numbers."""

    def read(file: str) -> "pd.DataFrame":
        import pandas as pd

        with open(file, encoding="utf-8-sig", newline="") as opened:
            lines = (line for line in csv.reader(opened, delimiter=separator) if line)
            first, *second = [*itertools.islice(lines, 2)] or [[]]
        numbers = list(map(str, range(len(first))))  # what pandas names columns without names
        named = first == numbers or not all(map(_is_number, first))
        names = [name.strip() for name in first] if named else numbers
        if second and len(second[0]) != len(first):
            raise ValueError(f"its second line has {len(second[0])} fields, its first {len(first)}")
        frame = pd.read_csv(
            file,
            sep=separator,
            header=0 if named else None,
            low_memory=False,  # one dtype a column
            skipinitialspace=True,
            encoding="utf-8-sig",
        )
        frame.columns = pd.Index(names)  # pandas would rename what is there twice
        return frame

    return read


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _parquet(file: str) -> "pd.DataFrame":
    import pandas as pd

    return pd.read_parquet(file, engine="pyarrow")


def _npy(file: str) -> "pd.DataFrame":
    with open(file, "rb") as opened:
        if opened.read(len(NPY)) != NPY:
            raise ValueError("it is no NPY file")
    values = np.load(file, mmap_mode="r", allow_pickle=False)  # mapped: a size can be a lie
    return _framed(values, _at(file).rstrip(":"))


def _netcdf(file: str) -> "pd.DataFrame":
    """Variables along one dimension; an index of that has no part in it."""
    import h5py
    import xarray as xr

    # h5netcdf trips over what it has left half open, once more and after its error was caught.
    with h5py.File(file) as checked:
        dict(checked.attrs)
    with xr.open_dataset(file, engine="h5netcdf") as data:
        if len(data.sizes) != 1:
            given = ", ".join(map(str, data.sizes)) or "none"
            raise ValueError(f"its variables must have one dimension, of rows; they have: {given}")
        return data.reset_coords(drop=True).to_dataframe().reset_index(drop=True)


READERS: dict[str, Callable[[str], "pd.DataFrame"]] = {
    ".csv": _text(","),
    ".tsv": _text("\t"),
    ".parquet": _parquet,
    ".npy": _npy,
    ".nc": _netcdf,
}
