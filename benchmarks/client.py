"""The load loop alone, in a process of its own: what it costs without the run around it.

`python -m benchmarks.client URL STREAMS REQUESTS BODY TOKENS` sends what the bare loop in C sends, and prints the same
line of JSON. TOKENS is how long an answer may be: all frames stay in the ring, which nobody empties meanwhile.
"""

import json
import mmap
import os
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.process import output, python, start
from perfcore.records.frame import HEADER
from perfcore.run.book import BookWriter
from perfcore.run.planning import allow_files
from perfcore.run.transport import curl_options
from perfcore.workload.dialect import load_dialect, response_paths
from perfcore_ext import frame, ring
from perfcore_ext.clock import monotonic_ns
from perfcore_ext.control import NO_LIMIT, Control, control_bytes
from perfcore_ext.frame import PHASES
from perfcore_ext.loop import Loop

FRAME_BYTES, TOKEN_BYTES = 1024, 64  # no frame is larger than the one and the other for each token


def run(url: str, streams: int, requests: int, body: str, tokens: int) -> dict[str, Any]:
    """Send the requests from a process of their own."""
    measured: dict[str, Any] = json.loads(
        output(start(python("benchmarks.client", url, streams, requests, body, tokens)))
    )
    return measured


def main(url: str, streams: int, requests: int, body: str, tokens: int) -> dict[str, Any]:
    allow_files(streams, 1, required=True)
    control_memory = mmap.mmap(-1, control_bytes(1, streams))
    control = Control(control_memory, 1, streams)
    memory = filled_memory(requests * (FRAME_BYTES + TOKEN_BYTES * tokens))
    loop = make_loop(url, body, control_memory, memory)
    control.set_limit(0, streams)
    loop.prepare()
    control.start_segment(
        number=1,
        phase=PHASES.index("measured"),
        start_ns=monotonic_ns(),
        stop_ns=NO_LIMIT,
        first_request_id=0,
        total=requests,
        ramp_interval_ns=0,
        open_loop=False,
    )
    before, began_ns = resource.getrusage(resource.RUSAGE_SELF), monotonic_ns()
    loop.run()
    wall_ns, after = monotonic_ns() - began_ns, resource.getrusage(resource.RUSAGE_SELF)
    return {
        **counted(ring.Reader(memory)),
        "user_s": after.ru_utime - before.ru_utime,
        "system_s": after.ru_stime - before.ru_stime,
        "wall_s": wall_ns / 1e9,
    }


def filled_memory(size: int) -> mmap.mmap:
    """A ring of at least `size` bytes, its pages there before the clock starts, as in one that has gone round."""
    capacity = 1 << max(20, (size - 1).bit_length())
    flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    memory = mmap.mmap(-1, ring.ring_bytes(capacity), flags=flags)
    ring.create(memory, capacity)
    return memory


def make_loop(url: str, body: str, control: mmap.mmap, memory: mmap.mmap) -> Loop:
    """The loop as a worker sets it up."""
    dialect = load_dialect("openai-chat")
    return Loop(
        control=control,
        worker=0,
        ring=memory,
        book=book(body),
        urls=[url],
        headers=["Content-Type: application/json", "Expect:"],
        options=curl_options(url, 600, "perfcore"),
        id_header=b"X-Request-Id: benchmark-",
        stream_paths=response_paths(dialect, True),
        full_paths=response_paths(dialect, False),
        framing=dialect.framing,
        done=dialect.done.encode(),
        complete=dialect.complete,
        stream='"stream":true' in body,
    )


def book(body: str) -> mmap.mmap:
    """A book of one body."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book"
        with BookWriter(path) as writer:
            writer.add(body.encode())
        file = os.open(path, os.O_RDONLY)
        try:
            return mmap.mmap(file, 0, prot=mmap.PROT_READ)
        finally:
            os.close(file)


def counted(reader: ring.Reader) -> dict[str, int]:
    """What came, out of the frames in the ring."""
    data = b"".join(reader.peek())
    raw = bytearray()
    frame.split(data, raw)
    offsets = np.frombuffer(raw, np.int64)
    at = offsets[:, None] + np.arange(HEADER.itemsize)
    headers = np.frombuffer(data, np.uint8)[at].view(HEADER)[:, 0]
    return {
        "requests": len(headers),
        "failed": int((headers["error_class"] != 0).sum()),
        "events": int(headers["events"].sum()),
        "bytes": int(headers["bytes_received"].sum()),
    }


if __name__ == "__main__":
    address, streams_, requests_, body_, tokens_ = sys.argv[1:]
    print(json.dumps(main(address, int(streams_), int(requests_), body_, int(tokens_))))
