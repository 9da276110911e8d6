"""The Requests of a run: from the headers of all frames, and from what is known of requests that left none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.records import taxonomy
from perfcore.types import TOKEN_SOURCES, Requests
from perfcore_ext import frame

Columns: TypeAlias = dict[str, NDArray[Any]]

HTTP_STATUS = frame.ERROR_CLASSES.index("http_status")
LOST_WORKER = frame.ERROR_CLASSES.index("lost_worker")
SERVER, EVENTS = TOKEN_SOURCES.index("server"), TOKEN_SOURCES.index("events")
LABEL_BYTES = 100  # what a label takes beside its text

# What is taken from a header as it stands.
TAKEN: dict[str, type] = {
    "request_id": np.int64,
    "index": np.int64,
    "repeat": np.int64,
    "worker": np.int32,
    "attempt": np.int32,
    "turn": np.int32,
    "target": np.int16,
    "due_ns": np.int64,
    "sent_ns": np.int64,
    "uploaded_ns": np.int64,
    "first_byte_ns": np.int64,
    "first_token_ns": np.int64,
    "first_answer_ns": np.int64,
    "last_token_ns": np.int64,
    "last_output_ns": np.int64,
    "end_ns": np.int64,
    "dns_ns": np.int64,
    "tcp_ns": np.int64,
    "tls_ns": np.int64,
    "new_connection": np.bool_,
    "http_status": np.int32,
    "error_class": np.int16,
    "input_tokens": np.int64,
    "output_tokens": np.int64,
    "reasoning_tokens": np.int64,
    "cached_tokens": np.int64,
    "token_events": np.int64,
    "events": np.int64,
    "bad_json": np.int64,
    "bytes_received": np.int64,
    "retry_after_ns": np.int64,
    "phase": np.int16,
    "after_stop": np.bool_,
    "streamed": np.bool_,
}

# What a request without a frame has instead of -1.
ABSENT: dict[str, int] = {
    "attempt": 0,
    "turn": 0,
    "http_status": 0,
    "error_class": LOST_WORKER,
    "new_connection": 0,
    "after_stop": 0,
    "streamed": 0,
}


class Labels:
    """Numbers for the different byte strings of a column that has few of them; -1 stands for an empty one.

    `room` bounds the memory: once it is used up, all strings that are new share one last number.
    """

    def __init__(self, room: int) -> None:
        self.raw: list[bytes] = []
        self._codes: dict[bytes, int] = {b"": -1}
        self._room = room

    def code(self, raw: bytes) -> int:
        known = self._codes.get(raw)
        if known is None and self._room <= 0:
            raw = b"(one of too many to tell apart)"
            known = self._codes.get(raw)
        if known is not None:
            return known
        self._room -= len(raw) + LABEL_BYTES
        self._codes[raw] = len(self.raw)
        self.raw.append(raw)
        return self._codes[raw]


@dataclass(frozen=True)
class Table:
    """The requests, the number of each one's error message (-1: none), and the row of each frame in the order read.

    The row is -1 for a frame that repeats one read before.
    """

    requests: Requests
    error: NDArray[np.int64]
    row_of_frame: NDArray[np.int64]


def of_frames(headers: NDArray[np.void], finish_reason: Sequence[int], error: Sequence[int]) -> Columns:
    """What the table takes from these headers, with the numbers of their finish reasons and error messages."""
    columns: Columns = {name: headers[name].astype(form) for name, form in TAKEN.items()}
    columns["finish_reason"] = np.asarray(finish_reason, np.int16)
    columns["error"] = np.asarray(error, np.int64)
    return columns


def of_lost(lost: Sequence[Mapping[str, Any]], rows: int) -> Columns:
    """The same of requests without a frame. Where it is not given, the place in the data set follows from `rows`."""
    columns: Columns = {name: np.full(len(lost), ABSENT.get(name, -1), form) for name, form in TAKEN.items()}
    columns["finish_reason"] = np.full(len(lost), -1, np.int16)
    columns["error"] = np.full(len(lost), -1, np.int64)
    for at, entry in enumerate(lost):
        place = dict(entry)
        if rows and "sequence" in entry:
            place = {"index": entry["sequence"] % rows, "repeat": entry["sequence"] // rows} | place
        place["phase"] = frame.PHASES.index(entry.get("phase", "measured"))
        for name in TAKEN.keys() & place.keys():
            columns[name][at] = place[name]
    return columns


def missing(parts: Sequence[Columns], claimed: int) -> NDArray[np.int64]:
    """The request_ids below `claimed` that are in none of the parts."""
    absent = np.ones(max(claimed, 0), np.bool_)
    for part in parts:
        identity = part["request_id"]
        absent[identity[(identity >= 0) & (identity < absent.size)]] = False
    return np.flatnonzero(absent)


def table(parts: Sequence[Columns], finish_reasons: Sequence[str], messages: Sequence[str]) -> Table:
    """The parts as one table, which takes their place in memory; of rows for the same attempt, the first is kept.

    `messages` are the error messages that the rows refer to by number.
    """
    columns = {name: np.concatenate([part.pop(name) for part in parts]) for name in list(parts[0])}
    order = np.lexsort((columns["attempt"], columns["turn"], columns["request_id"]))
    identity, turn, attempt = (columns[name][order] for name in ("request_id", "turn", "attempt"))
    first = np.ones(order.size, np.bool_)
    first[1:] = (identity[1:] != identity[:-1]) | (turn[1:] != turn[:-1]) | (attempt[1:] != attempt[:-1])
    order = order[first]
    row_of_frame = np.full(first.size, -1, np.int64)
    row_of_frame[order] = np.arange(order.size)
    for name in columns:
        columns[name] = columns[name][order]
    return Table(_requests(columns, finish_reasons, messages), columns["error"], row_of_frame)


def _requests(columns: Columns, finish_reasons: Sequence[str], messages: Sequence[str]) -> Requests:
    # A server that reports no token beside a text has not counted.
    counted = (columns["output_tokens"] < 0) | ((columns["output_tokens"] == 0) & (columns["token_events"] > 0))
    taken = {name: columns[name] for name in (*TAKEN, "finish_reason")}
    taken["output_tokens"] = np.where(counted, columns["token_events"], columns["output_tokens"])
    classes = _by_status(columns["error_class"], columns["http_status"])
    classes = _by_evidence(columns["error_class"], columns["error"], classes, messages)
    unknown = np.full(counted.size, -1, np.int64)
    return Requests(
        **taken,
        input_token_source=np.where(columns["input_tokens"] < 0, -1, SERVER).astype(np.int16),
        input_tokens_asked=unknown,
        input_tokens_counted=unknown.copy(),
        output_tokens_asked=unknown.copy(),
        dataset=unknown.astype(np.int32),
        model=unknown.astype(np.int32),
        token_source=np.where(counted, EVENTS, SERVER).astype(np.int16),
        error_classes=classes,
        finish_reasons=tuple(finish_reasons),
        datasets=(),
        models=(),
    )


def _by_status(error_class: NDArray[np.int16], status: NDArray[np.int32]) -> tuple[str, ...]:
    """A class of its own for each status, in place of the one that stands for all of them; returns all names."""
    by_status = error_class == HTTP_STATUS
    statuses, number = np.unique(status[by_status], return_inverse=True)
    error_class[by_status] = len(frame.ERROR_CLASSES) + number
    return (*frame.ERROR_CLASSES, *(f"http_{code}" for code in statuses))


def _by_evidence(
    error_class: NDArray[np.int16], error: NDArray[np.int64], classes: tuple[str, ...], messages: Sequence[str]
) -> tuple[str, ...]:
    """The class that the server's words name, where they name one; returns all names."""
    names = [*classes, *(name for name in taxonomy.NAMED if name not in classes)]
    rows = np.flatnonzero((error_class > 0) & (error >= 0))
    pairs, number = np.unique(error[rows] * len(names) + error_class[rows], return_inverse=True)
    told = ((pair // len(names), pair % len(names)) for pair in pairs.tolist())
    refined = [names.index(taxonomy.refined(names[code], messages[at])) for at, code in told]
    error_class[rows] = np.array(refined, np.int16)[number]
    return tuple(names)


def last_attempts(requests: Requests) -> NDArray[np.bool_]:
    """Whether a row is the last of its request."""
    last = np.ones(requests.request_id.size, np.bool_)
    last[:-1] = requests.request_id[1:] != requests.request_id[:-1]
    last[:-1] |= requests.turn[1:] != requests.turn[:-1]
    return last
