"""Signals that ask to stop: taken note of, and acted on where nothing is lost by it."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from gan1d.system import progress

Handler = Callable[[int, FrameType | None], object] | signal.Handlers
DEFAULTS: dict[signal.Signals, Handler] = {
    signal.SIGINT: signal.default_int_handler,
    signal.SIGTERM: signal.SIG_DFL,
}


class Stopped(KeyboardInterrupt):
    """A signal asked to stop; `number` is the signal's."""

    def __init__(self, number: int):
        """Keep the signal's number."""
        super().__init__(f"signal {number}")
        self.number = number


class Attentive(progress.Silent):
    """A reporter that also stops the sweep, between two calls, once a signal has been noted.

    An exception raised by a signal handler comes up wherever Python happens to be, and is lost
    where that is a callback of the garbage collector, such as JAX has.
    """

    def __init__(self, inner: progress.Silent, noted: list[int]):
        """Keep what is told, and the signals that have been noted so far."""
        self._inner, self._noted = inner, noted

    def __call__(self, status: progress.Status) -> None:
        """Pass the status on.

        Raises:
          Stopped: a signal has been noted.
        """
        if self._noted:
            number = self._noted[0]
            self._noted.clear()
            raise Stopped(number)
        self._inner(status)

    def close(self) -> None:
        """Clear up."""
        self._inner.close()


@contextlib.contextmanager
def noted() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of acting on them; what is left at the end is raised.

    So results are written whole even if a second signal comes meanwhile.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received  # signals don't reach other threads
        return
    held = tuple(DEFAULTS)
    handlers = [signal.signal(number, lambda number, _: received.append(number)) for number in held]
    try:
        yield received
    finally:
        for number, handler in zip(held, handlers, strict=True):
            # None: it was not set by Python, which can't set it again.
            signal.signal(number, DEFAULTS[number] if handler is None else handler)
    if received:
        raise Stopped(received[0])
