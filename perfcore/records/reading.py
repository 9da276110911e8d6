"""The tables of a finished run read back: requests.parquet as columns, gaps from events.parquet, prompts."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.errors import UserError
from perfcore.records.answers import Key, key_of, read
from perfcore.types import TOKEN_SOURCES, Requests
from perfcore_ext import frame

Column = NDArray[np.int64]

# Columns of words, and those of them whose words are the same in every run.
WORDS = {
    "error_class": ("error_classes", ("ok",)),
    "finish_reason": ("finish_reasons", ()),
    "dataset": ("datasets", ()),
    "model": ("models", ()),
    "token_source": (None, TOKEN_SOURCES),
    "input_token_source": (None, TOKEN_SOURCES),
    "phase": (None, frame.PHASES),
}
BATCH = 1 << 20


def read_requests(run_dir: Path) -> Requests:
    """requests.parquet as it was written, absent values -1. Raises UserError where it cannot be read."""
    path = run_dir / "requests.parquet"
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read {path} ({reason}); make it again with: perfcore report {run_dir}") from None
    found: dict[str, Any] = {}
    for field in fields(Requests):
        if field.name in WORDS:
            own, known = WORDS[field.name]
            found[field.name], words = codes(table, field.name, known)
            found |= {own: words} if own else {}
        elif field.name not in found and field.name not in {own for own, _ in WORDS.values()}:
            found[field.name] = numbers(table, field.name)
    return Requests(**found)


def numbers(table: pa.Table, name: str) -> NDArray[Any]:
    """A column of numbers or truth; one that an older run did not record is absent throughout."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1, np.int64)
    column = table[name].combine_chunks()
    filled = column.fill_null(False if pa.types.is_boolean(column.type) else -1)
    found: NDArray[Any] = filled.to_numpy(zero_copy_only=False)
    return found


def codes(table: pa.Table, name: str, known: tuple[str, ...]) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """A column of words as positions in these; -1 for none."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1, np.int32), known
    column = table[name].combine_chunks()
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    own = [str(word) for word in column.dictionary.to_pylist()]
    words = (*known, *(word for word in dict.fromkeys(own) if word not in known))
    place = np.array([words.index(word) for word in own], np.int32)
    indices = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    found = np.full(indices.size, -1, np.int32)
    found[indices >= 0] = place[indices[indices >= 0]]
    return found, words


def read_gaps(run_dir: Path, requests: Requests) -> tuple[Column, Column]:
    """Gaps in ns between successive token events of every attempt, and its row in `requests`; equal lengths."""
    gaps, rows = [], []
    last_row, last_ns = -1, 0
    for t_ns, row in token_events(run_dir, requests):
        t_all, row_all = np.concatenate(([last_ns], t_ns)), np.concatenate(([last_row], row))
        within = (row_all[1:] == row_all[:-1]) & (row >= 0)
        gaps.append(np.diff(t_all)[within])
        rows.append(row[within])
        if row.size:
            last_row, last_ns = int(row[-1]), int(t_ns[-1])
    return np.concatenate([np.zeros(0, np.int64), *gaps]), np.concatenate([np.zeros(0, np.int64), *rows])


def token_events(run_dir: Path, requests: Requests) -> Iterator[tuple[Column, Column]]:
    """Times of token events and the rows of their attempts in `requests`, a batch at a time, in the file's order."""
    owners = Owners(requests)
    path = run_dir / "events.parquet"
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(BATCH, columns=["request_id", "t_ns", "chars"]):
                identity, t_ns, chars = (column.to_numpy(zero_copy_only=False) for column in batch.columns)
                kept = chars > 0
                yield t_ns[kept], owners.of(identity[kept], t_ns[kept])
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read {path} ({reason}); make it again with: perfcore report {run_dir}") from None


class Owners:
    """Which attempt an event is of: of those of its request the last one that had been sent by then."""

    def __init__(self, requests: Requests) -> None:
        sent = np.where(requests.sent_ns >= 0, requests.sent_ns, np.iinfo(np.int64).max)
        self.row = np.lexsort((sent, requests.request_id))
        self.identity, self.sent_ns = requests.request_id[self.row], sent[self.row]
        sizes = np.unique(self.identity, return_counts=True)[1]
        self.most = int(sizes.max(initial=0))

    def of(self, identity: Column, t_ns: Column) -> Column:
        """Rows, -1 for an event of no request."""
        if self.row.size == 0:
            return np.full(identity.size, -1, np.int64)
        first = np.searchsorted(self.identity, identity)
        place = np.minimum(first, self.row.size - 1)
        known = self.identity[place] == identity
        for step in range(1, self.most):
            later = np.minimum(first + step, self.row.size - 1)
            place = np.where((self.identity[later] == identity) & (self.sent_ns[later] <= t_ns), later, place)
        return np.where(known, self.row[place], -1)


def prompts(run_dir: Path) -> dict[Key, int]:
    """A number for the prompt of each measured request and turn: equal prompts have equal ones, in this process."""
    return {key_of(line): hash(bytes(line.prompt)) for line in read(run_dir)}
