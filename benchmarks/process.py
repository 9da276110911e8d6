"""Processes of a benchmark: where they run, and what processor time they take."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from perfcore.run.simulator import RunningSimulator, SimulatorSettings, start_simulator

ROOT = Path(__file__).parents[1]
LIMIT_S = 600.0


def server_cores() -> set[int]:
    """The first core, which the simulator has to itself where there is more than one."""
    return {min(os.sched_getaffinity(0))}


def client_cores() -> set[int]:
    """The others."""
    return os.sched_getaffinity(0) - server_cores() or server_cores()


@contextmanager
def simulating(truth_log: Path | None = None, **settings: Any) -> Iterator[RunningSimulator]:
    """A simulator on the server's core."""
    with start_simulator(SimulatorSettings(**settings), truth_log) as simulator:
        os.sched_setaffinity(simulator.pid, server_cores())
        yield simulator


def start(command: Sequence[str], cores: set[int] | None = None, **options: Any) -> "subprocess.Popen[str]":
    """A process of this project, by default on the clients' cores, whose standard output is kept as text."""
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, **options
    )
    os.sched_setaffinity(process.pid, client_cores() if cores is None else cores)
    return process


def output(process: "subprocess.Popen[str]") -> str:
    """What the process wrote; raises RuntimeError where it failed."""
    written, _ = process.communicate(timeout=LIMIT_S)
    if process.returncode:
        raise RuntimeError(f"{' '.join(map(str, process.args))} ended with status {process.returncode}")  # type: ignore[arg-type]
    return written


def python(module: str, *arguments: object) -> list[str]:
    """Command that runs a module of this project."""
    return [sys.executable, "-m", module, *map(str, arguments)]


def cpu_clock_ns(process: int) -> int:
    """Processor time that all threads of a living process have used since it began."""
    return time.clock_gettime_ns(~process << 3 | 2)  # the kernel's number for that clock (MAKE_PROCESS_CPUCLOCK)


def machine_busy_s() -> float:
    """Processor time that all of the machine has used for anything since it started."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + times.irq + times.softirq)


def own_busy_s() -> float:
    """Processor time of this process and of those of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
