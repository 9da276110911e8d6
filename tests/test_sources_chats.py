"""Conversations: ShareGPT's, MT-Bench's and one's own; the length of each turn's answer is its own."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.conversation import turns
from perfcore.workload.dialect import encoder, load_dialect
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.chats import READERS
from perfcore.workload.tokens import load

DATA = Path(__file__).parent / "data"
TINY = str(DATA / "tiny-add")
MT_BENCH = DATA / "mt_bench" / "question.jsonl"


def said(*texts: str) -> list[dict[str, str]]:
    """A conversation in ShareGPT's form, a person first."""
    return [{"from": ("human", "gpt")[at % 2], "value": text} for at, text in enumerate(texts)]


def read(name: str, path: Path, tokenizer: str | None = None, **settings: Any) -> list[Row]:
    reader = READERS[name]
    return list(reader.read([path], reader.settings(**settings), Wanted(tokenizer=tokenizer)))  # type: ignore[arg-type]


def sharegpt(folder: Path, *conversations: Any, tokenizer: str | None = None, **settings: Any) -> list[Row]:
    path = folder / "x.json"
    path.write_text(json.dumps([{"id": f"c{at}", "conversations": item} for at, item in enumerate(conversations)]))
    return read("sharegpt", path, tokenizer, **settings)


def own(folder: Path, *lines: Any, **settings: Any) -> list[Row]:
    path = folder / "x.jsonl"
    path.write_text("".join(line if isinstance(line, str) else json.dumps(line) + "\n" for line in lines))
    return read("multi_turn", path, **settings)


def user(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: str) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def test_each_turn_asks_for_the_length_of_its_own_answer(tmp_path: Path) -> None:
    answers = ["for x in range(3): print(x)", "no", "import os, sys and then return the list of all the files"]
    row = sharegpt(tmp_path, said("a", answers[0], "b", answers[1], "c", answers[2]), tokenizer=TINY)[0]
    found = [turn["max_tokens"] for turn in row.turns or [] if turn["role"] == "user"]
    assert found == load(TINY).counts(answers)
    assert len(set(found)) == 3


def test_without_a_tokenizer_four_characters_count_as_a_token(tmp_path: Path) -> None:
    row = sharegpt(tmp_path, said("a", "x" * 400, "b", "yes"))[0]
    assert row.turns == [user("a", max_tokens=100), assistant("x" * 400), user("b", max_tokens=1), assistant("yes")]
    assert (row.id, row.reference) == ("c0", ["x" * 400, "yes"])


def test_each_request_of_a_conversation_is_sent_with_its_own_length(tmp_path: Path) -> None:
    row = sharegpt(tmp_path, said("a", "x" * 40, "b", "x" * 400, "c", "x" * 4))[0]
    encode = encoder(load_dialect("openai-chat"), model="m", max_tokens=None, stream=True, extra={})
    bodies = [json.loads(turn.body) for turn in turns(row, encode, "data", 0)]
    assert [body["max_tokens"] for body in bodies] == [10, 100, 1]
    assert [len(body["messages"]) for body in bodies] == [1, 3, 5]


def test_lengths_of_answers_can_be_left_to_the_run(tmp_path: Path) -> None:
    row = sharegpt(tmp_path, said("a", "b"), answer_lengths=False)[0]
    assert row.turns == [user("a"), assistant("b")]


def test_only_the_last_turn_can_be_asked_after_the_recorded_ones(tmp_path: Path) -> None:
    row = sharegpt(tmp_path, said("a", "b", "c", "x" * 40), mode="last")[0]
    assert row == Row("c0", messages=[user("a"), assistant("b"), user("c")], max_tokens=10, reference="x" * 40)


def test_only_the_first_turn_can_be_asked(tmp_path: Path) -> None:
    row = sharegpt(tmp_path, said("a", "b" * 8, "c", "d"), mode="first")[0]
    assert row == Row("c0", messages=[user("a")], max_tokens=2, reference="b" * 8)


@pytest.mark.parametrize(
    "conversation",
    [
        [],
        said("a"),
        [{"from": "gpt", "value": "a"}, {"from": "human", "value": "b"}],
        [*said("a", "b"), *said("c")[::-1], *said("d", "e")],
        said("a", "b", "c", ""),
        [{"from": "human", "value": "a"}, {"from": "tool", "value": "b"}],
        [{"from": "system", "value": "s"}],
    ],
)
def test_a_conversation_that_does_not_alternate_from_a_person_on_is_passed_over(
    tmp_path: Path, conversation: list[Any]
) -> None:
    assert [row.id for row in sharegpt(tmp_path, conversation, said("a", "b"))] == ["c1"]
    with pytest.raises(UserError, match=r"no row of .*x\.json is left .a person does not begin"):
        sharegpt(tmp_path, conversation)


def test_a_last_question_without_an_answer_is_left_off(tmp_path: Path) -> None:
    assert sharegpt(tmp_path, said("a", "bbbb", "c"))[0].turns == [user("a", max_tokens=1), assistant("bbbb")]


@pytest.mark.parametrize(
    "fields",
    [
        {"conversations": said("a", "b")},
        {"conversation": [{"human": "a", "assistant": "b"}]},
        {"messages": [user("a"), assistant("b")]},
        {"conversations": [{"from": "Human", "value": "a"}, {"from": "chatgpt", "value": "b"}]},
    ],
)
def test_conversations_are_read_in_every_form_they_come_in(tmp_path: Path, fields: dict[str, Any]) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(fields))
    assert read("sharegpt", path) == [Row("1", turns=[user("a", max_tokens=1), assistant("b")], reference=["b"])]


def test_turns_are_limited_at_both_ends(tmp_path: Path) -> None:
    found = sharegpt(tmp_path, said(*"ab"), said(*"abcdef"), min_turns=2, max_turns=2, answer_lengths=False)
    assert [row.turns for row in found] == [[user("a"), assistant("b"), user("c"), assistant("d")]]


@pytest.mark.parametrize(
    ("conversation", "words"),
    [
        ("hello", "conversations is a JSON string"),
        (None, "has no conversations"),
        (["a"], "conversations[0] is a JSON string"),
        ([{"from": "human"}], "conversations[0] has no text"),
        ([{"from": "human", "value": 3}], "conversations[0] has no text"),
        ([{"from": None, "value": "a"}], "conversations[0] has no text"),
        ([{"human": "a"}], "conversations[0] has no text"),
    ],
)
def test_a_broken_conversation_is_an_error_with_file_and_row(tmp_path: Path, conversation: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        sharegpt(tmp_path, said("a", "b"), conversation)
    assert "x.json, row 2: " in str(caught.value)
    assert words in str(caught.value)


def test_mt_bench_has_two_turns_and_keeps_its_references() -> None:
    found = read("mt_bench", MT_BENCH)
    assert [row.id for row in found] == ["81", "82", "95"]
    assert [len(row.turns or []) for row in found] == [2, 2, 2]
    assert [row.meta for row in found] == [{"category": "writing"}, {"category": "writing"}, {"category": "roleplay"}]
    assert found[0].reference is None
    assert found[2].reference[1] == 'It means "I don\u2019t understand anything".'


def test_all_of_mt_bench_is_read(request: pytest.FixtureRequest) -> None:
    path = request.config.rootpath.parent / "shared/data/mt_bench/question.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    assert [len(row.turns or []) for row in read("mt_bench", path)] == [2] * 80


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"turns": "a"}, None),
        ({"turns": []}, "turns is no list of texts"),
        ({"turns": [1]}, "turns is no list of texts"),
        ({"turns": ["a", ""]}, "turns is no list of texts"),
        ({"question_id": 1}, "has no turns or prompt"),
        ({"turns": ["a"], "question_id": {}}, "question_id is a JSON object"),
    ],
)
def test_a_broken_question_of_mt_bench_is_an_error_with_its_line(tmp_path: Path, line: Any, words: str | None) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(json.dumps(line))
    if words is None:
        assert read("mt_bench", path) == [Row("1", turns=[user("a")])]
        return
    with pytest.raises(UserError) as caught:
        read("mt_bench", path)
    assert f"x.jsonl, line 1: {words}" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "row"),
    [
        (["a", "b"], Row("1", turns=[user("a"), user("b")])),
        ([user("a"), assistant("b"), user("c")], Row("1", turns=[user("a"), assistant("b"), user("c")])),
        ([user("a", max_tokens=3, think_s=0.5)], Row("1", turns=[user("a", max_tokens=3, think_s=0.5)])),
        ([{"from": "human", "value": "a"}], Row("1", turns=[user("a")])),
        ([user("a", max_tokens=None, think_s=None)], Row("1", turns=[user("a")])),
        ([user("a", max_tokens="3", think_s=1)], Row("1", turns=[user("a", max_tokens=3, think_s=1.0)])),
        ({"id": "k", "turns": ["a"], "think_s": 2, "x": 1}, Row("k", turns=[user("a")], think_s=2.0, meta={"x": 1})),
        ({"messages": [user("a")]}, Row("1", turns=[user("a")])),
    ],
)
def test_a_conversation_of_ones_own_is_an_array_on_a_line(tmp_path: Path, line: Any, row: Row) -> None:
    assert own(tmp_path, line) == [row]


def test_files_in_messages_count_from_the_folder(tmp_path: Path) -> None:
    part = {"type": "image_url", "image_url": {"url": "cat.png"}}
    found = own(tmp_path, [{"role": "user", "content": [part]}])[0].turns or []
    assert found[0]["content"][0]["image_url"]["url"] == str(tmp_path / "cat.png")


def test_a_conversation_of_ones_own_is_cut_to_its_first_turns(tmp_path: Path) -> None:
    found = own(tmp_path, ["a"], [user("a"), assistant("b"), user("c"), user("d")], min_turns=2, max_turns=2)
    assert [row.turns for row in found] == [[user("a"), assistant("b"), user("c")]]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[", "not JSON"),
        ("hello", "not JSON"),
        ("3", "turns is a JSON number"),
        ([], "turns has no message of a user"),
        ([assistant("a")], "turns has no message of a user"),
        (["a", ""], "turns[1] is no message"),
        (["a", 3], "turns[1] is no message"),
        ([{"role": "user"}], "turns[0] is no message"),
        ([user("a", max_tokens=0)], "turns[0].max_tokens is 0"),
        ([user("a", think_s=-1)], "turns[0].think_s is -1"),
        ({"turns": ["a"], "think_s": "soon"}, "think_s is 'soon'"),
        ({"question": "a"}, "has no conversations"),
    ],
)
def test_a_broken_conversation_of_ones_own_is_an_error_with_its_line(tmp_path: Path, line: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        own(tmp_path, ["a"], line)
    assert "x.jsonl, line 2: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"min_turns": 3}, "fewer turns than min_turns, 3"),
        ({"min_turns": 2, "max_turns": 1}, "max_turns is 1"),
    ],
)
def test_limits_that_leave_no_conversation_are_an_error(tmp_path: Path, settings: dict[str, int], words: str) -> None:
    with pytest.raises(UserError, match=words):
        own(tmp_path, ["a"], **settings)
