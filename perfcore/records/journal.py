"""The journal of a run: an append-only file of checked blocks, the source of everything else in the run folder.

The file starts with FILE_HEADER. Each block is BLOCK_HEADER and a payload. Blocks of one kind and worker are pieces of
one byte stream and say where in it they lie (`position`), so that a reader knows exactly where a damaged block left a
gap. Header and payload are checked apart: a length is trusted before its payload is read, and nothing inside a payload
is taken for a header.
"""

import errno
import os
import struct
import zlib
from collections.abc import Collection, Iterator
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

from perfcore.errors import UserError
from perfcore.types import Damage
from perfcore_ext.ring import Reader

FILE_HEADER = struct.Struct("<8sII")  # magic, version, zero
FILE_MAGIC = b"PFCJRNL\0"
VERSION = 1
BLOCK_HEADER = struct.Struct("<IHHQQII")  # magic, kind, worker, length, position, crc of payload, crc of the rest
BLOCK_MAGIC = 0x4B4C4250  # "PBLK", little endian
MAX_DRAIN_BYTES = 4 << 20
WINDOW_BYTES = 1 << 18
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Kind(IntEnum):
    ROWS = 1  # newline-separated JSON: the rows of the data set in the order of their index
    FRAMES = 2  # what a worker wrote into its ring
    LOST = 3  # JSON list: requests that a dead worker had claimed
    NOTE = 4  # JSON object: facts about the run
    PACKED_ROWS = 5  # rows of the data set, packed: see perfcore/records/rows.py


class Block(NamedTuple):
    kind: int
    worker: int
    position: int  # of the payload in the stream of its kind and worker
    offset: int  # of the payload in the file
    length: int
    payload: memoryview


class JournalWriter:
    """Appends blocks to a new file. Raises UserError when the file exists, cannot be created or the disk is full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self._positions: dict[tuple[int, int], int] = {}
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UserError(f"cannot create the journal {path}: {error.strerror}") from error
        self._write([FILE_HEADER.pack(FILE_MAGIC, VERSION, 0)])

    def append(self, kind: Kind, worker: int, *buffers: bytes | bytearray | memoryview) -> None:
        """Write one block whose payload is `buffers` joined, without copying them. A full disk leaves whole blocks."""
        length, crc = 0, 0
        for buffer in buffers:
            length += len(buffer)
            crc = zlib.crc32(buffer, crc)
        stream = (int(kind), worker)
        position = self._positions.get(stream, 0)
        self._write([_block_header(kind, worker, length, position, crc), *buffers])
        self._positions[stream] = position + length

    def close(self) -> None:
        os.close(self._file)

    def _write(self, buffers: list[bytes | bytearray | memoryview]) -> None:
        total = sum(map(len, buffers))
        try:
            written = os.writev(self._file, buffers)
            while written < total:
                written += os.write(self._file, _rest(buffers, written))
        except OSError as error:
            os.ftruncate(self._file, self.size)
            if error.errno in DISK_FULL:
                raise UserError(f"cannot write {self.path}: disk full; free space and run again") from error
            raise
        self.size += total


def drain(reader: Reader, journal: JournalWriter, worker: int) -> int:
    """Move the bytes that the ring holds now into the journal; returns how many. What comes meanwhile is left."""
    left = total = reader.available
    while left:
        first, second = reader.peek(min(left, MAX_DRAIN_BYTES))
        journal.append(Kind.FRAMES, worker, first, second)
        moved = len(first) + len(second)
        reader.consume(moved)
        left -= moved
    return total


def read_blocks(
    path: Path, damage: Damage | None = None, kinds: Collection[Kind] = tuple(Kind), end: int | None = None
) -> Iterator[Block]:
    """The good blocks of these kinds in file order, one at a time in memory; `damage` counts what is not readable.

    `end` is where to stop (default: the size of the file now). Payloads of other kinds are passed over unread. Raises
    UserError when the file is missing or is no journal.
    """
    damage = Damage() if damage is None else damage
    with _Window(path) as window:
        end = window.size if end is None else end
        at = _check_file_header(path, window, end)
        while at < end:
            block = _read_block(window, at, end, kinds)
            if block is None:
                following = _find_block(window, at + 1, end)
                _count(damage, at, following, end)
                at = following
                continue
            if block.kind in kinds:
                yield block
            at = block.offset + block.length


def open_journal(path: Path) -> int:
    """A file descriptor to read from. Raises UserError when there is none."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise UserError(f"cannot read the journal {path}: {error.strerror}") from error


class _Window:
    """Ranges of a file; what is read for one small range serves the next ones."""

    def __init__(self, path: Path) -> None:
        self._file = open_journal(path)
        self.size = os.fstat(self._file).st_size
        self._at = 0
        self._view = memoryview(b"")

    def __enter__(self) -> "_Window":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def read(self, at: int, size: int) -> memoryview:
        """The bytes [at, at + size), fewer at the end of the file."""
        if not self._at <= at <= at + size <= self._at + len(self._view):
            self._at, self._view = at, memoryview(_read_fully(self._file, at, max(size, WINDOW_BYTES)))
        return self._view[at - self._at : at - self._at + size]


def _read_fully(file: int, at: int, size: int) -> bytes:
    """One pread hands over at most 2 GiB and may stop earlier."""
    data = os.pread(file, size, at)
    while len(data) < size and (more := os.pread(file, size - len(data), at + len(data))):
        data += more
    return data


def _check_file_header(path: Path, window: _Window, end: int) -> int:
    if end < FILE_HEADER.size:
        return end
    magic, version, _ = FILE_HEADER.unpack(window.read(0, FILE_HEADER.size))
    if magic != FILE_MAGIC:
        raise UserError(f"{path} is not a perfcore journal")
    if version != VERSION:
        raise UserError(f"{path} is a journal of format {version}; this perfcore reads format {VERSION}")
    return FILE_HEADER.size


def _block_header(kind: int, worker: int, length: int, position: int, crc: int) -> bytes:
    header = BLOCK_HEADER.pack(BLOCK_MAGIC, kind, worker, length, position, crc, 0)[:-4]
    return header + zlib.crc32(header).to_bytes(4, "little")


def _read_block(window: _Window, at: int, end: int, kinds: Collection[Kind]) -> Block | None:
    """The block at `at`, its payload empty unless its kind is wanted. None if there is no whole, good one."""
    header = window.read(at, BLOCK_HEADER.size)
    if len(header) < BLOCK_HEADER.size or at + BLOCK_HEADER.size > end:
        return None
    magic, kind, worker, length, position, crc, header_crc = BLOCK_HEADER.unpack(header)
    offset = at + BLOCK_HEADER.size
    if magic != BLOCK_MAGIC or zlib.crc32(header[:-4]) != header_crc or offset + length > end:
        return None
    payload = window.read(offset, length if kind in kinds else 0)
    if kind in kinds and zlib.crc32(payload) != crc:
        return None
    return Block(kind, worker, position, offset, length, payload)


def _find_block(window: _Window, at: int, end: int) -> int:
    """Where the next whole block starts; `end` if there is none. A block whose payload is bad does not count."""
    magic = BLOCK_MAGIC.to_bytes(4, "little")
    while at < end:
        found = bytes(window.read(at, min(WINDOW_BYTES, end - at))).find(magic)
        if found < 0:
            at += max(1, min(WINDOW_BYTES, end - at) - len(magic) + 1)
        elif _read_block(window, at + found, end, ()):
            return at + found
        else:
            at += found + 1
    return end


def _count(damage: Damage, at: int, following: int, end: int) -> None:
    if following == end:
        damage.torn_bytes += end - at
    else:
        damage.corrupt_blocks += 1
        damage.skipped_bytes += following - at


def _rest(buffers: list[bytes | bytearray | memoryview], written: int) -> memoryview:
    """What follows the first `written` bytes of `buffers`, up to the end of one of them."""
    for buffer in buffers:
        if written < len(buffer):
            return memoryview(buffer)[written:]
        written -= len(buffer)
    return memoryview(b"")
