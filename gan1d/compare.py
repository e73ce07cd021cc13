"""Compares the settings of a sweep with one of them, seed by seed.

    python -m gan1d.compare results/NAME
    python -m gan1d.compare results/NAME --against=LABEL

Prints, for every setting, on how many seeds it alone succeeds and on how many the other one alone,
and the p-value of McNemar's exact test, corrected for the number of settings (Holm 1979).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr
from absl import app, flags

from gan1d import cli, results, stats

_AGAINST = flags.DEFINE_string(
    "against", None, "Label of the setting to compare with; default: the first one declared."
)


def main(argv: Sequence[str]) -> int:
    """Print the table; returns the exit code."""
    if len(argv) != 2:
        return cli.refuse("usage: python -m gan1d.compare results/NAME [--against=LABEL]")
    try:
        runs = results.load(Path(argv[1]))
    except results.ResultsError as error:
        return cli.refuse(str(error))
    labels = runs.setting.values.tolist()
    if len(labels) == 1:
        return cli.refuse(f"{argv[1]}: it has one setting; there is nothing to compare")
    against = labels[0] if _AGAINST.value is None else _AGAINST.value
    if against not in labels:
        return cli.refuse(f"against={against}: there are {', '.join(map(repr, labels))}")
    print(table(runs, against))
    return 0


def table(runs: xr.Dataset, against: str) -> str:
    """Every other setting against one, as a Markdown table."""
    others = [label for label in runs.setting.values.tolist() if label != against]
    compared = [stats.compare(runs, label, against) for label in others]
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


if __name__ == "__main__":
    app.run(main, flags_parser=cli.parse)
