"""What the page of a large run costs: seconds and memory to make it, its size, and how soon a browser has it ready.

It makes the journal of a run of 100,000 requests with 100 token events each, and finishes it as `perfcore report` does.
Without a Chromium what a browser takes is left out. With REQUESTS and EVENTS it prints what such a run took, as JSON.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _pytest.outcomes import Skipped

from benchmarks.figure import Figure, rows, text
from benchmarks.page import HEAD
from benchmarks.process import ROOT
from benchmarks.records import BATCH, ROW, frames
from perfcore.analysis import metrics
from perfcore.records import store
from perfcore.records.frame import HEADER
from perfcore.records.journal import JournalWriter, Kind
from perfcore.report import html
from perfcore_ext import frame
from tests.browser import browser

KIB_PER_MIB = 1024
MS = 1_000_000
FAILED = frame.ERROR_CLASSES.index("http_status")


def served(first: int, count: int, events: int) -> bytes:
    """Requests a millisecond apart, whose first tokens take 20 ms and more and whose gaps vary; 1 in 100 fails."""
    raw = np.frombuffer(frames(first, count, events), np.uint8).reshape(count, -1).copy()
    headers = raw[:, : HEADER.itemsize].copy().view(HEADER)[:, 0]
    noise = np.random.default_rng([first, 1])
    at = slice(HEADER.itemsize, HEADER.itemsize + 8 * events)
    stamps = raw[:, at].copy().view(np.int64) + noise.exponential(30 * MS, count).astype(np.int64)[:, None]
    stamps += noise.exponential(2 * MS, (count, events)).astype(np.int64).cumsum(axis=1)
    headers["sent_ns"] = headers["due_ns"] + noise.exponential(30_000, count).astype(np.int64)
    for name in ("first_token_ns", "first_answer_ns"):
        headers[name] = stamps[:, 0]
    for name in ("last_token_ns", "last_output_ns"):
        headers[name] = stamps[:, -1]
    headers["end_ns"] = stamps[:, -1] + MS
    headers["output_tokens"], headers["input_tokens"] = events, noise.integers(50, 2000, count)
    headers["http_status"], headers["streamed"] = 200, 1
    headers["error_class"] = np.where(noise.random(count) < 0.01, FAILED, 0)
    raw[:, : HEADER.itemsize] = headers.view(np.uint8).reshape(count, -1)
    raw[:, at] = stamps.view(np.uint8).reshape(count, -1)
    return raw.tobytes()


def fill(folder: Path, requests: int, events: int) -> None:
    """The journal and the description of such a run."""
    journal = JournalWriter(folder / store.JOURNAL)
    journal.append(Kind.ROWS, 0, b"".join(ROW % (row, row, row + 1) for row in range(requests)))
    for first in range(0, requests, BATCH):
        journal.append(Kind.FRAMES, 0, served(first, min(BATCH, requests - first), events))
    journal.close()
    described = {"command": ["perfcore", "stress"], "model": "made", "machine": {"cores": 2}}
    (folder / "run.json").write_text(json.dumps(described))


def taken(requests: int, events: int) -> dict[str, float]:
    """Make such a run, finish it, make its page and open it, in this process; what that took by name."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder, requests, events)
        began = time.perf_counter()
        run = store.build(folder)
        found = metrics.compute(run, 2)
        read = time.perf_counter()
        path = html.write_page(run, found, json.loads((folder / "run.json").read_bytes()), folder)
        made = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB
        size = path.stat().st_size / 1e6
        return {"tables_s": read - began, "page_s": made - read, "size_mb": size, "peak_mib": peak} | opened(path)


def opened(path: Path) -> dict[str, float]:
    """How long opening the page and zooming once take; nothing without a Chromium."""
    try:
        with browser() as page:
            began = time.perf_counter()
            page.open(path)
            ready = time.perf_counter()
            page.value("look(timelines[0], {...timelines[0].full, to: timelines[0].full.to / 2})")
            return {"ready_s": ready - began, "zoom_s": time.perf_counter() - ready}
    except Skipped:
        return {}


def measure(requests: int = 100_000, events: int = 100) -> list[Figure]:
    """Figures of such a run, made in a process of its own, whose memory they tell."""
    command = [sys.executable, "-m", "benchmarks.html_report", str(requests), str(events)]
    found = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    of = f"a run of {requests:,} requests with {requests * events:,} token events"
    whole = found["tables_s"] + found["page_s"]
    beside = f"tables and metrics {found['tables_s']:.1f} s, page {found['page_s']:.1f} s"
    figures = [
        Figure("report", f"records to report, {of}", whole, "s", gate=20.0, note=beside),
        Figure("report-memory", "peak memory of that", found["peak_mib"], "MiB", gate=2048.0),
        Figure("report-size", "size of its page", found["size_mb"], "MB", gate=6.0),
    ]
    if "ready_s" in found:
        note = f"headless Chromium, its start left out; a zoom takes {found['zoom_s']:.2f} s"
        figures.append(
            Figure("report-ready", "its page is ready in a browser after", found["ready_s"], "s", 2.0, note=note)
        )
    return figures


if __name__ == "__main__":
    if len(sys.argv) > 2:
        print(json.dumps(taken(*map(int, sys.argv[1:3]))))
    else:
        print(text([HEAD, *rows(measure())]))
