"""Many rows become a request book: in order, in bounded memory, by processes that end whatever happens."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from perfcore.errors import UserError
from perfcore.records.journal import JournalWriter, Kind, read_blocks
from perfcore.records.rows import Rows
from perfcore.run.book import BookWriter, read_book
from perfcore.run.making import parts, span
from perfcore.run.part import NO_TIME, Form
from perfcore.run.writing import Prepared, write
from perfcore.workload.dialect import load_dialect
from perfcore.workload.row import Row
from perfcore.workload.source import Rows as AnyRows
from tests.making import Words
from tests.processes import children

FORM = Form(load_dialect("openai-completions"), "m", None, True, {}, False, "own", 0.0)


def prepared(folder: Path, rows: AnyRows, makers: int | None = None) -> Prepared:
    journal = JournalWriter(folder / "journal.bin")
    try:
        with BookWriter(folder / "book") as book:
            return write(book, parts(rows, FORM, makers), None, journal)
    finally:
        journal.close()


def ids(folder: Path, count: int) -> list[bytes]:
    """Ids of the rows that the journal has."""
    with Rows(folder / "journal.bin") as rows:
        for block in read_blocks(folder / "journal.bin", kinds=[Kind.PACKED_ROWS]):
            rows.add(block)
        assert len(rows) == count
        return [bytes(rows.row(number).id) for number in range(count)]


def running_makers() -> list[psutil.Process]:
    return children(os.getpid(), "perfcore.run.maker")


def test_several_processes_make_what_one_makes(tmp_path: Path) -> None:
    rows = Words(2500, words=20)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    assert prepared(tmp_path / "one", list(rows.part(0, 2500))).rows == 2500
    assert prepared(tmp_path / "two", rows, makers=2).rows == 2500
    assert read_book(tmp_path / "one" / "book") == read_book(tmp_path / "two" / "book")
    assert ids(tmp_path / "two", 2500) == [b'"%d"' % number for number in range(2500)]
    assert running_makers() == []


def test_few_rows_start_no_process(tmp_path: Path) -> None:
    rows = Words(40, words=5, deadly=10**9)
    made = parts(rows, FORM)
    next(made)
    assert running_makers() == []
    assert sum(part.rows for part in made) == 24


def test_no_rows_make_no_parts() -> None:
    assert list(parts(Words(0), FORM, 2)) == []
    assert list(parts(iter(()), FORM)) == []


def test_the_last_part_is_as_short_as_what_is_left() -> None:
    starts = range(16, 2050, 1000)
    assert [span(starts, number) for number in range(len(starts))] == [(16, 1016), (1016, 2016), (2016, 2050)]


@pytest.mark.parametrize("makers", [1, 2])
def test_row_that_cannot_be_made_is_named(tmp_path: Path, makers: int) -> None:
    with pytest.raises(UserError, match=r"row 1,235 of the data set: its length is wrong; mend it"):
        prepared(tmp_path, Words(3000, words=5, broken=(1234, 2600)), makers)
    assert running_makers() == []


def test_row_that_cannot_be_sent_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="row b has query"):
        prepared(tmp_path, iter([Row(id="a", prompt="x"), Row(id="b", query="q", documents=["d"])]))


def test_killed_process_is_an_error_that_says_what_it_did(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"killed by signal 9 while it made rows 1,017 to 2,016; if memory ran out"):
        prepared(tmp_path, Words(3000, words=5, deadly=1500), 2)
    assert running_makers() == []


def test_fault_of_the_program_comes_with_its_traceback(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        prepared(tmp_path, Words(3000, words=5, faulty=1500), 2)


def test_processes_end_with_the_one_that_started_them() -> None:
    code = """if True:
        from tests.test_making import *
        made = parts(Words(10**6), FORM, 2)
        next(made), next(made), print("on", flush=True), input()
    """
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"on\n"
        makers = psutil.Process(process.pid).children()
        assert len(makers) == 2
        os.kill(process.pid, signal.SIGKILL)
    assert psutil.wait_procs(makers, timeout=10)[1] == []


def test_timestamps_are_kept_for_a_replay(tmp_path: Path) -> None:
    rows = [Row(id=str(at), prompt="x", timestamp_ns=time) for at, time in enumerate((None, 7, 9))]
    assert list(prepared(tmp_path, iter(rows)).timestamps_ns) == [NO_TIME, 7, 9]


def test_rows_without_timestamps_keep_none(tmp_path: Path) -> None:
    assert len(prepared(tmp_path, Words(100, words=5)).timestamps_ns) == 0


def test_large_rows_make_parts_of_few() -> None:
    sizes = [part.rows for part in parts((Row(id="x", prompt="y" * (3 << 20)) for _ in range(5)), FORM)]
    assert sizes == [2, 2, 1]
