"""Intervals of the steady state: their parts against worked examples, their coverage in simulated loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import steady_truth
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import batches, student
from perfcore.analysis.steady.intervals import (
    Interval,
    at_share,
    batch_cycles,
    level_interval,
    mean_interval,
    merged,
    percentile_interval,
    percentile_intervals,
    rate_interval,
    wilson,
)
from tests.reference import steady as reference

S = 1_000_000_000


def known(interval: Interval | Absent) -> Interval:
    assert isinstance(interval, Interval)
    return interval


@pytest.mark.parametrize(
    ("freedom", "value"), [(1, 12.7062), (2, 4.3027), (4, 2.7764), (10, 2.2281), (19, 2.0930), (1000, 1.9623)]
)
def test_the_quantile_of_student_is_that_of_the_tables(freedom: int, value: float) -> None:
    assert student.quantile(0.975, freedom) == pytest.approx(value, abs=1e-4)
    assert student.quantile(0.025, freedom) == -student.quantile(0.975, freedom)


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 5)), max_size=40),
    st.integers(0, 5000),
    st.integers(100, 5000),
    st.integers(1, 9),
)
def test_rates_are_those_of_counting_one_by_one(
    events: list[tuple[int, int]], start: int, length: int, count: int
) -> None:
    stamps = np.array([stamp for stamp, _ in events], np.int64)
    weights = np.array([weight for _, weight in events], np.float64)
    found = batches.rates(stamps, weights, start, start + length, count)
    assert found.tolist() == pytest.approx(
        reference.rates(stamps.tolist(), weights.tolist(), start, start + length, count)
    )


def test_events_are_placed_alike_in_one_block_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    stamps = np.arange(1000) * 7_919 % 10_007
    whole = batches.rates(stamps, None, 100, 9000, 8)
    monkeypatch.setattr(batches, "BLOCK", 64)
    assert batches.rates(stamps, None, 100, 9000, 8).tolist() == whole.tolist()


def test_groups_differ_by_one_value_at_most() -> None:
    assert batches.grouped(np.arange(1.0, 6.0), 2).tolist() == [1.5, 4.0]


def test_an_interval_without_a_value_repeats_the_last() -> None:
    times, values = np.array([12, 13, 35]), np.array([10, 20, 40])
    assert batches.averages(times, values, 0, 40, 4).tolist() == [15.0, 15.0, 15.0, 40.0]


def test_the_interval_of_a_mean_is_that_of_student() -> None:
    """Of 4, 6, 5, 5: mean 5, standard error sqrt(2/3)/2 = 0.408, t(3) = 3.182; neighbours are not correlated."""
    interval = known(mean_interval(np.array([4, 6, 5, 5])))
    assert interval.low == pytest.approx(5 - 3.1824 * 0.40825, abs=1e-3)
    assert (interval.batches, interval.method) == (4, "batch means")


def test_correlated_neighbours_are_merged_and_count_for_less() -> None:
    rng = np.random.default_rng(5)
    independent = rng.normal(size=4000)
    wandering = np.convolve(independent, np.ones(300), "valid")
    assert merged(batches.grouped(wandering[:1200], 20)).size == 10
    few, many = known(mean_interval(wandering)), known(mean_interval(independent))
    assert few.effective_n < 60 < 1000 < many.effective_n


def test_values_are_put_in_the_order_of_their_due_times() -> None:
    values, order = np.array([3.0, 1.0, 2.0, 4.0, 9.0, 5.0]), np.array([2, 0, 1, 3, 5, 4])
    assert mean_interval(values, order) == mean_interval(np.sort(values))


@pytest.mark.parametrize(("cycles", "each"), [(3, 1), (7, 1), (8, 2), (23, 2), (24, 3), (60, 3), (61, 4), (200, 10)])
def test_batches_are_whole_cycles_and_never_more_than_twenty(cycles: int, each: int) -> None:
    assert batch_cycles(cycles) == each


def test_a_constant_rate_is_known_to_one_event_in_the_window() -> None:
    stamps = np.arange(0, 60 * S, S // 10)
    interval = known(rate_interval(stamps, None, 0, 60 * S, 10.0 * S))
    assert [interval.low, interval.high] == pytest.approx([10.0 - 1 / 60, 10.0 + 1 / 60])


def test_a_constant_level_has_an_interval_without_width() -> None:
    sent = np.arange(0, 100 * S, 5 * S)
    interval = known(level_interval(sent, sent + 10 * S, 20 * S, 80 * S, 10.0 * S))
    assert [interval.low, interval.high] == pytest.approx([2.0, 2.0])


@pytest.mark.parametrize(
    ("interval", "why"),
    [
        (mean_interval(np.array([1.0, 2.0])), "fewer than 3 values"),
        (rate_interval(np.arange(5), None, 0, 20, 10.0), "shorter than 3 times"),
        (rate_interval(np.arange(5), None, 0, 20, 0.0), "shorter than 3 times"),
        (percentile_interval(np.arange(99.0), 90, 1), "fewer than 10 values"),
        (percentile_interval(np.arange(999.0), 99, 1), "fewer than 10 values"),
        (wilson(0, 0), "no request"),
    ],
)
def test_a_sample_that_supports_no_interval_says_why(interval: Interval | Absent, why: str) -> None:
    assert isinstance(interval, Absent)
    assert why in interval.reason


def test_the_interval_of_a_percentile_depends_on_the_seed_only() -> None:
    values = np.random.default_rng(1).exponential(size=500)
    first, again = (known(percentile_interval(values, 90, seed=3)) for _ in range(2))
    assert first == again
    assert first.low < np.percentile(values, 90) < first.high


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.floats(0, 1))
def test_a_percentile_of_sorted_values_is_interpolated_linearly(values: list[float], share: float) -> None:
    assert at_share(np.sort(values), share) == pytest.approx(float(np.percentile(values, 100 * share)), abs=1e-6)


def test_many_percentiles_are_those_of_one_by_one() -> None:
    values = np.random.default_rng(1).exponential(size=500)
    each = [percentile_interval(values, q, 3) for q in (50.0, 90.0, 99.0)]
    assert percentile_intervals(values, (50.0, 90.0, 99.0), 3) == each


def test_equal_values_have_a_percentile_without_width() -> None:
    interval = known(percentile_interval(np.full(200, 7.0), 90, 1))
    assert (interval.low, interval.high) == (7.0, 7.0)


@pytest.mark.parametrize(("successes", "n", "low", "high"), [(8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0)])
def test_the_interval_of_a_share_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    interval = known(wilson(successes, n))
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=1e-4)


def test_a_correlated_share_is_less_sure() -> None:
    assert known(wilson(80, 100, 20.0)).low < known(wilson(80, 100)).low


CASES = {case.name: case for case in steady_truth.STEADY}


@pytest.mark.parametrize("name", ["fixed decoding, 20 slots", "uniform, 20 slots over a ramp", "lengths, 20 slots"])
def test_the_intervals_hold_the_truth_of_simulated_loops(name: str) -> None:
    """120 seeded runs: 95 % of intervals that are right leave fewer than 108 with a chance of 1 in 10,000."""
    case = CASES[name]
    found = steady_truth.repeat(case, 12, 120, steady_truth.truth(case))
    for number in ("tokens/s", "TTFT mean", "TTFT p90", "E2EL p90"):
        assert sum(found.covered[number]) >= 0.90 * len(found.covered[number]), number
    assert abs(np.mean(found.errors["tokens/s"])) < 0.005
