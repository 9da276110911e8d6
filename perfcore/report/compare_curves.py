"""The curves of all runs of a comparison on the same axes, for its page (perfcore/report/compare_html.py)."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from perfcore.analysis import counts, inflight, notes, pairing
from perfcore.analysis.measured import flight, select, window
from perfcore.analysis.windowed import round_up
from perfcore.records import reading, store
from perfcore.report.compare import Side
from perfcore.report.html_blocks import SHARE_DIGITS, Block, Floats, curve, foreign, lines, plot
from perfcore.report.html_latency import PANELS, from_nothing, points, wide
from perfcore.report.html_series import COLOURS
from perfcore.report.html_time import (
    FINE,
    NS_PER_S,
    TOKENS_PER_STEP,
    X_LABEL,
    credited,
    number_of_steps,
    step_of,
    steps_of,
    times_of_tokens,
)
from perfcore.report.text import number

MOST_POINTS = 2000  # of a distribution, or many runs would make a large page


def label(letter: str, name: str) -> str:
    return f"{letter} {foreign(name, 30)}"


def look(place: int) -> tuple[str, bool]:
    """Colour and dashes of a run; what is next to each other differs in both."""
    return COLOURS[place % len(COLOURS)], (place + place // len(COLOURS)) % 2 == 1


def distributions(sides: Sequence[Side]) -> Iterator[Block | None]:
    """The share of the requests of each run (of gaps, for ITL) that took at most so long."""
    for name, (title, _) in PANELS.items():
        yield distribution(name, title, sides)


def distribution(name: str, title: str, sides: Sequence[Side]) -> Block | None:
    """Curves of all runs over one axis: at each of its times every run has its exact share."""
    samples = [np.sort(pairing.sample(one.taken, f"{name}_ms").values) for one in sides]
    known = [values for values in samples if values.size]
    if not known:
        return None
    x = from_nothing(thinned(np.unique(np.concatenate([points(values) for values in known])), known))
    curves = [
        curve(
            label(one.letter, one.name), values.searchsorted(x, side="right") / values.size, *look(place), SHARE_DIGITS
        )
        for place, (one, values) in enumerate(zip(sides, samples, strict=True))
        if values.size
    ]
    sizes = (f"{values.size:,} in {one.letter}" for one, values in zip(sides, samples, strict=True) if values.size)
    missing = [one.letter for one, values in zip(sides, samples, strict=True) if not values.size]
    note = f"Values: {', '.join(sizes)}." + (f" None in {', '.join(missing)}." if missing else "")
    more: dict[str, Any] = {"share": True, "log": any(map(wide, known)), "note": note, "term": f"latency.{name}_ms"}
    return plot(name, title, x, curves, "ms", "share at most this long", **more)


def thinned(x: Floats, known: Sequence[Floats]) -> Floats:
    """At most MOST_POINTS of them, and both ends of every sample."""
    if x.size <= MOST_POINTS:
        return x
    kept = x[np.linspace(0, x.size - 1, MOST_POINTS).astype(np.int64)]
    found: Floats = np.unique(np.concatenate([kept, *(values[[0, -1]] for values in known)]))
    return found


def over_time(sides: Sequence[Side]) -> Iterator[Block | None]:
    """Requests in flight and output tokens per second, each run from the time when its first request was due."""
    bounds = [window(one.taken.requests) for one in sides]
    timed = [(at, one, ends) for at, (one, ends) in enumerate(zip(sides, bounds, strict=True)) if ends is not None]
    longest = max((stop - start for _, _, (start, stop) in timed), default=0)
    if longest <= 0:
        yield lines(["No measured request was recorded with its times."])
        return
    fewest = min(times_of_tokens(one.taken.requests, select(one.taken.requests)) for _, one, _ in timed)
    length = round_up(longest / number_of_steps(fewest, TOKENS_PER_STEP, FINE))
    edges = steps(longest, length)
    flights, rates, without = [], [], []
    for place, one, (start, stop) in timed:
        own, name = start + edges[: reached(stop - start, edges) + 1], label(one.letter, one.name)
        flights.append(curve(name, padded(in_flight(one, own), edges), *look(place)))
        tokens = token_rates(one, own)
        if tokens is None:
            without.append(one.letter)
        else:
            rates.append(curve(name, padded(tokens, edges), *look(place)))
    note = f"{steps_of(edges)}.{windows(timed)}"
    more: dict[str, Any] = {"steps": True, "time": True}
    x, term = edges / NS_PER_S, {"note": note, "term": "concurrency.mean"}
    yield plot("in-flight", "Requests in flight, mean of a step", x, flights, X_LABEL, "requests", **more, **term)
    none = f" No times of tokens in {', '.join(without)}." if without else ""
    term = {"note": note + none, "term": "throughput.output_tokens_per_s"}
    title = "Output tokens per second, at the time of their events"
    yield plot("tokens", title, x, rates, X_LABEL, "tokens/s", **more, **term)


def steps(span_ns: float, length: float) -> Floats:
    """Edges from 0 on; the last step ends with the longest run, half to one and a half times as long as the others."""
    count = max(1, int(span_ns / length + 0.5))
    return np.append(np.arange(count) * length, float(span_ns))


def reached(span_ns: float, edges: Floats) -> int:
    """How many steps a run comes to. The one in which it ends counts as a whole, so that no work is drawn twice."""
    return int(np.searchsorted(edges[:-1], span_ns, side="left"))


def padded(values: Floats, edges: Floats) -> Floats:
    """The same with NaN, which is not drawn, for the steps after the end of a run."""
    return np.append(values, np.full(edges.size - 1 - values.size, np.nan))


def windows(timed: Sequence[tuple[int, Side, tuple[int, int]]]) -> str:
    """Where the windows of steady runs lie."""
    found = [
        f"{one.letter} {' to '.join(number((held[edge] - start) / NS_PER_S) for edge in ('start_ns', 'end_ns'))} s"
        for _, one, (start, _) in timed
        if (held := one.metrics.get("window"))
    ]
    return f" Measured windows: {', '.join(found)}." if found else ""


def in_flight(one: Side, edges: Floats) -> Floats:
    """Mean number of requests in flight by step."""
    # A journal that was removed says nothing of workers that died.
    told = store.notes_of(one.folder) if (one.folder / store.JOURNAL).is_file() else ()
    flown = flight(one.taken.requests, notes.deaths(tuple(told)))
    return inflight.means(flown.sent_ns, flown.end_ns, edges)


def token_rates(one: Side, edges: Floats) -> Floats | None:
    """Output tokens per second by step; None where the times of tokens were not kept, or none came."""
    requests = one.taken.requests
    each, whole = credited(requests, select(requests))
    found, events = np.zeros(edges.size - 1), 0
    for t_ns, row in reading.token_events(one.folder, requests):
        mine = row >= 0
        found += np.bincount(step_of(t_ns[mine], edges), each[row[mine]], found.size)
        events += int(mine.sum())
    if each.any() and not events:
        return None
    made = counts.output_tokens(requests, whole)
    found += np.bincount(step_of(requests.end_ns[whole], edges), made, found.size)
    return found / (np.diff(edges) / NS_PER_S) if found.any() else None
