"""What rows become in the bodies of the built-in dialects."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.dialect import body, builtin, load_dialect
from perfcore.workload.row import Row

PROMPT = Row("1", prompt="Hi")
TALK = Row("1", messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}])
USER = {"role": "user", "content": "Hi"}
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}},
}
PNG = b"\x89PNG"
PNG64 = base64.b64encode(PNG).decode()
PNG_URL = f"data:image/png;base64,{PNG64}"


def sent(dialect: str, row: Row, *, stream: bool = True, max_tokens: int | None = 8, model: str | None = "m") -> Any:
    encoded = body(load_dialect(dialect), row, model=model, max_tokens=max_tokens, stream=stream, extra={})
    return json.loads(encoded)


def picture(folder: Path) -> str:
    path = folder / "x.png"
    path.write_bytes(PNG)
    return str(path)


@pytest.mark.parametrize(
    ("dialect", "given"),
    [
        ("openai-responses", {"model": "m", "input": [USER], "max_output_tokens": 8, "stream": True}),
        ("anthropic-messages", {"model": "m", "messages": [USER], "max_tokens": 8, "stream": True}),
        ("openai-embeddings", {"model": "m", "input": "Hi"}),
        ("vllm-generate", {"prompt": "Hi", "max_tokens": 8, "stream": True}),
        ("sglang-generate", {"text": "Hi", "sampling_params": {"max_new_tokens": 8}, "stream": True}),
        ("mindie-infer", {"inputs": "Hi", "parameters": {"max_new_tokens": 8, "details": True}, "stream": True}),
        ("tgi-generate", {"inputs": "Hi", "parameters": {"max_new_tokens": 8, "details": True}}),
        ("ollama-chat", {"model": "m", "messages": [USER], "options": {"num_predict": 8}, "stream": True}),
        ("ollama-generate", {"model": "m", "prompt": "Hi", "options": {"num_predict": 8}, "stream": True}),
        ("llamacpp-completion", {"prompt": "Hi", "n_predict": 8, "stream": True}),
        (
            "dashscope",
            {
                "model": "m",
                "input": {"messages": [USER]},
                "parameters": {"result_format": "message", "max_tokens": 8, "incremental_output": True},
            },
        ),
    ],
)
def test_a_prompt_is_sent_as_each_service_wants_it(dialect: str, given: dict[str, Any]) -> None:
    assert sent(dialect, PROMPT) == given


def test_triton_gets_an_id_of_its_own_for_each_row() -> None:
    first, second = sent("triton-generate", PROMPT), sent("triton-generate", PROMPT)
    assert first.pop("id") != second.pop("id")
    assert first == second == {"text_input": "Hi", "parameters": {"max_new_tokens": 8}}


def test_a_query_is_sent_with_its_documents() -> None:
    row = Row("1", query="q", documents=["a", "b"])
    assert sent("rerank", row) == {"model": "m", "query": "q", "documents": ["a", "b"]}


@pytest.mark.parametrize(("limit", "asked"), [(None, 1024), (5, 5)])
def test_a_dialect_may_have_a_limit_of_its_own(limit: int | None, asked: int) -> None:
    assert sent("anthropic-messages", PROMPT, max_tokens=limit)["max_tokens"] == asked


def test_system_messages_go_where_the_service_has_a_place_for_them() -> None:
    given = sent("anthropic-messages", TALK)
    assert (given["system"], given["messages"]) == ("Be brief.", [USER])
    assert sent("openai-responses", TALK)["input"] == TALK.messages


@pytest.mark.parametrize(
    ("dialect", "key"),
    [("openai-completions", "prompt"), ("sglang-generate", "input_ids"), ("openai-embeddings", "input")],
)
def test_a_prompt_may_be_token_ids(dialect: str, key: str) -> None:
    given = sent(dialect, Row("1", token_ids=[3, 1]))
    assert given[key] == [3, 1]
    assert "text" not in given


def test_several_texts_are_embedded_at_once() -> None:
    assert sent("openai-embeddings", Row("1", input=["a", "b"]))["input"] == ["a", "b"]


@pytest.mark.parametrize(
    ("dialect", "tool"),
    [
        ("openai-chat", TOOL),
        ("openai-responses", {"type": "function", **TOOL["function"]}),
        ("anthropic-messages", {"name": "add", "description": "Adds.", "input_schema": {"type": "object"}}),
        ("ollama-chat", TOOL),
    ],
)
def test_tools_take_the_form_of_the_service(dialect: str, tool: dict[str, Any]) -> None:
    assert sent(dialect, Row("1", prompt="Hi", tools=[TOOL]))["tools"] == [tool]
    assert sent(dialect, Row("1", prompt="Hi", tools=[{"type": "web_search"}]))["tools"] == [{"type": "web_search"}]


TEXT = {"type": "text", "text": "Hi"}


@pytest.mark.parametrize(
    ("dialect", "message"),
    [
        ("openai-chat", [{"type": "image_url", "image_url": {"url": PNG_URL}}, TEXT]),
        (
            "openai-responses",
            [{"type": "input_image", "image_url": PNG_URL}, {"type": "input_text", "text": "Hi"}],
        ),
        (
            "anthropic-messages",
            [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}}, TEXT],
        ),
    ],
)
def test_a_picture_becomes_a_part_of_the_message(tmp_path: Path, dialect: str, message: list[Any]) -> None:
    given = sent(dialect, Row("1", prompt="Hi", images=[picture(tmp_path)]))
    assert given.get("messages", given.get("input")) == [{"role": "user", "content": message}]


def test_ollama_gets_pictures_beside_the_text(tmp_path: Path) -> None:
    row = Row("1", prompt="Hi", images=[picture(tmp_path)])
    assert sent("ollama-chat", row)["messages"] == [USER | {"images": [PNG64]}]
    assert sent("ollama-generate", row)["images"] == [PNG64]


def test_other_forms_of_pictures_are_sent_as_the_services_want_them(tmp_path: Path) -> None:
    row = Row("1", prompt="Hi", images=[picture(tmp_path), "https://h/y.png"])
    assert sent("sglang-generate", row)["image_data"] == [PNG_URL, "https://h/y.png"]
    assert sent("mindie-infer", row)["inputs"][1] == {"type": "image_url", "image_url": "https://h/y.png"}


def test_a_picture_that_is_a_url_takes_the_form_for_urls() -> None:
    given = sent("anthropic-messages", Row("1", prompt="Hi", images=["https://h/y.png"]))
    assert given["messages"][0]["content"][0]["source"] == {"type": "url", "url": "https://h/y.png"}


def test_sound_and_films_are_sent_too(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").write_bytes(b"a")
    (tmp_path / "b.mp4").write_bytes(b"b")
    row = Row("1", prompt="Hi", audios=[str(tmp_path / "a.mp3")], videos=[str(tmp_path / "b.mp4")])
    [sound, film, _] = sent("openai-chat", row)["messages"][0]["content"]
    assert sound == {"type": "input_audio", "input_audio": {"data": "YQ==", "format": "mp3"}}
    assert film == {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,Yg=="}}


def test_files_in_messages_are_read_and_the_rest_passes(tmp_path: Path) -> None:
    def content(url: str) -> list[dict[str, Any]]:
        return [{"type": "image_url", "image_url": {"url": url, "detail": "low"}}, {"type": "own", "x": "y"}]

    row = Row("1", messages=[{"role": "user", "content": content(picture(tmp_path))}])
    assert sent("openai-chat", row)["messages"][0]["content"] == content(PNG_URL)


@pytest.mark.parametrize(
    ("dialect", "row", "words"),
    [
        (
            "openai-completions",
            Row("7", prompt="Hi", images=["https://h/x"]),
            ["row 7", "images", "openai-completions"],
        ),
        ("openai-completions", Row("7", prompt="Hi", tools=[TOOL]), ["row 7", "tools"]),
        ("openai-chat", Row("7", token_ids=[1]), ["row 7", "token ids", "openai-chat"]),
        ("tgi-generate", Row("7", token_ids=[1]), ["row 7", "token ids"]),
        ("tgi-generate", Row("7", query="q", documents=["a"]), ["row 7", "query"]),
        ("rerank", Row("7", prompt="Hi"), ["row 7", "query and documents"]),
        ("openai-chat", Row("7", input=["a"]), ["row 7", "input"]),
        ("openai-chat", Row("7", prompt="Hi", images=["/nowhere/x.png"]), ["row 7", "/nowhere/x.png", "No such file"]),
        ("openai-chat", Row("7", prompt="Hi", images=["/etc/hosts"]), ["row 7", "/etc/hosts", "image"]),
        ("openai-chat", Row("7", prompt="Hi", images=["data:image/png,AA"]), ["row 7", "base64"]),
        ("ollama-chat", Row("7", prompt="Hi", images=["https://h/x.png"]), ["row 7", "https://h/x.png", "give a file"]),
        ("ollama-chat", Row("7", prompt="Hi", audios=["https://h/x.mp3"]), ["row 7", "audios"]),
    ],
)
def test_what_a_dialect_cannot_send_is_refused_by_row(dialect: str, row: Row, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        sent(dialect, row)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_the_first_turn_stands_for_a_conversation() -> None:
    row = Row("1", turns=[USER, {"role": "assistant", "content": "Ho"}, {"role": "user", "content": "Bye"}])
    assert sent("openai-chat", row)["messages"] == [USER]


@pytest.mark.parametrize("name", sorted(builtin()))
def test_only_what_streams_says_so(name: str) -> None:
    row = Row("1", query="q", documents=["a"]) if name == "rerank" else PROMPT
    given = sent(name, row, stream=False)
    assert given.get("stream", False) is False
    assert "stream_options" not in given
