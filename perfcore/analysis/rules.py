"""The rules of the certificate: each compares one thing that a run noticed about itself with a limit.

A rule returns what it found, worst first or nothing. Each finding says what was seen, the two numbers that were
compared, and what to do, with an option and a value for it where one would help.
"""

import math
from typing import Any

from perfcore.analysis.absent import Absent
from perfcore.analysis.ceilings import COMFORTABLE, KINDS, in_words
from perfcore.analysis.seen import Seen
from perfcore.tail import Tail

NOTE, SUSPECT, LIMITED = "note", "suspect", "client limited"

# Lateness of sending. A healthy worker sends within some tens of microseconds; 1 ms is 1 % of a fast first token
# (100 ms), 10 ms is a tenth of it and half of a usual gap between tokens.
SLIP_SUSPECT_MS = 1.0
SLIP_LIMITED_MS = 10.0

# Time between the wake-up that found bytes waiting and their read: how far the loop is behind. Stamps are taken at
# the wake-up, so this is the bound of their error; 5 ms is a quarter of a usual gap between tokens (20 ms).
READ_DELAY_SUSPECT_MS = 1.0
READ_DELAY_LIMITED_MS = 5.0

# Above 85 % of a core, work that arrives at random queues for several times its own length; above 95 % it only queues.
CPU_SUSPECT = 0.85
CPU_LIMITED = 0.95

# Load that was scheduled and not sent. 1 % is what a comparison of two servers may turn on; 5 % is another load.
RATE_SUSPECT = 0.99
RATE_LIMITED = 0.95

# Of what `perfcore calibrate` found this machine to be able to. Past the ceiling its own measurements were not true.
SHARE_NOTE = COMFORTABLE
SHARE_SUSPECT = 1.0

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

# What is advised after a start that took most of a run: so many requests for each one of the burst.
OUTWEIGHED = 20


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


def busiest(seen: Seen) -> float | None:
    """Share of a core that the busiest worker used."""
    return max((worker.cpu_share for worker in seen.workers if worker.cpu_share is not None), default=None)


def relief(seen: Seen) -> str:
    """What gives the client air: more workers if they were busy, a quieter machine if they were not."""
    busy, number = busiest(seen), max(1, len(seen.workers))
    if busy is None:
        return f"Use --workers {more_workers(seen)}, or run nothing else on this machine."
    if busy > CPU_SUSPECT:
        if seen.cores is not None and number >= seen.cores:
            return f"All {seen.cores} cores have a worker: {lighter(seen, COMFORTABLE / busy)}."
        return f"Use --workers {more_workers(seen)}."
    if seen.cores is not None and number >= seen.cores > 1:
        return (
            f"The busiest worker used {percent(busy)} of a core, and all {seen.cores} cores have one: use --workers "
            f"{seen.cores - 1}, which leaves a core to everything else, and run the server on another machine."
        )
    return (
        f"The busiest worker used {percent(busy)} of a core, so something else took the time: run nothing else "
        "on this machine, the server included."
    )


def more_workers(seen: Seen) -> int:
    """Twice as many, but no more than there are cores."""
    number = max(1, len(seen.workers))
    return 2 * number if seen.cores is None else max(number, min(2 * number, seen.cores))


def lighter(seen: Seen, share: float) -> str:
    """A load of this share of the one that was asked for, as an option."""
    if seen.rate_asked is not None:
        return f"lower the load to --rate {plain(seen.rate_asked * min(share, 1))}, or send it from a larger machine"
    if seen.concurrency_asked is not None and seen.concurrency_asked > 1:
        fewer = max(1, math.floor(seen.concurrency_asked * min(share, 1)))
        return f"lower the load to --concurrency {fewer}, or send it from a larger machine"
    return "lower the load, or send it from a larger machine"


def plain(value: float) -> str:
    """Three significant digits and no exponent, so that it can be given to an option."""
    return f"{float(f'{value:.3g}'):.10g}"


def percent(share: float) -> str:
    return f"{plain(100 * share)} %"


def check_slip(seen: Seen) -> list[dict[str, Any]]:
    late = seen.slip_tail
    if late is None:
        return []
    if capped(seen):
        return check_cap(seen, late)
    passed = level_above(late.ms, SLIP_SUSPECT_MS, SLIP_LIMITED_MS)
    if passed is None:
        return []
    what = f"{late.beyond:,} of {late.n:,} requests were sent {plain(late.ms)} ms or more after they were due."
    return [reason(passed[0], what, relief(seen), late.ms, passed[1])]


def check_cap(seen: Seen, late: Tail) -> list[dict[str, Any]]:
    if late.ms <= SLIP_SUSPECT_MS:
        return []
    asked = seen.concurrency_asked or 0
    what = (
        f"All {asked:,.0f} requests that --concurrency allows were in flight, so {late.beyond:,} of {late.n:,} were "
        f"sent {plain(late.ms)} ms late or more: the server did not keep up with the rate."
    )
    slower = "" if seen.rate_achieved is None else f", or --rate {plain(seen.rate_achieved)}, which was reached"
    remedy = (
        f"Read the latencies from intended; to have requests sent on time use --concurrency {2 * asked:.0f}{slower}."
    )
    return [reason(NOTE, what, remedy, late.ms, SLIP_SUSPECT_MS)]


def check_burst(seen: Seen) -> list[dict[str, Any]]:
    late = seen.burst_tail
    if late is None or late.ms <= SLIP_LIMITED_MS:
        return []
    level = SUSPECT if 2 * seen.burst > seen.requests else NOTE
    took = late.ms if seen.burst_slip_max_ms is None else seen.burst_slip_max_ms
    what = f"The first {seen.burst:,} requests were due at once and took {plain(took)} ms to be sent."
    if seen.concurrency_asked is None:
        remedy = f"Use --rate {seen.burst} to spread them over a second, if it is not the burst that you measure."
    else:
        remedy = (
            f"Use --ramp {seen.burst} to spread them over a second, and --requests {OUTWEIGHED * seen.burst} or more "
            "to outweigh the start."
        )
    return [reason(level, what, remedy, late.ms, SLIP_LIMITED_MS)]


def check_read_delay(seen: Seen) -> list[dict[str, Any]]:
    late = seen.read_tail
    passed = None if late is None else level_above(late.ms, READ_DELAY_SUSPECT_MS, READ_DELAY_LIMITED_MS)
    if late is None or passed is None:
        return []
    what = (
        f"{late.beyond:,} of {late.n:,} events waited {plain(late.ms)} ms or more in the client before they were read."
    )
    return [reason(passed[0], what, relief(seen), late.ms, passed[1])]


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


def check_share(seen: Seen) -> list[dict[str, Any]]:
    """The load against what the machine was found to be able to."""
    if isinstance(seen.machine, Absent) or seen.machine.most.share <= SHARE_NOTE:
        return []
    use, workers = seen.machine.most, seen.machine.workers
    what = (
        f"{use.per_s:,.0f} {KINDS[use.kind]} are {percent(use.share)} of the {use.ceiling_per_s:,.0f} that "
        f"{in_words(workers)} of this machine can take without error (calibrated {seen.machine.calibrated[:10]})."
    )
    if use.enough is not None and use.enough > workers:
        remedy = f"Use --workers {use.enough}."
    elif seen.cores is None or workers < seen.cores - 1:
        remedy = f"Use --workers {more_workers(seen)}, after perfcore calibrate --workers {more_workers(seen)}."
    else:
        remedy = f"For room {lighter(seen, COMFORTABLE / use.share)}."
    level, limit = (SUSPECT, SHARE_SUSPECT) if use.share > SHARE_SUSPECT and use.firm else (NOTE, SHARE_NOTE)
    return [reason(level, what, remedy, use.share, limit)]


def check_rings(seen: Seen) -> list[dict[str, Any]]:
    waiting = max((worker.waiting_bytes or 0 for worker in seen.workers), default=0)
    if waiting <= WAITING_BYTES:
        return []
    what = f"Up to {waiting >> 20:,} MiB of results waited in one worker to be written."
    remedy = (
        f"Use --ring-mib {min(4096, 1 << (waiting >> 20).bit_length())}, put --out on a faster disk, or leave a core "
        "to the process that writes. No result was lost."
    )
    return [reason(SUSPECT, what, remedy, float(waiting), float(WAITING_BYTES))]


def check_rate(seen: Seen) -> list[dict[str, Any]]:
    """Only where so many requests were late that it was not the last one alone that shifted the end."""
    if not seen.rate_scheduled or seen.rate_achieved is None or capped(seen):
        return []
    ratio = seen.rate_achieved / seen.rate_scheduled
    if ratio >= RATE_SUSPECT or (seen.slip_tail is not None and seen.slip_tail.ms <= SLIP_SUSPECT_MS):
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
