"""What all commands share: how they start, their help, and a problem as a line and exit code 2."""

import contextlib
import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Iterator

from absl import app, flags

HELP = frozenset({"-h", "-help", "--help"})


@dataclasses.dataclass(frozen=True)
class Command:
    """A command, as its module declares it."""

    module: str  # the name of the module whose flags are the command's
    main: Callable[[list[str]], int]  # does what is asked for; returns the exit code
    more_help: Callable[[], str] = str  # behind what the module says of itself
    parse: Callable[[list[str]], list[str]] | None = None  # of flags; None: `parse_flags`

    def start(self, argv: list[str] | None = None) -> None:
        """Run it to its end; `argv` is the command line, None this process's."""
        with read_to_the_end():
            self._run(sys.argv if argv is None else argv)

    def _run(self, given: list[str]) -> None:
        if HELP & set(given[1:]):
            module = sys.modules[self.module]
            said = [module.__doc__ or "", self.more_help(), "Flags:"]
            print("\n".join(text.strip() + "\n" for text in said if text).rstrip())
            print(flags.FLAGS.module_help(module))
            sys.exit(0)
        app.run(self.main, argv=given, flags_parser=self.parse or parse_flags)


@contextlib.contextmanager
def read_to_the_end() -> Iterator[None]:
    """While something is printed: ends the process quietly where nobody reads on."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)


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
