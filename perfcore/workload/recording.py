"""The times of a recording as a schedule."""

import numpy as np
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.pace import NS, in_ns

Times = NDArray[np.int64]


def replay(timestamps_ns: Times, speed: float, count: int) -> Times:
    """When `count` requests of a recording are due, in ns from the first one, at so many times its speed.

    `timestamps_ns` are those of the rows that take part, in the order of their times. When they are used up they come
    again, shifted by the time that as many mean gaps take as there are rows, so that the rate goes on.
    Raises UserError for times that go back.
    """
    since_ns = since_first(timestamps_ns)
    number = np.arange(count)
    due_ns = since_ns[number % since_ns.size] + (number // since_ns.size) * round_ns(since_ns)
    return in_ns(due_ns / (speed * NS))


def replay_count(timestamps_ns: Times, speed: float, duration_ns: int | None) -> int:
    """How many requests a replay has: each row once, or as many as are due before the end of a duration."""
    since_ns = since_first(timestamps_ns)
    if duration_ns is None:
        return int(since_ns.size)
    length_ns = round_ns(since_ns)
    rounds = int(duration_ns * speed // length_ns) if length_ns > 0 else 0
    rest_ns = in_ns((since_ns + rounds * length_ns) / (speed * NS))
    return rounds * int(since_ns.size) + int(np.searchsorted(rest_ns, duration_ns))


def since_first(timestamps_ns: Times) -> NDArray[np.float64]:
    """Times from the first row on; raises UserError for a row before the one in front of it."""
    if (back := np.flatnonzero(np.diff(timestamps_ns) < 0)).size:
        raise UserError(f"row {back[0] + 2} of the recording is earlier than the one before it; sort its rows by time")
    since_ns: NDArray[np.float64] = (timestamps_ns - timestamps_ns[0]).astype(np.float64)
    return since_ns


def round_ns(since_ns: NDArray[np.float64]) -> float:
    """Time from the first row to where the next round begins: that of the recording, and one mean gap more."""
    gaps = since_ns.size - 1
    return float(since_ns[-1]) * (gaps + 1) / gaps if gaps else 0.0
