"""From the records of a run to its metrics; docs/metrics.md gives each definition with a worked example.

Rules that hold for all of them. Warm-ups are left out everywhere. A request that was tried several times counts once,
with its last attempt, and from intended with the due time of its first. Latencies are those of successful requests.
A metric that cannot be computed is None, and `absent` says why under its dotted key; it is never 0, -1 or NaN.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfcore.analysis import (
    arrivals,
    classes,
    counts,
    diagnosis,
    inflight,
    latency,
    lengths,
    notes,
    server,
    slo,
    steadyrun,
    targets,
    validity,
    windowed,
    witness,
)
from perfcore.analysis.absent import Absent, settle
from perfcore.analysis.clues import LIMIT, NO_TEXTS, Texts, clues
from perfcore.analysis.measured import Flight, Measured, flight, opened, select, window
from perfcore.analysis.notes import Load
from perfcore.analysis.rules import LIMITED
from perfcore.analysis.windowed import NS_PER_S, THROUGHPUTS, Work
from perfcore.records.scrapes import Scrapes
from perfcore.slo import Objective
from perfcore.types import Requests, Run

SCHEMA = "perfcore.metrics/1"

NONE_RECORDED = "no measured request was recorded with its times"


@dataclass(frozen=True)
class Beside:
    """What is known of a run beside its records."""

    cores: int | None = None  # of the machine that sent the load
    objectives: Sequence[Objective] = ()
    scrapes: Scrapes | None = None
    texts: Texts = NO_TEXTS
    lengths: str = LIMIT


def compute(
    run: Run,
    cores: int | None = None,
    steady: bool = False,
    objectives: Sequence[Objective] = (),
    scrapes: Scrapes | None = None,
    texts: Texts = NO_TEXTS,
    lengths: str = LIMIT,
) -> dict[str, Any]:
    """The content of metrics.json (docs/run-folder.md): plain dicts, lists, text, numbers and None.

    `cores` is the number of processor cores of the machine that sent the load, for the certificate's advice. With
    `steady` rates and latencies are those of a window in which the load was steady, and `run` has its `stamps`.
    `objectives` are the service levels that goodput is counted by; `scrapes` is what the servers said of themselves.
    `texts` and `lengths` are for the diagnosis: what answers say, and what lengths of them were asked for.
    """
    load, everything = notes.load(run.notes), select(run.requests)
    flown = flight(run.requests, notes.deaths(run.notes))
    of = of_window if steady else of_run
    return settle(of(run, everything, flown, load, Beside(cores, objectives, scrapes, texts, lengths)))


def of_run(run: Run, everything: Measured, flown: Flight, load: Load, beside: Beside) -> dict[str, Any]:
    """Metrics of the whole measured phase, its start and end included."""
    bounds = window(run.requests)
    duration_s = length_s(bounds)
    told = of_server(run, bounds, beside)
    found = of_requests(run, everything, everything, load)
    found |= {
        "duration_s": duration_s,
        "latency": latency.summaries(run.requests, everything, run.gaps_ns),
        "throughput": throughput(everything, found["tokens"], duration_s),
        "concurrency": {"asked": asked(load)} | concurrency(flown, bounds),
        "classes": classes.by_class(
            run.requests, everything, lambda: classes.whole(run.requests, everything), duration_s
        ),
        "validity": validity.certificate(witness.seen(run, everything, flown, load, beside.cores), reasons(told)),
    }
    found |= told | goodput(run, everything, bounds, beside, found["throughput"])
    return found | {"diagnosis": diagnosed(run, everything, flown, load, found, beside)}


def of_window(run: Run, everything: Measured, flown: Flight, load: Load, beside: Beside) -> dict[str, Any]:
    """Metrics of the window in which the load was steady, and whether it was."""
    bounds, part = window(run.requests), steadyrun.find(run, everything, flown, load)
    began_ns = bounds[0] if bounds else None
    told = of_server(run, steadyrun.edges(part), beside)
    witnessed = witness.seen(run, part.measured, flown, load, beside.cores, began_ns)
    certificate = validity.certificate(witnessed, reasons(told))
    verdict = steadyrun.verdict(run, part, flown, load, certificate["verdict"] == LIMITED)
    found = of_requests(run, everything, part.measured, load) | {
        "duration_s": length_s(bounds),
        "latency": steadyrun.latencies(run, part),
        "throughput": steadyrun.throughputs(part, failed_too=False),
        "throughput_all": steadyrun.throughputs(part, failed_too=True),
        "concurrency": {"asked": asked(load)} | steadyrun.concurrency(part.window, flown),
        "classes": classes_of_window(run, everything, part),
        "window": steadyrun.window_entry(everything, part, verdict, began_ns or 0),
        "steady": steadyrun.steady_entry(run, part, verdict),
        "over_time": over_time(run, everything, flown, part.works["output_tokens_per_s"], bounds),
        "validity": certificate,
    }
    found |= told | goodput(run, part.measured, steadyrun.edges(part), beside, found["throughput"])
    return found | {"diagnosis": diagnosed(run, part.measured, flown, load, found, beside)}


def diagnosed(
    run: Run, measured: Measured, flown: Flight, load: Load, found: dict[str, Any], beside: Beside
) -> list[dict[str, str]]:
    """The key `diagnosis`: known patterns that these of the measured requests show."""
    return diagnosis.diagnose(clues(run, measured, flown, load, found, beside.texts, beside.lengths))


def classes_of_window(run: Run, everything: Measured, part: steadyrun.Part) -> list[dict[str, Any]] | Absent:
    """Requests that were due in the window, and the output tokens that came in it, by class."""
    requests, window = run.requests, part.window
    if isinstance(window, Absent):
        return classes.by_class(requests, part.measured, lambda: classes.whole(requests, part.measured), window)
    edges = (window.start_ns, window.end_ns)
    return classes.by_class(requests, part.measured, lambda: windowed.came(run, everything, *edges), length_s(edges))


def goodput(
    run: Run, measured: Measured, bounds: tuple[int, int] | None, beside: Beside, rates: dict[str, Any]
) -> dict[str, Any]:
    """The key `goodput` where objectives were given, between these times in ns."""
    if not beside.objectives:
        return {}
    length = length_s(bounds)
    return {"goodput": slo.goodput(run.requests, measured, beside.objectives, length, rates, rates.get("ci95"))}


def of_server(run: Run, bounds: tuple[int, int] | None, beside: Beside) -> dict[str, Any]:
    """The key `server` where servers told their metrics, between these times in ns."""
    if beside.scrapes is None:
        return {}
    if bounds is None:
        return {"server": Absent(NONE_RECORDED)}
    return {"server": server.summary(beside.scrapes, *bounds, run.requests)}


def reasons(told: dict[str, Any]) -> list[dict[str, Any]]:
    """What the servers' metrics have to say in the certificate."""
    return server.reasons(told["server"]) if told else []


def over_time(
    run: Run, everything: Measured, flown: Flight, made: Work | Absent, bounds: tuple[int, int] | None
) -> dict[str, Any] | Absent:
    """The whole run by steps."""
    if bounds is None:
        return Absent(NONE_RECORDED)
    return windowed.over_time(run.requests, everything, flown, made, bounds)


def of_requests(run: Run, everything: Measured, measured: Measured, load: Load) -> dict[str, Any]:
    """What can be said of these of the measured requests, whatever the time that they took together.

    It has all keys in their order; those with None are left to the caller.
    """
    requests = run.requests
    failures = counts.names(requests.error_class[measured.last[~measured.ok]], requests.error_classes)
    return {
        "schema": SCHEMA,
        "duration_s": None,
        "requests": counts.outcomes(requests, measured),
        "latency": None,
        "tokens": counts.tokens(requests, measured),
        "lengths": lengths.compare(requests, measured),
        "client_tokens": lengths.client(run.notes, run.counted),
        "throughput": None,
        "concurrency": None,
        "rate": rate(requests, measured, load),
        "arrivals": arrivals.compare(requests, everything, run.notes),
        "errors": failures,
        "retried": counts.names(requests.error_class[counts.retried(measured)], requests.error_classes),
        "error_samples": {name: run.error_samples[name] for name in failures if name in run.error_samples},
        "finish_reasons": counts.names(requests.finish_reason[measured.successes], requests.finish_reasons),
        "connections": {"opened": opened(requests, measured, True), "reused": opened(requests, measured, False)},
        "targets": targets.by_url(requests, measured, run.notes),
        "classes": None,
        "workers": notes.workers(run.notes),
    }


def length_s(bounds: tuple[int, int] | None) -> float | Absent:
    return (bounds[1] - bounds[0]) / NS_PER_S if bounds else Absent(NONE_RECORDED)


def throughput(measured: Measured, counted: dict[str, Any], duration_s: float | Absent) -> dict[str, Any]:
    """Successful requests and their tokens per second of the duration."""
    if isinstance(duration_s, Absent):
        return dict.fromkeys(THROUGHPUTS, duration_s)
    made, read = counted["output"], counted["input"]
    unknown = [part for part in (read, made) if isinstance(part, Absent)]
    sums = (int(measured.ok.sum()), read, made, unknown[0] if unknown else read + made)
    rates = (total if isinstance(total, Absent) else total / duration_s for total in sums)
    return dict(zip(THROUGHPUTS, rates, strict=True))


def asked(load: Load) -> float | Absent:
    """Requests in flight that were asked for, or the limit of an open loop."""
    if load.concurrency is not None:
        return load.concurrency
    return Absent("no limit was set" if load.known else notes.KILLED)


def concurrency(flown: Flight, bounds: tuple[int, int] | None) -> dict[str, Any]:
    """Requests in flight: time integral over the duration divided by its length, and the most at one time."""
    if bounds is None or flown.sent_ns.size == 0:
        return {"mean": Absent(NONE_RECORDED), "max": Absent(NONE_RECORDED)}
    mean = inflight.mean(flown.sent_ns, flown.end_ns, *bounds)
    return {"mean": mean, "max": inflight.peak(flown.sent_ns, flown.end_ns)}


def rate(requests: Requests, measured: Measured, load: Load) -> dict[str, Any]:
    """Requests per second asked for and sent, in open loop; of each request its first attempt counts."""
    if not load.open_loop:
        why = Absent("closed loop: the answers set the rate" if load.known else notes.KILLED)
        return {"asked": why, "achieved": why}
    achieved = witness.per_s(requests.sent_ns[measured.first])
    burst = "all requests are due at once"
    other = f"a {load.law} has no rate of its own"
    return {
        "asked": load.rate if load.rate is not None else Absent(burst if load.law == "burst" else other),
        "achieved": Absent("fewer than two requests were sent") if achieved is None else achieved,
    }
