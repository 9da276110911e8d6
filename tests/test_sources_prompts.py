"""Data sets of single prompts, and what all readers of texts do to them."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources import chats, prompts

TINY = str(Path(__file__).parent / "data" / "tiny-add")
READERS = prompts.READERS | chats.READERS


def read(name: str, path: Path, text: str | None = None, tokenizer: str | None = None, **settings: Any) -> list[Row]:
    if text is not None:
        path.write_text(text)
    reader = READERS[name]
    return list(reader.read([path], reader.settings(**settings), Wanted(tokenizer=tokenizer)))  # type: ignore[arg-type]


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


@pytest.mark.parametrize(
    ("name", "text", "row"),
    [
        ("openqa", '{"question": "a"}', Row("1", "a")),
        ("openqa", '{"question": "a", "human_answers": ["b"], "s": 1}', Row("1", "a", reference=["b"], meta={"s": 1})),
        ("openqa", '{"id": "k", "question": "a", "max_tokens": 5}', Row("k", "a", max_tokens=5)),
        ("longalpaca", '[{"instruction": "a", "input": "", "output": "b"}]', Row("1", "a", reference="b")),
        ("longalpaca", '{"instruction": "a", "output": "b"}\n{"instruction": "c"}', Row("1", "a", reference="b")),
    ],
)
def test_a_prompt_is_taken_from_its_column(tmp_path: Path, name: str, text: str, row: Row) -> None:
    file = "x.json" if text.startswith("[") else "x.jsonl"
    assert read(name, tmp_path / file, text)[0] == row


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (" What is 2 + 3? ", Row("2", " What is 2 + 3? ")),
        ('[{"role": "user", "content": "a"}]', Row("2", messages=[user("a")])),
        ('{"model": "m", "prompt": "a"}', Row("2", body={"model": "m", "prompt": "a"}, model="m")),
        ('{"messages": [], "temperature": 0}', Row("2", body={"messages": [], "temperature": 0})),
        ("42", Row("2", "42")),
        ('"quoted"', Row("2", '"quoted"')),
    ],
)
def test_a_line_is_a_text_or_messages_or_a_body(tmp_path: Path, line: str, row: Row) -> None:
    assert read("line_by_line", tmp_path / "x.txt", f"first\n{line}\n\n")[1:] == [row]


def test_every_line_can_be_taken_for_text(tmp_path: Path) -> None:
    path = tmp_path / "x.txt.gz"
    path.write_bytes(gzip.compress(b'[INST] a\n{"a"\n'))
    assert [row.prompt for row in read("line_by_line", path, lines="text")] == ["[INST] a", '{"a"']


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("openqa", '{"prompt": "a"}', ["has no question", "prompt"]),
        ("openqa", '{"question": ["a"]}', ["question is a JSON array"]),
        ("openqa", '{"question": " "}', ["question is blank"]),
        ("openqa", '{"question": "a", "max_tokens": -1}', ["max_tokens is -1"]),
        ("openqa", '"a"', ["JSON string, not an object"]),
        ("longalpaca", '{"question": "a"}', ["has no instruction"]),
        ("line_by_line", "[INST] a", ["not JSON", "lines=text"]),
        ("line_by_line", '{"a": ', ["not JSON", "lines=text"]),
        ("line_by_line", "{}", ["an empty object"]),
        ("line_by_line", '{"model": 3}', ["model is no text"]),
        ("line_by_line", "[]", ["an array without messages"]),
        ("line_by_line", '["a"]', ["[0] is a JSON string without a role"]),
        ("line_by_line", '[{"role": "user"}, {"content": "a"}]', ["[1] is a JSON object without a role"]),
    ],
)
def test_a_broken_row_is_an_error_with_file_and_line(tmp_path: Path, name: str, line: str, words: list[str]) -> None:
    good = '{"question": "a", "instruction": "b"}'
    with pytest.raises(UserError) as caught:
        read(name, tmp_path / "x.jsonl", f"{good}\n{line}\n")
    for word in ["x.jsonl, line 2", *words]:
        assert word in str(caught.value)


def test_text_that_is_not_utf_8_is_an_error_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_bytes(b"a\n\xff\n")
    with pytest.raises(UserError, match=r"x\.txt, line 2: not UTF-8"):
        read("line_by_line", tmp_path / "x.txt")


def test_another_column_and_a_template_can_be_given(tmp_path: Path) -> None:
    text = '{"question": "a {prompt}", "q": "b"}'
    assert read("openqa", tmp_path / "x.jsonl", text, template="Say: {prompt}")[0].prompt == "Say: a {prompt}"
    assert read("openqa", tmp_path / "x.jsonl", text, column="q")[0].prompt == "b"


def test_a_template_without_a_place_for_the_prompt_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\{prompt\}"):
        read("openqa", tmp_path / "x.jsonl", '{"question": "a"}', template="{question}")


def test_a_system_message_and_a_prefix_go_first(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("P ")
    prefix = str(tmp_path / "p.txt")
    path = tmp_path / "x.txt"
    assert read("line_by_line", path, "a", prefix_file=prefix) == [Row("1", "P a")]
    assert read("line_by_line", path, "a", system="S") == [Row("1", messages=[system("S"), user("a")])]
    both = read("line_by_line", path, '[{"role": "user", "content": "a"}]', system="S", prefix_file=prefix)
    assert both == [Row("1", messages=[system("S"), user("P a")])]


def test_a_row_keeps_its_own_system_message_and_a_body_stays_as_it_is(tmp_path: Path) -> None:
    lines = [json.dumps([system("own"), user("a")]), '{"prompt": "b"}']
    found = read("line_by_line", tmp_path / "x.txt", "\n".join(lines), system="S")
    assert found == [Row("1", messages=[system("own"), user("a")]), Row("2", body={"prompt": "b"})]


def test_only_the_first_turn_of_a_conversation_gets_the_prefix(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("P ")
    text = json.dumps([{"role": "user", "content": [{"type": "image_url"}]}, "b"])
    found = read("multi_turn", tmp_path / "x.jsonl", text, system="S", prefix_file=str(tmp_path / "p.txt"))[0]
    first = user([{"type": "text", "text": "P "}, {"type": "image_url"}])
    assert found.turns == [system("S"), first, user("b")]


@pytest.mark.parametrize(("least", "most", "kept"), [(0, 3, "aa bbb"), (3, None, "bbb cccc"), (3, 3, "bbb")])
def test_prompts_are_chosen_by_their_characters(tmp_path: Path, least: int, most: int | None, kept: str) -> None:
    found = read("line_by_line", tmp_path / "x.txt", "aa\nbbb\ncccc\n", min_prompt_length=least, max_prompt_length=most)
    assert " ".join(row.prompt or "" for row in found) == kept


def test_prompts_are_chosen_by_their_tokens_where_there_is_a_tokenizer(tmp_path: Path) -> None:
    text = "return return return\n\u00e9\u00e9\u00e9\n"  # 20 characters of 4 tokens, 3 of 6
    found = read("line_by_line", tmp_path / "x.txt", text, TINY, max_prompt_length=4)
    assert [row.id for row in found] == ["1"]


def test_rows_that_are_left_out_are_counted_by_their_reason_each_time(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("aa\nbbb\ncccc\nddddd\n")
    reader = READERS["line_by_line"]
    settings = reader.settings(min_prompt_length=3, max_prompt_length=3)
    found = reader.read([tmp_path / "x.txt"], settings, Wanted())
    assert [row.id for row in found] == [row.id for row in found] == ["2"]  # type: ignore[union-attr]
    longer, shorter = found.remarks  # type: ignore[union-attr]
    assert longer == "rows left out: 2 (longer than max_prompt_length, 3 characters)"
    assert shorter == "rows left out: 1 (shorter than min_prompt_length, 3 characters)"


def test_the_length_of_a_conversation_is_that_of_its_first_request(tmp_path: Path) -> None:
    text = '["aa", "bbbbbbbb"]\n["aaaa"]\n'
    assert [row.id for row in read("multi_turn", tmp_path / "x.jsonl", text, max_prompt_length=3)] == ["1"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_prompt_length": 9}, "no row of .*x.txt is left .shorter than min_prompt_length, 9 characters"),
        ({"min_prompt_length": 5, "max_prompt_length": 6}, "is left .shorter than min_prompt_length, 5"),
        ({"min_prompt_length": 5, "max_prompt_length": 4}, "max_prompt_length is 4"),
        ({"prefix_file": "none.txt"}, "prefix_file none.txt: No such file"),
    ],
)
def test_settings_that_cannot_be_met_are_an_error(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read("line_by_line", tmp_path / "x.txt", "aaaa\n", **settings)


def test_rows_are_read_as_they_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("a\n" + "[broken\n" * 3)
    reader = READERS["line_by_line"]
    found = iter(reader.read([tmp_path / "x.txt"], reader.settings(), Wanted()))  # type: ignore[arg-type]
    assert next(found).prompt == "a"
