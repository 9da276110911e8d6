"""Rules of IFBench (Pyatkin et al. 2025) about the form of an answer: `format:`."""

import re
import string
from itertools import pairwise

import emoji

from evaluators.instructions.checking import Rule, unless
from evaluators.instructions.splitting import NO_PUNCTUATION, PUNCTUATION, sentences, tokens

PAIRS = {")": "(", "]": "[", "}": "{"}
BRACKETS, QUOTES = 5, 3  # levels
TEMPLATE = ("My Answer:", "My Conclusion:", "Future Outlook:")
LETTERED = re.compile(r"\W*a\W*b\W*c", re.IGNORECASE)
STRAIGHT = str.maketrans("\u201c\u201d", '""')
AROUND_QUOTES = string.digits + string.punctuation.replace('"', "")


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
    """Straight double and single quotes open and close in turn, and three levels of them are closed."""
    opened: list[str] = []
    deepest = 0
    for mark in re.findall(r"[\"']", text):
        if opened and opened[-1] == mark:
            opened.pop()
            if deepest - len(opened) >= QUOTES:
                return ""
        else:
            opened.append(mark)
            deepest = max(deepest, len(opened))
    return f"not {QUOTES} pairs of quotes within one another"


def options(text: str, options: str) -> str:
    """One of the options and nothing else but punctuation; letters have to be just as they are given."""
    between = "/" if "/" in options else "or" if "or" in options else ","
    found = [option.strip() for option in options.split(between)]
    if LETTERED.match(options):
        return unless(text in found, "none of the options as they are given")
    answer = text.strip(PUNCTUATION).lower()
    return unless(answer in [option.strip(PUNCTUATION).lower() for option in found], "none of the options")


def newline(text: str) -> str:
    """As many lines as words."""
    bare = text.translate(NO_PUNCTUATION).strip()
    lines, words = sum(map(bool, bare.split("\n"))), len(bare.split())
    return unless(lines == words, f"{lines} lines for {words} words")


def emojis(text: str) -> str:
    """An emoji before the punctuation that ends a sentence, or at the beginning of what follows."""
    found = [sentence.translate(NO_PUNCTUATION).strip() for sentence in sentences(text)]
    ends = [any(map(emoji.is_emoji, sentence[-2:])) for sentence in found]
    after = [emoji.is_emoji(sentence[:1]) for sentence in found[1:]] + [False]
    wrong = sum(not (end or begin) for end, begin in zip(ends, after, strict=True))
    return unless(not wrong, f"{wrong} sentences without an emoji at their end")


def line_indent(text: str) -> str:
    """Each line is indented by more blanks than the line before; an empty one between two others does not count."""
    lines: list[str] = []
    passed = False
    for line in text.split("\n"):
        passed = not line.strip() and not passed  # of two empty lines the second counts
        lines += [] if passed else [line]
    indents = [len(line) - len(line.lstrip(" ")) for line in lines]
    wrong = sum(before >= after for before, after in pairwise(indents))
    return unless(not wrong, f"{wrong} lines not indented more than the line before")


def quote_unquote(text: str) -> str:
    """No two double quotes stand side by side, and the text does not end with one."""
    value = "".join(text.translate(STRAIGHT).replace("'\"'", "").split())
    if '""' in value:
        return "two quotes side by side"
    return unless(not value.strip(AROUND_QUOTES).endswith('"'), "nothing after the last quote")


def special_list(text: str, sep: str) -> str:
    count = text.count(sep)
    return unless(count > 1, f"{count} times {sep}, not at least 2")


def thesis(text: str) -> str:
    """Something in italics by HTML, and text behind it."""
    begin = text.find("<i>") if "<i>" in text else text.find("<em>")
    if begin < 0:
        return "nothing in italics"
    rest = text[begin:]
    end = rest.find("</i>") if "</i>" in rest else rest.find("</em>")
    there = end >= 0 and rest[3:end].strip() and rest[end + 4 :].strip()  # a tag of <em> leaves its > in both
    return unless(bool(there), "no thesis in italics with text behind it")


def sub_bullets(text: str) -> str:
    """A hyphen stands behind each asterisk, before the next one."""
    parts = text.split("*")[1:]
    wrong = sum("-" not in part for part in parts)
    return unless(not wrong, f"{wrong} of {len(parts)} asterisks without a hyphen behind them")


def no_bullets_bullets(text: str) -> str:
    """Two sentences and behind them two bullets. Nothing but bullets follows an empty line, or a bullet."""
    before = bullets = 0
    going_on = True
    for line in text.split("\n"):
        if line.strip().startswith("*"):
            bullets, going_on = bullets + 1, False
            if before < 2:
                break
        elif not going_on:
            return "a line that is no bullet, behind an empty line or a bullet"
        else:
            found = len(sentences(line))
            before, going_on = before + found, found > 0
    return unless(before > 1 and bullets > 1, f"{before} sentences and {bullets} bullets, not 2 of each")


def title_case(text: str) -> str:
    """Each token that begins with a letter has a capital there, short words and `n't` too; iPhone will do."""
    wrong = [token for token in tokens(text) if token[0].islower() and (len(token) == 1 or is_small(token[1:]))]
    return unless(not wrong, f"{len(wrong)} words without a capital")


def is_small(text: str) -> bool:
    """Whether all letters of a text are small, or all are capitals."""
    return text.islower() or text.isupper()


def output_template(text: str) -> str:
    missing = [part for part in TEMPLATE if part not in text]
    return unless(not missing, f"without {', '.join(missing)}")


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
