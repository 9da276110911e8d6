"""Parts into the request book and the journal, and how far that is."""

from array import array
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from perfcore.records.journal import JournalWriter, Kind
from perfcore.records.rows import Pack
from perfcore.run.book import BookWriter
from perfcore.run.part import NO_TIME, Part
from perfcore_ext.clock import monotonic_ns

NS = 1_000_000_000
SHOW_EVERY_NS = 200_000_000

# Gets how many rows are ready, of how many if that is known (at the end it is), and after how many seconds.
Tell = Callable[[int, int | None, float], None]


@dataclass
class Prepared:
    """What was prepared. `timestamps_ns` has one entry a row, NO_TIME for none, or is empty where no row has one.

    `making_s` is the time that making or reading the rows took, `encoding_s` that for their bodies, both added up over
    processes; `wall_s` is what the user waited.
    """

    rows: int = 0
    timestamps_ns: "array[int]" = field(default_factory=lambda: array("q"))
    making_s: float = 0.0
    encoding_s: float = 0.0
    wall_s: float = 0.0
    reused: bool = False

    def facts(self) -> dict[str, Any]:
        """What the journal notes of it."""
        return {
            "rows": self.rows,
            "making_s": self.making_s,
            "encoding_s": self.encoding_s,
            "wall_s": self.wall_s,
            "reused": self.reused,
        }


def untold(*_: object) -> None:
    """Tell nobody."""


def write(
    book: BookWriter,
    parts: Generator[Part, None, None],
    total: int | None,
    journal: JournalWriter,
    tell: Tell = untold,
    aside: Callable[[bytes], object] = untold,
) -> Prepared:
    """Put all parts into a book, which stays open, and their rows into the journal; `aside` gets each block of rows."""
    done = Prepared()
    start_ns = shown_ns = monotonic_ns()
    with closing(parts):
        for part in parts:
            book.add_many(part.bodies)
            add_rows(journal, part.packs, done.rows, aside)
            add(done, part)
            now_ns = monotonic_ns()
            if now_ns - shown_ns >= SHOW_EVERY_NS:
                tell(done.rows, total, (now_ns - start_ns) / NS)
                shown_ns = now_ns
    done.wall_s = (monotonic_ns() - start_ns) / NS
    tell(done.rows, done.rows, done.wall_s)
    return done


def add_rows(journal: JournalWriter, packs: Iterable[Pack], first: int, aside: Callable[[bytes], object]) -> None:
    """Append packed rows to the journal; `first` is the number of the first of them."""
    for pack in packs:
        block = pack.head(first) + pack.data
        journal.append(Kind.PACKED_ROWS, 0, block)
        aside(block)
        first += pack.rows


def add(done: Prepared, part: Part) -> None:
    """Count a part."""
    if part.timestamps_ns or done.timestamps_ns:
        done.timestamps_ns.extend([NO_TIME] * (done.rows - len(done.timestamps_ns)))
        done.timestamps_ns.extend(part.timestamps_ns or [NO_TIME] * part.rows)
    done.rows += part.rows
    done.making_s += part.made_ns / NS
    done.encoding_s += part.encoded_ns / NS
