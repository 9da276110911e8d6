"""Synthetic rows: exact lengths by any tokenizer, the same rows in any process, and text that is text."""

import base64
import io
import itertools
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from perfcore.errors import UserError
from perfcore.workload.registry import READERS
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Wanted
from perfcore.workload.synthetic import Settings, Synthetic, synthetic, units
from perfcore.workload.tokens import LocalTokenizer, load
from perfcore.workload.words import WORDS
from tests.tokenizers_made import FAMILIES, made

MODEL = str(Path(__file__).parent / "data" / "tiny-add")
KINDS = ("words", "tokenid", "string")
# Whose tokenizers' chat templates write the same around every prompt.
TEMPLATES = ("", "marks", "stripping", "lines")


def rows_of(count: int = 60, seed: int = 3, tokenizer: Any = MODEL, chat: bool = True, **given: Any) -> Synthetic:
    ids = given.pop("takes_ids", False)
    wanted = Wanted(seed=seed, limit=count, tokenizer=tokenizer, chat=chat, takes_ids=ids)
    return synthetic(Settings(**{"salt": "fixed", **given}), wanted)


def counted(tokenizer: LocalTokenizer, rows: list[Row], chat: bool) -> list[int]:
    """What a service counts, by the template itself where there is one."""
    if chat and tokenizer.has_template:
        return tokenizer.chat_counts([[{"role": "user", "content": row.prompt}] for row in rows])
    return tokenizer.prompt_counts([row.prompt or "" for row in rows], chat)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chat", [True, False])
@given(seed=st.integers(0, 2**40), length=st.integers(12, 700), prefix=st.integers(0, 300))
@settings(max_examples=8, deadline=None)
def test_lengths_at_the_service_are_exact(kind: str, chat: bool, seed: int, length: int, prefix: int) -> None:
    more: dict[str, Any] = {} if kind == "string" else {"prefix_tokens": prefix}
    rows = rows_of(20, seed, chat=chat, kind=kind, input_tokens=f"uniform:12:{length}", **more).part(0, 20)
    exact = counted(load(MODEL), rows, chat)
    assert [row.input_tokens for row in rows] == exact == [row.counted_tokens for row in rows]


@pytest.mark.parametrize(("family", "template"), [*itertools.product(FAMILIES, TEMPLATES)])
def test_lengths_are_exact_with_tokenizers_of_all_families(family: str, template: str) -> None:
    tokenizer = made(family, template)
    for kind in KINDS:
        more: dict[str, Any] = {} if kind == "string" else {"prefix_tokens": 20}
        made_rows = rows_of(
            80, tokenizer=tokenizer, chat=bool(template), kind=kind, input_tokens="uniform:20:200", **more
        )
        rows = made_rows.part(0, 80)
        exact = counted(tokenizer, rows, bool(template))
        assert [row.input_tokens for row in rows] == exact == [row.counted_tokens for row in rows]
        assert units(made_rows).additive


def test_where_a_template_counts_letters_lengths_are_near_and_told_as_they_are() -> None:
    tokenizer = made("bytes", "whole")
    rows = rows_of(80, tokenizer=tokenizer, input_tokens="uniform:20:200")
    found = rows.part(0, 80)
    exact = counted(tokenizer, found, True)
    assert [row.counted_tokens for row in found] == exact
    assert (
        max(abs(asked - count) for asked, count in zip((row.input_tokens or 0 for row in found), exact, strict=True))
        <= 2
    )
    assert "counted as a whole" in " ".join(rows.remarks)


@pytest.mark.parametrize("kind", KINDS)
@given(cuts=st.lists(st.integers(0, 50), max_size=5), seed=st.integers(0, 2**40))
@settings(max_examples=5, deadline=None)
def test_rows_are_the_same_however_they_are_cut_and_in_another_process(kind: str, cuts: list[int], seed: int) -> None:
    more: dict[str, Any] = (
        {} if kind == "string" else {"prefix_tokens": 9, "prefix_groups": 3, "prefix_order": "random"}
    )
    rows = rows_of(50, seed, kind=kind, input_tokens="gaussian:40:20", output_tokens="uniform:1:9", **more)
    assert isinstance(rows, Made)
    copy = pickle.loads(pickle.dumps(rows))
    parts = [copy.part(start, stop) for start, stop in itertools.pairwise([0, *sorted(cuts), 50])]
    assert [row for part in parts for row in part] == rows.part(0, 50) == rows.part(0, 70)


def test_prompts_shorter_than_what_the_service_adds_are_counted_and_said() -> None:
    rows = rows_of(30, input_tokens=5)
    found = rows.part(0, 30)
    assert {row.counted_tokens for row in found} == set(counted(load(MODEL), found, True)) == {12}
    assert rows.remarks[0].startswith("30 of 30 prompts were asked to be no longer than the 11 tokens")


def test_token_ids_are_sent_where_they_are_taken() -> None:
    rows = rows_of(30, chat=False, takes_ids=True, kind="tokenid", input_tokens="uniform:1:99").part(0, 30)
    ordinary = set(load(MODEL).plain.ids.tolist())
    assert all(row.prompt is None and set(row.token_ids or ()) <= ordinary for row in rows)
    assert [len(row.token_ids or ()) for row in rows] == [row.input_tokens for row in rows]
    assert [row.counted_tokens for row in rows] == [row.input_tokens for row in rows]


def test_words_are_sentences_of_common_words_and_end_with_a_full_stop() -> None:
    prompts = [row.prompt or "" for row in rows_of(200, tokenizer=None, input_tokens=300).part(0, 200)]
    said = [word.strip(",.?").lower() for prompt in prompts for word in prompt.split()]
    assert set(said) <= {word.lower() for word in WORDS}
    assert all(prompt[0].isupper() and prompt.endswith(".") for prompt in prompts)
    assert said.count("the") > len(said) * 0.03 > 10 * said.count("harbor")
    assert not any(f" a {letter}" in prompt for prompt in prompts for letter in "aeiou")


def test_without_a_tokenizer_lengths_are_estimates_of_words_and_marks() -> None:
    rows = rows_of(20, tokenizer=None, input_tokens="uniform:5:300")
    for row in rows.part(0, 20):
        marks = sum((row.prompt or "").count(mark) for mark in ",.?")
        assert len((row.prompt or "").split()) + marks == row.input_tokens
        assert row.counted_tokens is None
    assert "estimates" in rows.remarks[0]


def test_letters_are_the_ones_that_others_send() -> None:
    rows = rows_of(3, tokenizer=None, kind="string", input_tokens=5).part(0, 3)
    assert [row.prompt for row in rows] == ["A A A A A"] * 3


def test_texts_are_others_in_each_run_unless_the_salt_is_given() -> None:
    def first(salt: str) -> str | None:
        return rows_of(1, input_tokens="uniform:50:90", salt=salt).part(0, 1)[0].prompt

    assert len({first("unique"), first("fixed"), first("monday")}) == 3
    assert first("unique") == first("unique")
    assert first("monday") == first("monday")


def test_no_two_prompts_begin_alike() -> None:
    prompts = [row.prompt or "" for row in rows_of(2000, tokenizer=None, input_tokens=40).part(0, 2000)]
    assert len({prompt[:50] for prompt in prompts}) == 2000


def test_the_salt_leaves_lengths_alone() -> None:
    one, other = (rows_of(50, tokenizer=None, salt=salt, input_tokens="uniform:9:99") for salt in ("a", "b"))
    assert [row.input_tokens for row in one.part(0, 50)] == [row.input_tokens for row in other.part(0, 50)]


def test_lengths_of_answers_are_drawn_besides() -> None:
    limits = [row.max_tokens or 0 for row in rows_of(500, tokenizer=None, output_tokens="uniform:3:7").part(0, 500)]
    assert set(limits) == {3, 4, 5, 6, 7}
    assert rows_of(1, tokenizer=None).part(0, 1)[0].max_tokens is None


def test_a_conversation_has_turns_of_their_own_lengths() -> None:
    rows = rows_of(20, turns=3, input_tokens="uniform:15:30").part(0, 20)
    for row in rows:
        assert row.prompt is None and [turn["role"] for turn in row.turns or ()] == ["user"] * 3
        later = load(MODEL).counts([turn["content"] for turn in (row.turns or [])[1:]])
        assert all(15 <= count <= 30 for count in later)


@pytest.mark.parametrize("form", ["png", "jpeg"])
@pytest.mark.parametrize("content", ["noise", "pattern"])
def test_pictures_have_their_size_and_form_and_differ(form: str, content: str) -> None:
    more: dict[str, Any] = {"image_width": 40, "image_height": 70, "image_format": form, "image_content": content}
    rows = rows_of(4, tokenizer=None, images="uniform:1:3", **more)
    urls = [url for row in rows.part(0, 4) for url in row.images]
    assert len(set(urls)) == len(urls) >= 4
    assert rows.part(2, 4)[0].images == rows.part(0, 4)[2].images
    for url in urls:
        head, _, data = url.partition(",")
        picture = Image.open(io.BytesIO(base64.b64decode(data)))
        assert (head, picture.size, picture.format) == (f"data:image/{form};base64", (40, 70), form.upper())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prefix_tokens": 5, "prefix_ratio": 0.5}, "leave one of them out"),
        ({"kind": "string", "prefix_tokens": 5}, "shares all it has"),
        ({"prefix_groups": 3}, "give prefix_tokens or prefix_ratio"),
        ({"prefix_tokens": 5, "prefix_weights": "zipf:x"}, "write zipf:ALPHA"),
        ({"prefix_tokens": 5, "prefix_weights": (1.0, 2.0)}, "2 shares for 1 prefix_groups"),
        ({"prefix_tokens": 5, "prefix_weights": (float("nan"),)}, "no numbers of at least 0"),
        ({"prefix_tokens": 5, "prefix_groups": 2, "prefix_weights": (0.0, 0.0)}, "all 0"),
        ({"prefix_ratio": 0.99, "input_tokens": 64}, "cannot be reached"),
        ({"input_tokens": "foo"}, "input_tokens foo: 'foo' is no law"),
        ({"output_tokens": "bar"}, "output_tokens bar"),
        ({"images": "x"}, "images x"),
        ({"kind": "tokenid", "tokenizer": None}, "--tokenizer"),
        ({"kind": "tokenid", "takes_ids": True, "turns": 2}, "have no turns"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(given: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        rows_of(50, **given)


@pytest.mark.parametrize(
    ("count", "limit", "rows"), [(None, 7, 7), (5, 7, 5), (9, 7, 7), (9, None, 9), (None, None, 1000)]
)
def test_there_are_as_many_rows_as_are_needed(count: int | None, limit: int | None, rows: int) -> None:
    assert len(synthetic(Settings(count=count), Wanted(limit=limit))) == rows


def test_the_reader_is_there_and_needs_no_files() -> None:
    reader = READERS["synthetic"]
    rows = reader.read((), reader.settings(), Wanted(limit=3, input_tokens="7"))
    assert isinstance(rows, Synthetic) and not reader.needs_files
    assert [row.input_tokens for row in rows.part(0, 3)] == [7, 7, 7]


def test_long_prompts_are_made_in_parts_of_bounded_size() -> None:
    rows = rows_of(6, input_tokens=200_000, tokenizer=None)
    assert [len(row.prompt or "") > 500_000 for row in rows.part(0, 6)] == [True] * 6
    assert np.ptp([row.input_tokens or 0 for row in rows.part(0, 6)]) == 0
