"""The evaluator `drop`: whether an answer agrees with one of DROP's, with the exact match and the F1 of its authors."""

import re
import string
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from evaluators import text as texts
from evaluators.registry import Evaluator
from evaluators.sample import Sample, Verdict
from evaluators.words import overlap, wording

ARTICLES = frozenset(("a", "an", "the"))
BETWEEN = re.compile(r"[\s-]+")
MARKS = str.maketrans("", "", string.punctuation)


class Drop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of `drop`."""

    measure: Annotated[
        Literal["match", "em", "f1"], Meta(description="Which one is the score; match: one has the other in it.")
    ] = "match"
    separator: Annotated[str, Meta(description="What stands between several references in one text, such as |.")] = "|"


def score(text: str, sample: Sample, settings: Drop) -> Verdict:
    """Whether what stands behind "Answer:" has a reference in it or is in one, or `em`, or `f1`; others are parts."""
    loose = texts.contains(text, sample, texts.Contains(take="answer", both=True, separator=settings.separator))
    wanted = wording.references(sample, settings.separator)
    bags = [words(one) for one in wanted]
    said = words(loose.extracted or "")
    em = float(bool(said) and said in bags)
    parts = {"match": max(loose.score, em), "em": em, "f1": max(f1(frozenset(said), frozenset(bag)) for bag in bags)}
    parts = overlap.rounded(parts)
    points = parts.pop(settings.measure)
    why = loose.why if settings.measure == "match" else f"{settings.measure} to {texts.shown(wanted)}"
    return loose._replace(score=points, why=why, parts=parts)


def words(text: str) -> list[str]:
    """Words between blanks and hyphens, without marks and articles, and numbers in one form: 1,234 and 1234.0 are one.

    After the authors' script (Dua et al. 2019), in which a number keeps its point and its sign is lost to the hyphen.
    """
    found = (word if number(word) is not None else word.translate(MARKS) for word in BETWEEN.split(text.lower()))
    values = ((word, number(word)) for word in found if word and word not in ARTICLES)
    return [word if value is None else str(value) for word, value in values]


def number(word: str) -> float | None:
    """A word as Python reads a decimal number, or None."""
    try:
        return float(word)
    except ValueError:
        return None


def f1(said: frozenset[str], wanted: frozenset[str]) -> float:
    """Share of words in common, each counted once; 0 where the answer has none of the reference's numbers."""
    numbers = {word for word in wanted if number(word) is not None}
    common = len(said & wanted)
    return 2 * common / (len(said) + len(wanted)) if common and (not numbers or numbers & said) else 0.0


EVALUATORS = {"drop": Evaluator(score, "DROP: one of the answers, as accuracy, exact match or F1.", settings=Drop)}
