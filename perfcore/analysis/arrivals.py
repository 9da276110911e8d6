"""Arrivals of an open loop: those that were asked for, those that were planned, and those that happened.

Gaps are judged on the clock of the rate (perfcore/pace.py): each is divided by the mean gap that was asked for at its
time, so that those of a ramp have the distribution of their law too.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import notes as told
from perfcore.analysis import stats
from perfcore.analysis.absent import Absent
from perfcore.analysis.measured import Measured
from perfcore.analysis.notes import Notes
from perfcore.pace import NS, Arrivals, Floats, Pace, pace, passed
from perfcore.types import Requests

NS_PER_MS = 1e6
STEPS = 100  # of a series over time, at most
PER_STEP = 20  # requests of a step, at least, or its rate would be all noise
GRID = 20_001
CRITICAL = 1.63  # of Kolmogorov and Smirnov's distance times the root of the sample, at the level of 1 %
CLOSED_LOOP = "closed loop: the answers set the rate"
TOO_FEW = "fewer than three requests were sent"

Share = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Seen:
    """First attempts of an open loop, in the order of their due times; times in seconds from its start."""

    arrivals: Arrivals
    pace: Pace | None  # None for a burst and a replay
    due_s: Floats
    sent_s: Floats  # of the same requests


def observe(requests: Requests, measured: Measured, notes: Notes) -> Seen | Absent:
    """What there is to be seen of the arrivals; Absent for a closed loop, and where nothing was sent.

    Later turns of a conversation are left out: their answers decide when they are due.
    """
    phase = told.measured_phase(notes)
    arrivals = of_note(phase)
    if arrivals is None:
        return Absent(CLOSED_LOOP if phase else told.KILLED)
    rows = measured.first[requests.turn[measured.first] == 0]
    rows = rows[(requests.due_ns[rows] >= 0) & (requests.sent_ns[rows] >= 0)]
    rows = rows[np.argsort(requests.due_ns[rows], kind="stable")]
    if rows.size < 3:
        return Absent(TOO_FEW)
    due_ns, sent_ns = requests.due_ns[rows], requests.sent_ns[rows]
    start_ns = min(phase.get("start_ns") or due_ns[0], due_ns[0])
    count = (phase.get("arrivals") or {}).get("count") or rows.size
    return Seen(arrivals, pace(arrivals, count), (due_ns - start_ns) / NS, (sent_ns - start_ns) / NS)


def of_note(phase: dict[str, Any]) -> Arrivals | None:
    """Arrivals that a note tells of, or None in a closed loop. Runs that tell only a rate had even gaps."""
    given = phase.get("arrivals")
    if given:
        return Arrivals(**{field.name: given[field.name] for field in fields(Arrivals) if field.name in given})
    return Arrivals("constant", phase["rate"]) if phase.get("rate") else None


def compare(requests: Requests, measured: Measured, notes: Notes) -> dict[str, Any] | Absent:
    """The key `arrivals` of metrics.json: rates, gaps and slip as asked, planned and sent, over time, and in words."""
    seen = observe(requests, measured, notes)
    if isinstance(seen, Absent):
        return seen
    found: dict[str, Any] = {
        "law": seen.arrivals.law,
        "asked_per_s": asked_per_s(seen),
        "planned_per_s": per_s(seen.due_s),
        "sent_per_s": per_s(seen.sent_s),
        "gaps": gaps(seen),
        "over_time": over_time(seen),
    }
    return found | {"words": words(seen, found)}


def asked_per_s(seen: Seen) -> float | Absent:
    """Mean rate that was asked for until the last request was due."""
    if seen.pace is None:
        return Absent(f"a {seen.arrivals.law} has no rate of its own")
    if seen.due_s[-1] <= 0:
        return Absent("all requests were due at once")
    return float(passed(seen.pace, seen.due_s[-1:])[0] / seen.due_s[-1])


def per_s(times_s: Floats) -> float | Absent:
    """Gaps between the first and the last time, over the time between them."""
    span_s = float(times_s.max() - times_s.min())
    return (times_s.size - 1) / span_s if span_s > 0 else Absent("all at once")


def unit_gaps(seen: Seen, times_s: Floats) -> Floats:
    """Gaps between times in units of the mean gap that was asked for; in seconds where no rate was."""
    ordered = np.sort(times_s)
    return np.diff(ordered if seen.pace is None else passed(seen.pace, ordered))


def gaps(seen: Seen) -> dict[str, Any]:
    """Coefficient of variation of the gaps (0 even, 1 Poisson), and how far their distribution is from the law's.

    `distance` is Kolmogorov and Smirnov's, the largest difference between two shares. Gaps of the law itself stay below
    `distance_limit` in 99 of 100 runs.
    """
    planned, sent = unit_gaps(seen, seen.due_s), unit_gaps(seen, seen.sent_s)
    share = law_share(seen.arrivals)
    rounding = 0.0 if seen.pace is None else float(seen.pace.rates.max()) / NS
    none = Absent(f"{seen.arrivals.law} arrivals draw no gaps")
    return {
        "law_cv": law_cv(seen.arrivals),
        "planned_cv": variation(planned),
        "sent_cv": variation(sent),
        "planned_distance": none if share is None else distance(planned, share, rounding),
        "sent_distance": none if share is None else distance(sent, share, rounding),
        "distance_limit": none if share is None else CRITICAL / math.sqrt(planned.size),
    }


def variation(sample: Floats) -> float | Absent:
    """Standard deviation over mean."""
    mean = float(sample.mean())
    return float(sample.std()) / mean if mean > 0 else Absent("all at once")


def law_cv(arrivals: Arrivals) -> float | Absent:
    """What the law has as standard deviation of its gaps over their mean."""
    if arrivals.law == "gamma":
        return arrivals.burstiness**-0.5 if arrivals.burstiness > 0 else 0.0
    known = {"constant": 0.0, "poisson": 1.0, "uniform": 3**-0.5}
    return known[arrivals.law] if arrivals.law in known else Absent(f"a {arrivals.law} has no law of gaps")


def law_share(arrivals: Arrivals) -> Share | None:
    """Share of gaps, of mean 1, that are at most so long; None where they are all the same, or not drawn."""
    if arrivals.law == "poisson":
        return lambda x: -np.expm1(-x)
    if arrivals.law == "uniform":
        return lambda x: np.clip(x / 2, 0, 1)
    if arrivals.law == "gamma" and arrivals.burstiness > 0:
        return lambda x: gamma_share(arrivals.burstiness, x)
    return None


def gamma_share(shape: float, x: Floats) -> Floats:
    """Distribution of a gamma variable of mean 1, by integrating its density; right to 4 digits.

    Below a shape of 1 the density has a pole, which the variable t = (shape x)^shape takes away.
    """
    if shape < 1:
        grid = np.linspace(0, 60**shape, GRID)
        return integral(grid, np.exp(-(grid ** (1 / shape))), (shape * np.maximum(x, 0)) ** shape)
    width = 12 / math.sqrt(shape)
    grid = np.linspace(max(1e-300, 1 - width), 1 + width + 40 / shape, GRID)
    scale = shape * math.log(shape) - math.lgamma(shape)
    return integral(grid, np.exp((shape - 1) * np.log(grid) - shape * grid + scale), x)


def integral(grid: Floats, density: Floats, x: Floats) -> Floats:
    """Share of a density that lies below each x."""
    sums = np.concatenate(([0.0], np.cumsum(density[1:] + density[:-1])))
    found: Floats = np.interp(x, grid, sums / sums[-1])
    return found


def distance(sample: Floats, share: Share, rounding: float = 0.0) -> float:
    """Largest difference between the shares of a sample and those of a distribution.

    What a value lost or won by `rounding` is no difference: gaps of bursts are often shorter than a nanosecond.
    """
    ordered, below = np.sort(sample), np.arange(sample.size) / sample.size
    more, less = share(ordered + rounding), share(ordered - rounding)
    return float(np.maximum(less - below, below + 1 / sample.size - more).max())


def edges(seen: Seen) -> Floats:
    """Edges of equal steps from the start to the last request, so few that each has some 20 requests."""
    steps = max(1, min(STEPS, seen.due_s.size // PER_STEP))
    return np.linspace(0, max(seen.due_s[-1], seen.sent_s.max(), 1e-9) * (1 + 1e-12), steps + 1)


def over_time(seen: Seen) -> dict[str, Any]:
    """Rates by step of equal length, and the longest slip of what was due in it (None where nothing was).

    Nothing is asked for once the last request was due.
    """
    at_s = edges(seen)
    until_s = np.minimum(at_s, seen.due_s[-1])
    slip = slips_ms(seen, at_s)
    return {
        "step_s": float(at_s[1]),
        "asked_per_s": None if seen.pace is None else (np.diff(passed(seen.pace, until_s)) / at_s[1]).tolist(),
        "planned_per_s": rates(seen.due_s, at_s).tolist(),
        "sent_per_s": rates(seen.sent_s, at_s).tolist(),
        "slip_max_ms": [None if math.isnan(value) else value for value in slip.tolist()],
    }


def rates(times_s: Floats, edges_s: Floats) -> Floats:
    """Requests per second in each step."""
    found: Floats = np.histogram(times_s, edges_s)[0] / np.diff(edges_s)
    return found


def slips_ms(seen: Seen, edges_s: Floats) -> Floats:
    """The longest slip of the requests that were due in each step, in ms; NaN where none was."""
    found = np.full(edges_s.size - 1, -np.inf)
    step: NDArray[np.int64] = np.clip(np.searchsorted(edges_s, seen.due_s, side="right") - 1, 0, found.size - 1)
    np.maximum.at(found, step, (seen.sent_s - seen.due_s) * 1000)
    return np.where(np.isinf(found), np.nan, found)


def words(seen: Seen, found: dict[str, Any]) -> list[str]:
    """The comparison in sentences."""
    said = [f"Asked for: {described(seen.arrivals)}."]
    planned, sent = found["planned_per_s"], found["sent_per_s"]
    if isinstance(planned, Absent):
        took_s = float(seen.sent_s.max() - seen.sent_s.min())
        said.append(f"All {seen.due_s.size:,} requests were due at once and were sent within {took_s:,.4g} s.")
    elif not isinstance(sent, Absent):
        said.append(f"Planned {planned:,.5g} requests/s, sent {sent:,.5g} ({100 * sent / planned:.1f} %).")
    apart, limit = found["gaps"]["planned_distance"], found["gaps"]["distance_limit"]
    if not isinstance(apart, Absent):
        verdict = "follow" if apart <= limit else "do not follow"
        said.append(
            f"The gaps that were planned {verdict} the law: shares differ by at most {100 * apart:.2g} %, where "
            f"{100 * limit:.2g} % is the limit for so many; those of the requests as sent by "
            f"{100 * found['gaps']['sent_distance']:.2g} %."
        )
    slip = stats.summary((seen.sent_s - seen.due_s) * 1000) or {}
    said.append(f"Sent after due: median {slip['p50']:,.3g} ms, at most {slip['max']:,.3g} ms.")
    return said


def described(arrivals: Arrivals) -> str:
    """The arrivals that were asked for, in words."""
    if arrivals.law == "burst":
        return "all requests at once"
    if arrivals.law == "replay":
        return f"the times of the recording at {arrivals.speed:g} times its speed"
    law = f"{arrivals.law} arrivals" + (f" (burstiness {arrivals.burstiness:g})" if arrivals.law == "gamma" else "")
    if arrivals.ramp_up_strategy is not None:
        end = arrivals.rate if arrivals.ramp_up_end_rps is None else arrivals.ramp_up_end_rps
        return f"{law}, {arrivals.ramp_up_strategy} from {arrivals.ramp_up_start_rps:g} to {end:g} requests/s"
    rate = "" if arrivals.rate is None else f", {arrivals.rate:g} requests/s"
    return law + rate + (f", {arrivals.rate_shape}" if arrivals.rate_shape else "")
