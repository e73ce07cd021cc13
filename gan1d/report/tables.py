"""One row a setting: what became of its runs, with intervals; as a frame and as text."""

import json

import numpy as np
import pandas as pd
import xarray as xr

from gan1d.report import statistics
from gan1d.results import outcomes
from gan1d.results.schema import CURVE


def w1_with_divergence(ds: xr.Dataset) -> np.ndarray:
    """W1 `[setting, seed, step]`: +inf from where a run has diverged, NaN for unfinished runs."""
    diverged = (ds.outcome.values == outcomes.DIVERGED)[:, :, None]
    return np.where(diverged & np.isnan(ds.w1.values), np.inf, ds.w1.values)


def null_floor(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Median and 95th percentile `[setting]` of W1 between the target and real samples.

    The samples are as many as the generator is judged by: below this floor, a generator cannot be
    told from a perfect one. NaN where the results don't say.
    """
    if "w1_null" not in ds:
        return np.full(ds.sizes["setting"], np.nan), np.full(ds.sizes["setting"], np.nan)
    median, high = statistics.quantiles(
        ds.w1_null.transpose("replicate", "setting").values, (0.5, 0.95)
    )
    return median, high


def measures(ds: xr.Dataset) -> list[str]:
    """The variables with one number a run and log point, but for w1: whatever metrics there are."""
    return sorted(str(name) for name in ds.data_vars if name != "w1" and ds[name].dims == CURVE)


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    """Median, quartiles and the median's interval of `[run]`, as columns."""
    median, q25, q75 = statistics.quantiles(values, (0.5, 0.25, 0.75))
    low, high = statistics.median_interval(values)
    columns = {"median": median, "q25": q25, "q75": q75, "low": low, "high": high}
    return {f"{name}_{column}": value for column, value in columns.items()}


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def _rate(name: str, count: int, total: int) -> dict[str, float]:
    """A count, its rate and the rate's interval, as columns."""
    low, high = statistics.wilson_interval(np.array(count), np.array(total))
    rate = count / total if total else np.nan
    return {
        name: count,
        f"{name}_rate": rate,
        f"{name}_low": float(low),
        f"{name}_high": float(high),
    }


def _rates(outcome: np.ndarray) -> dict[str, float]:
    """Count, rate and the rate's interval of every outcome among the finished runs `[run]`."""
    columns: dict[str, float] = {}
    for code, label in enumerate(outcomes.OUTCOMES):
        columns |= _rate(outcomes.word(label), _count(outcome == code), outcome.size)
    return columns


def summary(ds: xr.Dataset) -> pd.DataFrame:
    """One row a setting, judged at the last log point; best success rate first, then lowest W1.

    The columns: the setting and its swept fields; `runs`, `finished`; of every outcome its count,
    its rate among finished runs and the rate's interval; `ever_*`, the same of the runs that met
    the criterion of success at some log point; `w1_*`, where diverged runs are +inf;
    `std_ratio_*`, the generator's std over the target's, of the `std_ratio_n` runs that did not
    diverge. Of the same: on the line `mean_error_*`, the distance of the generator's mean from the
    target's in the target's stds; `NAME_*` of each of `measures`, among them `d_flatness_*`, the
    mean of |D - 1/2| over the target, and `loss_d_*` and `loss_g_*`, the losses since the last log
    point but one; where features were followed, `approach_*`, the mean of `approach` and its
    interval. At the end the null floor `w1_null_median`, `w1_null_95`. Intervals (`low`, `high`)
    are at 95%.
    """
    outcome = ds.outcome.values
    w1 = w1_with_divergence(ds)[:, :, -1]
    final = {name: ds[name].values[:, :, -1].astype(float) for name in measures(ds)}
    std_ratio = final["generated_std"] / ds.target_std.values[:, None]
    ever = ds.first_met.values >= 0
    null_median, null_high = null_floor(ds)
    swept = json.loads(ds.attrs["swept"])
    rows = []
    for i, setting in enumerate(ds.setting.values):
        finished = outcome[i] != outcomes.UNFINISHED
        survived = finished & (outcome[i] != outcomes.DIVERGED)
        row: dict[str, object] = {"setting": str(setting)}
        row |= {field: ds[field].values[i] for field in swept}
        row |= {"runs": finished.size, "finished": _count(finished)}
        row |= _rates(outcome[i, finished])
        row |= _rate("ever", _count(ever[i, finished]), _count(finished))
        row |= _spread("w1", w1[i, finished])
        row |= _spread("std_ratio", std_ratio[i, survived])
        row |= {"std_ratio_n": _count(survived)}
        row |= _off_centre(ds.isel(setting=i, seed=survived))
        for name, values in final.items():
            row |= _spread(name, values[i, survived])
        row |= _approach(ds.isel(setting=i, seed=survived))
        row |= {"w1_null_median": null_median[i], "w1_null_95": null_high[i]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    order = ["success_rate", "w1_median"]  # sorting by several columns is stable
    return frame.sort_values(order, ascending=[False, True], ignore_index=True)


def approach(ds: xr.Dataset) -> np.ndarray:
    """Over the log points, the share of G's updates that moved the fake centroid to the real one.

    That is, of one update at each log point, whether G's steps brought the mean of D's features of
    generated rows nearer to that of real rows: `[setting, seed]`.
    """
    distance = ds.centroid_distance
    before, after = distance.sel(moment="after D"), distance.sel(moment="after G")
    return (after < before).where(~np.isnan(after)).mean("step").values


def _off_centre(ds: xr.Dataset) -> dict[str, float]:
    """How far one setting's final generators are beside the target, as columns."""
    curve = ("seed", "step")
    if not {"generated_mean", "target_mean"} <= ds.keys() or ds.generated_mean.dims != curve:
        return {}
    distance = np.abs(ds.generated_mean.values[:, -1] - ds.target_mean.values)
    error = distance / ds.target_std.values
    return _spread("mean_error", error)


def _approach(ds: xr.Dataset) -> dict[str, float]:
    """The mean over runs of `approach` and its interval, as columns."""
    if "centroid_distance" not in ds:
        return {}
    shares = approach(ds)
    low, high = statistics.mean_interval(shares)
    mean = float(shares.mean()) if len(shares) else np.nan
    return {"approach_mean": mean, "approach_low": low, "approach_high": high}


def _percent(rate: float) -> str:
    """A rate in percent; some is never shown as none, nor most as all."""
    if np.isnan(rate):
        return "-"
    if 0 < rate < 0.005:
        return "<1"
    if 0.995 < rate < 1:
        return ">99"
    return f"{100 * rate:.0f}"


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.3g}"


def _bracketed(value: str, low: str, high: str) -> str:
    return value if "-" in (value, low, high) else f"{value} [{low}, {high}]"


def _cells(row: pd.Series) -> dict[str, str]:
    success = [_percent(row[f"success_{part}"]) for part in ("rate", "low", "high")]
    w1 = [_number(row[f"w1_{part}"]) for part in ("median", "low", "high")]
    std_ratio = [_number(row[f"std_ratio_{part}"]) for part in ("median", "q25", "q75")]
    return {
        "success % [95%]": _bracketed(*success),
        "ever %": _percent(row.ever_rate),
        "collapsed %": _percent(row.collapsed_rate),
        "off target %": _percent(row.off_target_rate),
        "diverged %": _percent(row.diverged_rate),
        "W1 [95%]": _bracketed(*w1),
        "std ratio [quartiles]": _bracketed(*std_ratio),
        "setting": row.setting,  # last: it alone may be wider than a terminal has room for
    }


def _range(values: pd.Series) -> str:
    low, high = _number(values.min()), _number(values.max())
    return low if low == high else f"{low} to {high}"


def _legend(frame: pd.DataFrame) -> str:
    runs, finished = frame.runs.sum(), frame.finished.sum()
    unfinished = f" ({runs - finished} unfinished, not counted)" if finished < runs else ""
    return (
        f"Settings: {len(frame)}; runs: {runs}{unfinished}.\n"
        "Ever: at some log point the run would have been a success. "
        "W1 and std ratio (generator / target) are medians over seeds; "
        "a diverged run's W1 is inf, its std ratio left out.\n"
        f"Null floor, the W1 of as many real samples: median {_range(frame.w1_null_median)}, "
        f"95th percentile {_range(frame.w1_null_95)}."
    )


def table(frame: pd.DataFrame, most: int = 40) -> str:
    """A summary as a Markdown table that is aligned on a terminal as well, and what it rests on.

    Of more than `most` settings the best are shown, and how many others there are is said.
    """
    rows = [_cells(row) for _, row in frame.head(most).iterrows()]
    *numeric, setting = rows[0]
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in numeric}
    header = [f"{name:>{width}}" for name, width in widths.items()]
    rule = ["-" * (width - 1) + ":" for width in widths.values()]
    lines = [[*header, setting], [*rule, "-" * len(setting)]]
    lines += [[*(f"{row[n]:>{w}}" for n, w in widths.items()), row[setting]] for row in rows]
    text = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    if len(frame) > most:
        text += f"\n\nThe {most} best of {len(frame)} settings; summary.csv has all of them."
    return f"{text}\n\n{_legend(frame)}"
