"""Reasoning that stands within the text, between tags: in the texts, in the kinds of events, in the times."""

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perfcore.records import store
from perfcore.records.think import Tags, split, tags_of
from perfcore.values import think_tags
from perfcore_ext import frame
from tests.reference.frame import Event, pack
from tests.test_assembly import chat, lines
from tests.test_store import build, outputs, requests

KINDS = frame.EVENT_KINDS
TAGS = Tags("<think>", "</think>", (b"think",))


def answer(*pieces: str, **more: Any) -> bytes:
    """A streamed answer with an event for each piece of text, at 10, 20, 30 ns and so on."""
    events = [Event(10 * at, chars=len(piece)) for at, piece in enumerate(pieces, 1)]
    content = b"".join(json.dumps(piece)[1:-1].encode() for piece in pieces)
    return pack(events, content=content, **{"streamed": 1} | more)


def kinds(folder: Path) -> list[str]:
    found: list[str] = pq.read_table(folder / "events.parquet").to_pydict()["kind"]
    return found


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<think>why</think>so", ("why", "so", 18)),
        (" \n<think>\nwhy\n</think>\n\nso", ("why", "so", 22)),
        ("why</think>so", ("why", "so", 11)),
        ("<think>why", ("why", "", 10)),
        ("<think></think>so", ("", "so", 15)),
        ("<think>a</think>b<think>c</think>", ("a", "b<think>c</think>", 16)),
        ("a</think>b</think>c", ("a", "b</think>c", 9)),
        ("so", None),
        ("so <think>why</think>", None),
        ("so <think>", None),
        ("", None),
        ("The tag `</think>` ends a thought.", None),
        ('Split it at "</think>", as servers do.', None),
        ("\u601d\u8003\u4ee5\u300c</think>\u300d\u7ed3\u675f\u3002", None),
        ("Call `text.split('</think>')[-1]` on it.", None),
        ("So:\n```\n<think>a</think>\n```\nThat is all.", None),
        ("<think>Is `</think>` the end? No.</think>Yes", ("Is `</think>` the end? No.", "Yes", 41)),
        ("The tag `<think>` is mine.</think>so", ("The tag `<think>` is mine.", "so", 34)),
        ("<think>\n```\nx = 1\n</think>\n```python\nx = 2\n```", ("```\nx = 1", "```python\nx = 2\n```", 26)),
        ("<think>\n```\nx\n</think>\n```\ny\n```\nz\n```", ("```\nx", "```\ny\n```\nz\n```", 22)),
        ('it is "5"</think>"5"', ('it is "5"', '"5"', 17)),
        ("it is `5`</think>`5`", ("it is `5`", "`5`", 17)),
    ],
)
def test_text_is_split_where_its_reasoning_ends(text: str, wanted: tuple[str, str, int] | None) -> None:
    assert split(text, TAGS) == wanted


@pytest.mark.parametrize("given", ["<a>", "<a>,", ",<b>", "a,b,c", "", 1, True])
def test_tags_that_are_none_are_refused(given: object) -> None:
    with pytest.raises(ValueError, match="wants"):
        think_tags(given)


@pytest.mark.parametrize(("given", "value"), [("auto", "auto"), ("off", "off"), (False, "off"), ("[,]", "[,]")])
def test_tags_are_taken_as_they_are_given(given: object, value: str) -> None:
    assert think_tags(given) == value


def test_auto_is_the_usual_pair_and_off_is_none() -> None:
    assert (tags_of("auto"), tags_of("off")) == (TAGS, None)


@pytest.mark.parametrize(
    ("option", "text"), [("[THINK],[/THINK]", "[THINK]a[/THINK]b"), ("◁,▷", "◁a▷b"), ("<t>,</t>", "a</t>b")]
)
def test_tags_can_be_given(tmp_path: Path, option: str, text: str) -> None:
    build(tmp_path, answer(text))
    store.build(tmp_path, option)
    assert [(line["reasoning"], line["prediction"]) for line in outputs(tmp_path)] == [("a", "b")]


def test_events_before_the_closing_tag_are_reasoning(tmp_path: Path) -> None:
    build(
        tmp_path,
        answer("<th", "ink>", "wh\u00fd\U0001f914", "</think>", "\n\n", "so", "."),
        answer("plain", request_id=1),
    )
    assert kinds(tmp_path) == ["reasoning"] * 4 + ["content"] * 4
    assert [row["first_answer_ns"] for row in requests(tmp_path)] == [50, 10]
    assert [(line["reasoning"], line["prediction"]) for line in outputs(tmp_path)] == [
        ("wh\u00fd\U0001f914", "so."),
        (None, "plain"),
    ]


@pytest.mark.parametrize(
    "pieces", [("`</th", "ink>` ends it"), ("`", "</think>", "` ends it"), ("```\n</think>\n`", "``")]
)
def test_events_around_a_tag_that_is_only_quoted_are_answer(tmp_path: Path, pieces: tuple[str, ...]) -> None:
    build(tmp_path, answer("The tag\n", *pieces))
    assert kinds(tmp_path) == ["content"] * (1 + len(pieces))
    assert requests(tmp_path)[0]["first_answer_ns"] == 10
    line = outputs(tmp_path)[0]
    assert (line["reasoning"], line["prediction"]) == (None, "The tag\n" + "".join(pieces))


def test_answer_begins_behind_the_tag_that_is_meant_and_not_behind_a_quoted_one(tmp_path: Path) -> None:
    build(tmp_path, answer("<think>", "is `</th", "ink>` it?", "</", "think>", "no"))
    assert kinds(tmp_path) == ["reasoning"] * 5 + ["content"]
    assert requests(tmp_path)[0]["first_answer_ns"] == 60
    assert (outputs(tmp_path)[0]["reasoning"], outputs(tmp_path)[0]["prediction"]) == ("is `</think>` it?", "no")


def test_event_with_both_is_the_first_of_the_answer(tmp_path: Path) -> None:
    build(tmp_path, answer("why</think", ">so", " it is"))
    assert kinds(tmp_path) == ["reasoning", "content", "content"]
    assert requests(tmp_path)[0]["first_answer_ns"] == 20


def test_reasoning_that_was_never_closed_has_no_answer(tmp_path: Path) -> None:
    build(tmp_path, answer("<think>", "and", " so"))
    assert kinds(tmp_path) == ["reasoning"] * 3
    assert requests(tmp_path)[0]["first_answer_ns"] is None
    assert (outputs(tmp_path)[0]["reasoning"], outputs(tmp_path)[0]["prediction"]) == ("and so", None)


def test_tokens_and_times_of_tokens_stay_as_they_are(tmp_path: Path) -> None:
    run = build(tmp_path, answer("<think>", "why", "</think>", "so", output_tokens=9))
    row = requests(tmp_path)[0]
    assert (row["output_tokens"], row["token_events"], row["reasoning_tokens"]) == (9, 4, None)
    assert (row["first_token_ns"], row["last_token_ns"], run.gaps_ns.tolist()) == (10, 40, [10, 10, 10])


@pytest.mark.parametrize("frames", [{"reasoning": b"elsewhere"}, {}])
def test_text_is_left_alone_where_told_so_or_where_reasoning_has_a_channel(
    tmp_path: Path, frames: dict[str, Any]
) -> None:
    build(tmp_path, answer("<think>a</think>b", **frames))
    store.build(tmp_path, "auto" if frames else "off")
    assert outputs(tmp_path)[0]["prediction"] == "<think>a</think>b"
    assert kinds(tmp_path) == ["content"]


def test_answer_in_one_piece_is_split_and_has_no_first_answer(tmp_path: Path) -> None:
    build(tmp_path, answer("<think>a</think>b", streamed=0, first_answer_ns=-1))
    assert (outputs(tmp_path)[0]["reasoning"], outputs(tmp_path)[0]["prediction"]) == ("a", "b")
    assert requests(tmp_path)[0]["first_answer_ns"] is None


def test_tool_call_ends_reasoning_that_was_never_closed(tmp_path: Path) -> None:
    events = [Event(10, chars=7), Event(20, kind=KINDS["tool"], chars=2)]
    build(tmp_path, pack(events, content=b"<think>", tool=b"{}", streamed=1))
    assert (kinds(tmp_path), requests(tmp_path)[0]["first_answer_ns"]) == (["reasoning", "tool"], 20)


def test_each_of_several_choices_is_split_by_itself(tmp_path: Path) -> None:
    raw = lines(chat(0, content="<think>a"), chat(1, content="b</think>c"), chat(0, content="</think>d"))
    build(tmp_path, answer("<think>a", "b</think>c", "</think>d", raw=raw))
    line = outputs(tmp_path)[0]
    assert (line["choices"], line["reasoning"], kinds(tmp_path)) == (["d", "c"], "a", ["content"] * 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    text=st.lists(st.sampled_from(["<think>", "</think>", "a", "\n", "\u00e9", "\U0001f914"]), max_size=12).map(
        "".join
    ),
    seed=st.integers(0, 99),
)
def test_kinds_of_events_are_those_of_their_characters(tmp_path: Path, text: str, seed: int) -> None:
    rng = random.Random(seed)
    cuts = sorted(rng.choices(range(len(text) + 1), k=4))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True) if a < b]
    (tmp_path / "journal.bin").unlink(missing_ok=True)
    build(tmp_path, answer("plain", request_id=0), answer(*pieces, request_id=1))
    found = split(text, TAGS)
    at, ends = found.at if found else 0, [sum(map(len, pieces[: n + 1])) for n in range(len(pieces))]
    assert kinds(tmp_path) == ["content"] + ["reasoning" if end <= at else "content" for end in ends]
    first = next((10 * n for n, end in enumerate(ends, 1) if end > at), None)
    assert [row["first_answer_ns"] for row in requests(tmp_path)] == [10, first]
