"""What all commands share: how they start, their help, and a problem as a line and exit code 2."""

import sys
from collections.abc import Callable

from absl import app, flags

HELP = frozenset({"-h", "-help", "--help"})

Main = Callable[[list[str]], int]


def start(
    module: str,
    main: Main,
    usage: Callable[[], str],
    argv: list[str] | None = None,
    parse: Callable[[list[str]], list[str]] | None = None,
) -> None:
    """Run a command to its end.

    Args:
      module: the name of the module whose flags are the command's.
      main: does what is asked for; returns the exit code.
      usage: what its help says before the flags.
      argv: the command line; None is this process's.
      parse: parses flags; None is `parse_flags`.
    """
    given = sys.argv if argv is None else argv
    if HELP & set(given[1:]):
        print(f"{usage().strip()}\n\nFlags:\n{flags.FLAGS.module_help(sys.modules[module])}")
        sys.exit(0)
    app.run(main, argv=given, flags_parser=parse or parse_flags)


def refuse(problem: str) -> int:
    """Print what is wrong; returns the exit code."""
    print(problem, file=sys.stderr)
    return 2


def parse_flags(argv: list[str]) -> list[str]:
    """Parse flags as absl does, with a problem as one line."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        sys.exit(refuse(str(error).splitlines()[0]))
