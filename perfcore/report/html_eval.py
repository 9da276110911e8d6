"""The page of an evaluation: scores, single answers to search and to filter, how fast they came, and what was asked.

It is made of the files of the evaluation's folder (docs/eval.md), and shown by the script of report.html.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from perfcore.records.evaluation import EVAL
from perfcore.report import html_samples, html_setup
from perfcore.report.files import write
from perfcore.report.html import SCHEMA, page, subtitle, terms
from perfcore.report.html_blocks import Block, foreign, lines, section, table
from perfcore.report.layout import pick
from perfcore.report.text import NONE, number

NAME = "report.html"
RUNS = "runs"
# Of the runs that collected answers: where metrics.json has a number, what a person calls it, its definition.
SPEED = (
    ("requests.total", "requests", "requests.total"),
    ("requests.failed", "failed", "requests.failed"),
    ("concurrency.mean", "in flight", "concurrency.mean"),
    ("throughput.output_tokens_per_s", "output tokens/s", "throughput.output_tokens_per_s"),
    ("latency.ttft_ms.p50", "TTFT p50 (ms)", "latency.ttft_ms"),
    ("latency.tpot_ms.mean", "TPOT mean (ms)", "latency.tpot_ms"),
    ("latency.e2el_ms.p50", "E2EL p50 (ms)", "latency.e2el_ms"),
)


def write_page(folder: Path) -> Path:
    """Write report.html of the folder of an evaluation that has its summary; returns its path.

    Raises UserError where the file cannot be written.
    """
    path = folder / NAME
    write(path, page(content(folder)))
    return path


def content(folder: Path) -> Block:
    """What the page says, as plain values: see perfcore/report/html_blocks.py."""
    described = html_samples.read_json(folder / EVAL)
    scores, single = parted(html_samples.accuracy(folder))
    found = [
        section("accuracy", "Scores", scores or [lines(["Nothing has been scored."])]),
        section("samples", "Single answers", single),
        section("speed", "How fast the answers came", speed(folder)),
        section("setup", "Configuration", html_setup.asked(described)),
    ]
    sections = [part for part in found if part is not None]
    models = html_samples.read_json(folder / html_samples.SUMMARY).get("models") or [folder.name]
    name = foreign(", ".join(map(str, models)), 120)
    heads: Block = {"schema": SCHEMA, "title": f"{name}: perfcore eval", "heading": name}
    heads |= {"plain": "The same numbers are in the folder summary beside it."}
    return heads | {"sub": subtitle(described, folder), "verdict": "", "sections": sections, "terms": terms(sections)}


def parted(blocks: Iterator[Block | None]) -> tuple[list[Block], list[Block]]:
    """Tables and notes, and the single answers or the line that says how to have them, which come last."""
    known = [block for block in blocks if block is not None]
    return known[:-1], known[-1:]


def speed(folder: Path) -> Iterator[Block | None]:
    """What the requests of each run that collected answers took. A run is one data set, or several of a model."""
    names = sorted((folder / RUNS).glob("*/*/metrics.json"))
    rows, links = [], []
    for path in names:
        run = path.parent
        rows.append([foreign(f"{run.parent.name} / {run.name}"), *cells(html_samples.read_json(path))])
        links.append(run.relative_to(folder).joinpath(NAME).as_posix() if (run / NAME).is_file() else "")
    heads: list[str | tuple[str, str]] = ["run", *((label, term) for _, label, term in SPEED)]
    note = f"perfcore report {RUNS}/MODEL/RUN has all numbers of one of them, and makes its page."
    found = table("", heads, rows, note=note)
    yield found and found | {"links": links}


def cells(metrics: Mapping[str, Any]) -> list[str]:
    """Numbers of a run; those that are not there are told so."""
    return [NONE if (value := pick(dict(metrics), key)) is None else number(value) for key, _, _ in SPEED]
