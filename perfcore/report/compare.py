"""Runs side by side: each against the first, metric by metric, with what their configurations have different.

The result is plain data (docs/compare.md); perfcore/report/compare_text.py and compare_plots.py show it. Sides of
several runs each are compared by perfcore/report/compare_repeats.py, which asks here for those of one.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.analysis import comparison, pairing, slo
from perfcore.analysis.absent import Absent
from perfcore.analysis.comparison import STATISTICS, Difference
from perfcore.analysis.latency import LATENCIES
from perfcore.analysis.measured import select
from perfcore.analysis.pairing import PROMPTS_DIFFER, Pairs, Taken
from perfcore.records import reading
from perfcore.report import compare_setup
from perfcore.report.compare_metrics import COUNTS, GOODPUT, LENGTHS, LEVELS, LOWER, METRICS, RATES, SHARES, Metric
from perfcore.report.finish import command_of, description
from perfcore.report.layout import pick

SCHEMA = "perfcore.compare/1"
SEED = 20

STRESS_RATE = (
    "a stress run has no interval for its rates: it is one number, with the start and the end of the run in it; "
    "perfcore steady measures a window and says how sure it is"
)
TOO_SHORT_WINDOW = "the window is too short to say how sure its rates are"
COUNTED = "a count has no interval"
SALTED = (
    "synthetic ones are new in every run; with --dataset-args salt=fixed the same --seed gives the same ones, and "
    "latencies are compared in pairs"
)
OVER_DURATION = "goodput has no interval; that of attainment says how sure it is"


class Side(NamedTuple):
    """One run of a comparison: the letter that stands for it, and what is known of it."""

    letter: str
    name: str
    folder: Path
    metrics: dict[str, Any]
    described: dict[str, Any]
    taken: Taken
    prompts: Mapping[tuple[int, int, int], int]


def side(letter: str, name: str, folder: Path, metrics: dict[str, Any]) -> Side:
    """A finished run, read. Raises UserError where its files cannot be."""
    requests = reading.read_requests(folder)
    window = metrics.get("window")
    edges = (window["start_ns"], window["end_ns"]) if isinstance(window, dict) else None
    taken = pairing.taken(requests, reading.read_gaps(folder, requests), edges)
    return Side(letter, name, folder, metrics, description(folder), taken, reading.prompts(folder))


def setup(sides: Sequence[Side]) -> dict[str, Any]:
    """What the configurations have different, and warnings."""
    found = compare_setup.setup([facts(one) for one in sides])
    first = sides[0]
    again = [one for one in sides[1:] if one.folder.resolve() == first.folder.resolve()]
    found["warnings"] += [
        f"{one.letter} is the same folder as {first.letter}: a run cannot differ from itself." for one in again
    ]
    return found


def told(one: Side) -> dict[str, Any]:
    """What a reader wants to know of a run first."""
    return {
        "letter": one.letter,
        "name": one.name,
        "folder": str(one.folder),
        "command": command_of(one.described),
        "started": one.described.get("started"),
        "model": one.described.get("model"),
        "requests": pick(one.metrics, "requests.total"),
        "validity": pick(one.metrics, "validity.verdict"),
        "steady": pick(one.metrics, "steady.verdict"),
    }


def facts(one: Side) -> compare_setup.Facts:
    return compare_setup.Facts(one.letter, one.described, one.metrics, one.prompts)


def against(first: Side, other: Side, pairs: Pairs) -> dict[str, Any]:
    """Every metric of a run against the first."""
    found = dict(differences(first, other, pairs))
    rows = [row(name, metric, found[name], other.letter, pairs.paired) for name, metric in METRICS.items()]
    return {
        "a": first.letter,
        "b": other.letter,
        "paired": pairs.paired,
        "pairs": int(pairs.a.size),
        "words": in_words(first, other, pairs),
    } | listed(rows)


def listed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows that have a number, and why others have none."""
    return {
        "rows": [one for one in rows if one["a"] is not None or one["b"] is not None],
        "absent": {one["name"]: one["why"] for one in rows if one["a"] is None and one["b"] is None},
    }


def in_words(first: Side, other: Side, pairs: Pairs) -> str:
    """Whether the same requests ran in both, and how they can where made prompts keep them from it."""
    salted = any(salt(one) == "unique" for one in (first, other))
    return f"{pairs.words} ({SALTED})" if pairs.words == PROMPTS_DIFFER and salted else pairs.words


def salt(one: Side) -> str | None:
    """What the prompts of a synthetic data set depend on beside the seed; None where there is no such data set."""
    held = one.described.get("datasets")
    kept = [
        pick(found, "settings.salt") for found in (held if isinstance(held, list) else ()) if isinstance(found, dict)
    ]
    return next((str(value) for value in kept if value), None)


def differences(first: Side, other: Side, pairs: Pairs) -> Iterator[tuple[str, Difference]]:
    """The difference of each metric by its name."""
    for name in LATENCIES:
        short = name.removesuffix("_ms")
        found = of_latency(first, other, name, pairs)
        for statistic in STATISTICS:
            key = f"{short}_{statistic}"
            yield key, found.get(statistic) or missing(first, other, METRICS[key].key)
    for name, metric in LENGTHS.items():
        found = of_latency(first, other, name.removesuffix("_mean"), pairs)
        yield name, found.get("mean") or missing(first, other, metric.key)
    for name, metric in (RATES | LEVELS | GOODPUT | SHARES | COUNTS).items():
        yield name, of_rate(first, other, name, metric)


def of_latency(first: Side, other: Side, name: str, pairs: Pairs) -> dict[str, Difference]:
    """Every statistic of a latency, over the pairs where there are enough."""
    chosen = (pairs.a, pairs.b) if pairs.paired else (None, None)
    samples = [pairing.sample(one.taken, name, places) for one, places in zip((first, other), chosen, strict=True)]
    in_flight = [pick(one.metrics, "concurrency.mean") or 1.0 for one in (first, other)]
    return comparison.of_samples(samples[0], samples[1], (in_flight[0], in_flight[1]), pairs.paired, SEED)


def missing(first: Side, other: Side, key: str) -> Difference:
    """Where one has no value, or both: why not."""
    values = [pick(one.metrics, key) for one in (first, other)]
    why = [
        f"{one.letter} has none ({reason(one, key)})"
        for one, value in zip((first, other), values, strict=True)
        if value is None
    ]
    return comparison.plain(values[0], values[1], "; ".join(why))


def reason(one: Side, key: str) -> str:
    """Why a run has no value under a dotted key."""
    absent = one.metrics.get("absent") or {}
    above = [key.rsplit(".", cut)[0] for cut in range(key.count(".") + 1)]
    if key.startswith("goodput.") and not one.metrics.get("goodput"):
        return "no service level was asked for (--slo)"
    return next((absent[part] for part in above if part in absent), "it was not recorded")


def of_rate(first: Side, other: Side, name: str, metric: Metric) -> Difference:
    """A number of which each run has at most one, and its interval where the run has that."""
    if name == "error_rate":
        ends = [error_rate(one) for one in (first, other)]
    else:
        ends = [(pick(one.metrics, metric.key), interval(one, metric.key)) for one in (first, other)]
    (a, ends_a), (b, ends_b) = ends
    if a is None or b is None:
        return missing(first, other, metric.key)
    if name in COUNTS:
        return comparison.plain(a, b, COUNTED)
    times = 100.0 if metric.unit == "pp" else 1.0
    found = comparison.of_intervals(times * a, times * b, scaled(ends_a, times), scaled(ends_b, times), "")
    return found if found.absolute_ci95 else comparison.plain(found.a, found.b, no_interval(first, other, name))


def scaled(ends: Any, times: float) -> tuple[float, float] | None:
    return (times * ends[0], times * ends[1]) if ends else None


def interval(one: Side, key: str) -> Any:
    """The 95 % interval that stands beside a number."""
    parent, _, name = key.rpartition(".")
    return pick(one.metrics, f"{parent}.ci95.{name}") or pick(one.metrics, f"{key}_ci95")


def error_rate(one: Side) -> tuple[float | None, Any]:
    """Share of failed requests, and its interval."""
    requests = one.taken.requests
    found = slo.of_errors(requests, one.taken.measured if one.metrics.get("window") else select(requests))
    share, ends = found["value"], found["ci95"]
    return (None, None) if isinstance(share, Absent) else (share, None if isinstance(ends, Absent) else ends)


def no_interval(first: Side, other: Side, name: str) -> str:
    """Why a rate or a count has no interval."""
    if name in GOODPUT:
        return OVER_DURATION
    return TOO_SHORT_WINDOW if all("steady" in one.metrics for one in (first, other)) else STRESS_RATE


def row(name: str, metric: Metric, found: Difference, letter: str, paired: bool) -> dict[str, Any]:
    """A difference as plain data."""
    of_sample = name in LENGTHS or metric.unit == "ms"
    return {
        "name": name,
        "title": metric.title,
        "unit": metric.unit,
        "better": metric.better,
        "a": found.a,
        "b": found.b,
        "difference": found.absolute,
        "difference_ci95": pair(found.absolute_ci95, 1.0),
        "percent": None if found.relative is None else 100.0 * found.relative,
        "percent_ci95": pair(found.relative_ci95, 100.0),
        "significant": found.significant,
        "paired": paired and of_sample and found.absolute_ci95 is not None,
        "words": words(found, metric),
        "why": found.why or None,
    }


def pair(ends: tuple[float, float] | None, times: float) -> list[float] | None:
    return None if ends is None else [times * ends[0], times * ends[1]]


def words(found: Difference, metric: Metric) -> str:
    """The verdict: `faster by 12 % (8 to 16 %)`, `no significant difference`."""
    if found.absolute is None:
        return "not compared"
    if found.absolute == 0:
        return "equal"
    if found.significant is False:
        return "no significant difference"
    amount, ends, unit = found.relative, found.relative_ci95, " %"
    if amount is None or metric.unit == "pp" or metric in COUNTS.values():
        amount, ends, unit = found.absolute, found.absolute_ci95, f" {metric.unit}".rstrip()
    else:
        amount, ends = 100.0 * amount, None if ends is None else (100.0 * ends[0], 100.0 * ends[1])
    sure = ", no interval" if found.significant is None else "" if ends is None else f" ({reach(ends, amount)}{unit})"
    return f"{direction(found.absolute, metric)} by {size(abs(amount))}{unit}{sure}"


def direction(absolute: float, metric: Metric) -> str:
    if metric.unit == "ms" and metric.better == LOWER:
        return "slower" if absolute > 0 else "faster"
    if metric in COUNTS.values():
        return "more" if absolute > 0 else "fewer"
    return "higher" if absolute > 0 else "lower"


def reach(ends: tuple[float, float], amount: float) -> str:
    """An interval in the direction of its number, so that both ends of what is sure have no sign."""
    low, high = ends if amount > 0 else (-ends[1], -ends[0])
    return f"{size(low)} to {size(high)}"


def size(amount: float | int) -> str:
    """Two digits or so: more are never sure. Counts as they are."""
    if isinstance(amount, int) or abs(amount) >= 9.95:
        return f"{amount:,.0f}"
    return f"{amount:.1f}" if abs(amount) >= 0.95 else f"{amount:.2g}"
