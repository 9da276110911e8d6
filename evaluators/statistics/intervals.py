"""95 % intervals of shares. Answers to one item depend on each other, so what varies here are the items."""

import math
from functools import cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.975  # below the upper end
NORMAL = NormalDist().inv_cdf(LEVEL)
NOTHING = 1e-18  # a variance below it is the rounding of floats


class Interval(NamedTuple):
    """`how` says by which method; `error` is the standard error of the mean, None where it cannot be known."""

    low: float | None
    high: float | None
    error: float | None
    how: str


NONE = Interval(None, None, None, "")


def of_shares(values: NDArray[np.float64], single: bool) -> Interval:
    """Of the mean of values in 0..1, one for each item. `single` says that each is 0 or 1, of one answer."""
    items = len(values)
    if not items:
        return NONE
    error = float(values.std(ddof=1)) / math.sqrt(items) if items > 1 else None
    if single:
        return Interval(*wilson(float(values.mean()), items), error, "Wilson")
    return effective(float(values.mean()), error, items)


def of_ratio(sums: NDArray[np.float64], counts: NDArray[np.float64], single: bool) -> Interval:
    """Of sum of scores / number of answers, of which each item has its own number; items without any do not count.

    Its standard error is that of a ratio estimator (Cochran, Sampling Techniques, 1977, section 6.4).
    """
    kept = counts > 0
    if single or (items := int(kept.sum())) < 2:
        return of_shares(sums[kept] / counts[kept], single)
    ratio = float(sums.sum() / counts.sum())
    residuals = sums[kept] - ratio * counts[kept]
    error = math.sqrt(items / (items - 1) * float(residuals @ residuals)) / float(counts.sum())
    return effective(ratio, error, items)


def of_numbers(values: NDArray[np.float64]) -> Interval:
    """Of the mean of any numbers, one for each item, by Student's t."""
    if len(values) < 2:
        return NONE
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    mean, reach = float(values.mean()), student(len(values) - 1) * error
    return Interval(mean - reach, mean + reach, error, "t over items")


def effective(mean: float, error: float | None, items: int) -> Interval:
    """Wilson's interval at the number of independent 0/1 answers that would have this standard error.

    The number is that of Korn and Graubard (1998), mean (1 - mean) / error², times (normal / t)²; for Wilson's formula
    it is studied by Franco et al. (J. Survey Statistics and Methodology 7, 2019). Where the items do not differ at
    all, their count is taken.
    """
    size = float(items)
    if error is not None and error * error > NOTHING:
        size = mean * (1.0 - mean) / error**2 * (NORMAL / student(items - 1)) ** 2
    return Interval(*wilson(mean, size), error, "Wilson, effective number of answers")


def wilson(share: float, number: float) -> tuple[float, float]:
    """Wilson's score interval (J. Am. Stat. Assoc. 22, 1927) of a share among `number` > 0 independent answers."""
    share = min(max(share, 0.0), 1.0)
    square = NORMAL * NORMAL / number
    middle = (share + square / 2.0) / (1.0 + square)
    reach = NORMAL / (1.0 + square) * math.sqrt(share * (1.0 - share) / number + square / number / 4.0)
    return (0.0 if share == 0.0 else max(0.0, middle - reach)), (1.0 if share == 1.0 else min(1.0, middle + reach))


@cache
def student(freedom: int) -> float:
    """The 97.5 % quantile of Student's t: exact for 1 and 2 degrees of freedom, else Abramowitz and Stegun 26.7.5.

    The expansion is right to 0.12 % for 3 degrees and to 0.01 % from 6 on.
    """
    if freedom == 1:
        return math.tan(math.pi * (LEVEL - 0.5))
    if freedom == 2:
        return (2 * LEVEL - 1) * math.sqrt(2.0 / (4 * LEVEL * (1 - LEVEL)))
    z, f = NORMAL, float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / f**power for power, term in enumerate(terms, 1))
