"""How far calls to an engine go: everywhere, in order, and neither too far nor in tiny steps."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from gan1d.pace import CALL_SECONDS, MOST_POINTS, Pace


def calls(log_steps, unit, update_seconds):
    """The calls of a whole training in which every update takes as long."""
    pace, done, ahead = Pace(unit), 0, list(log_steps)
    while ahead:
        legs, looking = pace.legs(done, ahead)
        yield legs, looking
        if looking:
            del ahead[: len(legs)]
        done = legs[-1].first + legs[-1].count
        updates = sum(leg.count for leg in legs)
        pace.took(updates, updates * update_seconds)


@given(
    st.lists(st.integers(1, 3000), max_size=200),
    st.sampled_from([1, 7, 250]),
    st.sampled_from([1e-6, 1e-3, 10.0]),
)
def test_legs_reach_every_log_point_without_a_gap(spans, unit, update_seconds):
    log_steps = [0, *itertools.accumulate(spans)]
    reached, done = [], 0
    for legs, looking in calls(log_steps, unit, update_seconds):
        for leg in legs:
            assert leg.first == done and (leg.count or leg.first == 0)
            done += leg.count
        if looking:
            reached += [leg.first + leg.count for leg in legs]
            assert len(legs) <= MOST_POINTS
        else:
            assert len(legs) == 1 and legs[0].count % unit == 0
    assert reached == log_steps


def test_calls_take_about_as_long_as_they_should():
    """10,000 updates of 2 ms: but for the first call, 250 at a time."""
    counts = [sum(leg.count for leg in legs) for legs, _ in calls([0, 10_000], 1, 0.002)]
    assert counts[1] < 250 and set(counts[2:-1]) == {int(CALL_SECONDS / 0.002)}
    many = [sum(leg.count for leg in legs) for legs, _ in calls(range(0, 10_001, 10), 1, 0.002)]
    assert set(many[1:-1]) == {int(CALL_SECONDS / 0.002)}


def test_an_update_that_takes_longer_than_a_call_is_made_alone():
    counts = [sum(leg.count for leg in legs) for legs, _ in calls([0, 40], 1, 10.0)]
    assert counts[2:] == [1] * (40 - sum(counts[:2]))
