"""Compares the settings of a sweep with one of them, seed by seed.

    python -m gan1d compare results/NAME
    python -m gan1d compare results/NAME --against=LABEL

Prints, for every setting, on how many seeds it alone succeeds and on how many the other one alone,
and the p-value of McNemar's exact test, corrected for the number of settings (Holm 1979).
"""

from pathlib import Path

from absl import flags

from gan1d import results
from gan1d.commands import shell
from gan1d.report import comparisons

_AGAINST = flags.DEFINE_string(
    "against", None, "Label of the setting to compare with; default: the first one declared."
)


def main(argv: list[str]) -> int:
    """Print the table; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d compare results/NAME [--against=LABEL]")
    try:
        runs = results.load(Path(argv[1]))
    except results.ResultsError as error:
        return shell.refuse(str(error))
    labels = runs.setting.values.tolist()
    if len(labels) == 1:
        return shell.refuse(f"{argv[1]}: it has one setting; there is nothing to compare")
    against = labels[0] if _AGAINST.value is None else _AGAINST.value
    if against not in labels:
        return shell.refuse(f"against={against}: there are {', '.join(map(repr, labels))}")
    print(comparisons.table(runs, against))
    return 0


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
