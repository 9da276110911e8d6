"""The files that EvalScope leaves for a run: its database of requests, its summary and its percentiles."""

import base64
import json
import pickle
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_suites import (
    EVS_WINDOW,
    evalscope,
    evalscope_samples,
    evalscope_times,
    tokens_over,
)
from perfcore.analysis.peers_view import NS_PER_MS, NS_PER_S, TOKENS, View, known, rank_up, stamps
from perfcore.report.export_tables import rows
from perfcore.report.finish import dataset_names

DATABASE, SUMMARY, PERCENTILES, ARGUMENTS = (
    "benchmark_data.db",
    "benchmark_summary.json",
    "benchmark_percentile.json",
    "benchmark_args.json",
)
COLUMNS = {
    "request": "TEXT",
    "start_time": "REAL",
    "inter_token_latencies": "TEXT",
    "success": "INTEGER",
    "response_messages": "TEXT",
    "completed_time": "REAL",
    "latency": "REAL",
    "first_chunk_latency": "REAL",
    "prompt_tokens": "INTEGER",
    "completion_tokens": "INTEGER",
    "max_gpu_memory_cost": "REAL",
    "time_per_output_token": "REAL",
    "request_id": "TEXT",
    "is_stream": "INTEGER",
}
PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99)


def database(path: Path, run_dir: Path, view: View, with_texts: bool) -> None:
    """The SQLite file with a row for each request; prompts and answers are empty unless asked for."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    places = ", ".join("?" for _ in COLUMNS)
    with sqlite3.connect(path) as store:
        store.execute(f"CREATE TABLE result ({columns})")
        store.executemany(f"INSERT INTO result VALUES ({places})", values(run_dir, view, with_texts))
    store.close()


def values(run_dir: Path, view: View, with_texts: bool) -> list[tuple[Any, ...]]:
    """Rows of the table in the order of its columns; failures fill as few of them as they do there."""
    begun, ended = evalscope_times(view)
    times, owners = stamps(view, TOKENS)
    edges = np.searchsorted(owners, np.arange(view.ok.size + 1))
    whole = rows(run_dir, with_texts)
    kept = whole.filter(whole["last"]).sort_by([("request_id", "ascending"), ("turn", "ascending")]).to_pylist()
    found = []
    for at, row in enumerate(one for one in kept if one["phase"] == "measured"):
        gaps = (np.diff(times[edges[at] : edges[at + 1]]) / NS_PER_S).tolist()
        good = bool(view.ok[at]) and begun[at] >= 0 and ended[at] >= 0
        latency, first = (ended[at] - view.sent_ns[at]) / NS_PER_S, (begun[at] - view.sent_ns[at]) / NS_PER_S
        made = int(view.output_tokens[at])
        tpot = (latency - first) / (made - 1) if made > 1 else 0.0
        known_of_success = (
            float(latency),
            float(first),
            none_if_absent(view.input_tokens[at]),
            none_if_absent(view.output_tokens[at]),
            0.0,
            float(tpot),
        )
        found.append(
            (
                asked(row),
                max(float(view.sent_ns[at]), 0.0) / NS_PER_S,
                json.dumps(gaps),
                int(good),
                answered(row),
                max(float(ended[at] if good else view.end_ns[at]), 0.0) / NS_PER_S,
                *(known_of_success if good else (None,) * 6),
                f"{row['request_id']}-{row['turn']}",
                int(view.streamed[at]),
            )
        )
    return found


def none_if_absent(value: Any) -> int | None:
    return int(value) if value >= 0 else None


def asked(row: dict[str, Any]) -> str:
    """The request as JSON; empty without its text."""
    prompt = row.get("prompt")
    return json.dumps({} if prompt is None else {"messages": [{"role": "user", "content": prompt}]}, ensure_ascii=False)


def answered(row: dict[str, Any]) -> str:
    """The answer as EvalScope keeps it, in base64 of a pickled list of messages; empty without its text."""
    text = row.get("prediction")
    messages = [] if text is None else [{"choices": [{"index": 0, "delta": {"content": text}}]}]
    return base64.b64encode(pickle.dumps(messages)).decode()


def summary(view: View) -> bytes:
    """benchmark_summary.json; what cannot be computed is left out, where EvalScope writes -1."""
    found: dict[str, Any] = {}
    for line in evalscope(view):
        if line.name.endswith("%") or line.name == EVS_WINDOW or isinstance(line.value, Absent):
            continue
        name = f"{line.name} ({line.unit})" if line.unit else line.name
        found[name] = int(line.value) if name.endswith("Requests") else round(line.value, digits(line.unit))
    streams = int(view.streamed.sum())
    load = {"Concurrency": view.concurrency or 0, "Request Rate (req/s)": view.rate or -1}
    counts = {"Stream Requests": streams, "Non-Stream Requests": int(view.ok.size) - streams}
    return encoded(found | load | counts)


def digits(unit: str) -> int:
    """Decimals that EvalScope rounds to."""
    return 2 if unit == "ms" else 4


def percentiles(view: View) -> bytes:
    """benchmark_percentile.json: a row for each percentile, by nearest rank; null where there is no value."""
    begun, ended = evalscope_times(view)
    _, samples = evalscope_samples(view, begun, ended)
    columns = {f"{name} ({unit})": sample for name, (sample, unit, _, _, _) in samples.items()}
    tpot = columns["TPOT (ms)"]
    columns["Input tokens"] = known(view.input_tokens[view.ok])
    columns["Output tokens"] = known(view.output_tokens[view.ok])
    both = np.where((view.input_tokens >= 0) & (view.output_tokens >= 0), view.input_tokens + view.output_tokens, -1)
    columns["Total (tok/s)"] = tokens_over(view, both, ended)
    columns["Decode (tok/s)"] = NS_PER_S / NS_PER_MS / tpot[tpot > 0]
    ranks = {"min": 0.0} | {f"{percent}%": float(percent) for percent in PERCENTS} | {"max": 100.0}
    return encoded(
        [
            {"Percentiles": label}
            | {name: round(rank_up(sample, rank), 4) if sample.size else None for name, sample in columns.items()}
            for label, rank in ranks.items()
        ]
    )


def arguments(view: View, described: dict[str, Any]) -> bytes:
    """benchmark_args.json, as far as the run has what it asks for."""
    options = described.get("options") or {}
    return encoded(
        {
            "model": described.get("model"),
            "url": described.get("url"),
            "api": "openai",
            "parallel": view.concurrency,
            "rate": view.rate if view.rate is not None else -1,
            "number": int(view.ok.size),
            "stream": bool(view.streamed.any()),
            "max_tokens": options.get("max_tokens"),
            "dataset": ",".join(dataset_names(described)) or None,
            "seed": options.get("seed"),
        }
    )


def encoded(content: Any) -> bytes:
    return (json.dumps(content, indent=4, ensure_ascii=False, allow_nan=False) + "\n").encode()
