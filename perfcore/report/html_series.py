"""The page of a sweep: all points in a table with the way to the page of each, and its metrics over the load."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from perfcore.records.evaluation import COMMAND
from perfcore.report import html_samples, series
from perfcore.report.files import write
from perfcore.report.html import SCHEMA, page, terms
from perfcore.report.html_blocks import Block, curve, foreign, lines, plot, section, table

NAME = "report.html"
COLOURS = ("blue", "orange", "green", "purple", "red", "grey")
WIDE = 10.0  # from this ratio of the largest to the smallest load on its axis is logarithmic
PANELS = {
    "Output tokens per second": ("tokens/s", ("throughput.output_tokens_per_s",)),
    "Requests per second": ("requests/s", ("throughput.requests_per_s",)),
    "TTFT": ("ms", ("latency.ttft_ms.p50", "latency.ttft_ms.p99")),
    "ITL": ("ms", ("latency.itl_ms.p50", "latency.itl_ms.p99")),
    "TPOT": ("ms", ("latency.tpot_ms.mean", "latency.tpot_ms.p99")),
    "E2EL": ("ms", ("latency.e2el_ms.p50", "latency.e2el_ms.p99")),
}

Summary: TypeAlias = Mapping[str, Any]
Points: TypeAlias = list[tuple[float, dict[str, Any]]]


def write_page(summary: Summary, parent: Path) -> Path:
    """Write report.html of several runs from what summary.json holds; returns its path.

    Raises UserError where the file cannot be written.
    """
    path = parent / NAME
    write(path, page(content(summary, parent)))
    return path


def content(summary: Summary, parent: Path) -> Block:
    """What the page says."""
    found = [
        section("points", "Points", [point_table(summary, parent), lines(notes(summary))]),
        section("load", "Over the load", over_load(summary)),
        section("accuracy", "Accuracy", html_samples.accuracy(parent / COMMAND)),
    ]
    sections = [part for part in found if part is not None]
    name = foreign(parent.name, 120)
    told = f"{len(summary['points']):,} runs of perfcore, one after the other"
    heads: Block = {"schema": SCHEMA, "title": f"{name}: perfcore report", "heading": name, "sub": told}
    heads |= {"plain": "The same numbers are in summary.txt and summary.json beside it."}
    return heads | {"verdict": "", "sections": sections, "terms": terms(sections)}


def point_table(summary: Summary, parent: Path) -> Block | None:
    """One row for each run, as in summary.txt; a name leads to the page of its run."""
    points = summary["points"]
    shown = series.columns(points)
    heads: list[str | tuple[str, str]] = [
        "run",
        *((column.whole, term(key)) for key, column in shown.items()),
        "verdict",
    ]
    rows = [
        [foreign(point["name"]), *(series.cell(point, key) for key in shown), series.verdict(point)] for point in points
    ]
    found = table("", heads, rows)
    names = {"model", "dataset"}
    numbers = [at for at, key in enumerate(shown, 1) if key not in names]
    links = [f"{point['name']}/{NAME}" if (parent / point["name"] / NAME).is_file() else "" for point in points]
    return found and found | {"numbers": numbers, "links": links}


def term(key: str) -> str:
    """The name of the definition behind a column."""
    return key.rpartition(".")[0] if key.startswith("latency.") else key if "." in key else ""


def notes(summary: Summary) -> Iterator[str]:
    """What stands below the table in summary.txt."""
    yield from (foreign(line, 1000) for line in series.below(summary) if line)


def over_load(summary: Summary) -> Iterator[Block | None]:
    """Each metric over the load; of several pairs of model and data set a curve each."""
    swept = [(own[0]["load"], own[0], series.points_drawn(own)) for own in series.curves(summary["points"])]
    swept = [one for one in swept if len(one[2]) > 1]
    if not swept:
        return
    pairs = [(name(first), points) for _, first, points in swept]
    for title, (unit, keys) in PANELS.items():
        yield panel(title, unit, keys, pairs, swept[0][0])
    key = series.throughput_key([metrics for _, points in pairs for _, metrics in points])
    yield traded(key, pairs, swept[0][0])


def name(point: Mapping[str, Any]) -> str:
    return ", ".join(foreign(part, 40) for part in series.curve(point) if part)


def panel(title: str, unit: str, keys: Sequence[str], pairs: Sequence[tuple[str, Points]], load: str) -> Block | None:
    """Curves over the load, of which runs of the same load count as their mean."""
    x = np.unique([at for _, points in pairs for at, _ in points]).astype(np.float64)
    curves = []
    for place, (pair, points) in enumerate(pairs):
        for key in keys:
            values = [mean([one[key] for at, one in points if at == wanted]) for wanted in x.tolist()]
            label = " ".join(filter(None, (pair, key.rpartition(".")[2] if len(keys) > 1 else "")))
            colour = COLOURS[(place * len(keys) + keys.index(key)) % len(COLOURS)]
            curves.append(curve(label or title, values, colour, dash=key != keys[0]))
    wide = bool(x[0] > 0 and x[-1] >= WIDE * x[0])
    more: dict[str, Any] = {"dots": True, "wide_x": wide, "term": term(keys[0])}
    return plot(f"{title.lower().replace(' ', '-')}-over-load", f"{title} over the load", x, curves, load, unit, **more)


def mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def traded(key: str, pairs: Sequence[tuple[str, Points]], load: str) -> Block | None:
    """Mean E2EL against throughput: each point a load."""
    found = sorted(
        (one[key], one["latency.e2el_ms.mean"], at, place)
        for place, (_, points) in enumerate(pairs)
        for at, one in points
        if one[key] is not None
    )
    if len(found) < 2:
        return None
    curves = [
        curve(pair or "mean E2EL", [late if place == own else None for _, late, _, own in found], colour)
        for (place, (pair, _)), colour in zip(enumerate(pairs), COLOURS * len(pairs), strict=False)
    ]
    x = np.array([throughput for throughput, *_ in found])
    unit = "output tokens/s" if "output" in key else "requests/s"
    labels = [f"{load} {at:g}" for _, _, at, _ in found]
    more: dict[str, Any] = {"dots": True, "line": False, "labels": labels}
    return plot("throughput-latency", "Mean E2EL against throughput", x, curves, unit, "ms", **more)
