"""What vLLM's and SGLang's benchmark scripts would print of a run: their published formulas on our records.

`vllm bench serve` 0.33 and `sglang.bench_serving` 0.5.23, re-implemented from descriptions of what they do.
"""

import numpy as np

from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_view import (
    ALL,
    CHOICES,
    NS_PER_MS,
    NS_PER_S,
    TEXTS,
    TOKENS,
    Flags,
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
VLLM_TTFT = "It stops at the first chunk with output, an empty piece too; older versions stopped at the role."
VLLM_ITL = "A chunk with output ends a gap, an empty piece too; ours only events with text."
VLLM_CHUNKS = "Of text completions every chunk with choices counts, an empty last one too; ours only events with text."
VLLM_TPOT = "The same formula with its TTFT and E2EL."
VLLM_E2EL = "It ends at the last chunk with output, ours at the last text or finish reason."
NOT_TWICE = "Failures are only counted; ours are in the concurrency and the duration too."
PEAK = "It counts chunks in calendar seconds from the first start and takes the fullest; ours has no such number."
MOST = (
    "Requests that succeeded and ran in the same calendar second, at once or one after the other; ours are in flight at"
    " one time."
)
WHOLE = "The same sum over the whole duration, start and end included."
EVERY_LINE = "Each line of the stream moves its end, the usage report and [DONE] too; ours stops at the last output."
SGLANG_TTFT = "It stops at the first text that is answer or reasoning; arguments of a tool call count only with us."
SGLANG_CONNECT = " It opens a connection for every request, so its own runs have the set-up in TTFT."
SGLANG_PIECE = "Asked without a stream (--disable-stream), its TTFT is the latency and its TPOT is 0; ours has neither."
LITTLE = "The latencies of successes added up over the duration; ours is the integral of all requests in flight."
SGLANG_TPOT = "Its end is the last line of the stream, so the tail after the last token is in it."

THREE = {"mean": "Mean", "p50": "Median", "p99": "P99"}
FIVE = {"mean": "Mean", "p50": "Median", "p90": "P90", "p95": "P95", "p99": "P99"}


def vllm(view: View) -> list[Line]:
    """The table and the JSON file of `vllm bench serve`, with E2EL among its percentile metrics."""
    counted = vllm_kinds(view)
    ended = last(view, counted)
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
        *peaks(view, ended, stamps(view, counted)[0]),
        Line(
            "Total token throughput", "tok/s", over(made + read, duration), "throughput.total_tokens_per_s", 1.0, WHOLE
        ),
    ]
    for name, (values, why) in vllm_samples(view).items():
        found += lines(values, f"{{}} {name.upper()}", THREE, "ms", f"latency.{name}_ms", 1.0, why)
    return found


def vllm_samples(view: View) -> dict[str, tuple[Floats, str]]:
    """Values in ms behind each of its latencies, and why ours differ."""
    counted = vllm_kinds(view)
    begun, ended = first(view, counted), last(view, counted)
    chunks = VLLM_CHUNKS if view.completions else ""
    return {
        "ttft": (since(view.sent_ns, begun) / NS_PER_MS, chunks or VLLM_TTFT),
        "tpot": (per_token(view, begun, ended) / NS_PER_MS, VLLM_TPOT),
        "itl": (gaps(view, counted) / NS_PER_MS, chunks or VLLM_ITL),
        "e2el": (since(view.sent_ns, ended) / NS_PER_MS, chunks or VLLM_E2EL),
    }


def vllm_kinds(view: View) -> tuple[str, ...]:
    """Events that are chunks to vLLM: of a chat those with output or an empty piece of it, of completions all."""
    return CHOICES if view.completions else (*TOKENS, "other")


def sglang(view: View) -> list[Line]:
    """The table of `sglang.bench_serving` with the chat interface of OpenAI."""
    begun, ended = sglang_times(view)
    piece = SGLANG_PIECE if whole_answers(view) else ""
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
        *peaks(view, ended, begun[begun >= 0] if piece else stamps(view, TEXTS)[0]),
        Line("Concurrency", "", over(latencies.sum() / NS_PER_S, duration), "concurrency.mean", 1.0, LITTLE),
    ]
    found += lines(latencies / NS_PER_MS, "{} E2E Latency", FIVE, "ms", "latency.e2el_ms", 1.0, piece or EVERY_LINE)
    ttft = since(view.sent_ns, begun) / NS_PER_MS
    found += lines(ttft, "{} TTFT", FIVE, "ms", "latency.ttft_ms", 1.0, piece or SGLANG_TTFT + SGLANG_CONNECT)
    tpot = per_token(view, begun, ended) / NS_PER_MS
    found += lines(tpot, "{} TPOT", FIVE, "ms", "latency.tpot_ms", 1.0, piece or SGLANG_TPOT)
    itl = gaps(view, TEXTS) / NS_PER_MS
    why = SGLANG_TTFT.replace("It stops at", "A gap ends at")
    return found + lines(itl, "{} ITL", FIVE | {"max": "Max"}, "ms", "latency.itl_ms", 1.0, why)


def whole_answers(view: View) -> bool:
    """Whether there are answers and none was streamed."""
    return bool(view.ok.any()) and not bool(view.streamed[view.ok].any())


def sglang_times(view: View) -> tuple[Times, Times]:
    """Where its clock stops for the first token and for the end; of answers in one piece both are their end."""
    if whole_answers(view):
        ended = np.where(view.ok, view.end_ns, -1)
        return ended, ended
    return first(view, TEXTS), last(view, ALL)


def peaks(view: View, ended: Times, chunks: Times) -> list[Line]:
    """The fullest calendar second of a run, of chunks and of requests that ended at `ended`."""
    rows = view.ok & (ended >= 0)
    made, most = fullest_second(view, rows, chunks), busiest_second(view, rows, ended)
    return [
        Line("Peak output token throughput", "tok/s", made, "", 1.0, PEAK),
        Line("Peak concurrent requests", "", most, "concurrency.max", 1.0, MOST),
    ]


def fullest_second(view: View, rows: Flags, chunks: Times) -> float | Absent:
    """Most chunks in one second, counted from the first start of these requests."""
    if chunks.size == 0 or not rows.any():
        return Absent("no answer was streamed")
    return float(np.bincount((chunks - view.sent_ns[rows].min()) // int(NS_PER_S)).max())


def busiest_second(view: View, rows: Flags, ended: Times) -> float | Absent:
    """Most requests that touch one second, counted from the first start of these requests."""
    if not rows.any():
        return Absent("no answer was streamed")
    sent = view.sent_ns[rows]
    begun, left = (sent - sent.min()) // int(NS_PER_S), (ended[rows] - sent.min()) // int(NS_PER_S) + 1
    size = int(left.max()) + 1
    running = np.cumsum(np.bincount(begun, minlength=size) - np.bincount(left, minlength=size))
    return float(running.max())
