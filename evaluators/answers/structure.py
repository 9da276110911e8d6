"""What Markdown and JSON in the text of an answer hold."""

import json
import re
from collections.abc import Iterator
from typing import Any

NOT_THERE = object()
MOST_TRIES = 200  # places at which JSON may begin
BEGINNING = re.compile(r"[\[{]")
DECODER = json.JSONDecoder()

FENCE = re.compile(r"^[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^\s`]*)[^\n`]*$", re.MULTILINE)
# In this order; each pattern looks at one line at a time, so that none can run for long.
MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^[ \t]{0,3}(?:`{3,}|~{3,})[^\n]*\n?", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,3}(?:>[ \t]?)+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]*[-*+][ \t]+", re.MULTILINE), ""),
    (re.compile(r"!?\[([^\[\]\n]{0,500})\]\([^()\s]{0,500}\)"), r"\1"),
    (re.compile(r"\*{1,3}(?=\S)([^*\n]{1,1000})(?<=\S)\*{1,3}"), r"\1"),
    (re.compile(r"(?<!\w)_{1,3}(?=\S)([^_\n]{1,1000})(?<=\S)_{1,3}(?!\w)"), r"\1"),
    (re.compile(r"~~([^~\n]{1,1000})~~"), r"\1"),
    (re.compile(r"`{1,2}([^`\n]{1,1000})`{1,2}"), r"\1"),
)


def plain(text: str) -> str:
    """A text without the marks of Markdown; what they are around stays."""
    for pattern, by in MARKS:
        text = pattern.sub(by, text)
    return text


def blocks(text: str) -> Iterator[tuple[str, str]]:
    """(language in small letters, content) of each fenced block; one that nothing closes goes on to the end."""
    fences = list(FENCE.finditer(text))
    number = 0
    while number < len(fences):
        opening = fences[number]
        closing = next(
            (at for at in range(number + 1, len(fences)) if closes(fences[at], opening.group(1))), len(fences)
        )
        end = fences[closing].start() if closing < len(fences) else len(text)
        yield opening.group(2).lower(), text[opening.end() + 1 : end].rstrip("\n")
        number = closing + 1


def closes(fence: re.Match[str], opening: str) -> bool:
    """Whether a fence ends the block that another one has begun."""
    return not fence.group(2) and fence.group(1).startswith(opening)


def value_at(text: str, key: str) -> Any:
    """Value in the JSON that a text is or holds: the first that has the key; NOT_THERE where there is none."""
    return next((value for document in documents(text) if (value := within(document, key)) is not NOT_THERE), NOT_THERE)


def documents(text: str) -> Iterator[Any]:
    """JSON in a text: all of it, its fenced blocks, then whatever begins with a brace or bracket."""
    for whole in (text, *(content for _, content in blocks(text))):
        document, end = decoded(whole, len(whole) - len(whole.lstrip()))
        if document is not NOT_THERE and not whole[end:].strip():
            yield document
    at = tries = 0
    while (found := BEGINNING.search(text, at)) is not None and tries < MOST_TRIES:
        tries += 1
        document, at = decoded(text, found.start())
        if document is not NOT_THERE:
            yield document


def decoded(text: str, at: int) -> tuple[Any, int]:
    """The JSON that begins at a place, and where it ends; NOT_THERE and the next place where there is none."""
    try:
        return DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return NOT_THERE, at + 1


def within(value: Any, key: str) -> Any:
    """What dots lead to; NOT_THERE where they lead nowhere."""
    for part in key.split(".") if key else ():
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.lstrip("-").isdecimal() and -len(value) <= int(part) < len(value):
            value = value[int(part)]
        else:
            return NOT_THERE
    return value
