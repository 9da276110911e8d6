"""Answers that are one number, as in word problems: found by ordered rules, compared exactly."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from evaluators.errors import EvaluationError
from evaluators.formulas.lone import alone_in_box, goes_on, is_list
from evaluators.formulas.numerals import Numeral, last, number, numerals, plain, written
from evaluators.registry import Evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict

LONGEST, TRIES = 1000, 32  # characters of a sentence, and sentences, that are looked at
# A model that goes on writes the next question itself; these words begin one in the languages of MGSM.
QUESTION = re.compile(
    r"^[ \t]*(?:\*\*|#+ )?(?:Question|Q|Problem|Frage|Pregunta|Swali|\u0417\u0430\u0434\u0430\u0447\u0430|\u95ee\u9898|"
    r"\u554f\u984c|\u09aa\u09cd\u09b0\u09b6\u09cd\u09a8|\u0c2a\u0c4d\u0c30\u0c36\u0c4d\u0c28|\u0e42\u0e08\u0e17\u0e22\u0e4c)"
    r"(?: ?\d{1,3})?\s?(?:\*\*)?[:\uff1a]",
    re.MULTILINE | re.IGNORECASE,
)
HASHES = re.compile(r"####")
ANSWER_IS = re.compile(
    r"\banswers?\b(?:\*\*)?(?: to (?:the|this) (?:question|problem))?[ \t]{0,2}(?:(?:is|are|would be|will be|equals)\b"
    r"|=)[ \t]?[:\uff1a]?|(?:\u7b54\u6848|\u7b54\u3048)(?:\u662f|\u4e3a|\u70ba|\u306f)[:\uff1a]?",
    re.IGNORECASE,
)
ANSWER_COLON = re.compile(
    r"(?:\banswers?|\u7b54\u6848|\u7b54\u3048)[ \t]?(?:\*\*)?[ \t]?[:\uff1a](?:\*\*)?", re.IGNORECASE
)
BOXED = re.compile(r"\\(?:boxed|fbox)\b\s*\{?")
# What may stand between such words and the number.
FILLER = re.compile(
    r"(?:[\s:*_`$(\[{=~\u2248]|\\[(\[]|\\(?:boxed|fbox|text|mathbf|mathrm|textbf|approx)\b|"
    r"(?:about|approximately|roughly|exactly|only|just|equal to|therefore|thus|so|a total of|be|is)\b)*",
    re.IGNORECASE,
)
SIGN_APART = re.compile(r"\A\s*([-\u2212])\s+(?=\d)")
FILLER_OF_LINE = re.compile(r"[\s*:_`]*")
BOXED_FIRST = re.compile(r"[\s:*_`$(\[]*\\(?:boxed|fbox)\s*\{")
# What is taken out of a box before its numbers are counted: blanks of LaTeX, "(about a third)", the 2 of cm^2.
SPACE = re.compile(r"\\[ ,;:!]|~|\\q?quad\b")
REMARK = re.compile(r"(?<=[\d\s}])\s?\([^()]*[A-Za-z][^()]*\)")
POWER_OF_UNIT = re.compile(r"(?<=[A-Za-z}])\s?\^\s?\{?\s?-?[23]\s?\}?")
# "x = 2 or y = 3": a box of several solutions.
SOLUTIONS = re.compile(r"[a-z]\s?=[^=]*(?:[,;]|\b(?:or|and)\b)[^=\d]*=")
MARKS = " \t\n*_`$."
END_OF_SENTENCE = re.compile(r"\n|(?<!\bRs)[.!?](?=\s|$)|\u3002")

# Each rule's name, its words, and texts without one of which they are not there.
RULES = (
    ("####", HASHES, ("####",)),
    ("answer is", ANSWER_IS, ("answer", "\u7b54")),
    ("boxed", BOXED, ("\\boxed", "\\fbox")),
    ("answer:", ANSWER_COLON, ("answer", "\u7b54")),
)


class Number(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the evaluator `number`."""

    prefix: Annotated[list[str], Meta(description="Regular expressions of what the number follows; tried first.")] = []
    tolerance: Annotated[float, Meta(ge=0, description="How far the number may be from the reference.")] = 1e-6
    decimal_comma: Annotated[
        list[str], Meta(description="Subsets in whose language 5.600 is 5600 and 2,5 is 2.5; '*' stands for all.")
    ] = []


class Found(NamedTuple):
    """The number that was taken for the answer, and the rule that found it; `said` where that is no single number."""

    numeral: Numeral | None
    rule: str
    said: str = ""


def score(text: str, sample: Sample, settings: Number) -> Verdict:
    """1 where the number in the text is the reference exactly, or within the tolerance of it.

    Raises EvaluationError where the reference has no number.
    """
    comma = "*" in settings.decimal_comma or sample.subset in settings.decimal_comma
    wanted = reference(sample.reference)
    found = find(text, prefixes(tuple(settings.prefix)), comma)
    if found is None:
        return Verdict(0.0, None, "", NOTHING_FOUND)
    if found.numeral is None:
        return Verdict(0.0, found.said, found.rule, f"no single number, where {written(wanted)} is right")
    readings = (found.numeral.value, *found.numeral.others)
    if wanted in readings:
        return Verdict(1.0, written(wanted), found.rule, "equal")
    if any(abs(value - wanted) <= settings.tolerance for value in readings):
        return Verdict(1.0, written(found.numeral.value), found.rule, f"within {settings.tolerance:g}")
    return Verdict(0.0, written(found.numeral.value), found.rule, f"not {written(wanted)}")


def reference(value: Any) -> Fraction:
    """The number that the answer should be: a number, or the answer in a text. Raises EvaluationError."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return Fraction(str(value))
    found = _reference(value) if isinstance(value, str) else None
    if found is None:
        raise EvaluationError(f"the reference {value!r:.60} has no number; correct it, or use the evaluator math")
    return found


@lru_cache(maxsize=4096)
def _reference(text: str) -> Fraction | None:
    whole = number(text)
    found = find(text, ()) if whole is None else None
    numeral = whole or (found and found.numeral)
    return numeral.value if numeral else None


@lru_cache(maxsize=64)
def prefixes(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    """Compiled; raises EvaluationError for one that is no regular expression."""
    try:
        return tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)
    except re.error as error:
        raise EvaluationError(f"evaluation.args.prefix has no regular expression: {error}; correct it") from None


def find(text: str, before: Sequence[re.Pattern[str]] = (), comma: bool = False) -> Found | None:
    """The number that a text gives as its answer, or None."""
    text = plain(text)
    text = text[: _end_of_answer(text, comma)]
    told = _told(text, before, comma)
    if told is not None:
        return told
    line = text.rstrip(MARKS).rpartition("\n")[2].lstrip(MARKS)
    if len(line) <= LONGEST and is_list(line) and number(line, comma) is None:
        return Found(None, "last number", line)
    numeral = last(text, comma)
    return None if numeral is None else Found(numeral, "last number")


def _end_of_answer(text: str, comma: bool) -> int:
    """Where the model begins a further question; the end of the text if it does not, or has no answer until there."""
    if ":" not in text and "\uff1a" not in text:
        return len(text)
    first = next(numerals(text, comma), None)
    invented = QUESTION.search(text, first.end) if first is not None else None
    return len(text) if invented is None else invented.start()


def _told(text: str, before: Sequence[re.Pattern[str]], comma: bool) -> Found | None:
    """The number that words say is the answer, by the first rule that finds one."""
    for each in before:
        if (found := _after("prefix", each, text, comma)) is not None:
            return found
    low = text.lower()
    for name, words, signs in RULES:
        if any(sign in low for sign in signs) and (found := _after(name, words, text, comma)) is not None:
            return found
    return None


def _after(name: str, words: re.Pattern[str], text: str, comma: bool) -> Found | None:
    """The number right after the last such words that have one; after "answer is" also later in their sentence."""
    for found in reversed(list(words.finditer(text))[-TRIES:]):
        rest = text[found.end() : found.end() + LONGEST]
        if words is BOXED and found.group().endswith("{"):
            told = boxed(name, in_box(rest), comma)
        else:
            ending = END_OF_SENTENCE.search(rest, FILLER_OF_LINE.match(rest).end())  # type: ignore[union-attr]
            rest = rest[: ending.start()] if ending else rest
            if "=" in rest and words is ANSWER_COLON:  # the working begins here
                continue
            told = stated(name, rest, comma, words is ANSWER_IS)
        if told is not None:
            return told
    return None


def in_box(rest: str) -> str:
    """What stands in a box up to the brace that closes it; nothing where none does: the answer was cut off in it."""
    depth = 1
    for at, mark in enumerate(rest):
        depth += (mark == "{") - (mark == "}")
        if depth == 0:
            return rest[:at]
    return ""


def boxed(rule: str, rest: str, comma: bool) -> Found | None:
    """The one number of a box, that after its last = if there is any; units and words may stand around it."""
    whole = rest
    rest = POWER_OF_UNIT.sub("", REMARK.sub("", SPACE.sub(" ", rest)))
    if SOLUTIONS.search(rest):
        return Found(None, rule, whole)
    there: list[Numeral] = []
    if "=" in rest:
        end = rest.rpartition("=")[2]
        there = list(numerals(end, comma))
        rest = end if there else rest
    rest = SIGN_APART.sub(r"\1", rest)
    there = list(numerals(rest, comma))
    if not there:
        return None
    single = len(there) == 1 and alone_in_box(rest, there[0].start, there[0].end)
    return Found(there[0], rule) if single else Found(None, rule, whole)


def stated(rule: str, rest: str, comma: bool, sentence: bool) -> Found | None:
    """The number that a sentence gives: the one after its last =, else that at its beginning, else its last one."""
    numeral = None
    if "=" in rest:
        end = rest.rpartition("=")[2]
        numeral = next(numerals(end, comma), None)
        rest = end if numeral else rest
    box = None if numeral else BOXED_FIRST.match(rest)
    if box is not None:
        return boxed(rule, in_box(rest[box.end() :]), comma)
    if numeral is None:
        rest = rest[FILLER.match(rest).end() :]  # type: ignore[union-attr]
        there = list(numerals(rest, comma))
        numeral = next((each for each in there[:1] if each.start == 0), there[-1] if sentence and there else None)
    if numeral is None:
        return None
    return Found(None, rule, rest.strip(MARKS)) if goes_on(rest, numeral.end) else Found(numeral, rule)


EVALUATORS = {
    "number": Evaluator(score, "The number that an answer gives, by ordered rules, compared exactly.", settings=Number)
}
