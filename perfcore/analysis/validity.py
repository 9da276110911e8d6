"""The validity certificate: did this run measure the server, or the client?

Every rule compares one thing that the run noticed about itself with a limit, and says in a sentence what was seen and
what to do. A rule has three outcomes: a note (the numbers stand, but read this), suspect (the client may be part of
the numbers) and client limited (it is). The verdict is the worst of them.
"""

from dataclasses import dataclass
from typing import Any

from perfcore.analysis.absent import Absent
from perfcore.analysis.notes import Lost

VALID, NOTE, SUSPECT, LIMITED = "valid", "note", "suspect", "client limited"
LEVELS = (VALID, NOTE, SUSPECT, LIMITED)

# Lateness of sending. A healthy worker sends within some tens of microseconds; 1 ms is 1 % of a fast first token
# (100 ms), 10 ms is a tenth of it and half of a usual gap between tokens.
SLIP_P99_SUSPECT_MS = 1.0
SLIP_P99_LIMITED_MS = 10.0

# Time between the wake-up that found bytes waiting and their read: how far the loop is behind. Stamps are taken at
# the wake-up, so this is the bound of their error; 5 ms is a quarter of a usual gap between tokens (20 ms).
READ_DELAY_P99_SUSPECT_MS = 1.0
READ_DELAY_P99_LIMITED_MS = 5.0

# Above 85 % of a core, work that arrives at random queues for several times its own length; above 95 % it only queues.
CPU_SUSPECT = 0.85
CPU_LIMITED = 0.95

# Load that was scheduled and not sent. 1 % is what a comparison of two servers may turn on; 5 % is another load.
RATE_SUSPECT = 0.99
RATE_LIMITED = 0.95

# In-flight requests between the end of the ramp and the end of sending, against what was asked for.
CONCURRENCY_HELD = 0.95

# Token events that came in the same read as another: from here on gaps of 0 ms shape the ITL percentiles.
SHARED_READS = 0.10

# Failed requests are in no latency: from this share on the latencies tell of the lucky ones.
FAILED = 0.01

# Answers that are not whole, or are none. A model that is asked well ends by itself nearly always; where lengths are
# fixed on purpose the note is no news.
LENGTH_STOPS = 0.05
EMPTY_ANSWERS = 0.05

# Finished requests that wait in a worker for room in its ring: past this, memory grows with the run.
WAITING_BYTES = 64 << 20

# Connections opened per connection needed: more means that the server closes them and latencies contain set-up.
CONNECTIONS = 2.0


@dataclass(frozen=True)
class Worker:
    """One worker's statistics; None where the run was killed before it could say."""

    worker: int
    cpu_share: float | None
    waiting_bytes: int | None = None


@dataclass(frozen=True)
class Seen:
    """What a run noticed about itself. Shares and ratios are fractions of 1; None is unknown or does not apply."""

    requests: int = 0
    ok: int = 0
    length_stops: float | None = None  # of the successful answers with a finish reason
    empty_answers: float | None = None  # of all requests
    slip_p50_ms: float | None = None  # without the start burst
    slip_p99_ms: float | None = None
    slip_max_ms: float | None = None
    burst: int = 0  # requests that a closed loop without a ramp had to send at once
    burst_slip_max_ms: float | None = None
    read_delay_p50_ms: float | None = None
    read_delay_p99_ms: float | None = None
    shared_reads: float | None = None
    workers: tuple[Worker, ...] = ()
    cores: int | None = None
    concurrency_asked: float | None = None
    concurrency_held: float | None = None  # mean between the end of the ramp and the end of sending
    concurrency_max: int | None = None
    rate_asked: float | None = None  # None in closed loop
    rate_scheduled: float | None = None  # of the due times of this very run
    rate_achieved: float | None = None
    connections_opened: int | None = None
    connections_new: bool = False  # each request was to open its own
    urls: int = 1  # over which requests were dealt out
    insecure: bool = False  # certificates were not verified
    proxy: str = ""
    lost_workers: tuple[Lost, ...] = ()
    skipped_bytes: int = 0  # of the journal, damaged
    killed: bool = False
    interrupted: bool = False


def certificate(seen: Seen) -> dict[str, Any]:
    """`{verdict, reasons: [{level, what, seen, limit, remedy}], measures}`: worst reason first, verdict by it.

    `what` and `remedy` are sentences for a person, `seen` and `limit` the two numbers that were compared. Notes do not
    change the verdict.
    """
    found = [reason for rule in RULES for reason in rule(seen)]
    found.sort(key=lambda reason: -LEVELS.index(reason["level"]))
    worst = found[0]["level"] if found else VALID
    return {"verdict": VALID if worst == NOTE else worst, "reasons": found, "measures": measures(seen)}


def measures(seen: Seen) -> dict[str, Any]:
    """The numbers that the verdict rests on, under stable names; Absent with the reason where one is not known."""
    shares = [worker.cpu_share for worker in seen.workers if worker.cpu_share is not None]
    steady = "no request was due after the start burst"
    start = "no requests were due at once at the start"
    events = "no event was recorded"
    held = "closed loop only, and only when all clients were at work before the last request was sent"
    known: dict[str, tuple[float | None, str]] = {
        "slip_p50_ms": (seen.slip_p50_ms, steady),
        "slip_p99_ms": (seen.slip_p99_ms, steady),
        "slip_max_ms": (seen.slip_max_ms, steady),
        "start_burst_requests": (seen.burst, start),
        "start_burst_slip_max_ms": (seen.burst_slip_max_ms, start),
        "read_delay_p50_ms": (seen.read_delay_p50_ms, events),
        "read_delay_p99_ms": (seen.read_delay_p99_ms, events),
        "shared_read_share": (seen.shared_reads, "no token event was recorded"),
        "worker_cpu_share_max": (max(shares, default=None), "no worker lived to say"),
        "concurrency_held": (seen.concurrency_held, held),
        "rate_scheduled": (seen.rate_scheduled, "closed loop: the answers set the rate"),
    }
    return {name: Absent(why) if value is None else value for name, (value, why) in known.items()}


def reason(level: str, what: str, remedy: str, seen: float, limit: float) -> dict[str, Any]:
    return {"level": level, "what": what, "seen": seen, "limit": limit, "remedy": remedy}


def level_above(value: float, suspect: float, limited: float) -> tuple[str, float] | None:
    """The level that a value earns which should stay below both limits, and the limit that it passed."""
    if value > limited:
        return LIMITED, limited
    return (SUSPECT, suspect) if value > suspect else None


def capped(seen: Seen) -> bool:
    """Open loop with an in-flight cap that was reached: requests waited for the server, not for the client."""
    if seen.rate_asked is None or seen.concurrency_asked is None or seen.concurrency_max is None:
        return False
    return seen.concurrency_max >= seen.concurrency_asked


def relief(seen: Seen) -> str:
    """What gives the client air: more workers if they were busy, a quieter machine if they were not."""
    busiest = max((worker.cpu_share for worker in seen.workers if worker.cpu_share is not None), default=None)
    if busiest is None:
        return "Use more workers (--workers), or run nothing else on this machine."
    if busiest <= CPU_SUSPECT:
        return (
            f"The busiest worker used {percent(busiest)} of a core, so something else took the time: run nothing else "
            "on this machine, the server included."
        )
    if seen.cores is not None and len(seen.workers) >= seen.cores:
        return f"All {seen.cores} cores have a worker: lower the load, or send it from a larger machine."
    return f"Use --workers {2 * len(seen.workers)}."


def percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def check_slip(seen: Seen) -> list[dict[str, Any]]:
    if seen.slip_p99_ms is None:
        return []
    if capped(seen):
        return check_cap(seen, seen.slip_p99_ms)
    passed = level_above(seen.slip_p99_ms, SLIP_P99_SUSPECT_MS, SLIP_P99_LIMITED_MS)
    if passed is None:
        return []
    what = f"1 % of the requests were sent {seen.slip_p99_ms:.3g} ms or more after they were due."
    return [reason(passed[0], what, relief(seen), seen.slip_p99_ms, passed[1])]


def check_cap(seen: Seen, slip_p99_ms: float) -> list[dict[str, Any]]:
    if slip_p99_ms <= SLIP_P99_SUSPECT_MS:
        return []
    what = (
        f"All {seen.concurrency_asked:,.0f} requests that --concurrency allows were in flight, so requests were sent "
        f"late (p99 {slip_p99_ms:.3g} ms): the server did not keep up with the rate."
    )
    remedy = "Read the latencies from intended; raise --concurrency or lower --rate to have every request sent on time."
    return [reason(NOTE, what, remedy, slip_p99_ms, SLIP_P99_SUSPECT_MS)]


def check_burst(seen: Seen) -> list[dict[str, Any]]:
    if seen.burst_slip_max_ms is None or seen.burst_slip_max_ms <= SLIP_P99_LIMITED_MS:
        return []
    level = SUSPECT if 2 * seen.burst > seen.requests else NOTE
    what = f"The first {seen.burst:,} requests were due at once and took {seen.burst_slip_max_ms:.3g} ms to be sent."
    remedy = "Use --ramp to add clients one by one, and enough --requests or --duration to outweigh the start."
    return [reason(level, what, remedy, seen.burst_slip_max_ms, SLIP_P99_LIMITED_MS)]


def check_read_delay(seen: Seen) -> list[dict[str, Any]]:
    if seen.read_delay_p99_ms is None:
        return []
    passed = level_above(seen.read_delay_p99_ms, READ_DELAY_P99_SUSPECT_MS, READ_DELAY_P99_LIMITED_MS)
    if passed is None:
        return []
    what = f"1 % of the events waited {seen.read_delay_p99_ms:.3g} ms or more in the client before they were read."
    return [reason(passed[0], what, relief(seen), seen.read_delay_p99_ms, passed[1])]


def check_shared_reads(seen: Seen) -> list[dict[str, Any]]:
    if seen.shared_reads is None or seen.shared_reads <= SHARED_READS:
        return []
    what = f"{percent(seen.shared_reads)} of the token events arrived together with another and share its time."
    remedy = "Compare TPOT rather than ITL: the server or the network merges events, and their gaps count as 0 ms."
    return [reason(NOTE, what, remedy, seen.shared_reads, SHARED_READS)]


def check_cpu(seen: Seen) -> list[dict[str, Any]]:
    busy = [
        worker.cpu_share for worker in seen.workers if worker.cpu_share is not None and worker.cpu_share > CPU_SUSPECT
    ]
    if not busy:
        return []
    level, limit = level_above(max(busy), CPU_SUSPECT, CPU_LIMITED) or (SUSPECT, CPU_SUSPECT)
    count = "1 worker was" if len(busy) == 1 else f"{len(busy)} workers were"
    what = f"{count} up to {percent(max(busy))} busy."
    return [reason(level, what, relief(seen), max(busy), limit)]


def check_rings(seen: Seen) -> list[dict[str, Any]]:
    waiting = max((worker.waiting_bytes or 0 for worker in seen.workers), default=0)
    if waiting <= WAITING_BYTES:
        return []
    what = f"Up to {waiting >> 20:,} MiB of results waited in one worker to be written."
    remedy = "Put --out on a faster disk, or leave a core to the process that writes. No result was lost."
    return [reason(SUSPECT, what, remedy, float(waiting), float(WAITING_BYTES))]


def check_rate(seen: Seen) -> list[dict[str, Any]]:
    if not seen.rate_scheduled or seen.rate_achieved is None or capped(seen):
        return []
    ratio = seen.rate_achieved / seen.rate_scheduled
    if ratio >= RATE_SUSPECT:
        return []
    level, limit = (LIMITED, RATE_LIMITED) if ratio < RATE_LIMITED else (SUSPECT, RATE_SUSPECT)
    what = (
        f"{seen.rate_achieved:,.5g} requests/s were sent where {seen.rate_scheduled:,.5g} were due ({percent(ratio)})."
    )
    return [reason(level, what, relief(seen), ratio, limit)]


def check_exceeded(seen: Seen) -> list[dict[str, Any]]:
    """A promise of perfcore itself: it is checked all the same."""
    asked, most = seen.concurrency_asked, seen.concurrency_max
    if asked is None or most is None or most <= asked:
        return []
    what = f"{most:,} requests were in flight at once, and no more than {asked:,.0f} were allowed."
    return [reason(SUSPECT, what, "This is a fault of perfcore: report it with the run folder.", most, asked)]


def check_concurrency(seen: Seen) -> list[dict[str, Any]]:
    if seen.rate_asked is not None or seen.concurrency_asked is None or seen.concurrency_max is None:
        return []
    if seen.concurrency_max < seen.concurrency_asked:
        what = (
            f"{seen.concurrency_max:,} requests were in flight at most, {seen.concurrency_asked:,.0f} were asked for."
        )
        remedy = (
            "Use more --requests or a longer --duration, or a faster --ramp, so that all clients are at work at once."
        )
        return [reason(NOTE, what, remedy, float(seen.concurrency_max), float(seen.concurrency_asked))]
    held = seen.concurrency_held
    if held is None or held >= CONCURRENCY_HELD * seen.concurrency_asked:
        return []
    what = (
        f"After the ramp {held:,.1f} requests were in flight on average, {seen.concurrency_asked:,.0f} were asked for."
    )
    remedy = "Read the numbers as those of the lower load; slip and lost workers tell whether the client was the cause."
    return [reason(NOTE, what, remedy, held, CONCURRENCY_HELD * seen.concurrency_asked)]


def check_connections(seen: Seen) -> list[dict[str, Any]]:
    if seen.connections_opened is None or not seen.concurrency_max or seen.connections_new:
        return []
    needed = CONNECTIONS * seen.concurrency_max * seen.urls
    if seen.connections_opened <= needed:
        return []
    what = (
        f"{seen.connections_opened:,} connections were opened for at most {seen.concurrency_max:,} requests at a time."
    )
    remedy = "Let the server keep connections open; the latencies contain the set-up (see connect)."
    return [reason(NOTE, what, remedy, float(seen.connections_opened), needed)]


def check_way(seen: Seen) -> list[dict[str, Any]]:
    """What the user asked for and a reader of the report must know."""
    found = []
    if seen.insecure:
        what = "Certificates were not verified (--insecure), so who answered is not certain."
        found.append(reason(NOTE, what, "Give the service's certificate authority with --cacert instead.", 1, 0))
    if seen.proxy:
        what = f"Requests went through the proxy {seen.proxy}, whose times are part of the numbers."
        found.append(reason(NOTE, what, "Leave --proxy out to measure the service alone.", 1, 0))
    if seen.connections_new:
        what = "Each request opened a connection of its own (--connections new), whose set-up is part of its latencies."
        found.append(reason(NOTE, what, "Leave --connections out to reuse connections as clients do.", 1, 0))
    return found


def check_failures(seen: Seen) -> list[dict[str, Any]]:
    if seen.requests == 0:
        return [
            reason(SUSPECT, "No measured request was recorded.", "See log.txt for why the run ended so early.", 0, 1)
        ]
    if seen.ok == 0:
        return [reason(SUSPECT, "No request succeeded, so no latency was measured.", "See the errors by class.", 0, 1)]
    failed = 1 - seen.ok / seen.requests
    if failed <= FAILED:
        return []
    what = f"{percent(failed)} of the requests failed; the latencies are those of the others."
    return [reason(NOTE, what, "Judge the latencies together with the errors by class.", failed, FAILED)]


def check_answers(seen: Seen) -> list[dict[str, Any]]:
    found = []
    if seen.length_stops is not None and seen.length_stops > LENGTH_STOPS:
        what = f"{percent(seen.length_stops)} of the answers were cut off by a limit of tokens."
        remedy = "Raise --max-tokens before answers are scored; where one length is wanted, this is as it should be."
        found.append(reason(NOTE, what, remedy, seen.length_stops, LENGTH_STOPS))
    if seen.empty_answers is not None and seen.empty_answers > EMPTY_ANSWERS:
        what = f"{percent(seen.empty_answers)} of the requests got a complete answer without any text."
        remedy = "Send one of the prompts by hand: see the chat template, the stop words and the paths of the dialect."
        found.append(reason(NOTE, what, remedy, seen.empty_answers, EMPTY_ANSWERS))
    return found


def check_losses(seen: Seen) -> list[dict[str, Any]]:
    found = []
    for loss in seen.lost_workers:
        said = f" ({loss.said})" if loss.said else ""
        what = f"Worker {loss.worker} {ending(loss.exit)} during the run{said}; its running requests are lost."
        found.append(reason(SUSPECT, what, "Repeat the run; less memory in use or fewer --workers may help.", 1, 0))
    if seen.skipped_bytes:
        what = f"The journal is damaged: {seen.skipped_bytes:,} bytes of it cannot be read."
        found.append(reason(SUSPECT, what, "The results in them are missing: repeat the run.", seen.skipped_bytes, 0))
    if seen.killed:
        what = "The run was killed before its end: what was in flight then is not recorded."
        found.append(reason(SUSPECT, what, "Repeat the run, or read the numbers as those of a shorter one.", 1, 0))
    if seen.interrupted:
        what = "The run was interrupted before it had sent all that it was asked to."
        found.append(reason(NOTE, what, "What was in flight may have been cut off: see the errors by class.", 1, 0))
    return found


def ending(status: int | None) -> str:
    if status is None:
        return "died"
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"


RULES = (
    check_cpu,
    check_slip,
    check_burst,
    check_read_delay,
    check_rate,
    check_exceeded,
    check_concurrency,
    check_losses,
    check_failures,
    check_answers,
    check_rings,
    check_shared_reads,
    check_connections,
    check_way,
)
