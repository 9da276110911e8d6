"""Mann-Kendall: does a series drift? With the correction of Hamed and Rao for a series that is correlated in itself.

Mann (1945), Kendall (1975); Hamed and Rao (1998), J. Hydrology 204; the size of the drift after Sen (1968). Ranks only,
so that a few slow requests make no trend.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIGNIFICANT = 1.96  # of a correlation, in standard errors
POWER = 4.22  # standard errors of the drift that 1 % of no trends and 95 % of trends lie beyond: 2.576 + 1.645
FEWEST = 6  # values below which no order is rare enough to be a trend at 1 %


@dataclass(frozen=True)
class Trend:
    """`drift`: from the beginning to the end of the series as a share of its mean; `p`: of no trend, two sided."""

    drift: float
    p: float
    n: int
    seen_from: float  # about the smallest drift that would have been found in 95 of 100 such series


def mann_kendall(values: Floats) -> Trend | None:
    """The trend of equally spaced values; None with fewer than 6 of them or a mean of 0."""
    n, mean = values.size, float(values.mean()) if values.size else 0.0
    if n < FEWEST or mean == 0.0:
        return None
    later, earlier = np.tril_indices(n, -1)
    rises = values[later] - values[earlier]
    score = float(np.sign(rises).sum())
    slope = float(np.median(rises / (later - earlier)))
    detrended = values - slope * np.arange(n)
    corrected = correction(detrended)
    variance = ties(values) * corrected
    z = max(abs(score) - 1.0, 0.0) / variance**0.5 if variance > 0 else 0.0
    error = float(detrended.std(ddof=2)) * (12.0 * corrected / n) ** 0.5 / abs(mean)
    return Trend(slope * n / mean, 2.0 * (1.0 - NormalDist().cdf(z)), n, POWER * error)


def ties(values: Floats) -> float:
    """Variance of the score of independent values, some of which may be equal."""
    n = values.size
    same = np.unique(values, return_counts=True)[1]
    return float(n * (n - 1) * (2 * n + 5) - (same * (same - 1) * (2 * same + 5)).sum()) / 18.0


def centred_ranks(values: Floats) -> Floats:
    """Ranks around 0; equal values, and those that differ by rounding, share the mean of theirs."""
    coarse = np.round(values / (np.abs(values).max() or 1.0), 9)
    _, places, sizes = np.unique(coarse, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    result: Floats = (last - (sizes - 1) / 2.0)[places.ravel()] - (values.size + 1) / 2.0
    return result


def correction(detrended: Floats) -> float:
    """By what correlation raises the variance of the score; never below 1, so that noise does not make trends."""
    n = detrended.size
    ranks = centred_ranks(detrended)
    squares, total = float(np.dot(ranks, ranks)), 0.0
    if squares == 0.0:
        return 1.0
    for lag in range(1, n // 4 + 1):
        found = float(np.dot(ranks[:-lag], ranks[lag:])) / squares
        if abs(found) > SIGNIFICANT / n**0.5:
            total += (n - lag) * (n - lag - 1) * (n - lag - 2) * found
    return max(1.0, 1.0 + 2.0 / (n * (n - 1) * (n - 2)) * total)
