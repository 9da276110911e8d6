"""The window: where it begins and ends in loops that are known, and why there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import warmup
from perfcore.analysis.steady.window import Window, find_window
from tests.closed_loop import LAWS, Simulated, closed, opened
from tests.reference import steady as reference

S = 1_000_000_000


def window_of(run: Simulated, asked: int | None, until_ns: int | None = None) -> Window | Absent:
    return find_window(
        run.sent_ns,
        run.ended_ns,
        run.ttft_ns,
        run.stamps_ns,
        run.weights,
        begin_ns=0,
        held_until_ns=until_ns or run.held_until_ns,
        asked=asked,
        end_reason="held so long",
    )


def found(run: Simulated, asked: int | None) -> Window:
    window = window_of(run, asked)
    assert isinstance(window, Window)
    return window


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30))
def test_the_errors_of_truncations_are_those_of_the_definition(values: list[float]) -> None:
    assert warmup.errors(np.array(values)).tolist() == pytest.approx(reference.squared_errors(values), abs=1e-6)


def test_a_clear_transient_is_cut_and_nothing_else() -> None:
    noise = np.random.default_rng(2).normal(100.0, 1.0, 40)
    slow = np.concatenate((np.full(5, 60.0), noise[5:]))
    assert (warmup.transient(noise), warmup.transient(slow)) == (0, 5)


def test_a_drift_is_not_cut_in_half() -> None:
    rng = np.random.default_rng(3)
    assert warmup.transient(np.linspace(100.0, 80.0, 40) + rng.normal(0.0, 0.5, 40)) == 0


def test_a_transient_of_half_the_run_is_not_over() -> None:
    values = np.concatenate((np.linspace(0.0, 90.0, 20), 100.0 + np.arange(20) % 2.0)).astype(np.float64)
    dropped = warmup.transient(values)
    assert (dropped, warmup.unfinished(values, dropped)) == (20, True)


@pytest.mark.parametrize("values", [np.full(40, 3.5), np.full(40, 0.1) + 1e-17, np.zeros(0), np.ones(7)])
def test_a_series_without_variation_or_length_has_no_transient(values: NDArray[np.float64]) -> None:
    assert warmup.transient(values) == 0


def test_a_ramp_and_the_first_requests_are_before_the_window() -> None:
    run = closed(np.random.default_rng(1), 20, LAWS["uniform"], 150.0, ramp_s=30.0)
    window = found(run, 20)
    assert 28.5 + 9 <= window.start_ns / S <= 28.5 + 11
    assert (window.end_ns, window.end_reason) == (150 * S, "held so long")
    assert window.start_reason == "all slots filled, and the first request of each slot over"
    assert not window.lockstep


def test_a_slow_start_is_cut_by_its_token_rate() -> None:
    run = closed(
        np.random.default_rng(1),
        20,
        LAWS["uniform"],
        400.0,
        ramp_s=10.0,
        slowness=lambda now: np.where(now < 50, 2.0, 1.0),
    )
    window = found(run, 20)
    assert 55 <= window.start_ns / S <= 90
    assert "MSER-5" in window.start_reason


def test_cohorts_in_lockstep_are_measured_by_whole_cycles() -> None:
    run = closed(np.random.default_rng(1), 20, LAWS["fixed"], 57.0)
    window = found(run, 20)
    assert window.lockstep
    assert (window.end_ns - window.start_ns) / S == pytest.approx(40.0)
    assert window.most_batches == 4
    assert "4 whole cycles" in window.end_reason


def test_the_edges_of_a_cohorts_window_lie_in_its_silence() -> None:
    run = closed(np.random.default_rng(1), 4, LAWS["fixed"], 47.0)
    start = found(run, 4).start_ns
    assert np.abs(run.stamps_ns - start).min() >= S // 5


def test_a_slot_that_never_fills_does_not_delay_the_window() -> None:
    run = closed(np.random.default_rng(1), 39, LAWS["uniform"], 100.0, ramp_s=10.0)
    assert found(run, 40).start_ns < 25 * S


def test_failed_requests_occupy_their_slots() -> None:
    run = closed(np.random.default_rng(1), 20, LAWS["uniform"], 100.0, ramp_s=10.0, failing=0.2)
    assert isinstance(found(run, 20), Window)


def test_an_open_loop_begins_when_its_requests_in_flight_have_their_level() -> None:
    run = opened(np.random.default_rng(1), 5.0, LAWS["uniform"], 100.0)
    window = found(run, None)
    assert 10.5 <= window.start_ns / S <= 12.5
    assert window.start_reason == "requests in flight have reached their level"


@pytest.mark.parametrize(
    ("slots", "asked", "until_s", "why"),
    [
        (4, 20, 60, "20 requests were to be in flight, and there never were more than 4"),
        (4, 4, 15, "ramp and first requests take"),
    ],
)
def test_a_run_without_a_plateau_says_why(slots: int, asked: int, until_s: int, why: str) -> None:
    run = closed(np.random.default_rng(1), slots, LAWS["fixed"], 60.0)
    window = window_of(run, asked, until_s * S)
    assert isinstance(window, Absent)
    assert why in window.reason


def test_requests_that_take_no_time_have_no_window() -> None:
    times = np.arange(100)
    found = find_window(times, times, times * 0, times, None, begin_ns=0, held_until_ns=99, asked=None, end_reason="")
    assert isinstance(found, Absent)


def test_no_request_has_no_window() -> None:
    none = np.zeros(0, np.int64)
    assert find_window(none, none, none, none, None, begin_ns=0, held_until_ns=S, asked=1, end_reason="") == Absent(
        "no request was sent"
    )
