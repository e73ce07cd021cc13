"""The command `gan1d`: what can be done with sweeps and their results.

    gan1d run sweep                           train a sweep; the same as python -m gan1d.main
    gan1d fields [WORD ...]                   what a config can set, or what of it words name
    gan1d draw results/NAME                   draw figures and animations again
    gan1d report results/NAME                 write report.html again: all of it as one page
    gan1d compare results/NAME                compare settings with one of them, seed by seed
    gan1d effects results/NAME                what each swept factor does, alone and with another
    gan1d games results/NAME                  how games of two numbers ended, beside their theory
    gan1d intervals                           two Gaussians against two intervals: dynamics
    gan1d path results/NAME                   the way to where players ended, and eigenvalues there
    gan1d samples results/NAME --to=FILE      new samples of a generator that was trained
    gan1d results verify results/NAME         verify, describe (info), export or rejudge results
    gan1d bench                               measure the engines on this machine
    gan1d launch local sweep --shards=8       train a sweep in shards, here or by Slurm

Each has a --help of its own.
"""

import importlib
import sys

from gan1d.commands import shell

COMMANDS = {
    "run": "gan1d.main",
    "fields": "gan1d.commands.fields",
    "draw": "gan1d.commands.draw",
    "report": "gan1d.commands.report",
    "compare": "gan1d.commands.compare",
    "effects": "gan1d.commands.effects",
    "games": "gan1d.commands.games",
    "intervals": "gan1d.commands.intervals",
    "path": "gan1d.commands.path",
    "samples": "gan1d.commands.samples",
    "results": "gan1d.commands.results",
    "bench": "gan1d.bench.__main__",
    "launch local": "launch.local",
    "launch slurm": "launch.slurm",
}


def main() -> None:
    """Hand over to the command that is named first, in one word or two."""
    given = sys.argv[1:] or ["--help"]
    name = next((each for k in (2, 1) if (each := " ".join(given[:k])) in COMMANDS), given[0])
    rest = given[len(name.split()) :]
    if name in ("-h", "--help", "--helpfull", "help"):
        with shell.printing():
            print((__doc__ or "").strip())
        return
    if name not in COMMANDS:
        sys.exit(shell.refuse(f"gan1d: {name}: there are {', '.join(COMMANDS)}"))
    command: shell.Command = importlib.import_module(COMMANDS[name]).COMMAND
    command.start([f"gan1d {name}", *rest])


if __name__ == "__main__":
    main()
