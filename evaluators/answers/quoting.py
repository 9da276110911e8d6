"""Tags that a text is about: in quotes, in backticks or in a block of code a tag is a word like any other.

What is scored and what a run takes for reasoning both ask here, so that one answer is never cut at two places.
"""

import bisect
import re
from collections.abc import Sequence
from typing import NamedTuple

ALIKE = "'\"`"
PAIRS = {"“": "”", "‘": "’", "«": "»", "「": "」", "『": "』", "《": "》"}  # noqa: RUF001
FENCE = re.compile(r"```+")
CLOSING_FENCE = re.compile(r"`+[ \t]*$", re.MULTILINE)
# A block of code around the whole answer, whose first tag is one of the answer's own.
WRAPPED = re.compile(r"\s*```\w*\s*\Z")
# Code within a line. It begins and ends with a sign, so that two backticks of two thoughts are not taken for a pair.
SPAN = re.compile(r"`(?<![`\w]`)(`?)(?![`\s])[^`\n]{1,200}(?<!\s)`\1(?![`\w])")
NEAR = 1000  # characters of a line on each side of a tag that are looked at


class Mark(NamedTuple):
    """A tag in a text."""

    start: int
    end: int
    kind: int
    closing: bool


def not_quoted(text: str, marks: Sequence[Mark]) -> list[Mark]:
    """The tags of a text that are meant. `marks` are all of it, in their order.

    A closing tag in a block of code is meant if an opening one waits for it in vain: then the block was begun in
    thought and never closed.
    """
    said = [mark for mark in marks if not in_quotes(text, mark.start, mark.end) and not in_span(text, mark)]
    blocks = fences(text, marks) if said else []
    if not blocks or not paired(text, blocks):
        return said
    if not said[0].closing and WRAPPED.match(text[: said[0].start]) and not text[blocks[1] :].strip("` \n"):
        return said
    meant = [mark for mark in said if not in_block(mark.start, blocks)]
    if meant and not meant[-1].closing:
        after = said[said.index(meant[-1]) + 1 :][:1]
        meant += [mark for mark in after if mark.closing]
    return meant


def in_quotes(text: str, start: int, end: int) -> bool:
    """Whether a tag stands alone in quotes or backticks, as it does where a text is about it.

    In `so it is "5"</think>"5"` it does not: there words are on the other sides of both quotes.
    """
    quote, after = text[start - 1 : start], text[end : end + 1]
    if quote in PAIRS:
        return after == PAIRS[quote]
    if not quote or quote not in ALIKE or after != quote:
        return False
    around = text[max(0, start - 2) : start - 1] + text[end + 1 : end + 2]
    return not any(sign.isalnum() or sign in ALIKE for sign in around)


def in_span(text: str, mark: Mark) -> bool:
    """Whether a tag stands in code within its line, between backticks."""
    first, last = max(0, mark.start - NEAR), mark.end + NEAR
    first = text.rfind("\n", first, mark.start) + 1 or first
    if text.find("`", first, mark.start) < 0:
        return False
    return any(found.start() < mark.start and mark.end < found.end() for found in SPAN.finditer(text, first, last))


def fences(text: str, marks: Sequence[Mark]) -> list[int]:
    """The places of the marks around blocks of code, each of which begins a line or follows a tag."""
    places = [found.start() for found in FENCE.finditer(text)]
    ends = [0, *(mark.end for mark in marks)]
    return [at for at in places if begins_line(text, at, ends[bisect.bisect(ends, at) - 1])]


def paired(text: str, blocks: Sequence[int]) -> bool:
    """Whether the marks around blocks come in pairs, of which each second one names no language."""
    return len(blocks) % 2 == 0 and all(CLOSING_FENCE.match(text, at) for at in blocks[1::2])


def in_block(at: int, blocks: Sequence[int]) -> bool:
    """Whether a place is within a block of code that is closed; `blocks` are the places of the marks around them."""
    before = bisect.bisect(blocks, at)
    return before % 2 == 1 and before < len(blocks)


def begins_line(text: str, at: int, start: int) -> bool:
    """Whether nothing but blanks stands before a place, in its line or since `start`."""
    while at > start and text[at - 1].isspace() and text[at - 1] != "\n":
        at -= 1
    return at == start or text[at - 1] == "\n"
