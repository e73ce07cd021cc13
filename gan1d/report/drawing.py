"""Draws figures by all cores: some in this process, some in helpers beside it.

Matplotlib holds the interpreter's lock nearly all the time, so threads would draw no faster.
"""

import contextlib
import functools
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from gan1d.report import figures
from gan1d.report.figures import FIRST, PLAIN, Look, Mapped
from gan1d.system import hardware

KINDS_A_PROCESS = 4  # fewer do not pay for a start

Draw = Callable[[list[str]], list[Path]]


class Drawn(dict[str, list[Path]]):
    """The files of each kind; `done` is told of them as they are entered."""

    def __init__(self, done: Callable[[list[Path]], None]):
        """Of none yet."""
        super().__init__()
        self._done = done

    def __setitem__(self, kind: str, paths: list[Path]) -> None:
        """A kind is drawn."""
        super().__setitem__(kind, paths)
        self._done(paths)


def draw_all(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    kinds: Sequence[str] | None = None,
    setting: str | None = None,
    seed: int | None = None,
    look: Look = PLAIN,
    mapped: Mapped = FIRST,
    done: Callable[[list[Path]], None] = lambda paths: None,
) -> list[Path]:
    """As `figures.draw_all` does, in less time where there are several cores.

    `done` is told of the files of each kind when they are written.

    Raises:
      SelectionError: there is no such setting, or no snapshots of that seed.
      WriteError: a figure can't be written.
    """
    kinds = list(dict.fromkeys(figures.stills() if kinds is None else kinds))
    draw: Draw = functools.partial(
        figures.draw_all,
        folder,
        runs,
        snapshots,
        summary,
        setting=setting,
        seed=seed,
        look=look,
        mapped=mapped,
    )
    drawn = Drawn(done)
    left = iter(kinds)  # the next one goes to whoever is free
    with contextlib.ExitStack() as stack:
        for _ in range(min(hardware.cores(), len(kinds) // KINDS_A_PROCESS) - 1):
            stack.enter_context(_helper(draw, left, drawn))
        for kind in left:
            drawn[kind] = draw([kind])
    # What a helper took and could not draw: here, where errors are told as they always are.
    for kind in kinds:
        if kind not in drawn:
            drawn[kind] = draw([kind])
    return [path for kind in kinds for path in drawn[kind]]


@contextlib.contextmanager
def _helper(draw: Draw, left: Iterator[str], drawn: Drawn) -> Iterator[None]:
    """A process that draws kinds until none are left."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what fails there is tried, and told, here
        start_new_session=True,  # a Ctrl-C is for this process, which then ends that one
    )
    with process:
        feeder = threading.Thread(target=_feed, args=(process, draw, left, drawn), daemon=True)
        feeder.start()
        try:
            yield
            feeder.join()
        except BaseException:
            process.kill()
            raise


def _feed(
    process: "subprocess.Popen[bytes]",
    draw: Draw,
    left: Iterator[str],
    drawn: Drawn,
) -> None:
    """Tell a process how to draw, and then one kind after the other, when it is ready for it."""
    assert process.stdin is not None and process.stdout is not None
    ended = BrokenPipeError, EOFError, pickle.UnpicklingError  # before, or in the midst of, a word
    with contextlib.suppress(*ended), process.stdin as to:
        pickle.dump(draw, to)
        to.flush()
        pickle.load(process.stdout)
        for kind in left:
            pickle.dump(kind, to)
            to.flush()
            drawn[kind] = pickle.load(process.stdout)


def _serve() -> None:
    """Draw what standard input asks for."""
    draw: Draw = pickle.load(sys.stdin.buffer)
    paths: list[Path] = []  # none yet: it is ready
    with contextlib.suppress(EOFError):
        while True:
            pickle.dump(paths, sys.stdout.buffer)
            sys.stdout.flush()
            paths = draw([pickle.load(sys.stdin.buffer)])


if __name__ == "__main__":
    _serve()
