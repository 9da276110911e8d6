"""Rules of IFBench (Pyatkin et al. 2025) about the form of an answer: `format:`."""

import re
from itertools import pairwise

import emoji

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.splitting import last_mark, plain_words, sentences

PAIRS = {")": "(", "]": "[", "}": "{"}
BRACKETS, QUOTES = 5, 3  # levels
STRAIGHT = str.maketrans("\u201c\u201d\u2018\u2019", "\"\"''")
APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
CLOSING = " \t\n\r\"')]}*_.,;:!?\u2026\u2019\u201d\u00bb\ufe0e\ufe0f"
KEYCAP = "\u20e3"
TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")
LETTER = re.compile(r"\W*\w\W*")
THESIS = re.compile(r"<(i|em)>")


def parentheses(text: str) -> str:
    """Five pairs of brackets, of whatever kinds, stand within one another. One that fits none begins anew."""
    opened: list[str] = []
    for mark in text:
        if mark in "([{":
            opened.append(mark)
        elif mark in PAIRS and opened:
            if opened[-1] != PAIRS[mark]:
                opened.clear()
            elif len(opened) >= BRACKETS:
                return ""
            else:
                opened.pop()
    return f"not {BRACKETS} pairs of brackets within one another"


def quotes(text: str) -> str:
    """Double and single quotes in turn stand within one another, and three of them are closed one after the other."""
    opened: list[str] = []
    closed = 0
    for mark in re.findall(r"[\"']", APOSTROPHE.sub("", text.translate(STRAIGHT))):
        if opened and opened[-1] == mark:
            opened.pop()
            closed += 1
        else:
            opened.append(mark)
            closed = 0
        if closed == QUOTES:
            return ""
    return f"not {QUOTES} pairs of quotes within one another"


def options(text: str, options: str) -> str:
    """One of the options and nothing else. Letters have to be as they are given, with their brackets."""
    between = "/" if "/" in options else r"\s+or\s+" if " or " in options else ","
    found = [option.strip() for option in re.split(between, options) if option.strip()]
    if all(LETTER.fullmatch(option) for option in found):
        return unless(text.strip() in found, "none of the options")
    answer = plain_words(text)
    return unless(any(plain_words(option) == answer for option in found), "none of the options")


def newline(text: str) -> str:
    lines = [plain_words(line) for line in text.split("\n")]
    wrong = sum(len(words) > 1 for words in lines)
    return unless(not wrong, f"{wrong} lines with more than one word")


def is_emoji(mark: str) -> bool:
    """Whether a character is an emoji, or ends one."""
    return emoji.is_emoji(mark) or mark == KEYCAP or "\U0001f1e6" <= mark <= "\U0001f1ff"


def emojis(text: str) -> str:
    """An emoji before the punctuation that ends a sentence, or behind it."""
    found = sentences(text)
    ends = [sentence.rstrip(CLOSING)[-1:] for sentence in found]
    after = [sentence.lstrip(CLOSING)[:1] for sentence in found[1:]] + [""]
    wrong = sum(not (is_emoji(end) or is_emoji(begin)) for end, begin in zip(ends, after, strict=True))
    return unless(not wrong, f"{wrong} sentences without an emoji at their end")


def line_indent(text: str) -> str:
    """Each line is indented more than the line before; empty ones do not count."""
    lines = [line.expandtabs() for line in text.split("\n") if line.strip()]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    if len(indents) < 2:
        return "only one line"
    wrong = sum(before >= after for before, after in pairwise(indents))
    return unless(not wrong, f"{wrong} lines not indented more than the line before")


def quote_unquote(text: str) -> str:
    """Words without quotes follow each phrase in double quotes, before the next one."""
    parts = text.translate(STRAIGHT).replace("'\"'", "").split('"')
    wrong = sum(not any(map(str.isalnum, part)) for part in parts[2::2])
    return unless(not wrong, f"{wrong} quotes without an explanation after them")


def special_list(text: str, sep: str) -> str:
    count = sum(line.lstrip().startswith(sep.strip()) for line in text.split("\n"))
    return unless(count > 1, f"{count} items that begin with {sep.strip()}, not at least 2")


def thesis(text: str) -> str:
    """Something in italics by HTML, and text behind it."""
    begin = THESIS.search(text)
    if begin is None:
        return "nothing in italics"
    inside, end, after = text[begin.end() :].partition(f"</{begin.group(1)}>")
    return unless(bool(end and inside.strip() and after.strip()), "no thesis in italics with text behind it")


def is_bullet(line: str) -> bool:
    """Whether a line begins with one asterisk."""
    return line.lstrip()[:1] == "*" and line.lstrip()[1:2] != "*"


def sub_bullets(text: str) -> str:
    """A line with a hyphen belongs to each line with an asterisk."""
    counts: list[int] = []
    for line in text.split("\n"):
        if is_bullet(line):
            counts.append(0)
        elif counts and line.lstrip().startswith("-"):
            counts[-1] += 1
    if not counts:
        return "no bullets with *"
    return unless(all(counts), f"{counts.count(0)} bullets without one with - below them")


def no_bullets_bullets(text: str) -> str:
    """Two sentences that end in a full stop, and two bullets after them."""
    lines = text.split("\n")
    first = next((at for at, line in enumerate(lines) if is_bullet(line)), len(lines))
    before = sum(last_mark(sentence) == "." for sentence in sentences("\n".join(lines[:first])))
    bullets = sum(map(is_bullet, lines))
    return unless(before > 1 and bullets > 1, f"{before} sentences and {bullets} bullets, not 2 of each")


def title_case(text: str) -> str:
    """Each word begins with a capital, short ones too, as the authors' program has it."""
    words = [word for part in text.split() if (word := part.lstrip("\"'([{<*_#\u2018\u201c"))]
    wrong = [word for word in words if word[0].islower()]
    return unless(not wrong, f"{len(wrong)} words without a capital")


def output_template(text: str) -> str:
    places = [text.find(part) for part in TEMPLATE]
    return unless(-1 not in places and places == sorted(places), "not all parts of the template in their order")


def no_whitespace(text: str) -> str:
    return unless(re.search(r"\s", text) is None, "with blanks")


RULES: dict[str, Rule] = {
    "format:parentheses": parentheses,
    "format:quotes": quotes,
    "format:options": options,
    "format:newline": newline,
    "format:emoji": emojis,
    "format:line_indent": line_indent,
    "format:quote_unquote": quote_unquote,
    "format:list": special_list,
    "format:thesis": thesis,
    "format:sub-bullets": sub_bullets,
    "format:no_bullets_bullets": no_bullets_bullets,
    "format:title_case": title_case,
    "format:output_template": output_template,
    "format:no_whitespace": no_whitespace,
}
