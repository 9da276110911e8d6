"""The plateau on counters while a run goes on: the same answers as the records give afterwards."""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from perfcore.analysis.steady.online import (
    lifetime,
    plateau_start,
    precision_reached,
    relative_half_width,
    time_needed_ns,
)
from tests.closed_loop import LAWS, Simulated, closed, opened

S = 1_000_000_000
STEP = S // 10
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Series:
    time_ns: Counts
    tokens: Counts
    completed: Counts
    in_flight: Counts
    ttft_count: Counts
    ttft_sum_ns: Counts


def sampled(run: Simulated, until_s: float, origin_ns: int = 10**15) -> Series:
    """The counters of a run every 100 ms; events weigh 1 each."""
    times = np.arange(STEP, round(until_s * S) + 1, STEP)
    first = (run.sent_ns + run.ttft_ns)[run.ok]
    sums = np.concatenate(([0], np.cumsum(run.ttft_ns[run.ok][np.argsort(first)])))
    columns = (run.stamps_ns, run.ended_ns, run.sent_ns, first)
    count = [np.searchsorted(np.sort(column), times, "right") for column in columns]
    return Series(times + origin_ns, count[0], count[1], count[2] - count[1], count[3], sums[count[3]])


def run_of(held_s: float, law: str = "uniform", **more: object) -> Simulated:
    return closed(np.random.default_rng(7), 20, LAWS[law], held_s, ramp_s=10.0, **more)  # type: ignore[arg-type]


def test_the_plateau_begins_one_request_after_all_slots_are_filled() -> None:
    series = sampled(run_of(120.0), 100.0)
    start = plateau_start(series, 20)
    assert start is not None
    assert 18 <= (start + 1) / 10 <= 22


@pytest.mark.parametrize("until_s", [0.5, 5.0, 15.0])
def test_there_is_no_plateau_before_the_first_requests_are_over(until_s: float) -> None:
    assert plateau_start(sampled(run_of(120.0), until_s), 20) is None


def test_there_is_no_plateau_below_the_asked_concurrency() -> None:
    assert plateau_start(sampled(run_of(120.0), 100.0), 40) is None


def test_a_slow_start_moves_the_plateau() -> None:
    series = sampled(run_of(500.0, slowness=lambda now: np.where(now < 60, 2.0, 1.0)), 450.0)
    start = plateau_start(series, 20)
    assert start is not None
    assert 600 <= start <= 1100


def test_an_open_loop_waits_for_three_lifetimes() -> None:
    series = sampled(opened(np.random.default_rng(1), 5.0, LAWS["uniform"], 100.0), 80.0)
    start = plateau_start(series, None)
    assert start is not None
    assert 28 <= (start + 1) / 10 <= 34


def test_a_single_sample_has_no_plateau() -> None:
    assert plateau_start(sampled(run_of(20.0), 0.1), 20) is None


def test_the_lifetime_of_a_request_follows_from_counters() -> None:
    found = lifetime(sampled(run_of(220.0), 200.0), 300)
    assert found == pytest.approx(10 * S, rel=0.03)


def test_a_longer_window_is_surer() -> None:
    run = run_of(800.0)
    widths = [relative_half_width(sampled(run, until_s), 210) for until_s in (70.0, 200.0, 780.0)]
    assert widths[0] is not None and widths[1] is not None and widths[2] is not None
    assert 0.1 > widths[0] > widths[1] > widths[2] > 0.0


def test_the_width_is_not_known_before_three_lifetimes() -> None:
    assert relative_half_width(sampled(run_of(120.0), 40.0), 210) is None


def test_no_tokens_have_no_width() -> None:
    series = sampled(run_of(120.0), 100.0)
    silent = Series(**{**series.__dict__, "tokens": np.zeros_like(series.tokens)})
    assert relative_half_width(silent, 210) is None


def test_precision_says_why_it_is_not_reached() -> None:
    series = sampled(run_of(300.0), 280.0)
    assert precision_reached(series, 210, 0.5) is True
    assert "0.01 % take a window of about" in str(precision_reached(series, 210, 0.0001))
    assert "shorter than three requests" in str(precision_reached(sampled(run_of(120.0), 40.0), 210, 0.5))


@pytest.mark.parametrize(("half_width", "target", "needed"), [(0.04, 0.02, 400), (0.01, 0.02, 100), (0.04, 0.0, None)])
def test_half_the_width_takes_four_times_the_window(half_width: float, target: float, needed: int | None) -> None:
    assert time_needed_ns(100, half_width, target) == needed


def test_counters_that_stand_still_have_no_plateau() -> None:
    times = np.arange(1, 101) * STEP
    flat = np.zeros(100, np.int64)
    assert plateau_start(Series(times, flat, flat, flat + 5, flat, flat), 5) is None
