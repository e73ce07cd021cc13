"""Two settings of a sweep compared seed by seed."""

from typing import NamedTuple

import numpy as np
import scipy.stats
import xarray as xr

from gan1d.results import outcomes


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
    finished = (outcome[0] != outcomes.UNFINISHED) & (outcome[1] != outcomes.UNFINISHED)
    success = [values[finished] == outcomes.SUCCESS for values in outcome]
    only_first = int((success[0] & ~success[1]).sum())
    only_second = int((success[1] & ~success[0]).sum())
    differing = only_first + only_second
    test = scipy.stats.binomtest(only_first, differing) if differing else None
    p_value = float(test.pvalue) if test else 1.0
    return Comparison(only_first, only_second, p_value, int(finished.sum()))


def table(runs: xr.Dataset, against: str) -> str:
    """Every other setting against one, as a Markdown table."""
    others = [label for label in runs.setting.values.tolist() if label != against]
    compared = [compare(runs, label, against) for label in others]
    corrected = holm(np.array([comparison.p_value for comparison in compared]))
    header = (
        f"| seeds | succeeds where {against} does not | the reverse | p | corrected | setting |"
    )
    rows = [
        f"| {c.seeds} | {c.only_first} | {c.only_second} | {c.p_value:.2g} | {p:.2g} | {label} |"
        for label, c, p in zip(others, compared, corrected, strict=True)
    ]
    return "\n".join([header, "| ---: | ---: | ---: | ---: | ---: | --- |", *rows])


def holm(p_values: np.ndarray) -> np.ndarray:
    """p-values `[test]` corrected for their number, by Holm's step-down procedure (1979)."""
    order = np.argsort(p_values)
    factors = len(p_values) - np.arange(len(p_values))
    corrected = np.empty_like(p_values)
    corrected[order] = np.minimum(np.maximum.accumulate(p_values[order] * factors), 1)
    return corrected
