"""Cutting a window into batches: rates and integrals of equal intervals, means of successive values.

Token rates and latencies of a loaded server are correlated in time: requests that began together end together and
begin together again. The mean of a batch that is long against one request is nearly independent of its neighbours',
so that batch means say how sure a mean is where single values do not.
"""

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import inflight

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

BLOCK = 1 << 20  # events are placed block by block: their bins would be another copy of them


def edges(start_ns: int, end_ns: int, count: int) -> Floats:
    """The `count` + 1 edges of equal intervals of a window, ns."""
    return np.linspace(float(start_ns), float(end_ns), count + 1)


def rates(stamps_ns: Times, weights: Floats | None, start_ns: int, end_ns: int, count: int) -> Floats:
    """Weight per second of the events in each of `count` equal intervals of `[start_ns, end_ns)`; None: 1 each."""
    sums = np.zeros(count)
    length_ns = end_ns - start_ns
    for begin in range(0, stamps_ns.size, BLOCK):
        stamps = stamps_ns[begin : begin + BLOCK]
        inside = (stamps >= start_ns) & (stamps < end_ns)
        places = (stamps[inside] - start_ns) * count // length_ns
        heavy = None if weights is None else weights[begin : begin + BLOCK][inside]
        sums += np.bincount(places, heavy, count)
    result: Floats = sums * (count * 1e9 / length_ns)
    return result


def levels(sent_ns: Times, ended_ns: Times, start_ns: int, end_ns: int, count: int) -> Floats:
    """Mean number of requests in flight in each of `count` equal intervals of the window."""
    return inflight.means(sent_ns, ended_ns, edges(start_ns, end_ns, count))


def grouped(values: Floats, count: int) -> Floats:
    """Means of `count` consecutive groups whose sizes differ by at most one."""
    cuts = np.linspace(0, values.size, count + 1).round().astype(np.int64)
    sums = np.concatenate(([0.0], np.cumsum(values, dtype=np.float64)))
    result: Floats = np.diff(sums[cuts]) / np.diff(cuts)
    return result


def lag1(values: Floats) -> float:
    """Correlation of neighbours; 0 where nothing varies."""
    offset = values - values.mean()
    squares = float(np.dot(offset, offset))
    return float(np.dot(offset[:-1], offset[1:])) / squares if squares > 0 else 0.0


def averages(times_ns: Times, values: NDArray[np.int64] | Floats, start_ns: int, end_ns: int, count: int) -> Floats:
    """Mean of the values whose time lies in each of `count` equal intervals; one without a value repeats the last."""
    inside = (times_ns >= start_ns) & (times_ns < end_ns)
    if not inside.any():
        return np.zeros(0)
    places = (times_ns[inside] - start_ns) * count // (end_ns - start_ns)
    sizes = np.bincount(places, minlength=count)
    sums = np.bincount(places, values[inside].astype(np.float64), count)
    filled = np.flatnonzero(sizes)
    last = filled[np.maximum(np.searchsorted(filled, np.arange(count), side="right") - 1, 0)]
    result: Floats = sums[last] / sizes[last]
    return result
