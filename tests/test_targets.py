"""Results by URL."""

from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import select
from perfcore.analysis.targets import by_url
from tests.reference.records import MS, WARMUP, requests

TOLD = ({"note": "transport", "urls": ["http://a", "http://b", "http://c"]},)


def test_each_url_has_its_own_counts_and_median() -> None:
    made = requests(
        {"target": 0, "sent_ns": 0, "first_token_ns": 10 * MS},
        {"target": 0, "sent_ns": 0, "first_token_ns": 30 * MS},
        {"target": 1, "error_class": "reset"},
        {"target": 1, "sent_ns": 5 * MS, "first_token_ns": 6 * MS},
        {"target": 1, "sent_ns": 0, "first_token_ns": 900 * MS, "phase": WARMUP},
    )
    found = by_url(made, select(made), TOLD)
    assert isinstance(found, list)
    assert [tuple(entry.values())[:4] for entry in found] == [
        ("http://a", 2, 2, 0),
        ("http://b", 2, 1, 1),
        ("http://c", 0, 0, 0),
    ]
    assert [entry["ttft_p50_ms"] for entry in found[:2]] == [20.0, 1.0]
    assert isinstance(found[2]["ttft_p50_ms"], Absent)


def test_a_request_counts_where_its_last_attempt_went() -> None:
    made = requests(
        {"request_id": 7, "attempt": 0, "target": 0, "error_class": "reset"},
        {"request_id": 7, "attempt": 1, "target": 1},
    )
    found = by_url(made, select(made), TOLD)
    assert isinstance(found, list)
    assert [(entry["requests"], entry["ok"]) for entry in found] == [(0, 0), (1, 1), (0, 0)]


def test_a_run_that_was_killed_before_it_said_its_urls_has_none() -> None:
    made = requests()
    assert by_url(made, select(made), ()) == Absent("the run was killed before its end")
