"""Scores by the load under which the answers were made."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evaluators.scored import Scored
from evaluators.statistics.result import Slice

FEW = 6  # different numbers that have a slice each; more are put together into quarters


def by_concurrency(found: Sequence[Scored], in_flight: Sequence[int | None]) -> list[Slice]:
    """How right answers are by the requests in flight when they were asked for; none where it is always the same."""
    both = zip(found, in_flight, strict=False)
    pairs = [(number, one.score) for one, number in both if number is not None and one.score is not None]
    if not pairs:
        return []
    numbers, scores = np.array([number for number, _ in pairs]), np.array([score for _, score in pairs], np.float64)
    values = np.unique(numbers)
    quarters = np.unique(np.quantile(numbers, (0.25, 0.5, 0.75, 1), method="inverted_cdf"))
    lasts = values if values.size <= FEW else quarters
    if lasts.size < 2:
        return []
    which = np.searchsorted(lasts, numbers)
    return [slice_of(numbers[which == at], scores[which == at]) for at in range(lasts.size)]


def slice_of(numbers: NDArray[np.int64], scores: NDArray[np.float64]) -> Slice:
    """Some of the answers."""
    low, high = int(numbers.min()), int(numbers.max())
    label = f"{low}" if low == high else f"{low} to {high}"
    return Slice(label=label, answers=int(scores.size), score=float(scores.mean()))
