"""Scored answers as arrays: which item each belongs to, what it is worth, and what went wrong with how many."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.errors import EvaluationError
from evaluators.scored import Scored, is_empty, is_truncated
from evaluators.statistics.result import Counts, Slice

RIGHT = 1.0 - 1e-9
QUARTERS = ("shortest quarter", "second quarter", "third quarter", "longest quarter")
FAILED, UNKNOWN = "failed", "not given"

Flags = NDArray[np.bool_]
Values = NDArray[np.float64]


class Answers(NamedTuple):
    """One entry for each answer; those of an item are together, in the order of their repeats."""

    lines: Sequence[Scored]
    item: NDArray[np.int64]  # position in `firsts`
    score: Values  # nan where there is none
    failed: Flags
    empty: Flags
    truncated: Flags
    cut_off: Flags
    broken: Flags  # the evaluator failed
    looked_at: Flags  # the answer has text, and the evaluator did not fail
    missing: Flags  # nothing was found in it
    firsts: Sequence[Scored]  # the first answer of each item
    subset: NDArray[np.int64]  # of each item: position in `names`
    names: Sequence[str]


def answers_of(scored: Iterable[Scored]) -> Answers:
    """Items are in the order in which they come first; raises EvaluationError where an answer comes twice."""
    lines, item = grouped(scored)
    flags = np.array([flags_of(line) for line in lines], bool).reshape(-1, 6)
    failed, empty, truncated, cut_off, raised, blank = flags.T
    score = np.array([np.nan if line.score is None else line.score for line in lines], np.float64)
    broken = raised & ~failed
    score[failed | empty & np.isnan(score)] = 0.0  # nobody looked at it
    score[broken] = np.nan
    reject_odd(lines, score, broken)
    looked_at = ~(failed | empty | broken)
    firsts = [lines[at] for at in np.flatnonzero(np.diff(item, prepend=-1)).tolist()]
    names = {name: at for at, name in enumerate(dict.fromkeys(first.subset for first in firsts))}
    subset = np.array([names[first.subset] for first in firsts], np.int64)
    kinds = (failed, empty, truncated, cut_off, broken, looked_at, looked_at & blank)
    return Answers(lines, item, score, *kinds, firsts, subset, list(names))


def flags_of(line: Scored) -> tuple[bool, ...]:
    """failed, empty, truncated, cut off, evaluator raised, nothing extracted."""
    failed, raised = line.error is not None, line.metric_error is not None
    return failed, is_empty(line), is_truncated(line), line.cut_off, raised, line.extracted is None


def grouped(scored: Iterable[Scored]) -> tuple[list[Scored], NDArray[np.int64]]:
    """The answers, item by item and sorted by repeat, and which item each belongs to."""
    items: dict[tuple[str, str, int], dict[int, Scored]] = {}
    for line in scored:
        repeats = items.setdefault((line.subset, line.id, line.turn), {})
        if repeats.setdefault(line.repeat, line) is not line:
            place = f" of subset {line.subset!r}" if line.subset else ""
            raise EvaluationError(
                f"two answers have id {line.id!r}{place} and repeat {line.repeat}; keep one of them, or number them"
            )
    lines = [repeats[number] for repeats in items.values() for number in sorted(repeats)]
    return lines, np.repeat(np.arange(len(items)), [len(repeats) for repeats in items.values()])


def reject_odd(lines: Sequence[Scored], score: Values, broken: Flags) -> None:
    """A score has to be there and in 0..1: all that follows relies on it."""
    for at in np.flatnonzero(~broken & ~((score >= 0.0) & (score <= 1.0)))[:1].tolist():
        line = lines[at]
        fault = "has no score, but no error either" if line.score is None else f"has a score of {line.score}"
        raise EvaluationError(f"answer {line.repeat} to {line.id!r} {fault}; its evaluator has to give one from 0 to 1")


def is_binary(answers: Answers) -> bool:
    """Every score is 0 or 1, so that answers are right or wrong."""
    known = answers.score[~np.isnan(answers.score)]
    return bool(np.all((known <= 1.0 - RIGHT) | (known >= RIGHT)))


def counts_of(answers: Answers, lines: NDArray[np.int64], asked: int) -> Counts:
    """Of these answers (positions of all those of some items). `asked` is how many each item should have."""
    unbroken = (~answers.broken[lines]).astype(np.float64)
    _, which = np.unique(answers.item[lines], return_inverse=True)
    per_item = np.bincount(which, unbroken)
    looked_at, missing = int(answers.looked_at[lines].sum()), int(answers.missing[lines].sum())
    return Counts(
        items=len(per_item),
        answers=len(lines),
        failed=int(answers.failed[lines].sum()),
        empty=int(answers.empty[lines].sum()),
        truncated=int(answers.truncated[lines].sum()),
        cut_off=int(answers.cut_off[lines].sum()),
        metric_errors=int(answers.broken[lines].sum()),
        not_extracted=missing,
        extracted_share=1.0 - missing / looked_at if looked_at else None,
        incomplete_items=int(np.sum(per_item < asked)),
    )


def by_finish(answers: Answers) -> list[Slice]:
    """How right the answers are that ended for the same reason, the most frequent reason first."""
    reasons: dict[str, list[int]] = {}
    for at, line in enumerate(answers.lines):
        reasons.setdefault(FAILED if line.error is not None else line.finish_reason or UNKNOWN, []).append(at)
    slices = [piece(answers, reason, np.array(lines)) for reason, lines in reasons.items()]
    return sorted(slices, key=lambda one: -one.answers)


def by_length(answers: Answers) -> list[Slice]:
    """How right short and long answers are: quarters by characters of text and separate reasoning, where any came."""
    there = np.flatnonzero(~(answers.failed | answers.empty))
    lengths = np.array([len(s.prediction or "") + len(s.reasoning or "") for s in answers.lines], np.int64)
    if not there.size:
        return []
    edges = np.quantile(lengths[there], (0.25, 0.5, 0.75), method="inverted_cdf")
    quarter = np.searchsorted(edges, lengths[there])
    return [
        piece(answers, label, there[quarter == at], lengths)
        for at, label in enumerate(QUARTERS)
        if np.any(quarter == at)
    ]


def piece(answers: Answers, label: str, lines: NDArray[np.int64], lengths: NDArray[np.int64] | None = None) -> Slice:
    """These answers; failed ones have no score, as nobody saw their text."""
    scores = answers.score[lines[~answers.failed[lines]]]
    known = scores[~np.isnan(scores)]
    return Slice(
        label=label,
        answers=len(lines),
        score=float(known.mean()) if known.size else None,
        shortest=None if lengths is None else int(lengths[lines].min()),
        longest=None if lengths is None else int(lengths[lines].max()),
    )
