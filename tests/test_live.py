"""The live line: what it says, and when it is written."""

import io

import pytest

from perfcore.report.live import Live, Snapshot, line


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that can rewrite a line, wherever the tests run."""
    monkeypatch.setenv("TERM", "xterm")


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def at(elapsed_s: float) -> Snapshot:
    return Snapshot(elapsed_s, in_flight=4, done=int(10 * elapsed_s), failed=0, token_events=int(100 * elapsed_s))


def test_line_says_how_the_run_goes() -> None:
    now = Snapshot(12.34, 256, 1500, 2, 61_000, 103.456, 1450.0)
    before = Snapshot(10.34, 256, 1300, 1, 36_000)
    # (1500 - 1300) / 2 = 100 requests/s, (61,000 - 36,000) / 2 = 12,500 tokens/s
    assert line(now, before) == (
        "12.3 s | 256 in flight | 100.0 req/s | 12,500 tok/s | TTFT p50 103.5 p99 1,450 ms | 1,500 done | 2 failed"
    )


def test_line_before_the_first_token_has_no_invented_numbers() -> None:
    assert line(Snapshot(0.0, 3, 0, 0, 0)) == (
        "0.0 s | 3 in flight | - req/s | - tok/s | TTFT p50 - p99 - ms | 0 done | 0 failed"
    )


def test_terminal_gets_one_line_that_is_rewritten() -> None:
    screen = Screen()
    live = Live(screen)
    for tenth in range(1, 31):
        live.update(at(tenth / 10))
    live.close()
    written = screen.getvalue()
    assert (written.count("\r"), written.count("\n"), written.endswith("\n")) == (30, 1, True)
    assert "10.00 req/s" in written.rpartition("\r")[2]


def test_pipe_gets_a_plain_line_every_five_seconds() -> None:
    pipe = io.StringIO()
    live = Live(pipe)
    for tenth in range(1, 171):
        live.update(at(tenth / 10))
    live.close()
    assert [shown.partition(" ")[0] for shown in pipe.getvalue().splitlines()] == ["5.0", "10.0", "15.0"]


def test_run_shorter_than_the_interval_leaves_a_pipe_empty() -> None:
    pipe = io.StringIO()
    live = Live(pipe)
    live.update(at(1.0))
    live.close()
    assert pipe.getvalue() == ""


def test_dumb_terminal_is_treated_as_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    screen = Screen()
    Live(screen).update(at(5.0))
    assert screen.getvalue().endswith("\n")
    assert "\r" not in screen.getvalue()


def test_rates_are_those_of_the_last_second() -> None:
    screen = Screen()
    live = Live(screen)
    live.update(Snapshot(9.0, 1, 0, 0, 0))
    live.update(Snapshot(10.0, 1, 50, 0, 0))
    live.update(Snapshot(10.5, 1, 50, 0, 0))
    assert "33.33 req/s" in screen.getvalue().rpartition("\r")[2]  # 50 in the 1.5 s since 9.0, the first one 1 s old
