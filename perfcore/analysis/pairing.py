"""The requests of a run as a comparison sees them: its latencies one by one, in the order in which they were due."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from perfcore.analysis import counts
from perfcore.analysis.measured import Column, Measured, due_in, select
from perfcore.types import Requests

NS_PER_MS = 1e6
PROMPTS_DIFFER = "the prompts differ"
SHARED = 0.8  # of the requests of either run that have to have run in both for them to be compared in pairs

Floats = NDArray[np.float64]


class Sample(NamedTuple):
    """Values, and of each the position of its request among those that are compared; `requests`: how many those are."""

    values: Floats
    owner: Column
    requests: int


class Taken(NamedTuple):
    """What is compared of a run. Arrays have an entry for each request, but for `gap` and `gap_owner`."""

    requests: Requests
    measured: Measured
    latency: Mapping[str, Floats]  # by the key of metrics.json, NaN where a request has none
    gap: Floats  # between token events of successful requests, ms
    gap_owner: Column


def taken(requests: Requests, gaps: tuple[Column, Column], window: tuple[int, int] | None) -> Taken:
    """The measured requests, or those that were due in the window; `gaps` in ns with the row that each is of."""
    everything = select(requests)
    known = requests.due_ns[everything.first]
    edges = window or (0, int(known.max(initial=0)) + 1)
    measured = due_in(requests, everything, *edges)
    place = np.full(requests.request_id.size, -1, np.int64)
    place[measured.successes] = np.flatnonzero(measured.ok)
    gap_ns, row = gaps
    owner = place[row]
    mine = owner >= 0
    return Taken(requests, measured, latencies(requests, measured), gap_ns[mine] / NS_PER_MS, owner[mine])


def latencies(requests: Requests, measured: Measured) -> dict[str, Floats]:
    """Latencies in ms and lengths in tokens of each request, NaN where there is none; docs/metrics.md."""
    first, last = measured.first, measured.last
    streamed = requests.streamed[last]
    sent, due = stamp(requests.sent_ns[last]), stamp(requests.due_ns[first])
    token = np.where(streamed, stamp(requests.first_token_ns[last]), np.nan)
    answer = np.where(streamed, stamp(requests.first_answer_ns[last]), np.nan)
    output = np.where(streamed, stamp(requests.last_output_ns[last]), stamp(requests.end_ns[last]))
    made = stamp(counts.output_tokens(requests, last))
    set_up = (requests.dns_ns + requests.tcp_ns + requests.tls_ns)[last]
    found = {
        "ttft_ms": token - sent,
        "ttft_from_intended_ms": token - due,
        "ttfa_ms": answer - sent,
        "ttfa_from_intended_ms": answer - due,
        "e2el_ms": output - sent,
        "e2el_from_intended_ms": output - due,
        "tpot_ms": (output - token) / np.where(made > 1, made - 1, np.nan),
        "connect_ms": np.where(requests.new_connection[last], set_up, np.nan),
    }
    good = {name: np.where(measured.ok, values / NS_PER_MS, np.nan) for name, values in found.items()}
    lengths = {"input_tokens": stamp(requests.input_tokens[last]), "output_tokens": made}
    good |= {name: np.where(measured.ok, values, np.nan) for name, values in lengths.items()}
    return good | {"slip_ms": (stamp(requests.sent_ns[first]) - due) / NS_PER_MS}


def stamp(times: Column) -> Floats:
    """Times or counts as floats, NaN where they are absent. Of 2^53 ns, 104 days of uptime, 1 ns is lost."""
    return np.where(times >= 0, times, np.nan)


def sample(one: Taken, name: str, chosen: Column | None = None) -> Sample:
    """The values of a latency; `chosen`: positions of the requests that are compared, in their order."""
    count = one.measured.last.size
    places = np.arange(count) if chosen is None else chosen
    if name == "itl_ms":
        new = np.full(count, -1, np.int64)
        new[places] = np.arange(places.size)
        owner = new[one.gap_owner]
        return Sample(one.gap[owner >= 0], owner[owner >= 0], places.size)
    values = one.latency[name][places]
    known = np.flatnonzero(~np.isnan(values))
    return Sample(values[known], known, places.size)


class Pairs(NamedTuple):
    """Positions of the same requests in two runs, in the order of the first; or why they are not compared in pairs."""

    a: Column
    b: Column
    words: str
    paired: bool


def identities(one: Taken) -> list[tuple[int, int, int]]:
    """Row of the data set, how often it had been used up, and turn, of each request."""
    rows = one.measured.last
    columns = (one.requests.index[rows], one.requests.repeat[rows], one.requests.turn[rows])
    return list(zip(*(column.tolist() for column in columns), strict=True))


def pairs(
    a: Taken,
    b: Taken,
    prompts_a: Mapping[tuple[int, int, int], int],
    prompts_b: Mapping[tuple[int, int, int], int],
) -> Pairs:
    """The requests that both have: the same row of the data set with the same prompt."""
    mine, theirs = identities(a), identities(b)
    place = {key: at for at, key in enumerate(theirs)}
    common = [(at, place[key]) for at, key in enumerate(mine) if key in place and key[0] >= 0]
    same = [(i, j) for i, j in common if prompts_a.get(mine[i]) == prompts_b.get(mine[i]) is not None]
    found = np.array(same, np.int64).reshape(-1, 2)
    most = max(len(mine), len(theirs))
    paired = bool(same) and len(same) >= SHARED * most
    return Pairs(found[:, 0], found[:, 1], in_words(mine, theirs, common, len(same), paired), paired)


def in_words(
    mine: Sequence[object], theirs: Sequence[object], common: Sequence[object], same: int, paired: bool
) -> str:
    """Whether the two have the same requests."""
    sizes = f"{len(mine):,} and {len(theirs):,}"
    if paired:
        whole = len(mine) == len(theirs) == same
        return f"the same {same:,} requests ran in both" + (
            "" if whole else f" (of {sizes}); latencies are those of them"
        )
    if not same:
        return f"no request ran in both (of {sizes})" if not common else PROMPTS_DIFFER
    return f"only {same:,} requests ran in both (of {sizes}), so that all are compared and not pairs"
