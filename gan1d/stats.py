"""What became of each run, intervals over seeds, and the table that compares settings.

numpy and scipy only. A diverged run counts as the worst possible (W1 = +inf) and is never dropped;
so quantiles over runs are order statistics: nothing lies between a finite value and +inf.
"""

import json
from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy.special
import scipy.stats
import xarray as xr

OUTCOMES = ("success", "off target", "collapsed", "diverged")
SUCCESS, OFF_TARGET, COLLAPSED, DIVERGED = range(len(OUTCOMES))
UNFINISHED = -1

TAILS = (0.025, 0.975)  # of every 95% interval here
Z = scipy.stats.norm.ppf(TAILS[1])


def classify(
    *,
    final_w1: np.ndarray,
    final_std: np.ndarray,
    target_std: np.ndarray,
    diverged_at: np.ndarray,
    finished: np.ndarray,
    collapsed_std: float,
    success_w1: float,
) -> np.ndarray:
    """The one outcome of each run `[setting, seed]`: an index into OUTCOMES, or UNFINISHED.

    Diverged, else collapsed (std < collapsed_std * target_std), else a success
    (w1 <= success_w1 * target_std), else off target.

    Args:
      final_w1: W1 to the target after the last update `[setting, seed]`.
      final_std: the generator's standard deviation after the last update `[setting, seed]`.
      target_std: `[setting, 1]`.
      diverged_at: the update that first gave a non-finite value, -1 for never `[setting, seed]`.
      finished: whether the run was trained to its end `[setting, seed]`.
      collapsed_std: in units of the target's standard deviation.
      success_w1: in units of the target's standard deviation.

    Raises:
      ValueError: a run that finished and did not diverge has a non-finite W1 or standard deviation,
        or a target's standard deviation is not a positive number.
    """
    if not np.all(np.isfinite(target_std) & (np.asarray(target_std) > 0)):
        raise ValueError("outcomes need targets of positive and finite standard deviation")
    finished = np.asarray(finished, bool)
    diverged = np.asarray(diverged_at) >= 0
    nonfinite = ~(np.isfinite(final_w1) & np.isfinite(final_std))
    lost = np.count_nonzero(finished & ~diverged & nonfinite)
    if lost:
        raise ValueError(
            f"{lost} runs finished without diverging, yet their W1 or std is non-finite"
        )
    conditions = {
        UNFINISHED: ~finished,
        DIVERGED: diverged,
        COLLAPSED: final_std < collapsed_std * target_std,
        SUCCESS: final_w1 <= success_w1 * target_std,
    }
    return np.select(list(conditions.values()), list(conditions), OFF_TARGET).astype(np.int8)


def meets_criterion(
    *,
    w1: np.ndarray,
    std: np.ndarray,
    target_std: np.ndarray,
    collapsed_std: float,
    success_w1: float,
) -> np.ndarray:
    """Whether a generator would pass as a success, elementwise; NaN, after divergence, never does.

    The same criterion as in `classify`, at any log point.
    """
    return (w1 <= success_w1 * target_std) & (std >= collapsed_std * target_std)


def stopping_steps(
    met: np.ndarray, w1: np.ndarray, step: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The log points at which runs first and last met the criterion and had their lowest W1.

    What early stopping by the similarity of the two distributions (AYLIEN 2016) could have used, to
    the resolution of the log points.

    Args:
      met: `[setting, seed, step]`.
      w1: `[setting, seed, step]`, NaN where there is none.
      step: `[step]`.

    Returns:
      Three arrays `[setting, seed]`; -1 where there is no such log point.
    """
    ever = met.any(-1)
    first = np.where(ever, step[met.argmax(-1)], -1)
    last = np.where(ever, step[met.shape[-1] - 1 - met[..., ::-1].argmax(-1)], -1)
    known = ~np.isnan(w1)
    best = np.where(known.any(-1), step[np.where(known, w1, np.inf).argmin(-1)], -1)
    return first.astype(np.int32), last.astype(np.int32), best.astype(np.int32)


def wilson_interval(count: np.ndarray, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95% score interval of a proportion, elementwise; without any run it is [0, 1].

    (k + z^2/2 -+ z sqrt(k (n - k) / n + z^2/4)) / (n + z^2) for k of n (Wilson 1927).
    """
    count, total = np.asarray(count, float), np.asarray(total, float)
    centre = count + Z**2 / 2
    half = Z * np.sqrt(count * (total - count) / np.maximum(total, 1) + Z**2 / 4)
    low, high = (centre - half) / (total + Z**2), (centre + half) / (total + Z**2)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)


def quantiles(values: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """Order statistics x_(ceil(n p)) over the first axis, `[run, ...]` -> `[level, ...]`.

    Never interpolated, so +inf is a value like any other; without any run they are NaN.
    """
    ordered = np.sort(np.asarray(values, float), axis=0)
    count = len(ordered)
    if count == 0:
        return np.full((len(levels), *ordered.shape[1:]), np.nan)
    # The subtraction undoes rounding such as 0.07 * 100 = 7.000000000000001.
    ranks = np.ceil(np.asarray(levels) * count - 1e-9).astype(int)
    return ordered[np.maximum(ranks, 1) - 1]


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% percentile bootstrap interval of the median of `[run]`, without resampling.

    A resample's median is its k-th smallest of n, k = ceil(n / 2), whose distribution is known:
    P(median* <= x_(j)) = P(Binomial(n, j / n) >= k) (Efron 1979). NaN for fewer than two runs: the
    bootstrap of a single run would claim certainty.
    """
    ordered = np.sort(values)
    count = len(ordered)
    if count < 2:
        return np.nan, np.nan
    share = np.arange(1, count + 1) / count
    distribution = scipy.special.bdtrc((count + 1) // 2 - 1, count, share)
    low, high = ordered[np.searchsorted(distribution, TAILS)]
    return float(low), float(high)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95% t interval of the mean of `[run]` (Student 1908); NaN for fewer than two runs."""
    count = len(values)
    if count < 2:
        return np.nan, np.nan
    half = scipy.stats.t.ppf(TAILS[1], count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def w1_with_divergence(ds: xr.Dataset) -> np.ndarray:
    """W1 `[setting, seed, step]`: +inf from where a run has diverged, NaN for unfinished runs."""
    diverged = (ds.outcome.values == DIVERGED)[:, :, None]
    return np.where(diverged & np.isnan(ds.w1.values), np.inf, ds.w1.values)


def null_floor(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Median and 95th percentile `[setting]` of W1 between the target and real samples.

    The samples are as many as the generator is judged by: below this floor, a generator cannot be
    told from a perfect one.
    """
    median, high = quantiles(ds.w1_null.transpose("replicate", "setting").values, (0.5, 0.95))
    return median, high


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    """Median, quartiles and the median's interval of `[run]`, as columns."""
    median, q25, q75 = quantiles(values, (0.5, 0.25, 0.75))
    low, high = median_interval(values)
    columns = {"median": median, "q25": q25, "q75": q75, "low": low, "high": high}
    return {f"{name}_{column}": value for column, value in columns.items()}


def _rate(name: str, count: int, total: int) -> dict[str, float]:
    """A count, its rate and the rate's interval, as columns."""
    low, high = wilson_interval(count, total)
    rate = count / total if total else np.nan
    return {
        name: count,
        f"{name}_rate": rate,
        f"{name}_low": float(low),
        f"{name}_high": float(high),
    }


def _rates(outcome: np.ndarray) -> dict[str, float]:
    """Count, rate and the rate's interval of every outcome among the finished runs `[run]`."""
    columns = {}
    for code, label in enumerate(OUTCOMES):
        columns |= _rate(label.replace(" ", "_"), np.count_nonzero(outcome == code), outcome.size)
    return columns


def summary(ds: xr.Dataset) -> pd.DataFrame:
    """One row a setting, judged at the last log point; best success rate first, then lowest W1.

    The columns: the setting and its swept fields; `runs`, `finished`; of every outcome its count,
    its rate among finished runs and the rate's interval; `ever_*`, the same of the runs that met
    the criterion of success at some log point; `w1_*`, where diverged runs are +inf;
    `std_ratio_*`, the generator's std over the target's, of the `std_ratio_n` runs that did not
    diverge. Of the same: on the line `mean_error_*`, the distance of the generator's mean from the
    target's in the target's stds; `d_flatness_*`, the mean of |D - 1/2| over the target; `loss_d_*`
    and `loss_g_*`, the losses since the last log point but one; where features were followed,
    `approach_*`, the mean of `approach` and its interval. At the end the null floor
    `w1_null_median`, `w1_null_95`. Intervals (`low`, `high`) are at 95%.
    """
    outcome = ds.outcome.values
    w1 = w1_with_divergence(ds)[:, :, -1]
    std_ratio = ds["std"].values[:, :, -1] / ds.target_std.values[:, None]
    flatness = ds.d_flatness.values[:, :, -1]
    ever = ds.first_met.values >= 0
    null_median, null_high = null_floor(ds)
    swept = json.loads(ds.attrs["swept"])
    rows = []
    for i, setting in enumerate(ds.setting.values):
        finished = outcome[i] != UNFINISHED
        survived = finished & (outcome[i] != DIVERGED)
        rows.append(
            {"setting": str(setting)}
            | {field: ds[field].values[i] for field in swept}
            | {"runs": finished.size, "finished": np.count_nonzero(finished)}
            | _rates(outcome[i, finished])
            | _rate("ever", np.count_nonzero(ever[i, finished]), np.count_nonzero(finished))
            | _spread("w1", w1[i, finished])
            | _spread("std_ratio", std_ratio[i, survived])
            | {"std_ratio_n": np.count_nonzero(survived)}
            | _off_centre(ds.isel(setting=i, seed=survived))
            | _spread("d_flatness", flatness[i, survived])
            | _spread("loss_d", ds.loss_d.values[i, survived, -1])
            | _spread("loss_g", ds.loss_g.values[i, survived, -1])
            | _approach(ds.isel(setting=i, seed=survived))
            | {"w1_null_median": null_median[i], "w1_null_95": null_high[i]}
        )
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
    if "dim" in ds["mean"].dims:
        return {}
    error = np.abs(ds["mean"].values[:, -1] - ds.target_mean.values) / ds.target_std.values
    return _spread("mean_error", error)


def _approach(ds: xr.Dataset) -> dict[str, float]:
    """The mean over runs of `approach` and its interval, as columns."""
    if "centroid_distance" not in ds:
        return {}
    shares = approach(ds)
    low, high = mean_interval(shares)
    mean = float(shares.mean()) if len(shares) else np.nan
    return {"approach_mean": mean, "approach_low": low, "approach_high": high}


class Comparison(NamedTuple):
    """Two settings seed by seed."""

    only_first: int  # seeds on which only the first setting succeeds
    only_second: int
    p_value: float  # two-sided
    seeds: int  # that both have finished


def compare(ds: xr.Dataset, first: str, second: str) -> Comparison:
    """Whether one setting succeeds on more seeds than another: McNemar's exact test (1947).

    The same seed sees the same data in both, so this tells apart what separate intervals cannot.
    Only seeds that both have finished count. Many pairs of one sweep are many tests: mind the
    p-values.

    Raises:
      KeyError: no setting has that name.
    """
    outcome = [ds.outcome.sel(setting=name).values for name in (first, second)]
    finished = (outcome[0] != UNFINISHED) & (outcome[1] != UNFINISHED)
    success = [values[finished] == SUCCESS for values in outcome]
    only_first = int((success[0] & ~success[1]).sum())
    only_second = int((success[1] & ~success[0]).sum())
    differing = only_first + only_second
    test = scipy.stats.binomtest(only_first, differing) if differing else None
    p_value = float(test.pvalue) if test else 1.0
    return Comparison(only_first, only_second, p_value, int(finished.sum()))


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
