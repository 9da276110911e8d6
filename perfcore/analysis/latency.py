"""Latencies of the measured requests: their samples, and the reason where there is none."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import stats
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Column, Measured
from perfcore.types import Requests

NS_PER_MS = 1e6

# Every latency in the order of the report, and why it can be missing although requests succeeded and were streamed.
LATENCIES = {
    "ttft_ms": "no event carried generated text",
    "ttft_from_intended_ms": "no event carried generated text",
    "ttfa_ms": "no answer token came, only reasoning",
    "ttfa_from_intended_ms": "no answer token came, only reasoning",
    "e2el_ms": "no event carried output or a finish reason",
    "e2el_from_intended_ms": "no event carried output or a finish reason",
    "tpot_ms": "no streamed answer is known to have more than one output token",
    "itl_ms": "no answer had more than one token event",
    "slip_ms": "no measured request was sent",
    "connect_ms": "no successful request needed a new connection",
}

# These exist for answers that came in one piece as well.
NOT_OF_STREAMS = ("e2el_ms", "e2el_from_intended_ms", "slip_ms", "connect_ms")


def summaries(requests: Requests, measured: Measured, itl_ns: Column) -> dict[str, Any]:
    """Summary in ms of each latency, or the reason why there is none."""
    found = samples(requests, measured) | {"itl_ms": itl_ns}
    return {name: summarized(found[name], missing(name, requests, measured)) for name in LATENCIES}


def summarized(values: NDArray[Any], why: str, unit: float = NS_PER_MS) -> dict[str, Any] | Absent:
    """Summary of a sample, by default from ns to ms; what it lacks has its reason in its place."""
    summary = stats.summary(values, unit)
    if summary is None:
        return Absent(why)
    return summary if summary["std"] is not None else summary | {"std": Absent("one sample has no deviation")}


def samples(requests: Requests, measured: Measured) -> dict[str, NDArray[Any]]:
    """Samples in ns of every latency but ITL, which comes from the events."""
    first, rows = measured.first, measured.successes
    sent, due = requests.sent_ns[rows], requests.due_ns[first[measured.ok]]
    streamed = requests.streamed[rows]
    token = np.where(streamed, requests.first_token_ns[rows], -1)
    answer = np.where(streamed, requests.first_answer_ns[rows], -1)
    output = np.where(streamed, requests.last_output_ns[rows], requests.end_ns[rows])
    made = requests.output_tokens[rows]
    several = (token >= 0) & (output >= 0) & (made > 1)
    new = rows[requests.new_connection[rows]]
    return {
        "ttft_ms": since(sent, token),
        "ttft_from_intended_ms": since(due, token),
        "ttfa_ms": since(sent, answer),
        "ttfa_from_intended_ms": since(due, answer),
        "e2el_ms": since(sent, output),
        "e2el_from_intended_ms": since(due, output),
        "tpot_ms": (output - token)[several] / (made[several] - 1),
        "slip_ms": since(requests.due_ns[first], requests.sent_ns[first]),
        "connect_ms": requests.dns_ns[new] + requests.tcp_ns[new] + requests.tls_ns[new],
    }


def since(start: Column, stop: Column) -> Column:
    """Time from start to stop where both are known."""
    known = (start >= 0) & (stop >= 0)
    return stop[known] - start[known]


def missing(name: str, requests: Requests, measured: Measured) -> str:
    """Why a latency has no sample."""
    if measured.last.size == 0:
        return "no measured request was recorded"
    if name == "slip_ms":
        return LATENCIES[name]
    if not measured.ok.any():
        return "no measured request succeeded"
    if name not in NOT_OF_STREAMS and not requests.streamed[measured.successes].any():
        return "not streamed"
    return LATENCIES[name]
