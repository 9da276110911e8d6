"""A worker process: maps what the master has set up, then runs the load loop for each segment it is given.

Started as `python -m perfcore.run.worker`. Its settings come as JSON on standard input: they may hold an API key, which
must not stand on a command line. The memory comes as inherited file descriptors.
"""

import ctypes
import os
import signal
import sys
import time

import msgspec

from perfcore.run.memory import attach
from perfcore_ext.control import Control
from perfcore_ext.loop import Loop

PR_SET_PDEATHSIG = 1
POLL_S = 0.0005


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know; descriptors are those of the child."""

    worker: int
    parent: int
    control_file: int
    ring_file: int
    book_file: int
    due_file: int | None
    urls: list[str]
    balance: str
    headers: list[str]
    options: list[tuple[int, int | str | list[str]]]
    multi_options: list[tuple[int, int]]
    id_header: str
    stream_paths: list[tuple[str, str, str]]
    full_paths: list[tuple[str, str, str]]
    framing: str
    done: str
    complete: list[str]
    stream: bool
    cumulative: bool
    keep_events: bool
    event_limit: int
    first_byte_timeout_ns: int
    idle_timeout_ns: int
    retries: int
    seed: int
    own_connections: bool


def main() -> None:
    settings = msgspec.json.decode(sys.stdin.buffer.read(), type=WorkerSettings)
    outlive_nobody(settings.parent)
    control_memory = attach(settings.control_file)
    control = Control(control_memory)
    loop = Loop(
        control=control_memory,
        worker=settings.worker,
        ring=attach(settings.ring_file),
        book=attach(settings.book_file, readonly=True),
        due_offsets_ns=None if settings.due_file is None else attach(settings.due_file, readonly=True),
        urls=settings.urls,
        balance=settings.balance,
        headers=settings.headers,
        options=settings.options,
        multi_options=settings.multi_options,
        id_header=settings.id_header.encode(),
        stream_paths=settings.stream_paths,
        full_paths=settings.full_paths,
        framing=settings.framing,
        done=settings.done.encode(),
        complete=settings.complete,
        stream=settings.stream,
        cumulative=settings.cumulative,
        keep_events=settings.keep_events,
        event_limit=settings.event_limit,
        first_byte_timeout_ns=settings.first_byte_timeout_ns,
        idle_timeout_ns=settings.idle_timeout_ns,
        retries=settings.retries,
        seed=settings.seed,
        own_connections=settings.own_connections,
    )
    loop.prepare()
    control.set_ready(settings.worker)
    run_segments(control, loop)


def outlive_nobody(parent: int) -> None:
    """Die with the master, whose rings nobody else would empty. Interrupts are its business alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the master has gone")


def run_segments(control: Control, loop: Loop) -> None:
    done = 0
    while (number := control.segment_number) >= 0:
        if number > done:
            loop.run()
            done = number
        else:
            time.sleep(POLL_S)


if __name__ == "__main__":
    main()
