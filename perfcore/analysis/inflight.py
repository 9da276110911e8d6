"""How many requests were in flight, from the times at which each was sent and ended.

All times are int64 nanoseconds of one clock. A request occupies `[sent, ended)`, so at equal times an end comes before
a start: a slot that is handed on within one clock tick is one request in flight, not two.
"""

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]


def mean(sent_ns: Times, end_ns: Times, start_ns: int, stop_ns: int) -> float | None:
    """Exact time integral of the requests in flight over `[start_ns, stop_ns)`, divided by its length.

    None for a window without length.
    """
    if stop_ns <= start_ns:
        return None
    inside = np.clip(end_ns, start_ns, stop_ns) - np.clip(sent_ns, start_ns, stop_ns)
    return float(inside.sum()) / (stop_ns - start_ns)


def at_starts(sent_ns: Times, end_ns: Times) -> tuple[Times, Times]:
    """The sorted times of sending and the requests in flight right after each: the only moments at which it grows."""
    sent, ended = np.sort(sent_ns), np.sort(end_ns)
    started = np.searchsorted(sent, sent, side="right")
    return sent, started - np.searchsorted(ended, sent, side="right")


def peak(sent_ns: Times, end_ns: Times) -> int:
    """The most requests that were in flight at one time; 0 without requests."""
    if sent_ns.size == 0:
        return 0
    return int(at_starts(sent_ns, end_ns)[1].max())


def peak_within(sent_ns: Times, end_ns: Times, start_ns: int, stop_ns: int) -> int:
    """The same of a window: what was running when it began counts."""
    inside = (sent_ns < stop_ns) & (end_ns > start_ns)
    return peak(np.maximum(sent_ns[inside], start_ns), end_ns[inside])


def filled_ns(sent_ns: Times, end_ns: Times, level: float) -> int | None:
    """The first time at which `level` requests were in flight; None if that never was."""
    if sent_ns.size == 0:
        return None
    times, running = at_starts(sent_ns, end_ns)
    reached = running >= level
    return int(times[np.argmax(reached)]) if reached.any() else None


def held(sent_ns: Times, end_ns: Times, level: float) -> float | None:
    """Mean in flight from the first time at which `level` was reached to the last time a request was sent.

    Neither the ramp nor the drain at the end says how well the load was held. None if the level was never reached or
    nothing was sent afterwards.
    """
    start_ns = filled_ns(sent_ns, end_ns, level)
    return None if start_ns is None else mean(sent_ns, end_ns, start_ns, int(sent_ns.max()))


def means(sent_ns: Times, end_ns: Times, edges_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """`mean` of each interval between successive edges, which ascend, in one pass over the requests."""
    filled = elapsed(sent_ns, edges_ns) - elapsed(end_ns, edges_ns)
    result: NDArray[np.float64] = np.diff(filled) / np.diff(edges_ns)
    return result


def elapsed(since_ns: Times, at_ns: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each time of `at_ns` the sum over `since_ns` of how long ago that was, where it was before."""
    if since_ns.size == 0:
        return np.zeros(at_ns.size)
    ordered = np.sort(since_ns)
    sums = np.concatenate(([0.0], np.cumsum(ordered - ordered[0], dtype=np.float64)))
    before = np.searchsorted(ordered, at_ns, side="right")
    result: NDArray[np.float64] = before * (at_ns - ordered[0]) - sums[before]
    return result
