"""The report of a steady run, and what an analysis of a run leaves in its folder."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perfcore.analysis import metrics
from perfcore.errors import UserError
from perfcore.records.journal import JournalWriter, Kind
from perfcore.report import steady, terminal
from perfcore.report.finish import finish, finish_steady
from perfcore.report.text import number
from tests import closed_loop
from tests.reference.frame import Event, pack
from tests.reference.loops import run_of
from tests.reference.records import MS

SLOTS = 20
END: dict[str, Any] = {"note": "end", "exit": 0, "ended_by": "complete"}


def found(held_s: float = 80.0, followed: bool | None = True, **more: Any) -> dict[str, Any]:
    rng = np.random.default_rng(1)
    loop = closed_loop.closed(rng, SLOTS, closed_loop.uniform, held_s, ramp_s=5.0, **more)
    return metrics.compute(run_of(loop, SLOTS, followed), 2, steady=True)


def rows_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(label))


def test_verdict_comes_first_and_then_the_window_with_its_reasons() -> None:
    lines = terminal.render(found(), None).splitlines()
    assert lines[0] == "Steady state  steady"
    assert "times the p95 latency" in lines[1]
    assert lines[2].strip().startswith("from ")
    assert "to 80.00 s: the window was as long as asked for" in lines[3]
    assert "% of the run's" in lines[4]


def test_headline_numbers_have_their_intervals() -> None:
    metrics = found()
    shown = rows_of(terminal.render(metrics, None), "Output tokens/s").split()
    low, high = metrics["throughput"]["ci95"]["output_tokens_per_s"]
    value = metrics["throughput"]["output_tokens_per_s"]
    assert shown[2] == number(value)
    assert shown[3] == f"{50 * (high - low) / value:.2g}"
    assert shown[5:8] == [number(low), "to", number(high)]


def test_number_without_an_interval_has_dashes() -> None:
    assert rows_of(terminal.render(found(), None), "TTFT p99 (ms)").split()[-3:] == ["-", "-", "-"]


def test_rates_of_everything_are_shown_where_requests_failed() -> None:
    assert "failed too" not in terminal.render(found(), None)
    assert "Requests/s, failed too" in terminal.render(found(failing=0.1), None)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize("held_s", [3.0, 80.0])
def test_no_line_is_wider_than_the_terminal(width: int, held_s: float) -> None:
    shown = terminal.render(found(held_s, None, kept_up=False), Path("outputs/run"), width)
    assert max(map(len, shown.splitlines())) <= width


def test_run_without_a_window_says_why_and_what_to_do() -> None:
    shown = terminal.render(found(3.0), None)
    assert shown.startswith("Steady state  too short\n  There is no window to measure")
    assert "--duration" in shown
    assert "How sure" not in shown
    assert "nan" not in shown.lower()


def test_run_that_was_not_held_says_what_it_cannot_give() -> None:
    shown = terminal.render(found(followed=None, kept_up=False), None)
    assert "What this run cannot give\n  The load was not kept up after the last request was sent" in shown


def test_chart_of_the_load_has_the_window_under_it() -> None:
    lines = terminal.render(found(), None, width=80).splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("In flight over time, 20 asked for"))
    assert lines[at + 1].split()[0] == "20.00"
    assert "█" in lines[at + 4]
    window = next(line for line in lines if line.startswith("    window"))
    assert window.rstrip().endswith("┤")


@pytest.mark.parametrize(
    ("window", "line"),
    [((0.0, 10.0), "├────────┤"), ((5.0, 10.0), "     ├───┤"), ((9.99, 10.0), "        ├┤"), ((0.0, 0.01), "├┤")],
)
def test_mark_of_the_window_lies_under_its_part_of_the_chart(window: tuple[float, float], line: str) -> None:
    assert steady.span({"start_s": window[0], "end_s": window[1]}, 10.0, 10) == line


def test_series_keeps_its_sum_when_it_is_drawn_anew() -> None:
    edges, values = np.array([0.0, 1.0, 2.0, 3.5]), np.array([4.0, 0.0, 2.0])
    for columns in (2, 3, 50):
        assert steady.resampled(edges, values, columns).sum() * 3.5 / columns == pytest.approx(7.0)


def answer(number: int, start_ms: int) -> bytes:
    """Tokens 20, 60 and 100 ms after sending, done with the last."""
    events = [Event((start_ms + at) * MS, read_seq=at) for at in (20, 60, 100)]
    times = {"due_ns": start_ms * MS, "sent_ns": start_ms * MS, "end_ns": (start_ms + 100) * MS}
    return pack(events, request_id=number, sequence=number, http_status=200, streamed=1, output_tokens=6, **times)


def journaled(folder: Path, held: bool, command: str = "stress") -> Path:
    """Two slots, 40 requests of 100 ms each; with `held` the load was held for the first 1,500 ms of the 2,000."""
    facts = {"end_ns": 1500 * MS, "end_reason": "duration", "followed": True} if held else None
    phase: dict[str, Any] = {"note": "phase", "phase": "measured", "start_ns": 0, "concurrency": 2, "window": facts}
    (folder / "run.json").write_text(json.dumps({"command": ["perfcore", command], "machine": {"cores": 2}}))
    journal = JournalWriter(folder / "journal.bin")
    journal.append(Kind.ROWS, 0, b'{"id":"a","prompt":"hello"}\n')
    frames = [answer(number, 100 * (number // 2) + 50 * (number % 2)) for number in range(40)]
    journal.append(Kind.FRAMES, 0, b"".join(frames))
    for note in (phase, END):
        journal.append(Kind.NOTE, 0, json.dumps(note).encode())
    journal.close()
    return folder


def test_metrics_of_a_steady_run_are_those_of_its_window(tmp_path: Path) -> None:
    metrics = finish(journaled(tmp_path, held=True))
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    assert metrics["window"]["end_ns"] <= 1500 * MS
    assert metrics["throughput"]["output_tokens_per_s"] == pytest.approx(120, rel=0.05)  # 2 slots, 6 tokens in 100 ms
    assert metrics["latency"]["itl_ms"]["mean"] == 40.0
    assert (tmp_path / "report.txt").read_text().startswith("Steady state  ")
    assert (tmp_path / "report.html").exists()
    assert not (tmp_path / "steady.json").exists()


def test_analysis_of_a_steady_run_is_the_run_itself(tmp_path: Path) -> None:
    folder = journaled(tmp_path, held=True)
    assert finish_steady(folder, page=False) == finish(folder, page=False)
    assert not (folder / "steady.json").exists()


def test_analysis_of_another_run_lies_beside_its_metrics_and_can_be_repeated(tmp_path: Path) -> None:
    folder = journaled(tmp_path, held=False)
    before = finish(folder)
    first = finish_steady(folder)
    assert finish_steady(folder) == first == json.loads((folder / "steady.json").read_text())
    assert json.loads((folder / "metrics.json").read_text()) == before
    assert "window" not in before
    assert first["window"]["end_ns"] <= 1950 * MS
    assert (folder / "report-steady.txt").read_text().startswith("Steady state  ")
    assert (folder / "report-steady.html").exists() and (folder / "report.html").exists()


def test_analysis_of_a_run_that_was_never_finished_finishes_it(tmp_path: Path) -> None:
    folder = journaled(tmp_path, held=False)
    finish_steady(folder, page=False)
    assert "window" not in json.loads((folder / "metrics.json").read_text())


def test_steady_run_that_was_killed_is_known_by_its_command(tmp_path: Path) -> None:
    metrics = finish(journaled(tmp_path, held=False, command="steady"), page=False)
    assert "window" in metrics


def test_service_levels_that_were_asked_for_are_judged(tmp_path: Path) -> None:
    folder = journaled(tmp_path, held=True)
    (folder / "run.json").write_text(json.dumps({"options": {"slo": ["ttft<=30ms"]}}))
    assert finish(folder, page=False)["goodput"]["verdict"]


def test_service_levels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    folder = journaled(tmp_path, held=True)
    (folder / "run.json").write_text(json.dumps({"options": {"slo": ["soon"]}}))
    with pytest.raises(UserError, match=r"run\.json"):
        finish(folder, page=False)
