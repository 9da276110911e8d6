"""Rows with pictures: those that borrow one of another row, pictures in the midst of a text, and their sizes."""

import base64
import binascii
import importlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perfcore.errors import UserError
from perfcore.workload.columns import data_url
from perfcore.workload.files import Record, records
from perfcore.workload.media import is_local

LONGEST_INDEX = 64  # characters: what is longer is a picture
LEAST = 24  # characters of base64 that may be a picture
# How pictures begin in base64: PNG, JPEG, GIF, WebP.
BEGINNINGS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
BASE64 = re.compile(r"[A-Za-z0-9+/\s]+={0,2}\s*")
LONG = 256  # characters that no path has without a dot
MARKER = re.compile(r"<image[ _]?(\d{0,3})>")
# A module by its name, not an import: pictures are seldom measured.
MEASURE = "perfcore.workload.measuring"


def from_base64(item: Any) -> Any:
    """A data: URL for bytes in base64, else the item as it is."""
    if not isinstance(item, str) or not is_base64(item):
        return item
    try:
        return data_url(base64.b64decode(item))
    except binascii.Error:
        return item


def is_base64(text: str) -> bool:
    """Whether a text is a picture in base64: it begins as one, or is longer than paths are; it has no dots."""
    return len(text) >= (LEAST if text.startswith(BEGINNINGS) else LONG) and BASE64.fullmatch(text) is not None


def is_index(value: Any) -> bool:
    """Whether what stands for a picture is the index of the row that has it."""
    return isinstance(value, (int, str)) and value != "" and len(str(value)) <= LONGEST_INDEX and "." not in str(value)


def lent(path: Path, names: Sequence[str], by: str, columns: Sequence[str]) -> dict[tuple[str, str], Any]:
    """Pictures that rows of a file borrow from others, by the value of `by` that names them and by their column.

    The file is read twice before its rows are, as no more than these pictures are to be held.
    """
    wanted = {
        str(value)
        for record in records(path, columns)
        for value in (record.fields.get(name) for name in names)
        if is_index(value)
    }
    held: dict[tuple[str, str], Any] = {}
    for record in records(path, columns) if wanted else ():
        if (key := str(record.fields.get(by))) in wanted:
            own = {(key, name): record.fields.get(name) for name in names}
            held |= {place: value for place, value in own.items() if not is_index(value)}
    return held


def with_lent(record: Record, names: Sequence[str], by: str, held: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """The fields with the pictures that they borrow; raises UserError where no row has them."""
    found = dict(record.fields)
    for name in names:
        index = found.get(name)
        if is_index(index):
            if (str(index), name) not in held:
                raise UserError(
                    f"{record.place}: {name} is {index!r}, and no row with a picture has that {by}; get the whole file"
                )
            found[name] = held[str(index), name]
    return found


def in_places(text: str, pictures: Sequence[str | None]) -> list[dict[str, Any]]:
    """Parts of a message: the text, with pictures where it has <image 1>, <image1>, <image_1>, or <image> for the next.

    Pictures that the text does not name stand before it; a mark without a picture stays as it is.
    """
    found: list[dict[str, Any]] = []
    named: set[int] = set()
    before = following = 0
    for mark in MARKER.finditer(text):
        following = int(mark.group(1) or following + 1)
        picture = pictures[following - 1] if 0 < following <= len(pictures) else None
        if picture is not None:
            found += [*said(text[before : mark.start()]), shown(picture)]
            named.add(following - 1)
            before = mark.end()
    rest = [shown(one) for at, one in enumerate(pictures) if one is not None and at not in named]
    return [*rest, *found, *said(text[before:])]


def said(text: str) -> list[dict[str, Any]]:
    """A part of text, without the line ends around it; none where it says nothing."""
    return [{"type": "text", "text": text.strip("\n")}] if text.strip() else []


def shown(reference: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": reference}}


def sizes(references: Sequence[str]) -> dict[str, int]:
    """Columns with the width and height of a row's first picture in pixels. Raises ValueError."""
    if not references:
        raise ValueError("has no picture, and `sizes` wants to measure it; leave the row out")
    try:
        width, height = importlib.import_module(MEASURE).measured(bytes_of(references[0]))
    except (ValueError, OSError) as error:
        raise ValueError(f"has the picture {references[0]:.60}, which cannot be measured: {error}") from None
    return {"image_width": width, "image_height": height}


def bytes_of(reference: str) -> bytes:
    """The bytes of a file or of a data: URL; raises ValueError for another URL, and OSError."""
    if is_local(reference):
        return Path(reference).read_bytes()
    if not reference.startswith("data:"):
        raise ValueError("it is not on this machine")
    return base64.b64decode(reference.partition(",")[2])
