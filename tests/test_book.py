"""The request book: what is written can be read, at the places that the layout says."""

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.run.book import BookWriter, read_book
from perfcore_ext.book import Book


def written(path: Path, bodies: list[bytes]) -> int:
    book = BookWriter(path)
    for body in bodies:
        book.add(body)
    return book.close()


@given(st.lists(st.binary(max_size=40)))
def test_bodies_come_back_in_order(bodies: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        assert written(path, bodies) == len(bodies)
        assert read_book(path) == bodies


def test_header_and_tables_lie_where_the_layout_says(tmp_path: Path) -> None:
    written(tmp_path / "book", [b"abc", b"de"])
    data = (tmp_path / "book").read_bytes()
    assert struct.unpack("<8sQQQQQ16s", data[:64]) == (b"PFBOOK03", 2, 72, 176, 2, 152, bytes(16))
    assert data[64:72] == b"abcde\0\0\0"
    assert struct.unpack("<QQqIIIIQQqIIII", data[72:152]) == (64, 3, 0, 0, 0, 0, 0, 67, 2, 0, 0, 0, 0, 0)
    assert struct.unpack("<3Q", data[152:]) == (0, 1, 2)


def test_turns_of_a_conversation_share_a_row(tmp_path: Path) -> None:
    with BookWriter(tmp_path / "book") as book:
        book.add(b"first")
        book.add(b"second", [(3, 0)], turn=1, think_ns=7)
        assert book.close() == 1
    assert read_book(tmp_path / "book") == [b"first", b"second"]
    assert len(Book((tmp_path / "book").read_bytes())) == 1


def test_header_lines_of_a_request_lie_in_front_of_its_body(tmp_path: Path) -> None:
    with BookWriter(tmp_path / "book") as book:
        book.add(b"body", headers=("X-A: 1", "X-B: ü"))
    assert read_book(tmp_path / "book") == [b"body"]
    assert (tmp_path / "book").read_bytes()[64:83] == "X-A: 1\0X-B: ü\0body".encode()


def test_bodies_larger_than_the_buffer_are_whole(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 3_000_000 for number in range(3)]
    written(tmp_path / "book", bodies)
    assert read_book(tmp_path / "book") == bodies


def test_a_book_that_was_not_finished_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(KeyError), BookWriter(tmp_path / "book") as book:
        book.add(b"abc")
        raise KeyError
    with pytest.raises(ValueError, match="not a finished request book"):
        read_book(tmp_path / "book")


def test_a_with_statement_finishes_the_book(tmp_path: Path) -> None:
    with BookWriter(tmp_path / "book") as book:
        book.add(b"abc")
    assert read_book(tmp_path / "book") == [b"abc"]


def test_a_full_disk_is_the_users_to_mend() -> None:
    with pytest.raises(UserError, match="/dev/full: No space left on device; free some space"):
        written(Path("/dev/full"), [b"x" * 2_000_000])


def test_a_disk_that_is_full_at_the_end_is_found_out_too() -> None:
    with pytest.raises(UserError, match="No space left on device"):
        written(Path("/dev/full"), [b"x"])


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere/book: No such file or directory"):
        BookWriter(tmp_path / "nowhere" / "book")
