"""Where each request came from: the data set that its row is of, and the model that its row asks for."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from perfcore.records.columns import Labels
from perfcore.records.rows import Row, Rows
from perfcore.types import Requests

UNREAD, NONE = -2, -1
ROOM = 1 << 20  # for names, of either kind


@dataclass
class Origins:
    """Numbers of data sets and models by the number of a row; UNREAD until that row is added, NONE where it has none.

    Rows are cycled: a name is looked up once for all requests of a row.
    """

    dataset: NDArray[np.int32]
    model: NDArray[np.int32]
    datasets: Labels = field(default_factory=lambda: Labels(ROOM))
    models: Labels = field(default_factory=lambda: Labels(ROOM))


def unread(rows: int) -> Origins:
    """Of so many rows, none of which was added."""
    return Origins(np.full(rows, UNREAD, np.int32), np.full(rows, UNREAD, np.int32))


def add(origins: Origins, index: int, row: Row) -> None:
    """Take down what the row of this number says; nothing where that was done, and where it is no number of a row."""
    if 0 <= index < origins.dataset.size and origins.dataset[index] == UNREAD:
        origins.dataset[index] = origins.datasets.code(name(row.dataset))
        origins.model[index] = origins.models.code(name(row.asked_model()))


def name(text: str | None) -> bytes:
    return (text or "").encode(errors="replace")


def labelled(requests: Requests, origins: Origins, rows: Rows) -> Requests:
    """`requests` with its columns of data sets and models; reads the rows that only warm-ups and the like have sent."""
    known = (requests.index >= 0) & (requests.index < origins.dataset.size)
    sent = np.zeros(origins.dataset.size, np.bool_)
    sent[requests.index[known]] = True
    for index in np.flatnonzero(sent & (origins.dataset == UNREAD)).tolist():
        add(origins, index, rows.row(index))
    return replace(
        requests,
        dataset=by_request(origins.dataset, requests.index, known),
        model=by_request(origins.model, requests.index, known),
        datasets=names(origins.datasets),
        models=names(origins.models),
    )


def by_request(by_row: NDArray[np.int32], index: NDArray[np.int64], known: NDArray[np.bool_]) -> NDArray[np.int32]:
    column = np.full(index.size, NONE, np.int32)
    column[known] = by_row[index[known]]
    return column


def names(labels: Labels) -> tuple[str, ...]:
    return tuple(raw.decode() for raw in labels.raw)
