"""aimock, a server of scripted answers in Node, asked in three forms: what it says arrives, and how it fails."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.clients import ask_with, clients_python
from tests.servers.installation import node_package
from tests.servers.process import free_port, serving
from tests.servers.runs import Run, stress

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).with_name("aimock.json")
MODEL = "gpt-4o"
ANSWERED = ["plain", "thoughts", "tool", "length", "paced"]
FINISHES = {
    "openai-chat": {"tool": "tool_calls", "length": "length", "": "stop"},
    "anthropic-messages": {"tool": "tool_use", "length": "max_tokens", "": "end_turn"},
    "ollama-chat": {"": "stop"},  # whatever the script says
}
PROMPTS = [entry["match"]["userMessage"] for entry in json.loads(SCRIPT.read_text())["fixtures"]] + ["unknown"]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    package = node_package("aimock", "@copilotkit/aimock@1.43.0")
    port = free_port()
    program = package / "node_modules" / "@copilotkit" / "aimock" / "dist" / "cli.js"
    command = ["node", str(program), "-h", "127.0.0.1", "-p", str(port), "-f", str(SCRIPT), "-c", "5"]
    address = f"http://127.0.0.1:{port}"
    with serving(command, f"{address}/health", tmp_path_factory.mktemp("aimock") / "server.txt", 60):
        yield address


@dataclass(frozen=True)
class Asked:
    """A run over all prompts."""

    url: str
    dialect: str
    streamed: bool
    run: Run
    folder: Path

    def output(self, prompt: str) -> dict[str, Any]:
        return self.run.outputs[PROMPTS.index(prompt)]

    def row(self, prompt: str) -> dict[str, Any]:
        return self.run.requests[PROMPTS.index(prompt)]


@pytest.fixture(scope="module", params=[f"{dialect} {way}" for dialect in FINISHES for way in ("stream", "whole")])
def asked(request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    dialect, way = request.param.split()
    folder = tmp_path_factory.mktemp("aimock-runs")
    dataset = folder / "prompts.jsonl"
    dataset.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    options = ["--dialect", dialect, "--model", MODEL, "--stream" if way == "stream" else "--no-stream"]
    options += ["--keep-events", "always"]
    return Asked(url, dialect, way == "stream", stress(url, dataset, folder / "run", *options), folder)


@pytest.mark.parametrize(
    ("prompt", "content", "reasoning"),
    [
        ("plain", 'Grüße, 世界 🚀 "quoted"\n', None),
        ("thoughts", "4", "two and two are four"),
        ("tool", None, None),
        ("length", "cut at the lim", None),
        ("paced", "abcdefghijklmnopqrstuvwxyz", None),
    ],
)
def test_each_answer_arrives_as_it_was_written(
    asked: Asked, prompt: str, content: str | None, reasoning: str | None
) -> None:
    output = asked.output(prompt)
    finishes = FINISHES[asked.dialect]
    assert output["error"] is None
    assert (output["prediction"], output["reasoning"]) == (content, reasoning)
    assert output["finish_reason"] == finishes.get(prompt, finishes[""])


def test_the_call_of_a_tool_arrives_as_it_was_written(asked: Asked) -> None:
    output = asked.output("tool")
    (call,) = output["tool_calls"]
    assert (call["name"], json.loads(call["arguments"])) == ("add", {"a": 2, "b": "two"})
    if output["tool_arguments"] is not None:  # they are an object, not text, where that is null
        assert output["tool_arguments"] == call["arguments"]


def test_the_client_of_the_vendor_sees_the_same(asked: Asked) -> None:
    if asked.dialect == "ollama-chat":
        pytest.skip("there is no client of Ollama's here")
    mode = "stream" if asked.streamed else "whole"
    heard = ask_with(asked.dialect, clients_python(), asked.url, MODEL, ANSWERED, mode, asked.folder)
    outputs = [asked.output(prompt) for prompt in ANSWERED]
    rows = [asked.row(prompt) for prompt in ANSWERED]
    assert [answer["text"] for answer in heard] == [output["prediction"] or "" for output in outputs]
    assert [answer["reasoning"] for answer in heard] == [output["reasoning"] or "" for output in outputs]
    assert [answer["finish_reason"] for answer in heard] == [output["finish_reason"] for output in outputs]
    counted = [row for row in rows if row["token_source"] == "server"]
    assert len(counted) >= 2
    assert [(row["input_tokens"], row["output_tokens"]) for row in counted] == [
        (answer["input_tokens"], answer["output_tokens"])
        for answer, row in zip(heard, rows, strict=True)
        if row["token_source"] == "server"
    ]


@pytest.mark.parametrize(
    ("prompt", "error_class", "status", "message"),
    [
        ("busy", "rate_limited", 429, "rate limit exceeded"),
        ("fails", "http_503", 503, "the model has crashed"),
        ("malformed", "bad_json", 200, "{malformed json: <<<chaos>>>"),
        ("gone", "reset", 0, ""),
        ("unknown", "not_found", 404, "No fixture matched"),
    ],
)
def test_each_failure_has_its_class_and_what_was_said(
    asked: Asked, prompt: str, error_class: str, status: int, message: str
) -> None:
    row = asked.row(prompt)
    assert (row["error_class"], row["http_status"], message in row["error"]) == (error_class, status, True)
    assert asked.run.metrics["errors"][error_class] == 1


def test_a_stream_that_breaks_off_is_no_success_but_its_text_is_kept(asked: Asked) -> None:
    text, error_class = asked.output("truncated")["prediction"], asked.row("truncated")["error_class"]
    assert text
    assert "abcdefghijklmnopqrstuvwxyz".startswith(text)
    assert error_class == ("truncated_stream" if asked.streamed else "ok")  # it breaks off streams only


def test_the_counts_that_the_server_reports_are_taken(asked: Asked) -> None:
    if asked.dialect == "ollama-chat":
        pytest.skip("this server counts nothing in Ollama's form")
    found = [asked.row(prompt) for prompt in ("plain", "thoughts")]
    assert [(row["input_tokens"], row["output_tokens"], row["token_source"]) for row in found] == [
        (11, 7, "server"),
        (12, 9, "server"),
    ]


def test_thoughts_are_the_first_token_and_the_answer_comes_later(asked: Asked) -> None:
    row = asked.row("thoughts")
    if asked.streamed:
        first = next(event for event in asked.run.events[row["request_id"]] if event["kind"] == "reasoning")
        assert row["first_token_ns"] == first["t_ns"] <= row["first_answer_ns"]
    else:
        assert (row["first_token_ns"], row["first_answer_ns"]) == (None, None)


def test_nothing_is_seen_before_the_server_can_have_sent_it(asked: Asked) -> None:
    row = asked.row("paced")
    if (
        asked.streamed
    ):  # the script says 100 ms to the first token and 20 ms to each of the next; timers may be 1 ms early
        assert row["first_token_ns"] - row["sent_ns"] >= 99_000_000
        assert row["last_token_ns"] - row["sent_ns"] >= 99_000_000 + 5 * 19_000_000


def test_a_request_that_is_turned_away_is_tried_again_as_often_as_asked(url: str, tmp_path: Path) -> None:
    dataset = tmp_path / "prompts.jsonl"
    dataset.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in ("plain", "busy")))
    run = stress(url, dataset, tmp_path / "run", "--model", MODEL, "--retries", "1")
    assert (run.metrics["requests"]["total"], run.metrics["requests"]["ok"]) == (2, 1)
    first, second = [row for row in run.attempts if row["index"] == 1]
    assert [(row["error_class"], row["attempt"]) for row in (first, second)] == [
        ("rate_limited", 0),
        ("rate_limited", 1),
    ]
    assert second["sent_ns"] - first["end_ns"] >= 990_000_000  # the answer said to come again after 1 s
