"""The algorithms of other tools, as they are described: what they report of runs whose truth is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks import steady_truth
from perfcore.analysis import peers
from perfcore.analysis.absent import Absent
from perfcore.analysis.peers import Reported
from tests.closed_loop import LAWS, Simulated, closed
from tests.reference import steady as reference

S = 1_000_000_000
Times = NDArray[np.int64]
Columns = tuple[Times, Times, Times, NDArray[np.float64], NDArray[np.bool_]]


def columns(run: Simulated) -> Columns:
    return run.sent_ns, run.ended_ns, run.ttft_ns, run.tokens, run.ok


def fixed_run(requests: int) -> Columns:
    """20 slots, 10 s a request: 1,000 tokens/s."""
    return columns(closed(np.random.default_rng(1), 20, LAWS["fixed"], requests / 2, kept_up=False))


def reported(found: Reported | Absent) -> Reported:
    assert isinstance(found, Reported)
    return found


@pytest.mark.parametrize(("requests", "ratio"), [(100, 4 / 3), (400, 19 / 18)])
def test_the_stable_stage_counts_the_last_cohort_without_its_time(requests: int, ratio: float) -> None:
    found = reported(peers.aisbench(*fixed_run(requests), 20))
    assert found.output_tokens_per_s == pytest.approx(1000 * ratio)
    assert found.concurrency == 20.0


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), min_size=3, max_size=30), st.integers(1, 5))
def test_the_stage_is_that_of_the_sweep_event_by_event(requests: list[tuple[int, int]], asked: int) -> None:
    starts = np.array([start for start, _ in requests])
    ends = starts + np.array([length for _, length in requests])
    found = peers.aisbench(starts, ends, starts, np.ones(starts.size), np.ones(starts.size, bool), asked)
    stage = reference.stable_stage(starts.tolist(), ends.tolist(), asked)
    if isinstance(found, Reported):
        assert (found.start_ns, found.end_ns) == stage
    else:
        assert stage is None or stage[0] == stage[1] or not ((starts >= stage[0]) & (starts <= stage[1])).any()


def test_a_concurrency_that_is_never_reached_exactly_has_no_stage() -> None:
    assert isinstance(peers.aisbench(*fixed_run(100), 21), Absent)
    assert isinstance(peers.aisbench_before(*fixed_run(100), 21), Absent)


def test_the_older_stage_ends_with_the_first_dip() -> None:
    """Four slots, two of which pause from 35 to 45 s: the newer stage goes on to the last start."""
    sent = np.repeat([0, 5, 10, 15, 20, 25, 30, 40, 45, 50, 55, 60], 2) * S
    whole = (sent, sent + 10 * S, np.full(24, S), np.full(24, 100.0), np.ones(24, bool))
    new, old = reported(peers.aisbench(*whole, 4)), reported(peers.aisbench_before(*whole, 4))
    assert [edge // S for edge in (new.start_ns, new.end_ns, old.start_ns, old.end_ns)] == [10, 60, 10, 35]


@pytest.mark.parametrize(("requests", "start_s", "rate"), [(200, 20, 1000), (40, 10, 39 * 500 / 10)])
def test_evalscope_counts_from_the_last_end_in_the_first_fifth(requests: int, start_s: int, rate: float) -> None:
    """Cohorts of 20 requests end every 10 s: of 100 s from the second one on; of 20 s from the first request alone."""
    found = reported(peers.evalscope(*fixed_run(requests)))
    assert found.start_ns == start_s * S
    assert found.output_tokens_per_s == pytest.approx(rate)


def test_evalscope_has_the_whole_run_where_one_end_is_all_that_is_left() -> None:
    one = (np.array([0]), np.array([4 * S]), np.array([S]), np.array([100.0]), np.ones(1, bool))
    assert reported(peers.evalscope(*one)).output_tokens_per_s == pytest.approx(25)


def test_requests_that_overlap_a_window_count_whole() -> None:
    """A window of 10 to 90 s: all cohorts touch it, from their first token at 0.5 s to 100 s."""
    found = reported(peers.guidellm(*fixed_run(200)))
    assert found.output_tokens_per_s == pytest.approx(100_000 / 99.5)
    assert found.requests == 200


def test_the_tables_of_the_benchmark_have_a_row_for_each_load(capsys: pytest.CaptureFixture[str]) -> None:
    steady_truth.others(2)
    steady_truth.drifts(1)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("| ")]) == 2 + 16 + 2 + 12


def test_failed_requests_are_not_seen() -> None:
    times = np.arange(3)
    failed = (times, times + 1, times, np.ones(3), np.zeros(3, bool))
    assert isinstance(peers.evalscope(*failed), Absent)
    assert isinstance(peers.guidellm(*failed), Absent)
    assert isinstance(peers.aisbench(*failed, 2), Absent)
