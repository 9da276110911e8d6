"""outputs.jsonl: one line for each measured request, with the row of the data set that it came from."""

import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress, repeat
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records import frame as frames
from perfcore.records import think
from perfcore.records.assembly import Choice, ToolCall, assemble
from perfcore.records.frame import Frames
from perfcore.records.journal import Block, open_journal
from perfcore.records.think import Tags
from perfcore.types import Requests

NULL = msgspec.Raw(b"null")
EMPTY = msgspec.Raw(b"{}")
NEWLINE = ord("\n")
RANGES = ("error", "content", "reasoning", "tool", "raw")


class Message(msgspec.Struct):
    """A message of a conversation."""

    role: str = ""
    content: msgspec.Raw = NULL


class Row(msgspec.Struct):
    """A row of the data set as the journal has it; its values are passed on as they stand."""

    id: msgspec.Raw = NULL
    prompt: msgspec.Raw = NULL
    messages: msgspec.Raw = NULL
    token_ids: msgspec.Raw = NULL
    query: msgspec.Raw = NULL
    input: msgspec.Raw = NULL
    turns: list[Message] | None = None
    reference: msgspec.Raw = NULL
    meta: msgspec.Raw = EMPTY

    def asked(self, turn: int) -> msgspec.Raw:
        """What the row asks: its prompt in whatever form, or what the user says in this turn."""
        if self.turns is not None:
            said = [message.content for message in self.turns if message.role == "user"]
            return said[turn] if turn < len(said) else NULL
        given = (self.prompt, self.messages, self.token_ids, self.query, self.input)
        return next((asked for asked in given if bytes(asked) != b"null"), NULL)


class Line(msgspec.Struct):
    """What one line holds; null where there is none."""

    id: msgspec.Raw
    index: int | None
    repeat: int | None
    turn: int
    prompt: msgspec.Raw
    prediction: str | None
    reasoning: str | None
    tool_arguments: str | None
    tool_calls: Sequence[ToolCall] | None
    finish_reason: str | None
    error: str | None
    reference: msgspec.Raw
    meta: msgspec.Raw
    choices: list[str] | msgspec.UnsetType = msgspec.UNSET
    logprobs: Any = msgspec.UNSET


class Texts(NamedTuple):
    """What an answer says; `choices` only where there are several, of which the rest is the first."""

    content: str
    reasoning: str
    tool_calls: Sequence[ToolCall]
    finish_reason: str | None
    choices: list[str] | msgspec.UnsetType
    logprobs: Any


_decode_row = msgspec.json.Decoder(Row).decode
_encode = msgspec.json.Encoder().encode
NO_ROW = Row(meta=NULL)


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


def write_frames(
    file: BinaryIO,
    cut: Frames,
    table_rows: NDArray[np.int64],
    requests: Requests,
    rows: Rows,
    tags: Tags | None,
) -> None:
    """A line for each frame whose row in `requests` is not negative. Reasoning between `tags` is told from the text."""
    wanted = np.flatnonzero(table_rows >= 0)
    columns = [frames.ranges(cut, name) for name in RANGES]
    ranges: Iterator[tuple[bytes, ...]] = zip(*columns, strict=True)
    if wanted.size < len(cut):
        ranges = compress(ranges, table_rows >= 0)
    file.writelines(_lines(table_rows[wanted], requests, rows, ranges, tags))


def write_lost(file: BinaryIO, table_rows: NDArray[np.int64], requests: Requests, rows: Rows) -> None:
    """A line for each of these rows of `requests`, which left no frame."""
    file.writelines(_lines(table_rows, requests, rows, repeat((b"",) * len(RANGES)), None))


def _lines(
    table_rows: NDArray[np.int64],
    requests: Requests,
    rows: Rows,
    ranges: Iterable[tuple[bytes, ...]],
    tags: Tags | None,
) -> Iterator[bytes]:
    """One after the other: `ranges` has those of each row in the order of RANGES."""
    names = (*requests.finish_reasons, None)  # -1 is None
    columns = (requests.index, requests.repeat, requests.turn, requests.finish_reason, requests.error_class)
    values = zip(*(column[table_rows].tolist() for column in columns), strict=True)
    for (index, number, turn, finish, code), (error, content, reasoning, tool, raw) in zip(
        values, ranges, strict=False
    ):
        row = rows.row(index)
        said = _texts(content, reasoning, raw, names[finish], tags)
        line = Line(
            id=row.id,
            index=index if index >= 0 else None,
            repeat=number if number >= 0 else None,
            turn=max(turn, 0),
            prompt=row.asked(turn),
            prediction=said.content or None,
            reasoning=said.reasoning or None,
            tool_arguments=frames.text(tool) if tool else None,
            tool_calls=said.tool_calls or None,
            finish_reason=said.finish_reason,
            error=_error(requests.error_classes[code], error) if code else None,
            reference=row.reference,
            meta=row.meta,
            choices=said.choices,
            logprobs=said.logprobs,
        )
        yield _encode(line) + b"\n"


def _texts(content: bytes, reasoning: bytes, raw: bytes, finish: str | None, tags: Tags | None) -> Texts:
    """From the ranges of an answer; what its events hold beyond them is known only where these were kept."""
    choices = assemble(raw) if raw else []
    if len(choices) > 1:
        return _first_of(choices, tags)
    answer, thought = frames.text(content) if content else "", frames.text(reasoning) if reasoning else ""
    if not thought and think.may_have(content, tags):
        answer, thought = _parted(answer, "", tags)
    calls, logprobs = (choices[0].tool_calls, choices[0].logprobs) if choices else ((), None)
    return Texts(answer, thought, calls, finish, msgspec.UNSET, msgspec.UNSET if logprobs is None else logprobs)


def _first_of(choices: Sequence[Choice], tags: Tags | None) -> Texts:
    parted = [_parted(choice.text, choice.reasoning, tags) for choice in choices]
    (answer, thought), first = parted[0], choices[0]
    logprobs = msgspec.UNSET if first.logprobs is None else first.logprobs
    return Texts(answer, thought, first.tool_calls, first.finish_reason, [text for text, _ in parted], logprobs)


def _parted(content: str, reasoning: str, tags: Tags | None) -> tuple[str, str]:
    """The answer and its reasoning, which may still be in the content."""
    found = think.split(content, tags) if tags is not None and not reasoning else None
    return (content, reasoning) if found is None else (found.answer, found.reasoning)


def _error(name: str, message: bytes) -> str:
    """The class of the failure and what the server said."""
    return f"{name}: {frames.error_text(message)}" if message else name
