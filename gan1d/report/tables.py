"""One row a setting: what became of its runs, with intervals; as a frame and as text."""

import numpy as np
import pandas as pd
import xarray as xr

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.results import judge, verdicts
from gan1d.results.schema import coordinate

# What a reader wants to know of the record of a sweep, before all of it.
PROVENANCE = (
    "data command overrides started finished seconds cohorts block_size devices machines versions "
    "python git source platform host processor"
).split()
SPREAD = {"q10": 0.1, "q25": 0.25, "q75": 0.75, "q90": 0.9}


def summary(ds: xr.Dataset) -> pd.DataFrame:
    """One row a setting, judged by its settled generators; best success rate first, then W1.

    The columns: the setting, its number (as declared, from 1) and its swept fields; `runs`,
    `finished`; of every verdict its count, its rate among finished runs and the rate's interval; of
    the same runs `within_half_*` and `beyond_one_*`, W1 within half a target std and beyond one,
    `collapsed_beyond_one_*`, those of the collapsed that are not on the target, `sustained_*`,
    success that held for long at some time, and `dead_*`, frozen losses. `w1_*` in target stds,
    diverged runs at +inf; `structure_*`, over a perfect sampler's; `std_ratio_*`, the generator's
    std over the target's, of the `std_ratio_n` runs that did not diverge. Of the same: on the line
    `mean_error_*`, the distance of the generator's mean from the target's in target stds; `NAME_*`
    of each of `runs.measures`; where features were followed, `approach_*`, the mean of
    `runs.approach` and its interval. Then `rank_low` and `rank_high`, by success rate, and the null
    floor `w1_null_median`, `w1_null_95` in target stds. Intervals (`low`, `high`) are at 95%, `q10`
    and the like are quantiles over seeds.
    """
    w1, verdict = of_runs.settled_w1(ds), ds.verdict.values
    finished, survived = of_runs.finished(ds), of_runs.survived(ds)
    settled = {name: of_runs.settled(ds, name) for name in of_runs.measures(ds)}
    std_ratio = ds.settled_std.values / ds.target_std.values[:, None]
    null = [floor / ds.target_std.values for floor in of_runs.null_floor(ds)]
    off_centre, approach = _off_centre(ds, settled), None
    if "centroid_distance" in ds:
        approach = of_runs.approach(ds)
    low, high = _ranks(ds)
    held = {
        "within_half": w1 <= of_runs.HALF,
        "beyond_one": w1 > of_runs.ONE,
        "collapsed_beyond_one": (verdict == verdicts.COLLAPSED) & (w1 > of_runs.ONE),
        "sustained": ~np.isnan(ds.sustained_at.values),
    }
    if "dead" in ds:
        held["dead"] = ds.dead.values > 0
    structure = ds.settled_structure.values
    swept = {name: ds[name].values for name in map(coordinate, of_runs.swept_fields(ds))}
    rows = []
    for i, setting in enumerate(ds.setting.values.tolist()):
        of_finished, alive = finished[i], survived[i]
        row: dict[str, object] = {"setting": setting, "number": i + 1}
        row |= {name: values[i] for name, values in swept.items()}
        row |= {"runs": of_finished.size, "finished": _count(of_finished)}
        for code, name in enumerate(verdicts.VERDICTS):
            row |= _rate(verdicts.word(name), verdict[i, of_finished] == code)
        for name, mask in held.items():
            row |= _rate(name, mask[i, of_finished])
        row |= _spread("w1", w1[i, of_finished])
        row |= _spread("structure", structure[i, alive])
        row |= _spread("std_ratio", std_ratio[i, alive]) | {"std_ratio_n": _count(alive)}
        if off_centre is not None:
            row |= _spread("mean_error", off_centre[i, alive])
        for name, values in settled.items():
            row |= _spread(name, values[i, alive])
        if approach is not None:
            row |= _mean("approach", approach[i, alive])
        row |= {"rank_low": low[i], "rank_high": high[i]}
        row |= {"w1_null_median": null[0][i], "w1_null_95": null[1][i]}
        rows.append(row)
    frame = pd.DataFrame(rows)
    order = ["success_rate", "w1_median"]  # sorting by several columns is stable
    return frame.sort_values(order, ascending=[False, True], ignore_index=True)


def _ranks(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """The rank interval of each setting by its success rate, over the seeds that all finished."""
    common = of_runs.finished(ds).all(axis=0)
    nothing = np.full(ds.sizes["setting"], np.nan)
    if common.sum() < 2 or ds.sizes["setting"] < 2:
        return nothing, nothing
    success = of_runs.succeeded(ds)[:, common].astype(float)
    found = statistics.ranks(success, statistics.success_rate, highest=True)
    return found.low.astype(float), found.high.astype(float)


def _count(mask: np.ndarray) -> int:
    return int(np.count_nonzero(mask))


def _rate(name: str, mask: np.ndarray) -> dict[str, float]:
    """A count, its rate among `[run]` and the rate's interval, as columns."""
    count, total = _count(mask), mask.size
    low, high = statistics.wilson_interval(np.array(count), np.array(total))
    rate = count / total if total else np.nan
    return {
        name: count,
        f"{name}_rate": rate,
        f"{name}_low": float(low),
        f"{name}_high": float(high),
    }


def _spread(name: str, values: np.ndarray) -> dict[str, float]:
    """Quantiles of `[run]` and the median's interval, as columns; what is NaN is left out.

    A single run has no quantiles but a median.
    """
    values = values[~np.isnan(values)]
    several = values if len(values) > 1 else values[:0]
    found = dict(zip(SPREAD, statistics.quantiles(several, tuple(SPREAD.values())), strict=True))
    low, high = statistics.median_interval(values)
    found |= {"median": statistics.median(values), "low": low, "high": high}
    return {f"{name}_{column}": float(value) for column, value in found.items()}


def _off_centre(ds: xr.Dataset, settled: dict[str, np.ndarray]) -> np.ndarray | None:
    """How far generators are beside the target, in target stds `[setting, seed]`; on the line."""
    if "generated_mean" not in settled or "target_mean" not in ds:
        return None
    distance = np.abs(settled["generated_mean"] - ds.target_mean.values[:, None])
    return distance / ds.target_std.values[:, None]


def _mean(name: str, values: np.ndarray) -> dict[str, float]:
    """The mean of `[run]` and its interval, as columns."""
    low, high = statistics.mean_interval(values)
    mean = float(values.mean()) if len(values) else np.nan
    return {f"{name}_mean": mean, f"{name}_low": low, f"{name}_high": high}


def percent(rate: float) -> str:
    """A rate in percent; some is never shown as none, nor most as all."""
    if np.isnan(rate):
        return "-"
    if 0 < rate < 0.005:
        return "<1"
    if 0.995 < rate < 1:
        return ">99"
    return f"{100 * rate:.0f}"


def number(value: float) -> str:
    """A number to three digits, "-" for none."""
    return "-" if np.isnan(value) else f"{value:.3g}"


def interval(value: str, low: str, high: str) -> str:
    """A value and its 95% interval, which alone stands in square brackets."""
    return value if "-" in (value, low, high) else f"{value} [{low}, {high}]"


def rows(frame: pd.DataFrame, ds: xr.Dataset) -> list[dict[str, str]]:
    """The cells of a summary's table, a row a setting."""
    success = f"success (W1<={number(judge.thresholds(ds).success_w1)}) % [95%]"
    return [_cells(row, success) for _, row in frame.iterrows()]


def _cells(row: pd.Series, success: str) -> dict[str, str]:
    of_success = [percent(row[f"success_{part}"]) for part in ("rate", "low", "high")]
    failures = ("modes_lost", "blurred", "collapsed", "diverged")
    quantiles = [number(row[f"w1_{part}"]) for part in ("q10", "median", "q90")]
    ranks = "-" if np.isnan(row.rank_low) else f"[{row.rank_low:.0f}, {row.rank_high:.0f}]"
    return {
        "#": str(row.number),
        "n": str(row.finished),
        success: interval(*of_success),
        "rank": ranks,
        "W1<=.5 %": percent(row.within_half_rate),
        "W1>1 %": percent(row.beyond_one_rate),
        "lost/blurred/collapsed/diverged %": "/".join(
            percent(row[f"{name}_rate"]) for name in failures
        ),
        "sustained %": percent(row.sustained_rate),
        "W1 at (10, 50, 90)%": quantiles[1] if "-" in quantiles else f"({', '.join(quantiles)})",
        "structure": number(row.structure_median),
        "setting": row.setting,  # last: it alone may be wider than a terminal has room for
    }


def _range(values: pd.Series) -> str:
    low, high = number(values.min()), number(values.max())
    return low if low == high else f"{low} to {high}"


def legend(frame: pd.DataFrame, ds: xr.Dataset) -> str:
    """What a summary's table is of, and how it is to be read."""
    runs, finished = frame.runs.sum(), frame.finished.sum()
    unfinished = f" ({runs - finished} unfinished, not counted)" if finished < runs else ""
    dead = f"; dead, their losses frozen: {frame.dead.sum()}" if "dead" in frame else ""
    return (
        f"Settings: {len(frame)}; runs: {runs}{unfinished}{dead}. {of_runs.caption(ds)}.\n"
        "[low, high] are 95% intervals, (...) quantiles over seeds. W1 is in target stds, inf "
        "where diverged.\nSustained: success held for long at some time. Structure: the median, "
        "over a perfect sampler's. Rank: by success, 95%.\n"
        f"A perfect sampler's W1: median {_range(frame.w1_null_median)}, "
        f"95th percentile {_range(frame.w1_null_95)}."
    )


def markdown(rows: list[dict[str, str]]) -> str:
    """Rows of the same cells as a Markdown table that is aligned on a terminal as well.

    All cells are aligned to the right but for the last column's, and at least two wide: the rule
    below a header is no rule without a dash.
    """
    *numeric, last = rows[0]
    widths = {name: max(2, len(name), *(len(row[name]) for row in rows)) for name in numeric}
    header = [f"{name:>{width}}" for name, width in widths.items()]
    rule = ["-" * (width - 1) + ":" for width in widths.values()]
    lines = [[*header, last], [*rule, "-" * len(last)]]
    lines += [[*(f"{row[n]:>{w}}" for n, w in widths.items()), row[last]] for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def table(frame: pd.DataFrame, ds: xr.Dataset, most: int = 40) -> str:
    """A summary as a Markdown table, and what it rests on.

    Of more than `most` settings the best are shown, and how many others there are is said.
    """
    text = markdown(rows(frame.head(most), ds))
    if len(frame) > most:
        text += f"\n\nThe {most} best of {len(frame)} settings; summary.csv has all of them."
    return f"{text}\n\n{legend(frame, ds)}"


def in_a_line(value: object) -> str:
    """Plain data of a record in one line."""
    if isinstance(value, list):
        return "; ".join(dict.fromkeys(map(in_a_line, value))) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_a_line(entry)}" for name, entry in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
