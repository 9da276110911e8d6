"""What the server did in a window: work credited to the time at which it was done, whoever's request it was for.

A request that runs across an edge of the window counts with what came of it inside. So a rate has neither too much (the
tokens of whole requests over a part of their time) nor too little (those of requests that began before).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import counts, inflight
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import CANCELLED, Column, Flight, Measured
from perfcore.types import Requests, Run, Stamps

NS_PER_S = 1e9
NS_PER_MS = 1e6
BLOCK = 1 << 24  # token events that are looked at together: there may be hundreds of millions
STEPS = 150  # of a series over time: more than the eye tells apart
THROUGHPUTS = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s", "total_tokens_per_s")

Floats = NDArray[np.float64]
NO_STAMPS = Stamps(np.zeros(0, np.int64), np.zeros(0, np.int32))


@dataclass(frozen=True)
class Work:
    """Amounts of work, when they were done, and whether for a request that succeeded; arrays of equal length."""

    t_ns: Column
    amount: Floats
    ok: NDArray[np.bool_]

    def where(self, chosen: NDArray[np.bool_]) -> "Work":
        return self if chosen.all() else Work(self.t_ns[chosen], self.amount[chosen], self.ok[chosen])

    def inside(self, start_ns: int, end_ns: int) -> "Work":
        return self.where((self.t_ns >= start_ns) & (self.t_ns < end_ns))


def works(run: Run, measured: Measured) -> dict[str, Work | Absent]:
    """The work of a run behind each throughput; Absent where no success tells its amount."""
    requests = run.requests
    good = np.zeros(requests.request_id.size, dtype=bool)
    good[measured.successes] = True
    read, made = inputs(requests, measured, good), outputs(run, measured, good)
    unknown = [part for part in (read, made) if isinstance(part, Absent)]
    total: Work | Absent = unknown[0] if unknown else joined(read, made)
    return dict(zip(THROUGHPUTS, (ends(requests, measured), read, made, total), strict=True))


def outputs(run: Run, measured: Measured, good: NDArray[np.bool_]) -> Work | Absent:
    """Output tokens. Those of a request are spread evenly over its token events; without any they come at its end."""
    requests, stamps = run.requests, run.stamps or NO_STAMPS
    made = counts.output_tokens(requests, np.arange(good.size))
    if not (made[measured.successes] >= 0).any():
        return none(measured)
    each, whole = spread(requests, stamps, measured, made)
    streamed = Work(stamps.t_ns, each[stamps.row], good[stamps.row])
    pieces = Work(requests.end_ns[whole], made[whole].astype(np.float64), good[whole])
    return joined(streamed, pieces) if whole.size else streamed


def spread(requests: Requests, stamps: Stamps, measured: Measured, made: Column) -> tuple[Floats, Column]:
    """Output tokens of a token event by row of Requests, and the rows whose tokens all come at the end."""
    events = np.bincount(stamps.row, minlength=made.size)
    each = np.maximum(made, 0) / np.maximum(events, 1)
    whole = measured.rows[(events[measured.rows] == 0) & (made[measured.rows] > 0)]
    return each, whole[requests.end_ns[whole] >= 0]


def came(run: Run, measured: Measured, start_ns: int, end_ns: int) -> Floats:
    """Output tokens of each row of Requests that came in `[start_ns, end_ns)`, of requests that succeeded."""
    requests, stamps = run.requests, run.stamps or NO_STAMPS
    made = counts.output_tokens(requests, np.arange(requests.request_id.size))
    each, whole = spread(requests, stamps, measured, made)
    events = np.zeros(made.size, np.int64)
    for start in range(0, stamps.row.size, BLOCK):
        block = slice(start, start + BLOCK)
        inside = (stamps.t_ns[block] >= start_ns) & (stamps.t_ns[block] < end_ns)
        events += np.bincount(stamps.row[block][inside], minlength=made.size)
    found = np.zeros(made.size)
    found[measured.successes] = (each * events)[measured.successes]
    ended = whole[(requests.end_ns[whole] >= start_ns) & (requests.end_ns[whole] < end_ns)]
    ended = np.intersect1d(ended, measured.successes)
    found[ended] = made[ended]
    return found


def inputs(requests: Requests, measured: Measured, good: NDArray[np.bool_]) -> Work | Absent:
    """Input tokens, at the first token event, which shows that they were read; without one at the end of a success."""
    if not (requests.input_tokens[measured.successes] >= 0).any():
        return none(measured)
    rows = measured.rows[requests.input_tokens[measured.rows] > 0]
    first = np.where(requests.streamed[rows], requests.first_token_ns[rows], -1)
    at = np.where((first < 0) & good[rows], requests.end_ns[rows], first)
    rows, at = rows[at >= 0], at[at >= 0]
    return Work(at, requests.input_tokens[rows].astype(np.float64), good[rows])


def ends(requests: Requests, measured: Measured) -> Work:
    """Requests, at their ends."""
    known = requests.end_ns[measured.last] >= 0
    return Work(requests.end_ns[measured.last[known]], np.ones(int(known.sum())), measured.ok[known])


def none(measured: Measured) -> Absent:
    return Absent(counts.NOT_REPORTED if measured.ok.any() else counts.NONE_SUCCEEDED)


def joined(one: Any, other: Any) -> Work:
    """Two works as one."""
    return Work(
        np.concatenate((one.t_ns, other.t_ns)),
        np.concatenate((one.amount, other.amount)),
        np.concatenate((one.ok, other.ok)),
    )


def rate(work: Work, start_ns: int, end_ns: int) -> float:
    """Work per second of a window."""
    return float(work.inside(start_ns, end_ns).amount.sum()) / ((end_ns - start_ns) / NS_PER_S)


def gaps(stamps: Stamps | None, rows: Column) -> Column:
    """Times between successive token events of each of these rows of Requests, pooled."""
    if stamps is None or stamps.row.size == 0:
        return np.zeros(0, np.int64)
    chosen = np.zeros(max(int(stamps.row.max()), int(rows.max(initial=0))) + 1, dtype=bool)
    chosen[rows] = True
    within = (stamps.row[1:] == stamps.row[:-1]) & chosen[stamps.row[1:]]
    found: Column = np.diff(stamps.t_ns)[within]
    return found


def over_time(
    requests: Requests, measured: Measured, flown: Flight, made: Work | Absent, bounds: tuple[int, int]
) -> dict[str, Any]:
    """In flight, output tokens/s, ended requests/s and mean TTFT of what was sent (ms), by step of the whole run.

    Requests that were cut off did not end.
    """
    edges = steps(*bounds)
    last = measured.last[requests.error_class[measured.last] != CANCELLED]
    ended = np.histogram(requests.end_ns[last], edges)[0]
    seconds = np.diff(edges) / NS_PER_S
    tokens: Any = made
    if not isinstance(made, Absent):
        tokens = (np.histogram(made.t_ns, edges, weights=made.amount)[0] / seconds).tolist()
    return {
        "edges_s": ((edges - edges[0]) / NS_PER_S).tolist(),
        "in_flight": inflight.means(flown.sent_ns, flown.end_ns, edges).tolist(),
        "output_tokens_per_s": tokens,
        "requests_per_s": (ended / seconds).tolist(),
        "ttft_ms": ttft_means(requests, measured.successes, edges),
    }


def ttft_means(requests: Requests, rows: Column, edges: Floats) -> list[float | None]:
    """Mean TTFT of the rows that were sent in each step, None where none was."""
    rows = rows[requests.streamed[rows] & (requests.first_token_ns[rows] >= 0)]
    sent = requests.sent_ns[rows]
    took = (requests.first_token_ns[rows] - sent) / NS_PER_MS
    number = np.histogram(sent, edges)[0]
    sums = np.histogram(sent, edges, weights=took)[0]
    return [float(total / n) if n else None for total, n in zip(sums, number, strict=True)]


def steps(start_ns: int, stop_ns: int) -> Floats:
    """Edges of steps of equal, round length over the window. The last one ends with it and is half to one and a half
    times as long: the rate in a mere rest would jump."""
    length = round_up((stop_ns - start_ns) / STEPS)
    edges = np.arange(start_ns, stop_ns - length / 2, length, dtype=np.float64)
    return np.append(edges, float(stop_ns))


def round_up(value: float) -> float:
    """The next number of the form 1, 2 or 5 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value))
