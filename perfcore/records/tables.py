"""requests.parquet and events.parquet."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.types import TOKEN_SOURCES, Events, Requests
from perfcore_ext import frame

ROW_GROUP = 1 << 20
# Of the kinds that one event has, the first of these is the one that events.parquet names.
PRIORITY = ("error", "bad_json", "content", "reasoning", "tool", "finish", "usage", "done", "role")
KIND_NAMES = (*PRIORITY, "other")


def _main_kinds() -> NDArray[np.int8]:
    """For each combination of kinds the position in KIND_NAMES."""
    codes = np.full(1 << len(PRIORITY), len(PRIORITY), np.int8)
    for code, name in reversed(list(enumerate(PRIORITY))):
        codes[np.arange(codes.size) & frame.EVENT_KINDS[name] > 0] = code
    return codes


MAIN_KIND = _main_kinds()

LABEL = pa.dictionary(pa.int32(), pa.string())
KIND = pa.dictionary(pa.int8(), pa.string())
EVENTS = pa.schema(
    [
        ("request_id", pa.int64()),
        ("t_ns", pa.int64()),
        ("read_delay_ns", pa.uint32()),
        ("read_seq", pa.uint32()),
        ("kind", KIND),
        ("chars", pa.uint32()),
    ]
)


def events_writer(path: Path) -> pq.ParquetWriter:
    return _writer(path, EVENTS)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Neighbours differ little: the differences of whole numbers take less space and time than the numbers."""
    labels = [column.name for column in schema if pa.types.is_dictionary(column.type)]
    numbers = [column.name for column in schema if pa.types.is_integer(column.type)]
    encoding = dict.fromkeys(numbers, "DELTA_BINARY_PACKED")
    return pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=labels, column_encoding=encoding)


def write_events(writer: pq.ParquetWriter, events: Events) -> None:
    """Append the events of one batch of frames as a row group of its own."""
    kinds = MAIN_KIND[events.kinds & (MAIN_KIND.size - 1)]
    columns = [
        pa.array(events.request_id),
        pa.array(events.t_ns),
        pa.array(events.read_delay_ns),
        pa.array(events.read_seq),
        pa.DictionaryArray.from_arrays(pa.array(kinds), pa.array(KIND_NAMES)),
        pa.array(events.chars),
    ]
    writer.write_table(pa.Table.from_arrays(columns, schema=EVENTS))


def write_requests(path: Path, requests: Requests, error: NDArray[np.int64], messages: Sequence[str]) -> None:
    """`error` are positions in `messages`, -1 for none."""
    values = {field.name: getattr(requests, field.name) for field in fields(Requests)}
    columns = {name: _values(column) for name, column in values.items() if not isinstance(column, tuple)}
    columns["error_class"] = _labels(requests.error_class, requests.error_classes)
    columns["error"] = _labels(error, messages)
    columns["finish_reason"] = _labels(requests.finish_reason, requests.finish_reasons)
    columns["token_source"] = _labels(requests.token_source, TOKEN_SOURCES)
    columns["input_token_source"] = _labels(requests.input_token_source, TOKEN_SOURCES)
    columns["phase"] = _labels(requests.phase, frame.PHASES)
    columns["dataset"] = _labels(requests.dataset, requests.datasets)
    columns["model"] = _labels(requests.model, requests.models)
    table = pa.table(columns)
    with _writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)


def _values(column: NDArray[Any]) -> pa.Array:
    return pa.array(column, mask=None if column.dtype == np.bool_ else column == -1)


def _labels(codes: NDArray[Any], names: Sequence[str]) -> pa.Array:
    indices = pa.array(codes.astype(np.int32), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(names, pa.string()))
