"""`perfcore stress` with a look at its processes' clocks where one stage ends and the next begins.

`python -m benchmarks.observed FILE FLAGS ...` runs `perfcore stress FLAGS ...` and writes the looks to FILE, as JSON:
[{"stage", "time_ns", "master_ns", "workers_ns"}], with the processor time used until then.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.process import cpu_clock_ns, python
from perfcore.cli import stress
from perfcore.run import master
from perfcore.run.planning import Plan
from perfcore.run.plateau import Plateau
from perfcore.run.supervision import Supervisor
from perfcore_ext.clock import monotonic_ns

Look = dict[str, Any]


def command(looks: Path, **flags: object) -> list[str]:
    """The command of a run; True and False stand for a switch, other values follow their flag."""
    return python("benchmarks.observed", looks, *arguments(**flags))


def arguments(**flags: object) -> list[str]:
    """Flags of `perfcore stress`."""
    words: list[str] = []
    for name, value in flags.items():
        flag = name.replace("_", "-")
        words += [f"--{flag}" if value else f"--no-{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return words


def look(stage: str, workers: list[int]) -> Look:
    return {
        "stage": stage,
        "time_ns": monotonic_ns(),
        "master_ns": time.process_time_ns(),
        "workers_ns": sum(map(cpu_clock_ns, workers)),
    }


def watched(run_phase: Callable[..., str], looks: list[Look]) -> Callable[..., str]:
    """The same function, with a look before and after the measured phase."""

    def wrapped(supervisor: Supervisor, plan: Plan, phase: str, number: int, plateau: Plateau | None = None) -> str:
        workers = [worker.process.pid for worker in supervisor.workers]
        if phase == "measured":
            looks.append(look("begin", workers))
        ended_by = run_phase(supervisor, plan, phase, number, plateau)
        if phase == "measured":
            looks.append(look("end", workers))
        return ended_by

    return wrapped


def main(path: Path, flags: list[str]) -> None:
    looks: list[Look] = []
    master.run_phase = watched(master.run_phase, looks)
    status = stress.command.main(flags, standalone_mode=False)
    looks.append(look("finished", []))
    path.write_text(json.dumps(looks))
    sys.exit(status)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
