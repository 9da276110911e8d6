"""The rules of the certificate that look at the load and at what the service made of it, as those of `rules`."""

from typing import Any

from perfcore.analysis.rules import (
    CONCURRENCY_HELD,
    CONNECTIONS,
    EMPTY_ANSWERS,
    FAILED,
    LENGTH_STOPS,
    NOTE,
    OUTWEIGHED,
    SUSPECT,
    percent,
    reason,
)
from perfcore.analysis.seen import Seen


def check_concurrency(seen: Seen) -> list[dict[str, Any]]:
    if seen.rate_asked is not None or seen.concurrency_asked is None or seen.concurrency_max is None:
        return []
    asked = seen.concurrency_asked
    if seen.concurrency_max < asked:
        what = f"{seen.concurrency_max:,} requests were in flight at most, {asked:,.0f} were asked for."
        remedy = (
            f"Use --requests {max(OUTWEIGHED * asked, 2 * seen.requests):.0f} or more, or a faster --ramp, so that all "
            "clients are at work at once."
        )
        return [reason(NOTE, what, remedy, float(seen.concurrency_max), float(asked))]
    held = seen.concurrency_held
    if held is None or held >= CONCURRENCY_HELD * asked:
        return []
    what = f"After the ramp {held:,.1f} requests were in flight on average, {asked:,.0f} were asked for."
    remedy = (
        f"Read the numbers as those of --concurrency {held:.0f}; slip and lost workers tell whether the client was the "
        "cause, and requests that fail before they are sent make clients pause."
    )
    return [reason(NOTE, what, remedy, held, CONCURRENCY_HELD * asked)]


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


def check_repeats(seen: Seen) -> list[dict[str, Any]]:
    if seen.repeats < 2 or seen.cached_tokens == 0:
        return []
    what = f"Rows of the data set were sent up to {seen.repeats:,} times: a prefix cache answers repeats sooner."
    remedy = "Give more rows (of synthetic data with --num-prompts), or fewer --requests or less --duration."
    return [reason(NOTE, what, remedy, float(seen.repeats), 1)]


def check_failures(seen: Seen) -> list[dict[str, Any]]:
    if seen.requests == 0:
        what = "No measured request was recorded."
        return [reason(SUSPECT, what, "See log.txt for why the run ended so early.", 0, 1)]
    if seen.ok == 0:
        what = "No request succeeded, so no latency was measured."
        remedy = "See the errors by class, and ask the service with perfcore check and the same --url."
        return [reason(SUSPECT, what, remedy, 0, 1)]
    failed = 1 - seen.ok / seen.requests
    if failed <= FAILED:
        return []
    what = f"{percent(failed)} of the requests failed; the latencies are those of the others."
    remedy = (
        "Judge the latencies together with the errors by class, each of which has its remedy; --retries 2 tries again "
        "where no connection was found, or the service said 429 or 5xx."
    )
    return [reason(NOTE, what, remedy, failed, FAILED)]


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
        remedy = f"Repeat the run; where memory ran out, with --workers {max(1, len(seen.workers) // 2)}."
        found.append(reason(SUSPECT, what, remedy, 1, 0))
    if seen.skipped_bytes:
        what = f"The journal is damaged: {seen.skipped_bytes:,} bytes of it cannot be read."
        remedy = "The results in them are missing: repeat the run, with --out on another disk."
        found.append(reason(SUSPECT, what, remedy, seen.skipped_bytes, 0))
    if seen.killed:
        what = "The run was killed before its end: what was in flight then is not recorded."
        found.append(reason(SUSPECT, what, "Repeat the run, or read the numbers as those of a shorter one.", 1, 0))
    if seen.interrupted:
        what = "The run was interrupted before it had sent all that it was asked to."
        remedy = "What was in flight may have been cut off (see the errors by class): --grace gives it time to end."
        found.append(reason(NOTE, what, remedy, 1, 0))
    return found


def ending(status: int | None) -> str:
    if status is None:
        return "died"
    return f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
