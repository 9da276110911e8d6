"""Distributions of the latencies for the page: curves that keep both ends, and the percentiles that a sample allows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import latency, windowed
from perfcore.analysis.measured import Measured
from perfcore.report.html_blocks import Block, Floats, curve, plot, table
from perfcore.report.text import NONE, number
from perfcore.types import Run

NS_PER_MS = 1e6
CURVE_POINTS = 400  # of the middle of a curve; the tails have their own
BEYOND = 10  # samples beyond a percentile, or a handful of requests decides it

# Per 100,000, so that "enough samples" is decided exactly.
PERCENTILES = {
    "p50": 50_000,
    "p75": 75_000,
    "p90": 90_000,
    "p95": 95_000,
    "p99": 99_000,
    "p99.9": 99_900,
    "p99.99": 99_990,
}
WHOLE = 100_000

# Plots, and the samples in each: name, label.
PANELS = {
    "ttft": ("Time to first token (TTFT)", (("ttft_ms", "from sent"), ("ttft_from_intended_ms", "from intended"))),
    "itl": ("Gap between token events (ITL)", (("itl_ms", "all gaps"),)),
    "tpot": ("Time per output token (TPOT)", (("tpot_ms", "of a request"),)),
    "e2el": ("End-to-end latency (E2EL)", (("e2el_ms", "from sent"), ("e2el_from_intended_ms", "from intended"))),
}
ROWS = {
    "ttft_ms": "TTFT",
    "ttft_from_intended_ms": "TTFT from intended",
    "ttfa_ms": "TTFA",
    "ttfa_from_intended_ms": "TTFA from intended",
    "itl_ms": "ITL",
    "tpot_ms": "TPOT",
    "e2el_ms": "E2EL",
    "e2el_from_intended_ms": "E2EL from intended",
    "slip_ms": "Slip",
    "connect_ms": "Connect",
}
COLOURS = ("blue", "orange")
WIDE = 20.0  # times the median: from such a maximum on a linear axis would show the tail and nothing else


def samples(run: Run, shown: Measured, of_window: bool) -> dict[str, NDArray[Any]]:
    """Samples in ns of every latency; with `of_window` the gaps are those of the requests in `shown` alone."""
    gaps = windowed.gaps(run.stamps, shown.successes) if of_window else run.gaps_ns
    return latency.samples(run.requests, shown) | {"itl_ms": gaps}


def distributions(found: Mapping[str, NDArray[Any]]) -> list[Block | None]:
    """A plot of the share of requests (of gaps, for ITL) that took at most so long, for each latency."""
    return [panel(name, title, [(found[key], label) for key, label in of]) for name, (title, of) in PANELS.items()]


def panel(name: str, title: str, drawn: list[tuple[NDArray[Any], str]]) -> Block | None:
    """Curves over one axis: the times at which any of them has a point, where each has its exact share."""
    known = [(np.sort(values) / NS_PER_MS, label) for values, label in drawn if values.size]
    if not known:
        return None
    x = np.unique(np.concatenate([points(values) for values, _ in known]))
    if x.size == 1:
        x = x * np.array([0.9, 1.0, 1.1])  # all are the same: a step
    shares = [(values.searchsorted(x, side="right") / values.size, label) for values, label in known]
    curves = [
        curve(label, share, colour, dash=colour != COLOURS[0])
        for (share, label), colour in zip(shares, COLOURS, strict=False)
    ]
    first = known[0][0]
    wide = bool(first[0] > 0 and first[-1] > WIDE * np.median(first))
    note = f"{first.size:,} values, drawn at {x.size:,} points; the shares are exact there, both ends included."
    more: dict[str, Any] = {"share": True, "log": wide, "note": note, "term": f"latency.{name}_ms"}
    return plot(name, title, x, curves, "ms", "share at most this long", **more)


def points(ordered: Floats) -> Floats:
    """Values of a sorted sample at even shares, and at ever finer ones towards both ends."""
    tail = np.geomspace(1 / ordered.size, 0.01, 40) if ordered.size > 100 else np.zeros(0)
    shares = np.concatenate((np.linspace(0, 1, CURVE_POINTS), tail, 1 - tail))
    found: Floats = ordered[np.clip(np.round(shares * (ordered.size - 1)).astype(np.int64), 0, ordered.size - 1)]
    return np.unique(found)


def percentiles(found: Mapping[str, NDArray[Any]], absent: Mapping[str, str]) -> Block | None:
    """A table of all latencies in ms; under it why those that are missing are."""
    known = {key: label for key, label in ROWS.items() if found[key].size}
    rows = [[label, *cells(found[key])] for key, label in known.items()]
    reasons: dict[str, list[str]] = {}
    for key, label in ROWS.items():
        if key not in known and (why := absent.get(f"latency.{key}")):
            reasons.setdefault(why, []).append(label)
    missing = [f"No {', '.join(labels)}: {why}." for why, labels in reasons.items()]
    star = ["* fewer than 10 samples lie beyond this percentile; without even one it is left out."]
    note = " ".join([*(star if any("*" in cell for row in rows for cell in row) else []), *missing])
    heads = ("ms", "samples", "mean", "min", *PERCENTILES, "max")
    return table("Percentiles in ms", heads, rows, note=note, terms=[f"latency.{key}" for key in known])


def cells(values: NDArray[Any]) -> list[str]:
    """Number of samples, mean, extremes and percentiles."""
    cuts = np.percentile(values, [rank / 1000 for rank in PERCENTILES.values()]) / NS_PER_MS
    shown = [
        starred(cut, values.size * (WHOLE - rank))
        for cut, rank in zip(cuts.tolist(), PERCENTILES.values(), strict=True)
    ]
    least, most = float(values.min()) / NS_PER_MS, float(values.max()) / NS_PER_MS
    return [number(int(values.size)), number(float(values.mean()) / NS_PER_MS), number(least), *shown, number(most)]


def starred(cut: float, beyond: int) -> str:
    """A percentile; with a star where fewer than 10 samples lie beyond it, absent where not even one does."""
    if beyond < WHOLE:
        return NONE
    return number(cut) + ("" if beyond >= BEYOND * WHOLE else "*")
