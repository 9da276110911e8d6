"""Runs side by side that may have been repeated: each side against the first.

Where both sides have two runs or more, a run is one value and the interval is that of how runs differ
(perfcore/analysis/repeats.py). Otherwise it is that of the requests of two runs (perfcore/report/compare.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from perfcore.analysis import comparison, pairing, repeats
from perfcore.analysis.comparison import Difference
from perfcore.report import compare, compare_setup
from perfcore.report.compare import Side
from perfcore.report.compare_metrics import COUNTS, METRICS, Metric
from perfcore.report.layout import pick

Group = Sequence[Side]  # the runs of one side, the first of which stands for it where one has to

VARIED = {"seed"}  # options that runs of the same kind may well have different
SINGLE = (
    "Intervals are of the requests of single runs: whatever differs between any two runs of the same is in the "
    "differences and not in the intervals. Repeated runs show it: --with A=RUN --with B=RUN, or sweeps with "
    "--concurrency 8,8,8."
)
EACH = "each run is one value, of all its own requests"


def compared(groups: Sequence[Group]) -> dict[str, Any]:
    """All sides against the first: docs/compare.md has the keys."""
    comparisons = [against(groups[0], other) for other in groups[1:]]
    return {
        "schema": compare.SCHEMA,
        "runs": [compare.told(own[0]) | {"repeats": [compare.told(one) for one in own[1:]]} for own in groups],
        "setup": setup(groups),
        "comparisons": comparisons,
        "note": SINGLE if any(one["repeats"] is None for one in comparisons) else None,
    }


def repeated(first: Group, other: Group) -> bool:
    return min(len(first), len(other)) >= repeats.FEWEST_RUNS


def setup(groups: Sequence[Group]) -> dict[str, Any]:
    """What the configurations of the sides have different, and warnings, those of repeats among them."""
    found = compare.setup([own[0] for own in groups])
    for own in groups:
        found["warnings"] += [text for one in own[1:] for text in unlike(own[0], one)]
    for other in groups[1:]:
        if not repeated(groups[0], other) and len(groups[0]) + len(other) > 2:
            found["warnings"].append(unequal(groups[0], other))
    return found


def unlike(first: Side, again: Side) -> Iterator[str]:
    """What keeps a run from being a repeat of another, and what puts its own numbers in doubt."""
    facts = [compare.facts(one) for one in (first, again)]
    found = [one["key"] for one in compare_setup.differences(facts) if one["matters"] and one["key"] not in VARIED]
    if found:
        yield f"{again.letter} is no repeat of {first.letter}: they differ in {', '.join(found)}."
    yield from compare_setup.of_one(facts[1])


def unequal(first: Group, other: Group) -> str:
    several, single = (first, other) if len(first) > len(other) else (other, first)
    return (
        f"{several[0].letter} has {len(several)} runs and {single[0].letter} one: only the first of them is compared; "
        "how much runs differ is known from two of each side on."
    )


def against(first: Group, other: Group) -> dict[str, Any]:
    """Every metric of a side against the first."""
    if not repeated(first, other):
        a, b = first[0], other[0]
        found = compare.against(a, b, pairing.pairs(a.taken, b.taken, a.prompts, b.prompts))
        return found | {"repeats": None}
    rows = [
        compare.row(name, metric, difference(first, other, name, metric), other[0].letter, False)
        for name, metric in METRICS.items()
    ]
    sides = {"a": first[0].letter, "b": other[0].letter, "paired": False, "pairs": 0, "words": EACH}
    return sides | compare.listed(rows) | {"repeats": {"a": len(first), "b": len(other)}}


def difference(first: Group, other: Group, name: str, metric: Metric) -> Difference:
    """Of one metric, over the runs of each side; not compared where any run has none."""
    sides = [[value(one, name, metric) for one in own] for own in (first, other)]
    known = [[one for one in values if one is not None] for values in sides]
    means = [
        sum(kept) / len(kept) if len(kept) == len(values) else None for kept, values in zip(known, sides, strict=True)
    ]
    if None in means:
        why = (
            f"{one.letter} has none ({compare.reason(one, metric.key)})"
            for own, values in zip((first, other), sides, strict=True)
            for one, found in zip(own, values, strict=True)
            if found is None
        )
        return comparison.plain(means[0], means[1], "; ".join(why))
    if name in COUNTS:
        return comparison.plain(means[0], means[1], compare.COUNTED)
    return repeats.of_runs(known[0], known[1])


def value(one: Side, name: str, metric: Metric) -> float | None:
    """What a run has of a metric, shares in percentage points."""
    found = compare.error_rate(one)[0] if name == "error_rate" else pick(one.metrics, metric.key)
    return None if found is None else (100.0 if metric.unit == "pp" else 1.0) * found


def in_head(one: Mapping[str, Any]) -> str:
    """What the head of a table says of repeated runs; "" of single ones."""
    runs = one["repeats"]
    return f", means of {runs['b']} and {runs['a']} runs (Welch's t)" if runs else ""
