"""Distributions of the latencies for the page: curves that keep both ends, and the percentiles that a sample allows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import latency, windowed
from perfcore.analysis.measured import Measured
from perfcore.report.html_blocks import SHARE_DIGITS, Block, Floats, curve, plot, table
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
    """Samples in ns of every latency, ascending; with `of_window` gaps are those of the requests in `shown` alone."""
    gaps = windowed.gaps(run.stamps, shown.successes) if of_window else run.gaps_ns
    found = latency.samples(run.requests, shown) | {"itl_ms": gaps}
    return {key: np.sort(values) for key, values in found.items()}


def distributions(found: Mapping[str, NDArray[Any]]) -> list[Block | None]:
    """A plot of the share of requests (of gaps, for ITL) that took at most so long, for each latency."""
    return [panel(name, title, [(found[key], label) for key, label in of]) for name, (title, of) in PANELS.items()]


def panel(name: str, title: str, drawn: list[tuple[NDArray[Any], str]]) -> Block | None:
    """Curves of ascending samples over one axis: the times at which any has a point, where each has its exact share."""
    known = [(values, label) for values, label in drawn if values.size]
    if not known:
        return None
    x = from_nothing(np.unique(np.concatenate([points(values) for values, _ in known])))
    whole_ns = np.floor(x).astype(np.int64)
    shares = [(values.searchsorted(whole_ns, side="right") / values.size, label) for values, label in known]
    curves = [
        curve(label, share, colour, colour != COLOURS[0], SHARE_DIGITS)
        for (share, label), colour in zip(shares, COLOURS, strict=False)
    ]
    first = known[0][0]
    note = (
        f"{first.size:,} values, drawn at {x.size:,} points; the shares are exact there, both ends included."
        if first.size > 1
        else "1 value."
    )
    more: dict[str, Any] = {"share": True, "log": wide(first), "note": note, "term": f"latency.{name}_ms"}
    return plot(name, title, x / NS_PER_MS, curves, "ms", "share at most this long", **more)


def wide(ordered: Floats) -> bool:
    """Whether a sorted sample reaches so far that it is shown over a logarithmic axis first."""
    return bool(ordered[-1] > WIDE * np.median(ordered) > 0)


def from_nothing(x: Floats) -> Floats:
    """The same with a point before the first, where nothing is that short, so that the first rise is seen.

    A sample of one value alone has a point after it as well. From 0 on there is nothing before.
    """
    first, last = float(x[0]), float(x[-1])
    pad = 0.02 * (last - first) or 0.1 * first or 1.0
    before = [first - pad if first > pad else 0.9 * first] if first > 0 else []
    return np.concatenate((before, x, [last + pad] if first == last else []))


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
    """Number of samples, mean, extremes and percentiles of an ascending sample."""
    cuts = percentiles_of(values) / NS_PER_MS
    shown = [
        starred(cut, values.size * (WHOLE - rank))
        for cut, rank in zip(cuts.tolist(), PERCENTILES.values(), strict=True)
    ]
    least, most = float(values[0]) / NS_PER_MS, float(values[-1]) / NS_PER_MS
    return [number(int(values.size)), number(float(values.mean()) / NS_PER_MS), number(least), *shown, number(most)]


def percentiles_of(ordered: NDArray[Any]) -> Floats:
    """As numpy's percentiles, between two values by their distance, of what is in order already."""
    places = np.array(list(PERCENTILES.values())) * (ordered.size - 1) / WHOLE
    low = np.floor(places).astype(np.int64)
    below, above = ordered[low].astype(np.float64), ordered[np.minimum(low + 1, ordered.size - 1)]
    found: Floats = below + (above - below) * (places - low)
    return found


def starred(cut: float, beyond: int) -> str:
    """A percentile; with a star where fewer than 10 samples lie beyond it, absent where not even one does."""
    if beyond < WHOLE:
        return NONE
    return number(cut) + ("" if beyond >= BEYOND * WHOLE else "*")
