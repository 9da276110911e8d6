"""Other load generators and perfcore on one simulator: what each costs, and what it reports of the same service.

`python -m benchmarks.peers install` installs them into .cache/peers, each in an environment of its own;
`python -m benchmarks.peers` compares those that are there. They want a tokenizer although the simulator has none: the
folder of a small one is given by BENCH_TOKENIZER.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import numpy as np

from benchmarks import baseline, counted, observed
from benchmarks.figure import Figure, text
from benchmarks.loop import PATH, body
from benchmarks.process import ROOT, python, simulating
from perfcore.run.simulator import TRUTH_KINDS, read_truth

FOLDER = ROOT / ".cache" / "peers"
INSTALLED = ".installed"
FAILED = ".failed"
INSTALL_LIMIT_S = 600
RUN_LIMIT_S = 240
TOKENIZER = "BENCH_TOKENIZER"
OWN_TOKENIZER = ROOT / "tests" / "data" / "tiny-add"
CHEAPER_GATE = 10.0
PROMPT = "hello there"
TTFT_MS, ITL_MS = 100.0, 20.0


@dataclass(frozen=True)
class Job:
    """What every tool is asked to do."""

    concurrency: int = 256
    requests: int = 1280
    tokens: int = 100


IDLE = Job(16, 16, 10)


@dataclass(frozen=True)
class Reported:
    """What a tool says of the service; None where it does not."""

    ttft_ms: float | None
    ttft_p99_ms: float | None
    tokens_per_s: float | None


@dataclass(frozen=True)
class Peer:
    """Requirements in the order of installation; the command of a job; how to read what it reported."""

    requirements: tuple[str, ...]
    command: Callable[[Path, str, Job, Path], list[str]]
    read: Callable[[Path], Reported]


@dataclass(frozen=True)
class Ran:
    """A tool's run: what it cost, what it said, and what was true by the simulator's log."""

    cpu_s: float
    wall_s: float
    events: int
    reported: Reported
    true_ttft_ms: float
    true_tokens_per_s: float


@dataclass(frozen=True)
class Compared:
    """A tool's run of the job, and one of a job that is next to nothing; or why there is none."""

    name: str
    job: Ran | None = None
    idle: Ran | None = None
    why: str = ""

    @property
    def cost_us(self) -> float:
        """Processor time per event, start and end of the tool included."""
        return self.job.cpu_s / self.job.events * 1e6 if self.job else 0.0

    @property
    def further_us(self) -> float:
        """Processor time for each event more: start and end, which do not grow with the run, are left out."""
        if self.job is None or self.idle is None:
            return 0.0
        return (self.job.cpu_s - self.idle.cpu_s) / (self.job.events - self.idle.events) * 1e6


class NoResultError(Exception):
    """A tool's run left nothing that can be compared; the message says why."""


# ---- the tools


def bare_command(folder: Path, url: str, job: Job, tokenizer: Path) -> list[str]:
    words = (baseline.program(), baseline.library(), url + PATH, job.concurrency, job.requests, body(job.tokens, True))
    return [str(word) for word in words]


def bare_read(folder: Path) -> Reported:
    if json.loads((folder / counted.SAID).read_text())["failed"]:
        raise ValueError("requests failed")
    return Reported(None, None, None)


def perfcore_command(folder: Path, url: str, job: Job, tokenizer: Path) -> list[str]:
    flags = observed.arguments(
        url=url,
        prompt=PROMPT,
        concurrency=job.concurrency,
        requests=job.requests,
        max_tokens=job.tokens,
        out=folder / "run",
    )
    return python("perfcore", "stress", *flags)


def perfcore_read(folder: Path) -> Reported:
    found = json.loads((folder / "run" / "metrics.json").read_text())
    ttft = found["latency"]["ttft_ms"]
    return Reported(ttft["mean"], ttft["p99"], found["throughput"]["output_tokens_per_s"])


def evalscope_command(folder: Path, url: str, job: Job, tokenizer: Path) -> list[str]:
    prompts = folder / "prompts.txt"
    prompts.write_text(f"{PROMPT}\n" * job.requests)
    return [
        *("evalscope", "perf", "--url", f"{url}/v1/chat/completions", "--api", "openai", "--model", "simulated"),
        *("--parallel", str(job.concurrency), "--number", str(job.requests), "--stream"),
        *("--max-tokens", str(job.tokens), "--dataset", "line_by_line", "--dataset-path", str(prompts)),
        *("--tokenizer-path", str(tokenizer), "--outputs-dir", str(folder / "out"), "--no-test-connection"),
    ]


def evalscope_read(folder: Path) -> Reported:
    summary = json.loads(newest(folder / "out", "benchmark_summary.json").read_text())
    percentiles = json.loads(newest(folder / "out", "benchmark_percentile.json").read_text())
    return Reported(
        summary["Avg TTFT (ms)"],
        next(row["TTFT (ms)"] for row in percentiles if row["Percentiles"] == "99%"),
        summary["Output Throughput (tok/s)"],
    )


def aiperf_command(folder: Path, url: str, job: Job, tokenizer: Path) -> list[str]:
    return [
        *("aiperf", "profile", "--url", url, "--model", "simulated", "--endpoint-type", "chat", "--streaming"),
        *("--concurrency", str(job.concurrency), "--request-count", str(job.requests)),
        *(
            "--tokenizer",
            str(tokenizer),
            "--synthetic-input-tokens-mean",
            "16",
            "--output-tokens-mean",
            str(job.tokens),
        ),
        *("--use-server-token-count", "--ui", "none", "--output-artifact-dir", str(folder / "out")),
    ]


def aiperf_read(folder: Path) -> Reported:
    found = json.loads(newest(folder / "out", "profile_export_aiperf.json").read_text())
    ttft = found["time_to_first_token"]
    return Reported(ttft["avg"], ttft["p99"], found["output_token_throughput"]["avg"])


def guidellm_command(folder: Path, url: str, job: Job, tokenizer: Path) -> list[str]:
    return [
        *("guidellm", "run", "--backend", f"kind=openai_http,target={url},model=simulated"),
        *("--profile", f"kind=concurrent,streams={job.concurrency}"),
        *("--constraint", f"kind=max_requests,count={job.requests}"),
        *("--tokenizer", f"kind=hf_auto,model={tokenizer}"),
        *("--data", f"kind=synthetic_text,prompt_tokens=16,output_tokens={job.tokens}"),
        *("--output", f"kind=json,path={folder / 'benchmarks.json'}", "--disable-console-interactive"),
    ]


def guidellm_read(folder: Path) -> Reported:
    found = json.loads(newest(folder, "benchmarks.json").read_text())["benchmarks"][0]["metrics"]
    ttft = found["time_to_first_token_ms"]["successful"]
    return Reported(ttft["mean"], ttft["percentiles"]["p99"], found["output_tokens_per_second"]["successful"]["mean"])


OWN = {
    "bare libcurl in C": Peer((), bare_command, bare_read),
    "perfcore": Peer((), perfcore_command, perfcore_read),
}
PEERS = {
    "evalscope": Peer(("evalscope[perf]==1.14.1",), evalscope_command, evalscope_read),
    "aiperf": Peer(("aiperf==0.13.0",), aiperf_command, aiperf_read),
    # Without torch first, pip takes the newest with several GB of CUDA.
    "guidellm": Peer(("torch==2.13.0", "guidellm[recommended]==0.8.1"), guidellm_command, guidellm_read),
}


def newest(folder: Path, name: str) -> Path:
    """The last file of that name below the folder; raises FileNotFoundError where there is none."""
    found = sorted(folder.rglob(name), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f"no {name}")
    return found[-1]


# ---- comparison


def compare(job: Job = Job(), idle: Job = IDLE) -> list[Compared]:
    """Our own, then each peer."""
    return [compared(name, peer, job, idle) for name, peer in {**OWN, **PEERS}.items()]


def compared(name: str, peer: Peer, job: Job, idle: Job) -> Compared:
    """One tool's runs, or why there are none."""
    tokenizer = Path(os.environ.get(TOKENIZER, OWN_TOKENIZER))
    why = missing(name, tokenizer) if peer.requirements else ""
    if why:
        return Compared(name, why=why)
    try:
        return Compared(name, run(name, peer, job, tokenizer), run(name, peer, idle, tokenizer))
    except NoResultError as error:
        return Compared(name, why=str(error))


def missing(name: str, tokenizer: Path) -> str:
    """What it lacks to run a peer, or nothing."""
    if not (FOLDER / name / INSTALLED).exists():
        failed = FOLDER / name / FAILED
        return failed.read_text() if failed.exists() else "not installed: run `make peers`"
    if not (tokenizer / "tokenizer.json").exists():
        return f"not run: set {TOKENIZER} to the folder of a tokenizer"
    return ""


def run(name: str, peer: Peer, job: Job, tokenizer: Path) -> Ran:
    """Run a tool that is there, on all cores, as its users do. Raises NoResultError."""
    everywhere = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        truth = folder / "truth.bin"
        with simulating(truth, ttft_base_ms=TTFT_MS, itl_ms=ITL_MS) as simulator:
            os.sched_setaffinity(simulator.pid, everywhere)
            command = [*peer.command(folder, simulator.url, job, tokenizer)]
            if peer.requirements:
                command[0] = str(FOLDER / name / "bin" / command[0])
            done = counted.run(command, folder, RUN_LIMIT_S, everywhere, environment(folder))
        try:
            reported = peer.read(folder)
        except (OSError, KeyError, TypeError, ValueError, IndexError, StopIteration) as error:
            last = done.said.strip().splitlines()[-1:] or [""]
            raise NoResultError(f"exit status {done.exit}, no result ({error!r}); last words: {last[0]}") from None
        return Ran(done.cpu_s, done.wall_s, events_of(truth), reported, *true_values(truth))


def environment(folder: Path) -> dict[str, str]:
    """The user's, but for their home, where tools keep caches and settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PERFCORE_")}
    return {**kept, "HOME": str(folder), "TOKENIZERS_PARALLELISM": "false"}


def events_of(truth: Path) -> int:
    """Events that the simulator sent."""
    return int((read_truth(truth)["event"] >= 0).sum())


def true_values(path: Path) -> tuple[float, float]:
    """Mean TTFT from arrival, and tokens/s from the first arrival to the last token.

    Streams of one token are left out: they are what tools ask first, to see whether the service is there.
    """
    truth = read_truth(path)
    tokens = truth[truth["kind"] == TRUTH_KINDS["token"]]
    streams, first, count = np.unique(tokens["request"], return_index=True, return_counts=True)
    streams, first = streams[count > 1], first[count > 1]
    arrivals = truth[truth["kind"] == TRUTH_KINDS["arrival"]]
    arrived = arrivals["time_ns"][np.searchsorted(arrivals["request"], streams)]
    span_s = (tokens["time_ns"].max() - arrived.min()) / 1e9
    return float((tokens["time_ns"][first] - arrived).mean() / 1e6), float(count[count > 1].sum() / span_s)


def measure(found: list[Compared]) -> list[Figure]:
    """How many times our processor time each peer took, for a whole run and for each event more."""
    bare, ours = found[: len(OWN)]
    peers = [peer for peer in found[len(OWN) :] if not peer.why]
    return [
        Figure(
            key,
            f"{what}: {peer.name} / perfcore",
            cost(peer) / cost(ours),
            "times",
            gate=CHEAPER_GATE,
            least=True,
            ratio=True,
            note=f"{cost(peer):,.1f} µs against {cost(ours):,.1f}; bare libcurl {cost(bare):,.1f}",
            floor=cost(peer) / cost(bare),
        )
        for key, what, cost in (
            ("peer-further", "CPU for each event more", attrgetter("further_us")),
            ("peer-whole", "CPU of a whole run per event", attrgetter("cost_us")),
        )
        for peer in peers
    ]


HEAD = (
    "tool",
    "CPU of the run",
    "of one of 16 requests",
    "for each event more",
    "mean TTFT (p99)",
    "true mean TTFT",
    "tokens/s",
    "true tokens/s",
    "wall clock",
)


def table(found: list[Compared]) -> list[tuple[str, ...]]:
    """One row a tool."""
    return [row(each) for each in found]


def row(one: Compared) -> tuple[str, ...]:
    if one.job is None or one.idle is None:
        return (one.name, one.why, *[""] * (len(HEAD) - 2))
    said = one.job.reported
    return (
        one.name,
        f"{one.job.cpu_s:.1f} s",
        f"{one.idle.cpu_s:.1f} s",
        f"{one.further_us:,.1f} µs",
        f"{number(said.ttft_ms)} ms ({number(said.ttft_p99_ms)})",
        f"{one.job.true_ttft_ms:.1f} ms",
        number(said.tokens_per_s),
        number(one.job.true_tokens_per_s),
        f"{one.job.wall_s:.1f} s",
    )


def number(value: float | None) -> str:
    """A number for the table, or a dash."""
    return "-" if value is None else f"{value:,.0f}" if value >= 1000 else f"{value:.1f}"


# ---- installation


def install() -> None:
    """Install what is not there yet; what cannot be installed in time is remembered with the reason."""
    for name, peer in PEERS.items():
        folder = FOLDER / name
        if (folder / INSTALLED).exists():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {', '.join(peer.requirements)} ...", flush=True)
        why = failure(folder, peer.requirements)
        (folder / (FAILED if why else INSTALLED)).write_text(why)
        print(f"{name}: {why or 'installed'}", flush=True)


def failure(folder: Path, requirements: tuple[str, ...]) -> str:
    """Install into a new environment; returns why that failed, or nothing."""
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    for requirement in requirements:
        try:
            done = subprocess.run([*pip, requirement], timeout=INSTALL_LIMIT_S, capture_output=True, text=True)
        except subprocess.TimeoutExpired:
            return f"not installed: {requirement} took more than {INSTALL_LIMIT_S} s"
        if done.returncode:
            return f"not installed: {(done.stderr.strip().splitlines() or ['pip failed'])[-1]}"
    return ""


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    else:
        results = compare()
        print(text([HEAD, *table(results)]))
