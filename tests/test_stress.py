"""`perfcore stress` from end to end: real processes and sockets, the simulator's own log as the truth."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from perfcore.run.simulator import RunningSimulator
from tests.endtoend import (
    QUICK,
    TRUTH_KINDS,
    Finished,
    SimulatorSettings,
    measure,
    start_simulator,
    truth_by_request,
    write_dataset,
)

NS = 1_000_000_000


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def streamed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Finished, Path]]:
    """300 requests for 12 tokens each from 3 rows over 2 workers, after 5 warm-ups, and the truth log."""
    folder = tmp_path_factory.mktemp("streamed")
    truth = folder / "truth.bin"
    rows = write_dataset(folder / "rows.jsonl", ["one", "two", "three"], reference="x")
    with start_simulator(QUICK, truth) as running:
        finished = measure(
            folder / "run",
            running.url,
            dataset=rows,
            requests=300,
            warmups=5,
            concurrency=20,
            workers=2,
            max_tokens=12,
        )
    yield finished, truth


def test_every_request_is_recorded_once_and_succeeds(streamed: tuple[Finished, Path]) -> None:
    requests = streamed[0].requests()
    assert requests["request_id"] == list(range(305))
    assert set(requests["error_class"]) == {"ok"}
    assert Counter(requests["phase"]) == {"warmup": 5, "measured": 300}


def test_rows_are_sent_in_turn_and_repeats_are_counted(streamed: tuple[Finished, Path]) -> None:
    outputs = streamed[0].outputs()
    assert [(line["index"], line["repeat"]) for line in outputs[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert outputs[4] | {"prediction": ""} == {
        "id": "row-1",
        "index": 1,
        "repeat": 1,
        "turn": 0,
        "prompt": "two",
        "prediction": "",
        "reasoning": None,
        "tool_arguments": None,
        "tool_calls": None,
        "finish_reason": "length",
        "error": None,
        "reference": "x",
        "meta": {},
        "dataset": "rows.jsonl",
    }


def test_both_workers_take_part(streamed: tuple[Finished, Path]) -> None:
    counts = Counter(streamed[0].requests()["worker"])
    assert set(counts) == {0, 1}
    assert min(counts.values()) > 50


def test_tokens_are_those_that_the_server_counted(streamed: tuple[Finished, Path]) -> None:
    metrics = streamed[0].metrics
    assert metrics["tokens"]["output"] == 300 * 12
    assert metrics["tokens"]["source"] == "server"
    assert set(streamed[0].requests()["token_events"]) == {12}


def test_no_event_is_read_before_the_server_has_sent_it(streamed: tuple[Finished, Path]) -> None:
    finished, log = streamed
    events, truth = finished.events(), truth_by_request(log)
    token = TRUTH_KINDS["token"]
    for number in range(5, 305):
        mine = [at for at, owner in enumerate(events["request_id"]) if owner == number and events["chars"][at]]
        stamps = [events["t_ns"][at] for at in mine]
        read = [events["t_ns"][at] + events["read_delay_ns"][at] for at in mine]
        sent = truth[number]["time_ns"][truth[number]["kind"] == token]
        assert len(read) == len(sent) == 12
        assert np.all(np.array(read) >= sent)
        assert np.all(np.array(stamps) >= sent - 5_000_000)  # however late the loop is


def test_times_of_a_request_are_in_order(streamed: tuple[Finished, Path]) -> None:
    requests = streamed[0].requests()
    names = ("due_ns", "sent_ns", "first_byte_ns", "first_token_ns", "last_token_ns", "last_output_ns", "end_ns")
    times = np.array([requests[name] for name in names])
    assert np.all(np.diff(times, axis=0) >= 0)


def test_concurrency_is_reached_and_never_exceeded(streamed: tuple[Finished, Path]) -> None:
    concurrency = streamed[0].metrics["concurrency"]
    assert (concurrency["asked"], concurrency["max"]) == (20, 20)


def test_the_server_never_sees_more_requests_than_asked(streamed: tuple[Finished, Path]) -> None:
    arrival, done = TRUTH_KINDS["arrival"], TRUTH_KINDS["done"]
    steps: list[tuple[int, int]] = []
    for number, records in truth_by_request(streamed[1]).items():
        if number >= 0:
            steps.append((int(records["time_ns"][records["kind"] == arrival][0]), 1))
            steps.append((int(records["time_ns"][records["kind"] == done][-1]), -1))
    assert max(np.cumsum([step for _, step in sorted(steps)])) <= 20


def test_warm_ups_end_before_the_first_measured_request_is_due(streamed: tuple[Finished, Path]) -> None:
    requests = streamed[0].requests()
    assert max(requests["end_ns"][:5]) < min(requests["due_ns"][5:])


def test_connections_are_reused(streamed: tuple[Finished, Path]) -> None:
    assert sum(streamed[0].requests()["new_connection"]) <= 20 + 5


def test_scripted_answers_come_back_to_the_letter(tmp_path: Path) -> None:
    answers = {"q1": 'Say "hi" \\ \n\t / é 漢字 🙂', "q2": "plain", "q3": "<b>&amp;</b>"}
    script = tmp_path / "script.jsonl"
    script.write_text("".join(json.dumps({"prompt": p, "answer": a}) + "\n" for p, a in answers.items()))
    rows = write_dataset(tmp_path / "rows.jsonl", list(answers))
    with start_simulator(SimulatorSettings(ttft_base_ms=1, itl_ms=0, cut_bytes=7, script=str(script))) as running:
        for stream in (True, False):
            finished = measure(tmp_path / f"run-{stream}", running.url, dataset=rows, concurrency=2, stream=stream)
            assert [line["prediction"] for line in finished.outputs()] == list(answers.values())


def test_the_duration_ends_sending_and_what_runs_is_completed(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(tmp_path / "run", simulator.url, prompt=("x",), duration_s=0.5, concurrency=4, max_tokens=30)
    requests = finished.requests()
    start_ns = min(requests["due_ns"])
    assert max(requests["sent_ns"]) < start_ns + NS // 2
    assert max(requests["end_ns"]) > start_ns + NS // 2 - 50_000_000
    assert requests["after_stop"] == [end >= start_ns + NS // 2 for end in requests["end_ns"]]
    assert set(requests["error_class"]) == {"ok"}


def test_open_loop_keeps_its_schedule(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(tmp_path / "run", simulator.url, prompt=("x",), requests=200, rate=400, workers=2, max_tokens=3)
    requests = finished.requests()
    assert set(np.diff(requests["due_ns"])) == {2_500_000}
    assert np.all(np.array(requests["sent_ns"]) >= np.array(requests["due_ns"]))
    assert Counter(requests["error_class"]) == {"ok": 200}


def test_open_loop_with_a_limit_never_exceeds_it(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(
        tmp_path / "run", simulator.url, prompt=("x",), requests=100, rate=5000, concurrency=6, workers=2, max_tokens=5
    )
    assert finished.metrics["concurrency"]["max"] == 6
    assert finished.metrics["requests"]["ok"] == 100


def test_clients_start_one_ramp_step_after_the_other(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(
        tmp_path / "run", simulator.url, prompt=("x",), requests=16, concurrency=8, workers=2, ramp=100, max_tokens=150
    )
    due = sorted(finished.requests()["due_ns"])[:8]
    assert set(np.diff(due)) == {10_000_000}


def test_answers_that_are_not_streamed_have_no_time_to_first_token(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(tmp_path / "run", simulator.url, prompt=("x",), requests=20, stream=False, max_tokens=4)
    assert finished.metrics["latency"]["ttft_ms"] is None
    assert "stream" in finished.metrics["absent"]["latency.ttft_ms"]
    assert finished.metrics["requests"]["ok"] == 20
    assert finished.metrics["tokens"]["output"] == 80


def test_completions_are_spoken_too(tmp_path: Path, simulator: RunningSimulator) -> None:
    finished = measure(
        tmp_path / "run", simulator.url, prompt=("x",), requests=5, dialect="openai-completions", max_tokens=4
    )
    assert finished.metrics["requests"]["ok"] == 5
    assert finished.metrics["tokens"]["output"] == 20
