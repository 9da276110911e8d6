"""Pictures, sound and films in requests: a path, a URL or a data: URL in the data set, bytes in base64 in the body."""

import base64
import mimetypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

from perfcore.errors import UserError

KINDS = ("image", "audio", "video")
# Endings that Python's own table does not know everywhere.
TYPES = {
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".m4a": "audio/mp4",
    ".ogg": "audio/ogg",
    ".opus": "audio/opus",
    ".wav": "audio/wav",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
}
NOT_LOCAL = re.compile(r"data:|(?!file:)[a-z][a-z0-9+.-]*://", re.I)
FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav"}


class Media(NamedTuple):
    """One of them: `url` is always there, the rest only where the bytes are known."""

    url: str
    mime: str | None
    base64: str | None

    @property
    def format(self) -> str | None:
        """What the services call it: wav, mp3, png."""
        word = self.mime.partition("/")[2] if self.mime else None
        return FORMATS.get(word, word) if word else None


def is_local(reference: str) -> bool:
    """Whether a reference names a file of this machine."""
    return NOT_LOCAL.match(reference) is None


def located(reference: str, folder: Path) -> str:
    """A reference as it is, or the path of a file, which counts from `folder` if it is relative."""
    if not is_local(reference):
        return reference
    if reference.lower().startswith("file:"):
        reference = unquote(re.sub(r"^file:(//(localhost)?(?=/))?(//)?", "", reference, flags=re.I))
    return str(folder / reference)


def load(reference: str, subject: str) -> Media:
    """What a reference leads to: a file is read. Raises UserError that begins with `subject` and names the file."""
    if is_local(reference):
        return of_file(Path(located(reference, Path())), subject)
    if not reference.startswith("data:"):
        return Media(reference, None, None)
    head, comma, data = reference[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        raise UserError(f"{subject} has a data: URL that is not in base64; write data:image/png;base64,...")
    return Media(reference, head.removesuffix(";base64").partition(";")[0] or None, data)


def of_file(path: Path, subject: str) -> Media:
    """A file's bytes in base64. Raises UserError for one that cannot be read or is none of KINDS."""
    mime = TYPES.get(path.suffix.lower()) or mimetypes.guess_type(path.name)[0] or ""
    if mime.partition("/")[0] not in KINDS:
        raise UserError(f"{subject} names the file {path}, which is no {', '.join(KINDS)} by its ending; rename it")
    try:
        data = base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{subject} names the file {path}: {error.strerror}; correct the path") from None
    return Media(f"data:{mime};base64,{data}", mime, data)


def with_references(messages: list[dict[str, Any]], change: Callable[[str], str]) -> list[dict[str, Any]]:
    """Messages with the reference of every part that is a picture, sound or film changed; the rest as it is."""
    if not any(isinstance(message.get("content"), list) for message in messages):
        return messages
    return [
        {**message, "content": [with_reference(part, change) for part in message["content"]]}
        if isinstance(message.get("content"), list)
        else message
        for message in messages
    ]


def with_reference(part: Any, change: Callable[[str], str]) -> Any:
    """One part of a message: {type = "image_url", image_url = {url = ...}}, or the reference without a table."""
    name = part.get("type") if isinstance(part, dict) else None
    # {type = "input_image", image_url = ...} is how the Responses form has it
    key = f"{name[6:]}_url" if isinstance(name, str) and name.startswith("input_") else name
    if not isinstance(key, str) or key.removesuffix("_url") not in KINDS or key not in part:
        return part
    value = part[key]
    if isinstance(value, str):
        return {**part, key: change(value)}
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        return {**part, key: {**value, "url": change(value["url"])}}
    return part
