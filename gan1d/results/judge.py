"""Runs judged by what is kept of them: their verdicts, by thresholds that can be chosen anew."""

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from gan1d.results import verdicts
from gan1d.results.schema import DERIVED, UNIT, Values
from gan1d.results.verdicts import Scores, Thresholds

# What the structure of a generator is told by, each with what perfect samplers score beside it: by
# its modes where a target has some (and by what lies between wide ones), otherwise by where its
# samples lie and what they cover.
STRUCTURE = ("high_quality", "core", "precision", "coverage")
Arrays = Mapping[str, np.ndarray]


def judged(runs: xr.Dataset) -> xr.Dataset:
    """Runs with the variables of `schema.DERIVED`, by the thresholds in their config.

    W1 becomes infinite from where a run diverged on, so that no median over runs skips it.
    """
    limits = thresholds(runs)
    finished, diverged = runs.finished.values.astype(bool), runs.diverged_at.notnull().values
    lost = finished & diverged
    runs = runs.assign(w1=runs.w1.fillna(np.inf).where(lost[..., None], runs.w1))
    w1 = runs.w1.values
    looks = settled_looks(runs)
    settled = {name: _median(runs[name].values, looks) for name in _measured(runs)}
    scores = _scores(runs, settled, limits)
    met = meets_criterion(runs)
    derived = {
        "verdict": verdicts.classify(
            scores,
            limits,
            diverged=diverged,
            finished=finished,
        ),
        "settled_w1": np.where(lost, np.inf, settled["w1"]),
        "settled_std": settled["generated_std"],
        "settled_structure": scores.structure,
        "sustained_at": verdicts.sustained_at(met, runs.step.values, limits.hold),
        "dead": _is_dead(runs, looks),
        "best_step": _best_step(w1, runs.step.values),
    }
    arrays = {
        name: np.asarray(value, DERIVED[name].dtype)
        for name, value in derived.items()
        if value is not None
    }
    runs = runs.drop_vars([name for name in DERIVED if name in runs])
    runs = runs.assign(Values(DERIVED, arrays).described())
    for name, measure in (("settled_w1", "w1"), ("settled_std", "generated_std")):
        runs[name].attrs |= {UNIT: runs[measure].attrs.get(UNIT, "")}
    runs["verdict"].attrs |= {
        "flag_values": np.arange(verdicts.UNFINISHED, len(verdicts.VERDICTS), dtype=np.int8),
        "flag_meanings": " ".join(["unfinished", *map(verdicts.word, verdicts.VERDICTS)]),
    }
    return runs


def rejudged(runs: xr.Dataset, **changed: float) -> xr.Dataset:
    """Runs judged by other thresholds; nothing is trained again.

    Args:
      runs: as `results.load` gives them.
      changed: of the fields of `Thresholds` those that are to be others.

    Raises:
      ValueError: there is no such threshold, or its value is none.
    """
    unknown = changed.keys() - set(Thresholds._fields)
    if unknown:
        known = ", ".join(Thresholds._fields)
        raise ValueError(f"{min(unknown)}: no such threshold; there are {known}")
    config = json.loads(runs.attrs["config"])
    config["judging"] = config["judging"] | changed
    verdicts.thresholds(config)
    return judged(runs.assign_attrs(config=json.dumps(config)))


def thresholds(runs: xr.Dataset) -> Thresholds:
    """What verdicts on these runs are told apart by."""
    return verdicts.thresholds(json.loads(runs.attrs["config"]))


def settled_looks(runs: xr.Dataset) -> np.ndarray:
    """At which log points `[step]` generators count as settled."""
    return runs.step.values >= runs.attrs["settled_from"]


def meets_criterion(runs: xr.Dataset) -> np.ndarray:
    """Whether each generator would be a success at each log point `[setting, seed, step]`.

    After divergence it never is.
    """
    limits = thresholds(runs)
    arrays = {name: runs[name].values for name in _measured(runs)}
    return verdicts.succeeded(_scores(runs, arrays, limits), limits)


def perfect(runs: xr.Dataset, name: str) -> np.ndarray:
    """What a perfect sampler scores as a rule `[setting]`, the median; NaN where nothing says."""
    if f"{name}_null" not in runs:
        return np.full(runs.sizes["setting"], np.nan)
    return np.median(runs[f"{name}_null"].transpose("setting", "replicate").values, axis=-1)


def judges_structure(runs: xr.Dataset) -> bool:
    """Whether structure decides in any setting: it is known of runs, and of perfect samplers."""
    known = [perfect(runs, name) for name in STRUCTURE if name in runs]
    return any((scores > 0).any() for scores in known)


def _measured(runs: xr.Dataset) -> list[str]:
    """What is known of each log point and decides."""
    names = ("w1", "generated_std", "modes", "mode_mass", *STRUCTURE)
    return [name for name in names if name in runs]


def _median(values: np.ndarray, looks: np.ndarray) -> np.ndarray:
    """Over the settled looks; the first axes are setting, seed and step."""
    return np.median(values[:, :, looks], axis=2)


def _scores(runs: xr.Dataset, values: Arrays, limits: Thresholds) -> Scores:
    """Scores in units that don't depend on the target, of values `[setting, seed, ...]`."""
    shape = values["w1"].shape

    def over_settings(column: np.ndarray) -> np.ndarray:
        return column.reshape(-1, *[1] * (len(shape) - 1))

    target_std = over_settings(runs.target_std.values)
    nothing = np.full(shape, np.nan)
    parts = [
        values[name] / over_settings(_positive(perfect(runs, name)))
        for name in STRUCTURE
        if name in values
    ]
    lost = np.zeros(shape, bool)
    if "mode_mass" in values and {"target_mode_share", "mode_rows"} <= runs.keys():
        share = runs.target_mode_share.transpose("setting", "target_mode").values
        share = share.reshape(len(share), *[1] * (len(shape) - 1), -1)
        rows = over_settings(runs.mode_rows.values)
        lost |= verdicts.modes_are_lost(values["mode_mass"], share, rows, limits.mode_share)
    if "modes" in values and "modes_null" in runs:
        hit = runs.modes_null.transpose("setting", "replicate").values
        lost |= verdicts.too_few_modes(values["modes"], hit)
    return Scores(
        values["w1"] / target_std,
        values["generated_std"] / target_std,
        np.fmin.reduce([nothing, *parts]),
        values.get("high_quality", nothing),
        lost,
        np.broadcast_to(over_settings(_mode_std(runs)), shape) / target_std,
    )


def _positive(scores: np.ndarray) -> np.ndarray:
    """Scores that others can be measured by; NaN where they are 0, so that nothing is said."""
    return np.where(scores > 0, scores, np.nan)


def _mode_std(runs: xr.Dataset) -> np.ndarray:
    """Of each setting's narrowest mode `[setting]`; NaN where nothing says."""
    if "target_mode_std" not in runs:
        return np.full(runs.sizes["setting"], np.nan)
    return runs.target_mode_std.values


def _is_dead(runs: xr.Dataset, looks: np.ndarray) -> np.ndarray | None:
    """Whether neither loss moves any more, over settled looks; None where losses aren't kept.

    Unless it rests where D can't tell real from generated: there a game may have converged.
    """
    if not {"loss_d", "loss_g"} <= runs.keys() or looks.sum() < verdicts.LOOKS:
        return None
    loss_d, loss_g = (runs[name].values[:, :, looks] for name in ("loss_d", "loss_g"))
    frozen = verdicts.is_frozen(loss_d) & verdicts.is_frozen(loss_g)
    return frozen & ~np.isclose(loss_d[:, :, -1], runs.loss_d_rest.values[:, None], rtol=1e-3)


def _best_step(w1: np.ndarray, step: np.ndarray) -> np.ndarray:
    """The log point of the lowest W1 `[setting, seed]`; NaN where there is none."""
    known = np.isfinite(w1)
    return np.where(known.any(-1), step[np.where(known, w1, np.inf).argmin(-1)], np.nan)
