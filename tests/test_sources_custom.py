"""Questions of one's own: prompts, meta files, lengths of answers, and errors that name file, line and field."""

import itertools
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.custom import Custom, read_custom

QA = '{"question": "Why?"}\n'
MCQ = '{"question": "Which?", "A": "one", "B": 2, "answer": "B"}\n'


def rows(folder: Path, text: str, name: str = "x.jsonl", meta: Any = None, seed: int = 0, **settings: Any) -> list[Row]:
    path = folder / name
    path.write_text(text)
    if meta is not None:
        (folder / f"{name}.meta.json").write_text(json.dumps(meta))
    return list(read_custom([path], Custom(**settings), Wanted(seed=seed)))


def uniform(low: Any, high: Any) -> dict[str, Any]:
    return {"output_config": {"method": "uniform", "params": {"min_value": low, "max_value": high}}}


def percentage(*shares: Any) -> dict[str, Any]:
    return {"output_config": {"method": "percentage", "params": {"percentage_distribute": list(shares)}}}


def lengths(found: list[Row]) -> list[int | None]:
    return [row.max_tokens for row in found]


@pytest.mark.parametrize(
    ("text", "name", "row"),
    [
        (QA, "x.jsonl", Row("1", "Question: Why?\nAnswer:")),
        ('{"question": "Why?", "answer": "", "max_tokens": null}', "x.jsonl", Row("1", "Question: Why?\nAnswer:")),
        ('{"question": "Q", "A": "only"}', "x.jsonl", Row("1", "Question: Q\nAnswer:", meta={"A": "only"})),
        (MCQ, "x.jsonl", Row("1", "Question: Which?\nA. one\nB. 2\nAnswer:", reference="B", meta={"A": "one", "B": 2})),
        ("question,answer,max_tokens\nWhy?,so,7\n", "x.csv", Row("2", "Question: Why?\nAnswer:", None, 7, "so")),
        (
            "id,question,A,B,C\nk,Q,x,y,\n",
            "x.csv",
            Row("k", "Question: Q\nA. x\nB. y\nAnswer:", meta={"A": "x", "B": "y"}),
        ),
    ],
)
def test_a_question_becomes_a_prompt(tmp_path: Path, text: str, name: str, row: Row) -> None:
    assert rows(tmp_path, text, name) == [row]


def test_a_question_may_have_twenty_six_options(tmp_path: Path) -> None:
    options = {letter: letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    found = rows(tmp_path, json.dumps({"question": "Q"} | options))
    assert (found[0].prompt or "").endswith("Y. y\nZ. z\nAnswer:")


def test_the_kind_of_question_can_be_given(tmp_path: Path) -> None:
    assert rows(tmp_path, MCQ, kind="qa")[0].prompt == "Question: Which?\nAnswer:"


def test_a_template_takes_columns_and_leaves_braces_in_their_values(tmp_path: Path) -> None:
    text = '{"question": "a {options} b", "topic": "T"}'
    assert rows(tmp_path, text, template="{topic}: {question}")[0].prompt == "T: a {options} b"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"question": 3}', ["question is a JSON number"]),
        ('{"question": "  "}', ["question is blank"]),
        ('{"query": "Q"}', ["has no question", "query"]),
        ('{"question": "Q", "A": 1, "B": 2, "max_tokens": 0}', ["max_tokens is 0"]),
        ('{"question": "Q", "A": 1, "B": 2, "max_tokens": "many"}', ["max_tokens is 'many'"]),
        ('{"question": "Q", "A": 1, "B": 2, "max_tokens": true}', ["max_tokens is True"]),
        ('{"question": "Q", "A": 1, "B": 2, "id": [1]}', ["id is a JSON array"]),
        ('{"question": "Q", "A": "x"}', ["has 1 options", "kind=qa"]),
        ('{"question": "Q", "A": "x", "B": "y", "D": "z"}', ["an option D and no C"]),
        ('{"question": "Q", "A": "x", "B": ["y"]}', ["B is a JSON array"]),
        ("[1]", ["JSON array, not an object"]),
        ('{"question": ', ["not JSON"]),
    ],
)
def test_a_broken_row_is_an_error_with_file_and_line(tmp_path: Path, line: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path, f"{MCQ}\n{line}\n", kind="mcq")
    for word in ["x.jsonl, line 3", *words]:
        assert word in str(caught.value)


def test_a_template_with_an_unknown_column_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"line 1: .*'questions'.*'question'"):
        rows(tmp_path, QA, template="{questions}")


@pytest.mark.parametrize(("count", "ids"), [(None, "123"), (2, "12"), (7, "1231231")])
def test_rows_are_cut_or_repeated_to_the_number_of_requests(tmp_path: Path, count: int | None, ids: str) -> None:
    meta = {} if count is None else {"request_count": count}
    assert "".join(row.id for row in rows(tmp_path, QA * 3, meta=meta)) == ids


def test_shuffled_rows_all_come_before_any_comes_again(tmp_path: Path) -> None:
    found = [row.id for row in rows(tmp_path, QA * 9, meta={"sampling_mode": "shuffle", "request_count": 20})]
    assert len(set(found[:9])) == len(set(found[9:18])) == 9
    assert found[:9] != sorted(found[:9])
    assert len(found) == 20


def test_random_rows_are_drawn_from_all_by_the_seed(tmp_path: Path) -> None:
    meta = {"sampling_mode": "random", "request_count": 1000}
    found = [[row.id for row in rows(tmp_path, QA * 4, meta=meta, seed=seed)] for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    assert all(200 < number < 300 for number in Counter(found[0]).values())


def test_uniform_lengths_reach_both_ends(tmp_path: Path) -> None:
    found = lengths(rows(tmp_path, QA, meta={"request_count": "1000"} | uniform("3", 5)))
    assert set(found) == {3, 4, 5}
    assert all(280 < number < 390 for number in Counter(found).values())


def test_shares_of_lengths_are_exact(tmp_path: Path) -> None:
    found = lengths(rows(tmp_path, QA * 10, meta=percentage([8, 0.5], [16, 0.3], [32, 0.2])))
    assert Counter(found) == {8: 5, 16: 3, 32: 2}
    assert Counter(lengths(rows(tmp_path, QA * 3, meta=percentage([8, 0.5], [16, 0.5])))).most_common(1)[0][1] == 2


def test_shares_are_exact_in_a_run_that_needs_a_part_of_the_rows(tmp_path: Path) -> None:
    rows(tmp_path, QA * 100, meta=percentage([8, 0.5], [16, 0.5]))
    found = read_custom([tmp_path / "x.jsonl"], Custom(), Wanted(limit=10))
    assert Counter(row.max_tokens for row in itertools.islice(found, 10)) == {8: 5, 16: 5}


def test_lengths_of_the_meta_file_go_before_those_of_the_rows(tmp_path: Path) -> None:
    text = '{"question": "Q", "max_tokens": 9}'
    assert lengths(rows(tmp_path, text)) == [9]
    assert lengths(rows(tmp_path, text, meta=uniform(4, 4))) == [4]


def test_a_meta_file_that_is_named_goes_before_the_one_beside(tmp_path: Path) -> None:
    (tmp_path / "own.json").write_text('{"request_count": 5}')
    assert len(rows(tmp_path, QA, meta={"request_count": 2}, meta_file=str(tmp_path / "own.json"))) == 5


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ({"request_counts": 3}, "request_counts"),
        ({"request_count": 0}, "request_count"),
        ({"request_count": "a few"}, "request_count"),
        ({"sampling_mode": "some"}, "sampling_mode"),
        ({"output_config": {}}, "method"),
        ({"output_config": {"method": "normal", "params": {}}}, "normal"),
        ({"output_config": {"method": "uniform"}}, "params"),
        ({"output_config": {"method": "uniform", "params": {"min_value": 1}}}, "lacks min_value or max_value"),
        (uniform(0, 5), "min_value"),
        (uniform(1, "x"), "max_value"),
        (uniform(6, 5), "min_value 6 is more than max_value 5"),
        (percentage(), "lacks percentage_distribute"),
        (percentage([8, 0.5]), "sum to 0.5"),
        (percentage([8, 0.5], [8, 0.6]), "sum to 1.1"),
        (percentage([0, 1.0]), "percentage_distribute"),
        (percentage([8, 0.0], [9, 1.0]), "percentage_distribute"),
        (percentage([8]), "percentage_distribute"),
        (percentage(8), "percentage_distribute"),
        ([], "object"),
        (3, "object"),
    ],
)
def test_a_mistake_in_the_meta_file_is_named(tmp_path: Path, meta: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        rows(tmp_path, QA, meta=meta)
    assert "x.jsonl.meta.json: " in str(caught.value)
    assert words in str(caught.value)


def test_a_meta_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.json"):
        rows(tmp_path, QA, meta_file=str(tmp_path / "none.json"))
