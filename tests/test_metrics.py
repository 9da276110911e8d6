"""Every metric on hand-made records, with the expected number worked out beside it."""

import json
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import metrics
from tests.reference.records import MS, WARMUP, run, streamed


def computed(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Metrics of these attempts, after a trip through JSON: NaN does not survive it."""
    found: dict[str, Any] = json.loads(json.dumps(metrics.compute(run(*rows, **more)), allow_nan=False))
    return found


def phase(**more: Any) -> tuple[dict[str, Any], ...]:
    return ({"note": "phase", "phase": "measured"} | more, {"note": "end", "exit": 0})


# One request: due at 10, sent at 12, first token at 112, last output at 312 ms, 11 output tokens.
ONE = streamed(10, 12, 112, 312, output_tokens=11, input_tokens=7)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ttft_ms", 100.0),  # 112 - 12
        ("ttft_from_intended_ms", 102.0),  # 112 - 10
        ("ttfa_ms", 100.0),
        ("ttfa_from_intended_ms", 102.0),
        ("e2el_ms", 300.0),  # 312 - 12
        ("e2el_from_intended_ms", 302.0),  # 312 - 10
        ("tpot_ms", 20.0),  # (300 - 100) / (11 - 1)
        ("slip_ms", 2.0),  # 12 - 10
    ],
)
def test_latency_of_one_streamed_request(name: str, expected: float) -> None:
    latency = computed(ONE)["latency"][name]
    assert (latency["n"], latency["mean"], latency["min"], latency["p99"]) == (1, expected, expected, expected)


def test_first_answer_token_comes_after_the_reasoning() -> None:
    found = computed(ONE | {"first_answer_ns": 212 * MS})["latency"]
    assert (found["ttft_ms"]["mean"], found["ttfa_ms"]["mean"]) == (100.0, 200.0)


def test_reasoning_alone_has_no_first_answer_token() -> None:
    found = computed(ONE | {"first_answer_ns": -1})
    assert found["latency"]["ttfa_ms"] is None
    assert found["absent"]["latency.ttfa_ms"] == "no answer token came, only reasoning"


def test_end_to_end_stops_at_the_last_output_not_at_the_end_of_the_transfer() -> None:
    assert computed(ONE | {"end_ns": 400 * MS})["latency"]["e2el_ms"]["mean"] == 300.0


def test_answer_in_one_piece_ends_with_its_transfer_and_has_no_first_token() -> None:
    found = computed(ONE | {"streamed": False, "end_ns": 350 * MS})
    assert found["latency"]["e2el_ms"]["mean"] == 338.0  # 350 - 12
    for name in ("ttft_ms", "ttft_from_intended_ms", "ttfa_ms", "tpot_ms", "itl_ms"):
        assert found["latency"][name] is None
        assert found["absent"][f"latency.{name}"] == "not streamed"


@pytest.mark.parametrize("tokens", [-1, 0, 1])
def test_time_per_output_token_needs_two_tokens(tokens: int) -> None:
    found = computed(ONE | {"output_tokens": tokens})
    assert found["latency"]["tpot_ms"] is None
    assert "more than one output token" in found["absent"]["latency.tpot_ms"]


def test_gaps_between_token_events_are_pooled() -> None:
    found = computed(ONE, gaps_ns=np.array([10 * MS, 20 * MS, 60 * MS]))["latency"]["itl_ms"]
    assert (found["n"], found["mean"], found["p50"], found["max"]) == (3, 30.0, 20.0, 60.0)  # 90 / 3


def test_connect_is_the_sum_of_its_parts_over_new_connections_only() -> None:
    new = ONE | {"new_connection": True, "dns_ns": 1 * MS, "tcp_ns": 2 * MS, "tls_ns": 4 * MS}
    found = computed(new, ONE)
    assert (found["latency"]["connect_ms"]["n"], found["latency"]["connect_ms"]["mean"]) == (1, 7.0)
    assert found["connections"] == {"opened": 1, "reused": 1}


def test_refused_attempt_neither_opened_nor_reused_a_connection() -> None:
    refused = ONE | {"error_class": "refused", "http_status": 0}
    assert computed(ONE, refused)["connections"] == {"opened": 0, "reused": 1}


def test_latencies_are_those_of_successful_requests() -> None:
    failed = streamed(0, 0, 5, 9, error_class="truncated_stream")
    found = computed(ONE, failed)
    assert found["latency"]["ttft_ms"]["n"] == found["latency"]["e2el_ms"]["n"] == 1
    assert found["latency"]["slip_ms"]["n"] == 2  # lateness is the client's, whatever the server made of it
    assert found["requests"] == {
        "total": 2, "ok": 1, "failed": 1, "retries": 0, "after_stop": 0, "bad_json_events": 0
    }  # fmt: skip


def test_throughput_is_over_first_due_to_last_end() -> None:
    # Due at 10, last end at 1010 ms: 1 s. Two successes, 11 + 9 output and 7 + 3 input tokens; a failure adds none.
    second = streamed(500, 500, 600, 1010, output_tokens=9, input_tokens=3)
    failed = streamed(20, 20, 30, 40, output_tokens=99, error_class="reset")
    found = computed(ONE, second, failed)
    assert found["duration_s"] == 1.0
    assert found["throughput"] == {
        "requests_per_s": 2.0,
        "input_tokens_per_s": 10.0,
        "output_tokens_per_s": 20.0,
        "total_tokens_per_s": 30.0,
    }


def test_window_ends_with_the_last_end_even_of_a_failed_request() -> None:
    failed = streamed(20, 20, 30, 2010, error_class="total_timeout")
    assert computed(ONE, failed)["duration_s"] == 2.0  # 2010 - 10 ms


def test_concurrency_is_the_integral_of_requests_in_flight() -> None:
    # Window 0 to 100 ms. In flight 0..60 and 40..100, failed 90..100: (60 + 60 + 10) / 100 = 1.3.
    first, second = streamed(0, 0, 10, 60), streamed(40, 40, 50, 100)
    failed = streamed(90, 90, 95, 100, error_class="reset")
    found = computed(first, second, failed, notes=phase(concurrency=4))["concurrency"]
    assert found == {"asked": 4, "mean": pytest.approx(1.3), "max": 2}


def test_slot_handed_on_within_one_tick_is_one_request_in_flight() -> None:
    found = computed(streamed(0, 0, 1, 50), streamed(50, 50, 60, 100))["concurrency"]
    assert (found["mean"], found["max"]) == (1.0, 1)


def test_concurrency_is_not_capped_at_what_was_asked() -> None:
    rows = [streamed(0, 0, 1, 100) for _ in range(3)]
    assert computed(*rows, notes=phase(concurrency=2))["concurrency"] == {"asked": 2, "mean": 3.0, "max": 3}


def test_warmups_are_in_no_figure() -> None:
    warmup = streamed(-500, -500, -400, 5000, phase=WARMUP, output_tokens=1000, new_connection=True)
    assert computed(warmup, ONE | {"request_id": 1}) == computed(ONE)


def test_request_that_was_tried_again_counts_once_with_its_last_attempt() -> None:
    # Due at 0, refused at 1, tried again at 50, first token at 80: TTFT 30, from intended 80; slip is the first one's.
    first = {"request_id": 5, "due_ns": 0, "sent_ns": 1 * MS, "end_ns": 2 * MS, "error_class": "http_500"}
    again = streamed(50, 50, 80, 90, request_id=5, attempt=1)
    found = computed(again, first)
    assert (found["requests"]["total"], found["requests"]["ok"], found["requests"]["retries"]) == (1, 1, 1)
    assert found["latency"]["ttft_ms"]["mean"] == 30.0
    assert found["latency"]["ttft_from_intended_ms"]["mean"] == 80.0
    assert found["latency"]["e2el_from_intended_ms"]["mean"] == 90.0
    assert found["latency"]["slip_ms"]["mean"] == 1.0
    assert (found["errors"], sum(found["retried"].values())) == ({}, found["requests"]["retries"])
    assert found["concurrency"]["mean"] == pytest.approx(41 / 90)  # 1..2 and 50..90 of 0..90


def test_request_that_failed_at_every_attempt_is_one_error_of_its_last_class() -> None:
    attempts = [
        {"request_id": 5, "attempt": 0, "error_class": "http_500"},
        {"request_id": 5, "attempt": 1, "error_class": "reset"},
    ]
    assert computed(*attempts)["errors"] == {"reset": 1}


def test_errors_and_finish_reasons_are_counted_by_name() -> None:
    length, failed = ONE | {"finish_reason": "length"}, ONE | {"error_class": "http_500", "finish_reason": ""}
    found = computed(ONE, ONE, length, failed, ONE | {"finish_reason": ""})
    assert found["errors"] == {"http_500": 1}
    assert list(found["finish_reasons"].items()) == [("stop", 2), ("length", 1)]


def test_lost_request_occupied_the_server_until_its_worker_died() -> None:
    # Window 10 to 312 ms. In flight 12..312 and, until worker 1 is found dead, 20..112: (300 + 92) / 302.
    lost = {"error_class": "lost_worker", "due_ns": 20 * MS, "sent_ns": 20 * MS, "http_status": 0, "worker": 1}
    lost |= {"bad_json": -1, "events": -1, "token_events": -1}
    note = {"note": "lost_worker", "worker": 1, "exit": -9, "time_ns": 112 * MS}
    found = computed(ONE, lost, notes=(note,))
    assert (found["requests"]["failed"], found["errors"]) == (1, {"lost_worker": 1})
    assert found["requests"]["bad_json_events"] == 0
    assert found["concurrency"]["mean"] == pytest.approx(392 / 302)
    assert found["concurrency"]["max"] == 2


@pytest.mark.parametrize("sent_ns", [-1, 20 * MS])
def test_lost_request_whose_times_nothing_tells_leaves_the_integral_alone(sent_ns: int) -> None:
    lost = {"error_class": "lost_worker", "due_ns": 20 * MS, "sent_ns": sent_ns, "http_status": 0}
    assert computed(ONE, lost)["concurrency"]["mean"] == pytest.approx(300 / 302)  # 12..312 of 10..312


def test_tokens_are_summed_over_the_requests_that_know_them() -> None:
    found = computed(ONE, ONE | {"input_tokens": -1, "cached_tokens": 4})["tokens"]
    assert (found["input"], found["output"], found["reasoning"], found["cached"]) == (7, 22, None, 4)
    assert found["counted"] == {"input": 1, "output": 2, "reasoning": 0, "cached": 1}
    assert (found["source"], found["output_per_request"]["mean"]) == ("server", 11.0)


def test_tokens_per_event_is_over_the_streams_whose_server_counts() -> None:
    # 20 tokens in 16 events; neither an estimate nor an answer in one piece says anything about events.
    told = ONE | {"output_tokens": 20, "token_events": 16}
    estimate = ONE | {"output_tokens": 30, "token_events": 30, "token_source": "events"}
    piece = ONE | {"output_tokens": 50, "token_events": 1, "streamed": False}
    assert computed(told, estimate, piece)["tokens"]["tokens_per_event"] == 1.25
    assert computed(piece)["absent"]["tokens.tokens_per_event"] == "no successful answer was streamed"


def test_tokens_from_several_sources_name_them_all() -> None:
    found = computed(ONE, ONE | {"token_source": "events"})
    assert found["tokens"]["source"] == "server+events"


def test_server_without_usage_has_no_input_tokens_and_no_total() -> None:
    found = computed(ONE | {"input_tokens": -1, "token_source": "events", "token_events": 11})
    assert found["throughput"]["input_tokens_per_s"] is found["throughput"]["total_tokens_per_s"] is None
    assert found["throughput"]["output_tokens_per_s"] == pytest.approx(11 / 0.302)
    assert found["absent"]["tokens.input"] == "no successful answer came with this number"
    assert found["absent"]["tokens.tokens_per_event"] == "the server reported no output tokens"


def test_answer_in_one_piece_without_usage_has_no_token_count() -> None:
    found = computed(ONE | {"streamed": False, "token_source": "events", "output_tokens": 1})
    assert found["tokens"]["output"] is found["throughput"]["output_tokens_per_s"] is None
    assert found["tokens"]["source"] is None


def test_open_loop_reports_the_rate_that_was_sent() -> None:
    # Sent at 0, 100, 210 ms: two gaps in 210 ms.
    rows = [streamed(due, sent, 300, 400) for due, sent in ((0, 0), (100, 100), (200, 210))]
    found = computed(*rows, notes=phase(rate=10.0))
    assert found["rate"] == {"asked": 10.0, "achieved": pytest.approx(2 / 0.210)}
    assert found["validity"]["measures"]["rate_scheduled"] == pytest.approx(10.0)
    assert found["absent"]["concurrency.asked"] == "no limit was set"


@pytest.mark.parametrize(
    ("law", "why"),
    [("burst", "all requests are due at once"), ("replay", "a replay has no rate of its own")],
)
def test_open_loop_without_a_rate_of_its_own_says_so(law: str, why: str) -> None:
    rows = [streamed(at, at, at + 50, at + 100) for at in (0, 100, 210)]
    found = computed(*rows, notes=phase(arrivals={"law": law}))
    assert (found["rate"]["asked"], found["absent"]["rate.asked"]) == (None, why)
    assert found["rate"]["achieved"] == pytest.approx(2 / 0.210)


def test_closed_loop_has_no_rate() -> None:
    found = computed(ONE, notes=phase(concurrency=1))
    assert found["rate"] == {"asked": None, "achieved": None}
    assert found["absent"]["rate.asked"] == "closed loop: the answers set the rate"


def test_workers_tell_their_share_of_a_core() -> None:
    notes = ({"note": "worker", "worker": 0, "cpu_s": 3.0, "wall_s": 4.0, "requests": 9}, {"note": "end"})
    found = computed(ONE, notes=notes)
    assert (found["workers"][0]["cpu_share"], found["workers"][0]["requests"]) == (0.75, 9)
    assert found["validity"]["measures"]["worker_cpu_share_max"] == 0.75


def test_dead_worker_is_listed_without_its_figures() -> None:
    notes = ({"note": "lost_worker", "worker": 1, "exit": -9}, {"note": "end"})
    found = computed(ONE, notes=notes)
    assert (found["workers"][0]["worker"], found["workers"][0]["lost"]) == (1, True)
    assert found["absent"]["workers.0.cpu_s"] == "the worker died before it could say"


def test_killed_run_says_so_and_still_has_its_latencies() -> None:
    found = computed(ONE, notes=())
    assert found["latency"]["ttft_ms"]["mean"] == 100.0
    assert found["absent"]["workers"] == found["absent"]["concurrency.asked"] == "the run was killed before its end"
    assert found["validity"]["verdict"] == "suspect"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "no measured request was recorded"),
        ([ONE | {"phase": WARMUP}], "no measured request was recorded"),
        ([ONE | {"error_class": "reset"}], "no measured request succeeded"),
    ],
)
def test_nothing_measured_gives_reasons_and_no_numbers(rows: list[dict[str, Any]], why: str) -> None:
    found = computed(*rows)
    assert found["latency"]["ttft_ms"] is found["tokens"]["output"] is None
    assert found["absent"]["latency.ttft_ms"] == why
    assert found["validity"]["verdict"] == "suspect"


@pytest.mark.parametrize("rows", [[], [ONE], [ONE | {"error_class": "reset"}], [ONE | {"streamed": False}]])
def test_every_null_has_its_reason_and_every_reason_its_null(rows: list[dict[str, Any]]) -> None:
    found = computed(*rows)
    reasons = found.pop("absent")
    assert set(nulls(found, "")) == set(reasons)
    assert all(reasons.values())


def nulls(value: Any, key: str) -> list[str]:
    if value is None:
        return [key.removeprefix(".")]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [found for name, item in items for found in nulls(item, f"{key}.{name}")]


def test_start_burst_is_not_charged_as_lateness() -> None:
    # Three clients due at 0 are sent at 0, 10, 20 ms; the one request after that is 0.1 ms late.
    rows = [streamed(0, sent, 100, 200) for sent in (0, 10, 20)] + [streamed(200, 200.1, 300, 400)]
    measures = computed(*rows, notes=phase(concurrency=3))["validity"]["measures"]
    assert (measures["start_burst_requests"], measures["start_burst_slip_max_ms"]) == (3, 20.0)
    assert measures["slip_max_ms"] == pytest.approx(0.1)


def test_keys_of_metrics_json_are_these() -> None:
    found = computed(ONE, ONE)
    assert list(found) == [
        "schema", "duration_s", "requests", "latency", "tokens", "lengths", "client_tokens", "throughput",
        "concurrency", "rate", "arrivals", "errors", "retried", "error_samples", "finish_reasons", "connections",
        "targets", "classes", "workers", "validity", "diagnosis", "absent",
    ]  # fmt: skip
    assert found["schema"] == "perfcore.metrics/1"
    assert list(found["requests"]) == ["total", "ok", "failed", "retries", "after_stop", "bad_json_events"]
    assert list(found["latency"]) == [
        "ttft_ms", "ttft_from_intended_ms", "ttfa_ms", "ttfa_from_intended_ms", "e2el_ms", "e2el_from_intended_ms",
        "tpot_ms", "itl_ms", "slip_ms", "connect_ms",
    ]  # fmt: skip
    assert list(found["latency"]["ttft_ms"]) == [
        "n", "mean", "std", "min", "p50", "p75", "p90", "p95", "p99", "p99_9", "max", "unsupported",
    ]  # fmt: skip
    assert list(found["tokens"]) == [
        "input", "output", "reasoning", "cached", "source", "tokens_per_event", "counted", "input_per_request",
        "output_per_request",
    ]  # fmt: skip
    assert list(found["tokens"]["counted"]) == ["input", "output", "reasoning", "cached"]
    assert list(found["throughput"]) == [
        "requests_per_s", "input_tokens_per_s", "output_tokens_per_s", "total_tokens_per_s",
    ]  # fmt: skip
    assert (list(found["concurrency"]), list(found["rate"])) == (["asked", "mean", "max"], ["asked", "achieved"])
    assert list(found["connections"]) == ["opened", "reused"]
    assert list(found["validity"]) == ["verdict", "reasons", "measures", "machine"]
    assert list(found["validity"]["measures"]) == [
        "slip_p50_ms", "slip_p99_ms", "slip_max_ms", "slip_judged_ms", "start_burst_requests",
        "start_burst_slip_max_ms", "read_delay_p50_ms", "read_delay_p99_ms", "shared_read_share",
        "worker_cpu_share_max", "concurrency_held", "rate_scheduled",
    ]  # fmt: skip


def test_keys_of_a_worker_and_of_a_reason_are_these() -> None:
    found = computed(ONE, notes=({"note": "worker", "worker": 0},))
    assert list(found["workers"][0]) == [
        "worker", "lost", "cpu_share", "cpu_s", "wall_s", "requests", "connections", "ring_full_waits",
        "ring_peak_waiting_bytes", "loops",
    ]  # fmt: skip
    assert list(found["validity"]["reasons"][0]) == ["level", "what", "seen", "limit", "remedy"]


def test_error_samples_are_those_of_the_measured_failures() -> None:
    failed = ONE | {"error_class": "http_500"}
    found = computed(ONE, failed, error_samples={"http_500": "boom", "dns": "of the warm-up"})
    assert found["error_samples"] == {"http_500": "boom"}


def test_answers_that_a_limit_cut_off_are_noted() -> None:
    cut = [ONE | {"finish_reason": "length"}] * 2
    assert any("40 % of the answers were cut off" in note["what"] for note in notes_of(*cut, ONE, ONE, ONE))
    assert not any("cut off" in note["what"] for note in notes_of(*[ONE] * 40, *cut))


def test_empty_answers_are_noted() -> None:
    empty = ONE | {"error_class": "empty_answer"}
    assert any("25 % of the requests got a complete answer" in note["what"] for note in notes_of(empty, ONE, ONE, ONE))


def notes_of(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = computed(*rows)["validity"]["reasons"]
    return reasons
