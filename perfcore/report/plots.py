"""The plots of a run: distributions of its latencies, and its load over time.

Lines differ in dash as well as in colour. Every axis of a rate or a count starts at 0.
"""

import io
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.parquet as pq
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from perfcore.analysis import inflight, latency, notes, windowed
from perfcore.analysis.measured import CANCELLED, MEASURED, Column, Measured, due_in, flight, select, window
from perfcore.analysis.windowed import steps
from perfcore.report.arrivals import arrivals_figure
from perfcore.report.colours import BLUE, GREEN, GREY, ORANGE
from perfcore.report.files import write
from perfcore.types import Run

NS_PER_S = 1e9
NS_PER_MS = 1e6

# A curve needs no more points than a screen has columns.
CURVE_POINTS = 1000

# From this spread between the median and the maximum on, a linear axis would show the tail and nothing else.
LOGARITHMIC = 20.0

PANELS = {
    "Time to first token": (("ttft_ms", "from sent"), ("ttft_from_intended_ms", "from intended")),
    "Gap between token events": (("itl_ms", "pooled"),),
    "End-to-end latency": (("e2el_ms", "from sent"), ("e2el_from_intended_ms", "from intended")),
}

Edges: TypeAlias = NDArray[np.float64]


def draw(run: Run, run_dir: Path, measured: tuple[int, int] | None = None, suffix: str = "") -> None:
    """Write latency.png, timeline.png and arrivals.png; where there is nothing to draw, an old one is removed.

    `measured` are the edges in ns of the window that was measured, where it is not the whole run; `suffix` stands at
    the end of the names of the two plots that show it.
    """
    everything, bounds = select(run.requests), window(run.requests)
    shown = everything if measured is None else due_in(run.requests, everything, *measured)
    gaps = run.gaps_ns if measured is None else windowed.gaps(run.stamps, shown.successes)
    keep(run_dir / f"latency{suffix}.png", latency_figure(run, shown, gaps) if shown.ok.any() else None)
    timeline = timeline_figure(run, run_dir, everything, bounds, measured) if bounds else None
    keep(run_dir / f"timeline{suffix}.png", timeline)
    if not suffix:
        keep(run_dir / "arrivals.png", arrivals_figure(run, everything))


def keep(path: Path, figure: Figure | None) -> None:
    if figure is None:
        path.unlink(missing_ok=True)
        return
    image = io.BytesIO()
    figure.savefig(image, format="png", dpi=120)
    write(path, image.getvalue())


def latency_figure(run: Run, measured: Measured, gaps_ns: Column) -> Figure:
    """Share of the requests (of the gaps, for ITL) that took at most so long."""
    samples = latency.samples(run.requests, measured) | {"itl_ms": gaps_ns}
    figure = Figure(figsize=(12, 4), layout="constrained")
    for panel, (title, lines) in zip(figure.subplots(1, len(PANELS)), PANELS.items(), strict=True):
        drawn = [(samples[name] / NS_PER_MS, label) for name, label in lines if samples[name].size]
        distribution(panel, title, drawn)
    return figure


def distribution(axes: Axes, title: str, drawn: list[tuple[NDArray[np.float64], str]]) -> None:
    axes.set_title(title)
    axes.set_xlabel("ms")
    axes.set_ylabel("share at most this long")
    axes.set_ylim(0, 1)
    axes.grid(alpha=0.3)
    if not drawn:
        axes.text(0.5, 0.5, "none in this run", ha="center", va="center", transform=axes.transAxes, color=GREY)
        return
    shares = np.linspace(0, 1, CURVE_POINTS)
    for (values, label), colour, dash in zip(drawn, (BLUE, ORANGE), ("-", "--"), strict=False):
        axes.plot(np.quantile(values, shares), shares, color=colour, linestyle=dash, label=label)
    values = drawn[0][0]
    if values.min() > 0 and values.max() > LOGARITHMIC * np.median(values):
        axes.set_xscale("log")
    else:
        axes.set_xlim(left=0)
    if len(drawn) > 1:
        axes.legend(loc="lower right")


def timeline_figure(
    run: Run, run_dir: Path, measured: Measured, bounds: tuple[int, int], marked: tuple[int, int] | None = None
) -> Figure:
    """Requests in flight, token events per second and finished requests per second over the measured phase.

    `marked` are the edges in ns of the part that is shaded: what was cut off, after it, is then no failure.
    """
    edges = steps(*bounds)
    times = (edges - edges[0]) / NS_PER_S
    requests = run.requests
    figure = Figure(figsize=(12, 8), layout="constrained")
    load, tokens, finished = figure.subplots(3, 1, sharex=True)

    flown = flight(requests, notes.deaths(run.notes))
    load.stairs(inflight.means(flown.sent_ns, flown.end_ns, edges), times, color=BLUE, label="in flight")
    asked = notes.load(run.notes).concurrency
    if asked is not None:
        load.axhline(
            asked, color=GREY, linestyle=":", label="asked" if not notes.load(run.notes).open_loop else "limit"
        )
    tokens.stairs(per_s(token_counts(run, run_dir, edges), edges), times, color=GREEN, label="token events/s")
    failed = ~measured.ok
    if marked is not None:
        failed &= requests.error_class[measured.last] != CANCELLED
    for chosen, colour, dash, label in ((measured.ok, BLUE, "-", "ok/s"), (failed, ORANGE, "--", "failed/s")):
        ends = np.histogram(requests.end_ns[measured.last[chosen]], edges)[0]
        finished.stairs(per_s(ends, edges), times, color=colour, linestyle=dash, label=label)

    labels = ("requests in flight", "token events per second", "finished requests per second")
    for axes, label in zip((load, tokens, finished), labels, strict=True):
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        if marked is not None:
            axes.axvspan(*((edge - edges[0]) / NS_PER_S for edge in marked), color=GREEN, alpha=0.12, label="window")
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    finished.set_xlabel("seconds since the first request was due")
    finished.set_xlim(0, times[-1])
    return figure


def per_s(counts: NDArray[Any], edges: Edges) -> NDArray[np.float64]:
    rates: NDArray[np.float64] = counts / (np.diff(edges) / NS_PER_S)
    return rates


def token_counts(run: Run, run_dir: Path, edges: Edges) -> NDArray[np.int64]:
    """Token events of measured requests by step, from events.parquet, a batch at a time."""
    requests = run.requests
    known = np.zeros(int(requests.request_id.max(initial=-1)) + 1, dtype=bool)
    known[requests.request_id[(requests.phase == MEASURED) & (requests.request_id >= 0)]] = True
    counts = np.zeros(edges.size - 1, dtype=np.int64)
    with pq.ParquetFile(run_dir / "events.parquet") as file:
        for batch in file.iter_batches(1 << 20, columns=["request_id", "t_ns", "chars"]):
            identity, stamps, chars = (column.to_numpy() for column in batch.columns)
            counts += np.histogram(stamps[known[identity] & (chars > 0)], edges)[0]
    return counts
