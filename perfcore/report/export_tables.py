"""Requests and metrics of a run as plain tables: CSV, JSON, Parquet."""

import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.report.definitions import of_key, statistic
from perfcore.report.view import ints, requests

NS_PER_MS = 1e6
TEXTS = ("prompt", "prediction", "reasoning")
# Messages of failures may quote what was sent, so they are texts too.
ERROR = "error"

Column = NDArray[Any]


class Said(msgspec.Struct):
    """What is read of a line of outputs.jsonl."""

    index: int = -1
    repeat: int = 0
    turn: int = 0
    prompt: Any = None
    prediction: str | None = None
    reasoning: str | None = None


def rows(run_dir: Path, with_texts: bool) -> pa.Table:
    """requests.parquet with latencies in ms beside the times, a row for each attempt; `last` marks the last of each.

    Texts of prompts, answers and error messages only on demand.
    """
    table = requests(run_dir)
    first, last = edges(table)
    due = ints(table, "due_ns")[first]
    for name, values in derived(table, due).items():
        table = table.append_column(name, pa.array(values, mask=np.isnan(values)))
    table = table.append_column("last", pa.array(last))
    if not with_texts:
        return table.drop_columns([ERROR])
    for name, texts in said(run_dir, table, last).items():
        table = table.append_column(name, pa.array(texts, pa.string()))
    return table


def edges(table: pa.Table) -> tuple[Column, Column]:
    """Of each row that of the first attempt of its request, and whether it is the last one."""
    identity, turn, attempt = (ints(table, name) for name in ("request_id", "turn", "attempt"))
    order = np.lexsort((attempt, turn, identity))
    changes = np.ones(order.size, dtype=bool)
    changes[1:] = (np.diff(identity[order]) != 0) | (np.diff(turn[order]) != 0)
    first, last = np.zeros(order.size, np.int64), np.zeros(order.size, dtype=bool)
    first[order] = order[np.maximum.accumulate(np.where(changes, np.arange(order.size), 0))]
    last[order] = np.append(changes[1:], True)[: order.size]
    return first, last


def derived(table: pa.Table, due_ns: Column) -> dict[str, NDArray[np.float64]]:
    """Latencies in ms by row, NaN where a time is not known; of failed attempts as far as they came."""
    streamed = np.asarray(table["streamed"].to_numpy(), dtype=bool)
    sent, end = ints(table, "sent_ns"), ints(table, "end_ns")
    token, answer = (np.where(streamed, ints(table, name), -1) for name in ("first_token_ns", "first_answer_ns"))
    good = np.asarray([one == "ok" for one in table["error_class"].to_pylist()], dtype=bool)
    output = np.where(streamed, ints(table, "last_output_ns"), np.where(good, end, -1))
    made, events = ints(table, "output_tokens"), ints(table, "token_events")
    spread = since(ints(table, "first_token_ns"), ints(table, "last_token_ns"))
    return {
        "ttft_ms": since(sent, token),
        "ttft_from_intended_ms": since(due_ns, token),
        "ttfa_ms": since(sent, answer),
        "e2el_ms": since(sent, output),
        "e2el_from_intended_ms": since(due_ns, output),
        "tpot_ms": np.where(made > 1, since(token, output) / np.maximum(made - 1, 1), np.nan),
        "itl_mean_ms": np.where(streamed & (events > 1), spread / np.maximum(events - 1, 1), np.nan),
        "slip_ms": since(ints(table, "due_ns"), sent),
        "connect_ms": np.where(
            np.asarray(table["new_connection"].to_numpy(), dtype=bool),
            (ints(table, "dns_ns") + ints(table, "tcp_ns") + ints(table, "tls_ns")) / NS_PER_MS,
            np.nan,
        ),
    }


def since(start: Column, stop: Column) -> NDArray[np.float64]:
    """Time in ms from start to stop, NaN where either is not known."""
    return np.asarray(np.where((start >= 0) & (stop >= 0), (stop - start) / NS_PER_MS, np.nan), np.float64)


def said(run_dir: Path, table: pa.Table, last: Column) -> dict[str, list[str | None]]:
    """What was asked and answered, by row; prompts that are no text as JSON."""
    found = {(one.index, one.repeat, one.turn): one for one in lines(run_dir)}
    keys = zip(*(table[name].to_pylist() for name in ("index", "repeat", "turn", "phase")), last.tolist(), strict=True)
    chosen = [found.get((index, repeat, turn)) if kept and phase == "measured" else None
              for index, repeat, turn, phase, kept in keys]  # fmt: skip
    return {name: [text(getattr(one, name, None)) for one in chosen] for name in TEXTS}


def lines(run_dir: Path) -> Iterator[Said]:
    """The lines of outputs.jsonl."""
    decode = msgspec.json.Decoder(Said).decode
    with (run_dir / "outputs.jsonl").open("rb") as file:
        for line in file:
            yield decode(line)


def text(value: Any) -> str | None:
    """A text that Parquet and CSV can hold: half a surrogate pair becomes its escape."""
    if value is None:
        return None
    whole = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return whole.encode("utf-8", "backslashreplace").decode()


def flat(metrics: dict[str, Any], prefix: str = "") -> dict[str, float | int]:
    """Every number of metrics.json by its dotted key; entries of lists by their number, of an interval low and high.

    Series over time are left out.
    """
    found: dict[str, float | int] = {}
    for name, value in metrics.items():
        key = f"{prefix}.{name}" if prefix else name
        if key in ("absent", "over_time", "arrivals.over_time"):
            continue
        found |= numbers(key, value)
    return found


def numbers(key: str, value: Any) -> dict[str, float | int]:
    """The numbers in one value."""
    if isinstance(value, dict):
        return flat(value, key)
    if isinstance(value, list):
        ends = ("low", "high") if "ci95" in key and len(value) == len(("low", "high")) else range(len(value))
        return flat({str(end): one for end, one in zip(ends, value, strict=True)}, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return {}
    return {key: value}


def unit(key: str) -> str:
    """Unit of a number by its key; "" for a count."""
    name = key.rpartition(".")[2]
    if name in ("n", "effective_n") or ".effective_n." in key:
        return ""
    found = of_key(key)
    if found is None or found.unit == "as the metric":
        found = statistic(name)
    return "" if found is None or found.unit == "as the metric" else found.unit


def metrics_table(metrics: dict[str, Any]) -> pa.Table:
    """Key, value and unit of every number."""
    known = flat(metrics)
    columns = {
        "key": list(known),
        "value": [float(one) for one in known.values()],
        "unit": [unit(key) for key in known],
    }
    return pa.table(columns, pa.schema([("key", pa.string()), ("value", pa.float64()), ("unit", pa.string())]))


def csv(table: pa.Table) -> bytes:
    """A table as CSV with a heading; what is not known is empty."""
    out = io.BytesIO()
    pc_csv.write_csv(plain(table), out)
    return out.getvalue()


def parquet(table: pa.Table) -> bytes:
    """A table as Parquet."""
    out = io.BytesIO()
    pq.write_table(table, out, compression="zstd")
    return out.getvalue()


def plain(table: pa.Table) -> pa.Table:
    """A table whose labels are texts."""
    for at, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type):
            table = table.set_column(at, column.name, pc.cast(table[column.name], pa.string()))
    return table


def json(table: pa.Table, metrics: dict[str, Any]) -> bytes:
    """Requests as a list of objects and metrics by key, in one object."""
    whole = {"schema": "perfcore.export/1", "metrics": flat(metrics), "requests": plain(table).to_pylist()}
    return msgspec.json.encode(whole) + b"\n"
