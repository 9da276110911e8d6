"""Summary statistics of a sample: moments, extremes, percentiles, and which percentiles the sample is too small for."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Values: TypeAlias = NDArray[np.int64] | NDArray[np.float64]

# Name of each percentile and its rank in thousandths: whole numbers, so that "enough samples" is decided exactly.
PERCENTILES = {"p50": 500, "p75": 750, "p90": 900, "p95": 950, "p99": 990, "p99_9": 999}

# The names of a summary, in the order in which it lists them.
NAMES = ("n", "mean", "std", "min", *PERCENTILES, "max")

# With fewer samples beyond it a percentile is decided by a handful of requests and moves from run to run.
BEYOND = 10

# Squares are summed block by block: the whole sample's deviations would be a second copy of it.
BLOCK = 1 << 20


def summary(values: Values, unit: float = 1.0) -> dict[str, Any] | None:
    """`{n, mean, std, min, p50 ... p99_9, max, unsupported}` of a one-dimensional sample; None for an empty one.

    `unit` is how many of the sample's units make one of the result's (1e6: nanoseconds in, milliseconds out).
    Percentiles are interpolated linearly; `unsupported` names those with fewer than 10 samples beyond them. `std` is
    the sample standard deviation, None for a sample of one. Takes one copy of the sample, whatever its size.
    """
    if values.size == 0:
        return None
    mean = float(values.mean(dtype=np.float64))
    ranks = [rank / 10 for rank in PERCENTILES.values()]
    cuts = np.percentile(values.copy(), [0.0, *ranks, 100.0], overwrite_input=True)
    spread = deviation(values, mean)
    found: dict[str, Any] = {
        "n": int(values.size),
        "mean": mean / unit,
        "std": None if spread is None else spread / unit,
    }
    found |= {name: float(cut) / unit for name, cut in zip(("min", *PERCENTILES, "max"), cuts, strict=True)}
    found["unsupported"] = unsupported(int(values.size))
    return found


def deviation(values: Values, mean: float, block: int = BLOCK) -> float | None:
    """Sample standard deviation (n - 1) of `values` around their mean; None with fewer than two."""
    if values.size < 2:
        return None
    squares = 0.0
    for start in range(0, values.size, block):
        offset = values[start : start + block] - mean
        squares += float(np.dot(offset, offset))
    return float((squares / (values.size - 1)) ** 0.5)


def unsupported(n: int) -> list[str]:
    """Names of the percentiles that have fewer than 10 of `n` samples beyond them."""
    return [name for name, rank in PERCENTILES.items() if n * (1000 - rank) < BEYOND * 1000]
