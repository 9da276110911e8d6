"""What a reader of a score has to know of the answers behind it: patterns that make a score say something else."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evaluators.scored import Scored
from evaluators.statistics.result import Counts, Result

MANY = 0.05  # share of the answers from which on something is told
LOOP_REPEATS = 8  # times that a piece stands at the end of a text, one after the other, for it to be a loop
LOOP_LENGTHS = range(1, 101)  # characters of such a piece
LOOP_LEAST = 40  # characters of all of them


def remarks(
    result: Result,
    found: Sequence[Scored],
    max_tokens: int | None,
    body: Mapping[str, Any] | None = None,
    resumable: bool = True,
) -> list[str]:
    """Sentences, each with what was seen and what to do.

    `max_tokens` is what was asked for, None if nothing was; `body` what was asked for beside the question, None where
    nobody knows. `resumable` says that failed answers can be asked for again.
    """
    return [
        *sampling(body, max_tokens),
        *failures(result.counts, resumable),
        *reasoning(found),
        *truncation(result.counts, max_tokens),
        *emptiness(result),
        *loops(found),
        *first_errors(found),
    ]


def sampling(body: Mapping[str, Any] | None, max_tokens: int | None) -> Iterator[str]:
    """How answers were asked for."""
    if body is not None:
        asked = ", ".join(f"{name} {json.dumps(value)}" for name, value in body.items()) or "the service's own sampling"
        yield f"asked for with {asked}; longest answer: {max_tokens or 'that of the data set or the service'}"


def failures(counts: Counts, resumable: bool) -> Iterator[str]:
    """Answers that never came."""
    if counts.failed:
        more = ": go on with --resume, which asks for them again" if resumable else ""
        yield f"{counts.failed:,} of {counts.answers:,} answers failed and count as wrong{more}"


def reasoning(found: Sequence[Scored]) -> Iterator[str]:
    """How reasoning was told from answers."""
    ways = Counter(one.reasoning_removed for one in found if one.reasoning_removed)
    if ways:
        shown = ", ".join(f"{way}: {number:,}" for way, number in ways.most_common())
        yield f"reasoning was taken out of {sum(ways.values()):,} of {len(found):,} answers ({shown})"


def truncation(counts: Counts, max_tokens: int | None) -> Iterator[str]:
    """Answers that ended by their length."""
    if counts.truncated > MANY * counts.answers:
        limit = "the service's own limit" if max_tokens is None else f"--max-tokens {max_tokens}"
        cut = f", {counts.cut_off:,} of them while reasoning" if counts.cut_off else ""
        yield (
            f"{counts.truncated:,} of {counts.answers:,} answers were cut off by their greatest length ({limit}){cut}: "
            "give more, or read the score over complete answers"
        )


def emptiness(result: Result) -> Iterator[str]:
    """Answers in which there was nothing."""
    counts = result.counts
    if counts.empty > MANY * counts.answers:
        yield f"{counts.empty:,} of {counts.answers:,} answers are empty"
    looked_at = counts.answers - counts.failed - counts.empty
    if counts.not_extracted > max(MANY * looked_at, 0):
        yield (
            f"in {counts.not_extracted:,} of {looked_at:,} answers nothing was found to score: look at some "
            "(--dump-details), and change the prompt, the filters or the evaluator"
        )


def loops(found: Sequence[Scored]) -> Iterator[str]:
    """Answers that end in the same words again and again."""
    number = sum(is_loop(one.prediction or "") for one in found)
    if number > MANY * len(found):
        yield (
            f"{number:,} of {len(found):,} answers end in a loop of the same characters: a base model wants the "
            "completions endpoint and stop words (--body 'stop=[...]'), a served one its own sampling settings"
        )


def is_loop(text: str) -> bool:
    """Whether a text ends in a piece that stands there many times."""
    end = text[-max(LOOP_LENGTHS) * LOOP_REPEATS :]
    for length in LOOP_LENGTHS:
        times = max(LOOP_REPEATS, -(-LOOP_LEAST // length))
        if length * times > len(end):
            return False
        if end.endswith(end[-length:] * times) and end[-length:].strip():
            return True
    return False


def first_errors(found: Sequence[Scored]) -> Iterator[str]:
    """What the evaluator said where it failed."""
    said = Counter(one.metric_error for one in found if one.metric_error)
    for error, number in said.most_common(3):
        yield f"the evaluator failed on {number:,}: {error}"
