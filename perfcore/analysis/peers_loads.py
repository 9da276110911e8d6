"""What aiperf, guidellm and MLPerf's LoadGen would report of a run: their published formulas on our records.

aiperf 0.13, guidellm 0.8 and the Server scenario of LoadGen with token latencies, re-implemented from descriptions of
what they do.
"""

import numpy as np

from perfcore.analysis import peers
from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_suites import columns, stage_lines
from perfcore.analysis.peers_view import (
    NS_PER_MS,
    NS_PER_S,
    TOKENS,
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
    rank_floor,
    since,
    span_s,
    stamps,
)

ANSWERS = ("content", "tool")
FOUR = {"mean": "avg", "p50": "p50", "p90": "p90", "p99": "p99"}

AIP_LATENCY = "It ends at the last text, without a stream at the answer; ours at the last text or finish reason."
AIP_ITL = "One mean per request, as our TPOT; ours of that name are the gaps between events."
AIP_ICL = "The same gaps as our ITL under another name."
AIP_USER = "Mean of one over each request's ITL; ours has no such number."
AIP_DURATION = "From the first start to the last text of successes; ours from the first due to the last end."
AIP_TOKENS = "Its tokenizer counts unless it is told to use the server's numbers; here it has ours."
SECOND = "Time between the first and the second event with text; ours has it among the ITL."

GUI_TPOT = "TTFT is in it, and each request weighs as many times as it has tokens; ours leaves TTFT out."
GUI_ITL = "One mean per request, weighted by its tokens; ours are the gaps between events."
GUI_LATENCY = "It runs until the stream is closed; ours to the last output."
GUI_RATE = "Counted from the first start to the last end, tokens spread evenly between first and last text."
GUI_EDGE = "Requests that overlap the window count whole, over the time from the first of their tokens to the last."
GUI_RANK = " Percentiles take a value of the sample and do not interpolate."

MLP_DUE = "Counted from the scheduled time, as ours from intended; percentiles do not interpolate."
MLP_TPOT = "The same formula; percentiles do not interpolate."
MLP_COMPLETED = "One request less over the time from the first scheduled to the last completed."
MLP_SCHEDULED = "One request less over the time from the first to the last scheduled: the load and not the server."
MLP_TOKENS = "Tokens over the time from the first scheduled to the last completed."


def aiperf(view: View) -> list[Line]:
    """The table of aiperf for a chat endpoint; what it takes from a stream is of streamed answers only."""
    begun, ended = first(view, TOKENS), last_text(view)
    length = span_s(view.sent_ns[view.ok], ended[view.ok])
    itl = per_token(view, begun, ended)
    made, read = known(view.output_tokens[view.ok]), known(view.input_tokens[view.ok])
    ms, done = NS_PER_MS, int(view.ok.sum())
    found = lines(since(view.sent_ns, begun) / ms, "Time to First Token {}", FOUR, "ms", "latency.ttft_ms")
    found += lines(second(view) / ms, "Time to Second Token {}", FOUR, "ms", "", 1.0, SECOND)
    answered = since(view.sent_ns, first(view, ANSWERS))
    found += lines(answered / ms, "Time to First Output Token {}", FOUR, "ms", "latency.ttfa_ms")
    latency = since(view.sent_ns, ended)
    found += lines(latency / ms, "Request Latency {}", FOUR, "ms", "latency.e2el_ms", 1.0, AIP_LATENCY)
    found += lines(itl / ms, "Inter Token Latency {}", FOUR, "ms", "latency.itl_ms", 1.0, AIP_ITL)
    found += lines(gaps(view, TOKENS) / ms, "Inter Chunk Latency {}", FOUR, "ms", "latency.itl_ms", 1.0, AIP_ICL)
    users = NS_PER_S / itl[itl > 0]
    found += lines(users, "Output Token Throughput Per User {}", FOUR, "tokens/sec/user", "", 1.0, AIP_USER)
    average = {"mean": "avg"}
    found += lines(made, "Output Sequence Length {}", average, "tokens", "tokens.output_per_request", 1.0, AIP_TOKENS)
    found += lines(read, "Input Sequence Length {}", average, "tokens", "tokens.input_per_request", 1.0, AIP_TOKENS)
    return [
        *found,
        rate("Output Token Throughput", "tokens/sec", over(made.sum(), length), "output_tokens_per_s", AIP_DURATION),
        rate("Request Throughput", "requests/sec", over(done, length), "requests_per_s", AIP_DURATION),
        Line("Request Count", "requests", float(done), "requests.ok"),
        Line("Benchmark Duration", "sec", length, "duration_s", 1.0, AIP_DURATION),
    ]


def last_text(view: View) -> Times:
    """Time of the last event with text; of an answer in one piece its end."""
    return np.where(view.ok & ~view.streamed, view.end_ns, last(view, TOKENS))


def second(view: View) -> Floats:
    """Time in ns between the first two events with text of each request that has two."""
    times, owners = stamps(view, TOKENS)
    starts = np.flatnonzero(np.diff(owners, prepend=-1))
    pairs = starts[starts + 1 < owners.size]
    pairs = pairs[owners[pairs + 1] == owners[pairs]]
    return np.asarray(times[pairs + 1] - times[pairs], np.float64)


def rate(name: str, unit: str, value: float | Absent, ours: str, why: str) -> Line:
    return Line(name, unit, value, f"throughput.{ours}", 1.0, why)


def guidellm(view: View) -> list[Line]:
    """The distributions of guidellm over the successes of a run without warm-up and cool-down, and its window."""
    begun, ended = first(view, TOKENS), last_text(view)
    length = span_s(view.sent_ns, view.end_ns)
    made, read = known(view.output_tokens[view.ok]), known(view.input_tokens[view.ok])
    done = view.ok & (view.end_ns >= 0)
    latency = (view.end_ns - view.sent_ns)[done] / NS_PER_S
    busy = latency.sum()
    found = [
        rate("Requests Per Second mean", "req/s", over(int(view.ok.sum()), length), "requests_per_s", GUI_RATE),
        Line("Request Concurrency mean", "", over(busy, length), "concurrency.mean", 1.0, "Of successes only."),
        rate("Input Tokens Per Second mean", "tok/s", over(read.sum(), length), "input_tokens_per_s", GUI_RATE),
        rate("Output Tokens Per Second mean", "tok/s", over(made.sum(), length), "output_tokens_per_s", GUI_RATE),
        rate(
            "Total Tokens Per Second mean",
            "tok/s",
            over(made.sum() + read.sum(), length),
            "total_tokens_per_s",
            GUI_RATE,
        ),
    ]
    found += weighted("Request Latency", latency, None, "s", "latency.e2el_ms", 1e-3, GUI_LATENCY)
    ttft = since(view.sent_ns, begun) / NS_PER_MS
    found += weighted("TTFT", ttft, None, "ms", "latency.ttft_ms", 1.0, "The same first text.")
    rows = view.ok & (ended >= 0) & (view.output_tokens > 0)
    tokens = view.output_tokens[rows].astype(np.float64)
    tpot = (ended - view.sent_ns)[rows] / tokens / NS_PER_MS
    found += weighted("TPOT", tpot, tokens, "ms", "latency.tpot_ms", 1.0, GUI_TPOT)
    several = rows & (begun >= 0) & (view.output_tokens > 1)
    found += weighted(
        "ITL",
        per_token(view, begun, ended) / NS_PER_MS,
        view.output_tokens[several].astype(np.float64) - 1.0,
        "ms",
        "latency.itl_ms",
        1.0,
        GUI_ITL,
    )
    return found + windowed(view, begun)


def windowed(view: View, begun: Times) -> list[Line]:
    """Its window of steady state with a tenth of the run left out at either end."""
    rows = view.ok & (begun >= 0) & (view.end_ns >= 0)
    none = Absent("no answer was streamed" if view.ok.any() else "no request succeeded")
    stage = peers.guidellm(*columns(view, begun, view.end_ns, rows)) if rows.any() else none
    suffix = " (warm-up and cool-down 10 %)"
    return stage_lines(stage, suffix, "tok/s", GUI_EDGE, "Output Tokens Per Second", "TTFT mean")


def weighted(
    name: str, values: Floats, weights: Floats | None, unit: str, ours: str, factor: float, why: str
) -> list[Line]:
    """Mean, median and p95, each value as often as its weight says."""
    each = np.ones(values.size) if weights is None else weights
    if values.size == 0:
        gone = Absent("no successful request has it")
        return [Line(f"{name} mean", unit, gone, f"{ours}.mean", factor)]
    order = np.argsort(values)
    share = np.cumsum(each[order]) / each.sum()
    found: dict[str, tuple[str, float]] = {"mean": ("mean", float(np.average(values, weights=each)))}
    for percent, word in ((50, "median"), (95, "p95")):
        at = min(int(np.searchsorted(share, percent / 100 - 1e-12)), values.size - 1)
        found[f"p{percent}"] = (word, float(values[order][at]))
    return [
        Line(f"{name} {word}", unit, value, f"{ours}.{key}", factor, why + GUI_RANK * (key != "mean"))
        for key, (word, value) in found.items()
    ]


def mlperf(view: View) -> list[Line]:
    """The summary of LoadGen's Server scenario with token latencies: every time counts from the schedule."""
    ended = np.where(view.streamed, view.last_output_ns, view.end_ns)
    ended = np.where(view.ok, ended, -1)
    begun = np.where(view.ok & view.streamed, view.first_token_ns, -1)
    done, due = int(view.ok.sum()), view.due_ns[view.due_ns >= 0]
    length = span_s(view.due_ns, ended)
    planned = (due.max() - due.min()) / NS_PER_S if due.size > 1 else 0.0
    scheduled = (view.ok.size - 1) / planned if planned > 0 else Absent("all requests are due at once")
    made = known(view.output_tokens[view.ok]).sum()
    found = [
        rate("Completed samples per second", "", over(done - 1, length), "requests_per_s", MLP_COMPLETED),
        Line("Scheduled samples per second", "", scheduled, "rate.achieved", 1.0, MLP_SCHEDULED),
        rate("Completed tokens per second", "", over(made, length), "output_tokens_per_s", MLP_TOKENS),
    ]
    spans = (
        ("latency", since(view.due_ns, ended), "latency.e2el_from_intended_ms", MLP_DUE),
        ("First Token latency", since(view.due_ns, begun), "latency.ttft_from_intended_ms", MLP_DUE),
        ("Time to Output Token", per_token(view, begun, ended), "latency.tpot_ms", MLP_TPOT),
    )
    for name, values, ours, why in spans:
        ends = {"min": "Min", "max": "Max", "mean": "Mean"}
        found += lines(values, f"{{}} {name}", ends, "ns", ours, 1e6, why)
        ranks = {f"p{word.replace('.', '_')}": f"{float(word):.2f}" for word in ("50", "90", "95", "99", "99.9")}
        found += lines(values, f"{{}} percentile {name.lower()}", ranks, "ns", ours, 1e6, why, rank_floor)
    return found
