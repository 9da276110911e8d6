"""The plot of the arrivals of an open loop: rate over time, slip over time, distribution of gaps."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perfcore.analysis.absent import Absent
from perfcore.analysis.arrivals import Seen, edges, law_share, observe, rates, slips_ms, smoothed, unit_gaps
from perfcore.analysis.measured import Measured
from perfcore.pace import Floats, rate_at
from perfcore.report.colours import BLUE, GREEN, GREY, ORANGE
from perfcore.types import Run

FINE = 600  # steps of the smoothed line and of the line that was asked for
SMOOTHING = 2 / 31  # weight of a step in the exponentially weighted mean: as one over its last 30
CURVE_POINTS = 1000


def arrivals_figure(run: Run, measured: Measured) -> Figure | None:
    """Planned against actual arrivals; None for a closed loop, or where too little was sent."""
    seen = observe(run.requests, measured, run.notes)
    if isinstance(seen, Absent):
        return None
    figure = Figure(figsize=(12, 9), layout="constrained")
    panels = figure.subplot_mosaic([["rate", "rate"], ["slip", "gaps"]])
    rate_panel(panels["rate"], seen)
    slip_panel(panels["slip"], seen)
    gap_panel(panels["gaps"], seen)
    for axes in panels.values():
        axes.grid(alpha=0.3)
    return figure


def rate_panel(axes: Axes, seen: Seen) -> None:
    """Requests per second: asked for, planned, sent, and sent as an exponentially weighted mean."""
    at_s = edges(seen)
    fine_s = np.linspace(0, at_s[-1], FINE + 1)
    if seen.pace is not None:
        asked_s = np.linspace(0, seen.due_s[-1], 2 * FINE + 1)
        axes.plot(asked_s, rate_at(seen.pace, asked_s), color=GREY, linestyle="--", zorder=3, label="asked for")
    axes.stairs(rates(seen.due_s, at_s), at_s, color=BLUE, label="planned")
    axes.stairs(rates(seen.sent_s, at_s), at_s, color=ORANGE, linestyle=":", linewidth=2, label="sent")
    axes.plot(fine_s[1:], smoothed(rates(seen.sent_s, fine_s), SMOOTHING), color=GREEN, alpha=0.8, label="sent, EWMA")
    axes.set_title("Requests per second", loc="left")
    axes.set_xlabel("seconds since the start")
    axes.set_xlim(0, at_s[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)


def slip_panel(axes: Axes, seen: Seen) -> None:
    """The longest time by which a request of each step was late."""
    at_s = edges(seen)
    axes.stairs(np.nan_to_num(slips_ms(seen, at_s)), at_s, color=ORANGE)
    axes.set_title("Slip: sent after due, longest of each step", loc="left")
    axes.set_xlabel("seconds since the start")
    axes.set_ylabel("ms")
    axes.set_xlim(0, at_s[-1])
    axes.set_ylim(bottom=0)


def gap_panel(axes: Axes, seen: Seen) -> None:
    """Share of the gaps that are at most so long, planned and sent, beside that of the law."""
    shares = np.linspace(0, 1, CURVE_POINTS)
    planned, sent = (np.quantile(unit_gaps(seen, times), shares) for times in (seen.due_s, seen.sent_s))
    axes.plot(planned, shares, color=BLUE, label="planned")
    axes.plot(sent, shares, color=ORANGE, linestyle=":", linewidth=2, label="sent")
    law = law_share(seen.arrivals)
    longest = shown_most(planned, sent)
    if law is not None:
        x = np.linspace(0, longest, CURVE_POINTS)
        axes.plot(x, law(x), color=GREY, linestyle="--", zorder=3, label=seen.arrivals.law)
    axes.set_title("Gaps between requests", loc="left")
    axes.set_xlabel("seconds" if seen.pace is None else "in mean gaps, as asked for at their time")
    axes.set_ylabel("share at most this long")
    axes.set_xlim(0, longest)
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right")


def shown_most(planned: Floats, sent: Floats) -> float:
    """Where the axis of gaps ends: past all but the longest half per cent of them."""
    return float(max(np.quantile(planned, 0.995), np.quantile(sent, 0.995), 1e-9)) * 1.1
