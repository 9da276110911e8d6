"""What AISBench and EvalScope would report of a run: their published formulas on our records.

AISBench 3.1 and EvalScope 1.14, re-implemented from descriptions of what they do; their windows of steady state are
those of perfcore.analysis.peers.
"""

import numpy as np

from perfcore.analysis import peers
from perfcore.analysis.absent import Absent
from perfcore.analysis.peers_view import (
    CHOICES,
    JSON,
    NS_PER_MS,
    NS_PER_S,
    TOKENS,
    Flags,
    Floats,
    Line,
    Times,
    View,
    chosen,
    first,
    gaps,
    known,
    last,
    lines,
    number,
    over,
    per_token,
    rank_up,
    since,
    span_s,
    statistic,
)

ANY_EVENT = "It stops at the first event of any kind, an empty one with the role too; ours waits for text."
LAST_EVENT = "It ends at the last event, which is the usage report where there is one; ours at the last output."
ZEROS = "Answers of one token count as 0, and its TTFT and E2EL are others; ours have none."
EVERY_GAP = "Gaps between all events, the usage report included; ours only between events with text."
AIS_DURATION = "From the first start to the last end of successes only; ours has failures too."
AIS_CONCURRENCY = "The latencies of successes added up over its duration; ours is the integral over all requests."
AIS_STABLE = (
    "From the second time the concurrency is filled exactly to the last; requests count whole, so the last cohort's"
    " tokens are in and its time is not."
)
AIS_RATE = "The same sum over its duration, which leaves out failures."
PREFILL = "Of each request by itself, input tokens over its TTFT; ours has no such number."
TOTAL = "total stage"
STABLE = "stable stage"
SIX = {"mean": "Average", "min": "Min", "max": "Max", "p50": "Median", "p75": "P75", "p90": "P90", "p99": "P99"}

EVS_LATENCY = "It ends at the last event of JSON, the usage report too; ours at the last output."
EVS_TTFT = "The same first output; before 1.14 it stopped at an empty first chunk with the role."
EVS_TPOT = "The same formula with its latency, so the time until the usage report is in it."
EVS_ITL = "The same gaps between events with output; it writes 0 where there is none."
EVS_PERCENTILE = " Percentiles take the nearest rank and do not interpolate."
EVS_DURATION = "From the first start to the last event, or to the end of a failure; ours from the first due."
EVS_EACH = "Of each request by itself, output tokens over its latency; ours is that of the run."
EVS_STEADY = "From the last end in the first 20 % of the run to the last of all; all tokens of a request at its end."
EVS_WINDOW = "Completion (steady)"
EVS_PIECE = "Of an answer in one piece TTFT is its latency; ours has none."


def aisbench(view: View) -> list[Line]:
    """The table of parameters, the common metrics of the total stage, and those of the stable stage."""
    found: list[Line] = []
    for name, (values, unit, ours, why) in aisbench_samples(view).items():
        found += lines(values, f"{name} {{}}", SIX, unit, ours, 1.0, why)
    begun, ended = first(view, JSON), aisbench_end(view)
    return found + aisbench_total(view, ended) + aisbench_stable(view, begun, ended)


def aisbench_samples(view: View) -> dict[str, tuple[Floats, str, str, str]]:
    """The rows of its table: values in its unit, the unit, our key, and why the two differ."""
    begun, ended = first(view, JSON), aisbench_end(view)
    ttft = since(view.sent_ns, begun) / NS_PER_MS
    found = {"E2EL": (since(view.sent_ns, ended) / NS_PER_MS, "ms", "latency.e2el_ms", LAST_EVENT)}
    streamed = bool((view.ok & view.streamed).any())
    if streamed:
        found["TTFT"] = (ttft, "ms", "latency.ttft_ms", ANY_EVENT)
        found["TPOT"] = (aisbench_tpot(view, begun, ended), "ms", "latency.tpot_ms", ZEROS)
        found["ITL"] = (gaps(view, JSON) / NS_PER_MS, "ms", "latency.itl_ms", EVERY_GAP)
    found["InputTokens"] = (known(view.input_tokens[view.ok]), "", "tokens.input_per_request", "")
    found["OutputTokens"] = (known(view.output_tokens[view.ok]), "", "tokens.output_per_request", "")
    found["OutputTokenThroughput"] = (tokens_over(view, view.output_tokens, ended), "token/s", "", EVS_EACH)
    if streamed:
        found["PrefillTokenThroughput"] = (tokens_over(view, view.input_tokens, begun), "token/s", "", PREFILL)
    return found


def tokens_over(view: View, tokens: Times, stop_ns: Times) -> Floats:
    """Tokens of each success over its time from sending to `stop_ns`, per second."""
    rows = view.ok & (tokens >= 0) & (stop_ns > view.sent_ns)
    return np.asarray(tokens[rows] * NS_PER_S / (stop_ns - view.sent_ns)[rows], np.float64)


def aisbench_end(view: View) -> Times:
    """Last event of JSON; of an answer in one piece its end."""
    return np.where(view.streamed, last(view, JSON), np.where(view.ok, view.end_ns, -1))


def aisbench_tpot(view: View, begun: Times, ended: Times) -> Floats:
    """Time per output token in ms of each success; 0 with one token or none."""
    rows = view.ok & (begun >= 0) & (ended >= 0) & (view.output_tokens >= 0)
    made = view.output_tokens[rows]
    each = (ended - begun)[rows] / np.maximum(made - 1, 1) / NS_PER_MS
    return np.asarray(np.where(made > 1, each, 0.0), np.float64)


def aisbench_total(view: View, ended: Times) -> list[Line]:
    """The common metrics of the whole run."""
    done, length = int(view.ok.sum()), span_s(view.sent_ns[view.ok], ended[view.ok])
    made, read = known(view.output_tokens[view.ok]).sum(), known(view.input_tokens[view.ok]).sum()
    busy = since(view.sent_ns, ended).sum() / NS_PER_S
    ms = length if isinstance(length, Absent) else length * 1e3
    asked = Absent("no limit was set") if view.concurrency is None else float(view.concurrency)
    rows: tuple[tuple[str, str, float | Absent, str, float, str], ...] = (
        ("Benchmark Duration", "ms", ms, "duration_s", 1e3, AIS_DURATION),
        ("Total Requests", "", float(view.ok.size), "requests.total", 1.0, ""),
        ("Failed Requests", "", float(view.ok.size - done), "requests.failed", 1.0, ""),
        ("Success Requests", "", float(done), "requests.ok", 1.0, ""),
        ("Concurrency", "", over(busy, length), "concurrency.mean", 1.0, AIS_CONCURRENCY),
        ("Max Concurrency", "", asked, "concurrency.asked", 1.0, ""),
        ("Request Throughput", "req/s", over(done, length), "throughput.requests_per_s", 1.0, AIS_RATE),
        ("Total Input Tokens", "", float(read), "tokens.input", 1.0, ""),
        ("Total Generated Tokens", "", float(made), "tokens.output", 1.0, ""),
        ("Input Token Throughput", "token/s", over(read, length), "throughput.input_tokens_per_s", 1.0, AIS_RATE),
        ("Output Token Throughput", "token/s", over(made, length), "throughput.output_tokens_per_s", 1.0, AIS_RATE),
        (
            "Total Token Throughput",
            "token/s",
            over(made + read, length),
            "throughput.total_tokens_per_s",
            1.0,
            AIS_RATE,
        ),
    )
    return [Line(f"{row[0]} ({TOTAL})", *row[1:]) for row in rows]


def aisbench_stable(view: View, begun: Times, ended: Times) -> list[Line]:
    """What its stable stage gives of throughput, TTFT and concurrency."""
    asked = view.concurrency
    why = Absent("no concurrency was asked for, and the stage is where it is reached")
    rows = view.ok & (begun >= 0) & (ended >= 0)
    stage = peers.aisbench(*columns(view, begun, ended, rows), asked) if asked is not None and rows.any() else why
    return stage_lines(stage, f" ({STABLE})", "token/s", AIS_STABLE, "Output Token Throughput", "TTFT Average")


def columns(view: View, begun: Times, ended: Times, rows: Flags) -> tuple[Times, Times, Times, Floats, Flags]:
    """What perfcore.analysis.peers takes: starts, ends, TTFT, tokens and outcomes of these requests."""
    tokens = np.maximum(view.output_tokens, 0).astype(np.float64)[rows]
    sent, stop = view.sent_ns[rows], ended[rows]
    return sent, stop, begun[rows] - sent, tokens, np.ones(sent.size, dtype=bool)


def stage_lines(
    stage: peers.Reported | Absent, suffix: str, per_s: str, why: str, rate_name: str, ttft_name: str
) -> list[Line]:
    """Rate, mean TTFT and concurrency of a tool's window of steady state."""
    gone = isinstance(stage, Absent)
    values = (
        stage if isinstance(stage, Absent) else stage.output_tokens_per_s,
        stage if isinstance(stage, Absent) else stage.mean_ttft_ns / NS_PER_MS,
        stage if isinstance(stage, Absent) else stage.concurrency,
    )
    reason = "" if gone else why
    return [
        Line(f"{rate_name}{suffix}", per_s, values[0], "throughput.output_tokens_per_s", 1.0, reason),
        Line(f"{ttft_name}{suffix}", "ms", values[1], "latency.ttft_ms.mean", 1.0, reason),
        Line(f"Concurrency{suffix}", "", values[2], "concurrency.mean", 1.0, reason),
    ]


def evalscope(view: View) -> list[Line]:
    """The summary, the percentiles, and the steady window of EvalScope."""
    begun, ended = evalscope_times(view)
    averages, samples = evalscope_samples(view, begun, ended)
    found = evalscope_summary(view, ended, averages)
    names = {f"p{percent}": f"{percent}%" for percent in (50, 90, 99)}
    for name, (values, unit, ours, factor, why) in samples.items():
        title = f"{name} {{}}"
        found += lines(values, title, names, unit, ours, factor, why + EVS_PERCENTILE, rank_up)
    rows = view.ok & (ended >= 0) & (begun >= 0)
    none = Absent("no request succeeded")
    stage = peers.evalscope(*columns(view, begun, ended, rows)) if rows.any() else none
    rate = stage if isinstance(stage, Absent) else stage.output_tokens_per_s
    why = "" if isinstance(stage, Absent) else EVS_STEADY
    return [*found, Line(EVS_WINDOW, "tok/s", rate, "throughput.output_tokens_per_s", 1.0, why)]


def evalscope_times(view: View) -> tuple[Times, Times]:
    """Where its clock stops for the first token and for the end; of an answer in one piece both are its end."""
    if view.streamed[view.ok].any():
        piece = view.ok & ~view.streamed
        ended = np.where(piece, view.end_ns, last(view, JSON))
        return np.where(piece, view.end_ns, first(view, TOKENS)), ended
    whole = np.where(view.ok, view.end_ns, -1)
    return whole, whole


def evalscope_streams(view: View) -> Flags:
    """Requests that TTFT and TPOT are of: the streamed ones, or all where none is."""
    streams = view.ok & view.streamed
    return streams if streams.any() else view.ok


def evalscope_tpot(view: View, begun: Times, ended: Times) -> Floats:
    """Time per output token in ns; without a stream 0 for every answer, as its TTFT is then its latency."""
    rows = evalscope_streams(view)
    if not view.streamed[rows].any():
        return np.zeros(int(rows.sum()))
    return per_token(view, np.where(rows, begun, -1), ended)


def evalscope_samples(
    view: View, begun: Times, ended: Times
) -> tuple[dict[str, float | Absent], dict[str, tuple[Floats, str, str, float, str]]]:
    """Means of the summary in its units, and the samples of the percentiles: values, unit, our key, factor, why."""
    rows = evalscope_streams(view)
    piece = "" if view.streamed[rows].any() else EVS_PIECE
    ttft = since(view.sent_ns[rows], begun[rows]) / NS_PER_MS
    tpot, itl = evalscope_tpot(view, begun, ended) / NS_PER_MS, gaps(view, TOKENS) / NS_PER_MS
    latency = since(view.sent_ns, ended) / NS_PER_S
    rate = tokens_over(view, view.output_tokens, ended)
    averages: dict[str, float | Absent] = {
        "latency": statistic(latency, "mean"),
        "ttft": statistic(ttft, "mean"),
        "tpot": statistic(tpot, "mean"),
        "itl": 0.0 if itl.size == 0 else statistic(itl, "mean"),
    }
    return averages, {
        "TTFT": (ttft, "ms", "latency.ttft_ms", 1.0, piece or EVS_TTFT),
        "ITL": (itl, "ms", "latency.itl_ms", 1.0, EVS_ITL),
        "TPOT": (tpot, "ms", "latency.tpot_ms", 1.0, EVS_TPOT),
        "Latency": (latency, "s", "latency.e2el_ms", 1e-3, EVS_LATENCY),
        "Output": (rate, "tok/s", "", 1.0, EVS_EACH),
    }


def evalscope_summary(view: View, ended: Times, averages: dict[str, float | Absent]) -> list[Line]:
    """The keys of its benchmark_summary.json."""
    done, length = int(view.ok.sum()), span_s(view.sent_ns, np.where(view.ok, ended, view.end_ns))
    made, read = known(view.output_tokens[view.ok]), known(view.input_tokens[view.ok])
    rows: tuple[tuple[str, str, float | Absent, str, float, str], ...] = (
        ("Test Duration", "s", length, "duration_s", 1.0, EVS_DURATION),
        ("Total Requests", "", float(view.ok.size), "requests.total", 1.0, ""),
        ("Success Requests", "", float(done), "requests.ok", 1.0, ""),
        ("Failed Requests", "", float(view.ok.size - done), "requests.failed", 1.0, ""),
        ("Req Throughput", "req/s", over(done, length), "throughput.requests_per_s", 1.0, EVS_DURATION),
        ("Avg Latency", "s", averages["latency"], "latency.e2el_ms.mean", 1e-3, EVS_LATENCY),
        ("Avg Input Tokens", "", statistic(read, "mean"), "tokens.input_per_request.mean", 1.0, ""),
        ("Output Throughput", "tok/s", over(made.sum(), length), "throughput.output_tokens_per_s", 1.0, EVS_DURATION),
        (
            "Total Throughput",
            "tok/s",
            over(made.sum() + read.sum(), length),
            "throughput.total_tokens_per_s",
            1.0,
            EVS_DURATION,
        ),
        ("Avg TTFT", "ms", averages["ttft"], "latency.ttft_ms.mean", 1.0, EVS_TTFT),
        ("Avg TPOT", "ms", averages["tpot"], "latency.tpot_ms.mean", 1.0, EVS_TPOT),
        ("Avg ITL", "ms", averages["itl"], "latency.itl_ms.mean", 1.0, EVS_ITL),
        ("Avg Output Tokens", "", statistic(made, "mean"), "tokens.output_per_request.mean", 1.0, ""),
    )
    return [Line(*row) for row in rows] + speculation(view)


def speculation(view: View) -> list[Line]:
    """Tokens per chunk, of the requests where it is above 1; EvalScope has no such line otherwise."""
    chunks = number(view, CHOICES) - before(view)
    rows = view.ok & (view.output_tokens > 1) & (chunks > 1)
    each = (view.output_tokens[rows] - 1) / (chunks[rows] - 1)
    fast = each[each > 1]
    if fast.size == 0:
        return []
    why = "Tokens after the first over chunks after the first, of the requests where it exceeds 1; ours is of all."
    return [Line("Avg Decoded Tok/Iter", "", float(fast.mean()), "tokens.tokens_per_event", 1.0, why)]


def before(view: View) -> Times:
    """How many chunks with choices came before the first output, by request; in one read with it too."""
    wanted = np.flatnonzero(chosen(view, CHOICES))
    output = np.array([kind in TOKENS for kind in view.kinds], dtype=bool)[view.event_kind[wanted]]
    owners = view.event_of[wanted]
    leading = np.full(view.ok.size, wanted.size, np.int64)
    np.minimum.at(leading, owners[output], np.flatnonzero(output))
    early = np.arange(wanted.size) < leading[owners]
    return np.bincount(owners[early], minlength=view.ok.size).astype(np.int64)
