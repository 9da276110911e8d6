"""Schedules: when requests are due."""

import math
import tracemalloc
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.pace import NS, Arrivals, Floats, Pace, pace, passed, ramp, ramp_s, rate_at, reached
from perfcore.workload.schedule import offsets, planned_count, unit_times
from tests.reference.laws import CLOSED, distance

FLAT = [
    Arrivals("constant", 50),
    Arrivals("poisson", 50),
    Arrivals("gamma", 50, 0.3),
    Arrivals("gamma", 50, 0.0),
    Arrivals("gamma", 50, 1e-9),
    Arrivals("gamma", 50, 1e6),
    Arrivals("uniform", 50),
]
SHAPED = [
    Arrivals("poisson", ramp_up_strategy="linear", ramp_up_start_rps=5, ramp_up_end_rps=80),
    Arrivals("gamma", 80, 0.5, ramp_up_strategy="exponential", ramp_up_start_rps=5),
    Arrivals("poisson", ramp_up_strategy="linear", ramp_up_start_rps=80, ramp_up_end_rps=5),
    Arrivals("poisson", rate_shape="steps:5@30s,0@10s,40@20s"),
    Arrivals("uniform", 20, rate_shape="spikes:30s,5s,4"),
    Arrivals("poisson", 20, rate_shape="onoff:10s,5s"),
    Arrivals("poisson", 20, rate_shape="sine:60s,0.8"),
]
EVERY = FLAT + SHAPED


def paced(arrivals: Arrivals, count: int = 2) -> Pace:
    found = pace(arrivals, count)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("rate", "count", "offsets_ns"),
    [
        (2.0, 4, [0, 500_000_000, 1_000_000_000, 1_500_000_000]),
        (3.0, 4, [0, 333_333_333, 666_666_667, 1_000_000_000]),
        (0.5, 3, [0, 2_000_000_000, 4_000_000_000]),
        (5.0, 1, [0]),
        (5.0, 0, []),
    ],
)
def test_constant_offsets_are_evenly_spaced_from_zero(rate: float, count: int, offsets_ns: list[int]) -> None:
    found = offsets(Arrivals("constant", rate), count, None, 0)
    assert found.dtype == np.int64
    assert found.tolist() == offsets_ns


def test_the_millionth_request_is_as_exact_as_the_first() -> None:
    exact = [round(Fraction(index * NS, 7)) for index in (1, 999_999)]
    assert offsets(Arrivals("constant", 7.0), 1_000_000, None, 0)[[1, 999_999]].tolist() == exact


@pytest.mark.parametrize("arrivals", EVERY)
@pytest.mark.parametrize("count", [1, 2, 3, 1000])
def test_every_schedule_begins_at_zero_and_never_goes_back(arrivals: Arrivals, count: int) -> None:
    found = offsets(arrivals, count, None, 7)
    assert (found.size, found[0]) == (count, 0)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("arrivals", FLAT)
@pytest.mark.parametrize("count", [2, 17, 5000])
def test_the_rate_of_a_run_is_the_one_asked_for(arrivals: Arrivals, count: int) -> None:
    assert (count - 1) / (offsets(arrivals, count, None, 3)[-1] / NS) == pytest.approx(50, rel=1e-9)


@pytest.mark.parametrize("arrivals", SHAPED)
def test_a_shape_takes_as_long_with_any_law_as_with_even_gaps(arrivals: Arrivals) -> None:
    even = Arrivals("constant", *list(vars(arrivals).values())[1:])
    assert offsets(arrivals, 900, None, 5)[-1] == offsets(even, 900, None, 0)[-1]


@pytest.mark.parametrize("arrivals", EVERY)
def test_the_seed_alone_decides_what_is_drawn(arrivals: Arrivals) -> None:
    first, again, other = (offsets(arrivals, 500, None, seed) for seed in (4, 4, 5))
    assert (first == again).all()
    drawn = arrivals.law in ("poisson", "uniform") or (arrivals.law == "gamma" and arrivals.burstiness > 0)
    assert (first == other).all() != drawn


@pytest.mark.parametrize(("law", "burstiness", "distribution", "deviation"), CLOSED)
def test_gaps_have_the_distribution_of_their_law(
    law: str, burstiness: float, distribution: Callable[[Floats], Floats], deviation: float
) -> None:
    gaps = np.diff(unit_times(law, burstiness, 50_001, np.random.default_rng(11)))
    assert distance(gaps, distribution) < 1.63 / math.sqrt(gaps.size)  # at the level of 1 %
    assert gaps.mean() == pytest.approx(1.0, rel=1e-9)
    assert gaps.std() == pytest.approx(deviation, rel=0.02)


@pytest.mark.parametrize("burstiness", [0.02, 0.2, 0.9, 7.5, 400.0])
def test_the_burstiness_is_the_inverse_square_of_the_variation_of_gaps(burstiness: float) -> None:
    gaps = np.diff(unit_times("gamma", burstiness, 400_001, np.random.default_rng(2)))
    assert gaps.var() == pytest.approx(1 / burstiness, rel=0.05)


def test_the_next_gap_does_not_depend_on_the_last_one() -> None:
    gaps = np.diff(offsets(Arrivals("poisson", 10), 100_000, None, 9)).astype(float)
    assert abs(np.corrcoef(gaps[1:], gaps[:-1])[0, 1]) < 0.01


@pytest.mark.parametrize("arrivals", [arrivals for arrivals in SHAPED if arrivals.law == "poisson"])
def test_on_the_clock_of_its_rate_a_shaped_process_is_a_plain_one(arrivals: Arrivals) -> None:
    found = offsets(arrivals, 20_000, None, 6)
    gaps = np.diff(passed(paced(arrivals, 20_000), found / NS))
    assert distance(gaps, lambda x: 1 - np.exp(-x)) < 1.63 / math.sqrt(gaps.size)


@pytest.mark.parametrize("strategy", ["linear", "exponential"])
@pytest.mark.parametrize(("start", "end"), [(1.0, 20.0), (20.0, 1.0), (5.0, 5.0)])
def test_ramps_follow_the_formulas_of_the_field(strategy: str, start: float, end: float) -> None:
    found = offsets(Arrivals("constant", 1, 1, strategy, start, end), 101, None, 0)
    due_s, wanted = 0.0, [0.0]
    for number in range(1, 101):
        progress = number / 100
        linear = start + (end - start) * progress
        due_s += 1 / (linear if strategy == "linear" else start * (end / start) ** progress)
        wanted.append(due_s)
    assert found / NS == pytest.approx(wanted, abs=2e-9)


@pytest.mark.parametrize("strategy", ["linear", "exponential"])
@pytest.mark.parametrize(("start", "end"), [(1e-9, 20.0), (1.0, 20.0), (20.0, 1.0), (5.0, 5.0), (5.0, 5.00001)])
@pytest.mark.parametrize("gaps", [1, 2, 7, 1000])
def test_the_length_of_a_ramp_is_known_without_its_gaps(strategy: str, start: float, end: float, gaps: int) -> None:
    arrivals = Arrivals("constant", 1, 1, strategy, start, end)
    assert ramp_s(arrivals, gaps) == pytest.approx(float((1 / ramp(arrivals, gaps + 1)).sum()), rel=1e-6)


def test_steps_have_their_rates_and_the_last_one_goes_on() -> None:
    found = offsets(Arrivals("constant", rate_shape="steps:5@2s,0@3s,10@1s"), 30, None, 0) / NS
    assert found[:10] == pytest.approx(np.arange(10) / 5)
    assert found[10:] == pytest.approx(5 + np.arange(20) / 10)


def test_nothing_is_due_while_it_is_off() -> None:
    found = offsets(Arrivals("poisson", 30, rate_shape="onoff:10s,5s"), 5000, None, 1) / NS % 15
    assert found.max() < 10
    assert np.histogram(found, 5)[0] == pytest.approx(1000, rel=0.1)


def test_steps_of_next_to_no_requests_change_nothing_of_the_start() -> None:
    found = offsets(Arrivals("constant", 1, rate_shape="onoff:0.0000001,1"), 2, None, 0)
    assert found[0] == 0
    assert found[1] / NS == pytest.approx(1e7, rel=1e-3)  # ten million times on, for 0.1 microseconds each


def test_spikes_come_at_the_end_of_each_period() -> None:
    found = offsets(Arrivals("constant", 2, rate_shape="spikes:10s,2s,5"), 72, None, 0) / NS
    assert np.histogram(found, [0, 8, 10, 18, 20])[0].tolist() == [16, 20, 16, 20]


def test_a_sine_is_as_exact_as_its_integral() -> None:
    rate, period_s, depth = 20.0, 60.0, 0.9
    times = offsets(Arrivals("constant", rate, rate_shape="sine:1m,0.9"), 5000, None, 0) / NS
    swing = depth * period_s / (2 * np.pi) * (1 - np.cos(2 * np.pi * times / period_s))
    assert rate * (times + swing) == pytest.approx(np.arange(5000), abs=2e-6)


@pytest.mark.parametrize("arrivals", EVERY)
def test_counting_and_timing_are_each_other_s_inverse(arrivals: Arrivals) -> None:
    asked, counts = paced(arrivals, 2000), np.linspace(0, 1999, 4001)
    times = reached(asked, counts)
    assert passed(asked, times) == pytest.approx(counts, abs=1e-6)
    assert (rate_at(asked, times) > 0).all()


@pytest.mark.parametrize(
    ("rate", "duration_s", "count"), [(10.0, 1.0, 10), (3.0, 1.0, 3), (10.0, 0.01, 1), (2.0, 0.6, 2), (0.1, 10.5, 2)]
)
def test_a_duration_holds_the_offsets_before_its_end(rate: float, duration_s: float, count: int) -> None:
    assert planned_count(Arrivals("constant", rate), None, round(duration_s * NS)) == count


@given(
    arrivals=st.sampled_from(EVERY), rate=st.floats(0.01, 10_000), duration_ns=st.integers(1_000_000, 100_000_000_000)
)
def test_a_duration_is_filled_and_not_exceeded(arrivals: Arrivals, rate: float, duration_ns: int) -> None:
    duration_ns = round(duration_ns / max(1, rate / 50))
    arrivals = Arrivals(arrivals.law, rate, *list(vars(arrivals).values())[2:])
    count = planned_count(arrivals, None, duration_ns)
    assert count is not None
    found = offsets(arrivals, None, duration_ns, 1)
    assert found.size == count
    assert count == 1 or found[-1] < duration_ns
    assert offsets(Arrivals("constant", *list(vars(arrivals).values())[1:]), count + 1, None, 1)[-1] >= duration_ns


@pytest.mark.parametrize(
    ("arrivals", "count", "duration_s", "planned"),
    [
        (Arrivals("poisson", 10), 5, 1, 5),
        (Arrivals("poisson", 10), 50, 1, 10),
        (Arrivals("poisson", 10), 50, None, 50),
        (Arrivals("poisson", 10), None, None, None),
        (Arrivals("burst"), None, 1, None),
        (Arrivals("burst"), 5, 1, 5),
        (Arrivals("constant", rate_shape="steps:5@2s,10@1s"), None, None, 20),
        (Arrivals("constant", rate_shape="steps:5@2s,10@1s"), None, 5, 40),
        (Arrivals("constant", 4, rate_shape="onoff:1s,9s"), None, 20, 8),
    ],
)
def test_the_number_of_requests_is_known_beforehand(
    arrivals: Arrivals, count: int | None, duration_s: int | None, planned: int | None
) -> None:
    assert planned_count(arrivals, count, None if duration_s is None else duration_s * NS) == planned


def test_a_burst_is_due_at_once() -> None:
    assert offsets(Arrivals("burst"), 4, None, 0).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("arrivals", "count", "words"),
    [
        (Arrivals("burst"), None, "have no end of their own; give --requests"),
        (Arrivals("poisson", 1), 10**12, "1,000,000,000,000 requests are more than the 100,000,000 that can be"),
        (Arrivals("poisson", 1e-6), 10**5, "more than 146 years"),
        (Arrivals("replay"), 3, "wants rows with a timestamp"),
    ],
)
def test_what_cannot_be_planned_is_refused(arrivals: Arrivals, count: int | None, words: str) -> None:
    with pytest.raises(UserError, match=words):
        offsets(arrivals, count, None, 0)


@pytest.mark.parametrize("arrivals", [Arrivals("poisson", 1e6), SHAPED[1], SHAPED[6]])
def test_a_million_offsets_take_a_few_times_their_own_memory(arrivals: Arrivals) -> None:
    tracemalloc.start()
    offsets(arrivals, 1_000_000, None, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 1_000_000


def test_a_ramp_that_is_too_long_is_refused_without_making_it() -> None:
    with pytest.raises(UserError, match="requests are more than"):
        planned_count(Arrivals("constant", 1e7, 1, "linear", 1.0), None, 365 * 86400 * NS)
