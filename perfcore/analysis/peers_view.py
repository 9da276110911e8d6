"""What other tools look at: the measured requests and their events, one entry each, by kind of event.

A tool's number follows from which event it starts and stops a clock at; the functions here pick those.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.absent import Absent

Times = NDArray[np.int64]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

NS_PER_MS, NS_PER_S = 1e6, 1e9

# Kinds of events as events.parquet names them, by what a tool takes them for.
TOKENS = ("content", "reasoning", "tool")
TEXTS = ("content", "reasoning")
# An event of kind `other` is an empty piece of an answer: it has choices, and nothing in them.
CHOICES = (*TOKENS, "finish", "role", "other")
JSON = (*CHOICES, "usage", "error")
ALL = (*JSON, "done", "bad_json")


@dataclass(frozen=True)
class View:
    """The measured requests of a run with their last attempts, one entry each, -1 for what is absent.

    Events are those of these attempts, in the order of requests and then of arrival; `event_of` is the position of
    the request, `event_kind` that in `kinds`.
    """

    due_ns: Times  # of the first attempt
    sent_ns: Times
    first_token_ns: Times
    last_output_ns: Times
    end_ns: Times
    ok: Flags
    streamed: Flags
    input_tokens: Times
    output_tokens: Times
    event_ns: Times
    event_of: Times
    event_kind: Times
    kinds: tuple[str, ...]
    concurrency: int | None = None  # that was asked for
    rate: float | None = None  # requests/s that were asked for
    open_loop: bool = False
    completions: bool = False  # texts were asked for and not the answer of a chat


class Line(NamedTuple):
    """A number as another tool would print it; `ours` is the key of metrics.json beside it, times `factor`."""

    name: str
    unit: str
    value: float | Absent
    ours: str = ""
    factor: float = 1.0
    why: str = ""


def chosen(view: View, kinds: Sequence[str]) -> Flags:
    """Which events are of these kinds and belong to streams that succeeded."""
    wanted = np.array([kind in kinds for kind in view.kinds], dtype=bool)
    return wanted[view.event_kind] & (view.ok & view.streamed)[view.event_of]


def first(view: View, kinds: Sequence[str]) -> Times:
    """Time of the first event of these kinds, by request."""
    return edge(view, np.flatnonzero(chosen(view, kinds))[::-1])


def last(view: View, kinds: Sequence[str]) -> Times:
    """Time of the last event of these kinds, by request."""
    return edge(view, np.flatnonzero(chosen(view, kinds)))


def edge(view: View, events: Times) -> Times:
    """By request the time of the event that comes last in `events`; -1 without one."""
    found = np.full(view.ok.size, -1, np.int64)
    found[view.event_of[events]] = view.event_ns[events]
    return found


def number(view: View, kinds: Sequence[str]) -> Times:
    """How many events of these kinds each request has."""
    return np.bincount(view.event_of[chosen(view, kinds)], minlength=view.ok.size).astype(np.int64)


def gaps(view: View, kinds: Sequence[str]) -> Times:
    """Times in ns between successive events of these kinds, pooled over the requests that succeeded."""
    times, owners = stamps(view, kinds)
    found: Times = np.diff(times)[owners[1:] == owners[:-1]]
    return found


def stamps(view: View, kinds: Sequence[str]) -> tuple[Times, Times]:
    """Times of the events of these kinds, and whose they are."""
    events = np.flatnonzero(chosen(view, kinds))
    return view.event_ns[events], view.event_of[events]


def per_token(view: View, start_ns: Times, stop_ns: Times) -> Floats:
    """(stop - start) / (output tokens - 1) in ns of the requests that have both times and more than one token."""
    rows = (start_ns >= 0) & (stop_ns >= 0) & (view.output_tokens > 1)
    return np.asarray((stop_ns - start_ns)[rows] / (view.output_tokens[rows] - 1), np.float64)


def since(start_ns: Times, stop_ns: Times) -> Floats:
    """Durations in ns where both times are known."""
    known = (start_ns >= 0) & (stop_ns >= 0)
    return (stop_ns - start_ns)[known].astype(np.float64)


def known(values: Times) -> Floats:
    """The values that are known."""
    return values[values >= 0].astype(np.float64)


def span_s(start_ns: Times, stop_ns: Times) -> float | Absent:
    """Seconds from the first start to the last stop."""
    begun, ended = start_ns[start_ns >= 0], stop_ns[stop_ns >= 0]
    if begun.size == 0 or ended.size == 0 or ended.max() <= begun.min():
        return Absent("no request has both times")
    return float(ended.max() - begun.min()) / NS_PER_S


def over(amount: float, length: float | Absent) -> float | Absent:
    """An amount per second."""
    return length if isinstance(length, Absent) else amount / length


def linear(values: Floats, percent: float) -> float:
    """Percentile between the two nearest values, as numpy does it by default."""
    return float(np.percentile(values, percent))


def rank_up(values: Floats, percent: float) -> float:
    """The smallest value that at least this percentage of the sample does not exceed."""
    place = max(0, int(np.ceil(round(values.size * percent / 100, 9))) - 1)
    return float(np.sort(values)[min(place, values.size - 1)])


def rank_floor(values: Floats, percent: float) -> float:
    """The value at position n * percent / 100, rounded down and counted from 0."""
    return float(np.sort(values)[min(int(values.size * (percent / 100)), values.size - 1)])


Percentile = Callable[[Floats, float], float]


def statistic(values: Floats, name: str, percentile: Percentile = linear) -> float | Absent:
    """`mean`, `min`, `max`, or a percentile by our name (`p99`, `p99_9`)."""
    if values.size == 0:
        return Absent("no successful request has it")
    if name == "mean":
        return float(values.mean())
    if name in ("min", "max"):
        return float(values.min() if name == "min" else values.max())
    return percentile(values, float(name[1:].replace("_", ".")))


def lines(
    values: Floats,
    pattern: str,
    names: dict[str, str],
    unit: str,
    ours: str = "",
    factor: float = 1.0,
    why: str = "",
    percentile: Percentile = linear,
) -> list[Line]:
    """A line for each statistic: `names` has the tool's word for each of ours, for the {} in `pattern`.

    `values` are in the tool's unit; `factor` makes it of ours.
    """
    return [
        Line(
            pattern.format(word), unit, statistic(values, name, percentile), f"{ours}.{name}" * bool(ours), factor, why
        )
        for name, word in names.items()
    ]
