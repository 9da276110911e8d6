"""When requests are due: offsets from the start of the run, in nanoseconds."""

import math

import numpy as np
import numpy.typing as npt

NS = 1_000_000_000


def constant(rate: float, count: int) -> npt.NDArray[np.int64]:
    """`count` offsets evenly spaced at `rate` per second, the first at 0, each rounded by itself: no drift."""
    return np.rint(np.arange(count, dtype=np.float64) * (NS / rate)).astype(np.int64)


def count_within(rate: float, duration_s: float) -> int:
    """How many offsets of `constant` lie before the end of a duration."""
    end_ns = round(duration_s * NS)
    count = max(1, math.ceil(end_ns * rate / NS))
    while count > 1 and round((count - 1) * (NS / rate)) >= end_ns:
        count -= 1
    return count
