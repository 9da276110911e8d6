"""report.html: one page that holds everything, opens from disk and asks nobody for anything.

Whatever models, services and files say is data: it is in the page as JSON in which no tag can begin or end, and the
script sets it as text. The page's own scripts and styles are named by their hashes in its content security policy, so
that nothing else could run, load or send anything, even if it got in.
"""

import base64
import hashlib
import html
import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from perfcore.analysis.measured import due_in, select, window
from perfcore.records.evaluation import COMMAND
from perfcore.records.scrapes import Scrapes
from perfcore.report import html_latency, html_samples, html_setup, html_tables, html_time, html_timeline, html_words
from perfcore.report.definitions import of_key
from perfcore.report.files import write
from perfcore.report.finish import command_of
from perfcore.report.html_blocks import Block, foreign, lines, section
from perfcore.report.html_time import Seen
from perfcore.types import Run

PAGE = files("perfcore.report") / "page"
SCRIPTS = (("uPlot.iife.min.js",), ("script.js", "plots.js", "timeline.js", "answers.js", "start.js"))
STYLES = ("uPlot.min.css", "style.css")
LICENCE = "LICENSE.uPlot"
SCHEMA = "perfcore.page/1"


def write_page(
    run: Run,
    metrics: Mapping[str, Any],
    described: Mapping[str, Any],
    run_dir: Path,
    scrapes: Scrapes | None = None,
    suffix: str = "",
) -> Path:
    """Write report.html of a run whose records, metrics and run.json are given; returns its path.

    `suffix` stands at the end of the name of a page about a window of a run that was not made for it. Raises UserError
    where the file cannot be written.
    """
    path = run_dir / f"report{suffix}.html"
    write(path, page(content(run, metrics, described, run_dir, scrapes)))
    return path


def content(
    run: Run, metrics: Mapping[str, Any], described: Mapping[str, Any], run_dir: Path, scrapes: Scrapes | None
) -> Block:
    """What the page says, as plain values: see perfcore/report/html_blocks.py."""
    sections = [part for part in parts(run, metrics, described, run_dir, scrapes) if part is not None]
    name = foreign(described.get("model") or run_dir.name, 120)
    verdict = metrics.get("steady", {}).get("verdict") or metrics["validity"]["verdict"]
    return {
        "schema": SCHEMA,
        "title": f"{name}: perfcore report",
        "heading": name,
        "sub": subtitle(described, run_dir),
        "plain": "The same numbers are in the files .txt and .json beside it.",
        "verdict": str(verdict).replace("_", " "),
        "sections": sections,
        "terms": terms(sections),
    }


def subtitle(described: Mapping[str, Any], run_dir: Path) -> str:
    kind = " ".join(filter(None, ("perfcore", foreign(command_of(described) or "", 20))))
    started = str(described.get("started") or "")[:19].replace("T", " ")
    return " · ".join(filter(None, (kind, foreign(run_dir.name, 80), f"{started} UTC" if started else "")))


def parts(
    run: Run, metrics: Mapping[str, Any], described: Mapping[str, Any], run_dir: Path, scrapes: Scrapes | None
) -> Iterator[Block | None]:
    """The sections from top to bottom."""
    everything, bounds, edges = select(run.requests), window(run.requests), window_of(metrics)
    shown = everything if edges is None else due_in(run.requests, everything, *edges)
    seen = None if bounds is None else Seen(run, everything, bounds, edges)
    words, tables = html_words, html_tables
    yield section("verdict", "Verdict", words.verdicts(metrics))
    yield section("numbers", "Headline numbers", [words.cards(metrics), words.intervals(metrics), words.facts(metrics)])
    yield section("diagnosis", "What may be behind the numbers", [words.causes(metrics)])
    yield section("objectives", "Service levels", words.objectives(metrics))
    samples = html_latency.samples(run, shown, edges is not None)
    table = html_latency.percentiles(samples, metrics["absent"])
    yield section("latency", "Latencies", [*html_latency.distributions(samples), table])
    if seen is not None:
        yield section("load", "Over time", html_time.load_plots(seen, run_dir))
        yield section("timeline", "Request by request", [html_timeline.timeline(seen)])
        yield section("arrivals", "Arrivals", tables.arrivals(seen, metrics))
        yield section("lengths", "Lengths", tables.lengths(run.requests, shown, metrics))
        yield section("classes", "Classes of request", words.classes(metrics))
        found = [*tables.connections(metrics), html_time.connections_over_time(seen)]
        yield section("connections", "Connections", found)
        found = [tables.workers(metrics), html_time.slip_over_time(seen), html_time.worker_load(seen)]
        yield section("workers", "Workers and slip", found)
        yield section("servers", "Servers", tables.servers(scrapes, seen, metrics))
    else:
        yield section("load", "Over time", [lines(["No measured request was recorded with its times."])])
    ends = [*tables.errors(metrics, run_dir, shown), tables.finish_reasons(metrics)]
    yield section("errors", "Errors and finish reasons", ends)
    yield section("accuracy", "Accuracy", html_samples.accuracy(run_dir / COMMAND))
    yield section("setup", "Configuration", html_setup.setup(described, run_dir))


def window_of(metrics: Mapping[str, Any]) -> tuple[int, int] | None:
    """Edges in ns of the window that was measured, where it is not the whole run."""
    found = metrics.get("window")
    return None if found is None else (found["start_ns"], found["end_ns"])


def terms(value: Any) -> dict[str, Block]:
    """Definitions of all that is named in the sections, by key in metrics.json."""
    found = {key: of_key(key) for key in sorted(set(keys(value)))}
    return {
        key: {"title": one.title, "unit": one.unit, "text": one.text, "formula": one.formula}
        for key, one in found.items()
        if one is not None
    }


def keys(value: Any) -> Iterator[str]:
    """Names of definitions within blocks."""
    if isinstance(value, list):
        for item in value:
            yield from keys(item) if isinstance(item, (dict, list)) else ()
    elif isinstance(value, dict):
        yield from filter(None, (value.get("term"), *value.get("terms", ()), *value.get("head_terms", ())))
        for name in ("sections", "blocks", "cards"):
            yield from keys(value.get(name))


def page(found: Block) -> bytes:
    """The page that shows these sections."""
    scripts = ["\n".join(map(source, names)) for names in SCRIPTS]
    style = "\n".join(map(source, STYLES))
    policy = "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(digest, scripts))}",
            f"style-src {digest(style)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    pieces = {
        "policy": policy,
        "title": html.escape(found["title"]),
        "style": style,
        "licence": source(LICENCE).strip(),
        "plain": html.escape(found.get("plain", "")),
        "data": escaped(found),
        "library": scripts[0],
        "script": scripts[1],
    }
    shown = source("template.html")
    head, *rest = shown.split("{{")
    filled = [head]
    for piece in rest:
        name, _, after = piece.partition("}}")
        filled += [pieces[name], after]
    return "".join(filled).encode()


def source(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """A script or style as a content security policy names it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def escaped(value: Any) -> str:
    """JSON in ASCII in which no tag, comment or reference to a character can begin, whatever texts it has."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
