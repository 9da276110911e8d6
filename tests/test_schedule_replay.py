"""Replays: the times of a recording as a schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.pace import NS, Arrivals
from perfcore.workload.schedule import offsets, planned_count

RECORDED = np.array([100, 101, 101, 103, 110]) * NS


def replayed(count: int | None = None, duration_s: float | None = None, speed: float = 1.0) -> list[float]:
    duration_ns = None if duration_s is None else round(duration_s * NS)
    due_ns = offsets(Arrivals("replay", speed=speed), count, duration_ns, 0, RECORDED)
    return [float(due) / NS for due in due_ns]


def test_requests_are_due_at_the_distance_of_the_recording() -> None:
    assert replayed() == [0, 1, 1, 3, 10]


def test_a_speed_brings_them_nearer_together() -> None:
    assert replayed(speed=4.0) == [0, 0.25, 0.25, 0.75, 2.5]


def test_a_longer_run_repeats_the_recording_at_its_mean_rate() -> None:
    assert replayed(12) == [0, 1, 1, 3, 10, 12.5, 13.5, 13.5, 15.5, 22.5, 25, 26]


@pytest.mark.parametrize(
    ("duration_s", "count"), [(None, 5), (1, 1), (1.001, 3), (10, 4), (12.5, 5), (12.6, 6), (26, 11), (27, 13)]
)
def test_a_duration_holds_what_is_due_before_its_end(duration_s: float | None, count: int) -> None:
    duration_ns = None if duration_s is None else round(duration_s * NS)
    assert planned_count(Arrivals("replay"), None, duration_ns, RECORDED) == count
    assert len(replayed(None, duration_s)) == count


def test_times_that_are_all_one_are_a_burst() -> None:
    same = np.full(3, 5 * NS)
    assert offsets(Arrivals("replay"), 4, None, 0, same).tolist() == [0, 0, 0, 0]
    assert planned_count(Arrivals("replay"), None, NS, same) == 3


@given(
    times=st.lists(st.integers(-(10**15), 10**15), min_size=1, max_size=20),
    count=st.integers(1, 60),
    speed=st.floats(0.01, 1000),
)
def test_any_recording_gives_a_schedule_that_begins_at_zero(times: list[int], count: int, speed: float) -> None:
    found = offsets(Arrivals("replay", speed=speed), count, None, 0, np.array(sorted(times)))
    assert (found.size, found[0]) == (count, 0)
    assert (np.diff(found) >= 0).all()


def test_times_that_go_back_are_refused_with_their_row() -> None:
    with pytest.raises(UserError, match="row 3 of the recording is earlier than the one before"):
        offsets(Arrivals("replay"), None, None, 0, np.array([0, 5, 4, 9]))


def test_a_replay_of_centuries_is_refused() -> None:
    with pytest.raises(UserError, match="more than 146 years"):
        offsets(Arrivals("replay", speed=0.001), 2, None, 0, np.array([0, 10**18]))
