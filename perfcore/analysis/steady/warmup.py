"""MSER-5: where the transient at the beginning of a series ends.

White (1997), White, Cobb and Spratt (2000): of all truncations take the one after which the mean has the smallest
standard error, on batch means, in the first half of the series. The smallest of many is always a little smaller, also
where there is no transient, and cutting by noise makes what is left look surer than it is. So a cut has to pay, the
more the fewer batches there are. A late cut has to pay much more: halving a series that drifts from end to end halves
the squared error, and a drift is not to be cut in half but to be seen.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST = 8  # batches that tell a transient from noise
PAYS = 16.0  # by how much the squared error has to fall, over the number of batches: by chance it does in 1 to 4 %
LATE = 0.25  # share of the batches from which on a cut has to pay more
PAYS_LATE, LEAST_LATE = 40.0, 3.0  # over the number of batches, and at least; a linear drift without noise gains 2
EXACT = 1e-12  # share of the mean that is rounding, not variation


def errors(means: Floats) -> Floats:
    """Squared standard error of the mean (to a constant factor) of what is left after dropping 0, 1, ... n/2 values."""
    n = means.size
    left = n - np.arange(n // 2 + 1)
    sums = np.cumsum(means[::-1])[::-1][: left.size]
    centred = means - means.mean()
    squares = np.cumsum((centred**2)[::-1])[::-1][: left.size]
    off = sums / left - means.mean()
    result: Floats = np.maximum(squares - left * off**2, 0.0) / left.astype(np.float64) ** 2
    return result


def transient(means: Floats) -> int:
    """How many of the first values belong to the transient; 0 if dropping any does not pay."""
    if means.size < FEWEST:
        return 0
    found = errors(means)
    best = int(found.argmin())
    noise = (EXACT * float(np.abs(means).max())) ** 2
    gain = 1.0 + PAYS / means.size
    if best > LATE * means.size:
        gain = max(1.0 + PAYS_LATE / means.size, LEAST_LATE)
    return best if found[0] > gain * found[best] + noise else 0


def unfinished(means: Floats, dropped: int) -> bool:
    """Whether the truncation is as late as it may be: the transient is probably not over (White 1997)."""
    return dropped > 0 and dropped == means.size // 2
