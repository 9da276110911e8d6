"""What the master noted in the journal: the load that was asked for, its workers, how the run ended.

Every note may be missing (the run was killed before it was written) and so may every key of one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from perfcore.analysis.absent import Absent

Notes: TypeAlias = Sequence[dict[str, Any]]

KILLED = "the run was killed before its end"
DIED = "the worker died before it could say"

TIMED = {"worker", "time_ns"}

# Keys of a worker in metrics.json that its note gives as they are.
COUNTS = ("cpu_s", "wall_s", "requests", "connections", "ring_full_waits", "ring_peak_waiting_bytes", "loops")


@dataclass(frozen=True)
class Load:
    """The load that the measured phase was to hold.

    `rate` is None in a closed loop, and where an open loop has none of its own (a burst, a replay); `concurrency` is
    None without a limit.
    """

    concurrency: float | None
    rate: float | None
    known: bool
    open_loop: bool = False
    law: str | None = None  # of the arrivals of an open loop


def of(notes: Notes, name: str) -> Iterator[dict[str, Any]]:
    return (note for note in notes if note.get("note") == name)


def load(notes: Notes) -> Load:
    """From the notes on the measured phase. Runs that tell nothing of arrivals had even gaps, or were closed loops."""
    merged = measured_phase(notes)
    rate, arrivals = merged.get("rate"), merged.get("arrivals") or {}
    law = arrivals.get("law") if arrivals else "constant" if rate else None
    return Load(merged.get("concurrency"), rate, bool(merged), law is not None, law)


def measured_phase(notes: Notes) -> dict[str, Any]:
    """What the notes on the measured phase say, a later one over an earlier one."""
    merged: dict[str, Any] = {}
    for note in of(notes, "phase"):
        if note.get("phase") == "measured":
            merged |= {key: value for key, value in note.items() if value is not None}
    return merged


@dataclass(frozen=True)
class Held:
    """How the master of a steady run held the load: until when for the window, why, and whether all of it ended."""

    end_ns: int | None
    end_reason: str
    followed: bool


def held(notes: Notes) -> Held | None:
    """None for a run that was not steady, or killed."""
    window = measured_phase(notes).get("window")
    if not window:
        return None
    return Held(window.get("end_ns"), str(window.get("end_reason") or ""), window.get("followed") is True)


@dataclass(frozen=True)
class Lost:
    """A worker that died: its exit status, minus the signal's number if one killed it, and its last words."""

    worker: int
    exit: int | None
    said: str


def lost(notes: Notes) -> tuple[Lost, ...]:
    """The workers that died, oldest first."""
    return tuple(
        Lost(int(note.get("worker", -1)), note.get("exit"), last_line(str(note.get("said") or "")))
        for note in of(notes, "lost_worker")
    )


def last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2].strip()


def deaths(notes: Notes) -> dict[int, int]:
    """When each worker that died was found dead, in ns."""
    return {int(note["worker"]): int(note["time_ns"]) for note in of(notes, "lost_worker") if note.keys() >= TIMED}


def way(notes: Notes) -> dict[str, Any]:
    """How requests travelled, in the words of the certificate."""
    told: dict[str, Any] = next(of(notes, "transport"), {})
    return {
        "connections_new": told.get("connections") == "new",
        "urls": len(told.get("urls") or [""]),
        "insecure": told.get("insecure") is True,
        "proxy": str(told.get("proxy") or ""),
    }


def ended(notes: Notes) -> bool:
    return any(of(notes, "end"))


def interrupted(notes: Notes) -> bool:
    return any(note.get("ended_by") == "interrupt" for note in of(notes, "end"))


def workers(notes: Notes) -> list[dict[str, Any]] | Absent:
    """One entry per worker in the order of their numbers, with `cpu_share` of its wall time and whether it was lost."""
    told = {int(note.get("worker", -1)): note for note in of(notes, "worker")}
    dead = {loss.worker for loss in lost(notes)}
    numbers = sorted(told.keys() | dead)
    if not numbers:
        return Absent(KILLED)
    return [worker_entry(number, told.get(number, {}), number in dead) for number in numbers]


def worker_entry(number: int, note: dict[str, Any], dead: bool) -> dict[str, Any]:
    why = Absent(DIED if dead else KILLED)
    entry = {key: why if note.get(key) is None else note[key] for key in COUNTS}
    cpu_s, wall_s = entry["cpu_s"], entry["wall_s"]
    share = cpu_s / wall_s if not isinstance(cpu_s, Absent) and not isinstance(wall_s, Absent) and wall_s > 0 else why
    return {"worker": number, "lost": dead, "cpu_share": share, **entry}
