"""What is made before the clock starts: the request book, the due times, and the plan that the workers follow."""

import itertools
import os
import resource
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.journal import JournalWriter, Kind
from perfcore.run.book import BookWriter
from perfcore.workload.conversation import turns
from perfcore.workload.dataset import Row, prompt_rows, read_rows
from perfcore.workload.dialect import Dialect, encoder
from perfcore.workload.schedule import constant, count_within
from perfcore_ext.control import NO_LIMIT

NS = 1_000_000_000
ROWS_BLOCK_BYTES = 1 << 20
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
    rate: float | None
    warmups: int


def rows_of(options: StressOptions) -> Iterator[Row]:
    """The rows that the run may need: all of the data set, or as many as there are requests."""
    rows = read_rows(options.dataset) if options.dataset is not None else prompt_rows(options.prompt)
    if options.requests is not None and options.duration_s is None:
        return itertools.islice(rows, max(options.requests, options.warmups))
    return rows


def write_book(
    path: Path, rows: Iterable[Row], dialect: Dialect, model: str | None, options: StressOptions, journal: JournalWriter
) -> int:
    """Encode the body of each row into a book at `path`, and note the rows in the journal; returns their number."""
    encode = encoder(dialect, model=model, max_tokens=options.max_tokens, stream=options.stream, extra=options.body)
    to_json = msgspec.json.Encoder().encode
    pending: list[bytes] = []
    size = 0
    with BookWriter(path) as book:
        count = 0
        for row in rows:
            for turn in turns(row, encode, options.history, options.think_s):
                book.add(turn.body, turn.splices, turn.number, turn.think_ns)
            pending.append(to_json(row))
            size += len(pending[-1])
            count += 1
            if size >= ROWS_BLOCK_BYTES:
                journal.append(Kind.ROWS, 0, b"\n".join(pending) + b"\n")
                pending, size = [], 0
    if pending:
        journal.append(Kind.ROWS, 0, b"\n".join(pending) + b"\n")
    return count


def make_plan(options: StressOptions, rows: int) -> Plan:
    """Resolve what the options leave open. Raises UserError where this machine cannot hold the load."""
    workers = options.workers or automatic_workers(options)
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
        total=total_requests(options, rows),
        duration_ns=None if options.duration_s is None else round(options.duration_s * NS),
        ramp_interval_ns=0 if options.ramp is None else round(NS / options.ramp),
        rate=options.rate,
        warmups=options.warmups,
    )


def automatic_workers(options: StressOptions) -> int:
    """As many as the load needs, and one core fewer than there are: one process holds hundreds of streams."""
    by_streams = (options.concurrency or 1) / STREAMS_PER_WORKER
    by_rate = (options.rate or 0) / REQUESTS_PER_WORKER
    cores = len(os.sched_getaffinity(0)) or psutil.cpu_count() or 1
    needed = -(-max(by_streams, by_rate) // 1)
    return max(1, min(int(needed), cores - 1))


def total_requests(options: StressOptions, rows: int) -> int:
    """How many requests the measured load has."""
    by_time = NO_LIMIT
    if options.duration_s is not None and options.rate is not None:
        by_time = count_within(options.rate, options.duration_s)
    if options.requests is not None:
        return min(options.requests, by_time)
    return by_time if options.duration_s is not None else rows


def due_offsets(plan: Plan) -> bytes | None:
    """Due times of an open loop, int64 nanoseconds from its start; None for a closed loop."""
    return None if plan.rate is None else constant(plan.rate, plan.total).tobytes()


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
