"""The result file of `vllm bench serve`, from our records; its numbers are those that `perfcore explain` gives."""

import itertools
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_bench import vllm, vllm_kinds, vllm_samples
from perfcore.analysis.peers_view import NS_PER_S, View, first, last, stamps
from perfcore.report.export_tables import rows

# Keys of the file, and what its table calls them.
NAMES = {
    "duration": "Benchmark duration",
    "completed": "Successful requests",
    "failed": "Failed requests",
    "total_input_tokens": "Total input tokens",
    "total_output_tokens": "Total generated tokens",
    "request_throughput": "Request throughput",
    "output_throughput": "Output token throughput",
    "total_token_throughput": "Total token throughput",
    "max_output_tokens_per_s": "Peak output token throughput",
    "max_concurrent_requests": "Peak concurrent requests",
}
COUNTS = ("completed", "failed", "total_input_tokens", "total_output_tokens", "max_concurrent_requests")


def result(run_dir: Path, view: View, described: dict[str, Any], with_texts: bool) -> bytes:
    """The file's content, with the values of each request as --save-detailed has them; texts only on demand."""
    found = heading(view, described) | totals(view) | latencies(view) | details(view)
    texts, errors = said(run_dir, view) if with_texts else ([""] * view.ok.size, [""] * view.ok.size)
    found |= {"generated_texts": texts, "errors": errors}
    return (json.dumps(found, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8", "backslashreplace")


def heading(view: View, described: dict[str, Any]) -> dict[str, Any]:
    """What was asked for."""
    started = datetime.fromisoformat(str(described.get("started") or "1970-01-01"))
    options = described.get("options") or {}
    return {
        "date": started.strftime("%Y%m%d-%H%M%S"),
        "endpoint_type": described.get("dialect"),
        "backend": described.get("dialect"),
        "label": None,
        "model_id": described.get("model"),
        "tokenizer_id": options.get("tokenizer"),
        "num_prompts": int(view.ok.size),
        "request_rate": view.rate if view.rate is not None else "inf",
        "burstiness": options.get("burstiness") or 1.0,
        "max_concurrency": view.concurrency,
    }


def totals(view: View) -> dict[str, Any]:
    """Sums and rates; null where they cannot be computed."""
    values = {line.name: line.value for line in vllm(view)}
    found = {key: None if isinstance(values[name], Absent) else values[name] for key, name in NAMES.items()}
    counts = {key: int(value) for key in COUNTS if isinstance(value := found[key], float)}
    return found | counts | {"request_goodput": None}


def latencies(view: View) -> dict[str, float | None]:
    """Mean, median, deviation and p99 of each latency in ms; its deviation is that of a whole population."""
    found: dict[str, float | None] = {}
    for name, (values, _) in vllm_samples(view).items():
        known = values.size > 0
        found[f"mean_{name}_ms"] = float(values.mean()) if known else None
        found[f"median_{name}_ms"] = float(np.median(values)) if known else None
        found[f"std_{name}_ms"] = float(values.std()) if known else None
        found[f"p99_{name}_ms"] = float(np.percentile(values, 99)) if known else None
    return found


def details(view: View) -> dict[str, Any]:
    """Lists with an entry for each request, in seconds; of failed ones 0 and empty, as the tool has them."""
    counted = vllm_kinds(view)
    begun, ended = first(view, counted), last(view, counted)
    times, owners = stamps(view, counted)
    edges = np.searchsorted(owners, np.arange(view.ok.size + 1))
    ok = view.ok & (begun >= 0)
    queue = np.where((view.due_ns >= 0) & (view.sent_ns >= 0), view.sent_ns - view.due_ns, 0)
    return {
        "input_lens": np.maximum(view.input_tokens, 0).tolist(),
        "output_lens": np.where(view.ok, np.maximum(view.output_tokens, 0), 0).tolist(),
        "ttfts": np.where(ok, (begun - view.sent_ns) / NS_PER_S, 0.0).tolist(),
        "itls": [(np.diff(times[low:high]) / NS_PER_S).tolist() for low, high in itertools.pairwise(edges)],
        "latencies": np.where(ok, (ended - view.sent_ns) / NS_PER_S, 0.0).tolist(),
        "start_times": (np.maximum(view.sent_ns, 0) / NS_PER_S).tolist(),
        "queue_times": (queue / NS_PER_S).tolist(),
    }


def said(run_dir: Path, view: View) -> tuple[list[str], list[str]]:
    """Answers and messages of failures, by request in the order of the view."""
    table = rows(run_dir, with_texts=True)
    kept = table.filter(table["last"]).sort_by([("request_id", "ascending"), ("turn", "ascending")]).to_pylist()
    measured = [row for row in kept if row["phase"] == "measured"]
    return [row["prediction"] or "" for row in measured], [row["error"] or "" for row in measured]
