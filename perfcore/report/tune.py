"""What a search for the largest load has found: a row for each load, the answer, what limited it; as text and JSON."""

import importlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from perfcore.analysis import decision
from perfcore.analysis.decision import CLIENT, Decision
from perfcore.analysis.search import FOUND, NOTHING, Answer, Bounds
from perfcore.analysis.slo import FAILS, MEETS, UNDECIDED
from perfcore.report.files import write as write_file
from perfcore.report.layout import pick
from perfcore.report.text import NONE, clean, encodable, number

SCHEMA = "perfcore.tune/1"
JSON, TEXT = "tune.json", "tune.txt"
PLOTS = "perfcore.report.tune_plots"  # a module by its name, not an import: see perfcore/report/finish.py
RUNNING, INTERRUPTED = "running", "interrupted"
IN_WORDS = {
    decision.QUEUE: "requests wait for their first token: the server's queue grows",
    decision.DECODE: "tokens come more slowly: the server's batch is full",
    decision.ERRORS: "requests fail",
    decision.CLIENT: "this client, and not the server",
    decision.UNSTEADY: "the load did not become steady",
    decision.OBJECTIVE: "an objective of the whole run",
}
# What tune.json has of the longest run of each load, and the head of its column on two lines.
COLUMNS = {
    "concurrency.mean": ("in", "flight"),
    "throughput.requests_per_s": ("requests", "/s"),
    "throughput.output_tokens_per_s": ("output", "tokens/s"),
    "goodput.requests_per_s": ("goodput", "/s"),
    "latency.ttft_from_intended_ms.p50": ("TTFT ms", "p50"),
    "latency.ttft_from_intended_ms.p99": ("", "p99"),
    "latency.tpot_ms.p50": ("TPOT ms", "p50"),
    "latency.tpot_ms.p99": ("", "p99"),
    "requests.total": ("", "requests"),
    "requests.failed": ("", "failed"),
}
KEPT = (
    *COLUMNS,
    "goodput.output_tokens_per_s",
    "goodput.attainment",
    "latency.e2el_from_intended_ms.p50",
    "latency.e2el_from_intended_ms.p99",
    "rate.achieved",
    "window.length_s",
    "steady.verdict",
    "validity.verdict",
)


class Point(NamedTuple):
    """A load: the folders of its runs, their metrics, and what they come to."""

    load: float
    folders: tuple[str, ...]
    metrics: tuple[Mapping[str, Any], ...]
    decided: Decision


class Asked(NamedTuple):
    """What was asked for."""

    variable: str
    objectives: tuple[str, ...]
    bounds: Bounds


def content(asked: Asked, points: Sequence[Point], answer: Answer, state: str, exit_code: int | None) -> dict[str, Any]:
    """What tune.json holds; docs/tune.md lists the keys. `state` is that of the answer, or running or interrupted."""
    limit = limited_by(asked, points, answer)
    return {
        "schema": SCHEMA,
        "variable": asked.variable,
        "objectives": list(asked.objectives),
        "bounds": {key: getattr(asked.bounds, key) for key in ("low", "high", "resolution")},
        "state": state,
        "exit_code": exit_code,
        "answer": answer.meets,
        "interval": [answer.meets, answer.fails],
        "undecided": list(answer.undecided),
        "limited_by": limit,
        "client_limited": limit is not None and limit["kind"] == CLIENT,
        "points": [entry(point) for point in points],
    }


def entry(point: Point) -> dict[str, Any]:
    """What is kept of a load."""
    return {
        "load": point.load,
        "verdict": point.decided.kind,
        "limit": point.decided.limit._asdict() if point.decided.limit else None,
        "runs": list(point.folders),
        "objectives": point.decided.objectives,
        "metrics": {key: pick(point.metrics[-1], key) for key in KEPT},
    }


def limited_by(asked: Asked, points: Sequence[Point], answer: Answer) -> dict[str, Any] | None:
    """Why the answer is not larger: the limit of the next load above it, and how latencies changed up to there."""
    above = sorted(
        (point for point in points if point.load > (answer.meets or 0) and point.decided.kind != MEETS),
        key=lambda point: (point.decided.kind != FAILS, point.load),
    )
    below = [point for point in points if point.load == answer.meets]
    if not above or above[0].decided.limit is None:
        return None
    kind, objective, what = above[0].decided.limit
    changed = ""
    if below:
        before, after = below[0].metrics[-1], above[0].metrics[-1]
        changed = decision.grown(before, after)
        if kind == decision.OBJECTIVE and objective and objective.startswith("e2el"):
            kind = decision.side_of(before, after)
    return {"kind": kind, "objective": objective, "load": above[0].load, "what": what, "changed": changed or None}


def write(parent: Path, found: Mapping[str, Any], plots: bool = False) -> None:
    """Write tune.json and tune.txt, and with `plots` tune.png. Raises UserError where a file cannot be written."""
    write_file(parent / JSON, encodable(json.dumps(found, indent=2, ensure_ascii=False) + "\n"))
    write_file(parent / TEXT, encodable("\n".join((*text(found), ""))))
    if plots:
        importlib.import_module(PLOTS).draw(found, parent)


def text(found: Mapping[str, Any]) -> list[str]:
    """The lines of tune.txt: the curve in the order of loads, and the answer."""
    points = sorted(found["points"], key=lambda point: point["load"])
    return [*head(found["variable"]), *(row(found["variable"], point) for point in points), "", *conclusion(found)]


def head(variable: str) -> list[str]:
    """Two lines over the table."""
    width = max(len(variable), 8)
    lines = [["".rjust(width)], [variable.rjust(width)]]
    for key, tops in COLUMNS.items():
        for line, words in zip(lines, tops, strict=True):
            line.append(words.rjust(column_width(key)))
    return ["  ".join(lines[0]).rstrip(), "  ".join((*lines[1], "verdict"))]


def column_width(key: str) -> int:
    return max(7, *map(len, COLUMNS[key]))


def row(variable: str, point: Mapping[str, Any]) -> str:
    """The line of one load."""
    cells = [in_figures(point["load"]).rjust(max(len(variable), 8))]
    cells += [number(point["metrics"][key]).rjust(column_width(key)) for key in COLUMNS]
    return "  ".join((*cells, ": ".join(filter(None, (point["verdict"], why(point))))))


def why(point: Mapping[str, Any]) -> str:
    """In a few words, what kept a load from meeting."""
    if not point["limit"]:
        return ""
    named = [found for found in point["objectives"] if found["objective"] == point["limit"]["objective"]]
    if not named or named[0]["value"] is None:
        return clean(point["limit"]["what"], 120)
    met, value = named[0]["share"] is not None, named[0]["value"]
    return f"{named[0]['objective']}, " + (f"met by {100 * value:.2f} %" if met else f"{value:.4g}")


def in_figures(load: float | None) -> str:
    return NONE if load is None else f"{load:,.10g}"


def conclusion(found: Mapping[str, Any]) -> Iterator[str]:
    """The answer in words, one sentence a line."""
    variable, (meets, fails) = found["variable"], found["interval"]
    asked = ", ".join(found["objectives"])
    if meets is not None:
        yield f"The largest {variable} that meets {asked}: {in_figures(meets)}"
        yield between(found, meets, fails)
    elif found["state"] == NOTHING:
        yield f"No {variable} from {in_figures(found['bounds']['low'])} on meets {asked}"
    elif found["state"] == UNDECIDED:
        yield f"It could not be decided which {variable} meets {asked}"
    if found["undecided"]:
        loads = ", ".join(map(in_figures, found["undecided"]))
        yield f"Not decided by all their runs: {variable} {loads}; a longer --duration decides more"
    if found["state"] in (RUNNING, INTERRUPTED):
        yield f"The search is not finished ({found['state']}): go on with it by --resume"
    yield from limit_lines(found)


def between(found: Mapping[str, Any], meets: float, fails: float | None) -> str:
    """The interval of the answer in words."""
    if fails is None:
        top = found["state"] == FOUND
        return "It is the largest that was to be tried: --high" if top else "Where it ends is not known yet"
    return f"The truth lies between {in_figures(meets)}, which meets, and {in_figures(fails)}, which fails"


def limit_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """What limited the answer."""
    limit = found["limited_by"]
    if limit is None:
        return
    yield f"Limited by: {IN_WORDS[limit['kind']]}"
    yield f"  at {in_figures(limit['load'])}: {clean(limit['what'], 500)}"
    if limit["changed"] and limit["kind"] != CLIENT:
        yield f"  {limit['changed']}"
    if found["client_limited"]:
        yield "So the answer is that of this client: the server may take more. perfcore calibrate finds its ceilings"
