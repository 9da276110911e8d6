"""Dialects: what a body looks like, where it is sent, and what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.address import models_url, request_url
from perfcore.workload.dialect import (
    Dialect,
    body,
    builtin,
    encoder,
    is_streamed,
    load_dialect,
    response_paths,
    service_headers,
)
from perfcore.workload.row import Row
from perfcore.workload.template import merged

CHAT = load_dialect("openai-chat")
COMPLETIONS = load_dialect("openai-completions")
PROMPT = Row(id="1", prompt="Hi")
TALK = Row(id="1", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
OWN = """
name = "own"
path = "/generate"
framing = "ndjson"
complete = ["finish"]
[request]
text = "{prompt}"
[response]
content = ["text"]
finish = ["done_reason"]
"""


def sent(dialect: Dialect, row: Row, **given: Any) -> Any:
    standard: dict[str, Any] = {"model": "m", "max_tokens": None, "stream": True, "extra": {}}
    return json.loads(body(dialect, row, **standard | given))


def own(folder: Path, text: str) -> str:
    path = folder / "own.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_chat_body_has_what_is_given_and_nothing_else() -> None:
    assert sent(CHAT, PROMPT) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_usage_is_asked_for_only_where_the_answer_is_streamed() -> None:
    assert sent(CHAT, PROMPT, stream=False, model=None) == {
        "messages": [{"role": "user", "content": "Hi"}],
        "stream": False,
    }


def test_messages_are_sent_as_they_are() -> None:
    assert sent(CHAT, TALK)["messages"] == TALK.messages


def test_a_prompt_dialect_joins_messages_by_newlines() -> None:
    assert sent(COMPLETIONS, TALK)["prompt"] == "Be brief.\nHi"


def test_text_parts_of_a_message_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert sent(COMPLETIONS, Row(id="1", messages=[{"role": "user", "content": parts}]))["prompt"] == "ab"


def test_an_image_cannot_be_sent_as_a_prompt() -> None:
    row = Row(id="q7", messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}])
    with pytest.raises(UserError, match=r"row q7 .* openai-completions"):
        sent(COMPLETIONS, row)


@pytest.mark.parametrize(("own_limit", "flag", "asked"), [(None, None, None), (5, None, 5), (5, 7, 7), (None, 7, 7)])
def test_max_tokens_given_to_the_run_goes_before_the_rows_own(
    own_limit: int | None, flag: int | None, asked: int | None
) -> None:
    assert sent(CHAT, Row(id="1", prompt="Hi", max_tokens=own_limit), max_tokens=flag).get("max_tokens") == asked


def test_extra_is_merged_last_and_null_removes() -> None:
    extra = {"temperature": 0, "stream_options": {"include_usage": None, "x": 1}, "model": None}
    got = sent(CHAT, PROMPT, extra=extra)
    assert got["temperature"] == 0
    assert got["stream_options"] == {"x": 1}
    assert "model" not in got


def test_one_encoder_makes_the_same_bodies_row_after_row() -> None:
    encode = encoder(CHAT, model="m", max_tokens=3, stream=True, extra={"n": 1})
    assert [encode(PROMPT), encode(TALK), encode(PROMPT)] == [
        body(CHAT, row, model="m", max_tokens=3, stream=True, extra={"n": 1}) for row in (PROMPT, TALK, PROMPT)
    ]


def test_text_is_sent_as_it_was_written_whatever_braces_it_has() -> None:
    text = 'Say "{model}" \u2028 \U0001f600 {prompt}'
    assert sent(COMPLETIONS, Row(id="1", prompt=text))["prompt"] == text


def test_a_placeholder_within_a_text_is_filled_in(tmp_path: Path) -> None:
    dialect = load_dialect(own(tmp_path, OWN.replace('"{prompt}"', '"Q: {prompt} ({max_tokens})"')))
    assert sent(dialect, PROMPT, max_tokens=4) == {"text": "Q: Hi (4)"}


@pytest.mark.parametrize(
    ("under", "over", "result"),
    [
        ({"a": 1}, {"a": None}, {}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": [1]}, {"a": [1]}),
        ({"a": 1}, {"a": {"b": {"c": None}}}, {"a": {"b": {}}}),
    ],
)
def test_objects_merge_as_rfc_7396_says(under: dict[str, Any], over: dict[str, Any], result: dict[str, Any]) -> None:
    assert merged(under, over) == result


@pytest.mark.parametrize(
    ("given", "url", "models"),
    [
        ("h:8000", "http://h:8000/v1/chat/completions", "http://h:8000/v1/models"),
        ("http://h:1", "http://h:1/v1/chat/completions", "http://h:1/v1/models"),
        ("http://h:1/", "http://h:1/v1/chat/completions", "http://h:1/v1/models"),
        ("http://h:1/v1", "http://h:1/v1/chat/completions", "http://h:1/v1/models"),
        ("http://h:1/v1/", "http://h:1/v1/chat/completions", "http://h:1/v1/models"),
        ("http://h:1/v1/chat/completions", "http://h:1/v1/chat/completions", "http://h:1/v1/models"),
        ("https://h/api/v1", "https://h/api/v1/chat/completions", "https://h/api/v1/models"),
        ("https://h/api", "https://h/api/v1/chat/completions", "https://h/api/v1/models"),
        ("https://h/v3/chat/completions", "https://h/v3/chat/completions", "https://h/v3/models"),
        ("https://h/d/x/chat/completions?v=1", "https://h/d/x/chat/completions?v=1", "https://h/d/x/models?v=1"),
        ("http://[::1]:8000#top", "http://[::1]:8000/v1/chat/completions", "http://[::1]:8000/v1/models"),
    ],
)
def test_a_url_may_be_a_base_or_the_full_path(given: str, url: str, models: str) -> None:
    assert (request_url(given, CHAT), models_url(given, CHAT)) == (url, models)


@pytest.mark.parametrize(
    "given", ["", "http://", "ftp://h", "http://h:99999", "http://h:x", "http:/h", "h h", "http://h/\na", "http://[::1"]
)
def test_a_url_that_nothing_can_be_sent_to_is_refused(given: str) -> None:
    with pytest.raises(UserError, match="--url"):
        request_url(given, CHAT)


def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(UserError) as error:
        request_url("ftp://me:s3cret@h", CHAT)
    assert "s3cret" not in str(error.value)


def test_a_dialect_without_path_or_models_takes_the_url_as_it_is(tmp_path: Path) -> None:
    dialect = load_dialect(own(tmp_path, OWN.replace('"/generate"', '""\nmodels_path = ""')))
    assert request_url("http://h/any/where?a=b", dialect) == "http://h/any/where?a=b"
    assert models_url("http://h/any", dialect) is None


TRITON = load_dialect("triton-generate")
TGI = load_dialect("tgi-generate")


@pytest.mark.parametrize(
    ("given", "stream", "url"),
    [
        ("h:8000", True, "http://h:8000/v2/models/m%2F1/generate_stream"),
        ("h:8000", False, "http://h:8000/v2/models/m%2F1/generate"),
        ("h:8000/v2", False, "http://h:8000/v2/models/m%2F1/generate"),
        ("h:8000/v2/models/x", True, "http://h:8000/v2/models/x/generate_stream"),
        ("h:8000/p/v2/models/x/generate", True, "http://h:8000/p/v2/models/x/generate_stream"),
        ("h:8000/p/v2/models/x/generate_stream", False, "http://h:8000/p/v2/models/x/generate"),
    ],
)
def test_a_path_may_hold_the_model_and_differ_for_streams(given: str, stream: bool, url: str) -> None:
    assert request_url(given, TRITON, stream, "m/1") == url


@pytest.mark.parametrize(("stream", "path"), [(True, "generate_stream"), (False, "generate")])
def test_the_path_for_streams_goes_in_the_place_of_the_other(stream: bool, path: str) -> None:
    assert request_url("h/generate", TGI, stream) == request_url("h/generate_stream", TGI, stream) == f"http://h/{path}"


def test_a_path_that_needs_a_model_asks_for_one() -> None:
    with pytest.raises(UserError, match="--model"):
        request_url("h:8000", TRITON, True, None)
    assert request_url("h/v2/models/x/generate", TRITON, False) == "http://h/v2/models/x/generate"


def test_models_are_listed_beside_a_path_without_version() -> None:
    assert models_url("http://h:11434/api/chat", load_dialect("ollama-chat")) == "http://h:11434/v1/models"


def test_a_dialects_headers_give_way_to_the_users() -> None:
    dialect = load_dialect("anthropic-messages")
    lines = ("Content-Type: application/json", "Anthropic-Version: 2099-01-01")
    assert service_headers(dialect, True, lines, lines[1:]) == lines
    assert service_headers(dialect, True, lines[:1], ()) == (lines[0], "anthropic-version: 2023-06-01")


def test_a_key_goes_where_the_dialect_wants_it() -> None:
    lines = ("Content-Type: application/json", "Authorization: Bearer k3y")
    found = service_headers(load_dialect("anthropic-messages"), True, lines, ())
    assert found == (lines[0], "anthropic-version: 2023-06-01", "x-api-key: k3y")
    assert service_headers(CHAT, True, lines, ()) == lines


def test_some_headers_are_only_sent_for_streams() -> None:
    dialect = load_dialect("dashscope")
    assert service_headers(dialect, True, (), ()) == ("X-DashScope-SSE: enable",)
    assert service_headers(dialect, False, (), ()) == ()


def test_a_dialect_of_documents_asks_for_no_stream() -> None:
    assert not is_streamed(load_dialect("rerank"), True)
    assert is_streamed(CHAT, True)


def test_every_built_in_dialect_loads_and_is_called_as_its_file() -> None:
    assert {load_dialect(name).name for name in builtin()} == set(builtin()) >= {"openai-chat", "openai-completions"}


def paths_of(dialect: Dialect, streamed: bool, field: str) -> list[tuple[str, str]]:
    return [(path, kind) for name, path, kind in response_paths(dialect, streamed) if name == field]


def test_paths_of_full_answers_take_the_place_of_those_of_streamed_ones() -> None:
    assert paths_of(CHAT, True, "content") == [("choices.0.delta.content", "")]
    assert paths_of(CHAT, False, "content") == [("choices.0.message.content", "")]
    assert paths_of(CHAT, False, "prompt_tokens") == [("usage.prompt_tokens", "")]


def test_a_path_may_be_bound_to_a_type_of_event(tmp_path: Path) -> None:
    dialect = load_dialect(own(tmp_path, OWN.replace('["text"]', '["a", { path = "b.c", type = "delta" }]')))
    assert paths_of(dialect, True, "content") == [("a", ""), ("b.c", "delta")]


def test_an_unknown_dialect_names_those_near_it() -> None:
    with pytest.raises(UserError, match=r"unknown dialect 'openai'; choose one of .*openai-chat"):
        load_dialect("openai")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("framing", "framin", ["unknown key 'framin'", "'framing'"]),
        ("finish = [", "finsh = [", ["'response.finsh'", "'finish'"]),
        ('"ndjson"', '"xml"', ["xml", "framing"]),
        ("[response]\n", "", ["response"]),
        ('"{prompt}"', '"{promt}"', ["'{promt}'", "'{prompt}'"]),
        ('["text"]', '["a..b"]', ["response.content", "'a..b'"]),
        ('["text"]', '"text"', ["response.content", "array"]),
        ('"/generate"', '"generate"', ["path", "'generate'", "start with /"]),
        ('["finish"]', '["done"]', ["complete", "done"]),
        ('["finish"]', '["ended"]', ["complete", "ended"]),
        ("[response]", '[response.full]\ntxt = ["a"]\n[response]', ["'response.full.txt'"]),
        ("name =", "name", ["not valid TOML", "line 2"]),
        ('["text"]', '[{ path = "a", typ = "b" }]', [".typ'", "'type'"]),
        ('["text"]', '["a"]\ntype = [{ path = "a", type = "b" }]', ["response.type"]),
        ("[request]", "max_tokens = 0\n[request]", ["max_tokens is 0"]),
        ("[request]", '[headers]\nx = "{key}"\n[request]', ["'{key}' in headers", "'{api_key}'"]),
        ("[request]", '[parts]\ntext = {a = "{txt}"}\n[request]', ["'{txt}' in parts", "'{text}'"]),
        ("[request]", "[parts]\nimages = {}\n[request]", ["'parts.images'", "'image'"]),
        ("[request]", "[parts]\nimage = {}\n[request]", ["parts lacks text"]),
        ("[request]", '[message]\na = "{messages}"\n[request]', ["'{messages}' in message"]),
    ],
)
def test_a_bad_dialect_file_is_named_with_its_key(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    path = own(tmp_path, OWN.replace(old, new, 1))
    with pytest.raises(UserError) as error:
        load_dialect(path)
    assert all(word in str(error.value) for word in [path, *words]), str(error.value)


def test_the_dialect_in_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "dialects.md").read_text(encoding="utf-8")
    dialect = load_dialect(own(tmp_path, page.split("```toml\n")[1].split("```")[0]))
    given = {"model": "m", "inputs": "Hi", "parameters": {"max_new_tokens": 4}, "stream": True}
    assert sent(dialect, PROMPT, max_tokens=4) == given


def test_an_answer_may_be_complete_when_its_transfer_is(tmp_path: Path) -> None:
    assert load_dialect(own(tmp_path, OWN.replace('["finish"]', '["end"]'))).complete == ("end",)


def test_a_dialect_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"nowhere\.toml: No such file"):
        load_dialect("nowhere.toml")


def test_a_recorded_body_goes_before_everything_but_how_the_answer_comes() -> None:
    row = Row(id="1", body={"messages": [], "temperature": 1, "stream": False, "model": "recorded"})
    got = sent(CHAT, row, extra={"temperature": 0, "top_p": 0.5})
    assert got == {
        "model": "recorded",
        "messages": [],
        "temperature": 1,
        "top_p": 0.5,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    recorded = Row(id="1", body={"prompt": "Hi", "stream": True, "stream_options": {"include_usage": True}})
    assert sent(COMPLETIONS, recorded, stream=False) == {"model": "m", "prompt": "Hi", "stream": False}


def test_a_row_may_ask_for_a_model_or_an_adapter_of_its_own() -> None:
    row = Row(id="1", prompt="Hi", model="adapter-a")
    assert sent(CHAT, row)["model"] == "adapter-a"
    assert sent(load_dialect("tgi-generate"), row)["parameters"]["adapter_id"] == "adapter-a"
    with pytest.raises(UserError, match=r"asks for adapter-a, and vllm-generate has no place"):
        sent(load_dialect("vllm-generate"), row)


def test_answers_of_an_exact_length_are_asked_for_in_the_words_of_the_dialect() -> None:
    assert sent(CHAT, PROMPT, max_tokens=5, exact=True)["ignore_eos"] is True
    assert sent(load_dialect("sglang-generate"), PROMPT, max_tokens=5, exact=True)["sampling_params"] == {
        "max_new_tokens": 5,
        "ignore_eos": True,
    }
    with pytest.raises(UserError, match="anthropic-messages has no word for --ignore-eos"):
        sent(load_dialect("anthropic-messages"), PROMPT, exact=True)
