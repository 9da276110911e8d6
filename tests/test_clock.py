import time

from perfcore_ext.clock import monotonic_ns


def test_clock_is_the_monotonic_one_of_the_system() -> None:
    before, stamp, after = time.clock_gettime_ns(time.CLOCK_MONOTONIC), monotonic_ns(), time.monotonic_ns()
    assert before <= stamp <= after


def test_clock_never_goes_back() -> None:
    stamps = [monotonic_ns() for _ in range(1000)]
    assert stamps == sorted(stamps)
