"""How far calls to an engine go: everywhere, in order, and neither too far nor in tiny steps."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gan1d.sweep.call_length import CALL_SECONDS, FASTER, FIRST_UPDATES, MOST_POINTS, CallLength


def calls(log_steps, unit, update_seconds, point_seconds=0.0):
    """The calls of a whole training in which all updates, and all log points, take as long."""
    call_length, done, ahead = CallLength(unit), 0, list(log_steps)
    while ahead:
        legs, looking = call_length.legs(done, ahead)
        yield legs, looking
        if looking:
            del ahead[: len(legs)]
        done = legs[-1].first + legs[-1].count
        updates = sum(leg.count for leg in legs)
        call_length.took(legs, updates * update_seconds, len(legs) * point_seconds * looking)


@given(
    st.lists(st.integers(1, 3000), max_size=200),
    st.sampled_from([1, 7, 250]),
    st.sampled_from([1e-6, 1e-3, 10.0]),
    st.sampled_from([0.0, 1e-3, 10.0]),
)
def test_legs_reach_every_log_point_without_a_gap(spans, unit, update_seconds, point_seconds):
    log_steps = [0, *itertools.accumulate(spans)]
    reached, done = [], 0
    for legs, looking in calls(log_steps, unit, update_seconds, point_seconds):
        for leg in legs:
            assert leg.first == done and (leg.count or leg.first == 0)
            done += leg.count
        if looking:
            reached += [leg.first + leg.count for leg in legs]
            assert len(legs) <= MOST_POINTS
        else:
            assert len(legs) == 1 and legs[0].count % unit == 0
    assert reached == log_steps


def counts(*training):
    return [sum(leg.count for leg in legs) for legs, _ in calls(*training)]


def test_calls_take_about_as_long_as_they_should():
    """10,000 updates of 2 ms, looked at in the end or often: 250 a call, but for the first ones."""
    once = counts([0, 10_000], 1, 0.002, 0.001)
    assert once[1] < 250 and set(once[2:-1]) == {int(CALL_SECONDS / 0.002)}
    often = counts(range(0, 10_001, 10), 1, 0.002, 0.001)
    assert set(often[3:-1]) == {230}  # 23 log points: 0.46 + 0.023 s


@pytest.mark.parametrize("log_every", [1, 100])
def test_costly_log_points_are_not_heaped_up(log_every):
    """Of 0.2 s each, after updates that cost nothing."""
    for legs, looking in calls(range(0, 1001, log_every), 1, 1e-6, 0.2):
        assert not looking or len(legs) <= 2


def test_an_update_that_takes_longer_than_a_call_is_made_alone():
    made = counts([0, 40], 1, 10.0)
    assert made[2:] == [1] * (40 - sum(made[:2]))


def test_a_clock_that_stands_still_does_not_make_a_call_endless():
    made = counts([0, 10**6], 1, 0.0)
    # The first call may look at once, and make no update.
    assert len(made) > 4
    assert all(b <= FASTER * max(a, FIRST_UPDATES) for a, b in itertools.pairwise(made))
