"""Dialects: how a service is spoken to, described in TOML; what is written of them stands in docs/dialects.md."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from perfcore.errors import UserError
from perfcore.workload.content import PART_WORDS, TOOL_WORDS, VALUES, Forms, values_of
from perfcore.workload.media import KINDS
from perfcore.workload.row import Row
from perfcore.workload.template import PLACEHOLDER, filled, merged, placeholders, strings

PACKAGE = Path(__file__).parents[1]
# An installed perfcore carries its configs inside, a source checkout has them beside it.
FOLDERS = (PACKAGE / "configs" / "dialects", PACKAGE.parent / "configs" / "dialects")
UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")

REQUEST_WORDS = ("model", "max_tokens", "stream", *VALUES)
# What may stand in each table of templates.
WORDS = {
    "request": REQUEST_WORDS,
    "request_streaming": REQUEST_WORDS,
    "exact": REQUEST_WORDS,
    "adapter": ("adapter",),
    "message": tuple(name for name in VALUES if name != "messages"),
    "parts": PART_WORDS,
    "tool": TOOL_WORDS,
    "headers": ("model", "api_key"),
    "headers_streaming": ("model", "api_key"),
}


class TypedPath(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A path that counts in events of one type only."""

    path: str
    type: str


JsonPaths = tuple[str | TypedPath, ...]


class Response(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where things are in an answer: JSON paths, tried in order."""

    type: JsonPaths = ()
    role: JsonPaths = ()
    content: JsonPaths = ()
    reasoning: JsonPaths = ()
    tool_calls: JsonPaths = ()
    finish: JsonPaths = ()
    end: JsonPaths = ()
    result: JsonPaths = ()
    prompt_tokens: JsonPaths = ()
    output_tokens: JsonPaths = ()
    reasoning_tokens: JsonPaths = ()
    cached_tokens: JsonPaths = ()
    error: JsonPaths = ()
    full: dict[str, JsonPaths] = {}


RESPONSE_FIELDS = tuple(name for name in Response.__struct_fields__ if name != "full")


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service's way of speaking: docs/dialects.md says what each key means."""

    name: str
    path: str
    framing: Literal["sse", "ndjson", "json"]
    request: dict[str, Any]
    response: Response
    done: str = ""
    complete: tuple[Literal["finish", "done", "end"], ...] = ("finish", "done")
    models_path: str = "/v1/models"
    request_streaming: dict[str, Any] = {}
    exact: dict[str, Any] = {}
    greedy: dict[str, Any] = {}
    adapter: dict[str, Any] = {}
    path_full: str | None = None
    cumulative: bool = False
    max_tokens: int | None = None
    headers: dict[str, str] = {}
    headers_streaming: dict[str, str] = {}
    message: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    tool: dict[str, Any] = {}


def builtin() -> dict[str, Path]:
    """File of each built-in dialect by name."""
    return {file.stem: file for folder in reversed(FOLDERS) for file in sorted(folder.glob("*.toml"))}


def load_dialect(name_or_path: str) -> Dialect:
    """Built-in dialect of that name, or the one in a .toml file; raises UserError for what is unknown or wrong."""
    if name_or_path.endswith(".toml"):
        return read_dialect(Path(name_or_path))
    files = builtin()
    if name_or_path not in files:
        near = difflib.get_close_matches(name_or_path, files, 3, cutoff=0.0)
        raise UserError(f"unknown dialect {name_or_path!r}; choose one of {', '.join(near)} or give a .toml file")
    return read_dialect(files[name_or_path])


def read_dialect(path: Path) -> Dialect:
    """Dialect in a TOML file; raises UserError that names file and key."""
    try:
        dialect = msgspec.toml.decode(path.read_bytes(), type=Dialect)
        check(dialect)
    except OSError as error:
        raise UserError(f"cannot read the dialect {path}: {error.strerror}; give a file that can be read") from None
    except msgspec.ValidationError as error:
        raise UserError(f"{path}: {in_words(str(error))}; docs/dialects.md lists the keys") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid TOML: {error}; mend it there") from None
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    return dialect


def in_words(message: str) -> str:
    """What msgspec says, with the nearest key where one is unknown."""
    found = UNKNOWN_FIELD.search(message)
    if found is None:
        return message
    key, table = found.group(1), found.group(2) or ""
    known = RESPONSE_FIELDS if table == "response" else Dialect.__struct_fields__ if not table else ("path", "type")
    return f"unknown key {'.'.join(filter(None, (table, key)))!r}, the nearest one is {nearest(key, known)!r}"


def nearest(word: str, words: Iterable[str]) -> str:
    """Word that looks most like another."""
    return difflib.get_close_matches(word, words, 1, cutoff=0.0)[0]


def check(dialect: Dialect) -> None:
    """Raise ValueError for what the types of a dialect's keys do not tell."""
    check_response(dialect)
    for table, words in WORDS.items():
        check_words(table, getattr(dialect, table), words)
    for name in ("path", "path_full", "models_path"):
        if (path := getattr(dialect, name)) and not path.startswith("/"):
            raise ValueError(f"{name} is {path!r}; it has to start with /")
    if dialect.max_tokens is not None and dialect.max_tokens < 1:
        raise ValueError(f"max_tokens is {dialect.max_tokens}; it has to be at least 1")
    part_names = ("text", *KINDS, *(f"{kind}_url" for kind in KINDS))
    for name in dialect.parts:
        if name not in part_names:
            raise ValueError(f"unknown key 'parts.{name}', the nearest one is {nearest(name, part_names)!r}")
    if dialect.parts and "text" not in dialect.parts:
        raise ValueError("parts lacks text; give the form of a part that is text")
    if not dialect.complete or (dialect.complete == ("done",) and not dialect.done):
        raise ValueError("complete names nothing that can end an answer; give finish, end, or done and the key done")


def check_response(dialect: Dialect) -> None:
    """Raise ValueError for an unknown field and for a path that is none."""
    for name in dialect.response.full:
        if name not in RESPONSE_FIELDS:
            near = nearest(name, RESPONSE_FIELDS)
            raise ValueError(f"unknown key 'response.full.{name}', the nearest one is {near!r}")
    for name, path, kind in [*response_paths(dialect, True), *response_paths(dialect, False)]:
        if not all(path.split(".")):
            raise ValueError(f"response.{name} has the path {path!r}; write names joined by dots, such as a.0.b")
        if name == "type" and kind:
            raise ValueError(f"response.type has the type {kind!r}; the path of the type holds for every event")


def check_words(table: str, template: Any, words: Sequence[str]) -> None:
    """Raise ValueError for a text that is nothing but an unknown placeholder."""
    for text in strings(template):
        found = PLACEHOLDER.fullmatch(text)
        if found and found.group(1) not in words:
            near = nearest(found.group(1), words)
            raise ValueError(f"unknown placeholder {text!r} in {table}, the nearest one is '{{{near}}}'")


def response_paths(dialect: Dialect, streamed: bool) -> list[tuple[str, str, str]]:
    """(field, JSON path, type of event) in the order in which they are tried; the type is "" where any event will do.

    For answers that are not streamed a field in [response.full] goes in the place of the one in [response].
    """
    full = {} if streamed else dialect.response.full
    return [
        (name, path, "") if isinstance(path, str) else (name, path.path, path.type)
        for name in RESPONSE_FIELDS
        for path in full.get(name, getattr(dialect.response, name))
    ]


def is_streamed(dialect: Dialect, asked: bool) -> bool:
    """Whether answers are asked for as streams: a dialect of whole documents has none."""
    return asked and dialect.framing != "json"


def service_headers(
    dialect: Dialect, stream: bool, lines: Sequence[str], own: Sequence[str], model: str | None = None
) -> tuple[str, ...]:
    """Header lines of requests: `lines` and the dialect's, before which the user's `own` go.

    Where the dialect has a header for the API key, the key goes there and no bearer token is sent.
    """
    chosen = {line_name(line) for line in own}
    key = next((line[22:] for line in lines if line.lower().startswith("authorization: bearer ")), None)
    template = dialect.headers | (dialect.headers_streaming if is_streamed(dialect, stream) else {})
    values = {"model": model, "api_key": key}
    added = [f"{name}: {value}" for name, value in filled(template, values).items() if name.lower() not in chosen]
    replaced = {line_name(line) for line in added}
    if "api_key" in placeholders(template) and "authorization" not in chosen:
        replaced.add("authorization")
    return (*(line for line in lines if line_name(line) not in replaced), *added)


def line_name(line: str) -> str:
    """Name of a header line, in small letters."""
    return line.partition(":")[0].strip().lower()


def body(
    dialect: Dialect,
    row: Row,
    *,
    model: str | None,
    max_tokens: int | None,
    stream: bool,
    extra: Mapping[str, Any],
    exact: bool = False,
) -> bytes:
    """Encoded body of one row's request; `encoder` is the same for many rows."""
    return encoder(dialect, model=model, max_tokens=max_tokens, stream=stream, extra=extra, exact=exact)(row)


def encoder(
    dialect: Dialect,
    *,
    model: str | None,
    max_tokens: int | None,
    stream: bool,
    extra: Mapping[str, Any],
    exact: bool = False,
) -> Callable[[Row], bytes]:
    """Function from a row to the encoded body of its request: the dialect's template filled in, then `extra` merged.

    Keys whose placeholder has no value are left out, and null in `extra` removes a key. A `max_tokens` that is given
    goes before a row's own, and that before the dialect's; with `exact` an answer is to have just that length. A row's
    own model goes before `model`, and what a recorded body says before all but whether it is streamed. The function
    raises UserError for a row that the dialect cannot express; `encoder` itself where it has no word for `exact`.
    """
    stream = is_streamed(dialect, stream)
    template = merged(dialect.request, dialect.request_streaming) if stream else dialect.request
    if exact and not dialect.exact:
        raise UserError(f"{dialect.name} has no word for --ignore-eos; give what the service takes with --body instead")
    template = merged(template, dialect.exact) if exact else template
    wanted = placeholders(template)
    forms = Forms(dialect.name, dialect.message, dialect.parts, dialect.tool)
    frame = around_a_body(template)

    def encode(row: Row) -> bytes:
        chosen = {"model": row.model if row.model and not dialect.adapter else model, "stream": stream}
        if row.body is not None:
            return msgspec.json.encode(around(row.body, filled(frame, chosen), extra))
        limit = row.max_tokens if max_tokens is None else max_tokens
        values = chosen | {"max_tokens": dialect.max_tokens if limit is None else limit}
        found = filled(template, values | values_of(row, wanted, forms))
        if row.model and dialect.adapter:
            found = merged(found, filled(dialect.adapter, {"adapter": row.model}))
        elif row.model and "model" not in wanted:
            raise UserError(f"row {row.id} asks for {row.model}, and {dialect.name} has no place for a model's name")
        return msgspec.json.encode(merged(found, extra))

    return encode


def around_a_body(template: Mapping[str, Any]) -> dict[str, Any]:
    """What a template says of any request: the keys that have nothing to do with the row."""
    return {key: value for key, value in template.items() if placeholders({key: value}) <= {"model", "stream"}}


def around(recorded: Mapping[str, Any], frame: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """A recorded body with what it leaves open; it is streamed as this run is, or its answer could not be read."""
    streamed = {key: value for key, value in frame.items() if key in ("stream", "stream_options")}
    found = {**merged(frame, extra), **recorded, **streamed}
    return found if streamed.get("stream_options") else {k: v for k, v in found.items() if k != "stream_options"}
