"""From the records of a run to what the rules of the diagnosis look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight, notes
from perfcore.analysis.measured import Column, Flight, Measured
from perfcore.analysis.notes import Load
from perfcore.analysis.repetition import Loop, loop
from perfcore.analysis.rules import LIMITED
from perfcore.analysis.slo import UNDECIDED
from perfcore.analysis.witness import LENGTH_REASONS
from perfcore.records.texts import Said
from perfcore.types import Requests, Run

NS_PER_MS = 1e6
NS_PER_S = 1e9
SEVERAL = 8  # tokens: with fewer it cannot be said how an answer came
FEWEST = 20  # requests: of fewer nothing is concluded from how they differ
NEARLY_ALWAYS = 0.9  # times are not exact: for moments one is over and the next has begun
ALIKE = 0.25  # prompts whose lengths differ by less from the median take about as long
SHORT = 0.9  # of the length asked for

EXACT, LIMIT, FREE = "exact", "limit", "free"


@dataclass(frozen=True)
class Early:
    """Answers that ended by themselves before the length asked for, of those of which both lengths are known."""

    requests: int
    short: int
    asked_mean: float
    got_mean: float


@dataclass(frozen=True)
class Served:
    """Requests that the server worked on, beside all that were in flight, while requests were sent.

    It is taken to work on a request from as long before its first token as the quickest took for theirs.
    """

    level: int  # that was not exceeded in 90 % of the time
    mean: float
    in_flight: float
    quick_ms: float  # TTFT of the quickest, among prompts of about the same length
    median_ms: float  # of the same


@dataclass(frozen=True)
class Cached:
    """Prompt tokens out of the server's cache: their share, and the median TTFT with most and with few of them."""

    share: float
    hit_ms: float | None
    fresh_ms: float | None


@dataclass(frozen=True)
class Growth:
    """Requests in flight of an open loop, the mean of each quarter; how many ended per second in the second half."""

    quarters: tuple[float, ...]
    ended_per_s: float


@dataclass(frozen=True)
class Texts:
    """What answers say: how many were looked at, end in a loop, are reasoning alone; one of the loops."""

    looked: int = 0
    loops: int = 0
    thoughts: int = 0
    example: Loop | None = None


NO_TEXTS = Texts()


@dataclass(frozen=True)
class Clues:
    """Shares are fractions of 1; None is unknown or does not apply."""

    url: str = ""
    proxy: str = ""
    ok: int = 0
    web_pages: int = 0  # failed requests that got one
    client_limited: bool = False
    lengths: str = FREE  # what the lengths of answers are: asked for exactly, a limit, or free
    early: Early | None = None
    served: Served | None = None
    running: float | None = None  # the most that the servers' metrics tell of
    waiting: float | None = None  # in the servers' queues, the mean
    cached: Cached | None = None
    growth: Growth | None = None
    at_once: float | None = None  # share of the streamed answers whose tokens came all together
    tokens_per_event: float | None = None
    texts: Texts = NO_TEXTS
    undecided: tuple[str, ...] = ()  # objectives of --slo that the sample is too small for


def clues(
    run: Run, measured: Measured, flown: Flight, load: Load, found: Mapping[str, Any], texts: Texts, lengths: str
) -> Clues:
    """What there is to be seen of these of the measured requests; `found` are their metrics."""
    requests = run.requests
    way = next(notes.of(run.notes, "transport"), {})
    return Clues(
        url=next(iter(way.get("urls") or ()), "URL"),
        proxy=str(way.get("proxy") or ""),
        ok=int(measured.ok.sum()),
        web_pages=found["errors"].get("bad_content_type", 0),
        client_limited=found["validity"]["verdict"] == LIMITED,
        lengths=EXACT if asked_exactly(requests, measured.successes) else lengths,
        early=early(requests, measured.successes),
        served=served(requests, measured.successes, flown),
        running=level(found, "running", "max"),
        waiting=level(found, "waiting", "mean"),
        cached=cached(requests, measured.successes),
        growth=growth(requests, measured.successes, flown) if load.open_loop and not load.concurrency else None,
        at_once=at_once(requests, measured.successes),
        tokens_per_event=number(found["tokens"]["tokens_per_event"]),
        texts=texts,
        undecided=undecided(found),
    )


def undecided(found: Mapping[str, Any]) -> tuple[str, ...]:
    """Objectives that the requests are too few to decide, in the words in which they were asked for."""
    judged = (found.get("goodput") or {}).get("objectives")
    return tuple(one["objective"] for one in judged if one["verdict"] == UNDECIDED) if isinstance(judged, list) else ()


def number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) else None


def level(found: Mapping[str, Any], name: str, which: str) -> float | None:
    """A level that the servers told of themselves."""
    told: Any = found.get("server")
    for key in ("requests", name, which):
        told = told.get(key) if isinstance(told, dict) else None
    return number(told)


def asked_exactly(requests: Requests, rows: Column) -> bool:
    """Whether the data set is one of made prompts, whose answers have lengths to be asked for as well."""
    made = (requests.input_tokens_asked[rows] >= 0) & (requests.output_tokens_asked[rows] >= 0)
    return bool(rows.size and made.mean() > 0.5)


def early(requests: Requests, rows: Column) -> Early | None:
    limits = [code for code, name in enumerate(requests.finish_reasons) if name.lower() in LENGTH_REASONS]
    rows = rows[(requests.output_tokens_asked[rows] > 0) & (requests.output_tokens[rows] >= 0)]
    if rows.size == 0:
        return None
    asked, got = requests.output_tokens_asked[rows], requests.output_tokens[rows]
    short = (got < SHORT * asked) & ~np.isin(requests.finish_reason[rows], limits)
    return Early(int(rows.size), int(short.sum()), float(asked.mean()), float(got.mean()))


def served(requests: Requests, rows: Column, flown: Flight) -> Served | None:
    """None where too few answers were streamed, or all were sent at once."""
    rows = rows[requests.streamed[rows] & (requests.first_token_ns[rows] >= 0) & (requests.sent_ns[rows] >= 0)]
    if rows.size < FEWEST:
        return None
    sent = requests.sent_ns[rows]
    ttft = (requests.first_token_ns[rows] - sent)[alike(requests, rows)]
    edges = int(sent.min()), int(sent.max())
    # What was sent before a window is still answered in it, and met a server with less to do.
    others = flown.row[requests.first_token_ns[flown.row] >= 0]
    alone = (requests.first_token_ns - requests.sent_ns)[others[alike(requests, others)]]
    quick = alone.min()
    begun = np.maximum(requests.sent_ns[others], requests.first_token_ns[others] - int(quick))
    ended = np.maximum(requests.last_output_ns[others], begun)
    mean, in_flight = inflight.mean(begun, ended, *edges), inflight.mean(flown.sent_ns, flown.end_ns, *edges)
    if mean is None or in_flight is None:
        return None
    level = level_of(begun, ended, *edges)
    return Served(level, mean, in_flight, float(quick) / NS_PER_MS, float(np.median(ttft)) / NS_PER_MS)


def level_of(begun: Column, ended: Column, start_ns: int, stop_ns: int) -> int:
    """How many of these were going on at most, in nearly all of the time from start to stop."""
    times = np.clip(np.concatenate((begun, ended)), start_ns, stop_ns)
    order = np.argsort(times, kind="stable")
    number = np.cumsum(np.repeat((1, -1), begun.size)[order])[:-1]
    lasts = np.diff(times[order])
    ordered = np.argsort(number, kind="stable")
    share = np.cumsum(lasts[ordered]) / max(1, lasts.sum())
    return int(number[ordered][np.searchsorted(share, NEARLY_ALWAYS)]) if number.size else 0


def alike(requests: Requests, rows: Column) -> NDArray[np.bool_]:
    """Which rows have prompts of about the median length, the server's cache left out; all where too few are known."""
    length = requests.input_tokens[rows] - np.maximum(requests.cached_tokens[rows], 0)
    known = requests.input_tokens[rows] >= 0
    if not known.any():
        return np.ones(rows.size, dtype=bool)
    middle = float(np.median(length[known]))
    near: NDArray[np.bool_] = known & (np.abs(length - middle) <= ALIKE * middle)
    return near if near.sum() >= FEWEST else np.ones(rows.size, dtype=bool)


def cached(requests: Requests, rows: Column) -> Cached | None:
    """None where the server tells of no cache."""
    rows = rows[(requests.cached_tokens[rows] >= 0) & (requests.input_tokens[rows] > 0)]
    if rows.size == 0:
        return None
    share = requests.cached_tokens[rows] / requests.input_tokens[rows]
    whole = requests.cached_tokens[rows].sum() / requests.input_tokens[rows].sum()
    hit, fresh = rows[share >= 0.5], rows[share < 0.1]
    return Cached(float(whole), median_ttft_ms(requests, hit), median_ttft_ms(requests, fresh))


def median_ttft_ms(requests: Requests, rows: Column) -> float | None:
    rows = rows[requests.streamed[rows] & (requests.first_token_ns[rows] >= 0)]
    if rows.size < FEWEST // 2:
        return None
    return float(np.median(requests.first_token_ns[rows] - requests.sent_ns[rows])) / NS_PER_MS


def growth(requests: Requests, rows: Column, flown: Flight) -> Growth | None:
    """None where the run is no longer than a few of its requests: there the first ones still fill the server."""
    rows = rows[(requests.sent_ns[rows] >= 0) & (requests.end_ns[rows] >= 0)]
    if rows.size < FEWEST:
        return None
    early_ones = rows[np.argsort(requests.sent_ns[rows], kind="stable")][: max(1, rows.size // FEWEST)]
    lifetime = np.median(requests.end_ns[early_ones] - requests.sent_ns[early_ones])
    start, stop = float(flown.sent_ns.min() + lifetime), float(flown.sent_ns.max())
    if stop - start < 4 * lifetime:
        return None
    edges = np.linspace(start, stop, 5)
    quarters = inflight.means(flown.sent_ns, flown.end_ns, edges)
    ended = np.count_nonzero((flown.end_ns >= edges[2]) & (flown.end_ns < edges[4]))
    return Growth(tuple(map(float, quarters)), float(ended / ((edges[4] - edges[2]) / NS_PER_S)))


# No server makes so many tokens of one answer per second, and no first token is worth holding back for less.
AT_ONCE_NS = 100_000
WAITED_NS = 20_000_000


def at_once(requests: Requests, rows: Column) -> float | None:
    """Share of the streamed answers of several tokens that came all together, after a wait."""
    rows = rows[requests.streamed[rows] & (requests.output_tokens[rows] >= SEVERAL)]
    rows = rows[(requests.first_token_ns[rows] >= 0) & (requests.sent_ns[rows] >= 0)]
    if rows.size == 0:
        return None
    first, last = requests.first_token_ns[rows], requests.last_token_ns[rows]
    together = (last - first) / (requests.output_tokens[rows] - 1) < AT_ONCE_NS
    return float((together & (first - requests.sent_ns[rows] >= WAITED_NS)).mean())


def looked_at(answers: Sequence[Said]) -> Texts:
    """What answers have in common that answers should not have."""
    loops = [found for one in answers if (found := loop(one.answer or one.reasoning)) is not None]
    thoughts = sum(bool(one.reasoning) and not one.answer for one in answers)
    return Texts(len(answers), len(loops), thoughts, min(loops, key=lambda one: len(one.piece), default=None))
