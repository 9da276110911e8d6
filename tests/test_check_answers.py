"""`perfcore check`, what a service does with requests: its stream, its parameters, its dialect."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.run.check_finding import Finding
from perfcore.run.simulator import start_simulator
from perfcore.workload.dialect import builtin
from tests.checking import PACED, checked, mannered, replayed, simulated, stream_of
from tests.obliging import PARAMETERS, Manners, obliging
from tests.replay import chunked

# ---- the stream


def test_an_answer_that_is_held_back_until_it_is_whole_is_a_problem() -> None:
    found = mannered(held=True, pause_s=0.01)
    assert found["streaming"].level == "problem"
    assert found["streaming"].data["reads"] == 1


def test_an_answer_that_comes_at_once_because_the_service_is_fast_is_noted() -> None:
    assert simulated(ttft_base_ms=0, itl_ms=0, events_per_send=0)["streaming"].level == "note"


def test_several_events_at_a_time_are_noted() -> None:
    found = simulated(itl_ms=5, events_per_send=4)
    assert found["streaming"].level == "note"
    assert found["streaming"].data["reads"] <= 12


def test_plain_json_in_the_place_of_a_stream_is_a_problem() -> None:
    found = simulated(faults=(("non_stream", 1.0, None),))
    assert found["path"].level == "problem"
    assert "--no-stream" in found["path"].change


def test_without_a_stream_nothing_is_said_of_it() -> None:
    with start_simulator(PACED) as running:
        found = checked(running.url, stream=False)
    assert (found["streaming"].level, found["usage"].data["usage"]) == ("unchecked", "in_answer")
    assert found["max_tokens"].level == "ok"


def test_the_first_byte_is_told_from_the_first_token() -> None:
    data = mannered(wait_s=0.05, role="early")["first_byte"].data
    assert data["first_token_ms"] - data["first_byte_ms"] >= 20


@pytest.mark.parametrize(("role", "said"), [("none", "none"), ("with", "with_token"), ("early", "before_prefill")])
def test_an_event_with_the_role_alone_is_found_and_placed(role: str, said: str) -> None:
    assert mannered(role=role, wait_s=0.03)["role"].data["role_event"] == said


@pytest.mark.parametrize(
    ("usage", "said", "level"),
    [
        ("own", "own_event", "ok"),
        ("finish", "finish_event", "ok"),
        ("every", "every_event", "ok"),
        ("none", "none", "note"),
    ],
)
def test_the_place_of_the_usage_is_found(usage: str, said: str, level: str) -> None:
    found = mannered(usage=usage)
    assert (found["usage"].data["usage"], found["usage"].level) == (said, level)
    assert found["max_tokens"].level == "ok"


def test_usage_that_the_simulator_leaves_out_is_noted() -> None:
    assert simulated(faults=(("no_usage", 1.0, None),))["usage"].level == "note"


def test_a_missing_end_marker_is_seen_and_does_no_harm() -> None:
    end = simulated(faults=(("no_done", 1.0, None),))["end"]
    assert (end.level, end.data["end_marker"]) == ("ok", False)


def test_a_stream_that_nothing_marks_the_end_of_is_a_problem() -> None:
    found = simulated(faults=(("no_finish", 1.0, None),))
    assert found["path"].level == "problem"
    assert "finish reason" in found["path"].seen


def test_an_end_marker_without_a_finish_reason_is_noted() -> None:
    events = [json.dumps({"choices": [{"delta": {"content": f" w{at}"}}]}) for at in range(3)]
    assert replayed(stream_of(*events, "[DONE]"))["end"].level == "note"


@pytest.mark.parametrize(
    ("manners", "said", "level"),
    [
        ({}, "none", "ok"),
        ({"thoughts": "Hm."}, "channel", "ok"),
        ({"opening": "<think>Hm.</think>"}, "tags", "note"),
    ],
)
def test_thoughts_are_found_in_their_channel_and_in_the_text(manners: dict[str, Any], said: str, level: str) -> None:
    found = mannered(**manners)["reasoning"]
    assert (found.data["reasoning"], found.level) == (said, level)


def test_a_service_that_closes_its_connections_is_noted() -> None:
    found = mannered(keep=False)["keep_alive"]
    assert (found.level, found.data["reused"]) == ("note", False)


# ---- parameters


@pytest.fixture(scope="module")
def careless() -> dict[str, Finding]:
    return mannered(honoured=frozenset(), pause_s=0)


@pytest.fixture(scope="module")
def strict() -> dict[str, Finding]:
    return mannered(refused=PARAMETERS, pause_s=0)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_parameter_that_does_nothing_is_ignored(careless: dict[str, Finding], name: str) -> None:
    found = careless[name]
    assert (found.level, found.data) == ("note", {"effect": "ignored"})
    assert found.meaning and found.change


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_a_parameter_that_is_refused_brings_the_words_of_the_service(strict: dict[str, Finding], name: str) -> None:
    found = strict[name]
    assert (found.level, found.data) == ("note", {"effect": "refused"})
    assert "Unexpected fields" in found.seen


def test_a_service_that_refuses_a_limit_is_checked_without_one() -> None:
    found = mannered(refused=frozenset({"max_tokens"}), pause_s=0)
    assert found["path"].level == "ok"
    assert found["n"].level == "ok"


def test_the_users_own_name_of_the_limit_is_taken() -> None:
    body = {"max_tokens": None, "max_completion_tokens": 64}
    with obliging(Manners(refused=frozenset({"max_tokens"}))) as url:
        found = checked(url, body=body)
    assert found["max_tokens"].data == {"effect": "ignored"}  # of the other name this service knows nothing


def test_what_an_answer_does_not_tell_is_left_open() -> None:
    found = simulated()
    assert [found[name].data["effect"] for name in ("min_tokens", "ignore_eos")] == ["unknown", "unknown"]


def test_a_model_that_only_thinks_up_to_the_limit_is_given_more() -> None:
    found = mannered(hidden=40, pause_s=0)
    assert found["path"].level == "ok"
    assert found["max_tokens"].data == {"effect": "honoured"}


# ---- servers as they are

WIRE = Path(__file__).parent / "data" / "wire"


@pytest.mark.parametrize(
    ("server", "usage", "marker"),
    [
        ("transformers-serve", "finish_event", False),
        ("llama-cpp-python", "none", True),
        ("litellm-proxy", "own_event", True),
    ],
)
def test_captured_streams_are_told_apart(server: str, usage: str, marker: bool) -> None:
    events = (WIRE / f"{server}.sse").read_bytes().decode().replace("data: ", "").split("\n\n")
    found = replayed(stream_of(*filter(None, events)))
    assert (found["path"].level, found["streaming"].level) == ("ok", "ok")
    assert (found["usage"].data["usage"], found["end"].data["end_marker"]) == (usage, marker)


# ---- dialects


SPOKEN = {
    "anthropic-messages": (
        "text/event-stream",
        "event: message_start\n"
        'data: {"type":"message_start","message":{"role":"assistant","usage":{"input_tokens":7}}}\n\n',
        'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"four"}}\n\n',
        'data: {"type":"content_block_delta","delta":{"type":"text_delta","text":" five"}}\n\n',
        'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}\n\n',
        'data: {"type":"message_stop"}\n\n',
    ),
    "ollama-chat": (
        "application/x-ndjson",
        '{"message":{"role":"assistant","content":"four"},"done":false}\n',
        '{"message":{"role":"assistant","content":" five"},"done":false}\n',
        '{"message":{"content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}\n',
    ),
    "sglang-generate": (
        "text/event-stream",
        'data: {"text":"four","meta_info":{"prompt_tokens":7,"completion_tokens":1,"finish_reason":null}}\n\n',
        'data: {"text":"four five","meta_info":{"prompt_tokens":7,"completion_tokens":3,'
        '"finish_reason":{"type":"stop"}}}\n\n',
        "data: [DONE]\n\n",
    ),
    "tgi-generate": (
        "text/event-stream",
        'data: {"token":{"text":"four","special":false}}\n\n',
        'data: {"token":{"text":" five","special":false}}\n\n',
        'data: {"token":{"text":"</s>","special":true},"generated_text":"four five",'
        '"details":{"finish_reason":"eos_token","generated_tokens":3,"input_length":7}}\n\n',
    ),
}


@pytest.mark.parametrize("name", SPOKEN)
def test_answers_are_understood_by_the_dialects_own_paths(name: str) -> None:
    content_type, *events = SPOKEN[name]
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    found = replayed([head, *chunked([event.encode() for event in events])], dialect=name)
    assert (found["path"].level, found["end"].level, found["streaming"].level) == ("ok", "ok", "ok")
    usage = found["usage"].data
    assert (usage["prompt_tokens"], usage["output_tokens"], usage["token_events"]) == (7, 3, 2)


@pytest.mark.parametrize("name", sorted(builtin()))
def test_every_dialect_reaches_a_verdict_with_a_service_that_refuses_it(name: str) -> None:
    refusal = b'HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"error":"no"}'
    found = replayed([refusal], 0, dialect=name)
    assert found["path"].level == "problem"
    assert '{"error":"no"}' in found["path"].seen


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("openai-embeddings", '{"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":3}}'),
        ("rerank", '{"results":[{"relevance_score":0.5}]}'),
    ],
)
def test_of_answers_that_are_no_text_only_the_way_is_checked(name: str, answer: str) -> None:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}\r\n\r\n"
    found = replayed([head.encode() + answer.encode()], 0, dialect=name)
    assert (found["path"].level, found["seed"].level) == ("ok", "unchecked")
