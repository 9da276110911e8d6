"""Conversations of agents: prompts, answers that call tools, what tools return and how long they take."""

import gc
import json
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest

from perfcore.errors import UserError
from perfcore.workload.conversation import turns
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.agents import READERS, Agents
from perfcore.workload.tokens import load

TINY = "tests/data/tiny-add"
WORK = {
    "num_turns": 2,
    "input_prompt_length": 40,
    "assistant_response_length": [16, 20],
    "tool_call_output_length": [8, 12],
    "tool_call_latency": [0.5, 1],
    "final_assistant_response_length": 64,
}
ONE = {"input_prompt_length": 30, "final_assistant_response_length": 5}


def opened(folder: Path, *rows: Any, wanted: Wanted | None = None, **settings: Any) -> Agents:
    path = folder / "agents.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = READERS["agent"].read([path], READERS["agent"].settings(**settings), wanted or Wanted())
    assert isinstance(found, Agents)
    return found


def drawn(wanted: Wanted, **settings: Any) -> Agents:
    reader = READERS["agent_synthetic"]
    found = reader.read([], msgspec.convert(settings, reader.settings), wanted)
    assert isinstance(found, Agents)
    return found


def said(row: Row) -> list[dict[str, Any]]:
    assert row.turns is not None
    return row.turns


def test_each_tool_call_is_an_answer_a_wait_and_a_message(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, WORK).part(0, 1)
    found = said(row)
    assert [turn["role"] for turn in found] == ["user", "assistant", "user", "assistant", "user"]
    assert [len(turn["content"].split(" ")) for turn in found] == [40, 16, 8, 20, 12]
    assert [turn.get("max_tokens") for turn in found] == [16, None, 20, None, 64]
    assert [turn.get("think_s") for turn in found] == [None, None, 0.5, None, 1.0]


def test_a_conversation_is_one_request_more_than_it_has_calls(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, WORK, latency_scale=2).part(0, 1)
    made = list(turns(row, lambda turn: str(turn.max_tokens).encode(), "data", 0))
    assert [turn.body for turn in made] == [b"16", b"20", b"64"]
    assert [turn.think_ns for turn in made] == [0, 1_000_000_000, 2_000_000_000]


def test_lengths_are_exact_for_the_tokenizer(tmp_path: Path) -> None:
    (row,) = opened(tmp_path, WORK, wanted=Wanted(tokenizer=TINY)).part(0, 1)
    texts = [turn["content"] for turn in said(row)]
    assert load(TINY).prompt_counts(texts[:1], True) == [40]
    assert load(TINY).counts(texts[1:]) == [16, 8, 20, 12]


def test_conversations_share_the_beginning_that_is_asked_for_and_nothing_else(tmp_path: Path) -> None:
    rows = opened(tmp_path, WORK, WORK, ONE, shared_tokens=25).part(0, 3)
    first = [said(row)[0]["content"].split(" ") for row in rows]
    assert first[0][:25] == first[1][:25] == first[2][:25]
    assert first[0][25:] != first[1][25:]
    assert said(rows[0])[2]["content"] != said(rows[1])[2]["content"]


def test_parts_are_the_same_however_they_are_cut(tmp_path: Path) -> None:
    agents = opened(tmp_path, WORK, ONE, WORK)
    elsewhere = pickle.loads(pickle.dumps(agents))
    assert agents.part(0, 3) == [*elsewhere.part(0, 1), *elsewhere.part(1, 3)]
    assert len(opened(tmp_path, WORK, ONE, WORK, wanted=Wanted(limit=2))) == 2


def test_lengths_of_nothing_are_sent_as_a_word(tmp_path: Path) -> None:
    work = {**WORK, "tool_call_output_length": [0, 0], "assistant_response_length": [0, 1]}
    (row,) = opened(tmp_path, work).part(0, 1)
    assert [bool(turn["content"]) for turn in said(row)] == [True] * 5
    assert said(row)[0]["max_tokens"] == 1


def test_drawn_conversations_stay_within_their_bounds() -> None:
    settings = {"turns": [2, 4], "first_turn_length": [30, 50], "subsequent_turn_length": 5, "latency_s": [0.1, 0.2]}
    rows = drawn(Wanted(limit=40), **settings, answer_length=7).part(0, 40)
    users = [[turn for turn in said(row) if turn["role"] == "user"] for row in rows]
    assert {len(turns) for turns in users} == {2, 3, 4}
    assert all(30 <= len(turns[0]["content"].split(" ")) <= 50 for turns in users)
    assert {len(turn["content"].split(" ")) for turns in users for turn in turns[1:]} == {5}
    assert all(0.1 <= turn["think_s"] <= 0.2 for turns in users for turn in turns[1:])
    assert {turn["max_tokens"] for turns in users for turn in turns} == {7}


def test_drawn_conversations_do_not_depend_on_how_many_there_are() -> None:
    settings = {"turns": [1, 5], "first_turn_length": [10, 90]}
    few, many = (drawn(Wanted(limit=limit, seed=3), **settings) for limit in (2, 9))
    assert few.part(0, 2) == many.part(0, 2)
    assert many.part(0, 2) != drawn(Wanted(limit=2, seed=4), **settings).part(0, 2)


@pytest.mark.parametrize(("limit", "settings", "count"), [(None, {}, 100), (7, {}, 7), (7, {"conversations": 3}, 3)])
def test_there_are_as_many_drawn_conversations_as_are_needed(
    limit: int | None, settings: dict[str, Any], count: int
) -> None:
    assert len(drawn(Wanted(limit=limit), **settings)) == count


def test_settings_survive_the_garbage_collector() -> None:
    settings = {"turns": 3, "latency_s": [0, 0.5], "first_turn_length": [1, 2]}
    found = msgspec.convert(settings, READERS["agent_synthetic"].settings)
    gc.collect()
    assert msgspec.to_builtins(found)["latency_s"] == [0, 0.5]


@pytest.mark.parametrize("pair", [[1], [1, 2, 3], [0, 2], "x", None])
def test_a_range_is_a_number_or_a_pair(pair: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        drawn(Wanted(limit=1), turns=pair)


def test_a_pair_that_falls_is_refused() -> None:
    with pytest.raises(UserError, match=r"turns is \[4, 2\], which falls"):
        drawn(Wanted(limit=1), turns=[4, 2])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input_prompt_length": None}, "input_prompt_length is missing; it has to be"),
        ({"input_prompt_length": 0}, "input_prompt_length is 0; it has to be"),
        ({"final_assistant_response_length": "5"}, "final_assistant_response_length is '5'; it has to be"),
        ({"num_turns": 3}, "num_turns is 3, and the lists have other lengths"),
        ({"num_turns": "2"}, "num_turns is '2', and the lists have other lengths"),
        ({"tool_call_latency": [1]}, "num_turns is 2, and the lists .*tool_call_latency 1"),
        ({"tool_call_latency": [1, -1]}, "tool_call_latency is no list of numbers"),
        ({"assistant_response_length": [1.5, 1]}, "assistant_response_length is no list of whole numbers"),
        ({"tool_call_output_length": 5}, "tool_call_output_length is no list of whole numbers"),
        ({"tool_call_output_length": [1, 10**12]}, "tool_call_output_length is no list of whole numbers"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=rf"agents.jsonl, line 2: {words}"):
        opened(tmp_path, WORK, {**WORK, **change})
