"""Shows how a run goes while it goes: on a terminal a screen, or a line where that is small; else a line now and then.

Nothing of the terminal is changed, no mode and no cursor: whenever a run breaks off, its terminal is as it was. The
screen is written over by going up as many lines as it has, in one write, so that it does not flicker.
"""

import os
import re
from collections import deque
from dataclasses import replace
from typing import TextIO

from perfcore.report.live_screen import (
    ASCII_BARS,
    BARS,
    NARROW,
    ROWS,
    START,
    Look,
    Sample,
    Snapshot,
    line,
    sample,
    screen,
)

# Rates are those of about the last second: shorter intervals flicker, longer ones hide what happens.
RATE_S = 1.0

# Where the output is no terminal, one plain line this often.
PLAIN_S = 5.0

# Samples that are kept: more than any terminal has columns.
KEPT = 500
CODES = re.compile(r"\x1b\[[0-9;]*m")


class Live:
    """Writes the screen or the line: rewritten in place on a terminal, else a new line every 5 s of the run.

    Takes no clock: `update` may be called as often as wanted, the snapshots' own times decide.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._terminal and not os.environ.get("NO_COLOR")
        self._past = deque([START])
        self._course: deque[Sample] = deque(maxlen=KEPT)
        self._last = START
        self._next_s = PLAIN_S
        self._shown: list[str] = []  # what stands on the terminal now

    def update(self, now: Snapshot) -> None:
        """Show where the run stands."""
        before = self._reference(now)
        if self._terminal:
            self._draw(now, before)
        elif now.elapsed_s >= self._next_s:
            self._stream.write(line(now, before) + "\n")
            self._stream.flush()
            self._next_s = (now.elapsed_s // PLAIN_S + 1) * PLAIN_S
        self._last = now

    def close(self) -> None:
        """Leave a line on a terminal in the place of the screen, so that what follows starts on its own."""
        if self._shown:
            columns, _ = self._size()
            before = self._past[0]
            self._write([line(replace(self._last, stopping=False), before, columns - 1)], columns)
            self._shown = []

    def _draw(self, now: Snapshot, before: Snapshot) -> None:
        columns, height = self._size()
        if (newest := sample(self._last, now)) is not None:
            self._course.append(newest)
        recent = sample(before, now)
        if columns < NARROW or height <= ROWS or recent is None:
            lines = [line(now, before, columns - 1)]
        else:
            # A full line makes some terminals wrap, so one column stays free.
            lines = screen(now, recent, self._course, Look(columns - 1, self._colour, self._bars()))
        self._write(lines, columns)
        self._shown = lines

    def _write(self, lines: list[str], columns: int) -> None:
        """Lines over those that stand there; what is left of these behind and below them goes."""
        self._stream.write(self._back(columns) + "".join(f"{text}\x1b[K\n" for text in lines) + "\x1b[J")
        self._stream.flush()

    def _back(self, columns: int) -> str:
        """To the beginning of what stands there; lines count twice where a narrower terminal has wrapped them."""
        if not self._shown:
            return ""
        lines = sum(max(1, -(-len(CODES.sub("", text)) // columns)) for text in self._shown)
        return f"\r\x1b[{lines}A"

    def _reference(self, now: Snapshot) -> Snapshot:
        """The newest snapshot that is at least the rate's interval old, else the oldest."""
        while len(self._past) > 1 and now.elapsed_s - self._past[1].elapsed_s >= self._interval_s():
            self._past.popleft()
        self._past.append(now)
        return self._past[0]

    def _interval_s(self) -> float:
        return RATE_S if self._terminal else PLAIN_S

    def _bars(self) -> str:
        """Blocks, or what ASCII has, where the stream cannot say them."""
        try:
            BARS.encode(self._stream.encoding or "utf-8")
        except UnicodeEncodeError:
            return ASCII_BARS
        return BARS

    def _size(self) -> tuple[int, int]:
        """Columns and lines of the terminal."""
        try:
            columns, lines = os.get_terminal_size(self._stream.fileno())
        except (OSError, ValueError):
            return 80, 24
        return columns or 80, lines or 24
