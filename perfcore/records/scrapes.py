"""What servers said of themselves during a run: texts as they came, and the same as a table.

While the run lasts each answer is appended to `server_metrics.bin`, a file of checked blocks like the journal's, so
that a run that is killed keeps what it had. It is the source; `server_metrics.parquet` is made of it. As Prometheus
does, two series are added for each URL: `up` (1, or 0 with the reason in the label `error`) and
`scrape_duration_seconds`.
"""

import json
import threading
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.records.journal import JournalWriter, Kind, read_blocks
from perfcore.records.prometheus import Known, samples
from perfcore.records.store import replaced

SOURCE = "server_metrics.bin"
TABLE = "server_metrics.parquet"
UP, DURATION = "up", "scrape_duration_seconds"
NO_METRICS = "the answer has no metric in it"
ROWS = 1 << 19  # of a row group, about
MOST_TEXT = 64 << 20  # of one answer, decompressed
NS_PER_S = 1e9

LABEL = pa.dictionary(pa.int32(), pa.string())
SCHEMA = pa.schema([("t_ns", pa.int64()), ("url", LABEL), ("name", LABEL), ("labels", LABEL), ("value", pa.float64())])


class Scrape(msgspec.Struct, frozen=True):
    """One answer, or why there is none. Times are ns of CLOCK_MONOTONIC; the values are those of `t_ns`."""

    url: str  # without secrets
    asked_ns: int
    t_ns: int  # the first byte of the answer
    error: str = ""


@dataclass(frozen=True)
class Series:
    """What a value belongs to."""

    url: str
    name: str
    labels: dict[str, str]


@dataclass(frozen=True)
class Scrapes:
    """Values in the order in which they came, arrays of equal length; `series` has what `code` stands for."""

    series: tuple[Series, ...]
    t_ns: NDArray[np.int64]
    code: NDArray[np.int32]
    value: NDArray[np.float64]
    unread: dict[str, int] = field(default_factory=dict)  # lines by URL that were no sample


class ScrapeWriter:
    """Appends answers to a new file; threads may share it. Raises UserError as the journal does."""

    def __init__(self, path: Path) -> None:
        self._journal = JournalWriter(path)
        self._lock = threading.Lock()

    def append(self, scrape: Scrape, text: bytes) -> None:
        """Keep one answer. Called when it is complete, so the time that packing takes is in no stamp."""
        head, packed = msgspec.json.encode(scrape) + b"\n", zlib.compress(text, 1)
        with self._lock:
            self._journal.append(Kind.NOTE, 0, head, packed)

    def close(self) -> None:
        with self._lock:
            self._journal.close()


def read(path: Path) -> Iterator[tuple[Scrape, str]]:
    """The answers that can be read, in the order in which they were written."""
    for block in read_blocks(path, kinds=[Kind.NOTE]):
        head, _, packed = bytes(block.payload).partition(b"\n")
        try:
            text = zlib.decompressobj().decompress(packed, MOST_TEXT)
            yield msgspec.json.decode(head, type=Scrape), text.decode(errors="replace")
        except (msgspec.MsgspecError, zlib.error):
            continue


def build(run_dir: Path, wanted: Callable[[str], bool]) -> Scrapes | None:
    """Write server_metrics.parquet with everything; return the series whose names are `wanted`, and `up` of each URL.

    None where nothing was collected. Works on what a killed run has left, and any number of times. Raises UserError
    where a file cannot be read or written.
    """
    if not (run_dir / SOURCE).is_file():
        return None
    table = Table(wanted)
    with replaced(run_dir, TABLE) as (path,), pq.ParquetWriter(path, SCHEMA, compression="zstd") as writer:
        for scrape, text in read(run_dir / SOURCE):
            add(table, scrape, text)
            if table.rows >= ROWS:
                flush(table, writer)
        flush(table, writer)
    return finished(table)


@dataclass
class Table:
    """What is known while answers are read: series by number over all URLs, rows that are not yet written or kept."""

    wanted: Callable[[str], bool]
    known: dict[str, Known] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)  # number in `series` by that in `known`
    series: list[Series] = field(default_factory=list)
    own: dict[tuple[str, str, str], int] = field(default_factory=dict)
    rows: int = 0
    batch: list[tuple[int, NDArray[np.int32], NDArray[np.float64]]] = field(default_factory=list)
    kept: list[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float64]]] = field(default_factory=list)


def add(table: Table, scrape: Scrape, text: str) -> None:
    """Take the samples of one answer into the batch."""
    url = scrape.url
    known = table.known.setdefault(url, Known())
    found = [] if scrape.error else list(samples(text, known))
    places = table.places.setdefault(url, [])
    for name, labels in zip(known.names[len(places) :], known.labels[len(places) :], strict=True):
        places.append(len(table.series))
        table.series.append(Series(url, name, labels))
    error = scrape.error or ("" if found else NO_METRICS)
    codes = [places[code] for code, _ in found]
    codes += [own(table, url, UP, error), own(table, url, DURATION, "")]
    values = [value for _, value in found] + [float(not error), (scrape.t_ns - scrape.asked_ns) / NS_PER_S]
    table.batch.append((scrape.t_ns, np.array(codes, np.int32), np.array(values, np.float64)))
    table.rows += len(codes)


def own(table: Table, url: str, name: str, error: str) -> int:
    """Number of a series that is ours."""
    key = (url, name, error)
    if key not in table.own:
        table.own[key] = len(table.series)
        table.series.append(Series(url, name, {"error": error} if error else {}))
    return table.own[key]


def flush(table: Table, writer: pq.ParquetWriter) -> None:
    """Write the batch as a row group and keep of it what is wanted."""
    if not table.batch:
        return
    t_ns = np.repeat([t for t, _, _ in table.batch], [codes.size for _, codes, _ in table.batch]).astype(np.int64)
    code = np.concatenate([codes for _, codes, _ in table.batch])
    value = np.concatenate([values for _, _, values in table.batch])
    columns = [pa.array(t_ns), *(words(table, code, part) for part in ("url", "name", "labels")), pa.array(value)]
    writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
    flags = np.array([series.name in (UP, DURATION) or table.wanted(series.name) for series in table.series])
    chosen = flags[code]
    table.kept.append((t_ns[chosen], code[chosen], value[chosen]))
    table.batch.clear()
    table.rows = 0


def words(table: Table, code: NDArray[np.int32], part: str) -> pa.DictionaryArray:
    """One of the columns of words of these rows."""
    texts = [word(series, part) for series in table.series]
    numbers = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    number = np.array([numbers[text] for text in texts], np.int32)
    return pa.DictionaryArray.from_arrays(pa.array(number[code]), pa.array(list(numbers), pa.string()))


def word(series: Series, part: str) -> str:
    return json.dumps(series.labels, sort_keys=True) if part == "labels" else str(getattr(series, part))


def finished(table: Table) -> Scrapes:
    """All that was kept."""
    t_ns = np.concatenate([rows[0] for rows in table.kept] or [np.zeros(0, np.int64)])
    code = np.concatenate([rows[1] for rows in table.kept] or [np.zeros(0, np.int32)])
    value = np.concatenate([rows[2] for rows in table.kept] or [np.zeros(0)])
    unread = {url: known.unread for url, known in table.known.items() if known.unread}
    return Scrapes(tuple(table.series), t_ns, code, value, unread)


def of_texts(url: str, texts: list[tuple[int, str]]) -> Scrapes:
    """Scrapes made of (time in ns, text) of one URL; an empty text stands for an answer that did not come."""
    table = Table(lambda _: True)
    for t_ns, text in texts:
        add(table, Scrape(url, t_ns, t_ns, "" if text else "no answer"), text)
    for t_ns, codes, values in table.batch:
        table.kept.append((np.full(codes.size, t_ns, np.int64), codes, values))
    return finished(table)
