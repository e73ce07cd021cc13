"""Something to be measured, and what it took."""

from collections.abc import Callable
from typing import NamedTuple


class Seconds(NamedTuple):
    """What one measurement took."""

    training: float
    judging: float = 0.0
    rest: float = 0.0  # initial weights, and results as arrays


class Trial(NamedTuple):
    """Something compiled, to be measured again and again."""

    runs: int
    steps: int
    log_points: int  # that are judged
    compile_seconds: float | None
    measure: Callable[[], Seconds]
