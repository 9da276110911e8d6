"""The files that AISBench leaves in performances/<model>/, from our records."""

import io
import itertools
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_suites import SIX, STABLE, TOTAL, aisbench, aisbench_samples
from perfcore.analysis.peers_view import JSON, NS_PER_S, View, statistic
from perfcore.report.export_tables import rows

HEADING = ("Performance Parameters", "Stage", *SIX.values(), "N")
CSV, SUMMARY, DETAILS, DATABASE = "{}.csv", "{}.json", "{}_details.jsonl", "db_data/{}.db"
OF_TABLE = ("TTFT Average",)  # a line of its table, not one of the common metrics
# Its number of requests of these leaves out those without a gap.
NONZERO = ("TPOT", "ITL")


def table(view: View) -> bytes:
    """The CSV: a row for each parameter, with the unit in every cell."""
    found = [",".join(HEADING)]
    for name, (values, unit, _, _) in aisbench_samples(view).items():
        cells = [cell(statistic(values, statistic_name), unit) for statistic_name in SIX]
        number = requests_with_gap(view, name) if name in NONZERO else values.size
        found.append(",".join((name, "total", *cells, str(number))))
    return ("\n".join(found) + "\n").encode()


def requests_with_gap(view: View, name: str) -> int:
    """Requests that have a gap above 0, or a time per output token."""
    kinds = np.array([kind in JSON for kind in view.kinds], dtype=bool)
    rows_ = np.flatnonzero(kinds[view.event_kind] & (view.ok & view.streamed)[view.event_of])
    owner, time = view.event_of[rows_], view.event_ns[rows_]
    gap = (np.diff(time) > 0) & (np.diff(owner) == 0)
    several = np.zeros(view.ok.size, dtype=bool)
    several[owner[1:][gap]] = True
    return int((several & (view.output_tokens > 1)).sum() if name == "TPOT" else several.sum())


def cell(value: float | Absent, unit: str) -> str:
    """A number with its unit; empty where there is none."""
    return "" if isinstance(value, Absent) else f"{round(value, 4)} {unit}".strip()


def summary(view: View) -> bytes:
    """The JSON: each common metric by stage, with the unit in the text."""
    found: dict[str, dict[str, Any]] = {}
    for line in aisbench(view):
        for suffix, stage in ((f" ({TOTAL})", "total"), (f" ({STABLE})", "stable")):
            name = line.name.removesuffix(suffix)
            if line.name != name and name not in OF_TABLE and not isinstance(line.value, Absent):
                value: Any = cell(line.value, line.unit) if line.unit else plain(line.value)
                found.setdefault(name, {})[stage] = value
    return (json.dumps(found, indent=4, ensure_ascii=False) + "\n").encode()


def plain(value: float) -> float | int:
    return int(value) if value.is_integer() else round(value, 4)


def details(run_dir: Path, view: View, name: str, with_texts: bool) -> bytes:
    """The JSON lines: one request each, its time points by their number in the database."""
    whole = rows(run_dir, with_texts)
    kept = whole.filter(whole["last"]).sort_by([("request_id", "ascending"), ("turn", "ascending")]).to_pylist()
    found = []
    for number, row in enumerate(row for row in kept if row["phase"] == "measured"):
        good = row["error_class"] == "ok"
        found.append(
            {
                "id": number,
                "data_abbr": name,
                "input": row.get("prompt") or "",
                "prediction": row.get("prediction") or "",
                "success": good,
                "error_info": "" if good else row.get("error") or row["error_class"],
                "uuid": f"{row['request_id']}-{row['turn']}",
                "turn_id": row["turn"],
                "input_tokens": row["input_tokens"],
                "output_tokens": row["output_tokens"],
                "time_points": {"__db_ref__": number + 1},
                "db_name": f"{name}.db",
            }
        )
    return b"".join((json.dumps(one, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace") for one in found)


def database(path: Path, view: View) -> None:
    """The SQLite file: an array of each request, when it was sent and when its events came, in seconds."""
    kinds = np.array([kind in JSON for kind in view.kinds], dtype=bool)
    chosen = np.flatnonzero(kinds[view.event_kind])
    owners, times = view.event_of[chosen], view.event_ns[chosen]
    edges = np.searchsorted(owners, np.arange(view.ok.size + 1))
    with sqlite3.connect(path) as store:
        store.execute("CREATE TABLE numpy_store (id INTEGER PRIMARY KEY, arr_blob BLOB)")
        store.executemany(
            "INSERT INTO numpy_store VALUES (?, ?)",
            (
                (number + 1, blob(np.append(view.sent_ns[number], points(view, number, times[low:high])) / NS_PER_S))
                for number, (low, high) in enumerate(itertools.pairwise(edges))
            ),
        )
    store.close()


def points(view: View, number: int, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Times of the events; of an answer in one piece that of its end."""
    return events if view.streamed[number] else view.end_ns[number : number + 1]


def blob(times: np.ndarray[Any, Any]) -> bytes:
    out = io.BytesIO()
    np.save(out, times, allow_pickle=False)
    return out.getvalue()
