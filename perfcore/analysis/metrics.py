"""From the records of a run to its metrics; docs/metrics.md gives each definition with a worked example.

Rules that hold for all of them. Warm-ups are left out everywhere. A request that was tried several times counts once,
with its last attempt, and from intended with the due time of its first. Latencies are those of successful requests.
A metric that cannot be computed is None, and `absent` says why under its dotted key; it is never 0, -1 or NaN.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight, latency, notes, stats, targets, validity
from perfcore.analysis.absent import Absent, settle
from perfcore.analysis.measured import MEASURED, Column, Flight, Measured, flight, opened, select, window
from perfcore.analysis.notes import Load
from perfcore.types import TOKEN_SOURCES, Requests, Run
from perfcore_ext import frame

SCHEMA = "perfcore.metrics/1"
ESTIMATE = TOKEN_SOURCES.index("events")
EMPTY_ANSWER = frame.ERROR_CLASSES.index("empty_answer")
# What services call the reason of an answer that was cut off by a limit of tokens, in small letters.
LENGTH_REASONS = ("length", "max_tokens", "max_output_tokens", "model_length", "limit")
NS_PER_MS = 1e6
NS_PER_S = 1e9

# All clients of a closed loop without a ramp are due at its start: those due within 1 ms of the first are its burst.
BURST_NS = 1_000_000

THROUGHPUTS = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s", "total_tokens_per_s")

NONE_RECORDED = "no measured request was recorded with its times"
NONE_SUCCEEDED = "no measured request succeeded"


def compute(run: Run, cores: int | None = None) -> dict[str, Any]:
    """The content of metrics.json (docs/run-folder.md): plain dicts, lists, text, numbers and None.

    `cores` is the number of processor cores of the machine that sent the load, for the certificate's advice.
    """
    requests, measured, load = run.requests, select(run.requests), notes.load(run.notes)
    flown = flight(requests, notes.deaths(run.notes))
    bounds = window(requests)
    duration_s = (bounds[1] - bounds[0]) / NS_PER_S if bounds else Absent(NONE_RECORDED)
    counted = tokens(requests, measured)
    failures = names(requests.error_class[measured.last[~measured.ok]], requests.error_classes)
    found = {
        "schema": SCHEMA,
        "duration_s": duration_s,
        "requests": outcomes(requests, measured),
        "latency": latency.summaries(requests, measured, run.gaps_ns),
        "tokens": counted,
        "throughput": throughput(measured, counted, duration_s),
        "concurrency": concurrency(flown, bounds, load),
        "rate": rate(requests, measured, load),
        "errors": failures,
        "retried": names(requests.error_class[retried(requests, measured)], requests.error_classes),
        "error_samples": {name: run.error_samples[name] for name in failures if name in run.error_samples},
        "finish_reasons": names(requests.finish_reason[measured.successes], requests.finish_reasons),
        "connections": {"opened": opened(requests, True), "reused": opened(requests, False)},
        "targets": targets.by_url(requests, measured, run.notes),
        "workers": notes.workers(run.notes),
        "validity": validity.certificate(seen(run, measured, flown, load, cores)),
    }
    return settle(found)


def outcomes(requests: Requests, measured: Measured) -> dict[str, int]:
    """Requests by outcome, attempts beyond the first, those ended after sending had stopped, and malformed events."""
    total, ok = int(measured.last.size), int(measured.ok.sum())
    return {
        "total": total,
        "ok": ok,
        "failed": total - ok,
        "retries": int((requests.phase == MEASURED).sum()) - total,
        "after_stop": int(requests.after_stop[measured.last].sum()),
        "bad_json_events": int(np.maximum(requests.bad_json[measured.last], 0).sum()),
    }


def retried(requests: Requests, measured: Measured) -> Column:
    """Rows of the attempts that another one followed."""
    followed = requests.phase == MEASURED
    followed[measured.last] = False
    return np.flatnonzero(followed)


def names(codes: NDArray[np.int16], words: tuple[str, ...]) -> dict[str, int]:
    """How often each word occurs, the most frequent first; a negative code stands for none."""
    numbers = np.bincount(codes[codes >= 0], minlength=len(words))
    order = sorted(range(len(words)), key=lambda code: (-numbers[code], words[code]))
    return {words[code]: int(numbers[code]) for code in order if numbers[code]}


def output_tokens(requests: Requests, rows: Column) -> Column:
    """Output tokens of these rows, -1 if not known: an answer in one piece has no events to count them by."""
    piece = ~requests.streamed[rows] & (requests.token_source[rows] == ESTIMATE)
    return np.where(piece, -1, requests.output_tokens[rows])


def tokens(requests: Requests, measured: Measured) -> dict[str, Any]:
    """Sums over the successful requests whose number is known, how many those are, where output tokens come from."""
    rows = measured.successes
    why = Absent("no successful answer came with this number" if rows.size else NONE_SUCCEEDED)
    columns = {
        "input": requests.input_tokens[rows],
        "output": output_tokens(requests, rows),
        "reasoning": requests.reasoning_tokens[rows],
        "cached": requests.cached_tokens[rows],
    }
    known = {name: values[values >= 0] for name, values in columns.items()}
    sources = np.unique(requests.token_source[rows][columns["output"] >= 0])
    found: dict[str, Any] = {name: int(values.sum()) if values.size else why for name, values in known.items()}
    found["source"] = "+".join(TOKEN_SOURCES[code] for code in sources) if sources.size else why
    found["tokens_per_event"] = tokens_per_event(requests, rows)
    found["counted"] = {name: int(values.size) for name, values in known.items()}
    for name in ("input", "output"):
        found[f"{name}_per_request"] = latency.summarized(known[name], why.reason, 1.0)
    return found


def tokens_per_event(requests: Requests, rows: Column) -> float | Absent:
    """Output tokens that the server reported per token event, over those of these rows that were streamed."""
    rows = rows[requests.streamed[rows] & (requests.token_events[rows] > 0)]
    told = rows[requests.token_source[rows] != ESTIMATE]
    if told.size:
        return float(requests.output_tokens[told].sum() / requests.token_events[told].sum())
    return Absent("the server reported no output tokens" if rows.size else "no successful answer was streamed")


def throughput(measured: Measured, counted: dict[str, Any], duration_s: float | Absent) -> dict[str, Any]:
    """Successful requests and their tokens per second of the window."""
    if isinstance(duration_s, Absent):
        return dict.fromkeys(THROUGHPUTS, duration_s)
    made, read = counted["output"], counted["input"]
    unknown = [part for part in (read, made) if isinstance(part, Absent)]
    sums = (int(measured.ok.sum()), read, made, unknown[0] if unknown else read + made)
    rates = (total if isinstance(total, Absent) else total / duration_s for total in sums)
    return dict(zip(THROUGHPUTS, rates, strict=True))


def concurrency(flown: Flight, bounds: tuple[int, int] | None, load: Load) -> dict[str, Any]:
    """Requests in flight: asked for, time integral over the window divided by its length, and the most at one time."""
    asked: float | Absent | None = load.concurrency
    if asked is None:
        asked = Absent("no limit was set" if load.known else notes.KILLED)
    if bounds is None or flown.sent_ns.size == 0:
        return {"asked": asked, "mean": Absent(NONE_RECORDED), "max": Absent(NONE_RECORDED)}
    mean = inflight.mean(flown.sent_ns, flown.end_ns, *bounds)
    return {"asked": asked, "mean": mean, "max": inflight.peak(flown.sent_ns, flown.end_ns)}


def rate(requests: Requests, measured: Measured, load: Load) -> dict[str, Any]:
    """Requests per second asked for and sent, in open loop; of each request its first attempt counts."""
    if load.rate is None:
        why = Absent("closed loop: the answers set the rate" if load.known else notes.KILLED)
        return {"asked": why, "achieved": why}
    achieved = per_s(requests.sent_ns[measured.first])
    return {
        "asked": load.rate,
        "achieved": Absent("fewer than two requests were sent") if achieved is None else achieved,
    }


def per_s(times: NDArray[np.int64]) -> float | None:
    """Rate of events at these times: gaps between the first and the last, not events, over the time between them."""
    times = times[times >= 0]
    span = int(times.max() - times.min()) if times.size else 0
    return (times.size - 1) / (span / NS_PER_S) if span > 0 else None


def seen(run: Run, measured: Measured, flown: Flight, load: Load, cores: int | None) -> validity.Seen:
    """What the run noticed about itself, for the certificate."""
    requests, reads = run.requests, run.reads
    due, sent = requests.due_ns[measured.first], requests.sent_ns[measured.first]
    burst = at_once(due, sent, load)
    steady = stats.summary(latency.since(due[~burst], sent[~burst]), NS_PER_MS) or {}
    start = stats.summary(latency.since(due[burst], sent[burst]), NS_PER_MS) or {}
    open_loop = load.rate is not None
    level = None if open_loop else load.concurrency
    return validity.Seen(
        requests=int(measured.last.size),
        ok=int(measured.ok.sum()),
        length_stops=length_stops(requests, measured),
        empty_answers=share(requests.error_class[measured.last] == EMPTY_ANSWER),
        slip_p50_ms=steady.get("p50"),
        slip_p99_ms=steady.get("p99"),
        slip_max_ms=steady.get("max"),
        burst=int(burst.sum()),
        burst_slip_max_ms=start.get("max"),
        read_delay_p50_ms=in_ms(reads.read_delay_p50_ns),
        read_delay_p99_ms=in_ms(reads.read_delay_p99_ns),
        shared_reads=reads.shared_token_events / reads.token_events if reads.token_events else None,
        workers=witnesses(run),
        cores=cores,
        concurrency_asked=load.concurrency,
        concurrency_held=None if level is None else inflight.held(flown.sent_ns, flown.end_ns, level),
        concurrency_max=inflight.peak(flown.sent_ns, flown.end_ns) if flown.sent_ns.size else None,
        rate_asked=load.rate,
        rate_scheduled=per_s(due) if open_loop else None,
        rate_achieved=per_s(sent) if open_loop else None,
        connections_opened=opened(requests, True),
        **notes.way(run.notes),
        lost_workers=notes.lost(run.notes),
        skipped_bytes=run.damage.skipped_bytes,
        killed=not notes.ended(run.notes),
        interrupted=notes.interrupted(run.notes),
    )


def length_stops(requests: Requests, measured: Measured) -> float | None:
    """Share of the answers with a finish reason that were cut off by a limit of tokens."""
    limits = [code for code, name in enumerate(requests.finish_reasons) if name.lower() in LENGTH_REASONS]
    reasons = requests.finish_reason[measured.successes]
    return share(np.isin(reasons[reasons >= 0], limits))


def share(these: NDArray[np.bool_]) -> float | None:
    return float(these.mean()) if these.size else None


def at_once(due: NDArray[np.int64], sent: NDArray[np.int64], load: Load) -> NDArray[np.bool_]:
    """Which requests a closed loop had to send all together at its very start; one alone is no burst."""
    known = (due >= 0) & (sent >= 0)
    if load.rate is not None or not known.any():
        return np.zeros(due.size, dtype=bool)
    first = known & (due <= due[known].min() + BURST_NS)
    return first if first.sum() > 1 else np.zeros(due.size, dtype=bool)


def in_ms(ns: float | None) -> float | None:
    return None if ns is None else ns / NS_PER_MS


def witnesses(run: Run) -> tuple[validity.Worker, ...]:
    """What each worker told of itself."""
    told = notes.workers(run.notes)
    if isinstance(told, Absent):
        return ()
    keys = ("cpu_share", "ring_peak_waiting_bytes")
    return tuple(
        validity.Worker(entry["worker"], *(None if isinstance(entry[key], Absent) else entry[key] for key in keys))
        for entry in told
    )
