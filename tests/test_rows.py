"""Rows of the data set in the journal: packed or plain, whole or damaged."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perfcore.records import rows as records
from perfcore.records.journal import JournalWriter, Kind, read_blocks
from perfcore.records.rows import Rows, pack

LINES = [json.dumps({"id": f"row-{number}", "prompt": "x" * number}).encode() for number in range(10)]


def packed(path: Path, *cuts: int) -> Path:
    journal = JournalWriter(path)
    for first, stop in zip((0, *cuts), (*cuts, len(LINES)), strict=True):
        block = pack(LINES[first:stop])
        journal.append(Kind.PACKED_ROWS, 0, block.head(first), block.data)
    journal.close()
    return path


def read(path: Path) -> dict[int, str]:
    """Ids of the rows that can be read, by number."""
    with Rows(path) as rows:
        for block in read_blocks(path, kinds=[Kind.ROWS, Kind.PACKED_ROWS]):
            rows.add(block)
        found = {number: json.loads(bytes(rows.row(number).id)) for number in range(-1, len(rows) + 1)}
    return {number: name for number, name in found.items() if name is not None}


@given(cuts=st.sets(st.integers(1, 9)))
def test_rows_come_back_however_they_are_cut(tmp_path_factory: pytest.TempPathFactory, cuts: set[int]) -> None:
    path = packed(tmp_path_factory.mktemp("rows") / "journal.bin", *sorted(cuts))
    assert read(path) == {number: f"row-{number}" for number in range(10)}


def test_rows_behind_a_damaged_block_keep_their_numbers(tmp_path: Path) -> None:
    path = packed(tmp_path / "journal.bin", 3, 7)
    data = bytearray(path.read_bytes())
    (_, second, _) = read_blocks(path)
    data[second.offset + second.length - 1] ^= 1
    path.write_bytes(data)
    assert read(path) == {number: f"row-{number}" for number in (0, 1, 2, 7, 8, 9)}


def test_unpacked_rows_are_kept_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "CACHE_BYTES", 1)
    path = packed(tmp_path / "journal.bin", 3, 7)
    with Rows(path) as rows:
        for block in read_blocks(path):
            rows.add(block)
        assert [json.loads(bytes(rows.row(at).id)) for at in (9, 0, 8, 1)] == ["row-9", "row-0", "row-8", "row-1"]
        assert len(rows._unpacked) == 1


def test_rows_of_journals_that_do_not_pack_them_are_read(tmp_path: Path) -> None:
    journal = JournalWriter(tmp_path / "journal.bin")
    data = b"\n".join(LINES) + b"\n"
    for at in range(0, len(data), 33):
        journal.append(Kind.ROWS, 0, data[at : at + 33])
    journal.close()
    assert read(tmp_path / "journal.bin") == {number: f"row-{number}" for number in range(10)}


def test_limit_of_a_turn_goes_before_that_of_its_row() -> None:
    said = [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "max_tokens": 3}]
    row = records._decode_row(json.dumps({"turns": said, "max_tokens": 9}).encode())
    assert [row.limit(turn) for turn in (0, 1, 2)] == [9, 3, 9]
    assert [bytes(row.asked(turn)) for turn in (0, 1, 2)] == [b'"a"', b'"b"', b"null"]
