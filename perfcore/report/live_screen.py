"""What is shown of a run while it goes: a line, or a screen with the course of its last minute. Text in, text out."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from perfcore.report.text import number

BARS, ASCII_BARS = "▁▂▃▄▅▆▇█", "_.-:=+*#"

# Columns of the screen: what a row is called, its value of now, and what is said beside it where there is room.
LABEL, VALUE, BESIDE = 11, 9, 30
WIDE, NARROW = 79, 40  # of a terminal of 80 columns one stays free
ROWS = 7  # lines of the screen

DIM, CYAN, RED, BOLD, PLAIN = "\x1b[2m", "\x1b[36m", "\x1b[31m", "\x1b[1m", "\x1b[0m"


@dataclass(frozen=True)
class WorkerLoad:
    """What one worker has in flight, and the processor time that it has used since its start."""

    in_flight: int
    cpu_s: float


@dataclass(frozen=True)
class Snapshot:
    """Counters of a run so far, warm-ups left out but for TTFT; `done` counts failed requests too."""

    elapsed_s: float
    in_flight: int
    done: int
    failed: int
    token_events: int
    ttft_p50_ms: float | None = None
    ttft_p99_ms: float | None = None
    ttft_count: int = 0
    ttft_total_ms: float = 0.0
    workers: tuple[WorkerLoad, ...] = ()
    stopping: bool = False


START = Snapshot(0.0, 0, 0, 0, 0)
NO_RATE = ("-", "-")
BETWEEN = " | "
STOPPING, CUT_OFF = "stopping", "Ctrl-C again cuts off"


class Sample(NamedTuple):
    """Rates and means between two snapshots; None where nothing tells."""

    tokens_s: float
    requests_s: float
    ttft_ms: float | None
    in_flight: float
    failed_s: float
    cpu_shares: tuple[float, ...]  # of a core, by worker


class Row(NamedTuple):
    """A row of the screen: its values over time, the one of now, and words beside it."""

    label: str
    values: list[float | None]
    now: float | None
    beside: str
    alarming: bool = False


@dataclass(frozen=True)
class Look:
    """How wide the screen is, and what it can show."""

    width: int
    colour: bool = False
    bars: str = BARS


def line(now: Snapshot, before: Snapshot = START, width: int | None = None) -> str:
    """The live line in ASCII; rates are those between the two snapshots. Of its parts as many as fit into `width`.

    Output tokens are counted by their events, which is less than the tokens where a server sends several at once.
    """
    found = sample(before, now)
    requests_s, tokens_s = (number(found.requests_s), number(found.tokens_s)) if found else NO_RATE
    parts = [
        *head_parts(now),
        f"{requests_s} req/s",
        f"{tokens_s} tok/s",
        f"TTFT p50 {number(now.ttft_p50_ms)} p99 {number(now.ttft_p99_ms)} ms",
    ]
    return fitting(parts, width)


def head_parts(now: Snapshot) -> list[str]:
    """What is told first, the most important first; an interrupt is answered at once."""
    counts = [f"{now.done:,} done", f"{now.failed:,} failed", f"{now.in_flight:,} in flight"]
    begun = f"{now.elapsed_s:.1f} s"
    return [begun, STOPPING, *counts, CUT_OFF] if now.stopping else [begun, *counts]


def fitting(parts: Sequence[str], width: int | None) -> str:
    """Parts in a line, without those at its end that have no room; the first one is cut where even it has none."""
    ends = itertools.accumulate(len(part) + len(BETWEEN) for part in parts)
    kept = [part for part, end in zip(parts, ends, strict=True) if width is None or end - len(BETWEEN) <= width]
    return BETWEEN.join(kept or [parts[0][:width]])


def sample(before: Snapshot, now: Snapshot) -> Sample | None:
    """What happened between two snapshots; None where no time passed."""
    seconds = now.elapsed_s - before.elapsed_s
    if seconds <= 0:
        return None
    firsts = now.ttft_count - before.ttft_count
    pairs = zip(before.workers, now.workers, strict=False)
    return Sample(
        (now.token_events - before.token_events) / seconds,
        (now.done - before.done) / seconds,
        (now.ttft_total_ms - before.ttft_total_ms) / firsts if firsts > 0 else None,
        now.in_flight,
        (now.failed - before.failed) / seconds,
        tuple((new.cpu_s - old.cpu_s) / seconds for old, new in pairs),
    )


def screen(now: Snapshot, recent: Sample, course: Sequence[Sample], look: Look) -> list[str]:
    """Lines of at most `look.width` columns: a head, a row with a sparkline for each quantity, the workers.

    `course` are samples of short times, oldest first; `recent` is the one that is shown in numbers.
    """
    shown = [painted(fitting(head_parts(now), look.width), BOLD, look)]
    shown += [row_line(row, look) for row in rows(now, recent, course)]
    return [*shown, worker_line(now, recent, look)]


def rows(now: Snapshot, recent: Sample, course: Sequence[Sample]) -> Iterator[Row]:
    tokens = [one.tokens_s for one in course]
    requests = [one.requests_s for one in course]
    percentiles = f"p50 {number(now.ttft_p50_ms)} p99 {number(now.ttft_p99_ms)} in all"
    yield Row("tokens/s", [*tokens], recent.tokens_s, f"peak {number(max(tokens, default=None))}")
    yield Row("requests/s", [*requests], recent.requests_s, f"peak {number(max(requests, default=None))}")
    yield Row("TTFT ms", [one.ttft_ms for one in course], recent.ttft_ms, percentiles)
    yield Row("in flight", [one.in_flight for one in course], now.in_flight, "")
    share = f"{100 * now.failed / now.done:.2g} % of all" if now.done else ""
    yield Row("failed/s", [one.failed_s for one in course], recent.failed_s, share, alarming=now.failed > 0)


def row_line(row: Row, look: Look) -> str:
    """A row: sparkline and value, and with 79 columns what stands beside it."""
    beside = f"  {row.beside}"[:BESIDE].ljust(BESIDE) if look.width >= WIDE else ""
    room = max(1, look.width - LABEL - VALUE - len(beside))
    bars = sparkline(row.values[-room:], look.bars).rjust(room)
    bars = painted(bars, RED if row.alarming else CYAN, look)
    value = (number(row.now) if row.now is None or row.now < 1e7 else f"{row.now:.2g}").rjust(VALUE)
    return f"{painted(row.label.ljust(LABEL), DIM, look)}{bars}{value}{painted(beside, DIM, look)}".rstrip()


def worker_line(now: Snapshot, recent: Sample, look: Look) -> str:
    """What each worker uses of a core and has in flight, or with many of them a bar for each and the busiest."""
    shares, room = recent.cpu_shares, look.width - LABEL
    label = painted("workers".ljust(LABEL), DIM, look)
    if not shares:
        return f"{label}-"
    pairs = zip(shares, now.workers, strict=False)
    each = "  ".join(f"{100 * share:.0f} % {one.in_flight:,}" for share, one in pairs) + "  (of a core, in flight)"
    if len(each) <= room:
        return f"{label}{each}"
    busiest = max(range(len(shares)), key=shares.__getitem__)
    words = f" busiest {busiest}: {100 * shares[busiest]:.0f} %"
    bars = sparkline(list(shares[: max(0, room - len(words))]), look.bars, highest=1.0)
    return f"{label}{painted(bars, CYAN, look)}{words[: max(0, room - len(bars))]}"


def sparkline(values: Sequence[float | None], bars: str = BARS, highest: float | None = None) -> str:
    """A character for each value, from 0 to the highest of them; a blank where there is none."""
    top = max((value for value in values if value is not None), default=0.0) if highest is None else highest
    return "".join(" " if value is None else bars[level(value, top, len(bars))] for value in values)


def level(value: float, top: float, levels: int) -> int:
    """Which of the levels a value has; only what is nothing has the lowest."""
    if value <= 0 or top <= 0:
        return 0
    return max(1, min(levels - 1, round(value / top * (levels - 1))))


def painted(text: str, code: str, look: Look) -> str:
    return f"{code}{text}{PLAIN}" if look.colour and text.strip() else text
