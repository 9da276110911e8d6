"""Rows by their numbers: what a selection, a mix or a shuffle of rows is, without making or moving them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from perfcore.workload.finishing import Finish
from perfcore.workload.row import Row
from perfcore.workload.source import Made

Numbers: TypeAlias = npt.NDArray[np.int64]
Which: TypeAlias = npt.NDArray[np.int32]
Held: TypeAlias = "Made | list[Row]"

WINDOW = 256  # rows that are made at once where they pass through one by one


@dataclass(frozen=True)
class Picked:
    """The rows that are taken: in which source each is (None: all in the first one), and where in it.

    Where all sources can be made in any process, so can these.
    """

    sources: tuple[Held, ...]
    which: Which | None
    at: Numbers | range
    finish: Finish
    first: int  # rows that are passed over

    def __len__(self) -> int:
        return len(self.at)

    def part(self, start: int, stop: int) -> list[Row]:
        """Rows from `start` up to `stop`."""
        start, stop, _ = slice(start, stop).indices(len(self))
        at = np.asarray(self.at[start:stop], np.int64)
        which = np.zeros(len(at), np.int32) if self.which is None else self.which[start:stop]
        made: dict[int, Row] = {}
        for source in np.unique(which):
            places = np.flatnonzero(which == source)
            made |= zip(places.tolist(), rows_at(self.sources[source], at[places]), strict=True)
        return [self.finish.row(made[place], int(which[place]), self.first + start + place) for place in range(len(at))]

    @property
    def timestamps_ns(self) -> Numbers | None:
        """Recorded times of the rows, or None where a source has none."""
        times = times_of(self.sources)
        if times is None:
            return None
        which = np.zeros(len(self), np.int32) if self.which is None else self.which
        return times_at(times, which, np.asarray(self.at, np.int64))


def rows_at(source: Held, numbers: Numbers) -> Iterator[Row]:
    """Rows of a source by their numbers; those in a row are made together."""
    ends = np.flatnonzero(np.diff(numbers) != 1) + 1
    for run in np.split(numbers, ends) if len(numbers) else []:
        start, stop = int(run[0]), int(run[-1]) + 1
        yield from source[start:stop] if isinstance(source, list) else source.part(start, stop)


def times_of(sources: Sequence[Held]) -> list[Numbers] | None:
    """Recorded times of the rows of each source, or None where a row has none."""
    found: list[Numbers] = []
    for source in sources:
        times = [row.timestamp_ns for row in source] if isinstance(source, list) else recorded(source)
        if times is None or (isinstance(times, list) and None in times):
            return None
        found.append(np.asarray(times, np.int64))
    return found


def recorded(made: Made) -> Numbers | None:
    """Recorded times of rows that are not made yet: those of a trace."""
    found: Numbers | None = getattr(made, "timestamps_ns", None)
    return found


def times_at(times: Sequence[Numbers], which: Which, at: Numbers) -> Numbers:
    """Recorded times of rows by their source and their number in it."""
    found = np.empty(len(at), np.int64)
    for source, known in enumerate(times):
        places = np.flatnonzero(which == source)
        found[places] = known[at[places]]
    return found


def in_windows(rows: Picked) -> Iterator[Row]:
    """The rows one by one."""
    for start in range(0, len(rows), WINDOW):
        yield from rows.part(start, start + WINDOW)
