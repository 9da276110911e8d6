"""Data sets: rows out of JSON lines, and errors that name file, line and field."""

import gzip
import itertools
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.dataset import read_rows
from perfcore.workload.row import Row, prompt_rows


def rows(folder: Path, text: str | bytes) -> list[Row]:
    path = folder / "x.jsonl"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return list(read_rows(path))


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('{"prompt": "a"}', Row(id="1", prompt="a")),
        ('{"question": "a", "answer": "b"}', Row(id="1", prompt="a", reference="b")),
        ('{"prompt": "a", "question": "q"}', Row(id="1", prompt="a", meta={"question": "q"})),
        ('{"prompt": "a", "reference": ["b"], "answer": 3}', Row("1", "a", reference=["b"], meta={"answer": 3})),
        ('{"id": 7, "prompt": "a", "max_tokens": 5}', Row(id="7", prompt="a", max_tokens=5)),
        ('{"id": "x/1", "prompt": "a", "level": 2}', Row(id="x/1", prompt="a", meta={"level": 2})),
        ('{"prompt": "a", "id": null, "max_tokens": null}', Row(id="1", prompt="a")),
        ('{"prompt": "a", "meta": {"k": 1}, "l": 2}', Row(id="1", prompt="a", meta={"k": 1, "l": 2})),
        ('{"messages": [{"role": "user", "content": "a"}]}', Row("1", messages=[{"role": "user", "content": "a"}])),
        (
            '{"messages": [{"role": "user", "content": "a"}], "question": "q"}',
            Row("1", messages=[{"role": "user", "content": "a"}], meta={"question": "q"}),
        ),
    ],
)
def test_a_line_becomes_a_row(tmp_path: Path, line: str, row: Row) -> None:
    assert rows(tmp_path, line) == [row]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("prompt: a", ["not JSON", "one JSON object"]),
        ('{"prompt": "a"', ["not JSON"]),
        (b'{"prompt": "\xff"}', ["not JSON"]),
        ('["a"]', ["JSON array, not an object"]),
        ("null", ["JSON null, not an object"]),
        ("{}", ["none of prompt, question and messages"]),
        ('{"prompt": null}', ["none of prompt, question and messages"]),
        ('{"prompt": 3}', ["prompt is a JSON number"]),
        ('{"question": ["a"]}', ["prompt is a JSON array"]),
        ('{"prompt": ""}', ["prompt is empty"]),
        ('{"prompt": "a", "messages": [{"role": "user"}]}', ["both prompt and messages"]),
        ('{"messages": []}', ["messages is empty"]),
        ('{"messages": "a"}', ["messages is a JSON string"]),
        ('{"messages": [{"role": "user"}, {"content": "a"}]}', ["messages[1]", "role"]),
        ('{"prompt": "a", "max_tokens": 0}', ["max_tokens is 0", "at least 1"]),
        ('{"prompt": "a", "max_tokens": "5"}', ["max_tokens is '5'"]),
        ('{"prompt": "a", "max_tokens": true}', ["max_tokens is True"]),
        ('{"prompt": "a", "id": [1]}', ["id is a JSON array"]),
    ],
)
def test_a_bad_line_is_named_with_file_line_and_field(tmp_path: Path, line: str | bytes, words: list[str]) -> None:
    bad = line.encode() if isinstance(line, str) else line
    with pytest.raises(UserError) as error:
        rows(tmp_path, b'{"prompt": "good"}\n\n' + bad + b"\n")
    assert all(word in str(error.value) for word in ["x.jsonl, line 3: ", *words]), str(error.value)


@pytest.mark.parametrize("text", ["", "\n\n  \n"])
def test_a_data_set_without_rows_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match=r"x\.jsonl is empty"):
        rows(tmp_path, text)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('{"token_ids": [3, 1]}', Row("1", token_ids=[3, 1])),
        ('{"prompt": [3, 1]}', Row("1", token_ids=[3, 1])),
        ('{"input": "a"}', Row("1", prompt="a")),
        ('{"input": ["a", "b"]}', Row("1", input=["a", "b"])),
        ('{"input": [3, 1]}', Row("1", token_ids=[3, 1])),
        ('{"input": [[3], [1]]}', Row("1", input=[[3], [1]])),
        ('{"prompt": "a", "input": "b"}', Row("1", prompt="a", meta={"input": "b"})),
        ('{"query": "q", "documents": ["a", "b"]}', Row("1", query="q", documents=["a", "b"])),
        ('{"question": "q", "documents": ["a"]}', Row("1", prompt="q", meta={"documents": ["a"]})),
        ('{"prompt": "a", "tools": [{"type": "function"}]}', Row("1", prompt="a", tools=[{"type": "function"}])),
        ('{"prompt": "a", "images": "https://h/x.png"}', Row("1", prompt="a", images=["https://h/x.png"])),
        ('{"turns": ["a"], "think_s": 2}', Row("1", turns=[{"role": "user", "content": "a"}], think_s=2.0)),
    ],
)
def test_a_line_may_hold_other_things_than_a_prompt(tmp_path: Path, line: str, row: Row) -> None:
    assert rows(tmp_path, line) == [row]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"token_ids": []}', ["token_ids"]),
        ('{"token_ids": [1, -1]}', ["token_ids"]),
        ('{"prompt": "a", "token_ids": [1]}', ["both prompt and token_ids"]),
        ('{"input": ["a", 3]}', ["input"]),
        ('{"query": "q"}', ["query without documents"]),
        ('{"documents": ["a"]}', ["documents without query"]),
        ('{"query": "q", "documents": [3]}', ["documents"]),
        ('{"prompt": "a", "tools": "t"}', ["tools"]),
        ('{"prompt": "a", "images": [3]}', ["images"]),
        ('{"messages": [{"role": "user"}], "images": ["a.png"]}', ["images beside messages", "parts"]),
        ('{"turns": [{"role": "system", "content": "a"}]}', ["turns", "user"]),
        ('{"turns": ["a"], "think_s": -1}', ["think_s is -1"]),
    ],
)
def test_what_is_no_request_is_named(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(UserError) as error:
        rows(tmp_path, line)
    assert all(word in str(error.value) for word in ["x.jsonl, line 1: ", *words]), str(error.value)


def test_files_count_from_the_folder_of_the_data_set(tmp_path: Path) -> None:
    line = b'{"prompt": "a", "images": ["b/x.png", "file:///y.png", "data:image/png;base64,AA=="]}'
    assert rows(tmp_path, line)[0].images == [str(tmp_path / "b/x.png"), "/y.png", "data:image/png;base64,AA=="]


@pytest.mark.parametrize("form", ['"x.png"', '{"url": "x.png", "detail": "low"}'])
def test_files_in_messages_do_so_too(tmp_path: Path, form: str) -> None:
    part = f'{{"type": "image_url", "image_url": {form}}}'
    [row] = rows(tmp_path, f'{{"messages": [{{"role": "user", "content": [{part}]}}]}}')
    assert row.messages is not None
    assert str(tmp_path / "x.png") in str(row.messages[0]["content"][0]["image_url"])


def test_blank_lines_do_not_count_but_keep_their_numbers(tmp_path: Path) -> None:
    assert [row.id for row in rows(tmp_path, '\n{"prompt": "a"}\r\n\n{"prompt": "b"}')] == ["2", "4"]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    assert rows(tmp_path, '\ufeff{"prompt": "a"}') == [Row(id="1", prompt="a")]


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"prompt": "a"}\n'))
    assert list(read_rows(path)) == [Row(id="1", prompt="a")]


# The names are given: made from the bytes they would hold gzip's clock, and differ between processes that collect.
@pytest.mark.parametrize(
    "data", [gzip.compress(b'{"prompt": "a"}\n' * 99)[:-9], b'{"prompt": "a"}\n'], ids=["cut", "not packed"]
)
def test_a_packed_file_that_is_cut_or_not_packed_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"x\.jsonl\.gz cannot be unpacked"):
        list(read_rows(path))


@pytest.mark.parametrize("name", [".", "nowhere.jsonl"])
def test_a_folder_or_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot read the data set"):
        list(read_rows(tmp_path / name))


def test_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"prompt": "a"}\n' * 2 + "broken\n")
    reader = read_rows(path)
    assert [row.prompt for row in itertools.islice(reader, 2)] == ["a", "a"]
    with pytest.raises(UserError, match="line 3"):
        next(reader)


def test_prompts_are_rows_numbered_from_1() -> None:
    expected: list[Any] = [Row(id="1", prompt="a"), Row(id="2", prompt="b")]
    assert list(prompt_rows(["a", "b"])) == expected
