"""Dialects: how a service is spoken to, described in TOML; what is written of them stands in docs/dialects.md."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from perfcore.errors import UserError
from perfcore.workload.dataset import Row

PACKAGE = Path(__file__).parents[1]
# An installed perfcore carries its configs inside, a source checkout has them beside it.
FOLDERS = (PACKAGE / "configs" / "dialects", PACKAGE.parent / "configs" / "dialects")
PLACEHOLDERS = ("model", "messages", "prompt", "max_tokens", "stream")
PLACEHOLDER = re.compile(rf"\{{({'|'.join(PLACEHOLDERS)})\}}")
LONE_WORD = re.compile(r"\{\w+\}")
UNKNOWN_FIELD = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")

JsonPaths = tuple[str, ...]


class Response(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where things are in an answer: JSON paths, tried in order."""

    role: JsonPaths = ()
    content: JsonPaths = ()
    reasoning: JsonPaths = ()
    tool_calls: JsonPaths = ()
    finish: JsonPaths = ()
    prompt_tokens: JsonPaths = ()
    output_tokens: JsonPaths = ()
    reasoning_tokens: JsonPaths = ()
    cached_tokens: JsonPaths = ()
    error: JsonPaths = ()
    full: dict[str, JsonPaths] = {}


RESPONSE_FIELDS = tuple(name for name in Response.__struct_fields__ if name != "full")


class Dialect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A service's way of speaking; `request_streaming` is merged into `request` where answers are streamed."""

    name: str
    path: str
    framing: Literal["sse", "ndjson", "json"]
    request: dict[str, Any]
    response: Response
    done: str = ""
    complete: tuple[Literal["finish", "done", "end"], ...] = ("finish", "done")
    models_path: str = "/v1/models"
    request_streaming: dict[str, Any] = {}


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
    known = RESPONSE_FIELDS if table == "response" else Dialect.__struct_fields__
    return f"unknown key {'.'.join(filter(None, (table, key)))!r}, the nearest one is {nearest(key, known)!r}"


def nearest(word: str, words: Iterable[str]) -> str:
    """Word that looks most like another."""
    return difflib.get_close_matches(word, words, 1, cutoff=0.0)[0]


def check(dialect: Dialect) -> None:
    """Raise ValueError for what the types of a dialect's keys do not tell."""
    for name in dialect.response.full:
        if name not in RESPONSE_FIELDS:
            raise ValueError(
                f"unknown key 'response.full.{name}', the nearest one is {nearest(name, RESPONSE_FIELDS)!r}"
            )
    for name, paths in [*response_paths(dialect, True).items(), *response_paths(dialect, False).items()]:
        for path in paths:
            if not all(path.split(".")):
                raise ValueError(f"response.{name} has the path {path!r}; write names joined by dots, such as a.0.b")
    for text in strings({"request": dialect.request, "request_streaming": dialect.request_streaming}):
        if LONE_WORD.fullmatch(text) and not PLACEHOLDER.fullmatch(text):
            near = nearest(text.strip("{}"), PLACEHOLDERS)
            raise ValueError(f"unknown placeholder {text!r} in request, the nearest one is '{{{near}}}'")
    for name in ("path", "models_path"):
        if (path := getattr(dialect, name)) and not path.startswith("/"):
            raise ValueError(f"{name} is {path!r}; it has to start with /")
    if not dialect.complete or (dialect.complete == ("done",) and not dialect.done):
        raise ValueError("complete names nothing that can end an answer; give finish, end, or done and the key done")


def strings(value: Any) -> Iterable[str]:
    """All texts in a template."""
    if isinstance(value, str):
        yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for item in below:
        yield from strings(item)


def response_paths(dialect: Dialect, streamed: bool) -> dict[str, JsonPaths]:
    """JSON paths by what they find; for answers that are not streamed those of [response.full] go before."""
    paths = {name: getattr(dialect.response, name) for name in RESPONSE_FIELDS}
    return paths if streamed else paths | dialect.response.full


def body(
    dialect: Dialect, row: Row, *, model: str | None, max_tokens: int | None, stream: bool, extra: Mapping[str, Any]
) -> bytes:
    """Encoded body of one row's request; `encoder` is the same for many rows."""
    return encoder(dialect, model=model, max_tokens=max_tokens, stream=stream, extra=extra)(row)


def encoder(
    dialect: Dialect, *, model: str | None, max_tokens: int | None, stream: bool, extra: Mapping[str, Any]
) -> Callable[[Row], bytes]:
    """Function from a row to the encoded body of its request: the dialect's template filled in, then `extra` merged.

    Keys whose placeholder has no value are left out, and null in `extra` removes a key. A `max_tokens` that is given
    goes before a row's own. The function raises UserError for a row that the dialect cannot express.
    """
    template = merged(dialect.request, dialect.request_streaming) if stream else dialect.request
    wanted = set(PLACEHOLDER.findall(" ".join(strings(template))))

    def encode(row: Row) -> bytes:
        values: dict[str, Any] = {
            "model": model,
            "max_tokens": row.max_tokens if max_tokens is None else max_tokens,
            "stream": stream,
            "messages": messages_of(row) if "messages" in wanted else None,
            "prompt": prompt_of(row, dialect) if "prompt" in wanted else None,
        }
        return msgspec.json.encode(merged(filled(template, values), extra))

    return encode


def messages_of(row: Row) -> list[dict[str, Any]]:
    """Messages of a row; a prompt becomes one message of a user."""
    return [{"role": "user", "content": row.prompt}] if row.messages is None else row.messages


def prompt_of(row: Row, dialect: Dialect) -> str:
    """Prompt of a row; messages become their texts, one a line. Raises UserError for those that are not text."""
    if row.messages is None:
        return row.prompt or ""
    return "\n".join(text_of(message.get("content"), row, dialect) for message in row.messages)


def text_of(content: Any, row: Row, dialect: Dialect) -> str:
    """Text of a message's content, which is text or a list of parts."""
    parts = content if isinstance(content, list) else [content]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise UserError(
            f"row {row.id} has a message that is not text, which {dialect.name} cannot send; use a chat dialect"
        )
    return "".join(texts)


def filled(template: Any, values: Mapping[str, Any]) -> Any:
    """Template with placeholders replaced; one that stands alone keeps its value's type, None takes its key along."""
    if isinstance(template, dict):
        pairs = {key: filled(value, values) for key, value in template.items()}
        return {key: value for key, value in pairs.items() if value is not None}
    if isinstance(template, list):
        return [value for item in template if (value := filled(item, values)) is not None]
    if not isinstance(template, str) or "{" not in template:
        return template
    if alone := PLACEHOLDER.fullmatch(template):
        return values[alone.group(1)]
    return PLACEHOLDER.sub(lambda found: in_text(values[found.group(1)]), template)


def in_text(value: Any) -> str:
    """A placeholder's value within a longer text."""
    if value is None:
        return ""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Two objects merged as RFC 7396 says: objects deeply, null removes a key, all else replaces what was there."""
    result = dict(under)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result
