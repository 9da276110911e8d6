"""The knee of a load curve: the load up to which more of it still pays."""

from collections.abc import Sequence
from typing import NamedTuple

FEWEST = 3  # loads: of two it cannot be said where a curve bends


class Knee(NamedTuple):
    """Position of the knee among the loads, or None and the reason why there is none."""

    at: int | None
    reason: str = ""


def knee(throughputs: Sequence[float], latencies: Sequence[float]) -> Knee:
    """Where throughput divided by latency is greatest, over loads in ascending order.

    That quotient is the power of a system (L. Kleinrock, "Power and deterministic rules of thumb for probabilistic
    problems in computer communications", ICC 1979). Up to its maximum one per cent more latency buys more than one per
    cent of throughput, past it less. It has no threshold to choose, and units do not matter. In a closed loop the load
    is throughput times latency, so the knee is where throughput stops growing at least as fast as the square root of
    the load.

    A maximum at either end is no knee: the curve bends before the first load or after the last one, if at all. Both
    sequences have the same length; values are positive.
    """
    if len(throughputs) < FEWEST:
        return Knee(None, f"it takes {FEWEST} loads that answered to see a bend")
    powers = [throughput / latency for throughput, latency in zip(throughputs, latencies, strict=True)]
    at = powers.index(max(powers))
    if at == len(powers) - 1:
        return Knee(None, "at the largest load throughput still grows faster than latency; add larger ones")
    if at == 0:
        return Knee(None, "latency grows faster than throughput from the smallest load on; add smaller ones")
    return Knee(at)
