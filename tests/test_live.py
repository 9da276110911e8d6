"""What is shown of a run while it goes: the line, the screen, and when they are written."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from perfcore.commands.load import finished
from perfcore.report.live import Live
from perfcore.report.live_screen import (
    ASCII_BARS,
    BARS,
    Look,
    Sample,
    Snapshot,
    WorkerLoad,
    line,
    sample,
    screen,
    sparkline,
)
from tests.endtoend import command


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can rewrite a line, wherever the tests run."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


class Screen(io.StringIO):
    """A stream that says it is a terminal; nothing tells its size."""

    def isatty(self) -> bool:
        return True


class OldScreen(Screen):
    encoding = "latin-1"


def standing(written: str, columns: int = 80) -> list[str]:
    """What stands on a terminal after this was written; only the codes that are needed are known."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for number, code, character in re.findall(r"\x1b\[([\d;]*)([A-Za-z])|([^\x1b])", written):
        assert not code or code in "AKJm"
        row -= int(number) if code == "A" else 0
        assert row >= 0
        if code in ("K", "J"):
            del lines[row][column:]
        if code == "J":
            del lines[row + 1 :]
        if character in ("\r", "\n"):
            row, column = row + (character == "\n"), 0
            lines += [[] for _ in range(row + 1 - len(lines))]
        elif character:
            lines[row][column : column + 1] = [character]
            column += 1
            assert column < columns
    return ["".join(one) for one in lines if one]


def at(elapsed_s: float) -> Snapshot:
    return Snapshot(
        elapsed_s,
        in_flight=4,
        done=int(10 * elapsed_s),
        failed=0,
        token_events=int(100 * elapsed_s),
        ttft_count=int(10 * elapsed_s),
        ttft_total_ms=50.0 * int(10 * elapsed_s),
        workers=(WorkerLoad(3, elapsed_s / 4), WorkerLoad(1, elapsed_s / 10)),
    )


def run_of(stream: io.StringIO, tenths: int) -> Live:
    live = Live(stream)
    for tenth in range(1, tenths + 1):
        live.update(at(tenth / 10))
    return live


def test_line_says_how_the_run_goes() -> None:
    now = Snapshot(12.34, 256, 1500, 2, 61_000, 103.456, 1450.0)
    before = Snapshot(10.34, 256, 1300, 1, 36_000)
    # (1500 - 1300) / 2 = 100 requests/s, (61,000 - 36,000) / 2 = 12,500 tokens/s
    assert line(now, before) == (
        "12.3 s | 1,500 done | 2 failed | 256 in flight | 100.0 req/s | 12,500 tok/s | TTFT p50 103.5 p99 1,450 ms"
    )
    assert line(now, before, 79) == "12.3 s | 1,500 done | 2 failed | 256 in flight | 100.0 req/s | 12,500 tok/s"
    assert line(now, before, 3) == "12."


def test_interrupt_is_answered_at_once() -> None:
    stream = Screen()
    live = Live(stream)
    live.update(Snapshot(1.0, 8, 0, 0, 0))
    live.update(Snapshot(1.5, 8, 4, 0, 0, stopping=True))
    assert (
        standing(stream.getvalue())[0] == "1.5 s | stopping | 4 done | 0 failed | 8 in flight | Ctrl-C again cuts off"
    )
    live.close()
    assert "stopping" not in "".join(standing(stream.getvalue()))


def test_line_before_the_first_token_has_no_invented_numbers() -> None:
    assert line(Snapshot(0.0, 3, 0, 0, 0)) == (
        "0.0 s | 0 done | 0 failed | 3 in flight | - req/s | - tok/s | TTFT p50 - p99 - ms"
    )


def test_sample_is_what_happened_between_two_snapshots() -> None:
    before = Snapshot(10.0, 4, 100, 1, 1000, ttft_count=50, ttft_total_ms=500.0, workers=(WorkerLoad(4, 1.0),))
    now = Snapshot(12.0, 8, 120, 5, 3000, ttft_count=60, ttft_total_ms=900.0, workers=(WorkerLoad(8, 2.5),))
    # 2,000 tokens, 20 requests and 4 failures in 2 s; 400 ms for 10 first tokens; 1.5 s of 2 s
    assert sample(before, now) == Sample(1000.0, 10.0, 40.0, 8, 2.0, (0.75,))
    assert sample(now, now) is None


def test_time_without_a_first_token_has_no_ttft() -> None:
    found = sample(at(1.0), Snapshot(2.0, 4, 10, 0, 100, ttft_count=10, ttft_total_ms=500.0))
    assert found is not None
    assert found.ttft_ms is None


@pytest.mark.parametrize(
    ("values", "bars"),
    [
        ([], ""),
        ([0.0, 0.0], "▁▁"),
        ([0.0, 1.0, 4.0, 7.0], "▁▂▅█"),
        ([0.001, 7.0], "▂█"),  # little is not nothing
        ([None, 7.0, None], " █ "),
    ],
)
def test_sparkline_goes_from_nothing_to_the_highest(values: list[float | None], bars: str) -> None:
    assert sparkline(values) == bars


def test_screen_has_a_row_for_each_quantity_and_what_workers_do() -> None:
    recent = sample(at(9.0), at(10.0))
    assert recent is not None
    lines = screen(at(10.0), recent, [recent] * 60, Look(79))
    assert lines[0] == "10.0 s | 100 done | 0 failed | 4 in flight"
    assert [text.split()[0] for text in lines[1:]] == ["tokens/s", "requests/s", "TTFT", "in", "failed/s", "workers"]
    assert re.search(r"tokens/s +█{29} +100\.0  peak 100\.0", lines[1])
    assert lines[-1] == "workers    25 % 3  10 % 1  (of a core, in flight)"


@pytest.mark.parametrize("width", [39, 40, 60, 79, 80, 120, 300])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("workers", [0, 1, 8, 200])
def test_no_line_of_the_screen_is_wider_than_it_may_be(width: int, colour: bool, workers: int) -> None:
    now = Snapshot(98765.4, 123_456, 10**9, 10**8, 10**13, 1e6, 1e7, workers=(WorkerLoad(5000, 1.0),) * workers)
    recent = Sample(1e11, 1e8, 1e9, 123_456, 1e7, (1.0,) * workers)
    for text in screen(now, recent, [recent] * 400, Look(width, colour)):
        assert len(re.sub(r"\x1b\[\d*m", "", text)) <= width


def test_many_workers_have_a_bar_each_and_the_busiest_is_named() -> None:
    now = Snapshot(1.0, 0, 0, 0, 0, workers=(WorkerLoad(1, 0.0),) * 32)
    last = screen(now, Sample(0, 0, None, 0, 0, (0.1,) * 20 + (0.9,) + (0.5,) * 11), [], Look(60))[-1]
    assert last == f"workers    {'▂' * 20}▇{'▅' * 11} busiest 20: 90 %"


def test_terminal_gets_a_screen_that_is_rewritten_and_in_the_end_a_line() -> None:
    stream = Screen()
    live = run_of(stream, 30)
    assert len(standing(stream.getvalue())) == 7
    assert "30 done" in standing(stream.getvalue())[0]
    live.close()
    assert [text.partition(" | ")[0] for text in standing(stream.getvalue())] == ["3.0 s"]
    assert stream.getvalue().endswith("\n\x1b[J")


def test_each_screen_is_written_at_once() -> None:
    """A terminal that shows half of it flickers."""
    written: list[str] = []
    stream = Screen()
    stream.write = written.append  # type: ignore[assignment, method-assign]
    run_of(stream, 10)
    assert len(written) == 10


def test_nothing_is_changed_that_a_run_which_breaks_off_would_leave_changed() -> None:
    stream = Screen()
    run_of(stream, 10)
    assert set(re.findall(r"\x1b\[[\d;?]*([a-zA-Z])", stream.getvalue())) <= set("AKJm")
    assert stream.getvalue().count("\x1b[0m") == len(re.findall(r"\x1b\[[1-9]\d*m", stream.getvalue()))


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Screen()
    run_of(stream, 5)
    assert "\x1b[2m" not in stream.getvalue()
    assert len(standing(stream.getvalue())) == 7


def test_terminal_without_blocks_gets_bars_of_ascii() -> None:
    stream = OldScreen()
    run_of(stream, 5)
    assert stream.getvalue().isascii()
    assert ASCII_BARS[-1] in stream.getvalue()


@pytest.mark.parametrize(
    ("columns", "lines", "rows"), [(80, 24, 7), (40, 8, 7), (39, 24, 1), (80, 7, 1), (12, 2, 1), (0, 0, 7)]
)
def test_small_terminal_gets_a_line(monkeypatch: pytest.MonkeyPatch, columns: int, lines: int, rows: int) -> None:
    stream = Screen()
    monkeypatch.setattr(stream, "fileno", lambda: 0)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((columns, lines)))
    live = run_of(stream, 20)
    assert len(standing(stream.getvalue(), columns or 80)) == rows
    live.close()
    assert len(standing(stream.getvalue(), columns or 80)) == 1


def test_screen_that_a_narrower_terminal_has_wrapped_is_written_over_as_a_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Screen()
    monkeypatch.setattr(stream, "fileno", lambda: 0)
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((100, 24)))
    live = run_of(stream, 20)
    wide = [len(text) for text in standing(stream.getvalue(), 100)]
    monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((50, 24)))
    before = len(stream.getvalue())
    live.update(at(2.1))
    up = re.match(r"\r\x1b\[(\d+)A", stream.getvalue()[before:])
    assert up is not None
    assert int(up.group(1)) == sum(-(-length // 50) for length in wide)


def test_pipe_gets_a_plain_line_every_five_seconds() -> None:
    pipe = io.StringIO()
    run_of(pipe, 170).close()
    assert [text.partition(" ")[0] for text in pipe.getvalue().splitlines()] == ["5.0", "10.0", "15.0"]


def test_run_shorter_than_the_interval_leaves_a_pipe_empty() -> None:
    pipe = io.StringIO()
    run_of(pipe, 10).close()
    assert pipe.getvalue() == ""


def test_dumb_terminal_is_treated_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    stream = Screen()
    Live(stream).update(at(5.0))
    assert stream.getvalue().endswith("\n")
    assert stream.getvalue().isascii()
    assert "\r" not in stream.getvalue()


def test_rates_are_those_of_the_last_second() -> None:
    stream = Screen()
    live = Live(stream)
    live.update(Snapshot(9.0, 1, 0, 0, 0))
    live.update(Snapshot(10.0, 1, 50, 0, 0))
    live.update(Snapshot(10.5, 1, 50, 0, 0))
    assert "33.33" in standing(stream.getvalue())[2]  # 50 in the 1.5 s since 9.0, the first one 1 s old


def in_terminal(*arguments: object, columns: int = 100, interrupted_at: str = "") -> tuple[str, int]:
    """What `perfcore` writes to a terminal, which is interrupted when it has written something, and its exit code."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        command(*arguments), stdin=theirs, stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True
    )
    written, asked = b"", False
    try:
        while process.poll() is None:
            if select.select([ours], [], [], 0.1)[0]:
                written += os.read(ours, 65536)
            if interrupted_at and not asked and interrupted_at.encode() in written:
                os.killpg(process.pid, signal.SIGINT)
                asked = True
        while select.select([ours], [], [], 0)[0]:
            written += os.read(ours, 65536)
        assert termios.tcgetattr(theirs) == before
        return written.decode(), process.returncode
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_run_on_a_terminal_shows_a_screen_and_leaves_a_line(tmp_path: Path) -> None:
    written, code = in_terminal("stress", "--duration", "1500ms", "--concurrency", "4", "--out", tmp_path / "run")
    assert code == 0
    assert any(bar in written for bar in BARS[1:])
    assert "workers" in written
    last = [text for text in standing(written.replace("\r\n", "\n"), 101) if " in flight | " in text]
    assert len(last) == 1


def test_interrupt_of_a_report_in_the_making_says_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: Path) -> dict[str, Any]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finished(Path("outputs/run"), interrupted)
    assert "perfcore report outputs/run" in capsys.readouterr().err


def test_interrupted_run_takes_its_screen_away(tmp_path: Path) -> None:
    given = ("stress", "--duration", "60s", "--concurrency", "4", "--out", tmp_path / "run")
    written, code = in_terminal(*given, interrupted_at="workers")
    assert code == 130 and "stopping" in written
    assert "workers" not in "".join(standing(written.replace("\r\n", "\n"), 101))
