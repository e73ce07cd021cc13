"""What results hold: how a variable is described, those that every sweep has, and its Dataset.

Metrics bring variables of their own, so this is no list of all that there can be: `check` says what
a file must hold, and what form everything else has to have.
"""

import json
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import DTypeLike

from gan1d.results import verdicts

SCHEMA = 6  # raised where what a variable *is* changes (see `older`), not where there are more
NULL_REPLICATES = 128
MOST_DIMENSIONS = 64  # of data
CONVENTIONS = "CF-1.11"


UNIT = "unit_in_words"  # the attribute


class Variable(NamedTuple):
    """What is known of a variable before there are values."""

    dims: tuple[str, ...]
    long_name: str
    dtype: DTypeLike = np.float32
    empty: float = np.nan  # what stands for "no value"
    unit: str = ""  # in words; "" where there is none
    better: str = ""  # "lower" or "higher"; "" where neither is

    def attributes(self) -> dict[str, str]:
        """What stands beside its values in a file.

        As the CF conventions have it, `units` is one that UDUNITS knows: all here is pure numbers,
        and what they count is said in words beside it.
        """
        named = {"long_name": self.long_name, "units": "1", UNIT: self.unit, "better": self.better}
        return {name: text for name, text in named.items() if text}


class Values(NamedTuple):
    """Variables together with their values."""

    variables: Mapping[str, Variable]
    arrays: Mapping[str, np.ndarray]

    def described(self) -> dict[str, xr.Variable]:
        """Those that there are values of, as xarray has them."""
        return {
            name: xr.Variable(variable.dims, self.arrays[name], variable.attributes())
            for name, variable in self.variables.items()
            if name in self.arrays
        }


class Axes(NamedTuple):
    """What the rows, columns ... of a sweep's arrays are: a value along each dimension."""

    setting: Sequence[str]  # labels
    seed: Sequence[int]
    step: Sequence[int]
    quantile_level: np.ndarray
    generator_seed: Sequence[int] = ()  # of those that are kept, the first seeds


Scalar = bool | int | float | str


class Swept(NamedTuple):
    """A swept field: its value in each setting, and what it is."""

    values: Sequence[Scalar]
    long_name: str
    unit: str = ""  # in words


class Sweep(NamedTuple):
    """What results say of a whole sweep."""

    title: str
    config: Mapping[str, object]  # resolved, plain data
    swept: Mapping[str, Swept]  # by dotted names
    settled_from: int  # the update from which on a generator counts as settled
    fixed: str  # what all settings have in common, in words


RUN = ("setting", "seed")
CURVE = (*RUN, "step")
GENERATORS = "generator_weights"
# All dimensions that variables can have, besides those of what is kept of the first seeds only.
DIMENSIONS = frozenset(
    (
        *(*CURVE, "quantile_level", "moment", "part", "grid", "point", "dim"),
        *("target_mode", "replicate", "generator_seed", "weight"),
    )
)
SNAPSHOT_DIMENSIONS = DIMENSIONS | {"snapshot_seed", "latent_axis", "source", "row", "feature"}
# Those of dimensions whose places have names.
COORDINATES = {
    "setting": Variable(("setting",), "label of the setting", np.str_),
    "seed": Variable(("seed",), "seed of all randomness of a run", np.int64),
    "step": Variable(("step",), "updates done at the log point", np.int64, unit="updates"),
    "snapshot_seed": Variable(("snapshot_seed",), "seed of a run that is pictured", np.int64),
    "generator_seed": Variable(
        ("generator_seed",), "seed of a run whose generator is kept", np.int64
    ),
    "quantile_level": Variable(("quantile_level",), "probability of the quantile", unit="ratio"),
    "moment": Variable(("moment",), "moment of an update", np.str_),
    "source": Variable(("source",), "where rows come from", np.str_),
}
MOMENTS = ("before D", "after D", "after G")  # of the update in which features are looked at
SOURCES = ("real", "generated")


def run_variables(dim: int) -> dict[str, Variable]:
    """What may be kept of every run besides metrics, for targets of so many dimensions."""
    each = ("dim",) if dim > 1 else ()
    return {
        "loss_d": Variable(CURVE, "mean loss of D since the last log point"),
        "loss_g": Variable(CURVE, "mean loss of G since the last log point"),
        "centroid_distance": Variable(
            (*CURVE, "moment"), "distance of the mean features of real and of generated rows"
        ),
        "pretraining_loss": Variable(
            (*RUN, "part"), "mean loss of D over each hundredth of its pretraining"
        ),
        "quantiles": Variable(
            (*RUN, "quantile_level", *each), "quantiles of the final generator", unit="data units"
        ),
        GENERATORS: Variable(
            ("setting", "generator_seed", "weight"),
            "weights of the final generator, as jax.flatten_util.ravel_pytree has its variables",
        ),
        "diverged_at": Variable(
            RUN,
            "first update with a non-finite value, missing for never",
            np.float64,
            unit="updates",
        ),
        "finished": Variable(RUN, "1 where a run was trained to its end", np.int8, 0),
    }


def target_variables(dim: int) -> dict[str, Variable]:
    """What is kept of every setting's target, of so many dimensions."""
    each = ("dim",) if dim > 1 else ()
    if dim > 1:
        picture = Variable(("setting", "point", "dim"), "samples of the target", unit="data units")
    else:
        picture = Variable(("setting", "grid"), "density of the target at x")
    unit = "data units"
    return {
        "target_quantiles": Variable(
            ("setting", "quantile_level", *each), "quantiles of the target", unit=unit
        ),
        "target_mean": Variable(("setting", *each), "mean of the target", unit=unit),
        "target_std": Variable(("setting",), "standard deviation of the target, as generated_std"),
        "x": Variable(("setting", "grid", *each), "points where D is drawn", unit=unit),
        "target_samples" if dim > 1 else "target_density": picture,
        "target_mode_share": Variable(
            ("setting", "target_mode"), "share of the target at each of its modes"
        ),
        "target_mode_std": Variable(
            ("setting",), "standard deviation of its narrowest mode, as generated_std"
        ),
        "mode_rows": Variable(
            ("setting",), "samples that modes are judged by, 0 where there are none", np.int32, 0
        ),
        "w1_null": null_variable("w1"),
        "w1_random": Variable(
            ("setting", "replicate"), "w1 of independent real samples, as many as judge a generator"
        ),
    }


def null_variable(name: str, unit: str = "", better: str = "") -> Variable:
    """What perfect samples score by a metric, as it judges a generator's; its name is NAME_null."""
    text = f"{name} of real samples that are judged as a generator's are"
    return Variable(("setting", "replicate"), text, unit=unit, better=better)


# Of every setting's losses; missing where there is no such number.
LOSS_VARIABLES = {
    "loss_d_rest": Variable(
        ("setting",), "loss of D, less penalties, where it can't tell real from generated"
    ),
    "loss_g_rest": Variable(("setting",), "loss of G where D can't tell real from generated"),
    "g_matches_features": Variable(
        ("setting",), "1 where G's loss is one of D's features, not of its output", np.int8, 0
    ),
    "d_is_probability": Variable(
        ("setting",), "1 where D is kept as a probability, 0 where as its raw output", np.int8, 1
    ),
}

# Judged from what is kept of a run, when results are put together (`judge`); its generator is
# settled over the last tenth of training.
DERIVED = {
    "verdict": Variable(RUN, "what became of the run", np.int8, verdicts.UNFINISHED),
    "settled_w1": Variable(
        RUN, "median of w1 over the last tenth of training, infinite where diverged"
    ),
    "settled_std": Variable(RUN, "median of generated_std over the last tenth of training"),
    "settled_structure": Variable(
        RUN, "structure of the settled generator, over a perfect sampler's", unit="ratio"
    ),
    "sustained_at": Variable(
        RUN,
        "update at which success had first held for judging.hold updates, missing for never",
        np.float64,
        unit="updates",
    ),
    "dead": Variable(RUN, "1 where the losses are frozen: G gets no gradient", np.int8, 0),
    "best_step": Variable(
        RUN, "log point of the lowest w1, missing for never", np.float64, unit="updates"
    ),
}

# The state that training ended in, where a run has diverged: its last finite one.
# Not `seed`: a group's dimensions have to agree with its parent's.
_SNAPSHOT = ("setting", "snapshot_seed", "step")
SNAPSHOT_VARIABLES = {
    "latent": Variable(("setting", "point", "latent_axis"), "latents of the samples"),
    "samples": Variable((*_SNAPSHOT, "point", "dim"), "G of each latent", unit="data units"),
    "d": Variable((*_SNAPSHOT, "grid"), "D at each x of the setting"),
    "d_initial": Variable(("setting", "snapshot_seed", "grid"), "unclipped D before pretraining"),
    "d_pretrained": Variable(("setting", "snapshot_seed", "grid"), "unclipped D after it"),
    "features": Variable(
        (*_SNAPSHOT, "moment", "source", "row", "feature"), "D's last hidden features"
    ),
}


def coordinate(field: str) -> str:
    """The name of a swept field's coordinate, and of its column in tables: it has no dots.

    So that it can be an attribute, in xarray and in pandas, and a name in NetCDF, R or Julia.
    """
    return field.replace(".", "_")


def hidden(name: str) -> bool:
    """Whether something else is meant by `data.NAME`, in xarray or pandas."""
    return any(hasattr(kind, name) for kind in (xr.Dataset, xr.DataTree, pd.DataFrame))


def allocate(variables: Mapping[str, Variable], sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """An array a variable, filled with what stands for "no value"; `sizes` maps dimensions."""
    return {
        name: np.full([sizes[dim] for dim in variable.dims], variable.empty, variable.dtype)
        for name, variable in variables.items()
    }


def nbytes(variables: Mapping[str, Variable], sizes: Mapping[str, int]) -> int:
    """What `allocate` would take."""
    return sum(
        math.prod(sizes[dim] for dim in variable.dims) * np.dtype(variable.dtype).itemsize
        for variable in variables.values()
    )


def dataset(runs: Values, targets: Values, axes: Axes, sweep: Sweep) -> xr.Dataset:
    """Assemble the Dataset of a sweep; its runs are not judged yet.

    Args:
      runs: what is kept of every run, w1, generated_std, diverged_at and finished among it.
      targets: what is known of every setting, target_std among it.
      axes: what the arrays' rows are.
      sweep: what was run.
    """
    variables = runs.described() | targets.described()
    coordinates = _coordinates(axes, variables)
    for field, swept in sweep.swept.items():
        known = Variable(("setting",), swept.long_name, unit=swept.unit).attributes()
        values = np.asarray(swept.values)
        coordinates[coordinate(field)] = xr.Variable("setting", values, known | {"field": field})
    attributes = {
        "Conventions": CONVENTIONS,
        "title": sweep.title,
        "schema": SCHEMA,
        "config": json.dumps(sweep.config),
        "swept": json.dumps(list(sweep.swept)),
        "settled_from": sweep.settled_from,
        "fixed": sweep.fixed,
    }
    return xr.Dataset(variables, coordinates, attributes)


def snapshot_dataset(snapshots: Values, axes: Axes) -> xr.Dataset:
    """The Dataset of samples and discriminators of the first seeds, which are those of `axes`."""
    variables = snapshots.described()
    coordinates = _coordinates(axes, variables)
    seeds = coordinates.pop("seed").values
    del coordinates["quantile_level"]
    coordinates["snapshot_seed"] = _coordinate("snapshot_seed", seeds)
    return xr.Dataset(variables, coordinates)


def _coordinates(axes: Axes, variables: Mapping[str, xr.Variable]) -> dict[str, xr.Variable]:
    """A coordinate a dimension whose places have names."""
    used = {dim for variable in variables.values() for dim in variable.dims}
    named = {name: np.asarray(values) for name, values in axes._asdict().items()}
    if "generator_seed" not in used:
        del named["generator_seed"]
    words = {"moment": np.asarray(MOMENTS), "source": np.asarray(SOURCES)}
    named |= {dim: values for dim, values in words.items() if dim in used}
    return {str(name): _coordinate(str(name), values) for name, values in named.items()}


def _coordinate(name: str, values: np.ndarray) -> xr.Variable:
    return xr.Variable(name, values, COORDINATES[name].attributes())
