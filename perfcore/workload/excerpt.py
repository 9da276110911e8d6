"""A part of a recording: its rows between two times."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.workload.row import Row
from perfcore.workload.source import Made, Rows

NS = 1_000_000_000


@dataclass(frozen=True)
class Cut:
    """Some rows of others, from `first` on."""

    rows: Made
    first: int
    count: int

    def __len__(self) -> int:
        return self.count

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`."""
        return self.rows.part(self.first + start, self.first + min(stop, self.count))


def excerpt(rows: Rows, start_s: float, end_s: float | None) -> Rows:
    """Those of a recording's rows, which are in the order of their times, that lie between two times in it.

    Times count from the first row. Raises UserError for a row without a time, and where none lies between them.
    """
    if not isinstance(rows, Made):
        return between(rows, start_s, end_s)
    times_ns: NDArray[np.int64] | None = getattr(rows, "timestamps_ns", None)
    if times_ns is None:
        raise untimed("a row of the data set")
    first_ns = 0 if times_ns.size == 0 else int(times_ns[0])
    first = int(np.searchsorted(times_ns, first_ns + start_s * NS))
    last = times_ns.size if end_s is None else int(np.searchsorted(times_ns, first_ns + end_s * NS))
    if last <= first:
        raise nothing_between(times_ns.size)
    return Cut(rows, first, last - first)


def between(rows: Iterable[Row], start_s: float, end_s: float | None) -> Iterator[Row]:
    """The same of rows that pass through."""
    first_ns, seen, sent = 0, 0, 0
    for row in rows:
        if row.timestamp_ns is None:
            raise untimed(f"row {row.id}")
        first_ns = first_ns if seen else row.timestamp_ns
        seen += 1
        since_ns = row.timestamp_ns - first_ns
        if end_s is not None and since_ns >= end_s * NS:
            break
        if since_ns >= start_s * NS:
            sent += 1
            yield row
    if not sent:
        raise nothing_between(seen)


def untimed(row: str) -> UserError:
    return UserError(f"{row} has no timestamp, and --arrivals replay sends rows at theirs; choose other --arrivals")


def nothing_between(count: int) -> UserError:
    return UserError(f"none of the {count:,} rows lies between --replay-start and --replay-end; choose other times")
