"""Whether a reference is one number."""

import re

from evaluators.words import wording

NUMBER = r"[-+]?\s*(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+)?(?:e[-+]?\d+)?(?:\s*/\s*\d+)?"
CURRENCY = "$\u20ac\u00a3\u00a5"
UNIT = r"(?!pi\b)[^\W\d_]{0,20}\.?(?:\^\{?-?\d\}?)?"
# A sign of a currency or "about", the number, and at most three words of its unit.
ONE_NUMBER = re.compile(
    rf"[~\u2248{CURRENCY}]?\s*{NUMBER}\s*[%\u2030\u00b0{CURRENCY}]?\s*{UNIT}(?:[ /*\u00b7]{UNIT}){{0,2}}", re.IGNORECASE
)


def is_one_number(text: str) -> bool:
    """Whether a text is a single number, perhaps with its unit; a time, a span or a formula is none."""
    line = text.translate(wording.HYPHENS).strip().rstrip(".")
    return any(map(str.isdigit, line)) and ONE_NUMBER.fullmatch(line) is not None
