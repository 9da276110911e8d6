"""What a run noticed about itself: the facts that the certificate judges."""

from dataclasses import dataclass

from perfcore.analysis.absent import Absent
from perfcore.analysis.ceilings import NOT_NOTED, Machine
from perfcore.analysis.notes import Lost
from perfcore.tail import Tail


@dataclass(frozen=True)
class Worker:
    """One worker's statistics; None where the run was killed before it could say."""

    worker: int
    cpu_share: float | None
    waiting_bytes: int | None = None


@dataclass(frozen=True)
class Seen:
    """Shares and ratios are fractions of 1; None is unknown or does not apply."""

    requests: int = 0
    ok: int = 0
    length_stops: float | None = None  # of the successful answers with a finish reason
    empty_answers: float | None = None  # of all requests
    repeats: int = 1  # how often a row of the data set was sent at most
    cached_tokens: int | None = None  # of prompts, as the server reported them
    slip_p50_ms: float | None = None  # without the start burst
    slip_p99_ms: float | None = None
    slip_max_ms: float | None = None
    slip_tail: Tail | None = None  # what is judged, without the start burst
    burst: int = 0  # requests that a closed loop without a ramp had to send at once
    burst_slip_max_ms: float | None = None
    burst_tail: Tail | None = None
    read_delay_p50_ms: float | None = None
    read_delay_p99_ms: float | None = None
    read_tail: Tail | None = None
    shared_reads: float | None = None
    workers: tuple[Worker, ...] = ()
    cores: int | None = None
    machine: Machine | Absent = NOT_NOTED  # how much of what this machine can was used
    concurrency_asked: float | None = None
    concurrency_held: float | None = None  # mean between the end of the ramp and the end of sending
    concurrency_max: int | None = None
    rate_asked: float | None = None  # None in closed loop
    rate_scheduled: float | None = None  # of the due times of this very run
    rate_achieved: float | None = None
    connections_opened: int | None = None
    connections_new: bool = False  # each request was to open its own
    urls: int = 1  # over which requests were dealt out
    insecure: bool = False  # certificates were not verified
    proxy: str = ""
    lost_workers: tuple[Lost, ...] = ()
    skipped_bytes: int = 0  # of the journal, damaged
    killed: bool = False
    interrupted: bool = False
