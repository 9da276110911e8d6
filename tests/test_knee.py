"""The knee of made curves."""

import pytest

from perfcore.analysis.knee import knee

LOADS = [1, 2, 4, 8, 16, 32]


def closed(capacity: float) -> tuple[list[float], list[float]]:
    """Throughput and latency of a closed loop whose server works in parallel up to a capacity, 1 s a request."""
    throughputs = [float(min(load, capacity)) for load in LOADS]
    return throughputs, [load / throughput for load, throughput in zip(LOADS, throughputs, strict=True)]


@pytest.mark.parametrize(("capacity", "load"), [(2, 2), (8, 8), (10, 8), (16, 16)])
def test_the_knee_of_a_plateau_is_where_it_begins(capacity: float, load: int) -> None:
    at = knee(*closed(capacity)).at
    assert at is not None
    assert LOADS[at] == load


def test_the_knee_does_not_depend_on_units() -> None:
    throughputs, latencies = closed(8)
    assert knee([1000 * one for one in throughputs], [one / 7 for one in latencies]) == knee(throughputs, latencies)


def test_the_knee_of_a_throughput_that_falls_after_its_peak_is_the_peak() -> None:
    assert knee([1, 2, 4, 3, 2], [1, 1, 1, 3, 8]).at == 2


def test_an_open_loop_has_its_knee_at_the_last_rate_that_was_kept_up_with() -> None:
    assert knee([5, 10, 20, 22, 22], [0.5, 0.5, 0.6, 4, 9]).at == 2


@pytest.mark.parametrize(
    ("throughputs", "latencies", "reason"),
    [
        ([], [], "3 loads"),
        ([1, 2], [1, 9], "3 loads"),
        ([1, 2, 4, 8], [1, 1, 1, 1.5], "add larger ones"),
        ([4, 3, 2, 1], [1, 2, 4, 8], "add smaller ones"),
        ([4, 4, 4], [1, 2, 4], "add smaller ones"),
    ],
)
def test_a_curve_that_does_not_bend_within_its_loads_has_no_knee(
    throughputs: list[float], latencies: list[float], reason: str
) -> None:
    found = knee(throughputs, latencies)
    assert found.at is None
    assert reason in found.reason
