"""Answers that are formulas: found by ordered rules, and compared by what they mean."""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from evaluators.answers.boxes import as_latex
from evaluators.errors import EvaluationError
from evaluators.formulas import apart
from evaluators.formulas.equivalence import equivalence
from evaluators.formulas.latex import last_box
from evaluators.formulas.numerals import last, plain
from evaluators.registry import Evaluator
from evaluators.sample import NOTHING_FOUND, Sample, Verdict

LONGEST, TRIES = 1000, 32  # characters of an answer, and sentences with the word, that are looked at
SHOWN = 60  # characters of the reference in `why`
FINAL = re.compile(r"\bfinal answers?(?:\*\*)?[ \t]?(?:(?:is|are)\b[ \t]?[:\uff1a]?|[:\uff1a])", re.IGNORECASE)
ANSWER = re.compile(
    r"\banswers?(?:\*\*)?(?: to (?:the|this) (?:question|problem))?[ \t]?(?:(?:is|are|would be|equals)\b[ \t]?"
    r"[:\uff1a]?|(?:\*\*)?[:\uff1a])|(?:\u7b54\u6848|\u7b54\u3048)(?:[\u662f\u4e3a\u70ba\u306f][:\uff1a]?|[:\uff1a])",
    re.IGNORECASE,
)
HASHES = re.compile(r"####")
LINE = re.compile(r"^[ \t>*#_]*(?:final )?answer[ \t*_]*[:\uff1a]", re.IGNORECASE | re.MULTILINE)
FORMULA = re.compile(
    r"\$\$([^$]+)\$\$|(?<!\\)\$(?=\S)((?:[^$\\\n]|\\.)+)(?<=\S)\$(?!\d)|\\\(((?:(?!\\\().)+?)\\\)|\\\[((?:(?!\\\[).)+?)\\\]",
    re.DOTALL,
)
BETWEEN_FORMULAS = re.compile(r"\s*(?:,|;|,?\s*(?:and|or)|\u548c|\u6216|\u3001)\s*")
END_OF_SENTENCE = re.compile(r"\n|(?<=[^\s\\])[.!?](?=\s|\**$)|\u3002")
TAG = re.compile(r"<answer>(.{1,2000}?)</answer>", re.IGNORECASE | re.DOTALL)
KEY = re.compile(
    r"\"(?:final[_ ])?answer\"\s?:\s?(?:\"((?:[^\"\\\n]|\\.){1,1000})\"|([^\",}\n\[{]{1,100}))", re.IGNORECASE
)
HAN = re.compile(r"[\u4e00-\u9fff]")
SAYS = re.compile(
    r".*(?:\b(?:is|are|equals|was|be|at|get|obtain|gives(?:\sus)?)\b:?\s+|:\s+|\w['\u2019]s\s+|\u7b49\u4e8e)(?=\S)",
    re.DOTALL,
)
AFTERWARDS = re.compile(r",\s(?!(?:sqrt|pi|sin|cos|tan|log|ln|exp|inf)\b)[A-Za-z]{2,}.*", re.DOTALL)
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{2,}")
PLAIN = re.compile(
    r"[-+(\[{\\]?(?:[\dA-Za-z.,^_+*/=<>!'(){}\[\]\\%\u00b0\u03c0\u221a\u221e-]|\s(?=[-+*/=<>]\s)|(?<=[-+*/=<>,])\s)+"
)


class Math(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the evaluator `math`."""

    seconds: Annotated[float, Meta(gt=0, description="Processor time after which comparing formulas is given up.")] = 5
    tolerance: Annotated[
        float, Meta(ge=0, description="Part of the reference by which decimals may be off; whole numbers may not.")
    ] = 1e-6


class Found(NamedTuple):
    """The text that was taken for the answer, and the rule that found it."""

    text: str
    rule: str


def score(text: str, sample: Sample, settings: Math) -> Verdict:
    """1 where the answer means the same as the reference.

    Raises apart.TooHardError where that takes too long to say, and EvaluationError for a reference that is empty.
    """
    wanted = reference(sample.reference)
    found = find(as_latex(text))
    if found is None:
        return Verdict(0.0, None, "", NOTHING_FOUND)
    if len(found.text) > LONGEST:
        return Verdict(0.0, found.text[:LONGEST], found.rule, f"longer than {LONGEST} characters")
    how = compared(wanted, found.text, settings.seconds, settings.tolerance)
    return Verdict(1.0 if how else 0.0, found.text, found.rule, how or f"different from {wanted[:SHOWN]}")


@lru_cache(maxsize=8192)
def compared(wanted: str, given: str, seconds: float, tolerance: float) -> str:
    """How two answers are the same, "" where they are not; see equivalence."""
    return equivalence(wanted, given, partial(apart.same, seconds=seconds), tolerance)


def reference(value: Any) -> str:
    r"""What the answer should be: a number, an answer, or a solution with \boxed{}. Raises EvaluationError."""
    text = "" if value is None or isinstance(value, bool) else str(value).strip()
    if "####" in text:
        text = text.rpartition("####")[2].strip()
    text = last_box(text) or text
    if not text:
        raise EvaluationError(f"the reference is {value!r}; correct the row, or the preset's key reference")
    return text


def find(text: str) -> Found | None:
    """The answer that a text gives, by the first rule that finds one; None where none does."""
    for name, rule in RULES.items():
        found = rule(text)
        if found is not None and found.strip(" $*.`\n"):
            return Found(found.strip(), name)
    return None


def boxed(text: str) -> str | None:
    """The last box, unless a line "Answer: 12" stands after it: that one is a correction, or a summary."""
    found = last_box(text)
    if found is None:
        return None
    later = stated(LINE, text[max(text.rfind("\\boxed"), text.rfind("\\fbox")) :])
    return later if later is not None and re.search(r"\d", later) else found


def stated(words: re.Pattern[str], text: str) -> str | None:
    """What the sentence after the last such words says: its formulas, else its beginning up to a word of prose."""
    for found in reversed(list(words.finditer(text))[-TRIES:]):
        rest = text[found.end() : found.end() + 2 * LONGEST]
        start = len(rest) - len(rest.lstrip(" \t\n*:`"))
        end = END_OF_SENTENCE.search(rest, start)
        rest = rest[start : end.start() if end and not rest[start:].startswith(("$$", "\\[")) else None]
        said = formulas(rest) or prose(rest)
        if said:
            return said
    return None


def formulas(text: str) -> str | None:
    """The first formula of a sentence, and those that only "and" or a comma parts from it."""
    found = list(FORMULA.finditer(text))
    if not found:
        return None
    said, end = inside(found[0]), found[0].end()
    for formula in found[1:]:
        if not BETWEEN_FORMULAS.fullmatch(text[end : formula.start()]):
            break
        said, end = f"{said}, {inside(formula)}", formula.end()
    return said


def inside(formula: re.Match[str]) -> str:
    """A formula without its marks."""
    return next(part for part in formula.groups() if part is not None)


def prose(text: str) -> str | None:
    """A short sentence whole; of a longer one the number or formula that it begins with, else its last number."""
    text = text.strip(" *`:")
    if len(text.split()) <= 4 or "\\" in text:
        return text or None
    beginning = PLAIN.match(text)
    if beginning and re.search(r"[\d\\=]", beginning.group()):
        return AFTERWARDS.sub("", beginning.group()).strip(" ,")
    return last_number(text)


def whole(text: str) -> str | None:
    """A text that is no more than an answer: one line of few words, or what follows "is" in it."""
    text = text.strip().lstrip("\u2248")
    if len(text) > LONGEST or "\n" in text or len(HAN.findall(text)) > 4:
        return None
    said = AFTERWARDS.sub("", SAYS.sub("", text, 1))
    most = 3 if said == text else 6
    return said if len(WORD.findall(text)) <= most and len(WORD.findall(said)) <= 3 else None


def last_formula(text: str) -> str | None:
    """The last formula between marks of LaTeX; a name alone, such as x, only where there is no other."""
    found = [inside(formula).strip() for formula in FORMULA.finditer(text)]
    told = [one for one in found if len(one) > 1 or not one.isalpha()] or found
    return told[-1] if told else None


def keyed(text: str) -> str | None:
    """What stands in the last <answer></answer>, else the value of the last "answer" of JSON."""
    found = TAG.findall(text)
    if found:
        said = str(found[-1])
        return prose(formulas(said) or said)
    pairs = KEY.findall(text)
    return (pairs[-1][0] or pairs[-1][1]) if pairs else None


def last_number(text: str) -> str | None:
    """The last number, as it is written."""
    text = plain(text)
    found = last(text)
    return None if found is None else text[found.start : found.end]


RULES: dict[str, Callable[[str], str | None]] = {
    "boxed": boxed,
    "answer key": keyed,
    "final answer": partial(stated, FINAL),
    "answer is": partial(stated, ANSWER),
    "####": partial(stated, HASHES),
    "last formula": last_formula,
    "whole text": whole,
    "last number": last_number,
}
EVALUATORS = {
    "math": Evaluator(score, "A formula or number that an answer gives, compared by what it means.", settings=Math)
}
