"""What is told of a run beside its latencies: arrivals, lengths, connections, workers, servers, errors."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from perfcore.analysis import lengths as told_lengths
from perfcore.analysis import tracks
from perfcore.analysis.absent import Absent
from perfcore.analysis.arrivals import edges, observe, rates, unit_gaps
from perfcore.analysis.families import COUNTERS, GAUGES, SHARES
from perfcore.analysis.measured import Measured
from perfcore.pace import rate_at
from perfcore.records.scrapes import Scrapes
from perfcore.records.taxonomy import explained
from perfcore.report import service, terminal
from perfcore.report.html_blocks import SHARE_DIGITS, Block, curve, foreign, lines, pairs, plot, table
from perfcore.report.html_latency import from_nothing, points
from perfcore.report.html_time import NS_PER_S, X_LABEL, Seen, over_time
from perfcore.report.text import NONE, number
from perfcore.types import Requests

Metrics = Mapping[str, Any]

SAMPLES = 20  # messages of one class of failure
LONGEST = 64  # bins of a histogram of lengths
ALL_COLOURS = ("blue", "orange", "green", "purple")
NAMES = {"asked": "asked for", "counted": "counted here", "server": "counted by the server", "got": "served"}


def arrivals(seen: Seen, metrics: Metrics) -> Iterator[Block | None]:
    """Of an open loop: words, rates over time, gaps. Slip has its own plot."""
    found = observe(seen.run.requests, seen.measured, seen.run.notes)
    if isinstance(found, Absent) or not metrics.get("arrivals"):
        return
    yield lines(metrics["arrivals"]["words"])
    at_s = edges(found)
    curves = [
        curve("planned", rates(found.due_s, at_s), "blue"),
        curve("sent", rates(found.sent_s, at_s), "orange", dash=True),
    ]
    if found.pace is not None:
        middle = np.minimum((at_s[1:] + at_s[:-1]) / 2, found.due_s[-1])
        curves.append(curve("asked for", np.asarray(rate_at(found.pace, middle)), "grey", dash=True))
    note = f"{at_s.size - 1:,} steps of {at_s[1]:.3g} s."
    title = "Requests planned and sent per second"
    yield plot(
        "arrivals",
        title,
        at_s - found.due_s[0],
        curves,
        X_LABEL,
        "requests/s",
        steps=True,
        time=True,
        note=note,
        term="arrivals",
    )
    gaps = [np.sort(unit_gaps(found, times)) for times in (found.due_s, found.sent_s)]
    x = from_nothing(np.unique(np.concatenate([points(values) for values in gaps])))
    shares = [values.searchsorted(x, side="right") / values.size for values in gaps]
    curves = [
        curve("planned", shares[0], "blue", digits=SHARE_DIGITS),
        curve("sent", shares[1], "orange", dash=True, digits=SHARE_DIGITS),
    ]
    unit = "seconds" if found.pace is None else "times the mean gap that was asked for"
    yield plot("gaps", "Gaps between requests", x, curves, unit, "share at most this long", share=True)


def lengths(requests: Requests, shown: Measured, metrics: Metrics) -> Iterator[Block | None]:
    """Distributions of what was asked for and what came, in tokens, and what their differences mean."""
    rows = shown.successes
    sides = {"input": told_lengths.inputs(requests, rows), "output": told_lengths.outputs(requests, rows)}
    titles = {"input": "Lengths of prompts", "output": "Lengths of answers"}
    for side, samples in sides.items():
        known = {name: values[values >= 0] for name, values in samples.items()}
        known = {name: values for name, values in known.items() if values.size}
        yield histogram(f"{side}-lengths", titles[side], known)
    found = metrics.get("lengths")
    if found is None:
        return
    rows_shown = [
        (f"{side.capitalize()} {terminal.WHO[name]}", *terminal.length_cells(summary))
        for side in ("input", "output")
        for name, summary in found[side].items()
        if name != "differences" and summary is not None
    ]
    heads = ("tokens", "mean", "min", "p50", "p99", "max", "requests")
    yield table("Lengths asked and served", heads, rows_shown, note=" ".join(found["remarks"]))


def histogram(name: str, title: str, known: Mapping[str, Any]) -> Block | None:
    """How many requests have a length within each bin; one bin for each length where they are few."""
    if not known:
        return None
    low, high = (int(end([end(values) for values in known.values()])) for end in (min, max))
    width = max(1, -(-(high - low + 1) // LONGEST))
    bins: Any = np.arange(low, high + width + 1, width) - 0.5
    if bins.size < 3:
        bins = np.array([low - 1.5, low - 0.5, low + 0.5, low + 1.5])
    curves = [
        curve(NAMES[who], np.histogram(values, bins)[0], colour, dash=colour == "orange")
        for (who, values), colour in zip(known.items(), ALL_COLOURS, strict=False)
    ]
    note = f"Bins of {number(int(width))} token{'s' if width > 1 else ''}."
    return plot(name, title, bins, curves, "tokens", "requests", steps=True, whole=True, note=note)


def connections(metrics: Metrics) -> Iterator[Block | None]:
    """Connections opened and reused, and results by URL."""
    found, summary = metrics["connections"], metrics["latency"]["connect_ms"]
    rows = [("Opened", number(found["opened"])), ("Requests that reused one", number(found["reused"]))]
    if summary is not None:
        words = f"mean {number(summary['mean'])} ms, most {number(summary['max'])} ms"
        rows.append(("Set-up of a new one", words))
    terms = {"Opened": "connections.opened", "Requests that reused one": "connections.reused"}
    yield pairs("Connections", rows, terms | {"Set-up of a new one": "latency.connect_ms"})
    targets = metrics.get("targets") or []
    heads = ("URL", "requests", "ok", "failed", ("TTFT p50 (ms)", "targets.ttft_p50_ms"))
    keys = ("requests", "ok", "failed", "ttft_p50_ms")
    yield table("By URL", heads, ([foreign(one["url"]), *(number(one[key]) for key in keys)] for one in targets))


def workers(metrics: Metrics) -> Block | None:
    """What each worker did and how busy it was."""
    found = metrics.get("workers") or []
    heads = ("worker", ("CPU", "workers.cpu_share"), "CPU s", "requests", "connections", "ring full", "state")
    rows = [
        (
            str(one["worker"]),
            NONE if one["cpu_share"] is None else f"{100 * one['cpu_share']:.0f} %",
            *(number(one[key]) for key in ("cpu_s", "requests", "connections", "ring_full_waits")),
            "lost" if one["lost"] else "ended well",
        )
        for one in found
    ]
    return table("Workers", heads, rows)


def servers(scrapes: Scrapes | None, seen: Seen, metrics: Metrics) -> Iterator[Block | None]:
    """What servers told of themselves: the figures, and their load and rates over time."""
    found = metrics.get("server")
    if found:
        yield pairs("What the servers say", ((foreign(a), foreign(b, 1000)) for a, b in service.lines(found) if b))
    if scrapes is None:
        return
    for number_of, one in enumerate(tracks.told(scrapes)):
        over = tracks.span(one.up_ns, *seen.bounds)
        if over is None:
            continue
        levels = {name: tracks.level(one, GAUGES[name], over) for name in ("running", "waiting")}
        usage = tracks.shares(one, SHARES["kv_usage"], over)
        url = foreign(one.url)
        yield lines_of(seen, f"server-load-{number_of}", f"Requests at the server {url}", levels, "requests")
        caches = {f"cache {place}" if len(usage) > 1 else "KV cache": track for place, track in enumerate(usage[:4])}
        yield lines_of(seen, f"server-cache-{number_of}", f"KV cache in use at {url}", caches, "share")
        yield counted(seen, f"server-rate-{number_of}", f"Tokens per second told by {url}", one, over)


def lines_of(seen: Seen, name: str, title: str, found: Mapping[str, Any], unit: str) -> Block | None:
    """Levels that were told at some times, over these times."""
    known = {label: track for label, track in found.items() if track is not None and track.t_ns.size > 1}
    if not known:
        return None
    times = np.unique(np.concatenate([track.t_ns for track in known.values()]))
    curves = []
    for (label, track), colour in zip(known.items(), ALL_COLOURS, strict=False):
        values = np.full(times.size, np.nan)
        values[np.searchsorted(times, track.t_ns)] = track.value
        curves.append(curve(label, values, colour, dash=colour == "orange"))
    return told_over_time(seen, name, title, times, curves, unit)


def counted(seen: Seen, name: str, title: str, one: tracks.Told, over: tracks.Span) -> Block | None:
    """Rates of the counters of tokens between each two answers of a server."""
    found = {}
    for kind in ("input", "output"):
        for place in COUNTERS[f"{kind}_tokens"]:
            known = [tracks.cut(track, over) for track in tracks.find(one, place)]
            if known and known[0].t_ns.size > 2:
                whole = tracks.combined(known, np.add)
                rate = np.maximum(np.diff(whole.value), 0) / np.maximum(np.diff(whole.t_ns) / NS_PER_S, 1e-9)
                found[kind] = tracks.Track({}, whole.t_ns[1:], rate)
                break
    return lines_of(seen, name, title, found, "tokens/s")


def told_over_time(seen: Seen, name: str, title: str, times: Any, curves: list[Block], unit: str) -> Block | None:
    found = over_time(seen, name, title, times.astype(np.float64), curves, unit, note=f"{times.size:,} answers.")
    return found and {key: value for key, value in found.items() if key != "steps"}


def errors(metrics: Metrics, run_dir: Path, shown: Measured) -> Iterator[Block | None]:
    """Failed requests by class, each with messages, cause and remedy; `shown` are those that metrics are of."""
    if metrics["errors"]:
        rows = [
            [
                foreign(name),
                number(count),
                foreign(metrics["error_samples"].get(name, "")),
                f"{explained(name).cause} {explained(name).remedy}",
            ]
            for name, count in metrics["errors"].items()
        ]
        heads = ("class", "requests", "first message", "usual cause and remedy")
        yield worded("Failed requests", heads, rows)
        yield messages(run_dir, shown)
    elif metrics["requests"]["total"]:
        yield lines(["No request failed."])
    if metrics["retried"]:
        found = [(foreign(name), number(count)) for name, count in metrics["retried"].items()]
        yield table("Attempts that were tried again", ("class", ("attempts", "retried")), found)


def worded(title: str, heads: tuple[str, ...], rows: list[list[str]]) -> Block | None:
    """A table of words, in which the second column alone is a number."""
    found = table(title, heads, rows)
    return found and found | {"numbers": [1]}


def messages(run_dir: Path, shown: Measured) -> Block | None:
    """Different messages of each class of failure, the most frequent first, and the first request of each."""
    read = pq.read_table(run_dir / "requests.parquet", columns=["request_id", "error_class", "error"])
    read = read.take(np.sort(shown.rows))
    failed = read.filter(pc.not_equal(read["error_class"], "ok"))
    names, texts = failed["error_class"].to_pylist(), failed["error"].to_pylist()
    first: dict[tuple[str, str], int] = {}
    number_of: Counter[tuple[str, str]] = Counter()
    for identity, name, text in zip(failed["request_id"].to_pylist(), names, texts, strict=True):
        key = (name, text or "")
        first.setdefault(key, identity)
        number_of[key] += 1
    kept: Counter[str] = Counter()
    rows = []
    for (name, text), count in number_of.most_common():
        kept[name] += 1
        if kept[name] <= SAMPLES:
            rows.append([foreign(name), number(count), foreign(text, 1000) or NONE, str(first[name, text])])
    left = len(number_of) - len(rows)
    note = f"{left:,} more messages are in requests.parquet." if left else ""
    found = worded("Messages of failed attempts", ("class", "attempts", "message", "first request"), rows)
    return found and found | {"note": note}


def finish_reasons(metrics: Metrics) -> Block | None:
    found = metrics["finish_reasons"]
    total = sum(found.values())
    rows = [(foreign(name), number(count), f"{100 * count / total:.1f} %") for name, count in found.items()]
    return table("Finish reasons of successful requests", ("", ("requests", "finish_reasons"), "share"), rows)
