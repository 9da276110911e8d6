"""Rows as perfcore itself writes them: the reader `rows`, which takes any format of files.py, one record at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, cast

import msgspec

from perfcore.errors import UserError
from perfcore.workload.columns import from_cells, from_columns
from perfcore.workload.files import Record, format_of, json_kind, number_of, records
from perfcore.workload.headers import can_be_sent
from perfcore.workload.media import located, with_references
from perfcore.workload.row import Row
from perfcore.workload.source import Reader, Wanted
from perfcore.workload.timestamps import timestamp_ns

WORKLOADS = ("prompt", "messages", "turns", "token_ids", "input", "query", "body")
MEDIA = ("images", "audios", "videos")
OBJECTS = {"body", "headers"}
KNOWN = {"id", *WORKLOADS, "documents", "tools", *MEDIA, "max_tokens", "think_s", "reference", "meta", "headers"}
# What only counts where nothing before it says what is to be sent: data sets have columns of these names too.
ASKED = ("prompt", "messages", "turns", "token_ids")
ELSE_META = ("input", "query", "documents", "body")
# Fields that may be JSON in a cell, and those that are numbers.
JSON_FIELDS = {"messages", "turns", "token_ids", "input", "documents", "tools", "meta", *MEDIA, *OBJECTS}
NUMBERS = {"max_tokens", "think_s"}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the reader `rows`."""

    columns: Annotated[
        list[str], msgspec.Meta(description="Names of the columns of CSV and TSV whose first line does not name them.")
    ] = []
    model: Annotated[str, msgspec.Meta(description="Column with the model or LoRA adapter that a row asks for.")] = ""


def read(paths: Sequence[Path], settings: Settings, wanted: Wanted) -> Iterator[Row]:
    """Rows of all files, one after the other; of several files each names its part of the data set."""
    for path in paths:
        yield from read_rows(path, settings, wanted.timestamp_unit, part_name(path) if len(paths) > 1 else "")


def part_name(path: Path) -> str:
    """Name of a file without its endings, or of a folder."""
    return path.name.partition(".")[0] or path.name


def read_rows(path: Path, settings: Settings | None = None, unit: str = "s", part: str = "") -> Iterator[Row]:
    """Rows of a file in any format of files.py, read as they are asked for.

    A row has `prompt`, `question`, `messages`, `turns`, `token_ids`, `input`, `query` with `documents`, or `body`,
    optionally `id`, `max_tokens`, `think_s`, `tools`, `images`, `audios`, `videos`, `headers`, `timestamp` (numbers of
    `unit`), `reference` or `answer`; what else it has goes to `meta`. Its id is the number of its line (or row), behind
    the `part`, if it gives none, and its files count from the data set's folder. Raises UserError that names file, line
    and field.
    """
    form = format_of(path)
    columns, model = (settings.columns, settings.model) if settings else ((), "")
    for record in records(path, columns):
        row = row_of(record, form, path.parent, model, unit)
        yield msgspec.structs.replace(row, **of_part(row, record, part)) if part else row


def of_part(row: Row, record: Record, part: str) -> dict[str, Any]:
    """What a row of one file among several has: the part, also in the number that it is named by."""
    own = record.fields.get("id") is not None
    return {"subset": part, "id": row.id if own else f"{part}/{row.id}"}


def row_of(record: Record, form: str, folder: Path, model: str, unit: str) -> Row:
    """Row of a record of a file in `form`; raises UserError that names its place and the field."""
    try:
        return row_from(plain(record, form), record.place, folder, model, unit)
    except ValueError as error:
        raise UserError(f"{record.place}: {error}") from None


def plain(record: Record, form: str) -> dict[str, Any]:
    """Fields that say something, as JSON would have them; raises ValueError that names the field."""
    if form in ("csv", "tsv"):
        return from_cells(record.fields, JSON_FIELDS, NUMBERS)
    if form in ("parquet", "saved"):
        return from_columns(record.fields, JSON_FIELDS, NUMBERS)
    return {key: value for key, value in record.fields.items() if value is not None}


def row_from(given: dict[str, Any], place: str, folder: Path, model: str = "", unit: str = "s") -> Row:
    """Row of the fields at a place, whose files count from `folder`; raises ValueError that names the field."""
    fields = dict(given)
    chosen = fields.pop(model, None) if model else None
    renamed(fields, "question", "prompt", unless="messages")
    renamed(fields, "answer", "reference")
    by_type(fields)
    sent_ns = recorded_time(fields, unit)
    asked = any(name in fields for name in ASKED)
    meta = {key: fields.pop(key) for key in list(fields) if is_meta(key, fields[key], asked)}
    own_meta = fields.pop("meta", {})
    row = Row(
        id=identity(fields.get("id", number_of(place))),
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
        body=fields.get("body"),
        headers=headers(fields.get("headers", {})),
        model=prompt(chosen, model),
        timestamp_ns=sent_ns,
        images=references(fields.get("images"), "images", folder),
        audios=references(fields.get("audios"), "audios", folder),
        videos=references(fields.get("videos"), "videos", folder),
    )
    check_workload(row)
    return row


def headers(given: dict[str, str]) -> dict[str, str]:
    """Header lines of the row's requests alone; raises ValueError for what is more than one line each."""
    for name, value in given.items():
        if not can_be_sent(name, value):
            raise ValueError(f"headers has {name!r:.60}, which no request can carry as it stands; mend or remove it")
    return given


def is_meta(key: str, value: object, asked: bool) -> bool:
    """Whether a field says nothing of what is sent: many a data set has fields of the names that count here."""
    if key == "headers":
        return not (isinstance(value, dict) and all(isinstance(item, str) for item in value.values()))
    return key not in KNOWN or (asked and key in ELSE_META) or (key == "body" and not isinstance(value, dict))


def recorded_time(fields: dict[str, Any], unit: str) -> int | None:
    """Time of the field `timestamp`, which is taken out; one that is no time stays, for a replay alone needs it."""
    if "timestamp" not in fields:
        return None
    try:
        found = timestamp_ns(fields.get("timestamp"), unit, "")
    except UserError:
        return None
    del fields["timestamp"]
    return found


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
        raise ValueError(f"id is a JSON {json_kind(value)}; it has to be text or a whole number")
    return str(value)


def prompt(value: object, name: str = "prompt") -> str | None:
    """Prompt or none; raises ValueError."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is a JSON {json_kind(value)}; it has to be text")
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
        wrong = "is empty" if value == [] else f"is a JSON {json_kind(value)}"
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


READERS = {
    "rows": Reader(read, Settings, "Rows as docs/datasets.md describes them, in any format of files."),
}
