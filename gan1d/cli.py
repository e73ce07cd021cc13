"""What the small commands share: a problem is one line on stderr and exit code 2."""

import sys

from absl import flags


def refuse(problem: str) -> int:
    """Print what is wrong; returns the exit code."""
    print(problem, file=sys.stderr)
    return 2


def parse(argv: list[str]) -> list[str]:
    """Parse flags as absl does, with a problem as one line."""
    try:
        return flags.FLAGS(argv)
    except flags.Error as error:
        sys.exit(refuse(str(error).splitlines()[0]))
