"""Answers of more than one text, from the wire to outputs.jsonl: captured streams, sent to a whole run."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.run.kept import asks_for_more
from tests.captures import load
from tests.endtoend import Finished, SimulatorSettings, measure, start_simulator
from tests.replay import chunked, replay
from tests.test_assembly import ANTHROPIC, CALL, chat, tool

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def answered(folder: Path, pieces: list[bytes], **options: Any) -> Finished:
    """A run of two requests to a server that sends these pieces to each."""
    plain = {"model": "m", "prompt": ("x",), "requests": 2, "concurrency": 1, "check": False}
    with replay(pieces) as url:
        return measure(folder / "run", url, **plain | options)


def stream(*events: dict[str, Any], done: bytes = b"data: [DONE]\n\n") -> list[bytes]:
    data = [f"data: {json.dumps(event)}\n\n".encode() for event in events]
    return [HEAD, *chunked([*data, done])]


def test_choices_are_told_apart_where_several_are_asked_for(tmp_path: Path) -> None:
    capture = load("litellm-proxy/chat_stream_n2")
    finished = answered(tmp_path, capture.pieces([capture.body]), body={"n": 2})
    for line in finished.outputs():
        assert len(line["choices"]) == 2
        assert line["prediction"] == line["choices"][0]


def test_log_probabilities_are_kept_where_they_are_asked_for(tmp_path: Path) -> None:
    capture = load("llama-cpp-python/chat_stream_logprobs")
    finished = answered(tmp_path, capture.pieces([capture.body]), body={"logprobs": True})
    line = finished.outputs()[0]
    assert "".join(entry["token"] for entry in line["logprobs"]["content"]) == line["prediction"]


CALLED = [
    chat(tool_calls=[tool(0, id="call_1", name="add", arguments="")]),
    chat(tool_calls=[tool(0, arguments='{"a"')]),
    chat(tool_calls=[tool(0, arguments=":1}")], finish="tool_calls"),
]


@pytest.mark.parametrize(
    ("pieces", "dialect"),
    [(stream(*CALLED), "openai-chat"), (stream(*ANTHROPIC, done=b""), "anthropic-messages")],
    ids=["openai-chat", "anthropic-messages"],
)
def test_tool_calls_are_put_together(tmp_path: Path, pieces: list[bytes], dialect: str) -> None:
    finished = answered(tmp_path, pieces, dialect=dialect, body={"tools": [{"type": "function"}]})
    for line in finished.outputs():
        assert line["error"] is None
        assert line["tool_calls"] == [{"id": CALL.id, "name": CALL.name, "arguments": CALL.arguments}]
        assert line["tool_arguments"] == CALL.arguments


def test_nothing_is_kept_where_nothing_more_is_asked_for(tmp_path: Path) -> None:
    line = answered(tmp_path, stream(*CALLED)).outputs()[0]
    assert (line["tool_calls"], line["tool_arguments"]) == (None, CALL.arguments)


@pytest.mark.parametrize(("option", "body", "kept"), [("always", {}, True), ("never", {"tools": [{}]}, False)])
def test_option_decides_what_is_kept(tmp_path: Path, option: str, body: dict[str, Any], kept: bool) -> None:
    line = answered(tmp_path, stream(*CALLED), keep_events=option, body=body).outputs()[0]
    assert (line["tool_calls"] is not None) == kept


@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"n": 2}, True),
        ({"n": 1, "tools": []}, False),
        ({"logprobs": True}, True),
        ({"logprobs": 0}, True),
        ({"logprobs": False}, False),
        ({"logprobs": None, "n_probs": 0}, False),
        ({"parameters": {"tools": [{}]}}, True),
        ({"sampling_params": {"n": 4}}, True),
        ({"messages": [{"tools": 1}], "stream": True}, False),
        ({"n": "many"}, False),
    ],
)
def test_body_tells_whether_more_than_a_text_is_asked_for(body: dict[str, Any], asked: bool) -> None:
    assert asks_for_more([body]) == asked


def test_reasoning_in_the_text_is_told_from_the_answer(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(json.dumps({"prompt": "x", "answer": "<think>one and one</think> two"}) + "\n")
    plain: dict[str, Any] = {"prompt": ("x",), "requests": 4, "concurrency": 2, "check": False}
    with start_simulator(SimulatorSettings(ttft_base_ms=5, itl_ms=5, script=str(script))) as running:
        finished = measure(tmp_path / "run", running.url, **plain)
        as_it_came = measure(tmp_path / "off", running.url, think_tags="off", **plain)
    assert {(line["reasoning"], line["prediction"]) for line in finished.outputs()} == {("one and one", "two")}
    latency, kinds = finished.metrics["latency"], set(finished.events()["kind"])
    assert latency["ttfa_ms"]["min"] >= latency["ttft_ms"]["min"] + 5
    assert {"reasoning", "content"} <= kinds
    assert as_it_came.outputs()[0]["prediction"] == "<think>one and one</think> two"
