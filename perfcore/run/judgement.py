"""Whether a short run against the simulator was true: sent when due, stamped when the simulator's log says it sent."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from perfcore.records import frame
from perfcore.records.frame import Frames
from perfcore.records.journal import Kind, read_blocks
from perfcore.records.stream import read_frames
from perfcore.run.bisection import Try
from perfcore.tail import Tail, tail
from perfcore.types import Damage
from perfcore_ext.frame import GENERATED, PHASES

SLIP_MS = 1.0  # past which a run is suspect, see docs/validity.md
STAMP_MS = 1.0
FAR_MS = 10.0  # a failure by this much needs no second look
REACHED, FAR_REACHED = 0.95, 0.8  # of the load that was asked for
FAILED = 0.005
BUSY = 0.8  # share of a core above which it was a worker that had no more to give
MEASURED = PHASES.index("measured")
EVENTS_BITS = 20  # of the key of an event: request << 20 | number of the event in its stream

Column = NDArray[np.int64]


@dataclass(frozen=True)
class Seen:
    """A run, times in ns. `error_ns` are those of token events: their stamps less the true times of their sending."""

    start_ns: int
    due_ns: Column
    sent_ns: Column
    failed: float  # share of all requests
    stamp_ns: Column
    error_ns: Column
    paced: bool  # whether there is a log to compare stamps with
    cpu_share: float | None  # of the busiest worker


def read(journal: Path, truths: Sequence[NDArray[Any]]) -> Seen:
    """A run from its journal and the logs of its simulators; without logs there are no stamps."""
    notes = [msgspec.json.decode(block.payload) for block in read_blocks(journal, kinds=[Kind.NOTE])]
    frames = list(read_frames(journal, Damage(), journal.stat().st_size))
    headers = np.concatenate([np.zeros(0, frame.HEADER), *(each.headers for each in frames)])
    headers = headers[headers["phase"] == MEASURED]
    stamp_ns, error_ns = stamps(frames, np.concatenate(truths)) if truths else (np.zeros(0, np.int64),) * 2
    return Seen(
        start_ns=next(int(note["start_ns"]) for note in notes if note.get("phase") == "measured"),
        due_ns=headers["due_ns"].astype(np.int64),
        sent_ns=headers["sent_ns"].astype(np.int64),
        failed=float((headers["error_class"] != 0).mean()) if headers.size else 1.0,
        stamp_ns=stamp_ns,
        error_ns=error_ns,
        paced=bool(truths),
        cpu_share=max(
            (note["cpu_s"] / note["wall_s"] for note in notes if note.get("note") == "worker" and note["wall_s"] > 0),
            default=None,
        ),
    )


def stamps(frames: Sequence[Frames], truth: NDArray[Any]) -> tuple[Column, Column]:
    """Stamps of the token events that the log has too, and by how much they are later than it says."""
    parts = [keys_and_stamps(each) for each in frames]
    keys, stamp_ns = (np.concatenate([np.zeros(0, np.int64), *(part[at] for part in parts)]) for at in (0, 1))
    sent = truth[truth["event"] >= 0]
    known = sent["client_request"] << EVENTS_BITS | sent["event"]
    order = np.argsort(known, kind="stable")
    if not order.size:
        return stamp_ns[:0], stamp_ns[:0]
    place = np.minimum(np.searchsorted(known[order], keys), order.size - 1)
    there = known[order][place] == keys
    true_ns = sent["time_ns"][order][place]
    return stamp_ns[there], (stamp_ns - true_ns)[there]


def keys_and_stamps(frames: Frames) -> tuple[Column, Column]:
    """Of the token events of these frames; the events of a request have numbers in the order of their arrival."""
    events = frame.events(frames, np.arange(len(frames)))
    first = np.searchsorted(events.row, events.row)
    keys = events.request_id.astype(np.int64) << EVENTS_BITS | np.arange(events.row.size) - first
    tokens = events.kinds & GENERATED > 0
    return keys[tokens], events.t_ns[tokens]


def judged(run: Seen, asked_per_s: float, lead_ns: int, load_ns: int) -> Try:
    """Whether what happened from `lead_ns` after the start on, for `load_ns`, was true; the load that came about."""
    begin_ns, end_ns = run.start_ns + lead_ns, run.start_ns + lead_ns + load_ns
    due = (run.due_ns >= begin_ns) & (run.due_ns < end_ns)
    inside = (run.stamp_ns >= begin_ns) & (run.stamp_ns < end_ns)
    slip, error = tail((run.sent_ns - run.due_ns)[due]), tail(run.error_ns[inside])
    came = run.stamp_ns[inside] if run.paced else run.sent_ns[(run.sent_ns >= begin_ns) & (run.sent_ns < end_ns)]
    per_s = came.size / (load_ns / 1e9)
    faults = [*late("slip", slip, SLIP_MS), *(late("stamp error", error, STAMP_MS) if run.paced else [])]
    expected = asked_per_s * load_ns / 1e9
    if per_s < (REACHED - chance(expected)) * asked_per_s:
        faults.append(f"{per_s:,.0f} of {asked_per_s:,.0f} per second came about")
    if run.failed > FAILED:
        faults.append(f"{run.failed:.1%} of the requests failed")
    worst_ms = max((each.ms for each in (slip, error) if each), default=0.0)
    return Try(
        passes=not faults,
        per_s=min(per_s, asked_per_s),
        why=", ".join(faults) or figures(slip, error),
        far=worst_ms > FAR_MS or per_s < (FAR_REACHED - chance(expected)) * asked_per_s,
        client=run.cpu_share is not None and run.cpu_share >= BUSY,
    )


def chance(expected: float) -> float:
    """By how much a random number of arrivals may be off its mean, as a share of it."""
    return min(0.5, 3 / math.sqrt(max(expected, 1.0)))


def late(name: str, found: Tail | None, limit_ms: float) -> list[str]:
    """What is wrong with the late end of a sample, if anything: none at all is wrong too."""
    if found is None:
        return [f"no {name} could be measured"]
    return [f"{name} {found.ms:.3g} ms"] if found.ms > limit_ms else []


def figures(slip: Tail | None, error: Tail | None) -> str:
    """Of a point that passed."""
    shown = {"slip": slip, "stamp error": error}
    return ", ".join(f"{name} {each.ms:.2g} ms" for name, each in shown.items() if each)
