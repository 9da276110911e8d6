"""Whether two answers in LaTeX mean the same: as text, as numbers, part by part, and by algebra in the end."""

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from evaluators.formulas import numerals
from evaluators.formulas.latex import NEW_ROW, TEXT, balanced, normal, pieces, within

TEXT_EQUAL, NUMBERS_EQUAL, EQUIVALENT = "equal as text", "equal as numbers", "equivalent (sympy)"
STRENGTH = (TEXT_EQUAL, NUMBERS_EQUAL, EQUIVALENT)
MOST_PARTS = 64
Ask = Callable[[str, str], bool]  # whether two formulas are the same by algebra

MATRIX = re.compile(r"\\begin\{([pbvB]?matrix|array)\}(?:\{[lcr|]*\})?(.*)\\end\{\1\}")
SIDE = re.compile(r"(?:[A-Za-z]|\\[a-z]+|[A-Za-z]_\{?\w+\}?|[A-Za-z]'?\([A-Za-z]\)|[A-Za-z]{3,})=(?!=)")
MEMBER = re.compile(r"[A-Za-z]\\in ?(?=[(\[\\{])")
BASE = re.compile(r"([0-9A-Fa-f]+)_\{?(\d+)\}?")
CHOICE = re.compile(r"\(?([A-J])\)?")
CHOSEN = re.compile(r"\(?([A-J])(?:\)|[.:](?=\D)|$).*", re.DOTALL)
WORDS = re.compile(r"[^\W\d_](?:[^\W\d_]|[-'., ])+")
WORD = re.compile(r"[A-Za-z]{2,}")
FUNCTIONS = "sin|cos|tan|cot|sec|csc|log|ln|exp|pi|sqrt|frac|infty|cdot|times|pm|cup|cap|theta|circ"
# A number, and behind it letters that are a unit and no product of variables.
WITH_UNIT = re.compile(
    rf"(.*[\d}}%)])\\?(?:\s*\\text\s*\{{(?P<text>[^{{}}]*)\}}|(?P<word>(?!{FUNCTIONS})[A-Za-z]{{2,}}[A-Za-z/.]*|[kcm]?m/(?:s|h|min)|[mgsL]))"
    r"(?:\^\{?(?P<power>[23])\}?)?"
)
UNITS = {
    **dict.fromkeys(("cm", "centimeter", "centimetre"), "cm"),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), "mm"),
    **dict.fromkeys(("m", "meter", "metre"), "m"),
    **dict.fromkeys(("km", "kilometer", "kilometre"), "km"),
    **dict.fromkeys(("in", "inch", "inche"), "in"),
    **dict.fromkeys(("ft", "feet", "foot"), "ft"),
    **dict.fromkeys(("yd", "yard"), "yd"),
    **dict.fromkeys(("mi", "mile"), "mi"),
    **dict.fromkeys(("g", "gram"), "g"),
    **dict.fromkeys(("kg", "kilogram"), "kg"),
    **dict.fromkeys(("lb", "pound"), "lb"),
    **dict.fromkeys(("s", "sec", "second"), "s"),
    **dict.fromkeys(("min", "minute"), "min"),
    **dict.fromkeys(("h", "hr", "hour"), "h"),
    **dict.fromkeys(("day", "week", "month", "year", "dollar", "cent", "degree", "radian", "mph"), ""),
}
UNITS |= {name: name for name, short in UNITS.items() if not short}
# What stands before an answer of parts: a name, or names in brackets; and a set by what its members fulfil.
NAMED_PARTS = re.compile(
    r"(?:[A-Za-z]|\\[a-z]{1,20}\{?[A-Za-z]{1,2}\}?|\([A-Za-z](?:,[A-Za-z]){1,5}\))=(?=\\begin|[(\[]|\\\{)"
    r"|[A-Z](?=\([^()]{1,200},[^()]{1,200}\)\Z)"
)
MEMBERS = re.compile(
    r"\\\{(?P<name>[A-Za-z])(?:\\in ?[^|:]{1,40}?)?(?:\\mid ?|\\vert ?|\||:)(?P<told>[^{}]{1,200})\\\}"
)
HAN_UNIT = re.compile(r"(?<=[\d}])\\?(?:\\text)?\{?[\u4e00-\u9fff]{1,4}\}?\Z")
GROUPED = re.compile(r"(?<![\d.,])\d{1,3}(?:,\d{3}){1,30}(?![\d,])")  # the normal form has 1,234 for 1{,}234
NUMBER_NAMES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
NUMBER_WORDS = {word: value for value, word in enumerate(NUMBER_NAMES)}
LONE_CHOICE = re.compile(r"\(?([A-J])\)?[.:)](?=[^)])")
RELATION = re.compile(r"(?P<low>[^<>=]+?)(?P<first><|\\le ?)(?P<name>[A-Za-z])(?P<second><|\\le ?)(?P<high>[^<>=]+)")
ONE_SIDED = re.compile(r"(?P<name>[A-Za-z])(?P<sign><|>|\\le ?|\\ge ?)(?P<bound>[^<>=]+)")
TURNED = re.compile(r"(?P<bound>[^<>=]+?)(?P<sign><|>|\\le ?|\\ge ?)(?P<name>[A-Za-z])")
TURN = {"<": ">", ">": "<", "\\le": "\\ge", "\\ge": "\\le"}


class Parts(NamedTuple):
    """What an answer is made of: leaf, list (commas alone), set, row (in brackets), union or matrix."""

    kind: str
    items: Sequence[str]
    brackets: str = ""
    shape: Sequence[int] = ()


def equivalence(reference: str, answer: str, ask: Ask, tolerance: float) -> str:
    """How two answers are the same, in the words of STRENGTH; "" where they are not.

    The order of items counts within round and square brackets, where [ is not (, and else not. A unit may be missing;
    a wrong one is wrong. A decimal may be off by `tolerance` of the reference, if one of the two is no whole number.
    """
    wanted, given = normal(reference), normal(answer)
    if wanted == given:
        return TEXT_EQUAL
    found = _same(wanted, given, ask, tolerance)
    whole = ungrouped(wanted), ungrouped(given)
    return found if found or whole == (wanted, given) else _same(*whole, ask, tolerance)


def ungrouped(text: str) -> str:
    """A list that may be one answer, "x=1,234" or "1,234 dollars", with its groups of digits as one number."""
    return GROUPED.sub(lambda found: found[0].replace(",", ""), text) if parts(text).kind == "list" else text


def _same(wanted: str, given: str, ask: Ask, tolerance: float) -> str:
    """The same of normal forms."""
    if wanted == given:
        return TEXT_EQUAL
    if not given or not balanced(given):
        return ""
    as_leaf = _as_numbers(wanted, given, tolerance)
    if as_leaf:
        return as_leaf
    one, other = parts(wanted), parts(given)
    if one.kind == "leaf" == other.kind:
        return _leaves(wanted, given, ask, tolerance)
    if other.kind == "leaf" and one.kind in ("row", "union"):
        other = parts(as_interval(given))
    elif one.kind == "leaf" and other.kind in ("row", "union"):
        one = parts(as_interval(wanted))
    return _structures(one, other, ask, tolerance)


def _structures(one: Parts, other: Parts, ask: Ask, tolerance: float) -> str:
    """Of two answers of which one has parts."""
    if {one.kind, other.kind} == {"leaf", "list"} and len(one.items) + len(other.items) <= MOST_PARTS:
        return _all([_same(*pair, ask, tolerance) for pair in product(one.items, other.items)])  # one said twice
    if len(one.items) != len(other.items) or len(one.items) > MOST_PARTS:
        return ""
    kinds = {one.kind, other.kind}
    if kinds == {"union", "list"}:
        return _unordered(
            [as_interval(item) for item in one.items], list(map(as_interval, other.items)), ask, tolerance
        )
    if kinds == {"row"} and one.brackets != other.brackets and (len(one.items) == 2 or "\\{" in one.brackets):
        return ""
    if kinds == {"matrix"} and one.shape != other.shape:
        return ""
    if kinds == {"row", "matrix"} and 1 not in (*one.shape, *other.shape):
        return ""
    if kinds <= {"row", "matrix"} or (kinds == {"row", "list"} and not _is_interval(one) and not _is_interval(other)):
        return _all([_same(*pair, ask, tolerance) for pair in zip(one.items, other.items, strict=True)])
    if kinds <= {"list", "set", "leaf"} or kinds == {"union"}:
        return _unordered(one.items, list(other.items), ask, tolerance)
    return ""


def _is_interval(found: Parts) -> bool:
    return found.kind == "row" and found.brackets in ("[)", "(]", "[]") and len(found.items) == 2


def _unordered(items: Sequence[str], others: list[str], ask: Ask, tolerance: float) -> str:
    """Of items in any order: each has its own among the others."""
    found = []
    for item in sorted(items, key=others.__contains__, reverse=True):  # the cheap ones first
        there = ((at, _same(item, other, ask, tolerance)) for at, other in enumerate(others))
        at, how = next(((at, how) for at, how in there if how), (-1, ""))
        if not how:
            return ""
        others.pop(at)
        found.append(how)
    return _all(found)


def _all(found: Sequence[str]) -> str:
    """The weakest of the reasons, or "" where one is missing."""
    return max(found, key=STRENGTH.index) if found and all(found) else ""


@lru_cache(maxsize=4096)
def parts(text: str) -> Parts:
    """What a normal form is made of."""
    members = MEMBERS.fullmatch(text)
    if members:
        return parts(as_interval(members["told"]))
    text = MEMBER.sub("", text)
    named = NAMED_PARTS.match(text)
    text = text[named.end() :] if named else text
    matrix = MATRIX.fullmatch(text.strip("()[]")) if "\\begin" in text else None
    if matrix:
        rows = [row.split("&") for row in matrix.group(2).split(NEW_ROW) if row]
        return Parts("matrix", [cell for row in rows for cell in row], shape=[len(rows), len(rows[0]) if rows else 0])
    union = pieces(text.replace("\\cup ", "\1").replace("\\cup", "\1"), "\1")
    if len(union) > 1:
        return Parts("union", union)
    pair = within(text)
    if pair is not None:
        opening, inside, closing = pair
        items = [one for item in pieces(inside, ",;") for one in both_signs(item)]
        if opening == "\\{" and closing == "\\}":
            return Parts("set", items)
        return (
            parts(inside) if len(items) == 1 and opening + closing == "()" else Parts("row", items, opening + closing)
        )
    if value_of(text) is not None:  # 1,000 is no list
        return Parts("leaf", [text])
    items = [one for item in pieces(text, ",;") if item for one in both_signs(item)]
    return Parts("list", items) if len(items) > 1 else Parts("leaf", [text])


def both_signs(text: str) -> list[str]:
    r"""The two values of a formula with one \pm, else the formula."""
    if text.count("\\pm") != 1:
        return [text]
    before, _, after = text.partition("\\pm")
    return [f"{before}+{after}" if before else after, f"{before}-{after}"]


def as_interval(text: str) -> str:
    """An inequality as the interval that it stands for; other text as it is."""
    chain = RELATION.fullmatch(text) or RELATION.fullmatch(turned_chain(text))
    if chain:
        opening, closing = ("(" if chain[side] == "<" else "[" for side in ("first", "second"))
        return f"{opening}{chain['low']},{chain['high']}{')' if closing == '(' else ']'}"
    found = ONE_SIDED.fullmatch(text)
    turned = None if found else TURNED.fullmatch(text)
    if found is None and turned is None:
        return text
    sign = found["sign"].strip() if found else TURN[turned["sign"].strip()]  # type: ignore[index]
    bound = (found or turned)["bound"]  # type: ignore[index]
    if sign in ("<", "\\le"):
        return f"(-\\infty,{bound}{')' if sign == '<' else ']'}"
    return f"{'(' if sign == '>' else '['}{bound},\\infty)"


def turned_chain(text: str) -> str:
    """2 > x \\ge 1 as 1 \\le x < 2; other text as it is."""
    found = re.fullmatch(r"([^<>=]+?)(>|\\ge ?)([A-Za-z])(>|\\ge ?)([^<>=]+)", text)
    if found is None:
        return text
    high, first, name, second, low = found.groups()
    return f"{low}{TURN[second.strip()]}{name}{TURN[first.strip()]}{high}"


def _leaves(wanted: str, given: str, ask: Ask, tolerance: float) -> str:
    """Of two answers without parts."""
    choice = CHOICE.fullmatch(said(wanted)) if "(" in wanted or "\\text" in wanted else None
    if choice is not None:
        chosen = CHOSEN.fullmatch(said(given))
        return TEXT_EQUAL if chosen is not None and chosen[1] == choice[1] else ""
    if re.fullmatch("[A-J]", wanted) and (chosen := LONE_CHOICE.match(said(given))):
        return TEXT_EQUAL if chosen[1] == wanted else ""
    if "\\pi" in wanted and "\\pi" not in given and given.endswith("^\\circ"):  # an angle in degrees
        given = "(" + given.removesuffix("^\\circ") + ")\\cdot\\pi/180"
    bases = BASE.fullmatch(wanted), BASE.fullmatch(given)
    if bases[0] is not None:
        right = given == bases[0][1] or (bases[1] is not None and bases[1].groups() == bases[0].groups())
        return TEXT_EQUAL if right else ""
    if is_words(wanted):
        return TEXT_EQUAL if letters(wanted) == letters(given) else ""
    wanted, given = sides(wanted, given)
    (wanted, unit), (given, other) = without_unit(wanted), without_unit(given)
    if unit and other and unit != other:
        return ""
    if wanted == given:
        return TEXT_EQUAL
    found = _as_numbers(wanted, given, tolerance)
    if found or None not in (value_of(wanted), value_of(given)) or not given or is_words(given):
        return found
    return EQUIVALENT if ask(*(text.replace(NEW_ROW, "\\\\") for text in (wanted, given))) else ""


def _as_numbers(wanted: str, given: str, tolerance: float) -> str:
    """Of two plain numbers: a percentage may stand as its hundredth."""
    one, other = value_of(wanted), value_of(given)
    if one is None or other is None:
        return ""
    if "%" in wanted and "%" in given:
        one, other = one[:1], other[:1]
    for value in one:
        for near in other:
            whole = value.denominator == 1 == near.denominator
            if value == near or (not whole and abs(value - near) <= Fraction(str(tolerance)) * abs(value)):
                return NUMBERS_EQUAL
    return ""


@lru_cache(maxsize=4096)
def value_of(text: str) -> tuple[Fraction, ...] | None:
    """What a plain number can be read as, or None for anything else."""
    word = said(text).lower()
    if word in NUMBER_WORDS:
        return (Fraction(NUMBER_WORDS[word]),)
    text = said(text) if TEXT.fullmatch(text) else text
    found = numerals.number(text.replace("^\\circ ", "").replace("^\\circ", "").removeprefix("+"))
    return None if found is None else (found.value, *found.others)


def said(text: str) -> str:
    """A normal form with the words in LaTeX's text as they stand."""
    return TEXT.sub(r"\1", text)


def is_words(text: str) -> bool:
    """Whether a normal form is words in LaTeX's text, or letters that are no formula."""
    inside = said(text)
    if TEXT.fullmatch(text) and WORD.search(inside):
        return True
    return bool(WORDS.fullmatch(inside)) and (inside != text or (len(text) > 3 and "=" not in text))


def letters(text: str) -> str:
    """Words as they are compared: their letters alone."""
    return "".join(mark for mark in said(text).casefold() if mark.isalnum())


def sides(wanted: str, given: str) -> tuple[str, str]:
    """Two answers without "x =" before them, unless they give different names to it."""
    one, other = SIDE.match(wanted), SIDE.match(given)
    if one and other:
        names = {one.group(), other.group()}
        return (wanted, given) if len(names) == 2 == len(max(names, key=len)) else (last_side(wanted), last_side(given))
    if "=" in wanted and "=" in given:
        return wanted, given
    return last_side(wanted) if one else wanted, last_side(given)


def last_side(text: str) -> str:
    """What is behind the last = of an equation."""
    return text.rpartition("=")[2]


def without_unit(text: str) -> tuple[str, str]:
    """(answer, its unit as UNITS has it, with a power) of a number with a unit; the unit is "" if it is not known."""
    text = HAN_UNIT.sub("", re.sub(r"\^\\circ ?[CF]?$", "", text))
    found = WITH_UNIT.fullmatch(text)
    if found is None:
        return text, ""
    word = (found["text"] or found["word"] or "").strip().lower()
    power = found["power"] or ("2" if word.startswith(("sq", "square")) else "3" if word.startswith("cubic") else "")
    word = re.sub(r"^(?:square|sq\.?|cubic)\s*", "", word).rstrip(".")
    name = UNITS.get(word) or UNITS.get(word.removesuffix("s")) or UNITS.get(word.removesuffix("es")) or ""
    return found[1], name + power if name else ""
