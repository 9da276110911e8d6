"""How sure a number is: 95 % intervals of means, rates, percentiles and shares of correlated samples.

Means and rates: batch means with Student's t (Law and Carson 1979; Schmeiser 1982 on why some thirty batches are
enough). Batches are merged two by two while neighbours are significantly correlated, and what correlation is left
widens the interval as that of an autoregressive series of order one would (the correction of Skart, Tafazzoli et al.
2011).

Rates are cut into whole cycles, the mean lifetime of a request: loops run in cohorts, and a batch of one and a half
cohorts says more of where its edges lie than of the server.

Percentiles: the share of values below the percentile has an interval by a bootstrap of whole batches (Carlstein 1986),
its quantiles moved outwards for few batches (Hesterberg 2015, the expanded percentile interval); the percentiles at
the two ends of that interval are those of the percentile (Woodruff 1952). Bootstrapping the percentile itself covers
the truth in 87 to 91 % where waiting times are correlated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.absent import Absent
from perfcore.analysis.stats import BEYOND
from perfcore.analysis.steady import batches, student

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Values = NDArray[np.int64] | NDArray[np.float64]

NS = 1e9
LEVEL = 0.975  # of each side
Z = NormalDist().inv_cdf(LEVEL)
MOST = 20  # batches: more of them narrow the interval by next to nothing
FEWEST = 3  # batches that still say something of how they vary
MERGED = 8  # batches that are not merged any further
DOUBT = 1.645  # correlation of neighbours in standard errors that is taken for real, 5 % of one side
PAIRED, TRIPLED = 8, 24  # cycles from which on a batch of a rate holds two of them, and three
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True)
class Interval:
    """A 95 % interval, in the unit of the values, and what it rests on."""

    low: float
    high: float
    effective_n: float  # how many independent values would say as much: requests; of rates and levels, batches
    batches: int
    method: str


def mean_interval(values: Values, order: Times | None = None, most: int = MOST) -> Interval | Absent:
    """Of the mean of correlated values.

    `order`: what to sort them by, the due times (None: they are in order). `most`: batches to begin with; of a window
    `Window.most_batches`, so that in lockstep each is a whole number of cycles.
    """
    count = min(values.size, most, MOST)
    if count < FEWEST:
        return Absent(f"fewer than {FEWEST} values do not say how much they vary")
    means = merged(batches.grouped(ordered(values, order), count))
    return around(float(values.mean(dtype=np.float64)), means, float(np.var(values, ddof=1)), values.size)


def rate_interval(
    stamps_ns: Times, weights: Floats | None, start_ns: int, end_ns: int, cycle_ns: float
) -> Interval | Absent:
    """Of the weight per second of events in `[start_ns, end_ns)`; `cycle_ns`: the mean lifetime of a request.

    Never narrower than one event more or less in the window: cohorts that are all alike vary by nothing at all.
    """
    count = cycled(start_ns, end_ns, cycle_ns)
    if isinstance(count, Absent):
        return count
    found = series_interval(batches.rates(stamps_ns, weights, start_ns, end_ns, count))
    inside = (stamps_ns >= start_ns) & (stamps_ns < end_ns)
    if isinstance(found, Absent) or not inside.any():
        return found
    heaviest = 1.0 if weights is None else float(weights[inside].max())
    return at_least(found, heaviest / (end_ns - start_ns) * NS)


def at_least(found: Interval, reach: float) -> Interval:
    """The interval, no narrower than this to both sides of its middle."""
    middle = (found.low + found.high) / 2
    return replace(found, low=min(found.low, middle - reach), high=max(found.high, middle + reach))


def level_interval(sent_ns: Times, ended_ns: Times, start_ns: int, end_ns: int, cycle_ns: float) -> Interval | Absent:
    """Of the mean number of requests in flight over the window."""
    count = cycled(start_ns, end_ns, cycle_ns)
    if isinstance(count, Absent):
        return count
    return series_interval(batches.levels(sent_ns, ended_ns, start_ns, end_ns, count))


def series_interval(values: Floats) -> Interval | Absent:
    """Of the mean of equal intervals of a window, each at least a cycle long."""
    if values.size < FEWEST:
        return Absent(f"fewer than {FEWEST} batches do not say how much they vary")
    return around(float(values.mean()), merged(values), float(np.var(values, ddof=1)), values.size)


def percentile_interval(
    values: Values, q: float, seed: int, order: Times | None = None, most: int = MOST
) -> Interval | Absent:
    """Of the `q`th percentile (0 to 100) of correlated values; Absent with fewer than 10 values beyond it.

    `order`, `most`: as of `mean_interval`.
    """
    return percentile_intervals(values, (q,), seed, order, most)[0]


def percentile_intervals(
    values: Values, qs: Sequence[float], seed: int, order: Times | None = None, most: int = MOST
) -> list[Interval | Absent]:
    """`percentile_interval` of each of `qs`, for the price of one sort: samples may have millions of values."""
    sequence = ordered(values, order)
    by_size = np.sort(sequence)
    count = min(values.size, most, MOST)
    return [percentile_of(sequence, by_size, q, count, seed) for q in qs]


def percentile_of(sequence: Floats, by_size: Floats, q: float, count: int, seed: int) -> Interval | Absent:
    if by_size.size * min(q, 100.0 - q) < BEYOND * 100.0:
        return Absent(f"fewer than {BEYOND} values lie beyond it")
    if count < FEWEST:
        return Absent(f"fewer than {FEWEST} batches do not say how much they vary")
    below = (sequence <= at_share(by_size, q / 100.0)).astype(np.float64)
    means = merged(batches.grouped(below, count))
    ends = bootstrap(means, np.random.default_rng(seed)) + (q / 100.0 - means.mean())
    low, high = (at_share(by_size, min(max(float(end), 0.0), 1.0)) for end in ends)
    effective = effective_n(float(below.var(ddof=1)), means, by_size.size)
    return Interval(low, high, effective, means.size, "block bootstrap")


def at_share(by_size: Floats, share: float) -> float:
    """The percentile of sorted values, interpolated linearly."""
    place = share * (by_size.size - 1)
    left = int(place)
    right = min(left + 1, by_size.size - 1)
    return float(by_size[left] + (place - left) * (by_size[right] - by_size[left]))


def wilson(successes: int, n: int, effective: float | None = None) -> Interval | Absent:
    """Of a share, after Wilson (1927); `effective`: of how many independent values, where they are correlated."""
    if n == 0:
        return Absent("no request was counted")
    size = min(float(n), effective or float(n))
    share, shrink = successes / n, 1.0 + Z * Z / size
    middle = (share + Z * Z / (2 * size)) / shrink
    reach = Z / shrink * (share * (1 - share) / size + Z * Z / (4 * size * size)) ** 0.5
    return Interval(max(0.0, middle - reach), min(1.0, middle + reach), size, n, "Wilson")


def ordered(values: Values, order: Times | None) -> Floats:
    taken = values if order is None else values[np.argsort(order, kind="stable")]
    return taken.astype(np.float64)


def cycled(start_ns: int, end_ns: int, cycle_ns: float) -> int | Absent:
    """How many batches of whole cycles a window has."""
    cycles = round((end_ns - start_ns) / cycle_ns) if cycle_ns > 0 else 0
    if cycles < FEWEST:
        return Absent(f"the window is shorter than {FEWEST} times the mean latency of a request")
    return cycles // batch_cycles(cycles)


def batch_cycles(cycles: int) -> int:
    """How many whole cycles of so many make a batch: the longer, the less it depends on its neighbours."""
    each = 1 if cycles < PAIRED else 2 if cycles < TRIPLED else 3
    return max(each, -(-cycles // MOST))


def merged(means: Floats) -> Floats:
    """Batch means, merged two by two while neighbours are correlated and enough are left."""
    while means.size >= 2 * MERGED and batches.lag1(means) > DOUBT / means.size**0.5:
        means = batches.grouped(means, means.size // 2)
    return means


def inflation(means: Floats) -> float:
    """By what the variance of the mean exceeds that of independent batches, for what correlation is left."""
    left = min(max(batches.lag1(means) + 1.0 / means.size, 0.0), 0.8)
    return (1.0 + left) / (1.0 - left)


def around(mean: float, means: Floats, spread: float, n: int) -> Interval:
    k = means.size
    variance = float(np.var(means, ddof=1)) / k * inflation(means)
    reach = student.quantile(LEVEL, k - 1) * variance**0.5
    return Interval(mean - reach, mean + reach, effective_n(spread, means, n), k, "batch means")


def effective_n(spread: float, means: Floats, n: int) -> float:
    """How many independent values of this variance have a mean that is as sure."""
    variance = float(np.var(means, ddof=1)) / means.size * inflation(means)
    return min(float(n), spread / variance) if variance > 0 else float(n)


def bootstrap(means: Floats, rng: np.random.Generator) -> Floats:
    """The two ends of the interval of the mean of batches that are drawn anew with replacement."""
    k = means.size
    drawn = rng.multinomial(k, np.full(k, 1.0 / k), DRAWS) @ means / k
    reach = student.quantile(LEVEL, k - 1) * (k / (k - 1) * inflation(means)) ** 0.5
    side = 1.0 - NormalDist().cdf(reach)
    ends: Floats = np.quantile(drawn, [side, 1.0 - side])
    return ends
