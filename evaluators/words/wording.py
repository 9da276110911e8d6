"""Texts before they are compared: the part that is the answer, the normal form, the tokens, the references."""

import re
import string
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

from evaluators.errors import EvaluationError
from evaluators.sample import Sample
from evaluators.words import chinese

Form: TypeAlias = Literal["none", "space", "case", "punctuation", "articles"]
Language: TypeAlias = Literal["", "en", "zh", "other"]
Take: TypeAlias = Literal["", "first_word", "first_line", "last_line", "answer", "answer_line", "code_line"]

HAN = "\u2e80-\u2fdf\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
HAS_HAN = re.compile(f"[{HAN}]")
BESIDE_HAN = re.compile(rf"(?<=[{HAN}]) | (?=[{HAN}])")
ARTICLES = re.compile(r"\b(?:a|an|the)\b")
# Each run of blanks and stars is passed once, so that no text takes long.
ANSWER = re.compile(
    r"(?:\banswer\**\s*(?:is\b|[:\uff1a])|答案\**\s*(?:是|为|[:\uff1a]))[\s*:\uff1a]*([^\n]+)", re.IGNORECASE
)
BOXED = re.compile(r"\\(?:boxed|text(?:bf|it)?|math(?:rm|bf))\s?\{([^{}]*)\}")
WORD = re.compile(r"\w+(?:['\u2019.-]\w+)*")  # don't, co-worker, U.S
# Marks of numbers, each of which has a place of its own among private characters while the others are taken out.
IN_NUMBER = re.compile(r"(?<=\d)[./:-](?=\d)|(?<!\w)-(?=\.?\d)|(?<![\w.])\.(?=\d)|(?<=\d),(?!\d{3}(?!\d))(?=\d)")
PRIVATE = 0xE000
BACK = {PRIVATE + ord(mark): mark for mark in ".,/:-"}
HYPHENS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))  # hyphens, dashes, minus
FORMS: tuple[Form, ...] = ("none", "space", "case", "punctuation", "articles")


@lru_cache(maxsize=1)
def marks() -> dict[int, str | None]:
    """What punctuation becomes: nothing. ASCII's symbols such as $ and + count as punctuation, as in SQuAD."""
    every = (*map(ord, string.punctuation), *(at for at in range(0x10000) if unicodedata.category(chr(at))[0] == "P"))
    return dict.fromkeys(every, None)


def without_marks(text: str) -> str:
    """Text without punctuation, but for what makes another number of one: -3, .5, 3.14, 1/3, 8:00, 1968-1972, 1,2.

    A comma before three digits is none of these: 1,000 is 1000.
    """
    kept = IN_NUMBER.sub(lambda found: chr(ord(found[0]) + PRIVATE), text.translate(HYPHENS))
    return kept.translate(marks()).translate(BACK)


def spaced(text: str) -> str:
    """One blank where there are several, none at the ends nor beside Chinese characters."""
    return BESIDE_HAN.sub("", " ".join(text.split()))


STEPS: dict[Form, Callable[[str], str]] = {
    "space": spaced,
    "case": lambda text: spaced(unicodedata.normalize("NFKC", text).casefold()),
    "punctuation": lambda text: spaced(without_marks(text)),
    "articles": lambda text: spaced(ARTICLES.sub(" ", text)),
}


def normal(text: str, form: Form) -> str:
    """The text in a normal form; each of FORMS has those before it, and a step that would leave nothing is left out.

    `articles` is SQuAD's (Rajpurkar et al. 2016): lower case, without punctuation, without a, an, the.
    """
    for name in FORMS[1 : FORMS.index(form) + 1]:
        text = STEPS[name](text) or text
    return text


def is_han(*texts: str) -> bool:
    """Whether any of the texts has Chinese or Japanese characters."""
    return any(HAS_HAN.search(text) for text in texts)


def language_of(language: Language, *texts: str) -> Language:
    """The language that was given, else what the letters of the texts say: zh, other (no Latin script), or en."""
    if language:
        return language
    if is_han(*texts):
        return "zh"
    letters = [letter for text in texts for letter in text[:1000] if letter.isalpha()]
    return "en" if 2 * sum(letter.isascii() for letter in letters) >= len(letters) else "other"


def tokens(text: str, language: Language) -> list[str]:
    """Words of the normal form: between blanks, or as jieba cuts Chinese."""
    if language != "zh":
        return normal(text, "articles").split()
    found = (normal(word, "case") for word in chinese.words(text))
    return [word for word in found if without_marks(word)]


def words(text: str) -> list[str]:
    """Words of any script between blanks, in lower case without marks."""
    return normal(text, "punctuation").split()


def references(sample: Sample, separator: str = "") -> list[str]:
    """Texts that the answer may be, one or several; with a separator a text may hold several.

    Raises EvaluationError where there is none.
    """
    given = sample.reference if isinstance(sample.reference, list) else [sample.reference]
    found = [as_text(item, sample) for item in given if item is not None]
    if separator:
        found = [part for text in found for part in text.split(separator)]
    if not any(text.strip() for text in found):
        raise EvaluationError(f"row {sample.id} has no reference; name the column with it in the preset's `reference`")
    return [text for text in found if text.strip()]


def as_text(value: Any, sample: Sample) -> str:
    """A reference as text: numbers as they are written, true and false in words."""
    if isinstance(value, (dict, list)):
        raise EvaluationError(
            f"row {sample.id} has {type(value).__name__} as reference; give a text or a list of texts"
        )
    return value if isinstance(value, str) else str(value)


def taken(text: str, take: Take) -> tuple[str, str]:
    """The part of a text that is the answer, and the name of the rule that found it.

    `answer` is the rest of the line behind the last "answer is", "Answer:" or its Chinese like, else the whole text;
    `answer_line` the same, else the first line; `code_line` the first line of code, marks of blocks and comments
    passed over. Where a rule finds nothing the text is empty.
    """
    if take in ("answer", "answer_line"):
        found = ANSWER.findall(text)
        if found:
            said = BOXED.sub(r"\1", BOXED.sub(r"\1", found[-1]))  # \boxed{\text{Rome}} is Rome
            return said.strip().strip("*").strip(), "answer phrase"
        return (text.strip(), "whole text") if take == "answer" else (line(text), "first line")
    return TAKEN[take](text), RULES[take]


def first_word(text: str) -> str:
    found = WORD.search(text)
    return found[0] if found else ""


def line(text: str, at: int = 0) -> str:
    """The first line that is not blank, or the last one."""
    stripped = text.strip()
    return (stripped.rpartition("\n")[2] if at else stripped.partition("\n")[0]).strip()


def code_line(text: str) -> str:
    """The first line of code."""
    lines = (each for each in text.split("\n") if each.strip())
    return next((each for each in lines if not any(mark in each for mark in ("`", "#", "//"))), "")


TAKEN: dict[Take, Callable[[str], str]] = {
    "": str.strip,
    "first_word": first_word,
    "first_line": line,
    "last_line": lambda text: line(text, -1),
    "code_line": code_line,
}
RULES: dict[Take, str] = {
    "": "whole text",
    "first_word": "first word",
    "first_line": "first line",
    "last_line": "last line",
    "code_line": "first line of code",
}


def best(values: Sequence[float]) -> int:
    """Place of the greatest value."""
    return max(range(len(values)), key=values.__getitem__)
