"""A run folder is finished from its journal, as often as wanted, also when the run was killed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import windowed
from perfcore.errors import UserError
from perfcore.records.journal import JournalWriter, Kind
from perfcore.report.finish import finish
from perfcore_ext import frame
from tests.reference.frame import Event, pack
from tests.reference.records import MS

NOTES: list[dict[str, Any]] = [
    {"note": "phase", "phase": "measured", "start_ns": 0, "concurrency": 2, "rate": None},
    {"note": "worker", "worker": 0, "cpu_s": 0.1, "wall_s": 1.0, "requests": 2},
    {"note": "end", "exit": 0, "ended_by": "complete"},
]

TOO_LATE = frame.ERROR_CLASSES.index("total_timeout")


def answer(number: int, start_ms: int) -> bytes:
    """Sent when due, tokens after 100, 120 and 140 ms, done after 150 ms, 3 output tokens."""
    events = [Event((start_ms + at) * MS, read_seq=at) for at in (100, 120, 140)]
    times = {"due_ns": start_ms * MS, "sent_ns": start_ms * MS, "end_ns": (start_ms + 150) * MS}
    fields: dict[str, Any] = {"http_status": 200, "streamed": 1, "output_tokens": 3, "input_tokens": 5} | times
    return pack(events, request_id=number, sequence=number, content=b"abc", finish=b"stop", **fields)


def failure(number: int) -> bytes:
    times: dict[str, Any] = {"due_ns": 150 * MS, "sent_ns": 150 * MS, "end_ns": 200 * MS}
    return pack(request_id=number, sequence=number, error_class=TOO_LATE, error=b"[red]\x1b[2Jlate", **times)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two answers and a failure, as the master leaves it."""
    return journaled(tmp_path, [answer(0, 0), answer(1, 50), failure(2)], NOTES)


def journaled(folder: Path, frames: list[bytes], notes: list[dict[str, Any]]) -> Path:
    (folder / "run.json").write_text('{"machine": {"cores": 2}}')
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b'{"id":"a","prompt":"hello"}\n')
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    for note in notes:
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    return folder


def test_finished_folder_has_metrics_page_and_report(folder: Path) -> None:
    found = finish(folder)
    assert json.loads((folder / "metrics.json").read_text()) == found
    assert found["requests"]["total"] == 3
    assert found["latency"]["ttft_ms"]["mean"] == 100.0
    assert found["latency"]["tpot_ms"]["mean"] == 20.0  # (140 - 100) / (3 - 1)
    assert found["latency"]["itl_ms"]["n"] == 4
    assert found["duration_s"] == 0.2  # 0 to 50 + 150 ms
    assert (folder / "report.html").exists()
    assert not list(folder.glob("*.png"))  # `perfcore report --png` draws them: matplotlib would cost more than the run
    assert "Validity  valid" in (folder / "report.txt").read_text()


def test_report_holds_no_control_character(folder: Path) -> None:
    finish(folder, page=False)
    shown = (folder / "report.txt").read_text()
    assert "[red]\\x1b[2Jlate" in shown
    assert "\x1b" not in shown


def test_finishing_twice_changes_nothing(folder: Path) -> None:
    first = finish(folder, page=False)
    assert finish(folder, page=False) == first
    assert not list(folder.glob("*.new"))


def test_killed_run_is_finished_and_says_what_it_is(tmp_path: Path) -> None:
    folder = journaled(tmp_path, [answer(0, 0)], NOTES[:1])
    journal = folder / "journal.bin"
    journal.write_bytes(journal.read_bytes() + b"PBLK torn")
    found = finish(folder, page=False)
    assert (found["requests"]["ok"], found["validity"]["verdict"]) == (1, "suspect")
    assert found["validity"]["reasons"][0]["what"].startswith("The run was killed")
    assert found["absent"]["workers"] == "the run was killed before its end"


def test_run_without_a_single_frame_is_finished(tmp_path: Path) -> None:
    found = finish(journaled(tmp_path, [], NOTES))
    assert (found["requests"]["total"], found["duration_s"]) == (0, None)
    assert (tmp_path / "report.html").exists()


def test_run_in_which_everything_failed_is_finished(tmp_path: Path) -> None:
    found = finish(journaled(tmp_path, [failure(0), failure(1)], NOTES))
    assert (found["requests"]["ok"], found["errors"]) == (0, {"total_timeout": 2})
    assert (tmp_path / "report.html").exists()


def test_worker_that_died_is_in_the_metrics(tmp_path: Path) -> None:
    lost = {"note": "lost_worker", "worker": 1, "exit": -9, "time_ns": 100 * MS, "said": "Traceback\nBoom"}
    found = finish(journaled(tmp_path, [answer(0, 0)], [*NOTES, lost]), page=False)
    assert [worker["lost"] for worker in found["workers"]] == [False, True]
    assert "Worker 1 was killed by signal 9 during the run (Boom)" in found["validity"]["reasons"][0]["what"]


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "has no run.json"), (b"{", "cannot be read"), (b"[]", "holds no JSON object")],
)
def test_folder_that_is_no_run_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(UserError, match=words):
        finish(tmp_path)


def test_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        finish(tmp_path / "nowhere")


def test_machine_that_is_not_described_is_no_obstacle(folder: Path) -> None:
    (folder / "run.json").write_text("{}")
    assert finish(folder, page=False)["validity"]["verdict"] == "valid"


def test_surrogate_of_a_hostile_server_does_not_stop_the_report(tmp_path: Path) -> None:
    broken = pack(request_id=0, error_class=TOO_LATE, error=b'"\\ud83d"', due_ns=1, sent_ns=2, end_ns=3)
    found = finish(journaled(tmp_path, [broken], NOTES), page=False)
    assert json.loads((tmp_path / "metrics.json").read_text()) == found


@pytest.mark.parametrize(("value", "round_one"), [(1.0, 1.0), (1.1, 2.0), (3.0, 5.0), (7e6, 1e7), (0.02, 0.02)])
def test_steps_are_of_round_length(value: float, round_one: float) -> None:
    assert windowed.round_up(value) == pytest.approx(round_one)


def test_steps_end_with_the_window() -> None:
    edges = windowed.steps(5, 1000)
    assert (edges[0], edges[-1]) == (5, 1000)
    assert (np.diff(edges) > 0).all()
