"""The request book: every body of a run, encoded before the clock starts, in one file that all workers map.

Layout, little-endian: a header of 64 bytes (magic, count, index_offset, bytes in the file, zeros), the bodies back to
back, and at index_offset, which is a multiple of 8, for each body its offset and length. The header is written last, so
that a book that was not finished has no magic.
"""

import struct
from array import array
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from perfcore.errors import UserError

MAGIC = b"PFBOOK01"
HEADER = struct.Struct("<8sQQQ32x")
BUFFER_BYTES = 1 << 20


class BookWriter:
    """Writes a book body by body; only its index (16 bytes a body) is kept in memory. Raises UserError if it cannot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._index = array("Q")
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

    def add(self, body: bytes) -> None:
        """Append one body."""
        try:
            self._file.write(body)
        except OSError as error:
            self._drop()
            raise unwritable(self._path, error) from None
        self._index.extend((self._offset, len(body)))
        self._offset += len(body)

    def close(self) -> int:
        """Write index and header; return how many bodies the book holds."""
        count = len(self._index) // 2
        padding = -self._offset % 8
        index_offset = self._offset + padding
        try:
            self._file.write(bytes(padding))
            self._file.write(self._index)
            self._file.seek(0)
            self._file.write(HEADER.pack(MAGIC, count, index_offset, index_offset + 16 * count))
            self._file.close()
        except OSError as error:
            self._drop()
            raise unwritable(self._path, error) from None
        return count

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
    """All bodies of a book; raises ValueError if it is not a finished one."""
    data = path.read_bytes()
    magic, count, index_offset, size = HEADER.unpack_from(data)
    if magic != MAGIC or size != len(data):
        raise ValueError(f"{path} is not a finished request book")
    index = struct.unpack_from(f"<{2 * count}Q", data, index_offset)
    return [data[offset : offset + length] for offset, length in zip(index[::2], index[1::2], strict=True)]
