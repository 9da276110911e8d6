"""Columns with lists: such as are written as text, and such of which each item becomes a row of its own."""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.workload.files import Record
from perfcore.workload.wording import column, said

NTH = "nth"  # the column with the number of the item, from 1


def with_lists(record: Record, names: Sequence[str]) -> dict[str, Any]:
    """The fields with the texts of columns as the lists that they write, as JSON or Python does; others stay.

    Raises UserError that names place and column for what begins as a list and is none.
    """
    found = {}
    for name in names:
        value = record.fields.get(name)
        if isinstance(value, str) and value.lstrip().startswith("["):
            try:
                found[name] = list_of(value.strip())
            except ValueError:
                raise UserError(
                    f'{record.place}: {name} begins as a list and is none ({value!r:.60}); write it as ["a", "b"]'
                ) from None
    return {**record.fields, **found}


def list_of(text: str) -> list[Any]:
    """The list that a text writes; raises ValueError for one that writes none."""
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        try:
            value = ast.literal_eval(text)
        except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, list):
        raise ValueError("it is no list")
    return value


def new_ones(records: Iterable[tuple[int, Record]], name: str) -> Iterator[tuple[int, Record]]:
    """Of numbered records the first one of each value of a column, or template. Raises UserError that names both."""
    seen: set[bytes] = set()
    for number, record in records:
        try:
            value = hashlib.sha256(msgspec.json.encode(said(name, record.fields))).digest()
        except ValueError as error:
            raise UserError(f"{record.place}: {error}; `once` asks for it") from None
        if value not in seen:
            seen.add(value)
            yield number, record


def for_each(record: Record, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The fields once for each place of lists, with its items in the place of the lists; `nth` is its number, from 1.

    Raises UserError that names place and column.
    """
    try:
        lists = {name: column(name, record.fields) for name in names}
    except ValueError as error:
        raise UserError(f"{record.place}: {error}; `each` asks for it") from None
    wrong = next((name for name, items in lists.items() if not isinstance(items, list) or not items), None)
    if wrong is not None:
        raise UserError(f"{record.place}: {wrong} is no list with items; leave `each` out, or correct the row")
    if len({len(items) for items in lists.values()}) > 1:
        raise UserError(f"{record.place}: {' and '.join(names)} are lists of several lengths; correct the row")
    rows = zip(*lists.values(), strict=True)
    return ({**record.fields, **dict(zip(names, items, strict=True)), NTH: at} for at, items in enumerate(rows, 1))


def matching(names: Sequence[str], fields: Mapping[str, Any]) -> list[str]:
    """Names of columns; image_* stands for all that begin with image_ and end with a number, in its order."""
    found: list[str] = []
    for name in names:
        before, star, after = name.partition("*")
        if not star or "{" in name:
            found.append(name)
            continue
        ends = {one: one[len(before) : len(one) - len(after)] for one in fields if one.startswith(before)}
        numbered = {one: int(end) for one, end in ends.items() if one.endswith(after) and end.isdecimal()}
        found.extend(sorted(numbered, key=numbered.__getitem__))
    return found
