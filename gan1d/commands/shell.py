"""What all commands share: how they start, their help, and problems as lines and exit codes."""

import contextlib
import dataclasses
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import NoReturn

from absl import app, flags

from gan1d.commands.streams import Stream
from gan1d.config.fields import ConfigError
from gan1d.gan.targets.files import DataError
from gan1d.system import signals

INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)  # exit codes
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
        with printing():
            self._run(sys.argv if argv is None else argv)

    def _run(self, given: list[str]) -> None:
        if HELP & set(given[1:]):
            module = sys.modules[self.module]
            said = [module.__doc__ or "", self.more_help(), "Flags:"]
            print("\n".join(text.strip() + "\n" for text in said if text).rstrip())
            print(flags.FLAGS.module_help(module))
            sys.exit(0)
        main = functools.partial(run, self.main)
        app.run(main, argv=given, flags_parser=self.parse or parse_flags)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """While something is printed: what can't be told stops nothing, and is said at the end."""
    out, err = Stream(sys.stdout), Stream(sys.stderr)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    except KeyboardInterrupt:  # before there is anything to be cleared up
        sys.exit(128 + signal.SIGINT)
    except SystemExit as stop:
        if stop.code in INTERRUPTED:  # Python would wait for threads that compile
            out.flush()
            os._exit(stop.code)
        raise
    finally:
        out.flush()
        if out.error is not None:
            _say_that_output_is_lost(out.error)


def _say_that_output_is_lost(error: OSError) -> NoReturn:
    """End a process whose standard output could not be written."""
    if sys.__stdout__ is not None:  # what is left in its buffer is written again when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno())
    if isinstance(error, BrokenPipeError):  # whoever reads has enough, as `head` has
        sys.exit(128 + signal.SIGPIPE)
    print(f"gan1d: what was printed is lost ({error.strerror})", file=sys.stderr)
    sys.exit(1)


def run(main: Callable[[list[str]], int], argv: list[str]) -> int:
    """Call a command's main function; what users can bring about is a line and an exit code.

    These are 2 for what was asked for, 1 for what went wrong, and 128 + N for signal N.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return main(argv)
    except (ConfigError, DataError) as error:
        fail(str(error))
    except (ValueError, OSError) as error:
        from gan1d.results import ResultsError, WriteError

        if isinstance(error, ResultsError):
            fail(str(error))
        if not isinstance(error, WriteError):
            raise
        print(f"gan1d: {error}", file=sys.stderr)
        return 1
    except MemoryError as error:
        print(f"gan1d: out of memory ({error}); train smaller blocks", file=sys.stderr)
        return 1
    except KeyboardInterrupt as stop:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # schedulers send it more than once
        print("gan1d: interrupted", file=sys.stderr)
        return _exit_code(stop)


def _terminate(number: int, _: object) -> None:
    raise signals.Stopped(number)


def _exit_code(stop: KeyboardInterrupt) -> int:
    number = stop.number if isinstance(stop, signals.Stopped) else signal.SIGINT
    return 128 + number


def fail(message: str) -> NoReturn:
    """Say what is wrong, and exit with code 2."""
    for line in message.splitlines():
        print(f"gan1d: {line}", file=sys.stderr)
    sys.exit(2)


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
