"""Service levels of a run: which requests met their objectives, how many a second, and how sure that is.

Goodput counts the requests that meet every objective of requests; a percentile objective (ttft_p99<=500ms) asks each
request for its own value (TTFT at most 500 ms) and the run for the share that its name says (99 %). TTFT, TTFA and E2EL
run from the time at which the first attempt was due, as that is what a user waited. A failed request meets nothing. A
successful one without a value (TPOT of an answer of one token) is not judged by that objective, and counted apart.

The interval of a share is Wilson's. Neighbouring requests wait in the same queue, so it is made for as many independent
requests as the batch means of "met" say there are (perfcore/analysis/steady/intervals.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import counts, latency
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Measured
from perfcore.analysis.steady.intervals import Interval, mean_interval, wilson
from perfcore.slo import ATTAINMENT, LATENCIES, RATES, Objective, plain
from perfcore.types import Requests

MEETS, FAILS, UNDECIDED = "meets", "fails", "undecided"
NS_PER_MS = 1e6
NONE_MEASURED = "no measured request was recorded"
# Which latency of metrics.json says why a metric has no value.
KEYS = {
    "ttft": "ttft_from_intended_ms",
    "ttfa": "ttfa_from_intended_ms",
    "tpot": "tpot_ms",
    "itl": "itl_ms",
    "e2el": "e2el_from_intended_ms",
}

Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Judged(NamedTuple):
    """Of each measured request, in the order of `Measured`: whether it met an objective, and whether it is judged."""

    met: Flags
    judged: Flags


def goodput(
    requests: Requests,
    measured: Measured,
    objectives: Sequence[Objective],
    window_s: float | Absent,
    throughput: Mapping[str, Any] | None = None,
    intervals: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of `goodput` in metrics.json; docs/slo.md lists its keys.

    `measured`: the requests that count, of a steady run those due in its window; `window_s`: what rates are divided
    by. `throughput` and `intervals` hold, by key, the throughputs of the run and their 95 % intervals as pairs, for
    objectives that ask for them.
    """
    each = {objective: judge(requests, measured, objective) for objective in objectives if objective.of_requests}
    due = requests.due_ns[measured.first]
    entries = [
        entry(objective, requests, measured, each, throughput or {}, intervals or {}) for objective in objectives
    ]
    together = joint(each.values(), measured)
    return {
        **rates(requests, measured, together, window_s),
        **attained(together, due),
        "objectives": entries,
        "verdict": overall([one["verdict"] for one in entries]),
    }


def judge(requests: Requests, measured: Measured, objective: Objective) -> Judged | Absent:
    """Which requests met an objective; Absent where requests succeeded and none of them has a value."""
    if measured.last.size == 0:
        return Absent(NONE_MEASURED)
    values = values_ns(requests, measured, objective.metric)
    known = ~np.isnan(values)
    if measured.ok.any() and not known.any():
        return Absent(
            f"{objective.text} cannot be judged: {latency.missing(KEYS[objective.metric], requests, measured)}"
        )
    met = known & (np.where(known, values, np.inf) <= objective.limit)
    return Judged(met, known | ~measured.ok)


def values_ns(requests: Requests, measured: Measured, metric: str) -> Floats:
    """A latency of each measured request in ns, NaN for failed ones and where there is none.

    ITL of a request is the mean gap between its token events.
    """
    rows = measured.last
    due = np.where(requests.due_ns[measured.first] >= 0, requests.due_ns[measured.first], np.nan)
    streamed = requests.streamed[rows]
    first, answer = stamped(requests.first_token_ns[rows], streamed), stamped(requests.first_answer_ns[rows], streamed)
    whole = np.where(streamed, requests.last_output_ns[rows], requests.end_ns[rows])
    output = stamped(whole, whole >= 0)
    made = requests.output_tokens[rows].astype(np.float64)
    events = np.where(streamed, requests.token_events[rows], 0).astype(np.float64)
    found = {
        "ttft": lambda: first - due,
        "ttfa": lambda: answer - due,
        "e2el": lambda: output - due,
        "tpot": lambda: (output - first) / np.where(made > 1, made - 1, np.nan),
        "itl": lambda: (requests.last_token_ns[rows] - first) / np.where(events > 1, events - 1, np.nan),
    }[metric]()
    return np.where(measured.ok, found, np.nan)


def stamped(times: NDArray[np.int64], where: Flags) -> Floats:
    """Times as floats, NaN where they are absent or not wanted. 2^53 ns are 104 days of uptime: 1 ns is lost then."""
    return np.where(where & (times >= 0), times, np.nan)


def joint(each: Any, measured: Measured) -> Judged | Absent:
    """Requests that met all objectives; one that missed any is judged, whatever the others would say."""
    found = list(each)
    unknown = [one for one in found if isinstance(one, Absent)]
    if unknown:
        return unknown[0]
    if not found:
        return Absent("no objective is of single requests")
    missed = np.logical_or.reduce([one.judged & ~one.met for one in found])
    judged = missed | np.logical_and.reduce([one.judged for one in found])
    return Judged(judged & ~missed, judged)


def rates(
    requests: Requests, measured: Measured, together: Judged | Absent, window_s: float | Absent
) -> dict[str, Any]:
    """Requests and output tokens per second that met every objective."""
    keys = ("requests_per_s", "output_tokens_per_s")
    why = together if isinstance(together, Absent) else window_s
    if isinstance(why, Absent) or isinstance(together, Absent) or isinstance(window_s, Absent):
        return dict.fromkeys(keys, why)
    rows = measured.last[together.met]
    tokens = counts.output_tokens(requests, rows)
    known = tokens[tokens >= 0]
    if rows.size and not known.size:
        return {keys[0]: rows.size / window_s, keys[1]: Absent(counts.NOT_REPORTED)}
    return {keys[0]: rows.size / window_s, keys[1]: float(known.sum()) / window_s}


def attained(judged: Judged | Absent, due_ns: NDArray[np.int64]) -> dict[str, Any]:
    """How many requests met, of how many, how many are not judged, the share, its interval, and what it rests on."""
    if isinstance(judged, Absent):
        names = ("good", "judged", "not_judged", ATTAINMENT, "attainment_ci95", "effective_n")
        return dict.fromkeys(names, judged)
    met, n = int(judged.met.sum()), int(judged.judged.sum())
    told = {"good": met, "judged": n, "not_judged": int((~judged.judged).sum())}
    if n == 0:
        return told | dict.fromkeys((ATTAINMENT, "attainment_ci95", "effective_n"), Absent("no request is judged"))
    effective = effective_of(judged.met[judged.judged], due_ns[judged.judged])
    share = wilson(met, n, effective)
    return told | {ATTAINMENT: met / n, "attainment_ci95": pair(share), "effective_n": effective}


def effective_of(met: Flags, due_ns: NDArray[np.int64]) -> float:
    """How many independent requests say as much as these correlated ones."""
    found = mean_interval(met.astype(np.float64), due_ns)
    return float(met.size) if isinstance(found, Absent) else min(max(found.effective_n, 1.0), float(met.size))


def pair(found: Interval | Absent) -> list[float] | Absent:
    return found if isinstance(found, Absent) else [found.low, found.high]


def entry(
    objective: Objective,
    requests: Requests,
    measured: Measured,
    each: Mapping[Objective, Judged | Absent],
    throughput: Mapping[str, Any],
    intervals: Mapping[str, Any],
) -> dict[str, Any]:
    """One objective: what was asked for, what was found, its interval, and whether the run meets it."""
    if objective.metric in RATES:
        found = of_rate(throughput.get(objective.metric), intervals.get(objective.metric))
    elif objective.metric == "error_rate":
        found = of_errors(requests, measured)
    elif objective.metric == ATTAINMENT:
        found = of_share(joint((judged for one, judged in each.items() if plain(one)), measured), requests, measured)
    elif objective.of_requests:
        found = of_share(each[objective], requests, measured) | {"at": at(objective, requests, measured)}
    else:
        found = of_mean(values_ns(requests, measured, objective.metric), objective, requests, measured)
    limit = objective.limit / NS_PER_MS if objective.metric in LATENCIES else objective.limit
    asked = {"objective": objective.text, "limit": limit, "share": objective.share}
    return asked | found | {"verdict": verdict(objective, found["value"], found["ci95"])}


def of_share(judged: Judged | Absent, requests: Requests, measured: Measured) -> dict[str, Any]:
    """Value and interval of the share of requests that met."""
    found = attained(judged, requests.due_ns[measured.first])
    return {
        "value": found[ATTAINMENT],
        "ci95": found["attainment_ci95"],
        **{key: found[key] for key in ("good", "judged", "not_judged", "effective_n")},
    }


def at(objective: Objective, requests: Requests, measured: Measured) -> float | Absent:
    """The percentile that an objective names (one without: the 99th) of the successful requests, in ms."""
    values = values_ns(requests, measured, objective.metric)
    values = values[~np.isnan(values)]
    if values.size == 0:
        return Absent(latency.missing(KEYS[objective.metric], requests, measured))
    return float(np.percentile(values, 100 * (objective.share or 0.99))) / NS_PER_MS


def of_mean(values: Floats, objective: Objective, requests: Requests, measured: Measured) -> dict[str, Any]:
    """Mean in ms of the successful requests, and its interval by batch means."""
    known = ~np.isnan(values)
    if not known.any():
        why = Absent(latency.missing(KEYS[objective.metric], requests, measured))
        return {"value": why, "ci95": why, "judged": 0, "effective_n": why}
    found = mean_interval(values[known] / NS_PER_MS, requests.due_ns[measured.first][known])
    effective = found if isinstance(found, Absent) else found.effective_n
    mean = float(values[known].mean()) / NS_PER_MS
    return {"value": mean, "ci95": pair(found), "judged": int(known.sum()), "effective_n": effective}


def of_errors(requests: Requests, measured: Measured) -> dict[str, Any]:
    """Share of failed requests."""
    n = int(measured.last.size)
    if n == 0:
        why = Absent(NONE_MEASURED)
        return {"value": why, "ci95": why, "good": 0, "judged": 0, "effective_n": why}
    failed = int((~measured.ok).sum())
    effective = effective_of(~measured.ok, requests.due_ns[measured.first])
    ci95 = pair(wilson(failed, n, effective))
    return {"value": failed / n, "ci95": ci95, "good": failed, "judged": n, "effective_n": effective}


def of_rate(value: Any, interval: Any) -> dict[str, Any]:
    """A throughput as the run has it."""
    missing = Absent("the run has no such throughput") if value is None else value
    known = not isinstance(value, Absent) and value is not None
    ci95 = list(interval) if known and interval is not None and not isinstance(interval, Absent) else None
    return {
        "value": value if known else missing,
        "ci95": ci95 if ci95 else Absent("the run does not say how sure its throughput is"),
    }


def verdict(objective: Objective, value: Any, ci95: Any) -> str | None:
    """Meets where the whole interval does, fails where none of it does, else undecided.

    None for an objective of single requests without a share: all of these are judged together, as attainment.
    """
    if plain(objective):
        return None
    if isinstance(value, Absent) or isinstance(ci95, Absent) or value is None or ci95 is None:
        return UNDECIDED
    limit = objective.share if objective.share is not None else objective.limit
    limit = limit / NS_PER_MS if objective.statistic == "mean" else limit
    low, high = ci95
    at_least = objective.share is not None or not objective.at_most
    if low > limit or high < limit:
        return MEETS if (low > limit) == at_least else FAILS
    return UNDECIDED


def overall(verdicts: Sequence[str | None]) -> str:
    """Fails if any does, meets if all do."""
    return FAILS if FAILS in verdicts else UNDECIDED if UNDECIDED in verdicts else MEETS
