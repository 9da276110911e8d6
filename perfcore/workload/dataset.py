"""Data sets: JSON lines in, rows out, one at a time."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from perfcore.errors import UserError

KNOWN = {"id", "prompt", "messages", "max_tokens", "reference", "meta"}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True):
    """One request to be sent: a prompt or messages, and what the data set says of it."""

    id: str
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    reference: Any = None
    meta: dict[str, Any] = {}


def prompt_rows(prompts: Iterable[str]) -> Iterator[Row]:
    """Rows of prompts that were given in the place of a data set; their ids count from 1."""
    for number, prompt in enumerate(prompts, 1):
        yield Row(id=str(number), prompt=prompt)


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a file of JSON lines, unpacked if it ends in .gz, read as they are asked for; blank lines do not count.

    A row has `prompt`, `question` or `messages`, optionally `id`, `max_tokens`, `reference` or `answer`; what else it
    has goes to `meta`. Its id is the line's number if it gives none. Raises UserError that names file, line and field.
    """
    rows = 0
    try:
        with opened(path) as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    rows += 1
                    yield row_of(line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line, path, number)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UserError(f"{path} cannot be unpacked after {rows} rows ({error}); fetch or compress it anew") from None
    except OSError as error:
        raise UserError(f"cannot read the data set {path}: {error.strerror}; give a file of JSON lines") from None
    if not rows:
        raise UserError(f'the data set {path} is empty; give it at least one line such as {{"prompt": "Hello"}}')


def opened(path: Path) -> BinaryIO:
    """File of plain or packed lines, to be read from its start."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def row_of(line: bytes, path: Path, number: int) -> Row:
    """Row of one line; raises UserError that names the line and what is wrong with it."""
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}, line {number}: not JSON ({error}); each line has to be one JSON object") from None
    if not isinstance(given, dict):
        raise UserError(f"{path}, line {number}: a JSON {kind(given)}, not an object; each line has to be one object")
    try:
        return row_from(given, number)
    except ValueError as error:
        raise UserError(f"{path}, line {number}: {error}") from None


def row_from(given: dict[str, Any], number: int) -> Row:
    """Row of a decoded object; raises ValueError that names the field."""
    fields = {key: value for key, value in given.items() if value is not None}
    renamed(fields, "question", "prompt", unless="messages")
    renamed(fields, "answer", "reference")
    meta = {key: fields.pop(key) for key in list(fields) if key not in KNOWN}
    own_meta = fields.pop("meta", {})
    row = Row(
        id=identity(fields.get("id", number)),
        prompt=prompt(fields.get("prompt")),
        messages=messages(fields.get("messages")),
        max_tokens=token_limit(fields.get("max_tokens")),
        reference=fields.get("reference"),
        meta=meta | own_meta if isinstance(own_meta, dict) else meta | {"meta": own_meta},
    )
    if (row.prompt is None) == (row.messages is None):
        wrong = "none of prompt, question and messages" if row.prompt is None else "both prompt and messages"
        raise ValueError(f"has {wrong}; give one of them")
    return row


def renamed(fields: dict[str, Any], name: str, to: str, unless: str = "") -> None:
    """Give a field its usual name unless that, or what goes before it, is there too."""
    if name in fields and to not in fields and unless not in fields:
        fields[to] = fields.pop(name)


def identity(value: object) -> str:
    """Text of an id; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"id is a JSON {kind(value)}; it has to be text or a whole number")
    return str(value)


def prompt(value: object) -> str | None:
    """Prompt or none; raises ValueError."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"prompt is a JSON {kind(value)}; it has to be text")
    if value == "":
        raise ValueError("prompt is empty; give it text or leave the line out")
    return value


def messages(value: object) -> list[dict[str, Any]] | None:
    """Messages or none; raises ValueError."""
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        wrong = "is empty" if value == [] else f"is a JSON {kind(value)}"
        raise ValueError(f"messages {wrong}; it has to be a list of objects with role and content")
    for place, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ValueError(f"messages[{place}] is no object with a role; give it role and content")
    return value


def token_limit(value: object) -> int | None:
    """Longest answer or none; raises ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"max_tokens is {value!r}; it has to be a whole number of at least 1")
    return value


def kind(value: object) -> str:
    """Name of a decoded value's type in the words of JSON."""
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")
