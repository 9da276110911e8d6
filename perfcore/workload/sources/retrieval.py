"""Texts to be embedded, and queries whose documents are to be ranked."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from perfcore.workload.fields import first_there, identity, is_there, rest, text, wrong
from perfcore.workload.files import Record, records
from perfcore.workload.prompting import batches
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted

TEXTS = ("text", "prompt", "input", "question", "sentence", "query")
DOCUMENTS = ("documents", "passages", "candidates")
JUDGED = ("positive", "negative")  # documents that answer the query, and those that do not


class Embedding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `embedding`."""

    column: Annotated[
        str, Meta(description="Column with the text; else text, prompt, input, question or sentence.")
    ] = ""
    batch_size: Annotated[int, Meta(ge=1, description="Texts in a request.")] = 1


class Rerank(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Settings of the reader `rerank`."""

    num_documents: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="Documents in a request at most: the first ones of a row that has more."),
    ] = None


def read_embedding(paths: Sequence[Path], settings: Embedding, wanted: Wanted) -> Iterator[Row]:
    """Rows of texts, of which `batch_size` are sent together; what is left over at the end is a smaller request.

    A text by itself keeps its id and its other columns; several together have the first one's id. Raises UserError.
    """
    found = (text_row(record, settings.column) for path in paths for record in records(path))
    if settings.batch_size == 1:
        yield from found
        return
    for batch in batches(found, settings.batch_size):
        yield Row(batch[0].id, input=[row.prompt or "" for row in batch])


def text_row(record: Record, column: str) -> Row:
    """Row of one text; raises UserError."""
    name = column or first_there(record, TEXTS)
    return Row(identity(record), prompt=text(record, name), meta=rest(record, {"id", name}))


def read_rerank(paths: Sequence[Path], settings: Rerank, wanted: Wanted) -> Iterator[Row]:
    """Rows with `query` and `documents`, or with the documents in `positive` and `negative`. Raises UserError."""
    return (ranking(record, settings.num_documents) for path in paths for record in records(path))


def ranking(record: Record, most: int | None) -> Row:
    """Row of a query with documents; raises UserError."""
    query = text(record, "query")
    judged = [name for name in JUDGED if is_there(record, name)]
    names = judged or [first_there(record, DOCUMENTS)]
    found = [document for name in names for document in documents(record, name)]
    if not found:
        raise wrong(record, f"{names[0]} is empty; give at least one document")
    return Row(identity(record), query=query, documents=found[:most], meta=rest(record, {"id", "query", *names}))


def documents(record: Record, name: str) -> list[Any]:
    """Documents in a field, texts or objects; raises UserError."""
    value = record.fields[name]
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not all(
        (isinstance(item, str) and item) or isinstance(item, dict) for item in found
    ):
        raise wrong(record, f"{name} is no list of texts; give documents as texts or objects")
    return found


READERS = {
    "embedding": Reader(read_embedding, Embedding, "Texts to be embedded, one or several in a request."),
    "rerank": Reader(read_rerank, Rerank, "Queries with the documents that are to be ranked by them."),
}
