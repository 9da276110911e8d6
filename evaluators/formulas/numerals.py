"""Numbers as people and models write them: found in text, and read as exact fractions."""

import re
import sys
import unicodedata
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

LONGEST = 300  # characters, and powers of ten: beyond them nothing is an answer, and arithmetic gets slow
SIGNS = "-\u2212\u2013\ufe63\uff0d"
CURRENCY = r"(?:\\?\$|[\u00a2-\u00a5\u0e3f\u20a0-\u20cf]|USD|EUR|GBP|RMB|Rs\.?)"
GAP = r"[ \u00a0\u2009\u202f'\u2019]"
# Counts are bounded so that a long row of digits and marks costs no more than its length.
BY_COMMA = r"\d{1,3}(?:,\d{3}){1,30}(?!\d)"
BY_POINT = r"\d{1,3}(?:\.\d{3}){1,30}(?!\d)"
BY_GAP = rf"\d{{1,3}}(?:{GAP}\d{{3}}){{1,30}}(?!\d)"
INDIAN = r"\d{1,2}(?:,\d{2}){1,30},\d{3}(?!\d)"
# Where the mark of decimals is a point, 1.234 is little more than one; where it is a comma, points part thousands.
POINT = rf"{BY_POINT},\d+|\d{{1,3}}(?:\.\d{{3}}){{2,30}}(?!\d)|(?:{BY_COMMA}|{INDIAN}|{BY_GAP}|\d+)(?:\.\d+)?|\.\d+"
COMMA = rf"{BY_POINT}(?:,\d+)?|{BY_COMMA}(?:\.\d+)?|(?:{BY_GAP}|\d+)(?:[.,]\d+)?"
# What is before the digits keeps x2, H2O and cm^2 from being taken for numbers.
FORM = r"""
    (?:(?<![A-Za-z0-9_^])|(?<=USD)|(?<=EUR)|(?<=GBP)|(?<=RMB)|(?<=Rs))
    (?P<sign>(?<![\w)\]}}])[{signs}](?={currency}?[ ]?\.?\d))?
    (?:{currency}[ ]?(?P<inner>[{signs}])?)?
    (?P<digits>{digits})
    (?P<power>e[+-]?\d{{1,9}}(?![\w.])|\s?(?:\\times|\\cdot|[\u00d7\u00b7*x])\s?10\s?\^\s?\{{?\s?[{signs}+]?\d{{1,9}}\s?\}}?)?
    (?:\s?/\s?(?P<below>\d+)(?!\d|[.,]\d|\s?/\s?\d)|[ ](?P<top>\d+)\s?/\s?(?P<under>\d+)(?!\d|[.,]\d|/))?
    (?P<ordinal>(?:st|nd|rd|th)\b)?
    (?P<percent>\s?(?:\\?%|\uff05|\u066a|percent\b|per[ ]cent\b))?
    (?P<scale>\s?(?:hundred|thousand|million|billion|trillion)\b|\s?[\u4e07\u842c\u5104\u4ebf\u5146])?
"""
SCALES = {
    **{"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12},
    **{"\u4e07": 10**4, "\u842c": 10**4, "\u4ebf": 10**8, "\u5104": 10**8, "\u5146": 10**12},
}
# What LaTeX puts between groups of digits, and its fractions.
GROUPING = re.compile(r"(?<=\d)(?:\{,\}|,?\s?\\[!,;: ]|\\thinspace)\s?(?=\d{3})")
FRACTION = re.compile(r"(\d?)\s?\\[dtc]?frac\s?(?:\{\s?(-?\d+)\s?\}\s?\{\s?(\d+)\s?\}|(\d)\s?(\d))")
SCALE_IN_TEXT = re.compile(r"\\(?:text|mathrm)\{\s?(hundred|thousand|million|billion|trillion)\s?\}")
POWER = re.compile(rf"([{SIGNS}+]?)(\d+)\D*$")

LAST_DIGIT = re.compile(r"\d\D*\Z")
WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]")


class Numeral(NamedTuple):
    """A number in a text: where it stands, its value, and other values that it can be read as.

    `others` has a hundredth of a percentage, and what "3 million" is in full; an `ordinal` is 3rd.
    """

    start: int
    end: int
    value: Fraction
    others: tuple[Fraction, ...] = ()
    ordinal: bool = False


@lru_cache(maxsize=1)
def plain_digits() -> dict[int, str]:
    """Digits of all scripts, marks of Arabic numbers, and fractions in one character, as ASCII writes them."""
    table = {0x66B: ".", 0x66C: ",", 0x2044: "/", 0x200B: "", 0x2060: ""}
    for code in range(128, sys.maxunicode + 1):
        kind = unicodedata.category(chr(code))
        if kind == "Nd":
            table[code] = str(unicodedata.decimal(chr(code)))
        elif kind == "No" and "\u2044" in (written := unicodedata.normalize("NFKC", chr(code))):
            table[code] = " " + written.replace("\u2044", "/")
    return table


@lru_cache(maxsize=2)
def pattern(comma: bool) -> re.Pattern[str]:
    """A number, with a comma or a point as the mark of decimals."""
    form = FORM.format(signs=SIGNS, currency=CURRENCY, digits=COMMA if comma else POINT)
    return re.compile(form, re.VERBOSE | re.IGNORECASE)


def plain(text: str) -> str:
    """Text with digits of all scripts as ASCII has them, and LaTeX's fractions and groups of digits as plain text."""
    if not text.isascii():
        text = text.translate(plain_digits())
    if "\\" in text or "{,}" in text:
        text = SCALE_IN_TEXT.sub(r" \1", FRACTION.sub(_fraction, GROUPING.sub("", text)))
    return text


def _fraction(found: re.Match[str]) -> str:
    before, top, bottom, first, second = found.groups()
    return f"{before}{' ' if before else ''}{top or first}/{bottom or second}"


def numerals(text: str, comma: bool = False) -> Iterator[Numeral]:
    """The numbers of a text that went through `plain`, from left to right; divisions by zero are none.

    `comma` says that the mark of decimals is a comma: 5.600 is 5600 then, and 2,5 is 2.5. 5,600 is 5600 either way.
    """
    read = (_read(found, comma) for found in pattern(comma).finditer(text))
    return (numeral for numeral in read if numeral is not None)


def last(text: str, comma: bool = False) -> Numeral | None:
    """The last number of a text that went through `plain`; 3rd only where there is no other."""
    digit = LAST_DIGIT.search(text)
    if digit is None:
        return None
    # Nearly always it stands in the last line with a digit, behind a word that no number goes on across.
    line = text.rfind("\n", 0, digit.start()) + 1
    found = _last(text, line, comma) if line else None
    if found is None or found.ordinal or not WORD.search(text, line, found.start):
        found = _last(text, 0, comma)
    return found


def _last(text: str, start: int, comma: bool) -> Numeral | None:
    ordinal = None
    for found in reversed(list(pattern(comma).finditer(text, start))):
        numeral = _read(found, comma)
        if numeral is not None and not numeral.ordinal:
            return numeral
        ordinal = ordinal or numeral
    return ordinal


def number(text: str, comma: bool = False) -> Numeral | None:
    """The number that a whole text is, or None."""
    found = pattern(comma).fullmatch(plain(text).strip())
    return None if found is None else _read(found, comma)


def _read(found: re.Match[str], comma: bool) -> Numeral | None:
    """A match as a number; None for what is none, such as a division by zero, or too long to be one."""
    parts = found.groupdict()
    power = POWER.search(parts["power"]) if parts["power"] else None
    below = int(parts["below"] or parts["under"] or 1) if len(found.group()) <= LONGEST else 0
    if not below or (power is not None and int(power.group(2)) > LONGEST):
        return None
    value = Fraction(_digits(parts["digits"], comma))
    value = value + Fraction(int(parts["top"]), below) if parts["top"] else value / below
    if power is not None:
        value *= Fraction(10) ** int(("-" if power.group(1) and power.group(1) in SIGNS else "") + power.group(2))
    value = -value if parts["sign"] or parts["inner"] else value
    scale = SCALES[parts["scale"].strip().lower()] if parts["scale"] else 1
    others = [value / 100] * bool(parts["percent"]) + [value * scale] * (scale > 1)
    return Numeral(found.start(), found.end(), value, tuple(others), bool(parts["ordinal"]))


def _digits(text: str, comma: bool) -> str:
    """Digits with a point as the only mark."""
    text = re.sub(GAP, "", text)
    if re.fullmatch(rf"{BY_COMMA}(?:\.\d+)?|{INDIAN}(?:\.\d+)?", text):
        return text.replace(",", "")
    if "," in text or text.count(".") > 1 or (comma and re.fullmatch(BY_POINT, text)):
        return text.replace(".", "").replace(",", ".")
    return "0" + text if text[0] == "." else text


def written(value: Fraction) -> str:
    """A number as decimals where they end within 12 places, else as a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    scaled = value * 10**12
    if scaled.denominator != 1:
        return str(value)
    whole, rest = divmod(abs(scaled.numerator), 10**12)
    return f"{'-' if value < 0 else ''}{whole}.{rest:012}".rstrip("0")
