"""The top of the page: whether the numbers can be trusted, and the numbers that a run is made for."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from perfcore.analysis.stats import PERCENTILES
from perfcore.report import ceilings, levels, steady
from perfcore.report.html_blocks import Block, foreign, lines, pairs, table
from perfcore.report.layout import pick
from perfcore.report.terminal import run_rows
from perfcore.report.text import NONE, clean, number

Metrics = Mapping[str, Any]

GOOD, DOUBTFUL, BAD = "good", "doubtful", "bad"
VALIDITY = {"valid": GOOD, "suspect": DOUBTFUL, "client limited": BAD}
STEADY = {"steady": GOOD, "not_steady": BAD, "too_short": DOUBTFUL}
LEVELS = {"note": "note", "suspect": DOUBTFUL, "client limited": BAD}
MEANS = {
    "valid": "The client kept up, and nothing happened to the run that puts its numbers in doubt.",
    "suspect": "The client, or something that happened to the run, may be part of the numbers.",
    "client limited": "The client was the limit: the numbers are its own and not the server's.",
    "steady": "The load and what came of it did not change over the window.",
    "not_steady": "What was measured changed meanwhile, or the load was not held: other runs would give other numbers.",
    "too_short": "The window is too short for its latencies to tell whether the state was steady.",
}

# Cards: where metrics.json has the number, what a person calls it, its unit.
CARDS = (
    ("throughput.output_tokens_per_s", "Output throughput", "tokens/s"),
    ("throughput.requests_per_s", "Requests", "requests/s"),
    ("concurrency.mean", "In flight, mean", "requests"),
    ("latency.ttft_ms.p50", "TTFT p50", "ms"),
    ("latency.ttft_ms.p99", "TTFT p99", "ms"),
    ("latency.itl_ms.p50", "ITL p50", "ms"),
    ("latency.itl_ms.p99", "ITL p99", "ms"),
    ("latency.tpot_ms.mean", "TPOT mean", "ms"),
    ("latency.e2el_ms.p50", "E2EL p50", "ms"),
    ("latency.e2el_ms.p99", "E2EL p99", "ms"),
    ("latency.ttft_from_intended_ms.p99", "TTFT p99 from intended", "ms"),
)
GOODPUT = ("goodput.requests_per_s", "Goodput", "requests/s")
# Definitions of the lines about the run as a whole.
TERMS = {
    f"{kind.capitalize()} tokens/s": f"throughput.{kind}_tokens_per_s" for kind in ("input", "output", "total")
} | {
    "Duration": "duration_s",
    "Requests": "requests.total",
    "Requests/s": "throughput.requests_per_s",
    "Concurrency": "concurrency.mean",
    "Rate (requests/s)": "rate.achieved",
    "Arrivals": "arrivals",
    "Input tokens": "tokens.input",
    "Output tokens": "tokens.output",
    "Reasoning tokens": "tokens.reasoning",
    "Cached tokens": "tokens.cached",
    "Token source": "tokens.source",
    "Finish reasons": "finish_reasons",
    "Connections": "connections.opened",
    "Workers": "workers.cpu_share",
}


def verdicts(metrics: Metrics) -> Iterator[Block | None]:
    """Steady state and validity, each in a word, a sentence, and its reasons with their remedies."""
    if found := metrics.get("steady"):
        yield verdict("Steady state", found["verdict"], STEADY, [(BAD, *told(one)) for one in found["reasons"]])
        yield lines(window_words(metrics["window"]) if metrics.get("window") else ())
        yield lines((f"This run cannot give: {sentence}" for sentence in found["not_given"]), "faint")
    validity = metrics["validity"]
    reasons = [(LEVELS.get(one["level"], "note"), *told(one)) for one in validity["reasons"]]
    yield verdict("Validity", validity["verdict"], VALIDITY, reasons)
    yield lines(filter(None, [ceilings.used(dict(validity), dict(metrics["absent"]))]), "faint")


def causes(metrics: Metrics) -> Block | None:
    """Patterns that were recognised: cause, evidence, next step."""
    keys = ("pattern", "cause", "evidence", "next")
    found = [[foreign(one.get(key) or "", 1000) for key in keys] for one in metrics.get("diagnosis") or ()]
    return {"kind": "causes", "causes": found} if found else None


def told(reason: Mapping[str, Any]) -> tuple[str, str]:
    return clean(reason["what"], 1000), clean(reason["remedy"], 1000)


def verdict(title: str, word: str, looks: Mapping[str, str], reasons: list[tuple[str, str, str]]) -> Block:
    return {
        "kind": "verdict",
        "title": title,
        "word": word.replace("_", " "),
        "look": looks.get(word, "note"),
        "means": MEANS.get(word, ""),
        "reasons": reasons,
        "term": "validity.verdict" if title == "Validity" else "steady.verdict",
    }


def window_words(window: Mapping[str, Any]) -> Iterator[str]:
    """Where the window lies and why."""
    span = f"The window is {number(window['length_s'])} s long, from {number(window['start_s'])} to "
    yield f"{span}{number(window['end_s'])} s of the run, {steady.covered(dict(window))}."
    yield f"It begins there because: {window['start_reason']}"
    yield f"It ends there because: {window['end_reason']}"


def cards(metrics: Metrics) -> Block:
    """The headline numbers, each with its 95 % interval where there is one, or why it is missing."""
    asked = (*CARDS[:3], GOODPUT, *CARDS[3:]) if metrics.get("goodput") else CARDS
    found = [card(metrics, *one) for one in asked]
    return {"kind": "cards", "cards": [*found[:2], failures(metrics["requests"]), *found[2:]]}


def failures(requests: Mapping[str, Any]) -> Block:
    """How many requests failed of how many: no other number says so, and all of them are of those that did not."""
    total, failed = requests["total"], requests["failed"]
    share = [f"{100 * failed / total:.3g} % of {total:,}" if failed else f"of {total:,}"] if total else []
    shown: Block = {"label": "Failed", "value": number(failed), "unit": "requests", "notes": share}
    return shown | {"term": "requests.failed", "look": BAD if failed else ""}


def card(metrics: Metrics, key: str, label: str, unit: str) -> Block:
    group, _, name = key.rpartition(".")
    found = pick(dict(metrics), group) or {}
    value = found.get(name)
    interval = (found.get("ci95") or {}).get(name) if isinstance(found.get("ci95"), dict) else None
    term = group if group.startswith("latency.") else key
    shown: Block = {"label": label, "value": number(value), "unit": unit, "term": term, "notes": []}
    if value is None or beyond_all(name, found):
        reason = clean(why(metrics, key), 200) if value is None else too_few(name, found)
        return shown | {"value": NONE, "unit": "", "notes": [f"absent: {reason}"]}
    if interval is not None:
        low, high = interval
        half = f"± {50 * (high - low) / abs(value):.2g} %, " if value else ""
        shown["notes"].append(f"{half}{number(low)} to {number(high)}")
    elif name in (found.get("unsupported") or ()):
        shown["notes"].append(f"of {number(found['n'])} only: moves from run to run")
        shown["faint"] = True
    if key == "concurrency.mean" and found.get("asked") is not None:
        shown["notes"].append(f"{number(found['asked'])} asked for")
    return shown


def beyond_all(name: str, found: Mapping[str, Any]) -> bool:
    """Whether it is a percentile beyond which not even one sample lies: nearly the largest of few."""
    return name in PERCENTILES and found["n"] * (1000 - PERCENTILES[name]) < 1000


def too_few(name: str, found: Mapping[str, Any]) -> str:
    """Why such a percentile is left out."""
    wanted = math.ceil(1000 / (1000 - PERCENTILES[name]))
    there = f"there {'is' if found['n'] == 1 else 'are'} {number(found['n'])}"
    return f"{name.replace('_', '.')} takes {number(wanted)} values, and {there}"


def why(metrics: Metrics, key: str) -> str:
    """The reason under the key, or under the nearest one above it."""
    parts, absent = key.split("."), metrics["absent"]
    while parts:
        if (reason := absent.get(".".join(parts))) is not None:
            return str(reason)
        parts.pop()
    return "not measured"


def intervals(metrics: Metrics) -> Block | None:
    """All headline numbers of a steady run with their intervals."""
    if "steady" not in metrics or metrics.get("window") is None:
        return None
    rows, terms = [], []
    failed_too = steady.ALL if metrics["requests"]["failed"] else ()
    for group, name, label in (*steady.HEADLINES, *failed_too):
        found = pick(dict(metrics), group)
        if found is not None and found.get(name) is not None:
            rows.append([label, *steady.cells(found, name)])
            terms.append(group if group.startswith("latency.") else f"{group}.{name}")
    heads = ("", "measured", "±", ("95 % interval", "summary.ci95"), ("independent values", "summary.effective_n"))
    return table("How sure the numbers are", heads, rows, terms=terms)


def facts(metrics: Metrics) -> Block | None:
    """What the run, or its window, did as a whole."""
    title = "The window as a whole" if "steady" in metrics else "The run as a whole"
    rows = [(label, foreign(words, 2000)) for label, words in run_rows(dict(metrics)) if label != "Arrivals"]
    return pairs(title, rows, TERMS)


def objectives(metrics: Metrics) -> Iterator[Block | None]:
    """Service levels: each objective with what was found, and goodput in words."""
    found = metrics.get("goodput")
    if not found:
        return
    heads = ("objective", "asked", "found", "95 % interval", "requests", "verdict")
    rows = [
        (
            *(foreign(one["objective"]), levels.asked(one), levels.value(one), levels.interval(one)),
            *(number(one.get("judged")), one["verdict"] or NONE),
        )
        for one in found["objectives"]
    ]
    yield table("Service levels", heads, rows, note=" ".join(levels.lines(found, metrics["absent"])))


def classes(metrics: Metrics) -> Iterator[Block | None]:
    """Requests by data set and model, where a run mixes several."""
    entries = metrics.get("classes") or []
    if len(entries) < 2:
        return
    heads = ("class", "requests", "failed", "share", "tokens/s", "TTFT p50", "TTFT p99", "TPOT mean", "E2EL p99")
    yield table("By class of request (latencies in ms)", heads, [class_row(one) for one in entries])


def class_row(one: Mapping[str, Any]) -> list[str]:
    name = " · ".join(foreign(one[key]) for key in ("dataset", "model") if one.get(key) is not None)
    if "others" in one:
        name = f"{one['others']:,} others"
    measured = ("output_tokens_per_s", "ttft_ms.p50", "ttft_ms.p99", "tpot_ms.mean", "e2el_ms.p99")
    share = f"{100 * one['share']:.1f} %"
    return [name, number(one["requests"]), number(one["failed"]), share, *(cell(one, key) for key in measured)]


def cell(one: Mapping[str, Any], key: str) -> str:
    """A number; a star marks a percentile that the sample does not support, and one beyond all samples is absent."""
    name, _, part = key.partition(".")
    found = one.get(name) or {}
    few = part and part in (found.get("unsupported") or ())
    if few and beyond_all(part, found):
        return NONE
    return number(pick(dict(one), key)) + ("*" if few else "")
