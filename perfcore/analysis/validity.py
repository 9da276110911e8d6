"""The validity certificate: did this run measure the server, or the client?

Every rule compares one thing that the run noticed about itself with a limit, and says in a sentence what was seen and
what to do. A rule has three outcomes: a note (the numbers stand, but read this), suspect (the client may be part of
the numbers) and client limited (it is). The verdict is the worst of them. docs/validity.md has the limits.
"""

from collections.abc import Sequence
from typing import Any

from perfcore.analysis import ceilings, rules, rules_of_service
from perfcore.analysis.absent import Absent
from perfcore.analysis.rules import LIMITED, NOTE, SUSPECT
from perfcore.analysis.seen import Seen, Worker

__all__ = ["LEVELS", "LIMITED", "NOTE", "SUSPECT", "VALID", "Seen", "Worker", "certificate"]

VALID = "valid"
LEVELS = (VALID, NOTE, SUSPECT, LIMITED)

RULES = (
    rules.check_cpu,
    rules.check_slip,
    rules.check_burst,
    rules.check_read_delay,
    rules.check_rate,
    rules.check_share,
    rules.check_exceeded,
    rules_of_service.check_concurrency,
    rules_of_service.check_losses,
    rules_of_service.check_failures,
    rules_of_service.check_answers,
    rules_of_service.check_repeats,
    rules.check_rings,
    rules.check_shared_reads,
    rules_of_service.check_connections,
    rules_of_service.check_way,
)


def certificate(seen: Seen, told: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """`{verdict, reasons: [{level, what, seen, limit, remedy}], measures, machine}`: worst reason first, verdict by it.

    `what` and `remedy` are sentences for a person, `seen` and `limit` the two numbers that were compared. Notes do not
    change the verdict. `told` are reasons that others found, such as the servers' metrics. `machine` says what share
    was used of what the machine can (perfcore.analysis.ceilings).
    """
    found = [*(reason for rule in RULES for reason in rule(seen)), *told]
    found.sort(key=lambda reason: -LEVELS.index(reason["level"]))
    worst = found[0]["level"] if found else VALID
    return {
        "verdict": VALID if worst == NOTE else worst,
        "reasons": found,
        "measures": measures(seen),
        "machine": ceilings.described(seen.machine),
    }


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
        "slip_judged_ms": (None if seen.slip_tail is None else seen.slip_tail.ms, steady),
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
