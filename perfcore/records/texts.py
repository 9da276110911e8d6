"""What answers say, looked at after a run: those of outputs.jsonl, of long files a part that is spread over them."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

# Of larger files so many places are looked at: enough for a share, and soon done.
WHOLE_BYTES = 16 << 20
PLACES = 1_000
LONGEST = 1 << 20


class Said(NamedTuple):
    """The text of an answer and the reasoning before it; empty where there is none."""

    answer: str
    reasoning: str


class Line(msgspec.Struct):
    """What is read of a line."""

    prediction: str | None = None
    reasoning: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(Line).decode


def said(run_dir: Path) -> list[Said]:
    """Successful answers of a run; none where there is no outputs.jsonl. What cannot be read is left out."""
    path = run_dir / "outputs.jsonl"
    if not path.exists():
        return []
    with path.open("rb") as file:
        return list(filter(None, map(read, lines(file, path.stat().st_size))))


def lines(file: BinaryIO, size: int) -> Iterator[bytes]:
    """All lines of a file, or of a large one those that begin next behind places spread evenly over it."""
    if size <= WHOLE_BYTES:
        yield from file
        return
    for place in range(PLACES):
        file.seek(place * size // PLACES)
        if place:
            file.readline()
        yield file.readline(LONGEST)


def read(line: bytes) -> Said | None:
    """What a line says; None of a failed request, and of what is no whole line (such as half a surrogate pair)."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if bytes(found.error) != b"null":
        return None
    return Said(found.prediction or "", found.reasoning or "")
