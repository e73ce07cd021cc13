"""How far a sweep is: a bar on a terminal, a line every ten seconds elsewhere."""

import contextlib
import importlib.util
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tqdm.std import tqdm

LINE_SECONDS = 10.0


class Status(NamedTuple):
    """A sweep's state between two calls to an engine."""

    runs_done: int
    runs: int
    updates_done: int  # GAN updates
    updates: int
    diverged: int | None  # None: not known
    doing: str

    @property
    def runs_text(self) -> str:
        """How many runs are done, and how many have diverged."""
        diverged = "" if self.diverged is None else f", {self.diverged} diverged"
        return f"{self.runs_done}/{self.runs} runs{diverged}"


class Silent:
    """Reports nothing."""

    def __call__(self, status: Status) -> None:
        """Take note of the sweep's status."""

    def close(self) -> None:
        """Clear up."""


class Bar(Silent):
    """A tqdm bar on standard error, in GAN updates, with runs done and diverged so far."""

    def __init__(self, updates: int):
        """Open the bar."""
        self._new = True
        self._bar = _tqdm()(
            total=updates, unit=" updates", unit_scale=True, smoothing=0.1, dynamic_ncols=True
        )

    def __call__(self, status: Status) -> None:
        """Move the bar."""
        if self._new:  # what was there before took no time
            self._bar.initial = self._bar.n = self._bar.last_print_n = status.updates_done
            self._new = False
        self._bar.set_description_str(status.doing, refresh=False)
        self._bar.set_postfix_str(status.runs_text, refresh=False)
        self._bar.update(status.updates_done - self._bar.n)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


class Lines(Silent):
    """A line on standard error every LINE_SECONDS."""

    def __init__(self) -> None:
        """Start the clock."""
        self._printed = time.monotonic()
        self._doing = ""
        self._began = (self._printed, -1)  # when the first updates began, and how many were there

    def __call__(self, status: Status) -> None:
        """Print the status if it is time to, or if something new is being done."""
        now = time.monotonic()
        if self._began[1] in (-1, status.updates_done):
            self._began = (now, status.updates_done)
        if status.doing == self._doing and now - self._printed < LINE_SECONDS:
            return
        self._printed, self._doing = now, status.doing
        rate = (status.updates_done - self._began[1]) / max(now - self._began[0], 1e-9)
        left = status.updates - status.updates_done
        speed = f", {rate:.3g} updates/s" if rate else ""
        seconds = f", {left / rate:.0f} s left" if rate and left else ""
        print(
            f"{status.doing}: {status.runs_text}, "
            f"{status.updates_done / status.updates:.0%} of the updates{speed}{seconds}",
            file=sys.stderr,
            flush=True,
        )


class Unheard(Silent):
    """A reporter that goes silent where it can't be heard: a closed pipe, a full disk."""

    def __init__(self, inner: Silent):
        """Keep what is told."""
        self._inner = inner

    def __call__(self, status: Status) -> None:
        """Pass the status on."""
        try:
            self._inner(status)
        except OSError:
            self._inner = Silent()

    def close(self) -> None:
        """Clear up."""
        with contextlib.suppress(OSError):
            self._inner.close()


def _tqdm() -> type["tqdm"]:
    """A bar of widgets in a notebook that has them, of text elsewhere."""
    # Here, as widgets are slow to import, and lines need no bar.
    if _in_notebook() and importlib.util.find_spec("ipywidgets"):
        return importlib.import_module("tqdm.notebook").tqdm
    return importlib.import_module("tqdm.std").tqdm


def _in_notebook() -> bool:
    return "ipykernel" in sys.modules


def reporter(updates: int) -> Silent:
    """A bar, with how long it will yet take, on a terminal and in a notebook; lines elsewhere."""
    on_screen = sys.stderr.isatty() or _in_notebook()
    return Unheard(Bar(updates) if on_screen else Lines())
