"""Work credited to the time at which it was done, on records made by hand."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import windowed
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import due_in, flight, opened, select
from perfcore.analysis.windowed import Work
from perfcore.types import Run, Stamps
from tests.reference.records import MS, WARMUP, requests, run, streamed

# Two answers and a failure. Tokens at 100, 200, 300 and at 250, 350 ms; the failure got two at 120 and 130 ms.
FIRST = streamed(0, 0, 100, 300, output_tokens=9, input_tokens=7)
SECOND = streamed(150, 150, 250, 350, output_tokens=4, input_tokens=3)
FAILED = streamed(50, 50, 120, 140, output_tokens=2, error_class="reset")
STAMPS = {0: (100, 200, 300), 1: (250, 350), 2: (120, 130)}


def stamped(*rows: dict[str, Any], times_ms: dict[int, tuple[int, ...]] | None = None) -> Run:
    """A run of these attempts whose token events came at these times."""
    pairs = [(time * MS, row) for row, times in (times_ms or {}).items() for time in times]
    t_ns, row = (np.array([pair[place] for pair in pairs], np.int64) for place in (0, 1))
    return run(*rows, stamps=Stamps(t_ns, row.astype(np.int32)))


def works(whole: Run) -> dict[str, Any]:
    return windowed.works(whole, select(whole.requests))


def per_s(work: Work, start_ms: float, end_ms: float, failed_too: bool = True) -> float:
    return windowed.rate(work if failed_too else work.where(work.ok), int(start_ms * MS), int(end_ms * MS))


@pytest.mark.parametrize(
    ("start_ms", "end_ms", "tokens"),
    [
        (0, 100, 0),
        (100, 101, 3),  # the first of three events of 9 tokens; the window has its first ns
        (0, 200, 5),  # 3, and two of the failure's; not what comes at its very end
        (200, 260, 5),  # 3 and 2
        (0, 1000, 15),
    ],
)
def test_tokens_count_at_the_times_of_their_events(start_ms: int, end_ms: int, tokens: int) -> None:
    made = works(stamped(FIRST, SECOND, FAILED, times_ms=STAMPS))["output_tokens_per_s"]
    assert per_s(made, start_ms, end_ms) == pytest.approx(tokens / (end_ms - start_ms) * 1000)


def test_tokens_of_failed_requests_count_apart() -> None:
    made = works(stamped(FIRST, SECOND, FAILED, times_ms=STAMPS))["output_tokens_per_s"]
    assert (per_s(made, 0, 1000, failed_too=False), per_s(made, 0, 1000)) == (13.0, 15.0)


def test_example_of_the_documentation() -> None:
    across = streamed(0, 0, 50, 250, output_tokens=9)
    within = streamed(110, 110, 120, 140, output_tokens=4)
    failed = streamed(105, 105, 120, 130, output_tokens=2, error_class="reset")
    times: dict[int, tuple[int, ...]] = {0: (50, 150, 250), 1: (120, 140), 2: (120, 130)}
    made = works(stamped(across, within, failed, times_ms=times))["output_tokens_per_s"]
    assert (per_s(made, 100, 200, failed_too=False), per_s(made, 100, 200)) == (70.0, 90.0)


def test_input_counts_when_it_is_shown_to_be_read() -> None:
    read = works(stamped(FIRST, SECOND, FAILED, times_ms=STAMPS))["input_tokens_per_s"]
    assert (read.t_ns.tolist(), read.amount.tolist()) == ([100 * MS, 250 * MS], [7.0, 3.0])


def test_failure_after_its_first_token_had_its_input_read_and_one_before_had_not() -> None:
    late, early = FAILED | {"input_tokens": 5}, FAILED | {"input_tokens": 6, "first_token_ns": -1}
    read = works(stamped(FIRST, late, early))["input_tokens_per_s"]
    assert (read.amount.tolist(), read.ok.tolist()) == ([7.0, 5.0], [True, False])


def test_answer_in_one_piece_counts_at_its_end() -> None:
    piece = FIRST | {"streamed": False, "end_ns": 320 * MS}
    found = works(stamped(piece))
    for name in ("output_tokens_per_s", "input_tokens_per_s", "requests_per_s"):
        assert found[name].t_ns.tolist() == [320 * MS]


def test_answer_in_one_piece_without_usage_has_no_tokens() -> None:
    found = works(stamped(FIRST | {"streamed": False, "token_source": "events", "output_tokens": 0}))
    assert isinstance(found["output_tokens_per_s"], Absent)
    assert isinstance(found["total_tokens_per_s"], Absent)


def test_tokens_that_came_without_an_event_count_at_the_end() -> None:
    made = works(stamped(FIRST, SECOND, times_ms={1: (250, 350)}))["output_tokens_per_s"]
    assert sorted(zip(made.t_ns.tolist(), made.amount.tolist(), strict=True)) == [
        (250 * MS, 2.0),
        (300 * MS, 9.0),
        (350 * MS, 2.0),
    ]


def test_tried_again_request_ends_once_but_its_first_tokens_were_made() -> None:
    again = FIRST | {"request_id": 2, "attempt": 1}
    found = works(stamped(FAILED | {"request_id": 2}, again, times_ms={0: (120, 130), 1: (100, 200, 300)}))
    assert found["requests_per_s"].t_ns.tolist() == [300 * MS]
    assert per_s(found["output_tokens_per_s"], 0, 1000) == pytest.approx(11.0)


def test_rates_of_parts_add_up_to_that_of_the_whole() -> None:
    rng = np.random.default_rng(3)
    work = Work(rng.integers(0, 1000 * MS, 500), rng.random(500), rng.random(500) < 0.5)
    cuts = [0, 1, 17, 400, 1000]
    parts = [per_s(work, a, b) * (b - a) for a, b in pairwise(cuts)]
    assert sum(parts) == pytest.approx(per_s(work, 0, 1000) * 1000)


def test_gaps_are_those_of_the_chosen_requests() -> None:
    stamps = Stamps(np.array([1, 3, 10, 15, 2, 9]), np.array([0, 0, 1, 1, 0, 2], np.int32))
    assert windowed.gaps(stamps, np.array([0, 1])).tolist() == [2, 5]
    assert windowed.gaps(stamps, np.array([2])).tolist() == windowed.gaps(None, np.array([0])).tolist() == []


def test_due_in_a_window_is_in_the_order_of_the_due_times_with_all_attempts() -> None:
    rows = [
        streamed(30, 30, 40, 50, request_id=0),
        streamed(10, 10, 20, 25, request_id=1, error_class="reset", http_status=500),
        streamed(26, 26, 30, 40, request_id=1, attempt=1),
        streamed(5, 5, 6, 7, request_id=2),
        streamed(40, 40, 41, 42, request_id=3),
        streamed(10, 10, 11, 12, request_id=4, phase=WARMUP),
    ]
    table = requests(*rows)
    part = due_in(table, select(table), 10 * MS, 40 * MS)
    assert (part.first.tolist(), part.last.tolist(), part.ok.tolist()) == ([1, 0], [2, 0], [True, True])
    assert sorted(part.rows.tolist()) == [0, 1, 2]
    assert opened(table, part, False) == 3


def test_series_over_time_hold_all_the_work() -> None:
    whole = stamped(FIRST, SECOND, FAILED, times_ms=STAMPS)
    measured = select(whole.requests)
    flown = flight(whole.requests, {})
    made = works(whole)["output_tokens_per_s"]
    found = windowed.over_time(whole.requests, measured, flown, made, (0, 350 * MS))
    seconds = np.diff(found["edges_s"])
    assert float(np.dot(found["output_tokens_per_s"], seconds)) == pytest.approx(15.0)
    assert float(np.dot(found["requests_per_s"], seconds)) == pytest.approx(3.0)
    assert float(np.dot(found["in_flight"], seconds)) == pytest.approx(0.3 + 0.2 + 0.09)
    assert [value for value in found["ttft_ms"] if value is not None] == [100.0, 100.0]
