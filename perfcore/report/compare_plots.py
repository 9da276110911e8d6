"""The plots of a comparison: distributions and load of all runs on the same axes, and differences with intervals."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from perfcore.analysis import inflight, notes, pairing
from perfcore.analysis.measured import flight, window
from perfcore.analysis.windowed import steps
from perfcore.records import reading, store
from perfcore.report.colours import GREEN, GREY, ORANGE
from perfcore.report.compare import Side
from perfcore.report.compare_metrics import HEADLINES, HIGHER, LOWER
from perfcore.report.png import keep
from perfcore.report.series_plots import COLOURS, MARKERS
from perfcore.report.text import clean

NS_PER_S = 1e9
CURVE_POINTS = 1000  # a curve needs no more than a screen has columns
LOGARITHMIC = 20.0  # from this spread between the median and the maximum on a linear axis would show the tail alone
DASHES = ("-", "--", "-.", ":")
PANELS = {"ttft_ms": "Time to first token", "itl_ms": "Gap between token events", "e2el_ms": "End-to-end latency"}
OVER_LOAD = {
    "requests_per_s": "requests per second",
    "output_tokens_per_s": "output tokens per second",
    "ttft_p50": "TTFT p50 in ms",
    "ttft_p99": "TTFT p99 in ms",
    "tpot_mean": "TPOT mean in ms",
    "e2el_p99": "E2EL p99 in ms",
}


def draw(found: Mapping[str, Any], sides: Sequence[Any], folder: Path) -> list[Path]:
    """Write the plots of a comparison of runs, or of sweeps; returns their paths."""
    if "points" in found:
        figures: dict[str, Figure | None] = {"compare-load.png": load_figure(found)}
    else:
        figures = {
            "compare-latency.png": latency_figure(sides),
            "compare-timeline.png": timeline_figure(sides),
            "compare-differences.png": difference_figure(found),
        }
    paths = []
    for name, figure in figures.items():
        keep(folder / name, figure)
        paths.append(folder / name)
    return paths


def label(letter: str, name: str) -> str:
    return f"{letter}  {clean(name, 30)}"


def latency_figure(sides: Sequence[Side]) -> Figure:
    """Share of the requests (of the gaps, for ITL) that took at most so long."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        samples = [pairing.sample(one.taken, name).values for one in sides]
        distribution(axes, title, samples, [label(one.letter, one.name) for one in sides])
    return figure


def distribution(axes: Axes, title: str, samples: Sequence[NDArray[np.float64]], labels: Sequence[str]) -> None:
    """The curves of all runs on one axis."""
    axes.set_title(title)
    axes.set_xlabel("ms")
    axes.set_ylabel("share at most this long")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    shares = np.linspace(0, 1, CURVE_POINTS)
    drawn = [place for place, values in enumerate(samples) if values.size]
    if not drawn:
        axes.text(0.5, 0.5, "none in these runs", ha="center", va="center", transform=axes.transAxes, color=GREY)
        return
    for place in drawn:
        colour, dash = COLOURS[place % len(COLOURS)], DASHES[place % len(DASHES)]
        axes.plot(np.quantile(samples[place], shares), shares, color=colour, linestyle=dash, label=labels[place])
    least = min(float(samples[place].min()) for place in drawn)
    spread = max(float(samples[place].max() / max(np.median(samples[place]), 1e-9)) for place in drawn)
    if least > 0 and spread > LOGARITHMIC:
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    axes.legend(loc="lower right")


def timeline_figure(sides: Sequence[Side]) -> Figure:
    """Requests in flight and token events per second, from the first due time of each run."""
    figure = Figure(figsize=(12, 6), layout="constrained")
    load, tokens = figure.subplots(2, 1, sharex=True)
    for place, one in enumerate(sides):
        bounds = window(one.taken.requests)
        if bounds is None:
            continue
        edges = steps(*bounds)
        times = (edges - edges[0]) / NS_PER_S
        flown = flight(one.taken.requests, deaths(one.folder))
        levels = inflight.means(flown.sent_ns, flown.end_ns, edges)
        look = {"color": COLOURS[place % len(COLOURS)], "linestyle": DASHES[place % len(DASHES)]}
        load.stairs(levels, times, label=label(one.letter, one.name), **look)
        tokens.stairs(token_rates(one, edges), times, **look)
    for axes, name in ((load, "requests in flight"), (tokens, "token events per second")):
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    load.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)
    tokens.set_xlabel("seconds since the first request of the run was due")
    tokens.set_xlim(left=0)
    return figure


def deaths(folder: Path) -> dict[int, int]:
    """When workers of the run died; none where its journal is not there any more."""
    return dict(notes.deaths(tuple(store.notes_of(folder)))) if (folder / store.JOURNAL).is_file() else {}


def token_rates(one: Side, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Token events per second by step."""
    counts = np.zeros(edges.size - 1)
    for t_ns, row in reading.token_events(one.folder, one.taken.requests):
        counts += np.histogram(t_ns[row >= 0], edges)[0]
    rates: NDArray[np.float64] = counts / (np.diff(edges) / NS_PER_S)
    return rates


def difference_figure(found: Mapping[str, Any]) -> Figure | None:
    """Differences in per cent with their intervals; None where no metric has one."""
    comparisons = found["comparisons"]
    names = [name for name in HEADLINES if any(known(one, name) for one in comparisons)]
    if not names:
        return None
    figure = Figure(figsize=(10, 1.5 + 0.32 * len(names) * len(comparisons)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(comparisons)
    titles = []
    for place, name in enumerate(names):
        for at, one in enumerate(comparisons):
            row = known(one, name)
            if row is None:
                continue
            low, high = row["percent_ci95"]
            y = -place - at * height
            axes.plot([low, high], [y, y], color=verdict_colour(row), linewidth=2)
            axes.plot([row["percent"]], [y], marker=MARKERS[at % len(MARKERS)], color=verdict_colour(row))
        titles.append(next(row["title"] for one in comparisons if (row := known(one, name))))
    axes.axvline(0, color=GREY, linewidth=1)
    axes.set_yticks([-place for place in range(len(names))], titles)
    axes.set_xlabel(f"difference from {found['runs'][0]['letter']} in %, with its 95 % interval")
    axes.set_title("green: better, orange: worse, grey: no significant difference", fontsize=10)
    for at, one in enumerate(comparisons if len(comparisons) > 1 else []):
        axes.plot([], [], marker=MARKERS[at % len(MARKERS)], color=GREY, linestyle="none", label=one["b"])
    if len(comparisons) > 1:
        axes.legend(loc="best")
    axes.grid(axis="x", alpha=0.3)
    return figure


def known(one: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    """The row of a metric that has an interval in per cent."""
    return next((row for row in one["rows"] if row["name"] == name and row["percent_ci95"]), None)


def verdict_colour(row: Mapping[str, Any]) -> str:
    if not row["significant"] or row["better"] not in (LOWER, HIGHER):
        return GREY
    return GREEN if (row["difference"] < 0) == (row["better"] == LOWER) else ORANGE


def load_figure(found: Mapping[str, Any]) -> Figure:
    """Metrics over the points that sweeps have in common."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    panels = figure.subplots(2, 3)
    points = found["points"]
    places = range(len(points))
    for axes, (name, title) in zip(panels.flat, OVER_LOAD.items(), strict=True):
        for at, run in enumerate(found["runs"]):
            values = [value_of(point, name, run["letter"]) for point in points]
            colour, marker = COLOURS[at % len(COLOURS)], MARKERS[at % len(MARKERS)]
            axes.plot(places, values, color=colour, marker=marker, label=label(run["letter"], run["name"]))
        axes.set_title(title)
        axes.set_ylim(0, 1.1 * axes.get_ylim()[1])
        axes.set_xticks(list(places), [clean(point["point"], 24) for point in points], rotation=30, ha="right")
        axes.grid(alpha=0.3)
    panels.flat[0].legend(loc="best")
    return figure


def value_of(point: Mapping[str, Any], name: str, letter: str) -> float:
    """A metric of one sweep at a point; NaN, which is not drawn, where it has none."""
    for one in point["comparisons"]:
        row = next((row for row in one["rows"] if row["name"] == name), None)
        value = None if row is None else row["b"] if one["b"] == letter else row["a"] if one["a"] == letter else None
        if value is not None:
            return float(value)
    return float("nan")
