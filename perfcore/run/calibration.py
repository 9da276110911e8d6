"""`calibrate`: what this machine can do without error, found by loading the built-in simulator harder and harder.

Three kinds of load, each for a number of workers, and each point a short run of the real engine: streams with an event
every 20 ms, tiny requests at a rate, and tiny requests that open a connection each. A point passes if the client sent
on time, and stamped the streams' events on time by the simulator's own log of when it sent them.

The simulator shares the machine with the client, so what is found are lower bounds. Nothing is pinned to a core, as
nothing is in a run that is to be judged by them.
"""

import dataclasses
import os
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from perfcore.options import StressOptions
from perfcore.records.machine import SCHEMA, Calibration, Ceilings, Edge, identity
from perfcore.run import master
from perfcore.run.bisection import Search, Try, find_edge
from perfcore.run.judgement import judged, read
from perfcore.run.ports import local_ports
from perfcore.run.simulator import SimulatorSettings, read_truth, start_simulator

Say = Callable[[str], None]

ITL_MS = 20.0
TOKENS = 25  # of a stream, so that it lasts half a second
STREAM_S = TOKENS * ITL_MS / 1e3
EVENTS_PER_STREAM_S = TOKENS / (STREAM_S + ITL_MS / 2e3)  # a stream starts half an interval late on average
TINY_MS = 1.0  # until a tiny answer
CAP_S = 0.05  # of a rate may be in flight; more, and it is the simulator that does not keep up
CAP = (256, 4096)
SPARE_FILES = 128

BUDGET_S, QUICK_BUDGET_S = 120.0, 30.0
LOAD_S, QUICK_LOAD_S = 1.5, 0.8  # that is judged of each point
LEAD_S = 0.25  # of a rate, before that, while connections are opened
RESOLUTION, QUICK_RESOLUTION = 1.1, 1.25
DISTURBED = 0.1  # share of the processors that other programs have, above which they may be why a point fails
MOST_PER_S = 10_000_000.0


@dataclass(frozen=True)
class Kind:
    """A kind of load: where the search starts for one worker, and what the report calls it."""

    name: str
    unit: str
    start_per_s: float


EVENTS = Kind("events", "events/s", 20_000)
REQUESTS = Kind("requests", "requests/s", 2_000)
CONNECTIONS = Kind("connections", "connections/s", 1_000)
KINDS = (EVENTS, REQUESTS, CONNECTIONS)


def calibrate(workers: Sequence[int], quick: bool, say: Say) -> Calibration:
    """Find the ceilings for each of these numbers of workers, within about two minutes, or half of one.

    `say` gets a line for each point. Raises KeyboardInterrupt, and UserError where nothing could be run at all.
    """
    began = time.monotonic()
    clock = Clock(began + (QUICK_BUDGET_S if quick else BUDGET_S), len(workers) * len(KINDS))
    busy = Elsewhere()
    ceilings: list[Ceilings] = []
    for number in sorted(set(workers)):
        edges = {kind.name: edge(kind, number, quick, ceilings, clock, say) for kind in KINDS}
        ceilings.append(Ceilings(workers=number, **edges))
    return Calibration(
        schema=SCHEMA,
        machine=identity(),
        calibrated=datetime.now().astimezone().isoformat(timespec="seconds"),
        took_s=round(time.monotonic() - began, 1),
        quick=quick,
        elsewhere=round(busy.share(), 3),
        ceilings=ceilings,
    )


class Clock:
    """Deals the time that is left out to the searches that are left."""

    def __init__(self, deadline: float, searches: int) -> None:
        self._deadline = deadline
        self._searches = searches
        self._until = deadline
        self._before = 0.0

    def begin(self) -> None:
        """A search begins."""
        now = time.monotonic()
        self._until = now + (self._deadline - now) / max(1, self._searches)
        self._searches -= 1
        self._before = now

    def goes_on(self) -> bool:
        """Whether there is time for another point that takes as long as the last one did."""
        now = time.monotonic()
        took, self._before = now - self._before, now
        return now + took <= self._until


class Elsewhere:
    """Watches what share of the processors goes to programs that are not ours."""

    def __init__(self) -> None:
        self._began = time.monotonic(), all_busy_s(), own_busy_s()

    def share(self) -> float:
        """Since it was made; children count as ours when they have ended."""
        began, before, own = self._began
        others_s = (all_busy_s() - before) - (own_busy_s() - own)
        return max(0.0, others_s / (len(os.sched_getaffinity(0)) * (time.monotonic() - began)))


def all_busy_s() -> float:
    """Time that the processors we may use have worked for programs, or for other virtual machines.

    What interrupts take belongs to nobody.
    """
    times = psutil.cpu_times(percpu=True)
    usable = os.sched_getaffinity(0)
    busy = (each.user + each.nice + each.system + each.steal for at, each in enumerate(times) if at in usable)
    return sum(busy)


def own_busy_s() -> float:
    """Time that this process has used, and its children that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def edge(kind: Kind, workers: int, quick: bool, found: Sequence[Ceilings], clock: Clock, say: Say) -> Edge:
    """The ceiling of one kind of load; the search starts from what fewer workers could do."""
    fewer = [known.per_s for each in found if (known := getattr(each, kind.name)).per_s]
    start = max(fewer, default=kind.start_per_s * (1 if found else workers))

    def measure(per_s: float) -> Try:
        busy = Elsewhere()
        tried = blamed(point(kind, workers, per_s, QUICK_LOAD_S if quick else LOAD_S), busy.share())
        say(told(kind, workers, per_s, tried))
        return tried

    clock.begin()
    resolution = QUICK_RESOLUTION if quick else RESOLUTION
    return edge_of(find_edge(measure, start, most(kind, workers, quick), resolution, clock.goes_on))


def edge_of(search: Search) -> Edge:
    """What a search has found; what really came about counts, not what was asked for."""
    failed = None if search.high is None else search.failed[search.high]
    return Edge(
        per_s=None if search.passed is None else round(search.passed.per_s, 1),
        fails_per_s=None if search.high is None else round(search.high, 1),
        why="" if failed is None else failed.why,
        firm=failed is not None and failed.client,
        points=search.points,
    )


def blamed(tried: Try, elsewhere: float) -> Try:
    """The same; what failed while other programs were busy tells no limit of the client."""
    if tried.passes or elsewhere <= DISTURBED:
        return tried
    why = f"{tried.why}, while other programs used {elsewhere:.0%} of the processors"
    return dataclasses.replace(tried, why=why, client=False)


def told(kind: Kind, workers: int, per_s: float, tried: Try) -> str:
    """One line on a point."""
    count = "1 worker" if workers == 1 else f"{workers} workers"
    return f"{count}, {per_s:,.0f} {kind.unit}: {'passed' if tried.passes else 'failed'} ({tried.why})"


def simulators(workers: int) -> int:
    """One for each worker as far as there are cores beside the workers' own: one alone is as fast as a worker."""
    return max(1, min(workers, len(os.sched_getaffinity(0)) - workers))


def most(kind: Kind, workers: int, quick: bool) -> float:
    """Loads above this need more connections than files or ports allow."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    first, last = local_ports()
    each = min((1 << 20 if files == resource.RLIM_INFINITY else files) - SPARE_FILES, last - first + 1)
    open_at_once = max(1, each) * simulators(workers)
    if kind is EVENTS:
        return open_at_once * EVENTS_PER_STREAM_S
    if kind is CONNECTIONS:  # half of the ports: the kernel looks for a free one longer and longer
        return open_at_once / 2 / ((QUICK_LOAD_S if quick else LOAD_S) + LEAD_S)
    return MOST_PER_S


def point(kind: Kind, workers: int, per_s: float, load_s: float) -> Try:
    """One measurement in a folder that is gone afterwards. Raises KeyboardInterrupt."""
    with scratch() as folder:
        logs = [folder / f"truth-{number}.bin" for number in range(simulators(workers))] if kind is EVENTS else []
        options, settings = load_of(kind, per_s, load_s)
        with ExitStack() as stack:
            with uninterrupted():
                urls = tuple(
                    stack.enter_context(start_simulator(settings, logs[number] if logs else None)).url
                    for number in range(simulators(workers))
                )
            given = StressOptions(url=urls, out=folder / "run", workers=workers, **COMMON | options)
            outcome = master.stress(given, lambda _: None, lambda _: None)
        if outcome.exit_code == master.EXIT_INTERRUPTED:
            raise KeyboardInterrupt
        run = read(folder / "run" / "journal.bin", [read_truth(log) for log in logs])
        return judged(run, per_s, round(lead_s(kind) * 1e9), round(load_s * 1e9))


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards, also where Ctrl-C comes while it is made or removed."""
    folder = None
    try:
        with uninterrupted():
            folder = tempfile.mkdtemp(prefix="perfcore-calibrate-")
        yield Path(folder)
    finally:
        with uninterrupted():
            if folder is not None:
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the end, and for good from processes that are started here: they would complain.

    They inherit the mask. It does not do for this process, where another thread may take the signal.
    """
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if came:
        raise KeyboardInterrupt


COMMON: dict[str, Any] = {
    "model": "simulated",
    "prompt": ("hello",),
    "check": False,
    "quiet": True,
    "timeout_s": 30.0,
    "grace_s": 0.0,
}


def load_of(kind: Kind, per_s: float, load_s: float) -> tuple[dict[str, Any], SimulatorSettings]:
    """Options of a run with that load, and the simulator's settings."""
    duration_s = lead_s(kind) + load_s
    if kind is EVENTS:
        streams = max(1, round(per_s / EVENTS_PER_STREAM_S))
        ramp = min(streams / STREAM_S, 1_000_000.0)
        load = {"concurrency": streams, "ramp": ramp, "max_tokens": TOKENS, "duration_s": duration_s}
        return load, SimulatorSettings(ttft_base_ms=ITL_MS, itl_ms=ITL_MS, phase="random")
    in_flight = round(min(max(per_s * CAP_S, CAP[0]), CAP[1]))
    rate = {"rate": per_s, "arrivals": "poisson", "concurrency": in_flight, "max_tokens": 1, "duration_s": duration_s}
    kept = "new" if kind is CONNECTIONS else "pooled"
    return rate | {"connections": kept}, SimulatorSettings(ttft_base_ms=TINY_MS)


def lead_s(kind: Kind) -> float:
    """Time before what is judged: until all streams have begun, one after the other, or connections stand."""
    return STREAM_S + 2 * ITL_MS / 1e3 if kind is EVENTS else LEAD_S
