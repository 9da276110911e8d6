"""A process beside the load that asks servers once a second what they say of themselves.

It runs at the lowest priority, keeps one connection for each URL, and does nothing with an answer but pack it and
append it to a file: a slow, large or broken answer costs its own thread time and nobody else. Started as `python -m
perfcore.run.scraper`; its settings come as the first line of standard input, since they may hold secrets. After that
each byte on the pipe asks for answers at once, and the end of the pipe, which the kernel brings about even if perfcore
is killed, for the last ones.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TypeAlias

import msgspec
import pycurl

from perfcore.errors import UserError
from perfcore.records.scrapes import SOURCE, Scrape, ScrapeWriter
from perfcore.run import gpu
from perfcore.run.scraping import Source, client, get
from perfcore_ext.clock import monotonic_ns

NS = 1_000_000_000
LOWEST_PRIORITY = 19
LAST_S = 2.0  # that the last answers may take
END_S = 5.0
NO_ANSWER = "no answer until the end"
READY_S = 10.0  # that the first answers may take before the load starts without them


Say: TypeAlias = Callable[[str], None]


def unsaid(message: str) -> None:
    """For callers who want to hear nothing."""


class ScraperSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the process needs to know."""

    sources: list[Source]
    gpu: bool
    path: str
    interval_s: float


@dataclass
class Rounds:
    """When to ask: `stop` says that the next time is the last."""

    interval_ns: int
    stop: bool = False
    nudges: list[threading.Event] = field(default_factory=list)
    first: list[threading.Event] = field(default_factory=list)
    open: dict[str, int] = field(default_factory=dict)  # when a source was asked that has not answered yet, in ns

    def nudge(self) -> None:
        for event in self.nudges:
            event.set()


class Scraper:
    """The process as the master sees it. Whatever happens to it, the run goes on."""

    def __init__(self, process: "subprocess.Popen[bytes]", complaints: IO[bytes]) -> None:
        self._process = process
        self._complaints = complaints

    def now(self) -> None:
        """Have every source asked at once, as at the edges of a phase. Does not wait."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(b"!")
            self._process.stdin.flush()

    def end(self) -> str:
        """Wait for the last answers, for at most a few seconds. Returns why the process failed, if it did."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._complaints.seek(0)
        said = self._complaints.read().decode(errors="replace").strip().rpartition("\n")[2]
        self._complaints.close()
        return (said or f"it ended with status {self._process.returncode}") if self._process.returncode else ""


@contextlib.contextmanager
def scraping(
    sources: Sequence[Source], folder: Path, interval_s: float, gpus: bool = False, say: Say = unsaid
) -> Iterator[Scraper | None]:
    """Ask the sources, and the GPUs of this machine, as long as the block runs; answers go to `folder`.

    Enters when each source has answered once or has had two seconds to; None where there is nothing to ask. Never
    raises for what happens to the process: `say` is told.
    """
    if not sources and not gpus:
        yield None
        return
    path = str((folder / SOURCE).absolute())
    scraper = start(ScraperSettings(sources=list(sources), gpu=gpus, path=path, interval_s=interval_s))
    try:
        yield scraper
    finally:
        if trouble := scraper.end():
            say(f"Warning: server metrics were not collected to the end: {trouble}")


def start(settings: ScraperSettings) -> Scraper:
    complaints = tempfile.TemporaryFile()  # noqa: SIM115, closed when the process has ended
    process = subprocess.Popen(
        [sys.executable, "-m", "perfcore.run.scraper"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=complaints,
        env=environment(),
    )
    assert process.stdin is not None and process.stdout is not None
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(msgspec.json.encode(settings) + b"\n")
        process.stdin.flush()
    select.select([process.stdout], [], [], READY_S)  # readable when it is ready, and when it has died
    process.stdout.close()
    return Scraper(process, complaints)


def environment() -> dict[str, str]:
    """The environment with the place that perfcore was imported from first on the path."""
    paths = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the end of the pipe says when
    with contextlib.suppress(OSError):
        os.nice(LOWEST_PRIORITY)
    with open(0, "rb", buffering=0, closefd=False) as pipe:
        settings = msgspec.json.decode(pipe.readline(), type=ScraperSettings)
        try:
            writer = ScrapeWriter(Path(settings.path))
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        rounds = Rounds(round(settings.interval_s * NS))
        threads = start_threads(settings, rounds, writer)
        announce(rounds)
        while pipe.read(1):
            rounds.nudge()
    rounds.stop = True
    rounds.nudge()
    deadline_ns = monotonic_ns() + round(LAST_S * NS)
    for thread in threads:
        thread.join(max(0.0, (deadline_ns - monotonic_ns()) / NS))
    for shown, asked_ns in list(rounds.open.items()):
        writer.append(Scrape(shown, asked_ns, monotonic_ns(), NO_ANSWER), b"")
    writer.close()  # waits for an answer that is being written; what comes after it is not kept
    os._exit(0)  # a thread may still wait for its server


def start_threads(settings: ScraperSettings, rounds: Rounds, writer: ScrapeWriter) -> list[threading.Thread]:
    """One for each source."""
    jobs: list[Callable[[], None]] = [
        partial(ask, client(source), source.shown, rounds, writer) for source in settings.sources
    ]
    if settings.gpu:
        with contextlib.suppress(gpu.NoGpuError):
            jobs.append(partial(look, gpu.find_gpus(), writer))
    threads = []
    for job in jobs:
        nudge, first = threading.Event(), threading.Event()
        rounds.nudges.append(nudge)
        rounds.first.append(first)
        threads.append(threading.Thread(target=repeat, args=(job, rounds, nudge, first), daemon=True))
    for thread in threads:
        thread.start()
    return threads


def ask(handle: pycurl.Curl, shown: str, rounds: Rounds, writer: ScrapeWriter) -> None:
    """Keep what a server answers, or why it does not."""
    rounds.open[shown] = monotonic_ns()
    answer = get(handle)
    rounds.open.pop(shown, None)
    writer.append(Scrape(shown, answer.asked_ns, answer.t_ns, answer.error), answer.body)


def look(gpus: gpu.Gpus, writer: ScrapeWriter) -> None:
    """Keep what the GPUs of this machine say."""
    asked_ns = monotonic_ns()
    text = gpu.text(gpus)
    writer.append(Scrape(gpu.URL, asked_ns, monotonic_ns()), text.encode())


def announce(rounds: Rounds) -> None:
    """Tell the master that the first answers are there, or late."""
    deadline_ns = monotonic_ns() + round(LAST_S * NS)
    for event in rounds.first:
        event.wait(max(0.0, (deadline_ns - monotonic_ns()) / NS))
    with contextlib.suppress(OSError):
        os.write(1, b"!")
    os.close(1)


def repeat(job: Callable[[], None], rounds: Rounds, nudge: threading.Event, first: threading.Event) -> None:
    """Ask at fixed times, when nudged, and a last time after the end; times that a slow answer took are passed over."""
    began_ns = monotonic_ns()
    while True:
        last = rounds.stop
        nudge.clear()
        try:
            job()
        except UserError as error:
            print(error, file=sys.stderr)
            return  # the disk is full: what is there stays
        finally:
            first.set()
        if last:
            return
        now_ns = monotonic_ns()
        next_ns = began_ns + ((now_ns - began_ns) // rounds.interval_ns + 1) * rounds.interval_ns
        if not rounds.stop:
            nudge.wait((next_ns - now_ns) / NS)


if __name__ == "__main__":
    sys.exit(main())
