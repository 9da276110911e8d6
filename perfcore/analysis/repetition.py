"""Whether a text ends in a loop: the same piece over and over, as a model gives it that does not find its end."""

from typing import NamedTuple

# The end of the text that is looked for before: shorter ones occur twice in any text.
ANCHOR = 24
TIMES = 4  # the piece comes at least so often
LONG = 120  # and all of them together are at least so many characters
# What is looked at of a text: longer loops are chapters.
TAIL = 8_000


class Loop(NamedTuple):
    """The piece that a text repeats at its end, and how many characters of it are such pieces."""

    piece: str
    characters: int


def loop(text: str) -> Loop | None:
    """The loop at the end of a text, or None. A last piece that is cut off counts as one."""
    tail = text.strip()[-TAIL:]
    anchor = tail[-ANCHOR:]
    before = tail.rfind(anchor, 0, len(tail) - 1)
    if len(anchor) < ANCHOR or before < 0:
        return None
    period = len(tail) - ANCHOR - before
    characters = period + common_end(tail[period:], tail[:-period])
    if characters < max(LONG, TIMES * period):
        return None
    return Loop(tail[-period:], characters)


def common_end(one: str, other: str) -> int:
    """Number of characters at the end in which two texts of equal length agree."""
    low, high = 0, len(one)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one.endswith(other[-middle:]) else (low, middle - 1)
    return low
