"""Writes report.html: a results folder as one page that is read in a browser, from the disk.

    python -m gan1d report results/NAME

In it are the question and the answer in words; the table of settings, to be sorted and filtered;
every run as a dot, and of the one that is chosen its curves and what its generator makes, as a
film where snapshots were kept; profiles, effects and differences with their intervals; config and
provenance. Everything is within the file: it loads nothing, and can be sent or archived as it is.
A sweep writes it by itself, unless --nofigures is given.
"""

from pathlib import Path

from gan1d import results
from gan1d.commands import shell
from gan1d.report import page, tables


def main(argv: list[str]) -> int:
    """Write the report and print its path; returns the exit code."""
    if len(argv) != 2:
        return shell.refuse("usage: python -m gan1d report results/NAME")
    folder = Path(argv[1])
    try:
        runs, snapshots = results.read(folder)
        print(page.write(folder, runs, snapshots, tables.summary(runs)))
    except (results.ResultsError, results.WriteError) as error:
        return shell.refuse(str(error))
    return 0


COMMAND = shell.Command(__name__, main)

if __name__ == "__main__":
    COMMAND.start()
