"""Says what each swept factor does to success, and what two of them do together.

    python -m gan1d effects results/NAME

Prints the main effects and two-way interactions of a sweep whose settings are a product of swept
fields, as contrasts by seed with 95% intervals, at three thresholds.
"""

from pathlib import Path

from gan1d import results
from gan1d.commands import shell
from gan1d.report import effects


def main(argv: list[str]) -> int:
    """Print the table; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d effects results/NAME")
    try:
        print(effects.table(results.load(Path(argv[1]))))
    except results.ResultsError as error:
        return shell.refuse(str(error))
    except ValueError as error:
        return shell.refuse(f"{argv[1]}: {error}")
    return 0


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
