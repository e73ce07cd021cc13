"""Compares the settings of a sweep with one of them, seed by seed.

    python -m gan1d compare results/NAME
    python -m gan1d compare results/NAME --against=SETTING

Prints, for every setting and at three thresholds, on how many seeds it alone succeeds and on how
many the other one alone, the difference with its interval, a corrected p-value, within what the two
are equivalent, how many seeds would be needed, the ratio of their W1, and where their profiles
cross. A setting is named by its label, by a part of it, or by its number.
"""

from pathlib import Path

from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.report import comparisons
from gan1d.report.runs import SelectionError, find_setting

_AGAINST = flags.DEFINE_string(
    "against", "1", "The setting to compare with: its label, a part of it, or its number."
)


def main(argv: list[str]) -> int:
    """Print the table; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d compare results/NAME [--against=SETTING]")
    try:
        runs = results.load(Path(argv[1]))
        if runs.sizes["setting"] == 1:
            return shell.refuse(f"{argv[1]}: it has one setting; there is nothing to compare")
        print(comparisons.table(runs, find_setting(runs, _AGAINST.value, "against")))
    except (results.ResultsError, SelectionError, ValueError) as error:
        return shell.refuse(str(error))
    return 0


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
