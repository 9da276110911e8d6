"""The part of the report that a steady run has before all others: verdict, window, headline numbers, load over time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcore.report.layout import framed, pick
from perfcore.report.text import NONE, number

VERDICTS = {
    "steady": ("steady", "green"),
    "not_steady": ("not steady", "red"),
    "too_short": ("too short", "yellow"),
}

# Headline numbers: where metrics.json has them, which of them, and what a person calls it.
HEADLINES = (
    ("throughput", "output_tokens_per_s", "Output tokens/s"),
    ("throughput", "input_tokens_per_s", "Input tokens/s"),
    ("throughput", "total_tokens_per_s", "Total tokens/s"),
    ("throughput", "requests_per_s", "Requests/s"),
    ("concurrency", "mean", "In flight"),
    ("latency.ttft_ms", "mean", "TTFT mean (ms)"),
    ("latency.ttft_ms", "p50", "TTFT p50 (ms)"),
    ("latency.ttft_ms", "p90", "TTFT p90 (ms)"),
    ("latency.ttft_ms", "p99", "TTFT p99 (ms)"),
    ("latency.tpot_ms", "mean", "TPOT mean (ms)"),
    ("latency.tpot_ms", "p99", "TPOT p99 (ms)"),
    ("latency.itl_ms", "mean", "ITL mean (ms)"),
    ("latency.itl_ms", "p99", "ITL p99 (ms)"),
    ("latency.e2el_ms", "mean", "E2EL mean (ms)"),
    ("latency.e2el_ms", "p99", "E2EL p99 (ms)"),
)
# The same with what failed requests got, where there are any.
ALL = (
    ("throughput_all", "output_tokens_per_s", "Output tokens/s, failed too"),
    ("throughput_all", "requests_per_s", "Requests/s, failed too"),
)

IN_STEP = 0.5  # how much the sending of one cycle is like that of the one before
STEP = (
    "Note: requests began together and still run in step, as answers of one length do: first tokens then depend on how "
    "the run began. Use --ramp, or answers of different lengths (--output-tokens uniform:LOW:HIGH)."
)

BARS = " ▁▂▃▄▅▆▇█"
HEIGHT = 4  # lines of a chart
WIDEST = 100  # columns of one

Floats = NDArray[np.float64]


def parts(metrics: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """From top to bottom."""
    yield from verdict(metrics["steady"])
    if metrics["window"] is not None:
        yield window_lines(metrics["window"])
        yield headline_table(metrics)
    if metrics["over_time"] is not None:
        yield from charts(metrics, width)


def verdict(steady: dict[str, Any]) -> Iterator[RenderableType]:
    """The verdict in a word, its reasons with their remedies, and what such a run cannot give."""
    word, colour = VERDICTS[steady["verdict"]]
    yield Text.assemble(("Steady state  ", "bold"), (word, f"bold {colour}"))
    for reason in steady["reasons"]:
        yield indented(f"{reason['what']} {reason['remedy']}")
    kept = (steady["tests"].get("phases") or {}).get("kept")
    if kept is not None and kept > IN_STEP:
        yield indented(STEP)
    if steady["not_given"]:
        yield Text("What this run cannot give", "bold")
        for sentence in steady["not_given"]:
            yield indented(sentence)


def indented(text: str) -> RenderableType:
    return Padding(Text(text), (0, 0, 0, 2))


def window_lines(window: dict[str, Any]) -> RenderableType:
    """Where the window lies and why, and how much of the run is in it."""
    times = f"{number(window['length_s'])} s, {number(window['e2el_multiples'])} times the p95 latency of its requests"
    lines = [
        Text.assemble(("Window  ", "bold"), times),
        indented(f"from {number(window['start_s'])} s of the run: {window['start_reason']}"),
        indented(f"to {number(window['end_s'])} s: {window['end_reason']}"),
        indented(covered(window)),
    ]
    return Padding(Group(*lines), (0, 0, 1, 0))


def covered(window: dict[str, Any]) -> str:
    coverage = window["coverage"]
    tokens = "" if coverage["tokens"] is None else f" and {100 * coverage['tokens']:.3g} % of its output tokens"
    return f"with {window['requests']:,} requests, {100 * coverage['requests']:.3g} % of the run's{tokens}"


def headline_table(metrics: dict[str, Any]) -> Table:
    """The numbers that a run is made for, and how sure they are."""
    table = framed("How sure the numbers are")
    for name in ("", "measured", "±", "95 % interval", "independent"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for group, name, label in (*HEADLINES, *(ALL if metrics["requests"]["failed"] else ())):
        found = pick(metrics, group)
        if found is not None and found.get(name) is not None:
            table.add_row(label, *cells(found, name))
    return table


def cells(found: dict[str, Any], name: str) -> tuple[str, ...]:
    """Number, relative half-width, interval, effective sample size."""
    value, interval = found[name], found["ci95"].get(name)
    if interval is None:
        return number(value), NONE, NONE, NONE
    low, high = interval
    half = f"{50 * (high - low) / abs(value):.2g} %" if value else NONE
    return number(value), half, f"{number(low)} to {number(high)}", number(round(found["effective_n"][name]))


def charts(metrics: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """Requests in flight and output tokens/s over the run, with the window under them."""
    over, window = metrics["over_time"], metrics["window"]
    edges = np.array(over["edges_s"])
    columns = min(WIDEST, width - 14)
    if columns < 10:
        return
    asked = metrics["concurrency"]["asked"]
    label = "In flight over time" + ("" if asked is None else f", {number(asked)} asked for")
    yield chart(label, edges, np.array(over["in_flight"]), columns, asked or 0.0)
    if over["output_tokens_per_s"] is not None:
        yield chart("Output tokens/s over time", edges, np.array(over["output_tokens_per_s"]), columns, 0.0)
    if window is not None:
        yield Text(f"{'window':>10}  {span(window, edges[-1], columns)}")
    yield Text(f"{'':>10}  {'0 s':<{columns - 10}}{number(float(edges[-1])) + ' s':>10}\n")


def chart(title: str, edges: Floats, values: Floats, columns: int, least: float) -> RenderableType:
    """A series as bars of a few lines; the scale goes from 0 to its maximum, or to `least`."""
    shown = resampled(edges, values, columns)
    top = max(float(shown.max()), least) or 1.0
    eighths = np.round(shown / top * HEIGHT * 8).astype(int)
    lines = [Text(title, "bold")]
    for line in range(HEIGHT - 1, -1, -1):
        scale = {HEIGHT - 1: number(top), 0: "0"}.get(line, "")
        lines.append(Text(f"{scale:>10}  " + "".join(BARS[level] for level in np.clip(eighths - 8 * line, 0, 8))))
    return Group(*lines)


def resampled(edges: Floats, values: Floats, columns: int) -> Floats:
    """Means of a series of steps over equal parts of its time."""
    sums = np.concatenate(([0.0], np.cumsum(values * np.diff(edges))))
    parts = np.linspace(edges[0], edges[-1], columns + 1)
    found: Floats = np.diff(np.interp(parts, edges, sums)) / np.diff(parts)
    return found


def span(window: dict[str, Any], end_s: float, columns: int) -> str:
    """A line under the charts that marks the window."""
    first = min(round(columns * float(window["start_s"]) / end_s), columns - 2)
    last = min(max(round(columns * float(window["end_s"]) / end_s), first + 2), columns)
    return " " * first + "├" + "─" * (last - first - 2) + "┤"
