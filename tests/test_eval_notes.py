"""What is told beside a score: each pattern is told where it is, and not where it is not."""

from typing import Any

import pytest

from evaluators.scored import Scored
from evaluators.statistics.figures import result_of
from evaluators.statistics.notes import is_loop, remarks


def told(*changed: dict[str, Any], max_tokens: int | None = None) -> str:
    """Remarks on twenty good answers, of which the first have something of their own."""
    good: dict[str, Any] = {"prediction": "It is 4.", "extracted": "4", "score": 1.0, "correct": True}
    own = [*changed, *[{} for _ in range(20 - len(changed))]]
    found = [Scored(id=str(at), **{**good, "finish_reason": "stop", **more}) for at, more in enumerate(own)]
    return "\n".join(remarks(result_of(found, model="m", dataset="d"), found, max_tokens))


LOST: dict[str, Any] = {"prediction": None, "extracted": None, "score": None, "correct": None}


def test_of_good_answers_nothing_is_told() -> None:
    assert told() == ""


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({**LOST, "error": "http_500: no"}, "failed and count as wrong"),
        ({"reasoning_removed": "tags"}, "out of 2 of 20 answers (tags: 2)"),
        ({"finish_reason": "length"}, "(--max-tokens 9)"),
        ({"prediction": "", "extracted": None, "score": 0.0, "correct": False}, "2 of 20 answers are empty"),
        ({"extracted": None, "score": 0.0, "correct": False}, "nothing was found to score"),
        ({"prediction": "Well. " + "again and " * 20}, "end in a loop"),
        ({"score": None, "correct": None, "metric_error": "no g++ here"}, "the evaluator failed on 2: no g++ here"),
    ],
)
def test_a_pattern_is_told(more: dict[str, Any], said: str) -> None:
    assert said in told(more, more, max_tokens=9)


@pytest.mark.parametrize(
    ("text", "loop"),
    [
        ("!" * 40, True),
        ("!" * 39, False),
        ("the cat " * 8, True),
        ("a sentence that ends well, like all of them do in the end", False),
        (" " * 500, False),
        ("x" + "abcdefghij" * 7, False),
    ],
)
def test_a_loop_is_a_piece_that_stands_there_again_and_again(text: str, loop: bool) -> None:
    assert is_loop(text) is loop
