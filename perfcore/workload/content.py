"""What a row puts into a request: the values of the placeholders in a dialect's templates."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.workload.dataset import MEDIA
from perfcore.workload.media import Media, is_local, load, with_references
from perfcore.workload.row import OF_A_TURN, Row
from perfcore.workload.template import filled, placeholders

MESSAGE = {"role": "user", "content": "{content}"}
INSTRUCTIONS = ("system", "developer")
PART_WORDS = ("text", "url", "base64", "mime", "format")
TOOL_WORDS = ("name", "description", "parameters")


class Forms(msgspec.Struct, frozen=True):
    """How a dialect writes what has a form of its own: see docs/dialects.md."""

    dialect: str
    message: dict[str, Any] = {}
    parts: dict[str, dict[str, Any]] = {}
    tool: dict[str, Any] = {}


def values_of(row: Row, wanted: set[str], forms: Forms) -> dict[str, Any]:
    """Values of the placeholders in `wanted` that a row decides: of a conversation, what its first turn says.

    Raises UserError for what the dialect cannot send.
    """
    if row.turns is not None:
        row = msgspec.structs.replace(row, turns=None, messages=opening(row.turns))
    refuse_unsent(row, wanted, forms)
    return found_in(row, wanted, forms)


def opening(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages of a conversation up to the first of the user."""
    first = next((at for at, message in enumerate(turns) if message["role"] == "user"), len(turns))
    return [{key: value for key, value in message.items() if key not in OF_A_TURN} for message in turns[: first + 1]]


def found_in(row: Row, wanted: set[str], forms: Forms) -> dict[str, Any]:
    """Values of the placeholders in `wanted`."""
    return {name: VALUES[name](row, wanted, forms) for name in wanted if name in VALUES}


def refuse_unsent(row: Row, wanted: set[str], forms: Forms) -> None:
    """Raise UserError where a part of the row has no place in the body."""
    inner = placeholders(forms.message) if "messages" in wanted else set()
    by_parts = "content" in wanted or ("messages" in wanted and (not forms.message or "content" in inner))
    places = wanted | inner
    for name in MEDIA:
        kind = name[:-1]
        if getattr(row, name) and not (by_parts and kind in forms.parts) and not places & {name, f"{name}_base64"}:
            raise UserError(f"row {row.id} has {name}, which {forms.dialect} cannot send; use another --dialect")
    if row.tools and "tools" not in wanted:
        raise UserError(f"row {row.id} has tools, which {forms.dialect} cannot send; use a chat dialect")
    asks = {"query": {"query"}, "input": {"input"}, "token_ids": {"token_ids", "input"}}
    for name, where in asks.items():
        if getattr(row, name) is not None and not wanted & where:
            raise UserError(
                f"row {row.id} has {name.replace('_', ' ')}, which {forms.dialect} cannot send; use another --dialect"
            )


def messages_of(row: Row, wanted: set[str], forms: Forms) -> list[dict[str, Any]]:
    """Messages of a row, without those that have a place of their own; a prompt becomes one message of a user."""
    if row.messages is None:
        template = forms.message or MESSAGE
        return [filled(template, found_in(row, placeholders(template), forms))]
    found = row.messages
    if "system" in wanted:
        found = [message for message in found if message["role"] not in INSTRUCTIONS]
    return with_references(found, lambda reference: readable(reference, row))


def readable(reference: str, row: Row) -> str:
    """A reference that the service can follow: a file's bytes in the place of its path."""
    return load(reference, subject(row)).url if is_local(reference) else reference


def system_of(row: Row, wanted: set[str], forms: Forms) -> str | None:
    """Texts of the system messages, one a line."""
    found = [message.get("content") for message in row.messages or () if message["role"] in INSTRUCTIONS]
    return "\n".join(text_of(content, row, forms) for content in found) if found else None


def content_of(row: Row, wanted: set[str], forms: Forms) -> Any:
    """The prompt, or parts where it has pictures, sound or films."""
    media = [part for name in MEDIA for part in parts_of(row, name, forms)]
    if not media:
        return prompt_of(row, wanted, forms)
    return [*media, filled(forms.parts["text"], {"text": prompt_of(row, wanted, forms)})]


def parts_of(row: Row, name: str, forms: Forms) -> list[Any]:
    """Parts of a message for the images, audios or videos of a row."""
    return [part_of(load(reference, subject(row)), name[:-1], row, forms) for reference in getattr(row, name)]


def part_of(media: Media, kind: str, row: Row, forms: Forms) -> Any:
    """One part. What is only known by its URL takes the form for that, where the dialect has one."""
    template = forms.parts[kind]
    if media.base64 is None:
        template = forms.parts.get(f"{kind}_url", template)
        if placeholders(template) & {"base64", "mime", "format"}:
            raise UserError(f"row {row.id} has {media.url}, and {forms.dialect} sends bytes, no URLs: give a file")
    return filled(template, {"url": media.url, "base64": media.base64, "mime": media.mime, "format": media.format})


def prompt_of(row: Row, wanted: set[str], forms: Forms) -> str | None:
    """Prompt of a row; messages become their texts, one a line. None where token ids go in its place."""
    if row.messages is not None:
        return "\n".join(text_of(message.get("content"), row, forms) for message in row.messages)
    if row.prompt is None and not ("token_ids" in wanted and row.token_ids):
        raise UserError(f"row {row.id} has no text, which {forms.dialect} needs; use another --dialect")
    return row.prompt


def text_of(content: Any, row: Row, forms: Forms) -> str:
    """Text of a message's content, which is text or a list of parts."""
    parts = content if isinstance(content, list) else [content]
    found = [part.get("text") if isinstance(part, dict) else part for part in parts]
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < len(found):
        raise UserError(
            f"row {row.id} has a message that is not text, which {forms.dialect} cannot send; use a chat dialect"
        )
    return "".join(texts)


def input_of(row: Row, wanted: set[str], forms: Forms) -> Any:
    """A prompt, token ids, or several of them."""
    if row.token_ids is not None:
        return row.token_ids
    return prompt_of(row, wanted, forms) if row.input is None else row.input


def tools_of(row: Row, wanted: set[str], forms: Forms) -> list[Any] | None:
    """Tools as the row has them, or in the dialect's form if they come in that of OpenAI's chat."""
    if not forms.tool:
        return row.tools
    return [tool_of(tool, forms) for tool in row.tools] if row.tools else None


def tool_of(tool: dict[str, Any], forms: Forms) -> Any:
    function = tool.get("function")
    if not isinstance(function, dict):
        return tool
    return filled(forms.tool, {word: function.get(word) for word in TOOL_WORDS})


def query_of(row: Row, wanted: set[str], forms: Forms) -> str:
    """What documents are ranked by."""
    if row.query is None:
        raise UserError(f"row {row.id} has no query and documents, which {forms.dialect} needs")
    return row.query


def urls(name: str) -> Callable[[Row, set[str], Forms], list[str] | None]:
    """URLs, or data: URLs for files, of a row's images, audios or videos."""
    return lambda row, _, __: [load(reference, subject(row)).url for reference in getattr(row, name)] or None


def bytes_of(name: str) -> Callable[[Row, set[str], Forms], list[str] | None]:
    """A row's images, audios or videos in base64, without a head."""

    def find(row: Row, _: set[str], forms: Forms) -> list[str] | None:
        found = [load(reference, subject(row)) for reference in getattr(row, name)]
        for media in found:
            if media.base64 is None:
                raise UserError(f"row {row.id} has {media.url}, and {forms.dialect} sends bytes, no URLs: give a file")
        return [media.base64 for media in found if media.base64] or None

    return find


def subject(row: Row) -> str:
    """How messages begin that are about a row."""
    return f"row {row.id}"


VALUES: Mapping[str, Callable[[Row, set[str], Forms], Any]] = {
    "messages": messages_of,
    "system": system_of,
    "content": content_of,
    "prompt": prompt_of,
    "input": input_of,
    "token_ids": lambda row, _, __: row.token_ids,
    "tools": tools_of,
    "query": query_of,
    "documents": lambda row, _, __: row.documents,
    "uuid": lambda _, __, ___: str(uuid.uuid4()),
    **{name: urls(name) for name in MEDIA},
    **{f"{name}_base64": bytes_of(name) for name in MEDIA},
}
