"""Steady, not steady, or too short: what was tested, what was seen, what to change."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import batches, little, trend
from perfcore.analysis.steady.window import Window, repeats

STEADY, NOT_STEADY, TOO_SHORT = "steady", "not_steady", "too_short"
EXIT_CODES = {STEADY: 0, NOT_STEADY: 3, TOO_SHORT: 4}

CHANCE = 0.01  # of a trend in a series that has none; there are three of them
DRIFT = 0.02  # share of the mean over the window that matters; less is true and harmless in a long run
DRIFT_TTFT = 0.05  # first tokens wait in a queue, and vary more
HELD = 0.95  # of the concurrency that was asked for
LATENCIES = 3.0  # window, in p95 of the time in flight
SERIES = 64  # batches of a trend

Times = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Verdict:
    """`reasons`: `[{test, what, seen, limit, remedy}]`, empty when steady. `tests`: what each test saw, by name."""

    kind: str
    reasons: list[dict[str, Any]]
    tests: dict[str, Any]
    exit_code: int


def judge(
    window: Window,
    due_ns: Times,
    sent_ns: Times,
    ended_ns: Times,
    ttft_ns: Times,
    stamps_ns: Times,
    weights: Floats | None,
    *,
    asked: int | None,
    client_limited: bool,
) -> Verdict:
    """All tests on the records of a window; `due_ns` of each attempt, the other arrays as in `window.find_window`."""
    tests = {
        "work": {"events": int(((stamps_ns >= window.start_ns) & (stamps_ns < window.end_ns)).sum())},
        "length": length(window, due_ns, ended_ns - sent_ns),
        "transient": {"unfinished": window.unfinished},
        "concurrency": concurrency(window, sent_ns, ended_ns, asked),
        "trends": trends(window, due_ns, sent_ns, ended_ns, ttft_ns, stamps_ns, weights),
        "phases": {"kept": repeats(sent_ns, None, window.start_ns, window.end_ns, window.cycle_ns)},
        "little": law(window, sent_ns, ended_ns),
        "client": {"limited": client_limited},
    }
    return decide(tests)


def no_plateau(reason: str) -> Verdict:
    """The verdict where `find_window` found none."""
    what = f"There is no window to measure: {reason}."
    remedy = "Hold the load longer (--duration), or ask for a concurrency that can be reached."
    reasons = [seen_in("window", what, None, None, remedy)]
    return Verdict(TOO_SHORT, reasons, {}, EXIT_CODES[TOO_SHORT])


def overloaded(found: Verdict) -> Verdict:
    """The verdict on an open loop that was given up because more and more of its requests were in flight."""
    what = "Requests in flight kept growing: the service answers fewer requests than are sent to it."
    remedy = "Lower --rate; perfcore tune --variable rate finds the largest that it holds."
    others = [] if found.kind == TOO_SHORT else found.reasons
    return Verdict(
        NOT_STEADY, [seen_in("queue", what, None, None, remedy), *others], found.tests, EXIT_CODES[NOT_STEADY]
    )


def decide(tests: dict[str, Any]) -> Verdict:
    """The verdict on what the tests saw: what is not steady does not get steady by waiting, so it comes first."""
    unsteady = [found for rule in RULES for found in rule(tests)]
    short = list(check_length(tests))
    kind = NOT_STEADY if unsteady else TOO_SHORT if short else STEADY
    return Verdict(kind, unsteady + short, tests, EXIT_CODES[kind])


def length(window: Window, due_ns: Times, lasted_ns: Times) -> dict[str, float]:
    """`{window_s, p95_s, multiples}`: the window against the time in flight of the requests due in it."""
    inside = (due_ns >= window.start_ns) & (due_ns < window.end_ns)
    p95_s = float(np.percentile(lasted_ns[inside], 95)) / 1e9 if inside.any() else window.cycle_ns / 1e9
    window_s = (window.end_ns - window.start_ns) / 1e9
    return {"window_s": window_s, "p95_s": p95_s, "multiples": window_s / p95_s if p95_s > 0 else 0.0}


def concurrency(window: Window, sent_ns: Times, ended_ns: Times, asked: int | None) -> dict[str, Any]:
    """`{asked, mean, max}` over the window."""
    times = (sent_ns, ended_ns, window.start_ns, window.end_ns)
    return {"asked": asked, "mean": inflight.mean(*times), "max": inflight.peak_within(*times)}


def trends(
    window: Window,
    due_ns: Times,
    sent_ns: Times,
    ended_ns: Times,
    ttft_ns: Times,
    stamps_ns: Times,
    weights: Floats | None,
) -> dict[str, Any]:
    """`{token_rate, ttft, in_flight: {drift, p, n, seen_from}}` by cycles; None where these are too few."""
    start, end = window.start_ns, window.end_ns
    count = max(1, min(round((end - start) / window.cycle_ns), SERIES))
    known = ttft_ns >= 0
    series = {
        "token_rate": batches.rates(stamps_ns, weights, start, end, count),
        "ttft": batches.averages(due_ns[known], ttft_ns[known], start, end, count),
        "in_flight": batches.levels(sent_ns, ended_ns, start, end, count),
    }
    found = {name: trend.mann_kendall(values) for name, values in series.items()}
    return {name: None if seen is None else asdict(seen) for name, seen in found.items()}


def law(window: Window, sent_ns: Times, ended_ns: Times) -> dict[str, float] | None:
    """Little's law as a dict, None where it cannot be tested."""
    found = little.law(sent_ns, ended_ns, window.start_ns, window.end_ns, window.cycle_ns, window.most_batches)
    return None if isinstance(found, Absent) else asdict(found)


def seen_in(test: str, what: str, seen: float | None, limit: float | None, remedy: str) -> dict[str, Any]:
    return {"test": test, "what": what, "seen": seen, "limit": limit, "remedy": remedy}


def check_client(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if tests["client"]["limited"]:
        what = "The client was the limit, so the plateau is its own and not the server's."
        yield seen_in("client", what, None, None, "See the validity part of the report for what limited it.")


def check_work(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if tests["work"]["events"] == 0:
        what = "The server did no work in the window: no token came."
        yield seen_in("work", what, 0, 1, "Look at the errors of the run.")


def check_concurrency(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked, mean, most = (tests["concurrency"][name] for name in ("asked", "mean", "max"))
    if asked is None or mean is None:
        return
    if mean < HELD * asked:
        what = f"{mean:.4g} requests were in flight in the mean where {asked} were asked for."
        remedy = "Look for failing requests and for limits of the server or a proxy; or lower --concurrency."
        yield seen_in("concurrency", what, mean, HELD * asked, remedy)
    if most > asked:
        what = f"{most} requests were in flight at one time where {asked} were asked for."
        yield seen_in("concurrency", what, most, asked, "Report this: it breaks a promise of perfcore itself.")


NAMES = {"token_rate": "The token rate", "ttft": "The time to the first token", "in_flight": "The number in flight"}


def check_transient(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if tests["transient"]["unfinished"]:
        what = "Half of the time that the load was held belongs to the transient, which is probably not over."
        remedy = "The server is still warming up: hold the load longer (--duration)."
        yield seen_in("transient", what, None, None, remedy)


def check_trends(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, seen in tests["trends"].items():
        limit = DRIFT_TTFT if name == "ttft" else DRIFT
        if seen is None or seen["p"] >= CHANCE or abs(seen["drift"]) < limit:
            continue
        way = "rose" if seen["drift"] > 0 else "fell"
        what = f"{NAMES[name]} {way} by {100 * abs(seen['drift']):.3g} % over the window (p = {seen['p']:.2g})."
        yield seen_in(f"trend_{name}", what, seen["drift"], limit, remedy_of(name, seen["drift"], tests))


def remedy_of(name: str, drift: float, tests: dict[str, Any]) -> str:
    if tests["concurrency"]["asked"] is None and name in ("ttft", "in_flight") and drift > 0:
        return "The server does not keep up with the rate: lower --rate."
    return "Hold the load longer (--duration); if it goes on, look for what changes on the server."


def check_little(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    seen = tests["little"]
    if seen is None or abs(seen["ratio"] - 1.0) <= seen["tolerance"]:
        return
    what = (
        f"{seen['in_flight']:.4g} requests were in flight where arrivals times latency make "
        f"{seen['arrivals_per_s'] * seen['lifetime_s']:.4g} (Little's law)."
    )
    remedy = "Requests pile up or run empty over the window: hold the load longer (--duration), or lower it."
    yield seen_in("little", what, seen["ratio"], seen["tolerance"], remedy)


def check_length(tests: dict[str, Any]) -> Iterator[dict[str, Any]]:
    seen = tests["length"]
    if seen["multiples"] >= LATENCIES:
        return
    needed_s = LATENCIES * seen["p95_s"]
    what = f"The window of {seen['window_s']:.3g} s is {seen['multiples']:.2g} times the p95 latency of a request."
    remedy = f"Measure for {needed_s:.3g} s or more (--duration {needed_s:.0f}s)."
    yield seen_in("length", what, seen["multiples"], LATENCIES, remedy)


RULES = (check_client, check_work, check_concurrency, check_transient, check_trends, check_little)
