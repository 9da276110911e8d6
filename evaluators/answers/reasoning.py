"""Reasoning taken out of an answer: what a model said before its answer is never scored as the answer.

A service may send reasoning in a channel of its own; then it is apart already. Else it stands in the text between tags,
of which the prompt's template may have written the first one, and of which an answer that was cut off has no last one.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from evaluators.answers.quoting import Mark, begins_line, fences, in_block, not_quoted
from evaluators.sample import Sample

CHANNEL = "channel"
PAIRED = "tags"
UNPAIRED_CLOSING = "unpaired closing tag"
UNPAIRED_OPENING = "unpaired opening tag"
MARKERS = "channel markers"

# What models are known to write; letters may be small or capital.
TAGS: tuple[tuple[str, str], ...] = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<thoughts>", "</thoughts>"),
    ("<reason>", "</reason>"),
    ("<reasoning>", "</reasoning>"),
    ("<seed:think>", "</seed:think>"),
    ("<longcat_think>", "</longcat_think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<unused94>", "<unused95>"),
)
# Marks around the answer proper, which are taken off it.
AROUND = re.compile(
    r"<\|(?:begin|end)_of_solution\|>|<\|(?:START|END)_RESPONSE\|>|<\|(?:return|end|start)\|>\s*\Z", re.IGNORECASE
)
# What ends a turn, where a service leaves it in the text.
MOST_ENDS = 8
TURN_ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<|end_of_text|>", "<|end|>", "<|return|>"),
    *("</s>", "<end_of_turn>", "<eos>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
)
# gpt-oss names the channel of each piece, and it reads "analysis...assistantfinal..." where special tokens are lost.
FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,80}<\|message\|>")
OTHER = re.compile(r"<\|channel\|>\s*(?:analysis|commentary)\b")
BARE = re.compile(r"\s*analysis(?=[\sA-Z\"'*])")
BARE_FINAL = "assistantfinal"


class Answer(NamedTuple):
    """The answer without reasoning; `how` it was found, several ways joined by " and ", empty if there was none.

    `cut_off` says that the text ended while the model was still reasoning: there is no answer.
    """

    text: str
    how: str = ""
    cut_off: bool = False


def answer_of(sample: Sample, tags: tuple[str, str] | None = None) -> Answer:
    """What a sample answers. `tags` are an opening and a closing one in the place of the usual ones.

    Tags are looked for where there is a channel too: some services fill both.
    """
    found = without_reasoning(sample.prediction or "", TAGS if tags is None else (tags,), bool(sample.reasoning))
    if not sample.reasoning:
        return found
    silent = not found.text.strip() and not sample.tool_calls
    cut_off = found.cut_off or (silent and sample.finish_reason in ("length", "max_tokens"))
    return Answer(found.text, " and ".join(filter(None, (CHANNEL, found.how))), cut_off)


def without_reasoning(text: str, tags: Sequence[tuple[str, str]] = TAGS, apart: bool = False) -> Answer:
    """A text without what stands between tags, wherever that is.

    All before a closing tag that nothing has opened is reasoning, but for one that is left over at the end. An opening
    tag that nothing closes means that the text was cut off in thought, if it begins a line; within a line, in a block
    of code, and in quotes a tag is a word like any other. `apart` says that reasoning was taken out of it before.
    """
    if tags is TAGS:
        text = without_turn_end(text)
    found = without_channels(text) if tags is TAGS else Answer(text)
    marks = marks_in(found.text, tags)
    if not marks:
        return found
    cut = without_tags(found.text, marks, apart)
    if not cut.how:
        return found
    rest = AROUND.sub("", cut.text) if tags is TAGS else cut.text
    return Answer(rest.lstrip(), " and ".join(filter(None, (found.how, cut.how))), cut.cut_off)


def without_turn_end(text: str) -> str:
    """A text without the tokens that end a turn, which some services leave in it."""
    for _ in range(MOST_ENDS):
        stripped = text.rstrip()
        ended = next((len(end) for end in TURN_ENDS if stripped.endswith(end)), 0)
        if not ended:
            break
        text = stripped[:-ended]
    return text


def without_channels(text: str) -> Answer:
    """The last piece of the channel `final`; a text without names of channels is all answer."""
    if "<|channel|>" in text:
        finals = list(FINAL.finditer(text))
        if finals:
            return Answer(AROUND.sub("", text[finals[-1].end() :]).strip(), MARKERS)
        return Answer("", MARKERS, cut_off=True) if OTHER.search(text) else Answer(text)
    if BARE_FINAL in text and BARE.match(text):
        return Answer(text.rpartition(BARE_FINAL)[2].lstrip(), MARKERS)
    return Answer(text)


def marks_in(text: str, tags: Sequence[tuple[str, str]]) -> list[Mark]:
    """All tags in a text that are meant, in their order."""
    pattern, names = compiled(tuple(tags))
    lowered = text.lower()
    if not any(name in lowered for name in names):
        return []
    marks = []
    for found in pattern.finditer(text):
        kind, closing = names[found.group().lower()]
        marks.append(Mark(found.start(), found.end(), kind, closing))
    return not_quoted(text, marks)


@lru_cache(maxsize=64)
def compiled(tags: tuple[tuple[str, str], ...]) -> tuple[re.Pattern[str], dict[str, tuple[int, bool]]]:
    """A pattern of all tags, and by the tag in small letters its pair and whether it closes."""
    named = [(name.lower(), kind, closing) for kind, pair in enumerate(tags) for closing, name in enumerate(pair)]
    names = {name: (kind, bool(closing)) for name, kind, closing in named if name}
    longest_first = sorted(names, key=len, reverse=True)
    starts = "".join(sorted({re.escape(name[0]) for name in names}))
    letters = "|".join(map(re.escape, longest_first))
    return re.compile(f"(?=[{starts}])(?:{letters})" if starts.strip() else r"(?!)", re.IGNORECASE), names


def without_tags(text: str, marks: Sequence[Mark], apart: bool = False) -> Answer:
    """A text without its reasoning: from left to right, each opening tag up to the next closing one of its kind.

    Where none of its kind follows, a tag that begins a line is closed by one of another kind.
    """
    closings, blocks = next_closings(marks), fences(text, marks)
    pieces: list[str] = []
    ways: dict[str, None] = {}
    at = number = 0
    while number < len(marks):
        mark, (closing, other) = marks[number], closings[number]
        if mark.closing:
            if (apart or ways) and left_over(text, marks, number, not apart and UNPAIRED_CLOSING in ways):
                return Answer("".join([*pieces, text[at : mark.start]]), " and ".join(ways or [UNPAIRED_CLOSING]))
            pieces, at = [], mark.end
            ways[UNPAIRED_CLOSING] = None
        elif closing is not None or (other is not None and begins_line(text, mark.start, at)):
            pieces.append(text[at : mark.start])
            number = closing if closing is not None else other or 0
            at = marks[number].end
            ways[PAIRED] = None
        elif begins_line(text, mark.start, at) and not in_block(mark.start, blocks):
            ways[UNPAIRED_OPENING] = None
            return Answer("".join([*pieces, text[at : mark.start]]), " and ".join(ways), cut_off=True)
        number += 1
    return Answer("".join([*pieces, text[at:]]), " and ".join(ways))


def left_over(text: str, marks: Sequence[Mark], number: int, opened: bool) -> bool:
    """Whether a closing tag ends the text, and too few opening ones are there for it to end nested thought.

    `opened` says that the prompt's template has written one more opening tag.
    """
    if number < len(marks) - 1 or text[marks[number].end :].strip():
        return False
    return 2 * sum(mark.closing for mark in marks) > len(marks) + opened


def next_closings(marks: Sequence[Mark]) -> list[tuple[int | None, int | None]]:
    """For each tag the number of the next closing one of its kind, and that of the next one of any kind."""
    following: dict[int, int] = {}
    found: list[tuple[int | None, int | None]] = []
    for number in range(len(marks) - 1, -1, -1):
        found.append((following.get(marks[number].kind), min(following.values(), default=None)))
        if marks[number].closing:
            following[marks[number].kind] = number
    return found[::-1]
