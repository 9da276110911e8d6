"""The report as text, from metrics of hand-made records."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.text import Text

from perfcore.analysis import metrics
from perfcore.report import layout, terminal
from perfcore.report.text import clean, encodable, number
from tests.reference.records import MS, run, streamed

HOSTILE = "\x1b[2J[bold]gone[/bold]\r\n\u202eevil\x07 \ud800 [/link]"


def found(count: int = 30, **more: Any) -> dict[str, Any]:
    rows = [
        streamed(10 * number, 10 * number + 0.1, 1000 + 11 * number, 12345 + 10 * number, output_tokens=100)
        for number in range(count)
    ]
    gaps = np.arange(1, 2000) * MS // 100
    return metrics.compute(run(*rows, *more.pop("rows", ()), gaps_ns=gaps, **more))


def rows_of(text: str, label: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(label))


@pytest.mark.parametrize("width", [70, 80, 90, 100, 120, 200])
def test_no_line_is_wider_than_the_terminal_and_no_row_is_wrapped(width: int) -> None:
    shown = terminal.render(found(), Path("outputs/run"), width)
    assert max(map(len, shown.splitlines())) <= width
    assert {"mean", "p50", "p99", "N"} <= set(rows_of(shown, "mean").split())
    assert "12,345" in rows_of(shown, "E2EL (ms)")
    assert "…" not in shown


@pytest.mark.parametrize("width", [40, 50, 60])
def test_very_narrow_terminal_cuts_names_but_no_number(width: int) -> None:
    shown = terminal.render(found(), None, width)
    assert max(map(len, shown.splitlines())) <= width
    assert "12,345 " in rows_of(shown, "E2EL (ms)")
    assert "…" not in rows_of(shown, "E2EL (ms)")


def test_wide_report_has_every_column() -> None:
    header = rows_of(terminal.render(found(), None), "mean")
    assert header.split() == ["mean", "min", "max", "p50", "p75", "p90", "p95", "p99", "N"]


def test_unsupported_percentile_is_starred_and_explained() -> None:
    shown = terminal.render(found(30), None)
    assert rows_of(shown, "E2EL (ms)").count("*") == 4  # p75 has 7.5 samples beyond it; p75, p90, p95, p99
    assert "* fewer than 10 samples lie beyond this percentile" in shown


def test_supported_percentiles_have_no_footnote() -> None:
    assert "*" not in terminal.render(found(1000), None)


def test_missing_rows_say_why_together() -> None:
    shown = terminal.render(metrics.compute(run(streamed(0, 1, 2, 3, streamed=False))), None)
    assert "No TTFT, TTFT from intended, TTFA, TTFA from intended, TPOT, ITL: not streamed" in shown
    assert "nan" not in shown.lower()


def test_errors_are_shown_with_a_sample_that_can_do_no_harm() -> None:
    failed = [{"error_class": "http_500", "http_status": 500}] * 3
    shown = terminal.render(found(rows=failed, error_samples={"http_500": HOSTILE}), None, width=120)
    row = rows_of(shown, "http_500")
    assert row.split()[1] == "3"
    assert "[bold]gone[/bold] \\u202eevil\\x07 \\ud800 [/link]" in row
    assert not set(shown) & {"\x1b", "\x07", "\r", "\u202e"}


def test_verdict_comes_with_reason_and_remedy() -> None:
    shown = terminal.render(found(notes=()), Path("outputs/run"))
    assert "Validity  suspect" in shown
    assert "suspect: The run was killed before its end" in shown
    assert "Folder  outputs/run" in shown


@pytest.mark.parametrize("rows", [[], [{"error_class": "reset"}]])
def test_run_without_successes_still_has_a_report(rows: list[dict[str, Any]]) -> None:
    shown = terminal.render(metrics.compute(run(*rows)), None, width=80)
    assert "Validity  suspect" in shown
    assert "0 ok" in shown


def test_arrivals_of_an_open_loop_are_told_in_words() -> None:
    phase = {"note": "phase", "phase": "measured", "start_ns": 0, "arrivals": {"law": "constant", "rate": 100.0}}
    lines = terminal.render(found(notes=(phase, {"note": "end"})), None).splitlines()
    at = next(number for number, line in enumerate(lines) if line.strip().startswith("Arrivals"))
    assert lines[at].endswith("Asked for: constant arrivals, 100 requests/s.")
    assert lines[at + 1].strip().startswith("Planned 100 requests/s, sent 100")


def test_colours_are_there_only_when_asked_for() -> None:
    assert "\x1b[" in terminal.render(found(), None, colour=True)
    assert "\x1b[" not in terminal.render(found(), None)


def test_stream_of_a_poor_encoding_gets_question_marks_not_an_error() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    terminal.show(found(), Path("outputs/größe"), stream)
    stream.flush()
    assert b"outputs/gr??e" in raw.getvalue()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0, "0"),
        (1234567, "1,234,567"),
        (0.0, "0"),
        (0.0031, "0.0031"),
        (0.0314, "0.031"),
        (3.14159, "3.142"),
        (31.4159, "31.42"),
        (314.159, "314.2"),
        (999.96, "1,000"),
        (31415.9, "31,416"),
    ],
)
def test_number_is_short_and_keeps_what_matters(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_foreign_text_is_one_line_of_bounded_length() -> None:
    assert clean("a\tb\n\n c") == "a b c"
    assert len(clean("x" * 10_000, 50)) == 50
    assert clean("ünïcode 字 [x]") == "ünïcode 字 [x]"


def test_half_a_surrogate_pair_can_be_written() -> None:
    assert encodable("a\ud83dz") == b"a\\ud83dz"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("name", "value"), [("TERM", "dumb"), ("NO_COLOR", "1"), ("TERM", "xterm-256color")])
def test_only_a_terminal_with_colours_gets_them(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("NO_COLOR", "FORCE_COLOR", "COLORTERM"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    stream = Terminal()
    layout.show(stream, lambda _: [Text("red", "red")])
    assert ("\x1b" in stream.getvalue()) == (value == "xterm-256color")
