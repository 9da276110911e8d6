"""A real model behind `transformers serve`: perfcore at concurrency 4 against OpenAI's client, answer by answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.clients import ask
from tests.servers.runs import Run, perfcore, stress
from tests.servers.transformers_server import MAX_TOKENS, MODEL, QUESTIONS, RIGHT, Server, right_answers

pytestmark = [pytest.mark.servers, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Both:
    """The same questions asked by perfcore and by OpenAI's client, whose answers are in the order of the questions."""

    streamed: bool
    run: Run
    client: list[dict[str, Any]]


@pytest.fixture(scope="module", params=["stream", "whole"])
def both(request: pytest.FixtureRequest, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Both:
    streamed = request.param == "stream"
    folder = tmp_path_factory.mktemp("runs") / request.param
    options = ["--model", str(MODEL), "--max-tokens", MAX_TOKENS, "--body", "temperature=0"]
    run = stress(server.url, QUESTIONS, folder, *options, "--stream" if streamed else "--no-stream")
    return Both(streamed, run, ask_one_by_one(server, request.param))


def ask_one_by_one(server: Server, mode: str) -> list[dict[str, Any]]:
    arguments = [f"{server.url}/v1", str(MODEL), str(QUESTIONS), MAX_TOKENS, mode]
    return ask(server.python, "openai_client.py", arguments)


def rows(both: Both) -> list[dict[str, Any]]:
    return [both.run.requests[index] for index in sorted(both.run.requests)]


def test_every_text_is_the_one_that_openais_client_gets(both: Both) -> None:
    texts = {index: output["prediction"] for index, output in both.run.outputs.items()}
    assert len(both.client) == 90
    assert texts == {index: answer["text"] for index, answer in enumerate(both.client)}


def test_every_token_count_is_the_one_that_openais_client_gets(both: Both) -> None:
    counted = {index: (row["input_tokens"], row["output_tokens"]) for index, row in both.run.requests.items()}
    answers = enumerate(both.client)
    assert counted == {index: (answer["input_tokens"], answer["output_tokens"]) for index, answer in answers}
    assert {row["token_source"] for row in rows(both)} == {"server"}


def test_every_finish_reason_is_the_one_that_openais_client_gets(both: Both) -> None:
    reasons = {index: output["finish_reason"] for index, output in both.run.outputs.items()}
    assert reasons == {index: answer["finish_reason"] for index, answer in enumerate(both.client)}
    assert both.run.metrics["finish_reasons"] == {"stop": 90}


def test_as_many_answers_are_right_as_with_any_server(both: Both) -> None:
    assert right_answers(both.run.outputs.values()) == RIGHT


def test_the_metrics_count_all_requests_and_tokens(both: Both) -> None:
    metrics = both.run.metrics
    assert {key: metrics["requests"][key] for key in ("total", "ok", "failed")} == {"total": 90, "ok": 90, "failed": 0}
    assert metrics["tokens"]["input"] == sum(answer["input_tokens"] for answer in both.client)
    assert metrics["tokens"]["output"] == sum(answer["output_tokens"] for answer in both.client)
    assert metrics["concurrency"]["max"] == 4


def test_each_request_has_one_row_in_order_of_time(both: Both) -> None:
    assert sorted(both.run.requests) == list(range(90))
    for row in rows(both):
        assert (row["http_status"], row["error_class"], row["phase"], row["attempt"]) == (200, "ok", "measured", 0)
        assert row["due_ns"] <= row["sent_ns"] <= row["first_byte_ns"] <= row["last_output_ns"] <= row["end_ns"]


def test_no_answer_that_came_whole_has_a_first_token_time(both: Both) -> None:
    have_one = [row["first_token_ns"] is not None for row in rows(both)]
    assert have_one == [both.streamed] * 90
    assert (both.run.metrics["latency"]["ttft_ms"] is not None) == both.streamed


def test_the_role_that_comes_before_the_prefill_is_not_the_first_token(both: Both) -> None:
    if not both.streamed:
        return
    earlier = 0
    for row in rows(both):
        events = both.run.events[row["request_id"]]
        first_content = next(event["t_ns"] for event in events if event["kind"] == "content")
        assert events[0]["kind"] == "role"
        assert row["first_token_ns"] == first_content >= events[0]["t_ns"]
        earlier += events[0]["t_ns"] < first_content
    assert earlier > 45  # the others came in one read, because this machine was busy


def test_answers_are_whole_without_the_end_marker_that_this_server_never_sends(both: Both) -> None:
    if not both.streamed:
        return
    for row in rows(both):
        kinds = [event["kind"] for event in both.run.events[row["request_id"]]]
        assert (kinds[-1], kinds.count("finish"), kinds.count("done")) == ("finish", 1, 0)
        assert kinds.count("content") == row["token_events"] <= row["output_tokens"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "name one with --model"),
        (["--model", "no-such-model"], "answered 400"),
        (["--model", str(MODEL), "--body", "ignore_eos=true"], "Unexpected fields in the request: {'ignore_eos'}"),
    ],
)
def test_what_this_server_refuses_is_told_before_the_run(
    server: Server, tmp_path: Path, options: list[str], said: str
) -> None:
    arguments = ["stress", "--url", server.url, "--prompt", "What is 1 plus 1?", "--out", str(tmp_path / "run")]
    code, words = perfcore([*arguments, *options], tmp_path / "said.txt")
    assert (code, said in words) == (2, True), words
