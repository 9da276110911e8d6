"""Values as cells of CSV and columns of Parquet hold them, turned into what JSON would have."""

import base64
import math
from collections.abc import Collection, Mapping
from typing import Any

import msgspec

# First bytes of the pictures and sounds that columns hold without a name.
MAGIC = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"II*\x00": "image/tiff",
    b"MM\x00*": "image/tiff",
    b"fLaC": "audio/flac",
    b"OggS": "audio/ogg",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\x1aE\xdf\xa3": "video/webm",
}
BRANDED = {b"WAVE": "audio/wav", b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}  # after RIFF and a length


def from_cells(fields: Mapping[str, Any], objects: Collection[str], numbers: Collection[str]) -> dict[str, Any]:
    """Texts of CSV as values: none for an empty one, JSON in `objects`, numbers in `numbers`. Raises ValueError."""
    return {name: of_cell(name, cell, objects, numbers) for name, cell in fields.items() if cell != ""}


def of_cell(name: str, cell: str, objects: Collection[str], numbers: Collection[str]) -> Any:
    """Value of one cell; raises ValueError that names the column."""
    if name in numbers:
        return number(cell)
    if name not in objects or cell.lstrip()[:1] not in ("[", "{"):
        return cell
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"{name} begins as JSON and is none ({error})") from None


def from_columns(fields: Mapping[str, Any], objects: Collection[str], numbers: Collection[str]) -> dict[str, Any]:
    """Values of Parquet as JSON has them: none for null, data: URLs for stored pictures. Raises ValueError."""
    found = {name: of_column(value) for name, value in fields.items() if value is not None}
    texts = {name: value for name, value in found.items() if name in objects and isinstance(value, str)}
    return found | from_cells(texts, objects, ()) | {name: number(found[name]) for name in numbers if name in found}


def of_column(value: Any) -> Any:
    """A value without the keys that are null: a column gives each object the keys of all."""
    if isinstance(value, dict):
        if value.keys() == {"bytes", "path"}:  # how `datasets` stores a picture or a sound
            return value["path"] if value["bytes"] is None else data_url(value["bytes"])
        return {key: of_column(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [of_column(item) for item in value]
    return data_url(value) if isinstance(value, bytes) else value


def number(value: Any) -> Any:
    """A number for text that is one, a whole one for a float without a fraction; else the value as it is."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return value
    whole = isinstance(value, float) and math.isfinite(value) and value == int(value)
    return int(value) if whole else value


def data_url(data: bytes) -> str:
    """Bytes as a data: URL, of the type that their beginning says."""
    return f"data:{media_type(data)};base64,{base64.b64encode(data).decode()}"


def media_type(data: bytes) -> str:
    """MIME type by the first bytes; application/octet-stream for what is not known."""
    if data[:4] == b"RIFF":
        return BRANDED.get(data[8:12], "application/octet-stream")
    if data[4:8] == b"ftyp":
        return "video/mp4"
    return next((mime for magic, mime in MAGIC.items() if data.startswith(magic)), "application/octet-stream")
