"""What an evaluator sees, one answer to one question, and what it says of it."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """One line of outputs.jsonl. `id` and `repeat` together name it; texts are as the service sent them.

    `meta` has the columns that the data set keeps beside the answer, `reference` what the answer should be. Keys that
    no evaluator needs are not read.
    """

    id: str
    question: str = ""  # names it among all questions of an evaluation, where ids come twice
    repeat: int | None = None
    turn: int = 0
    prompt: Any = None  # text, or the messages that were sent
    prediction: str | None = None
    reasoning: str | None = None
    tool_calls: Sequence[Mapping[str, Any]] | None = None  # of each name, arguments (JSON as text), id
    finish_reason: str | None = None
    error: str | None = None
    reference: Any = None
    meta: dict[str, Any] = {}
    dataset: str = ""
    subset: str = ""
    model: str = ""
    choices: list[str] | None = None
    logprobs: Any = None
    prompt_logprobs: Any = None  # of perplexity mode: evaluators/ppl.py


class Verdict(NamedTuple):
    """What an evaluator says of one answer.

    `score` is from 0 to 1, and 1 is right. `extracted` is what was taken for the answer, None where nothing was found;
    `rule` names the way in which it was found, `why` says in a few words why it has this score. `parts` are further
    measures of the same answer by name, in the unit that their evaluator documents; a total is their mean over items.
    """

    score: float
    extracted: Any = None
    rule: str = ""
    why: str = ""
    parts: Mapping[str, float] = {}


NOTHING_FOUND = "no answer was found in the text"
