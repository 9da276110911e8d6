"""One scored answer: a line of the details of a result, and what statistics are computed from."""

from typing import Any

import msgspec


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one answer to one question. `subset`, `id` and `turn` name the item, `repeat` the answer to it.

    Of an answer that failed `error` has the reason; where the evaluator raised, `metric_error` has it and `score` is
    null. `empty` says that nothing was left to score, which is told from the prediction where it is null (an answer of
    tool calls, for one, is not empty). `score` is from 0 to 1; `correct` is null for graded scores, else whether the
    score is 1.
    """

    id: str
    repeat: int = 0
    subset: str = ""
    turn: int = 0
    prompt: Any = None  # text, or the messages that were sent
    prediction: str | None = None  # as the service sent it
    reasoning: str | None = None  # as the service sent it, apart from the prediction
    reasoning_removed: str = ""  # how it was found: a channel, tags; empty if there was none
    cut_off: bool = False  # the answer ended before its reasoning did
    empty: bool | None = None
    extracted: Any = None  # null where nothing was found
    rule: str = ""
    reference: Any = None
    score: float | None = None
    correct: bool | None = None
    why: str = ""
    error: str | None = None
    metric_error: str | None = None
    finish_reason: str | None = None
    parts: dict[str, float] = {}


# finish_reason of an answer that had reached its greatest length, as services name it.
LONGEST = ("length", "max_tokens", "max_output_tokens", "model_length")


def is_empty(line: Scored) -> bool:
    """The service answered, and said nothing."""
    if line.error is not None:
        return False
    return not (line.prediction and line.prediction.strip()) if line.empty is None else line.empty


def is_truncated(line: Scored) -> bool:
    """The answer ended because it had reached its longest length."""
    return line.error is None and (line.finish_reason or "").lower() in LONGEST
