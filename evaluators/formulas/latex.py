"""Answers in LaTeX: boxes found in a text, and a normal form in which equal answers mostly are equal text."""

import re
from collections.abc import Iterator

from evaluators.formulas.numerals import plain_digits

MOST, GAP = 64, 40  # boxes that make one answer, and characters between two of them
TOKEN = re.compile(r"\\(?:boxed|fbox)\b\s*(?:(?P<open>\{)|(?P<bare>-?\d[\d.,/]*|[A-Za-z]\b))|\\.|[{}]", re.DOTALL)
BETWEEN_BOXES = re.compile(
    r"[\s$,;*.\\()]*(?:and|or|\\text\{ ?(?:and|or) ?\}|\u548c|\u6216|\u3001)?[\s$,;*\\()]*(?:[A-Za-z]\s*=\s*)?"
)
CHARACTERS = {
    **{ord(minus): "-" for minus in "\u2212\u2013\ufe63\uff0d"},
    **{0xD7: "\\times ", 0xF7: "/", 0x3C0: "\\pi ", 0x221A: "\\sqrt", 0x221E: "\\infty ", 0xB0: "^\\circ "},
    **{
        0x2264: "\\le ",
        0x2265: "\\ge ",
        0xB1: "\\pm ",
        0x222A: "\\cup ",
        0x2208: "\\in ",
        0xB7: "\\cdot ",
        0x2260: "\\ne ",
    },
    **{0xFF0E: ".", 0xFF08: "(", 0xFF09: ")", 0xFF0C: ",", 0x3001: ",", 0xFF1D: "=", 0xA0: " ", 0x2009: " "},
    **{0x3B8: "\\theta ", 0x3B1: "\\alpha ", 0x3B2: "\\beta ", 0x202F: " ", 0xFF1B: ";", 0x3002: "."},
}
SUPERSCRIPTS = dict(zip("\u2070\xb9\xb2\xb3\u2074\u2075\u2076\u2077\u2078\u2079\u207b", "0123456789-", strict=True))
SUPERSCRIPT = re.compile(f"[{''.join(SUPERSCRIPTS)}]{{1,20}}")
BASES = {
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "sixteen": 16,
}


def repeating(found: re.Match[str]) -> str:
    """A decimal with digits that repeat, as a fraction."""
    whole, digits, period = found.groups()
    top = int(whole + digits + period) - int(whole + digits or "0")
    return f"\\frac{{{top}}}{{{'9' * len(period)}{'0' * len(digits)}}}"


# (what is written, what it becomes), in this order
REWRITTEN = [
    (re.compile(pattern), to)
    for pattern, to in (
        (r"\\[()\[\]](?![^\\]*\\\\end)|\$|\*\*|`", ""),
        (r"\\(?:left|right|middle|[bB]igg?[lrm]?)(?![a-z])\s*\.?", ""),
        (r"\\(?:text)?color\s*\{[\w!]{1,20}\}(?:\{([^{}]*)\})?", r"\1"),
        (r"\\underline\s*\{([^{}]*)\}", r"\1"),
        (r"\\text\s*\{\s*all real numbers\s*\}", r"\\R "),
        (r"\\text\s*\{\s*(?:an?|the)\s+", r"\\text{"),
        (r"\\text\s*\{\s*(\d[\d.,]*)\s+([^{}]+)\}", r"\1\\text{\2}"),
        (r"\A\s*\\text\s*\{[^{}]*\}\s*(?=[(\[]\s*-?\d)", ""),
        (r"\A\s*\{([^{}]*,[^{}]*)\}\s*\Z", r"\\{\1\\}"),
        (r"\\(?:tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z])", ""),
        (r"\A\s*(?:\\approx(?![a-z])|\\text\s*\{[^{}]*(?:\bis|\bare|[:=])\s*\})\s*", ""),
        (r"\^\s*\{?\s*\\(?:text|mathrm|textrm)\s*\{\s*(?:st|nd|rd|th)\s*\}\s*\}?", ""),
        (r"\\text\s*\{\s*(hundred|thousand|million|billion|trillion|infinity)\s*\}", r" \1 "),
        (r"(?<![\d.,/^_])(\d{1,9})\s+(\d{1,9})\s?/\s?(\d{1,9})(?![\d/.])", r"\1\\frac{\2}{\3}"),
        (r"(?<![\d.])(\d{0,30})\.(\d{0,30})\\overline\s*\{(\d{1,30})\}", repeating),
        (
            r"_\s*\{?\s*\\(?:text|mathrm)\s*\{\s*(" + "|".join(BASES) + r")\s*\}\s*\}?",
            lambda found: f"_{BASES[found[1]]}",
        ),
        (r"\\log_\s*\{?\s*e\s*\}?(?![a-z])", r"\\ln "),
        (r"\\(?:displaystyle|textstyle|limits|boldsymbol|bm|mathstrut)(?![a-z])", ""),
        (r"(?<=\d)(?:\{,\}|,?\s?\\!|,?\\[,;: ])\s*(?=\d{3}(?!\d))", ","),
        (r"(?<=\d),[ \t]+(?=\d)", ";"),
        (r"\\[!,;:>]|~|\\q?quad(?![a-z])|\\\s|\\thinspace(?![a-z])", " "),
        (r"\\[dtc]frac(?![a-z])", r"\\frac"),
        (
            r"\\(?:mathrm|mathbf|mathit|mathsf|mathtt|textbf|textit|textrm|textnormal|mbox|hbox|operatorname|rm)\s*(?=\{)",
            r"\\text",
        ),
        (r"\\leqs?(?:lant)?(?![a-z])|<=", r"\\le "),
        (r"\\geqs?(?:lant)?(?![a-z])|>=", r"\\ge "),
        (r"\\lt(?![a-z])", "<"),
        (r"\\gt(?![a-z])", ">"),
        (r"\\neq(?![a-z])|!=", r"\\ne "),
        (r"\\l(?:angle|brack)(?![a-z])", "("),
        (r"\\r(?:angle|brack)(?![a-z])", ")"),
        (r"\\lbrace(?![a-z])", r"\\{"),
        (r"\\rbrace(?![a-z])", r"\\}"),
        (
            r"\^\s*\{?\s*\\(?:circ|degree)(?![a-z])\s*\}?|\\degree(?![a-z])|\\text\{\s*degrees?\s*\}|(?<=\d)\s*degrees?\b",
            r"^\\circ ",
        ),
        (r"(?<=[\d)])\s*\\?%|(?<=\d)\s*(?:\\text\{\s*)?percent(?:\s*\})?", "%"),
        (
            r"\s*,?\s*(?:\\text\s*\{\s*(?:and|or|[\u548c\u6216\u4e0e\u53ca])\s*\}|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z])"
            r"|(?<=[\w)}])\s*(?:[\u548c\u6216\u4e0e]|\u4ee5\u53ca)\s*(?=[-\w({\\$]))\s*",
            ",",
        ),
        (r"(?<![A-Za-z\\])(?:infinity|infty|inf)(?![A-Za-z])", r"\\infty "),
        (r"(?<![A-Za-z\\])(sqrt|pi)(?![A-Za-z])", r"\\\1 "),
        (r"\\sqrt\s*\(([^()]*)\)", r"\\sqrt{\1}"),
        (r"\\sqrt\s*(\w)", r"\\sqrt{\1}"),
        (r"\\frac\s*(\w)\s*(\w)", r"\\frac{\1}{\2}"),
        (r"\\frac\s*(\w)\s*\{", r"\\frac{\1}{"),
        (r"\\emptyset(?![a-z])|\\varnothing(?![a-z])", r"\\emptyset "),
        (r"\\mathbb\s*\{?\s*R\s*\}?|\\R(?![A-Za-z])", r"(-\\infty ,\\infty )"),
        (r"(?<=[\w)}])\s*\*\s*(?=[\w(\\])", r"\\cdot "),
    )
]
NEW_ROW = "\2"  # stands for the two backslashes that end a row of a matrix
TWICE = re.compile(r"\\\\(?=[A-Za-z])")
FRACTION_WITH_DIGIT = re.compile(r"(\\frac\{[^{}]*\})\s*(\w)")
BRACED = re.compile(r"([\^_])\{(\w)\}")
LETTERS_AFTER = re.compile(r"(\\[A-Za-z]+)\s+(?=[A-Za-z])")
TEXT = re.compile(r"\\text\s*\{([^{}]*)\}")


def boxes(text: str) -> list[tuple[int, int, str]]:
    r"""(start, end, content) of each \boxed{} or \fbox{} that is closed and in no other; \boxed 5 has no braces."""
    found: list[tuple[int, int, str]] = []
    opened: list[tuple[int, int]] = []  # start and content of a box, (-1, -1) of any other brace
    for token in TOKEN.finditer(text):
        if token["bare"]:
            found.append((token.start(), token.end(), token["bare"].rstrip(".,")))
        elif token["open"]:
            opened.append((token.start(), token.end()))
        elif token.group() == "{":
            opened.append((-1, -1))
        elif token.group() == "}" and opened:
            start, content = opened.pop()
            if start >= 0:
                while found and found[-1][0] > start:
                    found.pop()
                found.append((start, token.end(), text[content : token.start()]))
    return [box for box in found if box[2].strip()]


def last_box(text: str) -> str | None:
    """Content of the last box, together with those before it that only commas and the like part from it."""
    found = boxes(text)
    if not found:
        return None
    start, _, content = found[-1]
    for before, end, other in reversed(found[-MOST:-1]):
        if start - end > GAP or not BETWEEN_BOXES.fullmatch(text[end:start]) or other == content:
            break
        start, content = before, f"{other}, {content}"
    return content


def normal(text: str) -> str:
    """The normal form of an answer: one way of writing of those that LaTeX has, without blanks or marks around it."""
    text = text.strip()
    if not text.isascii():
        text = SUPERSCRIPT.sub(lambda found: f"^{{{''.join(map(SUPERSCRIPTS.get, found[0]))}}}", text)  # type: ignore[arg-type]
        text = text.translate(CHARACTERS).translate(plain_digits())
    for token in ("\\boxed", "\\fbox"):
        while text.startswith(token + "{") and text.endswith("}"):
            text = text[len(token) + 1 : -1]
    text = text.replace("\\\\", NEW_ROW) if "\\begin" in text else TWICE.sub(r"\\", text)
    text = text.replace("\\$", "").replace("\\%", "%")
    for pattern, to in REWRITTEN:
        text = pattern.sub(to, text)
    text = FRACTION_WITH_DIGIT.sub(r"\1{\2}", text)
    text = text.strip(" \t\n").rstrip(".,:;\\ ").removeprefix(":").strip()
    text = LETTERS_AFTER.sub("\\1\0", text)
    text = "".join(text.split()).replace("\0", " ")
    return BRACED.sub(r"\1\2", text)


def balanced(text: str) -> bool:
    """Whether brackets of all kinds are in pairs, of which (3,4] is one too."""
    depth = 0
    for mark in re.findall(r"\\?[(){}\[\]]", text):
        depth += 1 if mark[-1] in "([{" else -1
        if depth < 0:
            return False
    return depth == 0


def pieces(text: str, marks: str) -> list[str]:
    """A text cut at marks that are in no brackets."""
    found, depth, start = [], 0, 0
    for at, mark in enumerate(text):
        if mark in "([{":
            depth += 1
        elif mark in ")]}":
            depth -= 1
        elif depth == 0 and mark in marks:
            found.append(text[start:at])
            start = at + 1
    return [*found, text[start:]]


def within(text: str) -> tuple[str, str, str] | None:
    r"""(opening, inside, closing) of a text in one pair of brackets: ( [ or \{; None for any other."""
    opening = re.match(r"\\\{|[(\[]", text)
    if opening is None:
        return None
    closing = re.search(r"\\\}$|[)\]]$", text)
    if closing is None or closing.start() < opening.end():
        return None
    depth = 0
    for mark in marks(text):
        depth += 1 if text[mark] in "([{" else -1
        if depth == 0:
            inside = text[opening.end() : closing.start()]
            return (opening.group(), inside, closing.group()) if mark == len(text) - 1 else None
    return None


def marks(text: str) -> Iterator[int]:
    """Where brackets stand."""
    return (at for at, mark in enumerate(text) if mark in "([{)]}")
