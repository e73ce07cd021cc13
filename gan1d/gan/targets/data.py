"""The user's own data as a target: a part of the rows trains, the others are held out to judge by.

Which are is decided by a fixed seed. Training draws rows of its part with replacement. The arrays
are no part of a config, and too large to be constants of a program: a section `target` has a place
for them, which engines fill before they hand a setting to anything that looks at rows.

Of one column rows are kept in order, so that a uniform picks a quantile. Weights are dealt with
once, when a part is made: it has copies of its rows in proportion to them, by systematic sampling.
"""

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gan1d.gan.spec import OFF
from gan1d.gan.targets import files
from gan1d.gan.targets.files import DataError
from gan1d.system.lazy import Array, jnp

if TYPE_CHECKING:
    from gan1d.gan.targets import TargetFields

KIND = "data"
SPLIT_SEED = 20260101
MOST_HELD_OUT = 10_000  # rows
LEAST_ROWS = 10  # of either part
COPIES = 16  # of a row of average weight, where rows have weights
MOST_COPIED = 2**20  # rows of a part with weights
LARGEST_MEAN = 1e4  # stds, beyond which float32 has too few digits


class Rows(NamedTuple):
    """What a program is given of a data set of X columns: float32, of numpy or JAX."""

    train: Any  # [n, X] rows that train
    held_out: Any  # [m, X] rows that judge
    mean: Any  # [X] of the rows that train
    std: Any  # [X]
    judging: Any = ()  # what else judging needs of them, as `metrics` has it


class Parts(NamedTuple):
    """A data set as it was read, split and scaled."""

    columns: tuple[str, ...]
    row_count: int  # in the file
    originals: np.ndarray  # [N, X] the rows that train, without copies by their weights
    held_out_count: int
    centre: np.ndarray  # [X] what standardising takes away, 0 without
    unit: np.ndarray  # [X] what it divides by, 1 without
    rows: Rows


def digest(target: "TargetFields") -> str:
    """SHA-256 of a target's file as it is now.

    Raises:
      DataError: it can't be read.
    """
    return files.table(target.file).digest


def completed(target: "TargetFields") -> "TargetFields":
    """A target with the names of all its columns and its file's digest, other kinds as they are.

    Raises:
      DataError: there is nothing to be learned from the file.
    """
    if target.kind != KIND:
        return target
    columns = target.columns
    if not columns:
        there = list(files.table(target.file).frame.columns)
        if "" in there:
            remedy = "name those to be learned by target.columns"
            raise DataError(
                f"target.file={target.file}: a column has no name, as an index has; {remedy}"
            )
        columns = tuple(name for name in there if name != target.weight)
    target = dataclasses.replace(target, columns=columns, digest=digest(target))
    parts(target)
    return target


class Source(NamedTuple):
    """All that a data set depends on."""

    file: str
    columns: tuple[str, ...]
    weight: str
    held_out: float
    standardise: str
    digest: str  # tells versions of a file apart


def source(target: "TargetFields") -> Source:
    """What the data of a completed target are made from."""
    return Source(*(getattr(target, name) for name in Source._fields))


def parts(target: "TargetFields") -> Parts:
    """The data of a completed target.

    Raises:
      DataError: there is nothing to be learned from them, or the file has changed meanwhile.
    """
    if digest(target) != target.digest:
        raise DataError(f"target.file={target.file}: it has changed since the sweep was begun")
    return parts_of(source(target))


def rows(target: "TargetFields") -> Rows | None:
    """The rows of a completed target; None of other kinds."""
    return parts(target).rows if target.kind == KIND else None


@functools.lru_cache(8)
def parts_of(source: Source) -> Parts:
    """As `parts`, of a file that is known not to have changed."""
    file, columns, weight, share, standardise, _ = source
    where = f"target.file={file}"
    if weight and weight in columns:
        raise DataError(f"target.weight={weight}: it is one of target.columns; leave it out there")
    values, columns = files.numbers(file, columns)
    weights = _weights(file, weight)
    count = len(values)
    if weights is not None:
        values, weights = values[weights > 0], weights[weights > 0]
    held = min(round(share * len(values)), MOST_HELD_OUT)
    if min(held, len(values) - held) < LEAST_ROWS:
        remedy = f"both need {LEAST_ROWS}; give more rows, or another share"
        split = f"{len(values) - held} rows to train on, {held} held out"
        raise DataError(f"{where}, target.held_out={share:g}: {split}; {remedy}")
    order = np.argsort(np.random.PCG64(SPLIT_SEED).random_raw(len(values)), kind="stable")
    train, held_out = (_copied(values, weights, some) for some in (order[held:], order[:held]))
    mean, std = train.mean(0), train.std(0)
    for i, name in enumerate(columns):
        if not std[i] > 0:
            part = "it is" if np.ptp(values[:, i]) == 0 else "the part of it that trains is"
            raise DataError(f"{where}: column {name!r}: {part} constant; leave it out")
        if standardise == OFF and abs(mean[i]) > LARGEST_MEAN * std[i]:
            remedy = "float32 has too few digits for that; set target.standardise=on"
            far = f"its mean is {abs(mean[i]) / std[i]:.2g} stds from 0"
            raise DataError(f"{where}: column {name!r}: {far}; {remedy}")
    centre, unit = (np.zeros_like(mean), np.ones_like(std)) if standardise == OFF else (mean, std)

    def scaled(rows: np.ndarray) -> np.ndarray:
        rows = ((rows - centre) / unit).astype(np.float32)
        return np.sort(rows, axis=0) if rows.shape[1] == 1 else rows

    rows = Rows(
        scaled(train),
        scaled(held_out),
        np.float32((mean - centre) / unit),
        np.float32(std / unit),
    )
    originals = rows.train if weights is None else scaled(values[order[held:]])
    return Parts(columns, count, originals, held, centre, unit, rows)


def _weights(file: str, name: str) -> np.ndarray | None:
    """The weights of a file's rows `[N]`."""
    if not name:
        return None
    (weights,) = files.numbers(file, (name,))[0].T
    if (weights < 0).any():
        row = int((weights < 0).argmax())
        where = f"target.file={file}: column {name!r}, row {row + 1}"
        raise DataError(f"{where}: {weights[row]:g} is no weight; give 0 or more")
    return weights


def _copied(values: np.ndarray, weights: np.ndarray | None, some: np.ndarray) -> np.ndarray:
    """Some rows, with copies of them in proportion to their weights."""
    if weights is None:
        return values[some]
    total = np.cumsum(weights[some])
    count = max(len(some), min(COPIES * len(some), MOST_COPIED))
    at = (np.arange(count) + 0.5) * total[-1] / count
    return values[some[np.minimum(np.searchsorted(total, at), len(some) - 1)]]


def told(target: "TargetFields") -> dict[str, object]:
    """What a target asks of its data, as plain data: it tells a sweep's targets apart."""
    asked: dict[str, object] = {
        "file": target.file,
        "standardise": target.standardise,
        "share": target.held_out,
        "weight": target.weight,
    }
    if target.columns:
        asked["columns"] = list(target.columns)
    return asked


def described(target: "TargetFields") -> dict[str, object]:
    """What is to be said of a completed target's data, as plain data."""
    found = parts(target)
    said: dict[str, object] = {
        "file": target.file,
        "sha256": target.digest,
        "rows": found.row_count,
        "columns": list(found.columns),
        "trains": len(found.originals),
        "held_out": found.held_out_count,
        "split": f"by seed {SPLIT_SEED}",
    } | {name: value for name, value in told(target).items() if value}
    if target.standardise != OFF:
        said |= {"less": found.centre.tolist(), "over": found.unit.tolist()}
    return said


# Of a target with its rows.


def sample(target: "TargetFields", u: Array) -> Array:
    """Rows `[..., X]` that train, by uniforms `[..., 1]`: of one column, quantiles."""
    count = target.rows.train.shape[0]
    return _rows(target.rows.train, jnp.floor(u[..., 0] * count), count)


def quantile(target: "TargetFields", u: Array) -> Array:
    """The least of the held-out rows of one column that a share u of them is not above."""
    count = target.rows.held_out.shape[0]
    return _rows(target.rows.held_out, jnp.ceil(u * count) - 1, count)[..., 0]


def cdf(target: "TargetFields", x: Array) -> Array:
    """The share of the held-out rows of one column that are at most x, any shape."""
    return share_below(target.rows.held_out, x)


def share_below(ordered: Array, x: Array, *, strictly: bool = False) -> Array:
    """The share of ordered rows `[m, 1]` that are at most x, or below it; any shape."""
    return count_below(ordered, x, strictly=strictly).astype(x.dtype) / ordered.shape[0]


def count_below(ordered: Array, x: Array, *, strictly: bool = False) -> Array:
    """How many of ordered rows `[m, 1]` are at most x, or below it; any shape."""
    count = ordered.shape[0]
    # How many they are, found bit by bit.
    found = jnp.zeros(x.shape, jnp.int32)
    for bit in reversed(range(count.bit_length())):
        more = found + (1 << bit)
        row = _rows(ordered, more - 1, count)[..., 0]
        fits = (row < x) if strictly else (row <= x)
        found = jnp.where(fits & (more <= count), more, found)
    return found


def _rows(table: Array, number: Array, count: int) -> Array:
    """Rows `[..., X]` of a table by their numbers, which rounding may have moved by one."""
    index = jnp.clip(number.astype(jnp.int32), 0, count - 1)
    return table.at[index].get(mode="promise_in_bounds")
