"""outputs.jsonl: one line for each measured request, with the row of the data set that it came from."""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import compress, repeat
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records import frame as frames
from perfcore.records.frame import Frames
from perfcore.records.journal import Block, open_journal
from perfcore.types import Requests

NULL = msgspec.Raw(b"null")
NEWLINE = ord("\n")


class Row(msgspec.Struct):
    """A row of the data set as the journal has it; its values are passed on as they stand."""

    id: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL
    messages: msgspec.Raw = NULL
    reference: msgspec.Raw = NULL
    meta: msgspec.Raw = NULL


class Line(msgspec.Struct):
    """What one line holds; null where there is none."""

    id: msgspec.Raw
    index: int | None
    repeat: int | None
    prompt: msgspec.Raw
    prediction: str | None
    reasoning: str | None
    tool_arguments: str | None
    finish_reason: str | None
    error: str | None
    reference: msgspec.Raw
    meta: msgspec.Raw


_decode_row = msgspec.json.Decoder(Row).decode
_encode = msgspec.json.Encoder().encode
NO_ROW = Row()


class Rows:
    """The rows of the data set, read one by one from the journal `path`: only where each ends is kept in memory."""

    def __init__(self, path: Path) -> None:
        self._file = open_journal(path)
        self._found: list[NDArray[np.int64]] = []
        self._ends: NDArray[np.int64] = np.zeros(0, np.int64)
        self._positions: list[int] = []  # where in the stream of rows each block starts
        self._offsets: list[int] = []  # and where in the file
        self._size = 0
        self._whole = True

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def add(self, block: Block) -> None:
        """Learn of the next block of rows. Behind a gap the rows have no known number, so none of them is found."""
        self._whole = self._whole and block.position == self._size
        if not self._whole:
            return
        newlines = np.flatnonzero(np.frombuffer(block.payload, np.uint8) == NEWLINE)
        self._found.append(newlines + (block.position + 1))
        self._positions.append(block.position)
        self._offsets.append(block.offset)
        self._size += block.length

    def __len__(self) -> int:
        if self._found:
            self._ends = np.concatenate([self._ends, *self._found])
            self._found = []
        return len(self._ends)

    def row(self, index: int) -> Row:
        """The row of this number; one without values if it is not known."""
        if not 0 <= index < len(self):
            return NO_ROW
        start = self._ends.item(index - 1) if index else 0
        try:
            return _decode_row(self._read(start, self._ends.item(index) - 1))
        except msgspec.DecodeError:
            return NO_ROW

    def _read(self, start: int, end: int) -> bytes:
        at = bisect_right(self._positions, start) - 1
        data = b""
        while start < end:
            block_end = self._positions[at + 1] if at + 1 < len(self._positions) else self._size
            piece = min(end, block_end) - start
            data += os.pread(self._file, piece, self._offsets[at] + start - self._positions[at])
            start += piece
            at += 1
        return data


def write_frames(file: BinaryIO, cut: Frames, table_rows: NDArray[np.int64], requests: Requests, rows: Rows) -> None:
    """A line for each frame whose row in `requests` is not negative."""
    wanted = np.flatnonzero(table_rows >= 0)
    columns = [frames.ranges(cut, name) for name in ("error", "content", "reasoning", "tool")]
    ranges: Iterator[tuple[bytes, ...]] = zip(*columns, strict=True)
    if wanted.size < len(cut):
        ranges = compress(ranges, table_rows >= 0)
    file.writelines(_lines(table_rows[wanted], requests, rows, ranges))


def write_lost(file: BinaryIO, table_rows: NDArray[np.int64], requests: Requests, rows: Rows) -> None:
    """A line for each of these rows of `requests`, which left no frame."""
    file.writelines(_lines(table_rows, requests, rows, repeat((b"", b"", b"", b""))))


def _lines(
    table_rows: NDArray[np.int64], requests: Requests, rows: Rows, ranges: Iterable[tuple[bytes, ...]]
) -> Iterator[bytes]:
    """One after the other: `ranges` has the error, content, reasoning and tool range of each row."""
    names = (*requests.finish_reasons, None)  # -1 is None
    columns = (requests.index, requests.repeat, requests.finish_reason, requests.error_class)
    values = zip(*(column[table_rows].tolist() for column in columns), strict=True)
    for (index, repeat_number, finish, code), (error, content, reasoning, tool) in zip(values, ranges, strict=False):
        row = rows.row(index)
        line = Line(
            id=row.id,
            index=index if index >= 0 else None,
            repeat=repeat_number if repeat_number >= 0 else None,
            prompt=row.messages if bytes(row.prompt) == b"null" else row.prompt,
            prediction=frames.text(content) if content else None,
            reasoning=frames.text(reasoning) if reasoning else None,
            tool_arguments=frames.text(tool) if tool else None,
            finish_reason=names[finish],
            error=_error(requests.error_classes[code], error) if code else None,
            reference=row.reference,
            meta=row.meta,
        )
        yield _encode(line) + b"\n"


def _error(name: str, message: bytes) -> str:
    """The class of the failure and what the server said."""
    return f"{name}: {frames.error_text(message)}" if message else name
