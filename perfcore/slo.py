"""Service levels: objectives such as `ttft_p99<=500ms,tpot_p99<=50ms`, from text to values."""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

# Times of single requests. TTFT, TTFA and E2EL run from the time at which the request was due: what a user waits.
LATENCIES = ("ttft", "ttfa", "tpot", "itl", "e2el")
SHARES = {"error_rate": "<=", "attainment": ">="}
RATES = ("requests_per_s", "input_tokens_per_s", "output_tokens_per_s", "total_tokens_per_s")
NAMES = (*LATENCIES, *SHARES, *RATES)
ATTAINMENT = "attainment"
USUAL_SHARE = 0.99  # of requests that have to meet objectives that name no share

NS_BY_UNIT = {"us": 1e3, "ms": 1e6, "s": 1e9}
FORM = re.compile(r"\s*([A-Za-z0-9_.]+?)(?:_(mean|p\d+(?:\.\d+)?))?\s*(<=|>=|<|>|≤|≥|=)\s*(\S+?)\s*")
AMOUNT = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z%/]*)")
SIGNS = {"<": "<=", "≤": "<=", ">": ">=", "≥": ">="}


@dataclass(frozen=True)
class Objective:
    """One objective. `limit` is in ns for times, a share of 1 for error_rate and attainment, else per second."""

    metric: str
    statistic: str  # "" of single requests (or of the run, where the metric is one of runs), p99, mean
    limit: float
    text: str  # as a user would write it

    @property
    def of_requests(self) -> bool:
        """Whether a single request meets it or does not."""
        return self.metric in LATENCIES and self.statistic != "mean"

    @property
    def share(self) -> float | None:
        """Share of the requests that have to meet it, if it says so."""
        if self.metric == ATTAINMENT:
            return self.limit
        return round(float(self.statistic[1:]) / 100, 12) if self.of_requests and self.statistic else None

    @property
    def at_most(self) -> bool:
        """Whether values below the limit meet it, and not those above."""
        return self.metric not in RATES and self.metric != ATTAINMENT


class Amount(NamedTuple):
    """A limit as a value and as text."""

    value: float
    text: str


def texts(value: object) -> tuple[str, ...]:
    """Objectives in their usual spelling, from one text with commas or a list; raises ValueError in words."""
    given = list(value) if isinstance(value, (list, tuple)) else [value]
    items = [part.strip() for item in given if isinstance(item, str) for part in item.split(",")]
    if not all(isinstance(item, str) for item in given):
        raise ValueError("wants objectives such as ttft_p99<=500ms,tpot_p99<=50ms")
    found = [one(item) for item in items if item]
    refuse_conflicts(found)
    return tuple(objective.text for objective in found)


def parse(given: Iterable[str]) -> tuple[Objective, ...]:
    """Objectives of texts; raises ValueError in words.

    Where some are of single requests without a share (ttft<=500ms) and none is of their attainment, one is added: 99 %
    of the requests have to meet all of these.
    """
    found = [one(text) for text in texts(list(given))]
    if any(map(plain, found)) and not any(objective.metric == ATTAINMENT for objective in found):
        found.append(Objective(ATTAINMENT, "", USUAL_SHARE, f"{ATTAINMENT}>={USUAL_SHARE * 100:g}%"))
    return tuple(found)


def plain(objective: Objective) -> bool:
    """Whether an objective is of single requests and names no share of them."""
    return objective.of_requests and not objective.statistic


def one(text: str) -> Objective:
    """An objective of its text; raises ValueError in words."""
    found = FORM.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is no objective; write one such as ttft_p99<=500ms, in quotes for the shell")
    metric, statistic, sign, amount = found[1].lower(), found[2] or "", SIGNS.get(found[3], found[3]), found[4]
    known(metric, statistic, text)
    right = "<=" if metric in LATENCIES else SHARES.get(metric, ">=")
    if sign != right:
        raise ValueError(f"{text!r}: {metric} wants {right}, such as {metric}{right}{example(metric)}")
    limit = amount_of(metric, amount, text)
    name = f"{metric}_{statistic}" if statistic else metric
    return Objective(metric, statistic, limit.value, f"{name}{sign}{limit.text}")


def known(metric: str, statistic: str, text: str) -> None:
    """Raise ValueError for a metric or a statistic that does not exist."""
    if metric not in NAMES:
        nearest = difflib.get_close_matches(metric, NAMES, 1, cutoff=0.0)[0]
        raise ValueError(f"{text!r}: {metric!r} is not known; the nearest is {nearest!r}. There are {', '.join(NAMES)}")
    if statistic and metric not in LATENCIES:
        raise ValueError(f"{text!r}: {metric} is one number of the run; leave _{statistic} out")
    if statistic.startswith("p") and not 0 < float(statistic[1:]) < 100:
        raise ValueError(f"{text!r}: a percentile lies between p0 and p100, such as p99")


def example(metric: str) -> str:
    return "500ms" if metric in LATENCIES else "1%" if metric == "error_rate" else "99%" if metric in SHARES else "1000"


def amount_of(metric: str, amount: str, text: str) -> Amount:
    """The limit of an objective; raises ValueError where it has no unit, or a wrong one."""
    found = AMOUNT.fullmatch(amount)
    if not found:
        raise ValueError(f"{text!r}: {amount!r} is no limit; write one such as {example(metric)}")
    number, unit = float(found[1]), found[2]
    if metric in LATENCIES:
        return time_of(number, unit, text)
    if metric in SHARES:
        return share_of(number, unit, metric, text)
    if unit not in ("", "/s"):
        raise ValueError(f"{text!r}: {metric} is per second already; leave {unit!r} out")
    if number <= 0:
        raise ValueError(f"{text!r}: every run meets that; give a number above 0")
    return Amount(number, f"{number:.10g}")


def time_of(number: float, unit: str, text: str) -> Amount:
    if unit not in NS_BY_UNIT:
        what = f"{unit!r} is no unit of it" if unit else "the number has no unit"
        raise ValueError(f"{text!r}: {what}; write {number:g}ms or {number:g}s")
    if number <= 0:
        raise ValueError(f"{text!r}: nothing takes no time; give a time above 0")
    return Amount(number * NS_BY_UNIT[unit], f"{number:.10g}{unit}")


def share_of(number: float, unit: str, metric: str, text: str) -> Amount:
    if unit != "%":
        raise ValueError(f"{text!r}: the number has no unit; write a share in per cent, such as {example(metric)}")
    if not 0 < number < 100:  # that none ever fails, or all ever meet, no number of requests can show
        raise ValueError(f"{text!r}: wants a share between 0% and 100%, such as {example(metric)}")
    return Amount(number / 100, f"{number:.10g}%")


def refuse_conflicts(found: Sequence[Objective]) -> None:
    """Raise ValueError for objectives given twice, and for a share of requests of which nothing is asked."""
    names = [(objective.metric, objective.statistic) for objective in found]
    for at, objective in enumerate(found):
        if names[at] in names[:at]:
            other = found[names.index(names[at])].text
            raise ValueError(f"{other} and {objective.text} are two limits for the same; leave one of them out")
    if any(objective.metric == ATTAINMENT for objective in found) and not any(map(plain, found)):
        raise ValueError(
            "attainment is the share of requests that meet objectives such as ttft<=500ms; give one, or leave it out"
        )
