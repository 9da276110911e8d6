"""Closed and open loops in numpy whose true rates and latencies are known: what the steady state is tested against.

Not a server and not a client, only the times that a perfect client would record. Each slot of a closed loop sends its
next request when the last one ends; each request has a time to first token and a time of decoding, over which its
tokens are spread. Times are seconds inside and ns in what is returned.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Rng = np.random.Generator
# Draws (time to first token, time of decoding, tokens) of n requests.
Law = Callable[[Rng, int], tuple[Floats, Floats, Floats]]
EVENTS = 24  # token events of a request, which share its tokens


@dataclass(frozen=True)
class Simulated:
    """The records of a run: requests in the order in which they were sent, token events in no order."""

    sent_ns: Times
    ended_ns: Times
    ttft_ns: Times  # -1 for failed requests
    tokens: Floats
    ok: NDArray[np.bool_]
    stamps_ns: Times
    weights: Floats
    held_until_ns: int


def fixed(rng: Rng, n: int) -> tuple[Floats, Floats, Floats]:
    """0.5 s to the first token, 9.5 s of decoding, 500 tokens."""
    return np.full(n, 0.5), np.full(n, 9.5), np.full(n, 500.0)


def fixed_decoding(rng: Rng, n: int) -> tuple[Floats, Floats, Floats]:
    """Exponential time to the first token of 0.5 s in the mean, the rest as `fixed`."""
    return rng.exponential(0.5, n), np.full(n, 9.5), np.full(n, 500.0)


def uniform(rng: Rng, n: int) -> tuple[Floats, Floats, Floats]:
    """8 to 12 s in all, 0.2 to 0.8 s of them to the first token, 500 tokens."""
    ttft = rng.uniform(0.2, 0.8, n)
    return ttft, rng.uniform(8.0, 12.0, n) - ttft, np.full(n, 500.0)


def lengths(rng: Rng, n: int) -> tuple[Floats, Floats, Floats]:
    """Lognormal answers of 500 tokens in the mean, deviation 400, at 19 ms a token; gamma time to the first."""
    spread = np.log(1 + (400 / 500) ** 2)
    tokens = rng.lognormal(np.log(500) - spread / 2, np.sqrt(spread), n)
    return rng.gamma(4.0, 0.125, n), tokens * 0.019, tokens


LAWS: dict[str, Law] = {"fixed": fixed, "fixed decoding": fixed_decoding, "uniform": uniform, "lengths": lengths}
MEAN_S, MEAN_TTFT_S, MEAN_TOKENS = 10.0, 0.5, 500.0  # of every law above


def closed(
    rng: Rng,
    slots: int,
    law: Law,
    held_s: float,
    *,
    ramp_s: float = 0.0,
    slowness: Callable[[Floats], Floats] | None = None,
    failing: float = 0.0,
    spread: bool = False,
    kept_up: bool = True,
) -> Simulated:
    """A closed loop whose load is held for `held_s`.

    The slots begin evenly spread over `ramp_s`. `slowness` stretches a request by a factor that depends on when it was
    sent; a share `failing` of the requests ends with an error after a tenth of its time. `spread`: tokens come at
    random times, else evenly. `kept_up`: unmeasured requests follow until all that were sent in `held_s` have ended.
    """
    now: NDArray[Any] = np.arange(slots) * (ramp_s / slots)
    rows: list[tuple[Any, ...]] = []
    while now.min() < held_s:
        ttft, decode, tokens = law(rng, slots)
        factor = np.ones(slots) if slowness is None else slowness(now)
        ok = rng.random(slots) >= failing
        ended = now + np.where(ok, ttft + decode, (ttft + decode) / 10) * factor
        rows.append((now, ended, ttft * factor, tokens, ok))
        now = ended
    sent, ended, ttft, tokens, ok = (np.concatenate(column) for column in zip(*rows, strict=True))
    kept = slice(None) if kept_up else sent < held_s
    return recorded(rng, sent[kept], ended[kept], ttft[kept], tokens[kept], ok[kept], held_s, spread)


def prefilled(rng: Rng, slots: int, law: Law, held_s: float, *, ramp_s: float = 0.0, share: float = 0.02) -> Simulated:
    """A closed loop in which one server makes the first tokens, in order of arrival: they queue up.

    Each takes that server `share` of what the law says for it, plus the wait; decoding goes on beside it.
    """
    waiting = [(slot * ramp_s / slots, slot) for slot in range(slots)]
    free, rows = 0.0, []
    batch: list[tuple[float, float, float]] = []
    while waiting[0][0] < held_s:
        if not batch:
            batch = list(zip(*(column.tolist() for column in law(rng, 4096)), strict=True))
        ttft, decode, tokens = batch.pop()
        sent, slot = waiting[0]
        free = max(free, sent) + ttft * share
        heapq.heapreplace(waiting, (free + decode, slot))
        rows.append((sent, free + decode, free - sent, tokens))
    begun, ended, waited, made = np.array(rows).T
    return recorded(rng, begun, ended, waited, made, np.ones(len(rows), bool), held_s, False)


def opened(rng: Rng, rate: float, law: Law, held_s: float, *, slowness: float = 0.0) -> Simulated:
    """An open loop of Poisson arrivals on a server without limits; `slowness`: how much longer the last ones take."""
    sent = np.cumsum(rng.exponential(1 / rate, int(held_s * rate * 2 + 100)))
    sent = sent[sent < held_s * 1.5]
    ttft, decode, tokens = law(rng, sent.size)
    factor = 1 + slowness * sent / held_s
    ended = sent + (ttft + decode) * factor
    return recorded(rng, sent, ended, ttft * factor, tokens, np.ones(sent.size, bool), held_s, False)


def recorded(
    rng: Rng,
    sent: Floats,
    ended: Floats,
    ttft: Floats,
    tokens: Floats,
    ok: NDArray[np.bool_],
    held_s: float,
    spread: bool,
) -> Simulated:
    """As records, in order of sending; failed requests have no tokens."""
    order = np.argsort(sent, kind="stable")
    sent, ended, ttft, tokens = (each[order] for each in (sent, ended, ttft, tokens))
    ok = ok[order]
    places = rng.random((ok.sum(), EVENTS)) if spread else np.tile(np.linspace(0.0, 1.0, EVENTS), (ok.sum(), 1))
    first, last = (sent + ttft)[ok], ended[ok]
    stamps = first[:, None] + places * (last - first)[:, None]
    return Simulated(
        ns(sent), ns(ended), np.where(ok, ns(ttft), -1), np.where(ok, tokens, 0.0), ok,
        ns(stamps).ravel(), np.repeat(tokens[ok] / EVENTS, EVENTS), int(held_s * 1e9),
    )  # fmt: skip


def ns(seconds: Floats) -> Times:
    result: Times = np.round(seconds * 1e9).astype(np.int64)
    return result
