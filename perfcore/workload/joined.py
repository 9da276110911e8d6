"""Columns of a second file, found by the value of a column that both have."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from perfcore.errors import UserError
from perfcore.workload.files import Record, records
from perfcore.workload.wording import column


class Joined(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which file, and by which column."""

    file: Annotated[str, Meta(min_length=1, description="File beside that of the rows.")]
    by: Annotated[str, Meta(min_length=1, description="Column that both have.")]


def second_file(given: Joined | None, folder: Path) -> Mapping[str, dict[str, Any]]:
    """The rows of the second file by what they are found by; nothing without one. Raises UserError."""
    if given is None:
        return {}
    path = folder / given.file
    if not path.is_file():
        raise UserError(f"{path} is not there, which has further columns of the rows beside it; put it there")
    return {key_of(record, given.by): record.fields for record in records(path)}


def with_columns(record: Record, by: str, there: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The fields with those of the second file below them. Raises UserError for a row that it does not have."""
    key = key_of(record, by)
    if key not in there:
        raise UserError(f"{record.place}: no row of the second file has {by} {key}; get both files of one version")
    return {**there[key], **record.fields}


def key_of(record: Record, by: str) -> str:
    """What a row is found by; raises UserError that names place and column."""
    try:
        return str(column(by, record.fields))
    except ValueError as error:
        raise UserError(f"{record.place}: {error}; `joined` asks for it") from None
