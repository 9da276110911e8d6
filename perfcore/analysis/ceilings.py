"""How much of what its machine can a run has used, by what `perfcore calibrate` found out about that machine.

The master notes the ceilings that hold when a run begins, so that a report of it says the same wherever it is made. The
load is what the workers counted: reads, requests and connections per second of the measured phase. An event costs a
read of its own unless it comes together with others, and it is reads that a worker has no end of; so the events that
are held against the ceiling are never more than the reads.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from perfcore.analysis import notes
from perfcore.analysis.absent import Absent

KINDS = {"events": "events/s", "requests": "requests/s", "connections": "new connections/s"}
COUNTED = {"requests": "requests", "connections": "connections"}  # kind: what a worker's note calls it

NOT_NOTED = Absent("the run does not say whether its machine was calibrated")


@dataclass(frozen=True)
class Edge:
    """What `workers` can do per second; `firm` where more than that was tried, and it was the client that failed."""

    workers: int
    per_s: float
    firm: bool


@dataclass(frozen=True)
class Used:
    """One kind of load: what there was of it, its ceiling, and the first as a share of the second."""

    kind: str
    per_s: float
    ceiling_per_s: float
    firm: bool
    enough: int | None  # workers for which it would be a comfortable load, None if no number of them is known

    @property
    def share(self) -> float:
        return self.per_s / self.ceiling_per_s


@dataclass(frozen=True)
class Machine:
    """The shares of a run with so many workers; `calibrated` is the day and time at which the ceilings were found."""

    workers: int
    calibrated: str
    used: tuple[Used, ...]

    @property
    def most(self) -> Used:
        """The kind of load that is nearest to its ceiling."""
        return max(self.used, key=lambda each: each.share)


# Up to this share of a ceiling a load is comfortable: there is room for what comes irregularly.
COMFORTABLE = 0.7


def machine(told: notes.Notes, token_events: int) -> Machine | Absent:
    """Shares of the ceilings that the notes of a run hold; Absent where there are none for its number of workers."""
    noted: dict[str, Any] = next(notes.of(told, "calibration"), {})
    if not noted.get("ceilings"):
        return Absent(str(noted["why"])) if noted.get("why") else NOT_NOTED
    workers = [note for note in notes.of(told, "worker") if note.get("wall_s")]
    if not workers:
        return Absent(notes.KILLED)
    loads = load_of(workers, token_events)
    used = [use for kind in KINDS if (use := used_of(kind, loads[kind], len(workers), noted["ceilings"]))]
    if len(used) < len(KINDS):
        number = len(workers)
        return Absent(f"the machine was not calibrated for {in_words(number)}: perfcore calibrate --workers {number}")
    return Machine(len(workers), str(noted.get("calibrated", "")), tuple(used))


def load_of(workers: Sequence[dict[str, Any]], token_events: int) -> dict[str, float]:
    """Each kind of load per second."""
    wall_s = max(float(note["wall_s"]) for note in workers)
    reads = sum(int(note.get("reads") or 0) for note in workers)
    counted = {kind: sum(int(note.get(key) or 0) for note in workers) for kind, key in COUNTED.items()}
    return {kind: number / wall_s for kind, number in ({"events": min(token_events, reads)} | counted).items()}


def used_of(kind: str, per_s: float, workers: int, ceilings: Sequence[dict[str, Any]]) -> Used | None:
    edges = edges_of(kind, ceilings)
    edge = at(edges, workers)
    if edge is None:
        return None
    enough = next((each.workers for each in edges if COMFORTABLE * each.per_s >= per_s), None)
    return Used(kind, per_s, edge.per_s, edge.firm, enough)


def edges_of(kind: str, ceilings: Sequence[dict[str, Any]]) -> list[Edge]:
    """What is known of a kind by rising number of workers; more of them can never do less than fewer can."""
    found: list[Edge] = []
    for each in sorted(ceilings, key=lambda each: int(each["workers"])):
        known = each.get(kind) or {}
        if known.get("per_s"):
            edge = Edge(int(each["workers"]), float(known["per_s"]), bool(known.get("firm")))
            best = max([*found[-1:], edge], key=lambda one: one.per_s)
            found.append(Edge(edge.workers, best.per_s, best.firm))
    return found


def at(edges: Sequence[Edge], workers: int) -> Edge | None:
    """The ceiling of a number of workers: on the line between its neighbours, and beyond the last one that one's."""
    after = bisect_right([edge.workers for edge in edges], workers)
    if after == 0:
        return None
    lower = edges[after - 1]
    if lower.workers == workers or after == len(edges):
        return Edge(workers, lower.per_s, lower.firm and lower.workers == workers)
    upper = edges[after]
    way = (workers - lower.workers) / (upper.workers - lower.workers)
    return Edge(workers, lower.per_s + way * (upper.per_s - lower.per_s), lower.firm and upper.firm)


def described(found: Machine | Absent) -> dict[str, Any] | Absent:
    """For metrics.json: `share` and `kind` of the load nearest to its ceiling, `workers`, `calibrated`, and by kind
    `{per_s, ceiling_per_s, share}`."""
    if isinstance(found, Absent):
        return found
    return {
        "share": found.most.share,
        "kind": found.most.kind,
        "workers": found.workers,
        "calibrated": found.calibrated,
        **{use.kind: numbers(use) for use in found.used},
    }


def numbers(use: Used) -> dict[str, float]:
    return {"per_s": use.per_s, "ceiling_per_s": use.ceiling_per_s, "share": use.share}


def in_words(workers: int) -> str:
    return "1 worker" if workers == 1 else f"{workers} workers"
