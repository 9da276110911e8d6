"""Lengths that were asked for, counted and made stand side by side, with what their differences mean."""

from typing import Any

import pytest

from perfcore.analysis import metrics
from perfcore.report.preparing import Preparing, duration, line
from perfcore.report.terminal import render
from perfcore.types import Counted
from tests.reference.records import run, streamed


def lengths(*rows: dict[str, Any]) -> Any:
    return metrics.compute(run(*(streamed(0, 0, 10, 20) | row for row in rows)))["lengths"]


def prompt(asked: int, counted: int, server: int, source: str = "server") -> dict[str, Any]:
    counts = {"input_tokens_asked": asked, "input_tokens_counted": counted, "input_tokens": server}
    return counts | {"input_token_source": source}


def test_no_two_lengths_make_no_table() -> None:
    assert lengths({"input_tokens": 5, "input_token_source": "server", "output_tokens": 7}) is None
    assert "Lengths" not in render(metrics.compute(run(streamed(0, 0, 10, 20))), None)


def test_chat_template_is_seen_as_a_constant_difference() -> None:
    found = lengths(prompt(100, -1, 104), prompt(50, -1, 54))
    pair = found["input"]["differences"]["server_less_asked"]
    assert (pair["compared"], pair["longer"], pair["shorter"], pair["by"]["mean"]) == (2, 2, 0, 4.0)
    assert found["remarks"][0].startswith("The server counted 4 tokens more than asked in every request: a chat")


def test_exact_lengths_need_no_remark() -> None:
    found = lengths(prompt(100, 100, 100), prompt(50, 50, 50))
    assert found["remarks"] == []
    assert [found["input"][who]["mean"] for who in ("asked", "counted", "server")] == [75.0] * 3


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([(10, -1, 12), (10, -1, 10)], "up to 2 tokens more than asked in 1 of 2 requests"),
        ([(10, -1, 7), (10, -1, 10)], "up to 3 tokens fewer than asked in 1 of 2 requests"),
        ([(10, -1, 7), (10, -1, 11)], "3 tokens fewer to 1 token more than asked in 2 of 2 requests"),
        ([(10, 10, 11)], "1 token more than asked in every request: the server has another tokenizer"),
        ([(-1, 10, 11)], "1 token more than the client in every request: the server has another tokenizer"),
    ],
)
def test_remark_says_by_how_much_and_why(rows: list[tuple[int, int, int]], words: str) -> None:
    assert words in lengths(*(prompt(*row) for row in rows))["remarks"][0]


def test_answers_may_end_early_but_not_late() -> None:
    early, late = {"output_tokens_asked": 10, "output_tokens": 4}, {"output_tokens_asked": 10, "output_tokens": 12}
    assert lengths(early)["remarks"] == []
    (remark,) = lengths(early, late)["remarks"]
    assert remark.startswith("The server made up to 2 tokens more than asked in 1 of 2 requests")


def test_estimates_are_no_lengths() -> None:
    assert lengths({"output_tokens_asked": 10, "output_tokens": 4, "token_source": "events"}) is None


def test_own_count_is_not_taken_for_the_servers() -> None:
    assert lengths(prompt(10, 10, 10, "tokenizer"))["input"]["server"] is None


def test_table_shows_each_side_and_what_differs() -> None:
    found = metrics.compute(run(streamed(0, 0, 10, 20) | prompt(100, -1, 104)))
    shown = render(found, None)
    assert "Lengths (tokens)" in shown
    assert "server less asked: 1 differ" in shown
    assert all(len(row) <= 80 for row in render(found, None, 80).splitlines())


@pytest.mark.parametrize(
    ("note", "counted", "wanted"),
    [
        ({"tokenizer": "t", "making_s": 1.5}, Counted(2, 10**9, 3, 10**9), (1.5, 2.0)),
        ({"tokenizer": None, "making_s": 1.5}, Counted(), (None, None)),
        ({"tokenizer": "t", "making_s": 0.0, "reused": True}, Counted(), (None, None)),
    ],
)
def test_time_for_tokens_is_given_where_there_is_any(note: Any, counted: Counted, wanted: Any) -> None:
    notes = ({"note": "preparation", **note}, {"note": "end"})
    found = metrics.compute(run(streamed(0, 0, 10, 20), notes=notes, counted=counted))
    took = found["client_tokens"]
    assert (took["tokenizer_s"], took["detokenizer_s"]) == wanted
    assert ("s before the run (tokenizer)" in render(found, None)) == (wanted[0] is not None)


def test_progress_has_a_bar_and_the_time_left() -> None:
    bar = "######.................."
    assert line(250, 1000, 2.0) == f"preparing requests [{bar}] 250 of 1,000 | 125.0 rows/s | 6 s left"
    assert line(250, None, 2.0) == "preparing requests | 250 rows | 125.0 rows/s"
    assert line(0, 10, 0.0).endswith("0 of 10 | 0 rows/s")


@pytest.mark.parametrize(("seconds", "words"), [(0.4, "0 s"), (61, "1 min 01 s"), (3725, "1 h 02 min")])
def test_time_left_is_no_more_exact_than_known(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_progress_without_a_terminal_is_a_line_now_and_then() -> None:
    class Plain:
        def __init__(self) -> None:
            self.written: list[str] = []

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> None:
            self.written.append(text)

        def flush(self) -> None:
            pass

    stream: Any = Plain()
    shown = Preparing(stream)
    for second in range(12):
        shown.update(second, None, float(second))
    shown.close()
    assert [text.split(" | ")[1] for text in stream.written] == ["5 rows", "10 rows"]
