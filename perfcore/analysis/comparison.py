"""By how much two runs differ, and how sure that is: 95 % intervals of differences of means, percentiles and rates.

Latencies: a bootstrap of blocks of consecutive requests (Carlstein 1986), each at least as many as were in flight on
average, as requests that share a queue are not independent. Where the same requests ran in both, the same blocks are
drawn of both, so that what they have in common (long prompts, long answers) cancels. Each draw has a mean or percentile
of its own. The draws are too close to each other for few blocks (Hesterberg 2015) and for correlation that is left
(Tafazzoli et al. 2011, on what each block adds: a jackknife), and are moved apart by that much.

They are moved in values. To move the share of values below a percentile and turn that back into a value (Woodruff 1952,
as for single runs in perfcore/analysis/steady/intervals.py) fails where latencies drift by less than they are apart:
a block is then all below or all above, the share may be almost anything, and turns back into the farthest outliers.

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
ALL = 2048  # values of a sample that are all tried as its percentiles
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


class Blocks(NamedTuple):
    """A sample by blocks: how many values of each block are at most as large as each of `levels`, which ascend.

    `counts`: a row for each level, a column for each block; none for a mean. `sums`: of the values of each block, for a
    mean alone. `sizes`: how many values each has.
    """

    levels: Floats
    counts: Floats
    sums: Floats
    sizes: Floats


class Drawn(NamedTuple):
    """A statistic of a sample: its value, its values in the draws of a bootstrap."""

    value: float
    draws: Floats


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
    a, b = by_size(a), by_size(b)
    blocks = (block_count(a.requests, in_flight[0]), block_count(b.requests, in_flight[1]))
    return {name: of_statistic(a, b, name, blocks, paired, seed) for name in STATISTICS}


def by_size(one: Sample) -> Sample:
    """The same, sorted by value; what is read below is, once for all statistics."""
    order = np.argsort(one.values, kind="stable")
    return Sample(one.values[order], one.owner[order], one.requests)


def block_count(requests: int, in_flight: float) -> int:
    """Blocks of whole turnovers: of so many requests that all that were in flight have changed; 20 at most."""
    turnovers = int(requests / max(in_flight, 1.0))
    return turnovers // max(1, -(-turnovers // MOST))


def of_statistic(a: Sample, b: Sample, name: str, blocks: tuple[int, int], paired: bool, seed: int) -> Difference:
    """One statistic of two samples."""
    why = unsupported(name, a.values.size, b.values.size) or unsure(a, b, blocks, paired)
    if why:
        return plain(value(a.values, name), value(b.values, name), why)
    rng = np.random.default_rng(seed)
    if paired:
        return between(*together(a, b, name, min(blocks), rng))
    return between(alone(a, name, blocks[0], rng), alone(b, name, blocks[1], rng))


def unsupported(name: str, *sizes: int) -> str:
    rank = PERCENTILES.get(name)
    return FEW_BEYOND if rank is not None and min(sizes) * (1000 - rank) < BEYOND * 1000 else ""


def unsure(a: Sample, b: Sample, blocks: tuple[int, int], paired: bool) -> str:
    """Why blocks do not say how much a statistic varies; "" where they do."""
    if min(blocks) < FEWEST:
        return TOO_SHORT
    counts = (min(blocks), min(blocks)) if paired else blocks
    least = min(int(held(count, one).sum()) for count, one in zip(counts, (a, b), strict=True))
    return ONE_PLACE if least < FEWEST else ""


def held(blocks: int, *samples: Sample) -> NDArray[np.bool_]:
    """Which blocks have a value in any of the samples: connections, say, are opened in the first ones alone."""
    found = np.zeros(blocks, dtype=bool)
    for one in samples:
        found[one.owner * blocks // one.requests] = True
    return found


def value(values: Floats, name: str) -> float:
    """Of sorted values; percentiles are interpolated linearly."""
    if name == MEAN:
        return float(values.mean())
    place = PERCENTILES[name] / 1000 * (values.size - 1)
    left = int(place)
    right = min(left + 1, values.size - 1)
    return float(values[left] + (place - left) * (values[right] - values[left]))


def alone(one: Sample, name: str, blocks: int, rng: np.random.Generator) -> Drawn:
    """A statistic in draws of a run's own blocks."""
    own = cut(one, name, held(blocks, one))
    left = fewer(blocks, influences(own, name))
    own = own if left == blocks else cut(one, name, held(left, one))
    return spread(one, name, in_draws(own, name, drawn_counts(own.sizes.size, rng)), widening(influences(own, name)))


def together(a: Sample, b: Sample, name: str, blocks: int, rng: np.random.Generator) -> tuple[Drawn, Drawn]:
    """A statistic of both in draws of the same blocks; blocks are merged as the difference needs it."""
    first, second = (cut(one, name, held(blocks, a, b)) for one in (a, b))
    left = fewer(blocks, apart(first, second, name))
    if left != blocks:
        first, second = (cut(one, name, held(left, a, b)) for one in (a, b))
    counts, wider = drawn_counts(first.sizes.size, rng), widening(apart(first, second, name))
    return (
        spread(a, name, in_draws(first, name, counts), wider),
        spread(b, name, in_draws(second, name, counts), wider),
    )


def spread(one: Sample, name: str, draws: Floats, wider: float) -> Drawn:
    """Draws that are `wider` apart, and not beyond the values of the sample, where no mean and no percentile lies."""
    middle = value(one.values, name)
    return Drawn(middle, np.clip(middle + wider * (draws - middle), one.values[0], one.values[-1]))


def fewer(blocks: int, errors: Floats) -> int:
    """How many blocks are left when those with values are merged as their correlation asks for."""
    return blocks * merged(errors).size // errors.size


def apart(first: Blocks, second: Blocks, name: str) -> Floats:
    """What each block adds to the error of the difference."""
    return influences(second, name) - influences(first, name)


def influences(own: Blocks, name: str) -> Floats:
    """What each block adds to the error of a statistic: by how much it moves without that block (jackknife)."""
    without = in_draws(own, name, 1.0 - np.eye(own.sizes.size))
    errors: Floats = (own.sizes.size - 1) * (without.mean() - without)
    return errors


def cut(one: Sample, name: str, kept: NDArray[np.bool_]) -> Blocks:
    """A sample in blocks of consecutive requests, which need not have equally many values.

    Blocks that are not `kept` have none and are no blocks: they would make a sample of one place look as if it did not
    vary.
    """
    block = (np.cumsum(kept) - 1)[one.owner * kept.size // one.requests]
    k = int(kept.sum())
    sizes = np.bincount(block, minlength=k).astype(np.float64)
    if name == MEAN:
        sums = np.bincount(block, one.values, k).astype(np.float64)
        return Blocks(np.zeros(0), np.zeros((0, k)), sums, sizes)
    levels = levels_of(one.values, PERCENTILES[name] / 1000)
    ends = one.values.searchsorted(levels, side="right")
    row = np.repeat(np.arange(levels.size), np.diff(ends, prepend=0))
    each = np.bincount(row * k + block, minlength=levels.size * k).reshape(levels.size, k)
    return Blocks(levels, each.cumsum(axis=0, dtype=np.float64), np.zeros(k), sizes)


def levels_of(values: Floats, share: float) -> Floats:
    """The values that a percentile may have in draws: all, or of many the more the nearer they are to it."""
    if values.size <= ALL:
        return np.unique(values)
    away = np.geomspace(1.0 / values.size, 1.0, ALL // 2)
    shares = np.concatenate(([0.0, share, 1.0], share - away, share + away)).clip(0.0, 1.0)
    return np.unique(values[(shares * (values.size - 1)).round().astype(np.int64)])


def in_draws(own: Blocks, name: str, drawn: Floats) -> Floats:
    """A statistic with each block as often as `drawn` says, a row for each draw; of no values at all, that of all."""
    drawn = np.where((drawn @ own.sizes > 0)[:, np.newaxis], drawn, 1.0)
    sizes = drawn @ own.sizes
    if name == MEAN:
        means: Floats = (drawn @ own.sums) / sizes
        return means
    places = PERCENTILES[name] / 1000 * (sizes - 1)
    left = np.floor(places)
    low, high = ranked(own, drawn, left), ranked(own, drawn, np.minimum(left + 1, sizes - 1))
    found: Floats = low + (places - left) * (high - low)
    return found


def ranked(own: Blocks, drawn: Floats, places: Floats) -> Floats:
    """The value at a place, from 0 on, among the sorted values of each draw: bisected over the levels."""
    low, high = np.zeros(places.size, np.int64), np.full(places.size, own.levels.size - 1)
    for _ in range(own.levels.size.bit_length()):
        middle = (low + high) // 2
        enough = np.einsum("db,db->d", own.counts[middle], drawn) > places
        low, high = np.where(enough, low, np.minimum(middle + 1, high)), np.where(enough, middle, high)
    return own.levels[low]


def drawn_counts(blocks: int, rng: np.random.Generator) -> Floats:
    """How often each block is drawn, a row for each draw."""
    return rng.multinomial(blocks, np.full(blocks, 1.0 / blocks), DRAWS).astype(np.float64)


def widening(errors: Floats) -> float:
    """By what the draws are too narrow: for few blocks (Hesterberg 2015) and for what correlation is left."""
    k = errors.size
    wider = float(k / (k - 1) * inflation(errors)) ** 0.5
    return float(student.quantile(LEVEL, k - 1) / Z * wider)


def between(a: Drawn, b: Drawn) -> Difference:
    """The difference of two statistics and its intervals, from their draws."""
    low, high = np.quantile(b.draws - a.draws, SIDES)
    times = None
    if a.value > 0 and a.draws.min() > 0:
        ends = np.quantile(b.draws / a.draws, SIDES) - 1.0
        times = (float(ends[0]), float(ends[1]))
    ends_of = (float(low), float(high))
    return Difference(a.value, b.value, b.value - a.value, ends_of, relative(a.value, b.value), times)


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
