"""Classes of failure that no fault of the simulator gives, each from its real cause; for the others see test_faults."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perfcore.run.simulator import RunningSimulator
from tests.captures import load
from tests.endtoend import QUICK, Finished, SimulatorSettings, measure, start_simulator
from tests.replay import replay


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


def failed(folder: Path, url: str, **options: Any) -> Finished:
    plain = {"model": "m", "prompt": ("x",), "requests": 2, "concurrency": 1, "max_tokens": 9, "check": False}
    return measure(folder / "run", url, **plain | options)


def response(status: bytes, body: bytes) -> list[bytes]:
    return [
        b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)
    ]


def test_host_without_an_address(tmp_path: Path) -> None:
    assert failed(tmp_path, "http://perfcore.invalid").metrics["errors"] == {"dns": 2}


@pytest.mark.parametrize(
    ("fault", "options", "name"),
    [
        ("slow_head=5", {"first_byte_timeout_s": 0.2}, "first_byte_timeout"),
        ("stall", {"idle_timeout_s": 0.2}, "idle_timeout"),
    ],
)
def test_silence_is_named_by_its_place(
    tmp_path: Path, simulator: RunningSimulator, fault: str, options: dict[str, float], name: str
) -> None:
    found = failed(tmp_path, simulator.url, prompt=(f"[[fault:{fault}]]",), **options)
    assert found.metrics["errors"] == {name: 2}


def test_path_that_there_is_not(tmp_path: Path, simulator: RunningSimulator) -> None:
    assert failed(tmp_path, f"{simulator.url}/nowhere/chat/completions").metrics["errors"] == {"not_found": 2}


def test_model_that_there_is_not(tmp_path: Path) -> None:
    with start_simulator(SimulatorSettings(strict_model=True)) as running:
        finished = failed(tmp_path, running.url, model="another")
    assert finished.metrics["errors"] == {"unknown_model": 2}
    assert "the model does not exist" in finished.metrics["error_samples"]["unknown_model"]
    assert "Give a name from the service's list of models" in " ".join(
        (finished.folder / "report.txt").read_text().split()
    )


@pytest.mark.parametrize(
    ("status", "name"), [(b"401 Unauthorized", "auth"), (b"403 Forbidden", "auth"), (b"301 Moved", "http_301")]
)
def test_status_that_says_it(tmp_path: Path, status: bytes, name: str) -> None:
    with replay(response(status, b"{}")) as url:
        assert failed(tmp_path, url).metrics["errors"] == {name: 2}


@pytest.mark.parametrize(
    ("capture", "name"),
    [
        ("litellm-proxy/err_toolong", "context_too_long"),
        ("litellm-proxy/err_badmodel", "unknown_model"),
        ("transformers-serve/err_badmodel", "unknown_model"),
        ("transformers-serve/err_unknownfield", "http_422"),
        ("llama-cpp-python/err_toolong", "empty_answer"),
    ],
)
def test_captured_errors(tmp_path: Path, capture: str, name: str) -> None:
    sent = load(capture)
    with replay(sent.pieces([sent.body] if sent.body else [])) as url:
        assert failed(tmp_path, url).metrics["errors"] == {name: 2}
