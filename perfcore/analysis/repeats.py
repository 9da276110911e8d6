"""By how much two sides differ that were each run several times: every run is one value.

The requests of one run say how sure its own numbers are, and nothing of what was true throughout it: a restart, a
neighbour, where the memory lay. Runs that were repeated do. The interval is that of Welch (Biometrika 34, 1947), for
sides that vary by different amounts; of the ratio, the same on logarithms by the delta method.
"""

from collections.abc import Sequence

import numpy as np

from perfcore.analysis.comparison import Difference, Ends, plain, relative
from perfcore.analysis.steady import student
from perfcore.analysis.steady.intervals import LEVEL

FEWEST_RUNS = 2  # of a side
ALIKE = "every run of a side has the same value, which does not say by how much runs differ"


def of_runs(a: Sequence[float], b: Sequence[float]) -> Difference:
    """Of the mean over the runs of each side, a value for each run; both sides have at least two."""
    mean_a, mean_b = float(np.mean(a)), float(np.mean(b))
    parts = (variance_of_mean(a), variance_of_mean(b))
    if sum(parts) == 0:
        return plain(mean_a, mean_b, ALIKE)
    sizes = (len(a), len(b))
    low, high = around(mean_b - mean_a, parts, sizes)
    times = None
    if min(*a, *b) > 0:
        logs = around(float(np.log(mean_b / mean_a)), (parts[0] / mean_a**2, parts[1] / mean_b**2), sizes)
        times = (float(np.expm1(logs[0])), float(np.expm1(logs[1])))
    return Difference(mean_a, mean_b, mean_b - mean_a, (low, high), relative(mean_a, mean_b), times)


def variance_of_mean(values: Sequence[float]) -> float:
    """How much the mean of so many runs varies; exactly 0 where all are the same."""
    return 0.0 if min(values) == max(values) else float(np.var(values, ddof=1)) / len(values)


def around(middle: float, parts: Ends, sizes: tuple[int, int]) -> Ends:
    """The interval of a difference, of the variances of both means; degrees of freedom after Satterthwaite."""
    total = sum(parts)
    freedom = total**2 / sum(part**2 / (size - 1) for part, size in zip(parts, sizes, strict=True))
    reach = student.quantile(LEVEL, freedom) * total**0.5
    return middle - reach, middle + reach
