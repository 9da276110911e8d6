"""What is put together from kept events: choices, tool calls, log probabilities; each form as its service sends it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.records.assembly import Choice, ToolCall, assemble
from tests.captures import load
from tests.reference.frame import pack
from tests.test_store import build, outputs

CALL = ToolCall("call_1", "add", '{"a":1}')


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def chat(index: int | None = 0, finish: str | None = None, logprobs: Any = None, **delta: Any) -> dict[str, Any]:
    choice = {"delta": delta, "finish_reason": finish, "logprobs": logprobs}
    return {"object": "chat.completion.chunk", "choices": [choice if index is None else choice | {"index": index}]}


def tool(index: int | None, **function: Any) -> dict[str, Any]:
    """A piece of a call."""
    call = {"id": function.pop("id", None), "function": function}
    return call if index is None else call | {"index": index}


def calls(raw: bytes) -> tuple[ToolCall, ...]:
    (choice,) = assemble(raw)
    return choice.tool_calls


def test_interleaved_choices_are_told_apart() -> None:
    events = [chat(1, content="B"), chat(0, content="a"), chat(1, content="b"), chat(0, finish="stop"), chat(1)]
    assert assemble(lines(*events)) == [Choice("a", finish_reason="stop"), Choice("Bb")]


def test_choice_without_an_index_is_the_first() -> None:
    assert assemble(lines(chat(None, content="a"), chat(None, content="b"))) == [Choice("ab")]


def test_choices_of_a_whole_answer_are_told_apart_without_an_index() -> None:
    whole = {"choices": [{"message": {"content": "a", "reasoning": "r"}}, {"message": {"content": "b"}}]}
    assert assemble(lines(whole)) == [Choice("a", "r"), Choice("b")]


def test_index_that_rises_with_each_token_is_one_text() -> None:
    events = [{"choices": [{"index": at, "text": str(at)}]} for at in range(12)]
    end = {"choices": [{"index": 12, "text": "", "finish_reason": "stop"}]}
    assert [(choice.text, choice.finish_reason) for choice in assemble(lines(*events, end))] == [
        ("01234567891011", "stop")
    ]


def test_choices_of_one_token_each_are_several_texts() -> None:
    events = [{"choices": [{"index": at, "text": str(at), "finish_reason": "length"}]} for at in range(3)]
    assert [choice.text for choice in assemble(lines(*events))] == ["0", "1", "2"]


@pytest.mark.parametrize("index", ["1", 1.5, True, None, {}, []])
def test_index_that_is_no_number_is_the_first(index: Any) -> None:
    assert assemble(
        lines(chat(0, content="a"), chat(content="b") | {"choices": [{"index": index, "delta": {"content": "b"}}]})
    ) == [Choice("ab")]


@pytest.mark.parametrize(
    "pieces",
    [
        [tool(0, id="call_1", name="add", arguments=""), tool(0, arguments='{"a":'), tool(0, arguments="1}")],
        [tool(0, id="call_1", name="add", arguments='{"a"'), tool(0, id="other", arguments=":1}")],
        [tool(None, id="call_1", name="add", arguments='{"a":'), tool(None, arguments="1}")],
        [tool(0, id="call_1", name="add"), tool(0, name="add", arguments='{"a":1}')],
        [tool(0, id="call_1", name="add", arguments={"a": 1})],
    ],
)
def test_pieces_of_a_call_are_put_together(pieces: list[dict[str, Any]]) -> None:
    assert calls(lines(*(chat(tool_calls=[piece]) for piece in pieces))) == (CALL,)


@pytest.mark.parametrize("second", [1, 0, None])
def test_calls_side_by_side_are_told_apart_even_where_the_server_does_not_count_them(second: int | None) -> None:
    first = 0 if second is not None else None
    pieces = [
        tool(first, id="call_1", name="add", arguments='{"a":'),
        tool(first, arguments="1}"),
        tool(second, id="call_2", name="mul", arguments="{"),
        tool(second, arguments="}"),
    ]
    assert calls(lines(*(chat(tool_calls=[piece]) for piece in pieces))) == (CALL, ToolCall("call_2", "mul", "{}"))


def test_calls_of_several_choices_stay_with_their_choice() -> None:
    pieces = [(0, "call_1", "add", '{"a":1}'), (1, "call_2", "mul", "{}")]
    events = [chat(at, tool_calls=[tool(0, id=i, name=n, arguments=a)]) for at, i, n, a in pieces]
    assert [choice.tool_calls for choice in assemble(lines(*events))] == [(CALL,), (ToolCall("call_2", "mul", "{}"),)]


def test_calls_of_a_whole_answer() -> None:
    items = [{"id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a":1}'}}] * 2
    whole = {"choices": [{"index": 0, "message": {"content": None, "tool_calls": items}}]}
    assert calls(lines(whole)) == (CALL, CALL)


def test_old_function_call() -> None:
    pieces = [{"name": "add", "arguments": '{"a":'}, {"arguments": "1}"}]
    assert calls(lines(*(chat(function_call=piece) for piece in pieces))) == (ToolCall(None, "add", '{"a":1}'),)


ANTHROPIC: list[dict[str, Any]] = [
    {"type": "message_start", "message": {"id": "m", "content": [], "usage": {}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Adding"}},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "call_1", "name": "add", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a"'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ":1}"}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
]
ANTHROPIC_WHOLE = {
    "type": "message",
    "content": [{"type": "text", "text": "x"}, {"type": "tool_use", "id": "call_1", "name": "add", "input": {"a": 1}}],
}
ITEM = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "add", "arguments": ""}
RESPONSES = [
    {"type": "response.created", "response": {"output": []}},
    {"type": "response.output_item.added", "output_index": 1, "item": ITEM},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "fc_1", "delta": '{"a":'},
    {"type": "response.function_call_arguments.delta", "output_index": 1, "item_id": "fc_1", "delta": "1}"},
    {"type": "response.function_call_arguments.done", "output_index": 1, "arguments": '{"a":1}'},
    {"type": "response.output_item.done", "output_index": 1, "item": ITEM | {"arguments": '{"a":1}'}},
    {"type": "response.completed", "response": {"output": [ITEM | {"arguments": '{"a":1}'}]}},
]
OLLAMA = {
    "message": {
        "role": "assistant",
        "tool_calls": [{"id": "call_1", "function": {"name": "add", "arguments": {"a": 1}}}],
    }
}
DASHSCOPE = {
    "output": {"choices": [{"message": {"tool_calls": [tool(0, id="call_1", name="add", arguments='{"a":1}')]}}]}
}


@pytest.mark.parametrize(
    "events",
    [
        ANTHROPIC,
        [ANTHROPIC_WHOLE],
        RESPONSES,
        RESPONSES[:2] + RESPONSES[5:],
        [{"object": "response", "output": [{"type": "message", "content": []}, ITEM | {"arguments": '{"a":1}'}]}],
        [OLLAMA],
        [DASHSCOPE],
    ],
    ids=[
        "anthropic",
        "anthropic whole",
        "responses",
        "responses without deltas",
        "responses whole",
        "ollama",
        "dashscope",
    ],
)
def test_calls_of_other_forms(events: list[dict[str, Any]]) -> None:
    assert calls(lines(*events)) == (CALL,)


def test_tool_without_arguments_has_an_empty_object() -> None:
    assert calls(lines(*ANTHROPIC[:5]))[0].arguments == "{}"


def test_log_probabilities_of_a_chat_are_joined() -> None:
    pieces = [{"content": [{"token": word, "logprob": -0.5}], "refusal": None} for word in "ab"]
    (choice,) = assemble(lines(chat(role="assistant"), *(chat(logprobs=piece, content="x") for piece in pieces)))
    assert choice.logprobs == {
        "content": [entry["content"][0] for entry in pieces if entry["content"]],
        "refusal": None,
    }


def test_log_probabilities_of_a_completion_are_joined() -> None:
    pieces = [{"tokens": [word], "token_logprobs": [-1.0], "text_offset": [at]} for at, word in enumerate("ab")]
    (choice,) = assemble(lines(*({"choices": [{"index": 0, "text": "x", "logprobs": piece}]} for piece in pieces)))
    assert choice.logprobs == {"tokens": ["a", "b"], "token_logprobs": [-1.0, -1.0], "text_offset": [0, 1]}


@pytest.mark.parametrize(
    ("events", "logprobs"),
    [
        ([{"type": "response.output_text.delta", "delta": "a", "logprobs": [at]} for at in (1, 2)], [1, 2]),
        ([{"content": "a", "index": 0, "completion_probabilities": [at]} for at in (1, 2)], [1, 2]),
        (
            [{"token": {"text": "a", "logprob": at}} for at in (-1, -2)],
            [{"text": "a", "logprob": at} for at in (-1, -2)],
        ),
        ([{"generated_text": "a", "details": {"tokens": [1, 2]}}], [1, 2]),
        ([{"text": "a" * at, "meta_info": {"output_token_logprobs": [0] * at}} for at in (1, 2)], [0, 0]),
    ],
    ids=["responses", "llama.cpp", "TGI", "TGI whole", "SGLang"],
)
def test_log_probabilities_of_other_forms(events: Iterable[Any], logprobs: Any) -> None:
    (choice,) = assemble(lines(*events))
    assert choice.logprobs == logprobs


def test_texts_so_far_are_not_repeated() -> None:
    assert [choice.text for choice in assemble(lines({"text": ["p", "q"]}, {"text": ["pa", "qb"]}))] == ["pa", "qb"]
    cumulative = [
        {"text": text, "index": at, "meta_info": {}} for at, text in ((0, "a"), (1, "b"), (0, "aa"), (1, "bb"))
    ]
    assert [choice.text for choice in assemble(lines(*cumulative))] == ["aa", "bb"]


def kept(name: str) -> bytes:
    """What the loop keeps of a captured stream."""
    return b"".join(line[6:] + b"\n" for line in load(name).body.split(b"\n") if line.startswith(b"data: "))


def test_captured_choices_are_told_apart() -> None:
    texts = [choice.text for choice in assemble(kept("litellm-proxy/chat_stream_n2"))]
    assert [len(text) > 0 for text in texts] == [True, True]
    assert [choice.text for choice in assemble(kept("llama-cpp-python/chat_stream_n2"))] == [" p p plu"]


@pytest.mark.parametrize("server", ["litellm-proxy", "llama-cpp-python"])
def test_captured_log_probabilities_spell_the_text(server: str) -> None:
    (choice,) = assemble(kept(f"{server}/chat_stream_logprobs"))
    assert "".join(entry["token"] for entry in choice.logprobs["content"]) == choice.text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[DONE]\n",
        b"{\n",
        b"null\n[]\n1\n",
        b'{"choices": null}\n{"choices": [1, null]}\n',
        b"\xff\n",
        b'{"type": {}}\n',
    ],
)
def test_events_without_an_answer_are_none(raw: bytes) -> None:
    assert assemble(raw) == []


KEYS = (
    *("type", "object", "choices", "index", "delta", "message", "content", "tool_calls", "function", "id", "name"),
    *("arguments", "output", "text", "token", "details", "meta_info", "item", "content_block", "logprobs", "input"),
    *("finish_reason", "tokens", "completion_probabilities"),
)
TYPES = st.sampled_from(
    ["content_block_start", "content_block_delta", "message", "response", "response.output_item.added"]
)
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)
FORMS = st.dictionaries(st.sampled_from(["choices", "output", "message", "text", "item"]), JSON)


@settings(deadline=None)
@given(st.lists(FORMS | JSON, max_size=4), TYPES)
def test_no_event_makes_it_fail(events: list[Any], kind: str) -> None:
    assemble(lines(*events, *(event | {"type": kind} for event in events if isinstance(event, dict))))


def test_output_line_has_calls_choices_and_log_probabilities(tmp_path: Path) -> None:
    events = [chat(0, content="yes", logprobs={"content": [1]}, finish="stop"), chat(1, content="no", finish="length")]
    asked = [chat(tool_calls=[tool(0, id="call_1", name="add", arguments='{"a":1}')])]
    answers = [pack(content=b"yesno", finish=b"length", raw=lines(*events)), pack(request_id=1, raw=lines(*asked))]
    build(tmp_path, *answers)
    several, called = outputs(tmp_path)
    assert (several["prediction"], several["choices"], several["finish_reason"]) == ("yes", ["yes", "no"], "stop")
    assert several["logprobs"] == {"content": [1]}
    assert called["tool_calls"] == [{"id": "call_1", "name": "add", "arguments": '{"a":1}'}]
    assert not {"choices", "logprobs"} & called.keys()


def test_text_of_an_answer_with_one_choice_is_that_of_the_frame(tmp_path: Path) -> None:
    build(tmp_path, pack(content=b"whole", raw=lines(chat(content="part"))))
    assert outputs(tmp_path)[0]["prediction"] == "whole"
