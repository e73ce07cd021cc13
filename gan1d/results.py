"""Results of a sweep as an xarray Dataset, and the folder that keeps them.

A folder holds `config.json` (what was run, with what, when), `runs.nc` (NetCDF4, readable with
xarray alone), `summary.csv`, `summary.md` and `figures/`. Every variable is checksummed
(fletcher32), and `config.json` holds the SHA-256 of `runs.nc`, which `load` verifies.
"""

import hashlib
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from gan1d import stats

SCHEMA = 2
NULL_REPLICATES = 256


class Variable(NamedTuple):
    """What is known of a variable before there are values."""

    dims: tuple[str, ...]
    meaning: str
    dtype: Any = np.float32
    empty: float = np.nan  # what stands for "no value"


_RUN = ("setting", "seed")
_CURVE = (*_RUN, "step")


def run_variables(dim: int) -> dict[str, Variable]:
    """What may be kept of every run, for targets of 1 or 2 dimensions."""
    planar = dim == 2
    each = ("dim",) if planar else ()
    sliced = "sliced Wasserstein-1 distance, in standardised coordinates, of the generator from"
    variables = {
        "w1": Variable(
            _CURVE,
            f"{sliced if planar else 'Wasserstein-1 distance of the generator from'} the target",
        ),
        "ks": Variable(_CURVE, "Kolmogorov-Smirnov distance of the generator from the target"),
        "energy": Variable(_CURVE, "energy distance, in standardised coordinates"),
        "high_quality": Variable(_CURVE, "share of samples within 3 standard deviations of a mode"),
        "modes": Variable(_CURVE, "modes with at least one sample within 3 standard deviations"),
        "residual": Variable(_CURVE, "mean distance from the curve, in standardised coordinates"),
        "mean": Variable((*_CURVE, *each), "mean of the generated samples"),
        "std": Variable(
            _CURVE,
            "mean standard deviation over directions, in standardised coordinates"
            if planar
            else "standard deviation of the generated samples",
        ),
        "d_flatness": Variable(_CURVE, "density-weighted mean of |D - 1/2|"),
        "loss_d": Variable(_CURVE, "mean loss of D since the last log point"),
        "loss_g": Variable(_CURVE, "mean loss of G since the last log point"),
        "centroid_distance": Variable(
            (*_CURVE, "moment"), "distance of the mean features of real and of generated rows"
        ),
        "pretraining_loss": Variable(
            (*_RUN, "part"), "mean loss of D over each hundredth of its pretraining"
        ),
        "quantiles": Variable((*_RUN, "level", *each), "quantiles of the final generator"),
        "diverged_at": Variable(
            _RUN, "first update with a non-finite value, -1 for never", np.int32, -1
        ),
        "finished": Variable(_RUN, "1 where a run was trained to its end", np.int8, 0),
    }
    left_out = {"ks"} if planar else {"energy", "high_quality", "modes", "residual"}
    return {name: variable for name, variable in variables.items() if name not in left_out}


def target_variables(dim: int) -> dict[str, Variable]:
    """What is kept of every setting's target, of 1 or 2 dimensions."""
    each = ("dim",) if dim == 2 else ()
    if dim == 2:
        picture = Variable(("setting", "point", "dim"), "samples of the target")
    else:
        picture = Variable(("setting", "grid"), "density of the target at x")
    return {
        "target_quantiles": Variable(("setting", "level", *each), "quantiles of the target"),
        "target_mean": Variable(("setting", *each), "mean of the target"),
        "target_std": Variable(("setting",), "standard deviation of the target, as std"),
        "x": Variable(("setting", "grid", *each), "points where D is drawn"),
        "target_samples" if dim == 2 else "target_density": picture,
        "w1_null": Variable(
            ("setting", "replicate"), "w1 of real samples, as many as judge a generator"
        ),
    }


# The state that training ended in, where a run has diverged: its last finite one.
# Not `seed`: a group's dimensions have to agree with its parent's.
_SNAPSHOT = ("setting", "snapshot_seed", "step")
SNAPSHOT_VARIABLES = {
    "latent": Variable(("setting", "point", "latent_dim"), "latents of the samples"),
    "samples": Variable((*_SNAPSHOT, "point", "dim"), "G of each latent"),
    "d": Variable((*_SNAPSHOT, "grid"), "D at each x of the setting"),
    "d_initial": Variable(("setting", "snapshot_seed", "grid"), "unclipped D before pretraining"),
    "d_pretrained": Variable(("setting", "snapshot_seed", "grid"), "unclipped D after it"),
    "features": Variable(
        (*_SNAPSHOT, "moment", "source", "row", "feature"), "D's last hidden features"
    ),
}
MOMENTS = ("before D", "after D", "after G")  # of the update in which features are looked at
SOURCES = ("real", "generated")


class ResultsError(ValueError):
    """A results folder that can't be used, in one line."""


def allocate(variables: dict[str, Variable], sizes: dict[str, int]) -> dict[str, np.ndarray]:
    """An array a variable, filled with what stands for "no value"; `sizes` maps dimensions."""
    return {
        name: np.full([sizes[dim] for dim in variable.dims], variable.empty, variable.dtype)
        for name, variable in variables.items()
    }


def nbytes(variables: dict[str, Variable], sizes: dict[str, int]) -> int:
    """What `allocate` would take."""
    return sum(
        math.prod(sizes[dim] for dim in variable.dims) * np.dtype(variable.dtype).itemsize
        for variable in variables.values()
    )


def dataset(
    *,
    arrays: dict[str, np.ndarray],
    target: dict[str, np.ndarray],
    coords: dict[str, Any],
    config: dict[str, Any],
    swept: dict[str, list[Any]],
    title: str,
) -> xr.Dataset:
    """Assemble the Dataset of a sweep and judge every run.

    Args:
      arrays: variables of `run_variables`, as `allocate` makes them.
      target: those of `target_variables`.
      coords: `setting` (labels), `seed`, `step`, `level`, and `moment` where there is one.
      config: the resolved config.
      swept: per swept field its value in each setting: numbers, flags or text.
      title: the sweep's name.
    """
    dim = 1 if "target_density" in target else 2
    variables = _described(run_variables(dim), arrays)
    variables |= _described(target_variables(dim), target)
    judging = config["judging"]
    outcome = stats.classify(
        final_w1=arrays["w1"][:, :, -1],
        final_std=arrays["std"][:, :, -1],
        target_std=target["target_std"][:, None],
        diverged_at=arrays["diverged_at"],
        finished=arrays["finished"],
        collapsed_std=judging["collapsed_std"],
        success_w1=judging["success_w1"],
    )
    met = stats.meets_criterion(
        w1=arrays["w1"],
        std=arrays["std"],
        target_std=target["target_std"][:, None, None],
        collapsed_std=judging["collapsed_std"],
        success_w1=judging["success_w1"],
    )
    first, last, best = stats.stopping_steps(met, arrays["w1"], np.asarray(coords["step"]))
    never = ", -1 for never"
    variables |= {
        "first_met": (_RUN, first, {"long_name": f"first log point of a success{never}"}),
        "last_met": (_RUN, last, {"long_name": f"last log point of a success{never}"}),
        "best_step": (_RUN, best, {"long_name": f"log point of the lowest w1{never}"}),
    }
    meanings = ["unfinished", *(name.replace(" ", "_") for name in stats.OUTCOMES)]
    variables["outcome"] = (
        _RUN,
        outcome,
        {
            "long_name": "how the run ended",
            "flag_values": np.arange(-1, len(stats.OUTCOMES), dtype=np.int8),
            "flag_meanings": " ".join(meanings),
        },
    )
    fields = {name: ("setting", np.asarray(values)) for name, values in swept.items()}
    attributes = {
        "title": title,
        "schema": SCHEMA,
        "config": json.dumps(config),
        "swept": json.dumps(list(swept)),
    }
    return xr.Dataset(variables, coords | fields, attributes)


def snapshot_dataset(arrays: dict[str, np.ndarray], coords: dict[str, Any]) -> xr.Dataset:
    """The Dataset of the first seeds' samples and discriminators.

    `coords` are setting, snapshot_seed and step.
    """
    return xr.Dataset(_described(SNAPSHOT_VARIABLES, arrays), coords)


def _described(variables: dict[str, Variable], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    return {
        name: (variable.dims, arrays[name], {"long_name": variable.meaning})
        for name, variable in variables.items()
        if name in arrays
    }


def write(
    folder: Path, runs: xr.Dataset, snapshots: xr.Dataset | None, record: dict[str, Any]
) -> None:
    """Write runs.nc, then config.json with the hash of it; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)

    def write_netcdf(path: Path) -> None:
        runs.to_netcdf(path, engine="h5netcdf", encoding=_encoding(runs))
        if snapshots is not None:
            snapshots.to_netcdf(
                path, mode="a", group="snapshots", engine="h5netcdf", encoding=_encoding(snapshots)
            )

    replace(folder / "runs.nc", write_netcdf)
    record = record | {"schema": SCHEMA, "sha256": {"runs.nc": _sha256(folder / "runs.nc")}}
    text = json.dumps(record, indent=2) + "\n"
    replace(folder / "config.json", lambda path: path.write_text(text))


def replace(path: Path, write_to: Callable[[Path], Any]) -> None:
    """Write a file under a temporary name, bring it to the disk, and put it in place at once."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write_to(temporary)
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_record(folder: Path | str) -> dict[str, Any] | None:
    """What config.json of a folder says, or None where there is none.

    Raises:
      ResultsError: where it isn't a results record.
    """
    path = Path(folder) / "config.json"
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: not a results record ({error})") from None
    if not isinstance(record, dict) or "config" not in record or "sha256" not in record:
        raise ResultsError(f"{path}: not a results record of gan1d")
    return record


def load(folder: Path | str) -> xr.Dataset:
    """The runs of a results folder, verified against their hash and in memory.

    Raises:
      ResultsError: nothing there, an unknown schema, or damage.
    """
    return _read(folder).to_dataset(inherit=False)


def load_snapshots(folder: Path | str) -> xr.Dataset | None:
    """The snapshots of a results folder, or None where none were kept.

    Raises:
      ResultsError: as `load`.
    """
    tree = _read(folder)
    if "snapshots" not in tree:
        return None
    snapshots = tree["snapshots"].to_dataset()  # with the coordinates that it shares with the root
    return snapshots[[name for name in SNAPSHOT_VARIABLES if name in snapshots]]


def _read(folder: Path | str) -> xr.DataTree:
    """The whole of runs.nc, in memory, once its hash has been verified."""
    folder = Path(folder)
    path = folder / "runs.nc"
    record = load_record(folder)
    if record is None or not path.exists():
        raise ResultsError(f"{folder}: no results here (config.json and runs.nc are expected)")
    if record.get("schema") != SCHEMA:
        raise ResultsError(f"{folder}: results of schema {record.get('schema')}, not {SCHEMA}")
    if record["sha256"].get("runs.nc") != _sha256(path):
        raise ResultsError(f"{path}: damaged, its SHA-256 is not the one in config.json")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ResultsError(f"{path}: can't be read ({error})") from None


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _encoding(data: xr.Dataset) -> dict[str, dict[str, Any]]:
    """Compression and a checksum for every variable with an extent."""
    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in data.variables.items():
        if not variable.shape:
            continue
        entry = {"zlib": True, "complevel": 4, "shuffle": True, "fletcher32": True}
        if variable.dtype.kind in "OU":
            # Fixed-width characters: variable-length strings lie outside the checksummed chunks.
            entry |= {"dtype": "S1"}
        elif variable.dtype.kind == "f":
            entry |= {"_FillValue": np.nan}
        encoding[str(name)] = entry
    return encoding
