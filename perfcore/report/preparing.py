"""The line that tells how far the preparation of requests is."""

import os
from typing import TextIO

from perfcore.report.text import number

PLAIN_S = 5.0  # where the output is no terminal, one plain line this often
BAR = 24


def line(done: int, total: int | None, elapsed_s: float) -> str:
    """How many requests are ready, a bar and the time left where it is known of how many, and how fast it goes."""
    rate = done / elapsed_s if elapsed_s > 0 else 0.0
    speed = f"{number(rate)} rows/s"
    if not total:
        return f"preparing requests | {done:,} rows | {speed}"
    filled = min(BAR, BAR * done // total)
    left = f" | {duration((total - done) / rate)} left" if rate > 0 else ""
    return f"preparing requests [{'#' * filled}{'.' * (BAR - filled)}] {done:,} of {total:,} | {speed}{left}"


def duration(seconds: float) -> str:
    """A time to wait, no more exact than it is known."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class Preparing:
    """Writes the line: rewritten in place on a terminal, and gone at the end; else a new one every 5 s.

    Takes no clock: the times that it is given decide.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._next_s = PLAIN_S
        self._dirty = False

    def update(self, done: int, total: int | None, elapsed_s: float) -> None:
        if done == total:
            self.close()
        elif self._terminal:
            self._stream.write(f"\r{line(done, total, elapsed_s)}\x1b[K")
            self._dirty = True
        elif elapsed_s >= self._next_s:
            self._stream.write(line(done, total, elapsed_s) + "\n")
            self._next_s = (elapsed_s // PLAIN_S + 1) * PLAIN_S
        self._stream.flush()

    def close(self) -> None:
        """Take the line off a terminal."""
        if self._dirty:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._dirty = False
