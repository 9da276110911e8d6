"""What each metric of metrics.json means: one table for `perfcore explain` and the tooltips of the report."""

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from perfcore.errors import UserError
from perfcore.report import definitions_load, definitions_requests, definitions_tokens, definitions_trust
from perfcore.report.definition import Definition

# By key in metrics.json, in the order in which a report tells them.
DEFINITIONS: Mapping[str, Definition] = {
    one.key: one
    for part in (definitions_requests, definitions_tokens, definitions_load, definitions_trust)
    for one in part.DEFINITIONS
}

PERCENTILE = re.compile(r"p\d+(_\d+)?")
SUMMARY = "summary."
STATISTICS = frozenset(key.removeprefix(SUMMARY) for key in DEFINITIONS if key.startswith(SUMMARY))
UNITS = re.compile(r"_(ms|s|per_s|w|j)$")

# What stands between a metric and its number where intervals are given.
BESIDE = ("ci95", "effective_n")

# What other tools and people call a metric.
ALSO = {
    "latency": "latency.e2el_ms",
    "e2e": "latency.e2el_ms",
    "e2e_latency": "latency.e2el_ms",
    "request_latency": "latency.e2el_ms",
    "icl": "latency.itl_ms",
    "inter_chunk_latency": "latency.itl_ms",
    "tbt": "latency.itl_ms",
    "ttfo": "latency.ttfa_ms",
    "ttft_from_due": "latency.ttft_from_intended_ms",
    "e2el_from_due": "latency.e2el_from_intended_ms",
    "rps": "throughput.requests_per_s",
    "qps": "throughput.requests_per_s",
    "throughput": "throughput.output_tokens_per_s",
    "tps": "throughput.output_tokens_per_s",
    "isl": "tokens.input_per_request",
    "osl": "tokens.output_per_request",
    "concurrency": "concurrency.mean",
    "in_flight": "concurrency.mean",
    "rate": "rate.achieved",
    "median": "summary.percentile",
    "ci": "summary.ci95",
    "confidence_interval": "summary.ci95",
    "lateness": "latency.slip_ms",
    "tokens": "tokens.output",
    "requests": "requests.total",
}


def of_key(dotted: str) -> Definition | None:
    """The definition behind a key of metrics.json: `latency.ttft_ms.p99`, `workers.0.cpu_share`, `errors.reset`.

    The nearest one above it where it has none of its own: `arrivals` for `arrivals.words`.
    """
    parts = [part for part in dotted.split(".") if not part.isdigit() and part not in BESIDE]
    while parts:
        if (found := DEFINITIONS.get(".".join(parts))) is not None:
            return found
        parts.pop()
    return None


def statistic(name: str) -> Definition | None:
    """The definition of a name within a summary: `mean`, `p99_9`, `ci95`."""
    if PERCENTILE.fullmatch(name):
        return DEFINITIONS[f"{SUMMARY}percentile"]
    return DEFINITIONS[f"{SUMMARY}{name}"] if name in STATISTICS else None


def named(text: str) -> tuple[Definition, ...]:
    """What a person means by a name: a metric, and after it the statistic where one is named (`ttft_p99`).

    Case, blanks, hyphens and units do not matter. Raises UserError with the nearest names.
    """
    wanted = plain(text)
    if (found := lookup(wanted)) is not None:
        return (found,)
    for cut in re.finditer("_", wanted):
        metric, rest = lookup(wanted[: cut.start()]), statistic(wanted[cut.end() :])
        if metric is not None and rest is not None:
            return (metric, rest)
    near = difflib.get_close_matches(wanted, names(), 3, 0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UserError(f"there is no metric {text!r}; {hint}`perfcore explain` lists all of them")


def lookup(wanted: str) -> Definition | None:
    """The metric of a plain name: its key, the end of it, without its unit, its title, or what others call it."""
    return statistic(wanted) or names().get(wanted)


@functools.cache
def names() -> dict[str, Definition]:
    """All names by which a metric is found; of two metrics with one name the first."""
    found = {plain(key): one for key, one in DEFINITIONS.items()}
    for short in short_names():
        found = dict(short) | found
    return found | {name: DEFINITIONS[key] for name, key in ALSO.items() if name not in DEFINITIONS}


def short_names() -> Iterator[dict[str, Any]]:
    """Names shorter than the key, the most exact ones first; of two metrics with one name the first counts."""
    listed = list(DEFINITIONS.items())[::-1]
    yield {plain(key.rpartition(".")[2]): one for key, one in listed}
    yield {UNITS.sub("", plain(key.rpartition(".")[2])): one for key, one in listed}
    yield {plain(re.sub(r" \(.*\)", "", one.title)): one for key, one in listed}
    yield {plain(one.title): one for _, one in listed}


def plain(text: str) -> str:
    """Lower case, with one underscore wherever there are dots, blanks, hyphens or brackets."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("/s", "_per_s")).strip("_")
