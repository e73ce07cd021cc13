"""How far a sweep is: a bar on a terminal, a line every ten seconds elsewhere."""

import sys
import time
from typing import NamedTuple

from absl import logging
from tqdm import tqdm

LOG_SECONDS = 10.0


class Status(NamedTuple):
    """A sweep's state between two chunks."""

    runs_done: int
    runs: int
    updates_done: int  # GAN updates, padding not counted
    updates: int
    diverged: int
    doing: str


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
        self._bar = tqdm(
            total=updates, unit=" updates", unit_scale=True, smoothing=0.1, dynamic_ncols=True
        )

    def __call__(self, status: Status) -> None:
        """Move the bar."""
        self._bar.set_description_str(status.doing, refresh=False)
        self._bar.set_postfix_str(
            f"{status.runs_done}/{status.runs} runs, {status.diverged} diverged", refresh=False
        )
        self._bar.update(status.updates_done - self._bar.n)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.close()


class Lines(Silent):
    """A log line every LOG_SECONDS."""

    def __init__(self) -> None:
        """Start the clock."""
        self._logged = time.monotonic()
        self._doing = ""
        self._first = (self._logged, 0)  # time and updates when training began

    def __call__(self, status: Status) -> None:
        """Log the status if it is time to, or if something new is being done."""
        now = time.monotonic()
        if status.doing == self._doing and now - self._logged < LOG_SECONDS:
            return
        self._logged, self._doing = now, status.doing
        if not self._first[1]:
            self._first = (now, status.updates_done)
        rate = (status.updates_done - self._first[1]) / max(now - self._first[0], 1e-9)
        left = (status.updates - status.updates_done) / rate if rate else 0.0
        logging.info(
            "%s: %d/%d runs, %.0f%% of the updates, %.3g updates/s, %s left, %d diverged",
            status.doing,
            status.runs_done,
            status.runs,
            100 * status.updates_done / status.updates,
            rate,
            f"{left:.0f} s" if rate else "time unknown",
            status.diverged,
        )


def reporter(updates: int) -> Silent:
    """A bar where standard error is a terminal, lines where it isn't."""
    return Bar(updates) if sys.stderr.isatty() else Lines()
