"""The parts of a request book in the order of their rows, made by several processes where that is worth their start."""

import os
import pickle
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import IO

from perfcore.errors import UserError
from perfcore.run.maker import made
from perfcore.run.part import Form, Part, Trouble, cut
from perfcore.run.workers import worker_environment
from perfcore.workload.source import Made, Rows

PART_ROWS = 1000
PART_BYTES = 4 << 20
PROBE_ROWS = 16
SMALL_BYTES = 16 << 20  # of bodies that this process makes sooner alone than others with it
MAKERS = 32  # at most: each may hold a tokenizer
AHEAD = 3  # parts for each process that may be unwritten: what bounds the memory
QUEUED = 2  # parts that a process is told of, so that it has work while its last one is on the way
ALONE = {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
SAID_BYTES = 4000


@dataclass
class Maker:
    """One process, and the numbers of the parts that it has been told of."""

    process: "subprocess.Popen[bytes]"
    connection: Connection
    complaints: IO[bytes]
    told: deque[int] = field(default_factory=deque)


def parts(rows: Rows, form: Form, makers: int | None = None) -> Generator[Part, None, None]:
    """All rows as parts of some MiB, in their order and in bounded memory.

    Rows that can be made anywhere are made by `makers` processes (default: one for each core), unless they are few.
    Raises UserError for a row that cannot be made or sent, and where a process dies.
    """
    if not isinstance(rows, Made):
        yield from cut(rows, form, PART_BYTES)
        return
    if len(rows) == 0:
        return
    probe = made(rows, form, 0, min(PROBE_ROWS, len(rows)))
    yield probe
    row_bytes = max(1, len(probe.bodies.data) // max(1, probe.rows))
    step = max(1, min(PART_ROWS, PART_BYTES // row_bytes))
    starts = range(probe.rows, len(rows), step)
    several = min(len(starts), MAKERS, len(os.sched_getaffinity(0)) if makers is None else makers)
    if several < 2 or (makers is None and (len(rows) - probe.rows) * row_bytes < SMALL_BYTES):
        yield from (made(rows, form, *span(starts, number)) for number in range(len(starts)))
    else:
        yield from made_by_many(rows, form, starts, several)


def span(starts: range, number: int) -> tuple[int, int]:
    """Where a part starts and stops."""
    return starts[number], min(starts[number] + starts.step, starts.stop)


def made_by_many(rows: Made, form: Form, starts: range, makers: int) -> Generator[Part, None, None]:
    """The parts that start there in their order, made by that many processes, which end with the iterator."""
    crew: list[Maker] = []
    try:
        crew += [start_maker() for _ in range(makers)]
        job = pickle.dumps((rows, form), pickle.HIGHEST_PROTOCOL)
        for maker in crew:
            send(maker, job, starts)
        yield from in_order(crew, starts)
    finally:
        for maker in crew:
            end(maker)


def in_order(crew: list[Maker], starts: range) -> Generator[Part, None, None]:
    """Hand out what is to be made and give back the parts, no more than AHEAD for each process before they are due."""
    done: dict[int, Part | Trouble] = {}
    handed = 0
    for due in range(len(starts)):
        while due not in done:
            while handed < min(len(starts), due + AHEAD * len(crew)):
                maker = min(crew, key=lambda maker: len(maker.told))
                if len(maker.told) >= QUEUED:
                    break
                maker.told.append(handed)
                send(maker, pickle.dumps(span(starts, handed)), starts)
                handed += 1
            done.update(received(crew, starts))
        yield sound(done.pop(due))


def received(crew: list[Maker], starts: range) -> list[tuple[int, Part | Trouble]]:
    """Parts that have come, at least one."""
    ready = wait([maker.connection for maker in crew if maker.told])
    found = []
    for maker in crew:
        if maker.connection in ready:
            try:
                part = pickle.loads(maker.connection.recv_bytes())
            except (EOFError, ConnectionResetError):
                raise died(maker, starts) from None
            found.append((maker.told.popleft(), part))
    return found


def sound(part: Part | Trouble) -> Part:
    """The part, unless something was wrong with it."""
    if isinstance(part, Part):
        return part
    if part.users:
        raise UserError(part.words)
    raise RuntimeError(f"a process that prepares requests failed:\n{part.words}")


def start_maker() -> Maker:
    """Start a process that waits for its job."""
    ours, theirs = socket.socketpair()
    complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed when the process has ended
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "perfcore.run.maker", str(theirs.fileno()), str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=complaints,
            pass_fds=[theirs.fileno()],
            env=worker_environment() | ALONE,
        )
    return Maker(process, Connection(ours.detach()), complaints)


def send(maker: Maker, data: bytes, starts: range) -> None:
    """Tell a process something. Raises UserError if it has died."""
    try:
        maker.connection.send_bytes(data)
    except (BrokenPipeError, ConnectionResetError):
        raise died(maker, starts) from None


def died(maker: Maker, starts: range) -> UserError:
    """What to tell the user of a process that has ended before its time."""
    status = maker.process.wait()
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    maker.complaints.seek(max(0, maker.complaints.seek(0, os.SEEK_END) - SAID_BYTES))
    said = maker.complaints.read().decode(errors="replace").strip()
    first, last = span(starts, maker.told[0]) if maker.told else (0, 0)
    at = f" while it made rows {first + 1:,} to {last:,}" if last else ""
    words = f": {said}" if said else "; if memory ran out, free some or use shorter prompts"
    return UserError(f"a process that prepares requests {how}{at}{words}")


def end(maker: Maker) -> None:
    """End a process, whatever it does."""
    maker.connection.close()
    maker.process.kill()
    maker.process.wait()
    maker.complaints.close()
