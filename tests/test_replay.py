"""Recordings replayed from end to end: they are due when they were recorded, and share what the recording shared."""

import csv
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.run.simulator import RunningSimulator
from perfcore.workload.timestamps import timestamp_ns
from tests.endtoend import QUICK, Finished, measure, run_command, start_simulator

DATA = Path("tests/data/traces")
MOONCAKE = DATA / "mooncake/conversation_trace.jsonl"
AZURE = DATA / "azure_llm_2023/AzureLLMInferenceTrace_conv.csv"
MS = 1_000_000


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with start_simulator(QUICK) as running:
        yield running


def replayed(folder: Path, url: str, dataset: str, speed: float, **options: Any) -> Finished:
    return measure(
        folder / "run", url, dataset=(dataset,), data_dir=DATA, arrivals="replay", speed=speed, seed=1, **options
    )


def due_ms(finished: Finished) -> list[float]:
    """When each request was due, from the first one on."""
    due_ns = np.sort(finished.requests()["due_ns"])
    return [float(each) for each in (due_ns - due_ns[0]) / MS]


def slips_ms(finished: Finished) -> list[float]:
    requests = finished.requests()
    return [(sent - due) / MS for sent, due in zip(requests["sent_ns"], requests["due_ns"], strict=True)]


def test_mooncake_is_due_as_recorded_and_faster(simulator: RunningSimulator, tmp_path: Path) -> None:
    finished = replayed(tmp_path, simulator.url, "mooncake_trace_gen", 100, dataset_args={"scale": 0.02})
    recorded = [json.loads(line) for line in MOONCAKE.read_text().splitlines()]
    assert finished.exit_code == 0
    assert due_ms(finished) == pytest.approx([row["timestamp"] / 100 for row in recorded], abs=1e-5)
    assert finished.requests()["output_tokens"] == [max(1, round(row["output_length"] * 0.02)) for row in recorded]


def test_azure_is_due_as_recorded_and_its_slip_is_reported(simulator: RunningSimulator, tmp_path: Path) -> None:
    finished = replayed(tmp_path, simulator.url, "azure_conv", 200, dataset_args={"scale": 0.1})
    times = [timestamp_ns(row["TIMESTAMP"], "s", "") for row in csv.DictReader(AZURE.read_text().splitlines())]
    assert due_ms(finished) == pytest.approx([(time - times[0]) / MS / 200 for time in times], abs=1e-5)
    assert finished.metrics["latency"]["slip_ms"]["n"] == 300
    assert finished.metrics["latency"]["slip_ms"]["max"] == pytest.approx(max(slips_ms(finished)))
    assert min(slips_ms(finished)) >= 0


def test_prompts_have_the_recorded_length_at_the_tokenizer(simulator: RunningSimulator, tmp_path: Path) -> None:
    short = {"tokenizer": "tests/data/tiny-add", "replay_end_s": 20.0, "dataset_args": {"max_output_tokens": 5}}
    found = replayed(tmp_path, simulator.url, "azure_conv", 1000, **short).metrics["lengths"]["input"]["differences"]
    counted = found["counted_less_asked"]
    assert (counted["longer"], counted["shorter"]) == (0, 0)
    assert counted["compared"] > 20


def test_a_part_of_a_recording_is_replayed(simulator: RunningSimulator, tmp_path: Path) -> None:
    part = {"replay_start_s": 30.0, "replay_end_s": 60.0, "dataset_args": {"scale": 0.01}}
    finished = replayed(tmp_path, simulator.url, "mooncake_trace_gen", 100, **part)
    recorded = [json.loads(line)["timestamp"] for line in MOONCAKE.read_text().splitlines()]
    times = [time for time in recorded if 30_000 <= time < 60_000]
    assert due_ms(finished) == pytest.approx([(time - times[0]) / 100 for time in times], abs=1e-5)
    assert [line["id"] for line in finished.outputs()] == [
        str(number) for number, time in enumerate(recorded, 1) if time in times
    ]


def test_recorded_bodies_are_sent_with_their_headers_at_their_times(
    simulator: RunningSimulator, tmp_path: Path
) -> None:
    body = {"model": "any", "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 3}
    rows = [
        {"body": body, "timestamp": f"2026-01-01T00:00:0{second}.5Z", "headers": {"X-Tenant": "a"}, "request_id": name}
        for second, name in ((4, "last"), (0, "first"), (1, "second"))
    ]
    path = tmp_path / "recorded.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    finished = replayed(tmp_path, simulator.url, str(path), 100)
    assert due_ms(finished) == [0, 10, 40]
    assert [line["id"] for line in finished.outputs()] == ["first", "second", "last"]
    assert finished.requests()["output_tokens"] == [3, 3, 3]


def test_tools_take_their_time_between_the_turns_of_an_agent(simulator: RunningSimulator, tmp_path: Path) -> None:
    work = {"num_turns": 1, "input_prompt_length": 20, "assistant_response_length": [4], "tool_call_output_length": [5]}
    path = tmp_path / "agents.jsonl"
    path.write_text(json.dumps({**work, "tool_call_latency": [0.2], "final_assistant_response_length": 6}))
    finished = measure(tmp_path / "run", simulator.url, dataset=(str(path),), requests=1)
    requests = finished.requests()
    assert requests["output_tokens"] == [4, 6]
    assert requests["sent_ns"][1] - requests["end_ns"][0] >= 200 * MS


def test_the_command_replays_and_reports_slip(simulator: RunningSimulator, tmp_path: Path) -> None:
    args = ["--dataset", "mooncake_trace_gen", "--data-dir", DATA, "--arrivals", "replay", "--speed", 100]
    args += ["--replay-end", "20s"]
    args += ["--dataset-args", "scale=0.02", "--dataset-args", "max_output_tokens=5", "--out", tmp_path / "run"]
    done = run_command("stress", "--url", simulator.url, *args)
    assert done.returncode == 0, done.stderr
    assert "Slip (ms)" in done.stdout
    assert "requests are longer than max_input_tokens or max_output_tokens and were shortened" in done.stderr


def test_a_prefix_cache_is_hit_as_often_as_in_the_recording(tmp_path: Path) -> None:
    block = 16
    with caching_server(block) as url:
        finished = replayed(tmp_path, url, "mooncake_trace_gen", 100, dataset_args={"scale": block / 512}, stream=False)
    requests = finished.requests()
    assert set(requests["error_class"]) == {"ok"}
    seen = sum(requests["cached_tokens"]) / sum(requests["input_tokens"])
    assert seen == pytest.approx(recorded_ratio(), abs=0.01)


def recorded_ratio() -> float:
    """Share of the recorded prompt tokens that lie in full blocks which an earlier request began with."""
    seen: set[int] = set()
    hit = tokens = 0
    for line in MOONCAKE.read_text().splitlines():
        row = json.loads(line)
        full = row["hash_ids"][: row["input_length"] // 512]
        hit += 512 * next((at for at, found in enumerate(full) if found not in seen), len(full))
        tokens += row["input_length"]
        seen.update(full)
    return hit / tokens


@contextmanager
def caching_server(block: int) -> Iterator[str]:
    """A service that takes a word for a token and keeps all prompts by blocks, as a cache of prefixes does."""
    kept: set[tuple[str, ...]] = set()
    lock = threading.Lock()

    def cached(words: list[str]) -> int:
        prefixes = [tuple(words[: size * block]) for size in range(1, len(words) // block + 1)]
        with lock:
            hits = sum(prefix in kept for prefix in prefixes)
            kept.update(prefixes)
        return hits * block

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer({"data": [{"id": "counting"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            words = body["messages"][0]["content"].split(" ")
            usage = {"prompt_tokens": len(words), "completion_tokens": 1}
            # What is sent once to try the service out comes again as the first request: it must not count.
            details = {"cached_tokens": cached(words) if self.headers["X-Request-Id"] else 0}
            choice = {"message": {"role": "assistant", "content": "a"}, "finish_reason": "length"}
            self.answer({"choices": [choice], "usage": usage | {"prompt_tokens_details": details}})

        def answer(self, value: Any) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
