"""The worker processes seen from the master: started, watched, and replaced by the others when one dies."""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec

from perfcore.errors import UserError
from perfcore.run.worker import WorkerSettings
from perfcore_ext.control import Control

READY_TIMEOUT_S = 60.0
END_TIMEOUT_S = 5.0
SAID_BYTES = 4000


@dataclass
class Worker:
    """One process. `exit` is its exit status once it has ended, minus the signal's number if one killed it."""

    number: int
    process: "subprocess.Popen[bytes]"
    complaints: IO[bytes]
    exit: int | None = None

    @property
    def alive(self) -> bool:
        return self.exit is None

    def ended(self) -> bool:
        """Whether the process has ended; true once, when it is first seen."""
        if self.exit is None:
            self.exit = self.process.poll()
            return self.exit is not None
        return False

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        self.complaints.seek(max(0, self.complaints.seek(0, os.SEEK_END) - SAID_BYTES))
        return self.complaints.read().decode(errors="replace").strip()


def start_worker(settings: WorkerSettings) -> Worker:
    """Spawn a worker with the settings on its standard input; its descriptors are inherited by number."""
    files = [settings.control_file, settings.ring_file, settings.book_file]
    if settings.due_file is not None:
        files.append(settings.due_file)
    complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed when the worker has ended
    process = subprocess.Popen(
        [sys.executable, "-m", "perfcore.run.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        pass_fds=files,
        env=worker_environment(),
    )
    assert process.stdin is not None
    try:
        process.stdin.write(msgspec.json.encode(settings))
        process.stdin.close()
    except BrokenPipeError:
        pass  # it died at once: seen when it is waited for
    return Worker(settings.worker, process, complaints)


def worker_environment() -> dict[str, str]:
    """The environment with the place that perfcore was imported from first on the path, wherever the child starts."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def wait_until_ready(workers: list[Worker], control: Control) -> None:
    """Return when all wait for a segment. Raises UserError with the last words of one that could not start."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not all(control.is_ready(worker.number) for worker in workers):
        for worker in workers:
            if worker.ended():
                raise UserError(f"worker {worker.number} could not start: {worker.last_words() or worker.exit}")
        if time.monotonic() > deadline:
            raise UserError(f"the workers were not ready within {READY_TIMEOUT_S:.0f} s; use fewer --workers")
        time.sleep(0.002)


def share_limit(control: Control, workers: list[Worker], total: int) -> None:
    """Split the requests that may be in flight over the workers that live, as evenly as it goes."""
    alive = [worker.number for worker in workers if worker.alive]
    for position, number in enumerate(alive):
        control.set_limit(number, total // len(alive) + (position < total % len(alive)))


def kill_workers(workers: list[Worker]) -> None:
    """End those that still run, whatever they do."""
    for worker in workers:
        if worker.process.poll() is None:
            worker.process.kill()


def end_workers(workers: list[Worker], control: Control) -> None:
    """Tell them that there is no more to do; kill those that do not listen."""
    control.end_workers()
    deadline = time.monotonic() + END_TIMEOUT_S
    for worker in workers:
        try:
            worker.exit = worker.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.exit = worker.process.wait()
        worker.complaints.close()
