"""When a steady run is given up: only where more and more requests are in flight."""

import numpy as np
import pytest
from numpy.typing import NDArray

from perfcore.analysis.steady.verdict import no_plateau, overloaded
from perfcore.run.plateau import MOST_SAMPLES, SAMPLE_NS, Series, grows, thinned

NS = 1_000_000_000


def series(in_flight: NDArray[np.float64], seconds: float) -> Series:
    nothing = np.zeros(in_flight.size, np.int64)
    times = np.linspace(0, seconds * NS, in_flight.size).astype(np.int64)
    return Series(times, nothing, nothing, in_flight.astype(np.int64), nothing, nothing)


@pytest.mark.parametrize(
    ("in_flight", "seconds", "growing"),
    [
        (np.linspace(0, 400, 200), 25, True),
        (np.linspace(0, 400, 200), 15, False),  # may still be the start
        (np.minimum(np.linspace(0, 400, 200), 100), 25, False),
        (np.full(200, 50.0), 25, False),
        (50 + 10 * np.sin(np.linspace(0, 40, 200)), 60, False),
        (np.zeros(200), 25, False),
        (np.linspace(0, 4, 200), 25, False),
    ],
)
def test_a_queue_grows_when_each_quarter_of_the_run_has_more_than_the_one_before(
    in_flight: NDArray[np.float64], seconds: float, growing: bool
) -> None:
    assert grows(series(in_flight, seconds)) == growing


def test_a_run_that_was_given_up_is_not_steady_and_says_what_to_change() -> None:
    found = overloaded(no_plateau("too short"))
    assert (found.kind, found.exit_code) == ("not_steady", 3)
    assert [reason["test"] for reason in found.reasons] == ["queue"]
    assert "Lower --rate" in found.reasons[0]["remedy"]


def test_a_long_run_keeps_few_samples_and_the_first_of_them() -> None:
    samples, every_ns = list[tuple[int, ...]](), SAMPLE_NS
    for now in range(3 * MOST_SAMPLES):
        samples, every_ns = thinned([*samples, (now,)] if now % (every_ns // SAMPLE_NS) == 0 else samples, every_ns)
    assert MOST_SAMPLES / 2 <= len(samples) <= MOST_SAMPLES + 1
    assert [sample[0] for sample in samples[:3]] == [0, 4, 8]
