"""What results hold: every variable, and the Dataset of a sweep."""

import json
import math
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from gan1d.results import outcomes

SCHEMA = 3
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


# Judged from what is kept of a run, when results are put together.
DERIVED = {
    "first_met": Variable(_RUN, "first log point of a success, -1 for never", np.int32, -1),
    "last_met": Variable(_RUN, "last log point of a success, -1 for never", np.int32, -1),
    "best_step": Variable(_RUN, "log point of the lowest w1, -1 for never", np.int32, -1),
    "outcome": Variable(_RUN, "how the run ended", np.int8, outcomes.UNFINISHED),
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
# Variables that results have only where they make sense.
OPTIONAL = frozenset(
    "high_quality modes residual centroid_distance pretraining_loss "
    "d_initial d_pretrained features".split()
)
MOMENTS = ("before D", "after D", "after G")  # of the update in which features are looked at
SOURCES = ("real", "generated")


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
    outcome = outcomes.classify(
        final_w1=arrays["w1"][:, :, -1],
        final_std=arrays["std"][:, :, -1],
        target_std=target["target_std"][:, None],
        diverged_at=arrays["diverged_at"],
        finished=arrays["finished"],
        collapsed_std=judging["collapsed_std"],
        success_w1=judging["success_w1"],
    )
    met = outcomes.meets_criterion(
        w1=arrays["w1"],
        std=arrays["std"],
        target_std=target["target_std"][:, None, None],
        collapsed_std=judging["collapsed_std"],
        success_w1=judging["success_w1"],
    )
    first, last, best = outcomes.stopping_steps(met, arrays["w1"], np.asarray(coords["step"]))
    judged = {"first_met": first, "last_met": last, "best_step": best, "outcome": outcome}
    variables |= _described(DERIVED, judged)
    meanings = ["unfinished", *(name.replace(" ", "_") for name in outcomes.OUTCOMES)]
    variables["outcome"][2].update(
        flag_values=np.arange(outcomes.UNFINISHED, len(outcomes.OUTCOMES), dtype=np.int8),
        flag_meanings=" ".join(meanings),
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
