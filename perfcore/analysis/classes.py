"""Results by class of request, where a run mixes data sets, models or adapters."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from perfcore.analysis import counts, latency
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Column, Measured, parts
from perfcore.analysis.windowed import Floats
from perfcore.types import Requests

MOST = 50  # entries beside the one that sums the rest: more than a person reads
ONE = "all measured requests are of one data set and ask for one model"
NO_DATASET = "these prompts are of no data set"
NO_MODEL = "these rows name no model: they ask for the run's own"
SEVERAL = "these requests are of several classes"
UNKNOWN = -1

LATENCIES = {"ttft_ms": ("mean", "p50", "p99"), "tpot_ms": ("mean", "p99"), "e2el_ms": ("mean", "p50", "p99")}


class Classes(NamedTuple):
    """Names of the classes, and which of them each row of Requests is of; `rest` are those that have no entry."""

    names: list[tuple[str, str]]
    rest: int
    of_row: Column


def by_class(
    requests: Requests, measured: Measured, came: Callable[[], Floats], length_s: float | Absent
) -> list[dict[str, Any]] | Absent:
    """Of each data set and model that occur together: its requests, their share, latencies, lengths and token rate.

    The 50 with the most requests are listed by name, and a last entry with the key `others`, how many classes it stands
    for, sums the rest. Absent where there is only one class. `came` gives the output tokens of each row of Requests
    that are counted in the `length_s`; without a length there are no rates and no latencies. Requests of which nothing
    tells the row of the data set are in no class.
    """
    found = classes(requests, measured)
    if len(found.names) + found.rest < 2:
        return Absent(ONE)
    number = len(found.names) + (found.rest > 0)
    own = parts(measured, found.of_row[measured.last], number)
    known = found.of_row >= 0
    made = np.bincount(found.of_row[known], weights=came()[known], minlength=number)
    labels = [
        {"dataset": name or Absent(NO_DATASET), "model": model or Absent(NO_MODEL)} for name, model in found.names
    ]
    labels += [dict.fromkeys(("dataset", "model"), Absent(SEVERAL))] * (found.rest > 0)
    entries = [
        label | entry(requests, part, measured.last.size, float(tokens), length_s)
        for label, part, tokens in zip(labels, own, made, strict=True)
    ]
    if found.rest:
        entries[-1]["others"] = found.rest
    return entries


def classes(requests: Requests, measured: Measured) -> Classes:
    """The classes of the measured requests."""
    code = requests.dataset.astype(np.int64) * (len(requests.models) + 1) + requests.model + 1
    rows = measured.last[requests.index[measured.last] >= 0]
    codes, first, size = np.unique(code[rows], return_index=True, return_counts=True)
    datasets, models = (*requests.datasets, ""), (*requests.models, "")  # -1 is the last
    names = [(datasets[requests.dataset[row]], models[requests.model[row]]) for row in rows[first].tolist()]
    order = sorted(range(len(names)), key=lambda at: (-size[at], names[at]))
    listed = sorted(order[:MOST], key=lambda at: names[at])
    place = np.full(len(names) + 1, len(listed), np.int64)
    place[listed] = np.arange(len(listed))
    place[-1] = UNKNOWN
    at = np.searchsorted(codes, code)
    there = (at < codes.size) & (requests.index >= 0)
    there[there] = codes[at[there]] == code[there]
    return Classes([names[at] for at in listed], len(names) - len(listed), place[np.where(there, at, -1)])


def entry(requests: Requests, part: Measured, total: int, tokens: float, length_s: float | Absent) -> dict[str, Any]:
    """Results of one class; `tokens` of it came in the length."""
    counted = counts.tokens(requests, part)
    found = {"share": part.last.size / total, "output_tokens_per_s": rate(counted["output"], tokens, length_s)}
    return {
        **counts.ended(part),
        **found,
        **latencies(requests, part, length_s),
        "input_tokens_mean": mean(counted["input_per_request"]),
        "output_tokens_mean": mean(counted["output_per_request"]),
    }


def rate(known: int | Absent, tokens: float, length_s: float | Absent) -> float | Absent:
    if isinstance(known, Absent):
        return known
    return length_s if isinstance(length_s, Absent) else tokens / length_s


def latencies(requests: Requests, part: Measured, length_s: float | Absent) -> dict[str, Any]:
    """What a table has room for of the summaries in ms."""
    if isinstance(length_s, Absent):
        return dict.fromkeys(LATENCIES, length_s)
    samples = latency.samples(requests, part)
    summaries = {name: latency.summarized(samples[name], latency.missing(name, requests, part)) for name in LATENCIES}
    return {
        name: summary if isinstance(summary, Absent) else brief(summary, LATENCIES[name])
        for name, summary in summaries.items()
    }


def brief(summary: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """These numbers of a summary, of how many samples they are, and which of them these do not support."""
    unsupported = [name for name in summary["unsupported"] if name in names]
    return {"n": summary["n"], **{name: summary[name] for name in names}, "unsupported": unsupported}


def mean(summary: dict[str, Any] | Absent) -> float | Absent:
    return summary if isinstance(summary, Absent) else float(summary["mean"])


def whole(requests: Requests, measured: Measured) -> Floats:
    """Output tokens of each row of Requests: those of the successes, whenever they came."""
    made = np.zeros(requests.request_id.size)
    rows = measured.successes
    made[rows] = np.maximum(counts.output_tokens(requests, rows), 0)
    return made
