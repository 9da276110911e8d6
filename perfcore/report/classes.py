"""Requests by data set and model, where a run mixes several."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcore.report.layout import fitting, framed, pick
from perfcore.report.text import NONE, clean, number

# Columns of numbers: what metrics.json calls them, and what a person does.
COLUMNS = {
    "requests": "requests",
    "failed": "failed",
    "share": "share",
    "output_tokens_per_s": "tokens/s",
    "ttft_ms.mean": "TTFT mean",
    "ttft_ms.p50": "TTFT p50",
    "ttft_ms.p99": "TTFT p99",
    "tpot_ms.mean": "TPOT",
    "e2el_ms.p50": "E2EL p50",
    "e2el_ms.p99": "E2EL p99",
    "input_tokens_mean": "in",
    "output_tokens_mean": "out",
}
# Those that a narrow terminal does without, the least missed one first.
SPARED = (
    "ttft_ms.mean",
    "input_tokens_mean",
    "output_tokens_mean",
    "e2el_ms.p99",
    "ttft_ms.p99",
    "tpot_ms.mean",
    "share",
    "ttft_ms.p50",
    "e2el_ms.p50",
    "failed",
    "output_tokens_per_s",
)
NAME_WIDTH = 24  # longer names go on in the next line
NOTE = "TTFT, TPOT (mean) and E2EL in ms; in and out: mean tokens of a request"
STARRED = "* fewer than 10 samples lie beyond this percentile"


def parts(metrics: Mapping[str, Any], width: int) -> Iterator[RenderableType]:
    """A table of the classes; nothing where there are fewer than two."""
    entries = metrics.get("classes") or []
    if len(entries) < 2:
        return
    labels = {head: [named(entry, key) for entry in entries] for key, head in heads(entries).items()}
    cells = {key: [cell(entry, key) for entry in entries] for key in COLUMNS}
    widths = {key: max(len(COLUMNS[key]), *map(len, column)) for key, column in cells.items()}
    room = width - sum(min(NAME_WIDTH, max(map(len, [head, *names]))) + 2 for head, names in labels.items())
    shown = fitting(widths, SPARED, room)
    yield table(labels, {key: cells[key] for key in shown}, widths)
    starred = any("*" in text for key in shown for text in cells[key])
    yield Padding(Text("\n".join([NOTE, STARRED] if starred else [NOTE]), "dim"), (0, 0, 1, 1))


def table(labels: Mapping[str, list[str]], cells: Mapping[str, list[str]], widths: Mapping[str, int]) -> Table:
    """Names on the left, numbers on the right."""
    made = framed("By class")
    for head in labels:
        made.add_column(head, overflow="fold")
    for key in cells:
        made.add_column(COLUMNS[key], justify="right", no_wrap=True, min_width=widths[key])
    for row in zip(*labels.values(), *cells.values(), strict=True):
        made.add_row(*map(Text, row))
    return made


def heads(entries: list[dict[str, Any]]) -> dict[str, str]:
    """Which of the two kinds of names there are."""
    both = {"dataset": "data set", "model": "model"}
    return {key: head for key, head in both.items() if any(entry[key] is not None for entry in entries)}


def named(entry: Mapping[str, Any], key: str) -> str:
    """A data set or model; in its place how many classes an entry stands for."""
    if "others" in entry:
        return f"{entry['others']:,} others"
    if entry[key] is None:
        return "(the run's own)" if key == "model" else NONE
    return clean(entry[key], 100)


def cell(entry: Mapping[str, Any], key: str) -> str:
    """A number; a star marks a percentile that the sample does not support, a blank keeps the others in line."""
    value = pick(dict(entry), key)
    if key == "share":
        return f"{100 * value:.1f} %"
    name, _, part = key.partition(".")
    if not part.startswith("p") or value is None:
        return number(value)
    return number(value) + ("*" if part in entry[name]["unsupported"] else " ")
