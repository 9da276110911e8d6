"""Each fault of a server gives the request its own error class, and none counts as a success."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.run.simulator import RunningSimulator
from tests.endtoend import QUICK, Finished, SimulatorSettings, measure, start_simulator

FAULTS = {
    "refuse": "reset",
    "reset": "reset",
    "cut": "truncated_stream",
    "429": "rate_limited",
    "500": "http_500",
    "503": "http_503",
    "error": "error_in_band",
    "html": "bad_content_type",
    "no_finish": "truncated_stream",
    "empty": "empty_answer",
    "malformed": "bad_json",
    "non_stream": "unexpected_non_stream",
}
HARMLESS = ("no_done", "no_usage", "crlf", "comments", "merged", "bytes", "split_utf8")


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


def one(folder: Path, url: str, fault: str, **options: object) -> Finished:
    return measure(
        folder / "run",
        url,
        prompt=(f"[[fault:{fault}]]",),
        requests=3,
        concurrency=1,
        max_tokens=9,
        check=False,
        **options,
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gives_its_class(tmp_path: Path, simulator: RunningSimulator, fault: str) -> None:
    finished = one(tmp_path, simulator.url, fault)
    assert finished.metrics["errors"] == {FAULTS[fault]: 3}
    assert finished.exit_code == 1


@pytest.mark.parametrize("fault", HARMLESS)
def test_what_is_only_odd_is_no_failure(tmp_path: Path, simulator: RunningSimulator, fault: str) -> None:
    finished = one(tmp_path, simulator.url, fault)
    assert finished.metrics["requests"]["ok"] == 3
    assert set(finished.requests()["token_events"]) == {9}


@pytest.mark.parametrize("fault", ["429", "500", "error", "empty", "html"])
def test_faults_of_answers_that_are_not_streamed(tmp_path: Path, simulator: RunningSimulator, fault: str) -> None:
    finished = one(tmp_path, simulator.url, fault, stream=False)
    assert finished.metrics["errors"] == {FAULTS[fault]: 3}


def test_a_failure_keeps_what_the_server_said(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = one(tmp_path, simulator.url, "500")
    assert all(error for error in finished.requests()["error"])
    assert all(line["error"] for line in finished.outputs())


def test_retry_after_is_kept(tmp_path: Path, simulator: RunningSimulator) -> None:
    assert all(delay > 0 for delay in one(tmp_path, simulator.url, "429").requests()["retry_after_ns"])


def test_text_that_came_before_a_cut_is_kept(tmp_path: Path, simulator: RunningSimulator) -> None:
    line = one(tmp_path, simulator.url, "cut").outputs()[0]
    assert line["prediction"]
    assert line["finish_reason"] is None


def test_a_stalled_stream_ends_with_the_timeout(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = one(tmp_path, simulator.url, "stall", timeout_s=0.3)
    assert finished.metrics["errors"] == {"total_timeout": 3}


def test_an_event_past_the_limit_fails_cleanly(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = one(tmp_path, simulator.url, "huge=1", max_event_bytes=65536)
    assert finished.metrics["errors"] == {"too_large": 3}


def test_an_event_of_megabytes_is_read(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = one(tmp_path, simulator.url, "huge=3")
    assert finished.metrics["requests"]["ok"] == 3
    assert max(finished.events()["chars"]) > 3_000_000


def test_missing_usage_makes_tokens_an_estimate(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = one(tmp_path, simulator.url, "no_usage")
    assert finished.metrics["tokens"]["source"] == "events"
    assert set(finished.requests()["output_tokens"]) == {9}


def test_failed_requests_occupy_but_give_no_latency(tmp_path: Path) -> None:
    settings = SimulatorSettings(ttft_base_ms=2, itl_ms=1, faults=(("cut", 0.5, None),))
    with start_simulator(settings) as running:
        finished = measure(
            tmp_path / "run", running.url, prompt=("x",), requests=60, concurrency=4, max_tokens=9, check=False
        )
    requests = finished.metrics["requests"]
    assert requests["ok"] + requests["failed"] == 60
    assert requests["failed"] > 10
    assert finished.metrics["latency"]["ttft_ms"]["n"] == requests["ok"]
    assert finished.metrics["concurrency"]["max"] == 4


def test_a_server_that_is_gone_does_not_make_a_closed_loop_spin(tmp_path: Path) -> None:
    with start_simulator(QUICK) as running:
        url = running.url
    finished = measure(tmp_path / "run", url, prompt=("x",), model="m", duration_s=0.5, concurrency=4, check=False)
    assert set(finished.metrics["errors"]) == {"refused"}
    assert finished.metrics["requests"]["failed"] < 100
