"""The plan that the workers follow: how many of them, how much they hold at once, and when each request is due."""

import os
import resource
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.pace import Arrivals
from perfcore.workload.schedule import offsets
from perfcore_ext.control import NO_LIMIT

NS = 1_000_000_000
SPARE_FILES = 64  # what a process has open beside its connections
OPEN_LOOP_SLOTS = 65_536  # in flight at once in each worker of an open loop without a limit
STREAMS_PER_WORKER = 256
REQUESTS_PER_WORKER = 2_000  # a second, in an open loop


@dataclass(frozen=True)
class Plan:
    """The measured load."""

    workers: int
    concurrency: int | None  # None: an open loop without a limit
    slots: int  # in each worker's table
    connections: int  # that each worker keeps: with several URLs it may need one to each of them for a slot
    total: int  # NO_LIMIT: as many as the duration allows
    duration_ns: int | None
    ramp_interval_ns: int
    arrivals: Arrivals | None  # None in a closed loop
    due_ns: NDArray[np.int64] | None  # offsets of an open loop from its start
    rate: float | None  # asked for on average; None in a closed loop and for requests that are all due at once
    warmups: int

    @property
    def open_loop(self) -> bool:
        return self.due_ns is not None


def make_plan(options: StressOptions, rows: int, timestamps_ns: Sequence[int]) -> Plan:
    """Resolve what the options leave open. Raises UserError where this machine cannot hold the load.

    `timestamps_ns`: of each row that is replayed.
    """
    arrivals = arrivals_of(options)
    due_ns = None if arrivals is None else schedule(options, arrivals, rows, timestamps_ns)
    rate = None if due_ns is None else mean_rate(due_ns)
    workers = options.workers or automatic_workers(options.concurrency, rate)
    if options.concurrency is not None:
        workers = min(workers, options.concurrency)
    slots = options.concurrency or min(OPEN_LOOP_SLOTS, allow_files(OPEN_LOOP_SLOTS, workers, required=False))
    allow_files(slots, workers, required=options.concurrency is not None)
    needed = slots * max(1, len(options.url))
    return Plan(
        workers=workers,
        concurrency=options.concurrency,
        slots=slots,
        connections=min(needed, allow_files(needed, workers, required=False)),
        total=closed_total(options, rows) if due_ns is None else due_ns.size,
        duration_ns=None if options.duration_s is None else round(options.duration_s * NS),
        ramp_interval_ns=0 if options.ramp is None else round(NS / options.ramp),
        arrivals=arrivals,
        due_ns=due_ns,
        rate=options.rate if arrivals is not None and constant_rate(arrivals) else rate,
        warmups=options.warmups,
    )


def arrivals_of(options: StressOptions) -> Arrivals | None:
    """How requests are spread in time; None for a closed loop. Which rows a replay has was chosen before."""
    if options.arrivals is None and options.rate is None:
        return None
    return Arrivals(
        law=options.arrivals or "constant",
        rate=options.rate,
        burstiness=1.0 if options.burstiness is None else options.burstiness,
        ramp_up_strategy=options.ramp_up_strategy,
        ramp_up_start_rps=options.ramp_up_start_rps or 0.0,
        ramp_up_end_rps=options.ramp_up_end_rps,
        rate_shape=options.rate_shape,
        speed=options.speed,
    )


def schedule(options: StressOptions, arrivals: Arrivals, rows: int, timestamps_ns: Sequence[int]) -> NDArray[np.int64]:
    """When each request is due, in ns from the start: one pass over the rows where nothing says how many."""
    count, duration_ns = options.requests, None if options.duration_s is None else round(options.duration_s * NS)
    if count is None and duration_ns is None:
        count = rows
    recorded = np.asarray(timestamps_ns, np.int64) if arrivals.law == "replay" else None
    return offsets(arrivals, count, duration_ns, options.seed, recorded)


def constant_rate(arrivals: Arrivals) -> bool:
    """Whether the rate is the same from start to end."""
    return arrivals.rate is not None and arrivals.ramp_up_strategy is None and arrivals.rate_shape is None


def mean_rate(due_ns: NDArray[np.int64]) -> float | None:
    """Requests a second of a schedule; None where all are due at once."""
    span_ns = int(due_ns[-1]) if due_ns.size else 0
    return (due_ns.size - 1) * NS / span_ns if span_ns > 0 else None


def automatic_workers(concurrency: int | None, rate: float | None) -> int:
    """As many as the load needs, and one core fewer than there are: one process holds hundreds of streams."""
    by_streams = (concurrency or 1) / STREAMS_PER_WORKER
    by_rate = (rate or 0) / REQUESTS_PER_WORKER
    cores = len(os.sched_getaffinity(0)) or psutil.cpu_count() or 1
    needed = -(-max(by_streams, by_rate) // 1)
    return max(1, min(int(needed), cores - 1))


def closed_total(options: StressOptions, rows: int) -> int:
    """How many requests a closed loop has."""
    if options.requests is not None:
        return options.requests
    return NO_LIMIT if options.duration_s is not None else rows


def allow_files(slots: int, workers: int, *, required: bool) -> int:
    """Raise the limit of open files for the workers to come; returns how many connections each may hold.

    Raises UserError if `required` and the hard limit does not allow each worker its share of `slots`.
    """
    needed = -(-slots // workers) + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    if required and not unlimited and hard < needed:
        raise UserError(
            f"concurrency {slots} over {workers} workers needs {needed} open files in each, and the limit here is "
            f"{hard}: raise it (ulimit -n {needed}) or use more --workers"
        )
    wanted = slots + SPARE_FILES if unlimited else min(slots + SPARE_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return (slots if soft == resource.RLIM_INFINITY else soft - SPARE_FILES) or 1
