"""The timeline of single requests for the page: columns as base64, thinned where there are too many to draw.

Thinning keeps what stands out: failures, and of each stretch of time the slowest first token and the longest request.
"""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.measured import CANCELLED, Column
from perfcore.report.html_blocks import Block
from perfcore.report.html_time import Seen
from perfcore.types import Requests

MOST = 100_000  # requests that a page holds
UNIT_NS = 10_000  # of its times, unless the run is too long for 32 bits of them
LARGEST = (1 << 32) - 2
ABSENT = -1


def timeline(seen: Seen, most: int = MOST) -> Block | None:
    """All attempts that were sent, or `most` of them: when, how long to the first token and to the end, and as what."""
    requests = seen.run.requests
    rows = seen.measured.rows
    rows = rows[(requests.sent_ns[rows] >= 0) & (requests.end_ns[rows] >= requests.sent_ns[rows])]
    if rows.size == 0:
        return None
    rows = rows[np.argsort(requests.sent_ns[rows], kind="stable")]
    shown = rows[chosen(requests, rows, most)]
    unit_ns = unit_of(seen.bounds[1] - seen.bounds[0])
    columns = columns_of(seen, shown, unit_ns)
    block: Block = {"kind": "timeline", "name": "timeline", "title": "Requests over time"}
    return block | {
        "columns": {name: packed(values) for name, values in columns.items()},
        "classes": list(requests.error_classes),
        "finish": list(requests.finish_reasons),
        "unit_ms": unit_ns / 1e6,
        "end_s": float(seen.seconds(seen.bounds[1])),
        "window": None if seen.window is None else [round(seen.seconds(edge), 6) for edge in seen.window],
        "shown": int(shown.size),
        "of": int(rows.size),
        # What was cut off when the window was over did not fail.
        "cut": ABSENT if seen.window is None else CANCELLED,
        "conversations": bool((requests.turn[rows] > 0).any()),
    }


def unit_of(span_ns: int) -> int:
    """The unit in which the times of so long a run fit into 32 bits, in ns."""
    unit = UNIT_NS
    while span_ns // unit > LARGEST:
        unit *= 10
    return unit


def columns_of(seen: Seen, rows: Column, unit_ns: int) -> dict[str, Column]:
    """Numbers of each attempt, times in units; -1 for what is not known."""
    requests = seen.run.requests
    sent, first, end = requests.sent_ns[rows], requests.first_token_ns[rows], requests.end_ns[rows]
    streamed = requests.streamed[rows] & (first >= sent)
    return {
        "sent": (sent - seen.bounds[0]) // unit_ns,
        "ttft": np.where(streamed, (first - sent) // unit_ns, ABSENT),
        "took": (end - sent) // unit_ns,
        "slip": np.where(requests.due_ns[rows] >= 0, (sent - requests.due_ns[rows]) // unit_ns, ABSENT),
        "id": requests.request_id[rows],
        "turn": requests.turn[rows].astype(np.int64),
        "attempt": requests.attempt[rows].astype(np.int64),
        "worker": requests.worker[rows].astype(np.int64),
        "input": requests.input_tokens[rows],
        "output": requests.output_tokens[rows],
        "class": requests.error_class[rows].astype(np.int64),
        "finish": requests.finish_reason[rows].astype(np.int64),
    }


def chosen(requests: Requests, rows: Column, most: int) -> Column:
    """Positions in `rows`, ascending; all of them where there are no more than `most`."""
    if rows.size <= most:
        return np.arange(rows.size)
    stretches = max(1, most // 8)
    stretch = np.arange(rows.size) * stretches // rows.size
    first = requests.first_token_ns[rows]
    waited = np.where(first >= 0, first - requests.sent_ns[rows], -1)
    took = requests.end_ns[rows] - requests.sent_ns[rows]
    kept = np.zeros(rows.size, dtype=bool)
    for values in (waited, took):
        kept[largest_of_each(values, stretch)] = True
    failed = np.flatnonzero((requests.error_class[rows] > 0) & ~kept)
    kept[spread(failed, most // 4)] = True
    kept[spread(np.flatnonzero(~kept), most - int(kept.sum()))] = True
    return np.flatnonzero(kept)


def largest_of_each(values: Column, stretch: NDArray[np.int64]) -> Column:
    """Positions of the largest value of each stretch; stretches ascend."""
    order = np.lexsort((values, stretch))
    last = np.append(stretch[order][1:] != stretch[order][:-1], True)
    found: Column = order[last]
    return found


def spread(positions: Column, most: int) -> Column:
    """At most so many of them, evenly."""
    if positions.size <= most:
        return positions
    return positions[np.arange(max(0, most)) * positions.size // max(1, most)]


def packed(values: Column) -> dict[str, Any]:
    """Whole numbers from -1 up as base64 of the narrowest unsigned type, each one more than it is; one value alone
    where they are all the same."""
    raised = np.clip(values.astype(np.int64) + 1, 0, (1 << 32) - 1)
    if raised.size and (raised == raised[0]).all():
        return {"same": int(raised[0]) - 1}
    width = next(width for width in (8, 16, 32) if raised.max(initial=0) < 1 << width)
    return {"bits": width, "data": base64.b64encode(raised.astype(f"<u{width // 8}").tobytes()).decode()}
