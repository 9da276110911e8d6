"""`stress`, top to bottom: find the service, prepare, start the workers, hold the load, take down what happened."""

import dataclasses
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from perfcore.errors import UserError
from perfcore.options import StressOptions
from perfcore.records.folder import create_folder, discard_folder, write_log, write_run_json
from perfcore.records.journal import JournalWriter, Kind
from perfcore.records.machine import calibration_facts
from perfcore.run.aggregator import Aggregator
from perfcore.run.download import download
from perfcore.run.facts import arrivals_facts, run_facts, transport_facts, worker_facts
from perfcore.run.kept import keeps_events
from perfcore.run.memory import SharedMemory, allocate
from perfcore.run.part import Form
from perfcore.run.planning import NS, Plan, make_plan
from perfcore.run.plateau import Goal, Hold, Judge, Plateau
from perfcore.run.preparation import SERVICE, first_body, form_of, prepare_book, service_tokenizer
from perfcore.run.progress import Reporter, Show, totals
from perfcore.run.rows import draws_of, files_of, peeked, select
from perfcore.run.scraper import Scraper, scraping
from perfcore.run.supervision import NO_FILE, Signals, Supervisor
from perfcore.run.target import Target, find_target, try_out
from perfcore.run.transport import kept_connections, own_connections
from perfcore.run.watched import watched_by
from perfcore.run.worker import WorkerSettings
from perfcore.run.workers import Worker, end_workers, kill_workers, share_limit, start_worker, wait_until_ready
from perfcore.run.writing import Prepared, Tell, untold
from perfcore.workload.dialect import Dialect, is_streamed, load_dialect, response_paths
from perfcore.workload.source import Rows
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import NO_LIMIT, Control, control_bytes
from perfcore_ext.frame import PHASES
from perfcore_ext.ring import Reader, create, ring_bytes

START_DELAY_NS = 20_000_000  # between the workers being told and the first request
FOLLOW_S = 120.0  # that a steady run may go on after its longest time, for the last requests of its window
WARMUP_CONCURRENCY = 16  # of an open loop, which has none of its own

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

Say = Callable[[str], None]
Pick = Callable[[Rows], Rows]


def as_they_are(rows: Rows) -> Rows:
    """All rows, in their order."""
    return rows


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


def stress(options: StressOptions, show: Show, say: Say, tell: Tell = untold, pick: Pick = as_they_are) -> Outcome:
    """Load a service as the options say and keep what comes in a run folder, not yet evaluated.

    `show` gets the progress twice a second, `say` what a user should know, `tell` how far the
    preparation is. `pick` makes of the rows of the data set those that are sent. Raises UserError for what the user can
    mend.
    """
    return load(options, None, show, say, tell, pick)


def steady(options: StressOptions, judge: Judge, show: Show, say: Say, tell: Tell = untold) -> Outcome:
    """The same, with the load held until `judge` has seen a plateau and a window of it has been measured.

    The window ends after the duration or the number of requests, or with the precision, that the options ask for; the
    load is kept up until the last request that was due in it has ended.
    """
    longest_s = options.max_duration_s or usual_bound_s(options)
    goal = Goal(
        duration_ns=None if options.duration_s is None else round(options.duration_s * NS),
        requests=options.requests,
        precision=options.precision,
        longest_ns=round(longest_s * NS),
    )
    held = dataclasses.replace(options, requests=None, duration_s=longest_s + FOLLOW_S)
    return load(held, Hold(judge, goal, options), show, say, tell, as_they_are)


def usual_bound_s(options: StressOptions) -> float:
    """How long the search for a window may take where nobody says: ten times as long as it is to be, or ten minutes."""
    return max(600.0, 10 * (options.duration_s or 0.0))


def load(options: StressOptions, steadily: Hold | None, show: Show, say: Say, tell: Tell, pick: Pick) -> Outcome:
    """What both do."""
    dialect = load_dialect(options.dialect)
    lines: list[str] = []
    say = noted(say, lines)
    with ExitStack() as stack:
        if options.download:
            download(options.dataset, options.data_dir, options.config_dir, say)
        # A mistake in the data is told before a model is loaded, where the data can be had without the service.
        early = None if options.tokenizer == SERVICE else select(options, dialect, draws=draws_of(options))
        target = find_target(options, dialect, stack, say)
        selected = early or select(options, dialect, service_tokenizer(target), draws_of(options))
        first, rows = peeked(pick(selected.rows))
        form = form_of(options, dialect, target, options.ignore_eos or selected.ignore_eos)
        opening = first_body(first, form)
        if options.check:
            try_out(target, opening, options.http)
        watched = watched_by(options, dialect, target, say)
        folder = create_folder(options.out, "steady" if steadily else "stress")
        with discarded_on_error(folder, options.out is not None):
            journal = JournalWriter(folder / "journal.bin")
            stack.callback(journal.close)
            book_file, prepared = make_book(folder, rows, form, options, files_of(selected.sources), journal, tell)
            for remark in selected.remarks():
                say(remark)
            note(journal, **transport_facts(options, target))
            note(journal, **calibration_facts())
            plan = make_plan(options, prepared.rows, prepared.timestamps_ns)
            memory = allocate_memory(plan, options, book_file, stack)
            given = options if steadily is None else steadily.given
            write_run_json(folder, run_facts(given, dialect, target, plan, prepared.rows, selected))
            control = Control(memory.control.view, plan.workers, plan.slots)
            keeps = keeps_events(options.keep_events, opening)
            workers = start_workers(target, dialect, options, plan, memory, keeps, stack)
            stack.callback(end_workers, workers, control)
            share_limit(control, workers, plan.concurrency or plan.slots * plan.workers)
            wait_until_ready(workers, control)
            write_log(folder, lines)
            stack.callback(write_log, folder, lines)
            scraper = stack.enter_context(
                scraping(watched.sources, folder, options.server_metrics_interval_s, watched.gpus, say)
            )
        with Signals() as signals:
            return hold(folder, plan, options, memory, control, workers, journal, signals, show, steadily, scraper)


def noted(say: Say, lines: list[str]) -> Say:
    """The same, with each line kept beside the time of day."""

    def both(line: str) -> None:
        lines.append(f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S}Z {line}\n")
        say(line)

    return both


@contextmanager
def discarded_on_error(folder: Path, given: bool) -> Iterator[None]:
    """Take the folder back if something fails before anything has been measured."""
    try:
        yield
    except BaseException:
        discard_folder(folder, given)
        raise


def make_book(
    folder: Path,
    rows: Rows,
    form: Form,
    options: StressOptions,
    files: Iterable[Path],
    journal: JournalWriter,
    tell: Tell,
) -> tuple[int, Prepared]:
    """An open descriptor of the request book, whose name is gone unless it is kept, and what is known of it."""
    path = options.book or folder / "book.bin"
    prepared = prepare_book(path, rows, form, options, journal, files, tell)
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    if options.book is None:
        path.unlink()
    return file, prepared


def allocate_memory(plan: Plan, options: StressOptions, book_file: int, stack: ExitStack) -> Memory:
    """Control block, rings and schedule. The descriptors close with `stack`."""
    stack.callback(os.close, book_file)
    control = allocate("control", control_bytes(plan.workers, plan.slots))
    capacity = options.ring_mib << 20
    rings = [allocate(f"ring-{number}", ring_bytes(capacity)) for number in range(plan.workers)]
    for ring in rings:
        create(ring.view, capacity)
    due = None
    if plan.due_ns is not None:
        due = allocate("due", plan.due_ns.nbytes)
        due.view[:] = plan.due_ns.tobytes()
    for memory in (control, *rings, *([due] if due else [])):
        stack.callback(memory.close)
    return Memory(control, rings, due, book_file)


def start_workers(
    target: Target,
    dialect: Dialect,
    options: StressOptions,
    plan: Plan,
    memory: Memory,
    keeps: bool,
    stack: ExitStack,
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
            keep_events=keeps,
            event_limit=options.max_event_bytes,
            first_byte_timeout_ns=round(options.first_byte_timeout_s * NS),
            idle_timeout_ns=round(options.idle_timeout_s * NS),
            retries=options.retries,
            seed=options.seed,
            own_connections=own_connections(options),
        )
        workers.append(start_worker(settings))
    return workers


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
    steadily: Hold | None,
    scraper: Scraper | None,
) -> Outcome:
    """Run the warm-up and the measured phase, then note how it went."""
    rings = {number: Reader(ring.view) for number, ring in enumerate(memory.rings)}
    reporter = Reporter(control, show, lambda: signals.count > 0)
    supervisor = Supervisor(
        control, workers, Aggregator(journal, rings), journal, signals, round(options.grace_s * NS), reporter
    )
    try:
        if plan.warmups and not signals.count:
            run_phase(supervisor, plan, "warmup", 1)
        before = {worker.number: control.counters(worker.number) for worker in workers}
        began_ns = reporter.begin()
        plateau = None if steadily is None else plateau_of(steadily, plan, control, workers)
        with looked_at(scraper):
            ended_by = run_phase(supervisor, plan, "measured", 2, plateau) if not signals.count else "interrupt"
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


@contextmanager
def looked_at(scraper: Scraper | None) -> Iterator[None]:
    """Have the server's metrics read right before and right after."""
    if scraper is not None:
        scraper.now()
    yield
    if scraper is not None:
        scraper.now()


def plateau_of(steadily: Hold, plan: Plan, control: Control, workers: list[Worker]) -> Plateau:
    """What decides how long the load of a steady run is held."""
    asked = None if plan.open_loop else plan.concurrency
    return Plateau(
        control,
        steadily.judge,
        steadily.goal,
        asked,
        plan.due_ns,
        lambda: [worker.number for worker in workers if worker.alive],
    )


def run_phase(supervisor: Supervisor, plan: Plan, phase: str, number: int, plateau: Plateau | None = None) -> str:
    """Describe the phase in the control block, see it through, note it; returns what ended it."""
    control, workers = supervisor.control, supervisor.workers
    warmup = phase == "warmup"
    total = plan.warmups if warmup else plan.total
    limit = plan.concurrency or plan.slots * plan.workers
    if warmup:
        limit = min(limit, WARMUP_CONCURRENCY if plan.open_loop else limit)
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
        "arrivals": None if warmup else arrivals_facts(plan),
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
        open_loop=plan.open_loop and not warmup,
    )
    if plateau is not None:
        plateau.begin(start_ns)
        supervisor.look = plateau
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
        window=None if plateau is None else plateau.facts(),
        stopped_by=ended_by if ended_by != "complete" else "duration" if plan.total == NO_LIMIT else "requests",
    )
    return ended_by


def exit_code(signals: Signals, supervisor: Supervisor, control: Control) -> int:
    """130 after an interrupt, 1 if a worker died or not one request succeeded."""
    if signals.count:
        return EXIT_INTERRUPTED
    done = totals(control)
    return EXIT_FAILED if supervisor.lost or done["failed"] >= done["completed"] else EXIT_OK


def note(journal: JournalWriter, **facts: Any) -> None:
    journal.append(Kind.NOTE, NO_FILE, msgspec.json.encode(facts))
