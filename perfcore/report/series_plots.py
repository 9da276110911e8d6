"""The plots of a sweep: throughput against latency with the knee marked, and metrics against the load."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from perfcore.report.colours import BLUE, GREEN, GREY, ORANGE
from perfcore.report.png import keep
from perfcore.report.series import curve, curves, points_drawn, throughput_key
from perfcore.report.text import clean, number

COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", "#E69F00", "#000000")
MARKERS = "osD^vP*"
WIDE = 10.0  # from this ratio of the largest to the smallest load on its axis is logarithmic
ROOM = 1.12  # above what is drawn
MARKED_LOADS = 12  # more than these do not fit side by side

PANELS = {
    "requests per second": ("throughput.requests_per_s",),
    "output tokens per second": ("throughput.output_tokens_per_s",),
    "TTFT in ms": ("latency.ttft_ms.p50", "latency.ttft_ms.p99"),
    "TPOT in ms": ("latency.tpot_ms.mean", "latency.tpot_ms.p99"),
    "ITL in ms": ("latency.itl_ms.p50", "latency.itl_ms.p99"),
    "E2EL in ms": ("latency.e2el_ms.p50", "latency.e2el_ms.p99"),
}
UNITS = {
    "throughput.output_tokens_per_s": "output tokens per second",
    "throughput.requests_per_s": "requests per second",
}


class Curve(NamedTuple):
    """The points of a pair that answered, in ascending order of load, and its knee's load."""

    label: str
    load: str
    points: list[tuple[float, dict[str, Any]]]
    knee: float | None


def draw(summary: Mapping[str, Any], parent: Path) -> None:
    """Write throughput-latency.png and load.png; where there is nothing to draw, old ones are removed."""
    found = curves_of(summary)
    keep(parent / "throughput-latency.png", latency_figure(found) if found else None)
    keep(parent / "load.png", load_figure(found) if found else None)


def curves_of(summary: Mapping[str, Any]) -> list[Curve]:
    """The curves of at least two points."""
    knees = {curve(one): one["at"] for one in summary["knees"]}
    found = []
    for points in curves(summary["points"]):
        label = clean(", ".join(filter(None, curve(points[0]))), 40)
        found.append(Curve(label, points[0]["load"], points_drawn(points), knees.get(curve(points[0]))))
    return [one for one in found if len(one.points) > 1]


def latency_figure(found: list[Curve]) -> Figure:
    """Mean E2EL over throughput, a point for each load; rings mark the knees."""
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots()
    key = throughput_key([metrics for one in found for _, metrics in one.points])
    for place, one in enumerate(found):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        x = [metrics[key] for _, metrics in one.points]
        y = [metrics["latency.e2el_ms.mean"] for _, metrics in one.points]
        axes.plot(x, y, color=colour, marker=marker, label=one.label or None)
        for (load, _), at in zip(one.points, zip(x, y, strict=True), strict=True):
            axes.annotate(number_of(load), at, textcoords="offset points", xytext=(6, 6), color=colour, fontsize=9)
            if load == one.knee:
                axes.plot(*at, marker="o", markersize=16, fillstyle="none", color=GREY, linestyle="none")
    if any(one.knee is not None for one in found):
        axes.plot([], [], marker="o", markersize=12, fillstyle="none", color=GREY, linestyle="none", label="knee")
    axes.set_xlabel(UNITS[key])
    axes.set_ylabel("mean E2EL in ms")
    axes.set_title(f"Each point is a {found[0].load}")
    axes.set_xlim(0, ROOM * axes.dataLim.x1)
    finished(axes)
    return figure


def load_figure(found: list[Curve]) -> Figure:
    """Each metric over the load, those of one pair in one colour; the second of a panel dashed."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    for axes, (title, keys) in zip(figure.subplots(2, 3).flat, PANELS.items(), strict=True):
        axes.set_title(title)
        for place, one in enumerate(found):
            for key, dash in zip(keys, ("-", "--"), strict=False):
                known = [(load, metrics[key]) for load, metrics in one.points if metrics[key] is not None]
                label = ", ".join(filter(None, (one.label, key.rpartition(".")[2] if len(keys) > 1 else "")))
                x, y = [load for load, _ in known], [value for _, value in known]
                axes.plot(x, y, dash, color=COLOURS[place % len(COLOURS)], marker=".", label=label or None)
        along_load(axes, found)
        finished(axes)
    return figure


def along_load(axes: Axes, found: list[Curve]) -> None:
    """The axis of the load, with a mark at each one and a line at the knee."""
    loads = sorted({load for one in found for load, _ in one.points})
    axes.set_xlabel(found[0].load)
    if loads[-1] >= WIDE * loads[0]:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    if len(loads) <= MARKED_LOADS:
        axes.set_xticks(loads)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda load, _: number_of(load)))
    for one in found:
        if one.knee is not None:
            axes.axvline(one.knee, color=GREY, linestyle=":")


def finished(axes: Axes) -> None:
    """Grid, an axis from 0, and a legend where there is anything to tell apart."""
    axes.set_ylim(0, ROOM * axes.dataLim.y1 if axes.dataLim.y1 > 0 else 1)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=8)


def number_of(load: float) -> str:
    """A load as it was asked for."""
    return number(load) if isinstance(load, int) else f"{load:g}"
