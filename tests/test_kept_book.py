"""A book that is kept is used again by the same requests and refused by others."""

import os
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.journal import JournalWriter, Kind, read_blocks
from perfcore.run.book import read_book
from perfcore.run.kept_book import decisions, prepare, read_facts
from perfcore.run.making import parts
from perfcore.run.part import Form, Part
from perfcore.run.writing import Prepared
from perfcore.workload.dialect import load_dialect
from perfcore.workload.row import Row
from perfcore_ext.book import Book

FORM = Form(load_dialect("openai-completions"), "m", None, True, {}, False, "own", 0.0)
ROWS = [Row(id=str(number), prompt=f"say {number}", timestamp_ns=number) for number in range(30)]


def made(path: Path, journal: Path, rows: Any = ROWS, form: Form = FORM, **options: Any) -> Prepared:
    """Prepare into, or from, the book at `path`."""
    decided = decisions(StressOptions(**options), form, [path.parent / "data.jsonl"], None)
    writer = JournalWriter(journal)
    try:
        return prepare(path, decided, parts(iter(rows), form), None, writer)
    finally:
        writer.close()


def blocks(journal: Path) -> list[bytes]:
    return [bytes(block.payload) for block in read_blocks(journal, kinds=[Kind.PACKED_ROWS])]


def test_second_run_uses_the_book_and_has_all_rows(tmp_path: Path) -> None:
    first = made(tmp_path / "book", tmp_path / "one")
    second = made(tmp_path / "book", tmp_path / "two", rows=[])
    assert (first.reused, second.reused, second.rows) == (False, True, 30)
    assert second.timestamps_ns == first.timestamps_ns
    assert blocks(tmp_path / "one") == blocks(tmp_path / "two") != []


def test_kept_book_is_read_like_any_other(tmp_path: Path) -> None:
    made(tmp_path / "book", tmp_path / "one")
    assert len(read_book(tmp_path / "book")) == len(Book((tmp_path / "book").read_bytes())) == 30


@pytest.mark.parametrize(
    ("options", "form", "words"),
    [
        ({"seed": 3}, {}, "seed was 0 and is 3;"),
        ({"dataset": ("x",), "seed": 3}, {}, r"dataset was \[\] and is \[\"x\"\], seed was 0 and is 3;"),
        ({}, {"model": "other"}, 'model was "m" and is "other";'),
        ({}, {"extra": {"top_k": 1}}, r'body was \{\} and is \{"top_k":1\};'),
        ({"seed": 3, "offset": 1, "shuffle": True}, {"model": "n"}, "and 1 more differ; delete it, or give another"),
    ],
)
def test_book_of_other_requests_is_refused_and_says_why(tmp_path: Path, options: Any, form: Any, words: str) -> None:
    made(tmp_path / "book", tmp_path / "one")
    with pytest.raises(UserError, match=words):
        made(tmp_path / "book", tmp_path / "two", form=replace(FORM, **form), **options)


def test_file_that_was_written_since_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.jsonl").write_text("a")
    made(tmp_path / "book", tmp_path / "one")
    (tmp_path / "data.jsonl").write_text("ab")
    with pytest.raises(UserError, match=r"file .*data.jsonl was .1 bytes, .* and is .2 bytes"):
        made(tmp_path / "book", tmp_path / "two")


def test_secrets_are_not_shown(tmp_path: Path) -> None:
    made(tmp_path / "book", tmp_path / "one", form=replace(FORM, extra={"api_key": "very"}))
    with pytest.raises(UserError) as error:
        made(tmp_path / "book", tmp_path / "two", form=replace(FORM, extra={"api_key": "secret"}))
    assert "very" not in str(error.value) and "***" in str(error.value)


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> Generator[Part, None, None]:
        yield from parts(iter(ROWS), FORM)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(tmp_path / "book", {}, interrupted(), None, JournalWriter(tmp_path / "one"))
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("content", [b"", b"hello", b"PFBOOK03" + bytes(200)])
def test_file_that_is_no_book_is_not_touched(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "book").write_bytes(content)
    with pytest.raises(UserError, match=r"cannot be used .*: delete it, or give another name"):
        made(tmp_path / "book", tmp_path / "one")
    assert (tmp_path / "book").read_bytes() == content


def test_book_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "book", tmp_path / "one")
    os.truncate(tmp_path / "book", (tmp_path / "book").stat().st_size - 8)
    with pytest.raises(UserError, match="is cut short"):
        made(tmp_path / "book", tmp_path / "two")


def test_damaged_rows_are_found(tmp_path: Path) -> None:
    made(tmp_path / "book", tmp_path / "one")
    facts = read_facts(tmp_path / "book")
    assert facts is not None
    data = bytearray((tmp_path / "book").read_bytes())
    data[facts.blocks[0][0] + 30] ^= 1
    (tmp_path / "book").write_bytes(data)
    with pytest.raises(UserError, match="is damaged at byte"):
        made(tmp_path / "book", tmp_path / "two")


def test_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere/book.*No such file.*with --book"):
        made(tmp_path / "nowhere" / "book", tmp_path / "one")
