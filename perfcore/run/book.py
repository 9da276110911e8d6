"""The request book: every body of a run, encoded before the clock starts, in one file that all workers map.

Layout, little-endian: a header of 64 bytes (magic, count, index_offset, bytes in the file, rows, rows_offset,
facts_offset, bytes of facts), the bodies back to back, at index_offset an entry for each body (ENTRY), and at
rows_offset for each row of the data set the number of its first entry, and after the last one the number of entries: a
conversation has an entry a turn.
In front of a body lie a SPLICE for each answer to an earlier turn that it contains (where the answer goes, and whose it
is), then the header lines of its request alone, each with a NUL at its end. Both tables lie at multiples of 8. The
header is written last, so that an unfinished book has no magic.
A book that is kept has facts, and the rows of its data set between the bodies: see perfcore/run/kept_book.py.
"""

import struct
import tempfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import numpy as np

from perfcore.errors import UserError

MAGIC = b"PFBOOK03"
HEADER = struct.Struct("<8sQQQQQQQ")
ENTRY = struct.Struct("<QQqIIII")  # offset, length, think_ns, splices, turn, headers, header_bytes
ENTRY_TYPE = np.dtype([("offset", "<u8"), ("rest", "V32")])
SPLICE = struct.Struct("<QII")  # position in the body, turn, zero
BUFFER_BYTES = 1 << 20


class Bodies(NamedTuple):
    """Bodies back to back, their entries with offsets from the first byte, and the first entry of each row (uint64)."""

    data: bytes
    entries: bytes
    firsts: bytes


class Gathering:
    """Puts bodies together that will go into a book as one piece."""

    def __init__(self) -> None:
        self._data: list[bytes] = []
        self._index = bytearray()
        self._firsts = array("Q")
        self.size = 0

    def add(
        self,
        body: bytes,
        splices: Sequence[tuple[int, int]] = (),
        turn: int = 0,
        think_ns: int = 0,
        headers: Sequence[str] = (),
    ) -> None:
        """Append one body: of a new row, or if it is no first turn, of the row before.

        `splices`: (position, earlier turn) in ascending order of where the answers to earlier turns go. `headers`:
        lines of its request alone.
        """
        if turn == 0:
            self._firsts.append(len(self._index) // ENTRY.size)
        lines = b"".join(line.encode() + b"\0" for line in headers)
        self._index += ENTRY.pack(self.size, len(body), think_ns, len(splices), turn, len(headers), len(lines))
        pieces = [*(SPLICE.pack(position, earlier, 0) for position, earlier in splices), lines, body]
        self._data += pieces
        self.size += sum(map(len, pieces))

    def taken(self) -> Bodies:
        """What was added."""
        return Bodies(b"".join(self._data), bytes(self._index), self._firsts.tobytes())


class BookWriter:
    """Writes a book; nothing of it is kept in memory. Raises UserError if it cannot, which names `option` as remedy."""

    def __init__(self, path: Path, option: str = "--out") -> None:
        self._path = path
        self._option = option
        self._count = 0
        self._offset = HEADER.size
        try:
            self._file = path.open("wb", buffering=BUFFER_BYTES)
            self._file.write(bytes(HEADER.size))
        except OSError as error:
            raise unwritable(path, error, option) from None
        # Both tables come behind the bodies: until then they wait in files without a name.
        self._index = tempfile.SpooledTemporaryFile(BUFFER_BYTES, dir=str(path.parent))  # noqa: SIM115
        self._firsts = tempfile.SpooledTemporaryFile(BUFFER_BYTES, dir=str(path.parent))  # noqa: SIM115

    def __enter__(self) -> "BookWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._file.closed:
            self.close() if kind is None else self._drop()

    def add(
        self,
        body: bytes,
        splices: Sequence[tuple[int, int]] = (),
        turn: int = 0,
        think_ns: int = 0,
        headers: Sequence[str] = (),
    ) -> None:
        """Append one body: of a new row, or if it is no first turn, of the row before.

        `splices`: (position, earlier turn) in ascending order of where the answers to earlier turns go. `headers`:
        lines of its request alone.
        """
        one = Gathering()
        one.add(body, splices, turn, think_ns, headers)
        self.add_many(one.taken())

    def add_many(self, bodies: Bodies) -> None:
        """Append bodies that were put together elsewhere."""
        entries = np.frombuffer(bodies.entries, ENTRY_TYPE).copy()
        entries["offset"] += self._offset
        firsts = np.frombuffer(bodies.firsts, np.uint64) + np.uint64(self._count)
        self._write(bodies.data)
        with self._mended():
            self._index.write(entries.tobytes())
            self._firsts.write(firsts.tobytes())
        self._count += len(entries)

    def add_aside(self, data: bytes) -> int:
        """Append what is no body; returns its offset in the file."""
        offset = self._offset
        self._write(data)
        return offset

    def close(self, facts: bytes = b"") -> int:
        """Write facts, tables and header; return how many rows the book holds."""
        facts_offset = self.add_aside(facts) if facts else 0
        self._write(bytes(-self._offset % 8))
        index_offset = self._offset
        self._copy(self._index)
        rows_offset = self._offset
        self._firsts.write(self._count.to_bytes(8, "little"))
        self._copy(self._firsts)
        rows = (self._offset - rows_offset) // 8 - 1
        head = (MAGIC, self._count, index_offset, self._offset, rows, rows_offset, facts_offset, len(facts))
        with self._mended():
            self._file.seek(0)
            self._file.write(HEADER.pack(*head))
            self._file.close()
        return rows

    def _copy(self, table: "tempfile.SpooledTemporaryFile[bytes]") -> None:
        table.seek(0)
        while piece := table.read(BUFFER_BYTES):
            self._write(piece)
        table.close()

    def _write(self, data: bytes) -> None:
        with self._mended():
            self._file.write(data)
        self._offset += len(data)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn what the disk refuses into a sentence."""
        try:
            yield
        except OSError as error:
            self._drop()
            raise unwritable(self._path, error, self._option) from None

    def _drop(self) -> None:
        # Closing writes what is still buffered, which on a full disk fails once more and closes all the same.
        with suppress(OSError):
            self._file.close()
        self._index.close()
        self._firsts.close()


def unwritable(path: Path, error: OSError, option: str) -> UserError:
    """What to tell a user whose disk is full or may not be written to."""
    return UserError(
        f"cannot write the request book {path}: {error.strerror}; free some space or choose another folder with "
        f"{option}"
    )


def read_book(path: Path) -> list[bytes]:
    """All bodies of a book as they were added; raises ValueError if it is not a finished one."""
    data = path.read_bytes()
    magic, count, index_offset, size, _, _, _, _ = HEADER.unpack_from(data)
    if magic != MAGIC or size != len(data):
        raise ValueError(f"{path} is not a finished request book")
    entries = (ENTRY.unpack_from(data, index_offset + at * ENTRY.size) for at in range(count))
    starts = ((offset + splices * SPLICE.size + lines, length) for offset, length, _, splices, _, _, lines in entries)
    return [data[start : start + length] for start, length in starts]
