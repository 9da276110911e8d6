"""A whole run against bare libcurl: the processor time of all its processes, their memory, what is stored.

`python -m benchmarks.whole` prints the figures.
"""

import json
import re
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet

from benchmarks import baseline, observed
from benchmarks.figure import Figure, median, rows, spread, text
from benchmarks.loop import AT_ONCE, PACED, PATH, Load, cost_s
from benchmarks.process import output, python, simulating, start
from benchmarks.records import fill

SAMPLE_S = 0.25
HELP_TIMES = 5
STORED = ("journal.bin", "requests.parquet", "events.parquet")
PRIVATE = re.compile(r"^RssAnon:\s+(\d+) kB", re.MULTILINE)
LOADS = (
    Load("whole-200", "200 streams, one event every 20 ms", 200, 400, 250, PACED, gate=1.5),
    Load("whole-1000", "1,000 streams, one event every 20 ms", 1000, 2000, 250, PACED, pairs=2),
    Load("whole-tiny", "tiny requests", 16, 100_000, 1, AT_ONCE, stream=False, cost_gate_us=35),
)
SMOKE = (
    Load("whole-200", "paced", 8, 16, 5, {**PACED, "itl_ms": 2.0}, pairs=1),
    Load("whole-tiny", "tiny", 2, 200, 1, AT_ONCE, stream=False, pairs=1),
)
IDLE = Load("idle", "next to nothing", 16, 16, 1, AT_ONCE)
FINISH_GATE_US = 30.0
STORED_GATE_BYTES = 100.0
JOURNAL_GATE = 1.0
JOURNAL_EVENTS = 256
GROWTH_GATE_MIB = 1.0
HELP_GATE_S = 0.3


@dataclass(frozen=True)
class Run:
    """A finished run: processor seconds by stage, private memory over time, bytes stored by file."""

    events: int
    requests: int
    load_s: float
    workers_s: float  # of load_s
    finish_s: float
    all_s: float
    growth_mib: float  # of the private memory of all processes, over the second half of the load
    load_mib: float
    stored_bytes: int


def measure(loads: tuple[Load, ...] = LOADS, journal_requests: int = 5000) -> list[Figure]:
    """The figures of each load, of a run of next to nothing, of the journal, and of `perfcore --help`."""
    with simulating(**IDLE.settings) as simulator:
        idle = whole_run(IDLE, simulator.url)
    compared = [figure for load in loads for figure in figures(load, *compare(load), idle)]
    start_s = idle.all_s - idle.load_s - idle.finish_s
    note = f"{start_s:.1f} to start, {idle.finish_s:.1f} to finish the run folder and report"
    fixed = Figure("idle", f"CPU of a whole run of {IDLE.requests} requests", idle.all_s, "s", note=note)
    return [*compared, fixed, aggregator(journal_requests), help_time()]


def compare(load: Load) -> tuple[list[dict[str, Any]], list[Run]]:
    """Runs of bare libcurl and whole runs, in turn."""
    bare: list[dict[str, Any]] = []
    ours: list[Run] = []
    with simulating(**load.settings) as simulator:
        for _ in range(load.pairs):
            bare.append(baseline.run(simulator.url + PATH, load.streams, load.requests, load.body()))
            ours.append(whole_run(load, simulator.url))
    return bare, ours


def whole_run(load: Load, url: str) -> Run:
    """`perfcore stress` from start to end; raises RuntimeError where requests failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        flags: dict[str, Any] = {
            "url": url,
            "model": "simulated",
            "prompt": "hello",
            "concurrency": load.streams,
            "requests": load.requests,
            "max_tokens": load.tokens,
            "stream": load.stream,
            "out": folder / "run",
        }
        process = start(observed.command(folder / "looks.json", **flags), stderr=subprocess.DEVNULL)
        samples = sampled(process)
        output(process)
        looks = {look["stage"]: look for look in json.loads((folder / "looks.json").read_text())}
        return read_run(load, folder / "run", looks, samples)


def sampled(process: "subprocess.Popen[str]") -> list[tuple[int, float]]:
    """Grows by (time in ns, private MiB of the process and its children) until it ends."""
    samples: list[tuple[int, float]] = []

    def sample() -> None:
        while process.poll() is None:
            samples.append((time.monotonic_ns(), private_mib(process.pid)))
            time.sleep(SAMPLE_S)

    threading.Thread(target=sample, daemon=True).start()
    return samples


def private_mib(pid: int) -> float:
    """Memory of a process and its children that they share with nobody and that is no file."""
    try:
        family = [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        found = [PRIVATE.search(Path(f"/proc/{one}/status").read_text()) for one in family]
    except (psutil.Error, OSError):
        return 0.0
    return sum(int(match[1]) for match in found if match) / 1024


def read_run(load: Load, folder: Path, looks: dict[str, dict[str, int]], samples: list[tuple[int, float]]) -> Run:
    """What the run folder, the looks at the clocks and the samples of memory say."""
    found = json.loads((folder / "metrics.json").read_text())["requests"]
    if found["ok"] != load.requests:
        raise RuntimeError(f"{load.what}: {found['ok']} of {load.requests} requests succeeded")
    begin, end, finished = looks["begin"], looks["end"], looks["finished"]
    workers_ns = end["workers_ns"] - begin["workers_ns"]
    half_ns = (begin["time_ns"] + end["time_ns"]) // 2
    memory = [mib for at, mib in samples if half_ns <= at <= end["time_ns"] and mib]
    return Run(
        events=events(folder),
        requests=load.requests,
        load_s=(end["master_ns"] - begin["master_ns"] + workers_ns) / 1e9,
        workers_s=workers_ns / 1e9,
        finish_s=(finished["master_ns"] - end["master_ns"]) / 1e9,
        all_s=(finished["master_ns"] + end["workers_ns"]) / 1e9,
        growth_mib=memory[-1] - memory[0] if memory else 0.0,
        load_mib=max(memory, default=0.0),
        stored_bytes=sum((folder / name).stat().st_size for name in STORED),
    )


def events(folder: Path) -> int:
    """Rows of events.parquet, whose metadata alone is read."""
    return int(pyarrow.parquet.read_metadata(folder / "events.parquet").num_rows)


def figures(load: Load, bare: list[dict[str, Any]], ours: list[Run], idle: Run) -> list[Figure]:
    """Figures of a load of streams or of one of tiny requests."""
    return of_streams(load, bare, ours) if load.stream else of_requests(load, bare, ours, idle)


def of_streams(load: Load, bare: list[dict[str, Any]], ours: list[Run]) -> list[Figure]:
    """Cost per event against bare libcurl's, growth of memory, bytes stored."""
    ratios = [run.load_s / cost_s(other) for run, other in zip(ours, bare, strict=True)]
    each = [run.load_s / run.events * 1e6 for run in ours]
    finish = median([run.finish_s / run.events * 1e6 for run in ours])
    last = ours[-1]
    return [
        Figure(
            f"{load.key}-ratio",
            f"all processes' CPU per event while the load runs / bare libcurl in C: {load.what}",
            median(ratios),
            gate=load.gate,
            ratio=True,
            note=spread(ratios),
        ),
        Figure(
            f"{load.key}-cost",
            f"all processes' CPU per event while the load runs: {load.what}",
            median(each),
            "µs",
            note=f"{in_worker(ours)}; {finish:.2f} more to finish the run folder",
        ),
        Figure(
            f"{load.key}-memory",
            f"private memory gained over the second half of a run: {load.what}",
            last.growth_mib,
            "MiB",
            gate=GROWTH_GATE_MIB,
            note=f"of {last.load_mib:.0f} MiB in all processes; {last.events:,} events",
        ),
        Figure(
            f"{load.key}-stored",
            f"stored per event: {load.what}",
            last.stored_bytes / last.events,
            "bytes",
            gate=STORED_GATE_BYTES,
            note=f"{' + '.join(STORED)}, {last.events // last.requests} events a request",
        ),
    ]


def of_requests(load: Load, bare: list[dict[str, Any]], ours: list[Run], idle: Run) -> list[Figure]:
    """Cost per request while the load runs, and to finish the folder beyond what finishing an idle run costs."""
    finish = [(run.finish_s - idle.finish_s) / (run.requests - idle.requests) * 1e6 for run in ours]
    ratios = [run.load_s / cost_s(other) for run, other in zip(ours, bare, strict=True)]
    return [
        Figure(
            f"{load.key}-ratio",
            "all processes' CPU per tiny request while the load runs / bare libcurl in C",
            median(ratios),
            ratio=True,
            note=spread(ratios),
        ),
        Figure(
            f"{load.key}-cost",
            "all processes' CPU per tiny request while the load runs",
            median([run.load_s / run.requests * 1e6 for run in ours]),
            "µs",
            gate=load.cost_gate_us,
            floor=median([cost_s(other) / other["requests"] * 1e6 for other in bare]),
            note=in_worker(ours),
        ),
        Figure(
            f"{load.key}-finish",
            "CPU to finish the run folder, for each tiny request more",
            median(finish),
            "µs",
            gate=FINISH_GATE_US,
            note=f"{ours[0].requests:,} requests a run; beside the {idle.finish_s:.1f} s that any run takes",
        ),
    ]


def in_worker(runs: list[Run]) -> str:
    """How much of the load's processor time was the worker's, in words."""
    return f"{median([run.workers_s / run.load_s for run in runs]):.0%} of it in the worker"


def aggregator(requests: int) -> Figure:
    """How fast frames go from a ring into the journal."""
    with tempfile.TemporaryDirectory() as folder:
        spent_s = fill(Path(folder), requests, JOURNAL_EVENTS)
    rate = requests * JOURNAL_EVENTS / spent_s / 1e6
    note = f"{requests:,} requests of {JOURNAL_EVENTS} events"
    return Figure("journal", "aggregator, into the journal", rate, "million events/s", JOURNAL_GATE, True, note=note)


def help_time() -> Figure:
    """How long `perfcore --help` takes, once its files are in memory."""
    spent = []
    for _ in range(HELP_TIMES):
        began = time.monotonic()
        output(start(python("perfcore", "--help")))
        spent.append(time.monotonic() - began)
    return Figure("help", "`perfcore --help`", median(spent), "s", gate=HELP_GATE_S)


if __name__ == "__main__":
    print(text(rows(measure())))
