"""Series of one URL over time, and what they say of a window: increases, levels, distributions.

Counters are read as Prometheus' increase() reads them, less its extrapolation: the sum of all steps up; a step down is
a restart, after which the counter has counted from 0. A histogram's percentile is interpolated linearly within its
bucket, as histogram_quantile() does it, so it is known no better than the bucket is wide.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis.absent import Absent
from perfcore.analysis.families import PARTS, Place, canonical
from perfcore.records.scrapes import DURATION, UP, Scrapes

Times: TypeAlias = NDArray[np.int64]
Values: TypeAlias = NDArray[np.float64]

# Answers this near to the window's edges are taken for answers at them. A run asks right before its measured phase and
# right after it, when nothing else goes on; in the middle of a held load they are like those within.
BEFORE_NS, AFTER_NS = 50_000_000, 250_000_000
RANKS = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
NO_HISTOGRAM = "the server has no such histogram"


@dataclass(frozen=True)
class Track:
    """A series: its labels and its values in the order of time."""

    labels: dict[str, str]
    t_ns: Times
    value: Values


@dataclass
class Told:
    """All that one URL told."""

    url: str
    asked: int = 0
    up_ns: Times = field(default_factory=lambda: np.zeros(0, np.int64))  # of the answers that came
    took_s: float = 0.0  # the slowest of them
    errors: dict[str, int] = field(default_factory=dict)
    unread: int = 0
    tracks: dict[str, list[Track]] = field(default_factory=lambda: defaultdict(list))


@dataclass(frozen=True)
class Span:
    """The part of a window that two answers of a URL enclose. `inside`: both of them came within the window."""

    start_ns: int
    end_ns: int
    answers: int
    inside: bool

    @property
    def seconds(self) -> float:
        return (self.end_ns - self.start_ns) / 1e9


def told(scrapes: Scrapes) -> list[Told]:
    """What each URL told, in the order of the URLs' first answers."""
    found: dict[str, Told] = {}
    took: dict[str, Track] = {}
    order = np.argsort(scrapes.code, kind="stable")
    ends = np.searchsorted(scrapes.code[order], np.arange(len(scrapes.series) + 1))
    for code, series in enumerate(scrapes.series):
        rows = order[ends[code] : ends[code + 1]]
        one = found.setdefault(series.url, Told(series.url, unread=scrapes.unread.get(series.url, 0)))
        track = Track(series.labels, scrapes.t_ns[rows], scrapes.value[rows])
        if series.name == UP:
            count_answers(one, track)
        elif series.name == DURATION:
            took[series.url] = track
        elif rows.size:
            one.tracks[canonical(series.name)].append(track)
    for url, track in took.items():
        came = np.isin(track.t_ns, found[url].up_ns)  # one that did not come took as long as it was waited for
        found[url].took_s = float(track.value[came].max(initial=0.0))
    return list(found.values())


def count_answers(one: Told, up: Track) -> None:
    """Note answers that came, or one reason why others did not."""
    one.asked += up.t_ns.size
    if "error" in up.labels:
        one.errors[up.labels["error"]] = up.t_ns.size
    else:
        one.up_ns = up.t_ns


def span(up_ns: Times, start_ns: int, end_ns: int) -> Span | None:
    """From the first to the last answer within the window; where it has not two, from the last before to the first
    after. None if there are not two answers around it either."""
    inside = up_ns[(up_ns >= start_ns - BEFORE_NS) & (up_ns <= end_ns + AFTER_NS)]
    if inside.size >= 2:
        return Span(int(inside[0]), int(inside[-1]), int(inside.size), True)
    before, after = up_ns[up_ns < start_ns], up_ns[up_ns > end_ns]
    if before.size == 0 or after.size == 0:
        return None
    return Span(int(before[-1]), int(after[0]), int(inside.size) + 2, False)


def find(one: Told, place: Place) -> list[Track]:
    """Series of a place, with what its server appends to counters or without."""
    tracks = one.tracks.get(f"{place.name}_total") or one.tracks.get(place.name) or []
    return [track for track in tracks if all(track.labels.get(name) == value for name, value in place.labels)]


def increase(track: Track, over: Span) -> tuple[float, int]:
    """By how much a counter rose within a span, and how often it was set back to 0 in it.

    A series that appears later than the span's first answer began at 0: servers make many when they first need them.
    """
    rows = (track.t_ns >= over.start_ns) & (track.t_ns <= over.end_ns) & np.isfinite(track.value)
    values = track.value[rows]
    if values.size == 0:
        return 0.0, 0
    if track.t_ns[rows][0] > over.start_ns:
        values = np.concatenate(([0.0], values))
    steps = np.diff(values)
    return float(np.where(steps >= 0, steps, values[1:]).sum()), int((steps < 0).sum())


def grouped(tracks: Iterable[Track], most: str) -> dict[tuple[tuple[str, str], ...], list[Track]]:
    """Series by their labels less those whose values are not to be summed."""
    found: dict[tuple[tuple[str, str], ...], list[Track]] = defaultdict(list)
    for track in tracks:
        found[tuple(sorted(item for item in track.labels.items() if item[0] not in (*PARTS, most)))].append(track)
    return found


def total(one: Told, options: Sequence[Place], over: Span) -> tuple[float | None, int]:
    """Increase of the first of these places that the URL has, and how often it was set back; None without one."""
    for place in options:
        if not (tracks := find(one, place)):
            continue
        added, resets = 0.0, 0
        for group in grouped(tracks, place.most).values():
            rises = [increase(track, over) for track in group]
            added += max(rise for rise, _ in rises)
            resets += max(back for _, back in rises)
        return added * place.factor, resets
    return None, 0


def level(one: Told, options: Sequence[Place], over: Span) -> Track | None:
    """A gauge in a span, summed over its series at each answer; None if the URL has none of these places."""
    for place in options:
        if tracks := [cut(track, over) for track in find(one, place)]:
            groups = [combined(group, np.maximum) for group in grouped(tracks, place.most).values()]
            whole = combined(groups, np.add)
            return Track({}, whole.t_ns, whole.value * place.factor) if whole.t_ns.size else None
    return None


def shares(one: Told, options: Sequence[Place], over: Span) -> list[Track]:
    """The series of a gauge between 0 and 1 in a span, each by itself; none if the URL has none of these places."""
    found = ([cut(track, over) for track in find(one, place)] for place in options)
    return next(([track for track in tracks if track.t_ns.size] for tracks in found if tracks), [])


def slowest_mean(one: Told, parts: tuple[Place, Place], over: Span) -> tuple[float, float] | None:
    """(mean, count) of the series whose mean is largest, from a sum and a count that are counters of their own."""
    counts = {tuple(sorted(track.labels.items())): increase(track, over)[0] for track in find(one, parts[1])}
    found = [
        (increase(track, over)[0] / count * parts[0].factor, count)
        for track in find(one, parts[0])
        if (count := counts.get(tuple(sorted(track.labels.items())), 0.0)) > 0
    ]
    return max(found, default=None)


def cut(track: Track, over: Span) -> Track:
    rows = (track.t_ns >= over.start_ns) & (track.t_ns <= over.end_ns) & np.isfinite(track.value)
    return Track(track.labels, track.t_ns[rows], track.value[rows])


def combined(tracks: Sequence[Track], how: Any) -> Track:
    """Series of one URL made one: those of one answer have the same time."""
    times = np.unique(np.concatenate([track.t_ns for track in tracks]))
    values = np.full(times.size, -np.inf if how is np.maximum else 0.0)
    for track in tracks:
        rows = np.searchsorted(times, track.t_ns)
        values[rows] = how(values[rows], track.value)
    return Track({}, times, values)


@dataclass(frozen=True)
class Distribution:
    """Samples of a histogram within a span: their number and sum, and (upper bound, samples up to it) by bound."""

    count: float
    sum: float
    buckets: tuple[tuple[float, float], ...]


def distribution(one: Told, options: Sequence[Place], over: Span) -> Distribution | None:
    """Of the first of these histograms that the URL has; None without one."""
    for place in options:
        parts = {end: Place(f"{place.name}_{end}", place.labels) for end in ("count", "sum", "bucket")}
        if not find(one, parts["count"]):
            continue
        count, _ = total(one, [parts["count"]], over)
        value, _ = total(one, [parts["sum"]], over)
        return Distribution(
            count or 0.0, (value or 0.0) * place.factor, buckets(find(one, parts["bucket"]), over, place)
        )
    return None


def buckets(tracks: Sequence[Track], over: Span, place: Place) -> tuple[tuple[float, float], ...]:
    """Cumulative counts by bound; none if the series have bounds of different kinds."""
    by_series: dict[tuple[tuple[str, str], ...], dict[float, float]] = defaultdict(dict)
    for track in tracks:
        try:
            bound = float(track.labels["le"]) * place.factor
        except (KeyError, ValueError):
            return ()
        rest = tuple(sorted(item for item in track.labels.items() if item[0] not in ("le", *PARTS)))
        by_series[rest][bound] = max(by_series[rest].get(bound, 0.0), increase(track, over)[0])
    bounds = {tuple(sorted(counts)) for counts in by_series.values()}
    if len(bounds) != 1:
        return ()
    return tuple((bound, sum(counts[bound] for counts in by_series.values())) for bound in next(iter(bounds)))


def merged(parts: Sequence[Distribution]) -> Distribution:
    """Those of several URLs in one; without buckets if theirs are not the same."""
    same = len({tuple(bound for bound, _ in part.buckets) for part in parts}) == 1
    columns = zip(*(part.buckets for part in parts), strict=True) if same else ()
    summed = tuple((column[0][0], sum(count for _, count in column)) for column in columns)
    return Distribution(sum(part.count for part in parts), sum(part.sum for part in parts), summed)


def described(found: Distribution) -> dict[str, Any]:
    """`{n, mean, p50 ... p99, within}`; `within` has the bounds of the bucket that each percentile lies in."""
    if found.count <= 0:
        return {"n": 0, "mean": Absent("nothing was counted in the window")}
    cuts = {name: quantile(found.buckets, rank) for name, rank in RANKS.items()}
    values: dict[str, Any] = {name: cut if isinstance(cut, Absent) else cut[0] for name, cut in cuts.items()}
    within = {name: [cut[1], cut[2]] for name, cut in cuts.items() if not isinstance(cut, Absent)}
    return {"n": round(found.count), "mean": found.sum / found.count, **values, "within": within}


def quantile(cumulative: Sequence[tuple[float, float]], rank: float) -> tuple[float, float, float] | Absent:
    """The value at a rank, interpolated within its bucket, and the bucket's bounds."""
    if not cumulative or cumulative[-1][1] <= 0:
        return Absent("the server gives no buckets that can be added up")
    wanted = rank * cumulative[-1][1]
    low, below = 0.0, 0.0
    for bound, count in cumulative:
        if count >= wanted and count > below:
            if math.isinf(bound):
                return Absent(f"it lies beyond the server's last bucket, which ends at {low:g}")
            return low + (bound - low) * (wanted - below) / (count - below), low, bound
        low, below = bound, max(below, count)
    return Absent("the server's buckets contradict its count")
