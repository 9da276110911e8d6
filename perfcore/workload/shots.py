"""Examples that go before a question: texts, or rows of a file, each put into words by templates."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.columns import from_columns
from perfcore.workload.files import Record, format_of, lines, records
from perfcore.workload.wording import column, worded


class Examples(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where examples come from, and how each is worded."""

    file: Annotated[
        str, Meta(description="File beside that of the rows; {subset} is the part of the data set, * any text.")
    ] = ""
    count: Annotated[Annotated[int, Meta(ge=1)] | None, Meta(description="How many of its first rows are taken.")] = (
        None
    )
    ids: Annotated[list[int], Meta(description="Numbers of the rows to take, from 1.")] = []
    same: Annotated[str, Meta(description="Column whose value an example has to share with the row.")] = ""
    rows: Annotated[list[dict[str, Any]], Meta(description="Examples as they stand, in the place of a file.")] = []
    text: Annotated[str, Meta(description="Template of one in {examples}.")] = ""
    messages: Annotated[list[dict[str, str]], Meta(description="Templates of one among messages.")] = []
    joint: Annotated[str, Meta(description="What stands between two of them.")] = "\n\n"


class Shot(NamedTuple):
    """One example, as text and as messages."""

    text: str
    messages: list[dict[str, str]]
    kind: Any = None  # value of the column `same`


def shared(few: Sequence[Shot], given: Sequence[str] | Examples, fields: Mapping[str, Any]) -> Sequence[Shot]:
    """The examples for a row: where `same` asks for it, those of its kind alone, `count` at most.

    Raises ValueError for a column that is not there.
    """
    if not isinstance(given, Examples) or not given.same:
        return few
    kind = column(given.same, fields)
    return [one for one in few if one.kind == kind][: given.count]


def shots(
    given: Sequence[str] | Examples, folder: Path, part: str, columns: Sequence[str], kept: dict[Path, list[Shot]]
) -> list[Shot]:
    """The examples for a file in `folder`; those of a file are read once and `kept`. Raises UserError."""
    if not isinstance(given, Examples):
        return [Shot(text, []) for text in given]
    if not given.file:
        return [shot(Record(f"example {place}", row), given) for place, row in enumerate(given.rows, 1)]
    path = folder / given.file.replace("{subset}", part)
    if "*" in given.file:
        path = next(iter(sorted(path.parent.glob(path.name))), path)
    if not path.exists():
        raise UserError(f"the examples come from {path}, which is not there; get it too, or ask without examples")
    if path not in kept:
        kept[path] = list(from_file(path, given, columns))
    return kept[path]


def from_file(path: Path, given: Examples, columns: Sequence[str]) -> Iterator[Shot]:
    """Examples of a file of rows; a file of text is one example as it stands."""
    if format_of(path) == "text":
        yield Shot("\n".join(text for _, text in lines(path)), [])
        return
    if given.same:
        yield from (shot(from_record(path, record), given) for record in records(path, columns))
        return
    wanted = given.ids or range(1, (given.count or 0) + 1)
    if not wanted:
        raise UserError(f"examples of {path}: neither count nor ids says which; give count = 4, say")
    there = dict(zip(itertools.count(1), itertools.islice(records(path, columns), max(wanted)), strict=False))
    for number in wanted:
        if number not in there:
            raise UserError(f"examples: {path} has no row {number}, only {len(there)}; correct ids or count")
        yield shot(from_record(path, there[number]), given)


def from_record(path: Path, record: Record) -> Record:
    """The record with values as JSON has them."""
    typed = format_of(path) in ("parquet", "saved")
    return record._replace(fields=from_columns(record.fields, (), ())) if typed else record


def shot(record: Record, given: Examples) -> Shot:
    """One example; raises UserError that names its place."""
    try:
        messages = [{key: worded(value, record.fields) for key, value in one.items()} for one in given.messages]
        kind = column(given.same, record.fields) if given.same else None
        return Shot(worded(given.text, record.fields), messages, kind)
    except ValueError as error:
        raise UserError(f"{record.place}: {error}; the examples' template names it") from None
