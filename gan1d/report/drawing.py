"""Draws figures, and the report, by all cores: some in this process, some in helpers beside it.

Matplotlib and Bokeh hold the interpreter's lock nearly all the time, so threads would draw no
faster. Helpers take seconds to get ready: who knows early that there will be something to draw
starts them meanwhile (`ready`).
"""

import contextlib
import functools
import importlib
import os
import pickle
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import xarray as xr

from gan1d.report import figures, page
from gan1d.report.figures import FIRST, PLAIN, Look, Mapped
from gan1d.system import hardware

REPORT = "report"  # beside kinds of figures
ITEMS_A_PROCESS = 4  # fewer do not pay for a start

Helper = subprocess.Popen[bytes]
Draw = Callable[[str], list[Path]]
How = tuple[str | None, int | None, Look, Mapped]  # setting, seed, files, and what maps show


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
    how = setting, seed, look, mapped
    draw = functools.partial(_draw, folder, runs, snapshots, summary, how)
    with ready(len(kinds)) as helpers:
        drawn = _shared(draw, kinds, helpers, done)
    return [path for kind in kinds for path in drawn[kind]]


def publish(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    kinds: Sequence[str],
    helpers: Sequence[Helper],
) -> None:
    """Draw figures of these kinds and write the report, here and by helpers that are ready.

    Raises:
      ResultsError: the folder's record is damaged.
      WriteError: something can't be written.
    """
    how = None, None, PLAIN, FIRST
    draw = functools.partial(_draw, folder, runs, snapshots, summary, how)
    _shared(draw, [*kinds, REPORT], helpers)  # helpers take the last first


@contextlib.contextmanager
def ready(items: int, *modules: str) -> Iterator[list[Helper]]:
    """Start as many helpers as it pays for so many items, and end them afterwards.

    Args:
      items: how many figures there will be to draw, and one more for the report.
      modules: what helpers import while they wait, besides what figures need.
    """
    count = max(min(hardware.cores(), items // ITEMS_A_PROCESS) - 1, 0)
    command = [sys.executable, "-m", __name__, *modules]
    with contextlib.ExitStack() as stack:
        helpers = []
        with contextlib.suppress(OSError):  # there may be no room for one; it saves time only
            for _ in range(count):
                helper = subprocess.Popen(
                    command,
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,  # what fails there is tried, and told, here
                    start_new_session=True,  # a Ctrl-C is for this process, which ends that one
                )
                stack.callback(_end, helper)
                helpers.append(helper)
        yield helpers


def _end(helper: Helper) -> None:
    """End a helper, whatever it is doing."""
    helper.kill()
    with contextlib.suppress(BrokenPipeError), helper:  # what was on its way to it
        helper.wait()


def _shared(
    draw: Draw,
    items: Sequence[str],
    helpers: Sequence[Helper],
    done: Callable[[list[Path]], None] = lambda paths: None,
) -> dict[str, list[Path]]:
    """The files of each item: drawn from the first on here, from the last on by helpers."""
    left, drawn = deque(items), dict[str, list[Path]]()

    def note(item: str, paths: list[Path]) -> None:
        drawn[item] = paths
        done(paths)

    def feed(helper: Helper) -> None:
        assert helper.stdin is not None and helper.stdout is not None
        # It has ended before, or in the midst of, a word, or its pipes were closed then.
        ended = BrokenPipeError, EOFError, pickle.UnpicklingError, ValueError
        with contextlib.suppress(*ended):
            pickle.dump(draw, helper.stdin)
            helper.stdin.flush()
            pickle.load(helper.stdout)
            for item in _taken(left.pop):
                pickle.dump(item, helper.stdin)
                helper.stdin.flush()
                note(item, pickle.load(helper.stdout))

    feeders = [threading.Thread(target=feed, args=(helper,), daemon=True) for helper in helpers]
    for feeder in feeders:
        feeder.start()
    for item in _taken(left.popleft):
        note(item, draw(item))
    for feeder in feeders:
        feeder.join()
    # What a helper took and could not draw: here, where errors are told as they always are.
    for item in items:
        if item not in drawn:
            note(item, draw(item))
    return drawn


def _taken(take: Callable[[], str]) -> Iterator[str]:
    """What is left, one after the other, until others have taken the rest."""
    with contextlib.suppress(IndexError):
        while True:
            yield take()


def _draw(
    folder: Path,
    runs: xr.Dataset,
    snapshots: xr.Dataset | None,
    summary: pd.DataFrame,
    how: How,
    item: str,
) -> list[Path]:
    """Draw one kind, or write the report."""
    if item == REPORT:
        return [page.write(folder, runs, snapshots, summary)]
    return figures.draw_all(folder, runs, snapshots, summary, [item], *how)


def _serve(modules: Sequence[str]) -> None:
    """Draw what standard input asks for."""
    for module in modules:
        importlib.import_module(module)
    draw: Draw = pickle.load(sys.stdin.buffer)
    paths: list[Path] = []  # none yet: it is ready
    with contextlib.suppress(EOFError):
        while True:
            pickle.dump(paths, sys.stdout.buffer)
            sys.stdout.flush()
            paths = draw(pickle.load(sys.stdin.buffer))


if __name__ == "__main__":
    _serve(sys.argv[1:])
