"""Reasoning that came within the answer's text, between tags, because the server did not take it out.

The tags are looked for when the run is over. What lies before the closing tag is reasoning, in the texts and in the
kinds of the events that carried it, as if the server had sent it in a channel of its own.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from evaluators.answers.quoting import Mark, not_quoted
from perfcore.records import frame as frames
from perfcore.records.assembly import assemble
from perfcore.records.frame import Frames
from perfcore.types import Events
from perfcore_ext.frame import EVENT_KINDS

CONTENT, REASONING, TOOL = (EVENT_KINDS[name] for name in ("content", "reasoning", "tool"))
ENDLESS = 2**62  # more characters than any text has


class Tags(NamedTuple):
    """What opens and closes reasoning, and the bytes by one of which a text with either is found before decoding."""

    opening: str
    closing: str
    marks: tuple[bytes, ...]


class Split(NamedTuple):
    """A text in two; `at` is how many of its characters come before the answer."""

    reasoning: str
    answer: str
    at: int


def tags_of(option: str) -> Tags | None:
    """The tags that the option `think_tags` stands for: auto, off, or OPEN,CLOSE."""
    if option == "off":
        return None
    opening, _, closing = ("<think>,</think>" if option == "auto" else option).partition(",")
    return Tags(opening, closing, tuple({mark_of(opening), mark_of(closing)}))


def mark_of(tag: str) -> bytes:
    """The longest piece of a tag that no JSON encoder escapes; may be empty."""
    return max(re.findall(r"[A-Za-z0-9_]+", tag), key=len, default="").encode()


def may_have(data: bytes | bytearray, tags: Tags | None) -> bool:
    return tags is not None and any(mark in data for mark in tags.marks)


def split(text: str, tags: Tags) -> Split | None:
    """Reasoning and answer, without the tags and the blanks around them; None for a text that is all answer.

    A text is split if it begins with the opening tag, be it closed or not, or if its first closing tag has no opening
    one before it: then the prompt's template has opened it. A tag in quotes or in code only is spoken of.
    """
    start = len(text) - len(text.lstrip())
    opened = text.startswith(tags.opening, start)
    if opened:
        start += len(tags.opening)
    elif tags.closing not in text:
        return None
    marks = marks_in(text, tags)
    end = next((mark.start for mark in marks if mark.closing and mark.start >= start), len(text))
    if not opened and (end == len(text) or any(mark.start < end and not mark.closing for mark in marks)):
        return None
    at = end + len(tags.closing) if end < len(text) else end
    return Split(text[start:end].strip(), text[at:].lstrip(), at)


def marks_in(text: str, tags: Tags) -> list[Mark]:
    """The tags in a text that are meant, in their order."""
    found = [Mark(at, at + len(tag), 0, tag == tags.closing) for tag in tags[:2] for at in places(text, tag)]
    return not_quoted(text, sorted(found))


def places(text: str, tag: str) -> Iterator[int]:
    """Where a tag stands. A plain search is many times as fast here as a pattern of both tags."""
    at = text.find(tag)
    while at >= 0:
        yield at
        at = text.find(tag, at + len(tag))


def boundaries(cut: Frames, tags: Tags | None) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The frames whose text has to be split, and how many characters of each come before the answer.

    Not those whose reasoning came in a channel of its own, nor those with several choices, whose texts are mixed.
    """
    if tags is None or not may_have(cut.data, tags):
        return np.zeros(0, np.intp), np.zeros(0, np.int64)
    rows = np.flatnonzero((cut.headers["content_length"] > 0) & (cut.headers["reasoning_length"] == 0))
    some = subset(cut, rows)
    ranges = zip(frames.ranges(some, "content"), frames.ranges(some, "raw"), strict=True)
    found = [boundary(content, raw, tags) for content, raw in ranges]
    limits = np.array([0 if at is None else at for at in found], np.int64)
    return rows[limits > 0], limits[limits > 0]


def boundary(content: bytes, raw: bytes, tags: Tags) -> int | None:
    """How many characters of one answer come before its answer proper; None for one that is not to be split."""
    if not may_have(content, tags) or (raw and len(assemble(raw)) > 1):
        return None
    text = frames.text(content)
    parted = split(text, tags)
    if parted is None:
        return None
    return parted.at if parted.at < len(text) else ENDLESS


def subset(cut: Frames, rows: NDArray[np.intp]) -> Frames:
    return Frames(cut.data, cut.offsets[rows], cut.headers[rows])


def kinds(cut: Frames, events: Events, at: NDArray[np.int64]) -> NDArray[np.uint16]:
    """The kinds of these frames' events when the first `at` characters of each frame's content are reasoning.

    An event with the end of the one and the beginning of the other has both kinds.
    """
    counts = cut.headers["events"].astype(np.int64)
    is_content = events.kinds & CONTENT > 0
    chars = np.where(is_content, events.chars, 0).astype(np.int64)
    ends = np.cumsum(chars)
    ends -= np.repeat((ends - chars)[first_events(counts)], counts[counts > 0])
    limit = np.repeat(at, counts)
    before = is_content & (ends - chars < limit)
    found = events.kinds.copy()
    found[before] |= REASONING
    found[before & (ends <= limit)] ^= CONTENT
    return found


def first_events(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where the events of each frame that has any begin."""
    starts: NDArray[np.int64] = (np.cumsum(counts) - counts)[counts > 0]
    return starts


def mend_events(cut: Frames, events: Events, tags: Tags | None) -> None:
    """Give the events of reasoning that kind. `events` are those of all frames, and are changed."""
    rows, at = boundaries(cut, tags)
    if rows.size == 0:
        return
    chosen = np.zeros(len(cut), np.bool_)
    chosen[rows] = True
    of_these = np.repeat(chosen, cut.headers["events"].astype(np.int64))
    some = subset(cut, rows)
    events.kinds[of_these] = kinds(some, frames.events(some, rows), at)


def mend_first_answer(cut: Frames, first_answer_ns: NDArray[np.int64], tags: Tags | None) -> None:
    """Put the time of the first event that is not reasoning alone into the column, -1 where there is none.

    Answers in one piece have no such time, before and after.
    """
    rows, at = boundaries(cut, tags)
    if rows.size == 0:
        return
    some = subset(cut, rows)
    events = frames.events(some, rows)
    answers = np.flatnonzero(kinds(some, events, at) & (CONTENT | TOOL) > 0)
    with_answer, first = np.unique(events.row[answers], return_index=True)
    first_answer_ns[rows] = -1
    first_answer_ns[with_answer] = events.t_ns[answers[first]]
    first_answer_ns[cut.headers["streamed"] == 0] = -1
