"""Requests in flight, against a twin that looks at every nanosecond."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.analysis import inflight

# (sent, length) of some requests on a clock of few ticks, so that times coincide often.
FLIGHTS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), min_size=1, max_size=12)


def times(flights: list[tuple[int, int]]) -> tuple[inflight.Times, inflight.Times]:
    sent = np.array([start for start, _ in flights], dtype=np.int64)
    return sent, sent + np.array([length for _, length in flights], dtype=np.int64)


def slow(flights: list[tuple[int, int]], tick: int) -> int:
    """Requests in flight during one tick."""
    return sum(start <= tick < start + length for start, length in flights)


@given(FLIGHTS)
def test_peak_is_that_of_every_tick(flights: list[tuple[int, int]]) -> None:
    assert inflight.peak(*times(flights)) == max(slow(flights, tick) for tick in range(31))


@given(FLIGHTS, st.integers(0, 15), st.integers(1, 15))
def test_mean_is_that_of_every_tick(flights: list[tuple[int, int]], start: int, length: int) -> None:
    expected = sum(slow(flights, tick) for tick in range(start, start + length)) / length
    assert inflight.mean(*times(flights), start, start + length) == pytest.approx(expected)


@given(FLIGHTS, st.integers(0, 15), st.integers(1, 15))
def test_peak_of_a_window_is_that_of_its_ticks(flights: list[tuple[int, int]], start: int, length: int) -> None:
    expected = max(slow(flights, tick) for tick in range(start, start + length))
    assert inflight.peak_within(*times(flights), start, start + length) == expected


@given(FLIGHTS)
def test_means_of_steps_are_the_means_of_each(flights: list[tuple[int, int]]) -> None:
    edges = np.array([0.0, 3.0, 4.0, 11.0, 31.0])
    expected = [inflight.mean(*times(flights), int(a), int(b)) for a, b in pairwise(edges)]
    assert inflight.means(*times(flights), edges) == pytest.approx(expected)


def test_held_is_from_the_filling_to_the_last_sending() -> None:
    # 0..10, 2..10 fill two slots at 2; the next is sent at 14 and the last at 20. In [2, 20): 8 + 8 + 6 = 22 of 18.
    sent, end = np.array([0, 2, 14, 20]), np.array([10, 10, 25, 30])
    assert inflight.filled_ns(sent, end, 2) == 2
    assert inflight.held(sent, end, 2) == pytest.approx(22 / 18)


def test_level_that_was_never_reached_was_not_held() -> None:
    assert inflight.held(np.array([0, 1]), np.array([5, 5]), 3) is None


def test_nothing_in_flight() -> None:
    none = np.array([], dtype=np.int64)
    assert (inflight.peak(none, none), inflight.filled_ns(none, none, 1)) == (0, None)
    assert inflight.mean(none, none, 0, 10) == 0.0
    assert inflight.mean(none, none, 5, 5) is None
