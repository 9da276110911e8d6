"""The load over time for the page, and the pass over the events that it takes.

Events are read once, a row group at a time, and counted at once into steps: of the gaps between tokens a histogram for
each step, so that hundreds of millions of them need no more room than a few.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from perfcore.analysis import counts, inflight, notes
from perfcore.analysis.measured import CANCELLED, Column, Flight, Measured, flight
from perfcore.analysis.windowed import round_up
from perfcore.report.html_blocks import Block, Floats, curve, plot
from perfcore.types import Requests, Run

NS_PER_S, NS_PER_MS, NS_PER_US = 1e9, 1e6, 1_000
FINE, COARSE = 300, 120  # steps, at most
PER_STEP = 20  # requests of a step of what is counted in requests, or it would be all noise
TOKENS_PER_STEP, GAPS_PER_STEP = 20, 200
X_LABEL = "seconds since the first request was due"
LEAST_S = 0.01  # shorter steps are told in ms

# Bins of gaps: below 1 us, then 60 for each factor of ten up to 1,000 s. A percentile is known to 2 %.
LEAST_NS, PER_DECADE, DECADES = 1e3, 60, 9
BINS = PER_DECADE * DECADES + 1


@dataclass(frozen=True)
class Seen:
    """What is shown: the run, its measured requests, and the times in ns between which it is drawn."""

    run: Run
    measured: Measured
    bounds: tuple[int, int]
    window: tuple[int, int] | None

    def seconds(self, times_ns: Any) -> Any:
        return (times_ns - self.bounds[0]) / NS_PER_S


def grid(seen: Seen, most: int) -> Floats:
    """Edges in ns of at most so many steps of equal, round length; the last one ends with the run."""
    start, stop = seen.bounds
    length = round_up((stop - start) / max(2, most))
    return np.append(np.arange(start, stop - length / 2, length, dtype=np.float64), float(stop))


def number_of_steps(items: int, per_step: int, most: int) -> int:
    return max(10, min(most, items // per_step))


@dataclass
class Tokens:
    """What the events are counted into: output tokens by fine step, gaps by coarse step and bin."""

    edges: Floats
    tokens: Floats
    gap_edges: Floats
    gaps: NDArray[np.int64]


def tokens_of(seen: Seen, run_dir: Path) -> Tokens:
    """The pass over events.parquet. Answers in one piece have their tokens at their end."""
    each, whole = credited(seen.run.requests, seen.measured)
    edges = grid(seen, number_of_steps(times_of_tokens(seen.run.requests, seen.measured), TOKENS_PER_STEP, FINE))
    gap_edges = grid(seen, number_of_steps(int(seen.run.gaps_ns.size), GAPS_PER_STEP, COARSE))
    steps, gap_steps = edges.size - 1, gap_edges.size - 1
    found = Tokens(edges, np.zeros(steps), gap_edges, np.zeros(gap_steps * BINS, np.int64))
    good = np.zeros(each.size, dtype=bool)
    good[seen.measured.successes] = True
    for rows, t_ns in token_events(seen.run.requests, run_dir):
        found.tokens += np.bincount(step_of(t_ns, edges), each[rows] * (t_ns >= edges[0]), steps)
        follows = (rows[1:] == rows[:-1]) & good[rows[1:]]
        bins = bin_of(np.diff(t_ns)[follows])
        found.gaps += np.bincount(step_of(t_ns[1:][follows], gap_edges) * BINS + bins, minlength=gap_steps * BINS)
    ends = seen.run.requests.end_ns[whole]
    made = counts.output_tokens(seen.run.requests, whole)
    found.tokens += np.bincount(step_of(ends, edges), made, steps)
    return found


def times_of_tokens(requests: Requests, measured: Measured) -> int:
    """At how many times tokens came: events, and the ends of answers in one piece."""
    return int(np.maximum(requests.token_events[measured.rows], 1).sum())


def credited(requests: Requests, measured: Measured) -> tuple[Floats, Column]:
    """Output tokens of a token event by row of Requests, and the rows whose tokens all come at the end."""
    made = counts.output_tokens(requests, np.arange(requests.request_id.size))
    events = requests.token_events
    each = np.zeros(made.size)
    rows = measured.rows
    each[rows] = np.maximum(made[rows], 0) / np.maximum(events[rows], 1)
    each[rows[(requests.first_token_ns[rows] < 0) | (events[rows] <= 0)]] = 0
    whole = rows[((requests.first_token_ns[rows] < 0) | (events[rows] <= 0)) & (made[rows] > 0)]
    return each, whole[requests.end_ns[whole] >= 0]


def token_events(requests: Requests, run_dir: Path) -> Iterator[tuple[Column, Column]]:
    """Rows of Requests and times in ns of the token events of each row group."""
    starts = first_rows(requests)
    with pq.ParquetFile(run_dir / "events.parquet") as file:
        for group in range(file.num_row_groups):
            read = file.read_row_group(group, columns=["request_id", "t_ns", "chars"])
            identity, t_ns, chars = (column.to_numpy() for column in read.columns)
            chosen = (chars > 0) & (identity >= 0) & (identity < starts.size - 1)
            yield rows_of(requests, starts, identity[chosen], t_ns[chosen]), t_ns[chosen]


def first_rows(requests: Requests) -> Column:
    """For each request_id, and one beyond, the first row of Requests that has it or a larger one."""
    known = int(requests.request_id.max(initial=-1)) + 1
    found: Column = np.searchsorted(requests.request_id, np.arange(known + 1)).astype(np.int64)
    return found


def rows_of(requests: Requests, starts: Column, identity: Column, t_ns: Column) -> Column:
    """The attempt, or turn, that was under way at each time: the last one of its request that had been sent."""
    rows = starts[identity]
    several = np.flatnonzero(starts[identity + 1] - rows > 1)
    if several.size:
        begun_ns = int(requests.sent_ns.min())
        sent = requests.request_id.astype(np.int64) << 40 | (requests.sent_ns - begun_ns) // NS_PER_US
        order = np.argsort(sent, kind="stable")
        came = identity[several] << 40 | np.maximum(t_ns[several] - begun_ns, 0) // NS_PER_US
        at = np.searchsorted(sent[order], came, side="right") - 1
        rows[several] = np.maximum(order[np.maximum(at, 0)], rows[several])
    return rows


def step_of(times_ns: Any, edges: Floats) -> NDArray[np.int64]:
    """The step in which each time lies; what lies outside counts in the first or last one."""
    found: NDArray[np.int64] = np.clip(((times_ns - edges[0]) / (edges[1] - edges[0])).astype(np.int64), 0, None)
    return np.minimum(found, edges.size - 2)


def bin_of(gaps_ns: Column) -> NDArray[np.int64]:
    found = np.log10(np.maximum(gaps_ns, 1) / LEAST_NS) * PER_DECADE + 1
    clipped: NDArray[np.int64] = np.clip(found, 0, BINS - 1).astype(np.int64)
    return clipped


def gap_percentile(histogram: NDArray[np.int64], rank: float) -> Floats:
    """A percentile in ms of each row of bins: the middle of its bin; NaN without a gap."""
    sums = histogram.cumsum(axis=1)
    total = sums[:, -1:]
    at = (sums >= np.ceil(rank * np.maximum(total, 1))).argmax(axis=1)
    values = np.where(at == 0, 0.0, LEAST_NS * 10 ** ((at - 0.5) / PER_DECADE)) / NS_PER_MS
    return np.where(total[:, 0] > 0, values, np.nan)


def load_plots(seen: Seen, run_dir: Path) -> list[Block | None]:
    """In flight, token rate, request rate, TTFT and ITL percentiles and failures over time."""
    run = seen.run
    flown = flight(run.requests, notes.deaths(run.notes))
    found = tokens_of(seen, run_dir)
    requests = grid(seen, number_of_steps(seen.measured.last.size, PER_STEP, COARSE))
    return [
        in_flight(seen, flown),
        token_rate(seen, found),
        *request_rates(seen, requests),
        ttft_over_time(seen, requests),
        itl_over_time(seen, found),
    ]


def over_time(
    seen: Seen, name: str, title: str, edges: Floats, curves: list[Block], y_label: str, **more: Any
) -> Block | None:
    """A plot of steps over the time of the run, with the window shaded."""
    if seen.window is not None:
        more["window"] = [round(seen.seconds(edge), 6) for edge in seen.window]
    x = seen.seconds(edges)
    more.setdefault("note", f"{steps_of(edges)}.")
    return plot(name, title, x, curves, X_LABEL, y_label, steps=True, time=True, **more)


def steps_of(edges: Floats) -> str:
    """How many steps there are, and how long each is."""
    length_s = float(f"{(edges[1] - edges[0]) / NS_PER_S:.6g}")
    return f"{edges.size - 1:,} steps of {f'{length_s:g} s' if length_s >= LEAST_S else f'{1000 * length_s:g} ms'}"


def in_flight(seen: Seen, flown: Flight) -> Block | None:
    """Mean and greatest number of requests in flight in each step, and what was asked for."""
    edges = grid(seen, FINE)
    mean = inflight.means(flown.sent_ns, flown.end_ns, edges)
    curves = [
        curve("mean", mean, "blue"),
        curve("most", peaks(flown, edges), "orange", dash=True),
    ]
    asked = notes.load(seen.run.notes)
    if asked.concurrency is not None:
        label = "limit" if asked.open_loop else "asked for"
        curves.append(curve(label, np.full(edges.size - 1, asked.concurrency), "grey", dash=True))
    return over_time(seen, "in-flight", "Requests in flight", edges, curves, "requests", term="concurrency.mean")


def peaks(flown: Flight, edges: Floats) -> Floats:
    """The most in flight at one time of each step: what was at its start, or after one was sent."""
    times, running = inflight.at_starts(flown.sent_ns, flown.end_ns)
    sent, ended = np.sort(flown.sent_ns), np.sort(flown.end_ns)
    starts = edges[:-1]
    found = (np.searchsorted(sent, starts, side="right") - np.searchsorted(ended, starts, side="right")).astype(float)
    inside = (times >= edges[0]) & (times <= edges[-1])
    np.maximum.at(found, step_of(times[inside], edges), running[inside])
    return found


def token_rate(seen: Seen, found: Tokens) -> Block | None:
    rates = found.tokens / (np.diff(found.edges) / NS_PER_S)
    if not rates.any():
        return None
    curves = [curve("output tokens/s", rates, "green")]
    title = "Output tokens per second, at the time of their events"
    return over_time(seen, "tokens", title, found.edges, curves, "tokens/s", term="throughput.output_tokens_per_s")


def request_rates(seen: Seen, edges: Floats) -> Iterator[Block | None]:
    """Requests that ended, and those that failed. What was cut off after the window is no failure."""
    requests, measured = seen.run.requests, seen.measured
    failed = ~measured.ok
    if seen.window is not None:
        failed &= requests.error_class[measured.last] != CANCELLED
    ok, bad = (ended_per_s(requests, measured.last[chosen], edges) for chosen in (measured.ok, failed))
    title = "Requests finished per second"
    curves = [curve("ok", ok, "blue")]
    yield over_time(seen, "requests", title, edges, curves, "requests/s", term="throughput.requests_per_s")
    if failed.any():
        curves = [curve("failed", bad, "red")]
        yield over_time(seen, "errors-over-time", "Requests failed per second", edges, curves, "requests/s")


def ended_per_s(requests: Requests, rows: Column, edges: Floats) -> Floats:
    ends = requests.end_ns[rows]
    found: Floats = np.histogram(ends[ends >= 0], edges)[0] / (np.diff(edges) / NS_PER_S)
    return found


def ttft_over_time(seen: Seen, edges: Floats) -> Block | None:
    """Percentiles of the TTFT of what was sent in each step."""
    requests, rows = seen.run.requests, seen.measured.successes
    rows = rows[requests.streamed[rows] & (requests.first_token_ns[rows] >= 0) & (requests.sent_ns[rows] >= 0)]
    if rows.size == 0:
        return None
    took = (requests.first_token_ns[rows] - requests.sent_ns[rows]) / NS_PER_MS
    cuts = stepwise(took, step_of(requests.sent_ns[rows], edges), edges.size - 1, (50, 90, 99, 100))
    return percentiles_over_time(
        seen, "ttft-over-time", "TTFT of what was sent in the step", edges, cuts, "latency.ttft_ms"
    )


def stepwise(values: Floats, step: NDArray[np.int64], steps: int, ranks: tuple[float, ...]) -> Floats:
    """Percentiles of the values of each step, one line for each rank; NaN where a step has no value beyond it."""
    found = np.full((len(ranks), steps), np.nan)
    order = np.argsort(step, kind="stable")
    ends = np.searchsorted(step[order], np.arange(steps + 1))
    for at in np.flatnonzero(np.diff(ends)).tolist():
        found[:, at] = np.percentile(values[order[ends[at] : ends[at + 1]]], ranks)
    return np.where(supported(np.diff(ends), [rank / 100 for rank in ranks]), found, np.nan)


def supported(number_of: NDArray[np.int64], ranks: Sequence[float]) -> NDArray[np.bool_]:
    """For each rank (from 0 to 1) and step whether a sample lies beyond, as the table of percentiles asks for; the most
    and the median are of any sample."""
    wanted = np.array([0.0 if rank in (0.5, 1.0) else 1 / (1 - rank) for rank in ranks])
    return number_of[None, :] >= np.maximum(np.round(wanted, 6), 1)[:, None]


def itl_over_time(seen: Seen, found: Tokens) -> Block | None:
    histogram = found.gaps.reshape(-1, BINS)
    if not histogram.any():
        return None
    ranks = (0.5, 0.9, 0.99, 1.0)
    known = supported(histogram.sum(axis=1), ranks)
    cuts = np.where(known, np.stack([gap_percentile(histogram, rank) for rank in ranks]), np.nan)
    edges, title = found.gap_edges, "ITL of the tokens that came in the step"
    note = f"{steps_of(edges)}; these percentiles are known to 2 %."
    return percentiles_over_time(seen, "itl-over-time", title, edges, cuts, "latency.itl_ms", note=note)


def percentiles_over_time(
    seen: Seen, name: str, title: str, edges: Floats, cuts: Floats, term: str, **more: Any
) -> Block | None:
    looks = (("p50", "blue", False), ("p90", "green", False), ("p99", "orange", True), ("most", "grey", True))
    curves = [curve(label, values, colour, dash) for (label, colour, dash), values in zip(looks, cuts, strict=True)]
    if np.isnan(cuts[2]).any() and not np.isnan(cuts[-1]).all():
        few = "p90 takes 10 values in a step and p99 100: with fewer they are left out."
        more["note"] = f"{more.get('note', f'{steps_of(edges)}.')} {few}"
    return over_time(seen, name, title, edges, curves, "ms", term=term, **more)


def slip_over_time(seen: Seen) -> Block | None:
    """How late requests were sent, by step: the median and the most."""
    requests, first = seen.run.requests, seen.measured.first
    rows = first[(requests.due_ns[first] >= 0) & (requests.sent_ns[first] >= 0)]
    if rows.size == 0:
        return None
    edges = grid(seen, number_of_steps(rows.size, PER_STEP, COARSE))
    late = (requests.sent_ns[rows] - requests.due_ns[rows]) / NS_PER_MS
    median, most = stepwise(late, step_of(requests.due_ns[rows], edges), edges.size - 1, (50, 100))
    curves = [curve("p50", median, "blue"), curve("most", most, "orange", dash=True)]
    return over_time(seen, "slip", "Slip: how late requests were sent", edges, curves, "ms", term="latency.slip_ms")


def worker_load(seen: Seen) -> Block | None:
    """Requests in flight by worker; of many the least and the most loaded at each time."""
    requests = seen.run.requests
    flown = flight(requests, notes.deaths(seen.run.notes))
    worker = requests.worker[flown.row]
    numbers = np.unique(worker[worker >= 0])
    if numbers.size < 2:
        return None
    edges = grid(seen, COARSE)
    loads = np.stack(
        [inflight.means(flown.sent_ns[worker == one], flown.end_ns[worker == one], edges) for one in numbers]
    )
    if numbers.size <= 4:
        colours = ("blue", "orange", "green", "purple")
        looks = zip(numbers.tolist(), loads, colours, strict=False)
        curves = [curve(f"worker {number}", load, colour) for number, load, colour in looks]
    else:
        curves = [curve("least loaded", loads.min(axis=0), "blue"), curve("most loaded", loads.max(axis=0), "orange")]
    return over_time(seen, "worker-load", "Requests in flight by worker", edges, curves, "requests")


def connections_over_time(seen: Seen) -> Block | None:
    """How many connections were opened in each step: so few that a rate would be of single ones."""
    requests, rows = seen.run.requests, seen.measured.rows
    new = rows[requests.new_connection[rows] & (requests.sent_ns[rows] >= 0)]
    if new.size == 0:
        return None
    edges = grid(seen, COARSE)
    opened = np.histogram(requests.sent_ns[new], edges)[0]
    curves = [curve("opened", opened, "blue")]
    return over_time(seen, "new-connections", "Connections opened in each step", edges, curves, "connections")
