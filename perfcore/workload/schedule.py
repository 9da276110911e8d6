"""When requests are due: offsets from the start of the run, in nanoseconds. docs/arrivals.md says what each law means.

Gaps are drawn with a mean of 1 and stretched so that they take exactly as long as even ones would: the rate of a run is
the one that was asked for, and what is random is how requests lie within it.
"""

import math

import numpy as np
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.pace import NS, Arrivals, Floats, Pace, in_ns, pace, passed, ramp_s, reached
from perfcore.shape import parse_shape
from perfcore.workload.recording import Times, replay, replay_count

STREAM = 0x61727269  # sets the draws of arrivals apart from others that are made with the same seed
MOST = 100_000_000  # requests in a schedule: 8 bytes each, and 12 times that while a ramp is made


def offsets(
    arrivals: Arrivals, count: int | None, duration_ns: int | None, seed: int, timestamps_ns: Times | None = None
) -> Times:
    """When each request is due: `planned_count` offsets, the first at 0, non-decreasing, the same for the same seed.

    `timestamps_ns` are those of the rows of a replay that take part, in the order of their times. Raises UserError for
    what cannot be planned.
    """
    number = planned_count(arrivals, count, duration_ns, timestamps_ns)
    if number is None:
        raise UserError(f"{arrivals.law} arrivals have no end of their own; give --requests")
    if arrivals.law == "replay":
        return replay(recorded(timestamps_ns), arrivals.speed, number)
    asked = pace(arrivals, number)
    if asked is None:
        return np.zeros(number, dtype=np.int64)
    times = unit_times(arrivals.law, arrivals.burstiness, number, np.random.default_rng([STREAM, seed]))
    return in_ns(reached(asked, times))


def planned_count(
    arrivals: Arrivals, count: int | None, duration_ns: int | None, timestamps_ns: Times | None = None
) -> int | None:
    """How many requests the schedule has: `count`, but no more than are due before the end of the duration.

    Where neither is given: those of the recording, or of the steps; None where nothing says how many.
    Raises UserError for more than a schedule may have.
    """
    found = number_within(arrivals, duration_ns, timestamps_ns)
    if count is not None and (found is None or duration_ns is None or count < found):
        found = count
    if found is not None and found > MOST:
        raise UserError(
            f"{found:,} requests are more than the {MOST:,} that can be planned; give fewer --requests, or a shorter "
            "--duration"
        )
    return found


def number_within(arrivals: Arrivals, duration_ns: int | None, timestamps_ns: Times | None) -> int | None:
    """Requests that are due before the end of a duration; without one, of what has an end of its own; or None."""
    if arrivals.law == "replay":
        return replay_count(recorded(timestamps_ns), arrivals.speed, duration_ns)
    if duration_ns is None:
        duration_ns = own_duration_ns(arrivals)
    if duration_ns is None or arrivals.law == "burst":
        return None
    if arrivals.ramp_up_strategy is not None:
        return ramp_count(arrivals, duration_ns)
    asked = pace(arrivals, 0)
    return None if asked is None else pace_count(asked, duration_ns)


def own_duration_ns(arrivals: Arrivals) -> int | None:
    """How long the steps of a rate take together; None for what has no end."""
    shape = parse_shape(arrivals.rate_shape) if arrivals.rate_shape else None
    return round(sum(shape.lengths_s) * NS) if shape is not None and shape.kind == "steps" else None


def pace_count(asked: Pace, duration_ns: int) -> int:
    """Requests before the end of a duration: the rate's sum, put right where a nanosecond decides."""
    found = max(1, math.ceil(float(passed(asked, np.array([duration_ns / NS]))[0])))
    while found > 1 and due_ns(asked, found - 1) >= duration_ns:
        found -= 1
    while due_ns(asked, found) < duration_ns:
        found += 1
    return found


def due_ns(asked: Pace, number: int) -> int:
    """When a request of even gaps is due."""
    return int(in_ns(reached(asked, np.array([float(number)])))[0])


def ramp_count(arrivals: Arrivals, duration_ns: int) -> int:
    """The most requests whose ramp ends before the end of a duration: a ramp of more takes longer, always."""
    low, high = 1, MOST + 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if ramp_s(arrivals, middle - 1) * NS < duration_ns else (low, middle)
    if low > MOST:
        return low
    while low > 1 and ramp_ns(arrivals, low) >= duration_ns:
        low -= 1
    while ramp_ns(arrivals, low + 1) < duration_ns:
        low += 1
    return low


def ramp_ns(arrivals: Arrivals, count: int) -> int:
    """When the last request of a ramp is due."""
    asked = pace(arrivals, count)
    return due_ns(asked, count - 1) if asked is not None else 0


def unit_times(law: str, burstiness: float, count: int, random: np.random.Generator) -> Floats:
    """`count` times at a rate of 1: from 0 to exactly `count - 1`, with the gaps of a law between them."""
    times = np.zeros(max(count, 0))
    if count < 2 or law == "constant" or (law == "gamma" and burstiness == 0):
        return np.arange(count, dtype=np.float64)
    draw(law, burstiness, random, times[1:])
    np.cumsum(times, out=times)
    times *= (count - 1) / times[-1]
    times[-1] = count - 1
    return times


def draw(law: str, burstiness: float, random: np.random.Generator, gaps: Floats) -> None:
    """Fill in the gaps of a law, up to one common factor."""
    if law == "poisson":
        random.standard_exponential(out=gaps)
    elif law == "uniform":
        random.random(out=gaps)
    elif burstiness >= 1:
        random.standard_gamma(burstiness, out=gaps)
    else:
        small_gamma(burstiness, random, gaps)


def small_gamma(shape: float, random: np.random.Generator, gaps: Floats) -> None:
    """Gamma of a shape below 1 up to one factor, by its logarithm: tiny shapes would be all zeros otherwise.

    G(a) = G(a + 1) U^(1/a): Marsaglia and Tsang, ACM TOMS 26 (2000), section 6.
    """
    random.standard_gamma(shape + 1, out=gaps)
    np.log(gaps, out=gaps)
    gaps -= random.standard_exponential(gaps.size) / shape
    gaps -= gaps.max()
    np.exp(gaps, out=gaps)


def recorded(timestamps_ns: NDArray[np.int64] | None) -> Times:
    """The times of a recording; raises UserError where there are none."""
    if timestamps_ns is None or timestamps_ns.size == 0:
        raise UserError("a replay wants rows with a timestamp, and the data set has none; choose other --arrivals")
    return timestamps_ns
