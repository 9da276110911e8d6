"""How late a sample is at its late end, in a form that one late member cannot decide.

The 99th percentile of 50 requests is its slowest one or two: a single hiccup of the machine would condemn the run.
What is judged is therefore the value that 1 % of the sample reach, and no fewer than 10; of fewer than 20, more than
half of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.types import Reads

BEYOND = 10
NS_PER_MS = 1e6


@dataclass(frozen=True)
class Tail:
    """`beyond` of `n` durations are `ms` or longer."""

    ms: float
    beyond: int
    n: int


def tail(durations_ns: NDArray[np.int64]) -> Tail | None:
    """The longest duration that 1 % of them reach, and at least 10, or more than half; None of an empty sample."""
    n = int(durations_ns.size)
    if n == 0:
        return None
    beyond = reached_by(n)
    return Tail(float(np.partition(durations_ns, n - beyond)[n - beyond]) / NS_PER_MS, beyond, n)


def reached_by(n: int) -> int:
    """How many of `n` have to reach a value before it is believed."""
    return min(max(-(-n // 100), BEYOND), n // 2 + 1)


def of_reads(reads: Reads) -> Tail | None:
    """The same of read delays, of which three percentiles are kept: the highest that has 10 events beyond it."""
    kept = ((1000, 100, reads.read_delay_p99_ns), (100, 10, reads.read_delay_p90_ns), (0, 2, reads.read_delay_p50_ns))
    value, part = next((value, part) for least, part, value in kept if reads.token_events >= least)
    return None if value is None else Tail(value / NS_PER_MS, -(-reads.token_events // part), reads.token_events)


def tails(
    due_ns: NDArray[np.int64], sent_ns: NDArray[np.int64], burst: NDArray[np.bool_], reads: Reads
) -> dict[str, Any]:
    """`{slip_tail, burst_tail, read_tail}` for the certificate: of requests after the start burst, of it, of reads.

    Times are those of each request's first attempt, -1 where not known.
    """
    known = (due_ns >= 0) & (sent_ns >= 0)
    late_ns = sent_ns - due_ns
    return {
        "slip_tail": tail(late_ns[known & ~burst]),
        "burst_tail": tail(late_ns[known & burst]),
        "read_tail": of_reads(reads),
    }
