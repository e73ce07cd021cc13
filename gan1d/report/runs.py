"""What tables and figures look at in results: arrays over settings and seeds, and their words."""

import json

import numpy as np
import xarray as xr

from gan1d.report import statistics
from gan1d.results import judge, verdicts
from gan1d.results.schema import CURVE

# In target stds: what tables and comparisons look at besides the threshold of success.
HALF, ONE = 0.5, 1.0


def swept_fields(runs: xr.Dataset) -> list[str]:
    """The dotted names of the swept fields; their values are in `schema.coordinate` of each."""
    return json.loads(runs.attrs["swept"])


def short_name(runs: xr.Dataset, field: str) -> str:
    """A swept field by its last word, with whose it is, or all words, where that is needed."""
    names = [_names(each) for each in swept_fields(runs)]
    own = _names(field)
    tell = [name for name, *others in zip(own, *names, strict=True) if others.count(name) == 1]
    return (tell or own)[0].replace("_", " ")


def _names(field: str) -> tuple[str, str, str]:
    """From the shortest to the longest: `rate`, `D rate` and `discriminator.optimizer.rate`.

    A kind goes by what it is of: `loss` for `loss.kind`.
    """
    words = field.removesuffix(".kind").split(".")
    player = {"generator": "G ", "discriminator": "D "}.get(words[0], "") if words[1:] else ""
    return words[-1], player + words[-1], field


def value_text(value: object) -> str:
    """A field's value in words."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def finished(runs: xr.Dataset) -> np.ndarray:
    """Which runs `[setting, seed]` were trained to their end."""
    return runs.verdict.values != verdicts.UNFINISHED


def survived(runs: xr.Dataset) -> np.ndarray:
    """Which runs `[setting, seed]` finished and did not diverge."""
    return finished(runs) & (runs.verdict.values != verdicts.DIVERGED)


def succeeded(runs: xr.Dataset) -> np.ndarray:
    """Which runs `[setting, seed]` are successes."""
    return runs.verdict.values == verdicts.SUCCESS


def settled_w1(runs: xr.Dataset) -> np.ndarray:
    """The settled W1 in target stds `[setting, seed]`: +inf where diverged, NaN if unfinished."""
    return runs.settled_w1.values.astype(float) / runs.target_std.values[:, None]


def settled(runs: xr.Dataset, name: str) -> np.ndarray:
    """A measure of settled generators `[setting, seed]`: its median over the last tenth."""
    values = runs[name].transpose(*CURVE).values.astype(float)
    return np.median(values[:, :, judge.settled_looks(runs)], axis=-1)


def null_floor(runs: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Median and 95th percentile `[setting]` of the W1 of perfect samplers, in data units.

    NaN where the results don't say.
    """
    if "w1_null" not in runs:
        return np.full(runs.sizes["setting"], np.nan), np.full(runs.sizes["setting"], np.nan)
    median, high = statistics.quantiles(
        runs.w1_null.transpose("replicate", "setting").values, (0.5, 0.95)
    )
    return median, high


def measures(runs: xr.Dataset) -> list[str]:
    """The variables with one number a run and log point, but for w1: whatever metrics there are."""
    found = [str(name) for name in runs.data_vars if runs[name].dims == CURVE]
    return sorted(set(found) - {"w1"})


def approach(runs: xr.Dataset) -> np.ndarray:
    """Over the log points, the share of G's updates that moved the fake centroid to the real one.

    That is, of one update at each log point, whether G's steps brought the mean of D's features of
    generated rows nearer to that of real rows: `[setting, seed]`.
    """
    distance = runs.centroid_distance
    before, after = distance.sel(moment="after D"), distance.sel(moment="after G")
    return (after < before).where(~np.isnan(after)).mean("step").values


class SelectionError(ValueError):
    """A setting or seed that the results do not have, in one line that says what they have."""


def find_setting(runs: xr.Dataset, name: str, option: str = "setting") -> str:
    """The label of the setting that is meant by its label, its number or a part of its label.

    `option` is what a problem is said of.

    Raises:
      SelectionError: none is, or several are.
    """
    labels = runs.setting.values.tolist()
    if name in labels:
        return name
    if name.isdecimal() and 1 <= int(name) <= len(labels):
        return labels[int(name) - 1]
    found = [label for label in labels if name in label]
    if len(found) == 1:
        return found[0]
    which = "several are meant" if found else "there are"
    raise SelectionError(f"{option}={name}: {which}: {listed(runs, found or labels)}")


def listed(runs: xr.Dataset, labels: list[str], most: int = 40) -> str:
    """Settings with their numbers."""
    numbers = {label: i for i, label in enumerate(runs.setting.values.tolist(), 1)}
    more = [f"and {len(labels) - most} more"] if len(labels) > most else []
    return ", ".join([*(f"{numbers[label]} {label!r}" for label in labels[:most]), *more])


def caption(runs: xr.Dataset) -> str:
    """What every table and figure rests on: target, updates, thresholds, seeds, looks."""
    limits = judge.thresholds(runs)
    looks = int(judge.settled_looks(runs).sum())
    structure = f"and structure >= {limits.structure:g} of a perfect sampler's"
    if not judge.judges_structure(runs):
        structure = "(structure was not judged)"
    parts = [
        str(runs.attrs.get("fixed", "")),
        f"{runs.step.values[-1]} updates",
        f"seeds: {runs.sizes['seed']}",
        f"success: W1 <= {limits.success_w1:g} target stds {structure}, medians of {looks} looks "
        f"from update {runs.attrs['settled_from']} on",
    ]
    return "; ".join(part for part in parts if part)
