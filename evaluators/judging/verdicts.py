"""What the reply of a judge says: ordered, named rules, of which the first that finds a verdict counts.

pattern   what a regular expression of the contract finds
json      a field of a JSON object
field     "verdict: A"; the last one, since judges correct themselves
brackets  [[A]], or [[7]] of a grade; the last one
whole     the reply is nothing but a label, or a grade
line      its first or its last line is; where both are, and differ, nothing is found
opening   the reply begins with a label and what ends it: "A. The answer ..."
sentence  the reply is one sentence that ends with a label: "The candidate answer is incorrect."
word      a label of several capitals, such as CORRECT, alone in the text

A single letter within a sentence is never a verdict, nor is what stands in a quotation.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

LONGEST_REPLY = 200_000  # characters; of a longer one the end is read
LONGEST_LABEL = 80
NO_VERDICT = "the reply has no verdict"
# Marks of other writing as those of ASCII: quotation marks, dashes, full-width brackets and stops.
ASCII = str.maketrans(
    "\u2018\u2019\u201c\u201d\u2013\u2014\u3002\uff0c\uff1a\uff1b\uff08\uff09\u3010\u3011", "''\"\"--.,:;()[]"
)
AROUND = " \t\r\n*_`\"'()[]{}<>#.,:;!$"
MARKS = r"[\s*_`\"'(\[{$]*"
NUMBER = r"-?\d+(?:\.\d+)?"
FENCED = re.compile(r"```(?:json)?(.*?)```", re.DOTALL | re.IGNORECASE)
FLAT_OBJECT = re.compile(r"\{[^{}]*\}")
QUOTED_LINE = re.compile(r"^[ \t]*>.*$", re.MULTILINE)
BRACKETS = re.compile(r"\[\[([^\[\]]{1,60})\]\]")
GRADE = re.compile(rf"({NUMBER})(?:\s*(?:/|out\s+of)\s*(\d+(?:\.\d+)?))?", re.IGNORECASE)
SEPARATORS = re.compile(r"[\s_-]+")
# Behind a label: nothing of the same word, and no second label, as in "yes or no", which repeats the question. Behind a
# single letter, which may be a word as well, comes the end of the line, a mark, or a reason.
CLOSING = r"[*_`\"')\]}$]*"
WORD_ENDS = rf"(?![\w%]|['-]\w|{CLOSING}\s*(?:/|\||\bor\b))"
LETTER_ENDS = rf"(?!['-]\w)(?={CLOSING}[ \t]*(?:$|[.,;:!()-]|(?:because|since|as)\b))"
GRADE_ENDS = r"(?![\w.%]*\d|\s*-\s*\d)"
LETTER_OPENS = rf"{CLOSING}(?:[.):](?!\w)|[ \t]+--?(?=\s)|[ \t]*\n)"
WORD_OPENS = rf"{CLOSING}(?:[.),;!](?!\w)|[ \t]+--?(?=\s)|[ \t]*\n)"
# What is said of an answer, without a "not" and without a second thought.
SENTENCE = re.compile(
    r"\W*(?:so |thus |therefore,? )?(?:it|this|that|(?:the|this) (?:[a-z']+ ){0,2}(?:answer|response)) is"
    r"[ \t:*_`\"']+([A-Za-z]+)[.!*_`\"']*",
    re.IGNORECASE,
)
BOOLEANS = {True: ("yes", "true", "correct"), False: ("no", "false", "incorrect")}


class Scale(NamedTuple):
    """What verdicts there are: labels with a score each, or grades from `least` to `most` where there are no labels."""

    scores: Mapping[str, float]
    least: float
    most: float
    fields: Sequence[str]  # names that a verdict may have
    pattern: str = ""


class Reading(NamedTuple):
    """What a reply says. `score` is from 0 to 1, None where no verdict was found; `why` says then why not."""

    score: float | None
    label: str = ""
    rule: str = ""
    why: str = ""


def read(reply: str, scale: Scale) -> Reading:
    """The verdict of a reply that has no thoughts in it any more."""
    text = QUOTED_LINE.sub("", reply[-LONGEST_REPLY:].translate(ASCII)).strip()
    if not text:
        return Reading(None, why="the reply is empty")
    for rule, find in RULES.items():
        found = find(text, scale)
        if isinstance(found, Reading):
            return found
        if found is not None:
            return judged(found, rule, scale)
    return Reading(None, why=NO_VERDICT)


def judged(label: str, rule: str, scale: Scale) -> Reading:
    """The score of a label, or of a grade, which may be outside of the scale."""
    if scale.scores:
        return Reading(scale.scores[label], label, rule)
    grade = float(label)
    if not scale.least <= grade <= scale.most:
        return Reading(None, label, rule, f"the grade {label} is not from {scale.least:g} to {scale.most:g}")
    return Reading((grade - scale.least) / (scale.most - scale.least), label, rule)


def label_of(text: str, scale: Scale) -> str | None:
    """The label, or the grade, that a piece of text is as a whole."""
    bare = text.strip(AROUND) if len(text) <= LONGEST_LABEL else ""
    if not scale.scores:
        found = GRADE.fullmatch(bare)
        return None if found is None else grade_of(found, scale)
    return next((label for label in scale.scores if label.casefold() == bare.casefold()), None)


def grade_of(found: "re.Match[str]", scale: Scale) -> str | None:
    """A grade, unless it is of another scale, as in 70/100."""
    grade, of = found.group(1), found.group(2)
    return None if of is not None and float(of) != scale.most else str(grade)


def by_pattern(text: str, scale: Scale) -> str | None:
    """The last match of the contract's own expression: its first group, or all of it."""
    if not scale.pattern:
        return None
    found = [match.group(1 if match.re.groups else 0) or "" for match in re.finditer(scale.pattern, text)]
    return label_of(found[-1], scale) if found else None


def by_json(text: str, scale: Scale) -> str | None:
    """A field of the last JSON object that has one of that name."""
    for fields in objects(text):
        for name, value in fields.items():
            if plain(name) in map(plain, scale.fields) and (label := label_of_value(value, scale)) is not None:
                return label
    return None


def objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects of a text, the last one first: all of it, what is fenced, and what has no object within it."""
    pieces = [text, *reversed(FENCED.findall(text)), *reversed(FLAT_OBJECT.findall(text))]
    for piece in pieces:
        if piece.lstrip()[:1] != "{":
            continue
        try:
            value = msgspec.json.decode(piece.strip())
        except (msgspec.DecodeError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def label_of_value(value: Any, scale: Scale) -> str | None:
    """The label of a value of JSON."""
    if isinstance(value, bool):
        return next((label for label in scale.scores if label.casefold() in BOOLEANS[value]), None)
    return label_of(f"{value:g}" if isinstance(value, float) else str(value), scale)


def by_field(text: str, scale: Scale) -> str | None:
    """The last "verdict: A"."""
    label = rf"{NUMBER}(?:\s*(?:/|out\s+of)\s*\d+)?{GRADE_ENDS}"
    if scale.scores:
        label = "|".join(
            re.escape(label) + (WORD_ENDS if len(label) > 1 else LETTER_ENDS) for label in longest_first(scale.scores)
        )
    found = re.findall(rf"(?im){field_name(scale.fields)}{MARKS}({label})", text)
    return label_of(found[-1], scale) if found else None


def field_name(fields: Sequence[str]) -> str:
    """An expression for a name in a text with the colon behind it; blanks stand for underscores."""
    names = (r"[\s_-]?".join(map(re.escape, plain(name).split())) for name in fields)
    return rf"(?<![A-Za-z0-9])(?:{'|'.join(names)})[\]*_`\"'\s]*(?::|=|\uff1a|\bis\b:?)"


def plain(name: str) -> str:
    """A name without case, with blanks between its words."""
    return SEPARATORS.sub(" ", name).strip().casefold()


def longest_first(labels: Mapping[str, float]) -> list[str]:
    return sorted(labels, key=len, reverse=True)


def by_brackets(text: str, scale: Scale) -> str | None:
    """The last [[A]]."""
    found = [label for inner in BRACKETS.findall(text) if (label := label_of(inner, scale)) is not None]
    return found[-1] if found else None


def by_whole(text: str, scale: Scale) -> str | None:
    """The text itself."""
    return label_of(text, scale)


def by_line(text: str, scale: Scale) -> "str | Reading | None":
    """The first line, or the last one."""
    lines = text.splitlines()
    first, last = label_of(lines[0], scale), label_of(lines[-1], scale)
    begun = first or by_opening(text, scale)
    if begun and last and judged(begun, "", scale).score != judged(last, "", scale).score:
        return Reading(None, why=f"the reply begins with {begun} and ends with {last}")
    return first or last


def by_opening(text: str, scale: Scale) -> str | None:
    """The label that a text begins with; a single letter has to be a capital."""
    for label in longest_first(scale.scores):
        name = re.escape(label) + LETTER_OPENS if len(label) == 1 else f"(?i:{re.escape(label)}){WORD_OPENS}"
        if re.match(MARKS + name, text):
            return label
    return None


def by_sentence(text: str, scale: Scale) -> str | None:
    """The label of several letters with which a short reply of one sentence ends: "It is correct"."""
    words = [label for label in longest_first(scale.scores) if len(label) > 2]
    names = "|".join(map(re.escape, words))
    found = SENTENCE.fullmatch(text) if words else None
    return label_of(found[1], scale) if found and re.fullmatch(names, found[1], re.IGNORECASE) else None


def by_word(text: str, scale: Scale) -> "str | Reading | None":
    """The one label in capitals, if no other is there and it is not denied."""
    words = [label for label in longest_first(scale.scores) if len(label) > 2 and label.isupper()]
    if not words:
        return None
    found = re.findall(rf"(?<![\w-])((?i:not)\s)?({'|'.join(map(re.escape, words))})(?![\w-])", text)
    if not found:
        return None
    labels = {label for _, label in found}
    if len({scale.scores[label] for label in labels}) > 1 or any(denied for denied, _ in found):
        return Reading(None, why=f"the reply has {' and '.join(sorted(labels))} without saying which counts")
    return str(found[-1][1])


def field_text(reply: str, name: str) -> str:
    """What a reply says behind a name: the value in JSON, else the rest of its line; empty where it has no such."""
    text = reply[-LONGEST_REPLY:]
    for fields in objects(text):
        for key, value in fields.items():
            if plain(key) == plain(name) and value is not None:
                return value.strip() if isinstance(value, str) else msgspec.json.encode(value).decode()
    found = re.findall(rf"(?im)^[ \t>*_`\"'#-]*{field_name([name])}(.*)$", text)
    return found[-1].strip().strip("*_`").strip() if found else ""


def percent(text: str) -> float | None:
    """Confidence in percent, from 0 to 100: of "85%", "85", and of 0.85, which has a point and is no more than 1."""
    found = re.search(r"(\d+(?:\.\d+)?)\s*(%?)", text)
    if found is None:
        return None
    number = float(found.group(1))
    share = "." in found.group(1) and not found.group(2) and number <= 1
    return min(100.0, number * 100 if share else number)


RULES: dict[str, Callable[[str, Scale], "str | Reading | None"]] = {
    "pattern": by_pattern,
    "json": by_json,
    "field": by_field,
    "brackets": by_brackets,
    "whole": by_whole,
    "line": by_line,
    "opening": by_opening,
    "sentence": by_sentence,
    "word": by_word,
}
