"""The lines that say how far a sweep is where there is no terminal."""

import time

import pytest

from gan1d.system.progress import Lines, Status

UPDATES = 1000


@pytest.mark.parametrize("there", [0, 300])
@pytest.mark.parametrize("seconds", [2.0, 20.0])
def test_speed_is_that_of_updates_since_training_began(there, seconds, monkeypatch, capsys):
    """Neither compiling nor what was there before counts, and a training of seconds has one too."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    lines = Lines()
    for moment, updates, doing in (
        (1.0, there, "compiling"),
        (8.0, there, "cohort 1/1"),
        (8.0 + seconds / 2, there + 200, "cohort 1/1"),
        (8.0 + seconds, there + 400, "cohort 1/1"),
        (8.0 + seconds, there + 400, "saving"),
    ):
        now[0] = moment
        lines(Status(0, 2, updates, UPDATES, 0, doing))
    last = capsys.readouterr().err.splitlines()[-1]
    left = (UPDATES - there - 400) * seconds / 400
    assert f"{400 / seconds:.3g} updates/s, {left:.0f} s left" in last
