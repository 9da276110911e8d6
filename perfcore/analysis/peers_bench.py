"""What vLLM's and SGLang's benchmark scripts would print of a run: their published formulas on our records.

`vllm bench serve` of August 2026 and `sglang.bench_serving` 0.5.23, re-implemented from descriptions of what they do.
"""

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_view import (
    ALL,
    CHOICES,
    NS_PER_MS,
    NS_PER_S,
    TEXTS,
    Floats,
    Line,
    Times,
    View,
    first,
    gaps,
    known,
    last,
    lines,
    over,
    per_token,
    since,
    span_s,
    stamps,
)

SAME = ""
ROLE = "It stops at the first chunk with choices, also one that only names the role; ours waits for text."
CHUNKS = "Every chunk with choices ends a gap, the empty first and last ones too; ours only events with text."
VLLM_TPOT = "The same formula with its TTFT and E2EL: an empty first chunk moves time from TTFT into TPOT."
VLLM_E2EL = "It ends at the last chunk with choices, ours at the last text or finish reason."
NOT_TWICE = "Failures are only counted; ours are in the concurrency and the duration too."
PEAK = "It counts chunks in calendar seconds from the first start and takes the fullest; ours has no such number."
MOST = "Only requests that succeeded are counted; ours has failed ones too."
WHOLE = "The same sum over the whole duration, start and end included."
EVERY_LINE = "Each line of the stream moves its end, the usage report and [DONE] too; ours stops at the last output."
SGLANG_TTFT = "It stops at the first text that is answer or reasoning; arguments of a tool call count only with us."
SGLANG_CONNECT = " It opens a connection for every request, so its own runs have the set-up in TTFT."
LITTLE = "The latencies of successes added up over the duration; ours is the integral of all requests in flight."
SGLANG_TPOT = "Its end is the last line of the stream, so the tail after the last token is in it."

THREE = {"mean": "Mean", "p50": "Median", "p99": "P99"}


def vllm(view: View) -> list[Line]:
    """The table and the JSON file of `vllm bench serve`, with E2EL among its percentile metrics."""
    ended = last(view, CHOICES)
    duration = span_s(view.due_ns, view.end_ns)
    made, read = known(view.output_tokens[view.ok]).sum(), known(view.input_tokens[view.ok]).sum()
    done = int(view.ok.sum())
    found = [
        Line("Successful requests", "", float(done), "requests.ok", 1.0, SAME),
        Line("Failed requests", "", float(view.ok.size - done), "requests.failed", 1.0, NOT_TWICE),
        Line("Benchmark duration", "s", duration, "duration_s", 1.0, SAME),
        Line("Total input tokens", "", float(read), "tokens.input", 1.0, SAME),
        Line("Total generated tokens", "", float(made), "tokens.output", 1.0, SAME),
        Line("Request throughput", "req/s", over(done, duration), "throughput.requests_per_s", 1.0, WHOLE),
        Line("Output token throughput", "tok/s", over(made, duration), "throughput.output_tokens_per_s", 1.0, WHOLE),
        Line("Peak output token throughput", "tok/s", fullest_second(view, ended), "", 1.0, PEAK),
        Line("Peak concurrent requests", "", most_at_once(view, ended), "concurrency.max", 1.0, MOST),
        Line(
            "Total token throughput", "tok/s", over(made + read, duration), "throughput.total_tokens_per_s", 1.0, WHOLE
        ),
    ]
    for name, (values, why) in vllm_samples(view).items():
        found += lines(values, f"{{}} {name.upper()}", THREE, "ms", f"latency.{name}_ms", 1.0, why)
    return found


def vllm_samples(view: View) -> dict[str, tuple[Floats, str]]:
    """Values in ms behind each of its latencies, and why ours differ."""
    begun, ended = first(view, CHOICES), last(view, CHOICES)
    return {
        "ttft": (since(view.sent_ns, begun) / NS_PER_MS, ROLE),
        "tpot": (per_token(view, begun, ended) / NS_PER_MS, VLLM_TPOT),
        "itl": (gaps(view, CHOICES) / NS_PER_MS, CHUNKS),
        "e2el": (since(view.sent_ns, ended) / NS_PER_MS, VLLM_E2EL),
    }


def sglang(view: View) -> list[Line]:
    """The table of `sglang.bench_serving` with the chat interface of OpenAI."""
    begun, ended = first(view, TEXTS), last(view, ALL)
    duration = span_s(view.due_ns, view.end_ns)
    made, read = known(view.output_tokens[view.ok]).sum(), known(view.input_tokens[view.ok]).sum()
    latencies = since(view.sent_ns, ended)
    done = int(view.ok.sum())
    found = [
        Line("Successful requests", "", float(done), "requests.ok", 1.0, SAME),
        Line("Benchmark duration", "s", duration, "duration_s", 1.0, SAME),
        Line("Total input tokens", "", float(read), "tokens.input", 1.0, SAME),
        Line("Total generated tokens", "", float(made), "tokens.output", 1.0, SAME),
        Line("Request throughput", "req/s", over(done, duration), "throughput.requests_per_s", 1.0, WHOLE),
        Line("Input token throughput", "tok/s", over(read, duration), "throughput.input_tokens_per_s", 1.0, WHOLE),
        Line("Output token throughput", "tok/s", over(made, duration), "throughput.output_tokens_per_s", 1.0, WHOLE),
        Line(
            "Total token throughput", "tok/s", over(made + read, duration), "throughput.total_tokens_per_s", 1.0, WHOLE
        ),
        Line("Concurrency", "", over(latencies.sum() / NS_PER_S, duration), "concurrency.mean", 1.0, LITTLE),
    ]
    four = {"mean": "Mean", "p50": "Median", "p90": "P90", "p99": "P99"}
    found += lines(latencies / NS_PER_MS, "{} E2E Latency", four, "ms", "latency.e2el_ms", 1.0, EVERY_LINE)
    ttft = since(view.sent_ns, begun) / NS_PER_MS
    found += lines(ttft, "{} TTFT", THREE, "ms", "latency.ttft_ms", 1.0, SGLANG_TTFT + SGLANG_CONNECT)
    tpot = per_token(view, begun, ended) / NS_PER_MS
    found += lines(tpot, "{} TPOT", THREE, "ms", "latency.tpot_ms", 1.0, SGLANG_TPOT)
    five = {"mean": "Mean", "p50": "Median", "p95": "P95", "p99": "P99", "max": "Max"}
    itl = gaps(view, TEXTS) / NS_PER_MS
    return found + lines(
        itl, "{} ITL", five, "ms", "latency.itl_ms", 1.0, SGLANG_TTFT.replace("It stops at", "A gap ends at")
    )


def fullest_second(view: View, ended: Times) -> float | Absent:
    """Most chunks with choices in one second, counted from the first start of a request that succeeded."""
    times, _ = stamps(view, CHOICES)
    sent = view.sent_ns[view.ok & (ended >= 0)]
    if times.size == 0 or sent.size == 0:
        return Absent("no answer was streamed")
    return float(np.bincount(((times - sent.min()) // int(NS_PER_S)).astype(np.int64)).max())


def most_at_once(view: View, ended: Times) -> float | Absent:
    """Most requests between sending and last chunk at one time; at equal times ends come first."""
    rows = view.ok & (ended >= 0)
    if not rows.any():
        return Absent("no answer was streamed")
    times = np.concatenate((ended[rows], view.sent_ns[rows]))
    steps = np.repeat([-1, 1], int(rows.sum()))
    running = np.cumsum(steps[np.argsort(times, kind="stable")])
    return float(running.max())
