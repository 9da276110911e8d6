"""By how much two runs differ, and how sure that is: 95 % intervals of differences of means, percentiles and rates.

Latencies: a bootstrap of blocks of consecutive requests (Carlstein 1986), each at least as many as were in flight on
average, as requests that share a queue are not independent. Where the same requests ran in both, the same blocks are
drawn of both, so that what they have in common (long prompts, long answers) cancels. A percentile is drawn by the share
of values below it, which is turned back into a value (Woodruff 1952), as in perfcore/analysis/steady/intervals.py; so
are the corrections for few blocks and for the correlation that is left.

Rates and shares, of which each run has an interval of its own: the method of variance estimates recovery, which takes
the distance from a number to the end of its interval as its uncertainty on that side (Zou and Donner, Statistics in
Medicine 27, 2008); ratios in the same way on logarithms.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.pairing import Sample
from perfcore.analysis.stats import BEYOND, PERCENTILES
from perfcore.analysis.steady import student
from perfcore.analysis.steady.intervals import DRAWS, FEWEST, LEVEL, MOST, Z, inflation, merged

Floats = NDArray[np.float64]
Ends = tuple[float, float]
SIDES = (1.0 - LEVEL, LEVEL)
MEAN = "mean"
STATISTICS = (MEAN, *PERCENTILES)
TOO_SHORT = f"fewer than {FEWEST} times as many requests as were in flight"
ONE_PLACE = f"its values come from fewer than {FEWEST} stretches of the run"
FEW_BEYOND = f"fewer than {BEYOND} values lie beyond it"


@dataclass(frozen=True)
class Difference:
    """Of `b` against `a`: `absolute` is b - a, `relative` b / a - 1, each with the ends of its 95 % interval.

    `why` says what there is not, and why.
    """

    a: float | None
    b: float | None
    absolute: float | None
    absolute_ci95: Ends | None = None
    relative: float | None = None
    relative_ci95: Ends | None = None
    why: str = ""

    @property
    def significant(self) -> bool | None:
        """Whether 0 lies outside of the interval; None without one."""
        if self.absolute_ci95 is None:
            return None
        return not self.absolute_ci95[0] <= 0.0 <= self.absolute_ci95[1]


class Drawn(NamedTuple):
    """A statistic of a sample: its value, its values in the draws of a bootstrap."""

    value: float
    draws: Floats


class Part(NamedTuple):
    """A statistic by blocks: what each adds to its error, and how much a unit of that is worth in values."""

    value: float
    errors: Floats
    slope: float


def plain(a: float | None, b: float | None, why: str) -> Difference:
    """Of two numbers that say nothing of how sure they are; `why` not."""
    if a is None or b is None:
        return Difference(a, b, None, why=why)
    return Difference(a, b, b - a, relative=relative(a, b), why=why)


def relative(a: float, b: float) -> float | None:
    return b / a - 1.0 if a > 0 else None


def of_samples(a: Sample, b: Sample, in_flight: Ends, paired: bool, seed: int) -> dict[str, Difference]:
    """Every statistic of two samples: the mean, and the percentiles of metrics.json.

    `in_flight`: requests in flight on average, of each. `paired`: entry for entry the same requests. Draws are those of
    `seed`, so that the same runs always give the same numbers.
    """
    if a.values.size == 0 or b.values.size == 0:
        return {}
    sorted_a, sorted_b = np.sort(a.values), np.sort(b.values)
    blocks = (block_count(a.requests, in_flight[0]), block_count(b.requests, in_flight[1]))
    return {name: of_statistic(a, b, sorted_a, sorted_b, name, blocks, paired, seed) for name in STATISTICS}


def block_count(requests: int, in_flight: float) -> int:
    """Blocks of whole turnovers: of so many requests that all that were in flight have changed; 20 at most."""
    turnovers = int(requests / max(in_flight, 1.0))
    return turnovers // max(1, -(-turnovers // MOST))


def of_statistic(
    a: Sample,
    b: Sample,
    sorted_a: Floats,
    sorted_b: Floats,
    name: str,
    blocks: tuple[int, int],
    paired: bool,
    seed: int,
) -> Difference:
    """One statistic of two samples."""
    value_a, value_b = value(a.values, sorted_a, name), value(b.values, sorted_b, name)
    why = unsupported(name, sorted_a.size, sorted_b.size) or unsure(a, b, blocks, paired)
    if why:
        return plain(value_a, value_b, why)
    rng = np.random.default_rng(seed)
    if paired:
        drawn = together(a, b, sorted_a, sorted_b, name, min(blocks), rng)
    else:
        drawn = (alone(a, sorted_a, name, blocks[0], rng), alone(b, sorted_b, name, blocks[1], rng))
    return between(*drawn)


def unsupported(name: str, *sizes: int) -> str:
    rank = PERCENTILES.get(name)
    return FEW_BEYOND if rank is not None and min(sizes) * (1000 - rank) < BEYOND * 1000 else ""


def unsure(a: Sample, b: Sample, blocks: tuple[int, int], paired: bool) -> str:
    """Why blocks do not say how much a statistic varies; "" where they do."""
    if min(blocks) < FEWEST:
        return TOO_SHORT
    together = held(min(blocks), a, b).sum() if paired else min(held(blocks[0], a).sum(), held(blocks[1], b).sum())
    return ONE_PLACE if together < FEWEST else ""


def held(blocks: int, *samples: Sample) -> NDArray[np.bool_]:
    """Which blocks have a value in any of the samples: connections, say, are opened in the first ones alone."""
    found = np.zeros(blocks, dtype=bool)
    for one in samples:
        found[one.owner * blocks // one.requests] = True
    return found


def value(values: Floats, by_size: Floats, name: str) -> float:
    return float(values.mean()) if name == MEAN else float(at_shares(by_size, np.array(PERCENTILES[name] / 1000)))


def at_shares(by_size: Floats, shares: Floats) -> Floats:
    """Percentiles of sorted values, interpolated linearly."""
    places = np.clip(shares, 0.0, 1.0) * (by_size.size - 1)
    left = places.astype(np.int64)
    right = np.minimum(left + 1, by_size.size - 1)
    result: Floats = by_size[left] + (places - left) * (by_size[right] - by_size[left])
    return result


def alone(one: Sample, by_size: Floats, name: str, blocks: int, rng: np.random.Generator) -> Drawn:
    """A statistic in draws of a run's own blocks."""
    errors = part(one, by_size, name, held(blocks, one)).errors
    own = part(one, by_size, name, held(fewer(blocks, errors), one))
    counts = drawn_counts(own.errors.size, rng)
    return turned(own, by_size, name, counts, widening(own.errors))


def together(
    a: Sample, b: Sample, sorted_a: Floats, sorted_b: Floats, name: str, blocks: int, rng: np.random.Generator
) -> tuple[Drawn, Drawn]:
    """A statistic of both in draws of the same blocks; blocks are merged as the difference needs it."""
    kept = held(blocks, a, b)
    first, second = part(a, sorted_a, name, kept), part(b, sorted_b, name, kept)
    kept = held(fewer(blocks, apart(first, second)), a, b)
    first, second = part(a, sorted_a, name, kept), part(b, sorted_b, name, kept)
    counts, wider = drawn_counts(first.errors.size, rng), widening(apart(first, second))
    return turned(first, sorted_a, name, counts, wider), turned(second, sorted_b, name, counts, wider)


def fewer(blocks: int, errors: Floats) -> int:
    """How many blocks are left when those with values are merged as their correlation asks for."""
    return blocks * merged(errors).size // errors.size


def apart(first: Part, second: Part) -> Floats:
    """What each block adds to the error of the difference."""
    return second.slope * second.errors - first.slope * first.errors


def part(one: Sample, by_size: Floats, name: str, kept: NDArray[np.bool_]) -> Part:
    """What each block of consecutive requests adds to the error of a statistic; the mean over blocks is 0.

    Blocks need not have equally many values: a block counts by the sum of its deviations. Those that are not `kept`
    have none and are no blocks: they would make a sample of one place look as if it did not vary.
    """
    found = value(one.values, by_size, name)
    values = one.values if name == MEAN else (one.values <= found).astype(np.float64)
    block = one.owner * kept.size // one.requests
    sums, sizes = np.bincount(block, values, kept.size)[kept], np.bincount(block, minlength=kept.size)[kept]
    errors: Floats = (sums - values.mean() * sizes) * (sizes.size / values.size)
    return Part(found, errors, 1.0 if name == MEAN else slope(by_size, PERCENTILES[name] / 1000, errors))


def slope(by_size: Floats, share: float, errors: Floats) -> float:
    """By how much the percentile grows with its share, over the reach of the share's error."""
    reach = max(float(errors.std(ddof=1)) / errors.size**0.5, 1.0 / by_size.size)
    ends = np.clip(np.array([share - reach, share + reach]), 0.0, 1.0)
    low, high = at_shares(by_size, ends)
    return float((high - low) / (ends[1] - ends[0]))


def drawn_counts(blocks: int, rng: np.random.Generator) -> Floats:
    """How often each block is drawn, a row for each draw."""
    return rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), DRAWS).astype(np.float64)


def widening(errors: Floats) -> float:
    """By what the draws are too narrow: for few blocks (Hesterberg 2015) and for what correlation is left."""
    k = errors.size
    wider = float(k / (k - 1) * inflation(errors)) ** 0.5
    return float(student.quantile(LEVEL, k - 1) / Z * wider)


def turned(own: Part, by_size: Floats, name: str, counts: Floats, wider: float) -> Drawn:
    """From how often each block is drawn to values of the statistic."""
    errors = counts @ own.errors / own.errors.size * wider
    if name == MEAN:
        return Drawn(own.value, own.value + errors)
    return Drawn(own.value, at_shares(by_size, PERCENTILES[name] / 1000 + errors))


def between(a: Drawn, b: Drawn) -> Difference:
    """The difference of two statistics and its intervals, from their draws."""
    low, high = np.quantile(b.draws - a.draws, SIDES)
    times = None
    if a.value > 0 and a.draws.min() > 0:
        ends = np.quantile(b.draws / a.draws, SIDES) - 1.0
        times = (float(ends[0]), float(ends[1]))
    found = Difference(
        a.value, b.value, b.value - a.value, (float(low), float(high)), relative(a.value, b.value), times
    )
    return found


def of_intervals(a: float, b: float, ends_a: Ends | None, ends_b: Ends | None, why: str) -> Difference:
    """Of two independent numbers with intervals of their own; `why` one has none."""
    if ends_a is None or ends_b is None:
        return plain(a, b, why)
    ratio = None
    if min(a, b, ends_a[0], ends_b[0]) > 0:
        logs = recovered(*(np.log([number, *ends]) for number, ends in ((a, ends_a), (b, ends_b))))
        ratio = (float(np.expm1(logs[0])), float(np.expm1(logs[1])))
    absolute = recovered(np.array([a, *ends_a]), np.array([b, *ends_b]))
    return Difference(a, b, b - a, absolute, relative(a, b), ratio)


def recovered(a: Floats, b: Floats) -> Ends:
    """Interval of b - a, each given as number, low end and high end."""
    middle = float(b[0] - a[0])
    down = float(np.hypot(b[0] - b[1], a[2] - a[0]))
    up = float(np.hypot(b[2] - b[0], a[0] - a[1]))
    return middle - down, middle + up
