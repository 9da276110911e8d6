"""The same mathematics on counters while a run goes on: has the plateau begun, how sure is its token rate.

The counters are looked at ten times a second; between two looks they are taken to grow evenly. The mean lifetime of a
request, which is not counted, follows from Little's law: in-flight time divided by completions.
"""

from math import ceil
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.absent import Absent
from perfcore.analysis.steady import intervals, warmup
from perfcore.analysis.steady.window import FINEST, TOLERANCE

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]

SETTLING = 3.0  # lifetimes until an open loop holds the requests that it will: 95 % of exponential ones


class Series(Protocol):
    """Counters of the run over time, cumulative but for `in_flight`; arrays of equal length."""

    @property
    def time_ns(self) -> Counts: ...
    @property
    def tokens(self) -> Counts: ...
    @property
    def completed(self) -> Counts: ...
    @property
    def in_flight(self) -> Counts: ...
    @property
    def ttft_count(self) -> Counts: ...
    @property
    def ttft_sum_ns(self) -> Counts: ...


def plateau_start(series: Series, asked: int | None) -> int | None:
    """Sample at which the plateau begins, None if none is seen yet; `asked`: in flight, of a closed loop."""
    full = filled(series.in_flight, asked)
    cycle_ns = None if full is None else lifetime(series, full)
    if full is None or cycle_ns is None:
        return None
    start_ns = int(series.time_ns[full]) + cycle_ns * (1.0 if asked is not None else SETTLING)
    end_ns = int(series.time_ns[-1])
    if start_ns >= end_ns:
        return None
    count = min(int((end_ns - start_ns) / cycle_ns), FINEST)
    if count >= warmup.FEWEST:
        edges = np.linspace(start_ns, end_ns, count + 1)
        found = [(warmup.transient(means), means) for means in (rates(series, edges), ttfts(series, edges))]
        if any(warmup.unfinished(means, dropped) for dropped, means in found):
            return None
        start_ns = edges[max(dropped for dropped, _ in found)]
    return int(np.searchsorted(series.time_ns, start_ns))


def relative_half_width(series: Series, start: int) -> float | None:
    """Half the width of the 95 % interval of output tokens per second since a sample, as a share of it.

    None while it cannot be said: fewer than three lifetimes of a request since then, or no tokens.
    """
    cycle_ns = lifetime(series, start)
    if cycle_ns is None:
        return None
    start_ns, end_ns = int(series.time_ns[start]), int(series.time_ns[-1])
    count = intervals.cycled(start_ns, end_ns, cycle_ns)
    if isinstance(count, Absent):
        return None
    found = rates(series, np.linspace(start_ns, end_ns, count + 1))
    interval = intervals.series_interval(found)
    mean = float(found.mean())
    if isinstance(interval, Absent) or mean <= 0.0:
        return None
    return (interval.high - interval.low) / 2.0 / mean


def precision_reached(series: Series, start: int, target: float) -> bool | str:
    """True once the token rate is known to `target`, a share of it; else why not, in words."""
    seen = relative_half_width(series, start)
    if seen is None:
        return "the window is still shorter than three requests"
    if seen <= target:
        return True
    more_s = (time_needed_ns(int(series.time_ns[-1] - series.time_ns[start]), seen, target) or 0) / 1e9
    return (
        f"output tokens/s are known to {100 * seen:.2g} %; {100 * target:.2g} % take a window of about {more_s:.0f} s"
    )


def time_needed_ns(length_ns: int, half_width: float, target: float) -> int | None:
    """About how long a window has to be for a half width of `target`, if one of `length_ns` has `half_width`.

    The width shrinks with the root of the length. None for a target of 0.
    """
    return round(length_ns * max(1.0, half_width / target) ** 2) if target > 0 else None


def filled(in_flight: Counts, asked: int | None) -> int | None:
    """The first sample with all slots filled, of an open loop with any request in flight."""
    reached = np.flatnonzero(in_flight >= (1 if asked is None else ceil(TOLERANCE * asked)))
    return int(reached[0]) if reached.size else None


def lifetime(series: Series, start: int) -> float | None:
    """Mean lifetime of a request since a sample, ns, by Little's law; None until as many have ended as were running."""
    ended = int(series.completed[-1] - series.completed[start])
    if ended < max(1, int(series.in_flight[start])):
        return None
    spent = np.diff(series.time_ns[start:]) * (series.in_flight[start:-1] + series.in_flight[start + 1 :]) / 2.0
    return float(spent.sum()) / ended or None


def rates(series: Series, edges_ns: Floats) -> Floats:
    """Tokens per second between successive edges."""
    result: Floats = np.diff(at(series, series.tokens, edges_ns)) / np.diff(edges_ns) * 1e9
    return result


def ttfts(series: Series, edges_ns: Floats) -> Floats:
    """Mean TTFT of the first tokens that came between successive edges, ns; none where none came."""
    counts = np.diff(at(series, series.ttft_count, edges_ns))
    sums = np.diff(at(series, series.ttft_sum_ns, edges_ns))
    result: Floats = sums[counts > 0] / counts[counts > 0]
    return result


def at(series: Series, counter: Counts, times_ns: Floats) -> Floats:
    origin = series.time_ns[0]
    result: Floats = np.interp(times_ns - origin, series.time_ns - origin, counter.astype(np.float64))
    return result
