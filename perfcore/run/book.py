"""The request book: every body of a run, encoded before the clock starts, in one file that all workers map.

Layout, little-endian: a header of 64 bytes (magic, count, index_offset, bytes in the file, rows, rows_offset, zeros),
the bodies back to back, at index_offset an entry for each body (ENTRY), and at rows_offset for each row of the data set
the number of its first entry, and after the last one the number of entries: a conversation has an entry a turn.
A body that contains answers to earlier turns has a SPLICE for each in front of it: where the answer goes, and whose it
is. Both tables lie at multiples of 8. The header is written last, so that an unfinished book has no magic.
"""

import struct
from array import array
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from perfcore.errors import UserError

MAGIC = b"PFBOOK02"
HEADER = struct.Struct("<8sQQQQQ16x")
ENTRY = struct.Struct("<QQqII")  # offset, length, think_ns, splices, turn
SPLICE = struct.Struct("<QII")  # position in the body, turn, zero
BUFFER_BYTES = 1 << 20


class BookWriter:
    """Writes a book body by body; only tables (40 bytes a body) are kept in memory. Raises UserError if it cannot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index = bytearray()
        self._rows = array("Q")
        self._offset = HEADER.size
        try:
            self._file = path.open("wb", buffering=BUFFER_BYTES)
            self._file.write(bytes(HEADER.size))
        except OSError as error:
            raise unwritable(path, error) from None

    def __enter__(self) -> "BookWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if not self._file.closed:
            self.close() if kind is None else self._drop()

    def add(self, body: bytes, splices: Sequence[tuple[int, int]] = (), turn: int = 0, think_ns: int = 0) -> None:
        """Append one body: of a new row, or if it is no first turn, of the row before.

        `splices`: (position, earlier turn) in ascending order of where the answers to earlier turns go.
        """
        if turn == 0:
            self._rows.append(len(self._index) // ENTRY.size)
        self._index += ENTRY.pack(self._offset, len(body), think_ns, len(splices), turn)
        self._write(b"".join(SPLICE.pack(position, earlier, 0) for position, earlier in splices) + body)

    def close(self) -> int:
        """Write tables and header; return how many rows the book holds."""
        rows, count = len(self._rows), len(self._index) // ENTRY.size
        self._write(bytes(-self._offset % 8))
        index_offset = self._offset
        self._rows.append(count)
        self._write(self._index)
        rows_offset = self._offset
        self._write(self._rows.tobytes())
        try:
            self._file.seek(0)
            self._file.write(HEADER.pack(MAGIC, count, index_offset, self._offset, rows, rows_offset))
            self._file.close()
        except OSError as error:
            self._drop()
            raise unwritable(self._path, error) from None
        return rows

    def _write(self, data: bytes | bytearray) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            self._drop()
            raise unwritable(self._path, error) from None
        self._offset += len(data)

    def _drop(self) -> None:
        # Closing writes what is still buffered, which on a full disk fails once more and closes all the same.
        with suppress(OSError):
            self._file.close()


def unwritable(path: Path, error: OSError) -> UserError:
    """What to tell a user whose disk is full or may not be written to."""
    return UserError(
        f"cannot write the request book {path}: {error.strerror}; free some space or choose another folder with --out"
    )


def read_book(path: Path) -> list[bytes]:
    """All bodies of a book as they were added; raises ValueError if it is not a finished one."""
    data = path.read_bytes()
    magic, count, index_offset, size, _, _ = HEADER.unpack_from(data)
    if magic != MAGIC or size != len(data):
        raise ValueError(f"{path} is not a finished request book")
    entries = (ENTRY.unpack_from(data, index_offset + at * ENTRY.size) for at in range(count))
    starts = ((offset + splices * SPLICE.size, length) for offset, length, _, splices, _ in entries)
    return [data[start : start + length] for start, length in starts]
