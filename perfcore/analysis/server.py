"""What the servers said of a window, beside what the client saw of it.

Each URL is read from its first to its last answer within the window, so nothing from before or after is in a figure,
warm-up included. The client's figures here are those of the requests that the server's are about: all attempts, warm-up
or not, that got their first token, or ended, between the same two times. They are not those of the report's window.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import energy, tracks
from perfcore.analysis.absent import Absent
from perfcore.analysis.beside import Part, compare, latencies, token_rate, ttft_parts
from perfcore.analysis.families import (
    ACCEPTED_BY_POSITION,
    COUNTERS,
    GAUGES,
    POSITION,
    SHARES,
    Place,
    kind,
)
from perfcore.analysis.rules import NOTE, SUSPECT, percent, reason
from perfcore.analysis.tracks import Span, Told
from perfcore.records.scrapes import Scrapes
from perfcore.types import Requests

Row: TypeAlias = NDArray[np.float64]

# Requests of others: a share that a comparison of two servers may turn on, and more than a probe or two.
FOREIGN, FOREIGN_LEAST = 0.01, 2
# Answers that did not come: from here on means of gauges have gaps worth knowing of.
FAILED = 0.10

NO_SERVERS = {"other", "dcgm", "nvml"}
OFF = "no server metrics were collected"
SILENT = "no server answered at both edges of the window"


def summary(scrapes: Scrapes | None, start_ns: int, end_ns: int, ours: Requests) -> dict[str, Any] | Absent:
    """What all servers together said of the window [start_ns, end_ns), for metrics.json (docs/server-metrics.md).

    `ours` are all attempts of the run. Rates are per second, times in ms, shares fractions of 1.
    """
    if scrapes is None or not scrapes.series:
        return Absent(OFF)
    all_told = tracks.told(scrapes)
    spans = [(one, tracks.span(one.up_ns, start_ns, end_ns)) for one in all_told]
    parts = [Part(one, over) for one, over in spans if over is not None]
    found: dict[str, Any] = {"sources": [source(one, over) for one, over in spans]}
    if not parts:
        return found | {"window": Absent(SILENT)}
    spoken = [part for part in parts if not NO_SERVERS.issuperset(kind(set(part.one.tracks)).split("+"))]
    edges = min(p.over.start_ns for p in spoken or parts), max(p.over.end_ns for p in spoken or parts)
    found["window"] = window(parts, edges, start_ns, end_ns)
    counted = {name: counter(spoken, name) for name in COUNTERS}
    found |= {
        "requests": requests(spoken, counted),
        "tokens": {name: counted[f"{name}_tokens"] for name in ("input", "output")}
        | {f"{name}_per_s": rate(spoken, f"{name}_tokens") for name in ("input", "output")},
        "kv_cache": {"usage": share(spoken, "kv_usage"), "preemptions": counted["preemptions"]},
        "prefix_cache": prefix_cache(spoken, counted),
        "speculative": speculative(spoken, counted),
        "latency": latencies(spoken, ours, edges),
        "counted": compare(spoken, counted, ours),
        "restarts": sum(restarts(part) for part in spoken),
    }
    found["ttft_parts_ms"] = ttft_parts(found["latency"], ours, edges)
    found["gpu"] = energy.summary(parts_of(parts), token_rate(found["tokens"], ours, edges))
    return found


def parts_of(parts: Sequence[Part]) -> list[tuple[Told, Span]]:
    return [(part.one, part.over) for part in parts]


def source(one: Told, over: Span | None) -> dict[str, Any]:
    """Which servers a URL belongs to, and how it answered during the whole run."""
    failed = sum(one.errors.values())
    return {
        "url": one.url,
        "kind": kind(set(one.tracks)) if one.tracks else Absent("it never answered with metrics"),
        "asked": one.asked,
        "failed": failed,
        "errors": one.errors,
        "unread_lines": one.unread,
        "slowest_answer_ms": one.took_s * 1e3,
        "in_window": over.answers if over else 0,
    }


def window(parts: Sequence[Part], edges: tuple[int, int], start_ns: int, end_ns: int) -> dict[str, Any]:
    """The time between the answers that the figures are taken from, and how much of the window it is."""
    length = max(1, end_ns - start_ns)
    covered = min(edges[1], end_ns) - max(edges[0], start_ns)
    return {
        "start_ns": edges[0],
        "end_ns": edges[1],
        "answers": sum(part.over.answers for part in parts),
        "inside": all(part.over.inside for part in parts),
        "covered": max(0.0, covered / length),
    }


def counter(parts: Sequence[Part], name: str) -> float | Absent:
    """Increase over all URLs that have it."""
    found = [total for part in parts if (total := tracks.total(part.one, COUNTERS[name], part.over)[0]) is not None]
    return sum(found) if found else Absent("no server has such a counter")


def rate(parts: Sequence[Part], name: str) -> float | Absent:
    """The same per second."""
    totals = [(tracks.total(part.one, COUNTERS[name], part.over)[0], part.over.seconds) for part in parts]
    rates = [value / seconds for value, seconds in totals if value is not None and seconds > 0]
    return sum(rates) if rates else Absent("no server has such a counter")


def restarts(part: Part) -> int:
    return max((tracks.total(part.one, places, part.over)[1] for places in COUNTERS.values()), default=0)


def requests(parts: Sequence[Part], counted: dict[str, float | Absent]) -> dict[str, Any]:
    return {
        "finished": counted["requests"],
        "finished_per_s": rate(parts, "requests"),
        "running": gauge(parts, "running"),
        "waiting": gauge(parts, "waiting"),
    }


def gauge(parts: Sequence[Part], name: str) -> dict[str, Any] | Absent:
    """Mean and maximum of a level over the answers, that of several URLs added up."""
    levels = [track for part in parts if (track := tracks.level(part.one, GAUGES[name], part.over)) is not None]
    if not levels:
        return Absent("no server tells it")
    times = np.unique(np.concatenate([track.t_ns for track in levels]))
    both = sum(held(track.t_ns, track.value, times) for track in levels)
    return {"mean": float(sum(track.value.mean() for track in levels)), "max": float(np.max(both))}


def held(t_ns: NDArray[np.int64], value: Row, times: NDArray[np.int64]) -> Row:
    """The last value known at each of these times; before the first one that."""
    return value[np.maximum(np.searchsorted(t_ns, times, side="right") - 1, 0)]


def share(parts: Sequence[Part], name: str) -> dict[str, Any] | Absent:
    """Mean and maximum of values between 0 and 1, over all series and URLs."""
    found = [track for part in parts for track in tracks.shares(part.one, SHARES[name], part.over)]
    if not found:
        return Absent("no server tells it")
    return {
        "mean": float(np.mean([track.value.mean() for track in found])),
        "max": float(max(track.value.max() for track in found)),
    }


def ratio(above: float | Absent, below: float | Absent, none: str) -> float | Absent:
    if isinstance(above, Absent) or isinstance(below, Absent):
        return above if isinstance(above, Absent) else below
    return above / below if below > 0 else Absent(none)


def prefix_cache(parts: Sequence[Part], counted: dict[str, float | Absent]) -> dict[str, Any]:
    """Tokens looked up in the prefix cache and found there."""
    hits = ratio(counted["prefix_hits"], counted["prefix_queries"], "no prompt was looked up in the window")
    told = share(parts, "prefix_hit_rate")
    if isinstance(counted["prefix_hits"], Absent) and not isinstance(told, Absent):
        hits = told["mean"]
    return {"queried_tokens": counted["prefix_queries"], "hit_tokens": counted["prefix_hits"], "hit_ratio": hits}


def speculative(parts: Sequence[Part], counted: dict[str, float | Absent]) -> dict[str, Any] | Absent:
    """Speculative decoding: acceptance by token, by position, and tokens per step, the one that is no draft included.

    Where a server has no counters of it (SGLang), the means of what it says of its last batches.
    """
    drafts, drafted, accepted = (counted[name] for name in ("drafts", "draft_tokens", "accepted_tokens"))
    if isinstance(drafts, Absent) or isinstance(drafted, Absent) or isinstance(accepted, Absent):
        return spoken_of(parts)
    none = "nothing was drafted in the window"
    by_draft = ratio(accepted, drafts, none)
    return {
        "drafts": drafts,
        "draft_tokens": drafted,
        "accepted_tokens": accepted,
        "acceptance_rate": ratio(accepted, drafted, none),
        "acceptance_length": by_draft if isinstance(by_draft, Absent) else 1 + by_draft,
        "by_position": [ratio(value, drafts, none) for value in positions(parts)],
    }


def spoken_of(parts: Sequence[Part]) -> dict[str, Any] | Absent:
    length, accepted = share(parts, "acceptance_length"), share(parts, "acceptance_rate")
    if isinstance(length, Absent) or length["max"] <= 0:
        return Absent("no server speculates")
    found = {"acceptance_length": length["mean"]}
    return found if isinstance(accepted, Absent) else found | {"acceptance_rate": accepted["mean"]}


def positions(parts: Sequence[Part]) -> list[float]:
    """Tokens accepted at each position of a draft."""
    found: dict[int, float] = {}
    for part in parts:
        labelled = tracks.find(part.one, Place(ACCEPTED_BY_POSITION))
        for text in {track.labels.get(POSITION, "") for track in labelled}:
            if text.isdigit():
                place = Place(ACCEPTED_BY_POSITION, ((POSITION, text),))
                found[int(text)] = found.get(int(text), 0.0) + (tracks.total(part.one, [place], part.over)[0] or 0.0)
    return [found[position] for position in sorted(found)]


def foreign(found: dict[str, Any] | Absent) -> dict[str, Any] | None:
    """The reason for the certificate if the servers worked for others too, or if others served our requests."""
    counted = None if isinstance(found, Absent) else found.get("counted")
    if not isinstance(counted, dict):
        return None
    unit, server = counted["unit"].replace("_", " "), counted["server"]
    excess, missing = server - counted["ours_most"], counted["ours_least"] - server
    if counted["foreign_share"] > FOREIGN and excess >= FOREIGN_LEAST:
        what = (
            f"The server finished {server:,.0f} {unit} in the window, at most {counted['ours_most']:,.0f} of them "
            f"ours: {percent(counted['foreign_share'])} of its work was for others."
        )
        remedy = "Have the server to yourself and repeat the run; with n above 1 each answer counts as a request."
        return reason(SUSPECT, what, remedy, counted["foreign_share"], FOREIGN)
    if missing >= FOREIGN_LEAST and missing > FOREIGN * counted["ours_least"]:
        what = f"The server counted {server:,.0f} {unit} in the window, and {counted['ours_least']:,.0f} of ours ended."
        remedy = "The server's figures are those of a part: give every replica's metrics with --server-metrics."
        return reason(NOTE, what, remedy, server, counted["ours_least"])
    return None


def reasons(found: dict[str, Any] | Absent) -> list[dict[str, Any]]:
    """What the servers said that belongs into the certificate, in the form of validity's reasons."""
    if isinstance(found, Absent):
        return []
    others = foreign(found)
    listed = [] if others is None else [others]
    if restarted := found.get("restarts"):
        what = "A counter of the server went back within the window: it was restarted, or one of its processes was."
        listed.append(reason(SUSPECT, what, "See the server's log, and repeat the run.", restarted, 0))
    preempted = found.get("kv_cache", {}).get("preemptions")
    if isinstance(preempted, (int, float)) and preempted > 0:
        what = f"The server interrupted running requests {preempted:,.0f} times to make room in its KV cache."
        remedy = "Lower --concurrency, or give the cache more memory: interrupted requests are computed twice."
        listed.append(reason(NOTE, what, remedy, preempted, 0))
    return listed + [failure for one in found["sources"] if (failure := failed(one))]


def failed(one: dict[str, Any]) -> dict[str, Any] | None:
    """The note on a URL that answered badly."""
    part = one["failed"] / one["asked"] if one["asked"] else 0.0
    if part <= FAILED:
        return None
    worst = max(one["errors"], key=one["errors"].get, default="")
    what = f"{percent(part)} of the questions for the metrics at {one['url']} failed ({worst})."
    return reason(NOTE, what, "Check --server-metrics; the load was not affected.", part, FAILED)
