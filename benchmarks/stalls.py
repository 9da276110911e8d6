"""What a machine does to programs that must answer at once: how long its cores are away while all of them are busy.

`python -m benchmarks.stalls CORE SECONDS` spins on one core and prints the gaps that it sees between two looks at the
clock, in ns, as JSON. On a virtual machine the host makes them: they lie in every figure that is a time.
"""

import json
import os
import sys
import time
from dataclasses import dataclass

import psutil

from benchmarks.process import output, python, start

GAP_NS = 100_000
SPIN_S = 2.0


@dataclass(frozen=True)
class Stalls:
    """Share of the time that a core was away for more than GAP_NS at once, and the longest time."""

    share: float
    longest_ms: float


def measure(seconds: float = SPIN_S) -> Stalls:
    """Spin on all cores at once."""
    cores = sorted(os.sched_getaffinity(0))
    spinning = [start(python("benchmarks.stalls", core, seconds), {core}) for core in cores]
    gaps = [gap for process in spinning for gap in json.loads(output(process))]
    return Stalls(sum(gaps) / (seconds * 1e9 * len(cores)), max(gaps, default=0) / 1e6)


def spin(core: int, seconds: float) -> list[int]:
    """The gaps on this core."""
    os.sched_setaffinity(0, {core})
    gaps = []
    last = time.perf_counter_ns()
    end = last + round(seconds * 1e9)
    while last < end:
        now = time.perf_counter_ns()
        if now - last > GAP_NS:
            gaps.append(now - last)
        last = now
    return gaps


def stolen_s() -> float:
    """Processor time that the host of a virtual machine owns to have taken from it, since it started."""
    return float(getattr(psutil.cpu_times(), "steal", 0.0))


if __name__ == "__main__":
    print(json.dumps(spin(int(sys.argv[1]), float(sys.argv[2]))))
