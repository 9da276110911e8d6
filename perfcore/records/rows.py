"""The rows of the data set in the journal: packed when the request book is made, read one by one when it is evaluated.

A packed block is PACKED, the length of each row's JSON (uint32, with its newline), and the zlib stream of all of them.
It says itself which rows it holds, so a reader finds them without unpacking anything, and behind a damaged block too.
"""

import os
import struct
import zlib
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records.journal import Block, Kind, open_journal

PACKED = struct.Struct("<QII")  # number of the first row, rows, bytes of their JSON
ZLIB_LEVEL = 1  # rows of text come down to 40 %; level 6 makes 34 % of them and takes four times as long
CACHE_BYTES = 64 << 20
NEWLINE = ord("\n")
NULL = msgspec.Raw(b"null")
EMPTY = msgspec.Raw(b"{}")


class Message(msgspec.Struct):
    """A message of a conversation."""

    role: str = ""
    content: msgspec.Raw = NULL
    max_tokens: int | None = None


class Body(msgspec.Struct):
    """What a recorded body says of its service."""

    model: Any = None


class Row(msgspec.Struct):
    """A row of the data set as the journal has it; most of its values are passed on as they stand."""

    id: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL
    messages: msgspec.Raw = NULL
    token_ids: msgspec.Raw = NULL
    query: msgspec.Raw = NULL
    input: msgspec.Raw = NULL
    turns: list[Message] | None = None
    reference: msgspec.Raw = NULL
    meta: msgspec.Raw = EMPTY
    body: msgspec.Raw = NULL
    max_tokens: int | None = None
    input_tokens: int | None = None
    counted_tokens: int | None = None
    dataset: str | None = None
    subset: str | None = None
    model: str | None = None

    def asked(self, turn: int) -> msgspec.Raw:
        """What the row asks: its prompt in whatever form, or what the user says in this turn."""
        message = self.said(turn)
        if self.turns is not None:
            return NULL if message is None else message.content
        given = (self.prompt, self.messages, self.token_ids, self.query, self.input, self.body)
        return next((asked for asked in given if bytes(asked) != b"null"), NULL)

    def limit(self, turn: int) -> int | None:
        """The most tokens that the row asks for in this turn."""
        message = self.said(turn)
        own = None if message is None else message.max_tokens
        return self.max_tokens if own is None else own

    def asked_model(self) -> str | None:
        """The model that the row asks for in the place of the run's own; that of a recorded body goes before."""
        recorded = None if bytes(self.body) == b"null" else _decode_body(self.body).model
        return recorded if recorded and isinstance(recorded, str) else self.model

    def said(self, turn: int) -> Message | None:
        """The user's message of a turn."""
        said = [message for message in self.turns or () if message.role == "user"]
        return said[turn] if 0 <= turn < len(said) else None


NO_ROW = Row(meta=NULL)
_decode_row = msgspec.json.Decoder(Row).decode
_decode_body = msgspec.json.Decoder(Body).decode


class Pack(NamedTuple):
    """Rows as a block holds them, but for its first number: how many, bytes of their JSON, lengths and zlib stream."""

    rows: int
    size: int
    data: bytes

    def head(self, first: int) -> bytes:
        """What stands in front of `data` when the first row has this number."""
        return PACKED.pack(first, self.rows, self.size)


def pack(lines: Sequence[bytes]) -> Pack:
    """Pack rows, each the JSON of one without a newline."""
    raw = b"\n".join(lines) + b"\n"
    lengths = np.fromiter((len(line) + 1 for line in lines), np.uint32, len(lines))
    return Pack(len(lines), len(raw), lengths.tobytes() + zlib.compress(raw, ZLIB_LEVEL))


class Rows:
    """The rows of the data set, read one by one from the journal `path`: only where each ends is kept in memory.

    Of packed rows the last 64 MiB that were read stay unpacked.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_journal(path)
        self._plain = PlainRows(self._file)
        self._firsts: list[int] = []
        self._blocks: list[tuple[int, int, NDArray[np.uint32]]] = []  # zlib stream's offset and length, ends of rows
        self._unpacked: OrderedDict[int, bytes] = OrderedDict()
        self._size = 0
        self._count = 0

    def __enter__(self) -> "Rows":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def add(self, block: Block) -> None:
        """Learn of the next block of rows."""
        if block.kind == Kind.ROWS:
            self._plain.add(block)
            return
        first, rows, _ = PACKED.unpack_from(block.payload)
        start = PACKED.size + 4 * rows
        ends = np.cumsum(np.frombuffer(block.payload, np.uint32, rows, PACKED.size), dtype=np.int64)
        self._firsts.append(first)
        self._blocks.append((block.offset + start, block.length - start, ends.astype(np.uint32)))
        self._count = max(self._count, first + rows)

    def __len__(self) -> int:
        return max(self._count, len(self._plain))

    def row(self, index: int) -> Row:
        """The row of this number; one without values if it is not known."""
        try:
            found = self._find(index)
            return NO_ROW if found is None else _decode_row(found)
        except (msgspec.DecodeError, zlib.error):
            return NO_ROW

    def _find(self, index: int) -> bytes | None:
        number = bisect_right(self._firsts, index) - 1
        if number < 0:
            return self._plain.find(index)
        _, _, ends = self._blocks[number]
        at = index - self._firsts[number]
        if at >= len(ends):
            return None
        return self._text(number)[int(ends[at - 1]) if at else 0 : int(ends[at]) - 1]

    def _text(self, number: int) -> bytes:
        """The JSON of a block's rows, which may still be there."""
        if number in self._unpacked:
            self._unpacked.move_to_end(number)
            return self._unpacked[number]
        offset, length, _ = self._blocks[number]
        text = zlib.decompress(os.pread(self._file, length, offset))
        self._unpacked[number] = text
        self._size += len(text)
        while self._size > CACHE_BYTES and len(self._unpacked) > 1:
            self._size -= len(self._unpacked.popitem(last=False)[1])
        return text


class PlainRows:
    """Rows that were not packed: pieces of one stream of lines, wherever they are cut."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._found: list[NDArray[np.int64]] = []
        self._ends: NDArray[np.int64] = np.zeros(0, np.int64)
        self._positions: list[int] = []  # where in the stream of rows each block starts
        self._offsets: list[int] = []  # and where in the file
        self._size = 0
        self._whole = True

    def add(self, block: Block) -> None:
        """Learn of the next block. Behind a gap the rows have no known number, so none of them is found."""
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

    def find(self, index: int) -> bytes | None:
        """The JSON of the row of this number; None if it is not known."""
        if not 0 <= index < len(self):
            return None
        start = self._ends.item(index - 1) if index else 0
        return self._read(start, self._ends.item(index) - 1)

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
