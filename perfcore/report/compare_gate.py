"""Limits for what may differ, such as `ttft_p99>+5%`, and whether a comparison keeps to them."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perfcore.errors import UserError
from perfcore.report.compare_metrics import COUNTS, METRICS, Metric
from perfcore.report.text import number

FORM = re.compile(r"\s*([A-Za-z0-9_.]+)\s*(>=|<=|>|<|≥|≤)\s*([+-])?\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z%/]*)\s*")
MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}
SCORE = "score"
SCORES = Metric("Score", "", "pp", "higher")
HOLDS, KEPT, UNDECIDED = "holds", "kept", "undecided"
EXIT = {HOLDS: 1, UNDECIDED: 3}


@dataclass(frozen=True)
class Limit:
    """A difference from which on a comparison fails: above or below it, relative (a share of 1) or in the unit."""

    metric: str
    above: bool
    relative: bool
    amount: float
    text: str


def parse(text: str) -> Limit:
    """A limit of its text; raises UserError in words."""
    found = FORM.fullmatch(text)
    place = f"--fail-if {text!r}"
    if not found:
        raise UserError(
            f"{place} is no limit; write one such as 'ttft_p99>+5%' or 'errors>+0', in quotes for the shell"
        )
    name, sign, plus, figure, unit = found.groups()
    metric = known(name.replace("p99.9", "p99_9").lower(), place)
    if plus is None:
        raise UserError(
            f"{place}: is {figure}{unit} more or less than the first run? Write {name}{sign}+{figure}{unit} or "
            f"{name}{sign}-{figure}{unit}; a limit for a single run is one of --slo"
        )
    amount = float(plus + figure)
    kept = METRICS.get(metric, SCORES)
    relative = unit == "%" and kept.unit != "pp"
    return Limit(metric, sign in (">", ">=", "≥"), relative, amount * scale(kept, metric, unit, place), text.strip())


def known(name: str, place: str) -> str:
    """The name of a metric; raises UserError for none."""
    if name in METRICS or name == SCORE:
        return name
    nearest = difflib.get_close_matches(name, [*METRICS, SCORE], 1, cutoff=0.0)[0]
    if f"{name}_p99" in METRICS:
        raise UserError(f"{place}: {name} of what? Write {name}_mean, {name}_p50, {name}_p99 or the like")
    raise UserError(f"{place}: there is no metric {name!r}; the nearest is {nearest!r} (docs/compare.md lists all)")


def scale(metric: Metric, name: str, unit: str, place: str) -> float:
    """What a limit is multiplied by; raises UserError for a unit that the metric does not have."""
    if metric.unit == "pp":
        if unit != "pp":
            raise UserError(f"{place}: {name} is a share; write percentage points, such as {name}>+1pp")
        return 1.0
    if unit == "%":
        return 0.01
    if metric.unit == "ms":
        if unit not in MS:
            raise UserError(f"{place}: wants a unit: % of the first run, or us, ms, s")
        return MS[unit]
    if unit not in ("", "/s") or (unit == "/s" and metric.unit != "/s"):
        raise UserError(f"{place}: {unit!r} is no unit of {name}; write % of the first run, or a plain number")
    return 1.0


def judge(limits: Sequence[Limit], comparison: Mapping[str, Any], significant: bool) -> Iterator[dict[str, Any]]:
    """What each limit says of one run against the first; `significant`: the whole interval has to be beyond it."""
    rows = {one["name"]: one for one in comparison["rows"]}
    for limit in limits:
        if limit.metric == SCORE:
            found = [one for name, one in rows.items() if name.startswith(f"{SCORE}:")]
        else:
            found = [rows[limit.metric]] if limit.metric in rows else []
        absent = comparison["absent"].get(limit.metric, "neither run has it")
        for one in found or [None]:
            verdict, words = verdict_of(limit, one, significant, absent)
            yield {
                "limit": limit.text,
                "metric": one["name"] if one else limit.metric,
                "b": comparison["b"],
                "verdict": verdict,
                "words": words,
            }


def unmet(limits: Sequence[Limit], missing: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    """What each limit says of points that the first sweep has and another has not: nothing, so that none may pass."""
    for one in missing:
        for limit in limits:
            told = {"limit": limit.text, "metric": limit.metric, "verdict": UNDECIDED}
            yield told | {"words": f"{one['b']} has no run of it", **one}


def verdict_of(limit: Limit, row: Mapping[str, Any] | None, significant: bool, absent: str) -> tuple[str, str]:
    """Whether a limit is passed, kept, or cannot be decided, and why."""
    if row is None or row["difference"] is None:
        return UNDECIDED, (row and row["why"]) or absent
    reached, ends = row["difference"], row["difference_ci95"]
    if limit.relative:  # a share of the first run's value, which may be 0
        reached, ends = (
            (row["b"] - limit_of(limit, row), None)
            if row["percent"] is None
            else (row["percent"] / 100, row["percent_ci95"])
        )
        ends = ends and [end / 100 for end in ends]
    edge = 0.0 if limit.relative and row["percent"] is None else limit.amount
    told = f"{row['title']} {number(row['a'])} to {number(row['b'])}: {row['words']}"
    if not significant or row["name"] in COUNTS:
        return (HOLDS if beyond(limit, reached, edge) else KEPT), told
    if ends is None:
        return UNDECIDED, f"{told}; {row['why'] or 'there is no interval'}"
    return (HOLDS if beyond(limit, ends[0] if limit.above else ends[1], edge) else KEPT), told


def limit_of(limit: Limit, row: Mapping[str, Any]) -> float:
    return float(row["a"] * (1 + limit.amount))


def beyond(limit: Limit, reached: float, edge: float) -> bool:
    return reached > edge if limit.above else reached < edge


def exit_code(gates: Sequence[Mapping[str, Any]]) -> int:
    """1 where a limit is passed, else 3 where one cannot be decided, else 0."""
    verdicts = {one["verdict"] for one in gates}
    return next((EXIT[verdict] for verdict in (HOLDS, UNDECIDED) if verdict in verdicts), 0)
