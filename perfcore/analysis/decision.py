"""A load's measurements, one or several of growing length, judged together: meets, fails, too little load, undecided.

What is read is metrics.json of each run. Shares are pooled as counts; means and throughputs by how many independent
values each rests on.

A load is decided by 98 % intervals and not by those of 95 % that are shown: a search takes a dozen decisions, some of
them up to three times, and it is the answer that is to hold in 95 % of all searches (tests/test_tune_search.py).
"""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

from perfcore.analysis.absent import Absent
from perfcore.analysis.search import SHORT
from perfcore.analysis.slo import FAILS, MEETS, UNDECIDED, verdict
from perfcore.analysis.steady.intervals import Interval, wilson
from perfcore.slo import RATES, Objective

CLIENT, ERRORS, QUEUE, DECODE, UNSTEADY, OBJECTIVE = "client", "errors", "queue", "decode", "unsteady", "objective"
CLIENT_LIMITED = "client limited"
STEADY = "steady"
WIDER = NormalDist().inv_cdf(0.99) / NormalDist().inv_cdf(0.975)  # a 98 % interval against one of 95 %
# What a limit on each of these says of the server; a limit on E2EL may be either.
BY_METRIC = {"ttft": QUEUE, "ttfa": QUEUE, "tpot": DECODE, "itl": DECODE, "error_rate": ERRORS}

Metrics = Mapping[str, Any]


class Limit(NamedTuple):
    """What kept a load from meeting: a kind, the objective if it was one, and a sentence."""

    kind: str
    objective: str | None
    what: str


class Decision(NamedTuple):
    """The judgement of a load; `objectives` are the pooled entries of `goodput`."""

    kind: str
    limit: Limit | None
    objectives: list[dict[str, Any]]


def decide(runs: Sequence[Metrics], objectives: Sequence[Objective], last: bool) -> Decision:
    """Judge the runs of one load, the longest last. `last`: no longer one follows.

    A run that the client limited says nothing of the server: a longer one may, and if that one is limited too the load
    is one that this client cannot give. What has met in a run that was not steady has not met. Without a window nothing
    fails until the last run.
    """
    entries = [pooled(objective, found) for objective, found in zip(objectives, by_objective(runs), strict=True)]
    newest = runs[-1]
    if pick(newest, "validity", "verdict") == CLIENT_LIMITED:
        return Decision(FAILS if last else UNDECIDED, Limit(CLIENT, None, why_client(newest)), entries)
    missed = [at for at, found in enumerate(entries) if found["verdict"] == FAILS]
    over = [at for at in missed if objectives[at].metric not in RATES]
    if over and (last or has_window(newest)):
        worst = max(over, key=lambda at: distance(entries[at]))
        return Decision(FAILS, limit_of(objectives[worst], entries[worst], newest), entries)
    if missed and not over:
        return Decision(SHORT, limit_of(objectives[missed[0]], entries[missed[0]], newest), entries)
    unsure = [at for at, found in enumerate(entries) if found["verdict"] in (UNDECIDED, FAILS)]
    if unsure:
        return Decision(UNDECIDED, limit_of(objectives[unsure[0]], entries[unsure[0]], newest), entries)
    if pick(newest, "steady", "verdict") not in (None, STEADY):
        return Decision(UNDECIDED, Limit(UNSTEADY, None, why_unsteady(newest)), entries)
    return Decision(MEETS, None, entries)


def by_objective(runs: Sequence[Metrics]) -> list[list[dict[str, Any]]]:
    """The entries of all runs, objective by objective."""
    return [list(found) for found in zip(*(run["goodput"]["objectives"] for run in runs), strict=True)]


def pooled(objective: Objective, entries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One entry of those of several runs; `decided_by` is the interval that its verdict comes from."""
    known = [found for found in entries if found["value"] is not None]
    if not known:
        return dict(entries[-1]) | {"verdict": UNDECIDED}
    found = shares(known) if "good" in known[0] else means(known)
    return dict(known[-1]) | found | {"verdict": verdict(objective, found["value"], found["decided_by"])}


def shares(known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Share of the requests of several runs. Wilson's interval depends on n / z^2: a wider one is that of fewer."""
    good, judged = sum(found["good"] for found in known), sum(found["judged"] for found in known)
    effective = sum(found["effective_n"] for found in known)
    return {
        "value": good / judged,
        "good": good,
        "judged": judged,
        "effective_n": effective,
        "ci95": ends(wilson(good, judged, effective)),
        "decided_by": ends(wilson(good, judged, effective / WIDER**2)),
    }


def ends(interval: Interval | Absent) -> list[float] | None:
    return None if isinstance(interval, Absent) else [interval.low, interval.high]


def means(known: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean of several runs, weighted by the inverse square of how wide the interval of each is."""
    sure = [found for found in known if found["ci95"] is not None]
    if not sure:
        return {"value": known[-1]["value"], "ci95": None, "decided_by": None}
    reach = [(found["ci95"][1] - found["ci95"][0]) / 2 for found in sure]
    if min(reach) <= 0:
        return {"value": sure[-1]["value"], "ci95": sure[-1]["ci95"], "decided_by": sure[-1]["ci95"]}
    weights = [1 / width**2 for width in reach]
    mean = sum(weight * found["value"] for weight, found in zip(weights, sure, strict=True)) / sum(weights)
    half = sum(weights) ** -0.5
    return {
        "value": mean,
        "ci95": [mean - half, mean + half],
        "decided_by": [mean - WIDER * half, mean + WIDER * half],
    }


def has_window(metrics: Metrics) -> bool:
    """Whether a run has a window; one that knows of none, as of `stress`, counts as a whole."""
    return "window" not in metrics or bool(metrics["window"])


def distance(entry: Mapping[str, Any]) -> float:
    """By how much an objective is missed: of shares those of requests that should not have missed it."""
    asked = entry["share"] if entry["share"] is not None else entry["limit"]
    if entry["share"] is not None:
        return float((1 - entry["value"]) / (1 - asked))
    return float(entry["value"] / asked)


def limit_of(objective: Objective, entry: Mapping[str, Any], metrics: Metrics) -> Limit:
    """What stands behind an objective that is missed, or not decided."""
    kind = BY_METRIC.get(objective.metric, OBJECTIVE)
    failed = mostly_failed(entry, metrics)
    if failed is not None:
        return Limit(
            ERRORS, objective.text, f"{100 * failed:.1f} % of the requests failed, and those meet no objective"
        )
    return Limit(kind, objective.text, shown(entry))


def mostly_failed(entry: Mapping[str, Any], metrics: Metrics) -> float | None:
    """Share of failed requests, where most of those that miss an objective do so because they failed."""
    total, failed = pick(metrics, "requests", "total"), pick(metrics, "requests", "failed")
    if entry["share"] is None or not total or not failed or entry["value"] is None:
        return None
    return failed / total if failed / total > (1 - entry["value"]) / 2 else None


def shown(entry: Mapping[str, Any]) -> str:
    """An objective and what was found, in words."""
    name, value, ci95 = entry["objective"], entry["value"], entry["ci95"]
    if value is None:
        return f"{name}: nothing was measured of it"
    if entry["share"] is not None:
        sure = f" (95 % interval {100 * ci95[0]:.2f} to {100 * ci95[1]:.2f} %)" if ci95 else ""
        must = f"{100 * entry['share']:.6g} % of them must"
        return f"{name}: {100 * value:.2f} % of {entry['judged']:,} requests met it{sure}, and {must}"
    return f"{name}: {value:.4g}" + (f" (95 % interval {ci95[0]:.4g} to {ci95[1]:.4g})" if ci95 else "")


def why_client(metrics: Metrics) -> str:
    """The certificate's first reason of this level, with its remedy."""
    reasons = pick(metrics, "validity", "reasons") or []
    own = [reason for reason in reasons if reason.get("level") == CLIENT_LIMITED]
    return f"this client was the limit: {own[0]['what'].rstrip('.')}. {own[0]['remedy']}" if own else CLIENT_LIMITED


def why_unsteady(metrics: Metrics) -> str:
    reasons = pick(metrics, "steady", "reasons") or []
    return f"the load was not steady: {reasons[0]['what']}" if reasons else "the load was not steady"


def pick(metrics: Metrics, *keys: str) -> Any:
    """Value below these keys, None where any is missing."""
    found: Any = metrics
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def grown(before: Metrics, after: Metrics) -> str:
    """How TTFT and TPOT went from one load to a larger one, in words; empty where neither run tells."""
    told = []
    for name, key in (("TTFT", "ttft_from_intended_ms"), ("TPOT", "tpot_ms")):
        old, new = (pick(metrics, "latency", key, "mean") for metrics in (before, after))
        if old is not None and new is not None:
            told.append(f"mean {name} went from {old:.4g} to {new:.4g} ms")
    return " and ".join(told)


def side_of(before: Metrics, after: Metrics) -> str:
    """Whether requests wait longer before their first token (queue) or between tokens (decode), by what grew more."""
    first = difference(before, after, "ttft_from_intended_ms")
    whole = difference(before, after, "e2el_from_intended_ms")
    if first is None or whole is None or whole <= 0:
        return OBJECTIVE
    return QUEUE if first > whole / 2 else DECODE


def difference(before: Metrics, after: Metrics, key: str) -> float | None:
    old, new = (pick(metrics, "latency", key, "mean") for metrics in (before, after))
    return None if old is None or new is None else float(new - old)
