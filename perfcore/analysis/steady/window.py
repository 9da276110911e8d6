"""The window that is measured: after the ramp and the transient, before the load stops being held."""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import batches, intervals, warmup

Times = NDArray[np.int64]
Floats = NDArray[np.float64]

TOLERANCE = 0.95  # of the asked concurrency: where the very last slot never filled, this counts as full
SETTLED = 0.01  # share of the occupancy of an open loop that may still be missing
FINEST = 400  # batches in which the transient is looked for
PARTS = 10  # of a cycle, to see whether the token rate repeats itself
REPEATS = 0.5  # correlation with the rate one cycle later, from which on requests run in cohorts


@dataclass(frozen=True)
class Window:
    """`[start_ns, end_ns)`, and in words why its edges are where they are."""

    start_ns: int
    end_ns: int
    start_reason: str
    end_reason: str
    cycle_ns: float  # mean time from sent to end of a request
    lockstep: bool  # whether requests run in cohorts; the window is then a whole number of cycles
    most_batches: int  # for `intervals`: in lockstep batches are whole cycles
    unfinished: bool  # the transient was cut as late as it may be: it is probably not over


def find_window(
    sent_ns: Times,
    ended_ns: Times,
    ttft_ns: Times,
    stamps_ns: Times,
    weights: Floats | None,
    *,
    begin_ns: int,
    held_until_ns: int,
    asked: int | None,
    end_reason: str,
) -> Window | Absent:
    """The plateau of a run, or why there is none.

    `sent_ns`, `ended_ns`: every attempt, failed ones and those cut off at the end included (they occupy). `ttft_ns`:
    of each, -1 where there is none. `stamps_ns`, `weights`: the token events in any order and their tokens (None: 1
    each). `begin_ns`: the first due time. `held_until_ns`: until when the load was kept up (a steady run: the end that
    the run itself decided; a stress run: the last time that a request was sent); `end_reason` says which, in words.
    `asked`: requests in flight of a closed loop, None in an open one.
    """
    if sent_ns.size == 0:
        return Absent("no request was sent")
    cycle_ns = lifetime(sent_ns, ended_ns, begin_ns)
    if cycle_ns <= 0:
        return Absent("requests ended at the time at which they were sent")
    ready = settled(sent_ns, ended_ns, begin_ns) if asked is None else filled(sent_ns, ended_ns, asked, cycle_ns)
    if isinstance(ready, Absent):
        return ready
    start_ns, why = ready
    if start_ns + cycle_ns > held_until_ns:
        held_s, needed_s = (held_until_ns - begin_ns) / 1e9, (start_ns + cycle_ns - begin_ns) / 1e9
        return Absent(f"the load was held for {held_s:.3g} s; ramp and first requests take {needed_s:.3g} s")
    cut_ns, cause, unfinished = after_transient(sent_ns, ttft_ns, stamps_ns, weights, start_ns, held_until_ns, cycle_ns)
    start_ns, why = (cut_ns, cause) if cause else (start_ns, why)
    lockstep = (repeats(stamps_ns, weights, start_ns, held_until_ns, cycle_ns) or 0.0) > REPEATS
    end_ns, most = held_until_ns, intervals.MOST
    if lockstep:
        start_ns = quiet(stamps_ns, start_ns, cycle_ns)
        cycles = int((held_until_ns - start_ns) / cycle_ns + 0.01)
        each = intervals.batch_cycles(cycles)
        cycles -= cycles % each
        end_ns = min(held_until_ns, start_ns + round(cycles * cycle_ns))
        end_reason += f", cut to {cycles} whole cycles because requests run in cohorts"
        most = cycles // each
    return Window(start_ns, end_ns, why, end_reason, cycle_ns, lockstep, most, unfinished)


def lifetime(sent_ns: Times, ended_ns: Times, begin_ns: int) -> float:
    """Mean time from sent to end, ns, of the requests that were not sent with the first ones, if there are others."""
    lasted = (ended_ns - sent_ns).astype(np.float64)
    later = sent_ns >= begin_ns + lasted.mean()
    return float(lasted[later].mean() if later.any() else lasted.mean())


def filled(sent_ns: Times, ended_ns: Times, asked: int, cycle_ns: float) -> tuple[int, str] | Absent:
    """One cycle after all slots were filled: the first request of each met a server that was not loaded yet."""
    nearly = inflight.filled_ns(sent_ns, ended_ns, ceil(TOLERANCE * asked))
    if nearly is None:
        reached = inflight.peak(sent_ns, ended_ns)
        return Absent(f"{asked} requests were to be in flight, and there never were more than {reached}")
    wholly = inflight.filled_ns(sent_ns, ended_ns, asked)
    full = nearly if wholly is None or wholly - nearly > cycle_ns else wholly
    return round(full + cycle_ns), "all slots filled, and the first request of each slot over"


def settled(sent_ns: Times, ended_ns: Times, begin_ns: int) -> tuple[int, str]:
    """When an open loop holds nearly all the requests that it will.

    The requests in flight at a time t after the start are those of the last t; by Little's law the missing share is
    that of the lifetimes beyond t.
    """
    lasted = np.sort(ended_ns - sent_ns).astype(np.float64)
    tails = np.cumsum(lasted[::-1])[::-1] - lasted * np.arange(lasted.size, 0, -1)
    after = lasted[np.argmax(tails <= SETTLED * lasted.sum())]
    return round(begin_ns + after), "requests in flight have reached their level"


def after_transient(
    sent_ns: Times,
    ttft_ns: Times,
    stamps_ns: Times,
    weights: Floats | None,
    start_ns: int,
    end_ns: int,
    cycle_ns: float,
) -> tuple[int, str, bool]:
    """The end of the transient of token rate or TTFT, whichever is later, why, and whether it may go on.

    The batches of MSER-5 are one cycle long (or more, in a long run), so that cohorts are no transient. The reason is
    empty if nothing is to be cut.
    """
    count = min(int((end_ns - start_ns) / cycle_ns), FINEST)
    if count < warmup.FEWEST:
        return start_ns, "", False
    known = ttft_ns >= 0
    series = {
        "token rate": batches.rates(stamps_ns, weights, start_ns, end_ns, count),
        "TTFT": batches.averages(sent_ns[known], ttft_ns[known], start_ns, end_ns, count),
    }
    dropped = {name: warmup.transient(means) for name, means in series.items()}
    latest = max(dropped, key=lambda name: dropped[name])
    at_ns = start_ns + round(dropped[latest] * (end_ns - start_ns) / count)
    unfinished = any(warmup.unfinished(series[name], dropped[name]) for name in series)
    return at_ns, f"transient of {latest} over (MSER-5)" if dropped[latest] else "", unfinished


def quiet(stamps_ns: Times, start_ns: int, cycle_ns: float) -> int:
    """The middle of the longest silence of a cycle: an edge there cuts no cohort in two."""
    inside = np.sort(stamps_ns[(stamps_ns >= start_ns) & (stamps_ns < start_ns + cycle_ns)])
    times = np.concatenate(([start_ns], inside, [start_ns + round(cycle_ns)]))
    longest = int(np.diff(times).argmax())
    return int(times[longest] + times[longest + 1]) // 2


def repeats(stamps_ns: Times, weights: Floats | None, start_ns: int, end_ns: int, cycle_ns: float) -> float | None:
    """Correlation of the rate of events with that one cycle later; None in under two cycles, or of an even rate."""
    cycles = min(int((end_ns - start_ns) / cycle_ns + 0.01), FINEST)
    if cycles < 2:
        return None
    found = batches.rates(stamps_ns, weights, start_ns, start_ns + round(cycles * cycle_ns), cycles * PARTS)
    offset = found - found.mean()
    squares = float(np.dot(offset, offset))
    if squares <= (1e-6 * found.mean()) ** 2 * found.size:
        return None
    return float(np.dot(offset[:-PARTS], offset[PARTS:])) / squares * cycles / (cycles - 1)
