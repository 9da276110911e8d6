"""Whether a number stands for itself, or is only a piece of what an answer says: 5 of 5x, of 5^2, of "5 and 6".

Each form has a name and an example. A number is a piece if one of the forms stands right before or right after it.
"""

import re

from evaluators.formulas.numerals import CURRENCY

NO_WORD = r"(?![\w'\u2019])"
AFTER = {
    "times a letter, 5x or 5 x": rf"\s?[xyzn]{NO_WORD}",
    "times a letter that is a word of its own, 5a": rf"[abiqruvw]{NO_WORD}",
    "above a fraction's line, 5}{6": r"\}\s?\{",
    "to a power, 5^2, but no degrees 5^\\circ and no unit": r"\s?\^(?!\s?(?:\{\s?)?(?:\\circ|\\?text|[a-z]{2}))",
    "times a function, 5\\pi": r"\s?\\(?:pi|sqrt|sin|cos|tan|log|ln)\b",
    "in a sum or a product, 5 + 3, but no unit 5/hour": (
        r"\s?(?:[-+*/\u00d7\u00f7\u2212\u2013]|\\(?:times|cdot|div|pm)\b)\s?(?:\d|[a-z](?![a-z])|[({\\])"
    ),
    "times a sign, 5\u03c0": r"\s?[\u03c0\u221a]",
}
BEFORE = {
    "in a sum, under a root, within bounds, 3 + 5": r"[+*/^\u00d7\u00f7\u221a<>\u2264\u2265]",
    "taken from something, x - 5": r"[\w)}]\s?[-\u2212]",
    "after a function, \\sqrt 5": r"\\(?:times|cdot|div|pm|sqrt|log|ln|sin|cos|tan|pi|[lg]eq?|[lg]t)",
    "below a fraction's line, }{5": r"\}\s?(?=\{)",
}
# The same in a sentence, which goes on with further numbers.
FURTHER = {
    "a time or a ratio, 5:30": r"!?\s?[:\uff1a]\d\d\b",
    "a factorial in a formula, 5!$": r"!\s?[$\\}]",
    "5 or 6, 5 to 6": rf"\s?(?:or|to|\u6216)\s{CURRENCY}?\s?\d",
    "5, 6 and 7, where a list or the sentence ends behind the next one": (
        rf"\s{{0,2}}(?:[,;\u3001]|,?\s?(?:and|&)\s|\u548c)\s{{0,2}}{CURRENCY}?[-\u2212]?\d[\d.,]*"
        r"(?=\s?(?:[,;)\]}$*\u3001\u3002]|(?:and|or)\b|\Z))"
    ),
}
PART_AFTER = re.compile("|".join(AFTER.values()))
PART_BEFORE = re.compile(rf"(?:{'|'.join(BEFORE.values())})\s?[({{\[]*\s?\Z")
ANOTHER = re.compile("|".join(FURTHER.values()), re.IGNORECASE)
FACTORIAL = re.compile(r"\s?!")
LIST = re.compile(r"[(\[{]?\s?-?\d[\d.]*(?:\s?(?:[,;\u3001]\s?(?:and|or)?|and|or)\s?-?\d[\d.]*){1,30}\s?[)\]}]?")


def alone_in_box(text: str, start: int, end: int) -> bool:
    """Whether the number between two places of a box is no piece of a term."""
    after = PART_AFTER.match(text, end) or FACTORIAL.match(text, end)
    return after is None and PART_BEFORE.search(text[:start]) is None


def goes_on(text: str, end: int) -> bool:
    """Whether a sentence goes on behind a number so that it is but a piece of a term, or one of several."""
    return PART_AFTER.match(text, end) is not None or ANOTHER.match(text, end) is not None


def is_list(line: str) -> bool:
    """Whether a line has nothing but several numbers."""
    return LIST.fullmatch(line) is not None
