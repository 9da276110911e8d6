"""Metrics of a window: loops whose truth is known, runs that were cut off, runs that were not held for a window."""

import json
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import metrics
from perfcore.slo import parse
from perfcore.types import Run
from tests import closed_loop
from tests.closed_loop import Simulated
from tests.reference import records
from tests.reference.loops import run_of

NS = 1_000_000_000
SLOTS = 20


def loop(held_s: float = 80.0, seed: int = 1, **more: Any) -> Simulated:
    """20 slots of requests of 8 to 12 s and 500 tokens, which begin over 5 s."""
    rng = np.random.default_rng(seed)
    return closed_loop.closed(rng, SLOTS, closed_loop.uniform, held_s, **({"ramp_s": 5.0} | more))


def computed(run: Run, **more: Any) -> dict[str, Any]:
    """Metrics of the window, after a trip through JSON: NaN does not survive it."""
    found: dict[str, Any] = json.loads(json.dumps(metrics.compute(run, 2, steady=True, **more), allow_nan=False))
    return found


@pytest.fixture(scope="module")
def steady() -> dict[str, Any]:
    return computed(run_of(loop(), SLOTS))


def test_held_loop_is_steady_and_its_window_begins_after_the_first_requests(steady: dict[str, Any]) -> None:
    assert (steady["steady"]["verdict"], steady["steady"]["exit_code"]) == ("steady", 0)
    window = steady["window"]
    assert 13 < window["start_s"] < 25
    assert (window["end_s"], window["end_reason"]) == (80.0, "the window was as long as asked for")
    assert window["length_s"] == pytest.approx(window["end_s"] - window["start_s"])
    assert steady["steady"]["not_given"] == []


def test_rates_are_those_of_the_window(steady: dict[str, Any]) -> None:
    made, window = loop(), steady["window"]
    inside = (made.stamps_ns >= window["start_ns"]) & (made.stamps_ns < window["end_ns"])
    expected = made.weights[inside].sum() / window["length_s"]
    assert steady["throughput"]["output_tokens_per_s"] == pytest.approx(expected)
    low, high = steady["throughput"]["ci95"]["output_tokens_per_s"]
    assert low < expected < high
    assert expected == pytest.approx(1000, rel=0.02)  # 20 slots, 500 tokens in 10 s
    assert steady["duration_s"] > window["end_s"]  # what came after the window is in the run, and in no rate


def test_latencies_are_those_of_what_was_due_in_the_window_each_to_its_end(steady: dict[str, Any]) -> None:
    made, window = loop(), steady["window"]
    due = (made.sent_ns >= window["start_ns"]) & (made.sent_ns < window["end_ns"])
    took = (made.ended_ns - made.sent_ns)[due]
    assert steady["window"]["requests"] == steady["requests"]["total"] == due.sum()
    assert (made.ended_ns[due] > window["end_ns"]).sum() > 10
    assert steady["latency"]["e2el_ms"]["mean"] == pytest.approx(took.mean() / 1e6)


def test_numbers_have_intervals_and_their_reasons_where_they_have_none(steady: dict[str, Any]) -> None:
    ttft = steady["latency"]["ttft_ms"]
    for name in ("mean", "p50", "p90"):
        assert ttft["ci95"][name][0] < ttft[name] < ttft["ci95"][name][1]
        assert 0 < ttft["effective_n"][name] <= ttft["n"]
    assert ttft["ci95"]["p99"] is None
    assert "fewer than 10" in steady["absent"]["latency.ttft_ms.ci95.p99"]
    assert steady["concurrency"]["ci95"]["mean"] == pytest.approx([SLOTS, SLOTS])


def test_coverage_is_the_share_of_the_run_that_was_measured(steady: dict[str, Any]) -> None:
    made, coverage = loop(), steady["window"]["coverage"]
    assert coverage["requests"] == steady["window"]["requests"] / made.sent_ns.size
    inside = steady["throughput_all"]["output_tokens_per_s"] * steady["window"]["length_s"]
    assert coverage["tokens"] == pytest.approx(inside / made.weights.sum())


def test_every_null_has_its_reason(steady: dict[str, Any]) -> None:
    whole = {key: value for key, value in steady.items() if key not in ("absent", "over_time")}
    assert set(nulls(whole, "")) == {key for key in steady["absent"] if not key.startswith("over_time")}


def nulls(value: Any, key: str) -> list[str]:
    if value is None:
        return [key.removeprefix(".")]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, item in items for found in nulls(item, f"{key}.{name}")]


def test_failed_requests_occupy_and_are_in_the_rates_of_everything() -> None:
    made = loop(failing=0.2)
    found = computed(run_of(made, SLOTS))
    assert found["concurrency"]["mean"] == pytest.approx(SLOTS)
    assert found["concurrency"]["max"] == SLOTS
    ended = (made.ended_ns >= found["window"]["start_ns"]) & (made.ended_ns < found["window"]["end_ns"])
    for key, these in (("throughput", made.ok), ("throughput_all", np.ones_like(made.ok))):
        expected = (ended & these).sum() / found["window"]["length_s"]
        assert found[key]["requests_per_s"] == pytest.approx(expected)
    assert found["errors"] == {"reset": found["requests"]["failed"]}


def cut_off(whole: Simulated, at_s: float, **more: Any) -> Run:
    """The loop with all cut off that ran at a time; nothing was sent after it."""
    run = run_of(whole, SLOTS, **more)
    requests, at_ns = run.requests, int(at_s * NS)
    requests.error_class[(requests.end_ns > at_ns) & (requests.sent_ns < at_ns)] = requests.error_classes.index(
        "cancelled"
    )
    requests.phase[requests.sent_ns >= at_ns] = 2
    np.minimum(requests.end_ns, at_ns, out=requests.end_ns)
    return run


def test_what_was_cut_off_after_the_window_is_no_failure() -> None:
    ended = loop().ended_ns[loop().sent_ns < 80 * NS].max() / NS
    found = computed(cut_off(loop(), ended))
    assert (found["window"]["end_s"], found["errors"], found["requests"]["failed"]) == (80.0, {}, 0)
    assert found["concurrency"]["mean"] == pytest.approx(SLOTS)
    assert max(found["over_time"]["requests_per_s"][-10:]) < 4 * found["throughput"]["requests_per_s"]


def test_window_ends_before_requests_that_were_cut_off() -> None:
    run = cut_off(loop(), 60.0, followed=False)
    found = computed(run)
    cut = run.requests.error_class == run.requests.error_classes.index("cancelled")
    assert found["window"]["end_ns"] <= run.requests.due_ns[cut].min()
    assert found["window"]["end_reason"] == "requests that were due later were cut off before their end"
    assert found["errors"] == {}
    assert "cut off" in found["steady"]["not_given"][-1]


def test_request_that_hangs_does_not_take_the_window_with_it() -> None:
    run = run_of(loop(), SLOTS)
    hangs = int(np.flatnonzero(run.requests.due_ns > 30 * NS)[0])
    run.requests.end_ns[hangs] = run.requests.end_ns.max()
    run.requests.error_class[hangs] = run.requests.error_classes.index("cancelled")
    found = computed(run)
    assert (found["window"]["end_s"], found["errors"]) == (80.0, {"cancelled": 1})


def test_run_that_was_not_held_says_what_it_cannot_give() -> None:
    found = computed(run_of(loop(kept_up=False), SLOTS, followed=None))
    assert found["window"]["end_reason"].startswith("the last request was sent")
    drained, undecided = found["steady"]["not_given"]
    assert "ended later, on a server that emptied" in drained
    assert "perfcore steady" in undecided


def test_interrupted_run_is_measured_until_its_last_request_was_sent() -> None:
    run = run_of(loop(kept_up=False), SLOTS)
    run.notes[0]["window"].update(end_ns=None, end_reason="interrupt", followed=False)
    found = computed(run)
    assert found["window"]["end_reason"].startswith("the run was interrupted")
    assert found["window"]["end_ns"] <= run.requests.sent_ns.max()
    assert "interrupted" in found["steady"]["not_given"][-1]


def test_killed_run_is_measured_until_what_was_then_in_flight_was_sent() -> None:
    whole = loop()
    run = run_of(whole, SLOTS, followed=None)
    found = computed(run_of(whole, SLOTS, followed=None, notes=run.notes[:1]))
    longest = (whole.ended_ns - whole.sent_ns).max()
    assert found["window"]["end_ns"] <= whole.ended_ns.max() - longest
    assert "killed" in found["steady"]["not_given"][-1]


@pytest.mark.parametrize("held_s", [3.0, 12.0])
def test_run_that_was_too_short_has_counts_but_no_rate_and_no_latency(held_s: float) -> None:
    found = computed(run_of(loop(held_s), SLOTS))
    assert (found["steady"]["verdict"], found["steady"]["exit_code"]) == ("too_short", 4)
    assert found["window"] is found["latency"]["ttft_ms"] is found["throughput"]["requests_per_s"] is None
    assert found["absent"]["latency.ttft_ms"] == found["absent"]["window"]
    assert found["requests"]["ok"] > 0
    assert found["steady"]["reasons"][0]["remedy"]


@pytest.mark.parametrize("slots", [1, 2])
def test_run_of_a_request_or_two_is_too_short(slots: int) -> None:
    few = closed_loop.closed(np.random.default_rng(1), slots, closed_loop.uniform, 0.001, kept_up=False)
    found = computed(run_of(few, slots))
    assert (found["steady"]["verdict"], found["window"]) == ("too_short", None)


def test_run_without_any_request_is_too_short() -> None:
    found = computed(records.run(stamps=None))
    assert (found["steady"]["verdict"], found["window"], found["over_time"]) == ("too_short", None, None)
    assert found["absent"]["latency.ttft_ms"] == "no measured request was recorded with its times"


def test_open_loop_has_a_window_and_no_concurrency_asked() -> None:
    rng = np.random.default_rng(5)
    found = computed(run_of(closed_loop.opened(rng, 4.0, closed_loop.uniform, 120.0), None))
    assert found["steady"]["verdict"] == "steady"
    assert found["concurrency"]["asked"] is None
    assert found["throughput"]["requests_per_s"] == pytest.approx(4.0, rel=0.15)
    assert found["rate"]["asked"] == 2.0  # as the note says; what was sent is measured in the window
    assert found["rate"]["achieved"] == pytest.approx(4.0, rel=0.15)


def test_answers_in_one_piece_are_measured_by_their_ends() -> None:
    run = run_of(loop(), SLOTS, stamps=None)
    run.requests.streamed[:] = False
    found = computed(run)
    assert found["window"] is not None
    assert found["throughput"]["output_tokens_per_s"] == pytest.approx(1000, rel=0.05)
    assert found["latency"]["ttft_ms"] is None


def test_goodput_is_that_of_the_window(steady: dict[str, Any]) -> None:
    assert "goodput" not in steady
    found = computed(run_of(loop(), SLOTS), objectives=parse(["e2el<=10s"]))
    length_s = found["window"]["length_s"]
    good = found["goodput"]["requests_per_s"] * length_s
    assert good == pytest.approx(round(good))
    assert 0 < good < found["window"]["requests"]


def test_series_over_time_span_the_run(steady: dict[str, Any]) -> None:
    over = steady["over_time"]
    assert over["edges_s"][-1] == pytest.approx(steady["duration_s"])
    assert {len(over[name]) for name in ("in_flight", "output_tokens_per_s", "requests_per_s", "ttft_ms")} == {
        len(over["edges_s"]) - 1
    }
    assert max(over["in_flight"]) <= SLOTS
