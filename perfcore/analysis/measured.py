"""Which rows of the records count: the measured requests, the window that they span, and all that was in flight."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.types import Requests
from perfcore_ext import frame

WARMUP, MEASURED = frame.PHASES.index("warmup"), frame.PHASES.index("measured")
CANCELLED = frame.ERROR_CLASSES.index("cancelled")

Column: TypeAlias = NDArray[np.int64]


@dataclass(frozen=True)
class Measured:
    """The measured requests, one entry each: rows of their first and last attempts, and whether the last one is ok.

    `rows` are those of all their attempts, request by request.
    """

    first: Column
    last: Column
    ok: NDArray[np.bool_]
    rows: Column

    @property
    def successes(self) -> Column:
        return self.last[self.ok]


@dataclass(frozen=True)
class Flight:
    """Times at which attempts were sent and ended, and their rows; arrays of equal length."""

    sent_ns: Column
    end_ns: Column
    row: Column


def select(requests: Requests) -> Measured:
    """The measured requests in the order of their identity."""
    rows = np.flatnonzero(requests.phase == MEASURED)
    rows = rows[np.lexsort((requests.attempt[rows], requests.turn[rows], requests.request_id[rows]))]
    identity, turn = requests.request_id[rows], requests.turn[rows]
    changes = (identity[1:] != identity[:-1]) | (turn[1:] != turn[:-1])
    edge = np.ones(min(rows.size, 1), dtype=bool)
    first, last = rows[np.concatenate((edge, changes))], rows[np.concatenate((changes, edge))]
    return Measured(first, last, requests.error_class[last] == 0, rows)


def due_in(requests: Requests, measured: Measured, start_ns: int, end_ns: int) -> Measured:
    """Those that were due in `[start_ns, end_ns)`, in the order in which they were."""
    due = requests.due_ns[measured.first]
    chosen = np.flatnonzero((due >= start_ns) & (due < end_ns))
    chosen = chosen[np.argsort(due[chosen], kind="stable")]
    kept = np.zeros(due.size, dtype=bool)
    kept[chosen] = True
    owner = np.cumsum(np.isin(measured.rows, measured.first)) - 1
    return Measured(measured.first[chosen], measured.last[chosen], measured.ok[chosen], measured.rows[kept[owner]])


def parts(measured: Measured, label: NDArray[Any], number: int) -> list[Measured]:
    """Those of each label from 0 to below `number`, in their order; `label` has one entry a request."""
    starts = np.isin(measured.rows, measured.first)
    label_of_row = np.empty(int(measured.first.max(initial=-1)) + 1, np.int64)
    label_of_row[measured.first] = label
    of_attempts = label_of_row[measured.rows[starts]][np.cumsum(starts) - 1]
    chosen, rows = sorted_by(label, number), sorted_by(of_attempts, number)
    return [
        Measured(measured.first[these], measured.last[these], measured.ok[these], measured.rows[those])
        for these, those in zip(chosen, rows, strict=True)
    ]


def sorted_by(label: NDArray[Any], number: int) -> list[Column]:
    """Positions of each label from 0 to below `number`."""
    order = np.argsort(label, kind="stable")
    edges = np.searchsorted(label[order], np.arange(number + 1))
    return np.split(order, edges)[1:-1]


def window(requests: Requests) -> tuple[int, int] | None:
    """First due time and last end of the measured phase; None if no request tells."""
    rows = requests.phase == MEASURED
    due, end = requests.due_ns[rows], requests.end_ns[rows]
    due, end = due[due >= 0], end[end >= 0]
    if due.size == 0 or end.size == 0 or end.max() <= due.min():
        return None
    return int(due.min()), int(end.max())


def flight(requests: Requests, deaths: Mapping[int, int]) -> Flight:
    """Every attempt that occupied the server outside the warm-up: failed ones do too.

    What a worker had in flight when it died ended with it: `deaths` gives the time in ns by worker. Attempts that were
    never sent, or whose end nothing tells, are left out: what is counted was in flight.
    """
    rows = (requests.phase != WARMUP) & (requests.sent_ns >= 0)
    end = requests.end_ns.copy()
    for worker, death in deaths.items():
        end[(end < 0) & (requests.worker == worker)] = death
    rows &= end >= requests.sent_ns
    return Flight(requests.sent_ns[rows], end[rows], np.flatnonzero(rows))


def opened(requests: Requests, measured: Measured, fresh: bool) -> int:
    """Measured attempts that got an answer over a new connection (`fresh`), or over one that stood already."""
    answered = measured.rows[requests.http_status[measured.rows] > 0]
    return int((requests.new_connection[answered] == fresh).sum())
