"""Requests that are tried again, end to end: each counts once, with its last attempt, and its user waits for all."""

from collections import Counter
from collections.abc import Iterator

import pytest

from perfcore.records.taxonomy import CLASSES
from tests.endtoend import Finished, SimulatorSettings, measure, start_simulator

TOKENS = 6


@pytest.fixture(scope="module", params=["503", "429", "reset"])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Forty requests to a server that half of the time fails: before an answer, or in the middle of one."""
    settings = SimulatorSettings(ttft_base_ms=2, itl_ms=1, faults=((request.param, 0.5, 0),), seed=7)
    folder = tmp_path_factory.mktemp(request.param) / "run"
    with start_simulator(settings) as running:
        yield measure(
            folder,
            running.url,
            prompt=("x",),
            requests=40,
            concurrency=8,
            max_tokens=TOKENS,
            retries=12,
            check=False,
            model="simulated",
        )


def test_each_request_counts_once_with_its_last_attempt(finished: Finished) -> None:
    counted, attempts = finished.metrics["requests"], Counter(finished.requests()["request_id"])
    assert (counted["total"], counted["ok"], counted["failed"]) == (40, 40, 0)
    assert counted["retries"] == attempts.total() - 40 > 10
    assert (finished.metrics["errors"], finished.exit_code) == ({}, 0)
    assert sum(finished.metrics["retried"].values()) == counted["retries"]


def test_each_attempt_is_a_row_and_only_the_last_one_is_ok(finished: Finished) -> None:
    rows = finished.requests()
    by_request: dict[int, list[tuple[int, str]]] = {}
    for number, attempt, name in zip(rows["request_id"], rows["attempt"], rows["error_class"], strict=True):
        by_request.setdefault(number, []).append((attempt, name))
    for attempts in by_request.values():
        assert [attempt for attempt, _ in attempts] == list(range(len(attempts)))
        assert [name for _, name in attempts].index("ok") == len(attempts) - 1
    assert set(rows["error_class"]) <= CLASSES.keys() | {"ok", "http_503"}


def test_texts_and_tokens_are_those_of_the_last_attempt(finished: Finished) -> None:
    assert {len(line["prediction"].split()) for line in finished.outputs()} == {TOKENS}
    assert len(finished.outputs()) == 40
    assert finished.metrics["tokens"]["output"] == 40 * TOKENS


def test_latency_from_intended_has_all_attempts_in_it(finished: Finished) -> None:
    rows = finished.requests()
    first_due = dict(zip(reversed(rows["request_id"]), reversed(rows["due_ns"]), strict=True))
    waited = [
        (token - first_due[number]) / 1e6
        for number, name, token in zip(rows["request_id"], rows["error_class"], rows["first_token_ns"], strict=True)
        if name == "ok"
    ]
    latency = finished.metrics["latency"]
    assert latency["ttft_from_intended_ms"]["max"] == pytest.approx(max(waited))
    assert latency["ttft_from_intended_ms"]["mean"] == pytest.approx(sum(waited) / 40)
    assert latency["ttft_from_intended_ms"]["max"] > latency["ttft_ms"]["max"]


def test_attempts_never_exceed_the_concurrency(finished: Finished) -> None:
    assert finished.metrics["concurrency"]["max"] <= 8
