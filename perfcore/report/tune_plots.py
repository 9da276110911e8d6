"""The curve of a search for the largest load: throughput and goodput, latencies, and the objectives over the load."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perfcore.analysis.search import SHORT
from perfcore.analysis.slo import FAILS, MEETS, UNDECIDED
from perfcore.report.colours import BLUE, GREEN, GREY, ORANGE
from perfcore.report.png import keep

COLOURS = {MEETS: GREEN, FAILS: ORANGE, UNDECIDED: GREY, SHORT: BLUE}
MARKERS = {MEETS: "o", FAILS: "X", UNDECIDED: "s", SHORT: "^"}
PANELS = {
    "requests per second": {"all": "throughput.requests_per_s", "goodput": "goodput.requests_per_s"},
    "TTFT from intended in ms": {
        "p50": "latency.ttft_from_intended_ms.p50",
        "p99": "latency.ttft_from_intended_ms.p99",
    },
    "TPOT in ms": {"p50": "latency.tpot_ms.p50", "p99": "latency.tpot_ms.p99"},
}
LIMITED = {"TTFT from intended in ms": "ttft", "TPOT in ms": "tpot"}
WIDE = 10.0  # from this ratio of the largest to the smallest load on its axis is logarithmic
STEEP = 30.0  # and from this one of latencies so is theirs: one overload would flatten the rest

Point = Mapping[str, Any]


def draw(found: Mapping[str, Any], parent: Path) -> None:
    """Write tune.png; where there is nothing to draw, an old one is removed."""
    points = sorted(found["points"], key=lambda point: point["load"])
    keep(parent / "tune.png", figure_of(found, points) if points else None)


def figure_of(found: Mapping[str, Any], points: Sequence[Point]) -> Figure:
    figure = Figure(figsize=(12, 8), layout="constrained")
    *panels, shares = figure.subplots(2, 2).flat
    for axes, (title, keys) in zip(panels, PANELS.items(), strict=True):
        for dash, (label, key) in zip(("-", "--"), keys.items(), strict=True):
            line(axes, points, [point["metrics"][key] for point in points], dash, label)
        for objective in points[0]["objectives"]:
            if title in LIMITED and objective["objective"].startswith(LIMITED[title]):
                axes.axhline(objective["limit"], color=ORANGE, linestyle=":", label=objective["objective"])
        finished(axes, title, found, points)
    for at, objective in enumerate(points[0]["objectives"]):
        if objective["share"] is not None:
            line(shares, points, [point["objectives"][at]["value"] for point in points], "-", objective["objective"])
            shares.axhline(objective["share"], color=ORANGE, linestyle=":")
    finished(shares, "share of the requests that meet", found, points)
    return figure


def line(axes: Axes, points: Sequence[Point], values: Sequence[float | None], dash: str, label: str) -> None:
    """One curve, whose markers tell what each load came to; None is left out."""
    pairs = zip(points, values, strict=True)
    known = [(point["load"], value, point["verdict"]) for point, value in pairs if value is not None]
    axes.plot([load for load, _, _ in known], [y for _, y, _ in known], dash, color=BLUE, label=label, alpha=0.7)
    for load, y, verdict in known:
        axes.plot(load, y, MARKERS[verdict], color=COLOURS[verdict])


def finished(axes: Axes, title: str, found: Mapping[str, Any], points: Sequence[Point]) -> None:
    """Axes, a line at the answer, and a legend that tells the markers."""
    axes.set_title(title)
    axes.set_xlabel(found["variable"])
    if points[-1]["load"] >= WIDE * points[0]["load"]:
        axes.set_xscale("log")
    lowest, highest = axes.dataLim.intervaly
    if title in LIMITED and highest > STEEP * lowest > 0:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    if found["answer"] is not None:
        axes.axvline(found["answer"], color=GREEN, linestyle=":", label=f"answer {found['answer']:,.10g}")
    for verdict in dict.fromkeys(point["verdict"] for point in points):
        axes.plot([], [], MARKERS[verdict], color=COLOURS[verdict], linestyle="none", label=verdict)
    axes.legend(fontsize=8)
