"""The late end of a sample, which one late member does not decide."""

import numpy as np
import pytest

from perfcore.tail import of_reads, reached_by, tail, tails
from perfcore.types import Reads

MS = 1_000_000


@pytest.mark.parametrize(
    ("n", "late"), [(1, 1), (2, 2), (3, 2), (10, 6), (19, 10), (20, 10), (999, 10), (1000, 10), (1001, 11), (5000, 50)]
)
def test_one_per_cent_are_late_and_ten_at_least_or_more_than_half(n: int, late: int) -> None:
    assert reached_by(n) == late


@pytest.mark.parametrize(("late", "judged"), [(1, 0.0), (9, 0.0), (10, 5.0), (50, 5.0)])
def test_fewer_than_ten_late_requests_of_a_hundred_are_no_late_end(late: int, judged: float) -> None:
    sample = np.array([5 * MS] * late + [0] * (100 - late))
    found = tail(sample)
    assert found is not None
    assert (found.ms, found.beyond, found.n) == (judged, 10, 100)


def test_late_end_of_a_large_sample_is_its_99th_percentile() -> None:
    sample = np.random.default_rng(0).exponential(MS, 20_000).astype(np.int64)
    found = tail(sample)
    assert found is not None
    assert found.ms == pytest.approx(float(np.percentile(sample, 99)) / MS, rel=0.01)


def test_empty_sample_has_no_late_end() -> None:
    assert tail(np.zeros(0, np.int64)) is None


@pytest.mark.parametrize(("events", "ms", "beyond"), [(2000, 9.0, 20), (999, 3.0, 100), (100, 3.0, 10), (99, 1.0, 50)])
def test_read_delay_is_judged_at_the_percentile_that_its_events_support(events: int, ms: float, beyond: int) -> None:
    found = of_reads(Reads(events, 0, 1.0 * MS, 3.0 * MS, 9.0 * MS, 50.0 * MS))
    assert found is not None
    assert (found.ms, found.beyond) == (ms, beyond)


def test_start_burst_and_requests_without_times_are_kept_apart() -> None:
    due, sent = np.array([0, 0, 5 * MS, 9 * MS]), np.array([2 * MS, 2 * MS, 6 * MS, -1])
    burst = np.array([True, True, False, False])
    found = tails(due, sent, burst, Reads(0, 0, None, None, None, None))
    assert (found["burst_tail"].ms, found["slip_tail"].ms, found["slip_tail"].n) == (2.0, 1.0, 1)
    assert found["read_tail"] is None
