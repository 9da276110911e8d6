"""The records of a finished run folder as other tools look at them: requests.parquet and events.parquet."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.analysis.peers_view import View
from perfcore.errors import UserError
from perfcore.report.finish import description

REQUESTS, EVENTS, METRICS = "requests.parquet", "events.parquet", "metrics.json"
ABSENT = -1
COMPLETIONS = "openai-completions"

Column = NDArray[Any]


def requests(run_dir: Path) -> pa.Table:
    """The table of requests. Raises UserError where the folder is not that of a finished run."""
    return table(run_dir, REQUESTS)


def table(run_dir: Path, name: str) -> pa.Table:
    """One of a run's tables."""
    try:
        return pq.read_table(run_dir / name)
    except FileNotFoundError:
        raise UserError(f"{run_dir} has no {name}; `perfcore report {run_dir}` makes it") from None
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{run_dir / name} cannot be read ({reason}); `perfcore report {run_dir}` makes it") from None


def metrics(run_dir: Path) -> dict[str, Any]:
    """What metrics.json holds. Raises UserError where it cannot be read."""
    path = run_dir / METRICS
    try:
        found = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{run_dir} has no {METRICS}; `perfcore report {run_dir}` makes it") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}); `perfcore report {run_dir}` makes it") from None
    if not isinstance(found, dict):
        raise UserError(f"{path} holds no object; `perfcore report {run_dir}` makes it again")
    return found


def measured(attempts: pa.Table) -> tuple[Column, Column]:
    """Rows of the first and of the last attempt of each measured request, in the order of requests and turns."""
    rows = np.flatnonzero(np.asarray(attempts["phase"].to_pylist(), dtype=object) == "measured")
    identity, turn, attempt = (ints(attempts, name)[rows] for name in ("request_id", "turn", "attempt"))
    rows = rows[np.lexsort((attempt, turn, identity))]
    identity, turn = ints(attempts, "request_id")[rows], ints(attempts, "turn")[rows]
    changes = (identity[1:] != identity[:-1]) | (turn[1:] != turn[:-1])
    edge = np.ones(min(rows.size, 1), dtype=bool)
    return rows[np.concatenate((edge, changes))], rows[np.concatenate((changes, edge))]


def ints(attempts: pa.Table, name: str) -> Column:
    """A column of whole numbers, -1 for what is absent."""
    return np.asarray(attempts[name].cast(pa.int64()).fill_null(ABSENT).to_numpy(), dtype=np.int64)


def read(run_dir: Path) -> View:
    """The measured requests of a finished run and the events of their last attempts."""
    attempts = requests(run_dir)
    first, last = measured(attempts)
    events = table(run_dir, EVENTS)
    owner = owners(attempts, events)
    place = np.full(attempts.num_rows + 1, ABSENT, np.int64)
    place[last] = np.arange(last.size)
    of = place[owner]
    kept = np.flatnonzero(of >= 0)
    times = np.asarray(events["t_ns"].to_numpy(), dtype=np.int64)
    kept = kept[np.lexsort((kept, of[kept]))]
    kinds, codes = labels(events["kind"])
    load = asked(run_dir)
    return View(
        due_ns=ints(attempts, "due_ns")[first],
        sent_ns=ints(attempts, "sent_ns")[last],
        first_token_ns=ints(attempts, "first_token_ns")[last],
        last_output_ns=ints(attempts, "last_output_ns")[last],
        end_ns=ints(attempts, "end_ns")[last],
        ok=np.asarray([one == "ok" for one in attempts["error_class"].to_pylist()], dtype=bool)[last],
        streamed=np.asarray(attempts["streamed"].to_numpy(), dtype=bool)[last],
        input_tokens=ints(attempts, "input_tokens")[last],
        output_tokens=tokens(attempts)[last],
        event_ns=times[kept],
        event_of=of[kept],
        event_kind=codes[kept],
        kinds=kinds,
        completions=description(run_dir).get("dialect") == COMPLETIONS,
        **load,
    )


def tokens(attempts: pa.Table) -> Column:
    """Output tokens; those of an answer in one piece are unknown where only its events would tell."""
    estimated = np.asarray([one == "events" for one in attempts["token_source"].to_pylist()], dtype=bool)
    piece = ~np.asarray(attempts["streamed"].to_numpy(), dtype=bool)
    return np.where(estimated & piece, ABSENT, ints(attempts, "output_tokens"))


def owners(attempts: pa.Table, events: pa.Table) -> Column:
    """Row of the attempt that each event belongs to, one past the last row for none.

    Attempts and turns of a request have its number in common. They follow each other, so an event is of the attempt
    that was sent last before it.
    """
    identity, sent = ints(attempts, "request_id"), ints(attempts, "sent_ns")
    whose = np.asarray(events["request_id"].to_numpy(), dtype=np.int64)
    order = np.lexsort((sent, identity))
    ordered = identity[order]
    if np.unique(ordered).size == ordered.size:
        at = np.minimum(np.searchsorted(ordered, whose), max(ordered.size - 1, 0))
        found = order[at] if ordered.size else np.zeros(0, np.int64)
        return np.where(ordered[at] == whose, found, attempts.num_rows) if ordered.size else found
    times = np.asarray(events["t_ns"].to_numpy(), dtype=np.int64)
    number, keys = identity.size, np.concatenate((identity, whose))
    both = np.lexsort((np.repeat([0, 1], [number, whose.size]), np.concatenate((sent, times)), keys))
    latest = np.maximum.accumulate(np.where(both < number, np.arange(both.size), -1))
    found = np.full(keys.size, attempts.num_rows, np.int64)
    rows = both[np.maximum(latest, 0)]
    found[both] = np.where((latest >= 0) & (keys[rows] == keys[both]), rows, attempts.num_rows)
    return found[number:]


def labels(column: pa.ChunkedArray) -> tuple[tuple[str, ...], Column]:
    """The words of a column, and which of them each row has."""
    encoded = column.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], column.type)
    words = tuple(str(one) for one in encoded.dictionary.to_pylist())
    return words, np.asarray(encoded.indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def asked(run_dir: Path) -> dict[str, Any]:
    """Concurrency and rate that the run was asked for, as its metrics have them."""
    found = metrics(run_dir)
    concurrency, rate = found.get("concurrency") or {}, found.get("rate") or {}
    limit = concurrency.get("asked")
    closed = str((found.get("absent") or {}).get("rate.achieved", "")).startswith("closed loop")
    return {"concurrency": None if limit is None else int(limit), "rate": rate.get("asked"), "open_loop": not closed}
