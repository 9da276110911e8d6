"""`stress`, top to bottom: find the service, prepare, start the workers, hold the load, take down what happened."""

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.folder import create_folder, discard_folder, write_run_json
from perfcore.records.journal import JournalWriter, Kind
from perfcore.redaction import redacted, redacted_command, redacted_url
from perfcore.run.aggregator import Aggregator
from perfcore.run.kept import keeps_events
from perfcore.run.memory import SharedMemory, allocate
from perfcore.run.preparation import NS, Plan, due_offsets, make_plan, rows_of, write_book
from perfcore.run.progress import SHOW_EVERY_NS, Progress, progress, totals
from perfcore.run.supervision import NO_FILE, Signals, Supervisor
from perfcore.run.target import Target, find_target
from perfcore.run.transport import kept_connections, own_connections
from perfcore.run.worker import WorkerSettings
from perfcore.run.workers import Worker, end_workers, kill_workers, share_limit, start_worker, wait_until_ready
from perfcore.versions import versions
from perfcore.workload.dialect import Dialect, is_streamed, load_dialect, response_paths
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import NO_LIMIT, Control, control_bytes
from perfcore_ext.frame import PHASES
from perfcore_ext.ring import Reader, create, ring_bytes

START_DELAY_NS = 20_000_000  # between the workers being told and the first request
WARMUP_CONCURRENCY = 16  # of an open loop, which has none of its own

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

Show = Callable[[Progress], None]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Outcome:
    """Where the run lies, and what its exit status is."""

    folder: Path
    exit_code: int


@dataclass(frozen=True)
class Memory:
    """What the master shares with the workers."""

    control: SharedMemory
    rings: list[SharedMemory]
    due: SharedMemory | None
    book_file: int


def stress(options: StressOptions, show: Show, say: Say) -> Outcome:
    """Load a service as the options say and keep what comes in a run folder, not yet evaluated.

    `show` gets the progress twice a second, `say` what a user should know. Raises UserError for what the user can mend.
    """
    dialect = load_dialect(options.dialect)
    with ExitStack() as stack:
        target = find_target(options, dialect, stack, say)
        folder = create_folder(options.out, "stress")
        with discarded_on_error(folder, options.out is not None):
            journal = JournalWriter(folder / "journal.bin")
            stack.callback(journal.close)
            book_file, rows = make_book(folder, dialect, target, options, journal)
            note(journal, **transport_facts(options, target))
            plan = make_plan(options, rows)
            memory = allocate_memory(plan, options, book_file, stack)
            write_run_json(folder, run_facts(options, dialect, target, plan, rows))
            control = Control(memory.control.view, plan.workers, plan.slots)
            workers = start_workers(target, dialect, options, plan, memory, stack)
            stack.callback(end_workers, workers, control)
            share_limit(control, workers, plan.concurrency or plan.slots * plan.workers)
            wait_until_ready(workers, control)
        with Signals() as signals:
            return hold(folder, plan, options, memory, control, workers, journal, signals, show)


@contextmanager
def discarded_on_error(folder: Path, given: bool) -> Iterator[None]:
    """Take the folder back if something fails before anything has been measured."""
    try:
        yield
    except BaseException:
        discard_folder(folder, given)
        raise


def make_book(
    folder: Path, dialect: Dialect, target: Target, options: StressOptions, journal: JournalWriter
) -> tuple[int, int]:
    """An open descriptor of the request book, whose name is already gone, and its number of rows."""
    path = folder / "book.bin"
    rows = write_book(path, rows_of(options), dialect, target.model, options, journal)
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    path.unlink()
    return file, rows


def allocate_memory(plan: Plan, options: StressOptions, book_file: int, stack: ExitStack) -> Memory:
    """Control block, rings and schedule. The descriptors close with `stack`."""
    stack.callback(os.close, book_file)
    control = allocate("control", control_bytes(plan.workers, plan.slots))
    capacity = options.ring_mib << 20
    rings = [allocate(f"ring-{number}", ring_bytes(capacity)) for number in range(plan.workers)]
    for ring in rings:
        create(ring.view, capacity)
    due = None
    if (offsets := due_offsets(plan)) is not None:
        due = allocate("due", len(offsets))
        due.view[:] = offsets
    for memory in (control, *rings, *([due] if due else [])):
        stack.callback(memory.close)
    return Memory(control, rings, due, book_file)


def start_workers(
    target: Target, dialect: Dialect, options: StressOptions, plan: Plan, memory: Memory, stack: ExitStack
) -> list[Worker]:
    """Spawn the worker processes; each sends its number of request with a name of this run in front."""
    run_name = uuid.uuid4().hex[:12]
    workers: list[Worker] = []
    stack.callback(kill_workers, workers)
    for number, ring in enumerate(memory.rings):
        settings = WorkerSettings(
            worker=number,
            parent=os.getpid(),
            control_file=memory.control.file,
            ring_file=ring.file,
            book_file=memory.book_file,
            due_file=None if memory.due is None else memory.due.file,
            urls=list(target.urls),
            balance=options.balance,
            headers=[*target.headers, "Expect:"],
            options=target.transport.curl,
            multi_options=[*target.transport.multi, kept_connections(plan.connections)],
            id_header=f"X-Request-Id: {run_name}-",
            stream_paths=response_paths(dialect, True),
            full_paths=response_paths(dialect, False),
            framing=dialect.framing,
            done=dialect.done,
            complete=list(dialect.complete),
            stream=is_streamed(dialect, options.stream),
            cumulative=dialect.cumulative,
            keep_events=keeps_events(options, dialect, target.model),
            event_limit=options.max_event_bytes,
            first_byte_timeout_ns=round(options.first_byte_timeout_s * NS),
            idle_timeout_ns=round(options.idle_timeout_s * NS),
            retries=options.retries,
            seed=options.seed,
            own_connections=own_connections(options),
        )
        workers.append(start_worker(settings))
    return workers


def run_facts(options: StressOptions, dialect: Dialect, target: Target, plan: Plan, rows: int) -> dict[str, Any]:
    """What run.json says of the run itself. Nothing in it is secret."""
    return {
        "command": ["perfcore", *redacted_command(sys.argv[1:])],
        "options": redacted(options),
        "url": redacted_url(target.urls[0]),
        "urls": [redacted_url(url) for url in target.urls],
        "proxy": target.transport.proxy or None,
        "simulated": target.simulated,
        "model": target.model,
        "dialect": dialect.name,
        "rows": rows,
        "plan": {
            "workers": plan.workers,
            "concurrency": plan.concurrency,
            "rate": plan.rate,
            "requests": None if plan.total == NO_LIMIT else plan.total,
            "duration_s": options.duration_s,
            "warmups": plan.warmups,
        },
        "clock": {"monotonic_ns": monotonic_ns()},
        "versions": versions(),
    }


def transport_facts(options: StressOptions, target: Target) -> dict[str, Any]:
    """What the report has to say of how requests travelled."""
    return {
        "note": "transport",
        "urls": [redacted_url(url) for url in target.urls],
        "proxy": target.transport.proxy,
        "insecure": options.insecure,
        "connections": options.connections,
    }


def hold(
    folder: Path,
    plan: Plan,
    options: StressOptions,
    memory: Memory,
    control: Control,
    workers: list[Worker],
    journal: JournalWriter,
    signals: Signals,
    show: Show,
) -> Outcome:
    """Run the warm-up and the measured phase, then note how it went."""
    rings = {number: Reader(ring.view) for number, ring in enumerate(memory.rings)}
    reporter = Reporter(control, show)
    supervisor = Supervisor(
        control, workers, Aggregator(journal, rings), journal, signals, round(options.grace_s * NS), reporter
    )
    try:
        if plan.warmups and not signals.count:
            run_phase(supervisor, plan, "warmup", 1)
        before = {worker.number: control.counters(worker.number) for worker in workers}
        began_ns = reporter.begin()
        ended_by = run_phase(supervisor, plan, "measured", 2) if not signals.count else "interrupt"
    except UserError as error:
        control.abort()
        raise UserError(f"{error}; what was measured until then is in {folder} (perfcore report {folder})") from None
    wall_ns = monotonic_ns() - began_ns
    end_workers(workers, control)
    for worker in workers:
        if worker not in supervisor.lost:
            note(journal, **worker_facts(worker, before[worker.number], control, wall_ns))
    code = exit_code(signals, supervisor, control)
    note(journal, note="end", exit=code, ended_by=ended_by, time_ns=monotonic_ns())
    return Outcome(folder, code)


def run_phase(supervisor: Supervisor, plan: Plan, phase: str, number: int) -> str:
    """Describe the phase in the control block, see it through, note it; returns what ended it."""
    control, workers = supervisor.control, supervisor.workers
    warmup = phase == "warmup"
    total = plan.warmups if warmup else plan.total
    limit = plan.concurrency or plan.slots * plan.workers
    if warmup:
        limit = min(limit, WARMUP_CONCURRENCY if plan.rate is not None else limit)
    share_limit(control, workers, limit)
    start_ns = monotonic_ns() + START_DELAY_NS
    stop_ns = NO_LIMIT if warmup or plan.duration_ns is None else start_ns + plan.duration_ns
    first = 0 if warmup else plan.warmups
    facts: dict[str, Any] = {
        "note": "phase",
        "phase": phase,
        "start_ns": start_ns,
        "stop_ns": None if stop_ns == NO_LIMIT else stop_ns,
        "first_request_id": first,
        "concurrency": limit if plan.concurrency or warmup else None,
        "rate": None if warmup else plan.rate,
    }
    note(supervisor.journal, **facts)
    control.start_segment(
        number=number,
        phase=PHASES.index(phase),
        start_ns=start_ns,
        stop_ns=stop_ns,
        first_request_id=first,
        total=total,
        ramp_interval_ns=0 if warmup else plan.ramp_interval_ns,
        open_loop=plan.rate is not None and not warmup,
    )
    ended_by = supervisor.watch(number, limit, phase)
    unsent = [
        slot[0] for worker in workers if worker.alive for slot in control.claimed_slots(worker.number) if slot[4] == -2
    ]
    note(
        supervisor.journal,
        **facts,
        end_ns=monotonic_ns(),
        claimed=first + control.claimed,
        unsent=sorted(unsent),
        stopped_by=ended_by if ended_by != "complete" else "duration" if plan.total == NO_LIMIT else "requests",
    )
    return ended_by


class Reporter:
    """Shows the progress of the measured phase, twice a second at most."""

    def __init__(self, control: Control, show: Show) -> None:
        self._control = control
        self._show = show
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
        if self._began_ns is not None and now >= self._next_ns:
            self._show(progress(self._control, self._before, (now - self._began_ns) / NS))
            self._next_ns = now + SHOW_EVERY_NS


def worker_facts(worker: Worker, before: dict[str, int], control: Control, wall_ns: int) -> dict[str, Any]:
    """What a worker did during the measured phase."""
    now = control.counters(worker.number)
    return {
        "note": "worker",
        "worker": worker.number,
        "wall_s": wall_ns / NS,
        "cpu_s": (now["cpu_ns"] - before["cpu_ns"]) / NS,
        "requests": now["completed"] - before["completed"],
        "connections": now["connections"] - before["connections"],
        "loops": now["wake_ups"] - before["wake_ups"],
        "reads": now["reads"] - before["reads"],
        "busy_s": (now["busy_ns"] - before["busy_ns"]) / NS,
        "peak_in_flight": now["peak_in_flight"],
        "ring_full_waits": now["ring_full_waits"],
        "ring_peak_waiting_bytes": now["ring_peak_waiting_bytes"],
    }


def exit_code(signals: Signals, supervisor: Supervisor, control: Control) -> int:
    """130 after an interrupt, 1 if a worker died or not one request succeeded."""
    if signals.count:
        return EXIT_INTERRUPTED
    done = totals(control)
    return EXIT_FAILED if supervisor.lost or done["failed"] >= done["completed"] else EXIT_OK


def note(journal: JournalWriter, **facts: Any) -> None:
    journal.append(Kind.NOTE, NO_FILE, msgspec.json.encode(facts))
