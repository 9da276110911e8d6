"""How true the times are: stamps and TTFT of whole runs against the simulator's log of when it sent, and slip.

`python -m benchmarks.stamps` prints the figures.
"""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow.parquet
from numpy.typing import NDArray

from benchmarks import baseline, observed
from benchmarks.figure import Figure, rows, text
from benchmarks.loop import PATH, body
from benchmarks.process import output, python, simulating, start
from perfcore.run.simulator import TRUTH_KINDS, read_truth

Column: TypeAlias = NDArray[Any]

EVENTS_BITS = 20  # of the key of an event: request << 20 | number of the event in its stream
TTFT_GATE_US = 1000.0
SLIP_GATE_US = 200.0
OPEN_LOOP = {"rate": 5000, "requests": 25_000, "tokens": 1}
OPEN_LOOP_SMOKE = {"rate": 200, "requests": 40, "tokens": 1}


@dataclass(frozen=True)
class Streams:
    """So many streams of so many tokens, started together; the simulator's phase; gates in µs."""

    key: str
    what: str
    streams: int
    tokens: int
    phase: str
    itl_ms: float = 20.0
    p50_us: float | None = None
    p99_us: float | None = None
    ttft: bool = False


STREAMS = (
    Streams("stamps-10k", "10,000 events/s, random phase", 200, 300, "random"),
    Streams("stamps-50k", "50,000 events/s, random phase", 1000, 300, "random", p50_us=40, p99_us=150, ttft=True),
    Streams("stamps-75k", "75,000 events/s, random phase", 1500, 250, "random"),
    Streams("stamps-lockstep", "256 streams in lockstep", 256, 300, "lockstep", p50_us=50, p99_us=400),
)
SMOKE = (Streams("stamps-50k", "random phase", 8, 10, "random", itl_ms=2.0, ttft=True),)


@dataclass(frozen=True)
class Errors:
    """Stamp minus true send time, in µs, and that of bare libcurl; mean error of first tokens; mean TTFTs in ms."""

    stamp_us: Column
    read_us: Column
    bare_us: Column
    first_token_us: float
    ttft_ms: float
    server_ttft_ms: float


def measure(streams: tuple[Streams, ...] = STREAMS, open_loop: dict[str, int] = OPEN_LOOP) -> list[Figure]:
    """The figures of each set of streams, and slip in an open loop."""
    return [*(figure for each in streams for figure in figures(each, errors(each))), slip(**open_loop)]


def errors(streams: Streams) -> Errors:
    """Run the streams and compare."""
    settings: dict[str, Any] = {"ttft_base_ms": 100.0, "itl_ms": streams.itl_ms, "phase": streams.phase}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with simulating(folder / "bare-truth.bin", **settings) as simulator:
            asked = body(streams.tokens, True)
            baseline.run(simulator.url + PATH, streams.streams, streams.streams, asked, folder / "bare.bin")
        with simulating(folder / "truth.bin", **settings) as simulator:
            stress(
                folder / "run",
                url=simulator.url,
                concurrency=streams.streams,
                requests=streams.streams,
                max_tokens=streams.tokens,
            )
        bare_us = bare_errors_us(folder / "bare.bin", read_truth(folder / "bare-truth.bin"))
        return compare(folder / "run", read_truth(folder / "truth.bin"), bare_us)


def bare_errors_us(stamps: Path, truth: Column) -> Column:
    """Error of each stamp of bare libcurl's: what the kernel and the machine allow."""
    stream, number, wake_ns = np.fromfile(stamps, np.int64).reshape(-1, 3).T
    found: Column = (wake_ns - sent_ns(stream << EVENTS_BITS | number, truth)) / 1e3
    return found


def stress(folder: Path, **flags: object) -> None:
    """`perfcore stress` with one worker; raises RuntimeError where it fails."""
    common = {"model": "simulated", "prompt": "hello", "workers": 1, "check": False, "quiet": True}
    output(start(python("perfcore", "stress", *observed.arguments(**common, **flags, out=folder))))


def compare(run: Path, truth: Column, bare_us: Column) -> Errors:
    """Errors of a run against the log."""
    events = read(run / "events.parquet", "request_id", "t_ns", "read_delay_ns")
    requests = read(run / "requests.parquet", "request_id", "sent_ns", "first_token_ns")
    stamp_us = (events["t_ns"] - sent_ns(keys(events["request_id"]), truth)) / 1e3
    return Errors(stamp_us, stamp_us + events["read_delay_ns"] / 1e3, bare_us, *ttft(requests, truth))


def sent_ns(received: Column, truth: Column) -> Column:
    """When the events of these keys were sent; raises RuntimeError where an event was sent or received alone."""
    sent = truth[truth["event"] >= 0]
    known = sent["client_request"] << EVENTS_BITS | sent["event"]
    order = np.argsort(known)
    if len(received) != len(known) or (np.sort(received) != known[order]).any():
        raise RuntimeError(f"{len(received)} events came and {len(known)} were sent, or they are not the same ones")
    found: Column = sent["time_ns"][order][np.searchsorted(known[order], received)]
    return found


def read(path: Path, *columns: str) -> dict[str, Column]:
    """Columns of a table of a run folder."""
    table = pyarrow.parquet.read_table(path, columns=list(columns))
    return {column: table[column].to_numpy() for column in columns}


def keys(request_id: Column) -> Column:
    """Key of each event; the events of a request stand in the order of arrival."""
    order = np.argsort(request_id, kind="stable")
    ordered = request_id[order]
    first = np.searchsorted(ordered, ordered)
    found = np.empty(len(order), np.int64)
    found[order] = ordered << EVENTS_BITS | np.arange(len(order)) - first
    return found


def ttft(requests: dict[str, Column], truth: Column) -> tuple[float, float, float]:
    """Mean of (first token's stamp - time it was sent) in µs; mean TTFT in ms as reported, and as the server saw it."""
    tokens = truth[truth["kind"] == TRUTH_KINDS["token"]]
    _, first = np.unique(tokens["client_request"], return_index=True)
    arrivals = truth[truth["kind"] == TRUTH_KINDS["arrival"]]
    arrivals = arrivals[np.argsort(arrivals["client_request"])][-len(first) :]
    order = np.argsort(requests["request_id"])
    stamped, sent_ns = requests["first_token_ns"][order], requests["sent_ns"][order]
    true_ns = tokens["time_ns"][first]
    return (
        float((stamped - true_ns).mean() / 1e3),
        float((stamped - sent_ns).mean() / 1e6),
        float((true_ns - arrivals["time_ns"]).mean() / 1e6),
    )


def figures(streams: Streams, found: Errors) -> list[Figure]:
    """Median and 99th percentile of the error, and for some streams that of the mean TTFT."""
    p50, p90, p99 = np.percentile(found.stamp_us, (50, 90, 99))
    early = (found.stamp_us < 0).mean()
    read, bare = (np.percentile(times, (50, 99)) for times in (found.read_us, found.bare_us))
    p50_note = f"bare libcurl {bare[0]:,.0f}; at the read {read[0]:,.0f}; {early:.2%} before the send"
    p99_note = (
        f"bare libcurl {bare[1]:,.0f}; at the read {read[1]:,.0f}; p90 {p90:,.0f}, max {found.stamp_us.max():,.0f}"
    )
    what, gates = streams.what, (streams.p50_us, streams.p99_us)
    table = [
        Figure(f"{streams.key}-{name}", f"stamp error, {name}: {what}", value, "µs", gate, note=note, floor=floor)
        for name, value, gate, note, floor in zip(
            ("p50", "p99"), (p50, p99), gates, (p50_note, p99_note), bare.tolist(), strict=True
        )
    ]
    if streams.ttft:
        table.append(
            Figure(
                f"{streams.key}-ttft",
                f"error of mean TTFT: {streams.streams:,} streams that start together",
                found.first_token_us,
                "µs",
                gate=TTFT_GATE_US,
                note=f"reported {found.ttft_ms:.2f} ms; {found.server_ttft_ms:.2f} ms from arrival at the server",
            )
        )
    return table


def slip(rate: int, requests: int, tokens: int) -> Figure:
    """How late requests are sent that are due at a constant rate."""
    with tempfile.TemporaryDirectory() as name, simulating(ttft_base_ms=5.0, itl_ms=5.0) as simulator:
        run = Path(name) / "run"
        stress(run, url=simulator.url, rate=rate, requests=requests, max_tokens=tokens)
        late = json.loads((run / "metrics.json").read_text())["latency"]["slip_ms"]
    return Figure(
        "slip",
        f"slip, p99: open loop, {rate:,} requests/s",
        late["p99"] * 1e3,
        "µs",
        gate=SLIP_GATE_US,
        note=f"p50 {late['p50'] * 1e3:.0f}, max {late['max'] * 1e3:,.0f}; {late['n']:,} requests",
    )


if __name__ == "__main__":
    print(text(rows(measure())))
