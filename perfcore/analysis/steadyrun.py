"""A window of a run: where it lies, what it holds, how sure its numbers are, and whether the run was steady in it.

For a run that was held for it (`perfcore steady`), and for one that was not as far as that goes: `not_given` says how
far.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from perfcore.analysis import inflight, latency, notes, windowed
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import CANCELLED, Column, Flight, Measured, due_in
from perfcore.analysis.notes import Held, Load
from perfcore.analysis.stats import PERCENTILES
from perfcore.analysis.steady.intervals import (
    Interval,
    level_interval,
    mean_interval,
    percentile_intervals,
    rate_interval,
)
from perfcore.analysis.steady.verdict import Verdict, judge, no_plateau, overloaded
from perfcore.analysis.steady.window import Window, find_window
from perfcore.analysis.windowed import NS_PER_S, THROUGHPUTS, Floats, Work
from perfcore.types import Requests, Run

SEED = 20
ENOUGH = 1_000_000  # samples that an interval of a percentile is made from
NOTHING = "no measured request was recorded with its times"

GROWING = "growing"

# Why the load of a steady run was not held any longer, as the window's last edge.
ENDS = {
    "duration": "the window was as long as asked for",
    "requests": "as many requests as asked for had ended",
    "precision": "output tokens/s were known as well as asked for",
    "max_duration": "the longest time for the run was over",
    GROWING: "requests in flight kept growing",
}
LAST_SENT = "the last request was sent"
INTERRUPTED = "the run was interrupted, and the last request was sent"
KILLED = "the run was killed: later requests may have been lost before their end"
CUT_OFF = "requests that were due later were cut off before their end"


@dataclass(frozen=True)
class Part:
    """What of a run is measured: the requests due in its window, or without one those that might have been."""

    window: Window | Absent
    measured: Measured
    gaps_ns: Column
    works: dict[str, Work | Absent]
    held: Held | None
    until_ns: int


@dataclass(frozen=True)
class Attempts:
    """Every attempt that occupied the server; arrays of equal length. `ttft_ns` is -1 without a success."""

    due_ns: Column
    sent_ns: Column
    ended_ns: Column
    ttft_ns: Column


def find(run: Run, everything: Measured, flown: Flight, load: Load) -> Part:
    """The window of a run and what was due in it."""
    requests, held = run.requests, notes.held(run.notes)
    works = windowed.works(run, everything)
    due = requests.due_ns[everything.first]
    due = due[due >= 0]
    if due.size == 0 or flown.sent_ns.size == 0:
        return Part(Absent(NOTHING), everything, run.gaps_ns, works, held, 0)
    begin_ns = int(due.min())
    until_ns, why = until(requests, flown, held, killed=not notes.ended(run.notes))
    seen, done = attempts(requests, flown, until_ns), progress(works)
    window = find_window(
        seen.sent_ns,
        seen.ended_ns,
        seen.ttft_ns,
        done.t_ns,
        done.amount,
        begin_ns=begin_ns,
        held_until_ns=until_ns,
        asked=asked(load),
        end_reason=why,
    )
    bounds = (begin_ns, until_ns) if isinstance(window, Absent) else (window.start_ns, window.end_ns)
    chosen = due_in(requests, everything, *bounds)
    return Part(window, chosen, windowed.gaps(run.stamps, chosen.successes), works, held, until_ns)


def asked(load: Load) -> int | None:
    """Requests in flight that were asked for: of a closed loop only, as an open one has at most a limit."""
    return None if load.open_loop or load.concurrency is None else int(load.concurrency)


def attempts(requests: Requests, flown: Flight, until_ns: int) -> Attempts:
    """Those that were sent before a time: of the later ones that kept the load up, the last were cut off."""
    sent_ns = flown.sent_ns
    before = np.flatnonzero(sent_ns < until_ns)
    rows, sent_ns = flown.row[before], sent_ns[before]
    first_ns = requests.first_token_ns[rows]
    known = (requests.error_class[rows] == 0) & requests.streamed[rows] & (first_ns >= 0)
    return Attempts(requests.due_ns[rows], sent_ns, flown.end_ns[before], np.where(known, first_ns - sent_ns, -1))


def progress(works: dict[str, Work | Absent]) -> Work:
    """By what to see whether the server works at an even pace: output tokens, or without them ended requests."""
    made, ended = works["output_tokens_per_s"], works["requests_per_s"]
    assert isinstance(ended, Work)
    return ended if isinstance(made, Absent) else made


def until(requests: Requests, flown: Flight, held: Held | None, killed: bool) -> tuple[int, str]:
    """Until when a window may go, in ns, and why.

    The load was held until then, and what was due before was followed to its end. A request that was cut off when it
    had run for longer than any that ended counts as failed; no other that was cut off is in the window.
    """
    if held is not None and held.end_ns is not None:
        last_ns, why = held.end_ns, ENDS.get(held.end_reason, held.end_reason)
    elif killed:
        last_ns, why = int(flown.end_ns.max() - (flown.end_ns - flown.sent_ns).max()), KILLED
    else:
        last_ns, why = int(flown.sent_ns.max()), LAST_SENT if held is None else INTERRUPTED
    cut_ns = cut_off(requests, flown)
    return (cut_ns, CUT_OFF) if cut_ns is not None and cut_ns < last_ns else (last_ns, why)


def cut_off(requests: Requests, flown: Flight) -> int | None:
    """When the first was due of those that were cut off before they had run as long as the longest that ended."""
    lasted = flown.end_ns - flown.sent_ns
    cut = requests.error_class[flown.row] == CANCELLED
    longest = int(lasted[~cut].max(initial=0))
    due = requests.due_ns[flown.row[cut & (lasted <= longest)]]
    return int(due.min()) if due.size else None


def verdict(run: Run, part: Part, flown: Flight, load: Load, client_limited: bool) -> Verdict:
    """Whether the run was steady in its window."""
    found = judged(run, part, flown, load, client_limited)
    return overloaded(found) if part.held is not None and part.held.end_reason == GROWING else found


def judged(run: Run, part: Part, flown: Flight, load: Load, client_limited: bool) -> Verdict:
    """What the tests say of the window."""
    if isinstance(part.window, Absent):
        return no_plateau(part.window.reason)
    seen, done = attempts(run.requests, flown, part.until_ns), progress(part.works)
    return judge(
        part.window,
        seen.due_ns,
        seen.sent_ns,
        seen.ended_ns,
        seen.ttft_ns,
        done.t_ns,
        done.amount,
        asked=asked(load),
        client_limited=client_limited,
    )


def steady_entry(run: Run, part: Part, verdict: Verdict) -> dict[str, Any]:
    """The key `steady`: the verdict, why, what was tested, and what this run cannot give."""
    return {
        "verdict": verdict.kind,
        "exit_code": verdict.exit_code,
        "reasons": reasoned(verdict.reasons, Absent("it is no matter of a number")),
        "tests": reasoned(verdict.tests, Absent("it does not apply, or the window is too short for it")),
        "not_given": not_given(run, part),
    }


def reasoned(tree: Any, why: Absent) -> Any:
    """The same with `why` in the place of each None."""
    if isinstance(tree, dict):
        return {key: reasoned(value, why) for key, value in tree.items()}
    if isinstance(tree, list):
        return [reasoned(value, why) for value in tree]
    return why if tree is None else tree


def window_entry(everything: Measured, part: Part, verdict: Verdict, begin_ns: int) -> dict[str, Any] | Absent:
    """The key `window`: edges and why, length, and how much of the run lies in it; `begin_ns`: the first due time."""
    window = part.window
    if isinstance(window, Absent):
        return window
    return {
        "start_ns": window.start_ns,
        "end_ns": window.end_ns,
        "start_reason": window.start_reason,
        "end_reason": window.end_reason,
        "start_s": (window.start_ns - begin_ns) / NS_PER_S,
        "end_s": (window.end_ns - begin_ns) / NS_PER_S,
        "length_s": (window.end_ns - window.start_ns) / NS_PER_S,
        "requests": int(part.measured.first.size),
        "e2el_multiples": verdict.tests["length"]["multiples"],
        "lockstep": window.lockstep,
        "coverage": coverage(everything, part, window),
    }


def edges(part: Part) -> tuple[int, int] | None:
    """Of the window, in ns; None without one."""
    return None if isinstance(part.window, Absent) else (part.window.start_ns, part.window.end_ns)


def coverage(everything: Measured, part: Part, window: Window) -> dict[str, float | Absent]:
    """Shares of the run's requests that were due in the window, and of its output tokens that came in it."""
    made = part.works["output_tokens_per_s"]
    tokens: float | Absent
    if isinstance(made, Absent):
        tokens = made
    else:
        total = float(made.amount.sum())
        inside = float(made.inside(window.start_ns, window.end_ns).amount.sum())
        tokens = inside / total if total > 0 else Absent("no output token came")
    return {"requests": part.measured.first.size / everything.first.size, "tokens": tokens}


def throughputs(part: Part, failed_too: bool) -> dict[str, Any]:
    """Work per second of the window, with its interval: that of successes, or of everything."""
    rates = {name: throughput(part.window, part.works[name], failed_too) for name in THROUGHPUTS}
    return {name: each if isinstance(each, Absent) else each[0] for name, each in rates.items()} | sure(
        {name: each if isinstance(each, Absent) else each[1] for name, each in rates.items()}
    )


def throughput(
    window: Window | Absent, work: Work | Absent, failed_too: bool
) -> tuple[float, Interval | Absent] | Absent:
    """Work per second of the window, and its interval."""
    if isinstance(window, Absent):
        return window
    if isinstance(work, Absent):
        return work
    bounds = (window.start_ns, window.end_ns)
    inside = work.inside(*bounds)
    if not failed_too:
        inside = inside.where(inside.ok)
    return windowed.rate(inside, *bounds), rate_interval(inside.t_ns, inside.amount, *bounds, window.cycle_ns)


def sure(intervals: dict[str, Interval | Absent]) -> dict[str, Any]:
    """Keys that stand beside numbers: their 95 % intervals, and how many independent values would say as much."""
    known = {name: each for name, each in intervals.items() if isinstance(each, Interval)}
    return {
        "ci95": intervals | {name: [each.low, each.high] for name, each in known.items()},
        "effective_n": {name: each.effective_n for name, each in known.items()},
    }


def concurrency(window: Window | Absent, flown: Flight) -> dict[str, Any]:
    """Requests in flight in the window, failed ones and those of other windows included."""
    if isinstance(window, Absent):
        return {"mean": window, "max": window} | sure({"mean": window})
    times = (flown.sent_ns, flown.end_ns, window.start_ns, window.end_ns)
    return {
        "mean": inflight.mean(*times),
        "max": inflight.peak_within(*times),
    } | sure({"mean": level_interval(*times, window.cycle_ns)})


def latencies(run: Run, part: Part) -> dict[str, Any]:
    """Summaries of the window's latencies, in ms, each with its intervals."""
    if isinstance(part.window, Absent):
        return dict.fromkeys(latency.LATENCIES, part.window)
    found = latency.summaries(run.requests, part.measured, part.gaps_ns)
    samples = latency.samples(run.requests, part.measured) | {"itl_ms": part.gaps_ns}
    return {
        name: summary
        if isinstance(summary, Absent)
        else summary | sure(latency_intervals(samples[name], part.window.most_batches))
        for name, summary in found.items()
    }


def latency_intervals(sample: Any, most: int) -> dict[str, Interval | Absent]:
    """Of the mean and the percentiles of a sample in ns, in the order of the due times: in ms."""
    in_ms = sample / latency.NS_PER_MS
    found = {"mean": mean_interval(in_ms, most=most)}
    thin = thinned(in_ms)
    cuts = percentile_intervals(thin, [rank / 10 for rank in PERCENTILES.values()], SEED, most=most)
    return found | dict(zip(PERCENTILES, cuts, strict=True))


def thinned(sample: Floats) -> Floats:
    """A random part of a huge sample, in order: gaps of millions of tokens say no more than one million of them do."""
    if sample.size <= ENOUGH:
        return sample
    return sample[np.random.default_rng(SEED).random(sample.size) < ENOUGH / sample.size]


def not_given(run: Run, part: Part) -> list[str]:
    """What this run cannot give because its load was not held for a window, in sentences."""
    held = part.held
    if held is not None and held.followed:
        return []
    if not notes.ended(run.notes):
        why = "The run was killed, so the window ends before the requests that may have been lost then."
    elif held is None:
        why = (
            "Where the window ends was decided by the length of the run and not by how sure its numbers are: "
            "perfcore steady holds the load until a window is as long, or as sure, as asked for."
        )
    elif held.end_ns is None:
        why = "The run was interrupted before its window was as long, or as sure, as asked for."
    else:
        why = "The run was cut off before all requests that were due in its window had ended."
    return [*drained(run, part), why]


def drained(run: Run, part: Part) -> list[str]:
    """Of how many requests the end was not under load, in a sentence; none if of none."""
    ended = run.requests.end_ns[part.measured.last]
    late, number = int((ended > part.until_ns).sum()), part.measured.last.size
    if late == 0 or isinstance(part.window, Absent):
        return []
    return [
        f"The load was not kept up after the last request was sent: {late:,} of the {number:,} requests of the window "
        "ended later, on a server that emptied. Their latencies are followed to the end and tend to be too low."
    ]
