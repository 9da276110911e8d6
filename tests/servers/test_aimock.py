"""aimock, a server of scripted answers in Node: what it says, and how it fails, arrives as it was written."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.installation import node_package
from tests.servers.process import free_port, serving
from tests.servers.runs import Run, stress

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).with_name("aimock.json")
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


@pytest.fixture(scope="module", params=["--stream", "--no-stream"])
def run(request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[bool, Run]:
    folder = tmp_path_factory.mktemp("aimock-runs")
    dataset = folder / "prompts.jsonl"
    dataset.write_text("".join(json.dumps({"prompt": prompt}) + "\n" for prompt in PROMPTS))
    return request.param == "--stream", stress(url, dataset, folder / "run", request.param)


@pytest.mark.parametrize(
    ("prompt", "content", "reasoning", "tool_arguments", "finish_reason"),
    [
        ("plain", 'Grüße, 世界 🚀 "quoted"\n', None, None, "stop"),
        ("thoughts", "4", "two and two are four", None, "stop"),
        ("tool", None, None, '{"a":2,"b":"two"}', "tool_calls"),
        ("length", "cut at the lim", None, None, "length"),
        ("paced", "abcdefghijklmnopqrstuvwxyz", None, None, "stop"),
    ],
)
def test_each_answer_arrives_as_it_was_written(
    run: tuple[bool, Run],
    prompt: str,
    content: str | None,
    reasoning: str | None,
    tool_arguments: str | None,
    finish_reason: str,
) -> None:
    output = run[1].outputs[PROMPTS.index(prompt)]
    assert output["error"] is None
    found = (output["prediction"], output["reasoning"], output["tool_arguments"], output["finish_reason"])
    assert found == (content, reasoning, tool_arguments, finish_reason)


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
    run: tuple[bool, Run], prompt: str, error_class: str, status: int, message: str
) -> None:
    row = run[1].requests[PROMPTS.index(prompt)]
    assert (row["error_class"], row["http_status"], message in row["error"]) == (error_class, status, True)
    assert run[1].metrics["errors"][error_class] == 1


def test_a_stream_that_breaks_off_is_no_success_but_its_text_is_kept(run: tuple[bool, Run]) -> None:
    streamed, result = run
    output = result.outputs[PROMPTS.index("truncated")]
    error_class = result.requests[PROMPTS.index("truncated")]["error_class"]
    assert "abcdefghijklmnopqrstuvwxyz".startswith(output["prediction"])
    assert error_class == ("truncated_stream" if streamed else "ok")  # it breaks off streams only


def test_the_counts_that_the_server_reports_are_taken(run: tuple[bool, Run]) -> None:
    found = [run[1].requests[PROMPTS.index(prompt)] for prompt in ("plain", "thoughts")]
    assert [(row["input_tokens"], row["output_tokens"], row["token_source"]) for row in found] == [
        (11, 7, "server"),
        (12, 9, "server"),
    ]


def test_thoughts_are_the_first_token_and_the_answer_comes_later(run: tuple[bool, Run]) -> None:
    streamed, result = run
    row = result.requests[PROMPTS.index("thoughts")]
    if streamed:
        first = next(event for event in result.events[row["request_id"]] if event["kind"] == "reasoning")
        assert row["first_token_ns"] == first["t_ns"] <= row["first_answer_ns"]
    else:
        assert (row["first_token_ns"], row["first_answer_ns"]) == (None, None)


def test_nothing_is_seen_before_the_server_can_have_sent_it(run: tuple[bool, Run]) -> None:
    streamed, result = run
    row = result.requests[PROMPTS.index("paced")]
    if streamed:  # the script says 100 ms to the first token and 20 ms to each of the next; timers may be 1 ms early
        assert row["first_token_ns"] - row["sent_ns"] >= 99_000_000
        assert row["last_token_ns"] - row["sent_ns"] >= 99_000_000 + 5 * 19_000_000
