"""Runs a command and counts the processor time of all the processes that come of it, also of those it lets go.

`python -m benchmarks.counted FILE LIMIT_S COMMAND ...` writes {"cpu_s", "wall_s", "exit"} to FILE. What the command
says is left alone.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process import python, start

PR_SET_CHILD_SUBREAPER = 36
SPARE_S = 30.0
SAID = "said.txt"


@dataclass(frozen=True)
class Counted:
    """Processor and wall-clock seconds of a command, its exit status, what it said (both outputs)."""

    cpu_s: float
    wall_s: float
    exit: int
    said: str


def run(
    command: Sequence[str],
    folder: Path,
    limit_s: float,
    cores: set[int] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Counted:
    """Run the command, at most so long; `folder` is where the count and what is said are put."""
    counts = folder / "counted.json"
    process = start(
        [*python("benchmarks.counted", counts, limit_s), *map(str, command)],
        cores,
        stderr=subprocess.STDOUT,
        env=dict(os.environ if environment is None else environment),
    )
    said, _ = process.communicate(timeout=limit_s + SPARE_S)
    (folder / SAID).write_text(said)
    return Counted(**json.loads(counts.read_text()), said=said)


def main(counts: Path, limit_s: float, command: list[str]) -> None:
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    began = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        status = process.wait()
    wall_s = time.monotonic() - began
    reap(process.pid)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    counts.write_text(json.dumps({"cpu_s": used.ru_utime + used.ru_stime, "wall_s": wall_s, "exit": status}))


def reap(group: int) -> None:
    """Wait for what the command left behind, and end it where it does not end by itself."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:])
