"""Arrivals that were asked for, planned and sent."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from perfcore.analysis.absent import Absent
from perfcore.analysis.arrivals import compare, distance, gamma_share, law_share, observe
from perfcore.analysis.measured import select
from perfcore.pace import NS, Arrivals, Floats
from perfcore.types import Run
from perfcore.workload.schedule import offsets
from tests.reference.laws import CLOSED, erlang
from tests.reference.records import run

START = 7 * NS
POISSON = Arrivals("poisson", 100)


def ran(arrivals: Arrivals, count: int, slip_ms: Sequence[float] = (0.0,), **more: Any) -> Run:
    """A run whose requests were sent late by these times, in turn."""
    recorded = np.array([0, 1, 4, 4, 9]) * NS if arrivals.law == "replay" else None
    due = offsets(arrivals, count, None, 1, recorded).tolist()
    rows = [
        {"due_ns": START + at, "sent_ns": START + at + round(slip_ms[number % len(slip_ms)] * 1e6)}
        for number, at in enumerate(due)
    ]
    note = {"note": "phase", "phase": "measured", "start_ns": START, "arrivals": {**asdict(arrivals), "count": count}}
    return run(*rows, notes=(note,), **more)


def compared(this: Run) -> dict[str, Any]:
    found = compare(this.requests, select(this.requests), this.notes)
    assert isinstance(found, dict)
    return found


def test_rates_are_given_as_asked_planned_and_sent() -> None:
    found = compared(ran(Arrivals("constant", 10), 101, [0.0] * 100 + [2500.0]))
    assert (found["law"], found["asked_per_s"], found["planned_per_s"]) == ("constant", 10, 10)
    assert found["sent_per_s"] == pytest.approx(100 / 12.5)
    assert found["words"][1] == "Planned 10 requests/s, sent 8 (80.0 %)."


def test_planned_gaps_follow_their_law_and_late_ones_do_not() -> None:
    found = compared(ran(POISSON, 4000, [0.0, 30.0]))["gaps"]
    assert (found["law_cv"], found["planned_cv"]) == (1.0, pytest.approx(1.0, abs=0.05))
    assert found["planned_distance"] < found["distance_limit"] == pytest.approx(1.63 / math.sqrt(3999))
    assert found["sent_distance"] > 2 * found["distance_limit"]


@pytest.mark.parametrize("burstiness", [1e-6, 0.01, 0.1, 0.5, 3.0, 500.0])
def test_gaps_of_bursts_follow_their_law_although_they_are_whole_nanoseconds(burstiness: float) -> None:
    found = compared(ran(Arrivals("gamma", 100, burstiness), 3000))["gaps"]
    assert found["planned_distance"] < found["distance_limit"]


@pytest.mark.parametrize(
    "arrivals",
    [
        Arrivals("poisson", ramp_up_strategy="linear", ramp_up_start_rps=5, ramp_up_end_rps=80),
        Arrivals("gamma", 80, 0.3, rate_shape="onoff:10s,5s"),
        Arrivals("uniform", 80, rate_shape="sine:60s,0.8"),
    ],
)
def test_gaps_of_a_rate_that_changes_are_judged_by_the_rate_of_their_time(arrivals: Arrivals) -> None:
    found = compared(ran(arrivals, 3000))["gaps"]
    assert found["planned_distance"] < found["distance_limit"]
    assert found["planned_cv"] == pytest.approx(found["law_cv"], rel=0.1)


def test_series_over_time_add_up_to_the_requests() -> None:
    found = compared(ran(Arrivals("poisson", 100, rate_shape="onoff:10s,5s"), 2000, [1.0]))["over_time"]
    for name in ("planned_per_s", "sent_per_s"):
        assert sum(found[name]) * found["step_s"] == pytest.approx(2000)
    assert sum(found["asked_per_s"]) * found["step_s"] == pytest.approx(2000, abs=2)
    assert {round(slip, 6) for slip in found["slip_max_ms"] if slip is not None} == {1.0}
    assert None in found["slip_max_ms"]


def test_nothing_is_asked_for_after_the_last_request_was_due() -> None:
    found = compared(ran(Arrivals("constant", 100), 1001, [0.0] * 1000 + [10_000.0]))["over_time"]
    assert found["asked_per_s"] == pytest.approx([100] * 25 + [0] * 25)


def test_a_burst_is_told_by_the_time_that_it_took() -> None:
    found = compared(ran(Arrivals("burst"), 50, [0.0, 400.0]))
    assert found["words"][:2] == [
        "Asked for: all requests at once.",
        "All 50 requests were due at once and were sent within 0.4 s.",
    ]


def test_a_replay_has_the_rate_of_its_recording() -> None:
    found = compared(ran(Arrivals("replay", speed=3), 5))
    assert found["planned_per_s"] == pytest.approx(4 / 3)
    assert found["words"][0] == "Asked for: the times of the recording at 3 times its speed."


def test_later_turns_and_attempts_and_warm_ups_are_no_arrivals() -> None:
    late = {"due_ns": START + 90 * NS, "sent_ns": START + 91 * NS}
    rows = [{"due_ns": START + at * NS, "sent_ns": START + at * NS} for at in range(4)]
    extra = [{**late, "request_id": 3, "attempt": 1}, {**late, "request_id": 2, "turn": 1}, {**late, "phase": 0}]
    this = run(*rows, *extra, notes=({"note": "phase", "phase": "measured", "rate": 1.0},))
    assert compared(this)["planned_per_s"] == 1.0


@pytest.mark.parametrize(
    ("notes", "rows", "why"),
    [
        ((), 5, "killed"),
        (({"note": "phase", "phase": "measured", "concurrency": 4},), 5, "closed loop"),
        (({"note": "phase", "phase": "measured", "rate": 4.0},), 2, "fewer than three"),
    ],
)
def test_what_there_is_nothing_to_say_of_is_absent(notes: tuple[Any, ...], rows: int, why: str) -> None:
    this = run(*({"due_ns": at, "sent_ns": at} for at in range(rows)), notes=notes)
    found = observe(this.requests, select(this.requests), this.notes)
    assert isinstance(found, Absent)
    assert why in found.reason


@pytest.mark.parametrize(("law", "burstiness", "distribution", "_"), CLOSED)
def test_distributions_of_the_laws_are_right(
    law: str, burstiness: float, distribution: Callable[[Floats], Floats], _: float
) -> None:
    share, x = law_share(Arrivals(law, 1.0, burstiness)), np.linspace(0, 6, 500)
    assert share is not None
    assert share(x) == pytest.approx(distribution(x), abs=1e-4)


@pytest.mark.parametrize("shape", [1e-6, 0.01, 0.7, 1.5, 60.0, 1e6])
def test_the_gamma_distribution_is_that_of_what_is_drawn(shape: float) -> None:
    drawn = np.random.default_rng(1).standard_gamma(shape, 40_000) / shape
    assert distance(drawn, lambda x: gamma_share(shape, x), 1e-9) < 1.63 / 200


def test_the_gamma_distribution_of_a_whole_shape_is_erlang_s() -> None:
    x = np.linspace(0, 3, 200)
    assert gamma_share(9, x) == pytest.approx(erlang(9)(x), abs=1e-6)


def test_the_example_of_the_page_is_right() -> None:
    rows = [{"due_ns": due * NS, "sent_ns": round(sent * NS)} for due, sent in enumerate((0, 1, 2.5, 3))]
    found = compared(run(*rows, notes=({"note": "phase", "phase": "measured", "rate": 1.0},)))
    assert [found[f"{part}_per_s"] for part in ("asked", "planned", "sent")] == [1, 1, 1]
    assert (found["gaps"]["planned_cv"], round(found["gaps"]["sent_cv"], 3)) == (0, 0.408)
