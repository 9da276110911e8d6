"""Columns that a data set keeps apart from its rows: files with one value a line."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perfcore.errors import UserError
from perfcore.workload.files import Record, lines


def values_beside(folder: Path, files: Mapping[str, str]) -> dict[str, list[str]]:
    """The lines of each file by the column that they are. Raises UserError for a file that is not there."""
    return {name: read(folder / file, name) for name, file in files.items()}


def read(path: Path, name: str) -> list[str]:
    """The values of a file. Raises UserError."""
    if not path.is_file():
        raise UserError(f"{path} is not there, which has the column {name} of the rows beside it; put it there")
    return [text.strip() for _, text in lines(path)]


def with_values(record: Record, values: Mapping[str, list[str]], number: int) -> dict[str, Any]:
    """The fields of the record of a number, from 0, with its values. Raises UserError for a file that is too short."""
    for name, column in values.items():
        if number >= len(column):
            raise UserError(
                f"{record.place}: has no {name}, as the file of that column has {len(column)} lines; get the whole file"
            )
    return {**record.fields, **{name: column[number] for name, column in values.items()}}
