"""What other tools would report as the steady state of the same run: their published algorithms on our records.

Re-implemented from descriptions of what they do, for comparison only; docs/steady-state.md says where they go wrong.
All take one entry per request, times in int64 ns of one clock; `tokens` are output tokens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight
from perfcore.analysis.absent import Absent

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NO_LENGTH = "the window has no length"
NO_STAGE = "no stable stage: the asked concurrency was not reached exactly, twice, by requests that succeeded"
NEARLY = 0.98  # of the asked concurrency, for AISBench until August 2026
RECOVERY_NS = 1_000_000
DROPPED = 0.2  # of the run, by EvalScope


@dataclass(frozen=True)
class Reported:
    """What a tool would print of its window."""

    start_ns: int
    end_ns: int
    requests: int
    output_tokens_per_s: float
    mean_ttft_ns: float
    concurrency: float


def aisbench(
    sent_ns: Times, ended_ns: Times, ttft_ns: Times, tokens: Floats, ok: Flags, asked: int
) -> Reported | Absent:
    """AISBench's stable stage since August 2026.

    From the second start that fills the asked concurrency exactly to the last event that does; members are the requests
    that start in it, each with all its tokens and time. Failed requests are not there; what exceeds the asked
    concurrency is shown as the asked one. At equal times an end comes before a start, which is in its favour.
    """
    sent_ns, ended_ns, ttft_ns, tokens = sent_ns[ok], ended_ns[ok], ttft_ns[ok], tokens[ok]
    times, starts, running = sweep(sent_ns, ended_ns)
    full = running == asked
    filling = np.flatnonzero(full & starts)
    if filling.size < 2:
        return Absent(NO_STAGE)
    first, last = int(times[filling[1]]), int(times[np.flatnonzero(full)[-1]])
    members = (sent_ns >= first) & (sent_ns <= last)
    return whole(sent_ns, ended_ns, ttft_ns, tokens, members, first, last, asked)


def aisbench_before(
    sent_ns: Times, ended_ns: Times, ttft_ns: Times, tokens: Floats, ok: Flags, asked: int
) -> Reported | Absent:
    """AISBench's stable stage until August 2026, with its wave of 2 %.

    A request belongs if at its start the asked concurrency was reached, or nearly once more than two belong. The stage
    ends with the first end after which fewer than nearly all are running for over 1 ms, or after which none is sent.
    The first member is left out.
    """
    sent_ns, ended_ns, ttft_ns, tokens = sent_ns[ok], ended_ns[ok], ttft_ns[ok], tokens[ok]
    times, starts, running = sweep(sent_ns, ended_ns)
    nearly = int(asked * NEARLY)
    begun = np.flatnonzero(starts & (running == asked))
    if begun.size < 3:
        return Absent(NO_STAGE)
    low = ~starts & (running < nearly)
    enough = np.flatnonzero(running >= nearly)
    following = np.searchsorted(enough, np.arange(times.size))
    back = np.append(times[enough], np.iinfo(np.int64).max)[np.minimum(following, enough.size)]
    over = low & (back - times > RECOVERY_NS) | ~starts & (times >= sent_ns.max())
    ends = np.flatnonzero(over & (np.arange(times.size) > begun[0]))
    last = int(times[ends[0]] if ends.size else times[-1])
    belongs = starts & ((running == asked) | (running >= nearly) & (np.arange(times.size) > begun[2]))
    member_times = times[belongs & (times <= last)][1:]
    if member_times.size == 0:
        return Absent(NO_STAGE)
    members = np.isin(sent_ns, member_times)
    return whole(sent_ns, ended_ns, ttft_ns, tokens, members, int(member_times[0]), last, asked)


def evalscope(sent_ns: Times, ended_ns: Times, ttft_ns: Times, tokens: Floats, ok: Flags) -> Reported | Absent:
    """EvalScope's steady window: from the last end within the first 20 % of the run to the last end of all.

    All tokens of a request are booked at its end, so those of the ends after the first edge count. Where none lies
    within the 20 % the window begins with the first end; where only the last one follows, it is the whole run.
    Latencies are those of the whole run.
    """
    sent_ns, ended_ns, ttft_ns, tokens = sent_ns[ok], ended_ns[ok], ttft_ns[ok], tokens[ok]
    if sent_ns.size == 0:
        return Absent("no request succeeded")
    order = np.argsort(ended_ns, kind="stable")
    ends, booked = ended_ns[order], tokens[order]
    origin, last = int(sent_ns[order[0]]), int(ends[-1])
    edge = max(int(np.searchsorted(ends, origin + DROPPED * (last - origin), side="right")) - 1, 0)
    first, members = (origin, booked) if edge == ends.size - 1 else (int(ends[edge]), booked[edge + 1 :])
    if last <= first:
        return Absent(NO_LENGTH)
    rate = float(members.sum()) * 1e9 / (last - first)
    level = inflight.mean(sent_ns, ended_ns, first, last) or 0.0
    return Reported(first, last, members.size, rate, float(ttft_ns.mean()), level)


def guidellm(
    sent_ns: Times,
    ended_ns: Times,
    ttft_ns: Times,
    tokens: Floats,
    ok: Flags,
    warmup: float = 0.1,
    cooldown: float = 0.1,
) -> Reported | Absent:
    """guidellm's window: without a share of the run at its beginning and its end.

    Every request that overlaps the window is in it whole (its issue 1078); the token rate is all their tokens over the
    time from the first of these to the last.
    """
    sent_ns, ended_ns, ttft_ns, tokens = sent_ns[ok], ended_ns[ok], ttft_ns[ok], tokens[ok]
    if sent_ns.size == 0:
        return Absent("no request succeeded")
    origin, length = int(sent_ns.min()), int(ended_ns.max() - sent_ns.min())
    first, last = round(origin + warmup * length), round(origin + (1.0 - cooldown) * length)
    members = (ended_ns >= first) & (sent_ns <= last)
    if not members.any():
        return Absent("no request overlaps the window")
    span = int(ended_ns[members].max() - (sent_ns + ttft_ns)[members].min())
    if span <= 0:
        return Absent(NO_LENGTH)
    rate = float(tokens[members].sum()) * 1e9 / span
    level = inflight.mean(sent_ns, ended_ns, first, last) or 0.0
    return Reported(first, last, int(members.sum()), rate, float(ttft_ns[members].mean()), level)


def sweep(sent_ns: Times, ended_ns: Times) -> tuple[Times, Flags, Times]:
    """Starts and ends in order of time, whether each is a start, and the requests running after each."""
    times = np.concatenate((ended_ns, sent_ns))
    starts = np.repeat([False, True], sent_ns.size)
    order = np.argsort(times, kind="stable")
    return times[order], starts[order], np.cumsum(np.where(starts[order], 1, -1))


def whole(
    sent_ns: Times,
    ended_ns: Times,
    ttft_ns: Times,
    tokens: Floats,
    members: Flags,
    first: int,
    last: int,
    asked: int,
) -> Reported | Absent:
    """A window whose members count with all their tokens and times."""
    if last <= first or not members.any():
        return Absent("the stable stage has no length")
    length = last - first
    level = float((ended_ns - sent_ns)[members].sum()) / length
    rate = float(tokens[members].sum()) * 1e9 / length
    return Reported(first, last, int(members.sum()), rate, float(ttft_ns[members].mean()), min(level, float(asked)))
