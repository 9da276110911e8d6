"""What a run noticed about itself: from its records and notes to what the certificate judges."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import ceilings, inflight, latency, notes, stats, validity
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Flight, Measured, opened
from perfcore.analysis.notes import Load
from perfcore.tail import tails
from perfcore.types import Requests, Run
from perfcore_ext import frame

EMPTY_ANSWER = frame.ERROR_CLASSES.index("empty_answer")
# What services call the reason of an answer that was cut off by a limit of tokens, in small letters.
LENGTH_REASONS = ("length", "max_tokens", "max_output_tokens", "model_length", "limit")
NS_PER_MS = 1e6
NS_PER_S = 1e9

# All clients of a closed loop without a ramp are due at its start: those due within 1 ms of the first are its burst.
BURST_NS = 1_000_000


@dataclass(frozen=True)
class Lateness:
    """Slips of the requests of the burst at the very start of a run, and of all others, in ms."""

    burst: int
    start: dict[str, float]
    rest: dict[str, float]


def seen(
    run: Run, measured: Measured, flown: Flight, load: Load, cores: int | None, began_ns: int | None = None
) -> validity.Seen:
    """What the certificate judges, of these of the measured requests; `began_ns`: when the first of all was due."""
    requests, reads = run.requests, run.reads
    due, sent = requests.due_ns[measured.first], requests.sent_ns[measured.first]
    burst = at_once(due, sent, load, began_ns)
    late = lateness(due, sent, burst)
    level = None if load.open_loop else load.concurrency
    scheduled = per_s(due) if load.open_loop else None
    return validity.Seen(
        requests=int(measured.last.size),
        ok=int(measured.ok.sum()),
        length_stops=length_stops(requests, measured),
        empty_answers=share(requests.error_class[measured.last] == EMPTY_ANSWER),
        repeats=repeats(requests, measured),
        cached_tokens=cached(requests, measured),
        slip_p50_ms=late.rest.get("p50"),
        slip_p99_ms=late.rest.get("p99"),
        slip_max_ms=late.rest.get("max"),
        **tails(due, sent, burst, reads),
        machine=ceilings.machine(run.notes, reads.token_events),
        burst=late.burst,
        burst_slip_max_ms=late.start.get("max"),
        read_delay_p50_ms=in_ms(reads.read_delay_p50_ns),
        read_delay_p99_ms=in_ms(reads.read_delay_p99_ns),
        shared_reads=reads.shared_token_events / reads.token_events if reads.token_events else None,
        workers=workers(run),
        cores=cores,
        concurrency_asked=load.concurrency,
        concurrency_held=None if level is None else inflight.held(flown.sent_ns, flown.end_ns, level),
        concurrency_max=inflight.peak(flown.sent_ns, flown.end_ns) if flown.sent_ns.size else None,
        rate_asked=scheduled if load.rate is None else load.rate,
        rate_scheduled=scheduled,
        rate_achieved=per_s(sent) if load.open_loop else None,
        connections_opened=opened(requests, measured, True),
        **notes.way(run.notes),
        lost_workers=notes.lost(run.notes),
        skipped_bytes=run.damage.skipped_bytes,
        killed=not notes.ended(run.notes),
        interrupted=notes.interrupted(run.notes),
    )


def repeats(requests: Requests, measured: Measured) -> int:
    """How often a row was sent at most; 1 where prompts were given by hand."""
    named = requests.dataset[measured.last] >= 0
    return int(requests.repeat[measured.last[named]].max()) + 1 if named.any() else 1


def cached(requests: Requests, measured: Measured) -> int | None:
    """Tokens of prompts that the server took from its cache, or None where it does not say."""
    told = requests.cached_tokens[measured.successes]
    told = told[told >= 0]
    return int(told.sum()) if told.size else None


def length_stops(requests: Requests, measured: Measured) -> float | None:
    """Share of the answers with a finish reason that were cut off by a limit of tokens."""
    limits = [code for code, name in enumerate(requests.finish_reasons) if name.lower() in LENGTH_REASONS]
    reasons = requests.finish_reason[measured.successes]
    return share(np.isin(reasons[reasons >= 0], limits))


def share(these: NDArray[np.bool_]) -> float | None:
    return float(these.mean()) if these.size else None


def at_once(
    due: NDArray[np.int64], sent: NDArray[np.int64], load: Load, began_ns: int | None = None
) -> NDArray[np.bool_]:
    """Which requests had to be sent all together at the very start, where no rate spread them; one alone is no burst.

    The start is `began_ns`, else when the first of these was due.
    """
    known = (due >= 0) & (sent >= 0)
    if load.rate is not None or not known.any():
        return np.zeros(due.size, dtype=bool)
    first = known & (due <= (due[known].min() if began_ns is None else began_ns) + BURST_NS)
    return first if first.sum() > 1 else np.zeros(due.size, dtype=bool)


def lateness(due: NDArray[np.int64], sent: NDArray[np.int64], burst: NDArray[np.bool_]) -> Lateness:
    rest = stats.summary(latency.since(due[~burst], sent[~burst]), NS_PER_MS) or {}
    start = stats.summary(latency.since(due[burst], sent[burst]), NS_PER_MS) or {}
    return Lateness(int(burst.sum()), start, rest)


def per_s(times: NDArray[np.int64]) -> float | None:
    """Rate of events at these times: gaps between the first and the last, not events, over the time between them."""
    times = times[times >= 0]
    span = int(times.max() - times.min()) if times.size else 0
    return (times.size - 1) / (span / NS_PER_S) if span > 0 else None


def in_ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS


def workers(run: Run) -> tuple[validity.Worker, ...]:
    """What each worker told of itself."""
    told = notes.workers(run.notes)
    if isinstance(told, Absent):
        return ()
    keys = ("cpu_share", "ring_peak_waiting_bytes")
    return tuple(
        validity.Worker(entry["worker"], *(None if isinstance(entry[key], Absent) else entry[key] for key in keys))
        for entry in told
    )
