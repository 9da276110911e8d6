"""The summary of several runs: one row each, made from their metrics.json, as text, Markdown, CSV and JSON.

The same lines are printed while the runs go on and stand in summary.txt: columns are as wide as their heads and what is
asked for, so that no row has to wait for the others.
"""

import csv
import importlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple, TypeAlias

from perfcore.analysis.knee import knee
from perfcore.errors import UserError
from perfcore.records import series
from perfcore.report.files import write as write_file
from perfcore.report.layout import pick
from perfcore.report.text import NONE, clean, encodable, number

SCHEMA = "perfcore.summary/1"
# Modules by their names, not imports: see perfcore/report/finish.py.
PLOTS = "perfcore.report.series_plots"
PAGE = "perfcore.report.html_series"
STATES = {0: "finished", 1: "failed", 130: "interrupted", None: "killed"}
NAME_LENGTH = 30  # of what is shown of a path as it is
LATENCIES = ("ttft_ms", "tpot_ms", "itl_ms", "e2el_ms")
STATISTICS = ("mean", "p50", "p90", "p99")

Summary: TypeAlias = dict[str, Any]
Metrics: TypeAlias = dict[str, Any]


class Column(NamedTuple):
    """A column of the table: its head on two lines, and on one."""

    top: str
    bottom: str
    whole: str
    width: int = 7


ASKED = {"model": "model", "dataset": "data set", "concurrency": "concurrency", "rate": "rate"}
MEASURED = {
    "concurrency.mean": Column("in", "flight", "in flight"),
    "throughput.requests_per_s": Column("requests", "/s", "requests/s"),
    "throughput.output_tokens_per_s": Column("output", "tokens/s", "output tokens/s"),
    "latency.ttft_ms.mean": Column("TTFT ms", "mean", "TTFT mean (ms)"),
    "latency.ttft_ms.p50": Column("", "p50", "TTFT p50 (ms)"),
    "latency.ttft_ms.p99": Column("", "p99", "TTFT p99 (ms)"),
    "latency.tpot_ms.mean": Column("TPOT ms", "mean", "TPOT mean (ms)"),
    "latency.itl_ms.p99": Column("ITL ms", "p99", "ITL p99 (ms)"),
    "latency.e2el_ms.p99": Column("E2EL ms", "p99", "E2EL p99 (ms)"),
    "requests.failed": Column("", "failed", "failed", 6),
}
# What summary.csv and summary.json have of each run.
KEPT = (
    "duration_s",
    "requests.total",
    "requests.ok",
    "requests.failed",
    "concurrency.mean",
    "concurrency.max",
    "rate.achieved",
    "throughput.requests_per_s",
    "throughput.input_tokens_per_s",
    "throughput.output_tokens_per_s",
    "throughput.total_tokens_per_s",
    *(f"latency.{name}.{statistic}" for name in LATENCIES for statistic in STATISTICS),
)


def write(parent: Path, metrics_of: Callable[[Path], Metrics | None], plots: bool = False) -> Summary:
    """Write summary.json, .txt, .md and .csv, and with `plots` the PNGs and the page; returns what summary.json holds.

    `metrics_of` gives the metrics of the run in a folder, None where there are none. Works with any number of runs
    finished. Raises UserError where the folder is none of several runs, or a file cannot be written.
    """
    summary = summarised(parent, metrics_of)
    write_file(parent / "summary.json", encodable(json.dumps(summary, indent=2, ensure_ascii=False) + "\n"))
    write_file(parent / "summary.txt", encodable("\n".join((*text(summary, parent), ""))))
    write_file(parent / "summary.md", encodable(markdown(summary)))
    write_file(parent / "summary.csv", encodable(comma_separated(summary)))
    if plots:
        importlib.import_module(PLOTS).draw(summary, parent)
        importlib.import_module(PAGE).write_page(summary, parent)
    return summary


def kept_metrics(folder: Path) -> Metrics | None:
    """What metrics.json of a run holds; None where there is none."""
    try:
        return dict(json.loads((folder / "metrics.json").read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def summarised(parent: Path, metrics_of: Callable[[Path], Metrics | None]) -> Summary:
    """What is known of all points, their knees, and what a reader should know."""
    asked = series.read_series(parent)["points"]
    points = [point_of(parent, point, metrics_of) for point in asked]
    return {
        "schema": SCHEMA,
        "points": points,
        "knees": [knee_of(own) for own in curves(points)],
        "remarks": remarks(parent, points),
    }


def point_of(parent: Path, asked: Mapping[str, Any], metrics_of: Callable[[Path], Metrics | None]) -> dict[str, Any]:
    """What is known of one point."""
    folder = parent / asked["name"]
    run, error = series.ran(folder), series.failure(folder)
    metrics = metrics_of(folder) if run else None
    return {
        **{key: asked[key] for key in ("name", "model", "dataset", "load", "concurrency", "rate")},
        "state": "failed" if error else STATES.get(run.exit_code, "failed") if run else "not run",
        "exit_code": 2 if error else run.exit_code if run else None,
        "error": error,
        "offset": run.offset if run else None,
        "rows": run.used if run else None,
        "metrics": {key: pick(metrics, key) for key in KEPT} if metrics else None,
        "unsupported": unsupported(metrics),
        "verdict": pick(metrics, "validity.verdict"),
        "reasons": [reason for reason in pick(metrics, "validity.reasons") or () if reason["level"] != "note"],
    }


def unsupported(metrics: Metrics | None) -> list[str]:
    """Keys of the percentiles for which the sample is too small."""
    found = {name: pick(metrics, f"latency.{name}.unsupported") or () for name in LATENCIES}
    return [
        f"latency.{name}.{statistic}" for name, few in found.items() for statistic in STATISTICS if statistic in few
    ]


def curve(point: Mapping[str, Any]) -> tuple[Any, Any]:
    """What the points of one curve have in common."""
    return point["model"], point["dataset"]


def curves(points: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The points of each sweep."""
    return [own for own in (list(group) for _, group in groupby(points, curve)) if own[0]["load"] is not None]


def points_drawn(points: Sequence[Mapping[str, Any]]) -> list[tuple[float, Metrics]]:
    """Load and metrics of the points of a curve that answered, in ascending order of load."""
    answered = [point for point in points if point["metrics"] and point["metrics"]["latency.e2el_ms.mean"]]
    return sorted(((point[point["load"]], point["metrics"]) for point in answered), key=lambda pair: pair[0])


def knee_of(points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The knee of one curve: its load, or why there is none. Runs of the same load count as their mean."""
    key = throughput_key([metrics for _, metrics in points_drawn(points)])
    loads: list[float] = []
    measured: list[tuple[float, float]] = []
    for load, group in groupby(points_drawn(points), key=lambda pair: pair[0]):
        values = [(metrics[key], metrics["latency.e2el_ms.mean"]) for _, metrics in group]
        loads.append(load)
        measured.append((mean([first for first, _ in values]), mean([second for _, second in values])))
    found = knee([throughput for throughput, _ in measured], [latency for _, latency in measured])
    model, dataset = curve(points[0])
    at = None if found.at is None else loads[found.at]
    return {"model": model, "dataset": dataset, "load": points[0]["load"], "at": at, "reason": found.reason or None}


def throughput_key(metrics: Sequence[Metrics]) -> str:
    """Tokens per second where all points know it: answers may differ in length; else requests per second."""
    known = all(one["throughput.output_tokens_per_s"] for one in metrics)
    return "throughput.output_tokens_per_s" if known else "throughput.requests_per_s"


def remarks(parent: Path, points: Sequence[Mapping[str, Any]]) -> list[str]:
    """What a reader should know: which runs sent rows that an earlier run of their pair had sent as well."""
    names: list[str] = []
    for _, group in groupby(points, curve):
        runs = [run for point in group for run in series.runs_of(parent, point["name"]) if not run.simulated]
        names += again(sorted(runs, key=lambda run: run.started))
    if not names:
        return []
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [
        f"{shown} sent rows that an earlier run had sent: a service that caches prefixes may have answered them faster."
    ]


def again(runs: Sequence[series.Ran]) -> Iterator[str]:
    """Names of the runs some of whose rows an earlier one has sent."""
    for place, run in enumerate(runs):
        end = run.offset + run.used
        if any(max(run.offset, other.offset) < min(end, other.offset + other.used) for other in runs[:place]):
            yield run.folder.name


def columns(points: Sequence[Mapping[str, Any]]) -> dict[str, Column]:
    """The columns of the table; those of what was asked for only where any point has it."""
    asked = {
        key: Column("", label, label, max(len(cell_asked(point, key)) for point in points))
        for key, label in ASKED.items()
        if any(point[key] is not None for point in points)
    }
    return asked | MEASURED


def head(summary: Mapping[str, Any]) -> list[str]:
    """Two lines over the table; takes what series.json holds as well."""
    shown = columns(summary["points"])
    lines = [
        "  ".join(aligned(key, getattr(column, line), column) for key, column in shown.items())
        for line in ("top", "bottom")
    ]
    return [lines[0].rstrip(), lines[1] + "  verdict"]


def aligned(key: str, text: str, column: Column) -> str:
    """Text as wide as its column; names to the left, numbers to the right."""
    width = max(len(column.top), len(column.bottom), column.width)
    return text.ljust(width) if key in ("model", "dataset") else text.rjust(width)


def text(summary: Mapping[str, Any], parent: Path) -> list[str]:
    """The lines of summary.txt."""
    rows = [row_of(point, summary["points"]) for point in summary["points"]]
    return [*head(summary), *rows, *tail(summary, parent)]


def row(asked: Mapping[str, Any], parent: Path, name: str) -> str:
    """The row of one point, of which `asked` is what series.json holds."""
    own = next(point for point in asked["points"] if point["name"] == name)
    return row_of(point_of(parent, own, kept_metrics), asked["points"])


def row_of(point: Mapping[str, Any], points: Sequence[Mapping[str, Any]]) -> str:
    """A row of the table."""
    cells = [aligned(key, cell(point, key), column) for key, column in columns(points).items()]
    return "  ".join((*cells, verdict(point)))


def cell(point: Mapping[str, Any], key: str) -> str:
    """A value; a star marks a percentile that the sample does not support."""
    if key in ASKED:
        return cell_asked(point, key)
    if not point["metrics"]:
        return NONE
    return number(point["metrics"][key]) + ("*" if key in point["unsupported"] else "")


def cell_asked(point: Mapping[str, Any], key: str) -> str:
    """What was asked for: a name, of a long path its end, or a plain number."""
    value = point[key]
    if isinstance(value, str):
        return clean(value if len(value) <= NAME_LENGTH else f"…/{Path(value).name}", 60)
    return NONE if value is None else f"{value:,.10g}"


def verdict(point: Mapping[str, Any]) -> str:
    """The verdict of a run, and its state where it is not finished."""
    return ", ".join(filter(None, (point["verdict"], point["state"] if point["state"] != "finished" else "")))


def tail(summary: Mapping[str, Any], parent: Path) -> list[str]:
    """What stands below the table."""
    return [*map(clean_line, below(summary)), f"Folder  {clean(str(parent), 4096)}"]


def clean_line(line: str) -> str:
    return clean(line, 1000)


def below(summary: Mapping[str, Any]) -> Iterator[str]:
    """Notes on the table, one a line."""
    yield ""
    if any(set(point["unsupported"]) & MEASURED.keys() for point in summary["points"]):
        yield "* fewer than 10 samples lie beyond this percentile: the sample does not support it"
    for found in summary["knees"]:
        yield knee_line(found)
    for point in summary["points"]:
        if point["error"]:
            yield f"{point['name']}: {point['error']}"
        for reason in point["reasons"]:
            yield f"{point['name']}: {reason['level']}: {reason['what']}"
    yield from summary["remarks"]


def knee_line(found: Mapping[str, Any]) -> str:
    """A knee in words."""
    pair = [cell_asked(found, key) for key in ("model", "dataset") if found[key] is not None]
    of = f" of {' with '.join(pair)}" if pair else ""
    if found["at"] is None:
        return f"No knee{of}: {found['reason']}"
    load = f"{found['load']} {found['at']:,.10g}"
    return f"Knee{of}: {load}, where throughput divided by latency is greatest"


def markdown(summary: Mapping[str, Any]) -> str:
    """The table and its notes for a page."""
    shown = columns(summary["points"])
    heads = [*(column.whole for column in shown.values()), "verdict"]
    rule = ["---" if key in ("model", "dataset") else "---:" for key in shown] + ["---"]
    table = [heads, rule, *([*(cell(p, key) for key in shown), verdict(p)] for p in summary["points"])]
    lines = [f"| {' | '.join(text.replace('|', chr(92) + '|') for text in cells)} |" for cells in table]
    notes = [f"- {line.replace('* ', chr(92) + '* ', 1)}" for line in map(clean_line, below(summary)) if line]
    return "\n".join((*lines, "", *notes, ""))


def comma_separated(summary: Mapping[str, Any]) -> str:
    """All kept metrics as plain numbers, a line for each point; what is not known is empty."""
    first = ("name", "model", "dataset", "concurrency", "rate", "state", "exit_code", "offset", "rows")
    target = io.StringIO()
    table = csv.writer(target, lineterminator="\n")
    table.writerow([*first, *KEPT, "unsupported", "verdict"])
    for point in summary["points"]:
        measured = [point["metrics"][key] if point["metrics"] else None for key in KEPT]
        table.writerow([*(point[key] for key in first), *measured, " ".join(point["unsupported"]), point["verdict"]])
    return target.getvalue()


def finish_series(parent: Path, finish: Callable[[Path], Metrics]) -> Summary:
    """Finish every run of the folder that can be, and write its summary with plots."""

    def finished(folder: Path) -> Metrics | None:
        try:
            return finish(folder)
        except UserError:
            return None

    return write(parent, finished, plots=True)
