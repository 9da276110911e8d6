"""The line that tells how a run goes while it goes."""

import os
from collections import deque
from dataclasses import dataclass
from typing import TextIO

from perfcore.report.text import number

# Rates are those of about the last second: shorter intervals flicker, longer ones hide what happens.
RATE_S = 1.0

# Where the output is no terminal, one plain line this often.
PLAIN_S = 5.0


@dataclass(frozen=True)
class Snapshot:
    """Counters of a run so far, warm-ups left out; `done` counts failed requests too."""

    elapsed_s: float
    in_flight: int
    done: int
    failed: int
    token_events: int
    ttft_p50_ms: float | None = None
    ttft_p99_ms: float | None = None


START = Snapshot(0.0, 0, 0, 0, 0)


def line(now: Snapshot, before: Snapshot = START) -> str:
    """The live line in ASCII; rates are those between the two snapshots.

    Output tokens are counted by their events, which is less than the tokens where a server sends several at once.
    """
    seconds = now.elapsed_s - before.elapsed_s
    requests_s, tokens_s = (
        NO_RATE
        if seconds <= 0
        else (
            number((now.done - before.done) / seconds),
            number((now.token_events - before.token_events) / seconds),
        )
    )
    parts = [
        f"{now.elapsed_s:.1f} s",
        f"{now.in_flight:,} in flight",
        f"{requests_s} req/s",
        f"{tokens_s} tok/s",
        f"TTFT p50 {number(now.ttft_p50_ms)} p99 {number(now.ttft_p99_ms)} ms",
        f"{now.done:,} done",
        f"{now.failed:,} failed",
    ]
    return " | ".join(parts)


NO_RATE = ("-", "-")


class Live:
    """Writes the line: rewritten in place on a terminal, else a new one every 5 s of the run.

    Takes no clock: `update` may be called as often as wanted, the snapshots' own times decide.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._past = deque([START])
        self._next_s = PLAIN_S
        self._dirty = False

    def update(self, now: Snapshot) -> None:
        before = self._reference(now)
        if self._terminal:
            self._stream.write(f"\r{line(now, before)[: self._width()]}\x1b[K")
            self._stream.flush()
            self._dirty = True
        elif now.elapsed_s >= self._next_s:
            self._stream.write(line(now, before) + "\n")
            self._stream.flush()
            self._next_s = (now.elapsed_s // PLAIN_S + 1) * PLAIN_S

    def close(self) -> None:
        """End the line on a terminal, so that what follows starts on its own."""
        if self._dirty:
            self._stream.write("\n")
            self._stream.flush()
            self._dirty = False

    def _reference(self, now: Snapshot) -> Snapshot:
        """The newest snapshot that is at least the rate's interval old, else the oldest."""
        while len(self._past) > 1 and now.elapsed_s - self._past[1].elapsed_s >= self._interval_s():
            self._past.popleft()
        self._past.append(now)
        return self._past[0]

    def _interval_s(self) -> float:
        return RATE_S if self._terminal else PLAIN_S

    def _width(self) -> int:
        """Columns of the terminal less one: a full line makes some terminals wrap."""
        try:
            return max(os.get_terminal_size(self._stream.fileno()).columns - 1, 20)
        except (OSError, ValueError):
            return 79
