"""What it costs to keep records: events per second into the journal, CPU per request to finish the run folder, bytes.

`python -m benchmarks.records [REQUESTS EVENTS]` prints one line per figure.
"""

import mmap
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from perfcore.records import store
from perfcore.records.frame import HEADER
from perfcore.records.journal import JournalWriter, Kind, drain
from perfcore_ext import ring
from tests.reference.frame import Event, pack

RING_BYTES = 16 << 20
STEP_NS = 20_000_000
BATCH = 1000
ROW = b'{"id":"%d","prompt":"How much is %d plus 1? Answer with the number only.","reference":"%d"}\n'


def frames(first: int, count: int, events: int) -> bytes:
    """`count` successful requests of `events` token events each, with stamps as a paced server gives them."""
    noise = np.random.default_rng(first)
    template = pack(
        [Event(0, chars=4, read_seq=at) for at in range(events)], content=b" abc" * events, finish=b"stop", end_ns=1
    )
    copies = np.frombuffer(template * count, np.uint8).reshape(count, -1).copy()
    headers = copies[:, : HEADER.itemsize].copy().view(HEADER)[:, 0]
    headers["request_id"] = headers["index"] = np.arange(first, first + count)
    headers["sent_ns"] = headers["due_ns"] = headers["request_id"] * 1_000_000
    copies[:, : HEADER.itemsize] = headers.view(np.uint8).reshape(count, -1)
    stamps = (
        headers["sent_ns"][:, None] + STEP_NS * np.arange(1, events + 1) + noise.integers(0, 100_000, (count, events))
    )
    at = HEADER.itemsize
    copies[:, at : at + 8 * events] = stamps.view(np.uint8).reshape(count, -1)
    delays = noise.integers(1_000, 60_000, (count, events), np.uint32)
    copies[:, at + 8 * events : at + 12 * events] = delays.view(np.uint8).reshape(count, -1)
    return copies.tobytes()


def fill(folder: Path, requests: int, events: int) -> float:
    """Write the journal of such a run through a ring; returns the aggregator's CPU seconds."""
    memory = mmap.mmap(-1, ring.ring_bytes(RING_BYTES))
    ring.create(memory, RING_BYTES)
    writer, reader = ring.Writer(memory), ring.Reader(memory)
    journal = JournalWriter(folder / store.JOURNAL)
    journal.append(Kind.ROWS, 0, b"".join(ROW % (row, row, row + 1) for row in range(requests)))
    spent = 0.0
    for first in range(0, requests, BATCH):
        writer.put(frames(first, min(BATCH, requests - first), events))
        writer.commit()
        waiting = 1
        while waiting:
            start = time.process_time()
            drain(reader, journal, 0)
            spent += time.process_time() - start
            waiting = writer.flush() + reader.available
    journal.close()
    return spent


def measure(requests: int, events: int) -> None:
    """Print what this many requests of this many events cost."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        into_journal_s = fill(folder, requests, events)
        before_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        start = time.process_time()
        store.build(folder)
        finish_s = time.process_time() - start
        rows = requests * len(ROW % (requests, requests, requests))
        journal = (folder / store.JOURNAL).stat().st_size - rows
        tables = sum((folder / f"{table}.parquet").stat().st_size for table in ("requests", "events"))
    total = requests * events
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{requests:,} requests of {events:,} events; times are CPU")
    print(f"  aggregator         {total / into_journal_s / 1e6:8.1f} million events/s")
    print(f"                     {journal / into_journal_s / 1e6:8.0f} MB/s")
    print(f"  finish run folder  {finish_s / requests * 1e6:8.1f} us per request")
    print(f"                     {finish_s / total * 1e6:8.2f} us per event")
    print(f"  journal            {journal / total:8.1f} bytes per event")
    print(f"  Parquet            {tables / total:8.1f} bytes per event")
    print(f"  peak memory        {peak_mib:8.0f} MiB, {before_mib:.0f} before finishing")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure(int(sys.argv[1]), int(sys.argv[2]))
    else:
        measure(200_000, 3)
        measure(20_000, 256)
