"""Data sets: JSON lines in, rows out, one at a time."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from perfcore.errors import UserError
from perfcore.workload.media import located, with_references

WORKLOADS = ("prompt", "messages", "turns", "token_ids", "input", "query")
MEDIA = ("images", "audios", "videos")
KNOWN = {"id", *WORKLOADS, "documents", "tools", *MEDIA, "max_tokens", "think_s", "reference", "meta"}
# What only counts where nothing before it says what is to be sent: data sets have columns of these names too.
ASKED = ("prompt", "messages", "turns", "token_ids")
ELSE_META = ("input", "query", "documents")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One request to be sent, and what the data set says of it.

    One of WORKLOADS says what is asked: a prompt, messages, the turns of a conversation (messages of which each of a
    user is sent by itself), a prompt's token ids, the texts (or token ids) of an embedding, or a query whose documents
    are to be ranked. Pictures, sound and films are paths, URLs or data: URLs.
    """

    id: str
    prompt: str | None = None
    messages: list[dict[str, Any]] | None = None
    max_tokens: int | None = None
    reference: Any = None
    meta: dict[str, Any] = {}
    token_ids: list[int] | None = None
    input: list[str] | list[list[int]] | None = None
    query: str | None = None
    documents: list[str] | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] | None = None
    images: list[str] = []
    audios: list[str] = []
    videos: list[str] = []
    turns: list[dict[str, Any]] | None = None
    think_s: float | None = None


def prompt_rows(prompts: Iterable[str]) -> Iterator[Row]:
    """Rows of prompts that were given in the place of a data set; their ids count from 1."""
    for number, prompt in enumerate(prompts, 1):
        yield Row(id=str(number), prompt=prompt)


def read_rows(path: Path) -> Iterator[Row]:
    """Rows of a file of JSON lines, unpacked if it ends in .gz, read as they are asked for; blank lines do not count.

    A row has `prompt`, `question`, `messages`, `turns`, `token_ids`, `input` or `query` with `documents`, optionally
    `id`, `max_tokens`, `think_s`, `tools`, `images`, `audios`, `videos`, `reference` or `answer`; what else it has goes
    to `meta`. Its id is the line's number if it gives none, and its files count from the data set's folder. Raises
    UserError that names file, line and field.
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
        return row_from(given, number, path.parent)
    except ValueError as error:
        raise UserError(f"{path}, line {number}: {error}") from None


def row_from(given: dict[str, Any], number: int, folder: Path) -> Row:
    """Row of a decoded object whose files count from `folder`; raises ValueError that names the field."""
    fields = {key: value for key, value in given.items() if value is not None}
    renamed(fields, "question", "prompt", unless="messages")
    renamed(fields, "answer", "reference")
    by_type(fields)
    asked = any(name in fields for name in ASKED)
    meta = {key: fields.pop(key) for key in list(fields) if key not in KNOWN or (asked and key in ELSE_META)}
    own_meta = fields.pop("meta", {})
    row = Row(
        id=identity(fields.get("id", number)),
        prompt=prompt(fields.get("prompt")),
        messages=messages(fields.get("messages"), folder),
        max_tokens=token_limit(fields.get("max_tokens")),
        reference=fields.get("reference"),
        meta=meta | own_meta if isinstance(own_meta, dict) else meta | {"meta": own_meta},
        token_ids=token_ids(fields.get("token_ids")),
        input=inputs(fields.get("input")),
        query=prompt(fields.get("query"), "query"),
        documents=documents(fields),
        tools=objects(fields.get("tools"), "tools"),
        turns=turns(fields.get("turns"), folder),
        think_s=think_time(fields.get("think_s")),
        **{name: references(fields.get(name), name, folder) for name in MEDIA},
    )
    check_workload(row)
    return row


def by_type(fields: dict[str, Any]) -> None:
    """Name token ids as what they are, and a single text of an embedding as the prompt that it is."""
    if is_ids(fields.get("prompt")):
        renamed(fields, "prompt", "token_ids")
    if not any(name in fields for name in ASKED):
        if is_ids(fields.get("input")):
            renamed(fields, "input", "token_ids")
        elif isinstance(fields.get("input"), str):
            renamed(fields, "input", "prompt", unless="query")


def check_workload(row: Row) -> None:
    """Raise ValueError unless a row says in one way what is to be sent."""
    there = [name for name in WORKLOADS if getattr(row, name) is not None]
    if not there:
        raise ValueError("has none of prompt, question and messages (or token_ids, input, query); give one of them")
    if len(there) > 1:
        raise ValueError(f"has both {there[0]} and {there[1]}; give one of them")
    for name in MEDIA:
        if getattr(row, name) and row.prompt is None:
            raise ValueError(f"has {name} beside {there[0]}; put them into the parts of a message, or give a prompt")


def renamed(fields: dict[str, Any], name: str, to: str, unless: str = "") -> None:
    """Give a field its usual name unless that, or what goes before it, is there too."""
    if name in fields and to not in fields and unless not in fields:
        fields[to] = fields.pop(name)


def identity(value: object) -> str:
    """Text of an id; raises ValueError."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"id is a JSON {kind(value)}; it has to be text or a whole number")
    return str(value)


def prompt(value: object, name: str = "prompt") -> str | None:
    """Prompt or none; raises ValueError."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is a JSON {kind(value)}; it has to be text")
    if value == "":
        raise ValueError(f"{name} is empty; give it text or leave the line out")
    return value


def is_ids(value: object) -> bool:
    """Whether a value is a list of token ids."""
    return isinstance(value, list) and bool(value) and all(type(item) is int and item >= 0 for item in value)


def token_ids(value: object) -> list[int] | None:
    """Token ids or none; raises ValueError."""
    if value is not None and not is_ids(value):
        raise ValueError("token_ids is no list of whole numbers; give the ids of at least one token")
    return cast("list[int] | None", value)


def inputs(value: object) -> list[str] | list[list[int]] | None:
    """Texts, or token ids of several texts, or none; raises ValueError."""
    if value is None:
        return None
    if isinstance(value, list) and value and (all(map(is_text, value)) or all(map(is_ids, value))):
        return value
    raise ValueError("input is neither text nor a list of texts or token ids; give at least one text")


def is_text(value: object) -> bool:
    """Whether a value is text that says something."""
    return isinstance(value, str) and value != ""


def documents(fields: dict[str, Any]) -> list[str] | list[dict[str, Any]] | None:
    """Documents that a query ranks, texts or objects, or none; raises ValueError where one lacks the other."""
    value = fields.get("documents")
    if ("query" in fields) != (value is not None):
        there, missing = ("query", "documents") if value is None else ("documents", "query")
        raise ValueError(f"has {there} without {missing}; give both for a ranking")
    if value is not None and not (
        isinstance(value, list) and value and all(is_text(item) or isinstance(item, dict) for item in value)
    ):
        raise ValueError("documents is no list of texts; give at least one document")
    return cast("list[str] | None", value)


def objects(value: object, name: str) -> list[dict[str, Any]] | None:
    """A list of objects, or none; raises ValueError."""
    if value is not None and not (isinstance(value, list) and all(isinstance(item, dict) for item in value)):
        raise ValueError(f"{name} is no list of objects")
    return cast("list[dict[str, Any]] | None", value) or None


def references(value: object, name: str, folder: Path) -> list[str]:
    """Paths, URLs and data: URLs, paths counted from `folder`; raises ValueError."""
    if value is None:
        return []
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not all(map(is_text, value)):
        raise ValueError(f"{name} is no list of paths, URLs or data: URLs")
    return [located(item, folder) for item in value]


def messages(value: object, folder: Path, name: str = "messages") -> list[dict[str, Any]] | None:
    """Messages or none, paths in them counted from `folder`; raises ValueError."""
    if value is None:
        return None
    if not isinstance(value, list) or not value:
        wrong = "is empty" if value == [] else f"is a JSON {kind(value)}"
        raise ValueError(f"{name} {wrong}; it has to be a list of objects with role and content")
    for place, message in enumerate(value):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise ValueError(f"{name}[{place}] is no object with a role; give it role and content")
    return with_references(value, lambda reference: located(reference, folder))


def turns(value: object, folder: Path) -> list[dict[str, Any]] | None:
    """Messages of a conversation or none; texts are what the user says. Raises ValueError."""
    if isinstance(value, list):
        value = [{"role": "user", "content": item} if is_text(item) else item for item in value]
    found = messages(value, folder, "turns")
    if found is not None and all(message["role"] != "user" for message in found):
        raise ValueError("turns has no message of a user, so there is nothing to send")
    return found


def think_time(value: object) -> float | None:
    """Seconds between an answer and the next turn, or none; raises ValueError."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise ValueError(f"think_s is {value!r}; it has to be a number of seconds of at least 0")
    return float(value)


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
