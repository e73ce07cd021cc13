"""The lines that say how far a sweep is where there is no terminal."""

import time
from unittest import mock

import pytest

from gan1d.system import progress
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


@pytest.mark.parametrize("updates", [0, UPDATES])
def test_a_rate_that_is_not_known_and_no_time_left_are_not_said(updates, capsys):
    """As "0 updates/s, time unknown left" behind a sweep that was over within a second."""
    Lines()(Status(0, 2, updates, UPDATES, 0, "done"))
    assert (
        capsys.readouterr().err
        == f"done: 0/2 runs, 0 diverged, {updates / UPDATES:.0%} of the updates\n"
    )


def test_what_nobody_takes_stops_nothing_and_is_not_tried_again(monkeypatch):
    """As behind `2>&1 | head`, by which training was aborted."""
    tried = []

    def broken(*_):
        tried.append(1)
        raise BrokenPipeError

    monkeypatch.setattr(progress.sys, "stderr", mock.Mock(write=broken, isatty=lambda: False))
    reporter = progress.reporter(UPDATES)
    for doing in ("compiling", "training"):
        reporter(Status(0, 2, 0, UPDATES, 0, doing))
    reporter.close()
    assert len(tried) == 1
