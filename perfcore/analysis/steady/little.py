"""Little's law as a check: the mean number in flight is the rate of arrivals times the mean time in flight.

Little (1961). Over a finite window it holds but for what was carried in and out over the edges; in a steady state these
are equal in the mean. Where they are not, work piles up (or the records are not whole).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight
from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import intervals
from perfcore.analysis.steady.intervals import Interval

Times = NDArray[np.int64]

LEAST = 0.05  # relative difference that is never held against a run


@dataclass(frozen=True)
class Little:
    """L, lambda (per s), W (s), and by how much L / (lambda W) may differ from 1."""

    in_flight: float
    arrivals_per_s: float
    lifetime_s: float
    ratio: float
    tolerance: float


def law(sent_ns: Times, ended_ns: Times, start_ns: int, end_ns: int, cycle_ns: float, most: int) -> Little | Absent:
    """The law over a window; `most`: batches, as in `intervals.mean_interval`."""
    inside = (sent_ns >= start_ns) & (sent_ns < end_ns)
    level = inflight.mean(sent_ns, ended_ns, start_ns, end_ns)
    if level is None or not inside.any():
        return Absent("no request was sent in the window")
    lifetimes = (ended_ns - sent_ns)[inside]
    rate = int(inside.sum()) * 1e9 / (end_ns - start_ns)
    mean = float(lifetimes.mean()) / 1e9
    sure = (
        (intervals.rate_interval(sent_ns, None, start_ns, end_ns, cycle_ns), rate),
        (intervals.mean_interval(lifetimes, sent_ns[inside], most), mean * 1e9),
    )
    widths = [relative(interval, value) for interval, value in sure if isinstance(interval, Interval)]
    if len(widths) < len(sure):
        return Absent("the window is too short to say how sure the arrivals and the times in flight are")
    return Little(level, rate, mean, level / (rate * mean), max(LEAST, sum(width**2 for width in widths) ** 0.5))


def relative(interval: Interval, value: float) -> float:
    return (interval.high - interval.low) / 2.0 / value if value else 0.0
