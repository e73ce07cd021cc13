"""Settings of a sweep compared with one of them, seed by seed."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from gan1d.report import runs as of_runs
from gan1d.report import statistics
from gan1d.report.statistics import Crossing, Difference, Profile, W1Comparison
from gan1d.report.tables import interval, markdown, number
from gan1d.results import judge

THRESHOLDS = 200  # of W1 at which profiles are compared
LOWEST, HIGHEST = 0.1, 2.0  # in target stds: between these, and wherever runs are
LEGEND = (
    "Difference: of the shares of seeds, in points, with Tango's 95% interval;\n"
    "p: McNemar's exact test, corrected for all that are printed (Holm); equivalent within: two "
    "one-sided tests at 5%;\nseeds needed: for a power of 80%, if rates are those seen; W1 ratio: "
    "of the medians."
)


class Compared(NamedTuple):
    """A setting against another one."""

    setting: str
    differences: dict[str, Difference]  # by the criterion in words
    w1: W1Comparison
    profiles: Profile  # the difference of the two, over W1 in target stds
    crossings: list[Crossing]  # where that changes its sign


class Row(NamedTuple):
    """A setting against another one by one criterion, in numbers."""

    setting: str
    criterion: str  # in words
    pairs: int  # seeds that both have finished
    only_it: int  # of which it alone meets the criterion
    only_other: int
    difference: float  # of the shares, with its interval
    low: float
    high: float
    p: float  # corrected for all rows (Holm)
    equivalent_within: float  # a difference of shares
    seeds_needed: float  # for a power of 80%; infinite where the shares are the same
    w1_ratio: float  # of the medians, with its interval
    w1_ratio_low: float
    w1_ratio_high: float


def compare(runs: xr.Dataset, first: str, second: str) -> Compared:
    """Two settings over the seeds that both have finished.

    The same seed sees the same data in both, so this tells apart what separate intervals cannot.

    Raises:
      KeyError: no setting has that name.
      ValueError: there is no such seed.
    """
    of_pair = paired(runs, first, second)
    one, other = w1 = of_runs.settled_w1(of_pair)
    profiles = statistics.profile_difference(one, other, thresholds(w1))
    return Compared(
        first,
        differences(of_pair),
        statistics.compare_w1(one, other),
        profiles,
        statistics.crossings(profiles),
    )


def paired(runs: xr.Dataset, first: str, second: str) -> xr.Dataset:
    """Two settings' runs of the seeds that both have finished.

    Raises:
      KeyError: no setting has that name.
      ValueError: there is no such seed.
    """
    of_pair = runs.sel(setting=[first, second])
    of_pair = of_pair.isel(seed=of_runs.finished(of_pair).all(axis=0))
    if not of_pair.sizes["seed"]:
        raise ValueError(f"there is no seed that both {first!r} and {second!r} have finished")
    return of_pair


def differences(of_pair: xr.Dataset) -> dict[str, Difference]:
    """How often the first of two settings meets each criterion, less the second."""
    met = criteria(of_pair, of_runs.settled_w1(of_pair))
    return {name: statistics.difference(*each) for name, each in met.items()}


def criteria(runs: xr.Dataset, w1: np.ndarray) -> dict[str, np.ndarray]:
    """What runs `[setting, seed]` can meet, by its name in words, from strict to lax.

    Success is at its own threshold of W1 and of structure, the others are of W1 alone.
    """
    success = f"success (<={judge.thresholds(runs).success_w1:g})"
    found = {success: of_runs.succeeded(runs)}
    return found | {f"W1<={limit:g}": w1 <= limit for limit in (of_runs.HALF, of_runs.ONE)}


def thresholds(w1: np.ndarray) -> np.ndarray:
    """Values of W1 in target stds, evenly spread on a logarithmic scale over those that occur.

    What is absurdly large is left out; what verdicts are told apart by is within.
    """
    known = w1[np.isfinite(w1) & (w1 > 0)]
    low, high = known.min(initial=LOWEST), known.max(initial=HIGHEST)
    return np.geomspace(max(low, LOWEST / 1000), min(high, HIGHEST * 1000), THRESHOLDS)


def compare_all(runs: xr.Dataset, against: str) -> list[Compared]:
    """Every other setting against one, but for those that no seed has finished in both."""
    finished = of_runs.finished(runs)
    common = (finished & of_runs.finished(runs.sel(setting=[against]))).any(axis=1)
    labels = runs.setting.values[common].tolist()
    return [compare(runs, label, against) for label in labels if label != against]


def table(runs: xr.Dataset, against: str) -> str:
    """Every other setting against one, as a Markdown table, and what it rests on.

    Raises:
      ValueError: there is no seed that this one and another have finished.
    """
    compared = compare_all(runs, against)
    if not compared:
        raise ValueError(f"there is no seed that {against!r} and another setting have finished")
    left_out = runs.sizes["setting"] - 1 - len(compared)
    crossing = [line for each in compared if (line := crossings(each))]
    return "\n".join(
        [
            markdown(rows(compared)),
            "",
            f"Every setting against {against!r}. {LEGEND}",
            f"{of_runs.caption(runs)}.",
            *([f"Left out, as no seed has finished in both: {left_out}."] if left_out else []),
            *(["", *crossing] if crossing else []),
        ]
    )


def corrected(compared: list[Compared]) -> list[dict[str, float]]:
    """Of each setting the p-value by each criterion, corrected for all of them together (Holm)."""
    p_values = [found.p_exact for each in compared for found in each.differences.values()]
    together = iter(statistics.holm(np.array(p_values)).tolist())
    return [{criterion: next(together) for criterion in each.differences} for each in compared]


def numbers(compared: list[Compared]) -> list[Row]:
    """A row a setting and criterion."""
    return [
        _row(each, criterion, found, p[criterion])
        for each, p in zip(compared, corrected(compared), strict=True)
        for criterion, found in each.differences.items()
    ]


def _row(compared: Compared, criterion: str, found: Difference, p: float) -> Row:
    counts = found.only_first, found.only_second, found.pairs
    return Row(
        setting=compared.setting,
        criterion=criterion,
        pairs=found.pairs,
        only_it=found.only_first,
        only_other=found.only_second,
        difference=found.difference,
        low=found.low,
        high=found.high,
        p=p,
        equivalent_within=statistics.equivalent_within(*counts),
        seeds_needed=statistics.seeds_needed(*counts),
        w1_ratio=compared.w1.ratio,
        w1_ratio_low=compared.w1.ratio_low,
        w1_ratio_high=compared.w1.ratio_high,
    )


def rows(compared: list[Compared]) -> list[dict[str, str]]:
    """The cells of a table with a row a setting and criterion."""
    return [_cells(row) for row in numbers(compared)]


def _cells(row: Row) -> dict[str, str]:
    ratio = (number(each) for each in (row.w1_ratio, row.w1_ratio_low, row.w1_ratio_high))
    return {
        "criterion": row.criterion,
        "pairs": str(row.pairs),
        "only it:only other": f"{row.only_it}:{row.only_other}",
        "difference [95%]": points(row),
        "p": f"{row.p:.2g}",
        "equivalent within": f"{100 * row.equivalent_within:.1f}",
        "seeds needed": "-" if np.isinf(row.seeds_needed) else f"{row.seeds_needed:.0f}",
        "W1 ratio [95%]": interval(*ratio),
        "setting": row.setting,
    }


def points(found: Difference | Row) -> str:
    """A difference of shares in points, with its interval."""
    shares = found.difference, found.low, found.high
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * share for share in shares))


def crossings(compared: Compared) -> str:
    """Where a setting's profile crosses the other one's for sure, in words; "" for nowhere."""
    sure = [each for each in compared.crossings if each.significant]
    if not sure:
        return ""
    places = ", ".join(f"{each.low:.2g} and {each.high:.2g}" for each in sure)
    return (
        f"{compared.setting}: its profile crosses between W1 of {places} target stds, so which is "
        "better depends on the threshold."
    )
