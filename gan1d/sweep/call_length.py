"""How far one call to an engine goes, so that the host gets a word in about twice a second."""

import itertools
from collections.abc import Sequence

from gan1d.engines.programs import Span

CALL_SECONDS = 0.5
FIRST_UPDATES = 16  # of each run, before it is known how long they take
FASTER = 16  # times that a call may seem than the one before: a clock can stand still
MOST_POINTS = 128  # log points in a call, since it holds what was seen at all of them


class CallLength:
    """Finds out how many updates, and log points, take a call's time."""

    def __init__(self) -> None:
        """Begin with few updates and one log point."""
        self._update_seconds = CALL_SECONDS / FIRST_UPDATES
        self._point_seconds = CALL_SECONDS

    def spans(self, done: int, log_steps: Sequence[int]) -> tuple[list[Span], bool]:
        """The next spans, and whether each of them ends at a log point.

        Args:
          done: how many updates have been made.
          log_steps: the log points at which runs have not been judged yet; the first may be `done`.
        """
        most = max(1, int(CALL_SECONDS / self._update_seconds))
        if log_steps[0] - done > most:
            return [Span(done, most)], False
        near = [log_steps[0]]
        for points, step in enumerate(log_steps[1:MOST_POINTS], 2):
            if (step - done) * self._update_seconds + points * self._point_seconds > CALL_SECONDS:
                break
            near.append(step)
        return [Span(a, b - a) for a, b in itertools.pairwise([done, *near])], True

    def took(self, spans: Sequence[Span], training: float, judging: float) -> None:
        """Take note of how many seconds a call took for updates and, if it judged, for judging."""
        updates = sum(span.count for span in spans)
        if updates:
            self._update_seconds = max(training / updates, self._update_seconds / FASTER)
        if judging:
            self._point_seconds = max(judging / len(spans), self._point_seconds / FASTER)
