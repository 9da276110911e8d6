"""The diagnosis of a run: patterns known from many runs, each with its cause, the evidence and what to do next.

Every rule is a pure function that says nothing, or says which pattern it has recognised. What the certificate says of
the client, and what the table of errors says of each class, is not said again here. docs/diagnosis.md has the limits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from perfcore.analysis.clues import EXACT, FREE, Clues
from perfcore.analysis.rules import percent


@dataclass(frozen=True)
class Finding:
    """A pattern by its name, and three sentences or commands for a person."""

    pattern: str
    cause: str
    evidence: str
    next: str


# Answers of a service that streams have their tokens apart; a few may be short enough to come together.
AT_ONCE = 0.5
# Tokens in an event on average, from which on gaps between events are not those between tokens.
TOKENS_PER_EVENT = (0.9, 1.1)
# TTFT against that of the quickest requests, and what is added to it, where it is mostly a wait for others.
WAIT_TIMES, WAIT_MS = 3.0, 20.0
# Slots that are taken hold their number: seldom are fewer at work than nearly always, and more are in flight.
PLATEAU, IN_FLIGHT = 0.9, 1.15
# What grows by this much from each quarter of a run to the next, and has doubled, does not stop growing.
GROWS, GROWN, LEAST_GROWN = 1.1, 2.0, 5.0
# Prompt tokens out of a cache, from which on TTFT is not that of new prompts.
CACHED = 0.1
# Answers shorter than asked for: of exact lengths any such share is another load, of limits only most of them are.
SHORT_EXACT, SHORT_LIMIT, SHORT_MEAN = 0.05, 0.5, 0.5
# Answers that are no answers: what a score, or a length, would be changed by.
LOOPS, THOUGHTS, LEAST_TEXTS = 0.02, 0.05, 2
# A p90, and a p99, with ten requests beyond it.
FEW, ENOUGH = 100, 1_000


def not_streaming(clues: Clues) -> Finding | None:
    if clues.at_once is None or clues.at_once <= AT_ONCE:
        return None
    return Finding(
        "not streaming",
        "The stream does not stream: something holds the tokens back until the answer is whole, so TTFT is the time "
        "of the whole answer, and TPOT and ITL mean nothing.",
        f"In {percent(clues.at_once)} of the answers all tokens came together.",
        f"perfcore check --url {clues.url} (then turn off buffering in what is in front of the server, such as "
        "proxy_buffering of nginx, or compression)",
    )


def web_page(clues: Clues) -> Finding | None:
    if clues.web_pages == 0:
        return None
    if clues.proxy:
        what, remedy = f"the proxy {clues.proxy}", "leave --proxy out"
    else:
        what, remedy = "a gateway, a login page or another service", "see host, port and path of --url"
    when = "in front of the service, at times" if clues.ok else "at this address"
    return Finding(
        "web page",
        f"Web pages came in the place of answers: {what} answers {when}.",
        f"{clues.web_pages:,} requests got one, {clues.ok:,} got an answer.",
        f"perfcore check --url {clues.url} ({remedy})",
    )


def queueing(clues: Clues) -> Finding | None:
    """Requests wait in the server for their turn: by its own metrics, or by how many it answers at a time."""
    if clues.client_limited or clues.served is None or not waited(clues):
        return None
    served = clues.served
    told = clues.waiting is not None and clues.waiting >= 1
    if not told and not plateau(clues):
        return None
    slots = int(clues.running) if told and clues.running else served.level
    seen = (
        f"By its metrics it ran at most {slots:,} and let {clues.waiting:,.1f} wait on average"
        if told and clues.running
        else f"Of {served.in_flight:,.1f} requests in flight it worked on {served.mean:,.1f} on average, seldom on more"
    )
    return Finding(
        "queueing",
        f"TTFT is mostly waiting: the server works on about {slots:,} requests at a time, and the others queue.",
        f"{seen}; the median TTFT is {served.median_ms:,.0f} ms, the quickest had {served.quick_ms:,.0f} ms.",
        f"perfcore stress --url {clues.url} --concurrency {', '.join(map(str, around(slots))).replace(' ', '')} (or "
        "raise the server's limit: --max-num-seqs of vLLM, --parallel of llama.cpp, OLLAMA_NUM_PARALLEL)",
    )


def waited(clues: Clues) -> bool:
    """Whether most requests waited much longer than the quickest did."""
    served = clues.served
    if served is None:
        return False
    return served.median_ms >= WAIT_TIMES * served.quick_ms and served.median_ms - served.quick_ms >= WAIT_MS


def plateau(clues: Clues) -> bool:
    """Whether the requests that were answered at a time stayed at one number below those in flight."""
    served = clues.served
    if served is None or served.level == 0:
        return False
    more = max(IN_FLIGHT * served.level, served.level + 1)
    return served.mean >= PLATEAU * served.level and served.in_flight >= more


def around(slots: int) -> list[int]:
    """Loads below and above a number of slots."""
    return sorted({max(1, slots // 2), slots, 2 * slots})


def overload(clues: Clues) -> Finding | None:
    if clues.client_limited or clues.growth is None:
        return None
    levels = clues.growth.quarters
    if not all(later >= GROWS * earlier for earlier, later in pairwise(levels)):
        return None
    if levels[-1] < GROWN * levels[0] or levels[-1] - levels[0] < LEAST_GROWN:
        return None
    shown = ", ".join(f"{level:,.0f}" for level in levels)
    return Finding(
        "overload",
        "The rate is more than the service can take: requests pile up, and latencies are those of the length of the "
        "run.",
        f"Mean requests in flight in each quarter: {shown}; {clues.growth.ended_per_s:,.4g} ended per second.",
        f"perfcore stress --url {clues.url} --rate {0.8 * clues.growth.ended_per_s:.3g} (or find the limit: "
        "perfcore tune --variable rate)",
    )


def cache(clues: Clues) -> Finding | None:
    found = clues.cached
    if found is None or found.share <= CACHED:
        return None
    apart = (
        f"; the median TTFT with most of the prompt cached is {found.hit_ms:,.1f} ms, without {found.fresh_ms:,.1f} ms"
        if found.hit_ms is not None and found.fresh_ms is not None
        else ""
    )
    return Finding(
        "cache hits",
        "Prompts came out of the server's prefix cache: TTFT and input tokens per second are better than new prompts "
        "would have them.",
        f"{percent(found.share)} of the prompt tokens were cached{apart}.",
        f"perfcore stress --url {clues.url} --dataset synthetic --input-tokens 1024 (prompts that are all different; "
        "nothing to do where the workload shares prefixes on purpose)",
    )


def early_end(clues: Clues) -> Finding | None:
    found = clues.early
    if found is None or clues.lengths == FREE:
        return None
    share = found.short / found.requests
    if clues.lengths == EXACT:
        wrong = share > SHORT_EXACT
        cause = "Answers ended before the length that was asked for: this is a lighter load than intended."
        remedy = "does it obey ignore_eos? Without it give --ignore-eos, or another key of the service with --body"
    else:
        wrong = share > SHORT_LIMIT and found.got_mean < SHORT_MEAN * found.asked_mean
        cause = "Answers ended by themselves long before --max-tokens, which is a limit and no length."
        remedy = "for answers of one length: --output-tokens with --ignore-eos"
    if not wrong:
        return None
    return Finding(
        "early end",
        cause,
        f"{found.short:,} of {found.requests:,} answers stopped at less than 90 % of it: {found.got_mean:,.0f} tokens "
        f"on average where {found.asked_mean:,.0f} were asked for.",
        f"perfcore check --url {clues.url} ({remedy})",
    )


def chunks(clues: Clues) -> Finding | None:
    """Not said of streams that come all at once: there the tokens of an event are the smaller harm."""
    ratio = clues.tokens_per_event
    if ratio is None or TOKENS_PER_EVENT[0] <= ratio <= TOKENS_PER_EVENT[1] or not_streaming(clues):
        return None
    cause = (
        "Events are not tokens: several come in one (speculative decoding, or a server that collects them), so ITL is "
        "the gap between events, longer than that between tokens."
        if ratio > 1
        else "Events are not tokens: one token comes in several (bytes or letters), so ITL is shorter than the gap "
        "between tokens."
    )
    return Finding(
        "chunks",
        cause,
        f"{ratio:,.3g} tokens in an event on average.",
        "perfcore explain tpot (compare TPOT, which does not depend on it)",
    )


def loops(clues: Clues) -> Finding | None:
    found = clues.texts
    if found.example is None or found.loops < max(LEAST_TEXTS, LOOPS * found.looked):
        return None
    piece = found.example.piece
    shown = piece if len(piece) <= 40 else f"{piece[:37]}..."
    return Finding(
        "loops",
        "Answers end in a loop: a base model without an end, a wrong chat template, or a number format that the model "
        "was not made for.",
        f"{found.loops:,} of {found.looked:,} answers looked at do, one with {shown!r} over "
        f"{found.example.characters:,} characters.",
        f"perfcore check --url {clues.url} (then another template or dtype at the server, or of a base model "
        "--dialect openai-completions with --body 'stop=[\"\\n\\n\"]')",
    )


def thoughts(clues: Clues) -> Finding | None:
    found = clues.texts
    if found.thoughts < max(LEAST_TEXTS, THOUGHTS * found.looked):
        return None
    return Finding(
        "thoughts only",
        "Answers ended within their reasoning: there is nothing to be scored, and TTFA is that of the others.",
        f"{found.thoughts:,} of {found.looked:,} answers looked at have reasoning and no answer.",
        "the same command with a larger --max-tokens",
    )


def few_samples(clues: Clues) -> Finding | None:
    """Where a run is too short for what was asked of it. Percentiles of few requests are marked in the table."""
    if clues.ok == 0:
        return None
    if clues.undecided:
        which = " and ".join(clues.undecided)
        return Finding(
            "few samples",
            f"The run is too short to decide {which}: what is asked for lies within the interval.",
            f"{clues.ok:,} requests succeeded; four times as many halve the interval.",
            f"the same command, four times as long: --duration, or --requests {max(ENOUGH, 4 * clues.ok)}",
        )
    if clues.ok >= FEW:
        return None
    return Finding(
        "few samples",
        "The run is too short for p90 and all above: fewer than 10 requests lie beyond, and decide alone.",
        f"{clues.ok:,} requests succeeded; a p90 takes {FEW}, a p99 {ENOUGH:,}.",
        f"the same command with --requests {ENOUGH}",
    )


# In the order in which they are told: what makes numbers meaningless first.
RULES: tuple[Callable[[Clues], Finding | None], ...] = (
    web_page,
    not_streaming,
    queueing,
    overload,
    cache,
    early_end,
    chunks,
    loops,
    thoughts,
    few_samples,
)


def diagnose(clues: Clues) -> list[dict[str, str]]:
    """`[{pattern, cause, evidence, next}]` for metrics.json; an empty list where nothing was recognised."""
    return [vars(found) for rule in RULES if (found := rule(clues)) is not None]
