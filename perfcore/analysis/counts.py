"""Counts over measured requests: outcomes, names of what happened, tokens."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import latency
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Column, Measured
from perfcore.types import TOKEN_SOURCES, Requests

ESTIMATE = TOKEN_SOURCES.index("events")

NOT_REPORTED = "no successful answer came with this number"
NONE_SUCCEEDED = "no measured request succeeded"


def outcomes(requests: Requests, measured: Measured) -> dict[str, int]:
    """Requests by outcome, attempts beyond the first, those ended after sending had stopped, and malformed events."""
    number = ended(measured)
    return {
        "total": number["requests"],
        "ok": number["ok"],
        "failed": number["failed"],
        "retries": measured.rows.size - number["requests"],
        "after_stop": int(requests.after_stop[measured.last].sum()),
        "bad_json_events": int(np.maximum(requests.bad_json[measured.last], 0).sum()),
    }


def ended(measured: Measured) -> dict[str, int]:
    """Requests, and how many of them succeeded and failed."""
    total, ok = int(measured.last.size), int(measured.ok.sum())
    return {"requests": total, "ok": ok, "failed": total - ok}


def retried(measured: Measured) -> Column:
    """Rows of the attempts that another one followed."""
    return measured.rows[~np.isin(measured.rows, measured.last)]


def names(codes: NDArray[np.int16], words: tuple[str, ...]) -> dict[str, int]:
    """How often each word occurs, the most frequent first; a negative code stands for none."""
    numbers = np.bincount(codes[codes >= 0], minlength=len(words))
    order = sorted(range(len(words)), key=lambda code: (-numbers[code], words[code]))
    return {words[code]: int(numbers[code]) for code in order if numbers[code]}


def output_tokens(requests: Requests, rows: Column) -> Column:
    """Output tokens of these rows, -1 if not known: an answer in one piece has no events to count them by."""
    piece = ~requests.streamed[rows] & (requests.token_source[rows] == ESTIMATE)
    return np.where(piece, -1, requests.output_tokens[rows])


def tokens(requests: Requests, measured: Measured) -> dict[str, Any]:
    """Sums over the successful requests whose number is known, how many those are, where output tokens come from."""
    rows = measured.successes
    why = Absent(NOT_REPORTED if rows.size else NONE_SUCCEEDED)
    columns = {
        "input": requests.input_tokens[rows],
        "output": output_tokens(requests, rows),
        "reasoning": requests.reasoning_tokens[rows],
        "cached": requests.cached_tokens[rows],
    }
    known = {name: values[values >= 0] for name, values in columns.items()}
    sources = np.unique(requests.token_source[rows][columns["output"] >= 0])
    found: dict[str, Any] = {name: int(values.sum()) if values.size else why for name, values in known.items()}
    found["source"] = "+".join(TOKEN_SOURCES[code] for code in sources) if sources.size else why
    found["tokens_per_event"] = tokens_per_event(requests, rows)
    found["counted"] = {name: int(values.size) for name, values in known.items()}
    for name in ("input", "output"):
        found[f"{name}_per_request"] = latency.summarized(known[name], why.reason, 1.0)
    return found


def tokens_per_event(requests: Requests, rows: Column) -> float | Absent:
    """Output tokens that the server reported per token event, over those of these rows that were streamed."""
    rows = rows[requests.streamed[rows] & (requests.token_events[rows] > 0)]
    told = rows[requests.token_source[rows] != ESTIMATE]
    if told.size:
        return float(requests.output_tokens[told].sum() / requests.token_events[told].sum())
    return Absent("the server reported no output tokens" if rows.size else "no successful answer was streamed")
