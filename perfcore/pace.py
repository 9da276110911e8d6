"""How many requests a second are asked for, over time: every shape of a rate as one table of steps.

A schedule of any law is one of unit rate, a request a second on average, whose clock runs as fast as the rate that is
asked for: the request at unit time u is due when the rate has added up to u. That is exact for every law and every
shape (a Poisson process stays one when its rate changes), and it makes planning, counting and judging a schedule the
same three functions: `reached` from a number of requests to a time, `passed` back, and `rate_at`.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.shape import parse_shape

NS = 1_000_000_000
LONGEST_NS = 2**62  # 146 years, half of what a time can hold
LAWS = ("constant", "poisson", "gamma", "uniform")  # those that have a rate; besides, there are burst and replay

# A sine is so many steps a period, each with its mean rate: no request is off by more than a 10^9th of a period.
SINE_STEPS = 1 << 16

# Rates add up in floating point: a request so close before the end of a step, in requests, is at its end; but no more
# than this part of a step of mean size.
HAIR, HAIR_OF_STEP = 1e-9, 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Arrivals:
    """How the requests of an open loop are spread in time: plain values, under the names of their options."""

    law: str = "constant"  # one of LAWS, burst or replay
    rate: float | None = None
    burstiness: float = 1.0  # of gamma alone
    ramp_up_strategy: str | None = None
    ramp_up_start_rps: float = 0.0
    ramp_up_end_rps: float | None = None  # None: rate
    rate_shape: str | None = None
    speed: float = 1.0  # of a replay


class Pace(NamedTuple):
    """A rate that is constant from each start to the next, and after the last one; or all of it again each period."""

    starts_s: Floats  # ascending from 0
    rates: Floats  # per second, of each step; may be 0 but in the first and the last one
    counts: Floats  # requests before each start
    period_s: float | None
    per_period: float  # requests of a period


def pace(arrivals: Arrivals, count: int) -> Pace | None:
    """The rate over time that so many requests are asked to have; None for a burst and a replay, which have none.

    Raises ValueError for values that make no rate.
    """
    if arrivals.law not in LAWS:
        return None
    if arrivals.ramp_up_strategy is not None:
        rates = ramp(arrivals, count)
        return table(1 / rates, rates)
    if arrivals.rate_shape is None:
        return table(np.ones(1), np.array([asked(arrivals)]))
    kind, lengths_s, factors = parse_shape(arrivals.rate_shape)
    if kind == "steps":
        return table(np.array(lengths_s), np.array(factors))
    if kind == "sine":
        return table(*sine(lengths_s[0], factors[0], asked(arrivals)), periodic=True)
    return table(np.array(lengths_s), np.array(factors) * asked(arrivals), periodic=True)


def asked(arrivals: Arrivals) -> float:
    """The rate; raises ValueError where there is none."""
    if arrivals.rate is None or not arrivals.rate > 0:
        raise ValueError(f"{arrivals.law} arrivals want a rate above 0")
    return arrivals.rate


def ramp(arrivals: Arrivals, count: int) -> Floats:
    """Rate of the gap before each request but the first, by its progress p = i / (count - 1), as in vLLM and AISBench.

    linear: start + (end - start) p. exponential: start (end / start)^p. At least one rate, for a run of one request.
    """
    start = arrivals.ramp_up_start_rps
    end = asked(arrivals) if arrivals.ramp_up_end_rps is None else arrivals.ramp_up_end_rps
    exponential = arrivals.ramp_up_strategy == "exponential"
    if not end > 0 or start < 0 or (exponential and start == 0):
        raise ValueError("a ramp wants an end above 0, and an exponential one a start above 0")
    gaps = max(1, count - 1)
    progress: Floats = np.arange(1, gaps + 1) / gaps
    rates: Floats = start * (end / start) ** progress if exponential else start + (end - start) * progress
    return rates


def ramp_s(arrivals: Arrivals, gaps: int) -> float:
    """About how long a ramp of so many gaps takes: the sum of 1 / `ramp` without its terms, right to some 8 digits."""
    start, end = arrivals.ramp_up_start_rps, arrivals.ramp_up_end_rps or asked(arrivals)
    low, high = sorted((start, end))
    if high - low < 1e-6 * high:
        return gaps * (1 / start + 1 / end) / 2
    if arrivals.ramp_up_strategy == "exponential":
        factor = math.log(start / end) / gaps
        return math.exp(factor) * (1 / start - 1 / end) / -math.expm1(factor)
    first = low * gaps / (high - low) + (1 if start < end else 0)
    return gaps / (high - low) * (digamma(first + gaps) - digamma(first))


def digamma(x: float) -> float:
    """Derivative of log gamma of x > 0: Abramowitz and Stegun, 6.3.5 and 6.3.18."""
    found = 0.0
    while x < 10:
        found -= 1 / x
        x += 1
    inverse = 1 / (x * x)
    series = inverse * (1 / 12 - inverse * (1 / 120 - inverse * (1 / 252 - inverse / 240)))
    return found + math.log(x) - 1 / (2 * x) - series


def sine(period_s: float, depth: float, rate: float) -> tuple[Floats, Floats]:
    """Lengths and rates of the steps of rate (1 + depth sin(2 pi t / period)); its mean over a period is the rate."""
    edges = np.linspace(0, 2 * np.pi, SINE_STEPS + 1)
    factors = 1 - depth * np.diff(np.cos(edges)) / np.diff(edges)
    return np.full(SINE_STEPS, period_s / SINE_STEPS), rate * np.maximum(factors, 0.0)


def table(lengths_s: Floats, rates: Floats, periodic: bool = False) -> Pace:
    """A pace of steps that last so long; the last one goes on for ever, unless all is repeated."""
    ends, sums = np.cumsum(lengths_s), np.cumsum(lengths_s * rates)
    starts, counts = np.concatenate(([0.0], ends[:-1])), np.concatenate(([0.0], sums[:-1]))
    return Pace(starts, rates, counts, float(ends[-1]) if periodic else None, float(sums[-1]))


def reached(pace: Pace, counts: Floats) -> Floats:
    """Seconds after which so many requests were asked for. At the start of a pause it is the time of its end, as
    nothing is sent before."""
    if pace.rates.size == 1 and pace.period_s is None:
        even: Floats = counts / pace.rates[0]
        return even
    raised = counts * (1 + 1e-12) + min(HAIR, HAIR_OF_STEP * pace.per_period / pace.rates.size)
    rounds = np.floor(raised / pace.per_period) if pace.period_s is not None else np.zeros(1)
    raised, counts = raised - rounds * pace.per_period, counts - rounds * pace.per_period
    step = steps_of(pace.counts, raised)
    rates = pace.rates[step]
    within = np.maximum(counts - pace.counts[step], 0.0)
    found: Floats = rounds * (pace.period_s or 0.0) + pace.starts_s[step] + within / np.where(rates > 0, rates, 1.0)
    return found


def in_ns(times_s: Floats) -> NDArray[np.int64]:
    """Whole nanoseconds, each rounded by itself: no drift. Raises UserError for more than 146 years."""
    found_ns = times_s * NS
    if found_ns.size and not found_ns.max() < LONGEST_NS:
        raise UserError("the last request would be due in more than 146 years; give a higher rate or fewer --requests")
    return np.rint(found_ns, out=found_ns).astype(np.int64)


def passed(pace: Pace, times_s: Floats) -> Floats:
    """Requests that were asked for until each time, fractions of one included."""
    within, before = folded(pace, times_s)
    step = steps_of(pace.starts_s, within)
    found: Floats = before + pace.counts[step] + (within - pace.starts_s[step]) * pace.rates[step]
    return found


def rate_at(pace: Pace, times_s: Floats) -> Floats:
    """Requests per second that are asked for at each time."""
    return pace.rates[steps_of(pace.starts_s, folded(pace, times_s)[0])]


def folded(pace: Pace, times_s: Floats) -> tuple[Floats, Floats | float]:
    """Times within their period, and the requests of the periods before."""
    if pace.period_s is None:
        return times_s, 0.0
    rounds = np.floor(times_s / pace.period_s)
    return times_s - rounds * pace.period_s, rounds * pace.per_period


def steps_of(starts: Floats, values: Floats) -> NDArray[np.int64]:
    """The step in which each value lies: the last one of those that start there."""
    return np.maximum(np.searchsorted(starts, values, side="right") - 1, 0)
