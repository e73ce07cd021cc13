"""How far calls to an engine go: everywhere, in order, and neither too far nor in tiny steps."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.sweep.call_length import CALL_SECONDS, FASTER, FIRST_UPDATES, MOST_POINTS, CallLength


def calls(log_steps, update_seconds, point_seconds=0.0):
    """The calls of a whole training in which all updates, and all log points, take as long."""
    call_length, done, ahead = CallLength(), 0, list(log_steps)
    while ahead:
        spans, judging = call_length.spans(done, ahead)
        yield spans, judging
        if judging:
            del ahead[: len(spans)]
        done = spans[-1].first + spans[-1].count
        updates = sum(span.count for span in spans)
        call_length.took(spans, updates * update_seconds, len(spans) * point_seconds * judging)


@given(
    st.lists(st.integers(1, 3000), max_size=200),
    st.sampled_from([1e-6, 1e-3, 10.0]),
    st.sampled_from([0.0, 1e-3, 10.0]),
)
def test_spans_reach_every_log_point_without_a_gap(gaps, update_seconds, point_seconds):
    log_steps = [0, *itertools.accumulate(gaps)]
    reached, done = [], 0
    for spans, judging in calls(log_steps, update_seconds, point_seconds):
        for span in spans:
            assert span.first == done and (span.count or span.first == 0)
            done += span.count
        if judging:
            reached += [span.end for span in spans]
            assert len(spans) <= MOST_POINTS
        else:
            assert len(spans) == 1
    assert reached == log_steps


def counts(*training):
    return [sum(span.count for span in spans) for spans, _ in calls(*training)]


def test_calls_take_about_as_long_as_they_should():
    """10,000 updates of 2 ms, looked at in the end or often: 250 a call, but for the first ones."""
    once = counts([0, 10_000], 0.002, 0.001)
    assert once[1] < 250 and set(once[2:-1]) == {int(CALL_SECONDS / 0.002)}
    often = counts(range(0, 10_001, 10), 0.002, 0.001)
    assert set(often[3:-1]) == {230}  # 23 log points: 0.46 + 0.023 s


@pytest.mark.parametrize("log_every", [1, 100])
def test_costly_log_points_are_not_heaped_up(log_every):
    """Of 0.2 s each, after updates that cost nothing."""
    for spans, judging in calls(range(0, 1001, log_every), 1e-6, 0.2):
        assert not judging or len(spans) <= 2


def test_an_update_that_takes_longer_than_a_call_is_made_alone():
    made = counts([0, 40], 10.0)
    assert made[2:] == [1] * (40 - sum(made[:2]))


def test_a_clock_that_stands_still_does_not_make_a_call_endless():
    made = counts([0, 10**6], 0.0)
    # The first call may look at once, and make no update.
    assert len(made) > 4
    assert all(b <= FASTER * max(a, FIRST_UPDATES) for a, b in itertools.pairwise(made))
