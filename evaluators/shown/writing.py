"""References with digits: whether they are one number, and their form in which nothing that counts is lost."""

import re
import unicodedata

SIGNS = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))  # hyphens, dashes, minus
STARTS = " \t\n,;:*$`\"'"
ENDS = STARTS + ".\u3002"
ARTICLE = re.compile(r"(?:the|an?)\s")
NUMBER = r"[-+]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[-+]?\d+)?(?:\s*/\s*\d+)?"
CURRENCY = "$\u20ac\u00a3\u00a5"
UNIT = r"(?!pi\b)[^\W\d_]{0,20}\.?(?:\^\{?-?\d\}?)?"
# A sign of a currency or "about", the number, and at most three words of its unit.
ONE_NUMBER = re.compile(
    rf"[~\u2248{CURRENCY}]?\s*{NUMBER}\s*[%\u2030\u00b0{CURRENCY}]?\s*{UNIT}(?:[ /*\u00b7]{UNIT}){{0,2}}", re.IGNORECASE
)


def has_digits(text: str) -> bool:
    return any(letter.isdigit() for letter in text)


def plain(text: str) -> str:
    """In lower case, without blanks, an article before it, and marks around it; dashes are hyphens."""
    line = unicodedata.normalize("NFKC", text).casefold().translate(SIGNS).lstrip(STARTS).rstrip(ENDS)
    before = ARTICLE.match(line)
    return "".join(line[before.end() if before else 0 :].split())


def is_one_number(text: str) -> bool:
    """Whether a reference is a single number, perhaps with its unit; a time, a span or a formula is none."""
    return has_digits(text) and ONE_NUMBER.fullmatch(text.translate(SIGNS).strip().rstrip(".")) is not None
