"""How far one call to an engine goes, so that the host gets a word in about twice a second."""

import itertools
from collections.abc import Sequence

from gan1d.engines.programs import Leg

CALL_SECONDS = 0.5
FIRST_UPDATES = 16  # of each run, before it is known how long they take
MOST_POINTS = 128  # log points in a call, since it holds what was seen at all of them


class Pace:
    """Finds out how many updates take a call's time."""

    def __init__(self, unit: int):
        """Begin with few updates; `unit` is the engine's."""
        self._unit = unit
        self._updates = max(unit, FIRST_UPDATES)

    def legs(self, done: int, log_steps: Sequence[int]) -> tuple[list[Leg], bool]:
        """The next legs, and whether each of them ends at a log point.

        Args:
          done: how many updates have been made.
          log_steps: the log points that have not been looked at yet; the first may be `done`.
        """
        near = [step for step in log_steps[:MOST_POINTS] if step - done <= self._updates]
        if near:
            return [Leg(a, b - a) for a, b in itertools.pairwise([done, *near])], True
        return [Leg(done, self._updates // self._unit * self._unit)], False

    def took(self, updates: int, seconds: float) -> None:
        """Take note of how long a call took."""
        if updates:
            fitting = int(updates * CALL_SECONDS / max(seconds, 1e-6))
            self._updates = max(fitting, self._unit)
