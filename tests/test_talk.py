"""Conversations from the data set to the run folder."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from perfcore.run.simulator import RunningSimulator
from tests.endtoend import QUICK, SimulatorSettings, measure, start_simulator


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


def talk(path: Path, *turns: object, **more: object) -> Path:
    path.write_text(json.dumps({"id": "talk", "turns": turns, **more}) + "\n")
    return path


def test_every_turn_is_a_request_of_its_own(tmp_path: Path, simulator: RunningSimulator) -> None:
    rows = talk(tmp_path / "rows.jsonl", "one", "two", "three")
    finished = measure(tmp_path / "run", simulator.url, dataset=rows, requests=4, concurrency=2, max_tokens=5)
    requests = finished.requests()
    assert finished.metrics["requests"]["ok"] == 12
    assert sorted(zip(requests["request_id"], requests["turn"], strict=True)) == [
        (number, turn) for number in range(4) for turn in range(3)
    ]


def test_later_turns_carry_what_was_answered(tmp_path: Path, simulator: RunningSimulator) -> None:
    rows = talk(tmp_path / "rows.jsonl", "one", "two")
    finished = measure(tmp_path / "run", simulator.url, dataset=rows, concurrency=1, max_tokens=5)
    tokens = dict(zip(finished.requests()["turn"], finished.requests()["input_tokens"], strict=True))
    assert tokens[1] > tokens[0] * 2


def test_outputs_name_the_turn(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"prompt": "one", "answer": "first"}\n{"prompt": "two", "answer": "second"}\n')
    rows = talk(tmp_path / "rows.jsonl", "one", "two")
    with start_simulator(SimulatorSettings(ttft_base_ms=1, itl_ms=0, script=str(script))) as running:
        finished = measure(tmp_path / "run", running.url, dataset=rows, concurrency=1)
    lines = sorted(finished.outputs(), key=lambda line: int(line["turn"]))
    assert [(line["turn"], line["prompt"], line["prediction"]) for line in lines] == [
        (0, "one", "first"),
        (1, "two", "second"),
    ]


def test_a_turn_waits_until_the_user_has_thought(tmp_path: Path, simulator: RunningSimulator) -> None:
    rows = talk(tmp_path / "rows.jsonl", "one", "two", think_s=0.05)
    requests = measure(tmp_path / "run", simulator.url, dataset=rows, concurrency=1, max_tokens=5).requests()
    first, second = (requests["turn"].index(turn) for turn in (0, 1))
    assert requests["due_ns"][second] == requests["end_ns"][first] + 50_000_000


def test_the_history_may_be_the_data_sets(tmp_path: Path, simulator: RunningSimulator) -> None:
    said = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "x"},
        {"role": "user", "content": "two"},
    ]
    rows = talk(tmp_path / "rows.jsonl", *said)
    finished = measure(tmp_path / "run", simulator.url, dataset=rows, concurrency=1, max_tokens=90, history="data")
    tokens = dict(zip(finished.requests()["turn"], finished.requests()["input_tokens"], strict=True))
    assert tokens == {0: 1, 1: 2}
