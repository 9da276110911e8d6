"""The report as text: two tables, the errors, the verdict; of a steady run its window first.

Made from metrics.json alone.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from perfcore.records.taxonomy import explained
from perfcore.report import ceilings, classes, diagnosis, layout, levels, service, steady
from perfcore.report.layout import WIDTH, framed, pick
from perfcore.report.text import NONE, clean, listing, number

# Rows of the first table: what metrics.json calls it, and what a person does.
ROWS = {
    "latency.ttft_ms": "TTFT (ms)",
    "latency.ttft_from_intended_ms": "TTFT from intended (ms)",
    "latency.ttfa_ms": "TTFA (ms)",
    "latency.ttfa_from_intended_ms": "TTFA from intended (ms)",
    "latency.e2el_ms": "E2EL (ms)",
    "latency.e2el_from_intended_ms": "E2EL from intended (ms)",
    "latency.tpot_ms": "TPOT (ms)",
    "latency.itl_ms": "ITL (ms)",
    "latency.slip_ms": "Slip (ms)",
    "latency.connect_ms": "Connect (ms)",
    "tokens.input_per_request": "Input tokens",
    "tokens.output_per_request": "Output tokens",
}

COLUMNS = {
    "mean": "mean",
    "min": "min",
    "max": "max",
    "p50": "p50",
    "p75": "p75",
    "p90": "p90",
    "p95": "p95",
    "p99": "p99",
    "n": "N",
}

# Who says how long something is.
WHO = {"asked": "asked", "counted": "counted here", "server": "at the server", "got": "got"}

# Columns that a narrow terminal does without, the least missed one first.
SPARED = ("p75", "min", "p95", "p90", "max", "n", "p50")

COLOURS = {"valid": "green", "suspect": "yellow", "client limited": "red", "note": "cyan"}


def show(metrics: dict[str, Any], folder: Path | None, stream: TextIO) -> None:
    """Print the report, in colour and as wide as the terminal where it is one."""
    layout.show(stream, lambda width: parts(metrics, folder, width))


def render(metrics: dict[str, Any], folder: Path | None, width: int = WIDTH, colour: bool = False) -> str:
    """The report as text of at most `width` columns; with ANSI colours if asked for."""
    return layout.rendered(parts(metrics, folder, width), width, colour)


def parts(metrics: dict[str, Any], folder: Path | None, width: int) -> Iterator[RenderableType]:
    """The pieces of the report from top to bottom."""
    if "steady" in metrics:
        yield from steady.parts(metrics, width)
    yield from request_table(metrics, width)
    yield run_table(metrics)
    yield from levels.parts(metrics)
    yield from service.parts(metrics)
    yield from length_table(metrics.get("lengths"))
    if len(metrics.get("targets") or []) > 1:
        yield target_table(metrics["targets"])
    yield from classes.parts(metrics, width)
    if metrics["errors"]:
        yield error_table(metrics)
        yield remedies(metrics["errors"])
    yield from verdict(metrics["validity"])
    if share := ceilings.used(metrics["validity"], metrics["absent"]):
        yield Text(f"{share}\n")
    yield from diagnosis.parts(metrics)
    if folder is not None:
        yield Text.assemble(("Folder  ", "bold"), clean(str(folder), 4096))


def request_table(metrics: dict[str, Any], width: int) -> Iterator[RenderableType]:
    """Distribution of each per-request metric, and under it why what is missing is missing."""
    found = {label: pick(metrics, key) for key, label in ROWS.items()}
    present = {label: summary for label, summary in found.items() if summary is not None}
    cells = {label: {column: cell(summary, column) for column in COLUMNS} for label, summary in present.items()}
    table = framed("Per request that was due in the window" if "steady" in metrics else "Per request")
    table.add_column("", no_wrap=True)
    columns = fitting(cells, width)
    for column in columns:
        widest = max([0, *(len(row[column]) for row in cells.values())])
        table.add_column(COLUMNS[column], justify="right", no_wrap=True, min_width=widest)
    for label, row in cells.items():
        table.add_row(label, *(Text(row[column], "dim" if row[column].endswith("*") else "") for column in columns))
    yield table
    notes = footnotes(metrics)
    if any(row[column].endswith("*") for row in cells.values() for column in columns):
        notes.append("* fewer than 10 samples lie beyond this percentile: the sample does not support it")
    if notes:
        yield Padding(Text("\n".join(notes), "dim"), (0, 0, 1, 1))


def cell(summary: dict[str, Any], column: str) -> str:
    """A number; a star marks a percentile that the sample does not support, a blank keeps the others in line."""
    if column == "n":
        return number(summary["n"])
    starred = column.startswith("p") and bool(summary["unsupported"])
    return number(summary[column]) + ("*" if column in summary["unsupported"] else " " if starred else "")


def fitting(cells: dict[str, dict[str, str]], width: int) -> list[str]:
    """The columns that fit side by side: none is wrapped or cut, the least missed are left out."""
    label = max((len(name) for name in cells), default=0)
    widths = {column: max([len(COLUMNS[column]), *(len(row[column]) for row in cells.values())]) for column in COLUMNS}
    return layout.fitting(widths, SPARED, width - label - 2)


def footnotes(metrics: dict[str, Any]) -> list[str]:
    """Missing rows, those with the same reason together."""
    grouped: dict[str, list[str]] = {}
    for key, label in ROWS.items():
        if key in metrics["absent"]:
            grouped.setdefault(metrics["absent"][key], []).append(label.removesuffix(" (ms)"))
    return [f"No {', '.join(labels)}: {why}" for why, labels in grouped.items()]


def run_table(metrics: dict[str, Any]) -> Table:
    """What the run as a whole did."""
    table = framed("Window" if "steady" in metrics else "Run")
    table.show_header = False
    table.add_column("", no_wrap=True)
    table.add_column("")
    for label, value in run_rows(metrics):
        table.add_row(label, Text(value))
    return table


def run_rows(metrics: dict[str, Any]) -> Iterator[tuple[str, str]]:
    requests, tokens, connections = metrics["requests"], metrics["tokens"], metrics["connections"]
    throughput = metrics["throughput"]
    yield "Duration", f"{number(metrics['duration_s'])} s" + (" in all" if "steady" in metrics else "")
    yield "Requests", request_counts(requests)
    if metrics["retried"]:
        yield "Tried again after", listing(metrics["retried"])
    yield "Concurrency", in_words(metrics["concurrency"], ("asked", "mean", "max"))
    if metrics["rate"]["asked"] is not None:
        yield "Rate (requests/s)", in_words(metrics["rate"], ("asked", "achieved"))
    if metrics.get("arrivals"):
        yield "Arrivals", "\n".join(metrics["arrivals"]["words"])
    yield "Requests/s", number(throughput["requests_per_s"])
    for kind in ("input", "output", "total"):
        yield f"{kind.capitalize()} tokens/s", number(throughput[f"{kind}_tokens_per_s"])
    for kind in ("input", "output", "reasoning", "cached"):
        if tokens[kind] is not None or kind in ("input", "output"):
            yield f"{kind.capitalize()} tokens", token_sum(tokens, kind, requests["ok"])
    yield "Token source", token_source(tokens)
    if took := token_time(metrics.get("client_tokens") or {}):
        yield "Tokens counted here", took
    yield "Finish reasons", listing(metrics["finish_reasons"])
    yield "Connections", f"{number(connections['opened'])} opened, {number(connections['reused'])} requests reused one"
    yield "Workers", busy(metrics["workers"])


def request_counts(requests: dict[str, int]) -> str:
    shown = f"{requests['total']:,} total, {requests['ok']:,} ok, {requests['failed']:,} failed"
    more = {"retries": "tried again", "after_stop": "ended after the stop", "bad_json_events": "malformed events"}
    return shown + "".join(f", {requests[key]:,} {words}" for key, words in more.items() if requests[key])


def in_words(values: dict[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {number(values[name])}" for name in names if values[name] is not None) or NONE


def token_sum(tokens: dict[str, Any], kind: str, ok: int) -> str:
    """The sum, and over how many requests it goes where that is not all of them."""
    counted = tokens["counted"][kind]
    return number(tokens[kind]) + (f" (of {counted:,} of {ok:,} requests)" if 0 < counted < ok else "")


def token_source(tokens: dict[str, Any]) -> str:
    if tokens["source"] is None:
        return NONE
    estimate = " (an estimate: one token per event)" if "events" in tokens["source"] else ""
    ratio = tokens["tokens_per_event"]
    return f"{tokens['source']}{estimate}" + (f", {number(ratio)} tokens per event" if ratio is not None else "")


def token_time(client: dict[str, Any]) -> str:
    """What encoding prompts and counting tokens took on this side."""
    names = {"tokenizer_s": "before the run (tokenizer)", "detokenizer_s": "after it (detokenizer)"}
    return ", ".join(f"{number(client[key])} s {words}" for key, words in names.items() if client.get(key) is not None)


def busy(workers: list[dict[str, Any]] | None) -> str:
    """How many there were and how much of a core the busiest used."""
    if workers is None:
        return NONE
    shares = [worker["cpu_share"] for worker in workers if worker["cpu_share"] is not None]
    lost = sum(worker["lost"] for worker in workers)
    load = f", the busiest {100 * max(shares):.0f} % busy" if shares else ""
    return f"{len(workers):,}{load}" + (f", {lost:,} lost" if lost else "")


def length_table(lengths: dict[str, Any] | None) -> Iterator[RenderableType]:
    """Lengths asked, counted and made, where there are two to compare; under them what their differences mean."""
    if lengths is None:
        return
    table = framed("Lengths (tokens)")
    for name in ("", "mean", "min", "p50", "p99", "max", "N"):
        table.add_column(name, justify="right" if name else "left", no_wrap=bool(name))
    for side in (side for side in ("input", "output") if lengths[side]["differences"]):
        for name, summary in lengths[side].items():
            if name != "differences" and summary is not None:
                table.add_row(f"{side.capitalize()} {WHO[name]}", *length_cells(summary))
        for name, pair in lengths[side]["differences"].items():
            if pair["longer"] + pair["shorter"]:
                table.add_row(difference_label(name, pair), *length_cells(pair["by"]))
    yield table
    if lengths["remarks"]:
        yield Padding(Text("\n".join(lengths["remarks"]), "dim"), (0, 0, 1, 1))


def length_cells(summary: dict[str, Any]) -> list[str]:
    return [number(summary[name]) for name in ("mean", "min", "p50", "p99", "max", "n")]


def difference_label(name: str, pair: dict[str, Any]) -> str:
    """What is compared, and how many differ."""
    return f"  {name.replace('_', ' ')}: {pair['longer'] + pair['shorter']:,} differ"


def target_table(targets: list[dict[str, Any]]) -> Table:
    """Requests by the URL that they went to."""
    table = framed("By URL")
    table.add_column("URL", overflow="fold")
    for name in ("requests", "ok", "failed", "TTFT p50 (ms)"):
        table.add_column(name, justify="right", no_wrap=True)
    for target in targets:
        counts = (number(target[name]) for name in ("requests", "ok", "failed", "ttft_p50_ms"))
        table.add_row(Text(clean(target["url"], 200)), *counts)
    return table


def error_table(metrics: dict[str, Any]) -> Table:
    """Failed requests by class, each with the first message that was seen."""
    table = framed("Errors")
    table.add_column("class", no_wrap=True)
    table.add_column("requests", justify="right", no_wrap=True)
    table.add_column("first message", overflow="fold")
    for name, count in metrics["errors"].items():
        sample = metrics["error_samples"].get(name, "")
        table.add_row(Text(clean(name, 40), "red"), number(count), Text(clean(sample)))
    return table


def remedies(errors: dict[str, int]) -> RenderableType:
    """For each class of failure its usual cause and what to do about it."""
    told = [(clean(name, 40), explained(name)) for name in errors]
    lines = [Text.assemble((f"{name}: ", "red"), f"{words.cause} {words.remedy}") for name, words in told]
    return Padding(Group(*lines), (0, 0, 1, 2))


def verdict(validity: dict[str, Any]) -> Iterator[RenderableType]:
    """The verdict in one word and every reason with its remedy."""
    word = validity["verdict"]
    yield Text.assemble(("Validity  ", "bold"), (word, f"bold {COLOURS[word]}"))
    for reason in validity["reasons"]:
        level = reason["level"]
        yield Padding(
            Text.assemble((f"{level}: ", COLOURS[level]), f"{reason['what']} {reason['remedy']}"), (0, 0, 0, 2)
        )
    yield Text("")
