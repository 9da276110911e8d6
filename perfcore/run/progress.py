"""How far a run is, from the counters that its workers keep in shared memory."""

from dataclasses import dataclass

from perfcore_ext.control import Control
from perfcore_ext.histogram import Histogram

SHOW_EVERY_NS = 500_000_000


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


def totals(control: Control) -> dict[str, int]:
    """Counters added up over the workers."""
    sums: dict[str, int] = {}
    for worker in range(control.workers):
        for name, value in control.counters(worker).items():
            sums[name] = sums.get(name, 0) + value
    return sums


def progress(control: Control, before: dict[str, int], elapsed_s: float) -> Progress:
    """Where the run stands; `before` are the totals when the measured phase began."""
    now = totals(control)
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
    )


def in_ms(duration_ns: float | None) -> float | None:
    return None if duration_ns is None else duration_ns / 1e6
