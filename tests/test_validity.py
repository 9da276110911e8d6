"""The certificate: which verdict, by which reason, with which remedy."""

from dataclasses import replace
from typing import Any

import pytest

from perfcore.analysis.notes import Lost
from perfcore.analysis.validity import Seen, Worker, certificate
from perfcore.tail import Tail

# A run against which there is nothing to say.
FINE = Seen(
    requests=1000,
    ok=1000,
    slip_p50_ms=0.02,
    slip_p99_ms=0.1,
    slip_tail=Tail(0.1, 10, 1000),
    slip_max_ms=0.4,
    read_delay_p50_ms=0.01,
    read_delay_p99_ms=0.2,
    read_tail=Tail(0.2, 100, 10_000),
    shared_reads=0.001,
    workers=(Worker(0, 0.3, 0), Worker(1, 0.4, 0)),
    cores=16,
    concurrency_asked=64,
    concurrency_held=63.9,
    concurrency_max=64,
    connections_opened=64,
)

OPEN = replace(FINE, rate_asked=100.0, rate_scheduled=100.0, rate_achieved=99.9, concurrency_asked=None)


def late(ms: float) -> Tail:
    return Tail(ms, 10, 1000)


def judged(base: Seen = FINE, **seen: Any) -> tuple[str, list[str]]:
    """Verdict and what was seen."""
    found = certificate(replace(base, **seen))
    return found["verdict"], [reason["what"] for reason in found["reasons"]]


def advice(base: Seen = FINE, **seen: Any) -> str:
    remedy: str = certificate(replace(base, **seen))["reasons"][0]["remedy"]
    return remedy


@pytest.mark.parametrize("base", [FINE, OPEN])
def test_healthy_run_is_valid_without_a_word(base: Seen) -> None:
    assert judged(base) == ("valid", [])


@pytest.mark.parametrize(
    ("key", "value", "verdict"),
    [
        ("slip_tail", late(1.0), "valid"),
        ("slip_tail", late(1.1), "suspect"),
        ("slip_tail", late(10.1), "client limited"),
        ("slip_max_ms", 500.0, "valid"),
        ("read_tail", late(1.0), "valid"),
        ("read_tail", late(1.1), "suspect"),
        ("read_tail", late(5.1), "client limited"),
        ("workers", (Worker(0, 0.85, 0),), "valid"),
        ("workers", (Worker(0, 0.86, 0), Worker(1, 0.1, 0)), "suspect"),
        ("workers", (Worker(0, 0.96, 0),), "client limited"),
        ("workers", (Worker(0, None, None),), "valid"),
        ("workers", (Worker(0, 0.1, 65 << 20),), "suspect"),
        ("lost_workers", (Lost(1, -9, ""),), "suspect"),
        ("skipped_bytes", 100, "suspect"),
        ("killed", True, "suspect"),
        ("concurrency_max", 65, "suspect"),
        ("ok", 0, "suspect"),
        ("requests", 0, "suspect"),
    ],
)
def test_limit_decides_the_verdict(key: str, value: Any, verdict: str) -> None:
    found, reasons = judged(**{key: value})
    assert (found, len(reasons)) == (verdict, 0 if verdict == "valid" else 1)


@pytest.mark.parametrize(
    ("achieved", "verdict"), [(99.0, "valid"), (98.9, "suspect"), (95.0, "suspect"), (94.9, "client limited")]
)
def test_rate_that_was_not_sent_is_the_clients_fault(achieved: float, verdict: str) -> None:
    assert judged(OPEN, rate_achieved=achieved, slip_tail=None)[0] == verdict


def test_in_flight_cap_that_held_requests_back_is_not_the_clients_fault() -> None:
    verdict, reasons = judged(
        OPEN, concurrency_asked=64, concurrency_max=64, rate_achieved=50.0, slip_tail=late(900.0), slip_max_ms=1000.0
    )
    assert (verdict, len(reasons)) == ("valid", 1)
    assert "the server did not keep up" in reasons[0]


def test_cap_that_was_never_reached_excuses_nothing() -> None:
    assert judged(OPEN, concurrency_asked=64, concurrency_max=63, slip_tail=late(900.0))[0] == "client limited"


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ({"shared_reads": 0.2}, "20 % of the token events arrived together"),
        ({"interrupted": True}, "The run was interrupted"),
        ({"ok": 900}, "10 % of the requests failed"),
        ({"length_stops": 0.06}, "6 % of the answers were cut off by a limit of tokens"),
        ({"empty_answers": 0.06}, "6 % of the requests got a complete answer without any text"),
        ({"connections_opened": 1000}, "1,000 connections were opened for at most 64"),
        ({"concurrency_max": 60, "concurrency_held": None}, "60 requests were in flight at most, 64 were asked for"),
        ({"concurrency_held": 50.0}, "50.0 requests were in flight on average"),
        (
            {"burst": 64, "burst_tail": late(12.0), "burst_slip_max_ms": 12.5},
            "first 64 requests were due at once and took 12.5 ms",
        ),
    ],
)
def test_note_says_what_to_know_and_leaves_the_run_valid(seen: dict[str, Any], words: str) -> None:
    verdict, reasons = judged(**seen)
    assert (verdict, len(reasons)) == ("valid", 1)
    assert words in reasons[0]


def test_start_burst_that_is_most_of_the_run_makes_it_suspect() -> None:
    assert judged(burst=600, burst_tail=late(12.0))[0] == "suspect"


def test_worst_reason_comes_first_and_decides() -> None:
    found = certificate(replace(FINE, ok=900, killed=True, slip_tail=late(11.0)))
    assert [reason["level"] for reason in found["reasons"]] == ["client limited", "suspect", "note"]
    assert found["verdict"] == "client limited"


def test_busy_workers_are_told_to_be_more() -> None:
    assert advice(workers=(Worker(0, 0.97), Worker(1, 0.96))) == "Use --workers 4."


def test_machine_without_a_free_core_is_told_so() -> None:
    assert advice(workers=(Worker(0, 0.97), Worker(1, 0.96)), cores=2).startswith("All 2 cores have a worker")


def test_late_but_idle_client_looks_for_another_culprit() -> None:
    assert "the busiest worker used 40 %" in advice(slip_tail=late(5.0)).lower()


def test_dead_worker_is_named_with_how_it_ended() -> None:
    _, reasons = judged(lost_workers=(Lost(1, -9, ""), Lost(2, 1, "MemoryError")))
    assert reasons[0].startswith("Worker 1 was killed by signal 9 during the run;")
    assert reasons[1].startswith("Worker 2 ended with status 1 during the run (MemoryError);")


def test_reason_gives_the_numbers_that_were_compared() -> None:
    reason = certificate(replace(FINE, slip_tail=late(1.5)))["reasons"][0]
    assert (reason["level"], reason["seen"], reason["limit"]) == ("suspect", 1.5, 1.0)


def test_one_late_request_of_few_shifts_the_rate_and_is_not_held_against_the_client() -> None:
    assert judged(OPEN, rate_achieved=90.0, slip_tail=late(0.1), slip_max_ms=5.0) == ("valid", [])


def test_slip_is_told_with_how_many_requests_were_late() -> None:
    _, reasons = judged(slip_tail=Tail(1.5, 12, 1150))
    assert reasons == ["12 of 1,150 requests were sent 1.5 ms or more after they were due."]


BUSY = (Worker(0, 0.98, 0), Worker(1, 0.97, 0))


@pytest.mark.parametrize(
    ("seen", "option"),
    [
        ({"workers": BUSY}, "--workers 4"),
        ({"workers": BUSY, "cores": 3}, "--workers 3"),
        ({"workers": BUSY, "cores": 2}, "--concurrency 45"),  # 64 x 0.7 / 0.98
        ({"workers": (Worker(0, None), Worker(1, None)), "slip_tail": late(5.0)}, "--workers 4"),
        ({"slip_tail": late(5.0), "cores": 2}, "--workers 1"),
        ({"burst": 64, "burst_tail": late(12.0)}, "--ramp 64"),
        ({"burst": 64, "burst_tail": late(12.0)}, "--requests 1280"),
        ({"burst": 64, "burst_tail": late(12.0), "concurrency_asked": None}, "--rate 64"),
        ({"workers": (Worker(0, 0.1, 65 << 20),)}, "--ring-mib 128"),
        ({"concurrency_max": 60, "concurrency_held": None}, "--requests 2000"),
        ({"concurrency_held": 50.0}, "--concurrency 50"),
        ({"lost_workers": (Lost(1, -9, ""),)}, "--workers 1"),
        ({"ok": 900}, "--retries 2"),
        ({"ok": 0}, "perfcore check"),
        ({"length_stops": 0.06}, "--max-tokens"),
        ({"interrupted": True}, "--grace"),
        ({"insecure": True}, "--cacert"),
        ({"proxy": "http://p"}, "--proxy"),
        ({"connections_new": True}, "--connections"),
    ],
)
def test_remedy_names_an_option_and_its_value(seen: dict[str, Any], option: str) -> None:
    assert option in advice(**seen)


def test_cap_that_was_reached_is_answered_with_a_larger_one_or_a_lower_rate() -> None:
    remedy = advice(OPEN, concurrency_asked=64, concurrency_max=64, rate_achieved=50.0, slip_tail=late(900.0))
    assert "--concurrency 128, or --rate 50, which was reached" in remedy


def test_busy_client_of_an_open_loop_is_told_a_rate() -> None:
    assert "--rate 71.4" in advice(OPEN, workers=BUSY, cores=2)  # 100 x 0.7 / 0.98


@pytest.mark.parametrize(
    ("repeats", "cached", "told"), [(1, None, False), (3, None, True), (3, 0, False), (3, 9, True)]
)
def test_rows_that_were_sent_again_are_noted_unless_no_cache_knew_them(
    repeats: int, cached: int | None, told: bool
) -> None:
    found = certificate(Seen(requests=10, ok=10, repeats=repeats, cached_tokens=cached))
    assert found["verdict"] == "valid"
    assert any("up to 3 times" in reason["what"] for reason in found["reasons"]) == told
