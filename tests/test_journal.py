import json
import mmap
import os
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perfcore.errors import UserError
from perfcore.records import journal
from perfcore.records.journal import BLOCK_HEADER, FILE_HEADER, JournalWriter, Kind, drain, read_blocks
from perfcore.types import Damage
from perfcore_ext import ring

PAYLOADS = [b"alpha", b"", b"beta" * 1000, b"gamma"]


def written(folder: Path, payloads: list[bytes] = PAYLOADS) -> Path:
    path = folder / "journal.bin"
    writer = JournalWriter(path)
    for number, payload in enumerate(payloads):
        writer.append(Kind.FRAMES, number, payload)
    writer.close()
    return path


def read(path: Path) -> tuple[list[bytes], Damage]:
    damage = Damage()
    return [bytes(block.payload) for block in read_blocks(path, damage)], damage


def test_blocks_come_back_in_order(tmp_path: Path) -> None:
    assert read(written(tmp_path)) == (PAYLOADS, Damage())


def test_block_joins_its_buffers(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.bin")
    writer.append(Kind.NOTE, 0, b"one ", bytearray(b"two "), memoryview(b"three"))
    writer.close()
    assert read(writer.path)[0] == [b"one two three"]


def test_block_says_where_in_the_stream_of_its_kind_and_worker_it_lies(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.bin")
    for kind, worker, payload in [(Kind.FRAMES, 1, b"abc"), (Kind.FRAMES, 2, b"d"), (Kind.NOTE, 1, b"{}")] * 2:
        writer.append(kind, worker, payload)
    writer.close()
    positions = [(block.worker, block.kind, block.position) for block in read_blocks(writer.path)]
    assert positions == [(1, 2, 0), (2, 2, 0), (1, 4, 0), (1, 2, 3), (2, 2, 1), (1, 4, 2)]


def test_only_the_wanted_kinds_come(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.bin")
    writer.append(Kind.ROWS, 0, b"row")
    writer.append(Kind.FRAMES, 0, b"frame")
    writer.close()
    assert [bytes(block.payload) for block in read_blocks(writer.path, kinds=[Kind.ROWS])] == [b"row"]


@settings(deadline=None)
@given(cut=st.integers(0, 300))
def test_journal_cut_anywhere_gives_the_blocks_before(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    path = written(tmp_path_factory.mktemp("cut"), [b"x" * number for number in range(8)])
    os.truncate(path, max(0, path.stat().st_size - cut))
    payloads, damage = read(path)
    assert payloads == [b"x" * number for number in range(len(payloads))]
    whole = FILE_HEADER.size + sum(BLOCK_HEADER.size + len(payload) for payload in payloads)
    assert damage == Damage(torn_bytes=max(0, path.stat().st_size - whole))


@pytest.mark.parametrize("payload", [b"alpha", b"beta" * 1000, b"\x00" * 400_000])
@pytest.mark.parametrize("at", [0, 8, 27, BLOCK_HEADER.size])
def test_damaged_block_is_skipped_and_counted(tmp_path: Path, payload: bytes, at: int) -> None:
    path = written(tmp_path, [b"before", payload, b"after"])
    data = bytearray(path.read_bytes())
    data[FILE_HEADER.size + BLOCK_HEADER.size + len(b"before") + at] ^= 1
    path.write_bytes(data)
    skipped = BLOCK_HEADER.size + len(payload)
    assert read(path) == ([b"before", b"after"], Damage(corrupt_blocks=1, skipped_bytes=skipped))


def test_header_inside_a_payload_is_not_taken_for_a_block(tmp_path: Path) -> None:
    inner = (tmp_path / "inner").resolve()
    inner.mkdir()
    payload = b"before " + written(inner).read_bytes()
    assert read(written(tmp_path, [payload, b"after"]))[0] == [payload, b"after"]


@pytest.mark.parametrize("start", [b"", b"PFC"])
def test_file_without_a_whole_header_has_no_blocks(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "journal.bin"
    path.write_bytes(start)
    assert read(path) == ([], Damage())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"something else entirely", "is not a perfcore journal"),
        (FILE_HEADER.pack(journal.FILE_MAGIC, 99, 0), "format 99; this perfcore reads format 1"),
    ],
)
def test_file_that_is_no_journal_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "journal.bin").write_bytes(content)
    with pytest.raises(UserError, match=message):
        read(tmp_path / "journal.bin")


def test_missing_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the journal .*journal.bin"):
        read(tmp_path / "journal.bin")


def test_existing_journal_is_never_written_over(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="File exists"):
        JournalWriter(written(tmp_path))


def test_full_disk_leaves_whole_blocks_and_says_so(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.bin")
    writer.append(Kind.FRAMES, 0, b"whole")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(UserError, match="disk full"):
            writer.append(Kind.FRAMES, 0, b"x" * 600, b"y" * 600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    writer.append(Kind.NOTE, 0, json.dumps({"disk": "has room again"}).encode())
    writer.close()
    assert read(writer.path) == ([b"whole", b'{"disk": "has room again"}'], Damage())


def test_drain_moves_what_a_ring_holds(tmp_path: Path) -> None:
    memory = mmap.mmap(-1, ring.ring_bytes(16))
    ring.create(memory, 16)
    source, reader = ring.Writer(memory), ring.Reader(memory)
    target = JournalWriter(tmp_path / "journal.bin")
    for text in (b"0123456789", b"abcdefghij"):
        source.put(text)
        source.commit()
        assert drain(reader, target, 3) == 10
    assert drain(reader, target, 3) == 0
    target.close()
    assert [(block.worker, bytes(block.payload)) for block in read_blocks(target.path)] == [
        (3, b"0123456789"),
        (3, b"abcdefghij"),
    ]
