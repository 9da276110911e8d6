"""How far a run is, from the counters that its workers keep in shared memory."""

from collections.abc import Callable
from dataclasses import dataclass

from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import Control
from perfcore_ext.histogram import Histogram

NS = 1_000_000_000
SHOW_EVERY_NS = 500_000_000

Show = Callable[["Progress"], None]


@dataclass(frozen=True)
class WorkerLoad:
    """What one worker has in flight, and the processor time that it has used since its start."""

    in_flight: int
    cpu_s: float


@dataclass(frozen=True)
class Progress:
    """Counters of the measured phase so far; `done` counts failed requests too. TTFT covers the warm-up as well."""

    elapsed_s: float
    in_flight: int
    done: int
    failed: int
    token_events: int
    ttft_p50_ms: float | None
    ttft_p99_ms: float | None
    ttft_count: int = 0
    ttft_total_ms: float = 0.0
    workers: tuple[WorkerLoad, ...] = ()
    stopping: bool = False  # interrupted: nothing new is sent, and what runs may finish


def totals(control: Control) -> dict[str, int]:
    """Counters added up over the workers."""
    return added_up([control.counters(worker) for worker in range(control.workers)])


def added_up(counters: list[dict[str, int]]) -> dict[str, int]:
    return {name: sum(one[name] for one in counters) for name in counters[0]} if counters else {}


def progress(control: Control, before: dict[str, int], elapsed_s: float, stopping: bool = False) -> Progress:
    """Where the run stands; `before` are the totals when the measured phase began."""
    counters = [control.counters(worker) for worker in range(control.workers)]
    now = added_up(counters)
    ttft = Histogram()
    for worker in range(control.workers):
        ttft.merge(Histogram(control.ttft_buffer(worker)))
    return Progress(
        elapsed_s=elapsed_s,
        in_flight=now["in_flight"],
        done=now["completed"] - before["completed"],
        failed=now["failed"] - before["failed"],
        token_events=now["token_events"] - before["token_events"],
        ttft_p50_ms=in_ms(ttft.percentile(50)),
        ttft_p99_ms=in_ms(ttft.percentile(99)),
        ttft_count=ttft.count,
        ttft_total_ms=ttft.count * (ttft.mean or 0.0) / 1e6,
        workers=tuple(WorkerLoad(one["in_flight"], one["cpu_ns"] / NS) for one in counters),
        stopping=stopping,
    )


def in_ms(duration_ns: float | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e6


class Reporter:
    """Shows the progress of the measured phase, twice a second, and at once when `stopping` says it is interrupted."""

    def __init__(self, control: Control, show: Show, stopping: Callable[[], bool]) -> None:
        self._control = control
        self._show = show
        self._stopping = stopping
        self._stopped = False
        self._before: dict[str, int] = {}
        self._began_ns: int | None = None
        self._next_ns = 0

    def begin(self) -> int:
        """The measured phase begins; returns the time."""
        self._before = totals(self._control)
        self._began_ns = monotonic_ns()
        return self._began_ns

    def __call__(self) -> None:
        now = monotonic_ns()
        stopping = self._stopping()
        if self._began_ns is not None and (now >= self._next_ns or stopping != self._stopped):
            self._show(progress(self._control, self._before, (now - self._began_ns) / NS, stopping))
            self._next_ns, self._stopped = now + SHOW_EVERY_NS, stopping
