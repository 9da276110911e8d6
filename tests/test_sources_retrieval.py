"""Texts to embed, alone and in batches, and documents to rank."""

import json
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.workload.dialect import body, load_dialect
from perfcore.workload.row import Row
from perfcore.workload.source import Wanted
from perfcore.workload.sources.retrieval import READERS


def read(name: str, folder: Path, *lines: Any, file: str = "x.jsonl", **settings: Any) -> list[Row]:
    path = folder / file
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    reader = READERS[name]
    return list(reader.read([path], reader.settings(**settings), Wanted()))  # type: ignore[arg-type]


def sent(row: Row, dialect: str) -> Any:
    return json.loads(body(load_dialect(dialect), row, model="m", max_tokens=None, stream=False, extra={}))


@pytest.mark.parametrize(
    ("line", "settings", "row"),
    [
        ({"text": "a"}, {}, Row("1", "a")),
        ({"id": "k", "sentence": "a", "n": 1}, {}, Row("k", "a", meta={"n": 1})),
        ({"text": "a", "body": "b"}, {"column": "body"}, Row("1", "b", meta={"text": "a"})),
    ],
)
def test_a_text_is_a_request(tmp_path: Path, line: Any, settings: dict[str, str], row: Row) -> None:
    assert read("embedding", tmp_path, line, **settings) == [row]


def test_texts_are_sent_in_batches_and_the_rest_as_a_smaller_one(tmp_path: Path) -> None:
    found = read("embedding", tmp_path, "a", "b", "c", file="x.txt", batch_size=2)
    assert found == [Row("1", input=["a", "b"]), Row("3", input=["c"])]
    assert sent(found[0], "openai-embeddings") == {"model": "m", "input": ["a", "b"]}


@pytest.mark.parametrize(
    ("line", "documents"),
    [
        ({"query": "q", "documents": ["a", "b", "c"]}, ["a", "b"]),
        ({"query": "q", "documents": [{"text": "a"}]}, [{"text": "a"}]),
        ({"query": "q", "positive": ["a"], "negative": ["b", "c"]}, ["a", "b"]),
        ({"query": "q", "positive": "a", "negative": ["b"]}, ["a", "b"]),
    ],
)
def test_documents_are_ranked_by_a_query(tmp_path: Path, line: Any, documents: list[Any]) -> None:
    found = read("rerank", tmp_path, line, num_documents=2)
    assert found == [Row("1", query="q", documents=documents)]
    assert sent(found[0], "rerank") == {"model": "m", "query": "q", "documents": documents}


@pytest.mark.parametrize(
    ("name", "line", "words"),
    [
        ("embedding", {"body": "a"}, "has no text or prompt"),
        ("embedding", {"text": 3}, "text is a JSON number"),
        ("embedding", {"text": "  "}, "text is blank"),
        ("embedding", "[1]", "a JSON array, not an object"),
        ("rerank", {"documents": ["a"]}, "has no query"),
        ("rerank", {"query": "q"}, "has no documents"),
        ("rerank", {"query": "q", "documents": []}, "documents is empty"),
        ("rerank", {"query": "q", "documents": [3]}, "documents is no list of texts"),
        ("rerank", {"query": "q", "documents": ["a", ""]}, "documents is no list of texts"),
        ("rerank", {"query": "q", "documents": {"a": 1}}, "documents is no list of texts"),
        ("rerank", {"query": ["q"], "documents": ["a"]}, "query is a JSON array"),
    ],
)
def test_a_broken_row_is_an_error_with_file_and_line(tmp_path: Path, name: str, line: Any, words: str) -> None:
    with pytest.raises(UserError) as caught:
        read(name, tmp_path, {"text": "a", "query": "q", "documents": ["a"]}, line)
    assert f"x.jsonl, line 2: {words}" in str(caught.value)
