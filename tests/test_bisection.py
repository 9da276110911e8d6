"""The search for the largest load, on machines with a known edge and other things to do."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from perfcore.run.bisection import Search, Try, find_edge

EDGE = 47_000.0


def machine(edge: float, disturbed: Iterator[bool] | None = None) -> Callable[[float], Try]:
    """Takes loads up to its edge, unless it is disturbed; far past the edge it fails by far."""

    def measure(load: float) -> Try:
        busy = next(disturbed) if disturbed else False
        return Try(passes=load <= edge and not busy, per_s=load, far=load > 1.5 * edge)

    return measure


def found(measure: Callable[[float], Try], start: float = 20_000, most: float = 1e9, points: int = 1000) -> Search:
    left = iter(range(points - 1))
    return find_edge(measure, start, most, 1.1, lambda: next(left, None) is not None)


@pytest.mark.parametrize("edge", [100.0, 19_999.0, 20_000.0, 47_000.0, 5e6])
def test_edge_is_found_from_either_side_to_its_resolution(edge: float) -> None:
    search = found(machine(edge))
    assert search.low is not None and search.high is not None
    assert search.low <= edge < search.high <= 1.1 * search.low


def test_one_disturbance_changes_nothing() -> None:
    for at in range(12):
        disturbed = (number == at for number in itertools.count())
        search = found(machine(EDGE, disturbed))
        assert search.low is not None and search.low <= EDGE <= 1.1 * search.low


def test_load_that_failed_while_the_machine_was_busy_for_long_is_tried_again_at_the_end() -> None:
    disturbed = (number in range(1, 4) for number in itertools.count())  # all looks at 40,000
    search = found(machine(EDGE, disturbed))
    assert 40_000 in search.revisited
    assert search.low is not None and search.low <= EDGE <= 1.1 * search.low


def test_search_on_a_machine_that_is_often_busy_never_claims_too_much_and_seldom_too_little() -> None:
    rng = np.random.default_rng(1)
    lows = [found(machine(EDGE, (bool(rng.random() < 0.3) for _ in itertools.count()))).low for _ in range(300)]
    reached = np.array([low or 0.0 for low in lows])
    assert reached.max() <= EDGE
    assert (reached >= EDGE / 1.25).mean() > 0.95


def test_machine_that_takes_all_is_measured_up_to_the_most_and_no_further() -> None:
    search = found(machine(1e12), most=50_000)
    assert (search.low, search.high) == (50_000, None)


def test_machine_that_takes_nothing_ends_the_search() -> None:
    search = found(machine(0.0))
    assert search.low is None and search.passed is None
    assert search.points < 40


@pytest.mark.parametrize("points", [1, 2, 3, 5])
def test_search_stops_when_time_is_up_and_says_what_it_has(points: int) -> None:
    search = found(machine(EDGE), points=points)
    assert search.points <= points
    assert search.low == {1: 20_000, 2: 40_000}.get(points, search.low)
