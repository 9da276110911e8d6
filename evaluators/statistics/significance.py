"""Is one model better than another on the same items, or is the difference within chance?"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from evaluators.statistics.counting import RIGHT
from evaluators.statistics.intervals import NORMAL, student
from evaluators.statistics.result import Items, Result

ALPHA = 0.05
DRAWS = 10_000  # of signs; the smallest p value is 1 / (DRAWS + 1)
RESAMPLES = 2_000
CHUNK = 4_000_000  # random numbers at a time
FINE = 1_000  # sizes of difference that are told apart
SEED = 20240501

Values = NDArray[np.float64]


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Of model `b` against model `a`: `difference` is the score of b less that of a, over the items that both have.

    `p` is two-sided, `p_adjusted` corrected for the number of models that are compared. `wins` and `losses` count the
    items on which b is better and worse. Null figures: nothing could be computed, and `why` says so.
    """

    dataset: str
    metric: str
    a: str
    b: str
    items: int
    left_out: int  # items that only one of them has, or that one has no score for
    a_score: float | None = None
    b_score: float | None = None
    wins: int = 0
    losses: int = 0
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    how: str = ""
    why: str = ""

    @property
    def significant(self) -> bool:
        """At the level of 5 %, after the correction."""
        p = self.p if self.p_adjusted is None else self.p_adjusted
        return p is not None and p < ALPHA


class Pairs(NamedTuple):
    """Scores of the items that both have."""

    a: Values
    b: Values
    single: bool  # each is 0 or 1, of one answer
    left_out: int


def compare_all(results: Sequence[Result], seed: int = SEED) -> list[Comparison]:
    """All models against the first, on one data set, with p values after Holm (1979)."""
    found = [compare(results[0], other, seed) for other in results[1:]]
    adjusted = holm([one.p for one in found])
    return [replace(one, p_adjusted=p) for one, p in zip(found, adjusted, strict=True)]


def compare(a: Result, b: Result, seed: int = SEED) -> Comparison:
    """McNemar's exact test where every item has one answer that is right or wrong; else a permutation of signs."""
    pairs = paired(a.items, b.items)
    items = len(pairs.a)
    found = Comparison(dataset=a.dataset, metric=a.metric, a=a.model, b=b.model, items=items, left_out=pairs.left_out)
    if (a.metric, a.mode, a.version) != (b.metric, b.mode, b.version):
        return replace(found, why="they were asked or scored differently, so that their scores cannot be compared")
    if items < 2:
        return replace(found, why="they have fewer than 2 items in common")
    difference = pairs.b - pairs.a
    wins, losses = int(np.sum(difference > 0)), int(np.sum(difference < 0))
    rng = np.random.default_rng(seed)
    low, high = bonett_price(wins, losses, items) if pairs.single else bootstrap(difference, rng)
    return replace(
        found,
        a_score=float(pairs.a.mean()),
        b_score=float(pairs.b.mean()),
        wins=wins,
        losses=losses,
        difference=float(difference.mean()),
        low=low,
        high=high,
        p=mcnemar(wins, losses) if pairs.single else permutation(difference, rng),
        how="McNemar, exact" if pairs.single else f"paired permutation and bootstrap over items, seed {seed}",
    )


def paired(a: Items, b: Items) -> Pairs:
    """Items are the same if subset and id are."""
    mine, theirs = scores_of(a), scores_of(b)
    common = [
        key for key, (score, _) in mine.items() if score is not None and theirs.get(key, (None, 0))[0] is not None
    ]
    first = np.array([mine[key][0] for key in common], np.float64)
    second = np.array([theirs[key][0] for key in common], np.float64)
    both = np.concatenate([first, second])
    once = all(mine[key][1] == 1 == theirs[key][1] for key in common)
    single = once and bool(np.all((both <= 1.0 - RIGHT) | (both >= RIGHT)))
    return Pairs(first, second, single, len(mine.keys() | theirs.keys()) - len(common))


def scores_of(items: Items) -> Mapping[tuple[str, str], tuple[float | None, int]]:
    """Score and number of answers by subset and id."""
    subsets = [items.names[at] for at in items.subsets]
    return dict(zip(zip(subsets, items.ids, strict=True), zip(items.scores, items.answers, strict=True), strict=True))


def mcnemar(wins: int, losses: int) -> float:
    """Two-sided exact p value: as uneven as that or more, if both outcomes were as likely (McNemar 1947)."""
    n, least = wins + losses, min(wins, losses)
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1) - n * math.log(2) for i in range(least + 1)
    ]
    return min(1.0, 2.0 * math.fsum(math.exp(value) for value in logs))


def bonett_price(wins: int, losses: int, items: int) -> tuple[float, float]:
    """95 % interval of the difference of two paired shares (Bonett and Price, J. Educ. Behav. Stat. 37, 2012)."""
    better, worse = (wins + 1) / (items + 2), (losses + 1) / (items + 2)
    middle = better - worse
    reach = NORMAL * math.sqrt((better + worse - middle * middle) / (items + 2))
    return max(-1.0, middle - reach), min(1.0, middle + reach)


def permutation(difference: Values, rng: np.random.Generator) -> float:
    """Two-sided p value of a mean of differences: how often random signs make it as large (Fisher 1935).

    The observed signs are one of the draws, so that the p value is valid and never 0.
    """
    steps = stepped(difference)
    sizes, counts = np.unique(np.abs(steps), return_counts=True)
    observed = abs(float(steps.sum())) - 1e-9
    reached = 1
    for rows in parts(DRAWS, len(sizes)):  # the sum of the signs of equal sizes is binomial
        sums = (2.0 * rng.binomial(counts, 0.5, (rows, len(sizes))) - counts) @ sizes
        reached += int(np.sum(np.abs(sums) >= observed))
    return reached / (DRAWS + 1)


def bootstrap(difference: Values, rng: np.random.Generator) -> tuple[float | None, float | None]:
    """95 % interval of the mean: percentiles over resampled items. None where all items differ alike.

    They are moved outwards for few items (Hesterberg, The American Statistician 69, 2015, section 3.4).
    """
    items = len(difference)
    steps = stepped(difference)
    values, counts = np.unique(steps, return_counts=True)
    if len(values) == 1:
        return None, None  # nothing is known of what other items would give
    means = np.concatenate(
        [rng.multinomial(items, counts / items, rows) @ values for rows in parts(RESAMPLES, len(values))]
    )
    means = means / items + float((difference - steps).mean())
    below = math.erfc(math.sqrt(items / (items - 1)) * student(items - 1) / math.sqrt(2.0)) / 2.0
    low, high = np.quantile(means, (below, 1.0 - below))
    return float(low), float(high)


def stepped(difference: Values) -> Values:
    """As they are, but where there are very many sizes rounded to thousandths of the largest.

    Equal values are drawn together, which is what makes it fast. A test of rounded differences is as valid.
    """
    exact = difference.round(12)
    if len(np.unique(np.abs(exact))) <= FINE:
        return exact
    step = float(np.abs(exact).max()) / FINE
    return (exact / step).round() * step


def parts(rows: int, columns: int) -> list[int]:
    """Numbers of rows that together are all, each small enough for memory."""
    size = max(1, CHUNK // columns)
    return [min(size, rows - start) for start in range(0, rows, size)]


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p values as they are after as many tests (Holm, Scand. J. Stat. 6, 1979), in the same order."""
    found: list[float | None] = [None] * len(values)
    order = sorted((value, at) for at, value in enumerate(values) if value is not None)
    largest = 0.0
    for rank, (value, at) in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * value))
        found[at] = largest
    return found


def in_words(one: Comparison) -> str:
    """One sentence."""
    place = f"{one.b} against {one.a} on {one.dataset}: "
    if one.difference is None or one.p is None:
        return f"{place}not compared; {one.why}"
    interval = "no interval" if one.low is None or one.high is None else f"95 % {points(one.low)} to {points(one.high)}"
    p = one.p if one.p_adjusted is None else one.p_adjusted
    verdict = ("better" if one.difference > 0 else "worse") if one.significant else "not significantly different"
    left = f", {one.left_out:,} left out" if one.left_out else ""
    return (
        f"{place}{verdict}, {points(one.difference)} points ({interval}; {p_value(p)}; "
        f"{one.items:,} items in common{left}; {one.how})"
    )


def points(share: float) -> str:
    """Percentage points with their sign."""
    return f"{100 * share:+.1f}"


def p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
