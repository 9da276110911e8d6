"""Fields of a record: each function gives a value of the type that is wanted, or a UserError with place and field."""

import difflib
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

from perfcore.errors import UserError
from perfcore.workload.columns import number
from perfcore.workload.files import Record, json_kind, number_of
from perfcore.workload.template import placeholders

INT32 = 2**31 - 1
NAMES_SHOWN = 8


def wrong(record: Record, words: str) -> UserError:
    """An error about a record; the words name field and remedy."""
    return UserError(f"{record.place}: {words}")


def is_there(record: Record, name: str) -> bool:
    """Whether a field says something: a cell of CSV that is empty does not."""
    return record.fields.get(name) not in (None, "")


def first_there(record: Record, names: Sequence[str]) -> str:
    """Which of several names of a field is there; raises UserError where none is."""
    found = next((name for name in names if is_there(record, name)), None)
    if found is None:
        raise wrong(record, f"has no {' or '.join(names)}; {remedy(record, names[0])}")
    return found


def remedy(record: Record, name: str) -> str:
    """What to do where a field is missing: names that are there, the nearest one first."""
    there = list(record.fields)
    near = difflib.get_close_matches(name, there, NAMES_SHOWN, cutoff=0.0)
    return f"it has {', '.join(near)}" if near else "give it one"


def text(record: Record, name: str) -> str:
    """Text that is not empty."""
    value = record.fields[first_there(record, [name])]
    if not isinstance(value, str):
        raise wrong(record, f"{name} is a JSON {json_kind(value)}; it has to be text")
    if not value.strip():
        raise wrong(record, f"{name} is blank; give it text or leave the row out")
    return value


def texts(record: Record, name: str) -> list[str]:
    """Texts that are not empty, at least one; a text by itself is a list of one."""
    value = record.fields.get(name)
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(item, str) and item for item in found):
        raise wrong(record, f"{name} is no list of texts; give at least one text that is not empty")
    return found


def limit(record: Record, name: str = "max_tokens") -> int | None:
    """A whole number of at least 1, also written as text, or none."""
    if not is_there(record, name):
        return None
    value = number(record.fields[name])
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= INT32:
        raise wrong(record, f"{name} is {record.fields[name]!r}; it has to be a whole number from 1 to {INT32:,}")
    return value


def identity(record: Record, name: str = "id") -> str:
    """The record's name for itself, else the number of its line or row."""
    if not is_there(record, name):
        return number_of(record.place)
    value = record.fields[name]
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise wrong(record, f"{name} is a JSON {json_kind(value)}; it has to be text or a whole number")
    return str(value)


def reference(record: Record, name: str = "answer") -> Any:
    """What the answer should be, of any type, or none."""
    return record.fields[name] if is_there(record, name) else None


def rest(record: Record, used: Collection[str]) -> dict[str, Any]:
    """Fields that say something and have not been used."""
    return {name: value for name, value in record.fields.items() if name not in used and value not in (None, "")}


@lru_cache(maxsize=64)
def names_in(template: str) -> frozenset[str]:
    """Names of all placeholders in a template that many records share."""
    return frozenset(placeholders(template))


def check_columns(record: Record, template: str, words: Collection[str]) -> None:
    """Raise UserError where a template names a column that is not among the words."""
    for name in sorted(names_in(template).difference(words)):
        near = difflib.get_close_matches(name, words, 1, cutoff=0.0)
        raise wrong(record, f"the template names a column {name!r}, which is not there; the nearest is {near[0]!r}")
