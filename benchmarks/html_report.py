"""What the page of a large run costs: seconds and memory to make it, its size, and how soon a browser has it ready.

`python -m benchmarks.html_report [REQUESTS EVENTS]` makes the folder of a run of so many requests with so many token
events each, finishes it as `perfcore report` does, and prints one line per figure. Without a Chromium the last two
figures are left out.
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _pytest.outcomes import Skipped

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


def main(requests: int, events: int) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        fill(folder, requests, events)
        began = time.perf_counter()
        run = store.build(folder)
        found = metrics.compute(run, 2)
        read = time.perf_counter()
        path = html.write_page(run, found, json.loads((folder / "run.json").read_bytes()), folder)
        made = time.perf_counter()
        print(f"requests, token events        {requests:,}, {requests * events:,}")
        print(f"records and metrics           {read - began:.1f} s")
        print(f"page                          {made - read:.1f} s")
        print(f"size                          {path.stat().st_size / 1e6:.2f} MB")
        print(
            f"peak memory of the process    {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB:,.0f} MiB"
        )
        opened(path)


def opened(path: Path) -> None:
    """Open the page, zoom once; print how long both took."""
    try:
        with browser() as page:
            began = time.perf_counter()
            page.open(path)
            ready = time.perf_counter()
            page.value("look(timelines[0], {...timelines[0].full, to: timelines[0].full.to / 2})")
            print(f"ready in the browser after    {ready - began:.2f} s")
            print(f"a zoom takes                  {time.perf_counter() - ready:.2f} s")
    except Skipped as missing:
        print(missing)


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else (100_000, 100))
