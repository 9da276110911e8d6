"""The servers' latencies and counts beside those of the client, of the same requests in the same time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import tracks
from perfcore.analysis.absent import Absent
from perfcore.analysis.families import COUNTERS, HISTOGRAMS, MEANS
from perfcore.analysis.tracks import Span, Told
from perfcore.types import TOKEN_SOURCES, Requests

Row: TypeAlias = NDArray[np.float64]

# A server may count a request before the client has its last byte, or a moment later.
LAG_NS = 500_000_000
NS_PER_S, NS_PER_MS = 1e9, 1e6
ESTIMATE = TOKEN_SOURCES.index("events")

WHY = {
    "ttft_ms": "Ours is longer by what lies around the server's clock: the way there and back, its HTTP front end "
    "before it takes the time, and setting up a connection where one was opened.",
    "e2el_ms": "Ours is longer by the way there and back, the server's HTTP front end and the delivery of the last "
    "event.",
    "itl_ms": "Ours is the time from the first to the last token over the tokens between them.",
}


@dataclass(frozen=True)
class Part:
    """One URL and the part of the window that it covers."""

    one: Told
    over: Span


def latencies(parts: Sequence[Part], ours: Requests, edges: tuple[int, int]) -> dict[str, Any]:
    """The servers' histograms, beside our own figures where there are some."""
    found: dict[str, Any] = {}
    for name in HISTOGRAMS:
        entry = histogram(parts, name)
        if isinstance(entry, Absent):
            found[name] = entry
            continue
        if name in OURS:
            entry["ours"] = own(OURS[name](ours, edges))
            entry["difference"] = difference(entry)
            entry["why"] = WHY[name]
        found[name] = entry
    return found


def histogram(parts: Sequence[Part], name: str) -> dict[str, Any] | Absent:
    """Mean and percentiles over all URLs."""
    found = [entry for part in parts if (entry := tracks.distribution(part.one, HISTOGRAMS[name], part.over))]
    if found:
        return tracks.described(tracks.merged(found))
    means = [tracks.slowest_mean(part.one, MEANS[name], part.over) for part in parts if name in MEANS]
    known = [entry for entry in means if entry is not None]
    if not known:
        return Absent(tracks.NO_HISTOGRAM)
    count = sum(number for _, number in known)
    return {"n": round(count), "mean": sum(mean * number for mean, number in known) / count}


def between(times: NDArray[np.int64], edges: tuple[int, int]) -> NDArray[np.bool_]:
    return (times > edges[0]) & (times <= edges[1])


def our_ttft(ours: Requests, edges: tuple[int, int]) -> Row:
    rows = between(ours.first_token_ns, edges) & (ours.sent_ns >= 0)
    found: Row = (ours.first_token_ns[rows] - ours.sent_ns[rows]) / NS_PER_MS
    return found


def our_e2el(ours: Requests, edges: tuple[int, int]) -> Row:
    last = np.where(ours.streamed & (ours.last_output_ns >= 0), ours.last_output_ns, ours.end_ns)
    rows = between(ours.end_ns, edges) & (ours.sent_ns >= 0) & (ours.error_class == 0)
    found: Row = (last[rows] - ours.sent_ns[rows]) / NS_PER_MS
    return found


def our_itl(ours: Requests, edges: tuple[int, int]) -> Row:
    """One value: tokens weigh alike in the server's mean, and so they do here."""
    rows = between(ours.end_ns, edges) & (ours.error_class == 0) & (ours.output_tokens > 1) & (ours.first_token_ns >= 0)
    gaps = (ours.output_tokens[rows] - 1).sum()
    whole = (ours.last_token_ns[rows] - ours.first_token_ns[rows]).sum()
    return np.array([whole / gaps / NS_PER_MS] if gaps > 0 else [])


OURS: dict[str, Callable[[Requests, tuple[int, int]], Row]] = {
    "ttft_ms": our_ttft,
    "e2el_ms": our_e2el,
    "itl_ms": our_itl,
}


def own(values: Row) -> dict[str, Any] | Absent:
    """Our own figures of the same requests, exact."""
    if values.size == 0:
        return Absent("the client has no such time between the same two answers")
    if values.size == 1:
        return {"mean": float(values[0])}
    cuts = np.percentile(values, [100 * rank for rank in tracks.RANKS.values()])
    return {"n": int(values.size), "mean": float(values.mean()), **dict(zip(tracks.RANKS, cuts.tolist(), strict=True))}


def difference(entry: dict[str, Any]) -> float | Absent:
    """Our mean less the server's: both are exact, whatever the buckets."""
    mean, mine = entry["mean"], entry["ours"]
    if isinstance(mean, Absent) or isinstance(mine, Absent):
        return mean if isinstance(mean, Absent) else mine
    return float(mine["mean"] - mean)


def ttft_parts(latency: dict[str, Any], ours: Requests, edges: tuple[int, int]) -> dict[str, Any] | Absent:
    """What our mean TTFT is made of: connection, the server's queue, its engine, and what lies outside of the server.

    `outside` is negative where the server's figure holds requests that are not ours.
    """
    ttft = latency["ttft_ms"]
    if isinstance(ttft, Absent) or isinstance(ttft["mean"], Absent) or isinstance(ttft["ours"], Absent):
        return ttft if isinstance(ttft, Absent) else Absent("no first token came between the same two answers")
    rows = between(ours.first_token_ns, edges) & (ours.sent_ns >= 0)
    setup = (ours.dns_ns[rows] + ours.tcp_ns[rows] + ours.tls_ns[rows]).clip(min=0)
    connect = float(setup.mean()) / NS_PER_MS
    queue = latency["queue_ms"]
    queued: Any = queue if isinstance(queue, Absent) else queue["mean"]
    engine = queued if isinstance(queued, Absent) else ttft["mean"] - queued
    return {
        "connect": connect,
        "queue": queued,
        "engine": engine,
        "outside": ttft["difference"] - connect,
    }


def token_rate(tokens: dict[str, Any], ours: Requests, edges: tuple[int, int]) -> tuple[float, str] | None:
    """Output tokens per second and who counted them: the servers, else we, with those of a request spread evenly."""
    if not isinstance(tokens["output_per_s"], Absent) and tokens["output_per_s"] > 0:
        return tokens["output_per_s"], "server"
    known = (ours.output_tokens > 0) & (ours.end_ns >= 0) & (ours.sent_ns >= 0)
    first = np.where(ours.first_token_ns >= 0, ours.first_token_ns, ours.sent_ns)[known]
    last = np.maximum(np.where(ours.last_token_ns >= 0, ours.last_token_ns, ours.end_ns)[known], first + 1)
    overlap = (np.minimum(last, edges[1]) - np.maximum(first, edges[0])).clip(min=0) / (last - first)
    per_s = float((ours.output_tokens[known] * overlap).sum()) / max(1, edges[1] - edges[0]) * NS_PER_S
    return (per_s, "client") if per_s > 0 else None


def compare(parts: Sequence[Part], counted: dict[str, float | Absent], ours: Requests) -> dict[str, Any] | Absent:
    """What the servers counted as finished, beside the least and the most of it that can be ours.

    Where they count no requests (llama.cpp), output tokens of finished requests.
    """
    unit = "requests" if not isinstance(counted["requests"], Absent) else "output_tokens"
    having = [part for part in parts if tracks.total(part.one, COUNTERS[unit], part.over)[0] is not None]
    value = counted[unit]
    if isinstance(value, Absent) or not having:
        return Absent("no server counts requests or tokens")
    weight = np.ones(ours.end_ns.size) if unit == "requests" else ours.output_tokens.astype(float)
    if unit == "output_tokens" and estimated(ours):
        return Absent("the server counts tokens and the client could only estimate them")
    starts, ends = [part.over.start_ns for part in having], [part.over.end_ns for part in having]
    lag = LAG_NS + round(max(part.one.took_s for part in having) * NS_PER_S)
    sure = between(ours.end_ns, (max(starts) + lag, min(ends) - lag)) & (ours.error_class == 0)
    open_end = (ours.sent_ns >= 0) & (ours.end_ns < 0)
    possible = between(ours.end_ns, (min(starts) - lag, max(ends) + lag)) | open_end
    most = float(weight[possible].sum())
    return {
        "unit": unit,
        "server": value,
        "ours_least": float(weight[sure].sum()),
        "ours_most": most,
        "foreign_share": max(0.0, value - most) / value if value > 0 else 0.0,
    }


def estimated(ours: Requests) -> bool:
    ended = (ours.end_ns >= 0) & (ours.error_class == 0)
    return bool(((ours.output_tokens < 0) | (ours.token_source == ESTIMATE))[ended].any())
