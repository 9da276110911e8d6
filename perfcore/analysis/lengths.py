"""Lengths in tokens: what the data set asked for, what the client counted, what the server counted and made."""

from typing import Any

import numpy as np

from perfcore.analysis import notes
from perfcore.analysis.absent import Absent
from perfcore.analysis.latency import summarized
from perfcore.analysis.measured import Column, Measured
from perfcore.types import TOKEN_SOURCES, Counted, Requests

SERVER = TOKEN_SOURCES.index("server")
ESTIMATE = TOKEN_SOURCES.index("events")

NS_PER_S = 1e9

# Compared with each other: (name, what is compared, with what).
COMPARED = (
    ("server_less_asked", "server", "asked"),
    ("server_less_counted", "server", "counted"),
    ("counted_less_asked", "counted", "asked"),
)
UNFITTED = "a chat template adds its own, and without --tokenizer lengths are estimates; give that of the model"
OTHER_TOKENIZER = "the server has another tokenizer or chat template; give the one that is served with --tokenizer"
INEXACT = "these prompts could not be made exact; other lengths or another kind of text may be"
LIMIT_IGNORED = "it does not keep to the limit, or counts otherwise; see which key of the body it takes"


def compare(requests: Requests, measured: Measured) -> dict[str, Any] | Absent:
    """Lengths of prompts and answers of successful requests, and how they differ; Absent where there is one kind only.

    `input` and `output` each have a summary by who says so, and `differences`: how many requests have both numbers,
    how many of those differ, and the difference's summary. `remarks` are sentences for a person.
    """
    rows = measured.successes
    prompts = sides(inputs(requests, rows), COMPARED)
    answers = sides(outputs(requests, rows), (("got_less_asked", "got", "asked"),))
    if not prompts["differences"] and not answers["differences"]:
        return Absent("no successful request has two lengths to compare")
    return {"input": prompts, "output": answers, "remarks": remarks(prompts["differences"], answers["differences"])}


def inputs(requests: Requests, rows: Column) -> dict[str, Column]:
    """Lengths of prompts by who says so, -1 where nobody does."""
    told = requests.input_token_source[rows] == SERVER
    return {
        "asked": requests.input_tokens_asked[rows],
        "counted": requests.input_tokens_counted[rows],
        "server": np.where(told, requests.input_tokens[rows], -1),
    }


def outputs(requests: Requests, rows: Column) -> dict[str, Column]:
    """Most tokens that were asked for, and those that came, -1 where that is an estimate."""
    counted = requests.token_source[rows] != ESTIMATE
    return {
        "asked": requests.output_tokens_asked[rows],
        "got": np.where(counted, requests.output_tokens[rows], -1),
    }


def sides(lengths: dict[str, Column], compared: tuple[tuple[str, str, str], ...]) -> dict[str, Any]:
    """Summaries of all lengths that are known, and of what differs."""
    found: dict[str, Any] = {
        name: summarized(values[values >= 0], "no successful request has it", 1.0) for name, values in lengths.items()
    }
    pairs = {name: difference(lengths[this], lengths[other]) for name, this, other in compared}
    found["differences"] = {name: pair for name, pair in pairs.items() if pair is not None}
    return found


def difference(these: Column, others: Column) -> dict[str, Any] | None:
    """How lengths differ where both are known; None where that is nowhere."""
    both = (these >= 0) & (others >= 0)
    if not both.any():
        return None
    by = these[both] - others[both]
    return {
        "compared": int(by.size),
        "longer": int((by > 0).sum()),
        "shorter": int((by < 0).sum()),
        "by": summarized(by, "", 1.0),
    }


def remarks(prompts: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    """What the differences mean, and what to do about them."""
    found = []
    if "server_less_asked" in prompts:
        cause = OTHER_TOKENIZER if "server_less_counted" in prompts else UNFITTED
        found.append(sentence("The server counted", "asked", prompts["server_less_asked"], cause))
    elif "server_less_counted" in prompts:
        found.append(sentence("The server counted", "the client", prompts["server_less_counted"], OTHER_TOKENIZER))
    elif "counted_less_asked" in prompts:
        found.append(sentence("The client counted", "asked", prompts["counted_less_asked"], INEXACT))
    if "got_less_asked" in answers and answers["got_less_asked"]["longer"]:
        found.append(sentence("The server made", "asked", above(answers["got_less_asked"]), LIMIT_IGNORED))
    return [words for words in found if words]


def above(pair: dict[str, Any]) -> dict[str, Any]:
    """A difference of which only what is longer counts: answers may end early."""
    return pair | {"shorter": 0, "by": pair["by"] | {"min": max(pair["by"]["min"], 0)}}


def sentence(who: str, than: str, pair: dict[str, Any], cause: str) -> str:
    """By how much lengths differ, in words; empty where they do not."""
    low, high, differing = round(pair["by"]["min"]), round(pair["by"]["max"]), pair["longer"] + pair["shorter"]
    if differing == 0:
        return ""
    if low == high:
        return f"{who} {tokens(low)} than {than} in every request: {cause}."
    by = f"{tokens(low)} to {tokens(high)}" if low < 0 < high else tokens(high) if low >= 0 else tokens(low)
    most = "" if low < 0 < high else "up to "
    return f"{who} {most}{by} than {than} in {differing:,} of {pair['compared']:,} requests: {cause}."


def tokens(number: int) -> str:
    """A difference in words."""
    unit = "token" if abs(number) == 1 else "tokens"
    return f"{abs(number):,} {unit} {'more' if number > 0 else 'fewer'}"


def client(told: notes.Notes, counted: Counted) -> dict[str, Any]:
    """What encoding and counting tokens on this side took, outside the load: before the run and after it.

    `tokenizer_s` is the time in which prompts were made to their length, added up over processes.
    """
    prepared: dict[str, Any] = next(notes.of(told, "preparation"), {})
    if not prepared:
        before: Any = Absent("the journal says nothing of the preparation")
    elif not prepared.get("tokenizer"):
        before = Absent("no tokenizer was given")
    elif prepared.get("reused"):
        before = Absent("the prompts were made by an earlier run (--book)")
    else:
        before = prepared["making_s"]
    after = (counted.prompts_ns + counted.answers_ns) / NS_PER_S
    return {
        "tokenizer_s": before,
        "detokenizer_s": after if counted.prompts or counted.answers else Absent("the server counted the tokens"),
        "prompts_counted": counted.prompts,
        "answers_counted": counted.answers,
    }
